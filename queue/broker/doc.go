// Package broker keeps queues by name: it creates them, finds them again and
// closes them, as the account of one Amazon SQS customer in one region does.
//
//	b := broker.New(broker.Options{})
//	defer b.Close()
//	q, err := b.CreateQueue(ctx, "orders", map[string]string{"VisibilityTimeout": "60"})
//
// # Two ways to describe a queue
//
// [Broker.CreateQueue] takes SQS's attributes, texts by name, with SQS's rules
// about which exist, which values they take, and what creating a name again
// means. [Broker.Create] takes a [queue.Config]. A name that ends in ".fifo"
// makes a FIFO queue, any other one a Standard queue.
//
// # What a queue is
//
// A [*Queue] is a [queue.Queue] that knows its name, its ARN and its URLs.
// Further abilities of it are found by [queue.As].
//
// # What is not there yet
//
// A broker lives in memory. It does not delete, list or tag queues, change
// their attributes, or wire dead-letter queues by ARN; attributes that need
// any of this are refused with [queue.ErrUnsupported].
//
// All methods may be called concurrently. Nothing runs in the background.
package broker
