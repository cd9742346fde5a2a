package worker

import (
	"context"
	"time"

	"github.com/restantemq/restante/queue"
)

// finish notes that a handler has returned, and settles what it has had unless that is
// to be deleted with others. It gets a verdict for each message, nil for success.
func (l *lease) finish(verdicts []*verdict) {
	p := l.p
	took := l.stopwatch()
	if v := verdicts[0]; v != nil && v.panicked != nil {
		if p.o.Metrics != nil {
			p.o.Metrics.panicked.Add(1)
		}
		p.o.Logger.Error("worker: "+v.text, "message", l.ds[l.at[0]].ID.String(), "stack", string(v.panicked.Stack))
	}
	for n, i := range l.at {
		v := verdicts[n]
		if m := p.o.Metrics; m != nil {
			m.running.Add(-1)
			m.inHandler.add(took)
		}
		l.note(i, took)
		if v == nil && !l.odd.Load() {
			continue
		}
		l.mu.Lock()
		l.itemize()
		h := &l.held[i]
		gone := h.state == lost
		switch {
		case v == nil && !gone:
			h.state = done
		default:
			h.state = over // it isn't extended any more; see claim for its group
		}
		l.mu.Unlock()
		switch {
		case gone:
			p.finished(&l.ds[i], LeaseLost, v.error(), took)
		case v != nil:
			l.fail(i, v, took)
		default:
			continue
		}
		if d := &l.ds[i]; d.Sequence != 0 && p.handle != nil {
			l.returnWaitingOf(d.GroupID)
		}
	}
	if d := &l.ds[l.at[0]]; d.Sequence != 0 && p.handle != nil && l.groupWaits(d.GroupID) {
		l.deleteDone(time.Now()) // before the next one of the group is begun
		l.alone()
	}
	l.at = l.at[:0]
}

// stopwatch returns how long the handler took, if anybody asks.
func (l *lease) stopwatch() time.Duration {
	if !l.p.watched() {
		return 0
	}
	before := l.called
	l.called = time.Now()
	return l.called.Sub(before)
}

func (p *pool) watched() bool { return p.o.Trace != nil || p.o.Metrics != nil }

// started tells that a handler is called.
func (l *lease) started() {
	if l.odd.Load() { // time has passed since the last one returned, perhaps
		l.called = time.Now()
	}
	for _, i := range l.at {
		d := &l.ds[i]
		if t := l.p.o.Trace; t != nil && t.Started != nil {
			t.Started(d)
		}
		if m := l.p.o.Metrics; m != nil {
			m.running.Add(1)
			m.inQueue.add(l.called.Sub(d.SentAt))
		}
	}
}

// finished tells what became of a message.
func (p *pool) finished(d *queue.Delivery, o Outcome, err error, took time.Duration) {
	if t := p.o.Trace; t != nil && t.Finished != nil {
		t.Finished(d, o, err, took)
	}
	if m := p.o.Metrics; m != nil {
		m.count(o)
	}
	if o == LeaseLost {
		p.o.Logger.Warn("worker: lease lost", "message", d.ID.String(), "receives", d.ReceiveCount, "error", err)
	}
}

// groupWaits reports whether a message of that FIFO group waits for its turn here.
func (l *lease) groupWaits(group string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.ds {
		if l.held[i].state == waiting && l.ds[i].GroupID == group {
			return true
		}
	}
	return false
}

// fail gives a message back whose handler has failed.
func (l *lease) fail(i int, v *verdict, took time.Duration) {
	p, d := l.p, &l.ds[i]
	outcome, after := Retried, time.Duration(0)
	switch {
	case v.retry:
		after = v.after
	case v.dead && l.deadLetter(i, v.reason):
		outcome = DeadLettered
	case context.Cause(p.handling) != nil: // it was interrupted
		outcome = Returned
	default:
		after = p.o.Backoff.Delay(d.ID, d.ReceiveCount)
	}
	p.o.Logger.Warn("worker: handler failed", "message", d.ID.String(), "receives", d.ReceiveCount, "outcome", outcome.String(), "after", after, "error", v.text)
	if outcome != DeadLettered {
		l.alone() // an extension under way would come after it
		p.giveBack([]item{l.item(i)}, p.within(l, after))
	}
	p.finished(d, outcome, v.error(), took)
}

// deadLetter moves a message to the dead-letter queue, and reports whether that worked.
func (l *lease) deadLetter(i int, reason string) bool {
	q, able := queue.As[queue.DeadLetterer](l.p.queue)
	if !able {
		return false
	}
	return l.p.settle("DeadLetter", []item{l.item(i)}, func(ctx context.Context, items []item) error {
		return q.DeadLetter(ctx, items[0].d.Receipt, reason)
	}) == nil
}

// returnWaiting gives back at once what waits for its turn, and deletes what is done:
// the pool stops.
func (l *lease) returnWaiting() {
	l.release(func(h *held, _ *queue.Delivery) bool { return h.state == waiting })
	l.deleteDone(time.Now())
}

// returnWaitingOf gives back at once what waits of a FIFO group.
func (l *lease) returnWaitingOf(group string) {
	l.release(func(h *held, d *queue.Delivery) bool { return h.state == waiting && d.GroupID == group })
}

// abandon gives back at once whatever there is, and returns how many handlers still run.
func (l *lease) abandon() (stuck int) {
	l.release(func(h *held, _ *queue.Delivery) bool {
		if h.state == running || h.state == lost {
			stuck++
		}
		return h.state == running || h.state == waiting
	})
	if l.p.handleBatch != nil {
		stuck = min(stuck, 1)
	}
	return stuck
}

// release gives back at once the messages that which chooses; it is called with l.mu
// held.
func (l *lease) release(which func(*held, *queue.Delivery) bool) {
	var chosen []item // copies: the lease may end meanwhile
	var told []bool   // whose end is told now; of the others when their handlers return
	l.mu.Lock()
	if l.ds != nil && !l.deleting {
		l.itemize()
		for i := range l.ds {
			if h := &l.held[i]; which(h, &l.ds[i]) {
				d := l.ds[i]
				chosen, told = append(chosen, item{&d, h.until}), append(told, h.state == waiting)
				if h.state == running {
					h.state = lost
				} else {
					h.state = over
				}
			}
		}
	}
	l.mu.Unlock()
	if len(chosen) == 0 {
		return
	}
	l.alone() // an extension under way would come after it
	l.p.giveBack(chosen, 0)
	for n := range chosen {
		if told[n] {
			l.p.finished(chosen[n].d, Returned, nil, 0)
		}
	}
}

// close deletes what was handled, when all was, and returns when nobody uses the lease
// any more.
func (l *lease) close(now time.Time) {
	l.mu.Lock()
	l.closing = true
	if l.odd.Load() || !now.Before(l.until) {
		l.itemize()
		for i := range l.held {
			if l.held[i].state == running { // found odd when it had just been handled
				l.held[i].state = done
			}
		}
		l.mu.Unlock()
		l.deleteDone(now)
		l.alone()
		return
	}
	l.deleting = true
	if l.deletes == nil || l.deletes.Err() != nil {
		l.deletes, l.giveUp = context.WithCancel(l.p.settling)
	}
	ctx := l.deletes
	l.mu.Unlock()
	err := l.p.delete(ctx, l.ds, l.receipts[:0])
	if err == nil && !l.p.watched() {
		return
	}
	items := make([]item, len(l.ds))
	for i := range l.ds {
		items[i] = item{&l.ds[i], l.until}
	}
	l.deleted(items, l.p.retry(deleteCall(len(items)), items, err, l.p.deleteItems))
}

// deleteDone deletes what was handled and is still on lease.
func (l *lease) deleteDone(now time.Time) {
	var chosen []item
	var at, ended []int
	l.mu.Lock()
	if l.ds == nil || l.deleting {
		l.mu.Unlock()
		return
	}
	l.itemize()
	for i := range l.held {
		switch h := &l.held[i]; {
		case h.state != done:
		case !now.Before(h.until):
			l.lose(i)
			ended = append(ended, i)
		default:
			h.state = settling
			chosen, at = append(chosen, l.item(i)), append(at, i)
		}
	}
	l.busy++
	l.mu.Unlock()
	defer l.leave()
	for _, i := range ended {
		l.p.finished(&l.ds[i], LeaseLost, nil, l.took(i))
	}
	if len(chosen) == 0 {
		return
	}
	errs := l.p.settle(deleteCall(len(chosen)), chosen, l.p.deleteItems)
	l.mu.Lock()
	for n, i := range at {
		if l.held[i].state = deleted; errs != nil && errs[n] != nil {
			l.held[i].state = over
		}
	}
	l.mu.Unlock()
	l.deleted(chosen, errs)
}

// deleted tells what has come of deletes.
func (l *lease) deleted(items []item, errs []error) {
	for n, it := range items {
		took := time.Duration(0)
		for i := range l.ds {
			if &l.ds[i] == it.d {
				took = l.took(i)
			}
		}
		if errs != nil && errs[n] != nil {
			l.p.finished(it.d, LeaseLost, errs[n], took)
		} else {
			l.p.finished(it.d, Done, nil, took)
		}
	}
}

// delete deletes messages, up to a batch; rs is memory for their receipts.
func (p *pool) delete(ctx context.Context, ds []queue.Delivery, rs []queue.Receipt) error {
	if len(ds) == 1 {
		return p.queue.Delete(ctx, ds[0].Receipt)
	}
	for i := range ds {
		rs = append(rs, ds[i].Receipt)
	}
	return p.queue.DeleteBatch(ctx, rs)
}
