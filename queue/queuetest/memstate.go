package queuetest

import (
	"cmp"
	"maps"
	"slices"

	"github.com/restantemq/restante/queue"
)

// memState is the state that a prefix of a [MemStore]'s batches makes.
type memState struct {
	queues map[uint64]*memQueue
	meta   map[string][]byte
	next   uint64 // number of the next queue
	now    int64  // the latest Batch.Now
}

// memQueue is one queue of a memState.
type memQueue struct {
	name    string
	kind    queue.Kind
	key     [16]byte
	next    uint64 // above every number inserted
	records map[uint64]*queue.Record
	dedup   map[[16]byte]queue.Dedup
}

func newMemState() memState {
	return memState{queues: map[uint64]*memQueue{}, meta: map[string][]byte{}, next: 1}
}

func (s *memState) clone() memState {
	c := memState{queues: map[uint64]*memQueue{}, meta: cloneMeta(s.meta), next: s.next, now: s.now}
	for number, q := range s.queues {
		c.queues[number] = q.clone()
	}
	return c
}

func (s *memState) number(name string) (uint64, bool) {
	for number, q := range s.queues {
		if q.name == name {
			return number, true
		}
	}
	return 0, false
}

func (s *memState) create(name string, kind queue.Kind, key [16]byte) uint64 {
	number := s.next
	s.createAs(number, &memQueue{
		name: name, kind: kind, key: key, next: 1,
		records: map[uint64]*queue.Record{},
		dedup:   map[[16]byte]queue.Dedup{},
	})
	return number
}

// createAs adds q. A queue of the same name can be there if its drop is not
// durable yet; the creation came later and implies it.
func (s *memState) createAs(number uint64, q *memQueue) {
	if old, ok := s.number(q.name); ok {
		delete(s.queues, old)
	}
	s.queues[number] = q
	s.next = number + 1
}

// check panics if b can't follow on s: the engine that made it is broken.
func (s *memState) check(b *queue.Batch) {
	for i := range b.Changes {
		c := &b.Changes[i]
		q := s.queues[c.Queue]
		if q == nil {
			panicf("batch changes queue %d, which does not exist", c.Queue)
		}
		q.check(c)
	}
}

func (q *memQueue) check(c *queue.Change) {
	next := q.next
	for i := range c.Insert {
		r := &c.Insert[i]
		if r.Seq < next {
			panicf("queue %q: inserted number %d after %d", q.name, r.Seq, next-1)
		}
		if r.ID == (queue.MessageID{}) {
			panicf("queue %q: record %d has no ID", q.name, r.Seq)
		}
		next = r.Seq + 1
	}
	for _, t := range c.Touch {
		if t.Seq == 0 || t.Seq >= next {
			panicf("queue %q: touched number %d, which was never inserted", q.name, t.Seq)
		}
		if r := q.records[t.Seq]; r != nil && !c.Clear && t.Receives < r.Receives {
			panicf("queue %q: receive count of number %d falls from %d to %d", q.name, t.Seq, r.Receives, t.Receives)
		}
	}
}

// apply changes s by b, which check has passed. It keeps references into b.
func (s *memState) apply(b *queue.Batch) {
	s.now = max(s.now, b.Now)
	for i := range b.Changes {
		s.applyChange(&b.Changes[i])
	}
	for _, m := range b.Meta {
		if m.Value == nil {
			delete(s.meta, m.Name)
		} else {
			s.meta[m.Name] = m.Value
		}
	}
}

func (s *memState) applyChange(c *queue.Change) {
	if c.Drop {
		delete(s.queues, c.Queue)
		return
	}
	q := s.queues[c.Queue]
	if q == nil {
		return // dropped: see createAs
	}
	if c.Clear {
		clear(q.records)
		clear(q.dedup)
	}
	for i := range c.Insert {
		r := c.Insert[i] // a copy: the two states of a store touch theirs separately
		q.records[r.Seq] = &r
		q.next = r.Seq + 1
	}
	for _, seq := range c.Remove {
		delete(q.records, seq)
	}
	for _, t := range c.Touch {
		if r := q.records[t.Seq]; r != nil {
			r.Receives, r.FirstReceivedAt = t.Receives, t.FirstReceivedAt
		}
	}
	for _, d := range c.Dedup {
		q.dedup[d.Key] = d
	}
}

func (q *memQueue) clone() *memQueue {
	c := *q
	c.records = make(map[uint64]*queue.Record, len(q.records))
	for seq, r := range q.records {
		copied := *r
		c.records[seq] = &copied
	}
	c.dedup = maps.Clone(q.dedup)
	return &c
}

// sequences returns the numbers of the live records in [from, to), in order.
func (q *memQueue) sequences(from, to uint64) []uint64 {
	var seqs []uint64
	if to-from < uint64(len(q.records)) && from < to {
		for seq := from; seq < to; seq++ {
			if q.records[seq] != nil {
				seqs = append(seqs, seq)
			}
		}
		return seqs
	}
	for seq := range q.records {
		if from <= seq && seq < to {
			seqs = append(seqs, seq)
		}
	}
	slices.Sort(seqs)
	return seqs
}

func (q *memQueue) recovery(number uint64, now int64) *queue.Recovery {
	r := &queue.Recovery{Queue: number, Key: q.key, Next: q.next, Now: now}
	for _, seq := range q.sequences(0, q.next) {
		first := (seq-1)/queue.PageSize*queue.PageSize + 1
		if n := len(r.Pages); n == 0 || r.Pages[n-1].First != first {
			r.Pages = append(r.Pages, queue.PageInfo{First: first})
		}
		addToPage(&r.Pages[len(r.Pages)-1], q.records[seq])
	}
	for _, d := range q.dedup {
		if d.Until > now {
			r.Dedup = append(r.Dedup, d)
		}
	}
	slices.SortFunc(r.Dedup, func(a, b queue.Dedup) int {
		return cmp.Or(cmp.Compare(a.Seq, b.Seq), slices.Compare(a.Key[:], b.Key[:]))
	})
	return r
}

func addToPage(p *queue.PageInfo, r *queue.Record) {
	if p.Live == 0 || r.SentAt < p.MinSentAt {
		p.MinSentAt = r.SentAt
	}
	p.MaxDueAt = max(p.MaxDueAt, r.DueAt)
	p.Live++
	p.Bytes += int64(r.Size())
}
