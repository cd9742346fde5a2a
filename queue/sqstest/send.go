package sqstest

import (
	"context"
	"errors"
	"slices"

	"github.com/restantemq/restante/queue"
)

// Send implements [queue.Queue]. Further errors are those of [Faults].
func (q *Queue) Send(ctx context.Context, m queue.Message) (sent queue.Sent, err error) {
	about := subject{name: contentOf(&m), body: m.Body}
	c, err := q.begin(ctx, "Send", about)
	defer func() {
		if c.end(&err); err != nil {
			sent = queue.Sent{}
		}
	}()
	if err != nil {
		return sent, err
	}
	r := c.late(&m)
	if sent, err = q.inner.Send(ctx, m); err == nil && r.n > 0 {
		c.happened(DelayedSend, about, r, m.Delay)
	}
	return sent, err
}

// late lets m be receivable late; n of the draw is zero if not.
func (c *call) late(m *queue.Message) draw {
	if m.Delay != 0 && m.Delay != queue.None || !c.q.loose() || m.Delay == 0 && c.q.inner.Config().Delay > 0 {
		return draw{}
	}
	r, hit := c.hit(DelayedSend, c.faults.Late, subject{name: contentOf(m)})
	if !hit {
		return draw{}
	}
	m.Delay = part(lateBy, r)
	return r
}

// SendBatch implements [queue.Queue]. Further errors are those of [Faults].
func (q *Queue) SendBatch(ctx context.Context, ms []queue.Message) (sent []queue.Sent, err error) {
	whole, names, size := subject{}, make([]uint64, len(ms)), 0
	for i := range ms {
		names[i] = contentOf(&ms[i])
		whole.name = mix(whole.name ^ names[i])
		size += ms[i].Size()
	}
	if q.Kind() == queue.FIFO || !q.takes(len(ms)) || q.limited() && size > queue.MaxBatchBytes {
		names = nil // what is refused as a whole is throttled as a whole
	}
	c, err := q.begin(ctx, "SendBatch", whole, names...)
	defer func() {
		if c.end(&err); err != nil && !isBatch(err) {
			sent = nil
		}
	}()
	if err != nil {
		return nil, err
	}
	var b entries
	kept, late := make([]queue.Message, 0, len(ms)), make([]draw, 0, len(ms))
	for i, m := range ms {
		if names != nil {
			if err := c.refused(subject{name: names[i], body: m.Body}); err != nil {
				b.fail(i, err)
				continue
			}
		}
		late = append(late, c.late(&m))
		kept = append(kept, m)
		b.keep(i)
	}
	if err := b.none(len(ms)); err != nil {
		return nil, err
	}
	some, err := q.inner.SendBatch(ctx, kept)
	if err = b.merge(err); err != nil && !isBatch(err) {
		return nil, err
	}
	sent = make([]queue.Sent, len(ms))
	for i, at := range b.kept {
		if sent[at] = some[i]; late[i].n > 0 && some[i] != (queue.Sent{}) {
			c.happened(DelayedSend, subject{body: kept[i].Body}, late[i], kept[i].Delay)
		}
	}
	return sent, err
}

// limited reports whether SQS's limits hold.
func (q *Queue) limited() bool { return q.inner.Config().Limits == queue.SQSLimits }

// takes reports whether the queue takes a batch of n entries.
func (q *Queue) takes(n int) bool { return n > 0 && (n <= queue.MaxBatch || !q.limited()) }

// entries are those of a batch, some of which failed and others of which are passed on.
type entries struct {
	kept   []int // where they were in the batch
	failed []queue.EntryError
}

func (b *entries) keep(i int) { b.kept = append(b.kept, i) }

func (b *entries) fail(i int, err error) {
	b.failed = append(b.failed, queue.EntryError{Index: i, Err: err})
}

// none returns the error of the call if no entry of n is left.
func (b *entries) none(n int) error {
	if n == 0 || len(b.kept) > 0 {
		return nil
	}
	for _, f := range b.failed {
		if !errors.Is(f.Err, queue.ErrThrottled) {
			return &queue.BatchError{Entries: b.failed}
		}
	}
	return b.failed[0].Err
}

// merge adds what failed here to err, the error of the entries that were passed on.
func (b *entries) merge(err error) error {
	var passed *queue.BatchError
	if errors.As(err, &passed) {
		for _, e := range passed.Entries {
			b.fail(b.kept[e.Index], e.Err)
		}
	} else if err != nil {
		return err
	}
	if len(b.failed) == 0 {
		return nil
	}
	slices.SortFunc(b.failed, func(x, y queue.EntryError) int { return x.Index - y.Index })
	return &queue.BatchError{Entries: b.failed}
}

func isBatch(err error) bool {
	var b *queue.BatchError
	return errors.As(err, &b)
}
