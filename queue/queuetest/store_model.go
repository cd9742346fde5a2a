package queuetest

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"maps"
	"slices"

	"github.com/restantemq/restante/queue"
)

// A storeModel is what a store keeps of a sequence of batches: the contract of
// [queue.Store] written as plainly as it can be.
type storeModel struct {
	queues map[string]*storedQueue // by name
	meta   map[string]string
	now    int64 // the latest Batch.Now
}

// A storedQueue is one queue of a storeModel.
type storedQueue struct {
	key     [16]byte
	changed bool   // by a batch: if that survives, the queue does
	next    uint64 // above every number ever inserted
	records map[uint64]queue.Record
	dedup   map[[16]byte]queue.Dedup
	spans   map[uint64]timeSpan // by first number of a run of PageSize
}

// A timeSpan has the extreme times of all records that were ever inserted in a
// run, also of those that are gone: between these and the times of those that
// are left a store chooses its bounds.
type timeSpan struct{ minSentAt, maxDueAt int64 }

// A storedBatch is a batch that a store was given, and of which queues: numbers
// may change when the store is opened again.
type storedBatch struct {
	commit queue.Commit
	batch  *queue.Batch // a copy
	of     []queueName  // of each change
}

// A queueName is what a queue keeps for its life. Of two queues of one name,
// the first of which was dropped, the key is different.
type queueName struct {
	name string
	key  [16]byte
}

func newStoreModel() *storeModel {
	return &storeModel{queues: map[string]*storedQueue{}, meta: map[string]string{}}
}

func newStoredQueue(key [16]byte) *storedQueue {
	return &storedQueue{
		key: key, next: 1,
		records: map[uint64]queue.Record{},
		dedup:   map[[16]byte]queue.Dedup{},
		spans:   map[uint64]timeSpan{},
	}
}

func (m *storeModel) clone() *storeModel {
	c := &storeModel{queues: map[string]*storedQueue{}, meta: maps.Clone(m.meta), now: m.now}
	for name, q := range m.queues {
		copied := *q
		copied.records = maps.Clone(q.records)
		copied.dedup = maps.Clone(q.dedup)
		copied.spans = maps.Clone(q.spans)
		c.queues[name] = &copied
	}
	return c
}

// apply changes m as the contract says that b changes a store.
func (m *storeModel) apply(b *storedBatch) {
	m.now = max(m.now, b.batch.Now)
	for i := range b.batch.Changes {
		m.change(b.of[i], &b.batch.Changes[i])
	}
	for _, v := range b.batch.Meta {
		if v.Value == nil {
			delete(m.meta, v.Name)
		} else {
			m.meta[v.Name] = string(v.Value)
		}
	}
}

func (m *storeModel) change(of queueName, c *queue.Change) {
	if c.Drop {
		delete(m.queues, of.name)
		return
	}
	q := m.queues[of.name]
	if q == nil || q.key != of.key {
		q = newStoredQueue(of.key)
		m.queues[of.name] = q
	}
	q.changed = true
	if c.Clear {
		clear(q.records)
		clear(q.dedup)
	}
	for _, r := range c.Insert {
		q.insert(r)
	}
	for _, seq := range c.Remove {
		delete(q.records, seq)
	}
	for _, t := range c.Touch {
		if r, ok := q.records[t.Seq]; ok {
			r.Receives, r.FirstReceivedAt = t.Receives, t.FirstReceivedAt
			q.records[t.Seq] = r
		}
	}
	for _, e := range c.Dedup {
		q.dedup[e.Key] = e
	}
}

func (q *storedQueue) insert(r queue.Record) {
	q.records[r.Seq] = r
	q.next = r.Seq + 1
	s, ok := q.spans[firstOfRun(r.Seq)]
	if !ok {
		s.minSentAt = r.SentAt
	}
	q.spans[firstOfRun(r.Seq)] = timeSpan{min(s.minSentAt, r.SentAt), max(s.maxDueAt, r.DueAt)}
}

func firstOfRun(seq uint64) uint64 { return (seq-1)/queue.PageSize*queue.PageSize + 1 }

// seqs returns the numbers of the live records in [from, to), in order.
func (q *storedQueue) seqs(from, to uint64) []uint64 {
	var seqs []uint64
	for seq := range q.records {
		if from <= seq && seq < to {
			seqs = append(seqs, seq)
		}
	}
	slices.Sort(seqs)
	return seqs
}

// checkRecords compares what Load returned for [from, to) with q.
func (q *storedQueue) checkRecords(got []queue.Record, from, to uint64) error {
	want := q.seqs(from, to)
	for i := range got {
		switch seq := got[i].Seq; {
		case i > 0 && seq <= got[i-1].Seq:
			return fmt.Errorf("Load has record %d after record %d; want them in order", seq, got[i-1].Seq)
		case i == len(want) || seq < want[i]:
			return fmt.Errorf("Load has record %d, which is not in the queue: %s", seq, seqText(want))
		case seq > want[i]:
			return fmt.Errorf("Load has no record %d, but record %d; want %s", want[i], seq, seqText(want))
		}
		r := q.records[want[i]]
		if diff := diffRecord(&got[i], &r); diff != "" {
			return fmt.Errorf("record %d: %s", want[i], diff)
		}
	}
	if len(got) < len(want) {
		return fmt.Errorf("Load has %d records, the next would be record %d; want %s", len(got), want[len(got)], seqText(want))
	}
	return nil
}

// diffRecord tells how got differs from want, or returns "". The delay of a
// message may be left out, because DueAt has its end.
func diffRecord(got, want *queue.Record) string {
	if got.Delay != want.Delay && got.Delay != 0 {
		return fmt.Sprintf("Delay is %v; want %v", got.Delay, want.Delay)
	}
	for _, f := range []struct {
		name      string
		got, want string
	}{
		{"Body", got.Body, want.Body},
		{"Attributes", got.Attributes.Encoded(), want.Attributes.Encoded()},
		{"GroupID", got.GroupID, want.GroupID},
		{"DeduplicationID", got.DeduplicationID, want.DeduplicationID},
		{"TraceHeader", got.TraceHeader, want.TraceHeader},
		{"DeadLetterSource", got.DeadLetterSource, want.DeadLetterSource},
		{"DeadLetterReason", got.DeadLetterReason, want.DeadLetterReason},
	} {
		if f.got != f.want {
			return fmt.Sprintf("%s is %s; want %s", f.name, brief(f.got), brief(f.want))
		}
	}
	for _, f := range []struct {
		name      string
		got, want any
	}{
		{"Seq", got.Seq, want.Seq},
		{"ID", got.ID, want.ID},
		{"SentAt", got.SentAt, want.SentAt},
		{"DueAt", got.DueAt, want.DueAt},
		{"FirstReceivedAt", got.FirstReceivedAt, want.FirstReceivedAt},
		{"Receives", got.Receives, want.Receives},
	} {
		if f.got != f.want {
			return fmt.Sprintf("%s is %v; want %v", f.name, f.got, f.want)
		}
	}
	return ""
}

// brief shows a text, or if it is long how it begins and what it is.
func brief(s string) string {
	if len(s) <= 80 {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf("%.40q... (%d bytes, MD5 %x)", s, len(s), md5.Sum([]byte(s)))
}

// seqText shows sequence numbers, of many the first and the last.
func seqText(seqs []uint64) string {
	if len(seqs) <= 12 {
		return fmt.Sprint(seqs)
	}
	return fmt.Sprintf("%v ... %v (%d records)", seqs[:6], seqs[len(seqs)-3:], len(seqs))
}

// checkRecovery compares what Attach returned with q; now is the store's.
func (q *storedQueue) checkRecovery(rec *queue.Recovery, now int64) error {
	if rec.Next < q.next {
		return fmt.Errorf("Recovery.Next is %d; want at least %d, above every number ever inserted", rec.Next, q.next)
	}
	if rec.Now != now {
		return fmt.Errorf("Recovery.Now is %d; want %d, the latest Batch.Now", rec.Now, now)
	}
	if err := q.checkPages(rec.Pages); err != nil {
		return err
	}
	return q.checkDedup(rec.Dedup, now)
}

func (q *storedQueue) checkPages(got []queue.PageInfo) error {
	want, bounds := q.pages()
	for i, p := range got {
		switch {
		case i > 0 && p.First <= got[i-1].First:
			return fmt.Errorf("Recovery.Pages has the run from %d after that from %d; want them in order", p.First, got[i-1].First)
		case i == len(want) || p.First < want[i].First:
			return fmt.Errorf("Recovery.Pages has %+v, where no record is live; empty runs are left out", p)
		case p.First > want[i].First:
			return fmt.Errorf("Recovery.Pages lacks %+v", want[i])
		case p.Live != want[i].Live || p.Bytes != want[i].Bytes:
			return fmt.Errorf("Recovery.Pages has %+v; want %d Live with %d Bytes", p, want[i].Live, want[i].Bytes)
		case p.MinSentAt > want[i].MinSentAt || p.MinSentAt < bounds[i].minSentAt:
			return fmt.Errorf("Recovery.Pages has %+v; want MinSentAt between %d, the earliest there ever was in that run, and %d, the earliest there is",
				p, bounds[i].minSentAt, want[i].MinSentAt)
		case p.MaxDueAt < want[i].MaxDueAt || p.MaxDueAt > bounds[i].maxDueAt:
			return fmt.Errorf("Recovery.Pages has %+v; want MaxDueAt between %d, the latest there is, and %d, the latest there ever was in that run",
				p, want[i].MaxDueAt, bounds[i].maxDueAt)
		}
	}
	if len(got) < len(want) {
		return fmt.Errorf("Recovery.Pages lacks %+v", want[len(got)])
	}
	return nil
}

// pages returns the runs with live records in order, with exact times, and the
// times that ever were in each.
func (q *storedQueue) pages() (pages []queue.PageInfo, bounds []timeSpan) {
	byFirst := map[uint64]queue.PageInfo{}
	for seq, r := range q.records {
		first := firstOfRun(seq)
		p, ok := byFirst[first]
		if !ok {
			p = queue.PageInfo{First: first, MinSentAt: r.SentAt}
		}
		p.Live++
		p.Bytes += int64(r.Size())
		p.MinSentAt = min(p.MinSentAt, r.SentAt)
		p.MaxDueAt = max(p.MaxDueAt, r.DueAt)
		byFirst[first] = p
	}
	for _, first := range slices.Sorted(maps.Keys(byFirst)) {
		pages = append(pages, byFirst[first])
		bounds = append(bounds, q.spans[first])
	}
	return pages, bounds
}

// checkDedup compares deduplication entries. Those whose time has come by the
// store's clock may be missing.
func (q *storedQueue) checkDedup(got []queue.Dedup, now int64) error {
	seen := map[[16]byte]bool{}
	for _, e := range got {
		want, ok := q.dedup[e.Key]
		switch {
		case !ok:
			return fmt.Errorf("Recovery.Dedup has %s, which is not in the queue", dedupText(e))
		case e != want:
			return fmt.Errorf("Recovery.Dedup has %s; want %s", dedupText(e), dedupText(want))
		case seen[e.Key]:
			return fmt.Errorf("Recovery.Dedup has %s twice", dedupText(e))
		}
		seen[e.Key] = true
	}
	for _, key := range slices.SortedFunc(maps.Keys(q.dedup), func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) }) {
		if e := q.dedup[key]; !seen[key] && e.Until > now {
			return fmt.Errorf("Recovery.Dedup lacks %s; it is %d", dedupText(e), now)
		}
	}
	return nil
}

func dedupText(e queue.Dedup) string {
	return fmt.Sprintf("{key %x, number %d, until %d}", e.Key, e.Seq, e.Until)
}

// empty reports whether nothing of a queue has to be there.
func (q *storedQueue) empty() bool { return q == nil || !q.changed }

// checkMeta compares the named values.
func (m *storeModel) checkMeta(got map[string][]byte) error {
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if want, ok := m.meta[name]; !ok {
			return fmt.Errorf("Meta has %s, which was never set or was removed", brief(name))
		} else if string(got[name]) != want {
			return fmt.Errorf("Meta has %s as %s; want %s", brief(name), brief(string(got[name])), brief(want))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.meta)) {
		if _, ok := got[name]; !ok {
			return fmt.Errorf("Meta lacks %s; want %s", brief(name), brief(m.meta[name]))
		}
	}
	return nil
}
