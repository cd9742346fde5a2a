package sqstest

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/restantemq/restante/queue"
)

// Receive implements [queue.Queue]. Further errors are those of [Faults].
func (q *Queue) Receive(ctx context.Context, o queue.ReceiveOptions) (ds []queue.Delivery, err error) {
	c, err := q.begin(ctx, "Receive", subject{})
	defer func() {
		if c.end(&err); err != nil {
			ds = nil
		}
	}()
	if err != nil || q.loose() && q.sane(o) && ctx.Err() == nil && c.empty(o) {
		return nil, err
	}
	wanted := o.Max
	fewer, partial := c.hit(FewerThan, c.faults.Partial, subject{})
	if partial = partial && wanted > 1 && q.sane(o); partial {
		o.Max = 1 + int(fewer.another().bits%uint64(wanted-1))
	}
	if ds, err = q.inner.Receive(ctx, o); err != nil {
		return nil, err
	}
	if partial && len(ds) == o.Max && q.Stats().Visible > 0 {
		c.happened(FewerThan, subject{}, fewer, 0)
	}
	skew := q.skew(c.faults.Skew)
	told := make(map[queue.Receipt]uint64, len(ds))
	for i := range ds {
		d := &ds[i]
		issued := q.issue(d)
		told[d.Receipt] = issued.name
		d.SentAt, d.FirstReceivedAt = d.SentAt.Add(skew), d.FirstReceivedAt.Add(skew)
		if !q.carryOut(issued.position) && q.loose() {
			c.duplicate(ctx, d, issued)
		}
	}
	if q.loose() && len(ds) > 1 {
		if r, hit := c.hit(Shuffled, c.faults.Shuffle, subject{}); hit {
			before := slices.Clone(ds)
			slices.SortFunc(ds, func(x, y queue.Delivery) int {
				return cmp.Compare(mix(told[x.Receipt]^r.bits), mix(told[y.Receipt]^r.bits))
			})
			if !slices.EqualFunc(before, ds, func(x, y queue.Delivery) bool { return x.Receipt == y.Receipt }) {
				c.happened(Shuffled, subject{}, r, 0)
			}
		}
	}
	return ds, nil
}

// empty decides whether a short poll returns nothing.
func (c *call) empty(o queue.ReceiveOptions) bool {
	if c.faults.Empty <= 0 || o.Wait > 0 || o.Wait == 0 && c.q.inner.Config().ReceiveWait > 0 {
		return false
	}
	fails := func(r draw) bool { return r.share() < c.faults.Empty }
	r, spared := c.q.k.decide.attempt(question{c.q.Name(), 0, EmptyAnswer, c.name}, c.faults.inARow(), fails)
	if spared || !fails(r) {
		return false
	}
	if c.q.Stats().Visible == 0 {
		return false // it will be empty anyway
	}
	c.happened(EmptyAnswer, subject{}, r, 0)
	return true
}

// duplicate lets the message of d come back while its receiver holds it, but not into
// the dead-letter queue.
func (c *call) duplicate(ctx context.Context, d *queue.Delivery, i *issued) {
	left := time.Until(d.VisibleAt)
	if left <= time.Millisecond || c.loses() || !c.q.again(i) {
		return
	}
	about := subject{i.name, i.body, i.position}
	r, hit := c.hit(Duplicated, c.faults.Duplicate, about)
	if !hit {
		return
	}
	early := part(left-time.Millisecond, r)
	if c.q.inner.ChangeVisibility(context.WithoutCancel(ctx), d.Receipt, left-early) == nil {
		c.q.shared(d.Receipt, time.Now().Add(left-early))
		c.happened(Duplicated, about, r, early)
	}
}

// sane reports whether a receive is within the queue's limits: what isn't is refused.
func (q *Queue) sane(o queue.ReceiveOptions) bool {
	within := func(d, most time.Duration) bool { return (d >= 0 || d == queue.None) && d <= most }
	return !q.limited() || o.Max >= 0 && o.Max <= queue.MaxReceive && within(o.Wait, queue.MaxWait) && within(o.VisibilityTimeout, queue.MaxVisibility)
}

// skew is how far the queue's clock is from the caller's: always the same.
func (q *Queue) skew(most time.Duration) time.Duration {
	bits := mix(mix(q.k.seed) ^ hashText("skew", q.Name()))
	return time.Duration((2*draw{bits: bits}.share() - 1) * float64(most)).Truncate(time.Millisecond)
}
