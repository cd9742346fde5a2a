package worker_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/worker"
)

var errNo = errors.New("no")

func TestBackoffDelay(t *testing.T) {
	differ := 0
	for _, b := range []worker.Backoff{
		{Seed: 1}, {Seed: 2, Min: time.Millisecond}, {Seed: 3, Max: time.Hour}, {Seed: 4, Min: time.Minute, Max: time.Minute},
		{Seed: 5, Min: time.Hour}, {Seed: 6, Min: 3, Max: math.MaxInt64}, {Seed: 7, Min: math.MaxInt64, Max: math.MaxInt64},
	} {
		least, most := b.Min, b.Max
		if least == 0 {
			least = time.Second
		}
		if most == 0 {
			most = max(least, 15*time.Minute)
		}
		for id := range 20 {
			id := queue.MessageID{byte(id)}
			before := time.Duration(0)
			for receives := 1; receives < 100; receives++ {
				full := most
				if receives <= 62 && least <= most>>(receives-1) {
					full = least << (receives - 1)
				}
				got := b.Delay(id, receives)
				require.GreaterOrEqual(t, got, full/2)
				require.LessOrEqual(t, got, full)
				require.Equal(t, got, b.Delay(id, receives), "computed, not drawn")
				if full < most {
					require.GreaterOrEqual(t, got, before)
				}
				before = got
				other := b
				other.Seed += 100
				if other.Delay(id, receives) != got {
					differ++
				}
			}
			require.Positive(t, b.Delay(id, math.MaxInt))
		}
	}
	require.Greater(t, differ, 7*20*99*9/10/2, "two seeds differ")
}

func TestBackoffDelayIsJittered(t *testing.T) {
	b := worker.Backoff{Seed: 1}
	seen := map[time.Duration]bool{}
	var sum time.Duration
	for i := range 1000 {
		d := b.Delay(queue.MessageID{byte(i), byte(i >> 8)}, 5)
		seen[d] = true
		sum += d
	}
	require.Greater(t, len(seen), 990)
	require.InDelta(t, 12, (sum / 1000).Seconds(), 0.5, "half of 16 s and half of the other half")
}

func TestBackoffOfNone(t *testing.T) {
	for receives := range 5 {
		require.Zero(t, worker.Backoff{Min: queue.None, Seed: 1}.Delay(queue.MessageID{}, receives))
	}
}

// failingForADay runs a handler that always fails over one message for a day, and returns
// how long the message stayed away each time.
func failingForADay(t *testing.T, b worker.Backoff, h func() error) (gaps []time.Duration) {
	q := open(t, queue.Standard, queue.Config{}, "a")
	var last time.Time
	runFor(t, 24*time.Hour, q, func(_ context.Context, d *queue.Delivery) error {
		if d.ReceiveCount > 1 {
			gaps = append(gaps, time.Since(last))
			require.InDelta(t, b.Delay(d.ID, d.ReceiveCount-1), gaps[len(gaps)-1], float64(ms))
		}
		defer func() { last = time.Now() }()
		return h()
	}, worker.Options{Backoff: b, Grace: time.Hour})
	return gaps
}

func TestAlwaysFailingHandlerIsNoHotLoop(t *testing.T) {
	for name, h := range map[string]func() error{
		"error":  func() error { return errNo },
		"panic":  func() error { panic("no") },
		"goexit": func() error { runtime.Goexit(); return nil },
		"slow":   func() error { time.Sleep(time.Minute); return errNo },
	} {
		t.Run(name, func(t *testing.T) {
			var all [2][]time.Duration
			for seed := range all {
				synctest.Test(t, func(t *testing.T) {
					gaps := failingForADay(t, worker.Backoff{Seed: 1 + uint64(seed)}, h)
					require.InDelta(t, 130, len(gaps), 30, "in a day")
					for i, gap := range gaps[:9] {
						require.GreaterOrEqual(t, gap, time.Second<<i/2)
						require.LessOrEqual(t, gap, time.Second<<i+ms)
						if i > 0 {
							require.GreaterOrEqual(t, gap+ms, gaps[i-1])
						}
					}
					for _, gap := range gaps[10:] {
						require.GreaterOrEqual(t, gap, 15*time.Minute/2)
						require.LessOrEqual(t, gap, 15*time.Minute+ms)
					}
					all[seed] = gaps
				})
			}
			require.NotEqual(t, all[0][:9], all[1][:9], "two seeds differ")
		})
	}
}

func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		gap  time.Duration
	}{
		{"zero is at once", worker.RetryAfter(0, errNo), 0},
		{"negative too", worker.RetryAfter(-time.Hour, errNo), 0},
		{"an hour", worker.RetryAfter(time.Hour, errNo), time.Hour},
		{"no error", worker.RetryAfter(time.Minute, nil), time.Minute},
		{"wrapped", fmt.Errorf("because: %w", worker.RetryAfter(7*time.Second, errNo)), 7 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, hold := range []time.Duration{0, time.Minute, queue.None} {
				bothKinds(t, func(t *testing.T, kind queue.Kind) {
					q := open(t, kind, queue.Config{}, "a")
					var failed time.Time
					var calls int
					runFor(t, 2*time.Hour, q, func(_ context.Context, d *queue.Delivery) error {
						if calls++; d.ReceiveCount > 1 {
							require.Equal(t, c.gap, time.Since(failed))
							return nil
						}
						time.Sleep(20 * time.Second)
						failed = time.Now()
						return c.err
					}, worker.Options{MaxHold: hold})
					require.Equal(t, 2, calls)
				})
			}
		})
	}
	require.ErrorIs(t, worker.RetryAfter(time.Second, errNo), errNo)
	require.NotEmpty(t, worker.RetryAfter(time.Second, nil).Error())
}

func TestRetryAfterLongerThanSQSAllows(t *testing.T) {
	for _, broken := range []time.Duration{0, 123 * time.Microsecond} {
		for limits, least := range map[queue.Limits]time.Duration{queue.SQSLimits: 12*time.Hour - ms, queue.Unlimited: 24 * time.Hour} {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(broken)
				q := open(t, queue.Standard, queue.Config{Limits: limits}, "a")
				var failed time.Time
				var calls int
				runFor(t, 25*time.Hour, q, func(_ context.Context, d *queue.Delivery) error {
					if calls++; d.ReceiveCount > 1 {
						require.GreaterOrEqual(t, time.Since(failed), least)
						require.LessOrEqual(t, time.Since(failed), least+2*ms)
						return nil
					}
					time.Sleep(300 * time.Microsecond)
					failed = time.Now()
					return worker.RetryAfter(24*time.Hour, errNo)
				}, worker.Options{})
				require.Equal(t, 2, calls)
			})
		}
	}
}

func TestDeadLetter(t *testing.T) {
	for _, err := range []error{worker.DeadLetter(errNo), fmt.Errorf("because: %w", worker.DeadLetter(errNo))} {
		bothKinds(t, func(t *testing.T, kind queue.Kind) {
			dead := open(t, kind, queue.Config{Name: "dead"})
			target, _ := queue.As[queue.Adopter](dead)
			q := open(t, kind, queue.Config{Name: "jobs", DeadLetter: queue.DeadLetter{Target: target, MaxReceives: 1000}}, "a", "b")
			var m worker.Metrics
			runFor(t, time.Minute, q, func(_ context.Context, d *queue.Delivery) error {
				if d.Body == "a" {
					return err
				}
				return nil
			}, worker.Options{Metrics: &m})
			require.Empty(t, bodiesIn(t, q))
			got := receivable(t, dead)
			require.Len(t, got, 1)
			require.Equal(t, "a", got[0].Body)
			require.Equal(t, "no", got[0].DeadLetterReason)
			require.EqualValues(t, 1, m.Snapshot().DeadLettered)
			require.EqualValues(t, 1, m.Snapshot().Done)
		})
	}
	require.ErrorIs(t, worker.DeadLetter(errNo), errNo)
	require.NotEmpty(t, worker.DeadLetter(nil).Error())
}

func TestDeadLetterWithoutADeadLetterQueueIsAnError(t *testing.T) {
	type bare struct{ queue.Queue } // shows no ability
	for name, wrap := range map[string]func(queue.Queue) queue.Queue{
		"no target":      func(q queue.Queue) queue.Queue { return q },
		"can't be asked": func(q queue.Queue) queue.Queue { return bare{q} },
	} {
		bubble(t, name, func(t *testing.T) {
			q := open(t, queue.Standard, queue.Config{}, "a")
			b := worker.Backoff{Seed: 1, Min: time.Minute}
			var failed time.Time
			var m worker.Metrics
			runFor(t, time.Hour, wrap(q), func(_ context.Context, d *queue.Delivery) error {
				if d.ReceiveCount > 1 {
					require.InDelta(t, b.Delay(d.ID, 1), time.Since(failed), float64(ms))
					return nil
				}
				failed = time.Now()
				return worker.DeadLetter(errNo)
			}, worker.Options{Backoff: b, Metrics: &m})
			require.EqualValues(t, 1, m.Snapshot().Retried)
			require.EqualValues(t, 1, m.Snapshot().Done)
			require.Zero(t, m.Snapshot().DeadLettered)
		})
	}
}

func TestDeadLetterIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := openStandard(t, queue.Config{Name: "dead"})
		q := open(t, queue.Standard, queue.Config{DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 10}}, "a")
		refused := 0
		w := &tampered{Queue: q, dead: func(next func() error) error {
			if refused++; refused < 5 {
				return queue.ErrThrottled
			}
			return next()
		}}
		calls := 0
		runFor(t, time.Minute, w, func(context.Context, *queue.Delivery) error {
			calls++
			return worker.DeadLetter(errNo)
		}, worker.Options{})
		require.Equal(t, []string{"a"}, bodiesIn(t, dead))
		require.Equal(t, 1, calls)
	})
}

func TestPanicIsAnError(t *testing.T) {
	for name, h := range map[string]func(){
		"text":   func() { panic("no") },
		"error":  func() { panic(errNo) },
		"nil":    func() { panic(nil) },
		"index":  func() { var none []int; _ = none[len(none)] },
		"goexit": func() { runtime.Goexit() },
	} {
		bothKinds(t, func(t *testing.T, kind queue.Kind) {
			q := open(t, kind, queue.Config{}, "a")
			var m worker.Metrics
			var errs notes[error]
			tr := &worker.Trace{Finished: func(_ *queue.Delivery, o worker.Outcome, err error, _ time.Duration) {
				if o == worker.Retried {
					errs.add(err)
				}
			}}
			runFor(t, time.Minute, q, func(_ context.Context, d *queue.Delivery) error {
				if d.ReceiveCount == 1 {
					h()
				}
				return nil
			}, worker.Options{Metrics: &m, Trace: tr})
			s := m.Snapshot()
			require.EqualValues(t, 1, s.Panicked)
			require.EqualValues(t, 1, s.Retried)
			require.EqualValues(t, 1, s.Done)
			require.Zero(t, s.Running)
			require.Len(t, errs.all(), 1)
			var panicked *worker.PanicError
			require.ErrorAs(t, errs.all()[0], &panicked)
			require.NotEmpty(t, panicked.Error())
			if name == "goexit" {
				require.Nil(t, panicked.Value)
				return
			}
			require.NotNil(t, panicked.Value)
			require.Contains(t, string(panicked.Stack), "backoff_test.go")
			require.Equal(t, name == "error", errors.Is(errs.all()[0], errNo))
		})
	}
}

// Handlers that end their goroutines don't use up the handlers.
func TestGoexitCostsNoHandler(t *testing.T) {
	for _, concurrency := range []int{1, 2, 10} {
		bothKinds(t, func(t *testing.T, kind queue.Kind) {
			q := open(t, kind, queue.Config{}, numbers("", 100)...)
			w := newWatch(t, concurrency)
			var m worker.Metrics
			runFor(t, time.Hour, q, func(_ context.Context, d *queue.Delivery) error {
				w.begin(d)
				defer w.end(d)
				time.Sleep(time.Second)
				if d.ReceiveCount == 1 {
					runtime.Goexit()
				}
				return nil
			}, worker.Options{Concurrency: concurrency, Metrics: &m})
			require.Equal(t, concurrency, w.peak)
			require.Empty(t, bodiesIn(t, q))
			require.EqualValues(t, 100, m.Snapshot().Panicked)
			nothingRuns(t)
		})
	}
}

// A give-back whose answer was lost is not repeated: by then somebody else may hold the
// message.
func TestUncertainGiveBackIsNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := open(t, queue.Standard, queue.Config{}, "a")
		var lost atomic.Bool
		w := &tampered{Queue: q, change: func(_ context.Context, _ []queue.VisibilityChange, next func() error) error {
			if err := next(); lost.Swap(true) {
				return err
			}
			return fmt.Errorf("lost: %w", queue.ErrUncertain)
		}}
		watch := newWatch(t, 1)
		runFor(t, 10*time.Minute, w, func(_ context.Context, d *queue.Delivery) error {
			watch.begin(d)
			defer watch.end(d)
			if d.ReceiveCount == 1 {
				return worker.RetryAfter(0, errNo)
			}
			time.Sleep(5 * time.Second)
			return nil
		}, worker.Options{Concurrency: 3})
		require.Equal(t, 2, watch.times["a"])
	})
}

func TestGiveBackIsTriedAgainAndEndsWithTheTimeout(t *testing.T) {
	for _, works := range []time.Duration{5 * time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			q := open(t, queue.Standard, queue.Config{}, "a")
			start := time.Now()
			w := &tampered{Queue: q, change: func(_ context.Context, _ []queue.VisibilityChange, next func() error) error {
				if time.Since(start) < works {
					return queue.ErrThrottled
				}
				return next()
			}}
			var m worker.Metrics
			var again time.Duration
			runFor(t, 10*time.Minute, w, func(_ context.Context, d *queue.Delivery) error {
				if d.ReceiveCount == 1 {
					return worker.RetryAfter(0, errNo)
				}
				again = time.Since(start)
				return nil
			}, worker.Options{Concurrency: 1, Metrics: &m})
			require.GreaterOrEqual(t, again, min(works, 30*time.Second))
			require.LessOrEqual(t, again, min(works+time.Second, 30*time.Second))
			require.Less(t, m.Snapshot().FailedCalls, uint64(60))
			require.EqualValues(t, 1, m.Snapshot().Retried)
		})
	}
}

func TestDeleteIsTriedAgain(t *testing.T) {
	for _, passing := range []error{queue.ErrThrottled, queue.ErrUncertain, errors.New("no connection")} {
		bothKinds(t, func(t *testing.T, kind queue.Kind) {
			q := open(t, kind, queue.Config{}, numbers("", 10)...)
			start := time.Now()
			w := &tampered{Queue: q, delete: func(_ context.Context, _ []queue.Receipt, next func() error) error {
				if time.Since(start) < 20*time.Second {
					return passing
				}
				return next()
			}}
			var calls atomic.Int64
			var m worker.Metrics
			runFor(t, 10*time.Minute, w, func(context.Context, *queue.Delivery) error {
				calls.Add(1)
				return nil
			}, worker.Options{Concurrency: 2, Metrics: &m})
			require.EqualValues(t, 10, calls.Load(), "none is handled twice")
			require.EqualValues(t, 10, statsOf(t, q).Deleted)
			require.EqualValues(t, 10, m.Snapshot().Done)
			require.Less(t, m.Snapshot().FailedCalls, uint64(400))
		})
	}
}

// A delete that never works: the message comes back, and is not called done.
func TestDeleteThatFailsForTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := open(t, queue.Standard, queue.Config{}, "a")
		start := time.Now()
		w := &tampered{Queue: q, delete: func(_ context.Context, _ []queue.Receipt, next func() error) error {
			if time.Since(start) < time.Minute {
				return queue.ErrThrottled
			}
			return next()
		}}
		var m worker.Metrics
		runFor(t, 30*time.Minute, w, func(context.Context, *queue.Delivery) error { return nil }, worker.Options{Metrics: &m})
		s := m.Snapshot()
		require.EqualValues(t, 1, statsOf(t, q).Deleted)
		require.EqualValues(t, 1, s.Done)
		require.EqualValues(t, s.Received-1, s.LeaseLost)
		require.Positive(t, s.LeaseLost)
	})
}
