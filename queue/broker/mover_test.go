package broker_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/queuetest"
)

// moveSlowly makes a queue and its dead-letter queue, with five messages there, and
// starts a task that moves one in a second.
func moveSlowly(t *testing.T, b *broker.Broker) (source, handle string) {
	t.Helper()
	dead := mustCreate(t, b, "dead", nil)
	work := mustCreate(t, b, "work", map[string]string{
		"RedrivePolicy": fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":"1"}`, dead.ARN()),
	})
	for n := range 5 {
		if _, err := dead.Send(t.Context(), queue.Message{Body: fmt.Sprint(n)}); err != nil {
			t.Fatal(err)
		}
	}
	handle, err := b.StartMoveTask(t.Context(), broker.MoveOptions{Source: dead.ARN(), Destination: work.ARN(), PerSecond: 1})
	if err != nil {
		t.Fatal(err)
	}
	return dead.ARN(), handle
}

func openOver(t *testing.T, st queue.Store) *broker.Broker {
	t.Helper()
	b, err := broker.OpenStore(t.Context(), st, broker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// wantTask checks how the only task of a queue stands.
func wantTask(t *testing.T, b *broker.Broker, source string, status broker.MoveStatus, moved int) {
	t.Helper()
	tasks, err := b.MoveTasks(t.Context(), source, 10)
	if err != nil || len(tasks) != 1 || tasks[0].Status != status || tasks[0].Moved != moved {
		t.Errorf("the tasks are %+v, %v; want one that is %v and has moved %d", tasks, err, status, moved)
	}
}

// Closing a broker in the middle of a move loses nothing of how far the task came.
func TestCloseDuringAMoveCountsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := queuetest.NewMemStore()
		b := openOver(t, st)
		source, _ := moveSlowly(t, b)
		time.Sleep(2500 * time.Millisecond)
		st.Hold(queue.Durable)
		time.Sleep(time.Second) // the third message is on its way
		closed := make(chan error)
		go func() { closed <- b.Close() }() // waited for below
		synctest.Wait()
		st.Release()
		if err := <-closed; err != nil {
			t.Fatal(err)
		}

		b = openOver(t, st)
		wantTask(t, b, source, broker.Running, 3)
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A crash between a task's being told to stop and its having stopped does not make
// it go on.
func TestCancelledTaskStopsForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := queuetest.NewMemStore()
		b := openOver(t, st)
		source, handle := moveSlowly(t, b)
		time.Sleep(2500 * time.Millisecond)
		st.Hold(queue.Durable)
		before := st.Pending()
		cancelled := make(chan error)
		go func() { // ends with the store
			_, err := b.CancelMoveTask(t.Context(), handle)
			cancelled <- err
		}()
		synctest.Wait()
		after := st.CrashKeeping(before + 1)
		if err := <-cancelled; !errors.Is(err, queue.ErrUncertain) {
			t.Errorf("CancelMoveTask returns %v; want ErrUncertain", err)
		}
		_ = b.Close() // its store is dead

		b = openOver(t, after)
		wantTask(t, b, source, broker.Cancelled, 2)
		time.Sleep(time.Minute)
		wantTask(t, b, source, broker.Cancelled, 2)
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Nobody is told of a task's end before it is durable: after a crash it would run
// again.
func TestEndOfATaskIsToldWhenItIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := queuetest.NewMemStore()
		b := openOver(t, st)
		source := emptySource(t, b)
		handle, err := b.StartMoveTask(t.Context(), broker.MoveOptions{Source: source, PerSecond: 1})
		if err != nil {
			t.Fatal(err)
		}
		st.Hold(queue.Durable)
		time.Sleep(time.Minute)
		wantTask(t, b, source, broker.Running, 0)
		if _, err := b.CancelMoveTask(t.Context(), handle); !errors.Is(err, queue.ErrInvalidParameter) {
			t.Errorf("CancelMoveTask of a task that is over returns %v; want ErrInvalidParameter", err)
		}
		st.Release()
		synctest.Wait()
		wantTask(t, b, source, broker.Completed, 0)
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A task whose end could not be recorded is not told to be completed.
func TestEndOfATaskThatIsNotRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := queuetest.NewMemStore()
		b := openOver(t, st)
		source := emptySource(t, b)
		if _, err := b.StartMoveTask(t.Context(), broker.MoveOptions{Source: source, PerSecond: 1}); err != nil {
			t.Fatal(err)
		}
		st.Fail()
		time.Sleep(time.Minute)
		wantTask(t, b, source, broker.Failed, 0)
		_ = b.Close() // its store has failed
	})
}

// A task that the store did not record makes no older one forgotten.
func TestTaskThatDoesNotStartForgetsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := queuetest.NewMemStore()
		b := openOver(t, st)
		source := emptySource(t, b)
		for range 10 {
			if _, err := b.StartMoveTask(t.Context(), broker.MoveOptions{Source: source}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		st.Fail()
		if _, err := b.StartMoveTask(t.Context(), broker.MoveOptions{Source: source}); !errors.Is(err, queue.ErrStoreFailed) {
			t.Errorf("StartMoveTask returns %v; want ErrStoreFailed", err)
		}
		if tasks, err := b.MoveTasks(t.Context(), source, 10); err != nil || len(tasks) != 10 {
			t.Errorf("%d tasks are remembered, %v; want 10", len(tasks), err)
		}
		_ = b.Close() // its store has failed
	})
}

// emptySource makes a queue and its dead-letter queue, without messages.
func emptySource(t *testing.T, b *broker.Broker) (source string) {
	t.Helper()
	dead := mustCreate(t, b, "dead", nil)
	mustCreate(t, b, "work", withTarget(dead))
	return dead.ARN()
}

// Messages that have nowhere to go stay, and don't keep the others from moving: the
// task fails when it has come to the last, also if the broker was closed meanwhile.
func TestStrandedMessagesStopNoOthers(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		t.Run(fmt.Sprint("restarted=", restarted), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := queuetest.NewMemStore()
				b := openOver(t, st)
				dead := mustCreate(t, b, "dead", nil)
				for _, name := range []string{"gone", "stays", "stays"} {
					q := mustCreate(t, b, name, map[string]string{
						"RedrivePolicy": fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":1}`, dead.ARN()),
					})
					if _, err := q.Send(t.Context(), queue.Message{Body: name}); err != nil {
						t.Fatal(err)
					}
					for range 2 {
						if _, err := q.Receive(t.Context(), queue.ReceiveOptions{VisibilityTimeout: queue.None}); err != nil {
							t.Fatal(err)
						}
					}
				}
				if err := b.DeleteQueue(t.Context(), "gone"); err != nil {
					t.Fatal(err)
				}
				if _, err := b.StartMoveTask(t.Context(), broker.MoveOptions{Source: dead.ARN(), PerSecond: 1}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(1500 * time.Millisecond)
				wantTask(t, b, dead.ARN(), broker.Running, 1)
				if restarted {
					if err := b.Close(); err != nil {
						t.Fatal(err)
					}
					b = openOver(t, st)
				}
				time.Sleep(time.Minute)
				wantTask(t, b, dead.ARN(), broker.Failed, 2)
				for name, want := range map[string]string{"dead": "1", "stays": "2"} {
					q, err := b.GetQueue(name)
					if err != nil {
						t.Fatal(err)
					}
					if got := allOf(t, q)["ApproximateNumberOfMessages"]; got != want {
						t.Errorf("%s has %s messages, want %s", name, got, want)
					}
				}
				if err := b.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
