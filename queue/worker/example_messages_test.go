package worker_test

import (
	"context"
	"fmt"
	"log"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/worker"
	"github.com/restantemq/restante/standard"
)

// A loop over the messages of a queue. What isn't deleted comes back.
func ExampleMessages() {
	ctx := context.Background()
	q, err := standard.New(queue.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()
	for _, body := range []string{"one", "two", "stop"} {
		if _, err := q.Send(ctx, queue.Message{Body: body}); err != nil {
			log.Fatal(err)
		}
	}

	for d, err := range worker.Messages(ctx, q, queue.ReceiveOptions{}) {
		if err != nil {
			log.Print(err) // the loop goes on if it makes sense
			continue
		}
		fmt.Println(d.Body)
		if err := q.Delete(ctx, d.Receipt); err != nil {
			log.Print(err)
		}
		if d.Body == "stop" {
			break
		}
	}
	// Output:
	// one
	// two
	// stop
}
