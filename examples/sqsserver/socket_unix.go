//go:build unix

package main

import (
	"errors"
	"syscall"
)

// ownerOnly lets files that are made from now on have mode 0600 at most, until
// its result is called. It is the whole process's.
func ownerOnly() (restore func()) {
	old := syscall.Umask(0o177)
	return func() { syscall.Umask(old) }
}

// nobodyListens tells the error of dialling a socket whose process has gone.
func nobodyListens(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
