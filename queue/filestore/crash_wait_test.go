package filestore_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/fifo"
	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/filestore"
	"github.com/restantemq/restante/queue/filestore/internal/disk/crashdisk"
	"github.com/restantemq/restante/standard"
)

// An answer is a call under way.
type answer struct {
	done chan error
	err  error
}

func ask(call func() error) *answer {
	a := &answer{done: make(chan error, 1)}
	go func() { a.done <- call() }()
	return a
}

// came reports whether the call has returned, once nothing moves any more.
func (a *answer) came() bool {
	synctest.Wait()
	if a.done == nil {
		return true
	}
	select {
	case a.err = <-a.done:
		a.done = nil
		return true
	default:
		return false
	}
}

// A Send, a Delete and a queue's creation don't answer while the sync that
// covers them is under way, nor does an answer that leans on one of them.
func TestAnswersWaitForTheSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		d := crashdisk.New()
		st, err := openStore(filestore.LoseNothing).open(ctx, d)
		require.NoError(t, err)
		q, err := fifo.Open(ctx, st, queue.Config{Name: "orders.fifo"})
		require.NoError(t, err)
		m := queue.Message{Body: "withdraw 10", GroupID: "account", DeduplicationID: "once"}

		release := d.HoldSyncs()
		first := ask(func() error { _, err := q.Send(ctx, m); return err })
		assert.False(t, first.came(), "a Send answered before the sync ended")
		second := ask(func() error {
			sent, err := q.Send(ctx, m)
			assert.True(t, sent.Duplicate)
			return err
		})
		assert.False(t, second.came(), "a duplicate Send answered before the original was synced")
		release()
		require.True(t, first.came() && second.came(), "no answer after the sync")
		require.NoError(t, errors.Join(first.err, second.err))

		got, err := q.Receive(ctx, queue.ReceiveOptions{})
		require.NoError(t, err)
		require.Len(t, got, 1)
		release = d.HoldSyncs()
		first = ask(func() error { return q.Delete(ctx, got[0].Receipt) })
		assert.False(t, first.came(), "a Delete answered before the sync ended")
		second = ask(func() error { return q.Delete(ctx, got[0].Receipt) })
		batch := ask(func() error { return q.DeleteBatch(ctx, []queue.Receipt{got[0].Receipt}) })
		assert.False(t, second.came() || batch.came(), "a second Delete answered before the first was synced")
		release()
		require.True(t, first.came() && second.came() && batch.came(), "no answer after the sync")
		require.NoError(t, errors.Join(first.err, second.err, batch.err))

		// A repeated create may be refused at once, as somebody has the queue.
		release = d.HoldSyncs()
		create := func() error { _, err := st.Attach(ctx, "new", queue.Standard); return err }
		first = ask(create)
		assert.False(t, first.came(), "a queue was there before the sync ended")
		second = ask(create)
		if second.came() {
			assert.ErrorIs(t, second.err, queue.ErrStoreLocked, "a repeated create answered before the queue was synced")
		}
		release()
		require.True(t, first.came() && second.came(), "no answer after the sync")
		assert.NoError(t, first.err)
		assert.ErrorIs(t, second.err, queue.ErrStoreLocked)
		require.NoError(t, errors.Join(q.Close(), st.Close()))
	})
}

// A create whose caller gave up while it was synced: whoever tries again gets the
// queue when it is durable, not before.
func TestCreateAfterAnAbandonedOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := crashdisk.New()
		st, err := openStore(filestore.LoseNothing).open(t.Context(), d)
		require.NoError(t, err)
		release := d.HoldSyncs()
		first := ask(func() error {
			q, err := standard.Open(t.Context(), st, queue.Config{Name: "new"})
			if err == nil {
				err = q.Close()
			}
			return err
		})
		assert.False(t, first.came())
		other := ask(func() error { _, err := st.Attach(t.Context(), "other", queue.FIFO); return err })
		assert.False(t, other.came(), "another queue was there before its sync")
		assert.Empty(t, lostQueues(t, d, "new", "other"), "a sync that is held makes nothing durable")
		release()
		require.True(t, first.came() && other.came())
		require.NoError(t, errors.Join(first.err, other.err))
		assert.Len(t, lostQueues(t, d, "new", "other"), 2)
		require.NoError(t, st.Close())
	})
}

// lostQueues returns the numbers of the queues that a crash leaves, by their
// having a number below that of one that is made then.
func lostQueues(t *testing.T, d *crashdisk.Disk, names ...string) (there []uint64) {
	t.Helper()
	st, err := openStore(filestore.LoseNothing).open(t.Context(), d.Crash(crashdisk.Choice{Mode: crashdisk.Lost}))
	require.NoError(t, err)
	marker, err := st.Attach(t.Context(), "marker", queue.Standard)
	require.NoError(t, err)
	for _, name := range names {
		kind := queue.Standard
		if name == "other" {
			kind = queue.FIFO
		}
		r, err := st.Attach(t.Context(), name, kind)
		require.NoError(t, err)
		if r.Queue < marker.Queue {
			there = append(there, r.Queue)
		}
	}
	require.NoError(t, st.Close())
	return there
}

// Receive waits for its count to be written, and not for a sync that somebody
// else waits for.
func TestReceiveDoesNotWaitForASync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		d := crashdisk.New()
		st, err := openStore(filestore.LoseNothing).open(ctx, d)
		require.NoError(t, err)
		q, err := standard.Open(ctx, st, queue.Config{Name: "work"})
		require.NoError(t, err)
		_, err = q.Send(ctx, queue.Message{Body: "x"})
		require.NoError(t, err)

		release := d.HoldSyncs()
		sending := ask(func() error { _, err := q.Send(ctx, queue.Message{Body: "y"}); return err })
		require.False(t, sending.came())
		require.Positive(t, d.Holding(), "a sync is under way")
		receiving := ask(func() error {
			got, err := q.Receive(ctx, queue.ReceiveOptions{})
			assert.Len(t, got, 1)
			return err
		})
		assert.True(t, receiving.came(), "a Receive waits for a sync")
		require.NoError(t, receiving.err)

		// The count survives the process.
		again, err := openStore(filestore.LoseNothing).open(ctx, d.Crash(crashdisk.Choice{Mode: crashdisk.Restart}))
		require.NoError(t, err)
		r, err := again.Attach(ctx, "work", queue.Standard)
		require.NoError(t, err)
		records, err := again.Load(ctx, r.Queue, 0, r.Next, nil)
		require.NoError(t, err)
		require.NotEmpty(t, records)
		assert.Equal(t, uint32(1), records[0].Receives)

		release()
		require.True(t, sending.came())
		require.NoError(t, errors.Join(sending.err, q.Close(), st.Close()))
	})
}

// Callers that wait at the same time share a sync.
func TestSyncsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		d := crashdisk.New()
		syncs := 0
		st, err := openStore(filestore.LoseNothing).open(ctx, d)
		require.NoError(t, err)
		q, err := standard.Open(ctx, st, queue.Config{Name: "work"})
		require.NoError(t, err)
		d.Before(func(op crashdisk.Op) crashdisk.Fault {
			if op.Kind == crashdisk.Sync {
				syncs++ // the syncs of a segment come one after the other
			}
			return crashdisk.Fault{}
		})
		release := d.HoldSyncs()
		var sends []*answer
		for range 50 {
			sends = append(sends, ask(func() error { _, err := q.Send(ctx, queue.Message{Body: "x"}); return err }))
		}
		synctest.Wait()
		release()
		for _, s := range sends {
			require.True(t, s.came())
			require.NoError(t, s.err)
		}
		assert.LessOrEqual(t, syncs, 3, "syncs for 50 senders at once")
		require.NoError(t, errors.Join(q.Close(), st.Close()))
	})
}

// LoseLastSecond answers when the operating system has the change, and a second
// later it is safe.
func TestLoseLastSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		d := crashdisk.New()
		o := openStore(filestore.LoseLastSecond)
		st, err := o.open(ctx, d)
		require.NoError(t, err)
		r, err := st.Attach(ctx, "work", queue.Standard)
		require.NoError(t, err)
		record := queue.Record{Seq: 1, ID: queue.MessageID{1}, Message: queue.Message{Body: "x"}, SentAt: 1}
		time.Sleep(5 * time.Second)

		release := d.HoldSyncs()
		c, err := st.Append(&queue.Batch{Now: 1, Changes: []queue.Change{{Queue: r.Queue, Insert: []queue.Record{record}}}})
		require.NoError(t, err)
		waiting := ask(func() error { return st.Wait(c, queue.Durable) })
		assert.True(t, waiting.came(), "the answer does not wait for a sync")
		require.NoError(t, waiting.err)
		release()

		count := func(m crashdisk.Mode) int {
			again, err := o.open(ctx, d.Crash(crashdisk.Choice{Mode: m}))
			require.NoError(t, err)
			r, err := again.Attach(ctx, "work", queue.Standard)
			require.NoError(t, err)
			records, err := again.Load(ctx, r.Queue, 0, 10, nil)
			require.NoError(t, err)
			return len(records)
		}
		assert.Equal(t, 1, count(crashdisk.Restart), "a crash of the process loses nothing")
		time.Sleep(1100 * time.Millisecond)
		assert.Equal(t, 1, count(crashdisk.Lost), "nor does one of the machine, a second later")
		require.NoError(t, st.Close())
	})
}
