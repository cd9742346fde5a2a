package worker_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/worker"
)

// The first of a group fails: those received with it go back unhandled, and come after
// it again. That holds for each way to fail, and when giving back is slow.
func TestGroupStaysInOrderWhenOneFails(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error":       func() error { return errNo },
		"at once":     func() error { return worker.RetryAfter(0, errNo) },
		"in an hour":  func() error { return worker.RetryAfter(time.Hour, errNo) },
		"panic":       func() error { panic("no") },
		"goexit":      func() error { runtime.Goexit(); return nil },
		"slow":        func() error { time.Sleep(time.Minute); return errNo },
		"dead letter": func() error { return worker.DeadLetter(errNo) }, // there is no such queue
	} {
		for _, takes := range []time.Duration{0, 100 * ms} {
			for _, place := range []int{0, 4, 9} {
				at := fmt.Sprint(place)
				bubble(t, fmt.Sprint(name, "/", takes, "/", at), func(t *testing.T) {
					q := open(t, queue.FIFO, queue.Config{}, numbers("quick", 100)...)
					w := &tampered{Queue: q, change: func(_ context.Context, _ []queue.VisibilityChange, next func() error) error {
						time.Sleep(takes)
						return next()
					}}
					watch := newWatch(t, 3)
					var m worker.Metrics
					c := hire(t, w, func(_ context.Context, d *queue.Delivery) error {
						watch.begin(d)
						defer watch.end(d)
						if d.GroupID == "g" && d.Body == at && d.ReceiveCount == 1 {
							return fail()
						}
						return nil
					}, worker.Options{Concurrency: 3, Metrics: &m})
					time.Sleep(time.Second)
					var batch []queue.Message
					for _, b := range numbers("", 10) {
						batch = append(batch, queue.Message{Body: b, GroupID: "g"})
					}
					_, err := q.SendBatch(t.Context(), batch)
					require.NoError(t, err)
					time.Sleep(3 * time.Hour)
					var want []string
					for _, b := range numbers("", 10) {
						if want = append(want, b); b == at {
							want = append(want, b)
						}
					}
					require.Equal(t, want, watch.order["g"])
					require.EqualValues(t, 9-place, m.Snapshot().Returned, "those behind it")
					require.NoError(t, c.end())
					require.Empty(t, bodiesIn(t, q))
				})
			}
		}
	}
}

// While one group waits for its failed message, others go on.
func TestGroupsFailAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := open(t, queue.FIFO, queue.Config{})
		for i := range 30 {
			inGroup(t, q, fmt.Sprint("g", i%3), fmt.Sprint(i))
		}
		start := time.Now()
		var late notes[string]
		runFor(t, 2*time.Hour, q, func(_ context.Context, d *queue.Delivery) error {
			if time.Since(start) > time.Minute {
				late.add(d.Body)
			}
			if d.Body == "4" && d.ReceiveCount == 1 {
				return worker.RetryAfter(time.Hour, errNo)
			}
			return nil
		}, worker.Options{Concurrency: 2})
		require.Equal(t, []string{"4", "7", "10", "13", "16", "19", "22", "25", "28"}, late.all())
		require.Empty(t, bodiesIn(t, q))
	})
}

func TestDeadLetteredMessageLetsItsGroupGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := openFIFO(t, queue.Config{Name: "dead.fifo"})
		q := open(t, queue.FIFO, queue.Config{Name: "jobs", DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 100}})
		inGroup(t, q, "g", numbers("", 10)...)
		watch := newWatch(t, 2)
		start := time.Now()
		runFor(t, time.Minute, q, func(_ context.Context, d *queue.Delivery) error {
			watch.begin(d)
			defer watch.end(d)
			require.Less(t, time.Since(start), time.Second)
			if d.Body == "3" {
				return worker.DeadLetter(errNo)
			}
			return nil
		}, worker.Options{Concurrency: 2})
		require.Equal(t, numbers("", 10), watch.order["g"])
		require.Equal(t, []string{"3"}, bodiesIn(t, dead))
		require.Empty(t, bodiesIn(t, q))
	})
}

// The lease on the first is lost, because its extension alone fails. Its group mustn't
// go on before it.
func TestGroupStaysInOrderWhenALeaseIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := open(t, queue.FIFO, queue.Config{})
		inGroup(t, q, "g", "0", "1", "2")
		var first atomic.Pointer[queue.Receipt]
		w := &tampered{Queue: q, change: func(_ context.Context, cs []queue.VisibilityChange, next func() error) error {
			for i, c := range cs {
				if r := first.Load(); r != nil && c.Receipt == *r {
					return &queue.BatchError{Entries: []queue.EntryError{{Index: i, Err: queue.ErrThrottled}}}
				}
			}
			return next()
		}}
		var order notes[string]
		runFor(t, 20*time.Minute, w, func(ctx context.Context, d *queue.Delivery) error {
			order.add(fmt.Sprint(d.Body, "/", d.ReceiveCount))
			if d.Body == "0" && d.ReceiveCount == 1 {
				first.Store(&d.Receipt)
				<-ctx.Done()
				require.ErrorIs(t, context.Cause(ctx), worker.ErrLeaseLost)
				return ctx.Err()
			}
			time.Sleep(time.Second)
			return nil
		}, worker.Options{Concurrency: 3})
		got := order.all()
		require.Equal(t, []string{"0/1", "0/2"}, got[:2])
		require.Len(t, got, 4)
		require.Equal(t, "1", got[2][:1])
		require.Equal(t, "2", got[3][:1])
		require.Empty(t, bodiesIn(t, q))
	})
}

// Many groups, and handlers that fail in all ways: within each group, what succeeds
// succeeds in order, and before it nothing younger was begun.
func TestGroupsAreInOrderHoweverManyHandlers(t *testing.T) {
	const groups, each = 10, 20
	for _, concurrency := range []int{1, 2, 10, 100} {
		synctest.Test(t, func(t *testing.T) {
			q := open(t, queue.FIFO, queue.Config{})
			for i := range each {
				for g := range groups {
					inGroup(t, q, fmt.Sprint(g), fmt.Sprint(g, "-", i))
				}
			}
			watch := newWatch(t, concurrency)
			var mu sync.Mutex
			done := map[string]int{}
			var n atomic.Int64
			runFor(t, 24*time.Hour, q, func(_ context.Context, d *queue.Delivery) error {
				watch.begin(d)
				defer watch.end(d)
				mu.Lock()
				require.Equal(t, fmt.Sprint(d.GroupID, "-", done[d.GroupID]), d.Body, "the first that isn't done")
				mu.Unlock()
				i := n.Add(1)
				time.Sleep(time.Duration(i*i%23) * 2 * ms)
				switch {
				case i%11 == 0:
					return errNo
				case i%13 == 0:
					return worker.RetryAfter(0, errNo)
				case i%17 == 0:
					panic("no")
				case i%19 == 0:
					runtime.Goexit()
				}
				mu.Lock()
				done[d.GroupID]++
				mu.Unlock()
				return nil
			}, worker.Options{Concurrency: concurrency})
			require.Len(t, done, groups)
			for _, n := range done {
				require.Equal(t, each, n)
			}
			require.Empty(t, bodiesIn(t, q))
		})
	}
}
