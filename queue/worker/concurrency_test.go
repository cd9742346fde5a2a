package worker_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/worker"
)

// A watch sees which handlers run at the same time.
type watch struct {
	t       *testing.T
	most    int // allowed
	mu      sync.Mutex
	running int
	peak    int
	groups  map[string]int
	order   map[string][]string // of each group
	times   map[string]int      // each body was handled
}

func newWatch(t *testing.T, most int) *watch {
	return &watch{t: t, most: most, groups: map[string]int{}, order: map[string][]string{}, times: map[string]int{}}
}

func (w *watch) begin(d *queue.Delivery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running++
	w.peak = max(w.peak, w.running)
	w.times[d.Body]++
	if w.running > w.most {
		w.t.Errorf("%d handlers at the same time", w.running)
	}
	if d.Sequence != 0 {
		if w.groups[d.GroupID]++; w.groups[d.GroupID] > 1 {
			w.t.Errorf("two of group %s at the same time", d.GroupID)
		}
		w.order[d.GroupID] = append(w.order[d.GroupID], d.Body)
	}
}

func (w *watch) end(d *queue.Delivery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running--
	w.groups[d.GroupID]--
}

func TestEachMessageIsHandledOnceByAnyNumberOfHandlers(t *testing.T) {
	const messages, groups = 120, 7
	for _, concurrency := range []int{1, 2, 10, 100} {
		for size := 1; size <= queue.MaxReceive; size++ {
			bothKinds(t, func(t *testing.T, kind queue.Kind) {
				q := open(t, kind, queue.Config{})
				want := map[string][]string{}
				for i := range messages {
					m := queue.Message{Body: fmt.Sprint(i)}
					if kind == queue.FIFO {
						m.GroupID = fmt.Sprint("g", i%groups)
						want[m.GroupID] = append(want[m.GroupID], m.Body)
					}
					_, err := q.Send(t.Context(), m)
					require.NoError(t, err)
				}
				w := newWatch(t, concurrency)
				var n atomic.Int64
				runFor(t, 2*time.Hour, q, func(_ context.Context, d *queue.Delivery) error {
					w.begin(d)
					defer w.end(d)
					switch i := n.Add(1); {
					case i%31 == 0:
						time.Sleep(40 * time.Second) // needs an extension
					case i%7 == 0:
						time.Sleep(time.Duration(i) * ms)
					}
					return nil
				}, worker.Options{Concurrency: concurrency, BatchSize: size})
				require.Len(t, w.times, messages)
				for body, times := range w.times {
					require.Equal(t, 1, times, body)
				}
				require.Empty(t, bodiesIn(t, q))
				if kind == queue.FIFO {
					require.Equal(t, want, w.order)
				}
			})
		}
	}
}

func TestTensOfThousandsOfFastMessages(t *testing.T) {
	const messages = 30_000
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		q := open(t, kind, queue.Config{}, numbers("", messages)...)
		var times sync.Map
		var m worker.Metrics
		runFor(t, time.Minute, q, func(_ context.Context, d *queue.Delivery) error {
			if _, again := times.LoadOrStore(d.Body, true); again {
				t.Errorf("%s was handled twice", d.Body)
			}
			return nil
		}, worker.Options{Concurrency: 16, Metrics: &m})
		s := m.Snapshot()
		require.EqualValues(t, messages, s.Received)
		require.EqualValues(t, messages, s.Done)
		require.EqualValues(t, messages, s.InHandler.Count)
		require.Zero(t, s.Retried+s.DeadLettered+s.LeaseLost+s.Returned+s.FailedCalls)
		require.EqualValues(t, messages, statsOf(t, q).Deleted)
		nothingRuns(t)
	})
}

// Handlers were quick, so a goroutine takes on several messages; then one of them is
// slow, and those behind it must not wait while other handlers are free.
func TestSlowHandlerHoldsUpNobody(t *testing.T) {
	for _, concurrency := range []int{2, 3, 10} {
		bothKinds(t, func(t *testing.T, kind queue.Kind) {
			q := open(t, kind, queue.Config{}, numbers("quick", 100)...)
			w := newWatch(t, concurrency)
			began := map[string]time.Time{}
			c := hire(t, q, func(_ context.Context, d *queue.Delivery) error {
				w.begin(d)
				defer w.end(d)
				w.mu.Lock()
				began[d.Body] = time.Now()
				w.mu.Unlock()
				if d.Body == "m0" {
					time.Sleep(time.Minute)
				}
				return nil
			}, worker.Options{Concurrency: concurrency})
			time.Sleep(time.Second)
			synctest.Wait()
			sent := time.Now()
			put(t, q, kind, numbers("m", 10)...)
			time.Sleep(50 * time.Second)
			w.mu.Lock()
			for _, body := range numbers("m", 10) {
				require.Contains(t, began, body)
				require.LessOrEqual(t, began[body].Sub(sent), 20*ms, body)
			}
			w.mu.Unlock()
			require.Equal(t, []string{"m0"}, bodiesIn(t, q), "the others are deleted already")
			require.NoError(t, c.end())
		})
	}
}

// The same with two slow ones in a FIFO group that were received with others: the group
// waits, the others don't.
func TestSlowHandlerHoldsUpItsGroupOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := open(t, queue.FIFO, queue.Config{}, numbers("quick", 100)...)
		w := newWatch(t, 4)
		var began notes[string]
		start := time.Now()
		c := hire(t, q, func(_ context.Context, d *queue.Delivery) error {
			w.begin(d)
			defer w.end(d)
			if d.GroupID == "slow" {
				began.add(fmt.Sprint(d.Body, " ", time.Since(start).Truncate(time.Minute)))
				time.Sleep(time.Minute)
			} else if d.GroupID == "free" {
				began.add(fmt.Sprint(d.Body, " ", time.Since(start).Truncate(time.Second)))
			}
			return nil
		}, worker.Options{Concurrency: 4})
		time.Sleep(time.Second)
		synctest.Wait()
		var batch []queue.Message
		for i := range 3 {
			batch = append(batch, queue.Message{Body: fmt.Sprint("s", i), GroupID: "slow"}, queue.Message{Body: fmt.Sprint("f", i), GroupID: "free"})
		}
		_, err := q.SendBatch(t.Context(), batch)
		require.NoError(t, err)
		time.Sleep(10 * time.Minute)
		require.ElementsMatch(t, []string{"s0 0s", "s1 1m0s", "s2 2m0s", "f0 1s", "f1 1s", "f2 1s"}, began.all())
		require.Equal(t, []string{"s0", "s1", "s2"}, w.order["slow"])
		require.Equal(t, []string{"f0", "f1", "f2"}, w.order["free"])
		require.NoError(t, c.end())
	})
}

// Messages that wait behind a slow handler where there is no other one stay hidden, and
// are handled when it has returned.
func TestMessagesBehindTheOnlyHandlerStayHidden(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		q := open(t, kind, queue.Config{}, numbers("quick", 100)...)
		w := newWatch(t, 1)
		c := hire(t, q, func(_ context.Context, d *queue.Delivery) error {
			w.begin(d)
			defer w.end(d)
			if d.Body == "m0" {
				time.Sleep(5 * time.Minute)
			}
			return nil
		}, worker.Options{Concurrency: 1})
		time.Sleep(time.Second)
		put(t, q, kind, numbers("m", 10)...)
		time.Sleep(4 * time.Minute)
		require.Empty(t, receivable(t, q), "all ten were received together")
		time.Sleep(2 * time.Minute)
		require.Empty(t, bodiesIn(t, q))
		require.Len(t, w.times, 110)
		for body, times := range w.times {
			require.Equal(t, 1, times, body)
		}
		require.NoError(t, c.end())
	})
}

// Handlers that return at about the time when the messages behind them are handed over.
func TestHandOverWhileHandlersReturn(t *testing.T) {
	for takes := 3 * ms; takes <= 12*ms; takes += 500 * time.Microsecond {
		bothKinds(t, func(t *testing.T, kind queue.Kind) {
			q := open(t, kind, queue.Config{}, numbers("", 200)...)
			w := newWatch(t, 5)
			var n atomic.Int64
			var m worker.Metrics
			runFor(t, time.Minute, q, func(_ context.Context, d *queue.Delivery) error {
				w.begin(d)
				defer w.end(d)
				if n.Add(1)%5 == 0 {
					time.Sleep(takes)
				}
				return nil
			}, worker.Options{Concurrency: 5, Metrics: &m})
			require.Len(t, w.times, 200)
			s := m.Snapshot()
			require.EqualValues(t, 200, s.Done)
			require.EqualValues(t, 200, s.Received)
			require.Equal(t, 40*takes, s.InHandler.Sum)
		})
	}
}
