package sqstest

import (
	"context"
	"fmt"
	"time"

	"github.com/restantemq/restante/queue"
)

// Delete implements [queue.Queue]. Further errors are those of [Faults].
func (q *Queue) Delete(ctx context.Context, r queue.Receipt) (err error) {
	i := q.told(r)
	c, err := q.begin(ctx, "Delete", i.subject(), hashText(r.String()), false)
	defer c.end(&err)
	if err == nil {
		err = c.expired(i)
	}
	if err != nil || c.deleteLate(ctx, r, i) {
		return err
	}
	if err = q.inner.Delete(ctx, r); err == nil {
		q.settled(r, time.Time{})
	}
	return err
}

// DeleteBatch implements [queue.Queue]. Further errors are those of [Faults].
func (q *Queue) DeleteBatch(ctx context.Context, rs []queue.Receipt) (err error) {
	whole, who := subject{}, uint64(0)
	for _, r := range rs {
		whole.name = mix(whole.name ^ q.told(r).name)
		who = mix(who ^ hashText(r.String()))
	}
	c, err := q.begin(ctx, "DeleteBatch", whole, who, len(rs) > 0 && len(rs) <= queue.MaxBatch)
	defer c.end(&err)
	if err != nil || len(rs) > queue.MaxBatch {
		return orElse(err, func() error { return q.inner.DeleteBatch(ctx, rs) })
	}
	var b entries
	var kept []queue.Receipt
	for at, r := range rs {
		i := q.told(r)
		if err := c.entry(i); err != nil {
			b.fail(at, err)
			continue
		}
		b.keep(at)
		kept = append(kept, r)
	}
	if err := b.none(len(rs)); err != nil {
		return err
	}
	var now []queue.Receipt
	places := b.kept
	b.kept = nil
	for n, r := range kept {
		if c.deleteLate(ctx, r, q.told(r)) {
			continue
		}
		b.keep(places[n])
		now = append(now, r)
	}
	if len(now) > 0 || len(rs) == 0 {
		err = q.inner.DeleteBatch(ctx, now)
	}
	err = b.merge(err)
	if err == nil || isBatch(err) {
		failed := b.indexes()
		for at, r := range rs {
			if !failed[at] {
				q.settled(r, time.Time{})
			}
		}
	}
	return err
}

// ChangeVisibility implements [queue.Queue]. Further errors are those of [Faults].
func (q *Queue) ChangeVisibility(ctx context.Context, r queue.Receipt, d time.Duration) (err error) {
	i := q.told(r)
	c, err := q.begin(ctx, "ChangeVisibility", i.subject(), hashText(r.String()), false)
	defer c.end(&err)
	if err == nil {
		err = c.expired(i)
	}
	if err != nil {
		return err
	}
	if err = q.inner.ChangeVisibility(ctx, r, d); err == nil {
		q.settled(r, time.Now().Add(d))
	}
	return err
}

// ChangeVisibilityBatch implements [queue.Queue]. Further errors are those of
// [Faults].
func (q *Queue) ChangeVisibilityBatch(ctx context.Context, cs []queue.VisibilityChange) (err error) {
	whole, who := subject{}, uint64(0)
	for _, change := range cs {
		whole.name = mix(whole.name ^ q.told(change.Receipt).name)
		who = mix(who ^ hashText(change.Receipt.String()))
	}
	c, err := q.begin(ctx, "ChangeVisibilityBatch", whole, who, len(cs) > 0 && len(cs) <= queue.MaxBatch)
	defer c.end(&err)
	if err != nil || len(cs) > queue.MaxBatch {
		return orElse(err, func() error { return q.inner.ChangeVisibilityBatch(ctx, cs) })
	}
	var b entries
	var kept []queue.VisibilityChange
	for at, change := range cs {
		if err := c.entry(q.told(change.Receipt)); err != nil {
			b.fail(at, err)
			continue
		}
		b.keep(at)
		kept = append(kept, change)
	}
	if err := b.none(len(cs)); err != nil {
		return err
	}
	err = b.merge(q.inner.ChangeVisibilityBatch(ctx, kept))
	if err == nil || isBatch(err) {
		failed := b.indexes()
		for at, change := range cs {
			if !failed[at] {
				q.settled(change.Receipt, time.Now().Add(change.Timeout))
			}
		}
	}
	return err
}

// indexes are the places in the batch of the entries that failed.
func (b *entries) indexes() map[int]bool {
	failed := make(map[int]bool, len(b.failed))
	for _, e := range b.failed {
		failed[e.Index] = true
	}
	return failed
}

func orElse(err error, f func() error) error {
	if err != nil {
		return err
	}
	return f()
}

func (i *issued) subject() subject { return subject{i.name, i.body, i.position} }

// entry decides whether an entry of a batch about a received message fails.
func (c *call) entry(i *issued) error {
	if err := c.refused(i.subject()); err != nil {
		return err
	}
	return c.expired(i)
}

// expired decides whether a receipt is refused whose visibility timeout has passed, as
// its receiver knows.
func (c *call) expired(i *issued) error {
	if i.until.IsZero() || time.Now().Before(i.until) || !c.q.loose() {
		return nil
	}
	r, hit := c.hit(ExpiredSoon, c.faults.Expired, i.subject())
	if !hit {
		return nil
	}
	c.happened(ExpiredSoon, i.subject(), r, 0)
	return fmt.Errorf("sqstest: a fault of seed %d: %w", c.q.k.seed, queue.ErrReceiptExpired)
}

// deleteLate decides whether a delete takes effect later. Until then the message can be
// received once more, but not sent to the dead-letter queue.
func (c *call) deleteLate(ctx context.Context, r queue.Receipt, i *issued) bool {
	if i.until.IsZero() || !c.q.loose() || c.lastReceive(i) {
		return false
	}
	d, hit := c.hit(DeletedLate, c.faults.LateDelete, i.subject())
	if !hit {
		return false
	}
	ctx = context.WithoutCancel(ctx)
	if c.q.inner.ChangeVisibility(ctx, r, part(againWithin, d)) != nil {
		return false // it isn't this receiver's any more, or gone
	}
	c.happened(DeletedLate, i.subject(), d, lateDeleteBy)
	c.q.k.later.after(lateDeleteBy, func() { _ = c.q.inner.Delete(ctx, r) }) // else it is gone
	return true
}
