package worker_test

import (
	"context"
	"encoding/json"
	"expvar"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/worker"
)

var _ expvar.Var = new(worker.Metrics)

// requireBalance fails the test unless the counts of a Run that has ended agree with one
// another and with those of its queue, which nobody else has used.
func requireBalance(t *testing.T, m *worker.Metrics, q queue.Inspector) {
	t.Helper()
	s, in := m.Snapshot(), statsOf(t, q)
	require.Equal(t, s.Received, s.Done+s.Retried+s.DeadLettered+s.LeaseLost+s.Returned, "%v", m)
	require.Equal(t, in.Received, s.Received)
	require.Equal(t, in.Deleted, s.Done)
	require.Equal(t, in.Moved, s.DeadLettered)
	require.Zero(t, s.Running)
	require.Equal(t, s.InQueue.Count, s.InHandler.Count)
	require.GreaterOrEqual(t, s.InHandler.Count, s.Done+s.Retried+s.DeadLettered)
	for _, h := range []worker.Histogram{s.InQueue, s.InHandler} {
		var sum uint64
		for _, n := range h.Buckets {
			sum += n
		}
		require.Equal(t, h.Count, sum)
	}
}

func TestMetricsBalance(t *testing.T) {
	for _, concurrency := range []int{1, 2, 10} {
		bothKinds(t, func(t *testing.T, kind queue.Kind) {
			dead := open(t, kind, queue.Config{Name: "dead"})
			target, _ := queue.As[queue.Adopter](dead)
			q := open(t, kind, queue.Config{DeadLetter: queue.DeadLetter{Target: target, MaxReceives: 1000}}, numbers("", 300)...)
			var m worker.Metrics
			var received, started, finished notes[int]
			tr := &worker.Trace{
				Received: func(n int) { received.add(n) },
				Started:  func(*queue.Delivery) { started.add(1) },
				Finished: func(*queue.Delivery, worker.Outcome, error, time.Duration) { finished.add(1) },
			}
			n := 0
			var mu = make(chan struct{}, 1)
			c := hire(t, q, func(ctx context.Context, d *queue.Delivery) error {
				mu <- struct{}{}
				n++
				i := n
				<-mu
				switch {
				case i%7 == 0:
					return errNo
				case i%17 == 0:
					panic("no")
				case i%19 == 0:
					runtime.Goexit()
				case i%23 == 0:
					return worker.DeadLetter(errNo)
				case i%29 == 0:
					<-ctx.Done() // the lease is lost
				case i%5 == 0:
					time.Sleep(time.Duration(min(i, 200)) * 100 * ms)
				}
				return nil
			}, worker.Options{Concurrency: concurrency, MaxHold: time.Minute, Metrics: &m, Trace: tr})
			time.Sleep(23 * time.Minute)
			put(t, q, kind, numbers("late", 50)...)
			require.NoError(t, c.end())
			requireBalance(t, &m, q)
			s := m.Snapshot()
			sum := 0
			for _, n := range received.all() {
				sum += n
			}
			require.EqualValues(t, s.Received, sum)
			require.EqualValues(t, s.Received, len(finished.all()))
			require.EqualValues(t, s.InQueue.Count, len(started.all()))
			require.Positive(t, s.DeadLettered)
			require.Positive(t, s.LeaseLost)
			require.Positive(t, s.Panicked)
			require.Less(t, s.Panicked, s.Retried)
		})
	}
}

func TestMetricsOfSeveralRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m worker.Metrics
		for range 3 {
			q := open(t, queue.Standard, queue.Config{}, numbers("", 10)...)
			runFor(t, time.Second, q, func(context.Context, *queue.Delivery) error { return nil }, worker.Options{Metrics: &m})
		}
		require.EqualValues(t, 30, m.Snapshot().Done)
	})
}

func TestMetricsWhileHandlersRun(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		q := open(t, kind, queue.Config{}, numbers("", 10)...)
		time.Sleep(time.Hour)
		var m worker.Metrics
		c := hire(t, q, func(context.Context, *queue.Delivery) error {
			time.Sleep(10 * time.Second)
			return nil
		}, worker.Options{Concurrency: 4, Metrics: &m})
		time.Sleep(time.Second)
		s := m.Snapshot()
		require.Equal(t, 4, s.Running)
		require.EqualValues(t, 4, s.Received)
		require.Equal(t, time.Hour, s.Oldest)
		require.Equal(t, worker.Histogram{Count: 4, Sum: 4 * time.Hour, Buckets: s.InQueue.Buckets}, s.InQueue)
		require.Zero(t, s.InHandler)
		time.Sleep(time.Minute)
		s = m.Snapshot()
		require.Zero(t, s.Running)
		require.Zero(t, s.Oldest, "the latest receive brought nothing")
		require.EqualValues(t, 10, s.InHandler.Count)
		require.Equal(t, 100*time.Second, s.InHandler.Sum)
		require.NoError(t, c.end())
	})
}

// How long a handler took is its own time, not that of those before it in the same
// goroutine, and not that of waiting for a free one.
func TestMetricsAndTraceTellHowLongHandlersTook(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		q := open(t, kind, queue.Config{}, numbers("quick", 40)...)
		var m worker.Metrics
		tr := &worker.Trace{Finished: func(d *queue.Delivery, o worker.Outcome, _ error, took time.Duration) {
			require.Equal(t, worker.Done, o)
			if d.Body[0] == 's' {
				require.Equal(t, 10*time.Second, took)
			} else {
				require.Zero(t, took)
			}
		}}
		time.AfterFunc(time.Second, func() { put(t, q, kind, numbers("slow", 10)...) })
		runFor(t, time.Hour, q, func(_ context.Context, d *queue.Delivery) error {
			if d.Body[0] == 's' {
				time.Sleep(10 * time.Second)
			}
			return nil
		}, worker.Options{Concurrency: 2, Metrics: &m, Trace: tr})
		require.Equal(t, 100*time.Second, m.Snapshot().InHandler.Sum)
	})
}

func TestMetricsStringIsJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m worker.Metrics
		q := open(t, queue.Standard, queue.Config{}, numbers("", 10)...)
		time.Sleep(time.Minute)
		runFor(t, time.Minute, q, func(context.Context, *queue.Delivery) error {
			time.Sleep(3 * ms)
			return nil
		}, worker.Options{Metrics: &m})
		var s worker.Snapshot
		require.NoError(t, json.Unmarshal([]byte(m.String()), &s))
		require.Equal(t, m.Snapshot(), s)
		var fields map[string]any
		require.NoError(t, json.Unmarshal([]byte(m.String()), &fields))
		require.EqualValues(t, 10, fields["Done"])
		require.EqualValues(t, 30*ms, fields["InHandler"].(map[string]any)["Sum"], "in nanoseconds")
	})
	require.True(t, json.Valid([]byte(new(worker.Metrics).String())))
}

func TestHistogramQuantile(t *testing.T) {
	require.Zero(t, new(worker.Histogram).Quantile(0.5))
	h := worker.Histogram{Count: 100, Buckets: []uint64{50, 0, 30, 0, 0, 19, 1}}
	for p, want := range map[float64]time.Duration{
		0: time.Microsecond, 0.5: time.Microsecond, 0.51: 4 * time.Microsecond, 0.8: 4 * time.Microsecond,
		0.81: 32 * time.Microsecond, 0.99: 32 * time.Microsecond, 0.991: 64 * time.Microsecond, 1: 64 * time.Microsecond, 7: 64 * time.Microsecond,
	} {
		require.Equal(t, want, h.Quantile(p), "%v", p)
	}
}

// A quantile is at least the true duration, and at most twice it, for whatever a queue
// with SQS's limits can bring.
func TestHistogramHoldsAllDurations(t *testing.T) {
	for _, d := range []time.Duration{ms, 3 * ms, 1024 * ms, time.Minute, time.Hour, 13 * 24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			q := open(t, queue.Standard, queue.Config{Retention: queue.MaxRetention}, "a")
			time.Sleep(d)
			var m worker.Metrics
			runFor(t, time.Second, q, func(context.Context, *queue.Delivery) error { return nil }, worker.Options{Metrics: &m})
			s := m.Snapshot()
			require.Equal(t, d, s.InQueue.Sum)
			require.GreaterOrEqual(t, s.InQueue.Quantile(0.5), d)
			require.LessOrEqual(t, s.InQueue.Quantile(0.5), 2*d)
		})
	}
}
