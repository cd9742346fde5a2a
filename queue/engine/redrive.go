package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"

	"github.com/restantemq/restante/queue"
)

// maxWalk is how many pages one Redrive looks at, so that it doesn't hold the
// lock for long where little is visible.
const maxWalk = 16

// A parcel is a message on its way to another queue.
type parcel struct {
	seq    uint64
	target queue.Adopter
}

// NextPosition returns a number above the Position of every message that came to
// the queue so far.
func (q *Queue) NextPosition() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.next
}

// Redrive moves visible messages to other queues, where they are new messages:
// with IDs of those queues, sent now, never received. It is what a message move
// task is made of.
//
// It looks at positions from "from" to below "to", the oldest first, and moves
// up to limit messages or a few less. Route says where a message goes by its
// DeadLetterSource, which may be empty: nil means that it stays, an error ends the
// search. It is called under the queue's lock, and must not call a queue. Messages
// that are delayed or in flight stay, and so do those that can't be read.
//
// Next is where to go on: after an error at the first message that it concerns,
// and that stays. Without an error nothing is left to do when it is no less than to.
// Messages that go to one queue go in one batch, and where that queue shares the
// store it is one record with their loss here. The error is route's, the context's,
// the store's, targets', or [queue.ErrClosed].
func (q *Queue) Redrive(ctx context.Context, from, to uint64, limit int, route func(source string) (queue.Adopter, error)) (next uint64, moved int, err error) {
	if err := ctx.Err(); err != nil {
		return from, 0, fmt.Errorf("redrive: %w", err)
	}
	now := q.clock.now()
	q.mu.Lock()
	if err = q.refusing(); err == nil {
		now = q.catchUp(now)
		err = q.refusing()
	}
	if err != nil {
		q.unlock(now)
		return from, 0, err
	}
	parcels, next, now, err := q.pick(ctx, now, from, to, limit, route)
	for len(parcels) > 0 {
		target, seqs := parcels[0].target, []uint64{parcels[0].seq}
		rest := parcels[:0]
		for _, p := range parcels[1:] {
			if same(p.target, target) {
				seqs = append(seqs, p.seq)
			} else {
				rest = append(rest, p)
			}
		}
		parcels = rest
		q.letGo(now) // also to those who wait for what the move before left here
		n, failed := q.move(target, seqs, asNew, queue.StepMoved, 0)
		now = q.clock.now()
		q.mu.Lock()
		q.leave()
		if moved += n; failed != nil {
			next, err = min(next, seqs[0]), errors.Join(err, failed)
		}
	}
	q.unlock(now)
	return next, moved, err
}

// same reports whether two queues are one. Of wrappers that can't be compared it
// isn't known.
func same(a, b queue.Adopter) bool { return reflect.ValueOf(a).Comparable() && a == b }

// asNew is what becomes of a message that is sent anew by a move task.
func asNew(r *queue.Record) {
	r.ID, r.SentAt, r.FirstReceivedAt, r.Receives = queue.MessageID{}, 0, 0, 0
	r.DeadLetterSource, r.DeadLetterReason = "", ""
}

// pick marks messages as moving, for Redrive. The caller must hold q.mu, which may
// be let go while nothing is marked yet; the time after is returned.
func (q *Queue) pick(ctx context.Context, now int64, from, to uint64, limit int, route func(string) (queue.Adopter, error)) (parcels []parcel, next uint64, _ int64, err error) {
	var pinned pins
	defer func() { pinned.release() }()
	for range maxWalk {
		pinned.release() // of the page before nobody wants more
		p := q.pageFrom(from)
		if p == nil || p.First >= to {
			return parcels, max(from, to), now, nil
		}
		from = max(from, p.First)
		for end := min(to, p.First+pageSize); from < end; from++ {
			if len(parcels) == limit {
				return parcels, from, now, nil
			}
			i := int(from - p.First)
			s := p.slot(i)
			if p.stored.away || s != nil && s.state == queue.Visible && s.flags&isOut != 0 {
				if len(parcels) > 0 {
					return parcels, from, now, nil // first these, then others can be read
				}
				pinned.add(p)
				now, err = q.bring(ctx, now, p, i)
				damaged := errors.Is(err, queue.ErrStoreCorrupt)
				now = q.catchUp(now)
				if refusing := q.refusing(); err == nil || damaged {
					err = refusing
				}
				if err != nil {
					return nil, from, now, err
				}
				if q.pages.byFirst[p.First] != p {
					break // purged, or all its messages are over
				}
				switch s := p.slot(i); {
				case damaged && p.stored.away: // of a FIFO queue nothing was read
					from = end - 1
				case damaged && s != nil && s.flags&isOut != 0: // nor this one
				default:
					from-- // look at it again
				}
				continue
			}
			if s == nil || s.state != queue.Visible || s.sentAt.ms()+q.retention() <= floor(now) {
				continue
			}
			_, e := p.content(i, s)
			target, err := route(e[sourceField])
			if err != nil {
				return parcels, from, now, fmt.Errorf("redrive: %w", err)
			}
			if target == nil {
				continue
			}
			q.hide(p, i, s)
			q.setMoving(s)
			parcels = append(parcels, parcel{from, target})
		}
	}
	return parcels, from, now, nil
}

// pageFrom returns the page of that number, or else the next one, nil if there is
// none.
func (q *Queue) pageFrom(seq uint64) *Page {
	first, _ := firstOf(max(1, seq))
	for range maxWalk {
		if p := q.pages.byFirst[first]; p != nil || first >= q.next {
			return p
		}
		first += pageSize
	}
	var found *Page // a wide gap
	nearest := uint64(math.MaxUint64)
	for f, p := range q.pages.byFirst {
		if f >= first && f < nearest {
			found, nearest = p, f
		}
	}
	return found
}
