// Package payload keeps message bodies that are too large for a queue in a
// store of blobs, and sends a pointer in their place: the claim check pattern,
// in the form of the Amazon SQS Extended Client Libraries.
//
//	blobs, err := payload.Dir("blobs")
//	...
//	q, err := payload.Wrap(inner, blobs, payload.Options{Bucket: "orders"})
//	...
//	sent, err := q.Send(ctx, queue.Message{Body: tenMegabytes})
//	got, err := q.Receive(ctx, queue.ReceiveOptions{}) // got[0].Body is tenMegabytes
//	err = q.Delete(ctx, got[0].Receipt)                // the message, then its blob
//
// # What it does
//
// Wrap returns a [Queue], which is a [queue.Queue] around another one, standard,
// fifo or remote. Send writes a body above Options.Threshold to the [Blobs], and
// then sends a message whose body is a [Pointer], marked by an attribute of a
// reserved name. Receive reads the blobs of what it gets and puts the bodies
// back. Delete deletes the message and then its blob, which the receipt names.
// Messages below the threshold pass through as they are.
//
// Pointers, the reserved attribute and receipts are those of Amazon's libraries
// for Java and Python, byte for byte: over one bucket they read what this
// package sends, and the other way round, in the form of today and in the
// legacy form. An S3 bucket is plugged in as a Blobs with four methods.
//
// # What is promised
//
// A message in the queue has its blob. The blob is durable before the message
// is sent, and goes only after the message is durably deleted, so that a crash
// at any instant leaves at worst a blob without a message, an orphan. Nor does a
// blob go when the outcome of a call isn't known ([queue.ErrUncertain], and
// every error that doesn't say that a message was refused), or when a receipt's
// message has left the queue by another way, for a dead-letter queue say, where
// its pointer needs the blob.
//
// Orphans also come from messages that expire or are purged. [Collect] finds the
// blobs that no message points to, and removes them; it must be told of every
// queue whose messages may point to a bucket.
//
// # What is not
//
//   - Two receivers of one Standard message, a slow one that deletes it and one
//     that returns it to the queue or sends it to the dead-letter queue in that
//     very instant, between two calls of the first, can part a message from its
//     blob. FIFO queues and Config.FencedReceipts have one holder at a time.
//   - A remote queue that delivers a message again after Delete has returned nil,
//     as SQS's Standard queues rarely do, delivers a pointer to a blob that is
//     gone; see Options.IgnoreMissing.
//   - A pointer belongs to one message. Whoever sends it a second time gets two
//     messages of which the first Delete takes the blob.
//   - Whoever may send to a queue may send a pointer to any blob that its
//     receivers' Blobs can read, and whoever may hand in a receipt may name any
//     blob. Give a Queue a Blobs that reaches no more than its senders and
//     receivers may see.
//
// # A blob that can't be read
//
// A delivery whose blob is missing, damaged, or can't be fetched now is left out
// of what Receive returns, and Options.Report is told. It comes back after its
// visibility timeout, and goes to the dead-letter queue in the end like any
// message that nobody could deal with. In a FIFO queue the younger messages of
// its group are left out with it, so that order holds. Receive returns an error
// only if nothing is left to deliver.
//
// # Abilities
//
// [queue.As] finds the abilities of the inner queue. Of these Peek shows
// messages as they are stored, pointers in place of bodies ([Queue.Fetch]
// fetches one), Purge leaves all blobs to Collect, and a move to or from a
// dead-letter queue moves the pointer, so that its consumers wrap that queue
// too; what they delete there takes the blob with it.
//
// # Time and concurrency
//
// All methods may be called concurrently; blobs of a batch are read and written
// up to ten at a time. The time a Receive takes to read blobs counts against the
// visibility timeout of what it got. A FIFO queue's ContentDeduplication works
// on the body, not on its pointer.
package payload
