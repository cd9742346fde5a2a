package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/btree"

	"github.com/restantemq/restante/queue"
)

// An Offer is one receive being filled. The Order offers it messages.
type Offer struct {
	q         *Queue
	ms        int64     // now
	at        time.Time // the same
	until     int64     // the deadline of what is taken now, ms
	visibleAt time.Time // the same
	retention int64     // ms
	sent      stamp     // of the message delivered last
	sentAt    time.Time // the same
	hide      bool      // false: a visibility timeout of zero
	max       int
	out       []queue.Delivery
	moving    []uint64 // sequence numbers of messages to be dead-lettered
	// limited says that a message was left because too many are in flight.
	limited bool
	expired []uint64 // removed from the queue, not yet from the store
	// coldest is where a Standard queue's messages begin that wait for a page to
	// be brought back; absent is a page that the receive can't go on without, for
	// its message at absentAt. See wanted.
	coldest  uint64
	absent   *Page
	absentAt int
	want     *Page // what became of them
}

// request is a checked [queue.ReceiveOptions].
type request struct {
	max     int
	wait    time.Duration
	timeout time.Duration
	arrival uint64 // when it began to wait, among others; zero: it hasn't
	attempt string // FIFO only
	into    []queue.Delivery
}

// maxMoves bounds how many messages one pass over a queue dead-letters.
const maxMoves = 64

// Receive implements queue.Queue.
func (q *Queue) Receive(ctx context.Context, o queue.ReceiveOptions) ([]queue.Delivery, error) {
	cfg := q.config.Load()
	var r request
	if err := resolveReceive(&r, &o, q.kind, cfg); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("receive: %w", err)
	}
	now := q.clock.now()
	end, short := now+int64(r.wait), r.wait == 0
	q.mu.Lock()
	err := q.refusing()
	if err == nil {
		err = q.throttle(receiveCalls, cfg, now)
	}
	if err != nil {
		q.unlock(now)
		return nil, err
	}
	now = q.catchUp(now)
	if err := q.refusing(); err != nil { // catchUp let go of the lock
		q.unlock(now)
		return nil, err
	}
	if now, err = q.fillUp(ctx, now); err != nil {
		q.unlock(now)
		return nil, err
	}
	if r.attempt != "" {
		if now, err = q.bringContents(ctx, now, q.attempts.numbers(r.attempt)...); err != nil {
			q.unlock(now)
			return nil, err
		}
		if out, done, err := q.repeat(&r, now); done {
			q.unlock(now)
			return out, err
		}
	}
	if q.waiters.head != nil {
		q.serve(now) // those who came earlier come first
	}
	var pinned pins
	out, moving, limited := q.take(&r, r.into[:0], now)
	for {
		pinned.release()
		if want, at := q.offer.want, q.offer.absentAt; len(moving) > 0 || want != nil {
			// What stays visible is not to be held meanwhile. And a FIFO group that had
			// some taken gives no more: to go out together, all must be taken at once.
			had := len(out) > 0
			if r.timeout == 0 || want != nil && q.kind == queue.FIFO {
				for k := range out { // to be taken again, beside what comes
					if p := q.pageOf(&out[k].Receipt); p != nil {
						pinned.add(p)
					}
				}
				q.undo(out, nil)
				out = out[:0]
			}
			if len(moving) > 0 {
				// Those who leave may stand before others that can go out instead.
				now = q.moveAway(now, moving)
			} else {
				pinned.add(want)
				now, err = q.bring(ctx, now, want, at)
			}
			if had && errors.Is(err, queue.ErrStoreCorrupt) {
				err = nil // what there is goes out first
			}
			now = q.catchUp(now)
			if refusing := q.refusing(); refusing != nil { // catchUp, too, let go of the lock
				err = refusing
			}
			if err != nil {
				pinned.release()
				q.undo(out, nil)
				q.unlock(now)
				return nil, err
			}
			out = slices.DeleteFunc(out, q.lost) // a move may take longer than a visibility timeout
			out, moving, limited = q.take(&r, out, now)
			continue
		}
		if len(out) > 0 {
			q.attempted(&r, out, now)
			return q.hand(now, out)
		}
		if r.wait = time.Duration(end - now); r.wait <= 0 {
			q.unlock(now)
			if limited && q.kind == queue.Standard && short {
				return nil, &queue.LimitError{Parameter: "InFlight", Got: queue.MaxInFlight, Max: queue.MaxInFlight, Err: queue.ErrInFlightLimit}
			}
			return nil, nil
		}
		if out, moving, err = q.wait(ctx, &r); err != nil || len(out)+len(moving) == 0 {
			return nil, err
		}
		q.offer.want = nil // a wait ends with what there is
		now = q.clock.now()
	}
}

// take adds what is visible to a receive, up to its maximum. What it returns as
// moving is to leave the queue before the receive can be complete.
func (q *Queue) take(r *request, had []queue.Delivery, now int64) (out []queue.Delivery, moving []uint64, limited bool) {
	o := &q.offer
	o.q, o.max, o.hide, o.limited = q, r.max, r.timeout > 0, false
	o.ms, o.until, o.retention = floor(now), deadline(now, r.timeout), q.retention()
	o.at, o.visibleAt = instant(o.ms), instant(o.until)
	o.out, o.moving, o.expired = had, nil, o.expired[:0]
	o.coldest, o.absent, o.absentAt = q.coldest(), nil, 0
	q.order.Take(o)
	o.want, o.absent = q.wanted(o), nil
	out, moving, limited = o.out, o.moving, o.limited
	if !o.hide && len(moving) == 0 && o.want == nil {
		q.unhide(out)
	}
	q.forget(now, o.expired)
	o.out, o.moving = nil, nil
	return out, moving, limited
}

// unhide makes what a receive with a visibility timeout of zero has taken
// visible again, now that it can't take it a second time.
func (q *Queue) unhide(out []queue.Delivery) {
	for i := range out {
		f, _ := out[i].Receipt.Fields()
		if p, i, s := q.find(f.Seq); s != nil && s.flags&isHeld != 0 {
			q.putBack(p, i, s, queue.StepReleased)
		}
	}
}

// lost reports whether a delivery that nobody has seen yet is not its receiver's
// any more.
func (q *Queue) lost(d queue.Delivery) bool {
	f, _ := d.Receipt.Fields()
	_, _, s := q.find(f.Seq)
	return s == nil || s.state != queue.InFlight || s.receives != f.Receive() || s.flags&isMoving != 0
}

// moveAway sends messages to the dead-letter queue. If that fails they are
// delivered here once more. The caller must hold q.mu, which is let go while
// they move; the time after is returned.
func (q *Queue) moveAway(now int64, moving []uint64) int64 {
	target := q.config.Load().DeadLetter.Target
	if target == nil { // reconfigured since they were picked
		q.undo(nil, moving)
		return now
	}
	q.letGo(now)
	q.move(target, moving, q.asDeadLetter(""), queue.StepDeadLettered, isRefused)
	now = q.clock.now()
	q.mu.Lock()
	q.leave()
	return now
}

// letGo is enter and unlock, but for events: they wait for the next unlock,
// because a Trace that asks for a message on its way would wait for its own
// caller.
func (q *Queue) letGo(now int64) {
	q.enter()
	if q.waiters.head != nil {
		q.serve(now)
	}
	q.mu.Unlock()
}

// Offer decides what becomes of a visible message: it is received, or it is due
// to leave the queue, or the receive takes no more.
func (o *Offer) Offer(p *Page, i int) Answer {
	q, s := o.q, p.slot(i)
	cfg := q.config.Load()
	if s.sentAt.ms()+o.retention <= o.ms {
		o.expired = append(o.expired, p.Seq(i))
		q.stats.Expired++
		q.trace(queue.StepExpired, p.Seq(i), 0)
		q.gone(p, i, s)
		return Removed
	}
	if len(o.out) == o.max {
		return Full
	}
	leaving := leaves(s, cfg)
	if !leaving && cfg.Limits == queue.SQSLimits && q.stats.InFlight >= queue.MaxInFlight {
		o.limited = true
		return Full
	}
	if s.flags&isOut != 0 {
		o.absent, o.absentAt = p, i
		return Full
	}
	if p.First > o.coldest && o.comesLater(s) {
		o.absent, _ = q.behind.Min()
		return Full
	}
	if leaving {
		if len(o.moving) == maxMoves {
			return Full
		}
		o.moving = append(o.moving, p.Seq(i))
		q.fly(p, i, s)
		q.setMoving(s)
		return Leaving
	}
	s.receives++
	if q.store != nil {
		p.stored.untold.Set(i) // until touch
	}
	s.flags &^= isRefused
	s.lastAt = stampOf(o.ms)
	if s.firstAt == (stamp{}) {
		s.firstAt = s.lastAt
	}
	q.fly(p, i, s)
	if o.hide {
		q.schedule(p, i, s, o.until, o.ms)
	} else {
		s.flags |= isHeld
	}
	q.stats.Received++
	if len(o.out) < cap(o.out) {
		o.out = o.out[:len(o.out)+1]
	} else {
		o.out = append(o.out, queue.Delivery{})
	}
	q.deliver(&o.out[len(o.out)-1], p, i, s, o)
	q.trace(queue.StepReceived, p.Seq(i), o.until)
	return Taken
}

// comesLater reports whether a message must wait for the older ones whose page is
// away. Tenants go by their own rule, but not for ever.
func (o *Offer) comesLater(s *slot) bool {
	if s.flags&isGrouped == 0 {
		return true
	}
	if o.q.passed++; o.q.passed < pageSize {
		return false
	}
	o.q.passed = 0
	return true
}

// leaves reports whether a message that would be received goes to the
// dead-letter queue instead: SQS moves it when it would be received once more
// than allowed, never before.
func leaves(s *slot, cfg *queue.Config) bool {
	d := &cfg.DeadLetter
	return d.Target != nil && int64(s.receives) >= int64(d.MaxReceives) && s.flags&isRefused == 0
}

// Leaves reports whether Offer would answer Leaving, or Full.
func (o *Offer) Leaves(p *Page, i int) bool { return leaves(p.slot(i), o.q.config.Load()) }

// InFlight returns how many messages of the queue are in flight now.
func (o *Offer) InFlight() int { return o.q.stats.InFlight }

// Done reports that the receive is full, so that an Order may stop before it
// looks for another message.
func (o *Offer) Done() bool { return len(o.out) == o.max }

// deliver writes a delivery of a message that was just received.
func (q *Queue) deliver(d *queue.Delivery, p *Page, i int, s *slot, o *Offer) {
	seq := p.Seq(i)
	q.identity.issue(&d.Receipt, seq, s.receives, o.ms)
	d.ReceiveCount = int(s.receives)
	if s.sentAt != o.sent { // neighbours were often sent in the same millisecond
		o.sent, o.sentAt = s.sentAt, instant(s.sentAt.ms())
	}
	d.SentAt, d.VisibleAt = o.sentAt, o.visibleAt
	if d.FirstReceivedAt = o.at; s.firstAt != s.lastAt {
		d.FirstReceivedAt = instant(s.firstAt.ms())
	}
	d.Sequence = 0
	if q.kind == queue.FIFO {
		d.Sequence = seq
	}
	d.Delay = 0
	if s.flags&(hasExtra|isLarge) == 0 { // most messages; the fields one by one, not a copy of all
		d.Body, d.Attributes = p.body(i, s), queue.Attributes{}
		d.GroupID, d.DeduplicationID, d.TraceHeader = "", "", ""
		d.DeadLetterSource, d.DeadLetterReason = "", ""
		q.identity.setID(&d.ID, seq)
		return
	}
	body, e := p.content(i, s)
	d.Message = e.message(body)
	d.ID = q.idOf(seq, &e)
	d.DeadLetterSource, d.DeadLetterReason = e[sourceField], e[reasonField]
}

// idOf returns a message's ID.
func (q *Queue) idOf(seq uint64, e *extraFields) (id queue.MessageID) {
	if e[idField] == "" {
		return q.identity.id(seq)
	}
	copy(id[:], e[idField])
	return id
}

// fly and land keep the index of messages in flight. Pages stay in the tree
// when their last one has landed and leave it when they are freed, so that a
// queue that holds one message at a time doesn't touch the tree for each.
func (q *Queue) fly(p *Page, i int, s *slot) {
	s.state = queue.InFlight
	q.stats.Visible--
	q.stats.InFlight++
	p.inFlight.Set(i)
	if !p.inFlightListed {
		if q.inFlight == nil {
			q.inFlight = btree.NewG(32, byFirst)
		}
		q.inFlight.ReplaceOrInsert(p)
		p.inFlightListed = true
	}
}

func (q *Queue) land(p *Page, i int, s *slot) {
	p.timed.Unset(i)
	if s.flags&isMoving != 0 {
		q.moving--
	}
	s.flags &^= isMoving | isHeld
	q.stats.InFlight--
	p.inFlight.Unset(i)
}

// putBack makes a message in flight visible again, for the reason that step is.
func (q *Queue) putBack(p *Page, i int, s *slot, step queue.Step) {
	q.land(p, i, s)
	q.trace(step, p.Seq(i), 0)
	q.show(p, i, s, queue.InFlight)
}

// hide takes a visible message in flight that no receive takes: somebody extends
// an expired lease, or sets the message aside.
func (q *Queue) hide(p *Page, i int, s *slot) {
	q.fly(p, i, s)
	if !p.stored.cold {
		q.order.Hide(p, i)
	}
}

// hand finishes a receive: it returns the deliveries once the receives are
// recorded in the store. The caller must hold q.mu; hand lets go of it.
func (q *Queue) hand(now int64, out []queue.Delivery) ([]queue.Delivery, error) {
	if q.store == nil {
		q.unlock(now)
		return out, nil
	}
	commit, err := q.touch(now, out)
	if errors.Is(err, queue.ErrStoreFull) {
		q.unlock(now)
		return out, nil // see touch
	}
	if err != nil {
		q.undo(out, nil)
		q.unlock(now)
		return nil, err
	}
	q.enter()
	q.unlock(now)
	// A receive need not survive the machine, only the process: a message that
	// kills its consumer is to reach the dead-letter queue in the end.
	err = q.store.Wait(commit, queue.Written)
	q.mu.Lock()
	q.leave()
	if err != nil {
		q.fail(err)
		out = nil
	}
	q.unlock(now)
	return out, err
}

// touch appends the receives in out to the store. It writes down what holds now:
// a waiter comes here some time after it was served, and others may have
// received the message since; what went back to the store meanwhile was told. A
// store that is full may refuse receives: then they take place all the same, and a
// crash forgets them.
func (q *Queue) touch(now int64, out []queue.Delivery) (queue.Commit, error) {
	q.touches = q.touches[:0]
	for i := range out {
		f, _ := out[i].Receipt.Fields()
		if _, _, s := q.find(f.Seq); s != nil {
			q.touches = append(q.touches, queue.Touch{Seq: f.Seq, Receives: s.receives, FirstReceivedAt: s.firstAt.ms()})
		}
	}
	if len(q.touches) == 0 {
		return 0, nil
	}
	q.change[0] = queue.Change{Queue: q.number, Touch: q.touches}
	commit, err := q.append(now, nil)
	if err == nil {
		for k := range q.touches {
			p, i := q.pages.At(q.touches[k].Seq)
			p.stored.untold.Unset(i)
		}
	}
	return commit, err
}

// undo makes a receive that reached nobody as if it had never been: the
// messages are visible again, in their old places, and the receive isn't
// counted.
func (q *Queue) undo(out []queue.Delivery, moving []uint64) {
	for _, seq := range slices.Backward(moving) {
		if p, i, s := q.find(seq); s != nil && s.flags&isMoving != 0 {
			q.stay(p, s)
			q.land(p, i, s)
			q.show(p, i, s, Undone)
		}
	}
	for k := range slices.Backward(out) { // so that what came first is first again
		f, _ := out[k].Receipt.Fields()
		p, i, s := q.find(f.Seq)
		if s == nil || s.receives != f.Receive() || s.flags&isMoving != 0 {
			continue // gone, or with somebody else by now, or on its way to another queue
		}
		q.stats.Received--
		if s.receives--; s.receives == 0 {
			s.firstAt = stamp{}
		}
		if leaves(s, q.config.Load()) {
			s.flags |= isRefused // that is why it was taken, and it still is to be delivered
		}
		if s.state == queue.InFlight {
			q.land(p, i, s)
			q.trace(queue.StepReleased, f.Seq, 0)
			q.show(p, i, s, Undone)
		}
	}
	if len(moving) > 0 {
		q.settleMoves()
	}
}
