package main

import (
	"context"
	"runtime"
	"time"

	"github.com/restantemq/restante/queue"
)

// hotGroup measures the lifecycle of messages of one group while others are
// blocked: the first message of each is in flight for hours, and a second one
// waits behind it.
//
// A queue takes longer to recognise a repeated message the more IDs it remembers,
// whatever groups they came from. That isn't what is measured here, so each
// queue remembers as many: those with fewer blocked groups saw messages come and
// go before.
//
// The queue stays from round to round: making it takes far longer than measuring.
type hotGroup struct {
	blocked  int // groups
	sent     int // messages before, about, and at least twice as many
	backlog  int // of the hot group
	duration time.Duration
	bodies   *ring

	q   queue.Queue
	hot *worker
}

func (h *hotGroup) round() ([]value, error) {
	if h.q == nil {
		if err := h.prepare(); err != nil {
			return nil, err
		}
	}
	runtime.GC()
	if _, err := timed(h.duration/10, h.hot.burst); err != nil {
		return nil, err
	}
	c, err := timed(h.duration, h.hot.burst)
	if err != nil {
		return nil, err
	}
	return []value{c.value()}, nil
}

func (h *hotGroup) close() error {
	if h.q == nil {
		return nil
	}
	return h.q.Close()
}

func (h *hotGroup) prepare() (err error) {
	// More are in flight than SQS allows.
	if h.q, err = newFIFO(queue.Config{Limits: queue.Unlimited}); err != nil {
		return err
	}
	// All labels of the queue, one after the other, so that no ID comes twice.
	labels := newLabels(newNames(h.blocked))
	h.hot = newWorker(h.q, h.bodies.from(0), labels, 1)
	passing := newWorker(h.q, h.bodies.from(0), labels, queue.MaxBatch)
	for range (h.sent - 2*h.blocked) / queue.MaxBatch {
		if err := passing.many(); err != nil {
			return err
		}
	}
	// One message of each group is there when they are received.
	if err := fill(h.q, h.bodies.from(0), labels, h.blocked); err != nil {
		return err
	}
	if err := hold(h.q, h.blocked); err != nil {
		return err
	}
	if err := fill(h.q, h.bodies.from(0), labels, h.blocked); err != nil {
		return err
	}
	*labels = labels.in("hot")
	return fill(h.q, h.bodies.from(0), labels, h.backlog)
}

// hold receives n messages and keeps them in flight.
func hold(q queue.Queue, n int) error {
	into := make([]queue.Delivery, queue.MaxReceive)
	for n > 0 {
		ds, err := q.Receive(context.Background(), queue.ReceiveOptions{
			Max: min(n, len(into)), VisibilityTimeout: queue.MaxVisibility, Into: into,
		})
		if err != nil {
			return err
		}
		if len(ds) == 0 {
			return errEmpty
		}
		n -= len(ds)
	}
	return nil
}
