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
	step   queue.Step // what to trace when they are
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
	var sent queue.Sent
	if q.store != nil {
		sent, err := q.send(cfg, []queue.Message{m})
		if err != nil {
			return queue.Sent{}, err
		}
		return sent[0], nil
	}
	var key dedupKey
	if q.dedup != nil {
		key = q.key(&m, cfg)
	}
	now := q.clock.now()
	q.mu.Lock()
	if err := q.refusing(); err != nil {
		q.mu.Unlock()
		return sent, err
	}
	if err := q.throttle(sendCalls, cfg, now); err != nil {
		q.unlock(now)
		return sent, err
	}
	q.accept(cfg, &m, &sent, now, key)
	q.unlock(now)
	return sent, nil
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
	if refused == nil {
		return q.send(cfg, ms)
	}
	sent, err := q.sendOthers(cfg, ms, refused)
	if err != nil {
		return nil, err
	}
	return sent, refused
}

// sendOthers sends the messages that were not refused.
func (q *Queue) sendOthers(cfg *queue.Config, ms []queue.Message, refused *queue.BatchError) ([]queue.Sent, error) {
	bad := make(map[int]bool)
	for _, e := range refused.Entries {
		bad[e.Index] = true
	}
	var others []queue.Message
	var places []int
	for i := range ms {
		if !bad[i] {
			others = append(others, ms[i])
			places = append(places, i)
		}
	}
	sent := make([]queue.Sent, len(ms))
	if len(others) == 0 { // nothing to wait for
		return sent, q.open()
	}
	answers, err := q.send(cfg, others)
	if err != nil {
		return nil, err
	}
	for i, at := range places {
		sent[at] = answers[i]
	}
	return sent, nil
}

// refuse adds an entry's error to a batch's.
func refuse(b *queue.BatchError, index int, err error) *queue.BatchError {
	if b == nil {
		b = new(queue.BatchError)
	}
	b.Entries = append(b.Entries, queue.EntryError{Index: index, Err: err})
	return b
}

// open returns the error of a queue that takes no changes.
func (q *Queue) open() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.refusing()
}

// send accepts checked messages and returns when they are durable, also those
// that were suppressed because they repeat one whose record may still be under
// way.
func (q *Queue) send(cfg *queue.Config, ms []queue.Message) ([]queue.Sent, error) {
	ms, keys := q.keys(ms, cfg)
	sent := make([]queue.Sent, len(ms))
	now := q.clock.now()
	q.mu.Lock()
	if err := q.refusing(); err != nil {
		q.mu.Unlock()
		return nil, err
	}
	if err := q.throttle(sendCalls, cfg, now); err != nil {
		q.unlock(now)
		return nil, err
	}
	first := q.next
	var commit queue.Commit
	if q.store != nil && len(ms) > 0 {
		q.writeDown(cfg, ms, keys, now)
		if len(q.records) > 0 {
			var err error
			if commit, err = q.appendInserts(now, nil); err != nil {
				q.unlock(now)
				return nil, err
			}
		}
	}
	var key dedupKey
	for i := range ms {
		if keys != nil {
			key = keys[i]
		}
		q.accept(cfg, &ms[i], &sent[i], now, key)
	}
	if err := q.admit(now, accepted{commit, first, int(q.next - first), queue.StepVisible}); err != nil {
		return nil, err
	}
	return sent, nil
}

// writeDown makes q.records of the messages that accept will accept.
func (q *Queue) writeDown(cfg *queue.Config, ms []queue.Message, keys []dedupKey, now int64) {
	q.records, q.dedups = q.records[:0], q.dedups[:0]
	seen := make(map[dedupKey]bool, len(keys))
	for i := range ms {
		seq := q.next + uint64(len(q.records))
		id := q.identity.id(seq)
		if q.dedup != nil {
			if _, known := q.dedup.Known(keys[i], floor(now)); known || seen[keys[i]] {
				continue
			}
			seen[keys[i]] = true
			q.dedups = append(q.dedups, queue.Dedup{Key: keys[i], ID: id, Seq: seq, Until: dedupUntil(now)})
		}
		q.records = append(q.records, queue.Record{
			Seq: seq, ID: id, Message: ms[i], SentAt: floor(now), DueAt: dueAt(&ms[i], q.kind, cfg, now),
		})
	}
}

// accept gives a checked message the next place in the queue, or finds that it
// repeats one. Without a store it is durable as soon as it is there.
func (q *Queue) accept(cfg *queue.Config, m *queue.Message, sent *queue.Sent, now int64, key dedupKey) {
	if q.dedup != nil && q.suppress(sent, key, now) {
		return
	}
	seq := q.next
	q.next++
	p, i, s := q.insert(seq, m, nil, floor(now), dueAt(m, q.kind, cfg, now))
	q.stats.Accepted++
	q.trace(queue.StepAccepted, seq, 0)
	q.identity.setID(&sent.ID, seq)
	if q.kind == queue.FIFO {
		sent.Sequence = seq
	}
	if q.store == nil {
		q.settle(p, i, s, now, queue.StepVisible)
	}
}

// dueAt returns when a message's delay is over, in ms; zero if it has none.
func dueAt(m *queue.Message, kind queue.Kind, cfg *queue.Config, now int64) int64 {
	if m.Delay == 0 && cfg.Delay == 0 {
		return 0
	}
	return delayedUntil(m, kind, cfg, now)
}

// delayedUntil is dueAt for a message that may have a delay. It stands apart so
// that dueAt is inlined.
func delayedUntil(m *queue.Message, kind queue.Kind, cfg *queue.Config, now int64) int64 {
	if d := delayOf(m, kind, cfg); d > 0 {
		return deadline(now, d)
	}
	return 0
}

// refusing returns why the queue takes no change now.
func (q *Queue) refusing() error {
	if q.closed != nil {
		return q.closed
	}
	return q.failed
}

// admit finishes the acceptance of messages that were just inserted: it returns
// when they are durable. The caller must hold q.mu; admit lets go of it.
func (q *Queue) admit(now int64, a accepted) error {
	if q.store == nil {
		q.unlock(now)
		return nil
	}
	if a.n > 0 {
		q.pending = append(q.pending, a)
		q.last = max(q.last, a.commit)
	}
	return q.commit(now, q.last)
}

// appendInserts hands q.records to the store, together with the loss they mean
// to another queue of the store.
func (q *Queue) appendInserts(now int64, leaving *queue.Change) (queue.Commit, error) {
	q.change[0] = queue.Change{Queue: q.number, Insert: q.records, Dedup: q.dedups}
	commit, err := q.append(now, leaving)
	clear(q.records)
	q.dedups = q.dedups[:0]
	return commit, err
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
			if p, i, s := q.find(seq); s != nil && s.state == queue.Pending { // else purged or expired meanwhile
				q.settle(p, i, s, now, a.step)
			}
		}
		done++
	}
	q.pending = slices.Delete(q.pending, 0, done)
}

// insert makes the slot of a message, in the state pending. The record is what
// else came with it, nil if it was sent. Times are in ms; dueAt is zero without
// a delay. Sequence numbers come in ascending order.
func (q *Queue) insert(seq uint64, m *queue.Message, r *queue.Record, sentAt, dueAt int64) (p *Page, i int, s *slot) {
	p = q.pageFor(seq)
	i = int(seq - p.First)
	s = p.add(i)
	s.state = queue.Pending
	s.sentAt = stampOf(sentAt)
	if r != nil {
		s.firstAt, s.receives = stampOf(r.FirstReceivedAt), r.Receives
	}
	if r == nil && len(m.Body) <= maxSmall && m.Attributes == (queue.Attributes{}) &&
		m.GroupID == "" && m.DeduplicationID == "" && m.TraceHeader == "" { // most messages
		p.keep(i, s, m.Body)
	} else {
		p.store(i, s, m.Body, q.extraOf(seq, m, r), q.hint)
	}
	if sentAt < p.minSent {
		q.age(p, sentAt)
	}
	if dueAt != 0 {
		q.schedule(p, i, s, dueAt, sentAt)
	}
	q.stats.Pending++
	if m.GroupID != "" {
		s.flags |= isGrouped
		q.order.Add(p, i)
	}
	return p, i, s
}

// extraOf returns what is to be kept of a message beside its body.
func (q *Queue) extraOf(seq uint64, m *queue.Message, r *queue.Record) []byte {
	e := extraFields{
		attributes: m.Attributes.Encoded(), group: m.GroupID, dedup: m.DeduplicationID, trace: m.TraceHeader,
	}
	if r != nil {
		e.source, e.reason = r.DeadLetterSource, r.DeadLetterReason
		if r.ID != q.identity.id(seq) {
			e.id = string(r.ID[:])
		}
	}
	q.extra = e.encode(q.extra[:0])
	return q.extra
}

// pageFor returns the page that a new message falls into.
func (q *Queue) pageFor(seq uint64) *Page {
	if p := q.tail; p != nil && seq-p.First < pageSize {
		return p
	}
	return q.newPage(seq)
}

// newPage makes the page that a new message falls into the tail.
func (q *Queue) newPage(seq uint64) *Page {
	first, _ := firstOf(seq)
	if p := q.tail; p != nil {
		if len(p.slots) == pageSize {
			q.hint = p.textBytes()
		}
		if p.live == 0 {
			q.free(p)
		}
	}
	p := &Page{First: first, minSent: never, next: never}
	p.slots, p.bodies, p.links = q.spare.slots, q.spare.bodies, q.spare.links
	q.spare.slots, q.spare.bodies, q.spare.links = nil, nil, nil
	if p.bodies == nil { // the freed page was packed, or there was none
		p.bodies = make([]string, cap(p.slots))
	}
	q.grow(p)
	q.pages.add(p)
	q.tail = p
	return p
}

// grow puts a new page among the young, and packs one that has fallen behind.
func (q *Queue) grow(p *Page) {
	q.young = append(q.young, p)
	if len(q.young) <= youngPages {
		return
	}
	old := q.young[0]
	copy(q.young, q.young[1:])
	q.young = q.young[:youngPages]
	if old.live > 0 && old.young() {
		old.pack()
	}
}

// settle is where a message that is durable becomes delayed or visible. The step
// is traced: StepVisible for one that was sent, otherwise how it came here.
func (q *Queue) settle(p *Page, i int, s *slot, now int64, step queue.Step) {
	q.stats.Pending--
	if p.timed.Has(i) {
		if s.due.ms() > floor(now) {
			s.state = queue.Delayed
			q.stats.Delayed++
			if step == queue.StepVisible {
				step = queue.StepDelayed
			}
			q.trace(step, p.Seq(i), s.due.ms())
			return
		}
		p.timed.Unset(i)
	}
	q.trace(step, p.Seq(i), 0)
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
	first := q.next
	q.records = append(q.records[:0], ms...)
	for i := range q.records {
		r := &q.records[i]
		r.Seq, r.DueAt = first+uint64(i), 0
		if q.kind == queue.FIFO {
			// SQS developer guide, "Configuring a dead-letter queue redrive": the
			// deduplication ID becomes the message's own ID; "Retention of
			// dead-letter queues": FIFO renews the time of sending.
			r.SentAt = floor(now)
			r.DeduplicationID = r.ID.String()
		}
	}
	records := slices.Clone(q.records)
	var commit queue.Commit
	if q.store != nil {
		var err error
		if commit, err = q.appendInserts(now, leaving); err != nil {
			q.unlock(now)
			return err
		}
	}
	q.next += uint64(len(records))
	for i := range records {
		r := &records[i]
		p, at, s := q.insert(r.Seq, &r.Message, r, r.SentAt, 0)
		if q.store == nil {
			q.settle(p, at, s, now, queue.StepAdopted)
		}
	}
	q.stats.Adopted += uint64(len(ms))
	return q.admit(now, accepted{commit, first, len(ms), queue.StepAdopted})
}
