package payload

import (
	"context"
	"fmt"
	"time"

	"github.com/restantemq/restante/queue"
)

// Delete implements [queue.Queue]: it deletes the message and then its blob. A
// blob that can't be removed then is an orphan; Options.Report is told, and
// Delete returns nil.
//
// The blob stays if r's message had left the queue before: it may be in a
// dead-letter queue by now, where it needs the blob. To know, Delete first calls
// ChangeVisibility with ten seconds, which is what is left of the visibility timeout
// if the message then can't be deleted.
func (q *Queue) Delete(ctx context.Context, r queue.Receipt) error {
	if err := q.calls.begin(); err != nil {
		return err
	}
	defer q.calls.end()
	inner, at, ok := original(r)
	remove := ok && !q.options.KeepBlobs && q.inner.ChangeVisibility(ctx, inner, hold) == nil
	if err := q.inner.Delete(ctx, inner); err != nil {
		return err
	}
	// Not before, as Amazon's library for Java does: a crash here, or a Delete that
	// fails, would leave a message that is delivered again and has no body.
	if remove {
		q.remove(ctx, []Pointer{at})
	}
	return nil
}

// hold is how long a message that is about to be deleted is kept from leaving the
// queue by another way.
const hold = 10 * time.Second

// DeleteBatch implements [queue.Queue]. It deletes each message and its blob as
// Delete does.
func (q *Queue) DeleteBatch(ctx context.Context, rs []queue.Receipt) error {
	if err := q.calls.begin(); err != nil {
		return err
	}
	defer q.calls.end()
	inner := make([]queue.Receipt, len(rs))
	var holds []queue.VisibilityChange
	var blobs []Pointer
	var places []int
	for i, r := range rs {
		at, ok := Pointer{}, false
		if inner[i], at, ok = original(r); ok && !q.options.KeepBlobs {
			holds = append(holds, queue.VisibilityChange{Receipt: inner[i], Timeout: hold})
			blobs = append(blobs, at)
			places = append(places, i)
		}
	}
	if len(holds) == 0 {
		return q.inner.DeleteBatch(ctx, inner)
	}
	held := entryErrors(len(holds), q.inner.ChangeVisibilityBatch(ctx, holds))
	err := q.inner.DeleteBatch(ctx, inner)
	errs := entryErrors(len(rs), err)
	var unused []Pointer
	for n, at := range blobs {
		if held[n] == nil && errs[places[n]] == nil {
			unused = append(unused, at)
		}
	}
	q.remove(ctx, unused)
	return err
}

// ChangeVisibility implements [queue.Queue].
func (q *Queue) ChangeVisibility(ctx context.Context, r queue.Receipt, d time.Duration) error {
	if err := q.calls.begin(); err != nil {
		return err
	}
	defer q.calls.end()
	inner, _, _ := original(r)
	return q.inner.ChangeVisibility(ctx, inner, d)
}

// ChangeVisibilityBatch implements [queue.Queue].
func (q *Queue) ChangeVisibilityBatch(ctx context.Context, cs []queue.VisibilityChange) error {
	if err := q.calls.begin(); err != nil {
		return err
	}
	defer q.calls.end()
	changes := make([]queue.VisibilityChange, len(cs))
	for i, c := range cs {
		inner, _, _ := original(c.Receipt)
		changes[i] = queue.VisibilityChange{Receipt: inner, Timeout: c.Timeout}
	}
	return q.inner.ChangeVisibilityBatch(ctx, changes)
}

// DeadLetter implements [queue.DeadLetterer]. The pointer moves, the blob stays
// where it is. If the inner queue is no DeadLetterer the error is
// [queue.ErrUnsupported].
func (q *Queue) DeadLetter(ctx context.Context, r queue.Receipt, reason string) error {
	if err := q.calls.begin(); err != nil {
		return err
	}
	defer q.calls.end()
	able, ok := queue.As[queue.DeadLetterer](q.inner)
	if !ok {
		return fmt.Errorf("payload: dead-letter: the inner queue can't: %w", queue.ErrUnsupported)
	}
	inner, _, _ := original(r)
	return able.DeadLetter(ctx, inner, reason)
}
