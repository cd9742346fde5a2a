package broker

import (
	"context"
	"fmt"
	"time"

	"github.com/restantemq/restante/queue"
)

// DeleteQueue deletes the queue of that name with all its messages, its tags, and
// the move tasks of which it is the source. Receivers that wait, and all later
// calls of the queue, get [queue.ErrQueueDeleted]; the name is free, after 60
// seconds with EnforceCooldowns. Queues whose dead-letter queue it was keep their
// messages and go on delivering them; they have a dead-letter queue again when one
// is created under that name.
//
// Errors: [ErrQueueNotFound], [queue.ErrClosed], the context's; the store's, after
// which the queue is not used any more and opening the broker tells what became of
// it.
func (b *Broker) DeleteQueue(ctx context.Context, name string) error {
	if err := b.begin(ctx); err != nil {
		return fmt.Errorf("delete queue %q: %w", name, err)
	}
	defer b.end()
	q, err := b.GetQueue(name)
	if err != nil {
		return err
	}
	gone := []queue.Meta{{Name: q.metaName()}}
	for _, t := range b.tasksOf(q) {
		t.abandon()
		gone = append(gone, queue.Meta{Name: t.metaName()})
	}
	if err := q.local().Drop(gone...); err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		q.lost = err
		for _, t := range b.tasks {
			if t.source == q && (t.status == Running || t.status == Cancelling) {
				t.status, t.failure = Failed, err.Error()
			}
		}
		return err
	}
	b.mu.Lock()
	delete(b.queues, b.scope.key(name))
	b.link(q, false)
	for id, t := range b.tasks {
		if t.source == q {
			delete(b.tasks, id)
		}
	}
	b.coolDown(b.scope.key(name))
	b.mu.Unlock()
	b.rewire(q.arn)
	return nil
}

// coolDown notes a deletion, and forgets those that are long past. The caller must
// hold h.mu.
func (h *hub) coolDown(k key) {
	if !h.options.EnforceCooldowns {
		return
	}
	now := time.Now()
	for k, at := range h.deleted {
		if now.Sub(at) >= cooldown {
			delete(h.deleted, k)
		}
	}
	h.deleted[k] = now
}
