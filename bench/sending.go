package main

import (
	"context"
	"errors"
	"runtime"
	"sync"

	"github.com/restantemq/restante/queue"
	queueworker "github.com/restantemq/restante/queue/worker"
)

// sending measures how messages are sent by several producers at once.
type sending struct {
	once
	send      func(q queue.Queue, shares []share) error
	producers int
	messages  int // of all
	bodies    *ring
}

// sendingWays are the ways to send: a loop over SendBatch in each producer, or one
// Sender for all of them, with Add, or with Send, which waits for its message's answer.
var sendingWays = []struct {
	name string
	send func(q queue.Queue, shares []share) error
}{
	{"SendBatch", sendBatches},
	{"Sender.Add", addToSender},
	{"Sender.Send", sendToSender},
}

// A share is what one producer sends.
type share struct {
	messages int
	bodies   bodies
}

func (s *sending) round() ([]value, error) {
	var c cost
	for _, n := range []int{s.messages / 10, s.messages} { // a warm-up first
		var err error
		if c, err = s.measure(n); err != nil {
			return nil, err
		}
	}
	return []value{c.value()}, nil
}

// measure sends n messages to a queue of their own.
func (s *sending) measure(n int) (cost, error) {
	q, err := newQueue(queue.Config{})
	if err != nil {
		return cost{}, err
	}
	defer q.Close()
	shares := make([]share, s.producers)
	for i := range shares {
		shares[i] = share{n*(i+1)/s.producers - n*i/s.producers, s.bodies.from(i * ringLength / s.producers)}
	}
	runtime.GC()
	m := startMeter()
	err = s.send(q, shares)
	c := m.stop()
	c.messages = n
	return c, err
}

func sendBatches(q queue.Queue, shares []share) error {
	return produce(shares, func(s *share) error { return fill(q, s.bodies, nil, s.messages) })
}

func addToSender(q queue.Queue, shares []share) error {
	return withSender(q, func(sender *queueworker.Sender) error {
		var mu sync.Mutex
		var failed error // guarded by mu
		done := func(_ queue.Sent, err error) {
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = err
			}
		}
		err := produce(shares, func(s *share) error {
			for range s.messages {
				if err := sender.Add(context.Background(), queue.Message{Body: s.bodies.next()}, done); err != nil {
					return err
				}
			}
			return nil
		})
		err = errors.Join(err, sender.Flush(context.Background()))
		mu.Lock()
		defer mu.Unlock()
		return errors.Join(err, failed)
	})
}

func sendToSender(q queue.Queue, shares []share) error {
	return withSender(q, func(sender *queueworker.Sender) error {
		return produce(shares, func(s *share) error {
			for range s.messages {
				if _, err := sender.Send(context.Background(), queue.Message{Body: s.bodies.next()}); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// withSender calls f with a Sender to q.
func withSender(q queue.Queue, f func(*queueworker.Sender) error) error {
	sender, err := queueworker.NewSender(q, queueworker.SenderOptions{})
	if err != nil {
		return err
	}
	return errors.Join(f(sender), sender.Close())
}

// produce calls f for each share in a goroutine of its own.
func produce(shares []share, f func(*share) error) error {
	var wg sync.WaitGroup
	errs := make([]error, len(shares))
	for i := range shares {
		wg.Go(func() { errs[i] = f(&shares[i]) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
