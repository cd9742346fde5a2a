//go:build unix

package disk

import (
	"errors"
	"syscall"
)

// IsFull reports whether err means that there is no room for a larger file.
func IsFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
