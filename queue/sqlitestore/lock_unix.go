//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package sqlitestore

import (
	"errors"
	"os"
	"syscall"

	"github.com/restantemq/restante/queue"
)

// A fileLock is a lock that one holder has at a time, in this process or
// another, and that is free when its holder dies. It is flock's, on a file of
// its own: SQLite's locks are of the other sort, and this one belongs to the
// open file and not to the process.
type fileLock struct{ file *os.File }

func lockFile(path string) (*fileLock, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	switch {
	case err == nil:
		return &fileLock{file}, nil
	case errors.Is(err, syscall.EWOULDBLOCK):
		err = queue.ErrStoreLocked
	}
	file.Close()
	return nil, err
}

// unlock leaves the file: whoever removed it could take away another's lock.
func (l *fileLock) unlock() error { return l.file.Close() }

// isDiskFull reports that a write of this package's own found no room.
func isDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// notSyncable reports that a folder can't be synced on this file system.
func notSyncable(err error) bool { return errors.Is(err, syscall.EINVAL) }
