package filestore

import (
	"slices"

	"github.com/restantemq/restante/queue"
)

// A block is a page block as it was read: where the records were that were live
// when it was written.
type block struct {
	queue, first        uint64
	bytes               int64
	minSentAt, maxDueAt int64
	has                 bitmap
	entries             [queue.PageSize]entry // by slot, where has says so

	buf []byte // to read it
}

// locate returns where the live record of a slot is. old is p's block, as it
// was read; nil if there is none.
func (p *page) locate(slot uint8, old *block) entry {
	e := p.entry(slot)
	if e == nil {
		return old.entries[slot]
	}
	if e.place != 0 {
		return *e
	}
	merged := old.entries[slot]
	merged.receives, merged.firstReceivedAt = e.receives, e.firstReceivedAt
	return merged
}

// encodeBlock encodes the payload of a page frame. Nothing of p may be stale.
func encodeBlock(b []byte, q *queueState, p *page, old *block) []byte {
	b = appendUvarint(b, q.number)
	b = appendUvarint(b, p.first)
	b = appendUvarint(b, uint64(p.bytes))
	b = appendVarint(b, p.minSentAt)
	b = appendVarint(b, p.maxDueAt)
	b = appendUvarint(b, uint64(p.live.count()))
	var before entry
	for i := range queue.PageSize {
		if slot := uint8(i); p.live.has(slot) {
			e := p.locate(slot, old)
			e.slot = slot
			b = appendEntry(b, &e, &before, p.minSentAt)
			before = e
		}
	}
	return b
}

// appendEntry encodes an entry after another one.
func appendEntry(b []byte, e, before *entry, base int64) []byte {
	b = append(b, e.slot)
	b = appendVarint(b, int64(e.place-before.place))
	b = appendUvarint(b, uint64(e.size))
	b = appendUvarint(b, uint64(e.disk))
	b = appendUvarint(b, uint64(e.receives))
	if e.firstReceivedAt == 0 {
		return append(b, 0)
	}
	return appendVarint(append(b, 1), e.firstReceivedAt-base)
}

// entrySize is the least that an encoded entry takes.
const entrySize = 6

func (in *input) entry(before *entry, base int64) (e entry) {
	e.slot = in.byte()
	e.place = before.place + place(in.varint())
	e.size = in.number()
	e.disk = in.number()
	e.receives = in.number()
	if in.byte() != 0 {
		e.firstReceivedAt = base + in.varint()
	}
	return e
}

// block decodes the payload of a page frame.
func (in *input) block(b *block) {
	b.queue = in.uvarint()
	b.first = in.uvarint()
	b.bytes = int64(in.uvarint())
	b.minSentAt = in.varint()
	b.maxDueAt = in.varint()
	b.has = bitmap{}
	var before entry
	for range in.count(entrySize) {
		e := in.entry(&before, b.minSentAt)
		if in.bad || b.has.has(e.slot) {
			in.fail()
			return
		}
		b.has.set(e.slot)
		b.entries[e.slot] = e
		before = e
	}
}

// adopt makes the block at that place p's, in which nothing is stale.
func (s *state) adopt(p *page, b *block, at place, size uint32) {
	if p.block != 0 {
		s.weigh(p.block, -int64(p.blockSize))
	}
	s.bytes += b.bytes - p.bytes
	p.block, p.blockSize = at, size
	p.bytes, p.minSentAt, p.maxDueAt = b.bytes, b.minSentAt, b.maxDueAt
	s.weigh(at, int64(size))
	s.forget(p)
}

// A settlement puts the accounts of a page or an orphan right: what was stale is
// not counted any more.
type settlement struct {
	queue uint64 // zero: an orphan
	first uint64
	block place
	bytes int64    // sum of Message.Size
	from  []weight // what the records weighed, by segment
}

type weight struct {
	epoch uint32
	bytes uint64
}

// settlementOf reads what is stale of a page off its block.
func settlementOf(queueNumber uint64, p *page, old *block) settlement {
	t := settlement{queue: queueNumber, first: p.first, block: p.block}
	for i := range queue.PageSize {
		slot := uint8(i)
		if !p.change.stale.has(slot) {
			continue
		}
		e := &old.entries[slot]
		t.bytes += int64(e.size)
		at := slices.IndexFunc(t.from, func(w weight) bool { return w.epoch == e.place.epoch() })
		if at < 0 {
			at = len(t.from)
			t.from = append(t.from, weight{epoch: e.place.epoch()})
		}
		t.from[at].bytes += uint64(e.disk)
	}
	return t
}

// settle applies a settlement. It reports whether there is such a page.
func (s *state) settle(t *settlement) bool {
	var p *page
	if t.queue == 0 {
		p = s.orphans[t.block]
	} else if q := s.queues[t.queue]; q != nil {
		p = q.page(t.first)
	}
	if p == nil || p.block != t.block || p.change == nil {
		return false
	}
	for _, w := range t.from {
		s.weigh(placeAt(w.epoch, 0), -int64(w.bytes))
	}
	p.bytes -= t.bytes
	s.bytes -= t.bytes
	s.stale -= p.change.stale.count()
	p.change.stale = bitmap{}
	s.reckon(p)
	switch {
	case t.queue == 0:
		s.weigh(p.block, -int64(p.blockSize))
		delete(s.orphans, p.block)
	case len(p.change.entries) == 0:
		s.forget(p)
	}
	return true
}

func (t *settlement) encode(b []byte) []byte {
	b = appendUvarint(b, t.queue)
	b = appendUvarint(b, t.first)
	b = appendUvarint(b, uint64(t.block))
	b = appendUvarint(b, uint64(t.bytes))
	b = appendUvarint(b, uint64(len(t.from)))
	for _, w := range t.from {
		b = appendUvarint(b, uint64(w.epoch))
		b = appendUvarint(b, w.bytes)
	}
	return b
}

func (in *input) settlement() (t settlement) {
	t.queue = in.uvarint()
	t.first = in.uvarint()
	t.block = place(in.uvarint())
	t.bytes = int64(in.uvarint())
	for range in.count(2) {
		t.from = append(t.from, weight{in.number(), in.uvarint()})
	}
	return t
}
