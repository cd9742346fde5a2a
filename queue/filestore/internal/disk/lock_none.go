//go:build !windows && (!unix || aix || solaris)

package disk

import (
	"errors"
	"fmt"
)

// lock fails: a store that two processes can open would be lost.
func lock(path string) (func() error, error) {
	return nil, fmt.Errorf("filestore: locking %s: %w", path, errors.ErrUnsupported)
}
