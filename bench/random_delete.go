package main

import (
	"context"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/restantemq/restante/queue"
)

// randomDelete measures what it costs to delete any one of many messages in
// flight, to send another one and to receive it. Its queue is old: all that was
// in flight at first was replaced many times over, in random order, so that
// neighbours in age are no longer neighbours in the queue's memory, unless it
// sees to that. The first round lets it age.
type randomDelete struct {
	inFlight    int
	generations int
	duration    time.Duration
	bodies      *ring
	progress    *progress

	q         queue.Queue
	sending   bodies
	random    *rand.Rand
	receiving queue.ReceiveOptions

	// held is what deletes the messages in flight: smaller than receipts and
	// without pointers, so that looking one up costs at most one cache miss and
	// the collector nothing. The miss is part of what is measured.
	held []queue.ReceiptFields
}

func (r *randomDelete) round() ([]value, error) {
	if r.q == nil {
		if err := r.grow(); err != nil {
			return nil, err
		}
	}
	runtime.GC()
	if _, err := timed(r.duration/10, r.burst); err != nil {
		return nil, err
	}
	c, err := timed(r.duration, r.burst)
	if err != nil {
		return nil, err
	}
	return []value{c.value()}, nil
}

func (r *randomDelete) close() error {
	if r.q == nil {
		return nil
	}
	return r.q.Close()
}

// grow makes the queue and lets it age.
func (r *randomDelete) grow() (err error) {
	// More are in flight than SQS allows, for longer than its default.
	r.q, err = newQueue(queue.Config{Limits: queue.Unlimited, VisibilityTimeout: 12 * time.Hour})
	if err != nil {
		return err
	}
	r.sending = r.bodies.from(0)
	r.random = rand.New(rand.NewPCG(1, 2))
	r.receiving = queue.ReceiveOptions{Into: make([]queue.Delivery, 1)}
	r.held = make([]queue.ReceiptFields, r.inFlight)
	for i := range r.held {
		if err := r.add(i); err != nil {
			return err
		}
	}
	for generation := range r.generations {
		if generation%5 == 0 {
			r.progress.say("%d in flight, generation %d of %d", r.inFlight, generation+1, r.generations)
		}
		for range r.inFlight {
			if err := r.step(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *randomDelete) burst() error {
	for range burst {
		if err := r.step(); err != nil {
			return err
		}
	}
	return nil
}

// step replaces a message in flight, any of them.
func (r *randomDelete) step() error {
	i := r.random.IntN(len(r.held))
	if err := r.q.Delete(context.Background(), queue.NewReceipt(r.held[i])); err != nil {
		return err
	}
	return r.add(i)
}

// add puts another message in flight, held at index i.
func (r *randomDelete) add(i int) error {
	ctx := context.Background()
	if _, err := r.q.Send(ctx, queue.Message{Body: r.sending.next()}); err != nil {
		return err
	}
	ds, err := r.q.Receive(ctx, r.receiving)
	if err != nil {
		return err
	}
	if len(ds) == 0 {
		return errEmpty
	}
	sink.Add(read(ds[0].Body))
	r.held[i], _ = ds[0].Receipt.Fields()
	return nil
}
