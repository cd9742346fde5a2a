package main

import (
	"context"
	"net/http"
	"time"

	"github.com/restantemq/restante/queue"
)

const (
	firstRetry = 25 * time.Millisecond  // after a failed call; doubled with each further one
	lastRetry  = 200 * time.Millisecond // but never longer than this
)

// work brings the orders of the queue to B, one after the other, until ctx ends.
func work(ctx context.Context, q queue.Queue, client *http.Client, url string) error {
	for {
		got, err := q.Receive(ctx, queue.ReceiveOptions{Wait: queue.MaxWait}) // a long poll
		for _, d := range got {
			if err == nil {
				err = handle(ctx, q, d, client, url)
			}
		}
		if ctx.Err() != nil {
			return nil // what is in hand comes back after its visibility timeout
		}
		if err != nil {
			return err
		}
	}
}

// handle calls B for one message. Only when B has done the order is the message
// deleted. If the program ended at any other point it would come again.
func handle(ctx context.Context, q queue.Queue, d queue.Delivery, client *http.Client, url string) error {
	o, err := decodeOrder([]byte(d.Body))
	if err != nil {
		return err
	}
	if err := post(ctx, client, url, o, callTimeout); err != nil {
		return q.ChangeVisibility(ctx, d.Receipt, retryAfter(d.ReceiveCount))
	}
	return q.Delete(ctx, d.Receipt)
}

// retryAfter returns how long to leave a message alone that was received so
// often, each time in vain.
func retryAfter(receives int) time.Duration {
	wait := firstRetry
	for ; receives > 1 && wait < lastRetry; receives-- {
		wait *= 2
	}
	return min(wait, lastRetry)
}
