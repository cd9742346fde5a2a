package filestore

import (
	"maps"

	"github.com/restantemq/restante/queue"
)

// A state is what a prefix of the log says, as far as memory holds it. Its
// methods do no I/O and know no locks.
//
// Everything that changes a state is in the log, or follows from it, so that a
// state made by appending equals the one that replaying the log makes.
type state struct {
	store      [16]byte // the store's ID; zero until there is a segment
	queues     map[uint64]*queueState
	names      map[string]*queueState
	next       uint64 // number of the next queue
	now        int64  // the latest Batch.Now
	meta       map[string][]byte
	segments   map[uint32]*segment // by epoch
	last       *segment            // the one that is appended to; nil if there is none
	checkpoint place               // of the latest complete one
	size       int64               // of the files of all segments

	changes changeList
	// orphans are pages without a live record whose blocks are still needed, to
	// settle what is stale; by block.
	orphans map[place]*page

	records int64 // live ones
	bytes   int64 // sum of page.bytes, so with those that are stale
	pages   int
	stale   int // in all pages and orphans
	entries int // room for them, in all changes
	dedups  int // in memory, in all queues

	staleBytes int64 // an estimate of how much of bytes is stale
}

// A queueState is one queue of a state.
type queueState struct {
	number   uint64
	name     string
	kind     queue.Kind
	key      [16]byte
	next     uint64  // above every number inserted
	pages    []*page // by first; those without a live record are no longer pages, and go when there are many
	emptied  int     // how many of them
	records  int64
	attached bool

	dedup       []queue.Dedup // the latest, oldest first
	dedupBlocks []dedupBlock  // what came before, oldest first
}

func newState() *state {
	return &state{
		queues: map[uint64]*queueState{}, names: map[string]*queueState{}, next: 1,
		meta: map[string][]byte{}, segments: map[uint32]*segment{}, orphans: map[place]*page{},
	}
}

// weigh changes what is needed of the segment of p.
func (s *state) weigh(p place, bytes int64) { s.segments[p.epoch()].live += bytes }

// enter adds a segment.
func (s *state) enter(g *segment) {
	s.segments[g.epoch] = g
	s.size += g.size
}

// leave takes a segment out that nothing needs.
func (s *state) leave(g *segment) {
	delete(s.segments, g.epoch)
	s.size -= g.size
}

// reclaimable returns the size of the segments that another checkpoint would
// free, but for those that only that one would need instead.
func (s *state) reclaimable() int64 {
	free := int64(0)
	for _, g := range s.segments {
		if g.free(s.last.epoch) && g.free(s.checkpoint.epoch()) {
			free += g.size
		}
	}
	return free
}

// create adds a queue. One of the same name is there only if the log is wrong.
func (s *state) create(number uint64, name string, kind queue.Kind, key [16]byte) {
	q := &queueState{number: number, name: name, kind: kind, key: key, next: 1}
	s.queues[number], s.names[name] = q, q
	s.next = number + 1
}

// drop removes a queue with all it has.
func (s *state) drop(q *queueState) {
	s.clear(q)
	delete(s.queues, q.number)
	delete(s.names, q.name)
}

// clear forgets all records of a queue and all deduplication.
func (s *state) clear(q *queueState) {
	for _, p := range q.pages {
		if p.live != (bitmap{}) {
			s.clearPage(q, p)
		}
	}
	q.pages, q.emptied = nil, 0
	for _, b := range q.dedupBlocks {
		s.weigh(b.place, -int64(b.size))
	}
	s.dedups -= len(q.dedup)
	q.dedup, q.dedupBlocks = nil, nil
}

func (s *state) clearPage(q *queueState, p *page) {
	for slot := range queue.PageSize {
		if p.live.has(uint8(slot)) {
			s.removeSlot(q, p, uint8(slot))
		}
	}
	s.emptied(p)
}

// insert adds a record that is in the frame at that place. Its number is above
// all before.
func (s *state) insert(q *queueState, seq uint64, at place, r *summary) {
	first, slot := pageOf(seq)
	p := q.page(first)
	if p == nil {
		p = &page{first: first, minSentAt: r.sentAt}
		q.add(p)
		s.pages++
	}
	e := s.entryFor(q, p, slot)
	*e = entry{place: at, firstReceivedAt: r.firstReceivedAt, receives: r.receives, size: r.size, disk: r.disk, slot: slot}
	p.live.set(slot)
	p.bytes += int64(r.size)
	p.minSentAt = min(p.minSentAt, r.sentAt)
	p.maxDueAt = max(p.maxDueAt, r.dueAt)
	q.next = seq + 1
	q.records++
	s.records++
	s.bytes += int64(r.size)
	s.weigh(at, int64(r.disk))
}

// remove takes a number out, if it is live.
func (s *state) remove(q *queueState, seq uint64) {
	p, slot := q.find(seq)
	if p == nil {
		return
	}
	s.removeSlot(q, p, slot)
	if p.live == (bitmap{}) {
		q.emptied++
		s.emptied(p)
		q.compact()
	}
}

// removeSlot takes a live record out. One whose size and place only the block
// knows becomes stale.
func (s *state) removeSlot(q *queueState, p *page, slot uint8) {
	p.live.unset(slot)
	q.records--
	s.records--
	if e := p.entry(slot); e != nil && e.place != 0 {
		p.bytes -= int64(e.size)
		s.bytes -= int64(e.size)
		s.weigh(e.place, -int64(e.disk))
		return
	}
	s.changed(q, p).stale.set(slot)
	s.stale++
	s.reckon(p)
}

// reckon estimates how much of a page is stale. Of an orphan, all is.
func (s *state) reckon(p *page) {
	c := p.change
	s.staleBytes -= c.estimate
	c.estimate = 0
	if stale := int64(c.stale.count()); stale > 0 {
		c.estimate = p.bytes * stale / (int64(p.live.count()) + stale)
	}
	s.staleBytes += c.estimate
}

// emptied ends a page without a live record: it becomes an orphan if something
// is stale, else its block is not needed any more.
func (s *state) emptied(p *page) {
	s.pages--
	c := p.change // never nil: something was removed
	s.forget(p)
	switch {
	case c.stale != bitmap{}:
		p.change = &change{page: p, stale: c.stale, estimate: c.estimate, unreadable: c.unreadable}
		s.orphans[p.block] = p
		s.reckon(p)
	case p.block != 0:
		s.weigh(p.block, -int64(p.blockSize))
	}
}

// touch notes a receive of a number, if it is live.
func (s *state) touch(q *queueState, seq uint64, receives uint32, firstReceivedAt int64) {
	if p, slot := q.find(seq); p != nil {
		e := s.entryFor(q, p, slot)
		e.receives, e.firstReceivedAt = receives, firstReceivedAt
	}
}

// moved notes that a record was copied from a segment to the frame at that
// place, if it is live. r has its receives as they were then.
func (s *state) moved(q *queueState, seq uint64, from uint32, to place, r *summary) {
	p, slot := q.find(seq)
	if p == nil {
		return
	}
	e := p.entry(slot)
	if e == nil {
		e = s.entryFor(q, p, slot)
		e.receives, e.firstReceivedAt = r.receives, r.firstReceivedAt
	}
	e.place, e.size, e.disk = to, r.size, r.disk
	s.weigh(placeAt(from, 0), -int64(r.disk))
	s.weigh(to, int64(r.disk))
}

// setMeta changes a named value; nil removes it. It keeps value.
func (s *state) setMeta(name string, value []byte) {
	if value == nil {
		delete(s.meta, name)
	} else {
		s.meta[name] = value
	}
}

// copyMeta returns the named values, as somebody's own.
func (s *state) copyMeta() map[string][]byte {
	c := maps.Clone(s.meta)
	for name, value := range c {
		c[name] = append([]byte{}, value...)
	}
	return c
}

// page returns the page that begins with first, or nil.
func (q *queueState) page(first uint64) *page {
	i := q.search(first)
	if i == len(q.pages) || q.pages[i].first != first || q.pages[i].live == (bitmap{}) {
		return nil
	}
	return q.pages[i]
}

// add adds the latest page. It takes the place of the one of the same numbers
// if all that was there has been removed.
func (q *queueState) add(p *page) {
	if n := len(q.pages); n > 0 && q.pages[n-1].first == p.first {
		q.pages[n-1] = p
		q.emptied--
		return
	}
	q.pages = append(q.pages, p)
}

// search returns the index of the first page at or after first.
func (q *queueState) search(first uint64) int {
	n := len(q.pages)
	if n == 0 || q.pages[n-1].first < first { // most come at the end
		return n
	}
	low, high := 0, n
	for low < high {
		middle := int(uint(low+high) / 2)
		if q.pages[middle].first < first {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

// find returns the page and the slot of a live record, or nil.
func (q *queueState) find(seq uint64) (*page, uint8) {
	if seq == 0 {
		return nil, 0
	}
	first, slot := pageOf(seq)
	p := q.page(first)
	if p == nil || !p.live.has(slot) {
		return nil, 0
	}
	return p, slot
}

// compact drops what is no page any more, if that is most of them.
func (q *queueState) compact() {
	if q.emptied <= len(q.pages)/2 {
		return
	}
	kept := q.pages[:0]
	for _, p := range q.pages {
		if p.live != (bitmap{}) {
			kept = append(kept, p)
		}
	}
	clear(q.pages[len(kept):])
	q.pages, q.emptied = kept, 0
	if cap(q.pages) > 64 && len(q.pages) < cap(q.pages)/4 {
		q.pages = append([]*page(nil), q.pages...)
	}
}
