//go:build !unix

package main

import (
	"errors"
	"syscall"
)

// ownerOnly does nothing: where there are no modes of files, the folder says who
// may use a socket in it.
func ownerOnly() (restore func()) { return func() {} }

// nobodyListens tells the error of dialling a socket whose process has gone.
func nobodyListens(err error) bool {
	const refused = syscall.Errno(10061) // WSAECONNREFUSED
	return errors.Is(err, refused)
}
