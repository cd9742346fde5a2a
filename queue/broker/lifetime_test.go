package broker_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/queuetest"
)

// put puts a name into a store's catalogue, or removes it if value is nil.
func put(t *testing.T, st queue.Store, name string, value []byte) {
	t.Helper()
	commit, err := st.Append(&queue.Batch{Meta: []queue.Meta{{Name: name, Value: value}}})
	require.NoError(t, err)
	require.NoError(t, st.Wait(commit, queue.Durable))
}

// A program that creates its queues when it starts may do so each time, though it
// brings a Trace of its own.
func TestTraceIsOfTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := queuetest.NewMemStore()
		for range 2 {
			b := openOver(t, st)
			events := map[string]int{}
			traced := func(who string) queue.Config {
				return queue.Config{Delay: time.Second, Trace: &queue.Trace{Message: func(queue.Event) { events[who]++ }}}
			}
			q, err := b.Create(t.Context(), "q", traced("first"))
			require.NoError(t, err)
			again, err := b.Create(t.Context(), "q", traced("second"))
			require.NoError(t, err)
			require.Same(t, q, again)
			_, err = q.Send(t.Context(), queue.Message{Body: "x"})
			require.NoError(t, err)
			require.NotZero(t, events["first"])
			require.Zero(t, events["second"])
			require.NoError(t, b.Close())
		}
	})
}

// A broker that can't be opened has done nothing: the tasks that it came upon before
// what is damaged have not gone on.
func TestFailedOpenMovesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := queuetest.NewMemStore()
		b := openOver(t, st)
		source, _ := moveSlowly(t, b)
		require.NoError(t, b.Close())
		entries, err := st.Meta(t.Context())
		require.NoError(t, err)
		for name, value := range entries {
			if strings.HasPrefix(name, "task/") { // no pause before its first batch any more
				put(t, st, name, []byte(strings.Replace(string(value), `"PerSecond":1,`, `"PerSecond":0,`, 1)))
			}
		}
		const damaged = "task/999999999999/us-east-1/q/1"
		put(t, st, damaged, []byte(`{"Version":1,"From":[`+strings.Repeat("0,", 200_000)+`0]}`)) // takes a while to read
		before, err := st.Meta(t.Context())
		require.NoError(t, err)
		for range 5 {
			_, err = broker.OpenStore(t.Context(), st, broker.Options{})
			require.ErrorIs(t, err, queue.ErrStoreCorrupt)
			require.ErrorContains(t, err, damaged)
			after, err := st.Meta(t.Context())
			require.NoError(t, err)
			require.Equal(t, before, after)
		}

		put(t, st, damaged, nil)
		b = openOver(t, st)
		synctest.Wait()
		wantTask(t, b, source, broker.Completed, 5)
		require.NoError(t, b.Close())
	})
}

// A dated store notes the time of each batch that is of the catalogue alone.
type datedStore struct {
	*queuetest.MemStore
	dates []int64
}

func (st *datedStore) Append(b *queue.Batch) (queue.Commit, error) {
	if len(b.Changes) == 0 {
		st.dates = append(st.dates, b.Now)
	}
	return st.MemStore.Append(b)
}

// The catalogue has no clock: the time of its batches would become that of the
// queues, and a wall clock that was once wrong would expire their messages.
func TestCatalogueHasNoClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &datedStore{MemStore: queuetest.NewMemStore()}
		b := openOver(t, st)
		source, handle := moveSlowly(t, b)
		q, err := b.GetQueue("work")
		require.NoError(t, err)
		require.NoError(t, q.SetAttributes(t.Context(), map[string]string{"DelaySeconds": "1"}))
		require.NoError(t, q.Tag(t.Context(), map[string]string{"k": "v"}))
		require.NoError(t, q.AddPermission(t.Context(), "all", []string{"123456789012"}, []string{"*"}))
		time.Sleep(1500 * time.Millisecond)
		_, err = b.CancelMoveTask(t.Context(), handle)
		require.NoError(t, err)
		synctest.Wait()
		wantTask(t, b, source, broker.Cancelled, 1)
		require.NoError(t, b.Close())
		require.GreaterOrEqual(t, len(st.dates), 8)
		for _, date := range st.dates {
			require.Zero(t, date)
		}
	})
}
