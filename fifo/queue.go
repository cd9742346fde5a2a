// Package fifo makes FIFO queues: exactly-once processing and strict order per
// message group, with the semantics of an Amazon SQS FIFO queue.
package fifo

import (
	"context"
	"fmt"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/engine"
)

// Queue is a FIFO queue. It is a [queue.Queue], and besides a [queue.Purger],
// [queue.Inspector], [queue.DeadLetterer] and [queue.Adopter], and can be
// reconfigured while it runs; the methods are those of [engine.Queue]. Make it
// with [New] or [Open].
type Queue struct {
	*engine.Queue
}

var _ queue.Adopter = (*Queue)(nil)

// New makes an empty queue in memory. The zero Config gives SQS's defaults. It
// does no I/O; the error is about cfg, and says which field is wrong.
func New(cfg queue.Config) (*Queue, error) {
	e, err := engine.New(queue.FIFO, newOrder(), cfg)
	if err != nil {
		return nil, err
	}
	return &Queue{e}, nil
}

// Open makes a queue of the messages that st keeps under cfg.Name, which it
// creates if it is new. Messages that were in flight come back visible. The
// store stays the caller's; close the queue before it.
func Open(ctx context.Context, st queue.Store, cfg queue.Config) (*Queue, error) {
	e, err := engine.Open(ctx, st, queue.FIFO, newOrder(), cfg)
	if err != nil {
		return nil, err
	}
	return &Queue{e}, nil
}

var _ = fmt.Sprint
