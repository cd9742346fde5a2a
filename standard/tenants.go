package standard

import (
	"fmt"

	"github.com/google/btree"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/engine"
)

// When a tenant is noisy: it holds more than a tenth of the messages in flight,
// and at least noisyLeast. SQS developer guide, "Amazon SQS fair queues", states
// these figures as approximate. Its second rule, by recent processing time, has
// no documented window and is not kept.
const (
	noisyShare = 10
	noisyLeast = 30
)

// tenants keeps the messages of a Standard queue that have a group, each group a
// tenant, so that one who holds a large share of what is in flight does not delay
// the others.
//
// A tenant's messages stand in a list, oldest first. Most are taken in that
// order: a cursor passes them once. A message that becomes visible behind the
// cursor goes into a tree of the tenant's. So does every message of a page that
// came back from the store after younger ones: it has no place in the list.
type tenants struct {
	pages  *engine.Pages
	groups *engine.Groups[tenant]
	heads  *btree.BTreeG[head]      // of tenants that have something visible
	free   *btree.FreeListG[uint64] // for the tenants' trees
}

type group = engine.Group[tenant]

type tenant struct {
	inFlight int
	cursor   uint64                // the first message not passed; zero: all are
	returned *btree.BTreeG[uint64] // visible messages behind the cursor or unlisted; nil until there was one
	unlisted int                   // messages of late pages
	head     uint64                // the oldest visible message; zero: none
}

// A head is a tenant's oldest visible message, and the tenant's number.
type head struct {
	seq    uint64
	number uint32
}

func newTenants(pages *engine.Pages) *tenants {
	return &tenants{
		pages:  pages,
		groups: engine.NewGroups[tenant](pages),
		heads:  btree.NewG(32, func(a, b head) bool { return a.seq < b.seq }),
		free:   btree.NewFreeListG[uint64](btree.DefaultFreeListSize),
	}
}

func (t *tenants) add(p *engine.Page, i int, id string) {
	if p.Late() {
		t.groups.Join(p, i, id).Data.unlisted++
		return
	}
	g := t.groups.Add(p, i, id)
	if g.Data.cursor == 0 {
		g.Data.cursor = p.Seq(i)
	}
}

func (t *tenants) show(p *engine.Page, i int, was queue.State) {
	g := t.groups.Of(p, i)
	if was == queue.InFlight || was == engine.Undone {
		g.Data.inFlight--
	}
	if seq := p.Seq(i); p.Late() || g.Data.cursor == 0 || seq < g.Data.cursor {
		if g.Data.returned == nil {
			g.Data.returned = btree.NewWithFreeListG(16, btree.Less[uint64](), t.free)
		}
		g.Data.returned.ReplaceOrInsert(seq)
	}
	t.update(g)
}

func (t *tenants) hide(p *engine.Page, i int) {
	g := t.groups.Of(p, i)
	if p.State(i) == queue.InFlight {
		g.Data.inFlight++
	}
	t.pass(g, p, i)
	t.update(g)
}

func (t *tenants) gone(p *engine.Page, i int, was queue.State) {
	g := t.groups.Of(p, i)
	if was == queue.InFlight {
		g.Data.inFlight--
	}
	t.pass(g, p, i)
	if p.Late() {
		g.Data.unlisted--
		t.groups.Leave(p, i)
	} else {
		t.groups.Remove(p, i)
	}
	t.update(g)
	if g.First == 0 && g.Data.unlisted == 0 {
		t.groups.Free(g)
	}
}

// pass takes a message out of what may be visible: the tree, or the cursor.
func (t *tenants) pass(g *group, p *engine.Page, i int) {
	seq := p.Seq(i)
	if seq == g.Data.cursor {
		g.Data.cursor = t.groups.After(p, i)
	} else if g.Data.returned != nil {
		g.Data.returned.Delete(seq)
	}
}

// update brings heads up to date with a tenant's oldest visible message.
func (t *tenants) update(g *group) {
	oldest := t.oldest(g)
	if oldest == g.Data.head {
		return
	}
	if g.Data.head != 0 {
		t.heads.Delete(head{g.Data.head, g.Number})
	}
	if g.Data.head = oldest; oldest != 0 {
		t.heads.ReplaceOrInsert(head{oldest, g.Number})
	}
}

// oldest returns a tenant's oldest visible message, and moves the cursor past
// those that are not visible: they come back through the tree.
func (t *tenants) oldest(g *group) uint64 {
	returned, back := uint64(0), false
	if g.Data.returned != nil {
		returned, back = g.Data.returned.Min()
	}
	for g.Data.cursor != 0 && !(back && returned < g.Data.cursor) {
		p, i := t.pages.At(g.Data.cursor)
		if p.State(i) == queue.Visible {
			break
		}
		g.Data.cursor = t.groups.After(p, i)
	}
	if back && (g.Data.cursor == 0 || returned < g.Data.cursor) {
		return returned
	}
	return g.Data.cursor
}

// quiet returns the tenant with the oldest visible message among those that are
// not noisy, nil if there is none. At most nine tenants are noisy at once.
func (t *tenants) quiet(inFlight int) (found *group) {
	t.heads.Ascend(func(h head) bool {
		g := t.groups.At(h.number)
		if n := g.Data.inFlight; n >= noisyLeast && n*noisyShare > inFlight {
			return true
		}
		found = g
		return false
	})
	return found
}

// leastBusy returns the tenant with the fewest messages in flight among those
// that have something visible, all of them noisy; nil if there is none.
func (t *tenants) leastBusy() (found *group) {
	t.heads.Ascend(func(h head) bool {
		if g := t.groups.At(h.number); found == nil || g.Data.inFlight < found.Data.inFlight {
			found = g
		}
		return true
	})
	return found
}

// take offers a tenant's oldest visible message.
func (t *tenants) take(g *group, offer *engine.Offer) engine.Answer {
	p, i := t.pages.At(g.Data.head)
	answer := offer.Offer(p, i)
	if answer == engine.Taken || answer == engine.Leaving {
		g.Data.inFlight++
		t.pass(g, p, i)
		t.update(g)
	}
	return answer
}

func (t *tenants) check(pages []*engine.Page) error {
	messages, err := t.groups.Check()
	if err != nil {
		return err
	}
	inFlight := make(map[*group]int)
	unlisted := make(map[*group]int)
	oldest := make(map[*group]uint64)
	for _, p := range pages {
		for i := range queue.PageSize {
			if !p.Grouped(i) {
				continue
			}
			g := t.groups.Of(p, i)
			if p.Late() {
				unlisted[g]++
			} else {
				messages--
			}
			switch p.State(i) {
			case queue.InFlight:
				inFlight[g]++
			case queue.Visible:
				if oldest[g] == 0 {
					oldest[g] = p.Seq(i)
				}
			}
		}
	}
	if messages != 0 {
		return fmt.Errorf("tenants have %d messages too many", messages)
	}
	t.groups.All(func(g *group) {
		if g.Data.unlisted != unlisted[g] {
			err = fmt.Errorf("tenant %q: %d messages unlisted, counted %d", g.ID, unlisted[g], g.Data.unlisted)
		}
		if g.Data.inFlight != inFlight[g] || g.Data.head != oldest[g] {
			err = fmt.Errorf("tenant %q: %d in flight, counted %d; oldest visible is %d, known as %d", g.ID, inFlight[g], g.Data.inFlight, oldest[g], g.Data.head)
		}
	})
	if err == nil && len(oldest) != t.heads.Len() {
		err = fmt.Errorf("%d tenants have something visible, the tree says %d", len(oldest), t.heads.Len())
	}
	return err
}
