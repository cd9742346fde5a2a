package filestore

import (
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/filestore/internal/disk/crashdisk"
)

// openWith opens a store on an empty disk, with a queue.
func openWith(t *testing.T, o Options) (*crashdisk.Disk, *Store, uint64) {
	t.Helper()
	d := crashdisk.New()
	s, err := open(t.Context(), d, o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return d, s, attachTo(t, s, "q").Queue
}

func attachTo(t *testing.T, s *Store, name string) *queue.Recovery {
	t.Helper()
	r, err := s.Attach(t.Context(), name, queue.Standard)
	require.NoError(t, err)
	return r
}

// commit appends one batch and waits for it.
func commit(t *testing.T, s *Store, b queue.Batch, l queue.Level) {
	t.Helper()
	c, err := s.Append(&b)
	require.NoError(t, err)
	require.NoError(t, s.Wait(c, l))
}

// insert sends n records from number first on as one batch.
func insert(t *testing.T, s *Store, q, first uint64, n, size int) {
	t.Helper()
	c := queue.Change{Queue: q}
	for i := range uint64(n) {
		c.Insert = append(c.Insert, queue.Record{Seq: first + i, Message: queue.Message{Body: strings.Repeat("x", size)}, SentAt: 1000})
	}
	commit(t, s, queue.Batch{Now: 1000, Changes: []queue.Change{c}}, queue.Durable)
}

// A queue that is purged while a page of it is settled leaves nothing hopeless.
func TestPurgeWhileSettling(t *testing.T) {
	const n = 2000
	d, s, q := openWith(t, Options{SegmentSize: minSegmentSize})
	s.limits.entries = 100
	for i := uint64(1); i <= n; i += 10 {
		insert(t, s, q, i, 10, 1000)
	}
	purged := false
	d.Before(func(op crashdisk.Op) crashdisk.Fault {
		if op.Kind == crashdisk.Read && !purged {
			purged = true
			_, err := s.Append(&queue.Batch{Changes: []queue.Change{{Queue: q, Clear: true}}})
			assert.NoError(t, err)
		}
		return crashdisk.Fault{}
	})
	for i := uint64(1); i <= n && !purged; i++ {
		remove(t, s, q, i)
	}
	require.True(t, purged)
	for i := uint64(n + 1); i <= n+100; i++ {
		insert(t, s, q, i, 1, 1000)
		remove(t, s, q, i)
	}
	assert.Zero(t, s.hopeless)
	assert.LessOrEqual(t, d.Used(), int64(3*minSegmentSize))
	checkAccounts(t, s)
}

// Segments are emptied however large they are.
func TestLargeSegmentsAreCleaned(t *testing.T) {
	const n, size = 140, 512 << 10
	d, s, q := openWith(t, Options{SegmentSize: 1 << 20})
	insert(t, s, q, 1, n, size) // in a segment of 70 MiB
	for i := uint64(0); i < n-1; i += 20 {
		var some []uint64
		for seq := i + 1; seq <= i+20 && seq < n; seq++ {
			some = append(some, seq)
		}
		remove(t, s, q, some...)
	}
	insert(t, s, q, n+1, 1, 1)
	assert.LessOrEqual(t, d.Used(), int64(6<<20)) // as two such records don't share a segment
	checkAccounts(t, s)
}

// That a few large records are gone shows among many small ones.
func TestLargeAmongSmall(t *testing.T) {
	const n, size = 64, 64 << 10
	d, s, large := openWith(t, Options{SegmentSize: 1 << 20})
	tiny := attachTo(t, s, "tiny").Queue
	s.limits.entries = 32
	for i := range uint64(n) {
		insert(t, s, large, i+1, 1, size)
	}
	const others = 20000
	for i := uint64(1); i <= others; i += 1000 {
		insert(t, s, tiny, i, 1000, 1)
	}
	for i := uint64(1); i <= n; i++ {
		remove(t, s, large, i)
		limit := int64(n-i)*(size+64)*3/2 + others*(1+64)*3/2 + 3<<20
		require.LessOrEqual(t, d.Used(), limit, "after %d", i)
	}
	checkAccounts(t, s)
}

// What could not be reclaimed once does not count any more when it is gone.
func TestFutileFalls(t *testing.T) {
	_, s, q := openWith(t, Options{SegmentSize: minSegmentSize})
	insert(t, s, q, 1, 10, 1000)
	s.mu.Lock()
	s.futile = 1 << 30
	s.mu.Unlock()
	remove(t, s, q, 1)
	assert.Less(t, s.futile, int64(minSegmentSize))
}

// With LoseLastSecond there is a sync a second, not one after the other.
func TestLoseLastSecondSyncsOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s, q := openWith(t, Options{Sync: LoseLastSecond})
		syncs, next := 0, uint64(1)
		d.Before(func(op crashdisk.Op) crashdisk.Fault {
			if op.Kind == crashdisk.Sync {
				syncs++
				if syncs < 100 { // somebody writes during each sync
					next++
					insert(t, s, q, next, 1, 10)
				}
			}
			return crashdisk.Fault{}
		})
		insert(t, s, q, 1, 1, 10)
		time.Sleep(4 * time.Second)
		synctest.Wait()
		assert.LessOrEqual(t, syncs, 5)
		assert.GreaterOrEqual(t, syncs, 3)
		s.mu.Lock()
		syncs = 100
		s.mu.Unlock()
		require.NoError(t, s.Close())
	})
}

// What is written becomes durable although somebody writes all the time.
func TestSyncBesideAWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s, q := openWith(t, Options{})
		insert(t, s, q, 1, 1, 10)
		touch := queue.Batch{Changes: []queue.Change{{Queue: q, Touch: []queue.Touch{{Seq: 1, Receives: 2}}}}}
		first, err := s.Append(&touch)
		require.NoError(t, err)
		require.NoError(t, s.Wait(first, queue.Written))

		writing := make(chan struct{})
		d.Before(func(op crashdisk.Op) crashdisk.Fault {
			if op.Kind == crashdisk.Write {
				<-writing
			}
			return crashdisk.Fault{}
		})
		second, err := s.Append(&touch)
		require.NoError(t, err)
		var wrote, synced, last error = errors.New("not yet"), errors.New("not yet"), errors.New("not yet")
		go func() { wrote = s.Wait(second, queue.Written) }()
		synctest.Wait()
		go func() { last = s.Wait(second, queue.Durable) }()
		go func() { synced = s.Wait(first, queue.Durable) }()
		synctest.Wait()
		assert.NoError(t, synced, "it was written before")
		assert.Error(t, last, "it is not yet written")
		close(writing)
		synctest.Wait()
		assert.NoError(t, errors.Join(wrote, last))
		require.NoError(t, s.Close())
	})
}

// Moving a block of deduplication entries does not make one hold again that a
// later one of the same key replaced.
func TestDedupStaysReplaced(t *testing.T) {
	_, s, q := openWith(t, Options{})
	key := [16]byte{1}
	dedup := func(now int64, d ...queue.Dedup) {
		commit(t, s, queue.Batch{Now: now, Changes: []queue.Change{{Queue: q, Dedup: d}}}, queue.Durable)
	}
	dedup(1000, queue.Dedup{Key: key, Seq: 1, Until: 300_000})
	dedup(1010, queue.Dedup{Key: key, Seq: 2, Until: 1020})
	dedup(2000)
	s.mu.Lock()
	s.spill(s.queues[q])
	s.mu.Unlock()
	dedup(2000)
	at := s.queues[q].dedupBlocks[0]
	_, payload, err := s.frameAt(at.place, int64(at.size), nil)
	require.NoError(t, err)
	s.moveDedup(payload, at.place)
	dedup(2000)
	s.Detach(q)
	assert.Empty(t, attachTo(t, s, "q").Dedup)
}

// The oldest entries go when they have ended, also those in memory.
func TestDedupInMemoryExpires(t *testing.T) {
	_, s, q := openWith(t, Options{})
	d := []queue.Dedup{{Key: [16]byte{1}, Until: 1010}, {Key: [16]byte{2}, Until: 9000}, {Key: [16]byte{3}, Until: 1010}}
	commit(t, s, queue.Batch{Now: 2000, Changes: []queue.Change{{Queue: q, Dedup: d}}}, queue.Durable)
	s.expire()
	assert.Equal(t, d[1:], s.queues[q].dedup)
	checkAccounts(t, s)
}

// There is an end to the numbers.
func TestLoadTheLastNumber(t *testing.T) {
	_, s, q := openWith(t, Options{})
	insert(t, s, q, 1, 1, 10)
	insert(t, s, q, math.MaxUint64-1, 1, 10)
	got, err := s.Load(t.Context(), q, 0, math.MaxUint64, nil)
	require.NoError(t, err)
	assert.Len(t, got, 2)
	n := 0
	report := &QueueReport{Number: q}
	require.NoError(t, s.each(t.Context(), report, func(r []queue.Record) error { n += len(r); return nil }, &Report{}))
	assert.Equal(t, 2, n)
}

// After Close nothing is opened any more, and every method says so.
func TestNothingIsOpenAfterClose(t *testing.T) {
	_, s, q := openWith(t, Options{})
	insert(t, s, q, 1, 1, 10)
	f, err := s.disk.Open(segmentName(1))
	require.NoError(t, err)
	require.NoError(t, s.Close())
	_, err = s.handles.acquire(1)
	require.ErrorIs(t, err, queue.ErrClosed)
	s.handles.release(s.handles.add(1, f)) // of one who was about to
	assert.Empty(t, s.handles.open)
	require.ErrorIs(t, s.Wait(1, queue.Durable), queue.ErrClosed)
}

// A batch may not insert a number twice.
func TestNumbersRiseInABatch(t *testing.T) {
	_, s, q := openWith(t, Options{})
	change := queue.Change{Queue: q, Insert: []queue.Record{{Seq: 1}}}
	assert.Panics(t, func() { _, _ = s.Append(&queue.Batch{Changes: []queue.Change{change, change}}) })
}
