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

func TestLeaseIsExtendedWhileTheHandlerRuns(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		q := open(t, kind, queue.Config{}, "a")
		start := time.Now()
		var until notes[time.Duration]
		tr := &worker.Trace{Extended: func(d *queue.Delivery, at time.Time) {
			require.Equal(t, "a", d.Body)
			require.Less(t, time.Since(start), at.Sub(start))
			until.add(at.Sub(start))
		}}
		c := hire(t, q, func(ctx context.Context, _ *queue.Delivery) error {
			time.Sleep(10 * time.Minute)
			return ctx.Err()
		}, worker.Options{Concurrency: 1, Trace: tr})
		synctest.Wait()
		for range 599 { // somebody else would like to have it
			time.Sleep(time.Second)
			require.Empty(t, receivable(t, q))
		}
		time.Sleep(2 * time.Second)
		require.EqualValues(t, 1, statsOf(t, q).Deleted)
		extended := until.all()
		require.InDelta(t, 40, len(extended), 5, "about every half of the visibility timeout")
		for i := 1; i < len(extended); i++ {
			require.Greater(t, extended[i], extended[i-1])
		}
		require.NoError(t, c.end())
	})
}

func TestExtensionsGoInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := open(t, queue.Standard, queue.Config{}, numbers("", 50)...)
		var sizes notes[int]
		w := &tampered{Queue: q, change: func(_ context.Context, cs []queue.VisibilityChange, next func() error) error {
			sizes.add(len(cs))
			return next()
		}}
		runFor(t, time.Minute, w, func(context.Context, *queue.Delivery) error {
			time.Sleep(20 * time.Second)
			return nil
		}, worker.Options{Concurrency: 50})
		require.Equal(t, []int{10, 10, 10, 10, 10}, sizes.all())
		require.EqualValues(t, 50, statsOf(t, q).Deleted)
	})
}

func TestLeaseEndsAfterMaxHold(t *testing.T) {
	for _, c := range []struct {
		name    string
		o       worker.Options
		held    time.Duration
		timeout time.Duration // of the queue
	}{
		{"default is twelve hours", worker.Options{}, 12 * time.Hour, 0},
		{"a multiple", worker.Options{MaxHold: 2 * time.Minute}, 2 * time.Minute, 0},
		{"not a multiple", worker.Options{MaxHold: 100 * time.Second}, 100 * time.Second, 0},
		{"below the visibility timeout", worker.Options{MaxHold: 10 * time.Second}, 10 * time.Second, 0},
		{"none: no extension", worker.Options{MaxHold: queue.None}, 30 * time.Second, 0},
		{"a timeout of its own", worker.Options{MaxHold: queue.None, VisibilityTimeout: 7 * time.Second}, 7 * time.Second, time.Hour},
	} {
		bubble(t, c.name, func(t *testing.T) {
			q := open(t, queue.Standard, queue.Config{VisibilityTimeout: c.timeout}, "a")
			var calls atomic.Int64
			var ended notes[string]
			c.o.Trace = &worker.Trace{Finished: func(d *queue.Delivery, o worker.Outcome, _ error, _ time.Duration) {
				ended.add(fmt.Sprint(d.ReceiveCount, " ", o))
			}}
			c.o.Concurrency = 1
			runFor(t, 13*time.Hour, q, func(ctx context.Context, d *queue.Delivery) error {
				if calls.Add(1); d.ReceiveCount > 1 {
					return nil
				}
				start := time.Now()
				<-ctx.Done()
				require.Equal(t, c.held, time.Since(start))
				require.ErrorIs(t, context.Cause(ctx), worker.ErrLeaseLost)
				return nil // too late
			}, c.o)
			require.EqualValues(t, 2, calls.Load())
			require.Equal(t, []string{"1 lease lost", "2 done"}, ended.all())
		})
	}
}

// The handler ignores that its context has ended, and succeeds: meanwhile somebody else
// holds the message, and his must survive.
func TestSuccessAfterTheLeaseWasLostDeletesNothing(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		q := open(t, kind, queue.Config{}, "a")
		var outcomes notes[worker.Outcome]
		tr := &worker.Trace{Finished: func(_ *queue.Delivery, o worker.Outcome, err error, took time.Duration) {
			require.NoError(t, err)
			require.Equal(t, 40*time.Second, took)
			outcomes.add(o)
		}}
		c := hire(t, q, func(context.Context, *queue.Delivery) error {
			time.Sleep(40 * time.Second)
			return nil
		}, worker.Options{Concurrency: 1, MaxHold: queue.None, Trace: tr})
		synctest.Wait()
		time.Sleep(20 * time.Second)
		second, err := q.Receive(t.Context(), queue.ReceiveOptions{Wait: queue.MaxWait, VisibilityTimeout: time.Hour})
		require.NoError(t, err)
		require.Len(t, second, 1)
		time.Sleep(time.Minute)
		require.Equal(t, []worker.Outcome{worker.LeaseLost}, outcomes.all())
		require.Equal(t, 1, statsOf(t, q).InFlight)
		require.NoError(t, q.Delete(t.Context(), second[0].Receipt), "it is still the second holder's")
		require.EqualValues(t, 1, statsOf(t, q).Deleted)
		require.NoError(t, c.end())
	})
}

// What a handler returns after its lease was lost doesn't give the message back either.
func TestFailureAfterTheLeaseWasLostGivesNothingBack(t *testing.T) {
	for _, late := range []error{errors.New("no"), worker.RetryAfter(0, nil), worker.RetryAfter(time.Hour, nil), worker.DeadLetter(errors.New("no"))} {
		bothKinds(t, func(t *testing.T, kind queue.Kind) {
			dead := open(t, kind, queue.Config{Name: "dead"})
			target, _ := queue.As[queue.Adopter](dead)
			q := open(t, kind, queue.Config{DeadLetter: queue.DeadLetter{Target: target, MaxReceives: 10}}, "a")
			c := hire(t, q, func(context.Context, *queue.Delivery) error {
				time.Sleep(40 * time.Second)
				return late
			}, worker.Options{Concurrency: 1, MaxHold: queue.None})
			synctest.Wait()
			time.Sleep(20 * time.Second)
			second, err := q.Receive(t.Context(), queue.ReceiveOptions{Wait: queue.MaxWait, VisibilityTimeout: time.Minute})
			require.NoError(t, err)
			require.Len(t, second, 1)
			time.Sleep(59 * time.Second)
			require.Equal(t, 1, statsOf(t, q).InFlight, "until a minute after its receive")
			require.NoError(t, q.Delete(t.Context(), second[0].Receipt))
			require.Empty(t, bodiesIn(t, dead))
			require.NoError(t, c.end())
		})
	}
}

func TestExtensionThatFailsForAWhileLosesNothing(t *testing.T) {
	for _, passing := range []error{queue.ErrThrottled, queue.ErrUncertain, errors.New("no connection")} {
		bothKinds(t, func(t *testing.T, kind queue.Kind) {
			q := open(t, kind, queue.Config{}, "a")
			start := time.Now()
			var refused atomic.Int64
			w := &tampered{Queue: q, change: func(_ context.Context, _ []queue.VisibilityChange, next func() error) error {
				if time.Since(start) < 29*time.Second {
					refused.Add(1)
					return passing
				}
				return next()
			}}
			var m worker.Metrics
			runFor(t, 2*time.Minute, w, func(ctx context.Context, d *queue.Delivery) error {
				require.Equal(t, 1, d.ReceiveCount)
				time.Sleep(time.Minute)
				return ctx.Err()
			}, worker.Options{Metrics: &m})
			require.EqualValues(t, 1, statsOf(t, q).Deleted)
			require.Positive(t, refused.Load())
			require.Less(t, refused.Load(), int64(50), "not a hot loop")
			require.EqualValues(t, refused.Load(), m.Snapshot().FailedCalls)
		})
	}
}

// Whatever the extensions do, the context ends in the instant in which the message is
// visible again.
func TestContextEndsAtTheDeadlineWhenExtensionsDoNotWork(t *testing.T) {
	for name, change := range map[string]func(ctx context.Context) error{
		"refused":                     func(context.Context) error { return queue.ErrThrottled },
		"hopeless":                    func(context.Context) error { return queue.ErrInvalidParameter },
		"hanging":                     func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		"slow, deaf and then refused": func(context.Context) error { time.Sleep(5 * time.Minute); return queue.ErrThrottled },
	} {
		bubble(t, name, func(t *testing.T) {
			q := open(t, queue.Standard, queue.Config{}, "a")
			w := &tampered{Queue: q, change: func(ctx context.Context, _ []queue.VisibilityChange, _ func() error) error { return change(ctx) }}
			start := time.Now()
			var calls atomic.Int64
			runFor(t, 20*time.Minute, w, func(ctx context.Context, d *queue.Delivery) error {
				if calls.Add(1); d.ReceiveCount > 1 {
					return nil
				}
				<-ctx.Done()
				require.Equal(t, 30*time.Second, time.Since(start))
				require.ErrorIs(t, context.Cause(ctx), worker.ErrLeaseLost)
				return ctx.Err()
			}, worker.Options{Concurrency: 3})
			require.EqualValues(t, 2, calls.Load())
			require.EqualValues(t, 1, statsOf(t, q).Deleted)
		})
	}
}

// An extension that says that the receipt is worth nothing ends the context at once.
func TestContextEndsWhenAnExtensionSaysSo(t *testing.T) {
	for _, lost := range []error{queue.ErrReceiptExpired, queue.ErrReceiptInvalid, queue.ErrMessageGone} {
		bubble(t, lost.Error(), func(t *testing.T) {
			q := open(t, queue.Standard, queue.Config{}, "a")
			w := &tampered{Queue: q, change: func(_ context.Context, cs []queue.VisibilityChange, _ func() error) error {
				return &queue.BatchError{Entries: []queue.EntryError{{Index: 0, Err: lost}}}
			}}
			start := time.Now()
			runFor(t, 10*time.Minute, w, func(ctx context.Context, d *queue.Delivery) error {
				if d.ReceiveCount > 1 {
					return nil
				}
				<-ctx.Done()
				require.Equal(t, 15*time.Second, time.Since(start))
				require.ErrorIs(t, context.Cause(ctx), worker.ErrLeaseLost)
				return nil
			}, worker.Options{})
		})
	}
}

func TestContextEndsWhenSomebodyDeletesTheMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := open(t, queue.Standard, queue.Config{}, "a")
		start := time.Now()
		runFor(t, 10*time.Minute, q, func(ctx context.Context, d *queue.Delivery) error {
			require.NoError(t, q.Delete(t.Context(), d.Receipt))
			<-ctx.Done()
			require.Equal(t, 15*time.Second, time.Since(start), "with the next extension")
			require.ErrorIs(t, context.Cause(ctx), worker.ErrLeaseLost)
			return nil
		}, worker.Options{})
	})
}

func TestSlowExtensionIsAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := open(t, queue.Standard, queue.Config{}, "slow")
		var calls atomic.Int64
		w := &tampered{Queue: q, change: func(_ context.Context, cs []queue.VisibilityChange, next func() error) error {
			if cs[0].Timeout > 0 {
				calls.Add(1)
			}
			time.Sleep(time.Second)
			return next()
		}}
		go func() {
			for range 1850 {
				time.Sleep(10 * ms)
				if _, err := q.SendBatch(t.Context(), []queue.Message{{Body: "f"}, {Body: "f"}, {Body: "f"}}); err != nil {
					return
				}
			}
		}()
		runFor(t, 19*time.Second, w, func(_ context.Context, d *queue.Delivery) error {
			if d.Body == "slow" {
				time.Sleep(18 * time.Second)
			}
			return nil
		}, worker.Options{Concurrency: 3})
		require.EqualValues(t, 1, calls.Load())
	})
}

// One extension hangs; those of others go on.
func TestHangingExtensionHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := open(t, queue.Standard, queue.Config{}, "first")
		var hung atomic.Bool
		w := &tampered{Queue: q, change: func(ctx context.Context, _ []queue.VisibilityChange, next func() error) error {
			if !hung.Swap(true) {
				<-ctx.Done()
				return ctx.Err()
			}
			return next()
		}}
		time.AfterFunc(5*time.Second, func() { put(t, q, queue.Standard, "second") })
		var lost notes[string]
		runFor(t, 5*time.Minute, w, func(ctx context.Context, d *queue.Delivery) error {
			time.Sleep(2 * time.Minute)
			if ctx.Err() != nil {
				lost.add(d.Body)
			}
			return nil
		}, worker.Options{})
		require.Equal(t, []string{"first"}, lost.all())
		require.Empty(t, bodiesIn(t, q))
	})
}

func TestEachMessageBeginsWithALivingContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := open(t, queue.Standard, queue.Config{}, numbers("", 30)...)
		var last context.Context
		runFor(t, 10*time.Minute, q, func(ctx context.Context, d *queue.Delivery) error {
			require.NoError(t, ctx.Err())
			last = ctx
			if d.Body == "3" && d.ReceiveCount == 1 {
				<-ctx.Done() // the lease is lost
			}
			time.Sleep(100 * ms)
			return nil
		}, worker.Options{Concurrency: 1, MaxHold: 10 * time.Second})
		require.Empty(t, bodiesIn(t, q))
		require.Error(t, last.Err(), "ends some time after its handler")
	})
}
