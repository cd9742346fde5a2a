package worker_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/worker"
)

func TestRunDeletesWhatIsHandled(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		bodies := numbers("", 100)
		q := open(t, kind, queue.Config{}, bodies...)
		var got notes[string]
		runFor(t, time.Second, q, func(_ context.Context, d *queue.Delivery) error {
			require.Equal(t, 1, d.ReceiveCount)
			got.add(d.Body)
			return nil
		}, worker.Options{})
		require.ElementsMatch(t, bodies, got.all())
		require.Empty(t, bodiesIn(t, q))
		require.EqualValues(t, 100, statsOf(t, q).Deleted)
		nothingRuns(t)
	})
}

func TestRunBatchesDeletes(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		q := open(t, kind, queue.Config{}, numbers("", 1000)...)
		calls := atomic.Int64{}
		w := &tampered{Queue: q, delete: func(_ context.Context, _ []queue.Receipt, next func() error) error {
			calls.Add(1)
			return next()
		}}
		runFor(t, time.Second, w, func(context.Context, *queue.Delivery) error { return nil }, worker.Options{Concurrency: 4})
		require.EqualValues(t, 1000, statsOf(t, q).Deleted)
		require.Less(t, calls.Load(), int64(150), "of up to ten each, after the first few")
	})
}

func TestRunHandlersHaveTheValuesOfItsContext(t *testing.T) {
	type key struct{}
	synctest.Test(t, func(t *testing.T) {
		q := open(t, queue.Standard, queue.Config{}, "a")
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "value"), time.Second)
		defer cancel()
		var calls atomic.Int64
		require.NoError(t, worker.Run(ctx, q, func(ctx context.Context, _ *queue.Delivery) error {
			calls.Add(1)
			require.Equal(t, "value", ctx.Value(key{}))
			_, bounded := ctx.Deadline()
			require.False(t, bounded, "the end of Run's context is not the handler's")
			return nil
		}, worker.Options{Logger: mute}))
		require.EqualValues(t, 1, calls.Load())
	})
}

func TestRunRefusesOptions(t *testing.T) {
	for _, c := range []struct {
		parameter string
		o         worker.Options
	}{
		{"Concurrency", worker.Options{Concurrency: -1}},
		{"BatchSize", worker.Options{BatchSize: -1}},
		{"BatchSize", worker.Options{BatchSize: 11}},
		{"Wait", worker.Options{Wait: -2}},
		{"VisibilityTimeout", worker.Options{VisibilityTimeout: queue.None}},
		{"VisibilityTimeout", worker.Options{VisibilityTimeout: -time.Second}},
		{"MaxHold", worker.Options{MaxHold: -2}},
		{"Grace", worker.Options{Grace: -time.Second}},
		{"Backoff.Min", worker.Options{Backoff: worker.Backoff{Min: -time.Second}}},
		{"Backoff.Max", worker.Options{Backoff: worker.Backoff{Max: -time.Second}}},
		{"Backoff.Max", worker.Options{Backoff: worker.Backoff{Min: time.Minute, Max: time.Second}}},
	} {
		synctest.Test(t, func(t *testing.T) {
			q := open(t, queue.Standard, queue.Config{}, "a")
			var refused *queue.LimitError
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // for an option that isn't refused
			defer cancel()
			for _, err := range []error{
				worker.Run(ctx, q, func(context.Context, *queue.Delivery) error { return nil }, quietly(c.o)),
				worker.RunBatch(ctx, q, func(context.Context, []queue.Delivery) error { return nil }, quietly(c.o)),
			} {
				require.ErrorAs(t, err, &refused)
				require.ErrorIs(t, err, queue.ErrInvalidParameter)
				require.Equal(t, c.parameter, refused.Parameter)
			}
			require.Zero(t, statsOf(t, q).Received)
		})
	}
}

// What only the queue can refuse ends Run as well, instead of being tried again and again.
func TestRunEndsWithWhatTheQueueRefuses(t *testing.T) {
	for _, o := range []worker.Options{{Wait: 21 * time.Second}, {VisibilityTimeout: 13 * time.Hour, MaxHold: queue.None}} {
		synctest.Test(t, func(t *testing.T) {
			q := open(t, queue.Standard, queue.Config{}, "a")
			start := time.Now()
			err := worker.Run(t.Context(), q, func(context.Context, *queue.Delivery) error { return nil }, quietly(o))
			require.ErrorAs(t, err, new(*queue.LimitError))
			require.Zero(t, time.Since(start))
		})
	}
}

func TestRunEndsWithItsQueue(t *testing.T) {
	for _, final := range []error{queue.ErrClosed, queue.ErrQueueDeleted, queue.ErrStoreFailed, queue.ErrUnsupported} {
		bubble(t, final.Error(), func(t *testing.T) {
			q := open(t, queue.Standard, queue.Config{}, "a", "b")
			start := time.Now()
			w := &tampered{Queue: q, receive: func(ctx context.Context, _ queue.ReceiveOptions) error {
				if time.Since(start) > 0 {
					return fmt.Errorf("the queue says: %w", final)
				}
				return nil
			}}
			var ended atomic.Int64
			err := worker.Run(t.Context(), w, func(context.Context, *queue.Delivery) error {
				time.Sleep(time.Minute)
				ended.Add(1)
				return nil
			}, worker.Options{Logger: mute, Grace: 90 * time.Second})
			require.ErrorIs(t, err, final)
			require.EqualValues(t, 2, ended.Load(), "running handlers have the grace")
			require.Equal(t, time.Minute, time.Since(start))
			nothingRuns(t)
		})
	}
}

func TestRunEndsWhenItsQueueIsClosed(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		q := open(t, kind, queue.Config{})
		time.AfterFunc(5*time.Second, func() { _ = q.Close() })
		start := time.Now()
		err := worker.Run(t.Context(), q, func(context.Context, *queue.Delivery) error { return nil }, worker.Options{Logger: mute})
		require.ErrorIs(t, err, queue.ErrClosed)
		require.Equal(t, 5*time.Second, time.Since(start))
		nothingRuns(t)
	})
}

// A queue that has ended while a handler is stuck: both are told.
func TestRunEndsWithBothErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := open(t, queue.Standard, queue.Config{}, "a")
		var received atomic.Bool
		w := &tampered{Queue: q, receive: func(context.Context, queue.ReceiveOptions) error {
			if received.Swap(true) {
				return queue.ErrQueueDeleted
			}
			return nil
		}}
		err := worker.Run(t.Context(), w, func(context.Context, *queue.Delivery) error {
			time.Sleep(time.Hour)
			return nil
		}, worker.Options{Logger: mute, Grace: 10 * time.Second})
		require.ErrorIs(t, err, queue.ErrQueueDeleted)
		var stuck *worker.StuckError
		require.ErrorAs(t, err, &stuck)
		require.Equal(t, 1, stuck.Running)
		time.Sleep(time.Hour)
	})
}

func TestRunGoesOnAfterErrorsThatPass(t *testing.T) {
	for _, concurrency := range []int{1, 10, 100} {
		for _, passing := range []error{queue.ErrThrottled, queue.ErrUncertain, queue.ErrInFlightLimit, errors.New("no connection")} {
			synctest.Test(t, func(t *testing.T) {
				q := open(t, queue.Standard, queue.Config{}, "a")
				var calls notes[time.Time]
				start := time.Now()
				w := &tampered{Queue: q, receive: func(context.Context, queue.ReceiveOptions) error {
					if time.Since(start) < 10*time.Minute {
						calls.add(time.Now())
						return passing
					}
					return nil
				}}
				var m worker.Metrics
				var handled atomic.Int64
				runFor(t, 11*time.Minute, w, func(context.Context, *queue.Delivery) error {
					handled.Add(1)
					return nil
				}, worker.Options{Concurrency: concurrency, Metrics: &m})
				require.EqualValues(t, 1, handled.Load())
				at := calls.all()
				require.Less(t, len(at), 60, "in ten minutes")
				require.EqualValues(t, len(at), m.Snapshot().FailedCalls)
				for i := 1; i < len(at); i++ {
					gap := at[i].Sub(at[i-1])
					require.GreaterOrEqual(t, gap, 50*ms)
					require.LessOrEqual(t, gap, 30*time.Second)
				}
			})
		}
	}
}

func TestRunIdleHasOnePollAndTakesWhatComesAtOnce(t *testing.T) {
	for _, concurrency := range []int{1, 2, 10, 100} {
		bothKinds(t, func(t *testing.T, kind queue.Kind) {
			q := open(t, kind, queue.Config{}, numbers("before", 50)...)
			var began notes[time.Time]
			c := hire(t, q, func(context.Context, *queue.Delivery) error {
				began.add(time.Now())
				return nil
			}, worker.Options{Concurrency: concurrency})
			for i := range 20 {
				time.Sleep(7 * time.Second)
				synctest.Wait()
				require.Equal(t, 1, statsOf(t, q).Waiting)
				before := len(began.all())
				put(t, q, kind, fmt.Sprint("m", i))
				synctest.Wait()
				all := began.all()
				require.Len(t, all, before+1, "handled")
				require.Equal(t, time.Now(), all[before], "at this instant")
			}
			require.NoError(t, c.end())
			require.Zero(t, statsOf(t, q).Waiting)
		})
	}
}

func TestRunBurstUsesAllHandlers(t *testing.T) {
	for _, warm := range []bool{false, true} {
		for _, concurrency := range []int{1, 2, 7, 10, 100} {
			bothKinds(t, func(t *testing.T, kind queue.Kind) {
				q := open(t, kind, queue.Config{})
				if warm { // all handlers so far were quick
					put(t, q, kind, numbers("quick", 500)...)
				}
				var slow atomic.Bool
				var running atomic.Int64
				c := hire(t, q, func(context.Context, *queue.Delivery) error {
					if slow.Load() {
						running.Add(1)
						defer running.Add(-1)
						time.Sleep(time.Minute)
					}
					return nil
				}, worker.Options{Concurrency: concurrency})
				time.Sleep(10 * time.Second)
				slow.Store(true)
				put(t, q, kind, numbers("slow", 3*concurrency)...)
				time.Sleep(20 * ms)
				require.EqualValues(t, concurrency, running.Load())
				require.Zero(t, statsOf(t, q).Waiting, "nobody receives for whom there is no handler")
				time.Sleep(59 * time.Second)
				require.EqualValues(t, concurrency, running.Load())
				time.Sleep(3 * time.Minute)
				require.Zero(t, running.Load())
				require.NoError(t, c.end())
				require.Empty(t, bodiesIn(t, q))
			})
		}
	}
}

func TestRunReceivesNoMoreThanItHasHandlersFor(t *testing.T) {
	for _, concurrency := range []int{1, 3, 10, 25} {
		bothKinds(t, func(t *testing.T, kind queue.Kind) {
			q := open(t, kind, queue.Config{}, numbers("", 100)...)
			var most atomic.Int64
			runFor(t, 10*time.Minute, q, func(context.Context, *queue.Delivery) error {
				n := int64(statsOf(t, q).InFlight)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
				time.Sleep(time.Second)
				return nil
			}, worker.Options{Concurrency: concurrency})
			require.Empty(t, bodiesIn(t, q))
			require.EqualValues(t, concurrency, most.Load())
		})
	}
}

func TestRunWithoutWaitingLooksOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := open(t, queue.Standard, queue.Config{})
		var calls atomic.Int64
		w := &tampered{Queue: q, receive: func(_ context.Context, o queue.ReceiveOptions) error {
			require.Equal(t, queue.None, o.Wait)
			calls.Add(1)
			return nil
		}}
		var handled notes[time.Time]
		start := time.Now()
		time.AfterFunc(30*time.Second+300*ms, func() { put(t, q, queue.Standard, numbers("", 25)...) })
		runFor(t, time.Minute, w, func(context.Context, *queue.Delivery) error {
			handled.add(time.Now())
			return nil
		}, worker.Options{Wait: queue.None})
		require.InDelta(t, 65, calls.Load(), 10)
		require.Len(t, handled.all(), 25)
		for _, at := range handled.all() {
			require.Equal(t, 31*time.Second, at.Sub(start))
		}
	})
}

func TestRunAsksForNoMoreThanABatch(t *testing.T) {
	for size := 1; size <= queue.MaxReceive; size++ {
		synctest.Test(t, func(t *testing.T) {
			q := open(t, queue.Standard, queue.Config{}, numbers("", 200)...)
			var most atomic.Int64
			w := &tampered{Queue: q, receive: func(_ context.Context, o queue.ReceiveOptions) error {
				most.Store(max(most.Load(), int64(o.Max)))
				require.LessOrEqual(t, o.Max, size)
				return nil
			}}
			runFor(t, time.Second, w, func(context.Context, *queue.Delivery) error { return nil }, worker.Options{BatchSize: size})
			require.EqualValues(t, size, most.Load())
			require.Empty(t, bodiesIn(t, q))
		})
	}
}
