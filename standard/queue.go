// Package standard makes Standard queues: at least once, in best-effort order,
// with the semantics of an Amazon SQS Standard queue.
//
//	q, err := standard.New(queue.Config{VisibilityTimeout: time.Minute})
//	...
//	sent, err := q.Send(ctx, queue.Message{Body: "hello"})
//	...
//	got, err := q.Receive(ctx, queue.ReceiveOptions{Max: 10, Wait: 20 * time.Second})
//	for _, d := range got {
//		// work on d.Body, then
//		err = q.Delete(ctx, d.Receipt)
//	}
//
// # Delivery
//
// A message is delivered to one receiver at a time. Whoever receives it has the
// visibility timeout to delete it; then it comes back, ahead of younger
// messages, and is delivered again. So a message whose receiver crashed is
// delivered twice or more, and one whose receiver deleted it is never delivered
// again. Messages come out in the order in which they went in, except those
// that come back.
//
// # Fairness between tenants
//
// A message may name its tenant by Message.GroupID, as on SQS's fair queues. A
// tenant that holds more than a tenth of the messages in flight, and at least 30,
// is noisy: its messages go out after those of the others, so that its backlog
// doesn't make them wait. (SQS's second rule, by a tenant's share of recent
// processing time, is not kept: its window is not documented.) There is no order within a tenant beyond the queue's,
// and messages without a group pay nothing for it.
//
// # Concurrency, durability, errors
//
// A queue may be used by any number of goroutines; it starts none of its own
// that stands idle. A queue made by New lives in memory and is gone with the
// process. One made by Open lives in a [queue.Store]: Send returns once the
// message is durable there, and after a restart the messages come back. The
// errors and limits are those of package queue; by default the limits are
// Amazon's.
package standard

import (
	"context"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/engine"
)

// Queue is a Standard queue. It is a [queue.Queue], and besides a
// [queue.Purger], [queue.Inspector], [queue.DeadLetterer], [queue.Adopter] and
// [queue.Configurable]; the methods are those of [engine.Queue]. Make it with
// [New] or [Open].
type Queue struct {
	*engine.Queue
}

var (
	_ queue.Adopter      = (*Queue)(nil)
	_ queue.Purger       = (*Queue)(nil)
	_ queue.Inspector    = (*Queue)(nil)
	_ queue.DeadLetterer = (*Queue)(nil)
	_ queue.Configurable = (*Queue)(nil)
)

// New makes an empty queue in memory. The zero Config gives SQS's defaults. It
// does no I/O; the error is about cfg, and says which field is wrong.
func New(cfg queue.Config) (*Queue, error) {
	e, err := engine.New(queue.Standard, newOrder(), cfg)
	if err != nil {
		return nil, err
	}
	return &Queue{e}, nil
}

// Open makes a queue of the messages that st keeps under cfg.Name, which it
// creates if it is new. Messages that were in flight come back visible. The
// store stays the caller's; close the queue before it.
func Open(ctx context.Context, st queue.Store, cfg queue.Config) (*Queue, error) {
	e, err := engine.Open(ctx, st, queue.Standard, newOrder(), cfg)
	if err != nil {
		return nil, err
	}
	return &Queue{e}, nil
}
