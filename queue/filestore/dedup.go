package filestore

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/restantemq/restante/queue"
)

// A dedupBlock is a block of deduplication entries on disk. It is needed until
// the last of them has ended.
type dedupBlock struct {
	place place
	size  uint32 // of its frame
	until int64  // when its last entry ends, in ms
}

// remember adds deduplication entries to those in memory.
func (s *state) remember(q *queueState, d queue.Dedup) {
	q.dedup = append(q.dedup, d)
	s.dedups++
}

// blocked notes that the entries in memory are in a block now. If it replaces
// another one, they are not: the other's entries were moved there.
func (s *state) blocked(q *queueState, b dedupBlock, replaced place) bool {
	if replaced == 0 {
		q.dedupBlocks = append(q.dedupBlocks, b)
		s.dedups -= len(q.dedup)
		q.dedup = nil
		s.weigh(b.place, int64(b.size))
		return true
	}
	i := slices.IndexFunc(q.dedupBlocks, func(o dedupBlock) bool { return o.place == replaced })
	if i < 0 {
		return false
	}
	s.weigh(replaced, -int64(q.dedupBlocks[i].size))
	s.weigh(b.place, int64(b.size))
	q.dedupBlocks[i] = b
	return true
}

// expire forgets the oldest blocks, as long as their entries have all ended, and
// then the oldest entries in memory: one that has ended must not uncover an older
// entry of its key that has not. It is
// not in the log: whoever replays it does the same at its end.
func (s *state) expire() {
	for _, q := range s.queues {
		n := 0
		for n < len(q.dedupBlocks) && q.dedupBlocks[n].until <= s.now {
			s.weigh(q.dedupBlocks[n].place, -int64(q.dedupBlocks[n].size))
			n++
		}
		q.dedupBlocks = slices.Delete(q.dedupBlocks, 0, n)
		if n = 0; len(q.dedupBlocks) == 0 {
			for n < len(q.dedup) && q.dedup[n].Until <= s.now {
				n++
			}
		}
		q.dedup = slices.Delete(q.dedup, 0, n)
		s.dedups -= n
	}
}

// dedupRecovery returns those of the entries, which are in the order in which
// they were made, that hold at now: the latest of each key.
func dedupRecovery(entries []queue.Dedup, now int64) []queue.Dedup {
	latest := make(map[[16]byte]int, len(entries))
	var kept []queue.Dedup
	for _, d := range entries {
		if i, ok := latest[d.Key]; ok {
			kept[i] = d
			continue
		}
		latest[d.Key] = len(kept)
		kept = append(kept, d)
	}
	kept = slices.DeleteFunc(kept, func(d queue.Dedup) bool { return d.Until <= now })
	slices.SortFunc(kept, func(a, b queue.Dedup) int {
		return cmp.Or(cmp.Compare(a.Seq, b.Seq), bytes.Compare(a.Key[:], b.Key[:]))
	})
	return kept
}

// encodeDedup encodes entries, without their number.
func encodeDedup(b []byte, entries []queue.Dedup) []byte {
	var before queue.Dedup
	for _, d := range entries {
		b = append(b, d.Key[:]...)
		b = appendVarint(b, int64(d.Seq-before.Seq))
		b = appendVarint(b, d.Until-before.Until)
		before = d
	}
	return b
}

func (in *input) dedup(before queue.Dedup) queue.Dedup {
	return queue.Dedup{
		Key:   in.key(),
		Seq:   before.Seq + uint64(in.varint()),
		Until: before.Until + in.varint(),
	}
}

// dedupSize is the least that an encoded entry takes.
const dedupSize = 18

// encodeDedupBlock encodes the payload of a dedup frame.
func encodeDedupBlock(b []byte, queue uint64, replaced place, entries []queue.Dedup) []byte {
	b = appendUvarint(b, queue)
	b = appendUvarint(b, uint64(replaced))
	b = appendUvarint(b, uint64(len(entries)))
	return encodeDedup(b, entries)
}

// dedupBlock decodes the payload of a dedup frame. It hands on the entries, if
// each is not nil.
func (in *input) dedupBlock(each func(queue.Dedup)) (queueNumber uint64, replaced place, until int64) {
	queueNumber = in.uvarint()
	replaced = place(in.uvarint())
	var d queue.Dedup
	for range in.count(dedupSize) {
		d = in.dedup(d)
		until = max(until, d.Until)
		if each != nil {
			each(d)
		}
	}
	return queueNumber, replaced, until
}
