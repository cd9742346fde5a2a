//go:build !windows

package disk

import "os"

func openFile(path string, flag int) (*os.File, error) { return os.OpenFile(path, flag, 0o600) }

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closed := d.Close(); err == nil {
		err = closed
	}
	return err
}
