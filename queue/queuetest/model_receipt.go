package queuetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/restantemq/restante/queue"
)

// modelReceipt is a receipt that a receive handed out, or a bad one.
type modelReceipt struct {
	of  *modelQueue
	m   *modelMessage // nil for a bad one
	r   queue.Receipt
	at  int64 // of the receive
	bad error // the sentinel that a bad one earns
}

// modelVerdict is the set of answers that a call may give: sentinels, nil for
// success.
type modelVerdict []error

func (v modelVerdict) String() string {
	text := ""
	for i, err := range v {
		if i > 0 {
			text += " or "
		}
		if err == nil {
			text += "success"
		} else {
			text += fmt.Sprintf("%q", err)
		}
	}
	return text
}

// check tells whether err is one of the answers.
func (v modelVerdict) check(what string, err error) error {
	for _, want := range v {
		if want == nil && err == nil || want != nil && errors.Is(err, want) {
			return nil
		}
	}
	return fmt.Errorf("%s returned %s, want %v", what, modelError(err), v)
}

func modelError(err error) string {
	if err == nil {
		return "success"
	}
	return fmt.Sprintf("the error %q", err)
}

// mayDelete tells what Delete may answer. Amazon documents or was seen to do
// this: on a Standard queue every receipt of the message deletes, expired and
// superseded ones too, for 12 hours; a FIFO queue takes the current one only;
// deleting what is gone succeeds. FencedReceipts make a Standard queue strict.
func (q *modelQueue) mayDelete(r *modelReceipt) modelVerdict {
	if v := q.refusesReceipt(r); v != nil {
		return v
	}
	if r.m.gone {
		if r.age() >= modelLifetime {
			return modelVerdict{nil, queue.ErrReceiptExpired} // either reason is right
		}
		if r.m.leaving && q.strict() && r.m.receipt != r.r {
			return modelVerdict{nil, queue.ErrReceiptExpired} // not yet gone for an older receipt
		}
		return modelVerdict{nil}
	}
	return q.mayUse(r)
}

// mayHide tells what ChangeVisibility by d may answer. What is gone can't
// change, and nobody holds a message longer than 12 hours, counted from its
// latest receive. Where several things are wrong each may be named.
func (q *modelQueue) mayHide(r *modelReceipt, d time.Duration) modelVerdict {
	v := q.mayMove(r)
	ms := modelMillis(d)
	if d < 0 || d > queue.MaxVisibility {
		return append(modelFailures(v), queue.ErrInvalidParameter)
	}
	if r.m == nil || r.m.gone {
		return v
	}
	late := func(from int64) bool { return q.now+ms > from+modelMillis(queue.MaxVisibility) }
	switch m := r.m; {
	case m.lastAt != 0 && late(m.lastAt) && !q.paged:
		return append(modelFailures(v), queue.ErrInvalidParameter)
	case (m.lastAt == 0 || q.paged) && late(r.at):
		// Received before a restart, or before the message went back to the store,
		// which forgets the time of the latest receive but not that of this receipt. Or
		// a later one was undone while a page was read, and the time is that one's.
		return append(v, queue.ErrInvalidParameter)
	}
	return v
}

// mayMove tells what a call may answer that needs a receipt with the right to
// change the message's visibility, and nothing else.
func (q *modelQueue) mayMove(r *modelReceipt) modelVerdict {
	if v := q.refusesReceipt(r); v != nil {
		return v
	}
	if r.m.gone {
		if r.age() >= modelLifetime {
			return modelVerdict{queue.ErrMessageGone, queue.ErrReceiptExpired}
		}
		return modelVerdict{queue.ErrMessageGone}
	}
	return q.mayUse(r)
}

// mayUse tells whether r still has a right to its message, which is not gone.
func (q *modelQueue) mayUse(r *modelReceipt) modelVerdict {
	switch age := r.age(); {
	case q.strict() && !q.current(r):
		return modelVerdict{queue.ErrReceiptExpired}
	case age > modelLifetime:
		return modelVerdict{queue.ErrReceiptExpired}
	case age == modelLifetime && !q.strict():
		return modelVerdict{nil, queue.ErrReceiptExpired} // no source for the last instant
	}
	return modelVerdict{nil}
}

const modelLifetime = int64(queue.ReceiptLifetime / time.Millisecond)

// strict reports whether only the current receipt of a message works.
func (q *modelQueue) strict() bool { return q.kind == queue.FIFO || q.cfg.fenced }

// current reports whether r is of the latest receive and has not expired.
func (q *modelQueue) current(r *modelReceipt) bool { return r.m.inFlight && r.m.receipt == r.r }

// refusesReceipt tells how q answers what is no receipt of its.
func (q *modelQueue) refusesReceipt(r *modelReceipt) modelVerdict {
	switch {
	case r.bad != nil:
		return modelVerdict{r.bad}
	case r.of != q:
		return modelVerdict{queue.ErrReceiptInvalid}
	}
	return nil
}

func (r *modelReceipt) age() int64 { return r.of.now - r.at }

// modelFailures leaves success out of v.
func modelFailures(v modelVerdict) modelVerdict {
	var failures modelVerdict
	for _, err := range v {
		if err != nil {
			failures = append(failures, err)
		}
	}
	return failures
}
