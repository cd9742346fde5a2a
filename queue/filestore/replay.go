package filestore

// replay applies a frame that stands at that place and takes size bytes. It
// reports what is wrong with it, or "".
func (s *state) replay(kind frameKind, payload []byte, at place, size int64) string {
	in := &input{b: payload}
	switch kind {
	case batchFrame:
		return s.replayBatch(in, at)
	case pageFrame:
		return s.replayPage(in, at, size)
	case settleFrame:
		return s.replaySettlements(in)
	case dedupFrame:
		return s.replayDedup(in, at, size)
	case copyFrame:
		return s.replayCopies(in, at)
	case completeFrame:
		// A later checkpoint than the one that replaying began with.
		s.checkpoint = place(in.uvarint())
	}
	if in.bad {
		return "a frame that can't be decoded"
	}
	return ""
}

func (s *state) replayPage(in *input, at place, size int64) string {
	b := new(block)
	in.block(b)
	q := s.queues[b.queue]
	if in.bad || q == nil {
		return "a page block that can't be decoded"
	}
	p := q.page(b.first)
	if p == nil || p.live != b.has || p.change != nil && p.change.stale != (bitmap{}) || !s.placed(b) {
		return "a page block that is not of its page"
	}
	s.adopt(p, b, at, uint32(size))
	return ""
}

// placed reports whether all places in b are in segments that there are.
func (s *state) placed(b *block) bool {
	for i := range b.entries {
		if b.has.has(uint8(i)) && s.segments[b.entries[i].place.epoch()] == nil {
			return false
		}
	}
	return true
}

func (s *state) replaySettlements(in *input) string {
	for in.more() {
		t := in.settlement()
		for _, w := range t.from {
			if s.segments[w.epoch] == nil {
				return "a settlement of a segment that does not exist"
			}
		}
		if in.bad || !s.settle(&t) {
			return "a settlement of a page that does not exist"
		}
	}
	return ""
}

func (s *state) replayDedup(in *input, at place, size int64) string {
	number, replaced, until := in.dedupBlock(nil)
	q := s.queues[number]
	if in.bad || q == nil || !s.blocked(q, dedupBlock{place: at, size: uint32(size), until: until}, replaced) {
		return "a block of deduplication entries that can't be decoded"
	}
	return ""
}
