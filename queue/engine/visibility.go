package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/restantemq/restante/queue"
)

// ChangeVisibility implements queue.Queue.
func (q *Queue) ChangeVisibility(ctx context.Context, r queue.Receipt, d time.Duration) error {
	refused, err := q.changeAll(ctx, queue.VisibilityChange{Receipt: r, Timeout: d})
	if err == nil && refused != nil {
		err = refused.Entries[0].Err
	}
	return err
}

// ChangeVisibilityBatch implements queue.Queue.
func (q *Queue) ChangeVisibilityBatch(ctx context.Context, cs []queue.VisibilityChange) error {
	if err := checkBatch(len(cs), q.config.Load()); err != nil {
		return err
	}
	refused, err := q.changeAll(ctx, cs...)
	if err == nil && refused != nil {
		err = refused
	}
	return err
}

// changeAll changes the visibility of messages one by one.
func (q *Queue) changeAll(ctx context.Context, cs ...queue.VisibilityChange) (refused *queue.BatchError, err error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("change visibility: %w", err)
	}
	now := q.clock.now()
	q.mu.Lock()
	if err = q.refusing(); err == nil && (q.moving > 0 || q.store != nil) {
		receipts := make([]queue.Receipt, len(cs))
		for i := range cs {
			receipts[i] = cs[i].Receipt
		}
		now, err = q.reach(ctx, now, receipts...)
	}
	if err == nil {
		for i := range cs {
			if err := q.changeOne(&cs[i].Receipt, cs[i].Timeout, now); err != nil {
				refused = refuse(refused, i, err)
			}
		}
		for i := range cs { // not before: a page that rests may go, and with it what is still to be changed
			if p := q.pageOf(&cs[i].Receipt); p != nil {
				q.rest(p)
			}
		}
	}
	q.unlock(now)
	return refused, err
}

// awaitStill waits until none of the messages that rs name is on its way to
// another queue: until it has arrived or come back, nothing can be said of it.
// It returns the time then. The caller must hold q.mu, which is let go while it
// waits; after an error nothing has happened.
func (q *Queue) awaitStill(ctx context.Context, now int64, rs ...queue.Receipt) (int64, error) {
	for q.moving > 0 && slices.ContainsFunc(rs, q.isMoving) {
		if q.moves == nil {
			q.moves = make(chan struct{})
		}
		moves := q.moves
		q.enter()
		q.mu.Unlock()
		var err error
		select {
		case <-moves: // a move ends because Adopt does
		case <-ctx.Done():
			err = fmt.Errorf("wait for a message that is moving: %w", ctx.Err())
		}
		now = q.clock.now()
		q.mu.Lock()
		q.leave()
		if err == nil {
			err = q.refusing()
		}
		if err != nil {
			return now, err
		}
	}
	return now, nil
}

// isMoving reports whether a receipt's message is on its way to another queue.
func (q *Queue) isMoving(r queue.Receipt) bool {
	f, err := q.identity.open(&r)
	if err != nil {
		return false
	}
	_, _, s := q.find(f.Seq)
	return s != nil && s.flags&isMoving != 0
}

// holder returns the message that a receipt may act on, nil if it is gone. It
// refuses receipts whose right has
// ended, by the table whose cells are the cases Reference/9.2 of queuetest.
func (q *Queue) holder(r *queue.Receipt, now int64) (p *Page, i int, s *slot, f queue.ReceiptFields, err error) {
	if f, err = q.identity.open(r); err != nil {
		return
	}
	p, i, s = q.find(f.Seq)
	current := s != nil && s.state == queue.InFlight && f.Turn == queue.Turn(q.identity.incarnation, s.receives)
	cfg := q.config.Load()
	switch {
	case s == nil:
		if q.liesAway(f.Seq) { // in a FIFO queue: see reach
			err = queue.ErrReceiptExpired
		}
	case q.kind == queue.FIFO || cfg.FencedReceipts:
		// The deadline itself counts, not whether somebody noticed that it passed.
		if !current || s.due.ms() <= floor(now) {
			err = queue.ErrReceiptExpired
		}
		return
	case current:
		return // in flight, so not older than the longest visibility timeout
	}
	if cfg.Limits == queue.SQSLimits && q.kind == queue.Standard && q.old(f, now) {
		err = queue.ErrReceiptExpired
	}
	return
}

// old reports whether a receipt has outlived [queue.ReceiptLifetime].
func (q *Queue) old(f queue.ReceiptFields, now int64) bool {
	if now == 0 { // Delete looks at the clock only here
		now = q.clock.now()
	}
	return floor(now) > f.At+int64(queue.ReceiptLifetime/time.Millisecond)
}

// changeOne changes the visibility of one message.
func (q *Queue) changeOne(r *queue.Receipt, d time.Duration, now int64) error {
	cfg := q.config.Load()
	if err := checkVisibility(d, cfg); err != nil {
		return err
	}
	p, i, s, f, err := q.holder(r, now)
	if err != nil {
		return err
	}
	if s == nil {
		return queue.ErrMessageGone
	}
	if d == 0 {
		q.attempts.noteChanged(f.Seq, s.receives)
		if s.state == queue.InFlight {
			q.putBack(p, i, s, queue.StepReleased)
		}
		return nil
	}
	until := deadline(now, d)
	if cfg.Limits == queue.SQSLimits {
		// The total is counted from the latest receive, whichever receipt asks; after
		// a restart that is known from receipts alone.
		held := max(s.lastAt.ms(), f.At)
		if left := time.Duration(held+int64(queue.MaxVisibility/time.Millisecond)-floor(now)) * time.Millisecond; d > left {
			return &queue.LimitError{
				Parameter: "VisibilityTimeout", Got: d, Min: time.Duration(0), Max: max(left, 0),
				Reason: "a message is hidden for at most 12h0m0s in total, counted from its receive", Err: queue.ErrInvalidParameter,
			}
		}
	}
	q.attempts.noteChanged(f.Seq, s.receives)
	if s.state != queue.InFlight {
		// An expired receipt of a Standard queue hides the message again. SQS
		// answers with success; that it hides is the natural reading (unverified).
		q.hide(p, i, s)
	}
	q.schedule(p, i, s, until, floor(now))
	q.trace(queue.StepExtended, f.Seq, until)
	return nil
}
