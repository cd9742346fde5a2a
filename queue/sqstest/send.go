package sqstest

import (
	"context"
	"errors"
	"slices"

	"github.com/restantemq/restante/queue"
)

// Send implements [queue.Queue]. Further errors are those of [Faults].
func (q *Queue) Send(ctx context.Context, m queue.Message) (sent queue.Sent, err error) {
	c, err := q.begin(ctx, "Send", subject{name: contentOf(&m), body: m.Body}, contentOf(&m), false)
	defer func() {
		if c.end(&err); err != nil {
			sent = queue.Sent{}
		}
	}()
	if err != nil {
		return sent, err
	}
	c.late(&m)
	return q.inner.Send(ctx, m)
}

// late lets m be receivable late.
func (c *call) late(m *queue.Message) {
	if m.Delay != 0 && m.Delay != queue.None || !c.q.loose() || m.Delay == 0 && c.q.inner.Config().Delay > 0 {
		return
	}
	about := subject{name: contentOf(m), body: m.Body}
	if r, hit := c.hit(DelayedSend, c.faults.Late, about); hit {
		m.Delay = part(lateBy, r)
		c.happened(DelayedSend, about, r, m.Delay)
	}
}

// SendBatch implements [queue.Queue]. Further errors are those of [Faults].
func (q *Queue) SendBatch(ctx context.Context, ms []queue.Message) (sent []queue.Sent, err error) {
	whole := subject{}
	for i := range ms {
		whole.name = mix(whole.name ^ contentOf(&ms[i]))
	}
	apart := len(ms) > 0 && len(ms) <= queue.MaxBatch
	c, err := q.begin(ctx, "SendBatch", whole, whole.name, apart)
	defer func() {
		if c.end(&err); err != nil && !isBatch(err) {
			sent = nil
		}
	}()
	if err != nil {
		return nil, err
	}
	var b entries
	kept := make([]queue.Message, 0, len(ms))
	held := make(map[string]error) // FIFO groups of which an entry failed
	for i, m := range ms {
		if err := held[m.GroupID]; err != nil {
			b.fail(i, err)
			continue
		}
		if apart {
			if err := c.refused(subject{name: contentOf(&m), body: m.Body}); err != nil {
				b.fail(i, err)
				if q.inner.Kind() == queue.FIFO {
					held[m.GroupID] = err
				}
				continue
			}
		}
		c.late(&m)
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
		sent[at] = some[i]
	}
	return sent, err
}

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
