package worker_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/worker"
)

func sendAll(t *testing.T, q queue.Queue, bodies ...string) {
	for _, b := range bodies {
		_, err := q.Send(t.Context(), queue.Message{Body: b})
		require.NoError(t, err)
	}
}

func TestMessages(t *testing.T) {
	for _, most := range []int{0, 3, 10} {
		synctest.Test(t, func(t *testing.T) {
			q := openStandard(t, queue.Config{})
			sendAll(t, q, letters('a', 'g')...)
			time.AfterFunc(time.Hour, func() { sendAll(t, q, "h") })
			start := time.Now()
			var got []string
			for d, err := range worker.Messages(t.Context(), q, queue.ReceiveOptions{Max: most}) {
				require.NoError(t, err)
				got = append(got, d.Body)
				require.NoError(t, q.Delete(t.Context(), d.Receipt))
				if d.Body == "h" {
					break
				}
			}
			require.Equal(t, letters('a', 'h'), got)
			require.Equal(t, time.Hour, time.Since(start), "it is received when it is there")
			require.Empty(t, bodiesIn(t, q))
		})
	}
}

func TestMessagesEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openStandard(t, queue.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(7*time.Second, cancel)
		start := time.Now()
		for range worker.Messages(ctx, q, queue.ReceiveOptions{}) {
			t.Error("there is nothing to yield")
		}
		require.Equal(t, 7*time.Second, time.Since(start))
		sendAll(t, q, "a")
		for range worker.Messages(ctx, q, queue.ReceiveOptions{}) {
			t.Error("it had ended before")
		}
		require.Equal(t, 1, statsOf(t, q).Visible)
	})
}

func statsOf(t *testing.T, q queue.Inspector) queue.Stats {
	s, err := q.Stats(context.Background())
	require.NoError(t, err)
	return s
}

func TestMessagesGivesBackWhatTheLoopDoesNotGetTo(t *testing.T) {
	leave := map[string]func(t *testing.T, q queue.Queue){
		"break": func(t *testing.T, q queue.Queue) {
			for range worker.Messages(t.Context(), q, queue.ReceiveOptions{Max: 10}) {
				break
			}
		},
		"panic": func(t *testing.T, q queue.Queue) {
			defer func() { _ = recover() }()
			for range worker.Messages(t.Context(), q, queue.ReceiveOptions{Max: 10}) {
				panic("out")
			}
		},
		"context": func(t *testing.T, q queue.Queue) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			for d, err := range worker.Messages(ctx, q, queue.ReceiveOptions{Max: 10}) {
				require.NoError(t, err)
				require.Equal(t, "a", d.Body)
				cancel()
			}
		},
	}
	for name, leave := range leave {
		synctest.Test(t, func(t *testing.T) {
			q := openStandard(t, queue.Config{})
			sendAll(t, q, letters('a', 'e')...)
			leave(t, q)
			s := statsOf(t, q)
			require.Equal(t, 1, s.InFlight, "%s: the loop's own", name)
			require.Equal(t, 4, s.Visible, "%s: the others, at once", name)
		})
	}
}

func TestMessagesGivesBackMoreThanABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openStandard(t, queue.Config{Limits: queue.Unlimited})
		sendAll(t, q, letters('A', 'z')...)
		for range worker.Messages(t.Context(), q, queue.ReceiveOptions{Max: 100}) {
			break
		}
		require.Equal(t, 1, statsOf(t, q).InFlight)
	})
}

func TestMessagesOfAFIFOQueueComeBackInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openFIFO(t, queue.Config{ContentDeduplication: true})
		for _, b := range letters('a', 'e') {
			_, err := q.Send(t.Context(), queue.Message{Body: b, GroupID: "g"})
			require.NoError(t, err)
		}
		var got []string
		for len(got) < 5 {
			for d, err := range worker.Messages(t.Context(), q, queue.ReceiveOptions{Max: 10}) {
				require.NoError(t, err)
				got = append(got, d.Body)
				require.NoError(t, q.Delete(t.Context(), d.Receipt))
				break
			}
		}
		require.Equal(t, letters('a', 'e'), got)
	})
}

func TestMessagesSkipsWhatIsVisibleAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openStandard(t, queue.Config{VisibilityTimeout: 10 * time.Second})
		sendAll(t, q, "a", "b", "c")
		var got []string
		for d, err := range worker.Messages(t.Context(), q, queue.ReceiveOptions{Max: 3}) {
			require.NoError(t, err)
			require.True(t, time.Now().Before(d.VisibleAt))
			got = append(got, fmt.Sprint(d.Body, d.ReceiveCount))
			if d.ReceiveCount == 1 {
				time.Sleep(6 * time.Second) // so c's timeout passes while b is handled
			}
			require.NoError(t, q.Delete(t.Context(), d.Receipt))
			if d.Body == "c" {
				break
			}
		}
		require.Equal(t, []string{"a1", "b1", "c2"}, got)
	})
}

func TestMessagesThatAreNotHidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openStandard(t, queue.Config{})
		sendAll(t, q, "a", "b", "c")
		var got []string
		for d, err := range worker.Messages(t.Context(), q, queue.ReceiveOptions{Max: 3, VisibilityTimeout: queue.None}) {
			require.NoError(t, err)
			time.Sleep(time.Second)
			if got = append(got, d.Body); len(got) == 3 {
				break
			}
		}
		require.Equal(t, []string{"a", "b", "c"}, got)
	})
}

// A failing queue answers receives with errors, one after the other, then as usual.
type failing struct {
	queue.Queue
	mu    sync.Mutex // guards the fields below
	errs  []error
	calls []time.Time
}

func (q *failing) Receive(ctx context.Context, o queue.ReceiveOptions) ([]queue.Delivery, error) {
	q.mu.Lock()
	q.calls = append(q.calls, time.Now())
	if len(q.errs) > 0 {
		err := q.errs[0]
		q.errs = q.errs[1:]
		q.mu.Unlock()
		return nil, err
	}
	q.mu.Unlock()
	return q.Queue.Receive(ctx, o)
}

func TestMessagesGoesOnAfterErrorsThatPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := openStandard(t, queue.Config{})
		sendAll(t, inner, "a", "b")
		q := &failing{Queue: inner}
		for range 12 {
			q.errs = append(q.errs, queue.ErrThrottled)
		}
		q.errs = append(q.errs, context.DeadlineExceeded, queue.ErrUncertain, queue.ErrInFlightLimit) // not the loop's context
		var errs []error
		for d, err := range worker.Messages(t.Context(), q, queue.ReceiveOptions{}) {
			if err != nil {
				require.Nil(t, d)
				errs = append(errs, err)
				continue
			}
			if d.Body == "b" {
				break
			}
			q.errs = append(q.errs, queue.ErrThrottled) // after a: short again
		}
		require.Len(t, errs, 16)
		gap := func(i int) time.Duration { return q.calls[i+1].Sub(q.calls[i]) }
		for i, most := 0, 100*ms; i < 15; i, most = i+1, min(2*most, 30*time.Second) {
			require.LessOrEqual(t, gap(i), most, "pause %d", i)
			require.GreaterOrEqual(t, gap(i), most/2, "pause %d", i)
		}
		require.Zero(t, gap(15), "a message came")
		require.LessOrEqual(t, gap(16), 100*ms, "so it starts anew")
	})
}

func TestMessagesPausesStartAnewAfterAnEmptyReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &failing{Queue: openStandard(t, queue.Config{})}
		for range 8 {
			q.errs = append(q.errs, queue.ErrThrottled)
		}
		errs := 0
		time.AfterFunc(50*time.Second, func() { // the pauses take 26 at most, and a receive 20
			q.mu.Lock()
			defer q.mu.Unlock()
			q.errs = append(q.errs, queue.ErrThrottled, queue.ErrClosed)
		})
		for _, err := range worker.Messages(t.Context(), q, queue.ReceiveOptions{}) {
			require.Error(t, err)
			errs++
		}
		require.Equal(t, 10, errs)
		last := len(q.calls) - 1
		require.LessOrEqual(t, q.calls[last].Sub(q.calls[last-1]), 100*ms)
	})
}

func TestMessagesLeftInAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &failing{Queue: openStandard(t, queue.Config{}), errs: []error{queue.ErrThrottled, queue.ErrThrottled, queue.ErrThrottled}}
		ctx, cancel := context.WithTimeout(t.Context(), 10*ms)
		defer cancel()
		start := time.Now()
		n := 0
		for range worker.Messages(ctx, q, queue.ReceiveOptions{}) {
			n++
		}
		require.Equal(t, 1, n)
		require.Equal(t, 10*ms, time.Since(start))

		for range worker.Messages(t.Context(), q, queue.ReceiveOptions{}) {
			break
		}
		require.Equal(t, 10*ms, time.Since(start), "without a pause")
	})
}

func TestMessagesEndsWithAFinalError(t *testing.T) {
	for _, final := range []error{queue.ErrClosed, queue.ErrQueueDeleted, queue.ErrStoreFailed, queue.ErrInvalidParameter} {
		synctest.Test(t, func(t *testing.T) {
			q := &failing{Queue: openStandard(t, queue.Config{}), errs: []error{queue.ErrThrottled, final}}
			var last error
			for _, err := range worker.Messages(t.Context(), q, queue.ReceiveOptions{}) {
				last = err
			}
			require.ErrorIs(t, last, final)
			require.Len(t, q.calls, 2)
		})
	}
}

func TestMessagesOfAClosedQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openStandard(t, queue.Config{})
		time.AfterFunc(time.Minute, func() { _ = q.Close() })
		var errs []error
		for _, err := range worker.Messages(t.Context(), q, queue.ReceiveOptions{}) {
			errs = append(errs, err)
		}
		require.Len(t, errs, 1)
		require.ErrorIs(t, errs[0], queue.ErrClosed)
	})
}

func TestMessagesRefusesOptions(t *testing.T) {
	q := openStandard(t, queue.Config{})
	for _, o := range []queue.ReceiveOptions{{AttemptID: "a"}, {Max: 11}, {Max: -1}, {Wait: time.Minute}, {Wait: -2}, {VisibilityTimeout: 13 * time.Hour}} {
		var errs []error
		for _, err := range worker.Messages(t.Context(), q, o) {
			errs = append(errs, err)
		}
		require.Len(t, errs, 1, "%+v", o)
		var limit *queue.LimitError
		require.True(t, errors.As(errs[0], &limit), "%+v", o)
	}
}

func TestMessagesLooksOnceASecondWithoutWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &failing{Queue: openStandard(t, queue.Config{})}
		ctx, cancel := context.WithTimeout(t.Context(), 9500*ms)
		defer cancel()
		for range worker.Messages(ctx, q, queue.ReceiveOptions{Wait: queue.None}) {
			t.Error("there is nothing to yield")
		}
		require.Len(t, q.calls, 10)
	})
}

func TestMessagesInto(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openStandard(t, queue.Config{})
		sendAll(t, q, "a", "b")
		into := make([]queue.Delivery, 0, 1)
		n := 0
		for d, err := range worker.Messages(t.Context(), q, queue.ReceiveOptions{Into: into}) {
			require.NoError(t, err)
			require.Same(t, &into[:1][0], d)
			if n++; n == 2 {
				break
			}
		}
	})
}

func TestMessagesInParallel(t *testing.T) {
	q := openStandard(t, queue.Config{})
	all := worker.Messages(t.Context(), q, queue.ReceiveOptions{Max: 10})
	const n = 2000
	var mu sync.Mutex // guards got
	got := map[string]int{}
	var loops sync.WaitGroup
	for range 4 {
		loops.Go(func() {
			for d, err := range all {
				if errors.Is(err, queue.ErrClosed) {
					return
				}
				require.NoError(t, err)
				require.NoError(t, q.Delete(t.Context(), d.Receipt))
				mu.Lock()
				got[d.Body]++
				if len(got) == n {
					_ = q.Close()
				}
				mu.Unlock()
			}
		})
	}
	for i := range n {
		_, err := q.Send(t.Context(), queue.Message{Body: fmt.Sprint(i)})
		require.NoError(t, err)
	}
	loops.Wait()
	require.Len(t, got, n)
	for body, times := range got {
		require.Equal(t, 1, times, body)
	}
}
