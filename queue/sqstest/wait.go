package sqstest

import (
	"context"
	"testing/synctest"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
)

// Settle waits, in a bubble, until everything that can happen at this instant has
// happened: all other goroutines of the bubble wait, for time to pass, say. It takes the
// place of synctest.Wait, which must not be called by two goroutines at a time. Outside of
// bubbles nobody can know that: Settle waits until the kit has been told of the calls
// that have returned, and no longer than a second.
func (k *Kit) Settle() {
	k.t.Helper()
	k.atHome()
	if k.bubble == "" {
		for begin := time.Now(); !k.told() && time.Since(begin) < time.Second; {
			time.Sleep(50 * time.Microsecond)
		}
		return
	}
	k.settling <- struct{}{} // one waits at a time
	synctest.Wait()
	<-k.settling
}

// Advance lets d pass, and settles.
func (k *Kit) Advance(d time.Duration) {
	k.t.Helper()
	time.Sleep(d)
	k.Settle()
}

// WaitFor waits until the predicate is true, and fails the test after
// Options.Patience. In a bubble it looks whenever anything has happened at that
// instant to a message, or a client's call has ended, and everything has settled; a
// predicate about something else is looked at once a second in the first minute, and
// then once a minute. Outside of bubbles it looks at least every ten milliseconds.
func (k *Kit) WaitFor(predicate func() bool) {
	k.t.Helper()
	if !k.wait(k.patience, predicate) {
		k.t.Fatalf("sqstest: what WaitFor waits for has not come true within %v", k.patience)
	}
}

// WaitIdle waits until nothing is due: no message of any queue is pending, delayed or
// in flight, no delete is late, and no call is held back by a fault. Messages may be visible, also because their consumer
// makes a pause or is slow: what a consumer should empty, wait for with
// [Queue.ExpectDrained]. It fails the test after Options.Patience.
func (k *Kit) WaitIdle() {
	k.t.Helper()
	idle := func() bool {
		return k.later.none() && !k.calls.held(nil) && k.every(func(s queue.Stats) bool { return s.Pending+s.Delayed+s.InFlight == 0 })
	}
	if !k.wait(k.patience, idle) {
		k.t.Fatalf("sqstest: messages are still delayed or in flight after %v", k.patience)
	}
}

// RunUntilDrained waits until the queue has no message in any state and no call of it is
// held back by a fault, or until the limit has passed, and reports which. A queue to which
// nothing was sent is drained.
func (q *Queue) RunUntilDrained(limit time.Duration) bool {
	q.k.t.Helper()
	return q.k.wait(limit, func() bool { return left(q.Stats()) == 0 && !q.k.calls.held(q) })
}

// ExpectDrained waits until the queue has no message in any state, and fails the test,
// which does not go on, if the limit passes before.
func (q *Queue) ExpectDrained(limit time.Duration) {
	q.k.t.Helper()
	if !q.RunUntilDrained(limit) {
		q.k.t.Fatalf("sqstest: %s is not drained after %v: %s", q.Name(), limit, q.bodies())
	}
}

// ExpectNone fails the test if an event that matches happens until d has passed, the
// instant in which it ends included; nil matches all. It takes d, unless it fails.
func (k *Kit) ExpectNone(d time.Duration, match func(queue.Event) bool) {
	k.t.Helper()
	if e := k.unexpected(d, match); e != nil {
		lives := k.lives(e.Queue, func(l *Life) bool { return l.ID == e.ID })
		k.t.Errorf("sqstest: expected nothing of the kind for %v, but a message of %s was %s %v after New\n%s",
			d, e.Queue, e.Step, since(k.begin, e.At), k.shown.text(lives))
	}
}

// ExpectNone fails the test if a message of the queue takes one of these steps, or, if
// none is given, any, until d has passed, the instant in which it ends included. It
// takes d, unless it fails.
func (q *Queue) ExpectNone(d time.Duration, steps ...queue.Step) {
	q.k.t.Helper()
	q.k.ExpectNone(d, func(e queue.Event) bool {
		if e.Queue != q.Name() {
			return false
		}
		for _, s := range steps {
			if e.Step == s {
				return true
			}
		}
		return len(steps) == 0
	})
}

// unexpected returns the first event that matches before d has passed, else nil.
func (k *Kit) unexpected(d time.Duration, match func(queue.Event) bool) (found *queue.Event) {
	k.t.Helper()
	if k.bubble == "" {
		k.Settle() // what is told late is not new
	}
	old, _, _ := k.record.from(0)
	seen := len(old)
	k.wait(d, func() bool {
		events, _, _ := k.record.from(seen)
		seen += len(events)
		for i := range events {
			if match == nil || match(events[i]) {
				found = &events[i]
				return true
			}
		}
		return false
	})
	return found
}

// wait waits until the predicate is true, and reports whether that was within the
// limit, its end included.
func (k *Kit) wait(limit time.Duration, predicate func() bool) bool {
	k.t.Helper()
	for begin := time.Now(); ; {
		k.Settle()
		if predicate() {
			return true
		}
		// Only now: calls that the predicate makes are no change.
		k.record.mu.Lock()
		changed := k.record.next()
		k.record.mu.Unlock()
		passed := time.Since(begin)
		if passed >= limit {
			return false
		}
		timer := time.NewTimer(min(limit-passed, k.pause(passed)))
		select {
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// pause is how long not to look if nothing happens, after some time has passed.
func (k *Kit) pause(passed time.Duration) time.Duration {
	switch {
	case k.bubble == "":
		return 10 * time.Millisecond
	case passed < time.Minute:
		return time.Second
	}
	return time.Minute
}

// told reports whether the record is complete, if nothing happens meanwhile.
func (k *Kit) told() bool {
	return k.each(func(q *broker.Queue) bool { return k.record.has(q.Name(), stats(q)) })
}

// every reports whether what is said of a queue's counters is so of all queues.
func (k *Kit) every(is func(queue.Stats) bool) bool {
	return k.each(func(q *broker.Queue) bool { return is(stats(q)) })
}

// each calls f for the queues in the order of their names, until it returns false, and
// reports whether it never did.
func (k *Kit) each(f func(*broker.Queue) bool) bool {
	for o := (broker.ListOptions{Max: 1000}); ; {
		queues, next, err := k.broker.ListQueues(o)
		if err != nil {
			return true // it is closed
		}
		for _, q := range queues {
			if !f(q) {
				return false
			}
		}
		if o.Token = next; next == "" {
			return true
		}
	}
}

// Stats returns the queue's counters; those of a queue that is closed or deleted are
// zero.
func (q *Queue) Stats() queue.Stats { return stats(q.inner) }

func stats(q *broker.Queue) queue.Stats {
	inspector, _ := queue.As[queue.Inspector](q)
	s, err := inspector.Stats(context.Background())
	if err != nil {
		return queue.Stats{}
	}
	return s
}

// left is how many messages a queue has, in any state.
func left(s queue.Stats) int { return s.Pending + s.Delayed + s.Visible + s.InFlight }
