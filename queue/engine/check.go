package engine

import (
	"fmt"

	"github.com/restantemq/restante/queue"
)

// Check compares everything the engine and its Order know twice: slots,
// bitmaps, trees, wheel, lists and counters. It returns the first disagreement.
// It is for tests, after every one, and takes time proportional to the queue.
func (q *Queue) Check() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed != nil {
		return nil
	}
	pages := q.ascending()
	var found queue.Stats
	alarms := 0
	held, cold := int64(0), false
	var known []*Page
	for _, p := range pages {
		check := q.checkPage
		if p.stored.away {
			check = q.checkAway
		}
		if err := check(p, &found); err != nil {
			return fmt.Errorf("page %d: %w", p.First, err)
		}
		if !p.stored.cold {
			if q.kind == queue.FIFO && cold {
				return fmt.Errorf("page %d is warm, and an older one cold", p.First)
			}
			known = append(known, p)
		}
		held += p.stored.held
		cold = cold || p.stored.cold
		if p.alarm != 0 {
			alarms++
		}
	}
	if err := q.checkCounters(&found); err != nil {
		return err
	}
	if alarms != q.wheel.Len() {
		return fmt.Errorf("%d pages have an alarm, the wheel has %d", alarms, q.wheel.Len())
	}
	if err := q.wheel.Check(); err != nil {
		return err
	}
	if at, ok := q.wheel.Next(); ok && at < q.armedAt && q.armedAt == never {
		return fmt.Errorf("a deadline at %d and no timer", at)
	}
	aged := 0
	if q.ages != nil {
		aged = q.ages.Len()
	}
	for _, p := range pages {
		if p.minSent != never {
			aged--
		}
	}
	if aged != 0 {
		return fmt.Errorf("%d pages too many in the age tree", aged)
	}
	if found.Visible > 0 && q.waiters.head != nil && q.stats.InFlight < queue.MaxInFlight && q.kind == queue.Standard {
		return fmt.Errorf("%d messages are visible while %d receivers wait", found.Visible, q.waiters.n)
	}
	if held != q.held {
		return fmt.Errorf("pages hold %d bytes, counted as %d", held, q.held)
	}
	return q.order.Check(known)
}

// checkAway is checkPage for a page that is in the store alone.
func (q *Queue) checkAway(p *Page, found *queue.Stats) error {
	found.Visible += p.visible()
	found.Delayed += len(p.stored.dues)
	listed := q.behind.Has(p)
	switch {
	case p.live == 0:
		return fmt.Errorf("away and empty")
	case p.slots != nil || !p.stored.cold || p.stored.out != 0 || p.inFlightListed || !p.Ready.Empty() || p.Listed || p.stored.held != 0:
		return fmt.Errorf("away, and not all of it")
	case listed != (q.kind == queue.FIFO || p.visible() > 0):
		return fmt.Errorf("%d of its messages are visible, a receive finds it: %t", p.visible(), listed)
	case len(p.stored.dues) > 0 && (p.alarm == 0 || p.stored.dues[0].at.ms() < p.next):
		return fmt.Errorf("away, and without alarm")
	case p.stored.lives != nil && p.stored.lives.count() != p.live:
		return fmt.Errorf("has %d messages, counted as %d", p.stored.lives.count(), p.live)
	}
	return nil
}

func (q *Queue) checkPage(p *Page, found *queue.Stats) (err error) {
	live, out := 0, 0
	p.all(func(i int, s *slot) {
		live++
		if s.flags&isOut != 0 {
			out++
		}
		switch s.state {
		case queue.Pending:
			found.Pending++
		case queue.Delayed:
			found.Delayed++
		case queue.Visible:
			found.Visible++
		case queue.InFlight:
			found.InFlight++
		}
		timed := p.timed.Has(i)
		if timed && (p.alarm == 0 || s.due.ms() < p.next) {
			err = fmt.Errorf("message %d is due at %d, its page's alarm goes at %d", p.Seq(i), s.due.ms(), p.next)
		}
		mustHave := s.state == queue.Delayed || s.state == queue.InFlight && s.flags&(isMoving|isHeld) == 0
		if mustHave && !timed || s.state == queue.Visible && timed {
			err = fmt.Errorf("message %d is %v, with a deadline: %t", p.Seq(i), s.state, timed)
		}
		if p.inFlight.Has(i) != (s.state == queue.InFlight) {
			err = fmt.Errorf("message %d is %v, the bitmap says otherwise", p.Seq(i), s.state)
		}
		if s.sentAt.ms() < p.minSent && s.flags&isMoving == 0 {
			err = fmt.Errorf("message %d is older than its page", p.Seq(i))
		}
	})
	switch {
	case err != nil:
	case out != p.stored.out:
		err = fmt.Errorf("the contents of %d messages are out, counted as %d", out, p.stored.out)
	case q.store != nil && q.kind == queue.FIFO && q.behind.Has(p) != p.stored.cold:
		err = fmt.Errorf("cold: %t, and a receive finds it: %t", p.stored.cold, !p.stored.cold)
	case live != p.live:
		err = fmt.Errorf("%d messages, counted as %d", live, p.live)
	case live == 0 && p != q.tail:
		err = fmt.Errorf("empty, and not freed")
	case !p.inFlight.Empty() && !p.inFlightListed:
		err = fmt.Errorf("has messages in flight and is not in the tree of such pages")
	}
	if p.inFlightListed {
		if _, ok := q.inFlight.Get(p); !ok {
			err = fmt.Errorf("is not in the tree of pages with messages in flight")
		}
	}
	return err
}

func (q *Queue) checkCounters(found *queue.Stats) error {
	s := &q.stats
	if found.Pending != s.Pending || found.Delayed != s.Delayed || found.Visible != s.Visible || found.InFlight != s.InFlight {
		return fmt.Errorf("counters say %+v, pages %+v", *s, *found)
	}
	in := s.Accepted + s.Adopted + s.Recovered
	out := s.Deleted + s.Expired + s.Moved + s.Purged
	if now := uint64(s.Pending + s.Delayed + s.Visible + s.InFlight + s.Unreadable); in != now+out {
		return fmt.Errorf("counters don't balance: %d came, %d left, %d are here", in, out, now)
	}
	return nil
}
