package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/restantemq/restante/queue"
)

// accepted is a batch of messages that the store was given and that may not be
// durable yet.
type accepted struct {
	commit queue.Commit
	first  uint64 // sequence number
	n      int
}

// Send implements queue.Queue.
func (q *Queue) Send(ctx context.Context, m queue.Message) (queue.Sent, error) {
	cfg := q.config.Load()
	if err := checkMessage(&m, q.kind, cfg); err != nil {
		return queue.Sent{}, err
	}
	if err := ctx.Err(); err != nil {
		return queue.Sent{}, fmt.Errorf("send: %w", err)
	}
	one := [1]queue.Message{m}
	var sent [1]queue.Sent
	if err := q.send(cfg, one[:], sent[:], nil); err != nil {
		return queue.Sent{}, err
	}
	return sent[0], nil
}

// SendBatch implements queue.Queue.
func (q *Queue) SendBatch(ctx context.Context, ms []queue.Message) ([]queue.Sent, error) {
	cfg := q.config.Load()
	if err := checkBatch(len(ms), cfg); err != nil {
		return nil, err
	}
	if err := checkBatchBytes(ms, cfg); err != nil {
		return nil, err
	}
	var refused *queue.BatchError
	for i := range ms {
		if err := checkMessage(&ms[i], q.kind, cfg); err != nil {
			if q.kind == queue.FIFO {
				// Leaving one out could break its group's order, so SQS refuses all.
				return nil, fmt.Errorf("batch entry %d: %w", i, err)
			}
			refused = refuse(refused, i, err)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("send batch: %w", err)
	}
	sent := make([]queue.Sent, len(ms))
	if refused == nil {
		return sent, q.send(cfg, ms, sent, nil)
	}
	if len(refused.Entries) == len(ms) {
		if err := q.open(); err != nil {
			return nil, err
		}
		return sent, refused
	}
	if err := q.send(cfg, ms, sent, refused.Entries); err != nil {
		return nil, err
	}
	return sent, refused
}

// refuse adds an entry's error to a batch's.
func refuse(b *queue.BatchError, index int, err error) *queue.BatchError {
	if b == nil {
		b = new(queue.BatchError)
	}
	b.Entries = append(b.Entries, queue.EntryError{Index: index, Err: err})
	return b
}

// open returns the error of a queue that is closed.
func (q *Queue) open() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

// send accepts checked messages, except those that skip names, and returns when
// they are durable.
func (q *Queue) send(cfg *queue.Config, ms []queue.Message, sent []queue.Sent, skip []queue.EntryError) error {
	now := q.clock.now()
	q.mu.Lock()
	if err := q.refusing(); err != nil {
		q.mu.Unlock()
		return err
	}
	first := q.next
	seq := first
	q.records = q.records[:0]
	for i := range ms {
		if len(skip) > 0 && skip[0].Index == i {
			skip = skip[1:]
			continue
		}
		r := queue.Record{Seq: seq, ID: q.identity.id(seq), Message: ms[i], SentAt: floor(now)}
		if d := delayOf(&ms[i], cfg); d > 0 {
			r.DueAt = deadline(now, d)
		}
		sent[i] = queue.Sent{ID: r.ID}
		if q.kind == queue.FIFO {
			sent[i].Sequence = seq
		}
		q.records = append(q.records, r)
		seq++
	}
	return q.accept(now, queue.StepAccepted, nil)
}

// refusing returns why the queue takes no change now.
func (q *Queue) refusing() error {
	if q.closed != nil {
		return q.closed
	}
	return q.failed
}

// accept takes q.records in, numbered from q.next on, together with the loss
// they mean to another queue of the store. It returns when that is durable. The
// caller must hold q.mu; accept lets go of it.
func (q *Queue) accept(now int64, step queue.Step, leaving *queue.Change) error {
	first, n := q.next, len(q.records)
	var commit queue.Commit
	if q.store != nil {
		var err error
		q.change[0] = queue.Change{Queue: q.number, Insert: q.records}
		if commit, err = q.append(now, leaving); err != nil {
			q.unlock(now)
			return err
		}
	}
	for i := range q.records {
		q.insert(&q.records[i])
		q.trace(step, q.records[i].Seq, 0)
	}
	clear(q.records)
	q.next += uint64(n)
	if step == queue.StepAdopted {
		q.stats.Adopted += uint64(n)
	} else {
		q.stats.Accepted += uint64(n)
	}
	if q.store == nil {
		for seq := first; seq < q.next; seq++ {
			q.settle(seq, now)
		}
		q.unlock(now)
		return nil
	}
	q.pending = append(q.pending, accepted{commit, first, n})
	q.last = commit
	return q.commit(now, commit)
}

// append hands q.change[0], and a change of another queue of the same store if
// it is not nil, to the store as one batch. The caller must hold q.mu.
func (q *Queue) append(now int64, other *queue.Change) (queue.Commit, error) {
	changes := q.change[:1]
	if other != nil {
		q.change[1] = *other
		changes = q.change[:2]
	}
	q.batch = queue.Batch{Now: floor(now), Changes: changes}
	commit, err := q.store.Append(&q.batch)
	clear(q.change[:])
	if err != nil {
		q.fail(err)
	}
	return commit, err
}

// commit waits until commit is durable and then releases every pending message
// that is. The caller must hold q.mu; commit lets go of it.
func (q *Queue) commit(now int64, commit queue.Commit) error {
	q.enter()
	q.unlock(now)
	err := q.store.Wait(commit, queue.Durable)
	now = q.clock.now()
	q.mu.Lock()
	if err != nil {
		q.fail(err)
	} else {
		q.release(commit, now)
	}
	q.leave()
	q.unlock(now)
	return err
}

// release settles, in sequence order, every pending message whose commit is
// durable, also those of calls that have not come back from their own wait:
// callers get the lock in any order, and if each released only its own, a
// message could become receivable before an older one of its group.
func (q *Queue) release(durable queue.Commit, now int64) {
	done := 0
	for _, a := range q.pending {
		if a.commit > durable {
			break
		}
		for seq := a.first; seq < a.first+uint64(a.n); seq++ {
			q.settle(seq, now)
		}
		done++
	}
	q.pending = slices.Delete(q.pending, 0, done)
}

// insert makes the slot of a message, in the state pending. Sequence numbers
// come in ascending order.
func (q *Queue) insert(r *queue.Record) {
	p := q.pageFor(r.Seq)
	i := int(r.Seq - p.First)
	s := p.add(i, q.hint > 0)
	s.state = queue.Pending
	s.sentAt, s.firstAt, s.receives = r.SentAt, r.FirstReceivedAt, r.Receives
	e := extraFields{
		attributes: r.Attributes.Encoded(), group: r.GroupID, dedup: r.DeduplicationID,
		trace: r.TraceHeader, source: r.DeadLetterSource, reason: r.DeadLetterReason,
	}
	if r.ID != q.identity.id(r.Seq) {
		e.id = string(r.ID[:])
	}
	q.extra = e.encode(q.extra[:0])
	p.store(s, r.Body, q.extra, q.hint)
	q.age(p, r.SentAt)
	if r.DueAt != 0 {
		s.node = q.wheel.Schedule(r.DueAt, r.Seq)
		q.wake(r.DueAt)
	}
	q.stats.Pending++
	q.order.Add(p, i)
}

// pageFor returns the page that a new message falls into.
func (q *Queue) pageFor(seq uint64) *Page {
	first, _ := firstOf(seq)
	if p := q.tail; p != nil && p.First == first {
		return p
	}
	if p := q.tail; p != nil {
		if len(p.slots) == pageSize {
			q.hint = max(p.textBytes(), 1)
		}
		if p.live == 0 {
			q.free(p)
		}
	}
	p := &Page{First: first, minSent: never}
	q.pages[first] = p
	q.tail = p
	return p
}

// settle is where a message that is durable becomes delayed or visible.
func (q *Queue) settle(seq uint64, now int64) {
	p, i, s := q.find(seq)
	if s == nil || s.state != queue.Pending {
		return // purged, or expired, meanwhile
	}
	q.stats.Pending--
	if s.node != 0 && q.wheel.Deadline(s.node) > floor(now) {
		s.state = queue.Delayed
		q.stats.Delayed++
		q.trace(queue.StepDelayed, seq, q.wheel.Deadline(s.node))
		return
	}
	if s.node != 0 {
		q.wheel.Cancel(s.node)
		s.node = 0
	}
	q.trace(queue.StepVisible, seq, 0)
	q.show(p, i, s, queue.Pending)
}

// show makes a message receivable. The counter of its old state has been
// lowered already.
func (q *Queue) show(p *Page, i int, s *slot, was queue.State) {
	s.state = queue.Visible
	q.stats.Visible++
	q.order.Show(p, i, was)
}

// Adopt implements queue.Adopter.
func (q *Queue) Adopt(ctx context.Context, ms []queue.Record, leaving *queue.Change) error {
	if leaving != nil && q.store == nil {
		return errors.New("engine: internal error: a change of a store's queue came with an adoption into memory")
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("adopt: %w", err)
	}
	now := q.clock.now()
	q.mu.Lock()
	if err := q.refusing(); err != nil {
		q.mu.Unlock()
		return err
	}
	q.records = append(q.records[:0], ms...)
	for i := range q.records {
		r := &q.records[i]
		r.Seq = q.next + uint64(i)
		r.DueAt = 0
		if q.kind == queue.FIFO {
			// SQS developer guide, "Configuring a dead-letter queue redrive": the
			// deduplication ID becomes the message's own ID; "Retention of
			// dead-letter queues": FIFO renews the time of sending.
			r.SentAt = floor(now)
			r.DeduplicationID = r.ID.String()
		}
	}
	return q.accept(now, queue.StepAdopted, leaving)
}
