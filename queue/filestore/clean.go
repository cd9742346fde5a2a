package filestore

import (
	"cmp"
	"slices"

	"github.com/restantemq/restante/queue"
)

// A cleaning is a segment that is being emptied, and how far that has come.
type cleaning struct {
	seg    *segment
	offset int64
}

// A candidate is a record that may still be needed where it was read.
type candidate struct {
	queue, seq uint64
	place      place
	encoded    []byte
}

const (
	cleanStep   = 256 << 10 // bytes of a segment that are read for one step
	mostToClean = 64 << 20  // bytes of segments that a turn reads, however much should go
)

// clean moves the records and blocks that are still needed out of one segment,
// the one that has the fewest, so that it can be recycled. It goes one step and
// returns how many bytes of the segment that took, zero if nothing is worth it.
func (s *Store) clean(b *block) int64 {
	c, end := s.choose()
	if c.seg == nil {
		return 0
	}
	h, err := s.handles.acquire(c.seg.epoch)
	if err != nil {
		s.giveUp(c.seg)
		return 1
	}
	defer s.handles.release(h)
	var found []candidate
	from := c.offset
	sc := newScanner(h, c.seg, from, end)
	for sc.offset < end && sc.offset-from < cleanStep {
		at := placeAt(c.seg.epoch, sc.offset)
		frame, payload, ok, err := sc.next()
		if err != nil || !ok {
			s.giveUp(c.seg)
			break
		}
		switch frame.kind {
		case batchFrame, copyFrame:
			found = s.candidates(found, frame.kind, payload, at)
		case pageFrame:
			s.moveBlock(payload, at, b)
		case dedupFrame:
			s.moveDedup(payload, at)
		}
	}
	s.moveRecords(found, b)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cleaning = cleaning{seg: c.seg, offset: sc.offset}
	if sc.offset >= end {
		s.cleaning = cleaning{}
		c.seg.unreadable = c.seg.live > 0 // what is left could not be moved
	}
	return max(sc.offset-from, 1)
}

// choose returns the segment to clean, and where it ends.
func (s *Store) choose() (cleaning, int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.cleaning.seg; g != nil && s.segments[g.epoch] == g && g.live > 0 && !g.unreadable {
		return s.cleaning, g.end
	}
	var best *segment
	for _, g := range s.segments {
		// What is not written yet can't be read; and a segment that is almost
		// full of what is needed gives too little.
		if g == s.last || g.written < g.end || g.unreadable || g.live == 0 ||
			g.live > g.size-g.size/8 {
			continue
		}
		if best == nil || cmp.Or(cmp.Compare(g.live*best.size, best.live*g.size), cmp.Compare(g.epoch, best.epoch)) < 0 {
			best = g
		}
	}
	s.cleaning = cleaning{seg: best, offset: firstFrame}
	if best == nil {
		return cleaning{}, 0
	}
	return s.cleaning, best.end
}

// giveUp leaves a damaged segment alone.
func (s *Store) giveUp(g *segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g.unreadable = true
}

// candidates adds the records of a frame that are live.
func (s *Store) candidates(found []candidate, kind frameKind, payload []byte, at place) []candidate {
	s.mu.Lock()
	defer s.mu.Unlock()
	visitRecords(kind, payload, func(in *input, number, seq uint64) {
		start := in.at
		in.summary()
		q := s.queues[number]
		if in.bad || q == nil {
			return
		}
		if p, slot := q.find(seq); p == nil {
			return
		} else if e := p.entry(slot); e != nil && e.place != 0 && e.place != at {
			return
		}
		found = append(found, candidate{number, seq, at, slices.Clone(payload[start:in.at])})
	})
	return found
}

// moveRecords copies those of the candidates that are still where they were
// read, page by page.
func (s *Store) moveRecords(found []candidate, b *block) {
	slices.SortFunc(found, func(x, y candidate) int {
		return cmp.Or(cmp.Compare(x.queue, y.queue), cmp.Compare(x.seq, y.seq), cmp.Compare(x.place, y.place))
	})
	for len(found) > 0 {
		first, _ := pageOf(found[0].seq)
		n := 1
		for n < len(found) && found[n].queue == found[0].queue && found[n].seq < first+queue.PageSize {
			n++
		}
		s.moveFrom(found[:n], first, b)
		found = found[n:]
	}
}

// moveFrom copies candidates of one page.
func (s *Store) moveFrom(found []candidate, first uint64, b *block) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queues[found[0].queue]
	if q == nil || q.page(first) == nil {
		return
	}
	p := q.page(first)
	if at := p.block; at != 0 {
		size := p.blockSize
		s.mu.Unlock()
		err := s.readBlock(at, size, b)
		s.mu.Lock()
		if q = s.queues[found[0].queue]; q == nil || q.page(first) != p || p.block != at || err != nil {
			return // what is left makes the segment one that is left alone
		}
	}
	most := int(min(64<<10, s.options.SegmentSize/4))
	for len(found) > 0 && s.err == nil {
		found = s.copySome(q, p, found, most, b)
	}
}

// copySome appends a copy frame of about that many bytes at most, and returns
// the candidates that are left. The caller must hold s.mu.
func (s *Store) copySome(q *queueState, p *page, found []candidate, most int, b *block) []candidate {
	from := found[0].place.epoch()
	start := s.tail.begin()
	s.tail.buf = appendUvarint(s.tail.buf, uint64(from))
	var copied []entry
	n := 0
	for ; n < len(found) && len(s.tail.buf)-start < most; n++ {
		c := &found[n]
		_, slot := pageOf(c.seq)
		if !p.live.has(slot) {
			continue
		}
		e := p.locate(slot, b)
		if e.place != c.place || int(e.disk) != len(c.encoded) {
			continue
		}
		e.slot = slot
		copied = append(copied, e)
		s.tail.buf = appendCopy(s.tail.buf, c.queue, c.seq, &e, c.encoded)
	}
	if len(copied) == 0 {
		s.tail.abandon(start)
		return found[n:]
	}
	at := s.finish(start, copyFrame)
	for i := range copied {
		e := &copied[i]
		s.moved(q, p.first+uint64(e.slot), from, at, &summary{
			firstReceivedAt: e.firstReceivedAt, receives: e.receives, size: e.size, disk: e.disk,
		})
	}
	return found[n:]
}

// moveBlock writes a page's block anew, if it is the one at that place, or
// settles the orphan it is of.
func (s *Store) moveBlock(payload []byte, at place, b *block) {
	in := &input{b: payload}
	number, first := in.uvarint(), in.uvarint()
	s.mu.Lock()
	q, orphan := s.queues[number], s.orphans[at]
	var p *page
	if q != nil {
		p = q.page(first)
	}
	current := p != nil && p.block == at
	s.mu.Unlock()
	switch {
	case orphan != nil:
		s.settle(orphan.change, nil, b)
	case current:
		s.flush(q, p, b)
	}
}

// moveDedup writes a block of deduplication entries anew, if it is still needed.
func (s *Store) moveDedup(payload []byte, at place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var entries []queue.Dedup
	in := &input{b: payload}
	number, _, until := in.dedupBlock(func(d queue.Dedup) { entries = append(entries, d) })
	q := s.queues[number]
	if in.bad || q == nil || s.err != nil {
		return
	}
	i := slices.IndexFunc(q.dedupBlocks, func(d dedupBlock) bool { return d.place == at })
	if i < 0 {
		return
	}
	for i == 0 && len(entries) > 0 && entries[0].Until <= s.now { // as with expire
		entries = entries[1:]
	}
	start := s.tail.begin()
	s.tail.buf = encodeDedupBlock(s.tail.buf, number, at, entries)
	n := s.tail.size(start)
	moved := s.finish(start, dedupFrame)
	s.blocked(q, dedupBlock{place: moved, size: uint32(n), until: until}, at)
}
