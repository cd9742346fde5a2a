package disk

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"github.com/restantemq/restante/queue"
)

// openFile lets an open file be renamed and removed, which package os does not.
func openFile(path string, flag int) (*os.File, error) {
	share := uint32(syscall.FILE_SHARE_READ | syscall.FILE_SHARE_WRITE | syscall.FILE_SHARE_DELETE)
	how := uint32(syscall.OPEN_EXISTING)
	if flag&os.O_CREATE != 0 {
		how = syscall.CREATE_NEW
	}
	return createFile(path, share, how)
}

func createFile(path string, share, how uint32) (*os.File, error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, share, nil, how, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}

// syncDir does nothing: a directory can't be synced here, and NTFS keeps a
// journal of its names.
func syncDir(string) error { return nil }

var getDiskFreeSpaceEx = syscall.NewLazyDLL("kernel32.dll").NewProc("GetDiskFreeSpaceExW")

func free(dir string) (int64, bool) {
	name, err := syscall.UTF16PtrFromString(dir)
	if err != nil {
		return 0, false
	}
	var available uint64 // to this user, so that quotas count
	ok, _, _ := getDiskFreeSpaceEx.Call(uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(&available)), 0, 0)
	return int64(min(available, 1<<62)), ok != 0
}

const errSharingViolation = syscall.Errno(32)

// lock opens the file for itself alone, until the handle is closed or the
// process ends.
func lock(path string) (func() error, error) {
	f, err := createFile(path, 0, syscall.OPEN_ALWAYS)
	if errors.Is(err, errSharingViolation) {
		return nil, fmt.Errorf("filestore: %s: %w", path, queue.ErrStoreLocked)
	}
	if err != nil {
		return nil, fmt.Errorf("filestore: %w", err)
	}
	return f.Close, nil
}

const (
	errHandleDiskFull = syscall.Errno(39)
	errDiskFull       = syscall.Errno(112)
	errQuota          = syscall.Errno(1295)
)

// IsFull reports whether err means that there is no room for a larger file.
func IsFull(err error) bool {
	return errors.Is(err, errDiskFull) || errors.Is(err, errHandleDiskFull) || errors.Is(err, errQuota) ||
		errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EFBIG)
}
