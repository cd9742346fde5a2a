package engine

import (
	"context"
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
			seen = seen[:0]
			q.mu.Lock()
			if p := q.pages.byFirst[first]; p != nil {
				p.all(func(i int, s *slot) {
					if keep(p, i) {
						seen = append(seen, q.peeked(p, i, s))
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

func (q *Queue) peeked(p *Page, i int, s *slot) queue.Peeked {
	r := q.record(p, i, s)
	seen := queue.Peeked{
		Message: r.Message, ID: r.ID, Position: r.Seq, State: s.state,
		ReceiveCount: int(s.receives), SentAt: instant(r.SentAt), FirstReceivedAt: instant(r.FirstReceivedAt),
		DeadLetterSource: r.DeadLetterSource, DeadLetterReason: r.DeadLetterReason,
	}
	if p.timed.Has(i) {
		seen.VisibleAt = instant(s.due.ms())
	}
	return seen
}
