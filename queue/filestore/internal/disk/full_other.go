//go:build !unix && !windows

package disk

// IsFull reports whether err means that there is no room for a larger file; it
// can't be told here.
func IsFull(error) bool { return false }
