package payload

import (
	"context"
	"errors"
	"fmt"

	"github.com/restantemq/restante/queue"
)

// A Queue is a [queue.Queue] whose large bodies are kept in blobs; see the
// package comment. Make it with [Wrap].
type Queue struct {
	inner   queue.Queue
	blobs   Blobs
	options Options
	kind    queue.Kind         // zero if it isn't known
	config  queue.Configurable // nil if the inner queue is none
	calls   calls
}

var (
	_ queue.Queue        = (*Queue)(nil)
	_ queue.DeadLetterer = (*Queue)(nil)
)

// Wrap returns a queue around q that keeps large bodies in b. It does no I/O; the
// error is about o, and says which field is wrong. Queues around one q, in any
// number of processes if q is remote, may have different options: each receives
// what the others sent.
//
// Of a q that doesn't show its Config ([queue.Configurable]), as a remote queue
// may not, it is assumed that SQS's limits hold. Its content deduplication sees
// pointers, each of which is new: give deduplication IDs. It must deliver
// messages with the attributes that mark them ([SizeAttribute]).
func Wrap(q queue.Queue, b Blobs, o Options) (*Queue, error) {
	if err := o.resolve(); err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	w := &Queue{inner: q, blobs: b, options: o}
	if known, ok := queue.As[interface{ Kind() queue.Kind }](q); ok {
		w.kind = known.Kind()
	}
	w.config, _ = queue.As[queue.Configurable](q)
	w.calls.init()
	return w, nil
}

// Unwrap returns the queue inside, for [queue.As] and for whoever wants to see
// pointers.
func (q *Queue) Unwrap() queue.Queue { return q.inner }

// Close closes the inner queue and waits for the calls that are running. It does
// not close the [Blobs], which have nothing to close.
func (q *Queue) Close() error {
	q.calls.refuse()
	err := q.inner.Close()
	q.calls.wait()
	return err
}

// configuration returns what is known of the inner queue's configuration; it may
// change from call to call.
func (q *Queue) configuration() queue.Config {
	if q.config == nil {
		return queue.Config{MaxMessageSize: queue.MaxMessage}
	}
	return q.config.Config()
}

// Fetch returns m, as Peek or the inner queue's Receive shows it, with its body
// in place of a pointer. A message that is not marked as a pointer is returned
// as it is. Errors: a [*BlobError].
func (q *Queue) Fetch(ctx context.Context, m queue.Message) (queue.Message, error) {
	if err := q.calls.begin(); err != nil {
		return queue.Message{}, err
	}
	defer q.calls.end()
	if _, err := q.fetch(ctx, &m); err != nil {
		return queue.Message{}, err
	}
	return m, nil
}

// remove removes blobs that no message points to any more, or will. What it
// can't remove is an orphan, and the call is a success all the same: what it was
// about has happened.
func (q *Queue) remove(ctx context.Context, blobs []Pointer) {
	errs := make([]error, len(blobs))
	together(len(blobs), func(i int) { errs[i] = q.blobs.Delete(ctx, blobs[i]) })
	for i, err := range errs {
		if err != nil {
			q.report(&BlobError{Op: OpDelete, Blob: blobs[i], Err: err})
		}
	}
}

func (q *Queue) report(e *BlobError) {
	if q.options.Report != nil {
		q.options.Report(e)
	}
}

// entryErrors returns the error of each of n entries of a batch call that
// returned err.
func entryErrors(n int, err error) []error {
	errs := make([]error, n)
	if b, ok := errors.AsType[*queue.BatchError](err); ok {
		for _, e := range b.Entries {
			errs[e.Index] = e.Err
		}
		return errs
	}
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// batchError returns the error of a batch call whose entries failed with errs.
func batchError(errs []error) error {
	var b queue.BatchError
	for i, err := range errs {
		if err != nil {
			b.Entries = append(b.Entries, queue.EntryError{Index: i, Err: err})
		}
	}
	if b.Entries == nil {
		return nil
	}
	return &b
}
