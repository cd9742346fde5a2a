package queuetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

// memTest is a MemStore with one queue attached.
type memTest struct {
	*testing.T
	*MemStore
	number uint64
}

func newMemTest(t *testing.T) *memTest {
	m := &memTest{t, NewMemStore(), 0}
	m.number = m.attach(m.MemStore).Queue
	return m
}

func (m *memTest) attach(s *MemStore) *queue.Recovery {
	m.Helper()
	r, err := s.Attach(context.Background(), "q", queue.Standard)
	require.NoError(m, err)
	return r
}

func (m *memTest) insert(seqs ...uint64) queue.Commit {
	m.Helper()
	c, err := m.Append(m.batch(seqs...))
	require.NoError(m, err)
	return c
}

func (m *memTest) batch(seqs ...uint64) *queue.Batch {
	c := queue.Change{Queue: m.number}
	for _, seq := range seqs {
		r := queue.Record{Seq: seq, ID: queue.MessageID{1}, SentAt: int64(1000 + seq)}
		r.Body = "body"
		c.Insert = append(c.Insert, r)
	}
	return &queue.Batch{Now: int64(1000 + len(seqs)), Changes: []queue.Change{c}}
}

// live returns the numbers in s, which must not be attached.
func (m *memTest) live(s *MemStore) []uint64 {
	m.Helper()
	rec := m.attach(s)
	defer s.Detach(rec.Queue)
	records, err := s.Load(context.Background(), rec.Queue, 1, rec.Next, nil)
	require.NoError(m, err)
	seqs := []uint64{}
	for _, r := range records {
		seqs = append(seqs, r.Seq)
	}
	return seqs
}

func TestMemStoreRecovers(t *testing.T) {
	m := newMemTest(t)
	m.insert(1, 2, 256, 257)
	b := &queue.Batch{Now: 5000, Changes: []queue.Change{{
		Queue:  m.number,
		Remove: []uint64{2, 99},
		Touch:  []queue.Touch{{Seq: 1, Receives: 3, FirstReceivedAt: 4000}},
		Dedup:  []queue.Dedup{{Key: [16]byte{1}, Until: 5000}, {Key: [16]byte{2}, Until: 5001}},
	}}, Meta: []queue.Meta{{Name: "a", Value: []byte("x")}}}
	_, err := m.Append(b)
	require.NoError(t, err)

	s := m.Reopen()
	rec := m.attach(s)
	require.Equal(t, uint64(258), rec.Next)
	require.Equal(t, int64(5000), rec.Now)
	require.Equal(t, []queue.PageInfo{
		{First: 1, Live: 2, Bytes: 8, MinSentAt: 1001},
		{First: 257, Live: 1, Bytes: 4, MinSentAt: 1257},
	}, rec.Pages)
	require.Equal(t, []queue.Dedup{{Key: [16]byte{2}, Until: 5001}}, rec.Dedup)
	records, err := s.Load(context.Background(), rec.Queue, 1, 2, nil)
	require.NoError(t, err)
	require.Equal(t, uint32(3), records[0].Receives)
	meta, err := s.Meta(context.Background())
	require.NoError(t, err)
	require.Equal(t, map[string][]byte{"a": []byte("x")}, meta)
}

func TestMemStoreCrashForgetsWhatDidNotReachTheLevel(t *testing.T) {
	m := newMemTest(t)
	require.NoError(t, m.Wait(m.insert(1), queue.Durable))
	require.NoError(t, m.Wait(m.insert(2), queue.Written))
	m.insert(3)
	m.insert(4)
	require.Equal(t, 3, m.Pending())
	kept := m.CrashKeeping(2)
	require.Equal(t, []uint64{1, 2, 3}, m.live(kept))
	require.Equal(t, []uint64{1, 2}, m.live(m.Crash(queue.Written)))
	require.Equal(t, []uint64{1}, m.live(m.Crash(queue.Durable)))

	_, err := m.Append(m.batch(5))
	require.ErrorIs(t, err, queue.ErrStoreFailed)
	_, err = m.Load(context.Background(), m.number, 1, 9, nil)
	require.ErrorIs(t, err, queue.ErrStoreFailed)
}

func TestMemStoreHoldParksAndSharesOneSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemTest(t)
		m.SetLatency(time.Second)
		m.Hold(queue.Durable)
		begin := time.Now()
		var done sync.WaitGroup
		for seq := range uint64(5) {
			c := m.insert(seq + 1)
			require.NoError(t, m.Wait(c, queue.Written))
			done.Go(func() {
				if err := m.Wait(c, queue.Durable); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		m.ReleaseOldest(2)
		synctest.Wait()
		require.Equal(t, 3, m.Pending())
		m.Release()
		done.Wait()
		require.Equal(t, 1, m.Syncs())
		require.Equal(t, time.Second, time.Since(begin))
	})
}

func TestMemStoreFailedSyncPoisons(t *testing.T) {
	m := newMemTest(t)
	m.FailAfter(1)
	first := m.insert(1)
	require.NoError(t, m.Wait(first, queue.Durable))
	second := m.insert(2)
	err := m.Wait(second, queue.Durable)
	require.ErrorIs(t, err, queue.ErrUncertain)
	require.ErrorIs(t, err, queue.ErrStoreFailed)
	_, err = m.Append(m.batch(3))
	require.ErrorIs(t, err, queue.ErrStoreFailed)
	require.False(t, errors.Is(err, queue.ErrUncertain))
	require.NoError(t, m.Wait(first, queue.Durable))
	records, err := m.Load(context.Background(), m.number, 1, 9, nil)
	require.NoError(t, err)
	require.Len(t, records, 2)
	require.Equal(t, []uint64{1}, m.live(m.Reopen()))
}

func TestMemStoreFullRefusesOnlyInserts(t *testing.T) {
	m := newMemTest(t)
	m.insert(1)
	m.SetFull(true)
	_, err := m.Append(m.batch(2))
	require.ErrorIs(t, err, queue.ErrStoreFull)
	_, err = m.Append(&queue.Batch{Changes: []queue.Change{{Queue: m.number, Remove: []uint64{1}}}})
	require.NoError(t, err)
	m.SetFull(false)
	m.insert(2)
	require.Equal(t, []uint64{2}, m.live(m.Reopen()))
}

func TestMemStoreReleasesParkedCallersInACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemTest(t)
		m.Hold(queue.Written)
		c := m.insert(1)
		failed := make(chan error, 1)
		go func() { failed <- m.Wait(c, queue.Written) }()
		synctest.Wait()
		m.Crash(queue.Durable)
		require.ErrorIs(t, <-failed, queue.ErrUncertain)
	})
}

func TestMemStoreClaims(t *testing.T) {
	ctx := context.Background()
	m := newMemTest(t)
	_, err := m.Attach(ctx, "q", queue.Standard)
	require.ErrorIs(t, err, queue.ErrStoreLocked)
	_, err = m.Attach(ctx, "q", queue.FIFO)
	require.ErrorIs(t, err, queue.ErrNotForThisQueue)
	m.Detach(m.number)
	require.Equal(t, m.number, m.attach(m.MemStore).Queue)
	require.NoError(t, m.Close())
	require.ErrorIs(t, m.Close(), queue.ErrClosed)
	_, err = m.Meta(ctx)
	require.ErrorIs(t, err, queue.ErrClosed)
}

func TestMemStorePanicsWhenTheEngineIsWrong(t *testing.T) {
	wrong := map[string]func(m *memTest){
		"number repeated":   func(m *memTest) { m.insert(1) },
		"number falls":      func(m *memTest) { m.insert(3, 2) },
		"detached queue":    func(m *memTest) { m.Detach(m.number); m.insert(2) },
		"unknown queue":     func(m *memTest) { m.number++; m.insert(2) },
		"future commit":     func(m *memTest) { _ = m.Wait(2, queue.Durable) },
		"detached twice":    func(m *memTest) { m.Detach(m.number); m.Detach(m.number) },
		"receive count low": func(m *memTest) { m.touch(2); m.touch(1) },
	}
	for name, act := range wrong {
		t.Run(name, func(t *testing.T) {
			m := newMemTest(t)
			m.insert(1)
			require.Panics(t, func() { act(m) })
		})
	}
}

func (m *memTest) touch(receives uint32) {
	_, _ = m.Append(&queue.Batch{Changes: []queue.Change{{
		Queue: m.number,
		Touch: []queue.Touch{{Seq: 1, Receives: receives}},
	}}})
}
