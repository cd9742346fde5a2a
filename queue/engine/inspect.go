package engine

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/restantemq/restante/queue"
)

// Stats implements queue.Inspector.
func (q *Queue) Stats(ctx context.Context) (queue.Stats, error) {
	if err := ctx.Err(); err != nil {
		return queue.Stats{}, fmt.Errorf("stats: %w", err)
	}
	now := q.clock.now()
	q.mu.Lock()
	defer q.unlock(now)
	if q.closed != nil {
		return queue.Stats{}, q.closed
	}
	now = q.catchUp(now)
	if q.waiters.head != nil {
		q.serve(now)
	}
	s := q.stats
	s.Waiting = q.waiters.n
	return s, nil
}

// Peek implements queue.Inspector.
func (q *Queue) Peek(ctx context.Context) iter.Seq2[queue.Peeked, error] {
	return q.peek(ctx, func() []uint64 {
		firsts := make([]uint64, 0, len(q.pages.byFirst))
		for first := range q.pages.byFirst {
			firsts = append(firsts, first)
		}
		return firsts
	}, func(*Page, int) bool { return true })
}

// PeekInFlight is Peek for the messages in flight alone. It looks only at the
// pages that hold some.
func (q *Queue) PeekInFlight(ctx context.Context) iter.Seq2[queue.Peeked, error] {
	return q.peek(ctx, func() (firsts []uint64) {
		if q.inFlight != nil {
			q.inFlight.Ascend(func(p *Page) bool {
				firsts = append(firsts, p.First)
				return true
			})
		}
		return firsts
	}, func(p *Page, i int) bool { return p.inFlight.Has(i) })
}

// peek yields the messages that pass keep, of the pages that list names. It
// holds the lock for one page at a time, and not while it yields.
func (q *Queue) peek(ctx context.Context, list func() []uint64, keep func(*Page, int) bool) iter.Seq2[queue.Peeked, error] {
	return func(yield func(queue.Peeked, error) bool) {
		now := q.clock.now()
		q.mu.Lock()
		if err := q.closed; err != nil {
			q.mu.Unlock()
			yield(queue.Peeked{}, err)
			return
		}
		now = q.catchUp(now)
		firsts := list()
		q.unlock(now)
		slices.Sort(firsts)
		var seen []queue.Peeked
		for _, first := range firsts {
			if err := ctx.Err(); err != nil {
				yield(queue.Peeked{}, fmt.Errorf("peek: %w", err))
				return
			}
			q.mu.Lock()
			p := q.pages.byFirst[first]
			if p != nil && (p.stored.away || p.stored.out > 0) {
				bytes := p.stored.bytes
				q.mu.Unlock()
				if !q.peekStored(ctx, first, bytes, keep, yield) {
					return
				}
				continue
			}
			seen = seen[:0]
			if p != nil {
				p.all(func(i int, s *slot) {
					if keep(p, i) {
						seen = append(seen, q.peeked(p, i, s, nil))
					}
				})
			}
			q.mu.Unlock()
			for i := range seen {
				if !yield(seen[i], nil) {
					return
				}
			}
		}
	}
}

// peekStored is peek for a page of which something is in the store alone. The
// page stays as it is.
func (q *Queue) peekStored(ctx context.Context, first uint64, bytes int64, keep func(*Page, int) bool, yield func(queue.Peeked, error) bool) bool {
	step := loadStep(bytes)
	var records []queue.Record
	var seen []queue.Peeked
	for from := first; from < first+pageSize; from += step {
		q.mu.Lock()
		err := q.closed
		if err != nil { // the store may have the queue no more
			q.mu.Unlock()
			yield(queue.Peeked{}, err)
			return false
		}
		q.enter()
		q.mu.Unlock()
		records, err = q.store.Load(ctx, q.number, from, min(from+step, first+pageSize), records[:0])
		seen = seen[:0]
		q.mu.Lock()
		q.leave()
		p := q.pages.byFirst[first]
		if p == nil { // purged meanwhile, or all deleted
			q.mu.Unlock()
			return true
		}
		for k := range records {
			r := &records[k]
			i := int(r.Seq - first)
			if s := p.slot(i); s != nil && s.state != gone && keep(p, i) {
				seen = append(seen, q.peeked(p, i, s, r))
			} else if p.stored.away && keep(p, i) {
				seen = append(seen, q.peekedAway(p, i, r))
			}
		}
		q.mu.Unlock()
		for i := range seen {
			if !yield(seen[i], nil) {
				return false
			}
		}
		if err != nil && (!yield(queue.Peeked{}, fmt.Errorf("peek: %w", err)) || !errors.Is(err, queue.ErrStoreCorrupt)) {
			return false
		}
	}
	return true
}

// peeked tells what is known of a message; stored is its record if its content
// may be out.
func (q *Queue) peeked(p *Page, i int, s *slot, stored *queue.Record) queue.Peeked {
	r := stored
	if r == nil || s.flags&isOut == 0 {
		here := q.record(p, i, s)
		r = &here
	}
	seen := peekedRecord(r)
	seen.State, seen.ReceiveCount = s.state, int(s.receives)
	seen.FirstReceivedAt = instant(s.firstAt.ms())
	if p.timed.Has(i) {
		seen.VisibleAt = instant(s.due.ms())
	}
	return seen
}

// peekedAway is peeked for a message of a page that is away.
func (q *Queue) peekedAway(p *Page, i int, r *queue.Record) queue.Peeked {
	seen := peekedRecord(r)
	seen.State = queue.Visible
	for _, d := range p.stored.dues {
		if int(d.i) == i {
			seen.State, seen.VisibleAt = queue.Delayed, instant(d.at.ms())
		}
	}
	return seen
}

// peekedRecord tells what a record does. Its delay is in its state and its time.
func peekedRecord(r *queue.Record) queue.Peeked {
	r.Delay = 0
	return queue.Peeked{
		Message: r.Message, ID: r.ID, Position: r.Seq,
		ReceiveCount: int(r.Receives), SentAt: instant(r.SentAt), FirstReceivedAt: instant(r.FirstReceivedAt),
		DeadLetterSource: r.DeadLetterSource, DeadLetterReason: r.DeadLetterReason,
	}
}
