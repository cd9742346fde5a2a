//go:build !unix && !windows

package main

import "time"

// cpuTime returns the CPU time the process has used so far; ok is false where
// that is unknown.
func cpuTime() (used time.Duration, ok bool) { return 0, false }
