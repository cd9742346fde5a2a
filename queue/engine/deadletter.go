package engine

import (
	"context"
	"fmt"

	"github.com/restantemq/restante/queue"
)

// DeadLetter implements queue.DeadLetterer.
func (q *Queue) DeadLetter(ctx context.Context, r queue.Receipt, reason string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("dead-letter: %w", err)
	}
	now := q.clock.now()
	q.mu.Lock()
	err := q.refusing()
	if err == nil {
		now, err = q.reach(ctx, now, r)
	}
	for err == nil && q.isBare(&r) {
		f, _ := r.Fields()
		if now, err = q.bringContents(ctx, now, f.Seq); err == nil {
			now, err = q.reach(ctx, now, r) // somebody else may move it by now
		}
	}
	if err != nil {
		q.unlock(now)
		return err
	}
	target := q.config.Load().DeadLetter.Target
	p, i, s, f, err := q.holder(&r, now)
	switch {
	case err != nil:
	case s == nil:
		err = queue.ErrMessageGone
	case target == nil:
		err = queue.ErrNoDeadLetter
	}
	if err != nil {
		q.unlock(now)
		return err
	}
	if s.state != queue.InFlight { // an expired receipt of a Standard queue
		q.hide(p, i, s)
	}
	q.setMoving(s)
	q.letGo(now)
	_, err = q.move(target, []uint64{f.Seq}, q.asDeadLetter(reason), queue.StepDeadLettered, 0)
	now = q.clock.now()
	q.mu.Lock()
	q.leave()
	q.unlock(now)
	return err
}

// isBare reports whether a receipt's message is here and its content is not.
func (q *Queue) isBare(r *queue.Receipt) bool {
	f, err := q.identity.open(r)
	if err != nil {
		return false
	}
	_, _, s := q.find(f.Seq)
	return s != nil && s.flags&isOut != 0
}

// setMoving marks a message in flight as on its way to another queue, until
// arrived or undo.
func (q *Queue) setMoving(s *slot) {
	s.flags |= isMoving
	q.moving++
}

// move takes messages marked as moving to another queue. Only one queue is
// locked at a time; until the move settles the messages count as in flight
// here. If both queues share a store, gain and loss are one record; otherwise
// the gain comes first, so that a crash in between leaves two copies and never
// none. If the target fails, the messages stay, marked as refused says. As
// changes a message's record into what the target gets, and step is what is traced
// of it here. It returns how many moved: others were purged meanwhile.
func (q *Queue) move(target queue.Adopter, seqs []uint64, as func(*queue.Record), step queue.Step, refused flags) (moved int, err error) {
	q.mu.Lock()
	records := make([]queue.Record, 0, len(seqs))
	for _, seq := range seqs {
		if p, i, s := q.find(seq); s != nil { // else purged
			r := q.record(p, i, s)
			as(&r)
			records = append(records, r)
		}
	}
	q.mu.Unlock()

	shared := q.store != nil && target.Store() == q.store
	var leaving *queue.Change
	if shared {
		leaving = &queue.Change{Queue: q.number, Remove: seqs}
	}
	if len(records) > 0 {
		err = target.Adopt(context.Background(), records, leaving)
	}

	now := q.clock.now()
	q.mu.Lock()
	switch {
	case err == nil && !shared:
		q.forget(now, seqs)
	case err != nil && shared:
		q.fail(err) // if the store did, it may have the messages no more
	}
	for _, seq := range seqs {
		q.arrived(seq, err == nil, step, refused)
	}
	q.settleMoves()
	q.mu.Unlock() // the caller serves those who wait, when it takes the lock again
	if err != nil {
		return 0, err
	}
	return len(records), nil
}

// asDeadLetter returns what becomes of a message that goes to the dead-letter
// queue.
func (q *Queue) asDeadLetter(reason string) func(*queue.Record) {
	name := fullName(q.config.Load())
	return func(r *queue.Record) { r.DeadLetterSource, r.DeadLetterReason = name, reason }
}

// settleMoves tells those who wait for a message that was moving to look again.
func (q *Queue) settleMoves() {
	q.retry = 0 // what was moving may go to the store now
	if q.moves != nil {
		close(q.moves)
		q.moves = nil
	}
}

// arrived ends a message's move: it is gone, or it stays here.
func (q *Queue) arrived(seq uint64, moved bool, step queue.Step, refused flags) {
	p, i, s := q.find(seq)
	switch {
	case s == nil: // purged meanwhile
	case moved:
		q.stats.Moved++
		q.trace(step, seq, 0)
		q.gone(p, i, s)
	case p.timed.Has(i): // it stays in flight for its receiver
		q.stay(p, s)
		s.flags &^= isMoving
		q.moving--
	default:
		q.stay(p, s)
		s.flags |= refused
		q.putBack(p, i, s, queue.StepReleased)
	}
}

// stay sees to it that a message that was to move is expired in time: while it
// was moving, retention passed over it.
func (q *Queue) stay(p *Page, s *slot) {
	if sent := s.sentAt.ms(); sent < p.minSent {
		q.age(p, sent)
	}
}

// record writes a message down as a store or another queue wants it.
func (q *Queue) record(p *Page, i int, s *slot) queue.Record {
	body, e := p.content(i, s)
	return queue.Record{
		Seq:     p.Seq(i),
		ID:      q.idOf(p.Seq(i), &e),
		Message: e.message(body),
		SentAt:  s.sentAt.ms(), FirstReceivedAt: s.firstAt.ms(), Receives: s.receives,
		DeadLetterSource: e[sourceField], DeadLetterReason: e[reasonField],
	}
}
