package payload

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/restantemq/restante/queue"
)

// Send implements [queue.Queue]. Further errors are a [*BlobError] of [OpPut],
// and a [*queue.LimitError] for attributes that leave no room for a pointer's
// mark, or have its name.
//
// The blob is written first. It is removed again if the queue says that it
// refused the message, or that it is a duplicate; after any other error the
// message may be there, and so the blob stays.
func (q *Queue) Send(ctx context.Context, m queue.Message) (queue.Sent, error) {
	if err := q.calls.begin(); err != nil {
		return queue.Sent{}, err
	}
	defer q.calls.end()
	cfg := q.configuration()
	p, err := q.pack(m, &cfg)
	if err != nil {
		return queue.Sent{}, err
	}
	if err := q.store(ctx, &p); err != nil {
		q.withdraw(ctx, []parcel{p})
		return queue.Sent{}, err
	}
	sent, err := q.inner.Send(ctx, p.message)
	if isUnused(sent, err) {
		q.withdraw(ctx, []parcel{p})
	}
	return sent, err
}

// SendBatch implements [queue.Queue]. A blob that can't be written fails its
// entry; a FIFO queue refuses the whole call then, as with any other bad entry.
// The summed sizes are those of what is sent, pointers instead of bodies.
func (q *Queue) SendBatch(ctx context.Context, ms []queue.Message) ([]queue.Sent, error) {
	if err := q.calls.begin(); err != nil {
		return nil, err
	}
	defer q.calls.end()
	cfg := q.configuration()
	if err := checkEntries(len(ms), &cfg); err != nil { // before blobs are written in vain
		return nil, err
	}
	parcels := make([]parcel, len(ms))
	errs := make([]error, len(ms))
	for i := range ms {
		parcels[i], errs[i] = q.pack(ms[i], &cfg)
	}
	if err := q.whole(errs); err != nil {
		return nil, err
	}
	together(len(parcels), func(i int) {
		if errs[i] == nil {
			errs[i] = q.store(ctx, &parcels[i])
		}
	})
	if err := q.whole(errs); err != nil {
		q.withdraw(ctx, parcels)
		return nil, err
	}
	return q.sendOthers(ctx, parcels, errs)
}

// checkEntries refuses what the inner queue refuses as a whole.
func checkEntries(n int, cfg *queue.Config) error {
	if n == 0 {
		return &queue.LimitError{Parameter: "Entries", Got: 0, Min: 1, Max: queue.MaxBatch, Err: queue.ErrEmptyBatch}
	}
	if cfg.Limits == queue.SQSLimits && n > queue.MaxBatch {
		return &queue.LimitError{Parameter: "Entries", Got: n, Min: 1, Max: queue.MaxBatch, Err: queue.ErrTooManyEntries}
	}
	return nil
}

// whole returns the error of a batch of which one entry is bad, if the queue is
// one that refuses all of it then.
func (q *Queue) whole(errs []error) error {
	bad := slices.IndexFunc(errs, func(err error) bool { return err != nil })
	if q.kind != queue.FIFO || bad < 0 {
		return nil
	}
	return fmt.Errorf("batch entry %d: %w", bad, errs[bad])
}

// sendOthers sends the parcels that have no error yet. It takes back the blobs of
// those that don't become messages.
func (q *Queue) sendOthers(ctx context.Context, parcels []parcel, errs []error) ([]queue.Sent, error) {
	var unused []parcel
	var others []queue.Message
	var places []int
	for i := range parcels {
		if errs[i] != nil {
			unused = append(unused, parcels[i])
			continue
		}
		others = append(others, parcels[i].message)
		places = append(places, i)
	}
	sent := make([]queue.Sent, len(parcels))
	if len(others) == 0 {
		q.withdraw(ctx, unused)
		return sent, batchError(errs)
	}
	answers, err := q.inner.SendBatch(ctx, others)
	for n, entry := range entryErrors(len(others), err) {
		at := places[n]
		errs[at] = entry
		if len(answers) == len(others) {
			sent[at] = answers[n]
		}
		if isUnused(sent[at], entry) {
			unused = append(unused, parcels[at])
		}
	}
	q.withdraw(ctx, unused)
	if _, ok := errors.AsType[*queue.BatchError](err); err != nil && !ok {
		return nil, err
	}
	return sent, batchError(errs)
}

// isUnused reports whether it is certain that the inner queue, which gave this
// answer, has no message that points to the blob made for it.
func isUnused(sent queue.Sent, err error) bool {
	if err == nil {
		return sent.Duplicate
	}
	return !errors.Is(err, queue.ErrUncertain) &&
		slices.ContainsFunc(refusals, func(refusal error) bool { return errors.Is(err, refusal) })
}

// refusals are the errors that say that a message was not accepted. Others may
// come from a connection or a store that broke off in the middle.
var refusals = []error{
	queue.ErrInvalidParameter, queue.ErrMissingParameter, queue.ErrMessageTooLarge, queue.ErrInvalidContents, queue.ErrNotForThisQueue,
	queue.ErrEmptyBatch, queue.ErrTooManyEntries, queue.ErrBatchTooLarge,
	queue.ErrThrottled, queue.ErrStoreFull, queue.ErrUnsupported,
}

// withdraw removes the blobs of parcels that did not become messages. One that
// could not be written may be there all the same.
func (q *Queue) withdraw(ctx context.Context, parcels []parcel) {
	var blobs []Pointer
	for i := range parcels {
		if parcels[i].hasBlob() {
			blobs = append(blobs, parcels[i].at)
		}
	}
	q.remove(ctx, blobs)
}
