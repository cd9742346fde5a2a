package sqstest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/restantemq/restante/queue"
)

// A call is one that a client makes of a queue, from its begin to its end.
type call struct {
	q      *Queue
	name   string // of the method
	about  subject
	began  time.Time
	faults Faults
	lost   draw // its answer will be lost; n is zero if not
	caller caller
	spared bool // it must not fail
	failed bool // by a fault
}

// A subject is the message that a decision is about.
type subject struct {
	name     uint64 // what decisions know it by; of a batch, all its messages
	body     string
	position uint64
}

// begin begins a call, late if it is to be slow. It returns an error if the call fails
// before it has an effect; end ends it either way. A whole call that is made of
// entries fails entry by entry, see refused. Who is a hash by which a call is known again.
func (q *Queue) begin(ctx context.Context, name string, about subject, who uint64, entries bool) (*call, error) {
	c := &call{q: q, name: name, about: about, began: time.Now(), faults: q.chances(), caller: caller{q.Name(), name, who}}
	c.spared = q.k.decide.spared(c.caller, c.faults.inARow())
	if err := q.k.elsewhere(); err != nil {
		q.k.calls.add(c)
		return c, err
	}
	q.k.overcalled(name)
	if only := c.faults.Calls; len(only) > 0 && !slices.Contains(only, name) {
		c.faults.Throttle, c.faults.Lose, c.faults.Slow = 0, 0, 0
	}
	q.k.calls.add(c)
	if r, slow := c.hit(Slowed, c.faults.Slow, about); slow {
		by := c.faults.SlowBy
		if by == 0 {
			by = time.Second
		}
		by = part(by, r)
		c.happened(Slowed, about, r, by)
		timer := time.NewTimer(by)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return c, fmt.Errorf("%s: %w", name, ctx.Err())
		}
	}
	throttle := c.faults.Throttle
	if entries {
		throttle = 0
	}
	return c, c.fails(name, throttle, c.faults.Lose, about)
}

// fails decides whether a call fails: with an error if that is before its effect, else
// c.lost says so.
func (c *call) fails(name string, throttle, lose float64, about subject) error {
	r := c.q.k.decide.draw(question{c.q.Name(), about.name, Throttled, name})
	if c.spared || r.share() >= throttle+lose {
		return nil
	}
	if r.share() < throttle {
		c.failed = true
		c.happened(Throttled, about, r, 0)
		return fmt.Errorf("sqstest: a fault of seed %d: %w", c.q.k.seed, queue.ErrThrottled)
	}
	c.lost = r
	return nil
}

// refused decides whether an entry of a batch is throttled.
func (c *call) refused(about subject) error {
	return c.fails(c.name+" entry", c.faults.Throttle, 0, about)
}

// end ends the call, whose error is err so far: its answer may get lost.
func (c *call) end(err *error) {
	if *err == nil || isBatch(*err) {
		if c.lost.n > 0 {
			c.failed = true
			c.happened(Lost, c.about, c.lost, 0)
			*err = fmt.Errorf("sqstest: a fault of seed %d: %w", c.q.k.seed, ErrLost)
		}
	}
	c.q.k.decide.ended(c.caller, c.failed)
	c.q.k.calls.remove(c)
	c.q.k.record.touch()
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
