package queue

import (
	"errors"
	"fmt"
	"strings"
)

// Errors of a message or a parameter. What failed, and by how much, is in the
// [*LimitError] that wraps them where a limit was broken.
var (
	// ErrInvalidParameter: a value is outside its limits or malformed.
	ErrInvalidParameter = errors.New("invalid parameter")
	// ErrMissingParameter: something required was not given: a body, a receipt,
	// a message group.
	ErrMissingParameter = errors.New("missing parameter")
	// ErrMessageTooLarge: a message's Size is above Config.MaxMessageSize.
	ErrMessageTooLarge = errors.New("message too large")
	// ErrInvalidContents: a body has characters that SQS refuses.
	ErrInvalidContents = errors.New("invalid message contents")
	// ErrNotForThisQueue: a parameter that the other kind of queue takes.
	ErrNotForThisQueue = errors.New("parameter is not valid for this kind of queue")
)

// Errors of a whole batch call. Errors of its entries are in a [*BatchError].
var (
	ErrEmptyBatch     = errors.New("empty batch")
	ErrTooManyEntries = errors.New("too many entries in batch")
	ErrBatchTooLarge  = errors.New("batch too large") // summed sizes above MaxBatchBytes
)

// Errors of a receipt: Delete, ChangeVisibility and DeadLetter return them.
var (
	// ErrReceiptInvalid: no receipt of this queue.
	ErrReceiptInvalid = errors.New("receipt is not valid")
	// ErrReceiptExpired: the receipt's right to the message has ended: its
	// visibility timeout has passed (FIFO, or FencedReceipts), or it is older
	// than ReceiptLifetime.
	ErrReceiptExpired = errors.New("receipt has expired")
	// ErrMessageGone: the message was deleted, has expired, moved away or was
	// purged, so that its visibility can't change. Delete does not return it.
	ErrMessageGone = errors.New("message does not exist any more")
	// ErrNoDeadLetter: DeadLetter was called on a queue without a target.
	ErrNoDeadLetter = errors.New("queue has no dead-letter target")
)

// Errors of Receive.
var (
	// ErrInFlightLimit: MaxInFlight messages are in flight. Delete some, or
	// wait for their visibility timeouts.
	ErrInFlightLimit = errors.New("too many messages in flight")
	// ErrAttemptInvalid: a message of that receive attempt was deleted or
	// changed since, so that it can't be repeated; use a new attempt ID.
	ErrAttemptInvalid = errors.New("receive attempt can't be repeated any more")
)

// Errors of a queue's life, which every method may return.
var (
	// ErrClosed: Close was called, before the call or while it waited.
	ErrClosed = errors.New("queue is closed")
	// ErrQueueDeleted: the queue was deleted where it lives, by a layer above
	// that names queues or by a remote service.
	ErrQueueDeleted = errors.New("queue was deleted")
	// ErrThrottled: the queue's rate limit is exceeded (Config.EnforceThroughput);
	// try again later. Send, Receive and Delete and their batches return it.
	ErrThrottled = errors.New("request throttled")
	// ErrUnsupported: this version does not do that yet.
	ErrUnsupported = errors.New("not supported yet")
)

// Errors of a [Store], passed on by the queues over it.
var (
	// ErrStoreFull: no room for new messages. Receiving and deleting still work.
	ErrStoreFull = errors.New("store is full")
	// ErrStoreFailed: writing failed, so nothing is accepted and nothing handed
	// out until the store is opened again. Stats and Peek work.
	ErrStoreFailed = errors.New("store has failed; open it again")
	// ErrStoreCorrupt: stored data is damaged.
	ErrStoreCorrupt = errors.New("store is corrupt")
	// ErrStoreLocked: another process has the store open, or the queue is
	// attached already.
	ErrStoreLocked = errors.New("store is in use")
	// ErrUncertain: the change was handed to the store, and then the store
	// failed. It may or may not have survived; opening the store again tells.
	ErrUncertain = errors.New("outcome is uncertain")
)

// A LimitError says which limit was broken, and by what.
type LimitError struct {
	Parameter string // as the API names it: "VisibilityTimeout", "MessageBody", ...

	// The value given and the range allowed, both ends included: all
	// time.Duration or all int. What is nil is not bounded, or can't be told by a
	// number; then Reason says more.
	Got, Min, Max any

	Text   string // the value given, if it is text: an ID, a name
	Reason string // what is wrong, when a range can't say it
	Err    error  // the sentinel: ErrInvalidParameter, ErrMessageTooLarge, ...
}

// Error names the parameter, what is wrong with it, and what is allowed.
func (e *LimitError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v: %s", e.Err, e.Parameter)
	switch {
	case e.Got != nil:
		fmt.Fprintf(&b, " is %v", e.Got)
	case len(e.Text) > 100:
		fmt.Fprintf(&b, " is %q...", e.Text[:100])
	case e.Text != "":
		fmt.Fprintf(&b, " is %q", e.Text)
	}
	switch {
	case e.Min != nil && e.Max != nil:
		fmt.Fprintf(&b, ", allowed is %v to %v", e.Min, e.Max)
	case e.Max != nil:
		fmt.Fprintf(&b, ", allowed is up to %v", e.Max)
	case e.Min != nil:
		fmt.Fprintf(&b, ", allowed is %v or more", e.Min)
	}
	if e.Reason != "" {
		b.WriteString(": " + e.Reason)
	}
	return b.String()
}

// Unwrap returns the sentinel.
func (e *LimitError) Unwrap() error { return e.Err }

// A BatchError tells which entries of a batch call failed; all others took
// effect. errors.Is and errors.As see the errors of all entries.
type BatchError struct {
	Entries []EntryError // in the order of the batch
}

// EntryError is the failure of one entry of a batch.
type EntryError struct {
	Index int // in the slice that was passed
	Err   error
}

// Error tells how many entries failed, and the first of them.
func (e *BatchError) Error() string {
	if len(e.Entries) == 0 {
		return "no entry of the batch failed"
	}
	first := e.Entries[0]
	if len(e.Entries) == 1 {
		return fmt.Sprintf("batch entry %d: %v", first.Index, first.Err)
	}
	return fmt.Sprintf("%d batch entries failed; entry %d: %v", len(e.Entries), first.Index, first.Err)
}

// Unwrap returns the errors of the entries.
func (e *BatchError) Unwrap() []error {
	errs := make([]error, len(e.Entries))
	for i := range e.Entries {
		errs[i] = e.Entries[i].Err
	}
	return errs
}
