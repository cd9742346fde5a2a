package filestore

import (
	"math"
	"math/bits"
	"slices"
	"sort"

	"github.com/restantemq/restante/queue"
)

// A page is what the store keeps in memory of a run of queue.PageSize numbers
// with at least one live record. Where those records are is in the page's block
// on disk, and what has changed since that was written in change.
type page struct {
	first     uint64
	block     place // zero: there is none
	blockSize uint32
	live      bitmap
	bytes     int64 // sum of Message.Size, of the live and the stale
	minSentAt int64
	maxDueAt  int64
	change    *change // nil: nothing has changed
}

// A change is how a page differs from its block. A live record's place is that
// of its entry; if it has none, or one without a place, that in the block.
type change struct {
	page         *page
	queue        *queueState
	older, newer *change // in the state's list

	// stale are the records in the block that were removed, but that the
	// accounts of the page and of their segments still count: only the block
	// knows their sizes and places, and removing does no I/O. Settling them
	// reads it. They are not live.
	stale    bitmap
	estimate int64 // sum of their Message.Size, as the page's average says

	// entries, by slot. Those of records that are gone stay until the page's
	// next block: looking past them is cheaper than moving the others.
	entries []entry

	unreadable bool // the block is damaged, so that nothing can be settled
}

// An entry is where a record is, and how often it was received.
type entry struct {
	place           place // of its frame; zero: where the block says
	firstReceivedAt int64
	receives        uint32
	size            uint32 // Message.Size
	disk            uint32 // bytes of its encoding
	slot            uint8
}

// A bitmap has a bit for each number of a page.
type bitmap [queue.PageSize / 64]uint64

func (b *bitmap) has(slot uint8) bool { return b[slot/64]&(1<<(slot%64)) != 0 }
func (b *bitmap) set(slot uint8)      { b[slot/64] |= 1 << (slot % 64) }
func (b *bitmap) unset(slot uint8)    { b[slot/64] &^= 1 << (slot % 64) }

func (b *bitmap) count() int {
	n := 0
	for _, word := range b {
		n += bits.OnesCount64(word)
	}
	return n
}

// pageOf returns the page and the slot of a number, which is not zero.
func pageOf(seq uint64) (first uint64, slot uint8) {
	slot = uint8((seq - 1) % queue.PageSize)
	return seq - uint64(slot), slot
}

// pageEnd returns the number after those of the page that begins with first. The
// very last page ends before the last number, which no record has.
func pageEnd(first uint64) uint64 { return first + min(queue.PageSize, math.MaxUint64-first) }

// resident reports whether a live record's place is the one in the block.
func (p *page) resident(slot uint8) bool {
	e := p.entry(slot)
	return e == nil || e.place == 0
}

// entry returns the entry of a slot, or nil.
func (p *page) entry(slot uint8) *entry {
	if p.change == nil {
		return nil
	}
	if i, ok := p.change.find(slot); ok {
		return &p.change.entries[i]
	}
	return nil
}

// find returns where the entry of a slot is or belongs.
func (c *change) find(slot uint8) (int, bool) {
	if n := len(c.entries); n == 0 || c.entries[n-1].slot < slot {
		return n, false
	}
	i := sort.Search(len(c.entries), func(i int) bool { return c.entries[i].slot >= slot })
	return i, c.entries[i].slot == slot
}

// entryFor returns the entry of a slot, which is made without a place if there
// is none.
func (s *state) entryFor(q *queueState, p *page, slot uint8) *entry {
	c := s.changed(q, p)
	i, ok := c.find(slot)
	if !ok {
		before := cap(c.entries)
		c.entries = slices.Insert(c.entries, i, entry{slot: slot})
		s.entries += cap(c.entries) - before
	}
	return &c.entries[i]
}

// info is what Attach tells of a page.
func (p *page) info() queue.PageInfo {
	return queue.PageInfo{First: p.first, Live: p.live.count(), Bytes: p.bytes, MinSentAt: p.minSentAt, MaxDueAt: p.maxDueAt}
}

// A changeList holds the changes of pages, in the order in which the pages were
// first changed.
type changeList struct {
	oldest, newest *change
	n              int
}

func (l *changeList) add(c *change) {
	c.older = l.newest
	if l.newest != nil {
		l.newest.newer = c
	} else {
		l.oldest = c
	}
	l.newest = c
	l.n++
}

func (l *changeList) remove(c *change) {
	if c.older != nil {
		c.older.newer = c.newer
	} else {
		l.oldest = c.newer
	}
	if c.newer != nil {
		c.newer.older = c.older
	} else {
		l.newest = c.older
	}
	c.older, c.newer = nil, nil
	l.n--
}

// changed returns p's change, which is made if there is none.
func (s *state) changed(q *queueState, p *page) *change {
	if p.change == nil {
		p.change = &change{page: p, queue: q}
		s.changes.add(p.change)
	}
	return p.change
}

// forget drops p's change, since the block says it all or the page is gone.
func (s *state) forget(p *page) {
	if c := p.change; c != nil {
		s.entries -= cap(c.entries)
		s.changes.remove(c)
		p.change = nil
	}
}
