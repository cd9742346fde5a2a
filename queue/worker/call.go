package worker

import (
	"context"
	"errors"
	"time"

	"github.com/restantemq/restante/queue"
)

// An item is a message that a call of the queue is about.
type item struct {
	d     *queue.Delivery
	until time.Time // when it is visible again, if nothing is done
}

// giveBack makes messages visible after a time. If that fails, they come back when their
// visibility timeouts pass.
func (p *pool) giveBack(items []item, after time.Duration) {
	call := "ChangeVisibilityBatch"
	if len(items) == 1 {
		call = "ChangeVisibility"
	}
	p.settle(call, items, func(ctx context.Context, items []item) error {
		if len(items) == 1 {
			return certain(p.queue.ChangeVisibility(ctx, items[0].d.Receipt, after))
		}
		changes := make([]queue.VisibilityChange, len(items))
		for n := range items {
			changes[n] = queue.VisibilityChange{Receipt: items[n].d.Receipt, Timeout: after}
		}
		return certain(p.queue.ChangeVisibilityBatch(ctx, changes))
	})
}

// certain takes an outcome that is not certain for success: if a message was given back,
// somebody else may hold it by now, and to do it again would take it away.
func certain(err error) error {
	if errors.Is(err, queue.ErrUncertain) {
		return nil
	}
	return err
}

// within shortens a back-off to what SQS allows, twelve hours from the receive, unless
// the queue has no such limits.
func (p *pool) within(l *lease, after time.Duration) time.Duration {
	if p.unlimited {
		return after
	}
	return max(min(after, time.Until(l.received.Add(queue.MaxVisibility)).Truncate(time.Millisecond)), 0)
}

func deleteCall(n int) string {
	if n == 1 {
		return "Delete"
	}
	return "DeleteBatch"
}

func (p *pool) deleteItems(ctx context.Context, items []item) error {
	if len(items) == 1 {
		return p.queue.Delete(ctx, items[0].d.Receipt)
	}
	rs := make([]queue.Receipt, len(items))
	for n := range items {
		rs[n] = items[n].d.Receipt
	}
	return p.queue.DeleteBatch(ctx, rs)
}

// settle makes a call about messages, and repeats it as retry does.
func (p *pool) settle(call string, items []item, f func(ctx context.Context, items []item) error) []error {
	return p.retry(call, items, p.attempt(items, f), f)
}

// attempt makes a call about messages, which ends when none of them is hidden any more,
// or at least within a second.
func (p *pool) attempt(items []item, f func(ctx context.Context, items []item) error) error {
	end := time.Now().Add(time.Second)
	for n := range items {
		if items[n].until.After(end) {
			end = items[n].until
		}
	}
	ctx, cancel := context.WithDeadline(p.settling, end)
	defer cancel()
	return f(ctx, items)
}

// retry repeats a call that has failed with err, after a growing pause, for those
// messages for which it failed in a way that may pass, as long as they are hidden. It
// returns the errors that remain, nil if there are none.
func (p *pool) retry(call string, items []item, err error, f func(ctx context.Context, items []item) error) []error {
	if err == nil {
		return nil
	}
	errs := entryErrors(err, len(items))
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		p.failedCall(call, err)
		var again []item
		var places []int
		soon := time.Now().Add(wait)
		for n, e := range errs {
			if e != nil && !isLost(e) && !isHopeless(e) && soon.Before(items[n].until) {
				again, places = append(again, items[n]), append(places, n)
			}
		}
		if len(again) == 0 || p.settling.Err() != nil {
			return errs
		}
		if pause(p.settling, wait); p.settling.Err() != nil {
			return errs
		}
		err = p.attempt(again, f)
		for n, e := range entryErrors(err, len(again)) {
			errs[places[n]] = e
		}
		if err == nil {
			for _, e := range errs {
				if e != nil {
					return errs
				}
			}
			return nil
		}
	}
}

// entryErrors returns the error of each of n entries of a batch.
func entryErrors(err error, n int) []error {
	errs := make([]error, n)
	var batch *queue.BatchError
	if errors.As(err, &batch) {
		for _, e := range batch.Entries {
			errs[e.Index] = e.Err
		}
		return errs
	}
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// isLost reports whether an error says that the receipt has no right to its message any
// more.
func isLost(err error) bool {
	return errors.Is(err, queue.ErrReceiptExpired) || errors.Is(err, queue.ErrReceiptInvalid) || errors.Is(err, queue.ErrMessageGone) ||
		errors.Is(err, queue.ErrClosed) || errors.Is(err, queue.ErrQueueDeleted) || errors.Is(err, queue.ErrStoreFailed)
}

// isHopeless reports whether the same call will fail again.
func isHopeless(err error) bool {
	return errors.Is(err, queue.ErrInvalidParameter) || errors.Is(err, queue.ErrMissingParameter) ||
		errors.Is(err, queue.ErrNoDeadLetter) || errors.Is(err, queue.ErrUnsupported) || errors.Is(err, queue.ErrNotForThisQueue)
}
