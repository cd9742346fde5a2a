package engine

import (
	"context"
	"fmt"

	"github.com/google/btree"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/visibility"
)

// Delete implements queue.Queue.
func (q *Queue) Delete(ctx context.Context, r queue.Receipt) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	if q.store != nil {
		refused, err := q.delete(ctx, []queue.Receipt{r})
		if err == nil && refused != nil {
			err = refused.Entries[0].Err
		}
		return err
	}
	now := q.needClock()
	q.mu.Lock()
	now, err := q.readyToDelete(ctx, now, r)
	if err == nil {
		_, err = q.deletable(&r, now, true)
	}
	q.unlockServing(now)
	return err
}

// readyToDelete returns an error if nothing can be deleted now, and waits for
// messages that are moving or away.
func (q *Queue) readyToDelete(ctx context.Context, now int64, rs ...queue.Receipt) (int64, error) {
	if err := q.refusing(); err != nil {
		return now, err
	}
	if q.moving > 0 || q.store != nil {
		var err error
		if now, err = q.reach(ctx, now, rs...); err != nil {
			return now, err
		}
	}
	return now, q.throttle(deleteCalls, q.config.Load(), now)
}

// needClock reads the clock for a delete if it is sure to be needed: a Standard
// queue in memory deletes without it. Zero is not read.
func (q *Queue) needClock() int64 {
	if q.kind == queue.FIFO || q.store != nil || q.config.Load().FencedReceipts {
		return q.clock.now()
	}
	return 0
}

// DeleteBatch implements queue.Queue.
func (q *Queue) DeleteBatch(ctx context.Context, rs []queue.Receipt) error {
	if err := checkBatch(len(rs), q.config.Load()); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("delete batch: %w", err)
	}
	refused, err := q.delete(ctx, rs)
	if err == nil && refused != nil {
		err = refused
	}
	return err
}

// delete removes what rs are receipts of and returns when that is durable, also
// for what somebody else deleted: an answer that says "gone" must stay true
// across a crash.
func (q *Queue) delete(ctx context.Context, rs []queue.Receipt) (refused *queue.BatchError, err error) {
	now := q.needClock()
	q.mu.Lock()
	if now, err = q.readyToDelete(ctx, now, rs...); err != nil {
		q.unlockServing(now)
		return nil, err
	}
	if q.store == nil {
		for i := range rs {
			if _, err := q.deletable(&rs[i], now, true); err != nil {
				refused = refuse(refused, i, err)
			}
		}
		q.unlockServing(now)
		return refused, nil
	}
	numbers := make([]uint64, 0, len(rs))
	for i := range rs {
		if seq, err := q.deletable(&rs[i], now, false); err != nil {
			refused = refuse(refused, i, err)
		} else if seq != 0 {
			numbers = append(numbers, seq)
		}
	}
	if len(numbers) > 0 {
		q.change[0] = queue.Change{Queue: q.number, Remove: numbers}
		commit, err := q.append(now, nil)
		if err != nil {
			q.unlock(now)
			return nil, err
		}
		q.last = commit
		for _, seq := range numbers {
			if p, i, s := q.find(seq); s != nil { // else named twice
				q.deleted(p, i, s)
			}
		}
		for _, seq := range numbers { // not before: a page that rests may go, and with it what is still to be deleted
			if p, _ := q.pages.At(seq); p != nil {
				q.rest(p)
			}
		}
	}
	if refused != nil && len(refused.Entries) == len(rs) {
		q.unlock(now)
		return refused, nil
	}
	return refused, q.commit(now, q.last)
}

// deletable returns the number of the message a receipt may delete, zero if it
// is gone already; if take is set it takes the message out.
func (q *Queue) deletable(r *queue.Receipt, now int64, take bool) (seq uint64, err error) {
	p, i, s, f, err := q.holder(r, now)
	if err != nil || s == nil {
		return 0, err
	}
	if take {
		q.deleted(p, i, s)
	}
	return f.Seq, nil
}

// deleted takes a message out.
func (q *Queue) deleted(p *Page, i int, s *slot) {
	q.attempts.noteDeleted(p.Seq(i))
	q.stats.Deleted++
	q.trace(queue.StepDeleted, p.Seq(i), 0)
	q.gone(p, i, s)
}

// unlockServing is unlock for a call that may not have read the clock.
func (q *Queue) unlockServing(now int64) {
	if now == 0 && (q.waiters.head != nil || len(q.events) > 0) {
		now = q.clock.now()
	}
	q.unlock(now)
}

// gone takes a message out of the queue: out of the engine's indexes, out of its
// page, and out of the Order's.
func (q *Queue) gone(p *Page, i int, s *slot) {
	was, grouped := s.state, s.flags&isGrouped != 0
	switch was {
	case queue.Pending:
		q.stats.Pending--
	case queue.Delayed:
		q.stats.Delayed--
	case queue.Visible:
		q.stats.Visible--
	case queue.InFlight:
		q.land(p, i, s)
	}
	p.timed.Unset(i)
	p.drop(i, s)
	if (grouped || was == queue.Visible) && !p.stored.cold {
		q.order.Gone(p, i, was, grouped)
	}
	switch {
	case p == q.tail:
		// It takes the next messages, so it stays.
	case p.live == 0:
		q.free(p)
	case p != q.straggler && p.sparse():
		q.leaveBehind(p)
	}
}

// leaveBehind notes that most of p's messages are gone. The page is compacted
// only when the next one is in that state: where messages go in order, it will
// be empty by then.
func (q *Queue) leaveBehind(p *Page) {
	if s := q.straggler; s != nil && q.pages.byFirst[s.First] == s && s.sparse() {
		s.compact()
	}
	q.straggler = p
}

// free drops a page without messages.
func (q *Queue) free(p *Page) {
	q.order.Drop(p)
	q.pages.remove(p)
	if q.store != nil {
		q.unlist(p)
	}
	if q.straggler == p {
		q.straggler = nil
	}
	if q.tail == p {
		q.tail = nil
	}
	if p.inFlightListed {
		q.inFlight.Delete(p)
		p.inFlightListed = false
	}
	if p.alarm != 0 {
		q.wheel.Cancel(p.alarm)
		p.alarm = 0
	}
	if p.minSent != never {
		q.ages.Delete(p)
		p.minSent = never
	}
	if cap(p.slots) == pageSize { // drop left both empty
		q.spare.slots, p.slots = p.slots[:0], nil
		if p.young() {
			q.spare.bodies, p.bodies = p.bodies, nil
		}
		q.spare.links, p.links = p.links[:0], nil
	}
}

// Purge implements queue.Purger.
func (q *Queue) Purge(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("purge: %w", err)
	}
	now := q.clock.now()
	q.mu.Lock()
	if err := q.refusing(); err != nil {
		q.mu.Unlock()
		return err
	}
	if q.store == nil {
		q.empty()
		q.unlock(now)
		return nil
	}
	q.change[0] = queue.Change{Queue: q.number, Clear: true}
	commit, err := q.append(now, nil)
	if err != nil {
		q.unlock(now)
		return err
	}
	q.last = commit
	q.empty()
	return q.commit(now, commit)
}

// empty drops all messages, whatever their state.
func (q *Queue) empty() {
	if q.traced {
		for _, p := range q.ascending() {
			p.all(func(i int, _ *slot) { q.trace(queue.StepPurged, p.Seq(i), 0) })
		}
	}
	s := &q.stats
	s.Purged += uint64(s.Pending + s.Delayed + s.Visible + s.InFlight)
	s.Pending, s.Delayed, s.Visible, s.InFlight = 0, 0, 0, 0
	q.pages.clear()
	q.tail, q.straggler, q.inFlight, q.ages = nil, nil, nil, nil
	q.wheel = visibility.Wheel{}
	q.moving = 0
	q.young = nil
	q.paging.clear()
	q.order.Clear()
}

// ascending returns all pages by sequence number.
func (q *Queue) ascending() []*Page {
	tree := btree.NewG(32, byFirst)
	for _, p := range q.pages.byFirst {
		tree.ReplaceOrInsert(p)
	}
	pages := make([]*Page, 0, len(q.pages.byFirst))
	tree.Ascend(func(p *Page) bool {
		pages = append(pages, p)
		return true
	})
	return pages
}
