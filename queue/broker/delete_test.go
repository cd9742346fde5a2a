package broker_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/queuetest"
)

// A queue whose deletion the store did not record is neither there nor gone: nobody
// gets it as if it were, and its tasks have failed.
func TestFailedDeletion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := queuetest.NewMemStore()
		b := openOver(t, st)
		source, handle := moveSlowly(t, b)
		time.Sleep(2500 * time.Millisecond)
		st.Fail()
		require.ErrorIs(t, b.DeleteQueue(t.Context(), "dead"), queue.ErrStoreFailed)
		for range 2 {
			wantTask(t, b, source, broker.Failed, 2)
			q, err := b.CreateQueue(t.Context(), "dead", nil)
			require.ErrorIs(t, err, queue.ErrStoreFailed)
			require.Nil(t, q)
			q, err = b.Create(t.Context(), "dead", queue.Config{})
			require.ErrorIs(t, err, queue.ErrStoreFailed)
			require.Nil(t, q)
			time.Sleep(time.Minute)
		}
		_, err := b.CancelMoveTask(t.Context(), handle)
		require.ErrorIs(t, err, queue.ErrInvalidParameter)
		_ = b.Close() // its store has failed

		b = openOver(t, st.Crash(queue.Durable))
		_, err = b.GetQueue("dead")
		require.NoError(t, err)
		require.NoError(t, b.Close())
	})
}

// That a queue is gone is more than that it was purged a moment ago.
func TestPurgeOfADeletedQueue(t *testing.T) {
	b := broker.New(broker.Options{EnforceCooldowns: true})
	q := mustCreate(t, b, "q", nil)
	require.NoError(t, q.Purge(t.Context()))
	require.ErrorIs(t, q.Purge(t.Context()), broker.ErrPurgeInProgress)
	require.NoError(t, b.DeleteQueue(t.Context(), "q"))
	require.ErrorIs(t, q.Purge(t.Context()), queue.ErrQueueDeleted)
	require.NoError(t, b.Close())
	require.ErrorIs(t, q.Purge(t.Context()), queue.ErrClosed)
}
