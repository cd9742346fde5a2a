package fifo

import (
	"fmt"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/engine"
)

// order hands out messages group by group. Of a group, what lies before the
// first message that is in flight, delayed or pending is deliverable, in
// sequence order; so a group is ready exactly while its first message is
// visible. Ready groups stand in a line: one that becomes ready goes to its end.
type order struct {
	groups map[string]*group
	line   group // sentinel of the ring of ready groups: line.after is next to be served
}

// A group is the messages of one group ID, oldest first, linked by sequence
// numbers.
type group struct {
	id          string
	first, last member // first.page is nil only in the sentinel: an empty group is forgotten

	ready         bool
	before, after *group // in the ring, while ready
}

// A member is the place of one message.
type member struct {
	page *engine.Page
	i    int
}

// links are what the order keeps for the messages of a page.
type links [queue.PageSize]struct {
	group         *group
	before, after member
}

func newOrder() *order {
	o := new(order)
	o.Clear()
	return o
}

func (m member) links() *struct {
	group         *group
	before, after member
} {
	return &m.page.Links.(*links)[m.i]
}

// Add implements engine.Order.
func (o *order) Add(p *engine.Page, i int) {
	if p.Links == nil {
		p.Links = new(links)
	}
	m := member{p, i}
	l := m.links()
	id := p.Group(i)
	g := o.groups[id]
	if g == nil {
		g = &group{id: id, first: m}
		o.groups[id] = g
	} else {
		g.last.links().after = m
		l.before = g.last
	}
	g.last = m
	l.group = g
}

// Show implements engine.Order.
func (o *order) Show(p *engine.Page, i int, _ queue.State) {
	o.update(member{p, i}.links().group)
}

// Hide implements engine.Order.
func (o *order) Hide(p *engine.Page, i int) {
	o.update(member{p, i}.links().group)
}

// Gone implements engine.Order.
func (o *order) Gone(p *engine.Page, i int, _ queue.State) {
	m := member{p, i}
	g := m.links().group
	o.unlink(m)
	o.update(g)
}

// unlink takes a message out of its group.
func (o *order) unlink(m member) {
	l := m.links()
	g := l.group
	if l.before.page != nil {
		l.before.links().after = l.after
	} else {
		g.first = l.after
	}
	if l.after.page != nil {
		l.after.links().before = l.before
	} else {
		g.last = l.before
	}
	*l = struct {
		group         *group
		before, after member
	}{}
}

// update puts a group in line or takes it out, by its first message, and forgets
// it if it has none.
func (o *order) update(g *group) {
	first := g.first
	switch ready := first.page != nil && first.page.State(first.i) == queue.Visible; {
	case ready && !g.ready:
		end := o.line.before
		g.before, g.after = end, &o.line
		end.after, o.line.before = g, g
	case !ready && g.ready:
		g.before.after, g.after.before = g.after, g.before
		g.before, g.after = nil, nil
		g.ready = false
		if first.page == nil {
			delete(o.groups, g.id)
		}
		return
	case first.page == nil:
		delete(o.groups, g.id)
		return
	default:
		return
	}
	g.ready = true
}

// Take implements engine.Order: it takes as many as it can of one group before
// it goes on to the next.
func (o *order) Take(offer *engine.Offer) {
	for g := o.line.after; g != &o.line && !offer.Done(); g = o.line.after {
		full := false
		for m := g.first; m.page != nil && m.page.State(m.i) == queue.Visible && !offer.Done(); {
			next := m.links().after
			answer := offer.Offer(m.page, m.i)
			if answer == engine.Full {
				full = true
				break
			}
			if answer == engine.Leaving {
				break // if it comes back, it must come before the rest
			}
			if answer == engine.Removed {
				o.unlink(m)
			}
			m = next
		}
		o.update(g)
		if full {
			return
		}
	}
}

// Drop implements engine.Order.
func (o *order) Drop(*engine.Page) {}

// Clear implements engine.Order.
func (o *order) Clear() {
	o.groups = make(map[string]*group)
	o.line.before, o.line.after = &o.line, &o.line
}

// Check implements engine.Order.
func (o *order) Check(pages []*engine.Page) error {
	live := 0
	for _, p := range pages {
		live += p.Live()
	}
	ready := 0
	for id, g := range o.groups {
		var last member
		for m := g.first; m.page != nil; m = m.links().after {
			live--
			if m.links().group != g || m.links().before != last {
				return fmt.Errorf("group %q: message %d is linked wrongly", id, m.page.Seq(m.i))
			}
			if last.page != nil && last.page.Seq(last.i) >= m.page.Seq(m.i) {
				return fmt.Errorf("group %q: message %d is out of order", id, m.page.Seq(m.i))
			}
			last = m
		}
		if last != g.last || last.page == nil {
			return fmt.Errorf("group %q: its last message is another one, or it is empty", id)
		}
		if want := g.first.page.State(g.first.i) == queue.Visible; want != g.ready {
			return fmt.Errorf("group %q: ready is %t, its first message is %v", id, g.ready, g.first.page.State(g.first.i))
		}
		if g.ready {
			ready++
		}
	}
	for g := o.line.after; g != &o.line; g = g.after {
		ready--
	}
	if live != 0 || ready != 0 {
		return fmt.Errorf("%d messages are in no group, %d ready groups are not in line", live, ready)
	}
	return nil
}
