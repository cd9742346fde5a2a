package main

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync"

	"github.com/restantemq/restante/queue"
	queueworker "github.com/restantemq/restante/queue/worker"
)

// handled measures what it costs a worker to receive, handle and delete messages that
// are all in the queue already, beside the loop that one would write oneself, which
// receives, handles and deletes ten in each of as many goroutines. The handler, the
// same for both, only reads the body.
//
// The two take turns within a round, because a small difference is to be seen. The
// ratio of the round is that of its median turn.
type handled struct {
	once
	metrics    bool
	goroutines int
	messages   int // in a turn
	turns      int // of each
	bodies     *ring

	bare value // the loop's in the latest round; see bareLoops
}

func (h *handled) round() ([]value, error) {
	q, err := newQueue(queue.Config{})
	if err != nil {
		return nil, err
	}
	defer q.Close()
	by := [...]handling{h.work, h.loop}
	var costs [len(by)]cost
	var ratios []value
	for turn := range h.turns + 1 {
		var took [len(by)]cost
		for i := range by {
			i = (i + turn) % len(by) // none is always the first
			if took[i], err = h.handle(q, h.messages, by[i]); err != nil {
				return nil, err
			}
		}
		if turn == 0 { // to warm up
			continue
		}
		for i, c := range took {
			costs[i].add(c)
		}
		work, loop := took[0].value(), took[1].value()
		ratios = append(ratios, value{name: "ratio", unit: "times", numerator: work.quotient(), denominator: loop.quotient()})
	}
	h.bare = costs[1].value()
	return []value{costs[0].value(), *middle(ratios)}, nil
}

// bareLoops is the trial of the loops beside a worker. They are measured in its round,
// which comes before theirs.
type bareLoops struct {
	once
	beside *handled
}

func (b bareLoops) round() ([]value, error) { return []value{b.beside.bare}, nil }

// A handling measures how what is in the queue is handled and deleted, the last message
// at the end.
type handling func(q queue.Queue, l *last) (cost, error)

// handle sends n messages, and measures from then until all are deleted.
func (h *handled) handle(q queue.Queue, n int, by handling) (cost, error) {
	ctx := context.Background()
	if err := fill(q, h.bodies.from(0), nil, n-1); err != nil {
		return cost{}, err
	}
	if _, err := q.Send(ctx, queue.Message{Body: lastBody}); err != nil {
		return cost{}, err
	}
	runtime.GC()
	c, err := by(q, newLast())
	if err != nil {
		return cost{}, err
	}
	c.messages = n
	empty, err := isEmpty(q)
	if err == nil && !empty {
		err = errors.New("not all messages were handled and deleted")
	}
	return c, err
}

// isEmpty reports whether a queue without delays has no messages.
func isEmpty(q queue.Queue) (bool, error) {
	inspector, ok := queue.As[queue.Inspector](q)
	if !ok {
		return false, errors.New("the queue can't be inspected")
	}
	s, err := inspector.Stats(context.Background())
	return s.Visible+s.InFlight == 0, err
}

// loop measures the bare loops.
func (h *handled) loop(q queue.Queue, l *last) (cost, error) {
	var wg sync.WaitGroup
	errs := make([]error, h.goroutines)
	m := startMeter()
	for i := range errs {
		wg.Go(func() { errs[i] = bareLoop(q, l.handle) })
	}
	wg.Wait()
	return m.stop(), errors.Join(errs...)
}

// bareLoop handles what is in the queue with h, and returns when it is empty.
func bareLoop(q queue.Queue, h queueworker.Handler) error {
	ctx := context.Background()
	o := queue.ReceiveOptions{Max: queue.MaxReceive, Into: make([]queue.Delivery, queue.MaxReceive)}
	receipts := make([]queue.Receipt, 0, queue.MaxReceive)
	for {
		ds, err := q.Receive(ctx, o)
		if err != nil || len(ds) == 0 {
			return err
		}
		receipts = receipts[:0]
		for i := range ds {
			if err := h(ctx, &ds[i]); err != nil {
				return err
			}
			receipts = append(receipts, ds[i].Receipt)
		}
		if err := q.DeleteBatch(ctx, receipts); err != nil {
			return err
		}
	}
}

// work measures the worker, from its start until the queue is empty.
func (h *handled) work(q queue.Queue, l *last) (cost, error) {
	o := queueworker.Options{Concurrency: h.goroutines}
	if h.metrics {
		o.Metrics = new(queueworker.Metrics)
	}
	m := startMeter()
	r := startWorker(q, l.handle, o)
	select {
	case <-l.handled:
	case <-r.ended:
		return cost{}, errors.Join(errEnded, r.stop())
	}
	// Messages received with the last one, or just before it, may not be deleted yet.
	for empty := false; !empty; runtime.Gosched() {
		var err error
		if empty, err = isEmpty(q); err != nil {
			return cost{}, errors.Join(err, r.stop())
		}
	}
	return m.stop(), r.stop()
}

var errEnded = errors.New("the worker has ended")

// A running worker is one that was started in a goroutine of its own.
type running struct {
	cancel context.CancelFunc
	ended  chan struct{} // closed when it has, by itself or because of stop
	err    error         // then
}

func startWorker(q queue.Queue, h queueworker.Handler, o queueworker.Options) *running {
	o.Logger = slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{cancel: cancel, ended: make(chan struct{})}
	go func() { // ends with stop
		defer close(r.ended)
		r.err = queueworker.Run(ctx, q, h, o)
	}()
	return r
}

// stop ends the worker.
func (r *running) stop() error {
	r.cancel()
	<-r.ended
	return r.err
}

// lastBody is that of the last message. No ring has it.
var lastBody = strings.Repeat("z", 64)

// A last has a handler that recognises the last message, so that nobody has to count.
type last struct {
	sum     uint64        // of its body
	handled chan struct{} // gets a token then
}

func newLast() *last { return &last{read(lastBody), make(chan struct{}, 1)} }

// handle reads the body, as whoever handles messages does, and no more.
func (l *last) handle(_ context.Context, d *queue.Delivery) error {
	if read(d.Body) == l.sum && d.Body == lastBody {
		l.handled <- struct{}{}
	}
	return nil
}
