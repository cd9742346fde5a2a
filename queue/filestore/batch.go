package filestore

import (
	"fmt"
	"math"

	"github.com/restantemq/restante/queue"
)

// The parts of a batch frame's payload, after the time. Each begins with one of
// these.
const (
	createPart = iota + 1 // a new queue: number, name, kind, key
	changePart            // a queue.Change: number, what is there, and that
	metaPart              // a named value: name, whether there is one, value
)

// What a changePart has.
const (
	hasDrop = 1 << iota
	hasClear
	hasInsert
	hasRemove
	hasTouch
	hasDedup

	knownChanges = 1<<iota - 1
)

// encodeBatch encodes the payload of a batch frame. It appends to sizes what each
// record takes.
func encodeBatch(b []byte, batch *queue.Batch, sizes *[]uint32) []byte {
	b = appendVarint(b, batch.Now)
	for i := range batch.Changes {
		b = encodeChange(b, &batch.Changes[i], batch.Now, sizes)
	}
	for _, m := range batch.Meta {
		b = append(b, metaPart)
		b = appendText(b, m.Name)
		b = appendFlag(b, m.Value != nil)
		b = appendText(b, string(m.Value))
	}
	return b
}

func encodeChange(b []byte, c *queue.Change, now int64, sizes *[]uint32) []byte {
	b = append(b, changePart)
	b = appendUvarint(b, c.Queue)
	if c.Drop {
		return append(b, hasDrop)
	}
	at := len(b)
	b = append(b, 0)
	var has byte
	if c.Clear {
		has |= hasClear
	}
	if len(c.Insert) > 0 {
		has |= hasInsert
		b = appendUvarint(b, uint64(len(c.Insert)))
		before := uint64(0)
		for i := range c.Insert {
			b = appendUvarint(b, c.Insert[i].Seq-before)
			start := len(b)
			b = appendRecord(b, &c.Insert[i])
			*sizes = append(*sizes, uint32(len(b)-start))
			before = c.Insert[i].Seq
		}
	}
	if len(c.Remove) > 0 {
		has |= hasRemove
		b = appendUvarint(b, uint64(len(c.Remove)))
		before := uint64(0)
		for _, seq := range c.Remove {
			b = appendVarint(b, int64(seq-before))
			before = seq
		}
	}
	if len(c.Touch) > 0 {
		has |= hasTouch
		b = appendUvarint(b, uint64(len(c.Touch)))
		before := uint64(0)
		for _, t := range c.Touch {
			b = appendVarint(b, int64(t.Seq-before))
			b = appendUvarint(b, uint64(t.Receives))
			b = appendVarint(b, t.FirstReceivedAt-now)
			before = t.Seq
		}
	}
	if len(c.Dedup) > 0 {
		has |= hasDedup
		b = appendUvarint(b, uint64(len(c.Dedup)))
		b = encodeDedup(b, c.Dedup)
	}
	b[at] = has
	return b
}

// encodeCreation encodes the payload of a batch frame that makes a queue.
func encodeCreation(b []byte, now int64, number uint64, name string, kind queue.Kind, key [16]byte) []byte {
	b = appendVarint(b, now)
	b = append(b, createPart)
	b = appendUvarint(b, number)
	b = appendText(b, name)
	b = append(b, byte(kind))
	return append(b, key[:]...)
}

// recordSize is the least that an encoded record takes, with its number.
const recordSize = 20

// A recordVisitor is handed the number of a record, and in which reads past it.
type recordVisitor func(in *input, queueNumber, seq uint64)

// replayBatch applies the payload of the batch frame at that place. It reports
// what is wrong with it, or "".
func (s *state) replayBatch(in *input, at place) string {
	now := in.varint()
	s.now = max(s.now, now)
	for in.more() {
		switch in.byte() {
		case createPart:
			number, name, kind, key := in.uvarint(), string(in.bytes()), queue.Kind(in.byte()), in.key()
			if in.bad || number < s.next || s.names[name] != nil {
				return "a queue is made that can't be new"
			}
			s.create(number, name, kind, key)
		case changePart:
			if wrong := s.replayChange(in, at, now); wrong != "" {
				return wrong
			}
		case metaPart:
			name, present, value := string(in.bytes()), in.byte(), in.bytes()
			if present == 0 {
				s.setMeta(name, nil)
			} else {
				s.setMeta(name, append([]byte{}, value...))
			}
		default:
			return "an unknown part of a batch"
		}
	}
	if in.bad {
		return "a batch that can't be decoded"
	}
	return ""
}

func (s *state) replayChange(in *input, at place, now int64) string {
	number, has := in.uvarint(), in.byte()
	q := s.queues[number]
	if in.bad || q == nil || has > knownChanges {
		return fmt.Sprintf("a change of queue %d, which does not exist", number)
	}
	if has&hasDrop != 0 {
		s.drop(q)
		return ""
	}
	if has&hasClear != 0 {
		s.clear(q)
	}
	if has&hasInsert != 0 {
		seq := uint64(0)
		for range in.count(recordSize) {
			seq += in.uvarint()
			r := in.summary()
			if in.bad || seq < q.next || seq == math.MaxUint64 {
				return fmt.Sprintf("record %d of queue %d, whose next is %d", seq, number, q.next)
			}
			s.insert(q, seq, at, &r)
		}
	}
	if has&hasRemove != 0 {
		seq := uint64(0)
		for range in.count(1) {
			seq += uint64(in.varint())
			s.remove(q, seq)
		}
	}
	if has&hasTouch != 0 {
		seq := uint64(0)
		for range in.count(3) {
			seq += uint64(in.varint())
			receives := in.number()
			first := now + in.varint()
			s.touch(q, seq, receives, first)
		}
	}
	if has&hasDedup != 0 {
		var d queue.Dedup
		for range in.count(dedupSize) {
			d = in.dedup(d)
			s.remember(q, d)
		}
	}
	return ""
}

// visitBatch hands on the records that a batch frame inserts.
func (in *input) visitBatch(visit recordVisitor) {
	in.varint()
	for in.more() {
		switch in.byte() {
		case createPart:
			in.uvarint()
			in.bytes()
			in.byte()
			in.key()
		case metaPart:
			in.bytes()
			in.byte()
			in.bytes()
		case changePart:
			in.visitChange(visit)
		default:
			in.fail()
		}
	}
}

func (in *input) visitChange(visit recordVisitor) {
	number, has := in.uvarint(), in.byte()
	if has&hasInsert != 0 {
		seq := uint64(0)
		for range in.count(recordSize) {
			seq += in.uvarint()
			visit(in, number, seq)
			if in.bad {
				return
			}
		}
	}
	if has&hasRemove != 0 {
		for range in.count(1) {
			in.uvarint()
		}
	}
	if has&hasTouch != 0 {
		for range in.count(3) {
			in.uvarint()
			in.uvarint()
			in.uvarint()
		}
	}
	if has&hasDedup != 0 {
		var d queue.Dedup
		for range in.count(dedupSize) {
			d = in.dedup(d)
		}
	}
}
