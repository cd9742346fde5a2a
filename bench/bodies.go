package main

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
)

// ringLength is how many different bodies a ring has: more than caches near
// the processor hold of them.
const ringLength = 1 << 16

// A ring is the bodies of one size that are sent in turn. They are made when
// they are first needed.
type ring struct {
	size int
	all  func() []string
}

func newRing(size int) *ring {
	return &ring{size, sync.OnceValue(func() []string {
		// One text, so that the ring is nothing to the garbage collector.
		var text strings.Builder
		text.Grow(ringLength * size)
		for i := range ringLength {
			head := fmt.Sprintf("%d ", i)
			text.WriteString(head)
			text.WriteString(strings.Repeat("x", size-len(head)))
		}
		bodies := make([]string, ringLength)
		for i := range bodies {
			bodies[i] = text.String()[i*size : (i+1)*size]
		}
		return bodies
	})}
}

// from returns a reader of the ring whose first body is the one at index at.
func (r *ring) from(at int) bodies { return bodies{r.all(), at} }

// bodies yields the bodies of a ring, over and over. One goroutine uses it.
type bodies struct {
	ring []string
	at   int
}

func (b *bodies) next() string {
	b.at++
	return b.ring[b.at%ringLength]
}

// sink takes what was read of bodies, so that the reading is not optimised away.
var sink atomic.Uint64

// read returns a number that depends on every byte of the body but the up to
// seven last ones.
func read(body string) (sum uint64) {
	for ; len(body) >= 8; body = body[8:] {
		sum += uint64(body[0]) | uint64(body[1])<<8 | uint64(body[2])<<16 | uint64(body[3])<<24 |
			uint64(body[4])<<32 | uint64(body[5])<<40 | uint64(body[6])<<48 | uint64(body[7])<<56
	}
	return sum
}
