package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/restantemq/restante/fifo"
	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/standard"
)

// newQueue makes a Standard queue that is measured, newFIFO a FIFO queue.
func newQueue(cfg queue.Config) (queue.Queue, error) { return standard.New(cfg) }
func newFIFO(cfg queue.Config) (queue.Queue, error)  { return fifo.New(cfg) }

// fill sends n messages, in batches, with labels unless they are nil.
func fill(q queue.Queue, bodies bodies, labels *labels, n int) error {
	batch := make([]queue.Message, 0, queue.MaxBatch)
	for n > 0 {
		batch = batch[:min(n, cap(batch))]
		for i := range batch {
			batch[i].Body = bodies.next()
			if labels != nil {
				labels.next(&batch[i])
			}
		}
		if _, err := q.SendBatch(context.Background(), batch); err != nil {
			return err
		}
		n -= len(batch)
	}
	return nil
}

var errEmpty = errors.New("nothing was received although messages are visible")

// lifecycle measures Send, Receive and Delete with a standing backlog.
type lifecycle struct {
	once
	bodies     *ring
	batch      int // messages a call
	backlog    int // messages visible before and after
	goroutines int // that do the same
	duration   time.Duration
}

func (l *lifecycle) round() ([]value, error) {
	q, err := newQueue(queue.Config{})
	if err != nil {
		return nil, err
	}
	defer q.Close()
	if err := fill(q, l.bodies.from(0), nil, l.backlog); err != nil {
		return nil, err
	}
	workers := make([]func() error, l.goroutines)
	for i := range workers {
		// Each goroutine sends other bodies than its neighbours.
		w := newWorker(q, l.bodies.from(i*ringLength/l.goroutines), nil, l.batch)
		workers[i] = w.burst
	}
	runtime.GC()
	if _, err := timed(l.duration/10, workers...); err != nil {
		return nil, err
	}
	c, err := timed(l.duration, workers...)
	if err != nil {
		return nil, err
	}
	return []value{c.value()}, nil
}

// A worker leads messages through their lives, as many at a time as a call
// takes. It allocates nothing itself but what labels do.
type worker struct {
	q      queue.Queue
	bodies bodies
	labels *labels // nil: none

	sending   []queue.Message
	receiving queue.ReceiveOptions
	receipts  []queue.Receipt
	sum       uint64 // of what was read
}

func newWorker(q queue.Queue, bodies bodies, labels *labels, batch int) *worker {
	return &worker{
		q: q, bodies: bodies, labels: labels,
		sending:   make([]queue.Message, batch),
		receiving: queue.ReceiveOptions{Max: batch, Into: make([]queue.Delivery, batch)},
		receipts:  make([]queue.Receipt, batch),
	}
}

// burst deals with as many messages as its name says.
func (w *worker) burst() error {
	defer func() { sink.Add(w.sum) }()
	for range burst / len(w.sending) {
		var err error
		if len(w.sending) == 1 {
			err = w.one()
		} else {
			err = w.many()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *worker) one() error {
	ctx := context.Background()
	m := queue.Message{Body: w.bodies.next()}
	if w.labels != nil {
		w.labels.next(&m)
	}
	if _, err := w.q.Send(ctx, m); err != nil {
		return err
	}
	ds, err := w.q.Receive(ctx, w.receiving)
	if err != nil {
		return err
	}
	if len(ds) == 0 {
		return errEmpty
	}
	w.sum += read(ds[0].Body)
	return w.q.Delete(ctx, ds[0].Receipt)
}

func (w *worker) many() error {
	ctx := context.Background()
	for i := range w.sending {
		w.sending[i].Body = w.bodies.next()
		if w.labels != nil {
			w.labels.next(&w.sending[i])
		}
	}
	if _, err := w.q.SendBatch(ctx, w.sending); err != nil {
		return err
	}
	ds, err := w.q.Receive(ctx, w.receiving)
	if err != nil {
		return err
	}
	if len(ds) != len(w.sending) {
		return fmt.Errorf("%d messages were received where %d were visible", len(ds), len(w.sending))
	}
	for i := range ds {
		w.sum += read(ds[i].Body)
		w.receipts[i] = ds[i].Receipt
	}
	return w.q.DeleteBatch(ctx, w.receipts)
}
