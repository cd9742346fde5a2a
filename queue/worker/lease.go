package worker

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/restantemq/restante/queue"
)

// A lease is what one goroutine handles in turn: messages of one receive, which are
// hidden from others until each of them has been settled.
//
// Messages are usually begun in order, handled, and deleted together. As long as that is
// so, next says all, and the goroutine needs no lock. Whatever is out of that order - a
// message that failed, is lost, or was handed to somebody else - is noted in held, by
// whoever finds it; from then on everybody goes by held.
type lease struct {
	p    *pool
	next atomic.Int64 // how many were begun; more than there are at the end
	odd  atomic.Bool  // held counts; set before it is made

	mu       sync.Mutex
	ds       []queue.Delivery // nil between two receives
	until    time.Time        // when what was received is visible again
	end      time.Time        // when it must be, however often it was extended
	received time.Time
	held     []held          // for each of ds, if odd; otherwise empty
	deleting bool            // what is done is being deleted
	closing  bool            // all is handled; nobody else begins anything with the lease
	busy     int             // how many others are doing something with it
	quiet    chan struct{}   // closed when busy becomes zero; nil if nobody waits
	seen     int64           // next, when the pool last looked
	ctx      context.Context // of handlers
	cancel   context.CancelCauseFunc
	deletes  context.Context // of the deletion of all, which giveUp ends
	giveUp   context.CancelFunc

	// The rest belongs to the goroutine that handles.
	memory   []queue.Delivery                // of receives
	lent     bool                            // other leases have some of it
	receipts [queue.MaxReceive]queue.Receipt // for a delete
	rounds   int
	began    time.Time
	ended    time.Time
	called   time.Time       // when the handler was called, or returned, if anybody asks
	at       []int           // what the handler has now; empty between handlers
	times    []time.Duration // that handlers took, if anybody asks
}

// held is what is known of a message on lease.
type held struct {
	state state
	until time.Time // when it is visible again
	renew time.Time // when to do something about that; until, if nothing can be done
}

// state is how far a message on lease has come.
type state uint8

const (
	waiting  state = iota // for its turn
	running               // its handler is, or was a moment ago
	done                  // it is to be deleted
	settling              // it is being deleted, or given back
	lost                  // it may be visible; its handler runs
	deleted
	over // in any other way
)

// alive reports whether the message must stay hidden.
func (s state) alive() bool { return s <= settling }

func newLease(p *pool) *lease {
	l := &lease{p: p}
	p.mu.Lock()
	p.leases[l] = true
	p.mu.Unlock()
	return l
}

// forget ends a lease that has nothing.
func (l *lease) forget() {
	l.p.mu.Lock()
	delete(l.p.leases, l)
	l.p.mu.Unlock()
	l.renew()
	if l.giveUp != nil {
		l.giveUp()
	}
}

// room returns memory for n deliveries.
func (l *lease) room(n int) []queue.Delivery {
	if l.memory == nil || l.lent {
		l.memory, l.lent = make([]queue.Delivery, 0, n), false
	}
	return l.memory
}

// take begins a lease on what was received just now, or at least not long after now.
func (l *lease) take(ds []queue.Delivery, now time.Time) {
	o := &l.p.o
	l.began, l.called = now, now
	l.mu.Lock()
	l.ds, l.until, l.seen = ds, ds[0].VisibleAt, -1
	if l.until.IsZero() { // a queue that doesn't say
		l.until = l.began.Add(o.VisibilityTimeout)
	}
	l.received = l.until.Add(-o.VisibilityTimeout)
	if l.end = l.until; o.MaxHold > 0 {
		l.end = l.received.Add(o.MaxHold)
	}
	l.next.Store(0)
	if ds[0].Sequence != 0 || l.p.handleBatch != nil {
		l.itemize()
	}
	late := !now.Before(l.until)
	if late { // the receive took longer than the visibility timeout
		l.itemize()
		for i := range l.held {
			l.held[i].state = over
		}
	}
	attention := l.plan(l.until)
	l.mu.Unlock()
	if late {
		for i := range ds {
			l.p.finished(&ds[i], LeaseLost, errLate, 0)
		}
		return
	}
	if len(ds) > 1 && l.p.handle != nil {
		attention = l.began.Add(patience)
	}
	l.p.attend(l.began, attention)
}

var errLate = errors.New("the receive took longer than the visibility timeout")

// itemize makes held, if it isn't there. The caller must hold l.mu.
func (l *lease) itemize() {
	l.odd.Store(true) // first: what is begun from now on is begun under l.mu
	if len(l.held) > 0 {
		return
	}
	begun := int(l.next.Load())
	for i := range l.ds {
		h := held{until: l.until, renew: l.plan(l.until)}
		switch {
		case l.deleting:
			h.state = settling
		case i < begun-1:
			h.state = done
		case i == begun-1:
			h.state = running
		}
		l.held = append(l.held, h)
	}
}

// plan decides when a message needs attention that is visible at a time.
func (l *lease) plan(until time.Time) time.Time {
	if until.Before(l.end) {
		return until.Add(-l.p.o.VisibilityTimeout / 2)
	}
	return until
}

// run handles all messages of the lease, and settles them. If a handler ends the
// goroutine, another one calls run again.
func (l *lease) run() {
	p := l.p
	if len(l.at) > 0 { // a handler has ended the goroutine
		l.finish(l.all(judge(&PanicError{})))
	}
	for l.begin() {
		d := &l.ds[l.at[0]]
		if p.watched() {
			l.started()
		}
		if p.handleBatch != nil {
			l.finish(l.callBatch())
		} else if v := l.call(d); v != nil || l.odd.Load() || p.watched() {
			l.finish([]*verdict{v})
		}
		l.at = l.at[:0]
	}
	now := time.Now()
	l.ended = now
	p.pace.took(now.Sub(l.began), len(l.ds))
	l.close(now)
	l.mu.Lock()
	l.ds, l.held, l.deleting, l.closing = nil, l.held[:0], false, false
	l.odd.Store(false)
	l.times = l.times[:0]
	l.rounds++
	renew := now.Sub(l.began) > quick || l.rounds%renewal == 0
	l.mu.Unlock()
	if renew {
		l.renew()
	}
}

// renewal is after how many quick leases handlers get another context.
const renewal = 64

// renew ends the context of the handlers that have returned.
func (l *lease) renew() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cancel != nil {
		l.cancel(context.Canceled)
		l.ctx, l.cancel = nil, nil
	}
}

// begin chooses what is handled next, and reports whether there is anything.
func (l *lease) begin() bool {
	if l.p.receiving.Err() != nil {
		l.returnWaiting()
	}
	for {
		i := int(l.next.Add(1)) - 1
		if i >= len(l.ds) {
			break
		}
		if l.odd.Load() {
			ok, early := l.claim(i)
			if early { // an older one of its group has not been dealt with
				l.returnWaitingOf(l.ds[i].GroupID)
			}
			if !ok {
				continue
			}
		}
		l.at = append(l.at, i)
		if l.p.handleBatch == nil {
			break
		}
	}
	if len(l.at) > 0 && (l.ctx == nil || l.odd.Load() && l.ctx.Err() != nil) { // only what is odd ends it
		l.mu.Lock()
		l.ctx, l.cancel = context.WithCancelCause(l.p.handling)
		l.mu.Unlock()
	}
	return len(l.at) > 0
}

// claim reports whether message i is to be handled, which it is from now on, or whether
// it must not be because an older one of its FIFO group was not deleted. What was begun
// before and not found odd is done.
func (l *lease) claim(i int) (ok, early bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.itemize()
	if l.p.handleBatch == nil {
		for j := range l.held[:i] {
			if l.held[j].state == running {
				l.held[j].state = done
			}
		}
	}
	h := &l.held[i]
	if h.state != waiting && h.state != running { // running: it was itemized just now
		return false, false
	}
	if d := &l.ds[i]; d.Sequence != 0 && l.p.handleBatch == nil {
		for j := range i {
			if l.ds[j].GroupID == d.GroupID && l.held[j].state != deleted {
				h.state = waiting
				return false, true
			}
		}
	}
	h.state = running
	return true, false
}

// item is message i, for a call of the queue. The caller must hold l.mu, or be the
// goroutine that handles.
func (l *lease) item(i int) item {
	if len(l.held) == 0 {
		return item{&l.ds[i], l.until}
	}
	return item{&l.ds[i], l.held[i].until}
}

// note keeps how long the handler of message i took.
func (l *lease) note(i int, took time.Duration) {
	if !l.p.watched() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.times) == 0 {
		l.times = append(l.times, make([]time.Duration, len(l.ds))...)
	}
	l.times[i] = took
}

// took returns what note kept.
func (l *lease) took(i int) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.times) == 0 {
		return 0
	}
	return l.times[i]
}

// leave says that somebody who had counted himself in l.busy has done with the lease.
func (l *lease) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy--; l.busy == 0 && l.quiet != nil {
		close(l.quiet)
		l.quiet = nil
	}
}

// alone waits until nobody else is doing anything with the lease.
func (l *lease) alone() {
	l.mu.Lock()
	for l.busy > 0 {
		if l.quiet == nil {
			l.quiet = make(chan struct{})
		}
		quiet := l.quiet
		l.mu.Unlock()
		<-quiet
		l.mu.Lock()
	}
	l.mu.Unlock()
}

// lose notes that a message is visible again, or gone. The caller must hold l.mu. It
// returns whether that is the message's end here, which the caller tells.
func (l *lease) lose(i int) bool {
	switch h := &l.held[i]; h.state {
	case running:
		h.state = lost // its end is told when its handler returns
		if l.cancel != nil {
			l.cancel(ErrLeaseLost)
		}
		return false
	case settling:
		return false // who settles it will see
	default:
		h.state = over
		return true
	}
}
