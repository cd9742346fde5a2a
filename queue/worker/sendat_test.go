package worker_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/worker"
)

// arrival sends a message for a time that far ahead, and returns how long it took to come.
func arrival(t *testing.T, q queue.Queue, m queue.Message, ahead time.Duration) time.Duration {
	t.Helper()
	start := time.Now()
	_, err := worker.SendAt(t.Context(), q, m, start.Add(ahead))
	require.NoError(t, err)
	for {
		got, err := q.Receive(t.Context(), queue.ReceiveOptions{Wait: queue.MaxWait})
		require.NoError(t, err)
		if len(got) > 0 {
			require.NoError(t, q.Delete(t.Context(), got[0].Receipt))
			return time.Since(start)
		}
	}
}

func TestSendAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openStandard(t, queue.Config{Delay: time.Minute})
		m := queue.Message{Body: "a", Delay: time.Hour} // is not looked at
		require.Equal(t, time.Second, arrival(t, q, m, time.Second))
		require.Equal(t, 15*time.Minute, arrival(t, q, m, 15*time.Minute))
		require.Equal(t, 2*ms, arrival(t, q, m, ms+1), "rounded up")
		require.Zero(t, arrival(t, q, m, 0))
		require.Zero(t, arrival(t, q, m, -time.Hour))
		time.Sleep(ms / 2)
		require.Equal(t, time.Second, arrival(t, q, m, time.Second).Truncate(ms), "not before, and at most a millisecond later")

		start := time.Now()
		_, err := worker.SendAt(t.Context(), q, m, time.Time{})
		require.NoError(t, err)
		got, err := q.Receive(t.Context(), queue.ReceiveOptions{Wait: queue.MaxWait})
		require.NoError(t, err)
		require.Len(t, got, 1)
		require.Zero(t, time.Since(start))

		_, err = worker.SendAt(t.Context(), q, m, time.Now().Add(15*time.Minute+1))
		var limit *queue.LimitError
		require.ErrorAs(t, err, &limit)
		require.Equal(t, "DelaySeconds", limit.Parameter)
		require.Equal(t, queue.MaxDelay, limit.Max)

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = worker.SendAt(ctx, q, m, time.Now())
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestSendAtFarAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openStandard(t, queue.Config{Limits: queue.Unlimited, Retention: 290 * 365 * 24 * time.Hour})
		require.Equal(t, 90*24*time.Hour, arrival(t, q, queue.Message{Body: "a"}, 90*24*time.Hour))
		for _, at := range []time.Time{time.Now().Add(290 * 365 * 24 * time.Hour), time.Now().AddDate(1000, 0, 0)} {
			_, err := worker.SendAt(t.Context(), q, queue.Message{Body: "b"}, at)
			var limit *queue.LimitError
			require.ErrorAs(t, err, &limit)
			require.Equal(t, "Retention", limit.Parameter, "it would expire before")
			require.Empty(t, bodiesIn(t, q))
		}
	})
}

func TestSendAtOfAFIFOQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openFIFO(t, queue.Config{ContentDeduplication: true})
		m := queue.Message{Body: "a", GroupID: "g"}
		_, err := worker.SendAt(t.Context(), q, m, time.Now().Add(time.Second))
		require.ErrorIs(t, err, queue.ErrNotForThisQueue)
		require.Zero(t, arrival(t, q, m, -time.Second))
	})
}
