package main

import (
	"os"
	"syscall"
)

// syncData makes what was written durable, but no metadata that reading it
// doesn't need.
func syncData(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }
