package worker_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/worker"
)

func TestSenderHoldsItsCallersBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := spyOn(openStandard(t, queue.Config{}))
		q.takes = time.Second
		s := openSender(t, q, worker.SenderOptions{MaxPending: 3, Parallel: 1})
		a := newReplies()
		start := time.Now()
		var taken []time.Duration
		for _, b := range letters('a', 'h') {
			a.add(t, s, b)
			taken = append(taken, time.Since(start))
		}
		require.Equal(t, []time.Duration{0, 0, 0, time.Second, 2 * time.Second, 2 * time.Second, 3 * time.Second, 4 * time.Second}, taken)
		require.NoError(t, s.Close())
		require.Len(t, bodiesIn(t, q), 8)
	})
}

func TestSenderWithLittleRoomDoesNotLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := spyOn(openStandard(t, queue.Config{}))
		s := openSender(t, q, worker.SenderOptions{MaxPending: 3, Linger: time.Hour})
		newReplies().add(t, s, letters('a', 'f')...)
		require.NoError(t, s.Close())
		require.Equal(t, []spyCall{{0, "abc"}, {0, "def"}}, q.seen())
	})
}

func TestSenderContextsEndTheWaiting(t *testing.T) {
	t.Run("before", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			q := spyOn(openStandard(t, queue.Config{}))
			s := openSender(t, q, worker.SenderOptions{})
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := s.Send(ctx, queue.Message{Body: "a"})
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorIs(t, s.Add(ctx, queue.Message{Body: "a"}, func(queue.Sent, error) { t.Error("not taken, so no answer") }), context.Canceled)
			require.NoError(t, s.Close())
			require.Empty(t, q.seen())
		})
	})
	t.Run("for room", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			q := spyOn(openStandard(t, queue.Config{}))
			q.takes = time.Minute
			s := openSender(t, q, worker.SenderOptions{MaxPending: 1})
			newReplies().add(t, s, "a")
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			start := time.Now()
			_, err := s.Send(ctx, queue.Message{Body: "b"})
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorIs(t, s.Add(ctx, queue.Message{Body: "c"}, nil), context.DeadlineExceeded)
			require.Equal(t, time.Second, time.Since(start))
			require.NoError(t, s.Close())
			require.Equal(t, []string{"a"}, bodiesIn(t, q))
		})
	})
	t.Run("for the batch", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			q := spyOn(openStandard(t, queue.Config{}))
			s := openSender(t, q, worker.SenderOptions{Linger: time.Minute})
			a := newReplies()
			a.add(t, s, "a")
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			start := time.Now()
			_, err := s.Send(ctx, queue.Message{Body: "b"})
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Equal(t, time.Second, time.Since(start))
			a.add(t, s, "c")
			require.NoError(t, s.Flush(t.Context()), "nobody waits for what was taken back")
			require.Equal(t, []spyCall{{time.Second, "ac"}}, q.seen())
			require.NoError(t, s.Close())
		})
	})
	t.Run("alone in the sender", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			q := spyOn(openStandard(t, queue.Config{}))
			s := openSender(t, q, worker.SenderOptions{Linger: time.Minute, MaxPending: 2})
			for range 5 { // its room is free again
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				_, err := s.Send(ctx, queue.Message{Body: "b"})
				require.ErrorIs(t, err, context.DeadlineExceeded)
				cancel()
			}
			time.Sleep(time.Hour) // the timer finds nothing
			require.NoError(t, s.Close())
			require.Empty(t, q.seen())
		})
	})
	t.Run("not the change", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			q := spyOn(openStandard(t, queue.Config{}))
			q.takes = time.Minute
			s := openSender(t, q, worker.SenderOptions{Linger: time.Second})
			a := newReplies()
			a.add(t, s, "a") // has no context, so the batch goes through
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			start := time.Now()
			sent, err := s.Send(ctx, queue.Message{Body: "b"})
			require.NoError(t, err, "it was under way and was sent")
			require.NotZero(t, sent)
			require.Equal(t, 61*time.Second, time.Since(start))
			require.NoError(t, s.Close())
			require.Equal(t, []string{"a", "b"}, bodiesIn(t, q))
		})
	})
	t.Run("of all in a batch", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			q := spyOn(openStandard(t, queue.Config{}))
			q.takes = time.Minute
			s := openSender(t, q, worker.SenderOptions{Linger: time.Second})
			start := time.Now()
			var all sync.WaitGroup
			for i := range 3 {
				all.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(2+i)*time.Second)
					defer cancel()
					_, err := s.Send(ctx, queue.Message{Body: "m"})
					require.ErrorIs(t, err, context.DeadlineExceeded, "each one's own")
				})
			}
			all.Wait()
			require.Equal(t, 4*time.Second, time.Since(start), "called off when the last one gives up")
			require.NoError(t, s.Close())
			require.Len(t, q.seen(), 1)
			require.Empty(t, bodiesIn(t, q))
		})
	})
}

func TestSenderForgetsWhatIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := spyOn(openStandard(t, queue.Config{}))
		s := openSender(t, q, worker.SenderOptions{Linger: time.Minute})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := s.Send(ctx, queue.Message{Body: strings.Repeat("a", 900*kiB)})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		newReplies().add(t, s, strings.Repeat("b", 200*kiB))
		time.Sleep(30 * time.Second)
		require.Empty(t, q.seen(), "its bytes fill no batch")
		require.NoError(t, s.Close())
	})
}

// A queue that was called off may not know what has become of the call.
func TestSenderCalledOffIsUncertain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := spyOn(openStandard(t, queue.Config{}))
		s := openSender(t, q, worker.SenderOptions{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		q.after = func([]queue.Message, error) error {
			cancel()
			return fmt.Errorf("%w: %w", queue.ErrUncertain, context.Canceled)
		}
		_, err := s.Send(ctx, queue.Message{Body: "a"})
		require.ErrorIs(t, err, queue.ErrUncertain)
		require.NoError(t, s.Close())
	})
}

func TestSenderFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := spyOn(openStandard(t, queue.Config{}))
		q.takes = time.Second
		s := openSender(t, q, worker.SenderOptions{Linger: time.Hour, Parallel: 1})
		require.NoError(t, s.Flush(t.Context()), "of nothing")
		a := newReplies()
		a.add(t, s, letters('a', 'l')...)
		time.AfterFunc(1500*ms, func() { a.add(t, s, "m") })
		require.NoError(t, s.Flush(t.Context()))
		require.Equal(t, letters('a', 'l'), a.order, "all done functions have returned")
		time.Sleep(time.Minute)
		require.Equal(t, []spyCall{{0, "abcdefghij"}, {time.Second, "kl"}}, q.seen(), "what comes after the call lingers")

		ctx, cancel := context.WithTimeout(t.Context(), ms)
		defer cancel()
		require.ErrorIs(t, s.Flush(ctx), context.DeadlineExceeded)
		time.Sleep(time.Second)
		synctest.Wait()
		require.Contains(t, a.order, "m", "it is on its way all the same")

		require.NoError(t, s.Close())
		require.NoError(t, s.Flush(t.Context()))
	})
}

func TestSenderFlushDoesNotCountLaterOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := spyOn(openStandard(t, queue.Config{}))
		q.takes = time.Second
		s := openSender(t, q, worker.SenderOptions{Parallel: 1})
		newReplies().add(t, s, "a")
		start := time.Now()
		time.AfterFunc(100*ms, func() { // is taken back before a is answered
			ctx, cancel := context.WithTimeout(t.Context(), 100*ms)
			defer cancel()
			_, err := s.Send(ctx, queue.Message{Body: "b"})
			require.ErrorIs(t, err, context.DeadlineExceeded)
		})
		require.NoError(t, s.Flush(t.Context()))
		require.Equal(t, time.Second, time.Since(start))
		require.NoError(t, s.Close())
	})
}

func TestSenderFlushWaitsForDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openSender(t, openStandard(t, queue.Config{}), worker.SenderOptions{})
		returned := false
		require.NoError(t, s.Add(t.Context(), queue.Message{Body: "a"}, func(queue.Sent, error) {
			time.Sleep(time.Second)
			returned = true
		}))
		require.NoError(t, s.Flush(t.Context()))
		require.True(t, returned)
		require.NoError(t, s.Close())
	})
}

func TestSenderClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := spyOn(openStandard(t, queue.Config{}))
		q.takes = time.Second
		s := openSender(t, q, worker.SenderOptions{Linger: time.Hour, Parallel: 1, MaxPending: 13})
		a := newReplies()
		a.add(t, s, letters('a', 'm')...)
		refused := make(chan error, 2)
		start := time.Now()
		go func() {
			refused <- s.Add(t.Context(), queue.Message{Body: "x"}, a.of("x"))
			require.Zero(t, time.Since(start), "at once")
		}()
		go func() {
			_, err := s.Send(t.Context(), queue.Message{Body: "y"})
			refused <- err
			require.Zero(t, time.Since(start), "at once")
		}()
		synctest.Wait()
		other := make(chan error)
		go func() { other <- s.Close() }()
		require.NoError(t, s.Close())
		require.NoError(t, <-other)
		require.Equal(t, 2*time.Second, time.Since(start))
		require.Equal(t, letters('a', 'm'), a.order)
		require.ErrorIs(t, <-refused, queue.ErrClosed)
		require.ErrorIs(t, <-refused, queue.ErrClosed)

		require.ErrorIs(t, s.Add(t.Context(), queue.Message{Body: "z"}, a.of("z")), queue.ErrClosed)
		_, err := s.Send(t.Context(), queue.Message{Body: "z"})
		require.ErrorIs(t, err, queue.ErrClosed)
		require.NoError(t, s.Close())
		require.Len(t, bodiesIn(t, q), 13)
	})
}

func TestSenderOfAClosedQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openStandard(t, queue.Config{})
		s := openSender(t, q, worker.SenderOptions{})
		require.NoError(t, q.Close())
		_, err := s.Send(t.Context(), queue.Message{Body: "a"})
		require.ErrorIs(t, err, queue.ErrClosed)
		require.NoError(t, s.Close())
	})
}

// A bubble ends with an error when a goroutine of it waits for ever, so this one would
// find a goroutine of an idle Sender that nobody has closed.
func TestSenderIdleHasNoGoroutine(t *testing.T) {
	for _, linger := range []time.Duration{0, time.Second} {
		synctest.Test(t, func(t *testing.T) {
			s := openSender(t, openStandard(t, queue.Config{}), worker.SenderOptions{Linger: linger})
			_, err := s.Send(t.Context(), queue.Message{Body: "a"})
			require.NoError(t, err)
		})
	}
}

func TestSenderDonePanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openFIFO(t, queue.Config{ContentDeduplication: true})
		s := openSender(t, q, worker.SenderOptions{Linger: time.Second, Logger: mute})
		a := newReplies()
		fault := errors.New("fault")
		for i, end := range []func(){nil, func() { panic(fault) }, nil, runtime.Goexit, nil, func() { panic("second") }, nil} {
			done := a.of(fmt.Sprint(i))
			require.NoError(t, s.Add(t.Context(), queue.Message{Body: fmt.Sprint(i), GroupID: "g"}, func(sent queue.Sent, err error) {
				done(sent, err)
				if end != nil {
					end()
				}
			}))
		}
		require.NoError(t, s.Flush(t.Context()))
		require.Equal(t, letters('0', '6'), a.order, "all others are told, in order, each once")
		_, err := s.Send(t.Context(), queue.Message{Body: "7", GroupID: "g"})
		require.NoError(t, err, "the Sender works on")

		for range 2 {
			err := s.Close()
			var panicked *worker.PanicError
			require.ErrorAs(t, err, &panicked)
			require.ErrorIs(t, err, fault, "the first one")
			require.Contains(t, string(panicked.Stack), "TestSenderDonePanics")
		}
	})
}

func TestSenderDoneMaySendInAGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openStandard(t, queue.Config{})
		s := openSender(t, q, worker.SenderOptions{MaxPending: 1})
		var again sync.WaitGroup
		for range 5 {
			again.Add(1)
			require.NoError(t, s.Add(t.Context(), queue.Message{Body: "a"}, func(queue.Sent, error) {
				go func() {
					defer again.Done()
					_, err := s.Send(t.Context(), queue.Message{Body: "b"})
					require.NoError(t, err)
				}()
			}))
		}
		again.Wait()
		require.NoError(t, s.Close())
		require.Len(t, bodiesIn(t, q), 10)
	})
}
