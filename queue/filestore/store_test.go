package filestore

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/queuetest"
)

// A bench is a store under test beside an obviously correct one.
type bench struct {
	t       *testing.T
	rand    *rand.Rand
	dir     string
	options Options
	store   *Store
	model   *queuetest.MemStore
	queues  []*benchQueue
	now     int64
}

type benchQueue struct {
	name   string
	number uint64 // the same in both
	next   uint64
	live   []uint64
}

func newBench(t *testing.T, seed uint64, o Options) *bench {
	b := &bench{t: t, rand: rand.New(rand.NewPCG(seed, 1)), dir: t.TempDir(), options: o, model: queuetest.NewMemStore(), now: 1_700_000_000_000}
	b.open()
	return b
}

func (b *bench) open() {
	b.t.Helper()
	s, err := Open(b.t.Context(), b.dir, b.options)
	require.NoError(b.t, err)
	s.limits = limits{entries: 500, stale: 50, dedups: 300, queueDedups: 100, pages: 256, clean: 1 << 20}
	s.spillAt = s.limits.queueDedups
	b.store = s
	b.t.Cleanup(func() { _ = s.Close() })
}

// attach attaches the queue of that name to both and compares what they tell.
func (b *bench) attach(name string) *benchQueue {
	b.t.Helper()
	got, err := b.store.Attach(b.t.Context(), name, queue.Standard)
	require.NoError(b.t, err)
	want, err := b.model.Attach(b.t.Context(), name, queue.Standard)
	require.NoError(b.t, err)
	for i := range got.Pages { // bounds
		require.LessOrEqual(b.t, got.Pages[i].MinSentAt, want.Pages[i].MinSentAt)
		require.GreaterOrEqual(b.t, got.Pages[i].MaxDueAt, want.Pages[i].MaxDueAt)
		want.Pages[i].MinSentAt, want.Pages[i].MaxDueAt = got.Pages[i].MinSentAt, got.Pages[i].MaxDueAt
	}
	want.Key = got.Key
	require.Equal(b.t, want, got)
	for _, q := range b.queues {
		if q.name == name {
			return q
		}
	}
	q := &benchQueue{name: name, number: got.Queue, next: got.Next}
	b.queues = append(b.queues, q)
	return q
}

func (b *bench) append(batch *queue.Batch) queue.Commit {
	b.t.Helper()
	c, err := b.store.Append(batch)
	require.NoError(b.t, err)
	_, err = b.model.Append(batch)
	require.NoError(b.t, err)
	return c
}

func (b *bench) wait(c queue.Commit) {
	b.t.Helper()
	require.NoError(b.t, b.store.Wait(c, queue.Durable))
}

// compare loads all of each queue from both.
func (b *bench) compare() {
	b.t.Helper()
	for _, q := range b.queues {
		b.compareRange(q, 0, q.next+1000)
	}
	got, err := b.store.Meta(b.t.Context())
	require.NoError(b.t, err)
	want, err := b.model.Meta(b.t.Context())
	require.NoError(b.t, err)
	require.Equal(b.t, want, got)
	checkAccounts(b.t, b.store)
}

func (b *bench) compareRange(q *benchQueue, from, to uint64) {
	b.t.Helper()
	got, err := b.store.Load(b.t.Context(), q.number, from, to, nil)
	require.NoError(b.t, err)
	want, err := b.model.Load(b.t.Context(), q.number, from, to, nil)
	require.NoError(b.t, err)
	require.Equal(b.t, len(want), len(got), "records of %q in [%d, %d)", q.name, from, to)
	for i := range want {
		require.Equal(b.t, want[i], got[i])
	}
}

// reopen closes the store, or leaves it as a killed process does, and opens it
// again.
func (b *bench) reopen(clean bool) {
	b.t.Helper()
	if clean {
		require.NoError(b.t, b.store.Close())
	} else {
		b.kill()
	}
	b.model = b.model.Reopen()
	b.open()
	for _, q := range b.queues {
		b.attach(q.name)
	}
}

// kill abandons the store after everything was written, as a killed process
// would.
func (b *bench) kill() {
	b.t.Helper()
	s := b.store
	s.mu.Lock()
	c := s.commit
	s.mu.Unlock()
	require.NoError(b.t, s.Wait(c, queue.Written))
	s.mu.Lock()
	s.fail(fmt.Errorf("killed"))
	s.mu.Unlock()
	_ = s.Close() // gives the lock back, and writes nothing
}

func (b *bench) record(seq uint64) queue.Record {
	r := queue.Record{Seq: seq, SentAt: b.now}
	for i := range r.ID {
		r.ID[i] = byte(b.rand.Uint32()) | 1
	}
	n := 1 + b.rand.IntN(200)
	if b.rand.IntN(50) == 0 {
		n = b.rand.IntN(20000)
	}
	r.Body = strings.Repeat(string(rune('a'+seq%26)), n)
	if b.rand.IntN(4) == 0 {
		r.DueAt = b.now + int64(b.rand.IntN(10000))
	}
	if b.rand.IntN(4) == 0 {
		r.GroupID, r.DeduplicationID = "group", fmt.Sprint("dedup", seq)
	}
	if b.rand.IntN(4) == 0 {
		r.Attributes = queue.NewAttributes(map[string]queue.Value{"a": queue.String("x"), "b": queue.Binary([]byte{0, 1})})
	}
	if b.rand.IntN(10) == 0 {
		r.TraceHeader, r.DeadLetterSource, r.DeadLetterReason = "trace", "source", "reason"
		r.Receives, r.FirstReceivedAt, r.Delay = 3, b.now-5, 7
	}
	return r
}

// step makes one random change of one or two queues.
func (b *bench) step() {
	batch := &queue.Batch{Now: b.now}
	b.now += int64(b.rand.IntN(50))
	for range 1 + b.rand.IntN(2) {
		q := b.queues[b.rand.IntN(len(b.queues))]
		if slices.ContainsFunc(batch.Changes, func(c queue.Change) bool { return c.Queue == q.number }) {
			continue
		}
		batch.Changes = append(batch.Changes, b.change(q))
	}
	if b.rand.IntN(20) == 0 {
		batch.Meta = []queue.Meta{{Name: fmt.Sprint(b.rand.IntN(5)), Value: []byte(fmt.Sprint(b.now))}}
	}
	if b.rand.IntN(40) == 0 {
		batch.Meta = []queue.Meta{{Name: fmt.Sprint(b.rand.IntN(5))}}
	}
	c := b.append(batch)
	if b.rand.IntN(4) == 0 {
		b.wait(c)
	}
}

func (b *bench) change(q *benchQueue) queue.Change {
	c := queue.Change{Queue: q.number}
	if b.rand.IntN(400) == 0 {
		c.Clear = true
		q.live = nil
	}
	if b.rand.IntN(2) == 0 {
		for range 1 + b.rand.IntN(10) {
			q.next += uint64(b.rand.IntN(3) / 2)
			c.Insert = append(c.Insert, b.record(q.next))
			q.live = append(q.live, q.next)
			q.next++
		}
	}
	limit := 3
	if len(q.live) > 2000 {
		limit = 40
	}
	for range b.rand.IntN(limit + 1) {
		if len(q.live) > 0 {
			i := b.rand.IntN(len(q.live))
			if b.rand.IntN(3) > 0 {
				i = b.rand.IntN(min(len(q.live), 20))
			}
			c.Remove = append(c.Remove, q.live[i])
			if b.rand.IntN(10) > 0 { // else it is removed again later
				q.live = slices.Delete(q.live, i, i+1)
			}
		}
	}
	for range b.rand.IntN(3) {
		if len(q.live) > 0 {
			seq := q.live[b.rand.IntN(len(q.live))]
			c.Touch = append(c.Touch, queue.Touch{Seq: seq, Receives: uint32(b.now-1_700_000_000_000) + 10, FirstReceivedAt: b.now})
		}
	}
	for range b.rand.IntN(3) {
		d := queue.Dedup{Seq: q.next, Until: b.now + int64(b.rand.IntN(20000))}
		d.Key[0], d.Key[1] = byte(b.rand.Uint32()), byte(b.rand.Uint32())
		c.Dedup = append(c.Dedup, d)
	}
	return c
}

func TestStoreIsLikeTheModel(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, seed, Options{SegmentSize: minSegmentSize << (seed % 3)})
			for _, name := range []string{"a", "b", "c"} {
				b.attach(name)
			}
			for i := range 3000 {
				b.step()
				if i%100 == 0 {
					q := b.queues[b.rand.IntN(len(b.queues))]
					from := b.rand.Uint64N(q.next)
					b.compareRange(q, from, from+b.rand.Uint64N(600))
				}
				if b.rand.IntN(300) == 0 {
					b.compare()
					b.reopen(b.rand.IntN(2) == 0)
					b.compare()
				}
			}
			b.compare()
			assert.Less(t, b.store.size, int64(100<<20))
		})
	}
}

// checkAccounts compares what the store counts with what there is.
func checkAccounts(t *testing.T, s *Store) {
	t.Helper()
	live := map[uint32]int64{}
	var bytes, records int64
	var pages, stale, entries, dedups int
	old := new(block)
	pageOf := func(p *page, withLive bool) {
		bytes += p.bytes
		if p.block != 0 {
			live[p.block.epoch()] += int64(p.blockSize)
			require.NoError(t, s.readBlock(p.block, p.blockSize, old))
		}
		sum := int64(0)
		for i := range queue.PageSize {
			slot := uint8(i)
			var e entry
			switch {
			case withLive && p.live.has(slot):
				e = p.locate(slot, old)
			case p.change != nil && p.change.stale.has(slot):
				e = old.entries[slot]
			default:
				continue
			}
			sum += int64(e.size)
			live[e.place.epoch()] += int64(e.disk)
		}
		require.Equal(t, sum, p.bytes, "bytes of page %d", p.first)
		if p.change != nil {
			stale += p.change.stale.count()
			entries += cap(p.change.entries)
		}
	}
	for _, q := range s.queues {
		n := int64(0)
		for _, p := range q.pages {
			if p.live != (bitmap{}) {
				pageOf(p, true)
				pages++
				n += int64(p.live.count())
			}
		}
		require.Equal(t, n, q.records)
		records += n
		dedups += len(q.dedup)
		for _, d := range q.dedupBlocks {
			live[d.place.epoch()] += int64(d.size)
		}
	}
	for _, p := range s.orphans {
		pageOf(p, false)
	}
	var size int64
	for epoch, g := range s.segments {
		require.Equal(t, live[epoch], g.live, "what is needed of segment %d", epoch)
		size += g.size
		delete(live, epoch)
	}
	require.Empty(t, live)
	require.Equal(t, []int64{bytes, records, size}, []int64{s.bytes, s.records, s.size}, "bytes, records, size")
	require.Equal(t, []int{pages, stale, entries, dedups}, []int{s.pages, s.stale, s.entries, s.dedups}, "pages, stale, entries, dedups")
}
