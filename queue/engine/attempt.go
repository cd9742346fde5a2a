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
	id      string
	until   int64 // ms
	members []attemptMember
}

// An attemptMember is one message that an attempt was given.
type attemptMember struct {
	seq     uint64
	receive uint32 // the message's receive count then
}

// attempts are those of one queue, and what must be known of their messages
// after these are gone.
type attempts struct {
	byID    map[string]*attempt
	log     []*attempt                 // oldest first
	members map[uint64]int             // in how many attempts of the log a message is
	given   map[attemptMember]struct{} // what they were given
	deleted map[uint64]struct{}        // those of members that were deleted
	changed map[attemptMember]struct{} // those whose visibility was changed under that receive
}

// repeat answers a receive whose attempt ID is known. Done is false if it is to
// be answered as a fresh one: SQS does not say what an ID means when a message
// has timed out meanwhile, or is gone without having been deleted.
func (q *Queue) repeat(r *request, now int64) (out []queue.Delivery, done bool, err error) {
	a := q.attempts.byID[r.attempt]
	if a == nil || a.until <= floor(now) {
		return nil, false, nil
	}
	fresh := false
	for _, m := range a.members {
		_, deleted := q.attempts.deleted[m.seq]
		_, changed := q.attempts.changed[m]
		if deleted || changed {
			return nil, true, &queue.LimitError{Parameter: "ReceiveRequestAttemptId", Text: a.id, Reason: "a message of that receive was deleted or changed; use a new ID", Err: queue.ErrAttemptInvalid}
		}
		_, _, s := q.find(m.seq)
		fresh = fresh || s == nil || s.receives != m.receive || s.state != queue.InFlight || s.flags&isMoving != 0
	}
	if fresh {
		return nil, false, nil
	}
	return q.again(a, r, now), true, nil
}

// again delivers the messages of an attempt once more and restarts their
// visibility timeouts. It is the same receive, so it isn't counted.
func (q *Queue) again(a *attempt, r *request, now int64) []queue.Delivery {
	o := &q.offer
	o.until = deadline(now, r.timeout)
	o.visibleAt = instant(o.until)
	out := r.into[:0]
	for _, m := range a.members {
		p, i, s := q.find(m.seq)
		o.ms = s.lastAt.ms() // the receipt is the same, so its time is
		o.at = instant(o.ms)
		out = append(out, queue.Delivery{})
		q.deliver(&out[len(out)-1], p, i, s, o)
		if r.timeout > 0 {
			q.schedule(p, i, s, o.until, floor(now))
			q.trace(queue.StepExtended, m.seq, o.until)
			continue
		}
		q.putBack(p, i, s, queue.StepReleased)
	}
	return out
}

// numbers returns the messages of the attempt with that ID.
func (t *attempts) numbers(id string) (seqs []uint64) {
	if a := t.byID[id]; a != nil {
		for _, m := range a.members {
			seqs = append(seqs, m.seq)
		}
	}
	return seqs
}

// attempted remembers what a receive with an attempt ID was given. An empty
// receive is not remembered: SQS does not say what repeating it means, and the
// next call may as well find something.
func (q *Queue) attempted(r *request, out []queue.Delivery, now int64) {
	if r.attempt == "" {
		return
	}
	t := &q.attempts
	if t.byID == nil {
		t.byID = make(map[string]*attempt)
		t.members, t.deleted = make(map[uint64]int), make(map[uint64]struct{})
		t.given, t.changed = make(map[attemptMember]struct{}), make(map[attemptMember]struct{})
	}
	a := &attempt{id: r.attempt, until: deadline(now, queue.AttemptInterval)}
	for i := range out {
		f, _ := out[i].Receipt.Fields()
		m := attemptMember{f.Seq, f.Receive()}
		a.members = append(a.members, m)
		t.given[m] = struct{}{}
		t.members[f.Seq]++
	}
	t.byID[a.id] = a
	t.log = append(t.log, a)
	q.wake(a.until + int64(idleTime/time.Millisecond))
}

// noteDeleted remembers the deletion of a message that an attempt was given.
func (t *attempts) noteDeleted(seq uint64) {
	if t.members[seq] > 0 {
		t.deleted[seq] = struct{}{}
	}
}

// noteChanged remembers that the visibility of such a message was changed.
func (t *attempts) noteChanged(seq uint64, receive uint32) {
	m := attemptMember{seq, receive}
	if _, ok := t.given[m]; ok {
		t.changed[m] = struct{}{}
	}
}

// forget frees the attempts whose time is over, and returns when the next one's
// is. Times are in ms.
func (t *attempts) forget(now int64) (next int64) {
	for len(t.log) > 0 && t.log[0].until <= now {
		a := t.log[0]
		t.log[0], t.log = nil, t.log[1:]
		if t.byID[a.id] == a {
			delete(t.byID, a.id)
		}
		for _, m := range a.members {
			delete(t.given, m)
			delete(t.changed, m)
			if t.members[m.seq]--; t.members[m.seq] == 0 {
				delete(t.members, m.seq)
				delete(t.deleted, m.seq)
			}
		}
	}
	if len(t.log) == 0 {
		*t = attempts{}
		return never
	}
	return t.log[0].until
}
