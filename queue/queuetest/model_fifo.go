package queuetest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/restantemq/restante/queue"
)

// modelGroups is what only FIFO queues have.
type modelGroups struct {
	turn       int            // counts receives that got something
	lastServed map[string]int // by group: the turn of its last delivery
	readySince map[string]int // by group: the turn since which it has had receivable messages
	dedup      map[modelDedupKey]*modelOriginal
	attempts   map[string]*modelAttempt
}

func newModelGroups() modelGroups {
	return modelGroups{
		lastServed: map[string]int{},
		readySince: map[string]int{},
		dedup:      map[modelDedupKey]*modelOriginal{},
		attempts:   map[string]*modelAttempt{},
	}
}

// restart forgets what lives in memory only: turns and attempts.
func (g *modelGroups) restart() {
	clear(g.lastServed)
	clear(g.readySince)
	clear(g.attempts)
}

// modelDedupKey is a deduplication ID in its scope; group is empty in the
// scope of the queue.
type modelDedupKey struct{ group, id string }

// modelOriginal is the message that a deduplication ID stands for.
type modelOriginal struct {
	m     *modelMessage
	until int64
}

// modelAttempt is a receive that can be repeated.
type modelAttempt struct {
	at    int64 // of the first receive
	o     queue.ReceiveOptions
	got   []queue.Delivery
	taken []*modelMessage
}

// unblocked reports whether every older message of m's group can go out with
// it. Amazon's rule, from recorded runs: scan the group from its head and stop
// at the first message that is in flight or delayed; what is before that point
// is receivable.
func (q *modelQueue) unblocked(m *modelMessage) bool {
	for _, older := range q.messages {
		switch {
		case older == m:
			return true
		case older.msg.GroupID == m.msg.GroupID && q.state(older) != queue.Visible:
			return false
		}
	}
	return false
}

// judgeGroups judges the answer of a FIFO queue: runs of messages, each the
// receivable beginning of its group, whole but for the last. Which groups come
// is free, but one that was just served lets the others go first.
func (q *modelQueue) judgeGroups(w *modelWaiter, seen modelSight) (taken, moved []*modelMessage, err error) {
	rest := q.receivable()
	moved = q.movedAway(w, rest, seen)
	if !w.done {
		return nil, moved, q.checkUnserved(w, q.withoutPoisoned(rest))
	}
	rest = slices.DeleteFunc(slices.Clone(rest), func(m *modelMessage) bool { return slices.Contains(moved, m) })
	if taken, err = q.judgeRuns(w, rest); err != nil {
		return nil, nil, err
	}
	if len(taken) < w.max && !q.released && !q.mayBeFew(w) {
		if err := q.checkExhausted(w, rest, taken); err != nil {
			return nil, nil, err
		}
	}
	// Order across groups is no promise, and messages that leave for a dead-letter
	// queue, or are refused there, upset turns: they are judged where none can.
	if (q.dead == nil || q.cfg.maxReceives == 0) && !q.paged {
		if err := q.checkTurns(w, rest, taken); err != nil {
			return nil, nil, err
		}
	}
	q.fifo.turn++
	return taken, moved, nil
}

func (w *modelWaiter) has(m *modelMessage) bool {
	return slices.ContainsFunc(w.got, func(d queue.Delivery) bool { return d.ID == m.id })
}

// judgeRuns follows the deliveries of w through the groups of rest.
func (q *modelQueue) judgeRuns(w *modelWaiter, rest []*modelMessage) (taken []*modelMessage, err error) {
	if len(w.got) > w.max {
		return nil, fmt.Errorf("%s got %d deliveries, it asked for %d", w.label, len(w.got), w.max)
	}
	group, left := "", []*modelMessage{} // the run so far, and what its group has left
	finished := map[string]bool{}
	for i := range w.got {
		d := &w.got[i]
		if i == 0 || d.GroupID != group {
			if len(left) > 0 && !q.mayHoldBack(left) && !q.paged && !q.released && !q.mayBeFew(w) {
				return nil, fmt.Errorf("%s got %s: it left group %q before %s", w.label, modelGot(w.got), group, left[0].label)
			}
			if finished[d.GroupID] {
				return nil, fmt.Errorf("%s got %s: it came back to group %q", w.label, modelGot(w.got), d.GroupID)
			}
			group = d.GroupID
			finished[group] = true
			left = modelOfGroup(rest, group)
		}
		if len(left) == 0 || left[0].id != d.ID {
			return nil, fmt.Errorf("%s got %s: after %s group %q may go on with %s",
				w.label, modelGot(w.got), modelLabels(taken), group, modelLabels(left))
		}
		taken, left = append(taken, left[0]), left[1:]
	}
	return taken, nil
}

// mayHoldBack reports whether a receive may stop before ms: the first may be
// on its way to a dead-letter queue that then refused it, or the group may
// take its next turn after one that was moved.
func (q *modelQueue) mayHoldBack(ms []*modelMessage) bool { return q.dead != nil && q.poisoned(ms[0]) }

// checkExhausted makes sure that an answer with room left has left nothing.
func (q *modelQueue) checkExhausted(w *modelWaiter, rest, taken []*modelMessage) error {
	blocked := map[string]bool{}
	for _, m := range rest {
		switch {
		case slices.Contains(taken, m):
		case q.poisoned(m) && (q.refuses || m.refused):
			blocked[m.msg.GroupID] = true // its move was tried in vain
		case !blocked[m.msg.GroupID]:
			return fmt.Errorf("%s got %s, it left out %s", w.label, modelGot(w.got), m.label)
		}
	}
	return nil
}

// checkTurns makes sure that no group overtakes another that has had
// receivable messages since before it was served last.
func (q *modelQueue) checkTurns(w *modelWaiter, rest, taken []*modelMessage) error {
	served := map[string]bool{}
	for _, m := range taken {
		served[m.msg.GroupID] = true
	}
	for group := range served {
		last, before := q.fifo.lastServed[group]
		for _, m := range rest {
			other := m.msg.GroupID
			if since, ok := q.fifo.readySince[other]; before && ok && !served[other] && since < last {
				return fmt.Errorf("%s got %s: group %q was served again while %s of group %q has waited since before",
					w.label, modelGot(w.got), group, m.label, other)
			}
		}
	}
	return nil
}

// noteReadyGroups remembers since when each group has had receivable messages.
func (q *modelQueue) noteReadyGroups() {
	if q.kind != queue.FIFO {
		return
	}
	ready := map[string]bool{}
	for _, m := range q.receivable() {
		ready[m.msg.GroupID] = true
		if _, ok := q.fifo.readySince[m.msg.GroupID]; !ok {
			q.fifo.readySince[m.msg.GroupID] = q.fifo.turn
		}
	}
	for group := range q.fifo.readySince {
		if !ready[group] || q.fifo.lastServed[group] == q.fifo.turn {
			delete(q.fifo.readySince, group)
		}
		if ready[group] && q.fifo.lastServed[group] == q.fifo.turn {
			q.fifo.readySince[group] = q.fifo.turn
		}
	}
}

func modelOfGroup(ms []*modelMessage, group string) []*modelMessage {
	var of []*modelMessage
	for _, m := range ms {
		if m.msg.GroupID == group {
			of = append(of, m)
		}
	}
	return of
}

// original returns the message that a repeated send stands for, nil for a new
// one. The interval of five minutes counts from the original; whether its last
// instant belongs to it is not documented, so then unsure is true.
func (q *modelQueue) original(msg *queue.Message) (o *modelOriginal, unsure bool) {
	o = q.fifo.dedup[q.dedupKey(msg)]
	if o == nil || o.until < q.now {
		return nil, false
	}
	return o, o.until == q.now
}

// remember enters m, just sent, as the original of its deduplication ID.
func (q *modelQueue) remember(m *modelMessage) {
	q.fifo.dedup[q.dedupKey(&m.msg)] = &modelOriginal{m, q.now + modelMillis(queue.DeduplicationInterval)}
}

// forgetOriginal frees the deduplication ID of m, which was never sent.
func (q *modelQueue) forgetOriginal(m *modelMessage) {
	for key, o := range q.fifo.dedup {
		if o.m == m {
			delete(q.fifo.dedup, key)
		}
	}
}

// dedupKey: an explicit ID wins over the hash of the body, and one equal to a
// hash is the same ID.
func (q *modelQueue) dedupKey(msg *queue.Message) modelDedupKey {
	key := modelDedupKey{id: msg.DeduplicationID}
	if key.id == "" {
		sum := sha256.Sum256([]byte(msg.Body))
		key.id = hex.EncodeToString(sum[:])
	}
	if q.cfg.groupScope {
		key.group = msg.GroupID
	}
	return key
}

// reDelay applies a changed delay in retrospect, as Amazon documents for FIFO
// queues: counted from each message's sending.
func (q *modelQueue) reDelay() {
	for _, m := range slices.Concat(q.messages, q.lapsed) {
		if m.adopted {
			continue
		}
		m.dueAt = 0
		if q.cfg.delay > 0 {
			m.dueAt = m.sentAt + q.cfg.delay
		}
	}
}

// repeatable tells what a repeated receive attempt does: the same again, an
// error because a message of it was deleted or changed, or (fresh) a receive
// like any other. ok is false where no source says what happens.
func (q *modelQueue) repeatable(a *modelAttempt) (fresh bool, verdict modelVerdict, ok bool) {
	interval := modelMillis(queue.AttemptInterval)
	switch {
	case a == nil, len(a.taken) == 0, q.now > a.at+interval:
		return true, modelVerdict{nil}, true
	case q.now == a.at+interval:
		return false, nil, false
	}
	for i, m := range a.taken {
		if m.deleted || m.changed && m.receipt == a.got[i].Receipt {
			return false, modelVerdict{queue.ErrAttemptInvalid}, true
		}
	}
	for i, m := range a.taken {
		if !m.inFlight || m.receipt != a.got[i].Receipt || !slices.Contains(q.messages, m) {
			return false, nil, false // timed out since, or gone in another way
		}
	}
	return false, modelVerdict{nil}, true
}

// repeat checks the answer of a repeated attempt and restarts the timeouts.
func (q *modelQueue) repeat(a *modelAttempt, w *modelWaiter) error {
	if err := w.checkGot(a.taken); err != nil {
		return err
	}
	for i, m := range a.taken {
		d := &w.got[i]
		var diff modelDiff
		m.checkContent(&diff, &d.Message, d.ID)
		modelCheck(&diff, "Receipt", d.Receipt, a.got[i].Receipt)
		modelCheck(&diff, "ReceiveCount", d.ReceiveCount, m.receives)
		modelCheck(&diff, "VisibleAt", modelTime(d.VisibleAt.UnixMilli()), modelTime(q.now+w.visibility))
		if err := diff.err(w.label + ": repeated delivery of " + m.label); err != nil {
			return err
		}
		q.hide(m, w.visibility)
	}
	return nil
}
