package standard

import (
	"fmt"

	"github.com/google/btree"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/engine"
)

// order hands out the visible message with the lowest sequence number first, so
// that a message that comes back goes ahead of younger ones. It indexes pages,
// not messages: a bit for each visible message in its page, and a B-tree of the
// pages that have one. Traffic in order flips bits and touches the tree once a
// page.
//
// A page whose last visible message was taken stays in the tree until Take comes
// by it again or it is freed: the next message of a queue that is kept short
// mostly falls into the same page.
type order struct {
	ready *btree.BTreeG[*engine.Page] // pages with a bit set in Ready, and a few without
	first *engine.Page                // the least of ready; nil if not known
}

// Attach does nothing: this order needs only the pages it is told of.
func (o *order) Attach(engine.Host) {}

// Add does nothing: what is not yet visible blocks nobody.
func (o *order) Add(*engine.Page, int) {}

// Show implements engine.Order.
func (o *order) Show(p *engine.Page, i int, _ queue.State) {
	p.Ready.Set(i)
	if p.Listed {
		return
	}
	p.Listed = true
	o.ready.ReplaceOrInsert(p)
	if o.first != nil && p.First < o.first.First {
		o.first = p
	}
}

// Hide implements engine.Order.
func (o *order) Hide(p *engine.Page, i int) { p.Ready.Unset(i) }

// Gone implements engine.Order.
func (o *order) Gone(p *engine.Page, i int, was queue.State) {
	if was == queue.Visible {
		p.Ready.Unset(i)
	}
}

// Drop implements engine.Order.
func (o *order) Drop(p *engine.Page) {
	if !p.Listed {
		return
	}
	p.Listed = false
	o.ready.Delete(p)
	if o.first == p {
		o.first = nil
	}
}

// Take implements engine.Order.
func (o *order) Take(offer *engine.Offer) {
	for !offer.Done() {
		p := o.first
		if p == nil {
			var ok bool
			if p, ok = o.ready.Min(); !ok {
				return
			}
			o.first = p
		}
		for i := p.Ready.Next(0); i >= 0; i = p.Ready.Next(i + 1) {
			if offer.Offer(p, i) == engine.Full {
				return
			}
			p.Ready.Unset(i)
			if offer.Done() {
				return
			}
		}
		o.Drop(p)
	}
}

// Clear implements engine.Order.
func (o *order) Clear() {
	o.ready = newTree()
	o.first = nil
}

func newTree() *btree.BTreeG[*engine.Page] {
	return btree.NewG(32, func(a, b *engine.Page) bool { return a.First < b.First })
}

// Check implements engine.Order.
func (o *order) Check(pages []*engine.Page) error {
	listed := 0
	for _, p := range pages {
		for i := range queue.PageSize {
			if visible := p.State(i) == queue.Visible; visible != p.Ready.Has(i) {
				return fmt.Errorf("message %d is %v, the bitmap of visible ones says %t", p.Seq(i), p.State(i), p.Ready.Has(i))
			}
		}
		if !p.Ready.Empty() && !p.Listed {
			return fmt.Errorf("page %d has visible messages and is not in the tree", p.First)
		}
		if p.Listed {
			listed++
			if got, ok := o.ready.Get(p); !ok || got != p {
				return fmt.Errorf("page %d is not in the tree it is listed in", p.First)
			}
		}
	}
	if listed != o.ready.Len() {
		return fmt.Errorf("the tree has %d pages, %d are listed", o.ready.Len(), listed)
	}
	if least, _ := o.ready.Min(); o.first != nil && o.first != least {
		return fmt.Errorf("page %d is not the first", o.first.First)
	}
	return nil
}
