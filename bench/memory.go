package main

import (
	"context"
	"runtime"
	"strings"
	"time"

	"github.com/restantemq/restante/queue"
)

// memory measures what the heap grows by for each queued message, beside its
// body.
type memory struct {
	once
	messages int
	bodies   *ring
}

func (t *memory) round() ([]value, error) {
	bodies := t.bodies.from(0)
	before := heapInUse()
	q, err := newQueue(queue.Config{})
	if err != nil {
		return nil, err
	}
	defer q.Close()
	for range t.messages {
		// Nobody else keeps the clone. So each body is in the heap once,
		// whether the queue keeps it or a copy, and can be subtracted.
		m := queue.Message{Body: strings.Clone(bodies.next())}
		if _, err := q.Send(context.Background(), m); err != nil {
			return nil, err
		}
	}
	growth := heapInUse() - before
	began := time.Now()
	runtime.GC()
	collection := time.Since(began)
	return []value{
		{
			unit:      "B/message",
			numerator: growth - float64(t.messages*t.bodies.size), denominator: float64(t.messages),
		},
		{name: "collection", unit: "ms", numerator: collection.Seconds() * 1000, denominator: 1},
	}, nil
}

// heapInUse returns the bytes of the heap in use after a garbage collection.
func heapInUse() float64 {
	runtime.GC()
	runtime.GC() // the first one keeps what pools hold
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapInuse)
}
