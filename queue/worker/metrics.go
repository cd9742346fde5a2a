package worker

import (
	"encoding/json"
	"math/bits"
	"sync/atomic"
	"time"
)

// Metrics count what workers do. The zero value is ready to be put into
// Options.Metrics, of one Run or several. It is an expvar.Var:
//
//	var m worker.Metrics
//	expvar.Publish("thumbnails", &m)
type Metrics struct {
	received, done, retried, deadLettered, leaseLost, returned, panicked, failedCalls atomic.Uint64

	running   atomic.Int64
	oldest    atomic.Int64 // a time.Duration
	inQueue   histogram
	inHandler histogram
}

// A Snapshot is what Metrics have counted.
type Snapshot struct {
	Received     uint64 // deliveries
	Done         uint64 // handled and deleted
	Retried      uint64 // failed, to come back
	DeadLettered uint64 // sent to the dead-letter queue by their handlers
	LeaseLost    uint64
	Returned     uint64 // gone back without having been handled
	Panicked     uint64 // handlers that panicked; they count as Retried too
	FailedCalls  uint64 // of the queue

	Running int // handlers now

	// Oldest is how old the oldest message of the latest receive was: how far the workers
	// are behind. It is zero after a receive that brought none.
	Oldest time.Duration

	InQueue   Histogram // from sending until the handler was called
	InHandler Histogram // how long handlers took
}

// A Histogram counts durations by powers of two.
type Histogram struct {
	Count uint64
	Sum   time.Duration
	// Buckets are the numbers of durations below 1 µs, 2 µs, 4 µs and so on, each
	// without those before; trailing zeros are left out.
	Buckets []uint64
}

// Quantile returns a duration that the share p of all durations does not exceed: the
// upper end of a bucket, so up to twice the true one. It is zero if there are none.
func (h *Histogram) Quantile(p float64) time.Duration {
	p = min(p, 1)
	var seen uint64
	for i, n := range h.Buckets {
		if seen += n; n > 0 && float64(seen) >= p*float64(h.Count) {
			return time.Microsecond << i
		}
	}
	return 0
}

// Snapshot returns the counts; they may be of slightly different instants.
func (m *Metrics) Snapshot() Snapshot {
	s := Snapshot{
		Received: m.received.Load(), Done: m.done.Load(), Retried: m.retried.Load(), DeadLettered: m.deadLettered.Load(),
		LeaseLost: m.leaseLost.Load(), Returned: m.returned.Load(), Panicked: m.panicked.Load(), FailedCalls: m.failedCalls.Load(),
		Running: int(m.running.Load()), Oldest: time.Duration(m.oldest.Load()), InQueue: m.inQueue.snapshot(), InHandler: m.inHandler.snapshot(),
	}
	return s
}

// String returns a Snapshot as JSON, durations in nanoseconds.
func (m *Metrics) String() string {
	text, err := json.Marshal(m.Snapshot())
	if err != nil {
		panic("worker: internal error: " + err.Error()) // numbers always encode
	}
	return string(text)
}

func (m *Metrics) count(o Outcome) {
	switch o {
	case Done:
		m.done.Add(1)
	case Retried:
		m.retried.Add(1)
	case DeadLettered:
		m.deadLettered.Add(1)
	case LeaseLost:
		m.leaseLost.Add(1)
	case Returned:
		m.returned.Add(1)
	}
}

// histogram has a bucket for each power of two of microseconds, up to 2^43, a
// hundred days.
type histogram struct {
	count, sum atomic.Uint64
	buckets    [44]atomic.Uint64
}

func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	h.count.Add(1)
	h.sum.Add(uint64(d))
	h.buckets[min(bits.Len64(uint64(d/time.Microsecond)), len(h.buckets)-1)].Add(1)
}

func (h *histogram) snapshot() Histogram {
	s := Histogram{Count: h.count.Load(), Sum: time.Duration(h.sum.Load())}
	for i := range h.buckets {
		if n := h.buckets[i].Load(); n > 0 {
			s.Buckets = append(s.Buckets, make([]uint64, i-len(s.Buckets))...)
			s.Buckets = append(s.Buckets, n)
		}
	}
	return s
}
