package engine

import (
	"context"
	"fmt"

	"github.com/restantemq/restante/queue"
)

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
	q.turnPage()
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
			q.dedups = append(q.dedups, queue.Dedup{Key: keys[i], Seq: seq, Until: dedupUntil(now)})
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
