package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// isTerminal reports whether f is a terminal, or another character device.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// progress shows how far the work has come: as a bar that is drawn over and
// over, or as a plain line every second.
type progress struct {
	out   io.Writer
	bar   bool
	total int
	next  time.Time // of the next plain line
}

func (p *progress) show(done uint64) {
	const width = 40
	if p.bar {
		filled := int(done) * width / max(p.total, 1)
		fmt.Fprintf(p.out, "\r[%-*s] %d of %d", width, strings.Repeat("#", filled), done, p.total)
	} else if now := time.Now(); !now.Before(p.next) {
		fmt.Fprintf(p.out, "deleted %d of %d\n", done, p.total)
		p.next = now.Add(time.Second)
	}
}

// end leaves the bar's line.
func (p *progress) end() {
	if p.bar {
		fmt.Fprintln(p.out)
	}
}
