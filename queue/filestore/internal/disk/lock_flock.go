//go:build unix && !aix && !solaris

package disk

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/restantemq/restante/queue"
)

// lock takes a flock, which belongs to the open file: it keeps out everybody
// who opened the file for themselves, this process too, and ends with it.
func lock(path string) (func() error, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("filestore: %w", err)
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != syscall.EINTR {
			break
		}
	}
	if err == nil {
		return f.Close, nil
	}
	_ = f.Close() // the lock's failure is what matters
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("filestore: %s: %w", path, queue.ErrStoreLocked)
	}
	return nil, fmt.Errorf("filestore: locking %s: %w", path, err)
}
