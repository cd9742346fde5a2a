package queuetest

import (
	"fmt"
	"slices"

	"github.com/restantemq/restante/queue"
)

// judge returns what w takes and what its receive moves to the dead-letter
// queue, or the error that its answer is. It changes nothing.
func (q *modelQueue) judge(w *modelWaiter, seen modelSight) (taken, moved []*modelMessage, err error) {
	switch {
	case q.kind == queue.FIFO:
		return q.judgeGroups(w, seen)
	case q.paged && w.deadline > w.arrived, q.refuses && q.cfg.maxReceives > 0, q.tenanted(), slices.ContainsFunc(q.receivable(), wasRefused):
		return q.judgeLoosely(w, seen)
	}
	return q.judgeExactly(w)
}

// judgeExactly is for a Standard queue without tenants, whose order this
// library fixes: the visible messages in the order of their sending, so that
// one which comes back goes ahead of younger ones.
func (q *modelQueue) judgeExactly(w *modelWaiter) (taken, moved []*modelMessage, err error) {
	for _, m := range q.receivable() {
		if len(taken) == w.max {
			break
		}
		if q.poisoned(m) {
			moved = append(moved, m)
		} else {
			taken = append(taken, m)
		}
	}
	if len(taken) == 0 || !w.done {
		return taken, moved, q.checkUnserved(w, taken)
	}
	if n := len(w.got); (q.released || q.mayBeFew(w)) && 0 < n && n < len(taken) {
		taken = taken[:n]
	}
	return taken, moved, w.checkGot(taken)
}

func wasRefused(m *modelMessage) bool { return m.refused }

// checkUnserved is for a receiver that has not returned: then there must have
// been nothing for it.
func (q *modelQueue) checkUnserved(w *modelWaiter, taken []*modelMessage) error {
	if len(taken) > 0 {
		return fmt.Errorf("%s still waits at %s, it should have got %s", w.label, modelTime(q.now), modelLabels(taken))
	}
	return nil
}

// mayBeFew reports whether w may have got fewer than there were: one that waited
// gets what is in memory when something is.
func (q *modelQueue) mayBeFew(w *modelWaiter) bool {
	return (q.paged || q.reopened) && w.deadline > w.arrived && len(w.got) > 0
}

// checkGot compares the messages that w got with those it must have got.
func (w *modelWaiter) checkGot(want []*modelMessage) error {
	same := func(d queue.Delivery, m *modelMessage) bool { return d.ID == m.id }
	if !slices.EqualFunc(w.got, want, same) {
		return fmt.Errorf("%s got %s, want %s", w.label, modelGot(w.got), modelLabels(want))
	}
	return nil
}

// judgeLoosely is for answers that are not fixed. Fairness may put the tenants
// in any order, not the messages of one of them. And what a dead-letter queue
// refuses is delivered again, by this receive or the next, even if the
// dead-letter queue would take it by then. A queue that is paged serves who waits
// with what is in memory, and tenants before older pages.
func (q *modelQueue) judgeLoosely(w *modelWaiter, seen modelSight) (taken, moved []*modelMessage, err error) {
	rest := q.receivable()
	moved = q.movedAway(w, rest, seen)
	if !w.done {
		return nil, moved, q.checkUnserved(w, q.withoutPoisoned(rest))
	}
	next := map[string]int{} // by tenant, the least index in rest that may come
	for i := range w.got {
		at := slices.IndexFunc(rest, func(m *modelMessage) bool { return m.id == w.got[i].ID })
		if at < 0 {
			return nil, nil, fmt.Errorf("%s got %s, which is not receivable; receivable are %s",
				w.label, modelGot(w.got[i:i+1]), modelLabels(rest))
		}
		m := rest[at]
		if at < next[m.msg.GroupID] && !q.refuses && !q.paged {
			return nil, nil, fmt.Errorf("%s got %s: %s is older than the one before", w.label, modelGot(w.got), m.label)
		}
		next[m.msg.GroupID] = at
		taken = append(taken, m)
	}
	return taken, moved, q.checkNoneSkipped(w, rest, taken, moved)
}

// movedAway returns those of rest that w's receive has moved to the dead-letter
// queue, as far as can be seen, and notes which it may have failed to move.
func (q *modelQueue) movedAway(w *modelWaiter, rest []*modelMessage, seen modelSight) (moved []*modelMessage) {
	for _, m := range rest {
		switch {
		case !q.poisoned(m) || w.has(m):
		case q.refuses:
			m.refused = true
		case !seen(m):
			moved = append(moved, m)
		}
	}
	return moved
}

// checkNoneSkipped makes sure that no message was left behind an answer that
// had room for it, nor an older one of a tenant behind a younger.
func (q *modelQueue) checkNoneSkipped(w *modelWaiter, rest, taken, moved []*modelMessage) error {
	passed := map[string]*modelMessage{}
	for _, m := range rest {
		used := slices.Contains(taken, m) || slices.Contains(moved, m)
		switch {
		case q.poisoned(m) && (q.refuses || m.refused):
			// This receive may have tried to move it away.
		case !used && len(taken) < w.max && !q.released && !q.mayBeFew(w):
			return fmt.Errorf("%s got %s, it left out %s", w.label, modelGot(w.got), m.label)
		case !used && passed[m.msg.GroupID] == nil:
			passed[m.msg.GroupID] = m
		case used && passed[m.msg.GroupID] != nil && !q.paged:
			return fmt.Errorf("%s got %s ahead of the older %s", w.label, m.label, passed[m.msg.GroupID].label)
		}
	}
	return nil
}

// withoutPoisoned leaves out what a receive would move away, and what may be
// stuck behind it.
func (q *modelQueue) withoutPoisoned(ms []*modelMessage) []*modelMessage {
	stuck := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(ms), func(m *modelMessage) bool {
		if q.poisoned(m) && q.refuses && q.kind == queue.FIFO {
			stuck[m.msg.GroupID] = true
		}
		return q.poisoned(m) || stuck[m.msg.GroupID]
	})
}

// receivable returns what the next receive may take, in order.
func (q *modelQueue) receivable() []*modelMessage {
	var ms []*modelMessage
	for _, m := range q.messages {
		if q.state(m) == queue.Visible && (q.kind == queue.Standard || q.unblocked(m)) {
			ms = append(ms, m)
		}
	}
	return ms
}

// tenanted reports whether fairness may have a say in the order.
func (q *modelQueue) tenanted() bool {
	return slices.ContainsFunc(q.messages, func(m *modelMessage) bool { return m.msg.GroupID != "" })
}

func modelLabels(ms []*modelMessage) string {
	labels := []string{}
	for _, m := range ms {
		labels = append(labels, m.label)
	}
	return fmt.Sprint(labels)
}

func modelGot(ds []queue.Delivery) string {
	labels := []string{}
	for i := range ds {
		labels = append(labels, modelLabel(ds[i].Body))
	}
	return fmt.Sprint(labels)
}
