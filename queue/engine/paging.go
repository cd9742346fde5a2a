package engine

import (
	"cmp"
	"math"
	"slices"

	"github.com/google/btree"

	"github.com/restantemq/restante/queue"
)

// A queue over a store keeps only a window of its pages in memory. A page is
//
//	warm    its slots are here, and the Order knows its messages;
//	cold    the Order doesn't know them: FIFO queues alone, see below;
//	away    cold, and its slots are in the store alone. What is left is the Page
//	        itself, with counts, the ends of delays, and its oldest message's age.
//
// Of a page that is not away, contents may be out: the slots of messages in
// flight stay, because receipts and deadlines are nowhere else, but what they
// carry is read again when they come back.
//
// Only what is durable goes away, and only visible or delayed messages: so what
// is in the store is all there is to know of them, and while a page is away
// nothing happens to it. Whoever needs it brings it back first (fetch.go).
//
// In a FIFO queue pages are warm in sequence order: while one is cold all younger
// ones are, or a message would look like the head of its group. A Standard queue
// brings back the oldest page that has something visible before it hands out
// anything younger, except to quiet tenants, who are not to wait for noisy ones.

// paging is what a queue knows of its pages' places. The lock guards it.
type paging struct {
	window   int64                // bytes to keep in memory, about
	fill     int                  // messages after which a page takes no more; pageSize but in tests
	held     int64                // the sum of all pages' held
	retry    int64                // held at which trim is worth another try, while nothing has become free to go; zero: above the window
	resident map[*Page]struct{}   // pages that hold something
	behind   *btree.BTreeG[*Page] // FIFO: cold pages; Standard: those away with something visible
	warm     *btree.BTreeG[*Page] // FIFO: warm pages
	latest   *Page                // brought back last: whoever asked for it comes before it goes again
	passed   int                  // messages tenants took ahead of a page in behind, since one was brought
	stale    *Page                // away, and it may hold messages whose retention is over
	loading  chan struct{}        // closed when the load under way ends; nil: none is
	fetching bool                 // somebody brings a page for those who wait
}

// paged is what is particular to a page of a queue over a store.
type paged struct {
	cold    bool
	away    bool  // implies cold
	late    bool  // it became warm after younger pages had
	damaged bool  // FIFO: the last time it was read, a message in it could not be
	untold  Bits  // messages of which the store doesn't know all receives
	unseen  bool  // nobody has looked at its messages since the queue was opened
	pins    int   // calls that want the page to stay until they have all they need
	out     int   // messages with isOut
	held    int64 // bytes in memory, at least; they may be less by what is gone
	bytes   int64 // no less than all contents

	// While the page is away:
	dues  []due // of the delayed ones, the earliest first
	lives *Bits // which there are; nil: not known
}

// A due is the end of a delay.
type due struct {
	at stamp
	i  uint8
}

const (
	defaultWindow = 8 << 20
	pageOverhead  = 16 << 10 // slots, links and headers of strings
)

func newPaging() paging {
	return paging{
		window: defaultWindow, fill: pageSize,
		resident: make(map[*Page]struct{}),
		behind:   btree.NewG(32, byFirst), warm: btree.NewG(32, byFirst),
	}
}

// clear forgets all pages, not what may be under way.
func (g *paging) clear() {
	if g.behind == nil {
		return // in memory
	}
	g.behind.Clear(false)
	g.warm.Clear(false)
	clear(g.resident)
	g.held, g.retry, g.latest, g.stale = 0, 0, nil, nil
}

// Squeeze makes a queue over a store keep about that many bytes in memory, and
// begin a new page after fill messages, so that a test needs few of them to see
// pages come and go. It is for tests, before first use.
func (q *Queue) Squeeze(window int64, fill int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.window, q.fill = window, min(max(fill, 1), pageSize)
}

// Late reports whether the page came back from the store when younger ones were
// in the Order already. Its messages are older than what the Order has seen.
func (p *Page) Late() bool { return p.stored.late }

// visible returns how many messages of a page that is away are receivable.
func (p *Page) visible() int { return p.live - len(p.stored.dues) }

// turnPage leaves the rest of the last page unused if it is full already, or if
// its messages are away. Sequence numbers may have gaps.
func (q *Queue) turnPage() {
	if q.store == nil {
		return
	}
	first, i := firstOf(q.next)
	if p := q.pages.byFirst[first]; p != nil && (p != q.tail || i >= q.fill) {
		q.next = first + pageSize
	}
}

// turnOver is told of a new page, the tail.
func (q *Queue) turnOver(p *Page) {
	if q.kind == queue.FIFO {
		if q.behind.Len() > 0 {
			p.stored.cold = true
			q.behind.ReplaceOrInsert(p)
		} else {
			q.warm.ReplaceOrInsert(p)
		}
	}
	q.trim()
}

// unlist takes a page that is freed out of every index of paging.
func (q *Queue) unlist(p *Page) {
	q.behind.Delete(p)
	q.warm.Delete(p)
	q.hold(p, 0)
	if q.latest == p {
		q.latest = nil
	}
	if q.stale == p {
		q.stale = nil
	}
}

// weigh notes that a page holds n bytes of contents more.
func (q *Queue) weigh(p *Page, n int) {
	held := p.stored.held + int64(n)
	if p.stored.held == 0 {
		held += pageOverhead
	}
	q.hold(p, held)
}

// hold notes how many bytes a page holds now.
func (q *Queue) hold(p *Page, n int64) {
	switch before := p.stored.held; {
	case before == 0 && n > 0:
		q.resident[p] = struct{}{}
	case before > 0 && n == 0:
		delete(q.resident, p)
	}
	q.held += n - p.stored.held
	p.stored.held = n
	if q.held <= q.window {
		q.retry = 0
	}
}

// trim puts pages away, or their contents, until the queue is well within its
// window: first those that have nothing to hand out, then the youngest.
func (q *Queue) trim() {
	if q.store == nil || q.held <= max(q.window, q.retry) {
		return
	}
	enough := q.window / 4 * 3
	q.retreat(nil, enough)
	var idle, serving []*Page
	for p := range q.resident {
		if p.has(queue.Visible) {
			serving = append(serving, p)
		} else {
			idle = append(idle, p)
		}
	}
	youngest := func(a, b *Page) int { return cmp.Compare(b.First, a.First) }
	slices.SortFunc(idle, youngest)
	slices.SortFunc(serving, youngest)
	for _, p := range append(idle, serving...) {
		if q.held <= enough {
			break
		}
		if !q.wantedHere(p) {
			q.shed(p)
		}
	}
	q.retry = 0
	if q.held > q.window { // the rest can't go now: don't look again for each message
		q.retry = q.held + q.window/8
	}
}

// wantedHere reports whether somebody brought a page and has not used it yet.
func (q *Queue) wantedHere(p *Page) bool { return p == q.latest || p.stored.pins > 0 }

// has reports whether a page that is here has a message in that state.
func (p *Page) has(state queue.State) bool {
	return slices.ContainsFunc(p.slots, func(s slot) bool { return s.state == state })
}

// shed puts a page away if it can go, or else its contents.
func (q *Queue) shed(p *Page) {
	mayGo := p != q.tail && p.inFlight.Empty() && !p.has(queue.Pending) && (q.kind == queue.Standard || p.stored.cold)
	if mayGo && q.tell(p) {
		q.putAway(p)
	} else {
		q.putOut(p)
	}
}

// tell writes down those receives of a page that the store doesn't know: there
// was no room when they took place, or who made them hasn't come to it. It
// reports whether the store knows all now.
func (q *Queue) tell(p *Page) bool {
	q.touches = q.touches[:0]
	for i := p.stored.untold.Next(0); i >= 0; i = p.stored.untold.Next(i + 1) {
		if s := p.slot(i); s != nil && s.receives > 0 {
			q.touches = append(q.touches, queue.Touch{Seq: p.Seq(i), Receives: s.receives, FirstReceivedAt: s.firstAt.ms()})
		}
	}
	if len(q.touches) > 0 {
		q.change[0] = queue.Change{Queue: q.number, Touch: q.touches}
		if _, err := q.append(q.clock.now(), nil); err != nil {
			return false
		}
	}
	p.stored.untold = Bits{}
	return true
}

// retreat makes a FIFO queue's youngest warm pages cold, for which none of their
// messages may be in flight: until what the queue holds is enough, or, after
// rested has come to rest, until the warm pages fit the window.
func (q *Queue) retreat(rested *Page, enough int64) {
	if q.kind != queue.FIFO {
		return
	}
	for {
		p, ok := q.warm.Max()
		if !ok || !p.inFlight.Empty() || q.wantedHere(p) {
			return
		}
		if rested == nil && q.held <= enough {
			return
		}
		if rested != nil && !q.manyWarm() {
			return
		}
		q.chill(p)
		q.shed(p)
	}
}

// manyWarm reports whether the warm pages of a FIFO queue, though they may hold
// no contents, are too many for the window.
func (q *Queue) manyWarm() bool { return int64(q.warm.Len())*pageOverhead > q.window }

// rest is told that messages of a page are not in flight any more, or that it is
// not the tail any more. If nothing of it is in memory but slots, they have no
// more business here.
func (q *Queue) rest(p *Page) {
	if q.store == nil || p.stored.away || p.live == 0 || !p.inFlight.Empty() {
		return
	}
	if q.kind == queue.FIFO && !p.stored.cold {
		if last, ok := q.warm.Max(); ok && last == p {
			q.retreat(p, 0)
		}
		return
	}
	if p.stored.out == p.live && p != q.tail && !q.wantedHere(p) && q.tell(p) {
		q.putAway(p)
	}
}

// chill makes the Order forget the messages of a warm page. None is in flight.
func (q *Queue) chill(p *Page) {
	for i := len(p.slots) - 1; i >= 0; i-- {
		s, at := &p.slots[i], i
		if p.offsets != nil {
			at = int(p.offsets[i])
		}
		if grouped := s.flags&isGrouped != 0; s.state == queue.Visible || s.state != gone && grouped {
			q.order.Gone(p, at, s.state, grouped)
		}
	}
	q.order.Drop(p)
	p.links = nil
	p.stored.cold = true
	if q.kind == queue.FIFO {
		q.warm.Delete(p)
		q.behind.ReplaceOrInsert(p)
	}
}

// thaw makes a cold page warm. Groups returns a message's group.
func (q *Queue) thaw(p *Page, group func(i int, s *slot) string) {
	p.stored.cold = false
	if q.kind == queue.FIFO {
		q.behind.Delete(p)
		q.warm.ReplaceOrInsert(p)
	} else {
		p.stored.late = true
	}
	p.all(func(i int, s *slot) {
		if s.flags&isGrouped != 0 {
			q.order.Add(p, i, group(i, s))
		}
		if s.state == queue.Visible {
			q.order.Show(p, i, queue.Pending)
		}
	})
}

// putAway leaves the slots of a page to the store. All its messages are visible
// or delayed, and durable.
func (q *Queue) putAway(p *Page) {
	if !p.stored.cold {
		q.chill(p)
	}
	g := &p.stored
	g.away, g.lives, g.dues = true, new(Bits), nil
	p.all(func(i int, s *slot) {
		g.lives.Set(i)
		if s.state == queue.Delayed {
			g.dues = append(g.dues, due{s.due, uint8(i)})
		}
	})
	g.sortDues()
	g.out = 0
	q.hold(p, 0)
	if p.inFlightListed {
		q.inFlight.Delete(p)
		p.inFlightListed = false
	}
	if len(g.dues) == 0 && p.alarm != 0 {
		q.wheel.Cancel(p.alarm)
		p.alarm, p.next = 0, never
	}
	if q.straggler == p {
		q.straggler = nil
	}
	p.timed, p.Ready = Bits{}, Bits{}
	p.slots, p.links, p.offsets = nil, nil, nil
	p.bodies, p.texts, p.builder, p.large = nil, nil, nil, nil
	q.offerAgain(p)
}

func (g *paged) sortDues() {
	slices.SortFunc(g.dues, func(a, b due) int { return cmp.Compare(a.at.ms(), b.at.ms()) })
	g.dues = slices.Clip(g.dues)
}

// offerAgain lists a page that is away where a receive looks for it.
func (q *Queue) offerAgain(p *Page) {
	if q.kind == queue.FIFO || p.visible() > 0 {
		q.behind.ReplaceOrInsert(p)
	} else {
		q.behind.Delete(p)
	}
}

// putOut leaves the contents of a page to the store, but those that are not
// durable yet, or are being read.
func (q *Queue) putOut(p *Page) {
	left := int64(0)
	p.all(func(i int, s *slot) {
		switch {
		case s.flags&isOut != 0:
			return
		case s.state == queue.Pending || s.flags&isMoving != 0 || q.traced && s.flags&hasExtra != 0: // an event tells IDs
			body, e := p.content(i, s)
			left += int64(len(body) + len(e[attributesField]))
			return
		case s.flags&isLarge != 0:
			p.large[s.at] = content{}
		case p.young():
			p.bodies[i] = ""
		}
		s.flags = s.flags&^(isLarge|hasExtra) | isOut
		p.stored.out++
	})
	if left > 0 {
		left += pageOverhead
	} else {
		p.texts, p.builder, p.large = nil, nil, nil
		if p != q.tail {
			p.bodies = nil
		}
	}
	q.hold(p, left)
}

// dueAway deals with the delays of a page that is away. Now is in ms.
func (q *Queue) dueAway(p *Page, now int64) {
	g := &p.stored
	n := 0
	for n < len(g.dues) && g.dues[n].at.ms() <= now {
		q.stats.Delayed--
		q.stats.Visible++
		if q.traced {
			q.noteAway(p, int(g.dues[n].i), queue.StepVisible)
		}
		n++
	}
	g.dues = g.dues[n:]
	if len(g.dues) > 0 {
		q.setAlarm(p, g.dues[0].at.ms(), now)
	} else {
		g.dues = nil
	}
	q.offerAgain(p)
}

// noteAway is note for a message that is away: its ID is known if it derives
// from its number, as that of a message with a delay does.
func (q *Queue) noteAway(p *Page, i int, step queue.Step) {
	q.events = append(q.events, queue.Event{
		Step: step, At: instant(floor(q.clock.now())), Queue: q.config.Load().Name,
		ID: q.identity.id(p.Seq(i)), Position: p.Seq(i),
	})
}

// wanted returns the page a receive must have before it can go on: that of a
// message whose content is out, or else the first one that the Order should know
// of; nil if there is none.
func (q *Queue) wanted(o *Offer) *Page {
	if q.store == nil {
		return nil
	}
	p := o.absent
	if p == nil {
		if o.limited || len(o.out) == o.max || len(o.moving) == maxMoves {
			return nil
		}
		p, _ = q.behind.Min()
	}
	if p != nil && p.stored.damaged && len(o.out)+len(o.moving) > 0 {
		return nil
	}
	return p
}

// coldest returns the number from which on a Standard queue hands out nothing
// before it has brought a page back.
func (q *Queue) coldest() uint64 {
	if q.store != nil && q.kind == queue.Standard {
		if p, ok := q.behind.Min(); ok {
			return p.First
		}
	}
	return math.MaxUint64
}
