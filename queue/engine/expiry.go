package engine

import (
	"runtime"
	"time"

	"github.com/google/btree"

	"github.com/restantemq/restante/queue"
)

// slice is how many pages are dealt with while the lock is held once, so that a
// million timeouts at one instant don't keep a Send waiting.
const slice = 2

// catchUp deals with every deadline up to now, so that what a Receive sees is
// exact. It lets go of the lock between slices and returns the time at the end.
// The caller must hold q.mu, and holds it again.
func (q *Queue) catchUp(now int64) int64 {
	if floor(now) < q.armedAt {
		return now // the timer is set to the earliest deadline, or before
	}
	for q.advance(now) || q.stale != nil {
		if q.stale != nil {
			now = q.refresh(now)
			continue
		}
		q.enter()
		q.unlock(now)
		runtime.Gosched() // to whom the lock was just handed
		now = q.clock.now()
		q.mu.Lock()
		q.leave()
	}
	return now
}

// advance deals with one slice of what is due at now and reports whether there
// is more.
func (q *Queue) advance(now int64) (more bool) {
	n, more := q.wheel.Advance(floor(now), q.dues[:])
	for _, first := range q.dues[:n] { // before one of them is put away
		p := q.pages.byFirst[first]
		p.alarm, p.next = 0, never
	}
	for _, first := range q.dues[:n] {
		q.ring(q.pages.byFirst[first], floor(now))
	}
	if q.dedup != nil {
		_, rest := q.dedup.Forget(floor(now))
		more = more || rest
	}
	return q.expire(now) || more
}

// ring deals with the messages of a page whose alarm has gone off, and sets the
// next one. Now is in ms.
func (q *Queue) ring(p *Page, now int64) {
	if p.stored.away {
		q.dueAway(p, now)
		return
	}
	next := int64(never)
	for i := p.timed.Next(0); i >= 0; i = p.timed.Next(i + 1) {
		s := p.slot(i)
		if due := s.due.ms(); due > now {
			next = min(next, due)
			continue
		}
		p.timed.Unset(i)
		q.due(p, i, s)
	}
	if next != never {
		q.setAlarm(p, next, now)
	}
	q.rest(p)
}

// due is where a message whose deadline has passed becomes visible: its delay
// is over, or nobody deleted it in time.
func (q *Queue) due(p *Page, i int, s *slot) {
	if s.flags&isMoving != 0 {
		return // arrived will find no deadline
	}
	switch s.state {
	case queue.Pending: // settle will find no deadline
	case queue.Delayed:
		q.stats.Delayed--
		q.trace(queue.StepVisible, p.Seq(i), 0)
		q.show(p, i, s, queue.Delayed)
	case queue.InFlight:
		q.putBack(p, i, s, queue.StepTimedOut)
	default:
		panic("engine: internal error: a deadline for a message that is " + s.state.String())
	}
}

// schedule gives a message a deadline, or another one. Times are in ms.
func (q *Queue) schedule(p *Page, i int, s *slot, at, now int64) {
	s.due = stampOf(at)
	p.timed.Set(i)
	if p.alarm == 0 || at < p.next {
		q.setAlarm(p, at, now)
	}
}

// setAlarm puts a page into the wheel, or moves it there. An alarm whose message
// is deleted before stays: it goes off for nothing once, or its page is freed,
// and either costs less than moving it with every message.
func (q *Queue) setAlarm(p *Page, at, now int64) {
	if q.wheel.Len() == 0 {
		q.wheel.Advance(now, nil) // an empty wheel moves for nothing, and sorts finer
	}
	if p.next = at; p.alarm == 0 {
		p.alarm = q.wheel.Schedule(at, p.First)
	} else {
		q.wheel.Reschedule(p.alarm, at)
	}
	q.wake(at)
}

// age notes that p holds a message sent at that time, before all others it holds.
func (q *Queue) age(p *Page, sentAt int64) {
	q.setAge(p, sentAt)
	q.wake(sentAt + q.retention())
}

// setAge puts a page where it belongs by the age of its oldest message; with
// never, it is not to be looked at.
func (q *Queue) setAge(p *Page, sentAt int64) {
	if q.ages == nil {
		q.ages = btree.NewG(32, byAge)
	}
	if p.minSent != never {
		q.ages.Delete(p)
	}
	if p.minSent = sentAt; sentAt != never {
		q.ages.ReplaceOrInsert(p)
	}
}

// oldest returns a time at or before which the oldest message was sent.
func (q *Queue) oldest() (sentAt int64, ok bool) {
	if q.ages == nil {
		return 0, false
	}
	p, ok := q.ages.Min()
	if !ok {
		return 0, false
	}
	return p.minSent, true
}

// expire removes the messages of one page whose retention is over and reports
// whether another page may have some. Retention is the queue's and can change,
// so it is computed from times of sending; pages are looked at in the order of
// the oldest message they may hold.
func (q *Queue) expire(now int64) (more bool) {
	limit := floor(now) - q.retention()
	sentAt, ok := q.oldest()
	if !ok || sentAt > limit {
		return false
	}
	p, _ := q.ages.Min()
	if p.stored.away {
		q.stale = p // catchUp reads it
		return false
	}
	q.ages.DeleteMin()
	oldest := int64(never)
	q.numbers = q.numbers[:0]
	p.all(func(i int, s *slot) {
		if sent := s.sentAt.ms(); sent > limit || s.flags&isMoving != 0 {
			oldest = min(oldest, sent)
		} else {
			q.numbers = append(q.numbers, p.Seq(i))
		}
	})
	p.minSent = oldest
	if oldest != never {
		if oldest <= limit {
			oldest = limit + 1 // a message on the move: look again soon
			p.minSent = oldest
		}
		q.ages.ReplaceOrInsert(p)
	}
	for _, seq := range q.numbers {
		p, i, s := q.find(seq)
		q.stats.Expired++
		q.trace(queue.StepExpired, seq, 0)
		q.gone(p, i, s)
	}
	q.forget(now, q.numbers)
	sentAt, ok = q.oldest()
	return ok && sentAt <= limit
}

// forget tells the store of messages whose retention is over. Nobody waits for
// it: a message that comes back after a crash expires again.
func (q *Queue) forget(now int64, seqs []uint64) {
	if q.store == nil || len(seqs) == 0 {
		return
	}
	q.change[0] = queue.Change{Queue: q.number, Remove: seqs}
	if commit, err := q.append(now, nil); err == nil {
		q.last = commit
	}
}

// wake sees to it that the timer fires at a deadline in ms, or before. The timer
// is set to the earliest deadline there was; one that was met early makes it
// fire for nothing once and is cheaper than moving it with every message.
func (q *Queue) wake(at int64) {
	if at >= q.armedAt || q.closed != nil {
		return
	}
	q.armedAt = at
	now := q.clock.now()
	d := min(at-floor(now), int64(longest/time.Millisecond))*int64(time.Millisecond) - now%int64(time.Millisecond)
	if q.timer == nil {
		q.ticking.Add(1)
		q.timer = time.AfterFunc(time.Duration(d), q.tick)
	} else if !q.timer.Reset(time.Duration(d)) {
		q.ticking.Add(1)
	}
}

// longest is how far ahead the timer is set at the most.
const longest = 365 * 24 * time.Hour

// tick is the timer's function: it deals with what is due when nobody calls.
func (q *Queue) tick() {
	defer q.ticking.Done()
	now := q.clock.now()
	q.mu.Lock()
	if q.closed != nil {
		q.mu.Unlock()
		return
	}
	now = q.catchUp(now)
	q.armedAt = never // not before: meanwhile it tells others that there is something due
	next := int64(never)
	if at, ok := q.wheel.Next(); ok {
		next = at
	}
	if sentAt, ok := q.oldest(); ok {
		next = min(next, sentAt+q.retention())
	}
	rests := q.attempts.forget(floor(now))
	if q.dedup != nil {
		over, _ := q.dedup.Forget(floor(now))
		rests = min(rests, over)
	}
	if rests != never {
		next = min(next, rests+int64(idleTime/time.Millisecond))
	}
	if next != never {
		q.wake(next)
	}
	q.unlock(now)
}

// redelay applies a changed delay of a FIFO queue to the messages that wait: it
// counts from their sending.
func (q *Queue) redelay(now int64) {
	delay := millis(q.config.Load().Delay)
	for _, p := range q.ascending() {
		p.all(func(i int, s *slot) {
			if s.receives > 0 || s.flags&isAdopted != 0 {
				return // its delay is over, or it never had one
			}
			due := s.sentAt.ms() + delay
			over := due <= floor(now)
			switch {
			case s.state == queue.Delayed && over:
				p.timed.Unset(i)
				q.due(p, i, s)
			case s.state == queue.Pending && over:
				p.timed.Unset(i)
			case s.state == queue.Delayed || s.state == queue.Pending:
				q.schedule(p, i, s, due, floor(now))
			case s.state == queue.Visible && !over:
				s.state = queue.Delayed
				q.schedule(p, i, s, due, floor(now))
				q.stats.Visible--
				q.stats.Delayed++
				if !p.stored.cold {
					q.order.Hide(p, i)
				}
				q.trace(queue.StepDelayed, p.Seq(i), due)
			}
		})
	}
}
