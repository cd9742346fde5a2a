package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/restantemq/restante/queue"
)

// A waiter is a receiver in a long poll. At any moment either no message is
// receivable or nobody waits: whoever makes a message visible serves those who
// wait, in the order of their arrival, before it lets go of the lock. So no
// wake-up can be missed and nobody can overtake.
type waiter struct {
	request
	served chan struct{} // closed when one of the next three is set
	out    []queue.Delivery
	moving []uint64
	err    error

	before, after *waiter
	waiting       bool // in the list
}

// serve ends the wait, with what was taken for the waiter or an error.
func (w *waiter) serve(err error) {
	w.err = err
	close(w.served)
}

// waiters is the list of those who wait, oldest first.
type waiters struct {
	head, tail *waiter
	n          int
	arrivals   uint64
}

// push adds w at the end, or where it was before, if it had its turn already and
// came away with nothing.
func (l *waiters) push(w *waiter) {
	w.waiting = true
	l.n++
	next := l.head
	if l.tail == nil || l.tail.arrival < w.arrival {
		next = nil
	}
	for next != nil && next.arrival < w.arrival {
		next = next.after
	}
	if w.after = next; next != nil {
		w.before, next.before = next.before, w
	} else {
		w.before, l.tail = l.tail, w
	}
	if w.before != nil {
		w.before.after = w
	} else {
		l.head = w
	}
}

func (l *waiters) remove(w *waiter) {
	if w.before != nil {
		w.before.after = w.after
	} else {
		l.head = w.after
	}
	if w.after != nil {
		w.after.before = w.before
	} else {
		l.tail = w.before
	}
	w.before, w.after, w.waiting = nil, nil, false
	l.n--
}

func (l *waiters) pop() *waiter {
	w := l.head
	if w != nil {
		l.remove(w)
	}
	return w
}

// serve fills the receives of those who wait with what is visible.
func (q *Queue) serve(now int64) {
	for w := q.waiters.head; w != nil; w = q.waiters.head {
		w.out, w.moving, _ = q.take(&w.request, w.into[:0], now)
		if len(w.out) == 0 && len(w.moving) == 0 {
			if want := q.offer.want; want != nil && q.loading == nil && !q.fetching {
				q.fetching = true
				q.enter()
				go q.fetchWaited(want, q.offer.absentAt) // ends with that page; Close waits for it
			}
			return
		}
		if q.offer.want != nil && w.timeout == 0 && len(w.moving) == 0 {
			q.unhide(w.out) // it gets no more: who waited doesn't wait for the store
		}
		q.waiters.remove(w)
		w.serve(nil)
	}
}

// wait parks a receiver until it is served, r.wait has passed, or ctx ends. The
// caller must hold q.mu. It is let go while waiting; it is held again when wait
// returns something, and free when it returns nothing or an error.
func (q *Queue) wait(ctx context.Context, r *request) ([]queue.Delivery, []uint64, error) {
	if r.arrival == 0 {
		q.waiters.arrivals++
		r.arrival = q.waiters.arrivals
	}
	w := &waiter{request: *r, served: make(chan struct{})}
	q.waiters.push(w)
	q.enter()
	q.unlock(q.clock.now())

	timer := time.NewTimer(r.wait)
	defer timer.Stop()
	var ended error
	select {
	case <-w.served:
	case <-timer.C:
	case <-ctx.Done():
		ended = fmt.Errorf("receive: %w", ctx.Err())
	}
	now := q.clock.now()
	q.mu.Lock()
	q.leave()
	if w.waiting && ended == nil {
		// The end of a wait may coincide with a message's deadline. Then the
		// message counts, and still goes to whoever came first.
		now = q.catchUp(now)
		q.serve(now)
	}
	switch {
	case w.waiting:
		q.waiters.remove(w)
	case w.err != nil:
		ended = w.err
	case ended == nil, r.timeout == 0 && len(w.moving) == 0:
		// Also at the moment in which it gives up, if what it got was not hidden:
		// others may have received it since, and can't be told otherwise.
		return w.out, w.moving, nil
	default:
		// Served, and gone at the same moment: what it got goes to the next.
		q.undo(w.out, w.moving)
	}
	q.unlock(now)
	return nil, nil, ended
}
