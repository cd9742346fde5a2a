package worker_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/worker"
)

func TestRunBatchGetsWhatAReceiveBrings(t *testing.T) {
	for _, size := range []int{1, 3, 10} {
		bothKinds(t, func(t *testing.T, kind queue.Kind) {
			q := open(t, kind, queue.Config{}, numbers("", 60)...)
			var got notes[string]
			var sizes notes[int]
			runBatchFor(t, time.Minute, q, func(_ context.Context, ds []queue.Delivery) error {
				sizes.add(len(ds))
				for i := range ds {
					got.add(ds[i].Body)
				}
				time.Sleep(time.Second)
				return nil
			}, worker.Options{BatchSize: size, Concurrency: 1})
			require.Equal(t, numbers("", 60), got.all())
			require.Len(t, sizes.all(), 60/size)
			require.EqualValues(t, 60, statsOf(t, q).Deleted)
			nothingRuns(t)
		})
	}
}

func TestRunBatchVerdicts(t *testing.T) {
	entries := func(es ...queue.EntryError) error { return &queue.BatchError{Entries: es} }
	for _, c := range []struct {
		name   string
		err    error
		failed []int
	}{
		{"nil", nil, nil},
		{"any other error", errNo, []int{0, 1, 2, 3, 4}},
		{"some", entries(queue.EntryError{Index: 1, Err: errNo}, queue.EntryError{Index: 3, Err: errNo}), []int{1, 3}},
		{"all", entries(queue.EntryError{Index: 0, Err: errNo}, queue.EntryError{Index: 1, Err: errNo}, queue.EntryError{Index: 2, Err: errNo},
			queue.EntryError{Index: 3, Err: errNo}, queue.EntryError{Index: 4, Err: errNo}), []int{0, 1, 2, 3, 4}},
		{"none", entries(), nil},
		{"named without an error", entries(queue.EntryError{Index: 1}), []int{1}},
		{"of another batch", entries(queue.EntryError{Index: 1, Err: errNo}, queue.EntryError{Index: 5, Err: errNo}), []int{0, 1, 2, 3, 4}},
		{"negative", entries(queue.EntryError{Index: -1, Err: errNo}), []int{0, 1, 2, 3, 4}},
		{"wrapped: about something else", fmt.Errorf("sending: %w", entries(queue.EntryError{Index: 1, Err: errNo})), []int{0, 1, 2, 3, 4}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bothKinds(t, func(t *testing.T, kind queue.Kind) {
				q := open(t, kind, queue.Config{}, numbers("", 5)...)
				var again notes[string]
				var m worker.Metrics
				runBatchFor(t, time.Minute, q, func(_ context.Context, ds []queue.Delivery) error {
					if ds[0].ReceiveCount == 1 {
						return c.err
					}
					for i := range ds {
						again.add(ds[i].Body)
					}
					return nil
				}, worker.Options{Metrics: &m})
				var want []string
				for _, i := range c.failed {
					want = append(want, fmt.Sprint(i))
				}
				require.ElementsMatch(t, want, again.all())
				s := m.Snapshot()
				require.EqualValues(t, len(want), s.Retried)
				require.EqualValues(t, 5, s.Done)
				require.Empty(t, bodiesIn(t, q))
			})
		})
	}
}

func TestRunBatchEntriesHaveErrorsOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := openStandard(t, queue.Config{Name: "dead"})
		q := open(t, queue.Standard, queue.Config{DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 10}}, numbers("", 4)...)
		start := time.Now()
		var again notes[string]
		runBatchFor(t, 3*time.Hour, q, func(_ context.Context, ds []queue.Delivery) error {
			if len(ds) == 4 {
				return &queue.BatchError{Entries: []queue.EntryError{
					{Index: 0, Err: worker.RetryAfter(time.Hour, errNo)},
					{Index: 2, Err: worker.DeadLetter(errNo)},
					{Index: 3, Err: worker.RetryAfter(2*time.Hour, nil)},
				}}
			}
			for i := range ds {
				again.add(fmt.Sprint(ds[i].Body, " ", time.Since(start)))
			}
			return nil
		}, worker.Options{})
		require.Equal(t, []string{"0 1h0m0s", "3 2h0m0s"}, again.all())
		require.Equal(t, []string{"2"}, bodiesIn(t, dead))
		require.Empty(t, bodiesIn(t, q))
	})
}

func TestRunBatchPanics(t *testing.T) {
	for name, h := range map[string]func(){"panic": func() { panic("no") }, "goexit": runtime.Goexit} {
		bubble(t, name, func(t *testing.T) {
			q := open(t, queue.Standard, queue.Config{}, numbers("", 5)...)
			var m worker.Metrics
			runBatchFor(t, time.Minute, q, func(_ context.Context, ds []queue.Delivery) error {
				if ds[0].ReceiveCount == 1 {
					h()
				}
				return nil
			}, worker.Options{Metrics: &m, Concurrency: 2})
			s := m.Snapshot()
			require.EqualValues(t, 5, s.Retried)
			require.EqualValues(t, 1, s.Panicked)
			require.EqualValues(t, 5, s.Done)
			require.Zero(t, s.Running)
			nothingRuns(t)
		})
	}
}

// The lease on one is lost: the context of all ends. What is still held and done is
// deleted, the other one is not.
func TestRunBatchLosesOneLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := open(t, queue.Standard, queue.Config{}, numbers("", 3)...)
		start := time.Now()
		w := &tampered{Queue: q, change: func(_ context.Context, cs []queue.VisibilityChange, next func() error) error {
			if time.Since(start) == 15*time.Second {
				return &queue.BatchError{Entries: []queue.EntryError{{Index: 1, Err: queue.ErrReceiptExpired}}}
			}
			return next()
		}}
		var outcomes notes[string]
		tr := &worker.Trace{Finished: func(d *queue.Delivery, o worker.Outcome, _ error, _ time.Duration) {
			outcomes.add(fmt.Sprint(d.Body, " ", d.ReceiveCount, " ", o))
		}}
		runBatchFor(t, 5*time.Minute, w, func(ctx context.Context, ds []queue.Delivery) error {
			if len(ds) == 3 {
				<-ctx.Done()
				require.ErrorIs(t, context.Cause(ctx), worker.ErrLeaseLost)
				require.Equal(t, 15*time.Second, time.Since(start))
			}
			return nil
		}, worker.Options{Trace: tr})
		require.ElementsMatch(t, []string{"0 1 done", "1 1 lease lost", "2 1 done", "1 2 done"}, outcomes.all())
		require.Empty(t, bodiesIn(t, q))
	})
}

func TestRunBatchIsExtended(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		q := open(t, kind, queue.Config{}, numbers("", 10)...)
		runBatchFor(t, time.Hour, q, func(ctx context.Context, ds []queue.Delivery) error {
			require.Equal(t, 1, ds[0].ReceiveCount)
			time.Sleep(10 * time.Minute)
			return ctx.Err()
		}, worker.Options{})
		require.EqualValues(t, 10, statsOf(t, q).Deleted)
	})
}

func TestRunBatchStuckIsOneHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := open(t, queue.Standard, queue.Config{}, numbers("", 10)...)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := worker.RunBatch(ctx, q, func(context.Context, []queue.Delivery) error {
			time.Sleep(time.Hour)
			return nil
		}, worker.Options{Logger: mute, Concurrency: 3})
		var stuck *worker.StuckError
		require.ErrorAs(t, err, &stuck)
		require.Equal(t, 1, stuck.Running)
		require.Len(t, receivable(t, q), 10)
		time.Sleep(time.Hour)
		require.Zero(t, statsOf(t, q).Deleted)
	})
}
