package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/restantemq/restante/queue"
)

// Adopt implements queue.Adopter.
func (q *Queue) Adopt(ctx context.Context, ms []queue.Record, leaving *queue.Change) error {
	if leaving != nil && q.store == nil {
		return errors.New("engine: internal error: a change of a store's queue came with an adoption into memory")
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("adopt: %w", err)
	}
	for i := range ms {
		if err := q.checkAdopted(&ms[i]); err != nil {
			return fmt.Errorf("adopt: record %d: %w", i, err)
		}
	}
	now := q.clock.now()
	q.mu.Lock()
	if err := q.refusing(); err != nil {
		q.mu.Unlock()
		return err
	}
	q.turnPage()
	first, cfg := q.next, q.config.Load()
	q.records = append(q.records[:0], ms...)
	for i := range q.records {
		r := &q.records[i]
		r.Seq, r.DueAt = first+uint64(i), 0
		if r.ID == (queue.MessageID{}) {
			r.ID, r.SentAt, r.Delay = q.identity.id(r.Seq), floor(now), 0
			r.DueAt = dueAt(&r.Message, q.kind, cfg, now)
			continue
		}
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
		p, at, s := q.insert(r.Seq, &r.Message, r, r.SentAt, r.DueAt)
		if q.store == nil {
			q.settle(p, at, s, now, queue.StepAdopted)
		}
	}
	q.stats.Adopted += uint64(len(ms))
	return q.admit(now, accepted{commit, first, len(ms), queue.StepAdopted})
}

// checkAdopted refuses what no queue of this kind can have handed over. Limits
// don't apply: they did where the message was sent.
func (q *Queue) checkAdopted(r *queue.Record) error {
	switch {
	case r.Body == "":
		return missing("MessageBody")
	case q.kind == queue.FIFO && r.GroupID == "":
		return missing("MessageGroupId")
	}
	return nil
}

// adopted tells, also after a restart, a message that a FIFO queue took over: it
// has its own ID for deduplication ID.
func adopted(r *queue.Record) bool {
	return len(r.DeduplicationID) == 36 && r.DeduplicationID == r.ID.String()
}
