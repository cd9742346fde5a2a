package worker_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/worker"
	"github.com/restantemq/restante/standard"
)

// An Order is what the examples' bodies carry.
type Order struct {
	Item  string
	Count int
}

// A handler of JSON bodies. One that is no JSON goes to the dead-letter queue at once, with
// the reason.
func ExampleJSON() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	dead, err := standard.New(queue.Config{Name: "orders-dead"})
	if err != nil {
		log.Fatal(err)
	}
	defer dead.Close()
	q, err := standard.New(queue.Config{Name: "orders", DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 5}})
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()

	body, err := worker.JSONCodec{}.Encode(Order{"tea", 2})
	if err != nil {
		log.Fatal(err)
	}
	for _, body := range []string{"two teas please", body} {
		if _, err := q.Send(ctx, queue.Message{Body: body}); err != nil {
			log.Fatal(err)
		}
	}

	h := worker.JSON(func(_ context.Context, o Order, _ *queue.Delivery) error {
		fmt.Println("order:", o.Count, o.Item)
		stop()
		return nil
	})
	// One at a time, so that the output is always the same.
	err = worker.Run(ctx, q, h, worker.Options{Concurrency: 1, BatchSize: 1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}

	got, err := dead.Receive(context.Background(), queue.ReceiveOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("dead letter:", got[0].Body)
	fmt.Println("reason:", got[0].DeadLetterReason)
	// Output:
	// order: 2 tea
	// dead letter: two teas please
	// reason: body is no worker_test.Order: invalid character 'w' in literal true (expecting 'r')
}
