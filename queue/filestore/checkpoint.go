package filestore

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/restantemq/restante/queue"
)

// A checkpoint is a state, written down: a run of checkpoint frames and then a
// complete frame, with nothing between them, so that what follows in the log is
// just what the state lacks. The payloads of the checkpoint frames are items,
// each after one of these numbers.
const (
	generalItem    = iota + 1 // first of all
	metaItem                  // a named value
	segmentItem               // a segment that is still needed
	queueItem                 // a queue; what is of it follows
	dedupBlockItem            // where a block of its deduplication entries is
	dedupItem                 // some of its deduplication entries
	pageItem                  // one of its pages
	orphanItem                // an orphan
)

// What a pageItem has.
const (
	pageHasBlock = 1 << iota
	pageIsFull
	pageHasStale
	pageHasEntries
)

// dedupsInItem keeps items small, so that parts of a checkpoint are.
const dedupsInItem = 256

// encodeItems encodes s as items, without the segments that nothing needs. It
// calls cut between them with what it has appended to b so far, and goes on with
// what that returns. Segments from epoch keep on have parts of the checkpoint.
func (s *state) encodeItems(b []byte, keep uint32, cut func([]byte) []byte) []byte {
	b = append(b, generalItem)
	b = appendUvarint(b, s.next)
	b = appendVarint(b, s.now)
	for _, name := range slices.Sorted(maps.Keys(s.meta)) {
		b = append(cut(b), metaItem)
		b = appendText(b, name)
		b = appendText(b, string(s.meta[name]))
	}
	for _, epoch := range slices.Sorted(maps.Keys(s.segments)) {
		if g := s.segments[epoch]; !g.free(keep) {
			b = append(cut(b), segmentItem)
			b = appendUvarint(b, uint64(g.epoch))
			b = appendUvarint(b, uint64(g.size))
			b = appendUvarint(b, uint64(g.end))
			b = appendUvarint(b, uint64(g.live))
		}
	}
	for _, number := range slices.Sorted(maps.Keys(s.queues)) {
		b = s.queues[number].encodeItems(b, cut)
	}
	for _, at := range slices.Sorted(maps.Keys(s.orphans)) {
		p := s.orphans[at]
		b = append(cut(b), orphanItem)
		b = appendUvarint(b, p.first)
		b = appendUvarint(b, uint64(p.block))
		b = appendUvarint(b, uint64(p.blockSize))
		b = appendUvarint(b, uint64(p.bytes))
		b = appendBitmap(b, &p.change.stale)
	}
	return b
}

// free reports whether nothing in a segment is needed by a checkpoint that
// begins in that epoch or a later one.
func (g *segment) free(keep uint32) bool { return g.live == 0 && g.epoch < keep }

func (q *queueState) encodeItems(b []byte, cut func([]byte) []byte) []byte {
	b = append(cut(b), queueItem)
	b = appendUvarint(b, q.number)
	b = appendText(b, q.name)
	b = append(b, byte(q.kind))
	b = append(b, q.key[:]...)
	b = appendUvarint(b, q.next)
	for _, d := range q.dedupBlocks {
		b = append(cut(b), dedupBlockItem)
		b = appendUvarint(b, uint64(d.place))
		b = appendUvarint(b, uint64(d.size))
		b = appendVarint(b, d.until)
	}
	for some := range slices.Chunk(q.dedup, dedupsInItem) {
		b = append(cut(b), dedupItem)
		b = appendUvarint(b, uint64(len(some)))
		b = encodeDedup(b, some)
	}
	for _, p := range q.pages {
		if p.live != (bitmap{}) {
			b = append(cut(b), pageItem)
			b = p.encode(b)
		}
	}
	return b
}

func (p *page) encode(b []byte) []byte {
	at := len(b)
	b = append(b, 0)
	var has byte
	b = appendUvarint(b, p.first)
	b = appendUvarint(b, uint64(p.bytes))
	b = appendVarint(b, p.minSentAt)
	b = appendVarint(b, p.maxDueAt)
	if p.block != 0 {
		has |= pageHasBlock
		b = appendUvarint(b, uint64(p.block))
		b = appendUvarint(b, uint64(p.blockSize))
	}
	if p.live.count() == queue.PageSize {
		has |= pageIsFull
	} else {
		b = appendBitmap(b, &p.live)
	}
	if c := p.change; c != nil {
		if c.stale != (bitmap{}) {
			has |= pageHasStale
			b = appendBitmap(b, &c.stale)
		}
		if n := p.liveEntries(); n > 0 {
			has |= pageHasEntries
			b = appendUvarint(b, uint64(n))
			var before entry
			for i := range c.entries {
				if e := &c.entries[i]; p.live.has(e.slot) {
					b = appendEntry(b, e, &before, p.minSentAt)
					before = *e
				}
			}
		}
	}
	b[at] = has
	return b
}

// liveEntries counts those entries whose records are live.
func (p *page) liveEntries() int {
	n := 0
	for i := range p.change.entries {
		if p.live.has(p.change.entries[i].slot) {
			n++
		}
	}
	return n
}

func appendBitmap(b []byte, m *bitmap) []byte {
	for _, word := range m {
		b = binary.LittleEndian.AppendUint64(b, word)
	}
	return b
}

func (in *input) bitmap() (m bitmap) {
	if raw := in.raw(8 * len(m)); raw != nil {
		for i := range m {
			m[i] = binary.LittleEndian.Uint64(raw[8*i:])
		}
	}
	return m
}

// A restoration makes a state of a checkpoint's frames.
type restoration struct {
	*state
	queue *queueState // the latest, to which what follows belongs
	parts int
}

// part reads the items of the next checkpoint frame. It reports what is wrong
// with them, or "".
func (r *restoration) part(payload []byte) string {
	in := &input{b: payload}
	for in.more() {
		if wrong := r.item(in); wrong != "" {
			return wrong
		}
		if in.bad {
			return "an item of a checkpoint that can't be decoded"
		}
	}
	r.parts++
	return ""
}

func (r *restoration) item(in *input) string {
	switch kind := in.byte(); kind {
	case generalItem:
		r.next = in.uvarint()
		r.now = in.varint()
	case metaItem:
		r.setMeta(string(in.bytes()), append([]byte{}, in.bytes()...))
	case segmentItem:
		epoch, size, end, live := in.number(), in.uvarint(), in.uvarint(), in.uvarint()
		if r.segments[epoch] != nil || epoch == 0 || size > 2*maxPayload || end > size || live > end {
			return "a segment of a checkpoint makes no sense"
		}
		g := newSegment(segmentHeader{epoch: epoch, size: int64(size), store: r.store})
		g.end, g.live = int64(end), int64(live)
		r.segments[epoch] = g
	case queueItem:
		number, name := in.uvarint(), string(in.bytes())
		kind, key, next := queue.Kind(in.byte()), in.key(), in.uvarint()
		if in.bad || r.queues[number] != nil || r.names[name] != nil || number >= r.next || next == 0 {
			return "a queue of a checkpoint makes no sense"
		}
		following := r.next
		r.create(number, name, kind, key)
		r.next = following
		r.queue = r.queues[number]
		r.queue.next = next
	case orphanItem:
		return r.orphan(in)
	default:
		if r.queue == nil || kind > orphanItem || kind == 0 {
			return "an item of a checkpoint that is not known"
		}
		return r.queueItem(kind, in)
	}
	return ""
}

func (r *restoration) queueItem(kind byte, in *input) string {
	switch q := r.queue; kind {
	case dedupBlockItem:
		d := dedupBlock{place: place(in.uvarint()), size: in.number(), until: in.varint()}
		if r.segments[d.place.epoch()] == nil {
			return "a block of deduplication entries is in no segment"
		}
		q.dedupBlocks = append(q.dedupBlocks, d)
	case dedupItem:
		var d queue.Dedup
		for range in.count(dedupSize) {
			d = in.dedup(d)
			r.remember(q, d)
		}
	case pageItem:
		return r.page(in)
	}
	return ""
}

func (r *restoration) page(in *input) string {
	q, has := r.queue, in.byte()
	p := &page{first: in.uvarint(), bytes: int64(in.uvarint()), minSentAt: in.varint(), maxDueAt: in.varint()}
	if has&pageHasBlock != 0 {
		p.block, p.blockSize = place(in.uvarint()), in.number()
	}
	if has&pageIsFull != 0 {
		p.live = bitmap{1<<64 - 1, 1<<64 - 1, 1<<64 - 1, 1<<64 - 1}
	} else {
		p.live = in.bitmap()
	}
	if n := len(q.pages); in.bad || p.live == (bitmap{}) || p.first%queue.PageSize != 1 || p.first >= q.next ||
		n > 0 && q.pages[n-1].first >= p.first || has&pageHasBlock != 0 && r.segments[p.block.epoch()] == nil {
		return "a page of a checkpoint makes no sense"
	}
	q.pages = append(q.pages, p)
	r.pages++
	r.bytes += p.bytes
	if has&pageHasStale != 0 {
		r.changed(q, p).stale = in.bitmap()
		r.stale += p.change.stale.count()
		r.reckon(p)
	}
	if has&pageHasEntries != 0 {
		var before entry
		for range in.count(entrySize) {
			e := in.entry(&before, p.minSentAt)
			if in.bad || !p.live.has(e.slot) || e.place != 0 && r.segments[e.place.epoch()] == nil {
				return "an entry of a page of a checkpoint makes no sense"
			}
			*r.entryFor(q, p, e.slot) = e
			before = e
		}
	}
	for i := range queue.PageSize {
		slot := uint8(i)
		if p.live.has(slot) && p.block == 0 && p.resident(slot) {
			return "a record of a checkpoint has no place"
		}
	}
	n := int64(p.live.count())
	q.records += n
	r.records += n
	return ""
}

func (r *restoration) orphan(in *input) string {
	p := &page{first: in.uvarint(), block: place(in.uvarint()), blockSize: in.number(), bytes: int64(in.uvarint())}
	p.change = &change{page: p, stale: in.bitmap()}
	if r.orphans[p.block] != nil || r.segments[p.block.epoch()] == nil {
		return "an orphan of a checkpoint makes no sense"
	}
	r.orphans[p.block] = p
	r.bytes += p.bytes
	r.stale += p.change.stale.count()
	r.reckon(p)
	return ""
}

// complete checks that the checkpoint, which began at that place, is all there.
func (r *restoration) complete(payload []byte, began place) string {
	in := &input{b: payload}
	at, parts := place(in.uvarint()), in.uvarint()
	if in.bad || at != began || parts != uint64(r.parts) {
		return "a checkpoint is not complete"
	}
	return ""
}

// encodeComplete encodes the payload of a complete frame.
func encodeComplete(b []byte, began place, parts int) []byte {
	b = appendUvarint(b, uint64(began))
	return appendUvarint(b, uint64(parts))
}
