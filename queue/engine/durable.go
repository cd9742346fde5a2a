package engine

import (
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
	if done > 0 {
		q.retry = 0 // they may go now
	}
	q.trim()
}
