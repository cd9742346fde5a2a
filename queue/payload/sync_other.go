//go:build !windows

package payload

import (
	"errors"
	"os"
)

// syncDir makes durable which names are in a directory.
func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
