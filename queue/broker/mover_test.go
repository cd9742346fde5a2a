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
