// Package queue is the vocabulary of Restante: the words every other package
// speaks and the contracts they keep. It holds no machinery.
//
// # What a queue is
//
// A [Queue] keeps messages until somebody has dealt with them. Receive does
// not remove a message, it hides it: for the length of the visibility timeout
// nobody else is handed it. Whoever received it deletes it when the work is
// done; if they never do, the message becomes visible again and goes to the
// next receiver. These are the semantics of Amazon SQS, and so are the names,
// the defaults and the limits.
//
// Queues are made by the packages standard (at least once, best-effort order)
// and fifo (exactly-once processing, strict order per message group):
//
//	q, err := standard.New(queue.Config{})
//
// # The life of a message
//
//	Send ──► pending ──► delayed ──► visible ──► in flight ──► gone (deleted)
//	         (until      (until      ▲  │            │
//	         durable)    due)        │  └► gone      │ timeout, ChangeVisibility(0)
//	                                 │   (expired)   │
//	                                 └───────────────┘
//
// A visible message that was already received [DeadLetter].MaxReceives times
// and is picked by a Receive once more moves to the dead-letter queue instead.
//
// # What is promised
//
// Once Send returns nil the message is delivered until it is deleted, expires
// (Config.Retention), moves to a dead-letter queue, or is purged. A queue in
// memory keeps that promise for the life of the process; a queue over a
// [Store] keeps it across crashes, as far as the store's own documentation
// says. Between a Receive and its visibility deadline nobody else receives the
// message. After a Delete that deleted it, it is never delivered again.
//
// # Conventions
//
//   - In every struct of this package a zero field means the default, and the
//     zero Config and the zero ReceiveOptions work. Where a field overrides a default and zero is a legal
//     choice, [None] says "really zero". Arguments have no default: a zero
//     argument is a zero.
//   - Durations are rounded up to whole milliseconds. A message never comes
//     back early.
//   - Slices passed in are the caller's again when the call returns; slices
//     returned belong to the caller.
//   - A call that fails has changed nothing, unless its error is
//     [ErrUncertain], or a [*BatchError], which names the entries that failed.
//   - All methods of all queues may be called concurrently.
package queue
