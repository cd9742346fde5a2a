package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/restantemq/restante/queue"
)

// tenants measures, on a Standard queue, the lifecycle of messages without a
// group while messages with one are in flight, beside the same in a queue that
// never saw a group. So that all that is received is without a group, those that
// have one and are not in flight are dealt with in one of two ways:
//
//   - They are deleted, and none is visible. Nothing has to be chosen then.
//   - They stay visible, all of one tenant. It holds so much of what is in flight
//     that the queue must prefer younger messages, those without a group.
//
// The two queues take turns within a round, because a small difference is to be
// seen.
type tenants struct {
	once
	groups   int
	seen     int  // messages with a group
	held     int  // of these, as many of each group
	stay     bool // the others stay visible
	backlog  int  // messages without a group
	turns    int  // of each queue
	duration time.Duration
	bodies   *ring
}

func (t *tenants) round() ([]value, error) {
	var workers [2]*worker
	for i := range workers {
		q, err := newQueue(queue.Config{})
		if err != nil {
			return nil, err
		}
		defer q.Close()
		if i == 0 {
			if err := t.use(q); err != nil {
				return nil, err
			}
		}
		if err := fill(q, t.bodies.from(0), nil, t.backlog); err != nil {
			return nil, err
		}
		workers[i] = newWorker(q, t.bodies.from(0), nil, 1)
	}
	runtime.GC()
	var costs [2]cost
	for turn := range t.turns + 1 {
		for i, w := range workers {
			c, err := timed(t.duration/time.Duration(t.turns), w.burst)
			if err != nil {
				return nil, err
			}
			if turn > 0 { // the first one is to warm up
				costs[i].add(c)
			}
		}
	}
	if err := t.check(workers[0]); err != nil {
		return nil, err
	}
	values := []value{costs[0].value(), costs[1].value()}
	values[1].name = "plain"
	return values, nil
}

// use sends the messages with a group and keeps some in flight.
func (t *tenants) use(q queue.Queue) error {
	ctx := context.Background()
	names, bodies := newNames(t.groups), t.bodies.from(0)
	for i := range t.seen {
		m := queue.Message{Body: bodies.next(), GroupID: names.at(i % t.groups)}
		if _, err := q.Send(ctx, m); err != nil {
			return err
		}
	}
	if t.stay {
		return hold(q, t.held)
	}
	left := make(map[string]int) // to keep
	for i := range t.groups {
		left[names.at(i)] = t.held / t.groups
	}
	for range t.seen {
		ds, err := q.Receive(ctx, queue.ReceiveOptions{VisibilityTimeout: queue.MaxVisibility})
		if err != nil {
			return err
		}
		if len(ds) == 0 {
			return errEmpty
		}
		if group := ds[0].GroupID; left[group] > 0 {
			left[group]--
		} else if err := q.Delete(ctx, ds[0].Receipt); err != nil {
			return err
		}
	}
	return nil
}

// check sees to it that the measurement dealt with messages without a group.
func (t *tenants) check(w *worker) error {
	inspector, ok := queue.As[queue.Inspector](w.q)
	if !ok {
		return errors.New("the queue can't be inspected")
	}
	visible := t.backlog
	if t.stay {
		visible += t.seen - t.held
	}
	s, err := inspector.Stats(context.Background())
	if err != nil {
		return err
	}
	if s.InFlight != t.held || s.Visible != visible {
		return fmt.Errorf("%d messages are in flight, not %d, and %d visible, not %d", s.InFlight, t.held, s.Visible, visible)
	}
	ds, err := w.q.Receive(context.Background(), w.receiving)
	if err != nil {
		return err
	}
	if len(ds) != 1 || ds[0].GroupID != "" {
		return errors.New("messages with a group were received")
	}
	return nil
}
