package sqstest

import (
	"hash/fnv"
	"sync"
)

// Decisions are made by the seed: each is a hash of what it is about and of how many
// times that was asked. Goroutines that take turns otherwise ask the same questions.
type decisions struct {
	seed uint64

	mu    sync.Mutex
	asked map[question]int
	runs  map[question]int // how many failures there were in a row
}

// A question is what a decision is about.
type question struct {
	queue string
	what  uint64 // a hash of the message, of the batch, or zero
	kind  Kind
	call  string
}

// A draw is an answer: evenly distributed bits.
type draw struct {
	bits uint64
	n    int // how many times this was asked, this time included
}

func newDecisions(seed uint64) *decisions {
	return &decisions{seed: seed, asked: make(map[question]int), runs: make(map[question]int)}
}

// draw answers q once more.
func (d *decisions) draw(q question) draw {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.answer(q)
}

// answer is draw for a caller who holds d.mu.
func (d *decisions) answer(q question) draw {
	d.asked[q]++
	n := d.asked[q]
	bits := mix(d.seed)
	for _, part := range [...]uint64{hashText(q.queue), q.what, hashText(string(q.kind)), hashText(q.call), uint64(n)} {
		bits = mix(bits ^ part)
	}
	return draw{bits, n}
}

// attempt answers q, whether a call fails, once more. It doesn't, whatever fails says, if
// the same has failed so many times in a row.
func (d *decisions) attempt(q question, most int, fails func(draw) bool) (r draw, spared bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r = d.answer(q)
	switch {
	case !fails(r):
		delete(d.runs, q)
	case most >= 0 && d.runs[q] >= most:
		delete(d.runs, q)
		spared = true
	default:
		d.runs[q]++
	}
	return r, spared
}

// share is a number from 0 up to, but not including, 1.
func (r draw) share() float64 { return float64(r.bits>>11) / (1 << 53) }

// about is a draw that depends on r and on one of the messages that r is about.
func (r draw) about(name uint64) draw { return draw{mix(r.bits ^ name), r.n} }

// another is a draw that has nothing to do with r, but depends on it alone.
func (r draw) another() draw { return draw{mix(r.bits), r.n} }

// mix is the finalizer of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom
// Number Generators, 2014): each bit of x changes each bit of the result half the time.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func hashText(texts ...string) uint64 {
	h := fnv.New64a()
	for _, t := range texts {
		h.Write([]byte(t))
		h.Write([]byte{0})
	}
	return h.Sum64()
}
