package payload

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/restantemq/restante/queue"
)

// Receive implements [queue.Queue], with the bodies in place of pointers. A
// delivery whose blob can't be read is left out and comes back after its
// visibility timeout; Options.Report is told. If that leaves none, their
// [*BlobError]s, joined, are the error. A message that was deleted since is left
// out without a word, so that a wait may end early with nothing. When ctx ends while blobs are read, the
// deliveries that have no body yet are given back at once, though their receive
// counts.
func (q *Queue) Receive(ctx context.Context, o queue.ReceiveOptions) ([]queue.Delivery, error) {
	if err := q.calls.begin(); err != nil {
		return nil, err
	}
	defer q.calls.end()
	ds, err := q.inner.Receive(ctx, o)
	if err != nil {
		return nil, err
	}
	var pointers []int // the deliveries that are marked as pointers
	for i := range ds {
		if _, _, ok := markIn(ds[i].Attributes); ok {
			pointers = append(pointers, i)
		}
	}
	if len(pointers) == 0 {
		return ds, nil
	}
	errs := make([]error, len(ds))
	together(len(pointers), func(n int) {
		i := pointers[n]
		var at Pointer
		if at, errs[i] = q.fetch(ctx, &ds[i].Message); errs[i] == nil {
			ds[i].Receipt = extend(ds[i].Receipt, at)
		}
	})
	return q.sift(ctx, ds, errs)
}

// fetch puts the body in place of m's pointer, if it is marked as one, and
// returns the pointer. Its error is a *BlobError.
func (q *Queue) fetch(ctx context.Context, m *queue.Message) (Pointer, error) {
	_, size, ok := markIn(m.Attributes)
	if !ok {
		return Pointer{}, nil
	}
	at, err := ParsePointer(m.Body)
	if err != nil {
		return Pointer{}, &BlobError{Op: OpGet, Err: err}
	}
	body, err := q.blobs.Get(ctx, at)
	if n, wrong := strconv.Atoi(size); err == nil && wrong == nil && n != len(body) {
		err = fmt.Errorf("%w: it has %d bytes, its message says %d", ErrBlobDamaged, len(body), n)
	}
	if err != nil {
		return Pointer{}, &BlobError{Op: OpGet, Blob: at, Err: err}
	}
	m.Body, m.Attributes = body, unmarked(m.Attributes)
	return at, nil
}

// sift returns the deliveries that have their bodies.
func (q *Queue) sift(ctx context.Context, ds []queue.Delivery, errs []error) ([]queue.Delivery, error) {
	kept := ds[:0]
	var out []queue.Receipt      // of what is left out
	var failed []error           // why, if it is not for the sake of order
	blocked := map[string]bool{} // FIFO groups of which a message is left out
	for i := range ds {
		d := &ds[i]
		ordered := d.Sequence != 0 // only FIFO queues number their messages
		if e, ok := errors.AsType[*BlobError](errs[i]); ok {
			e.ID = d.ID
			missing := errors.Is(e, ErrBlobNotFound)
			if missing && q.isGone(ctx, d) {
				continue // somebody has deleted it since, with an older receipt
			}
			q.report(e)
			if missing && q.options.IgnoreMissing && q.inner.Delete(ctx, d.Receipt) == nil {
				continue
			}
			failed = append(failed, e)
			blocked[d.GroupID] = ordered
		} else if !ordered || !blocked[d.GroupID] {
			kept = append(kept, *d)
			continue
		}
		inner, _, _ := original(d.Receipt)
		out = append(out, inner)
	}
	if ctx.Err() != nil {
		for _, r := range out {
			// Otherwise it comes back after its visibility timeout.
			_ = q.inner.ChangeVisibility(context.WithoutCancel(ctx), r, 0)
		}
	}
	clear(ds[len(kept):])
	if len(kept) == 0 {
		return nil, errors.Join(failed...)
	}
	return kept, nil
}

// isGone reports whether the message of a delivery has left the queue since. To
// ask, it sets the visibility timeout to what it is.
func (q *Queue) isGone(ctx context.Context, d *queue.Delivery) bool {
	left := time.Until(d.VisibleAt)
	return left > 0 && errors.Is(q.inner.ChangeVisibility(ctx, d.Receipt, left), queue.ErrMessageGone)
}
