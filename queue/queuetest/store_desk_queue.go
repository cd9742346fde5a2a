package queuetest

import (
	"fmt"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

// A storeQueue is one attached queue of a desk.
type storeQueue struct {
	d      *storeDesk
	name   string
	kind   queue.Kind
	number uint64
	key    [16]byte
	next   uint64 // number of the next record
}

// record makes the record of that number.
func (q *storeQueue) record(seq uint64) queue.Record {
	r := queue.Record{Seq: seq, SentAt: q.d.clock + 1}
	copy(r.ID[:], fmt.Sprintf("%s %014d", q.name[:1], seq))
	r.Body = fmt.Sprintf("%s, record %d", q.name, seq)
	return r
}

// records makes the next n records.
func (q *storeQueue) records(n int) []queue.Record {
	rs := make([]queue.Record, 0, n)
	for range n {
		rs = append(rs, q.record(q.next))
		q.next++
	}
	return rs
}

// insertion is a change that inserts the next n records.
func (q *storeQueue) insertion(n int) queue.Change {
	return queue.Change{Queue: q.number, Insert: q.records(n)}
}

// removal is a change that removes those numbers.
func (q *storeQueue) removal(seqs ...uint64) queue.Change {
	return queue.Change{Queue: q.number, Remove: seqs}
}

// insert makes the next n records durable.
func (q *storeQueue) insert(n int) {
	q.d.Helper()
	q.d.commit(q.insertion(n))
}

// insertAt makes records of those numbers durable.
func (q *storeQueue) insertAt(seqs ...uint64) {
	q.d.Helper()
	c := queue.Change{Queue: q.number}
	for _, seq := range seqs {
		c.Insert = append(c.Insert, q.record(seq))
		q.next = seq + 1
	}
	q.d.commit(c)
}

// remove makes the removal of those numbers durable.
func (q *storeQueue) remove(seqs ...uint64) {
	q.d.Helper()
	q.d.commit(q.removal(seqs...))
}

// load returns the records in [from, to).
func (q *storeQueue) load(from, to uint64) []queue.Record {
	q.d.Helper()
	got, err := q.d.st.Load(q.d.ctx, q.number, from, to, nil)
	q.d.noError(err, "Load of %d to %d", from, to)
	return got
}

// loads asserts what Load returns for [from, to).
func (q *storeQueue) loads(from, to uint64, want ...uint64) {
	q.d.Helper()
	got := []uint64{}
	for _, r := range q.load(from, to) {
		got = append(got, r.Seq)
	}
	if !slices.Equal(got, want) {
		q.d.fatalf("Load from %d to %d has the records %s; want %s", from, to, seqText(got), seqText(want))
	}
}

// has asserts which records are in the queue.
func (q *storeQueue) has(want ...uint64) {
	q.d.Helper()
	q.loads(1, q.end(), want...)
}

// end is above every number that was ever used.
func (q *storeQueue) end() uint64 { return q.next + 4*queue.PageSize }

// recovery attaches q again and returns what the store tells.
func (q *storeQueue) recovery() *queue.Recovery {
	q.d.Helper()
	q.d.st.Detach(q.number)
	rec, err := q.d.st.Attach(q.d.ctx, q.name, q.kind)
	q.d.noError(err, "Attach of %s after Detach", brief(q.name))
	q.number = rec.Queue
	return rec
}

// dedup asserts which deduplication entries the queue has.
func (q *storeQueue) dedup(want ...queue.Dedup) {
	q.d.Helper()
	require.ElementsMatch(q.d, want, q.recovery().Dedup, "Recovery.Dedup")
}
