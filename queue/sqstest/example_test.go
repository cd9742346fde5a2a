package sqstest_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/sqstest"
)

// consume is the code under test: it works off a queue until its context ends.
func consume(ctx context.Context, q queue.Queue, work func(body string) error) {
	for ctx.Err() == nil {
		deliveries, err := q.Receive(ctx, queue.ReceiveOptions{Max: 10, Wait: 20 * time.Second})
		if err != nil {
			continue // next time, unless ctx has ended
		}
		for _, d := range deliveries {
			if work(d.Body) == nil {
				_ = q.Delete(ctx, d.Receipt) // else it comes again
			}
		}
	}
}

func TestConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{Faults: sqstest.Realistic()})
		dead := k.Create("dead", queue.Config{})
		jobs := k.Create("jobs", queue.Config{DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 3}})
		go consume(t.Context(), jobs, func(body string) error {
			if body == "bad" {
				return context.DeadlineExceeded
			}
			return nil
		})
		for _, body := range []string{"one", "bad", "two"} {
			// The test's own hands, without faults.
			if _, err := jobs.Unwrap().Send(t.Context(), queue.Message{Body: body}); err != nil {
				t.Fatal(err)
			}
		}
		jobs.ExpectDrained(time.Hour)
		jobs.ExpectDeleted("one", "two")
		jobs.ExpectDeadLettered("bad")
		dead.ExpectReceived("bad", 0)
	})
}
