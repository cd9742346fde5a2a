package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restantemq/restante/fifo"
	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/queuetest"
	"github.com/restantemq/restante/standard"
)

// These tests hold the engine at the places where it lets go of its lock, and do
// there what is likely to go wrong.

// engine is what both kinds of queue can do.
type engine interface {
	queue.Adopter
	queue.Purger
	queue.Inspector
	queue.DeadLetterer
	queue.Configurable
	Check() error
}

// open makes a queue in st, or in memory if st is nil.
func open(ctx context.Context, kind queue.Kind, st queue.Store, cfg queue.Config) (engine, error) {
	switch {
	case kind == queue.FIFO && st != nil:
		return fifo.Open(ctx, st, cfg)
	case kind == queue.FIFO:
		return fifo.New(cfg)
	case st != nil:
		return standard.Open(ctx, st, cfg)
	}
	return standard.New(cfg)
}

// newQueue is open for a queue that lasts until the test ends. Then its
// structures must be in order.
func newQueue(t *testing.T, kind queue.Kind, st queue.Store, cfg queue.Config) engine {
	t.Helper()
	q, err := open(t.Context(), kind, st, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := q.Check(); err != nil {
			t.Error(err)
		}
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	})
	return q
}

// send sends bodies to q, in one group if it is FIFO.
func send(t *testing.T, q engine, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		m := queue.Message{Body: body}
		if q.Kind() == queue.FIFO {
			m.GroupID, m.DeduplicationID = "g", body
		}
		if _, err := q.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
}

// sendMany sends n messages, enough for several slices of a timer's work.
func sendMany(t *testing.T, q engine, n int) {
	t.Helper()
	if _, err := q.SendBatch(t.Context(), slices.Repeat([]queue.Message{{Body: "x"}}, n)); err != nil {
		t.Fatal(err)
	}
}

// receive receives exactly the bodies that are wanted.
func receive(t *testing.T, q engine, o queue.ReceiveOptions, want ...string) []queue.Delivery {
	t.Helper()
	o.Max = 10
	got, err := q.Receive(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(bodies(got), want) {
		t.Fatalf("received %q, not %q", bodies(got), want)
	}
	return got
}

func bodies(ds []queue.Delivery) []string {
	var all []string
	for i := range ds {
		all = append(all, ds[i].Body)
	}
	return all
}

func reconfigure(t *testing.T, q engine, change func(*queue.Config)) {
	t.Helper()
	cfg := q.Config()
	change(&cfg)
	if err := q.Reconfigure(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
}

func stats(t *testing.T, q engine) queue.Stats {
	t.Helper()
	s, err := q.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// start starts a call in its own goroutine.
func start(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

// running waits until everybody rests and reports whether a call is under way.
func running(done <-chan error) bool {
	synctest.Wait()
	return len(done) == 0
}

// answer waits until everybody rests and returns the error of a call that must
// be over by then.
func answer(t *testing.T, done <-chan error) error {
	t.Helper()
	if running(done) {
		t.Fatal("the call has not returned")
	}
	return <-done
}

// onOneProcessor runs f in a bubble with a single processor, where a goroutine that
// was woken runs only after the one that woke it has paused.
func onOneProcessor(t *testing.T, f func(*testing.T)) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, f)
}

// A target is a dead-letter queue that does something before it adopts, and
// refuses if that fails.
type target struct {
	queue.Adopter
	before func(body string) error
}

func (a target) Adopt(ctx context.Context, ms []queue.Record, leaving *queue.Change) error {
	if err := a.before(ms[0].Body); err != nil {
		return err
	}
	return a.Adopter.Adopt(ctx, ms, leaving)
}

// gates opens a gate for each body: a message moves when its gate is closed.
func gates(bodies ...string) map[string]chan struct{} {
	m := map[string]chan struct{}{}
	for _, b := range bodies {
		m[b] = make(chan struct{})
	}
	return m
}

// gated is a target that lets a message in when its gate has been closed.
func gated(dead queue.Adopter, gates map[string]chan struct{}) target {
	return target{dead, func(body string) error {
		<-gates[body]
		return nil
	}}
}

// Close waits for a timer that lets go of the lock between its slices.
func TestCloseDuringATimersSlices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		held, visible := make(chan struct{}), 0
		q := newQueue(t, queue.Standard, nil, queue.Config{
			Limits: queue.Unlimited,
			Delay:  time.Second,
			Trace: &queue.Trace{Message: func(e queue.Event) {
				if e.Step == queue.StepVisible {
					if visible++; visible == 1 {
						<-held
					}
				}
			}},
		})
		const n = 5000
		sendMany(t, q, n)
		time.Sleep(time.Second)
		synctest.Wait()
		closed := start(q.Close)
		if !running(closed) {
			t.Error("Close returned while the timer was at work")
		}
		close(held)
		if err := answer(t, closed); err != nil {
			t.Error(err)
		}
		if visible != n {
			t.Errorf("%d of %d messages have become visible", visible, n)
		}
	})
}

// Close waits for a Send that waits for the store, and for its event.
func TestCloseDuringATracedSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, events := queuetest.NewMemStore(), 0
		q := newQueue(t, queue.Standard, st, queue.Config{
			Name:  "letters",
			Trace: &queue.Trace{Message: func(queue.Event) { events++ }},
		})
		st.Hold(queue.Durable)
		sent := start(func() error {
			_, err := q.Send(t.Context(), queue.Message{Body: "x"})
			return err
		})
		synctest.Wait()
		closed := start(q.Close)
		if !running(closed) || !running(sent) {
			t.Error("a call returned before the record was durable")
		}
		st.Release()
		if err := errors.Join(answer(t, sent), answer(t, closed)); err != nil {
			t.Error(err)
		}
		if events != 2 { // accepted and visible
			t.Errorf("%d events", events)
		}
	})
}

// A receiver that was served before Close gets its message, though it wakes only
// when Close has begun.
func TestCloseAfterAReceiverWasServed(t *testing.T) {
	onOneProcessor(t, func(t *testing.T) {
		q := newQueue(t, queue.Standard, queuetest.NewMemStore(), queue.Config{Name: "letters"})
		var got []queue.Delivery
		received := start(func() (err error) {
			got, err = q.Receive(t.Context(), queue.ReceiveOptions{Wait: 20 * time.Second})
			return err
		})
		synctest.Wait()
		send(t, q, "x")
		if err := q.Close(); err != nil {
			t.Error(err)
		}
		if err := answer(t, received); err != nil || len(got) != 1 {
			t.Errorf("Receive = %q, %v", bodies(got), err)
		}
	})
}

// A Receive that is dealing with deadlines when Close comes is told so, and
// doesn't begin to wait.
func TestCloseDuringAReceiveThatCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		held, expired := make(chan struct{}), 0
		q := newQueue(t, queue.Standard, nil, queue.Config{
			Limits:    queue.Unlimited,
			Retention: time.Hour,
			Trace: &queue.Trace{Message: func(e queue.Event) {
				if e.Step == queue.StepExpired {
					if expired++; expired == 1 {
						<-held
					}
				}
			}},
		})
		sendMany(t, q, 5000)
		time.Sleep(2 * time.Minute)
		// Everything is expired at once, and in a bubble no timer fires before this
		// goroutine and the receiver rest.
		reconfigure(t, q, func(cfg *queue.Config) { cfg.Retention = time.Minute })
		began := time.Now()
		received := start(func() error {
			_, err := q.Receive(t.Context(), queue.ReceiveOptions{Wait: 20 * time.Second})
			return err
		})
		synctest.Wait()
		closed := start(q.Close)
		synctest.Wait()
		close(held)
		if err := <-received; !errors.Is(err, queue.ErrClosed) || time.Since(began) > 0 {
			t.Errorf("Receive returned %v after %v", err, time.Since(began))
		}
		if err := answer(t, closed); err != nil {
			t.Error(err)
		}
	})
}

// A Trace may delete the message it is told of when the same Receive that noticed
// its timeout is to move it to the dead-letter queue: nobody waits for himself.
func TestTraceDeletesWhatIsAboutToMove(t *testing.T) {
	for range 20 { // the timer or the Receive: either may come first
		synctest.Test(t, func(t *testing.T) {
			dead := newQueue(t, queue.Standard, nil, queue.Config{})
			var q engine
			late := make(chan queue.Receipt, 1)
			q = newQueue(t, queue.Standard, nil, queue.Config{
				DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 1},
				Trace: &queue.Trace{Message: func(e queue.Event) {
					if e.Step == queue.StepTimedOut {
						if err := q.Delete(t.Context(), <-late); err != nil {
							t.Errorf("delete in a Trace: %v", err)
						}
					}
				}},
			})
			send(t, q, "x")
			late <- receive(t, q, queue.ReceiveOptions{VisibilityTimeout: time.Second}, "x")[0].Receipt
			time.Sleep(time.Second)
			receive(t, q, queue.ReceiveOptions{})
			synctest.Wait()
			s, arrived := stats(t, q), stats(t, dead).Visible
			if s.Deleted+s.Moved != 1 || s.Moved != uint64(arrived) {
				t.Errorf("%d deleted, %d moved, %d arrived", s.Deleted, s.Moved, arrived)
			}
		})
	}
}

// A Trace may delete a message that is moved by the very call that tells it of
// another one.
func TestTraceDeletesWhatItsCallerMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := newQueue(t, queue.Standard, nil, queue.Config{})
		var q engine
		var poison queue.Delivery
		q = newQueue(t, queue.Standard, nil, queue.Config{
			DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 1},
			Trace: &queue.Trace{Message: func(e queue.Event) {
				if e.Step == queue.StepReceived && poison.Body != "" {
					if err := q.Delete(t.Context(), poison.Receipt); err != nil {
						t.Errorf("delete in a Trace: %v", err)
					}
				}
			}},
		})
		send(t, q, "poison")
		poison = receive(t, q, queue.ReceiveOptions{VisibilityTimeout: queue.None}, "poison")[0]
		send(t, q, "good")
		receive(t, q, queue.ReceiveOptions{}, "good")
		receive(t, dead, queue.ReceiveOptions{}, "poison")
	})
}

// If the dead-letter queue is taken away between the choice of a message and its
// move, the receiver that was to move it gets it.
func TestTargetTakenAwayBeforeTheMove(t *testing.T) {
	onOneProcessor(t, func(t *testing.T) {
		dead := newQueue(t, queue.Standard, nil, queue.Config{})
		q := newQueue(t, queue.Standard, nil, queue.Config{DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 1}})
		send(t, q, "x")
		r := receive(t, q, queue.ReceiveOptions{}, "x")[0].Receipt
		var got []queue.Delivery
		received := start(func() (err error) {
			got, err = q.Receive(t.Context(), queue.ReceiveOptions{Wait: time.Second})
			return err
		})
		synctest.Wait()
		if err := q.ChangeVisibility(t.Context(), r, 0); err != nil {
			t.Error(err)
		}
		reconfigure(t, q, func(cfg *queue.Config) { cfg.DeadLetter = queue.DeadLetter{} })
		if err := <-received; err != nil {
			t.Error(err)
		}
		// The scheduler may have let the receiver move the message all the same.
		if visible := stats(t, dead).Visible; len(got)+visible != 1 {
			t.Errorf("%q received, %d moved", bodies(got), visible)
		}
	})
}

// A Trace without a function is none, also if it replaces one that is being told.
func TestTraceWithoutAFunction(t *testing.T) {
	var q engine
	told := 0
	q = newQueue(t, queue.Standard, nil, queue.Config{Trace: &queue.Trace{Message: func(queue.Event) {
		if told++; told == 1 {
			send(t, q, "in a Trace")
			reconfigure(t, q, func(cfg *queue.Config) { cfg.Trace = &queue.Trace{} })
		}
	}}})
	send(t, q, "x", "y")
	if n := stats(t, q).Visible; n != 3 {
		t.Errorf("%d messages are visible", n)
	}
}

// unreadable is a store that loads a number of pages and then no more, until
// that is negative.
type unreadable struct {
	*queuetest.MemStore
	pages int
}

func (u *unreadable) Load(ctx context.Context, n, from, to uint64, dst []queue.Record) ([]queue.Record, error) {
	if u.pages == 0 {
		return dst, io.ErrUnexpectedEOF
	}
	u.pages--
	return u.MemStore.Load(ctx, n, from, to, dst)
}

// After an Open that failed half-way nothing happens to the queue: no timer
// expires what had been read.
func TestFailedOpenLeavesNoTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &unreadable{queuetest.NewMemStore(), -1}
		cfg := queue.Config{Name: "letters", Limits: queue.Unlimited, Retention: time.Minute}
		q := newQueue(t, queue.Standard, st, cfg)
		const n = 1000
		later := queue.Message{Body: "x", Delay: time.Hour} // Open reads those: it counts what is delayed
		if _, err := q.SendBatch(t.Context(), slices.Repeat([]queue.Message{later}, n)); err != nil {
			t.Fatal(err)
		}
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}

		st.pages = 1
		if _, err := standard.Open(t.Context(), st, cfg); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("Open = %v", err)
		}
		time.Sleep(2 * time.Minute)

		st.pages, cfg.Retention = -1, time.Hour
		if found := stats(t, newQueue(t, queue.Standard, st, cfg)).Recovered; found != n {
			t.Errorf("%d of %d messages are left", found, n)
		}
	})
}

// Adopt refuses a record that no FIFO queue can have handed over, and the queue
// works on.
func TestAdoptRefusesARecordWithoutGroup(t *testing.T) {
	q := newQueue(t, queue.FIFO, nil, queue.Config{})
	r := queue.Record{ID: queue.MessageID{1}, Message: queue.Message{Body: "x"}}
	if err := q.Adopt(t.Context(), []queue.Record{r}, nil); !errors.Is(err, queue.ErrMissingParameter) {
		t.Errorf("Adopt = %v", err)
	}
	r.GroupID = "g"
	if err := q.Adopt(t.Context(), []queue.Record{r}, nil); err != nil {
		t.Error(err)
	}
	receive(t, q, queue.ReceiveOptions{}, "x")
}

// A DeleteBatch that waits for one of its messages to move sees that another has
// begun to move meanwhile: no message is deleted and delivered elsewhere as well.
func TestDeleteBatchDuringMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		st := queuetest.NewMemStore()
		dead := newQueue(t, queue.Standard, st, queue.Config{Name: "dead"})
		gate := gates("x", "y")
		q := newQueue(t, queue.Standard, st, queue.Config{
			Name:       "letters",
			DeadLetter: queue.DeadLetter{Target: gated(dead, gate), MaxReceives: 1},
		})
		send(t, q, "x", "y")
		held := receive(t, q, queue.ReceiveOptions{VisibilityTimeout: 30 * time.Second}, "x", "y")
		set := start(func() error { return q.DeadLetter(ctx, held[1].Receipt, "") })
		synctest.Wait()
		deleted := start(func() error {
			return q.DeleteBatch(ctx, []queue.Receipt{held[0].Receipt, held[1].Receipt})
		})
		time.Sleep(time.Minute) // x becomes visible
		received := start(func() error {
			_, err := q.Receive(ctx, queue.ReceiveOptions{}) // x moves
			return err
		})
		synctest.Wait()
		close(gate["y"])
		if !running(deleted) {
			t.Error("DeleteBatch returned while x was moving")
		}
		close(gate["x"])
		if err := errors.Join(answer(t, set), answer(t, deleted), answer(t, received)); err != nil {
			t.Error(err)
		}
		receive(t, dead, queue.ReceiveOptions{}, "y", "x")
		if s := stats(t, q); s.Deleted != 0 || s.Moved != 2 {
			t.Errorf("%d deleted, %d moved", s.Deleted, s.Moved)
		}
	})
}

// Delete waits for a message on its way to another queue, but no longer than its
// context lasts.
func TestDeleteDuringAMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := newQueue(t, queue.Standard, nil, queue.Config{})
		gate := gates("x")
		q := newQueue(t, queue.Standard, nil, queue.Config{
			DeadLetter: queue.DeadLetter{Target: gated(dead, gate), MaxReceives: 3},
		})
		send(t, q, "x")
		r := receive(t, q, queue.ReceiveOptions{}, "x")[0].Receipt
		moved := start(func() error { return q.DeadLetter(t.Context(), r, "") })
		synctest.Wait()

		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		impatient := start(func() error { return q.Delete(ctx, r) })
		patient := start(func() error { return q.Delete(t.Context(), r) })
		time.Sleep(time.Minute)
		select {
		case err := <-impatient:
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Delete = %v", err)
			}
		default:
			t.Errorf("Delete has not returned after %v", time.Since(began))
		}
		if !running(patient) {
			t.Error("Delete returned during the move")
		}
		close(gate["x"])
		if err := errors.Join(answer(t, moved), answer(t, patient)); err != nil {
			t.Error(err)
		}
		receive(t, dead, queue.ReceiveOptions{}, "x")
	})
}

// What a receiver gets when a move ends is hidden from then on, however long the
// move took.
func TestDeadLetterServesAtTheEndOfItsMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := newQueue(t, queue.FIFO, nil, queue.Config{})
		slow := target{dead, func(string) error { time.Sleep(time.Minute); return nil }}
		q := newQueue(t, queue.FIFO, nil, queue.Config{
			VisibilityTimeout: 30 * time.Second,
			DeadLetter:        queue.DeadLetter{Target: slow, MaxReceives: 5},
		})
		send(t, q, "1")
		r := receive(t, q, queue.ReceiveOptions{VisibilityTimeout: time.Hour}, "1")[0].Receipt
		send(t, q, "2") // of the same group: it waits for the first
		moved := start(func() error { return q.DeadLetter(t.Context(), r, "") })
		time.Sleep(45 * time.Second)
		second := receive(t, q, queue.ReceiveOptions{Wait: 20 * time.Second}, "2")[0]
		if left := time.Until(second.VisibleAt); left != 30*time.Second {
			t.Errorf("hidden for %v", left)
		}
		if err := errors.Join(q.Delete(t.Context(), second.Receipt), answer(t, moved)); err != nil {
			t.Error(err)
		}
	})
}

// A visibility timeout that had to wait for a move counts from the move's end.
func TestChangeVisibilityCountsFromTheEndOfAMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		dead := newQueue(t, queue.FIFO, nil, queue.Config{})
		refusal := errors.New("refused")
		slow := target{dead, func(string) error { time.Sleep(time.Minute); return refusal }}
		q := newQueue(t, queue.FIFO, nil, queue.Config{DeadLetter: queue.DeadLetter{Target: slow, MaxReceives: 5}})
		send(t, q, "x")
		r := receive(t, q, queue.ReceiveOptions{VisibilityTimeout: time.Hour}, "x")[0].Receipt
		moved := start(func() error { return q.DeadLetter(ctx, r, "") })
		synctest.Wait()
		if err := q.ChangeVisibility(ctx, r, 30*time.Second); err != nil {
			t.Fatal(err)
		}
		if err := answer(t, moved); !errors.Is(err, refusal) {
			t.Errorf("DeadLetter = %v", err)
		}
		changed := time.Now()
		receive(t, q, queue.ReceiveOptions{Wait: 20 * time.Second})
		receive(t, q, queue.ReceiveOptions{Wait: 20 * time.Second}, "x")
		if hidden := time.Since(changed); hidden != 30*time.Second {
			t.Errorf("hidden for %v", hidden)
		}
	})
}

// A Receive that moves some messages away hands out none of the others that
// somebody else has received meanwhile.
func TestReceiveDropsWhatOthersReceivedDuringItsMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := newQueue(t, queue.Standard, nil, queue.Config{})
		gate := gates("poison")
		q := newQueue(t, queue.Standard, nil, queue.Config{
			DeadLetter: queue.DeadLetter{Target: gated(dead, gate), MaxReceives: 1},
		})
		send(t, q, "poison")
		receive(t, q, queue.ReceiveOptions{VisibilityTimeout: queue.None}, "poison")
		send(t, q, "good")
		var got []queue.Delivery
		received := start(func() (err error) {
			got, err = q.Receive(t.Context(), queue.ReceiveOptions{Max: 10, VisibilityTimeout: 30 * time.Second})
			return err
		})
		time.Sleep(31 * time.Second)
		reconfigure(t, q, func(cfg *queue.Config) { cfg.DeadLetter = queue.DeadLetter{} })
		other := receive(t, q, queue.ReceiveOptions{}, "good")
		if err := q.Delete(t.Context(), other[0].Receipt); err != nil {
			t.Error(err)
		}
		close(gate["poison"])
		if err := answer(t, received); err != nil || len(got) != 0 {
			t.Errorf("Receive = %q, %v", bodies(got), err)
		}
	})
}

// The delay of a FIFO queue is the queue's: raised, it reaches messages whose
// records are not durable yet.
func TestRaisedDelayReachesPendingMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := queuetest.NewMemStore()
		q := newQueue(t, queue.FIFO, st, queue.Config{Name: "letters.fifo"})
		st.Hold(queue.Durable)
		began := time.Now()
		sent := start(func() error {
			_, err := q.Send(t.Context(), queue.Message{Body: "x", GroupID: "g", DeduplicationID: "x"})
			return err
		})
		synctest.Wait()
		reconfigure(t, q, func(cfg *queue.Config) { cfg.Delay = 10 * time.Second })
		st.Release()
		if err := answer(t, sent); err != nil {
			t.Error(err)
		}
		receive(t, q, queue.ReceiveOptions{Wait: 20 * time.Second}, "x")
		if delayed := time.Since(began); delayed != 10*time.Second {
			t.Errorf("delayed for %v", delayed)
		}
	})
}

// The delay of a FIFO queue is for what is sent to it: a message that it adopted
// is visible at once, also when the queue is opened again.
func TestAdoptedMessageIsNotDelayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := queuetest.NewMemStore()
		cfg := queue.Config{Name: "letters.fifo", Delay: 10 * time.Minute}
		q := newQueue(t, queue.FIFO, st, cfg)
		r := queue.Record{ID: queue.MessageID{1}, Message: queue.Message{Body: "x", GroupID: "g"}}
		if err := q.Adopt(t.Context(), []queue.Record{r}, nil); err != nil {
			t.Fatal(err)
		}
		if s := stats(t, q); s.Visible != 1 || s.Delayed != 0 {
			t.Errorf("%d visible, %d delayed", s.Visible, s.Delayed)
		}
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
		receive(t, newQueue(t, queue.FIFO, st, cfg), queue.ReceiveOptions{}, "x")
	})
}

// Whatever is done to a queue in whatever order, its structures are in order,
// bodies are those of their IDs, and what was deleted does not come back.
func TestRandomCalls(t *testing.T) {
	for seed := range uint64(8) {
		synctest.Test(t, func(t *testing.T) { newStress(t, seed).run(300) })
	}
}

// stress makes random calls of a queue and remembers what may come of them.
type stress struct {
	*rand.Rand
	t      *testing.T
	seed   uint64
	kind   queue.Kind
	store  *queuetest.MemStore // nil: the queue lives in memory
	cfg    queue.Config
	q      engine
	bodies map[queue.MessageID]string // of everything that was sent
	alive  map[string]bool            // bodies that may be received
	held   []queue.Delivery
}

func newStress(t *testing.T, seed uint64) *stress {
	t.Helper()
	s := &stress{
		Rand: rand.New(rand.NewPCG(seed, 0)), t: t, seed: seed, kind: queue.Standard,
		bodies: map[queue.MessageID]string{}, alive: map[string]bool{},
	}
	if seed%2 == 1 {
		s.kind = queue.FIFO
	}
	if seed%4 >= 2 {
		s.store = queuetest.NewMemStore()
	}
	s.cfg = queue.Config{
		Name: "letters", Limits: queue.Unlimited,
		Retention: 10 * time.Minute, VisibilityTimeout: 3 * time.Second,
		ContentDeduplication: s.kind == queue.FIFO,
	}
	s.open()
	return s
}

func (s *stress) run(steps int) {
	defer s.close()
	for range steps {
		switch k := s.IntN(400); {
		case k < 160:
			s.send()
		case k < 280:
			s.receive()
		case k < 340:
			s.delete()
		case k < 360:
			time.Sleep(s.upTo(4 * time.Second))
		case k < 380:
			s.change()
		case k < 382 && s.store != nil:
			s.reopen()
		case k < 384:
			s.purge()
		default:
			s.noError(s.q.Check())
		}
	}
	s.noError(s.q.Check())
}

func (s *stress) noError(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("seed %d: %v", s.seed, err)
	}
}

// upTo returns a random time shorter than d, in whole milliseconds.
func (s *stress) upTo(d time.Duration) time.Duration {
	return time.Duration(s.Int64N(int64(d))).Truncate(time.Millisecond)
}

func (s *stress) open() {
	var st queue.Store
	if s.store != nil {
		st = s.store
	}
	var err error
	s.q, err = open(s.t.Context(), s.kind, st, s.cfg)
	s.noError(err)
}

func (s *stress) close() {
	if err := s.q.Close(); err != nil {
		s.t.Errorf("seed %d: %v", s.seed, err)
	}
}

func (s *stress) reopen() {
	s.close()
	s.store, s.held = s.store.Reopen(), nil
	s.open()
}

func (s *stress) purge() {
	s.noError(s.q.Purge(s.t.Context()))
	clear(s.alive)
}

// message makes a message of any sort, with a body of its own.
func (s *stress) message(n int) queue.Message {
	m := queue.Message{Body: fmt.Sprintf("%d-%s", n, strings.Repeat("b", s.IntN(50)))}
	if s.IntN(30) == 0 {
		m.Body += strings.Repeat("L", 600) // too large for its page
	}
	if s.kind == queue.FIFO || s.IntN(2) == 0 {
		m.GroupID = fmt.Sprint("g", s.IntN(40))
	}
	if s.IntN(5) == 0 {
		m.Attributes = queue.NewAttributes(map[string]queue.Value{"a": queue.String(m.Body[:1])})
	}
	if s.kind == queue.Standard && s.IntN(10) == 0 {
		m.Delay = s.upTo(5 * time.Second)
	}
	return m
}

func (s *stress) send() {
	ms := make([]queue.Message, 1+s.IntN(60))
	for i := range ms {
		ms[i] = s.message(len(s.bodies) + i)
	}
	sent, err := s.q.SendBatch(s.t.Context(), ms)
	s.noError(err)
	for i := range sent {
		s.bodies[sent[i].ID], s.alive[ms[i].Body] = ms[i].Body, true
	}
}

func (s *stress) receive() {
	got, err := s.q.Receive(s.t.Context(), queue.ReceiveOptions{Max: 1 + s.IntN(80), Wait: queue.None})
	s.noError(err)
	for i := range got {
		d := &got[i]
		if s.bodies[d.ID] != d.Body {
			s.t.Fatalf("seed %d: received %q for %q", s.seed, d.Body, s.bodies[d.ID])
		}
		if !s.alive[d.Body] {
			s.t.Fatalf("seed %d: %q was deleted and came back", s.seed, d.Body)
		}
	}
	s.held = append(s.held, got...)
}

// delete deletes what is held, in any order, and now and then leaves a little.
func (s *stress) delete() {
	s.Shuffle(len(s.held), func(i, j int) { s.held[i], s.held[j] = s.held[j], s.held[i] })
	keep := 0
	if s.IntN(4) > 0 {
		keep = len(s.held) / 20
	}
	for i := range s.held[keep:] {
		d := &s.held[keep+i]
		err := s.q.Delete(s.t.Context(), d.Receipt)
		if err == nil {
			s.alive[d.Body] = false
		} else if s.kind == queue.Standard || !errors.Is(err, queue.ErrReceiptExpired) {
			s.noError(err)
		}
	}
	s.held = s.held[:keep]
}

// change hides some of what is held for longer, or shows it.
func (s *stress) change() {
	for i := range s.held {
		if s.IntN(3) > 0 {
			continue
		}
		err := s.q.ChangeVisibility(s.t.Context(), s.held[i].Receipt, time.Duration(s.IntN(3))*time.Second)
		if !errors.Is(err, queue.ErrReceiptExpired) && !errors.Is(err, queue.ErrMessageGone) {
			s.noError(err)
		}
	}
}
