package worker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/worker"
)

var mute = slog.New(slog.DiscardHandler)

const (
	ms  = time.Millisecond
	kiB = 1 << 10
)

func letters(from, to byte) (bodies []string) {
	for b := from; b <= to; b++ {
		bodies = append(bodies, string(b))
	}
	return bodies
}

func TestSenderGivesEachMessageItsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openStandard(t, queue.Config{})
		s := openSender(t, q, worker.SenderOptions{})
		a := newReplies()
		a.add(t, s, letters('a', 'z')...)
		sent, err := s.Send(t.Context(), queue.Message{Body: "last"})
		require.NoError(t, err)
		require.NoError(t, s.Close())

		ids := map[string]queue.MessageID{"last": sent.ID}
		for _, b := range letters('a', 'z') {
			require.Equal(t, 1, a.times[b])
			require.NoError(t, a.errs[b])
			ids[b] = a.sent[b].ID
		}
		for p, err := range q.Peek(t.Context()) {
			require.NoError(t, err)
			require.Equal(t, p.ID, ids[p.Body], "the answer is the message's own")
			delete(ids, p.Body)
		}
		require.Empty(t, ids)
	})
}

func TestSenderWithoutLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := spyOn(openStandard(t, queue.Config{}))
		q.takes = time.Second
		s := openSender(t, q, worker.SenderOptions{Parallel: 1})
		a := newReplies()
		a.add(t, s, letters('a', 'y')...)
		require.NoError(t, s.Close())
		require.Equal(t, []spyCall{
			{0, "a"}, {1 * time.Second, "bcdefghijk"}, {2 * time.Second, "lmnopqrstu"}, {3 * time.Second, "vwxy"},
		}, q.seen(), "the first goes at once; what comes while it is under way fills the next batches")
		require.Equal(t, letters('a', 'y'), a.order)
	})
}

func TestSenderSendsFullBatchesInParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := spyOn(openStandard(t, queue.Config{}))
		q.takes = time.Second
		s := openSender(t, q, worker.SenderOptions{}) // 4 for a Standard queue
		newReplies().add(t, s, slices.Repeat([]string{"m"}, 1+3*10+14)...)
		require.NoError(t, s.Close())
		ten := strings.Repeat("m", 10)
		require.ElementsMatch(t, []spyCall{
			{0, "m"}, {0, ten}, {0, ten}, {0, ten},
			{1 * time.Second, ten}, {1 * time.Second, "mmmm"},
		}, q.seen(), "full batches don't wait for others; one that isn't does, until Close")
	})
}

func TestSenderLingers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := spyOn(openStandard(t, queue.Config{}))
		s := openSender(t, q, worker.SenderOptions{Linger: 50 * ms})
		a := newReplies()
		a.add(t, s, "a")
		time.Sleep(20 * ms)
		a.add(t, s, "b")
		time.Sleep(40 * ms)
		a.add(t, s, letters('c', 'k')...) // 60 ms
		time.Sleep(40 * ms)
		a.add(t, s, letters('l', 'n')...) // 100 ms: the first of these fills the batch
		time.Sleep(time.Second)
		require.Equal(t, []spyCall{{50 * ms, "ab"}, {100 * ms, "cdefghijkl"}, {150 * ms, "mn"}}, q.seen())
		require.NoError(t, s.Close())
	})
}

func TestSenderLingerIsOfTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := spyOn(openStandard(t, queue.Config{}))
		s := openSender(t, q, worker.SenderOptions{Linger: 50 * ms})
		a := newReplies()
		a.add(t, s, letters('a', 'j')...) // goes at once, and its timer runs on
		time.Sleep(30 * ms)
		a.add(t, s, "k")
		time.Sleep(time.Second)
		require.Equal(t, []spyCall{{0, "abcdefghij"}, {80 * ms, "k"}}, q.seen())
		require.NoError(t, s.Close())
	})
}

func TestSenderLingerEndsWhileAllBatchesAreUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := spyOn(openStandard(t, queue.Config{}))
		q.takes = time.Second
		s := openSender(t, q, worker.SenderOptions{Linger: 50 * ms, Parallel: 1})
		a := newReplies()
		a.add(t, s, "a")
		time.Sleep(60 * ms)
		a.add(t, s, "b")
		time.Sleep(980 * ms)
		a.add(t, s, "c") // 1.04 s: b is late already
		time.Sleep(5 * time.Second)
		require.Equal(t, []spyCall{{50 * ms, "a"}, {1050 * ms, "bc"}}, q.seen())
		require.NoError(t, s.Close())
	})
}

func TestSenderFillsBatchesByBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := spyOn(openStandard(t, queue.Config{}))
		s := openSender(t, q, worker.SenderOptions{Linger: time.Minute})
		a := newReplies()
		big := func(c string, n int) string { return strings.Repeat(c, n) }
		a.add(t, s, big("a", 400*kiB), big("b", 400*kiB))
		time.Sleep(time.Second)
		require.Empty(t, q.seen())
		a.add(t, s, big("c", 400*kiB)) // has no room beside a and b
		time.Sleep(time.Second)
		require.Equal(t, []spyCall{{time.Second, "ab"}}, q.seen())
		a.add(t, s, big("d", 624*kiB)) // fills c's batch to the byte
		time.Sleep(time.Second)
		require.Equal(t, []spyCall{{time.Second, "ab"}, {2 * time.Second, "cd"}}, q.seen())
		require.NoError(t, s.Close())
		for body, err := range a.errs {
			require.NoError(t, err, body[:1])
		}
	})
}

func TestSenderTooLargeFailsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := spyOn(openStandard(t, queue.Config{}))
		s := openSender(t, q, worker.SenderOptions{Linger: time.Minute})
		a := newReplies()
		huge := strings.Repeat("X", queue.MaxMessage+1)
		a.add(t, s, "a", "b", huge, "c")
		synctest.Wait()
		require.Equal(t, []string{"a", "b"}, bodiesIn(t, q))
		require.ErrorIs(t, a.errs[huge], queue.ErrMessageTooLarge)
		require.NoError(t, s.Close())
		require.Equal(t, []string{"a", "b", "c"}, bodiesIn(t, q))
		require.Len(t, a.times, 4)
	})
}

func TestSenderMalformedFailsAlone(t *testing.T) {
	good := func(b string) queue.Message {
		return queue.Message{Body: b, GroupID: "g" + b[:1], DeduplicationID: b}
	}
	bad := map[string]struct {
		m   queue.Message
		err error
	}{
		"empty":    {queue.Message{GroupID: "g", DeduplicationID: "1"}, queue.ErrMissingParameter},
		"contents": {queue.Message{Body: "\x01", GroupID: "g", DeduplicationID: "2"}, queue.ErrInvalidContents},
		"large":    {queue.Message{Body: strings.Repeat("x", 2*kiB), GroupID: "g", DeduplicationID: "3"}, queue.ErrMessageTooLarge},
		"group":    {queue.Message{Body: "x", DeduplicationID: "4"}, queue.ErrMissingParameter},
		"id":       {queue.Message{Body: "x", GroupID: "g"}, queue.ErrInvalidParameter},
		"delay":    {queue.Message{Body: "x", GroupID: "g", DeduplicationID: "5", Delay: time.Second}, queue.ErrNotForThisQueue},
	}
	for name, c := range bad {
		for at := range 10 {
			synctest.Test(t, func(t *testing.T) {
				q := spyOn(openFIFO(t, queue.Config{MaxMessageSize: 1 * kiB}))
				s := openSender(t, q, worker.SenderOptions{Linger: time.Second})
				a := newReplies()
				var want []string
				for i := range 10 {
					m := good(fmt.Sprint(i))
					if i == at {
						m = c.m
					} else {
						want = append(want, m.Body)
					}
					require.NoError(t, s.Add(t.Context(), m, a.of(fmt.Sprint(i))))
				}
				require.NoError(t, s.Close())
				require.Equal(t, want, bodiesIn(t, q), "%s at %d: the others are sent once and in order", name, at)
				for i := range 10 {
					body := fmt.Sprint(i)
					require.Equal(t, 1, a.times[body])
					if i == at {
						require.ErrorIs(t, a.errs[body], c.err)
					} else {
						require.NoError(t, a.errs[body])
					}
				}
				require.LessOrEqual(t, len(q.seen()), 9, "halves, not one by one")
			})
		}
	}
}

func TestSenderAllMalformed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openFIFO(t, queue.Config{})
		s := openSender(t, q, worker.SenderOptions{})
		a := newReplies()
		a.add(t, s, letters('a', 'z')...) // without groups
		require.NoError(t, s.Close())
		require.Equal(t, letters('a', 'z'), a.order)
		for _, err := range a.errs {
			require.ErrorIs(t, err, queue.ErrMissingParameter)
		}
		require.Empty(t, bodiesIn(t, q))
	})
}

// A queue may take less in a batch than SQS does.
func TestSenderOfANarrowQueue(t *testing.T) {
	for _, refusal := range []error{queue.ErrTooManyEntries, queue.ErrBatchTooLarge} {
		synctest.Test(t, func(t *testing.T) {
			q := spyOn(openStandard(t, queue.Config{}))
			q.refuse = func(ms []queue.Message) ([]int, error) {
				if len(ms) > 3 {
					return nil, refusal
				}
				return nil, nil
			}
			s := openSender(t, q, worker.SenderOptions{Linger: time.Second})
			a := newReplies()
			a.add(t, s, letters('a', 'j')...)
			require.NoError(t, s.Close())
			require.Equal(t, letters('a', 'j'), bodiesIn(t, q))
			for _, err := range a.errs {
				require.NoError(t, err)
			}
		})
	}
}

func TestSenderLogsErrorsThatNobodyIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text strings.Builder
		s := openSender(t, openStandard(t, queue.Config{}), worker.SenderOptions{Logger: slog.New(slog.NewTextHandler(&text, nil))})
		require.NoError(t, s.Add(t.Context(), queue.Message{Body: "a"}, nil))
		require.NoError(t, s.Flush(t.Context()))
		require.Empty(t, text.String())
		require.NoError(t, s.Add(t.Context(), queue.Message{}, nil))
		require.NoError(t, s.Close())
		require.Contains(t, text.String(), "missing parameter")
	})
}

func TestSenderTellsEntriesApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := spyOn(openStandard(t, queue.Config{}))
		q.refuse = func(ms []queue.Message) (which []int, err error) {
			for i, m := range ms {
				if m.Body == "c" || m.Body == "e" {
					which, err = append(which, i), queue.ErrThrottled
				}
			}
			return which, err
		}
		s := openSender(t, q, worker.SenderOptions{Linger: time.Second})
		a := newReplies()
		a.add(t, s, letters('a', 'f')...)
		require.NoError(t, s.Close())
		require.Len(t, q.seen(), 1, "nothing is tried again")
		require.Equal(t, []string{"a", "b", "d", "f"}, bodiesIn(t, q))
		for _, b := range letters('a', 'f') {
			if b == "c" || b == "e" {
				require.ErrorIs(t, a.errs[b], queue.ErrThrottled)
				require.Zero(t, a.sent[b])
			} else {
				require.NoError(t, a.errs[b])
				require.NotZero(t, a.sent[b])
			}
		}
	})
}

func TestSenderTriesNothingAgain(t *testing.T) {
	for _, failure := range []error{
		queue.ErrThrottled, queue.ErrStoreFull, queue.ErrStoreFailed, queue.ErrUncertain, queue.ErrQueueDeleted, errors.New("network"),
		fmt.Errorf("%w: %w", queue.ErrInvalidParameter, queue.ErrUncertain),
	} {
		synctest.Test(t, func(t *testing.T) {
			q := spyOn(openStandard(t, queue.Config{}))
			q.after = func([]queue.Message, error) error { return failure } // though they were sent
			s := openSender(t, q, worker.SenderOptions{Linger: time.Second})
			a := newReplies()
			a.add(t, s, letters('a', 'j')...)
			require.NoError(t, s.Close())
			require.Len(t, q.seen(), 1)
			for _, err := range a.errs {
				require.ErrorIs(t, err, failure)
			}
			require.Len(t, a.errs, 10)
		})
	}
}

func TestSenderOfAThrottledQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openFIFO(t, queue.Config{ContentDeduplication: true, EnforceThroughput: true})
		s := openSender(t, q, worker.SenderOptions{BatchSize: 1})
		a := newReplies()
		var bodies, accepted []string
		for i := range queue.MaxFIFOCalls + 50 {
			b := fmt.Sprint(i)
			bodies = append(bodies, b)
			require.NoError(t, s.Add(t.Context(), queue.Message{Body: b, GroupID: "g"}, a.of(b)))
		}
		require.NoError(t, s.Close())
		require.Equal(t, bodies, a.order)
		for _, b := range bodies {
			if a.errs[b] == nil {
				accepted = append(accepted, b)
			} else {
				require.ErrorIs(t, a.errs[b], queue.ErrThrottled)
			}
		}
		require.Len(t, accepted, queue.MaxFIFOCalls)
		require.Equal(t, accepted, bodiesIn(t, q))
	})
}

func TestSenderTellsDuplicates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openFIFO(t, queue.Config{})
		s := openSender(t, q, worker.SenderOptions{Linger: time.Second})
		a := newReplies()
		for i := range 4 {
			require.NoError(t, s.Add(t.Context(), queue.Message{Body: "b", GroupID: "g", DeduplicationID: "one"}, a.of(fmt.Sprint(i))))
		}
		require.NoError(t, s.Close())
		require.False(t, a.sent["0"].Duplicate)
		for i := 1; i < 4; i++ {
			require.True(t, a.sent[fmt.Sprint(i)].Duplicate)
			require.Equal(t, a.sent["0"].ID, a.sent[fmt.Sprint(i)].ID)
		}
	})
}

// A broken queue must not leave anybody without an answer.
type speechless struct {
	queue.Queue
	how func()
}

func (q speechless) Send(context.Context, queue.Message) (queue.Sent, error) {
	q.how()
	return queue.Sent{}, errors.New("never comes here")
}

func (q speechless) SendBatch(context.Context, []queue.Message) ([]queue.Sent, error) {
	if q.how != nil {
		q.how()
	}
	return nil, nil
}

func TestSenderOfAQueueThatDoesNotAnswer(t *testing.T) {
	for _, how := range []func(){nil, runtime.Goexit} {
		synctest.Test(t, func(t *testing.T) {
			s := openSender(t, speechless{openStandard(t, queue.Config{}), how}, worker.SenderOptions{Linger: time.Second})
			a := newReplies()
			a.add(t, s, "a", "b")
			require.NoError(t, s.Close())
			require.ErrorIs(t, a.errs["a"], queue.ErrUncertain)
			require.ErrorIs(t, a.errs["b"], queue.ErrUncertain)
		})
	}
}

func TestSenderOptionsAreHeldToTheirLimits(t *testing.T) {
	q := openStandard(t, queue.Config{})
	free := openStandard(t, queue.Config{Limits: queue.Unlimited})
	for _, c := range []struct {
		q         queue.Queue
		o         worker.SenderOptions
		parameter string // "" if it is allowed
	}{
		{q, worker.SenderOptions{}, ""},
		{q, worker.SenderOptions{Linger: queue.None}, ""},
		{q, worker.SenderOptions{Linger: -2}, "Linger"},
		{q, worker.SenderOptions{BatchSize: 1}, ""},
		{q, worker.SenderOptions{BatchSize: 10}, ""},
		{q, worker.SenderOptions{BatchSize: 11}, "BatchSize"},
		{q, worker.SenderOptions{BatchSize: -1}, "BatchSize"},
		{free, worker.SenderOptions{BatchSize: 1000}, ""},
		{free, worker.SenderOptions{BatchSize: -1}, "BatchSize"},
		{q, worker.SenderOptions{Parallel: -1}, "Parallel"},
		{q, worker.SenderOptions{MaxPending: -1}, "MaxPending"},
	} {
		s, err := worker.NewSender(c.q, c.o)
		if c.parameter == "" {
			require.NoError(t, err)
			require.NoError(t, s.Close())
			continue
		}
		require.Nil(t, s)
		var limit *queue.LimitError
		require.ErrorAs(t, err, &limit, "%+v", c.o)
		require.ErrorIs(t, err, queue.ErrInvalidParameter)
		assert.Equal(t, c.parameter, limit.Parameter)
	}
}

func TestSenderOfAnUnlimitedQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := spyOn(openStandard(t, queue.Config{Limits: queue.Unlimited}))
		s := openSender(t, q, worker.SenderOptions{BatchSize: 100, Linger: time.Second})
		a := newReplies()
		a.add(t, s, letters('A', 'z')...)
		huge := strings.Repeat("X", 3*queue.MaxMessage)
		a.add(t, s, huge)
		require.NoError(t, s.Close())
		require.Len(t, q.seen(), 2)
		require.NoError(t, a.errs[huge], "alone in its batch")
	})
}
