package main

import (
	"fmt"
	"time"
)

const chanCapacity = 1024

var chanName = fmt.Sprintf("chan/body=64/capacity=%d", chanCapacity)

// chanHop measures the yardstick H: one goroutine sends bodies over a channel,
// another one receives and reads them.
type chanHop struct {
	once
	bodies   *ring
	duration time.Duration
}

func (h *chanHop) round() ([]value, error) {
	h.hop(h.duration / 10)
	return []value{h.hop(h.duration).value()}, nil
}

func (h *chanHop) hop(d time.Duration) cost {
	bodies := h.bodies.from(0)
	ch := make(chan string, chanCapacity)
	m := startMeter()
	go func() { // ends with d; the receives below wait for it
		defer close(ch)
		for n := 0; n == 0 || time.Since(m.began) < d; n++ {
			for range burst {
				ch <- bodies.next()
			}
		}
	}()
	messages, sum := 0, uint64(0)
	for body := range ch {
		sum += read(body)
		messages++
	}
	c := m.stop()
	c.messages = messages
	sink.Add(sum)
	return c
}
