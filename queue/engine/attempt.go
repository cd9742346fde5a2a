package engine

import (
	"time"

	"github.com/restantemq/restante/queue"
)

// An attempt is a receive with an attempt ID: for five minutes the same ID gets
// the same messages with the same receipts, so that a receiver whose answer was
// lost need not wait for the visibility timeout (SQS API reference, ReceiveMessage,
// ReceiveRequestAttemptId).
type attempt struct {
	id    string
	until int64 // ms
	seqs  []uint64
	end   attemptEnd
}

// attemptEnd is why an attempt can't be repeated.
type attemptEnd uint8

const (
	// repeatable: all its messages are still in flight by it.
	repeatable attemptEnd = iota
	// lapsed: a message timed out, or is gone without its receiver's doing. SQS
	// does not say what the ID means then; it is taken for a fresh one.
	lapsed
	// broken: a message was deleted or its visibility changed.
	broken
)

// attempts are those of one queue.
type attempts struct {
	byID  map[string]*attempt
	bySeq map[uint64]*attempt // of messages in flight by a repeatable attempt
	log   []*attempt          // oldest first
}

// repeat answers a receive whose attempt ID is known. Done is false if it is to
// be answered as a fresh one.
func (q *Queue) repeat(r *request, now int64) (out []queue.Delivery, done bool, err error) {
	a := q.attempts.byID[r.attempt]
	if a == nil || a.until <= floor(now) || a.end == lapsed {
		return nil, false, nil
	}
	if a.end == broken {
		return nil, true, &queue.LimitError{Parameter: "ReceiveRequestAttemptId", Text: a.id, Reason: "a message of that receive was deleted or changed; use a new ID", Err: queue.ErrAttemptInvalid}
	}
	o := &q.offer
	o.until = deadline(now, r.timeout)
	o.visibleAt = instant(o.until)
	out = r.into[:0]
	for _, seq := range a.seqs {
		p, i, s := q.find(seq)
		o.ms = s.lastAt.ms() // the receipt is the same, so its time is
		o.at = instant(o.ms)
		out = append(out, queue.Delivery{})
		q.deliver(&out[len(out)-1], p, i, s, o)
		if r.timeout > 0 {
			q.schedule(p, i, s, o.until, floor(now))
			q.trace(queue.StepExtended, seq, o.until)
		} else {
			q.lapse(seq, lapsed)
			q.land(p, i, s)
			q.trace(queue.StepReleased, seq, 0)
			q.show(p, i, s, queue.InFlight)
		}
	}
	return out, true, nil
}

// attempted remembers what a receive with an attempt ID was given. An empty
// receive is not remembered: SQS does not say what repeating it means, and the
// next call may as well find something.
func (q *Queue) attempted(r *request, out []queue.Delivery, now int64) {
	if r.attempt == "" || len(out) == 0 || r.timeout == 0 {
		return
	}
	a := &attempt{id: r.attempt, until: deadline(now, queue.AttemptInterval)}
	t := &q.attempts
	if t.byID == nil {
		t.byID, t.bySeq = make(map[string]*attempt), make(map[uint64]*attempt)
	}
	t.byID[a.id] = a
	t.log = append(t.log, a)
	for i := range out {
		f, _ := out[i].Receipt.Fields()
		a.seqs = append(a.seqs, f.Seq)
		t.bySeq[f.Seq] = a
	}
	q.wake(a.until + int64(idleTime/time.Millisecond))
}

// lapse ends the attempt that a message is in flight by, if there is one.
func (q *Queue) lapse(seq uint64, end attemptEnd) {
	if len(q.attempts.bySeq) == 0 {
		return
	}
	a := q.attempts.bySeq[seq]
	if a == nil {
		return
	}
	a.end = end
	for _, seq := range a.seqs {
		delete(q.attempts.bySeq, seq)
	}
	if end == lapsed {
		// A deletion that comes later still breaks it: but with an expired receipt
		// there is none on a FIFO queue.
		delete(q.attempts.byID, a.id)
	}
}

// forgetAttempts frees the attempts whose time is over, and returns when the
// next one's is.
func (q *Queue) forgetAttempts(now int64) (next int64) {
	t := &q.attempts
	for len(t.log) > 0 && t.log[0].until <= now {
		a := t.log[0]
		t.log[0], t.log = nil, t.log[1:]
		if t.byID[a.id] == a {
			delete(t.byID, a.id)
		}
		for _, seq := range a.seqs {
			if t.bySeq[seq] == a {
				delete(t.bySeq, seq)
			}
		}
	}
	if len(t.log) == 0 {
		t.log = nil
		return never
	}
	return t.log[0].until
}
