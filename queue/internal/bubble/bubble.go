// Package bubble tells in which bubble of testing/synctest a goroutine runs, if in
// any: package synctest itself does not say, and panics when it is asked to wait
// outside of one.
package bubble

import (
	"bytes"
	"runtime"
)

// Current returns the runtime's name of the caller's bubble, empty outside of all.
// It takes some microseconds.
func Current() string {
	// The head of a goroutine's stack: "goroutine 7 [running, synctest bubble 1]:".
	var b [128]byte
	head, _, _ := bytes.Cut(b[:runtime.Stack(b[:], false)], []byte("]"))
	_, name, _ := bytes.Cut(head, []byte("synctest bubble "))
	return string(name)
}
