package standard_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/queuetest"
	"github.com/restantemq/restante/standard"
)

func openIn(t *testing.T, st queue.Store, cfg queue.Config) *standard.Queue {
	t.Helper()
	q, err := standard.Open(t.Context(), st, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// ended reports whether a call that was started in its own goroutine is over.
func ended(done <-chan error) bool {
	synctest.Wait()
	select {
	case <-done:
		return true
	default:
		return false
	}
}

func start(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

// With the store's syncs held, a message is not receivable, and a second Delete
// does not say "gone" before the record of the first is durable.
func TestAnswersWaitForTheirRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		st := queuetest.NewMemStore()
		q := openIn(t, st, queue.Config{Name: "letters"})
		defer q.Close()

		st.Hold(queue.Durable)
		sent := start(func() error {
			_, err := q.Send(ctx, queue.Message{Body: "x"})
			return err
		})
		if ended(sent) {
			t.Error("Send returned before its record was durable")
		}
		if got, err := q.Receive(ctx, queue.ReceiveOptions{}); err != nil || len(got) != 0 {
			t.Errorf("Receive of a pending message = %v, %v", got, err)
		}
		st.Release()
		if !ended(sent) {
			t.Fatal("Send did not return after the sync")
		}
		got, err := q.Receive(ctx, queue.ReceiveOptions{})
		if err != nil || len(got) != 1 {
			t.Fatalf("Receive = %v, %v", got, err)
		}

		st.Hold(queue.Durable)
		first := start(func() error { return q.Delete(ctx, got[0].Receipt) })
		second := start(func() error { return q.Delete(ctx, got[0].Receipt) })
		batch := start(func() error { return q.DeleteBatch(ctx, []queue.Receipt{got[0].Receipt}) })
		if ended(first) || ended(second) || ended(batch) {
			t.Error("a Delete returned before the record of the first was durable")
		}
		st.Release()
		if !ended(first) || !ended(second) || !ended(batch) {
			t.Error("a Delete did not return after the sync")
		}
	})
}

// A dead-letter move within one store is one batch: whatever survives of it, the
// message is in one of the two queues, and only there.
func TestMoveWithinAStoreIsAtomic(t *testing.T) {
	for survives := range 2 {
		synctest.Test(t, func(t *testing.T) {
			ctx := t.Context()
			st := queuetest.NewMemStore()
			dead := openIn(t, st, queue.Config{Name: "dead"})
			q := openIn(t, st, queue.Config{Name: "main", DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 1}})
			sent, err := q.Send(ctx, queue.Message{Body: "poison"})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := q.Receive(ctx, queue.ReceiveOptions{VisibilityTimeout: queue.None}); err != nil {
				t.Fatal(err)
			}
			st.Hold(queue.Durable)
			moved := start(func() error {
				_, err := q.Receive(ctx, queue.ReceiveOptions{})
				return err
			})
			if ended(moved) {
				t.Error("the move ended before it was durable")
			}
			after := st.CrashKeeping(survives)
			ended(moved)
			q.Close()
			dead.Close()

			where := ""
			for _, name := range []string{"main", "dead"} {
				q := openIn(t, after, queue.Config{Name: name})
				for p, err := range q.Peek(ctx) {
					// In main the receive may be forgotten: a machine's crash may lose what
					// was only written.
					if err != nil || p.ID != sent.ID || name == "dead" && p.ReceiveCount != 1 {
						t.Errorf("%s has %+v, %v", name, p, err)
					}
					where += name
				}
				q.Close()
			}
			if where != "main" && where != "dead" {
				t.Errorf("after the crash the message is in %q", where)
			}
		})
	}
}

// A store that failed under a queue: changes are refused, nothing is handed out,
// receivers that wait are told, Stats and Peek work.
func TestFailedStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		st := queuetest.NewMemStore()
		q := openIn(t, st, queue.Config{Name: "letters"})
		if _, err := q.Send(ctx, queue.Message{Body: "safe", Delay: 1}); err != nil {
			t.Fatal(err)
		}
		got, err := q.Receive(ctx, queue.ReceiveOptions{Wait: 1e9})
		if err != nil || len(got) != 1 {
			t.Fatal(got, err)
		}
		waiting := start(func() error {
			_, err := q.Receive(ctx, queue.ReceiveOptions{Wait: 20e9})
			return err
		})
		synctest.Wait()
		st.Fail()
		_, err = q.Send(ctx, queue.Message{Body: "uncertain"})
		if !errors.Is(err, queue.ErrUncertain) || !errors.Is(err, queue.ErrStoreFailed) {
			t.Errorf("Send whose sync fails = %v", err)
		}
		synctest.Wait()
		if err := <-waiting; !errors.Is(err, queue.ErrStoreFailed) {
			t.Errorf("a waiting Receive got %v", err)
		}
		for name, f := range map[string]func() error{
			"Send":    func() error { _, err := q.Send(ctx, queue.Message{Body: "late"}); return err },
			"Receive": func() error { _, err := q.Receive(ctx, queue.ReceiveOptions{}); return err },
			"Delete":  func() error { return q.Delete(ctx, got[0].Receipt) },
			"Purge":   func() error { return q.Purge(ctx) },
		} {
			if err := f(); !errors.Is(err, queue.ErrStoreFailed) {
				t.Errorf("%s on a failed store = %v", name, err)
			}
		}
		if s, err := q.Stats(ctx); err != nil || s.InFlight != 1 || s.Pending != 1 {
			t.Errorf("Stats = %+v, %v", s, err)
		}
		n := 0
		for _, err := range q.Peek(ctx) {
			if err != nil {
				t.Error(err)
			}
			n++
		}
		if n != 2 {
			t.Errorf("Peek shows %d messages, want 2", n)
		}
		if err := q.Close(); !errors.Is(err, queue.ErrStoreFailed) {
			t.Errorf("Close = %v", err)
		}
	})
}

// A receiver whose context has ended before it calls takes nothing.
func TestEndedContextTakesNothing(t *testing.T) {
	q := newQueue(t, queue.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := q.Send(ctx, queue.Message{Body: "x"}); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := q.Receive(ctx, queue.ReceiveOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Receive = %v", err)
	}
	if s, err := q.Stats(t.Context()); err != nil || s.Visible != 1 || s.Received != 0 {
		t.Errorf("Stats = %+v, %v", s, err)
	}
}
