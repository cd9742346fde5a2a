package disk

import "syscall"

// Sync is fdatasync, which leaves out what nobody needs to read the data back:
// the times of the file.
func (f osFile) Sync() error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = conn.Control(func(fd uintptr) {
		failed = syscall.Fdatasync(int(fd))
		// An interrupted call has reported no error of the disk, so that it may
		// be made again; any other failure may not.
		for failed == syscall.EINTR {
			failed = syscall.Fdatasync(int(fd))
		}
	})
	if err != nil {
		return err
	}
	return failed
}
