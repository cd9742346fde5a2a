package worker_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/worker"
)

// moody is an error that can't be looked into when it is nil.
type moody struct{ inner error }

func (m *moody) Error() string { return m.inner.Error() }
func (m *moody) Unwrap() error { return m.inner }

// An error that panics when it is looked at is a panic of its handler, and no end of the
// process.
func TestErrorsThatPanicAreHandlersThatPanic(t *testing.T) {
	var none *moody
	for name, err := range map[string]error{"plain": none, "dead letter": worker.DeadLetter(none), "again": worker.RetryAfter(time.Second, none)} {
		bubble(t, name, func(t *testing.T) {
			q := open(t, queue.Standard, queue.Config{}, "a")
			var m worker.Metrics
			runFor(t, time.Hour, q, func(_ context.Context, d *queue.Delivery) error {
				if d.ReceiveCount == 1 {
					return err
				}
				return nil
			}, worker.Options{Metrics: &m})
			s := m.Snapshot()
			require.EqualValues(t, 1, s.Panicked)
			require.EqualValues(t, 1, s.Retried)
			require.EqualValues(t, 1, s.Done)
		})
	}
	bubble(t, "batch", func(t *testing.T) {
		q := open(t, queue.Standard, queue.Config{}, "a", "b")
		var m worker.Metrics
		runBatchFor(t, time.Hour, q, func(_ context.Context, ds []queue.Delivery) error {
			if ds[0].ReceiveCount == 1 {
				var nothing *queue.BatchError
				return nothing // Go's classic: it is not nil
			}
			return nil
		}, worker.Options{Metrics: &m})
		s := m.Snapshot()
		require.EqualValues(t, 2, s.Retried)
		require.EqualValues(t, 2, s.Done)
	})
}

func TestRunWantsAHandler(t *testing.T) {
	q := open(t, queue.Standard, queue.Config{})
	require.ErrorIs(t, worker.Run(t.Context(), q, nil, worker.Options{}), queue.ErrMissingParameter)
	require.ErrorIs(t, worker.RunBatch(t.Context(), q, nil, worker.Options{}), queue.ErrMissingParameter)
}

// sorted hands out the messages of a receive by age, whatever their groups.
type sorted struct{ queue.Queue }

func (s sorted) Unwrap() queue.Queue { return s.Queue }

func (s sorted) Receive(ctx context.Context, o queue.ReceiveOptions) ([]queue.Delivery, error) {
	ds, err := s.Queue.Receive(ctx, o)
	slices.SortFunc(ds, func(a, b queue.Delivery) int { return int(a.Sequence) - int(b.Sequence) })
	return ds, err
}

// What was received behind a failed message of its group goes back at once, though a
// message of another group that stands between them takes an hour.
func TestFailedGroupDoesNotWaitForOthers(t *testing.T) {
	bubble(t, "FIFO", func(t *testing.T) {
		q := open(t, queue.FIFO, queue.Config{})
		for _, m := range []string{"a0", "b0", "c0", "a1", "a2"} {
			inGroup(t, q, m[:1], m)
		}
		start := time.Now()
		var mu sync.Mutex
		at := map[string]time.Duration{}
		var first atomic.Bool
		c := hire(t, sorted{q}, func(_ context.Context, d *queue.Delivery) error {
			switch {
			case d.Body == "c0":
				time.Sleep(time.Hour)
			case d.Body == "a0" && !first.Swap(true):
				time.Sleep(time.Second)
				return worker.RetryAfter(0, nil)
			default:
				mu.Lock()
				defer mu.Unlock()
				at[d.Body] = time.Since(start)
			}
			return nil
		}, worker.Options{Concurrency: 2})
		time.Sleep(2 * time.Hour)
		require.NoError(t, c.end())
		require.Contains(t, at, "a2")
		require.Less(t, at["a2"], 30*time.Second)
	})
}

// A call of the queue that hangs costs no slot for good: when the message is visible
// again, the call is given up.
func TestDeleteThatHangsIsGivenUp(t *testing.T) {
	bubble(t, "Standard", func(t *testing.T) {
		q := open(t, queue.Standard, queue.Config{}, "a", "b")
		var hung atomic.Bool
		var m worker.Metrics
		w := &hanging{Queue: q, hung: &hung}
		runFor(t, time.Hour, w, func(context.Context, *queue.Delivery) error { return nil }, worker.Options{Concurrency: 1, BatchSize: 1, Metrics: &m})
		s := m.Snapshot()
		require.EqualValues(t, 1, s.LeaseLost)
		require.EqualValues(t, 2, s.Done)
		require.NotZero(t, s.FailedCalls)
	})
}

// hanging is a queue whose first Delete doesn't return before its context ends.
type hanging struct {
	queue.Queue
	hung *atomic.Bool
}

func (h *hanging) Unwrap() queue.Queue { return h.Queue }

func (h *hanging) Delete(ctx context.Context, r queue.Receipt) error {
	if !h.hung.Swap(true) {
		<-ctx.Done()
		return ctx.Err()
	}
	return h.Queue.Delete(ctx, r)
}

// A message that is visible again when it arrives is not handled.
func TestReceiveThatTakesTooLongBringsNothing(t *testing.T) {
	bubble(t, "Standard", func(t *testing.T) {
		q := open(t, queue.Standard, queue.Config{}, "a")
		handled := 0
		var m worker.Metrics
		runFor(t, 10*time.Minute, &slowReceive{q}, func(context.Context, *queue.Delivery) error { handled++; return nil }, worker.Options{Metrics: &m})
		require.Zero(t, handled)
		s := m.Snapshot()
		require.Equal(t, s.Received, s.LeaseLost)
		require.NotZero(t, s.LeaseLost)
	})
}

type slowReceive struct{ queue.Queue }

func (s *slowReceive) Unwrap() queue.Queue { return s.Queue }

func (s *slowReceive) Receive(ctx context.Context, o queue.ReceiveOptions) ([]queue.Delivery, error) {
	ds, err := s.Queue.Receive(ctx, o)
	if len(ds) > 0 {
		time.Sleep(40 * time.Second)
	}
	return ds, err
}

// A queue that doesn't wait though it is asked to isn't asked all the time.
func TestReceivesThatDoNotWaitAreFew(t *testing.T) {
	bubble(t, "Standard", func(t *testing.T) {
		w := &eager{Queue: open(t, queue.Standard, queue.Config{})}
		runFor(t, time.Minute, w, func(context.Context, *queue.Delivery) error { return nil }, worker.Options{})
		require.Less(t, w.calls.Load(), int64(65))
	})
}

type eager struct {
	queue.Queue
	calls atomic.Int64
}

func (e *eager) Unwrap() queue.Queue { return e.Queue }

func (e *eager) Receive(context.Context, queue.ReceiveOptions) ([]queue.Delivery, error) {
	e.calls.Add(1)
	return nil, nil
}

// The contexts of quick handlers end, too, once they have returned.
func TestContextsOfQuickHandlersEnd(t *testing.T) {
	bubble(t, "Standard", func(t *testing.T) {
		const n = 2000
		q := open(t, queue.Standard, queue.Config{}, numbers("", n)...)
		var ended atomic.Int64
		c := hire(t, q, func(ctx context.Context, _ *queue.Delivery) error {
			context.AfterFunc(ctx, func() { ended.Add(1) })
			return nil
		}, worker.Options{})
		time.Sleep(time.Minute)
		require.EqualValues(t, n, ended.Load(), "while Run goes on")
		require.NoError(t, c.end())
	})
}

// In real time, with real goroutines: what is handed over while Run stops is neither lost
// nor given back twice. It is for the race detector.
func TestStopWhileMessagesAreHandedOver(t *testing.T) {
	for i := range 30 {
		q := open(t, queue.FIFO, queue.Config{}, numbers("", 40)...)
		for g := range 10 {
			inGroup(t, q, fmt.Sprint("g", g), fmt.Sprint(g, "a"), fmt.Sprint(g, "b"), fmt.Sprint(g, "c"))
		}
		var n atomic.Int64
		c := hire(t, q, func(context.Context, *queue.Delivery) error {
			if n.Add(1) > 40 {
				time.Sleep(8 * time.Millisecond)
			}
			return nil
		}, worker.Options{Concurrency: 2})
		time.Sleep(time.Duration(4000+i*100) * time.Microsecond)
		require.NoError(t, c.end())
		s, err := q.Stats(context.Background())
		require.NoError(t, err)
		require.Zero(t, s.InFlight)
	}
}

// When the delete of a message is refused, it comes again: those of its group that were
// received with it must not be handled before.
func TestGroupWaitsForWhatCouldNotBeDeleted(t *testing.T) {
	bubble(t, "FIFO", func(t *testing.T) {
		q := open(t, queue.FIFO, queue.Config{})
		inGroup(t, q, "g", "0", "1", "2")
		var handled []string
		var refused atomic.Bool
		runFor(t, time.Hour, &refusing{q, &refused}, func(_ context.Context, d *queue.Delivery) error {
			handled = append(handled, d.Body)
			return nil
		}, worker.Options{Concurrency: 5})
		require.Equal(t, []string{"0", "0", "1", "2"}, handled)
	})
}

// refusing is a queue whose first Delete fails.
type refusing struct {
	queue.Queue
	refused *atomic.Bool
}

func (r *refusing) Unwrap() queue.Queue { return r.Queue }

func (r *refusing) Delete(ctx context.Context, receipt queue.Receipt) error {
	if !r.refused.Swap(true) {
		return queue.ErrReceiptExpired
	}
	return r.Queue.Delete(ctx, receipt)
}
