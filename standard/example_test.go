package standard_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/standard"
)

func Example() {
	ctx := context.Background()
	q, err := standard.New(queue.Config{})
	if err != nil {
		panic(err)
	}
	defer q.Close()

	if _, err := q.Send(ctx, queue.Message{Body: "hello"}); err != nil {
		panic(err)
	}
	got, err := q.Receive(ctx, queue.ReceiveOptions{Wait: 20 * time.Second})
	if err != nil {
		panic(err)
	}
	for _, d := range got {
		fmt.Println(d.Body, d.ReceiveCount)
		if err := q.Delete(ctx, d.Receipt); err != nil {
			panic(err)
		}
	}
	// Output: hello 1
}

// A worker that needs longer than it thought extends its hold, and one that
// can't do the work gives the message back at once.
func ExampleQueue_changeVisibility() {
	ctx := context.Background()
	q, _ := standard.New(queue.Config{VisibilityTimeout: 30 * time.Second})
	defer q.Close()
	q.Send(ctx, queue.Message{Body: "long job"})

	got, _ := q.Receive(ctx, queue.ReceiveOptions{})
	err := q.ChangeVisibility(ctx, got[0].Receipt, 10*time.Minute)
	fmt.Println(err)
	err = q.ChangeVisibility(ctx, got[0].Receipt, 0)
	fmt.Println(err)
	again, _ := q.Receive(ctx, queue.ReceiveOptions{})
	fmt.Println(len(again))
	// Output:
	// <nil>
	// <nil>
	// 1
}

// A message that was received MaxReceives times and not deleted goes to the
// dead-letter queue when it would be received once more.
func ExampleQueue_deadLetter() {
	ctx := context.Background()
	dead, _ := standard.New(queue.Config{Name: "orders-dead"})
	defer dead.Close()
	q, _ := standard.New(queue.Config{Name: "orders", DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 2}})
	defer q.Close()

	q.Send(ctx, queue.Message{Body: "poison"})
	for range 3 {
		got, _ := q.Receive(ctx, queue.ReceiveOptions{VisibilityTimeout: queue.None})
		fmt.Println("received", len(got))
	}
	got, _ := dead.Receive(ctx, queue.ReceiveOptions{})
	fmt.Println(got[0].Body, "from", got[0].DeadLetterSource, "after", got[0].ReceiveCount-1)
	// Output:
	// received 1
	// received 1
	// received 0
	// poison from orders after 2
}

// Entries of a batch succeed or fail one by one.
func ExampleQueue_batch() {
	ctx := context.Background()
	q, _ := standard.New(queue.Config{MaxMessageSize: 1024})
	defer q.Close()

	sent, err := q.SendBatch(ctx, []queue.Message{
		{Body: "small"},
		{Body: strings.Repeat("large", 1000)},
	})
	var batch *queue.BatchError
	if errors.As(err, &batch) {
		for _, e := range batch.Entries {
			fmt.Println(e.Index, e.Err)
		}
	}
	fmt.Println(sent[0].ID != queue.MessageID{}, sent[1].ID != queue.MessageID{})
	// Output:
	// 1 message too large: MessageBody is 5000, allowed is 1 to 1024: bytes, attributes included
	// true false
}

// None says "really zero" where a zero would mean the default: this message is
// not delayed although the queue delays.
func ExampleQueue_none() {
	ctx := context.Background()
	q, _ := standard.New(queue.Config{Delay: 15 * time.Minute})
	defer q.Close()
	q.Send(ctx, queue.Message{Body: "later"})
	q.Send(ctx, queue.Message{Body: "now", Delay: queue.None})
	s, _ := q.Stats(ctx)
	fmt.Println(s.Delayed, s.Visible)
	// Output: 1 1
}
