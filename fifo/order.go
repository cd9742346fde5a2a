package fifo

import (
	"encoding/binary"
	"fmt"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/engine"
)

// order hands out messages group by group. Of a group, what lies before the
// first message that is in flight, delayed or pending is deliverable, in
// sequence order; so a group is ready exactly while its oldest message is
// visible. Ready groups stand in a line: one that becomes ready goes to its end,
// so a group that was just served, or came back, goes behind the others.
//
// The line is a ring through the groups and their numbers; 0, which is no
// group's number, is where it begins and ends.
type order struct {
	pages       *engine.Pages
	groups      *engine.Groups[place]
	first, last uint32 // of the line; zero: it is empty
	resume      uint32 // the group that goes to the front when it is ready: see Show and takeGroup
	dedup       dedup
	seed        [2]uint64
}

// A place is where a group stands in line.
type place struct {
	ready         bool
	before, after uint32 // numbers of groups; zero at the ends
}

type group = engine.Group[place]

var _ engine.Deduplicator = (*order)(nil)

// Attach implements engine.Order.
func (o *order) Attach(h engine.Host) {
	o.pages, o.seed = h.Pages, h.Seed
	o.groups = engine.NewGroups[place](h.Pages)
}

// Add implements engine.Order.
func (o *order) Add(p *engine.Page, i int, id string) { o.groups.Add(p, i, id) }

// Show implements engine.Order.
func (o *order) Show(p *engine.Page, i int, was queue.State) {
	g := o.groups.Of(p, i)
	if was == engine.Undone {
		o.resume = g.Number
	}
	o.update(g)
}

// Hide implements engine.Order.
func (o *order) Hide(p *engine.Page, i int) { o.update(o.groups.Of(p, i)) }

// Gone implements engine.Order.
func (o *order) Gone(p *engine.Page, i int, _ queue.State, _ bool) {
	g := o.groups.Remove(p, i)
	o.update(g)
	if g.First == 0 {
		o.groups.Free(g)
	}
}

// update puts a group in line, or takes it out, by its oldest message.
func (o *order) update(g *group) {
	switch ready := o.visible(o.head(g)); {
	case ready && !g.Data.ready:
		o.join(g)
	case !ready && g.Data.ready:
		o.leave(g)
	}
}

// head returns the message that all others of the group wait for, whatever its
// state.
func (o *order) head(g *group) uint64 { return g.First }

// visible reports whether there is a message of that number, and it is visible.
func (o *order) visible(seq uint64) bool {
	if seq == 0 {
		return false
	}
	p, i := o.pages.At(seq)
	return p.State(i) == queue.Visible
}

func (o *order) join(g *group) {
	if g.Number == o.resume {
		g.Data = place{ready: true, after: o.first}
		if o.first != 0 {
			o.groups.At(o.first).Data.before = g.Number
		} else {
			o.last = g.Number
		}
		o.first = g.Number
		return
	}
	g.Data = place{ready: true, before: o.last}
	if o.last != 0 {
		o.groups.At(o.last).Data.after = g.Number
	} else {
		o.first = g.Number
	}
	o.last = g.Number
}

func (o *order) leave(g *group) {
	d := g.Data
	if d.before != 0 {
		o.groups.At(d.before).Data.after = d.after
	} else {
		o.first = d.after
	}
	if d.after != 0 {
		o.groups.At(d.after).Data.before = d.before
	} else {
		o.last = d.before
	}
	g.Data = place{}
}

// Take implements engine.Order: it takes as many as it can of one group before
// it goes on to the next.
func (o *order) Take(offer *engine.Offer) {
	o.resume = 0 // what was to come back first is in line by now, or still blocked
	for o.first != 0 && !offer.Done() {
		switch o.takeGroup(o.groups.At(o.first), offer) {
		case engine.Full, engine.Leaving:
			return
		}
	}
}

// takeGroup offers the messages of a ready group, and returns the last answer.
func (o *order) takeGroup(g *group, offer *engine.Offer) engine.Answer {
	answer := engine.Taken
	for seq := o.head(g); o.visible(seq) && !offer.Done(); {
		p, i := o.pages.At(seq)
		after := o.groups.After(p, i)
		if answer == engine.Leaving && !offer.Leaves(p, i) {
			break // what leaves may come back, and must come before the rest then
		}
		if answer = offer.Offer(p, i); answer == engine.Removed {
			return answer // Gone was told, and there may be no such group any more
		} else if answer == engine.Full {
			break
		}
		seq = after
	}
	if answer == engine.Leaving {
		// The receive goes on when they have left, with this group first.
		o.resume = g.Number
	}
	o.update(g)
	return answer
}

// Drop does nothing: groups know numbers, not pages.
func (o *order) Drop(*engine.Page) {}

// Clear implements engine.Order. A purge forgets deduplication too.
func (o *order) Clear() {
	o.groups = engine.NewGroups[place](o.pages)
	o.first, o.last = 0, 0
	o.dedup.clear()
}

// Check implements engine.Order.
func (o *order) Check(pages []*engine.Page) error {
	messages, err := o.groups.Check()
	if err != nil {
		return err
	}
	for _, p := range pages {
		messages -= p.Live()
	}
	if messages != 0 {
		return fmt.Errorf("groups have %d messages too many", messages)
	}
	ready := 0
	o.groups.All(func(g *group) {
		if g.Data.ready != o.visible(g.First) {
			err = fmt.Errorf("group %q: ready is %t, and its oldest message says otherwise", g.ID, g.Data.ready)
		}
		if g.Data.ready {
			ready++
		}
	})
	before := uint32(0)
	for n := o.first; n != 0; n = o.groups.At(n).Data.after {
		if g := o.groups.At(n); !g.Data.ready || g.Data.before != before {
			return fmt.Errorf("group %q stands wrongly in line", g.ID)
		}
		before = n
		ready--
	}
	if ready != 0 || before != o.last {
		return fmt.Errorf("%d ready groups are not in line", ready)
	}
	return err
}

// Key implements engine.Deduplicator.
func (o *order) Key(group, id string) (key [16]byte) {
	k := keyOf(o.seed, group, id)
	binary.LittleEndian.PutUint64(key[:8], k[0])
	binary.LittleEndian.PutUint64(key[8:], k[1])
	return key
}

func wordsOf(key [16]byte) dedupKey {
	return dedupKey{binary.LittleEndian.Uint64(key[:8]), binary.LittleEndian.Uint64(key[8:])}
}

// Known implements engine.Deduplicator.
func (o *order) Known(key [16]byte, now int64) (seq uint64, ok bool) {
	return o.dedup.find(wordsOf(key), now)
}

// Remember implements engine.Deduplicator.
func (o *order) Remember(key [16]byte, seq uint64, until int64) {
	o.dedup.add(wordsOf(key), seq, until)
}

// Forget implements engine.Deduplicator.
func (o *order) Forget(now int64) (next int64, more bool) {
	const slice = 512 // what one hold of the queue's lock may free
	more = o.dedup.forget(now, slice)
	next, ok := o.dedup.next()
	if !ok {
		next = engine.Never
	}
	return next, more
}
