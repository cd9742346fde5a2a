package sqstest

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/restantemq/restante/queue"
)

// A call is one that a client makes of a queue, from its begin to its end.
type call struct {
	q       *Queue
	name    string // of the method
	about   subject
	began   time.Time
	faults  Faults
	outcome draw        // of the whole call; n is zero if no fault makes it fail
	held    atomic.Bool // it is slow, and has not begun yet
	foreign bool        // it came from another bubble than the kit's
}

// A subject is the message that a decision is about.
type subject struct {
	name     uint64 // what decisions know it by; of a batch, all its messages
	body     string
	position uint64
}

// begin begins a call, late if it is to be slow. It returns an error if the call fails
// before it has an effect; end ends it either way. A call about entries, whose names are
// given, is throttled entry by entry, see refused.
func (q *Queue) begin(ctx context.Context, name string, about subject, entries ...uint64) (*call, error) {
	c := &call{q: q, name: name, about: about, began: time.Now(), faults: q.chances()}
	q.k.calls.add(c)
	if err := q.k.elsewhere(); err != nil {
		c.foreign = true
		return c, err
	}
	q.k.overcalled(name)
	if ctx.Err() != nil {
		c.faults = Faults{} // the queue will say so
		return c, nil
	}
	if only := c.faults.Calls; len(only) > 0 && !slices.Contains(only, name) {
		c.faults.Throttle, c.faults.Lose, c.faults.Slow = 0, 0, 0
	}
	if err := c.slow(ctx); err != nil {
		return c, err
	}
	throttled := func(r draw) bool { return r.share() < c.faults.Throttle }
	if entries != nil {
		throttled = func(r draw) bool {
			return slices.ContainsFunc(entries, func(name uint64) bool { return r.about(name).share() < c.faults.Throttle })
		}
	}
	lost := func(r draw) bool { return r.another().another().share() < c.faults.Lose }
	r, spared := q.k.decide.attempt(question{q.Name(), about.name, Throttled, name}, c.faults.inARow(), func(r draw) bool {
		return throttled(r) || lost(r)
	})
	switch {
	case spared || !throttled(r) && !lost(r):
	case entries == nil && throttled(r):
		c.happened(Throttled, about, r, 0)
		return c, c.throttled()
	default:
		c.outcome = r
	}
	return c, nil
}

func (c *call) throttled() error {
	return fmt.Errorf("sqstest: a fault of seed %d: %w", c.q.k.seed, queue.ErrThrottled)
}

// slow lets the call begin late.
func (c *call) slow(ctx context.Context) error {
	r, slow := c.hit(Slowed, c.faults.Slow, c.about)
	if !slow {
		return nil
	}
	by := c.faults.SlowBy
	if by == 0 {
		by = time.Second
	}
	by = min(part(by, r), by)
	c.happened(Slowed, c.about, r, by)
	c.held.Store(true)
	defer c.held.Store(false)
	timer := time.NewTimer(by)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", c.name, ctx.Err())
	}
}

// refused decides whether an entry of a batch is throttled.
func (c *call) refused(about subject) error {
	if c.outcome.n == 0 || c.outcome.about(about.name).share() >= c.faults.Throttle {
		return nil
	}
	c.happened(Throttled, about, c.outcome, 0)
	return c.throttled()
}

// loses reports whether the answer of the call is to be lost.
func (c *call) loses() bool {
	return c.outcome.n > 0 && c.outcome.another().another().share() < c.faults.Lose
}

// end ends the call, whose error is err so far: its answer may get lost.
func (c *call) end(err *error) {
	if (*err == nil || isBatch(*err)) && c.loses() {
		c.happened(Lost, c.about, c.outcome, 0)
		*err = fmt.Errorf("sqstest: a fault of seed %d: %w", c.q.k.seed, ErrLost)
	}
	c.q.k.calls.remove(c)
	if !c.foreign { // who waits for a change can't be woken from there
		c.q.k.record.touch()
	}
}

// hit decides whether a fault of that kind happens, with probability p.
func (c *call) hit(kind Kind, p float64, about subject) (draw, bool) {
	if p <= 0 {
		return draw{}, false
	}
	r := c.q.k.decide.draw(question{c.q.Name(), about.name, kind, c.name})
	return r, r.share() < p
}

// happened records a fault.
func (c *call) happened(kind Kind, about subject, r draw, by time.Duration) {
	c.q.k.record.fault(Fault{
		At: time.Now(), Queue: c.q.Name(), Call: c.name, Kind: kind, Body: about.body, N: r.n, By: by, position: about.position,
	})
}

// part is a part of d, in whole milliseconds, at least one.
func part(d time.Duration, r draw) time.Duration {
	return max(time.Duration(r.another().share()*float64(d)).Truncate(time.Millisecond), time.Millisecond)
}
