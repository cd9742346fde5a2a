package worker

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/restantemq/restante/queue"
)

// Messages receives from q again and again, for a range statement; of a delivery and an
// error one is nil. Nothing is deleted or extended: that is the loop's, while o's visibility
// timeout lasts. A loop that is left with break, return or a panic keeps the delivery that
// it had; others that were received with it go back at once, and count as received.
//
// The loop ends without an error when ctx ends. Any other error of Receive is yielded. One
// that can't pass is the last: [queue.ErrClosed], [queue.ErrQueueDeleted],
// [queue.ErrStoreFailed], and a refused option. After others (throttled, for example) the
// loop goes on, after a pause that grows from a tenth of a second to 30 seconds while
// nothing but errors comes.
//
// o is as for Receive, with these differences. A zero Wait means queue.MaxWait, 20 seconds,
// and with queue.None an empty queue is looked at once a second. Max above its default
// of 1 is quicker where little is done for each message; the timeouts of all
// messages of a receive run from the receive, and those whose timeout has passed before it is
// their turn are not yielded, because somebody else may have them. An AttemptID is refused: it
// would bring the same messages again and again. With Into a delivery is the loop's until
// the next one is received, else for good.
//
// The loop runs in its caller's goroutine, and may be started several times, also at the
// same time unless Into is given.
func Messages(ctx context.Context, q queue.Queue, o queue.ReceiveOptions) iter.Seq2[*queue.Delivery, error] {
	short := o.Wait == queue.None
	if o.Wait == 0 {
		o.Wait = queue.MaxWait
	}
	return func(yield func(*queue.Delivery, error) bool) {
		if o.AttemptID != "" {
			yield(nil, &queue.LimitError{
				Parameter: "AttemptID", Text: o.AttemptID, Reason: "each receive of a loop is an attempt of its own", Err: queue.ErrInvalidParameter,
			})
			return
		}
		for failures := 0; ctx.Err() == nil; {
			ds, err := q.Receive(ctx, o)
			switch {
			case len(ds) > 0:
				failures = 0
				if !yieldAll(ctx, q, ds, yield) {
					return
				}
			case ctx.Err() != nil:
				return
			case err != nil:
				if !yield(nil, err) || isFinal(err) {
					return
				}
				failures++
				pause(ctx, Backoff{Min: 100 * time.Millisecond, Max: 30 * time.Second}.Delay(queue.MessageID{}, failures))
			default:
				failures = 0
				if short {
					pause(ctx, time.Second)
				}
			}
		}
	}
}

// yieldAll yields ds until ctx ends or yield has enough, and gives the others back; it
// returns false if yield had enough.
func yieldAll(ctx context.Context, q queue.Queue, ds []queue.Delivery, yield func(*queue.Delivery, error) bool) bool {
	received := time.Now()
	next := 0
	defer func() { giveBack(ctx, q, ds[next:]) }()
	for next < len(ds) && ctx.Err() == nil {
		d := &ds[next]
		next++
		if received.Before(d.VisibleAt) && !time.Now().Before(d.VisibleAt) {
			continue // it was hidden, and is no longer
		}
		if !yield(d, nil) {
			return false
		}
	}
	return true
}

// giveBack makes ds visible at once, also after ctx has ended. It does not insist: they
// come back by themselves when their timeouts pass.
func giveBack(ctx context.Context, q queue.Queue, ds []queue.Delivery) {
	if len(ds) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	for part := range slices.Chunk(ds, queue.MaxBatch) {
		cs := make([]queue.VisibilityChange, len(part))
		for i := range part {
			cs[i].Receipt = part[i].Receipt
		}
		_ = q.ChangeVisibilityBatch(ctx, cs)
	}
}
