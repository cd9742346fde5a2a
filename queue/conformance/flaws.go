package main

import (
	"fmt"
	"slices"
	"sync"
)

// flaws are what was wrong with answers whatever they were about.
type flaws struct {
	mu  sync.Mutex
	all []flaw // in the order of their coming
}

// A flaw is one such kind, told by its first example.
type flaw struct {
	format  string
	Example string `json:"example"`
	Times   int    `json:"times"`
}

// add counts a flaw, in the manner of Errorf.
func (f *flaws) add(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.all, func(one flaw) bool { return one.format == format })
	if i < 0 {
		i = len(f.all)
		f.all = append(f.all, flaw{format: format, Example: fmt.Sprintf(format, args...)})
	}
	f.all[i].Times++
}

// list returns the flaws so far.
func (f *flaws) list() []flaw {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.all)
}
