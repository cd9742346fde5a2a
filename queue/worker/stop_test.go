package worker_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/worker"
)

func TestStopBeforeTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := open(t, queue.Standard, queue.Config{}, "a")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.NoError(t, worker.Run(ctx, q, func(context.Context, *queue.Delivery) error {
			t.Error("handled")
			return nil
		}, worker.Options{Logger: mute}))
		require.Zero(t, statsOf(t, q).Received)
		nothingRuns(t)
	})
}

func TestStopOfAnIdleRunTakesNoTime(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		q := open(t, kind, queue.Config{})
		start := time.Now()
		runFor(t, 7*time.Second, q, func(context.Context, *queue.Delivery) error { return nil }, worker.Options{})
		require.Equal(t, 7*time.Second, time.Since(start))
		nothingRuns(t)
		put(t, q, kind, "a")
		require.Len(t, receivable(t, q), 1)
	})
}

// 50 run and 1,000 are queued: some end in time, some when their contexts end, some not
// at all.
func TestStopWithFiftyRunningAndAThousandQueued(t *testing.T) {
	for _, stuck := range []bool{false, true} {
		bothKinds(t, func(t *testing.T, kind queue.Kind) {
			q := open(t, kind, queue.Config{}, numbers("", 1050)...)
			var m worker.Metrics
			var began atomic.Int64
			c := hire(t, q, func(ctx context.Context, _ *queue.Delivery) error {
				switch n := began.Add(1); {
				case n%3 == 0:
					time.Sleep(10 * time.Second)
					require.NoError(t, ctx.Err())
					return nil
				case n%3 == 1 || !stuck:
					<-ctx.Done()
					require.ErrorIs(t, context.Cause(ctx), worker.ErrStopping)
					return ctx.Err()
				default:
					time.Sleep(time.Hour)
					return nil
				}
			}, worker.Options{Concurrency: 50, Metrics: &m})
			time.Sleep(5 * time.Second)
			require.EqualValues(t, 50, began.Load())
			start := time.Now()
			err := c.end()
			took := time.Since(start)
			require.EqualValues(t, 50, began.Load(), "nothing is begun any more")
			if stuck {
				var e *worker.StuckError
				require.ErrorAs(t, err, &e)
				require.Equal(t, 17, e.Running)
				require.LessOrEqual(t, took, 25*time.Second)
			} else {
				require.NoError(t, err)
				require.Equal(t, 24*time.Second, took, "a second before the end of the grace the contexts end")
				nothingRuns(t)
			}
			s := m.Snapshot()
			require.EqualValues(t, 16, s.Done)
			require.EqualValues(t, 16, statsOf(t, q).Deleted)
			got := receivable(t, q)
			require.Len(t, got, 1050-16, "at once")
			seen := map[string]bool{}
			for i := range got {
				require.False(t, seen[got[i].Body])
				seen[got[i].Body] = true
				require.NoError(t, q.Delete(t.Context(), got[i].Receipt))
			}
			if stuck { // what they return then is nothing to the queue
				time.Sleep(2 * time.Hour)
				require.Zero(t, m.Snapshot().Running)
				require.EqualValues(t, 1050, statsOf(t, q).Deleted)
				nothingRuns(t)
			}
		})
	}
}

// Messages that wait behind a running handler go back when the stop begins, not when it
// ends.
func TestStopReturnsWhatIsNotBegunAtOnce(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		q := open(t, kind, queue.Config{}, numbers("quick", 100)...)
		var m worker.Metrics
		var running atomic.Int64
		c := hire(t, q, func(_ context.Context, d *queue.Delivery) error {
			if d.Body[0] == 'm' {
				running.Add(1)
				time.Sleep(10 * time.Second)
			}
			return nil
		}, worker.Options{Concurrency: 1, Metrics: &m})
		time.Sleep(time.Second)
		put(t, q, kind, numbers("m", 10)...)
		time.Sleep(time.Second)
		require.Equal(t, 10, statsOf(t, q).InFlight, "received together, by handlers that were quick")
		c.stop()
		synctest.Wait()
		require.Len(t, receivable(t, q), 9)
		require.NoError(t, <-c.done)
		require.EqualValues(t, 1, running.Load())
		require.EqualValues(t, 9, m.Snapshot().Returned)
		require.EqualValues(t, 101, m.Snapshot().Done)
		nothingRuns(t)
	})
}

// The same for a FIFO group, of which the running handler has the first.
func TestStopReturnsAGroupInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := open(t, queue.FIFO, queue.Config{}, numbers("quick", 100)...)
		c := hire(t, q, func(_ context.Context, d *queue.Delivery) error {
			if d.GroupID == "g" {
				time.Sleep(10 * time.Second)
			}
			return nil
		}, worker.Options{Concurrency: 3})
		time.Sleep(time.Second)
		inGroup(t, q, "g", numbers("", 10)...)
		time.Sleep(15 * time.Second)
		require.NoError(t, c.end())
		var got []string
		for _, d := range receivable(t, q) {
			got = append(got, d.Body)
		}
		require.Equal(t, numbers("", 10)[2:], got)
	})
}

func TestStopAtAnyMoment(t *testing.T) {
	for at := range int64(40) {
		bothKinds(t, func(t *testing.T, kind queue.Kind) {
			q := open(t, kind, queue.Config{}, numbers("", 200)...)
			ctx, cancel := context.WithCancel(t.Context())
			var n, after atomic.Int64
			var stopped atomic.Bool
			require.NoError(t, worker.Run(ctx, q, func(context.Context, *queue.Delivery) error {
				if stopped.Load() {
					after.Add(1)
				}
				if n.Add(1) == 3*at+1 {
					cancel()
					stopped.Store(true)
				}
				return nil
			}, worker.Options{Concurrency: 4, Logger: mute}))
			s := statsOf(t, q)
			require.Zero(t, s.InFlight)
			require.EqualValues(t, n.Load(), s.Deleted)
			require.Less(t, after.Load(), int64(4*queue.MaxReceive), "no more than the four had or were receiving")
			nothingRuns(t)
		})
	}
}

func TestStopWithoutGrace(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		q := open(t, kind, queue.Config{}, numbers("", 20)...)
		c := hire(t, q, func(ctx context.Context, _ *queue.Delivery) error {
			<-ctx.Done()
			require.ErrorIs(t, context.Cause(ctx), worker.ErrStopping)
			time.Sleep(time.Minute)
			return nil
		}, worker.Options{Concurrency: 5, Grace: queue.None})
		time.Sleep(time.Second)
		start := time.Now()
		err := c.end()
		stuck, ok := err.(*worker.StuckError)
		require.True(t, ok, "%T", err)
		require.Equal(t, 5, stuck.Running)
		require.Contains(t, err.Error(), "5")
		require.Zero(t, time.Since(start))
		require.Len(t, receivable(t, q), 20)
		time.Sleep(2 * time.Minute)
		require.Zero(t, statsOf(t, q).Deleted)
		nothingRuns(t)
	})
}

func TestStopGivesTheContextsATail(t *testing.T) {
	for grace, tail := range map[time.Duration]time.Duration{
		5 * time.Second: 500 * ms, 10 * time.Second: time.Second, time.Hour: time.Second, 100 * ms: 10 * ms,
	} {
		synctest.Test(t, func(t *testing.T) {
			q := open(t, queue.Standard, queue.Config{}, "a")
			var stopped time.Time
			c := hire(t, q, func(ctx context.Context, _ *queue.Delivery) error {
				<-ctx.Done()
				require.Equal(t, grace-tail, time.Since(stopped))
				require.ErrorIs(t, context.Cause(ctx), worker.ErrStopping)
				return nil // it has done what it could, and that was all
			}, worker.Options{Grace: grace})
			synctest.Wait()
			stopped = time.Now()
			require.NoError(t, c.end())
			require.EqualValues(t, 1, statsOf(t, q).Deleted, "success counts until the grace is over")
		})
	}
}

// A handler that needs all of a long grace has its lease extended meanwhile.
func TestStopExtendsWhatRuns(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		q := open(t, kind, queue.Config{}, "a")
		c := hire(t, q, func(ctx context.Context, _ *queue.Delivery) error {
			time.Sleep(10 * time.Minute)
			return ctx.Err()
		}, worker.Options{Grace: time.Hour})
		synctest.Wait()
		require.NoError(t, c.end())
		require.EqualValues(t, 1, statsOf(t, q).Deleted)
	})
}

// The queue takes nothing back. Run returns within the grace all the same, and what it
// couldn't give back comes back when its timeout passes.
func TestStopWhileTheQueueRefuses(t *testing.T) {
	for _, timeout := range []time.Duration{30 * time.Second, 12 * time.Hour} {
		for _, takes := range []time.Duration{3 * time.Second, 14 * time.Hour} {
			bubble(t, fmt.Sprint(timeout, takes), func(t *testing.T) {
				q := open(t, queue.FIFO, queue.Config{})
				inGroup(t, q, "g", numbers("", 10)...)
				c := hire(t, throttledChanges(q), func(context.Context, *queue.Delivery) error {
					time.Sleep(takes)
					return nil
				}, worker.Options{Concurrency: 3, Grace: 5 * time.Second, VisibilityTimeout: timeout})
				time.Sleep(time.Second)
				start := time.Now()
				if err := c.end(); takes > time.Minute {
					require.ErrorAs(t, err, new(*worker.StuckError))
				} else {
					require.NoError(t, err)
				}
				require.LessOrEqual(t, time.Since(start), 5*time.Second)
				time.Sleep(timeout)
				require.NotEmpty(t, receivable(t, q))
				time.Sleep(15 * time.Hour)
				nothingRuns(t)
			})
		}
	}
}

// Calls of the queue hang until their contexts end.
func TestStopWhileTheQueueHangs(t *testing.T) {
	for _, grace := range []time.Duration{queue.None, 5 * time.Second} {
		bubble(t, fmt.Sprint(grace), func(t *testing.T) {
			q := open(t, queue.FIFO, queue.Config{})
			inGroup(t, q, "g", numbers("", 10)...)
			inGroup(t, q, "h", numbers("h", 10)...)
			hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
			w := &tampered{
				Queue:  q,
				change: func(ctx context.Context, _ []queue.VisibilityChange, _ func() error) error { return hang(ctx) },
				delete: func(ctx context.Context, _ []queue.Receipt, _ func() error) error { return hang(ctx) },
			}
			c := hire(t, w, func(context.Context, *queue.Delivery) error {
				time.Sleep(3 * time.Second)
				return nil
			}, worker.Options{Concurrency: 3, Grace: grace})
			time.Sleep(time.Second)
			start := time.Now()
			_ = c.end()
			require.LessOrEqual(t, time.Since(start), max(grace, 100*ms))
			time.Sleep(time.Minute)
			nothingRuns(t)
		})
	}
}

// An extension is under way when the stop begins, and would hide again what goes back.
func TestStopWhileAnExtensionIsUnderWay(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		q := open(t, kind, queue.Config{}, numbers("quick", 100)...)
		var slow atomic.Bool
		slow.Store(true)
		w := &tampered{Queue: q, change: func(_ context.Context, cs []queue.VisibilityChange, next func() error) error {
			if cs[0].Timeout > 0 && slow.Swap(false) {
				time.Sleep(2 * time.Second)
			}
			return next()
		}}
		c := hire(t, w, func(_ context.Context, d *queue.Delivery) error {
			if d.Body[0] == 'm' {
				time.Sleep(18 * time.Second)
			}
			return nil
		}, worker.Options{Concurrency: 1, Grace: 10 * time.Second})
		time.Sleep(time.Second)
		put(t, q, kind, numbers("m", 10)...)
		time.Sleep(16 * time.Second)
		require.False(t, slow.Load())
		require.NoError(t, c.end())
		require.Len(t, receivable(t, q), 9)
		nothingRuns(t)
	})
}
