package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/restantemq/restante/queue"
	queueworker "github.com/restantemq/restante/queue/worker"
)

// handOff measures how long it takes from handing over a body until whoever waits
// for one has it: the handler of an idle worker, which waits in a long poll, or a
// goroutine that waits at a channel. The one who hands over waits then, as in a
// request with an answer.
type handOff struct {
	once
	worker   bool
	duration time.Duration
	bodies   *ring

	median float64  // of the latest round
	beside *handOff // a round of its own precedes each; nil: nothing to compare with
}

// pause is how long nothing happens between two hand-offs, so that who waits is idle
// again.
const pause = 200 * time.Microsecond

func (h *handOff) round() ([]value, error) {
	to := toChannel
	if h.worker {
		to = toWorker
	}
	w, err := to()
	if err != nil {
		return nil, err
	}
	took, err := w.takeTimes(h.bodies.from(0), h.duration)
	if err := errors.Join(err, w.stop()); err != nil {
		return nil, err
	}
	slices.Sort(took)
	h.median = percentile(took, 500)
	values := []value{
		{unit: "ns/message", numerator: h.median, denominator: 1},
		{name: "percentile=99", unit: "ns/message", numerator: percentile(took, 990), denominator: 1},
	}
	if h.beside != nil {
		values = append(values, value{name: "ratio", unit: "times", numerator: h.median, denominator: h.beside.median})
	}
	return values, nil
}

// A waiter waits for bodies, one at a time.
type waiter struct {
	hand  func(body string) error // hands one over
	got   chan time.Time          // tells when it had it
	ended <-chan struct{}         // closed if it fails; else nil
	stop  func() error
}

// take notes when a body has come, and reads it.
func (w *waiter) take(body string) {
	now := time.Now()
	sink.Add(read(body))
	w.got <- now
}

// toChannel returns a goroutine that waits at a channel.
func toChannel() (*waiter, error) {
	ch := make(chan string, 1)
	w := &waiter{
		hand: func(body string) error { ch <- body; return nil },
		got:  make(chan time.Time, 1),
		stop: func() error { close(ch); return nil },
	}
	go func() { // ends with stop
		for body := range ch {
			w.take(body)
		}
	}()
	return w, nil
}

// toWorker returns a worker at a queue.
func toWorker() (*waiter, error) {
	q, err := newQueue(queue.Config{})
	if err != nil {
		return nil, err
	}
	w := &waiter{
		hand: func(body string) error {
			_, err := q.Send(context.Background(), queue.Message{Body: body})
			return err
		},
		got: make(chan time.Time, 1),
	}
	r := startWorker(q, func(_ context.Context, d *queue.Delivery) error {
		w.take(d.Body)
		return nil
	}, queueworker.Options{})
	w.ended = r.ended
	w.stop = func() error {
		err := r.stop()
		q.Close()
		return err
	}
	return w, nil
}

// takeTimes hands over bodies for d, and returns how long each took; a tenth more
// precede, to warm up.
func (w *waiter) takeTimes(bodies bodies, d time.Duration) ([]time.Duration, error) {
	var took []time.Duration
	warm := time.Now().Add(d / 10)
	for until := warm.Add(d); len(took) == 0 || time.Now().Before(until); {
		time.Sleep(pause)
		began := time.Now()
		if err := w.hand(bodies.next()); err != nil {
			return nil, err
		}
		select {
		case got := <-w.got:
			if began.After(warm) {
				took = append(took, got.Sub(began))
			}
		case <-w.ended:
			return nil, errEnded
		}
	}
	return took, nil
}
