package filestore

// A copy frame has the records that the cleaner moved out of one segment, so
// that it can be recycled: the segment's epoch, and for each record its queue
// and number, its receives by then, and its encoding as it was.

func appendCopy(b []byte, queueNumber, seq uint64, e *entry, encoded []byte) []byte {
	b = appendUvarint(b, queueNumber)
	b = appendUvarint(b, seq)
	b = appendUvarint(b, uint64(e.receives))
	b = appendVarint(b, e.firstReceivedAt)
	return append(b, encoded...)
}

// replayCopies applies the payload of the copy frame at that place. It reports
// what is wrong with it, or "".
func (s *state) replayCopies(in *input, at place) string {
	from := in.number()
	if s.segments[from] == nil {
		return "records copied from a segment that does not exist"
	}
	for in.more() {
		number, seq := in.uvarint(), in.uvarint()
		receives, first := in.number(), in.varint()
		r := in.summary()
		if q := s.queues[number]; q != nil && !in.bad {
			r.receives, r.firstReceivedAt = receives, first
			s.moved(q, seq, from, at, &r)
		}
	}
	if in.bad {
		return "copied records that can't be decoded"
	}
	return ""
}

// visitCopies hands on the records of a copy frame.
func (in *input) visitCopies(visit recordVisitor) {
	in.uvarint()
	for in.more() {
		number, seq := in.uvarint(), in.uvarint()
		in.uvarint()
		in.varint()
		if in.bad {
			return
		}
		visit(in, number, seq)
	}
}

// visitRecords hands on the records of a frame. It reports whether the frame
// could be decoded.
func visitRecords(kind frameKind, payload []byte, visit recordVisitor) bool {
	in := &input{b: payload}
	switch kind {
	case batchFrame:
		in.visitBatch(visit)
	case copyFrame:
		in.visitCopies(visit)
	}
	return !in.bad
}
