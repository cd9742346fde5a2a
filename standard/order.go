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
	pages *engine.Pages
	ready *btree.BTreeG[*engine.Page] // pages with a bit set in Ready, and a few without
	first *engine.Page                // the least of ready; nil if not known

	// Messages of a group are kept apart, by tenant; nil while there never was one.
	tenants *tenants
}

func newOrder() *order { return &order{ready: newTree()} }

func newTree() *btree.BTreeG[*engine.Page] {
	return btree.NewG(32, func(a, b *engine.Page) bool { return a.First < b.First })
}

// Attach implements engine.Order.
func (o *order) Attach(h engine.Host) { o.pages = h.Pages }

// Add implements engine.Order. A message without a group blocks nobody, and is
// heard of when it is visible.
func (o *order) Add(p *engine.Page, i int, group string) {
	if o.tenants == nil {
		o.tenants = newTenants(o.pages)
	}
	o.tenants.add(p, i, group)
}

// Show implements engine.Order.
func (o *order) Show(p *engine.Page, i int, was queue.State) {
	if o.tenants != nil && p.Grouped(i) {
		o.tenants.show(p, i, was)
		return
	}
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
func (o *order) Hide(p *engine.Page, i int) {
	if p.Grouped(i) {
		o.tenants.hide(p, i)
		return
	}
	p.Ready.Unset(i)
}

// Gone implements engine.Order.
func (o *order) Gone(p *engine.Page, i int, was queue.State, grouped bool) {
	if grouped {
		o.tenants.gone(p, i, was)
		return
	}
	p.Ready.Unset(i)
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
	if o.tenants != nil && o.tenants.heads.Len() > 0 {
		o.takeFairly(offer)
		return
	}
	for p := o.least(); p != nil && !offer.Done(); p = o.least() {
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

// least returns the first page of the tree, nil if it is empty.
func (o *order) least() *engine.Page {
	if o.first == nil {
		if p, ok := o.ready.Min(); ok {
			o.first = p
		}
	}
	return o.first
}

// next returns the oldest visible message without a group, nil if there is none.
func (o *order) next() (*engine.Page, int) {
	for p := o.least(); p != nil; p = o.least() {
		if i := p.Ready.Next(0); i >= 0 {
			return p, i
		}
		o.Drop(p)
	}
	return nil, 0
}

// takeFairly is Take where there are tenants: the oldest message goes out first,
// but not that of a noisy tenant while a quiet one has any. A message without a
// group is a tenant of its own.
func (o *order) takeFairly(offer *engine.Offer) {
	for !offer.Done() {
		p, i := o.next()
		t := o.tenants.quiet(offer.InFlight())
		if t == nil && p == nil {
			t = o.tenants.leastBusy()
		}
		if t == nil && p == nil {
			return
		}
		if t == nil || p != nil && p.Seq(i) < t.Data.head {
			if offer.Offer(p, i) == engine.Full {
				return
			}
			p.Ready.Unset(i)
		} else if o.tenants.take(t, offer) == engine.Full {
			return
		}
	}
}

// Clear implements engine.Order.
func (o *order) Clear() {
	o.ready = newTree()
	o.first = nil
	o.tenants = nil
}

// Check implements engine.Order.
func (o *order) Check(pages []*engine.Page) error {
	listed := 0
	for _, p := range pages {
		for i := range queue.PageSize {
			plain := p.State(i) == queue.Visible && !p.Grouped(i)
			if plain != p.Ready.Has(i) {
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
	if o.tenants != nil {
		return o.tenants.check(pages)
	}
	return nil
}
