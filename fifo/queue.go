// Package fifo makes FIFO queues: exactly-once processing and strict order per
// message group, with the semantics of an Amazon SQS FIFO queue.
//
//	q, err := fifo.New(queue.Config{ContentDeduplication: true})
//	...
//	sent, err := q.Send(ctx, queue.Message{Body: "withdraw 10", GroupID: "account-7"})
//	...
//	got, err := q.Receive(ctx, queue.ReceiveOptions{Max: 10, Wait: 20 * time.Second})
//
// # Order
//
// Every message belongs to a message group. Within a group messages go out in
// the order in which they were sent, and one goes out only when every older one
// of its group is gone or goes out in the same Receive: while the first is in
// flight, or delayed, the others wait. Groups don't wait for each other. One
// Receive takes as many messages as it can from one group before it goes on to
// the next, and a group that was just served goes behind the others.
//
// # Once
//
// A message sent again with the same deduplication ID within five minutes is
// accepted and not enqueued: the answer carries the ID and the sequence number of
// the original, and says Duplicate. The five minutes count from the first send;
// deleting the original does not end them. With Config.ContentDeduplication a
// message without an ID gets the SHA-256 of its body for one.
//
// A receipt works while its visibility timeout runs, however often it was
// extended, and not after: whoever was too slow can't delete a message that
// somebody else holds by now. A receive whose answer was lost can be repeated
// with the same ReceiveOptions.AttemptID.
//
// # Concurrency, durability, errors
//
// They are those of package standard: any number of goroutines, no goroutine
// of its own, New for memory and Open for a [queue.Store]. There is no
// throughput limit unless Config.EnforceThroughput asks for SQS's.
package fifo

import (
	"context"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/engine"
)

// Queue is a FIFO queue. It is a [queue.Queue], and besides a [queue.Purger],
// [queue.Inspector], [queue.DeadLetterer], [queue.Adopter] and
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
	e, err := engine.New(queue.FIFO, new(order), cfg)
	if err != nil {
		return nil, err
	}
	return &Queue{e}, nil
}

// Open makes a queue of the messages that st keeps under cfg.Name, which it
// creates if it is new. Messages that were in flight come back visible. The
// store stays the caller's; close the queue before it.
func Open(ctx context.Context, st queue.Store, cfg queue.Config) (*Queue, error) {
	e, err := engine.Open(ctx, st, queue.FIFO, new(order), cfg)
	if err != nil {
		return nil, err
	}
	return &Queue{e}, nil
}
