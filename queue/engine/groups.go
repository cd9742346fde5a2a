package engine

import (
	"fmt"
	"strings"
)

// Groups keeps the messages of each message group in a list, in sequence order.
// FIFO queues order by it, Standard queues share out fairly by it; what an Order
// knows of a group beside its messages is the group's Data.
//
// Nothing in it is a pointer to a message: a list links sequence numbers, in 12
// bytes a message, and groups lie in chunks that never move. A group is there
// while it has a message.
type Groups[T any] struct {
	pages  *Pages
	byID   map[string]uint32
	chunks []*[groupChunk]Group[T] // by number; number 0 is no group
	free   []uint32                // numbers to be used again
	used   uint32                  // numbers handed out so far, 0 included
	far    map[farLink]uint64      // links too long for 32 bits
}

const groupChunk = 64

// A Group is the messages of one group ID.
type Group[T any] struct {
	ID          string
	Number      uint32 // of the group, while it is there
	First, Last uint64 // sequence numbers of its oldest and youngest message
	Data        T
}

// A link is a message's place in its group: how far away its neighbours are, in
// sequence numbers. Zero is none, and farAway means that far has it.
type link struct{ group, before, after uint32 }

const farAway = 1<<32 - 1

type farLink struct {
	seq   uint64
	after bool
}

// NewGroups makes an empty Groups over a queue's pages.
func NewGroups[T any](pages *Pages) *Groups[T] {
	return &Groups[T]{pages: pages, byID: make(map[string]uint32), used: 1}
}

// At returns the group of that number.
func (g *Groups[T]) At(number uint32) *Group[T] {
	return &g.chunks[number/groupChunk][number%groupChunk]
}

// Find returns the group of that ID, nil if it has no messages.
func (g *Groups[T]) Find(id string) *Group[T] {
	if number, ok := g.byID[id]; ok {
		return g.At(number)
	}
	return nil
}

// Add appends the message at index i of p, the youngest of the queue, to the
// group of that ID.
func (g *Groups[T]) Add(p *Page, i int, id string) *Group[T] {
	g.makeLinks(p)
	seq := p.Seq(i)
	group := g.findOrMake(id)
	if group.First == 0 {
		group.First = seq
	} else {
		g.link(group.Last, true, seq)
		g.link(seq, false, group.Last)
	}
	group.Last = seq
	p.links[p.place(i)].group = group.Number
	return group
}

// Join notes the group of a message that does not come last, and keeps it out of
// the group's list. Until it leaves, the caller sees to it that the group stays.
func (g *Groups[T]) Join(p *Page, i int, id string) *Group[T] {
	g.makeLinks(p)
	group := g.findOrMake(id)
	p.links[p.place(i)].group = group.Number
	return group
}

// Leave undoes Join.
func (g *Groups[T]) Leave(p *Page, i int) { p.links[p.place(i)] = link{} }

// makeLinks gives all messages of p a link.
func (g *Groups[T]) makeLinks(p *Page) {
	if p.links == nil {
		p.links = make([]link, 0, cap(p.slots))
	}
	for len(p.links) < len(p.slots) {
		p.links = append(p.links, link{})
	}
}

func (g *Groups[T]) findOrMake(id string) *Group[T] {
	if group := g.Find(id); group != nil {
		return group
	}
	return g.make(strings.Clone(id)) // not to pin the page's text
}

// make takes a number for a new group.
func (g *Groups[T]) make(id string) *Group[T] {
	var number uint32
	if n := len(g.free); n > 0 {
		number, g.free = g.free[n-1], g.free[:n-1]
	} else {
		if number = g.used; int(number/groupChunk) >= len(g.chunks) {
			g.chunks = append(g.chunks, new([groupChunk]Group[T]))
		}
		g.used++
	}
	g.byID[id] = number
	group := g.At(number)
	group.ID, group.Number = id, number
	return group
}

// Of returns the group of the message at index i of p, nil if it is in none.
func (g *Groups[T]) Of(p *Page, i int) *Group[T] {
	at := p.place(i)
	if at < 0 || at >= len(p.links) || p.links[at].group == 0 {
		return nil
	}
	return g.At(p.links[at].group)
}

// Remove takes the message at index i of p out of its group, which stays there
// though it may be empty: then its First is zero, and Free is to follow. The
// message's slot may be gone already.
func (g *Groups[T]) Remove(p *Page, i int) *Group[T] {
	group := g.Of(p, i)
	seq := p.Seq(i)
	before, after := g.Before(p, i), g.After(p, i)
	if before == 0 {
		group.First = after
	} else {
		g.link(before, true, after)
	}
	if after == 0 {
		group.Last = before
	} else {
		g.link(after, false, before)
	}
	p.links[p.place(i)] = link{}
	if len(g.far) > 0 {
		delete(g.far, farLink{seq, true})
		delete(g.far, farLink{seq, false})
	}
	return group
}

// Free forgets an empty group.
func (g *Groups[T]) Free(group *Group[T]) {
	delete(g.byID, group.ID)
	number := group.Number
	*group = Group[T]{}
	if len(g.byID) == 0 && g.used > 16*groupChunk { // give back what a rush of groups took
		*g = *NewGroups[T](g.pages)
		return
	}
	g.free = append(g.free, number)
}

// After returns the number of the next younger message of the same group, zero
// if there is none; Before that of the next older one.
func (g *Groups[T]) After(p *Page, i int) uint64 {
	seq := p.Seq(i)
	switch d := p.links[p.place(i)].after; d {
	case 0:
		return 0
	case farAway:
		return g.far[farLink{seq, true}]
	default:
		return seq + uint64(d)
	}
}

// Before is described at After.
func (g *Groups[T]) Before(p *Page, i int) uint64 {
	seq := p.Seq(i)
	switch d := p.links[p.place(i)].before; d {
	case 0:
		return 0
	case farAway:
		return g.far[farLink{seq, false}]
	default:
		return seq - uint64(d)
	}
}

// link makes to the neighbour of seq on one side; zero is none.
func (g *Groups[T]) link(seq uint64, after bool, to uint64) {
	p, i := g.pages.At(seq)
	l := &p.links[p.place(i)]
	d := to - seq
	if !after {
		d = seq - to
	}
	switch {
	case to == 0:
		d = 0
	case d >= farAway:
		if g.far == nil {
			g.far = make(map[farLink]uint64)
		}
		g.far[farLink{seq, after}] = to
		d = farAway
	}
	if after {
		l.after = uint32(d)
	} else {
		l.before = uint32(d)
	}
}

// All calls f for every group.
func (g *Groups[T]) All(f func(*Group[T])) {
	for _, number := range g.byID {
		f(g.At(number))
	}
}

// Check returns an error if the lists and the pages disagree, and the number of
// messages in all groups. It is for tests.
func (g *Groups[T]) Check() (messages int, err error) {
	g.All(func(group *Group[T]) {
		last := uint64(0)
		for seq := group.First; seq != 0; {
			p, i := g.pages.At(seq)
			switch {
			case p == nil || p.slot(i) == nil || p.slot(i).state == gone:
				err = fmt.Errorf("group %q: message %d is gone", group.ID, seq)
				return
			case g.Of(p, i) != group || g.Before(p, i) != last || seq <= last:
				err = fmt.Errorf("group %q: message %d is linked wrongly", group.ID, seq)
				return
			}
			messages++
			last, seq = seq, g.After(p, i)
		}
		if last != group.Last {
			err = fmt.Errorf("group %q: its last message is %d, not %d", group.ID, last, group.Last)
		}
	})
	return messages, err
}
