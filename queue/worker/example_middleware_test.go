package worker_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/worker"
)

// timeLimit gives handlers so much time.
func timeLimit(most time.Duration) worker.Middleware {
	return func(h worker.Handler) worker.Handler {
		return func(ctx context.Context, d *queue.Delivery) error {
			ctx, cancel := context.WithTimeout(ctx, most)
			defer cancel()
			return h(ctx, d)
		}
	}
}

// patient lets messages come back a minute after a handler had too little time.
func patient(h worker.Handler) worker.Handler {
	return func(ctx context.Context, d *queue.Delivery) error {
		err := h(ctx, d)
		if errors.Is(err, context.DeadlineExceeded) {
			return worker.RetryAfter(time.Minute, err)
		}
		return err
	}
}

// Middleware goes around a handler, the first outermost.
func ExampleWith() {
	slow := func(ctx context.Context, d *queue.Delivery) error {
		<-ctx.Done()
		return ctx.Err()
	}
	h := worker.With(slow, patient, timeLimit(time.Millisecond))
	fmt.Println(h(context.Background(), &queue.Delivery{})) // Run would call it
	// Output: again after 1m0s: context deadline exceeded
}
