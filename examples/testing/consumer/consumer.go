package consumer

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/restantemq/restante/queue"
)

// How the queue has to be configured.
const (
	Visibility  = 3 * time.Minute // how soon the job of a worker that died is taken up again
	MaxReceives = 3               // tries, before a job goes to the dead-letter queue
)

const (
	heartbeat = 2 * time.Minute  // how often a worker that is still at it says so
	spare     = 30 * time.Second // that a worker has for laying down what it can't hold any longer
	retry     = 20 * time.Minute // until a job that failed is tried again
	hiccup    = 2 * time.Second  // until a call that failed is made again
)

// A Consumer does the jobs in a queue, one after the other. Start several for more
// at a time.
type Consumer struct {
	Queue queue.Queue

	// Do does the job that is the message's body. It must return as soon as ctx ends,
	// because somebody else may begin the job half a minute later.
	Do func(ctx context.Context, job string) error

	bug bool // see extend
}

// Run does jobs until ctx ends, or an error says that it is no use going on.
func (c *Consumer) Run(ctx context.Context) error {
	for {
		var got []queue.Delivery
		err := insist(ctx, func() (err error) {
			got, err = c.Queue.Receive(ctx, queue.ReceiveOptions{Wait: queue.MaxWait})
			return err
		})
		if err != nil {
			return err
		}
		for _, d := range got {
			if err := c.handle(ctx, d); err != nil {
				return err
			}
		}
	}
}

// handle does a job, and deletes its message afterwards: a worker that dies in
// between leaves it in the queue.
func (c *Consumer) handle(ctx context.Context, d queue.Delivery) error {
	working, stop := context.WithCancel(ctx)
	var held sync.WaitGroup
	held.Go(func() {
		c.hold(working, d)
		stop() // the work too, if it still goes on
	})
	err := c.Do(working, d.Body)
	stop()
	held.Wait() // so that nothing extends what is laid down or deleted below

	pause := retry
	if ctx.Err() != nil {
		pause = 0 // we were told to stop: anybody else may begin now
	}
	ctx = context.WithoutCancel(ctx) // what is done is deleted all the same
	if err == nil {
		return insist(ctx, func() error { return c.Queue.Delete(ctx, d.Receipt) })
	}
	// If this fails the job comes back too, at the end of its timeout.
	_ = insist(ctx, func() error { return c.Queue.ChangeVisibility(ctx, d.Receipt, pause) })
	return nil
}

// hold keeps d hidden from other workers until ctx ends. It returns before that
// if it can't: nobody may hold a message for more than twelve hours, and calls may
// fail for too long.
func (c *Consumer) hold(ctx context.Context, d queue.Delivery) {
	until, wait := d.VisibleAt, heartbeat
	for time.Until(until) > spare {
		if !sleep(ctx, wait) {
			return
		}
		later, err := c.extend(ctx, d, until)
		if err != nil {
			wait = hiccup // whatever it is, there is time to try again
			continue
		}
		until, wait = later, heartbeat
	}
}

// extend hides d for another while, and returns until when.
func (c *Consumer) extend(ctx context.Context, d queue.Delivery, until time.Time) (time.Time, error) {
	if c.bug {
		// Two minutes are used up, so two more keep one to spare? They would if they
		// were added to what is left.
		return until.Add(heartbeat), c.Queue.ChangeVisibility(ctx, d.Receipt, heartbeat)
	}
	now := time.Now() // before the call, which may take a while: SQS counts from when it is made
	return now.Add(Visibility), c.Queue.ChangeVisibility(ctx, d.Receipt, Visibility)
}

// insist makes a call again while the queue is throttled or doesn't answer.
// Receive, Delete and ChangeVisibility may be repeated, whether they took effect
// or not.
func insist(ctx context.Context, call func() error) error {
	for {
		err := call()
		if !errors.Is(err, queue.ErrThrottled) && !errors.Is(err, queue.ErrUncertain) {
			return err
		}
		if !sleep(ctx, hiccup) {
			return ctx.Err()
		}
	}
}

// sleep reports whether d has passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
