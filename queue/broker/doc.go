// Package broker is the account of one Amazon SQS customer in miniature: queues
// by name, their attributes and tags, and what happens between queues.
//
//	b, err := broker.Open(ctx, "queues", broker.Options{})
//	defer b.Close()
//	q, err := b.CreateQueue(ctx, "orders", map[string]string{"VisibilityTimeout": "60"})
//
// # In memory or in files
//
// A broker made by [New] lives in memory. [Open] keeps one in a directory: all
// queues in one log, and in the same log the catalogue that says which queues
// there are and how they are set. Both change together: after a crash at any
// instant a queue is there with its attributes or is not there, and a message is
// in one queue. [OpenStore] does the same over any [queue.Store].
//
// # Where a queue is
//
// A queue is found by account, region and name. [Options.Scope] says in which
// account and region a broker stands; [Broker.In] is the same broker seen from
// another one. Names, ARNs and URLs have the forms of SQS.
//
// # Two ways to describe a queue
//
// [Broker.CreateQueue] takes SQS's attributes, texts by name, with SQS's rules
// about which exist, which values they take, and what creating a name again
// means. [Broker.Create] takes a [queue.Config]. A name that ends in ".fifo"
// makes a FIFO queue, any other one a Standard queue. [Queue.SetAttributes] and
// [Queue.Reconfigure] change a queue while it runs, each in its form; what one
// of them sets the other one tells.
//
// Attributes about access and encryption (Policy, SqsManagedSseEnabled,
// KmsMasterKeyId, KmsDataKeyReusePeriodSeconds), and the permissions that are
// part of the policy, are validated, kept and returned. They have no effect:
// whoever has the broker may do everything.
//
// # Between queues
//
// A queue with a RedrivePolicy sends what is received too often to its
// dead-letter queue: in one atomic record, since both are in one store. A
// message move task ([Broker.StartMoveTask]) brings dead letters back.
//
// # Lifetime
//
// All methods may be called concurrently. Changes of queues (to create, delete,
// set, tag) come one after another and return when they are durable; they hold
// up no message. A [queue.Trace], and a dead-letter queue of your own, may be called
// while one is made, and must not make another. Between calls nothing runs but the
// queues' timers and move tasks. [Broker.Close] ends everything.
package broker
