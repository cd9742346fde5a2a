package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/restantemq/restante/queue"
)

// expiry measures how long it takes until messages whose visibility timeouts
// end at one instant are visible again, and how long a Send takes meanwhile,
// beside a Send before.
type expiry struct {
	once
	messages int
	lead     time.Duration // least time between the receives and the instant
	sendFor  time.Duration // how long Sends are measured before
	bodies   *ring
}

func (e *expiry) round() ([]value, error) {
	q, err := newQueue(queue.Config{Limits: queue.Unlimited})
	if err != nil {
		return nil, err
	}
	defer q.Close()
	began := time.Now()
	bodies := e.bodies.from(0)
	if err := fill(q, bodies, nil, e.messages); err != nil {
		return nil, err
	}
	lead := e.lead + 3*time.Since(began) // receiving takes about as long as sending

	quiet := time.Now().Add(e.sendFor)
	before, err := latencies(q, bodies, func() bool { return time.Now().After(quiet) })
	if err != nil {
		return nil, err
	}
	due := time.Now().Add(lead)
	if err := e.receive(q, due); err != nil {
		return nil, err
	}
	time.Sleep(time.Until(due))

	var over atomic.Bool
	watched := make(chan error, 1)
	var took time.Duration
	go func() { // ends when nothing is in flight; the receive below waits for it
		defer over.Store(true)
		err := awaitStats(q, func(s queue.Stats) bool { return s.InFlight == 0 })
		took = time.Since(due)
		watched <- err
	}()
	meanwhile, err := latencies(q, bodies, over.Load)
	if err := errors.Join(err, <-watched); err != nil {
		return nil, err
	}
	values := []value{{unit: "ns/message", numerator: float64(took), denominator: float64(e.messages)}}
	values = append(values, percentiles("send=idle", before)...)
	return append(values, percentiles("send=expiring", meanwhile)...), nil
}

// receive receives messages whose visibility timeouts all end when due.
func (e *expiry) receive(q queue.Queue, due time.Time) error {
	into := make([]queue.Delivery, 1000)
	for n := e.messages; n > 0; {
		left := time.Until(due)
		if left <= 0 {
			return errors.New("the machine was too busy: timeouts ended before all messages were received")
		}
		ds, err := q.Receive(context.Background(), queue.ReceiveOptions{
			Max: min(n, len(into)), VisibilityTimeout: left, Into: into,
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

// awaitStats asks for the queue's counters until they are as wanted. A queue
// whose counters are exact may help with what is due, as for any other call.
func awaitStats(q queue.Queue, wanted func(queue.Stats) bool) error {
	inspector, ok := queue.As[queue.Inspector](q)
	if !ok {
		return errors.New("the queue can't be inspected")
	}
	for {
		s, err := inspector.Stats(context.Background())
		if err != nil || wanted(s) {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

// gap is the time between the beginnings of two Sends whose latency is measured.
const gap = 20 * time.Microsecond

// latencies returns how long each of many Sends took until over. A Send that
// took longer than the gap also stands for those that would have begun
// meanwhile and would have ended with it; otherwise a long stall, in which
// nobody sends, would count as one slow Send.
func latencies(q queue.Queue, bodies bodies, over func() bool) ([]time.Duration, error) {
	took := make([]time.Duration, 0, 1<<20)
	for turn := time.Now(); !over() || len(took) == 0; turn = turn.Add(gap) {
		began := time.Now()
		for began.Before(turn) { // a sleep would be far longer than the gap
			began = time.Now()
		}
		if _, err := q.Send(context.Background(), queue.Message{Body: bodies.next()}); err != nil {
			return nil, err
		}
		ended := time.Now()
		for late := ended.Sub(began); ; late -= gap {
			took = append(took, late)
			if late <= gap {
				break
			}
		}
		turn = later(turn, ended.Add(-gap))
	}
	return took, nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// percentiles sorts what Sends took and returns the values for it.
func percentiles(name string, took []time.Duration) (values []value) {
	slices.Sort(took)
	for _, permille := range []int{500, 990, 999, 1000} {
		values = append(values, value{
			name: fmt.Sprintf("%s/percentile=%v", name, float64(permille)/10),
			unit: "ns/call", numerator: percentile(took, permille), denominator: 1,
		})
	}
	return values
}

// percentile returns what so many of a thousand of the sorted times do not exceed, in ns.
func percentile(sorted []time.Duration, permille int) float64 {
	return float64(sorted[(permille*len(sorted)+999)/1000-1])
}
