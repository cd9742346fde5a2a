package disk

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// lockName is the file that Lock locks. It is left behind: removing it could
// take it from under somebody who has just opened it.
const lockName = "LOCK"

// osDisk is a directory of the file system.
type osDisk struct{ dir string }

// OS returns the directory dir as a Disk, and makes it first if it is not
// there; its parent must be.
func OS(dir string) (Disk, error) {
	err := os.Mkdir(dir, 0o700)
	switch {
	case err == nil:
		// The directory's own name must survive with what is put into it.
		if err := syncDir(filepath.Dir(filepath.Clean(dir))); err != nil {
			return nil, fmt.Errorf("filestore: making %s durable: %w", dir, err)
		}
	case !isDir(dir):
		return nil, fmt.Errorf("filestore: %w", err)
	}
	return osDisk{dir}, nil
}

// Existing returns the directory dir as a Disk. Its error is fs.ErrNotExist if
// there is none.
func Existing(dir string) (Disk, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("filestore: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("filestore: %s is not a directory", dir)
	}
	return osDisk{dir}, nil
}

func isDir(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.IsDir()
}

func (d osDisk) Open(name string) (File, error) {
	f, err := openFile(d.Path(name), os.O_RDWR)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// Create writes the zeros: space that is only reserved would have to be
// converted at the first write to each part of it, and then every sync of data
// would be one of the file system's own records as well.
func (d osDisk) Create(name string, size int64) (File, error) {
	f, err := openFile(d.Path(name), os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return nil, err
	}
	if err := fill(f, size); err != nil {
		_ = f.Close()               // the failure to fill it is what matters
		_ = os.Remove(d.Path(name)) // likewise
		return nil, err
	}
	return osFile{f}, nil
}

func fill(f *os.File, size int64) error {
	zeros := make([]byte, min(size, 256<<10))
	for at := int64(0); at < size; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(size-at, int64(len(zeros)))], at); err != nil {
			return err
		}
	}
	return nil
}

func (d osDisk) Rename(old, new string) error { return os.Rename(d.Path(old), d.Path(new)) }

func (d osDisk) Remove(name string) error { return os.Remove(d.Path(name)) }

func (d osDisk) List() ([]string, error) {
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.Type()&fs.ModeDir == 0 {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func (d osDisk) SyncDir() error { return syncDir(d.dir) }

func (d osDisk) Free() (int64, bool) { return free(d.dir) }

func (d osDisk) Lock() (func() error, error) { return lock(d.Path(lockName)) }

func (d osDisk) Path(name string) string { return filepath.Join(d.dir, name) }

// osFile is a file of the file system.
type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
