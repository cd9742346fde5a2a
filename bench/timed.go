package main

import (
	"errors"
	"runtime"
	"sync"
	"time"
)

// burst is how many messages pass between two looks at the clock. It is a
// multiple of every batch.
const burst = 1000

// A cost is what many messages took together.
type cost struct {
	messages    int
	elapsed     time.Duration
	allocations uint64
	bytes       uint64
}

// add adds what other messages cost.
func (c *cost) add(d cost) {
	c.messages += d.messages
	c.elapsed += d.elapsed
	c.allocations += d.allocations
	c.bytes += d.bytes
}

// value returns the cost of one message.
func (c cost) value() value {
	n := float64(c.messages)
	return value{
		unit: "ns/message", numerator: float64(c.elapsed), denominator: n,
		heap: &heapUse{float64(c.allocations) / n, float64(c.bytes) / n},
	}
}

// timed calls each of steps in a goroutine of its own, again and again for d. A
// step deals with burst messages.
func timed(d time.Duration, steps ...func() error) (cost, error) { return timedBy(burst, d, steps...) }

// timedBy is timed for steps that deal with n messages.
func timedBy(n int, d time.Duration, steps ...func() error) (cost, error) {
	var (
		wg     sync.WaitGroup
		bursts = make([]int, len(steps))
		errs   = make([]error, len(steps))
	)
	m := startMeter()
	for i, step := range steps {
		wg.Go(func() {
			for errs[i] == nil && (bursts[i] == 0 || time.Since(m.began) < d) {
				errs[i] = step()
				bursts[i]++
			}
		})
	}
	wg.Wait()
	c := m.stop()
	for _, done := range bursts {
		c.messages += done * n
	}
	return c, errors.Join(errs...)
}

// A meter takes the time and what is allocated meanwhile.
type meter struct {
	before runtime.MemStats
	began  time.Time
}

func startMeter() *meter {
	var m meter
	runtime.ReadMemStats(&m.before)
	m.began = time.Now()
	return &m
}

// stop returns what it cost; the messages are for the caller to count.
func (m *meter) stop() cost {
	elapsed := time.Since(m.began)
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	return cost{
		elapsed:     elapsed,
		allocations: after.Mallocs - m.before.Mallocs,
		bytes:       after.TotalAlloc - m.before.TotalAlloc,
	}
}
