package main

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/restantemq/restante/queue"
)

// idlePolls measures the CPU time of the process while receivers wait at an
// empty queue and nothing else happens.
type idlePolls struct {
	once
	polls    int
	duration time.Duration
}

func (t *idlePolls) round() ([]value, error) {
	q, err := newQueue(queue.Config{})
	if err != nil {
		return nil, err
	}
	defer q.Close()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for range t.polls {
		wg.Go(func() { // ends with ctx
			for ctx.Err() == nil {
				_, _ = q.Receive(ctx, queue.ReceiveOptions{Wait: queue.MaxWait})
			}
		})
	}
	if err := awaitStats(q, func(s queue.Stats) bool { return s.Waiting == t.polls }); err != nil {
		return nil, err
	}
	debug.FreeOSMemory() // now, and not bit by bit in the background
	time.Sleep(t.duration / 20)

	cpu, _ := cpuTime()
	began := time.Now()
	time.Sleep(t.duration)
	after, ok := cpuTime()
	if !ok {
		return nil, errors.New("the CPU time of the process is unknown")
	}
	return []value{{
		unit:      "CPU s/s",
		numerator: (after - cpu).Seconds(), denominator: time.Since(began).Seconds(),
	}}, nil
}

// idleQueues measures the heap and the goroutines that queues keep which nobody
// uses.
type idleQueues struct {
	once
	queues int
	used   bool // a message was sent, received and deleted before
	bodies *ring
}

func (t *idleQueues) round() ([]value, error) {
	queues := make([]queue.Queue, t.queues)
	goroutines, before := runtime.NumGoroutine(), heapInUse()
	for i := range queues {
		var err error
		if queues[i], err = newQueue(queue.Config{}); err != nil {
			return nil, err
		}
		if t.used {
			if err := newWorker(queues[i], t.bodies.from(i), nil, 1).one(); err != nil {
				return nil, err
			}
		}
	}
	growth := heapInUse() - before
	values := []value{
		{unit: "B/queue", numerator: growth, denominator: float64(t.queues)},
		{name: "goroutines", unit: "goroutines", numerator: float64(runtime.NumGoroutine() - goroutines), denominator: 1},
	}
	for _, q := range queues {
		if err := q.Close(); err != nil {
			return nil, err
		}
	}
	return values, nil
}
