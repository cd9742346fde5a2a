package worker

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/restantemq/restante/queue"
)

// patience is how long a handler may take before the messages that wait behind it are
// handed to others.
const patience = 5 * time.Millisecond

// An attendant looks after all leases of a pool, from a timer that is set to when the
// first of them needs it: it extends visibility timeouts, notices what is lost, and hands
// over messages that wait behind a slow handler.
type attendant struct {
	mu      sync.Mutex
	timer   *time.Timer
	ended   bool
	running sync.WaitGroup
}

const never = math.MaxInt64

// attend has the leases looked after at a time, or before.
func (p *pool) attend(now, at time.Time) {
	a := &p.attendant
	when := at.UnixNano()
	if p.attention.Load() <= when {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended || p.attention.Load() <= when {
		return
	}
	p.attention.Store(when)
	if wait := max(at.Sub(now), 0); a.timer == nil {
		a.timer = time.AfterFunc(wait, p.look)
	} else {
		a.timer.Reset(wait)
	}
}

// dismiss ends the looking after.
func (p *pool) dismiss() {
	a := &p.attendant
	a.mu.Lock()
	a.ended = true
	if a.timer != nil {
		a.timer.Stop()
	}
	a.mu.Unlock()
	a.running.Wait()
}

// An extension is due for one message.
type extension struct {
	l      *lease
	i      int
	d      *queue.Delivery
	until  time.Time // when it is too late
	change queue.VisibilityChange
}

// look looks after all leases.
func (p *pool) look() {
	a := &p.attendant
	a.mu.Lock()
	if a.ended {
		a.mu.Unlock()
		return
	}
	a.running.Add(1)
	defer a.running.Done()
	p.attention.Store(never)
	a.mu.Unlock()

	now := time.Now()
	var due []extension
	var next time.Time
	sooner := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, l := range p.open() {
		var at time.Time
		due, at = l.look(now, due)
		sooner(at)
	}
	for part := range slices.Chunk(due, queue.MaxBatch) {
		a.running.Go(func() { p.extend(now, part) })
	}
	if !next.IsZero() {
		p.attend(time.Now(), next)
	}
}

// look looks after one lease: it adds the extensions that are due, and returns when the
// lease needs attention again, the zero time if it doesn't.
func (l *lease) look(now time.Time, due []extension) (_ []extension, next time.Time) {
	l.mu.Lock()
	if l.ds == nil {
		l.mu.Unlock()
		return due, next
	}
	if l.closing && !l.odd.Load() { // the queue takes its time to delete
		if next = l.until; !now.Before(next) {
			next = time.Time{}
			l.giveUp()
		}
		l.mu.Unlock()
		return due, next
	}
	begun := l.next.Load()
	slow := l.seen == begun && begun > 0 && !l.closing
	l.seen = begun
	waits := int(begun) < len(l.ds) && l.p.handle != nil
	if !l.odd.Load() && (!slow || !waits) && now.Before(l.plan(l.until)) {
		if next = l.plan(l.until); waits {
			next = now.Add(patience)
		}
		l.mu.Unlock()
		return due, next
	}
	l.itemize()
	var others []*lease
	if slow && waits && !l.p.stopping.Load() {
		others = l.handOver()
	}
	var ended []int
	waits = false
	for i := range l.held {
		h := &l.held[i]
		if !h.state.alive() {
			continue
		}
		if !now.Before(h.until) {
			if l.lose(i) {
				ended = append(ended, i)
			}
			continue
		}
		if !now.Before(h.renew) {
			d := min(l.p.o.VisibilityTimeout, l.end.Sub(now)).Truncate(time.Millisecond)
			if now.Add(d).After(h.until) {
				l.busy++ // until extend leaves
				due = append(due, extension{l, i, &l.ds[i], h.until, queue.VisibilityChange{Receipt: l.ds[i].Receipt, Timeout: d}})
			}
			h.renew = h.until // until extend says otherwise
		}
		if next.IsZero() || h.renew.Before(next) {
			next = h.renew
		}
		waits = waits || h.state == waiting && i > 0 && l.p.handle != nil
	}
	l.busy++
	l.mu.Unlock()
	defer l.leave()
	for _, i := range ended {
		l.p.finished(&l.ds[i], LeaseLost, nil, l.took(i))
	}
	for _, other := range others {
		go l.p.beside(other)
	}
	if slow {
		l.p.attendant.running.Go(func() { l.deleteDone(time.Now()) })
	}
	// What still waits behind a slow handler is of its group.
	if soon := now.Add(patience); waits && !slow && (next.IsZero() || soon.Before(next)) {
		next = soon
	}
	return due, next
}

// handOver makes leases of their own for messages that wait, but not for those whose
// FIFO group is being handled here. The caller must hold l.mu.
func (l *lease) handOver() (others []*lease) {
	busy := make(map[string]bool) // groups
	for i := range l.ds {
		if s := l.held[i].state; s != waiting && s != deleted {
			busy[l.ds[i].GroupID] = true
		}
	}
	groups := make(map[string]*lease)
	for i := range l.ds {
		d, h := &l.ds[i], &l.held[i]
		ordered := d.Sequence != 0
		if h.state != waiting || ordered && busy[d.GroupID] {
			continue
		}
		other := groups[d.GroupID]
		if other == nil || !ordered {
			other = &lease{p: l.p} // nobody else knows it yet
			other.until, other.end, other.received, other.seen = l.until, l.end, l.received, -1
			other.odd.Store(true)
			groups[d.GroupID] = other
			others = append(others, other)
		}
		other.ds, other.held = append(other.ds, *d), append(other.held, *h)
		h.state = over
	}
	if len(others) > 0 {
		l.p.running.Add(len(others)) // not from zero: this lease's goroutine runs
		l.p.mu.Lock()
		for _, other := range others {
			l.p.leases[other] = true
		}
		l.p.mu.Unlock()
	}
	return others
}

// beside handles a lease as soon as there is a slot.
func (p *pool) beside(l *lease) {
	p.attend(time.Now(), time.Now().Add(patience))
	p.wanted.Add(1)
	p.callOff()
	select {
	case p.slots <- struct{}{}:
		p.wanted.Add(-1)
		l.began = time.Now()
		l.called = l.began
		p.once(l)
	case <-p.receiving.Done():
		p.wanted.Add(-1)
		l.returnWaiting()
		l.forget()
		p.running.Done()
	}
}

// callOff ends the receive of somebody hungry, who may have all slots that are free.
func (p *pool) callOff() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hangUp != nil {
		p.hangUp()
	}
}

// extend hides messages for another while. Each is looked after when it is too late,
// whether the call has returned by then or not.
func (p *pool) extend(now time.Time, due []extension) {
	changes := make([]queue.VisibilityChange, len(due))
	late := due[0].until
	for n := range due {
		changes[n] = due[n].change
		if due[n].until.After(late) {
			late = due[n].until
		}
	}
	ctx := p.extending
	if p.stopping.Load() {
		ctx = p.settling
	}
	ctx, cancel := context.WithDeadline(ctx, late)
	err := p.queue.ChangeVisibilityBatch(ctx, changes)
	cancel()
	failed := entryErrors(err, len(due))
	matters := false // not if the messages were deleted meanwhile
	for n, e := range due {
		ended, until, next := false, time.Time{}, time.Time{}
		e.l.mu.Lock()
		if h := &e.l.held[e.i]; h.state.alive() {
			matters = matters || failed[n] != nil && h.state != settling
			switch err := failed[n]; {
			case err == nil:
				h.until = now.Add(e.change.Timeout)
				h.renew = e.l.plan(h.until)
				until = h.until
			case isLost(err):
				ended = e.l.lose(e.i)
			case isHopeless(err):
			default: // perhaps it works in a moment
				left := max(time.Until(h.until), 0)
				h.renew = h.until.Add(-left + min(max(left/4, 10*time.Millisecond), left))
			}
			if h.state.alive() {
				next = h.renew
			}
		}
		e.l.mu.Unlock()
		if t := p.o.Trace; !until.IsZero() && t != nil && t.Extended != nil {
			t.Extended(e.d, until)
		}
		if ended {
			p.finished(e.d, LeaseLost, failed[n], e.l.took(e.i))
		}
		e.l.leave()
		if !next.IsZero() {
			p.attend(time.Now(), next)
		}
	}
	if matters {
		p.failedCall("ChangeVisibilityBatch", err)
	}
}
