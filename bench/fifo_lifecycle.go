package main

import (
	"runtime"
	"time"

	"github.com/restantemq/restante/queue"
)

// labelledLifecycle measures Send, Receive and Delete on a FIFO queue whose
// backlog is spread evenly over message groups, or, to compare, the same on a
// Standard queue. Both include making a deduplication ID for each message.
//
// Groups are sent to in turn and stand in line in that order. So with a message
// a group, the group that a Receive finds first is the one just sent to, and no
// group ever ends. Scattered, they are sent to in another order: a Send and the
// Receive after it have to do with different groups, and those are always out of
// the processor's caches if there are many; a group whose only message is
// received ends, and begins again with the next one sent to it.
type labelledLifecycle struct {
	once
	bodies    *ring
	groups    int // zero: a Standard queue
	scattered bool
	batch     int // messages a call
	backlog   int // messages visible before and after
	duration  time.Duration
}

func (l *labelledLifecycle) round() ([]value, error) {
	open, labels := newQueue, newLabels(nil)
	if l.groups > 0 {
		open, labels = newFIFO, newLabels(newNames(l.groups))
	}
	q, err := open(queue.Config{})
	if err != nil {
		return nil, err
	}
	defer q.Close()
	if err := fill(q, l.bodies.from(0), labels, l.backlog); err != nil {
		return nil, err
	}
	if l.scattered {
		labels.scatter()
	}
	w := newWorker(q, l.bodies.from(0), labels, l.batch)
	runtime.GC()
	if _, err := timed(l.duration/10, w.burst); err != nil {
		return nil, err
	}
	c, err := timed(l.duration, w.burst)
	if err != nil {
		return nil, err
	}
	return []value{c.value()}, nil
}
