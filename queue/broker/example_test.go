package broker_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
)

// A queue in SQS's form, and what it answers to.
func Example() {
	ctx := context.Background()
	b := broker.New(broker.Options{})
	defer b.Close()

	q, err := b.CreateQueue(ctx, "orders", map[string]string{"VisibilityTimeout": "60"})
	check(err)
	_, err = q.Send(ctx, queue.Message{Body: "one"})
	check(err)

	attributes, err := q.Attributes(ctx, "VisibilityTimeout", "ApproximateNumberOfMessages")
	check(err)
	fmt.Println(q.ARN())
	fmt.Println(q.URL("http://localhost:9324"))
	fmt.Println(attributes)
	// Output:
	// arn:aws:sqs:us-east-1:000000000000:orders
	// http://localhost:9324/000000000000/orders
	// map[ApproximateNumberOfMessages:1 VisibilityTimeout:60]
}

// What is in a directory is there again after the process has ended.
func ExampleOpen() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "queues")
	check(err)
	defer os.RemoveAll(dir)

	b, err := broker.Open(ctx, dir, broker.Options{})
	check(err)
	q, err := b.Create(ctx, "orders", queue.Config{VisibilityTimeout: time.Minute})
	check(err)
	_, err = q.Send(ctx, queue.Message{Body: "one"}) // durable when it returns
	check(err)
	check(b.Close())

	b, err = broker.Open(ctx, dir, broker.Options{})
	check(err)
	defer b.Close()
	q, err = b.GetQueue("orders")
	check(err)
	got, err := q.Receive(ctx, queue.ReceiveOptions{})
	check(err)
	fmt.Println(got[0].Body, q.Config().VisibilityTimeout)
	// Output: one 1m0s
}

// A message that nobody can deal with goes to the dead-letter queue, and comes
// back when whatever was wrong is mended.
func ExampleBroker_StartMoveTask() {
	ctx := context.Background()
	b := broker.New(broker.Options{})
	defer b.Close()
	dead, err := b.CreateQueue(ctx, "orders-dead", nil)
	check(err)
	orders, err := b.CreateQueue(ctx, "orders", map[string]string{
		"RedrivePolicy": `{"deadLetterTargetArn":"` + dead.ARN() + `","maxReceiveCount":2}`,
	})
	check(err)

	_, err = orders.Send(ctx, queue.Message{Body: "poison"})
	check(err)
	for range 3 { // delivered twice; the third time it moves
		got, err := orders.Receive(ctx, queue.ReceiveOptions{VisibilityTimeout: queue.None})
		check(err)
		fmt.Println(len(got), "delivered")
	}

	_, err = b.StartMoveTask(ctx, broker.MoveOptions{Source: dead.ARN()})
	check(err)
	got, err := orders.Receive(ctx, queue.ReceiveOptions{Wait: queue.MaxWait})
	check(err)
	fmt.Println(got[0].Body, "is back, received", got[0].ReceiveCount, "time")
	// Output:
	// 1 delivered
	// 1 delivered
	// 0 delivered
	// poison is back, received 1 time
}

// The same broker seen from another account.
func ExampleBroker_In() {
	ctx := context.Background()
	b := broker.New(broker.Options{})
	defer b.Close()
	other := b.In(broker.Scope{Account: "111122223333"})

	_, err := b.CreateQueue(ctx, "orders", nil)
	check(err)
	_, err = other.GetQueue("orders")
	fmt.Println(err)
	q, err := other.CreateQueue(ctx, "orders", nil)
	check(err)
	fmt.Println(q.ARN())
	// Output:
	// queue does not exist: "orders"
	// arn:aws:sqs:us-east-1:111122223333:orders
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
