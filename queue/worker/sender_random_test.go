package worker_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/worker"
)

// Producers send, add, flush and give up at random times, to a queue that is slow and
// fails at random. Whatever happens: each message has one answer, a message is in the
// queue once if the answer is nil, not at all if it is an error, and maybe, but not twice, if
// that is ErrUncertain; and what is in a FIFO queue is in order.
func TestSenderRandomly(t *testing.T) {
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) { sendRandomly(t, seed) })
	}
}

// TestSenderRacing is the same without a bubble, so in parallel.
func TestSenderRacing(t *testing.T) {
	for seed := range uint64(20) {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			sendRandomly(t, seed)
		})
	}
}

func sendRandomly(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	pick := func(of ...int) int { return of[r.IntN(len(of))] }
	isFIFO, bubble := seed%2 == 0, t.Name() == "TestSenderRandomly"
	unit := time.Microsecond
	if bubble {
		unit = time.Millisecond
	}
	q := spyOn(openStandard(t, queue.Config{}))
	if isFIFO {
		q = spyOn(openFIFO(t, queue.Config{}))
	}
	q.takes = time.Duration(pick(0, 1, 10)) * unit
	failing := pick(0, 0, 5, 30)
	luck := rand.New(rand.NewPCG(seed, 2))
	var mu sync.Mutex // guards luck
	roll := func() int {
		mu.Lock()
		defer mu.Unlock()
		return luck.IntN(100)
	}
	q.refuse = func(ms []queue.Message) (which []int, err error) {
		switch n := roll(); {
		case n < failing/2:
			return nil, queue.ErrThrottled
		case n < failing:
			return []int{n % len(ms)}, queue.ErrStoreFull
		}
		return nil, nil
	}
	q.after = func(ms []queue.Message, err error) error {
		if err == nil && roll() < failing/2 {
			return queue.ErrUncertain
		}
		return err
	}
	o := worker.SenderOptions{
		Linger: time.Duration(pick(0, 0, 1, 5)) * unit, BatchSize: pick(0, 1, 3), MaxPending: pick(0, 1, 2, 7, 50), Parallel: pick(0, 1, 2, 4),
		Logger: mute,
	}
	s := openSender(t, q, o)

	a := newReplies()
	taken := 0
	var producers sync.WaitGroup
	for p := range 4 {
		own := rand.New(rand.NewPCG(seed, uint64(10+p)))
		producers.Go(func() {
			for i := range 40 {
				if own.IntN(4) == 0 {
					time.Sleep(time.Duration(own.IntN(5)) * unit)
				}
				body := fmt.Sprintf("%d %03d", p, i)
				m := queue.Message{Body: body, GroupID: fmt.Sprint(p)}
				if isFIFO {
					m.DeduplicationID = strings.ReplaceAll(body, " ", "-")
				}
				if own.IntN(20) == 0 {
					m.Attributes = queue.NewAttributes(map[string]queue.Value{"": {}})
				}
				ctx, cancel := context.WithCancel(t.Context())
				if own.IntN(3) == 0 {
					cancel()
					ctx, cancel = context.WithTimeout(t.Context(), time.Duration(own.IntN(20))*unit)
				}
				done := a.of(body)
				a.mu.Lock()
				taken++
				a.mu.Unlock()
				if own.IntN(4) == 0 {
					done(s.Send(ctx, m))
				} else if err := s.Add(ctx, m, done); err != nil {
					done(queue.Sent{}, err)
				}
				if own.IntN(30) == 0 {
					_ = s.Flush(ctx)
				}
				cancel()
			}
		})
	}
	if seed%5 == 0 {
		time.Sleep(20 * unit)
	} else {
		producers.Wait()
	}
	require.NoError(t, s.Close())
	producers.Wait()
	require.NoError(t, s.Close())

	inside := bodiesIn(t, q)
	times := map[string]int{}
	for _, b := range inside {
		times[b]++
	}
	require.Len(t, a.times, taken, "seed %d", seed)
	for body, n := range a.times {
		require.Equal(t, 1, n, "seed %d: answers for %q", seed, body)
		switch err := a.errs[body]; {
		case err == nil:
			require.Equal(t, 1, times[body], "seed %d: %q was sent", seed, body)
			require.NotZero(t, a.sent[body], "seed %d: %q", seed, body)
		case errors.Is(err, queue.ErrUncertain):
			require.LessOrEqual(t, times[body], 1, "seed %d: %q", seed, body)
		default:
			require.Zero(t, times[body], "seed %d: %q was not sent: %v", seed, body, err)
		}
	}
	if isFIFO {
		last := map[byte]string{}
		for _, b := range inside {
			require.Greater(t, b, last[b[0]], "seed %d: in order within the group", seed)
			last[b[0]] = b
		}
	}
}

// With a single batch under way a FIFO queue gets all groups in the order of Add.
func TestSenderKeepsTheOrderOfAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := spyOn(openFIFO(t, queue.Config{ContentDeduplication: true}))
		q.takes = time.Second
		s := openSender(t, q, worker.SenderOptions{})
		var want []string
		for i := range 500 {
			b := fmt.Sprintf("%03d", i)
			want = append(want, b)
			require.NoError(t, s.Add(t.Context(), queue.Message{Body: b, GroupID: fmt.Sprint(i % 7)}, nil))
		}
		require.NoError(t, s.Close())
		require.Equal(t, want, bodiesIn(t, q))
	})
}

// With several, each group waits for its own batch, and no other group waits for it.
func TestSenderGroupsDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := openFIFO(t, queue.Config{ContentDeduplication: true})
		q := spyOn(inner)
		q.takes = time.Second
		s := openSender(t, q, worker.SenderOptions{Parallel: 2, BatchSize: 3})
		for _, b := range []string{"a1", "a2", "a3", "a4", "b1", "b2", "a5", "b3"} {
			require.NoError(t, s.Add(t.Context(), queue.Message{Body: b, GroupID: b[:1]}, nil))
		}
		require.NoError(t, s.Close())
		require.ElementsMatch(t, []spyCall{{0, "a"}, {0, "b"}, {time.Second, "aaa"}, {time.Second, "bb"}, {2 * time.Second, "a"}}, q.seen())
		require.Equal(t, []string{"a1", "a2", "a3", "a4", "a5"}, ofGroup("a", bodiesIn(t, q)))
		require.Equal(t, []string{"b1", "b2", "b3"}, ofGroup("b", bodiesIn(t, q)))
	})
}

func ofGroup(group string, bodies []string) []string {
	return slices.DeleteFunc(bodies, func(b string) bool { return b[:1] != group })
}
