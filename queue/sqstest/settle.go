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
	c, err := q.begin(ctx, "Delete", i.subject())
	defer c.end(&err)
	if i = q.told(r); err == nil { // it may have been extended while the call was slow
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
	whole, names := subject{}, make([]uint64, len(rs))
	for n, r := range rs {
		names[n] = q.told(r).subject().name
		whole.name = mix(whole.name ^ names[n])
	}
	if !q.takes(len(rs)) {
		names = nil
	}
	c, err := q.begin(ctx, "DeleteBatch", whole, names...)
	defer c.end(&err)
	if err != nil || names == nil {
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
	c, err := q.begin(ctx, "ChangeVisibility", i.subject())
	defer c.end(&err)
	if i = q.told(r); err == nil { // it may have been extended while the call was slow
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
	whole, names := subject{}, make([]uint64, len(cs))
	for n, change := range cs {
		names[n] = q.told(change.Receipt).subject().name
		whole.name = mix(whole.name ^ names[n])
	}
	if !q.takes(len(cs)) {
		names = nil
	}
	c, err := q.begin(ctx, "ChangeVisibilityBatch", whole, names...)
	defer c.end(&err)
	if err != nil || names == nil {
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

// subject is the message as the receiver's calls are about it: others who received it
// make calls of their own.
func (i *issued) subject() subject {
	return subject{mix(i.name + uint64(i.receives)), i.body, i.position}
}

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

// deleteLate decides whether a delete takes effect later: when the message has been
// received once more, or a while has passed.
func (c *call) deleteLate(ctx context.Context, r queue.Receipt, i *issued) bool {
	if i.until.IsZero() || !c.q.loose() || !c.q.again(i) {
		return false
	}
	d, hit := c.hit(DeletedLate, c.faults.LateDelete, i.subject())
	if !hit && i.again.IsZero() {
		return false
	}
	if d.n == 0 { // a duplicate is to come: this receiver was quicker than another
		d = c.q.k.decide.draw(question{c.q.Name(), i.name, DeletedLate, c.name})
	}
	q, ctx := c.q, context.WithoutCancel(ctx)
	if q.inner.ChangeVisibility(ctx, r, part(againWithin, d)) != nil {
		return false // it isn't this receiver's any more, or gone
	}
	c.happened(DeletedLate, i.subject(), d, lateDeleteBy)
	due := q.k.later.after(lateDeleteBy, func() { _ = q.inner.Delete(ctx, r) }) // else it is gone
	q.mu.Lock()
	q.known[i.position].late = due
	q.mu.Unlock()
	return true
}

// carryOut deletes a message now whose delete is late, and reports whether there was one.
func (q *Queue) carryOut(position uint64) bool {
	q.mu.Lock()
	due := q.known[position].late
	q.mu.Unlock()
	return due != nil && due()
}
