package payload_test

import (
	"context"
	"io"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/payload"
	"github.com/restantemq/restante/standard"
)

func collect(t *testing.T, b payload.Blobs, o payload.CollectOptions, queues ...queue.Queue) payload.Collected {
	t.Helper()
	o.Bucket = "bucket"
	found, err := payload.Collect(t.Context(), b, o, queues...)
	require.NoError(t, err)
	return found
}

func put(t *testing.T, b payload.Blobs, keys ...string) {
	t.Helper()
	for _, key := range keys {
		require.NoError(t, b.Put(t.Context(), payload.Pointer{Bucket: "bucket", Key: key}, "orphan"))
	}
}

// Collect removes what no message points to, in whatever state messages are, in
// the queues it is given and in their dead-letter queues.
func TestCollect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blobs := payload.NewMemory()
		last := newStandard(t, queue.Config{Name: "last"})
		dead := newStandard(t, queue.Config{Name: "dead", DeadLetter: queue.DeadLetter{Target: last, MaxReceives: 5}})
		source := newStandard(t, queue.Config{Name: "source", DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 5}})
		q, letters := wrap(t, source, blobs, always), wrap(t, dead, blobs, always)
		send(t, q, "twice dead")
		require.NoError(t, q.DeadLetter(t.Context(), one(t, q).Receipt, ""))
		require.NoError(t, letters.DeadLetter(t.Context(), one(t, letters).Receipt, ""))
		send(t, q, "dead")
		require.NoError(t, q.DeadLetter(t.Context(), one(t, q).Receipt, ""))
		send(t, q, "in flight")
		one(t, q)
		send(t, q, "visible")
		_, err := q.Send(t.Context(), queue.Message{Body: "delayed", Delay: queue.MaxDelay})
		require.NoError(t, err)
		used := list(t, blobs)
		require.Len(t, used, 5)

		put(t, blobs, "orphan 2", "orphan 1")
		require.Equal(t, payload.Collected{Young: 7}, collect(t, blobs, payload.CollectOptions{}, q), "a day is the least")
		time.Sleep(25 * time.Hour)
		put(t, blobs, "young")
		found := collect(t, blobs, payload.CollectOptions{DryRun: true}, q)
		require.Equal(t, 1, found.Young)
		require.Equal(t, 5, found.Used)
		require.Len(t, found.Orphans, 2)
		require.Equal(t, "orphan 1", found.Orphans[0].Key)
		require.EqualValues(t, 6, found.Orphans[0].Size)
		require.Len(t, list(t, blobs), 8, "a dry run removes nothing")

		require.Equal(t, found, collect(t, blobs, payload.CollectOptions{}, q))
		require.Len(t, list(t, blobs), 6)
		require.Subset(t, list(t, blobs), used)
		found = collect(t, blobs, payload.CollectOptions{MinAge: queue.None}, source)
		require.Len(t, found.Orphans, 1)
		require.Equal(t, used, list(t, blobs), "it makes no difference whether the queue is wrapped")
	})
}

// What expires or is purged leaves blobs, which Collect finds.
func TestCollectAfterExpiryAndPurge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blobs := payload.NewMemory()
		inner := newStandard(t, queue.Config{Retention: time.Hour})
		q := wrap(t, inner, blobs, always)
		send(t, q, "expires")
		time.Sleep(2 * time.Hour)
		send(t, q, "purged")
		require.NoError(t, inner.Purge(t.Context()))
		send(t, q, "stays")
		time.Sleep(time.Minute)
		require.Len(t, collect(t, blobs, payload.CollectOptions{MinAge: time.Minute}, q).Orphans, 2)
		require.Equal(t, "stays", one(t, q).Body)
	})
}

// With a prefix for each, queues that share a bucket are collected one by one.
func TestCollectByPrefix(t *testing.T) {
	blobs := payload.NewMemory()
	var queues []*payload.Queue
	for _, prefix := range []string{"eu/", "us/"} {
		queues = append(queues, wrap(t, newStandard(t, queue.Config{}), blobs, payload.Options{Bucket: "bucket", Prefix: prefix, Always: true}))
		send(t, queues[len(queues)-1], "body")
	}
	put(t, blobs, "eu/orphan", "us/orphan")
	found := collect(t, blobs, payload.CollectOptions{Prefix: "eu/", MinAge: queue.None}, queues[0])
	require.Len(t, found.Orphans, 1)
	require.Equal(t, 1, found.Used)
	require.Len(t, list(t, blobs), 3)
}

// A pointer counts in any form, also if the message has lost its mark.
func TestCollectSeesEveryPointer(t *testing.T) {
	blobs := payload.NewMemory()
	inner := newStandard(t, queue.Config{})
	put(t, blobs, "key", "other")
	for _, form := range []string{javaForm, pythonLegacyForm, "hello", `["`} {
		send(t, inner, form)
	}
	require.Len(t, collect(t, blobs, payload.CollectOptions{MinAge: queue.None}, inner).Orphans, 1)
	require.Equal(t, []string{"key"}, list(t, blobs))
}

// Whenever something can't be looked at, nothing is removed.
func TestCollectRefuses(t *testing.T) {
	memory := payload.NewMemory()
	put(t, memory, "orphan")
	broken := &brokenBlobs{Blobs: memory, trouble: func(call, _ string) *fault {
		if call == "list" {
			return &fault{err: io.ErrUnexpectedEOF}
		}
		return nil
	}}
	good := newStandard(t, queue.Config{})
	closed := newStandard(t, queue.Config{})
	require.NoError(t, closed.Close())
	now := payload.CollectOptions{Bucket: "bucket", MinAge: queue.None}
	for _, c := range []struct {
		name   string
		b      payload.Blobs
		o      payload.CollectOptions
		queues []queue.Queue
		want   error
	}{
		{"no queues", memory, now, nil, queue.ErrMissingParameter},
		{"no bucket", memory, payload.CollectOptions{MinAge: queue.None}, []queue.Queue{good}, queue.ErrMissingParameter},
		{"a negative age", memory, payload.CollectOptions{Bucket: "bucket", MinAge: -2}, []queue.Queue{good}, queue.ErrInvalidParameter},
		{"a queue that can't be looked into", memory, now, []queue.Queue{good, remoteQueue{good}}, queue.ErrUnsupported},
		{"a closed queue", memory, now, []queue.Queue{good, closed}, queue.ErrClosed},
		{"a list that breaks off", broken, now, []queue.Queue{good}, io.ErrUnexpectedEOF},
	} {
		found, err := payload.Collect(t.Context(), c.b, c.o, c.queues...)
		require.ErrorIs(t, err, c.want, c.name)
		require.Zero(t, found, c.name)
		require.Len(t, list(t, memory), 1, c.name)
	}

	found, err := payload.Collect(t.Context(), memory, now, unreadableQueue{good})
	require.ErrorIs(t, err, queue.ErrStoreCorrupt, "a message that can't be read may point to anything")
	require.Zero(t, found)
	require.Len(t, list(t, memory), 1)

	broken.trouble = func(call, about string) *fault {
		if call == "delete" && about == "orphan" {
			return &fault{err: io.ErrClosedPipe}
		}
		return nil
	}
	put(t, memory, "orphan 2")
	found, err = payload.Collect(t.Context(), broken, now, good)
	require.ErrorIs(t, err, io.ErrClosedPipe)
	require.Len(t, found.Orphans, 2)
	require.Equal(t, []string{"orphan"}, list(t, memory), "the other one is removed")
}

// A message that moves against the order in which queues are looked at is seen
// all the same.
func TestCollectSeesWhatMovesBack(t *testing.T) {
	blobs := payload.NewMemory()
	dead := newStandard(t, queue.Config{Name: "dead"})
	source := newStandard(t, queue.Config{Name: "source", DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 1}})
	q := wrap(t, source, blobs, always)
	send(t, q, "body")
	require.NoError(t, q.DeadLetter(t.Context(), one(t, q).Receipt, ""))
	behind := movedAfterwards{source, func() {
		_, _, err := dead.Redrive(t.Context(), 0, dead.NextPosition(), 10, func(string) (queue.Adopter, error) { return source, nil })
		require.NoError(t, err)
	}}
	require.Empty(t, collect(t, blobs, payload.CollectOptions{MinAge: queue.None}, behind).Orphans)
	require.Equal(t, "body", one(t, q).Body)
}

// movedAfterwards lets something happen as soon as the queue was looked at.
type movedAfterwards struct {
	*standard.Queue
	then func()
}

func (q movedAfterwards) Peek(ctx context.Context) iter.Seq2[queue.Peeked, error] {
	return func(yield func(queue.Peeked, error) bool) {
		defer q.then()
		q.Queue.Peek(ctx)(yield)
	}
}

// unreadableQueue has a message that its store can't read back.
type unreadableQueue struct{ *standard.Queue }

func (unreadableQueue) Stats(context.Context) (queue.Stats, error) {
	return queue.Stats{Unreadable: 1}, nil
}

// Queues go on while Collect runs: it removes the blob of no message, however
// many are sent, received, set aside and deleted meanwhile.
func TestCollectWhileQueuesWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blobs := payload.NewMemory()
		dead := newStandard(t, queue.Config{Name: "dead"})
		source := newStandard(t, queue.Config{Name: "source", DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 2}})
		q, letters := wrap(t, source, blobs, always), wrap(t, dead, blobs, always)
		done := make(chan struct{})
		work := func(step func(n int)) {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				case <-time.After(time.Duration(n%7+1) * time.Second):
					step(n)
				}
			}
		}
		for range 4 { // each ends when done is closed, and the bubble waits for it
			go work(func(n int) { send(t, q, "body") })
			go work(func(n int) {
				for _, d := range receive(t, q) {
					switch n % 3 {
					case 0:
						require.NoError(t, q.Delete(t.Context(), d.Receipt))
					case 1:
						require.NoError(t, q.DeadLetter(t.Context(), d.Receipt, ""))
					}
				}
			})
			go work(func(n int) {
				for _, d := range receive(t, letters) {
					if n%2 == 0 {
						require.NoError(t, letters.Delete(t.Context(), d.Receipt))
					}
				}
				if n%5 == 0 {
					_, _, err := dead.Redrive(t.Context(), 0, dead.NextPosition(), 10, func(string) (queue.Adopter, error) { return source, nil })
					require.NoError(t, err)
				}
			})
		}
		total := 0
		for range 200 {
			put(t, blobs, "orphan")
			time.Sleep(13 * time.Second)
			total += len(collect(t, blobs, payload.CollectOptions{MinAge: 10 * time.Second}, q, letters).Orphans)
		}
		close(done)
		synctest.Wait()
		noneWithoutBlob(t, blobs, source, dead)
		require.GreaterOrEqual(t, total, 200)
	})
}
