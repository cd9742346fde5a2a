package filestore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/restantemq/restante/queue"
)

// Load implements [queue.Store]. It reads page by page: of each, the records
// that are live at that moment. Damaged ones are [*DamageError].
func (s *Store) Load(ctx context.Context, number, from, to uint64, dst []queue.Record) ([]queue.Record, error) {
	l := loader{store: s, number: number}
	for from < to {
		if err := ctx.Err(); err != nil {
			return dst, fmt.Errorf("filestore: loading records: %w", err)
		}
		more, err := l.choose(from, to)
		if err != nil {
			return dst, err
		}
		if !more {
			break
		}
		if err := l.read(); err != nil {
			return dst, err
		}
		dst = l.decode(dst)
		from = pageEnd(l.first)
	}
	return dst, errors.Join(l.damage...)
}

// A loader loads one page after another of a queue.
type loader struct {
	store  *Store
	number uint64
	damage []error

	first   uint64                // of the page
	wanted  bitmap                // the records that are to be loaded; less those that are gone, or damaged
	found   bitmap                // of them, those that are in raw
	at      [queue.PageSize]entry // where the records are that are wanted
	failed  [queue.PageSize]place // where they could not be read
	spans   [queue.PageSize]span  // where they are in raw
	raw     []byte                // encodings of records, one after another
	block   *block                // of the page; nil until it is needed
	blockAt place                 // where block was read
	noBlock place                 // where it could not be read
	written place                 // what is before this was in the file already when we looked
	buf     []byte
}

// A span is a part of the bytes in loader.raw.
type span struct{ start, end int }

// choose finds the first page that has live records in [from, to).
func (l *loader) choose(from, to uint64) (more bool, err error) {
	s := l.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false, errClosed
	}
	q := s.queues[l.number]
	if q == nil {
		return false, nil // it was dropped
	}
	first, _ := pageOf(max(from, 1))
	for _, p := range q.pages[q.search(first):] {
		if p.first >= to {
			break
		}
		l.first, l.wanted, l.found = p.first, p.live, bitmap{}
		for slot := range uint64(queue.PageSize) {
			if seq := p.first + slot; seq < from || seq >= to {
				l.wanted.unset(uint8(slot))
			}
		}
		if l.wanted != (bitmap{}) {
			l.failed, l.blockAt, l.noBlock = [queue.PageSize]place{}, 0, 0
			l.raw = nil // the records before have become parts of it
			return true, nil
		}
	}
	return false, nil
}

// read reads the wanted records. While it does, records may move and their old
// places be recycled: it looks again for what it could not read, and what is
// where it was is damaged.
func (l *loader) read() error {
	for l.wanted != l.found {
		blockAt, size, err := l.locate()
		if err != nil {
			return err
		}
		if blockAt != 0 {
			if l.block == nil {
				l.block = new(block)
			}
			l.blockAt = blockAt
			if err := l.store.readBlock(blockAt, size, l.block); err != nil || l.block.queue != l.number || l.block.first != l.first {
				l.blockAt, l.noBlock = 0, blockAt
			}
			continue // with what the block says, or without it
		}
		l.readFrames()
	}
	return nil
}

// locate notes where the records are that are missing, and takes those out of
// the wanted that are gone or damaged. If it needs another block for that it
// returns its place and size.
func (l *loader) locate() (blockAt place, size uint32, err error) {
	s := l.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, 0, errClosed
	}
	l.written = s.oldestUnwritten()
	var p *page
	if q := s.queues[l.number]; q != nil {
		p = q.page(l.first)
	}
	for i := range queue.PageSize {
		slot := uint8(i)
		switch {
		case !l.wanted.has(slot) || l.found.has(slot):
			continue
		case p == nil || !p.live.has(slot):
			l.wanted.unset(slot)
			continue
		case !p.resident(slot):
		case p.block == l.noBlock:
			l.report(slot, p.block, "the page block can't be read")
			continue
		case p.block != l.blockAt:
			return p.block, p.blockSize, nil
		case !l.block.has.has(slot):
			l.report(slot, p.block, "the page block does not have the record")
			continue
		}
		if l.at[slot] = p.locate(slot, l.block); l.at[slot].place == l.failed[slot] {
			l.report(slot, l.failed[slot], "the record can't be read")
		}
	}
	return 0, 0, nil
}

// report gives a record up.
func (l *loader) report(slot uint8, at place, reason string) {
	l.wanted.unset(slot)
	l.damage = append(l.damage, &DamageError{
		File:   l.store.disk.Path(segmentName(at.epoch())),
		Offset: at.offset(),
		Queue:  l.number,
		Seq:    l.first + uint64(slot),
		Reason: reason,
	})
}

// maxRead is the most that is read at a time, if no single frame has more.
const maxRead = 1 << 20

// readFrames reads the frames of the missing records, those that stand close to
// each other with one read.
func (l *loader) readFrames() {
	var order [queue.PageSize]uint8
	slots := order[:0]
	total := 0
	for i := range queue.PageSize {
		if slot := uint8(i); l.wanted.has(slot) && !l.found.has(slot) {
			slots = append(slots, slot)
			total += int(l.at[slot].disk)
			l.failed[slot] = l.at[slot].place // until it is found
		}
	}
	slices.SortStableFunc(slots, func(a, b uint8) int {
		switch x, y := l.at[a].place, l.at[b].place; {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	l.raw = slices.Grow(l.raw, total)
	for len(slots) > 0 {
		n, size := l.run(slots)
		l.readRun(slots[:n], size)
		slots = slots[n:]
	}
}

// run returns how many of the slots, in the order of their places, are read
// together, and how many bytes that takes if nothing else is among them.
func (l *loader) run(slots []uint8) (n int, size int64) {
	first := l.at[slots[0]].place
	if first >= l.written {
		for n < len(slots) && l.at[slots[n]].place == first {
			n++
		}
		return n, 0
	}
	end := first.offset()
	for n < len(slots) {
		e := &l.at[slots[n]]
		if e.place.epoch() != first.epoch() || e.place >= l.written || e.place.offset() > end+frameGap {
			break
		}
		// Records of one frame have one place.
		expected := max(end, e.place.offset()+frameHeader) + int64(e.disk)
		if n > 0 && expected-first.offset() > maxRead {
			break
		}
		end = expected
		n++
	}
	return n, end + frameGap - first.offset()
}

// frameGap is how far apart frames may stand that are read together, and what a
// frame usually has beside a record.
const frameGap = 512

// readRun reads the frames of the slots with one read of size bytes; frames that
// are larger than was expected take one more each.
func (l *loader) readRun(slots []uint8, size int64) {
	s := l.store
	first := l.at[slots[0]].place
	if first >= l.written {
		if kind, payload := s.inMemory(first, l.buf); payload != nil {
			l.take(kind, payload, first)
			l.buf = payload[:0]
			return
		}
		size = frameGap // written meanwhile
	}
	h, err := s.handles.acquire(first.epoch())
	if err != nil {
		return
	}
	defer s.handles.release(h)
	if int64(cap(l.buf)) < size {
		l.buf = make([]byte, size)
	}
	seed := seedOf(s.storeID(), first.epoch())
	window := l.buf[:size]
	n, _ := h.ReadAt(window, first.offset()) // what is missing then shows that it failed
	window = window[:n]
	before := place(0)
	for _, slot := range slots {
		at := l.at[slot].place
		if at == before {
			continue
		}
		before = at
		inside := window[min(at.offset()-first.offset(), int64(n)):]
		if info, ok := readHeader(inside, seed, at.offset(), int64(len(inside))+frameAlign); ok && frameHeader+info.length <= len(inside) {
			if payload := inside[frameHeader : frameHeader+info.length]; checksum(payload) == info.payload {
				l.take(info.kind, payload, at)
			}
			continue
		}
		if kind, payload, err := readFrame(h, seed, at.offset(), make([]byte, frameGap)); err == nil {
			l.take(kind, payload, at)
		}
	}
}

// take keeps the wanted records of the frame at that place.
func (l *loader) take(kind frameKind, payload []byte, at place) {
	visitRecords(kind, payload, func(in *input, number, seq uint64) {
		start := in.at
		in.summary()
		if number != l.number || in.bad || seq < l.first || seq-l.first >= queue.PageSize {
			return
		}
		slot := uint8(seq - l.first)
		if l.at[slot].place != at || !l.wanted.has(slot) || l.found.has(slot) {
			return
		}
		from := len(l.raw)
		l.raw = append(l.raw, payload[start:in.at]...)
		l.spans[slot] = span{from, len(l.raw)}
		l.found.set(slot)
	})
}

// decode appends the records that were found. Their strings are parts of raw,
// which nothing changes any more.
func (l *loader) decode(dst []queue.Record) []queue.Record {
	dst = slices.Grow(dst, l.found.count())
	for i := range queue.PageSize {
		slot := uint8(i)
		if !l.found.has(slot) {
			continue
		}
		raw := l.raw[l.spans[slot].start:l.spans[slot].end]
		r := queue.Record{Seq: l.first + uint64(slot)}
		in := &input{b: raw}
		if err := in.record(unsafe.String(unsafe.SliceData(raw), len(raw)), &r); err != nil {
			l.report(slot, l.at[slot].place, err.Error())
			continue
		}
		r.Receives, r.FirstReceivedAt = l.at[slot].receives, l.at[slot].firstReceivedAt
		dst = append(dst, r)
	}
	return dst
}
