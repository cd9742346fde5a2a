package queue

import (
	"context"
	"iter"
	"time"
)

// A Queue is a message queue with the semantics of Amazon SQS.
//
// Every method may be called concurrently with every other. A context bounds
// waiting, never an accepted change: when a method returns the context's error
// (wrapped), nothing has happened. After Close every method returns
// [ErrClosed].
//
// Batch calls take up to [MaxBatch] entries under [SQSLimits]. Their entries
// succeed or fail one by one: the error is then a [*BatchError] that names the
// failed entries, and all others have taken effect. Any other error means that
// the whole call was refused.
type Queue interface {
	// Send enqueues m and returns once it is as durable as the queue's store
	// promises; a queue without a store waits for nothing.
	//
	// Errors: those of the message ([ErrInvalidParameter], [ErrMissingParameter],
	// [ErrMessageTooLarge], [ErrInvalidContents], [ErrNotForThisQueue]), of the
	// store, and [ErrClosed].
	Send(ctx context.Context, m Message) (Sent, error)

	// SendBatch enqueues ms in order, as one atomic change of the store. The
	// result has an element for every message; it is the zero Sent where a
	// *BatchError says that the message was refused. Errors of the whole call:
	// [ErrEmptyBatch], [ErrTooManyEntries], [ErrBatchTooLarge]. A FIFO queue
	// refuses the whole call where a Standard queue refuses an entry.
	SendBatch(ctx context.Context, ms []Message) ([]Sent, error)

	// Receive returns up to o.Max deliveries and hides them for the visibility
	// timeout. When none is receivable it waits up to o.Wait (a long poll) and
	// returns as soon as there is at least one, also one that becomes receivable
	// in the very instant in which the wait ends; receivers that wait are served
	// in the order of their arrival. An empty slice with a nil error means that
	// the wait ended.
	//
	// Errors: [ErrInFlightLimit] (a short poll on a Standard queue that has
	// [MaxInFlight] messages in flight; long polls wait instead, FIFO queues
	// return nothing), [ErrAttemptInvalid], [ErrInvalidParameter], those of the
	// store, the context's, and [ErrClosed], which waiting calls get too.
	Receive(ctx context.Context, o ReceiveOptions) ([]Delivery, error)

	// Delete removes the message that r was issued for; deleting it again is
	// not an error. On a Standard queue any receipt of the message works for
	// 12 hours after its receive, whether its visibility timeout has passed or
	// not; a FIFO queue, and one with Config.FencedReceipts, refuses all but the
	// latest unexpired one.
	//
	// Errors: [ErrMissingParameter] (the zero Receipt), [ErrReceiptInvalid],
	// [ErrReceiptExpired], those of the store, and [ErrClosed].
	Delete(ctx context.Context, r Receipt) error

	// DeleteBatch deletes each message as Delete does.
	DeleteBatch(ctx context.Context, rs []Receipt) error

	// ChangeVisibility hides the message for d from now, replacing what was
	// left of its visibility timeout; zero returns it to the queue at once. It
	// concerns this receive only. Under [SQSLimits] a message is hidden for at
	// most 12 hours counted from its receive.
	//
	// Errors: those of Delete, [ErrMessageGone], and a [*LimitError] for d.
	ChangeVisibility(ctx context.Context, r Receipt, d time.Duration) error

	// ChangeVisibilityBatch changes each message as ChangeVisibility does.
	ChangeVisibilityBatch(ctx context.Context, cs []VisibilityChange) error

	// Close ends the queue: new calls and waiting receivers get ErrClosed,
	// running calls finish, and what the queue started has ended when Close
	// returns. It does not close the store. Closing again returns nil.
	Close() error
}

// VisibilityChange is one entry of [Queue].ChangeVisibilityBatch.
type VisibilityChange struct {
	Receipt Receipt
	Timeout time.Duration // from now; zero returns the message at once
}

// Further abilities a queue may have. Find them with [As], which looks through
// wrappers; all queues of the packages standard and fifo have all of them.

// A Purger can drop all its messages.
type Purger interface {
	// Purge removes every message, whatever its state, and forgets FIFO
	// deduplication. Receipts issued before remain valid texts whose messages
	// are gone.
	Purge(ctx context.Context) error
}

// An Inspector can be looked into without receiving.
type Inspector interface {
	// Stats returns the queue's counters at one instant. They are exact for
	// queues of this module.
	Stats(ctx context.Context) (Stats, error)

	// Peek yields every message in every state in sequence order, without
	// touching it. Messages that change state while the iteration runs are
	// seen as they were when it reached them. An error ends the iteration.
	Peek(ctx context.Context) iter.Seq2[Peeked, error]
}

// A DeadLetterer can set one message aside at its receiver's word.
type DeadLetterer interface {
	// DeadLetter moves the message that r was issued for to the dead-letter
	// queue at once, with a reason that its deliveries there carry. The receipt
	// must be one that may change the message's visibility.
	//
	// Errors: those of ChangeVisibility, [ErrNoDeadLetter] when the queue has
	// no dead-letter target, and the target's.
	DeadLetter(ctx context.Context, r Receipt, reason string) error
}

// An Adopter is a queue that can take over messages of another one: a
// dead-letter target, or the end of a message move.
type Adopter interface {
	Queue

	// Kind tells Standard from FIFO; messages move between queues of one kind.
	Kind() Kind

	// Store returns the store the queue lives in, nil for a queue in memory.
	Store() Store

	// Adopt takes ms over, in order, and returns once that is durable. IDs,
	// receive counts and first receive times stay; a Standard queue keeps the
	// time of sending, a FIFO queue renews it and makes the message's ID its
	// deduplication ID. The queue's own Delay is not applied. The receiver's
	// own fields of a Record (Seq, DueAt) are ignored.
	//
	// A record without an ID is taken over as a new message: it gets an ID, is sent
	// now, waits for the queue's Delay, and keeps its deduplication ID, which is
	// neither looked for nor remembered.
	//
	// leaving, if not nil, is the loss of the source. It is written in one
	// atomic batch with the gain, so the source must live in the same store.
	// On error nothing was adopted, unless the error is ErrUncertain.
	Adopt(ctx context.Context, ms []Record, leaving *Change) error
}

// A Configurable queue shows its configuration and takes another while it runs.
type Configurable interface {
	// Config returns the configuration with defaults filled in, in the form that
	// Reconfigure takes.
	Config() Config

	// Reconfigure replaces the configuration, retroactively where SQS is: see
	// the implementation. On error nothing has changed.
	Reconfigure(ctx context.Context, cfg Config) error
}

// As finds the ability T in q: in q itself, or in what q wraps, outermost
// first. A wrapper tells what it wraps by a method Unwrap() Queue.
func As[T any](q Queue) (T, bool) {
	for q != nil {
		if t, ok := q.(T); ok {
			return t, true
		}
		w, ok := q.(interface{ Unwrap() Queue })
		if !ok {
			break
		}
		q = w.Unwrap()
	}
	var none T
	return none, false
}

// Kind tells the two types of queue apart.
type Kind uint8

const (
	// Standard queues deliver at least once, in best-effort order.
	Standard Kind = iota + 1
	// FIFO queues deliver in order per message group, without duplicates.
	FIFO
)

// String returns "Standard" or "FIFO".
func (k Kind) String() string {
	switch k {
	case Standard:
		return "Standard"
	case FIFO:
		return "FIFO"
	}
	return "Kind(invalid)"
}
