package sqstest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// calls are those that clients make of queues and that have not returned yet.
type calls struct {
	mu      sync.Mutex
	running []*call
}

func (cs *calls) add(c *call) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.running = append(cs.running, c)
}

func (cs *calls) remove(c *call) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.running = slices.DeleteFunc(cs.running, func(other *call) bool { return other == c })
}

// held reports whether the kit holds a call of some queue back, or, if q is nil, of any.
func (cs *calls) held(q *Queue) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return slices.ContainsFunc(cs.running, func(c *call) bool { return (q == nil || c.q == q) && c.held.Load() })
}

// now returns the calls that are running.
func (cs *calls) now() []*call {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return slices.Clone(cs.running)
}

// list describes those of some calls that are still running, a line each.
func (cs *calls) list(begin time.Time, some []*call) string {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	var b strings.Builder
	for _, c := range some {
		if !slices.Contains(cs.running, c) {
			continue
		}
		fmt.Fprintf(&b, "  %s of %s, since %v\n", c.name, c.q.Name(), since(begin, c.began))
	}
	return b.String()
}

// later are calls that take effect after they have returned.
type later struct {
	mu      sync.Mutex
	waiting map[*time.Timer]bool
	running sync.WaitGroup
	stopped bool
}

// after calls f once d has passed, or when now is called, whichever comes first, unless
// stop is called before; now reports whether it has.
func (l *later) after(d time.Duration, f func()) (now func() bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return func() bool { return false }
	}
	if l.waiting == nil {
		l.waiting = make(map[*time.Timer]bool)
	}
	var timer *time.Timer
	now = func() bool {
		l.mu.Lock()
		mine := l.waiting[timer]
		if mine {
			l.waiting[timer] = false
			l.running.Add(1)
		}
		l.mu.Unlock()
		if !mine {
			return false
		}
		timer.Stop()
		f()
		l.mu.Lock()
		delete(l.waiting, timer)
		l.mu.Unlock()
		l.running.Done()
		return true
	}
	timer = time.AfterFunc(d, func() { now() })
	l.waiting[timer] = true
	return now
}

// none reports whether nothing is to come.
func (l *later) none() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting) == 0
}

// stop forgets what is to come, and waits for what is under way.
func (l *later) stop() {
	l.mu.Lock()
	l.stopped = true
	for timer := range l.waiting {
		timer.Stop()
	}
	clear(l.waiting)
	l.mu.Unlock()
	l.running.Wait()
}
