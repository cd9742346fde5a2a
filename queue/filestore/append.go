package filestore

import (
	"fmt"

	"github.com/restantemq/restante/queue"
)

// Append implements [queue.Store]. A batch of about 1 GiB or more is refused with
// [queue.ErrMessageTooLarge].
func (s *Store) Append(b *queue.Batch) (queue.Commit, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(); err != nil {
		return 0, err
	}
	s.check(b)
	if n := payloadBound(b); n > maxPayload {
		return 0, fmt.Errorf("filestore: a batch of %d bytes: %w", n, queue.ErrMessageTooLarge)
	}
	start := s.tail.begin()
	s.sizes = s.sizes[:0]
	s.tail.buf = encodeBatch(s.tail.buf, b, &s.sizes)
	if !s.accepts(b, s.tail.size(start)) {
		s.tail.abandon(start)
		return 0, fmt.Errorf("filestore: %w", queue.ErrStoreFull)
	}
	s.apply(b, s.finish(start, batchFrame))
	return s.commit, nil
}

// payloadBound returns more than b's frame can take.
func payloadBound(b *queue.Batch) int64 {
	n := int64(64)
	for i := range b.Changes {
		c := &b.Changes[i]
		n += 64 + 20*int64(len(c.Remove)) + 30*int64(len(c.Touch)) + 40*int64(len(c.Dedup))
		for j := range c.Insert {
			r := &c.Insert[j]
			n += 128 + int64(len(r.Body)+len(r.Attributes.Encoded())+len(r.GroupID)+len(r.DeduplicationID)+
				len(r.TraceHeader)+len(r.DeadLetterSource)+len(r.DeadLetterReason))
		}
	}
	for i := range b.Meta {
		n += 32 + int64(len(b.Meta[i].Name)+len(b.Meta[i].Value))
	}
	return n
}

// accepts reports whether there is room for b, which takes n bytes. Whatever
// removes is accepted, unless it inserts as well.
func (s *Store) accepts(b *queue.Batch, n int64) bool {
	touches, others := false, len(b.Meta) > 0
	for i := range b.Changes {
		c := &b.Changes[i]
		if len(c.Insert) > 0 {
			return s.fits(n)
		}
		touches = touches || len(c.Touch) > 0
		others = others || c.Drop || c.Clear || len(c.Remove) > 0 || len(c.Dedup) > 0
	}
	return others || !touches || !s.scarce()
}

// check panics if b breaks the rules of the contract.
func (s *Store) check(b *queue.Batch) {
	for i := range b.Changes {
		c := &b.Changes[i]
		q := s.queues[c.Queue]
		switch {
		case q == nil:
			panicf("a batch changes queue %d, which does not exist", c.Queue)
		case !q.attached && !c.Drop: // whoever manages queues may drop one that nobody has
			panicf("a batch changes queue %q, which is not attached", q.name)
		}
		next := q.next
		for j := range b.Changes[:i] {
			switch earlier := &b.Changes[j]; {
			case earlier.Queue != c.Queue:
			case earlier.Drop:
				panicf("a batch changes queue %q after it has dropped it", q.name)
			case len(earlier.Insert) > 0:
				next = earlier.Insert[len(earlier.Insert)-1].Seq + 1
			}
		}
		for j := range c.Insert {
			if c.Insert[j].Seq < next || c.Insert[j].Seq+1 == 0 {
				panicf("record %d of queue %q is inserted after %d", c.Insert[j].Seq, q.name, next-1)
			}
			next = c.Insert[j].Seq + 1
		}
	}
}

// apply changes the state by b, which is in the frame at that place.
func (s *Store) apply(b *queue.Batch, at place) {
	s.now = max(s.now, b.Now)
	record := 0
	for i := range b.Changes {
		c := &b.Changes[i]
		q := s.queues[c.Queue]
		if c.Drop {
			s.drop(q)
			continue
		}
		if c.Clear {
			s.clear(q)
		}
		for j := range c.Insert {
			r := summarise(&c.Insert[j], int(s.sizes[record]))
			record++
			s.insert(q, c.Insert[j].Seq, at, &r)
		}
		for _, seq := range c.Remove {
			s.remove(q, seq)
		}
		for _, t := range c.Touch {
			s.touch(q, t.Seq, t.Receives, t.FirstReceivedAt)
		}
		for _, d := range c.Dedup {
			s.remember(q, d)
		}
	}
	for _, m := range b.Meta {
		if m.Value == nil {
			s.setMeta(m.Name, nil)
		} else {
			s.setMeta(m.Name, append([]byte{}, m.Value...))
		}
	}
}

// finish ends the frame from start on of the tail, after all that was appended
// before, as one commit. Where the current segment has no room for it, the log
// goes on in another one, which need not be there yet.
func (s *Store) finish(start int, kind frameKind) place {
	n := s.tail.size(start)
	if g := s.tail.seg; g == nil || g.room() < n {
		s.tail.turn(s.extend(n), start)
	}
	s.commit++
	s.grown += n
	s.unclean = s.unclean || kind != cleanFrame
	return s.tail.seal(start, kind)
}

// extend adds a segment to the log, for a frame of n bytes and more.
func (s *Store) extend(n int64) *segment {
	h := segmentHeader{epoch: 1, size: s.options.SegmentSize, checkpoint: s.checkpoint}
	if before := s.last; before != nil {
		h.epoch, h.previous, h.ended = before.epoch+1, before.epoch, before.end
		s.grown += before.room() // lost: the log won't go back there
	} else {
		s.store = randomKey()
	}
	if need := n + firstFrame; need > h.size {
		h.size = (need + blockSize - 1) &^ (blockSize - 1)
	}
	h.store = s.store
	g := newSegment(h)
	s.enter(g)
	s.supply.owed += g.size
	s.last = g
	return g
}

// panicf reports that the store's caller broke its contract.
func panicf(format string, args ...any) {
	panic("filestore: internal error: " + fmt.Sprintf(format, args...))
}
