//go:build !linux

package disk

// Sync is what package os does: F_FULLFSYNC on macOS, FlushFileBuffers on
// Windows, fsync elsewhere.
func (f osFile) Sync() error { return f.File.Sync() }
