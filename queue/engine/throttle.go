package engine

import (
	"time"

	"github.com/restantemq/restante/queue"
)

// calls tells apart the actions whose rates SQS limits one by one.
type calls int

const (
	sendCalls calls = iota
	receiveCalls
	deleteCalls
	kindsOfCalls
)

// A rate counts the calls of one action in the current second.
type rate struct {
	second int64
	n      int
}

// throttle refuses a call above the rate of a FIFO queue without high
// throughput, if the configuration asks for that.
func (q *Queue) throttle(c calls, cfg *queue.Config, now int64) error {
	if !cfg.EnforceThroughput || cfg.ThroughputLimit == queue.PerMessageGroupID {
		return nil
	}
	r := &q.rates[c]
	if second := now / int64(time.Second); r.second != second {
		*r = rate{second: second}
	}
	if r.n == queue.MaxFIFOCalls {
		return &queue.LimitError{Parameter: "calls per second", Got: r.n + 1, Max: queue.MaxFIFOCalls, Err: queue.ErrThrottled}
	}
	r.n++
	return nil
}
