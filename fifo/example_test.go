package fifo_test

import (
	"context"
	"fmt"
	"time"

	"github.com/restantemq/restante/fifo"
	"github.com/restantemq/restante/queue"
)

func Example() {
	ctx := context.Background()
	q, err := fifo.New(queue.Config{ContentDeduplication: true})
	if err != nil {
		panic(err)
	}
	defer q.Close()

	for _, body := range []string{"open", "deposit 10", "close"} {
		if _, err := q.Send(ctx, queue.Message{Body: body, GroupID: "account-7"}); err != nil {
			panic(err)
		}
	}
	// While the first is in flight, its group waits.
	first, _ := q.Receive(ctx, queue.ReceiveOptions{})
	second, _ := q.Receive(ctx, queue.ReceiveOptions{})
	fmt.Println(first[0].Body, len(second))
	if err := q.Delete(ctx, first[0].Receipt); err != nil {
		panic(err)
	}
	// One Receive takes several of a group, in order.
	rest, _ := q.Receive(ctx, queue.ReceiveOptions{Max: 10})
	for _, d := range rest {
		fmt.Println(d.Body)
	}
	// Output:
	// open 0
	// deposit 10
	// close
}

// A producer whose answer was lost sends again, and the queue knows.
func ExampleQueue_deduplication() {
	ctx := context.Background()
	q, _ := fifo.New(queue.Config{})
	defer q.Close()
	m := queue.Message{Body: "pay 10", GroupID: "account-7", DeduplicationID: "payment-4711"}
	sent, _ := q.Send(ctx, m)
	again, _ := q.Send(ctx, m)
	s, _ := q.Stats(ctx)
	fmt.Println(again.Duplicate, again.Sequence == sent.Sequence, again.ID == sent.ID, s.Visible)
	// Output: true true true 1
}

// A receiver whose answer was lost repeats the call with the same attempt ID and
// gets the same messages, although they are in flight.
func ExampleQueue_attempt() {
	ctx := context.Background()
	q, _ := fifo.New(queue.Config{ContentDeduplication: true})
	defer q.Close()
	q.Send(ctx, queue.Message{Body: "x", GroupID: "g"})
	o := queue.ReceiveOptions{AttemptID: "try-1", VisibilityTimeout: time.Minute}
	first, _ := q.Receive(ctx, o)
	again, _ := q.Receive(ctx, o)
	fmt.Println(len(again), again[0].Receipt == first[0].Receipt, again[0].ReceiveCount)
	// Output: 1 true 1
}
