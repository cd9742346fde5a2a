package sqlitestore

import (
	"errors"
	"syscall"

	"github.com/restantemq/restante/queue"
)

// A fileLock is a lock that one holder has at a time, in this process or
// another, and that is free when its holder dies: a file of its own, opened so
// that nobody else can open it.
type fileLock struct{ file syscall.Handle }

// Results of Windows that package syscall has no names for.
const (
	errSharingViolation = syscall.Errno(32)
	errHandleDiskFull   = syscall.Errno(39)
	errDiskFull         = syscall.Errno(112)
	errInvalidFunction  = syscall.Errno(1)
)

func lockFile(path string) (*fileLock, error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	file, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil,
		syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, errSharingViolation) {
		return nil, queue.ErrStoreLocked
	}
	if err != nil {
		return nil, err
	}
	return &fileLock{file}, nil
}

func (l *fileLock) unlock() error { return syscall.CloseHandle(l.file) }

// isDiskFull reports that a write of this package's own found no room.
func isDiskFull(err error) bool {
	return errors.Is(err, errDiskFull) || errors.Is(err, errHandleDiskFull)
}

// notSyncable reports that a folder can't be synced, as none can on Windows.
func notSyncable(err error) bool {
	return errors.Is(err, syscall.ERROR_ACCESS_DENIED) || errors.Is(err, syscall.EWINDOWS) || errors.Is(err, errInvalidFunction)
}
