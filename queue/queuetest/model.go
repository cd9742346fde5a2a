package queuetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/restantemq/restante/queue"
)

// The model is a queue so simple that it is obviously right: a slice of
// messages, each with its state spelled out, and every operation a scan. It is
// written from the documentation of Amazon SQS and from the contracts of
// package queue. It keeps time in whole milliseconds, moved by advance alone.
//
// Where the contracts leave a choice the model does not predict: it is told
// the answer and judges it.

// modelMessage is a message that was accepted.
type modelMessage struct {
	label    string // what reports call it
	id       queue.MessageID
	msg      queue.Message // as sent
	sequence uint64        // FIFO, as Send told; zero if it has not told
	position uint64        // as Peek told first; constant from then on

	pending  bool  // sent, and the store has not confirmed it
	adopted  bool  // came from another queue, so no delay applies
	inFlight bool  // received, and hiddenUntil has not passed
	gone     bool  // deleted, expired, moved or purged
	deleted  bool  // gone by Delete
	leaving  bool  // gone, and the store has not confirmed it
	changed  bool  // visibility changed since the latest receive
	refused  bool  // a receive may have tried in vain to move it away
	batch    int   // of the send: its messages survive a crash together
	sentAt   int64 // all times in ms since 1970
	dueAt    int64 // end of the delay; zero if there was none

	hiddenUntil int64
	receives    int
	firstAt     int64         // first receive
	lastAt      int64         // latest receive; zero before one, and after a restart
	receipt     queue.Receipt // of the latest receive

	source, reason string // dead letters

	// Lower bounds of the receive count after a crash.
	written, durable int
}

// modelWaiter is a Receive from its call until its answer is judged.
type modelWaiter struct {
	label      string
	max        int
	visibility int64
	arrived    int64
	deadline   int64 // arrived, for a short poll
	byDefault  bool  // the visibility is the queue's

	done   bool // the call has returned
	doneAt int64
	got    []queue.Delivery
	err    error
}

// modelConfig is what the model needs of a queue.Config, defaults filled in.
type modelConfig struct {
	visibility, delay, retention, wait int64 // ms
	fenced                             bool
	contentDedup, groupScope           bool
	maxReceives                        int // zero: no dead-letter queue
}

func newModelConfig(cfg queue.Config) modelConfig {
	return modelConfig{
		visibility:   modelChoice(cfg.VisibilityTimeout, queue.DefaultVisibility),
		delay:        modelChoice(cfg.Delay, 0),
		retention:    modelChoice(cfg.Retention, queue.DefaultRetention),
		wait:         modelChoice(cfg.ReceiveWait, 0),
		fenced:       cfg.FencedReceipts,
		contentDedup: cfg.ContentDeduplication,
		groupScope:   cfg.DeduplicationScope == queue.ScopeMessageGroup,
		maxReceives:  cfg.DeadLetter.MaxReceives,
	}
}

// modelChoice resolves a duration for which zero means the default, in ms.
func modelChoice(d, otherwise time.Duration) int64 {
	switch d {
	case 0:
		return modelMillis(otherwise)
	case queue.None:
		return 0
	}
	return modelMillis(d)
}

// modelMillis rounds up: a message never comes back early.
func modelMillis(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}

// modelQueue is the model of one queue.
type modelQueue struct {
	name string
	kind queue.Kind
	cfg  modelConfig
	now  int64

	messages []*modelMessage // live, in the order of their sending or adoption
	lapsed   []*modelMessage // expired, and the store may not know it
	stats    queue.Stats     // what came and went; the states are counted when asked
	waiters  []*modelWaiter  // in the order of arrival
	receipts []*modelReceipt // all that were handed out
	issued   map[queue.Receipt]bool

	// Sends were confirmed just now. They need not become visible in one go, so
	// who waits may get fewer than all of them.
	released bool

	dead    *modelQueue
	refuses bool // can't adopt now: closed, or its store is full
	full    bool // the store drops receive counts

	// The queue keeps only a window of its messages in memory: a FIFO queue need
	// not know of more messages of a group, or of older groups, beyond it.
	paged bool
	// The queue was opened again, so its messages lie in many pages: in an instant
	// they become visible one page after the other, and who waits is served between.
	reopened bool

	fifo modelGroups
}

func newModelQueue(name string, kind queue.Kind, cfg modelConfig, now int64) *modelQueue {
	q := &modelQueue{name: name, kind: kind, cfg: cfg, now: now}
	q.issued = map[queue.Receipt]bool{}
	q.fifo = newModelGroups()
	return q
}

// state returns where m is in its life.
func (q *modelQueue) state(m *modelMessage) queue.State {
	switch {
	case m.gone:
		return 0
	case m.pending:
		return queue.Pending
	case m.inFlight:
		return queue.InFlight
	case m.dueAt > q.now:
		return queue.Delayed
	}
	return queue.Visible
}

// visibleAt returns when the state of m ends by itself, zero for never.
func (q *modelQueue) visibleAt(m *modelMessage) int64 {
	switch q.state(m) {
	case queue.InFlight:
		return m.hiddenUntil
	case queue.Delayed:
		return m.dueAt
	}
	return 0
}

// send adds a message that is pending until confirm.
func (q *modelQueue) send(m *modelMessage) {
	m.pending, m.sentAt = true, q.now
	delay := modelChoice(m.msg.Delay, time.Duration(q.cfg.delay)*time.Millisecond)
	if q.kind == queue.FIFO {
		delay = q.cfg.delay // one delay for all, so that the order holds
	}
	if delay > 0 {
		m.dueAt = q.now + delay
	}
	q.messages = append(q.messages, m)
	q.stats.Accepted++
}

// remove takes m out for good.
func (q *modelQueue) remove(m *modelMessage, counter *uint64) {
	m.gone = true
	q.messages = slices.DeleteFunc(q.messages, func(n *modelMessage) bool { return n == m })
	*counter++
}

// purge removes everything, whatever its state, and forgets deduplication.
func (q *modelQueue) purge() {
	for _, m := range slices.Clone(q.messages) {
		q.remove(m, &q.stats.Purged)
	}
	clear(q.fifo.dedup)
}

// hide applies a visibility timeout counted from now.
func (q *modelQueue) hide(m *modelMessage, d int64) {
	m.inFlight, m.hiddenUntil = d > 0, q.now+d
}

// moveTo hands m to the dead-letter queue: the ID, the counts and the times of
// a Standard message stay; a FIFO message is enqueued anew there.
func (q *modelQueue) moveTo(dead *modelQueue, m *modelMessage, reason string) {
	q.remove(m, &q.stats.Moved)
	a := &modelMessage{
		label: m.label, id: m.id, msg: m.msg, adopted: true,
		sentAt: m.sentAt, firstAt: m.firstAt, receives: m.receives,
		source: q.name, reason: reason,
		written: m.receives, durable: m.receives,
	}
	if dead.kind == queue.FIFO {
		a.sentAt = dead.now
		a.msg.DeduplicationID = m.id.String()
	}
	dead.messages = append(dead.messages, a)
	dead.stats.Adopted++
	dead.released = true // one Receive may move its messages in several steps, and polls there see each
}

// poisoned reports whether m, picked by a receive, moves away instead.
func (q *modelQueue) poisoned(m *modelMessage) bool {
	return q.dead != nil && q.cfg.maxReceives > 0 && m.receives >= q.cfg.maxReceives
}

// nextEvent returns the earliest time after now at which something happens by
// itself.
func (q *modelQueue) nextEvent() (at int64, ok bool) {
	consider := func(t int64) {
		if t > q.now && (!ok || t < at) {
			at, ok = t, true
		}
	}
	for _, m := range q.messages {
		consider(q.visibleAt(m))
		consider(m.sentAt + q.cfg.retention)
	}
	for _, w := range q.waiters {
		consider(w.deadline)
	}
	return at, ok
}

// settle carries out what the present time brings, in this order: retention,
// timeouts, waiters in the order of their arrival, the ends of waits.
func (q *modelQueue) settle(seen modelSight) error {
	q.lapse()
	for _, w := range slices.Clone(q.waiters) {
		if err := q.serve(w, seen); err != nil {
			return err
		}
	}
	for _, w := range slices.Clone(q.waiters) {
		if w.deadline > q.now {
			continue
		}
		if err := q.giveUp(w); err != nil {
			return err
		}
	}
	q.noteReadyGroups()
	q.released = false
	return nil
}

// lapse lets retention and visibility timeouts pass.
func (q *modelQueue) lapse() {
	for _, m := range slices.Clone(q.messages) {
		switch {
		case m.pending:
		case m.sentAt+q.cfg.retention <= q.now:
			q.remove(m, &q.stats.Expired)
			m.inFlight = false // nobody holds it any more, and no attempt can be repeated with it
			q.lapsed = append(q.lapsed, m)
		case m.inFlight && m.hiddenUntil <= q.now:
			m.inFlight = false
		}
	}
}

// serve judges the answer to w if it must have got one by now.
func (q *modelQueue) serve(w *modelWaiter, seen modelSight) error {
	if w.arrived < q.now && w.deadline == q.now && w.done && w.err == nil && len(w.got) == 0 {
		// Its wait ended in the instant a message came: either is right. It may
		// have moved messages away before it gave up.
		q.moveAll(q.movedAway(w, q.receivable(), seen))
		return nil
	}
	if w.done && w.err != nil {
		return fmt.Errorf("%s returned %s", w.label, modelError(w.err))
	}
	taken, moved, err := q.judge(w, seen)
	if err != nil {
		return err
	}
	q.moveAll(moved)
	if len(taken) == 0 {
		return nil
	}
	q.drop(w)
	for i, m := range taken {
		if err := q.take(m, w, &w.got[i]); err != nil {
			return err
		}
	}
	return w.checkReturned(q.now)
}

func (q *modelQueue) moveAll(ms []*modelMessage) {
	for _, m := range ms {
		q.moveTo(q.dead, m, "")
	}
}

// take makes m a delivery of w, and checks what w got.
func (q *modelQueue) take(m *modelMessage, w *modelWaiter, d *queue.Delivery) error {
	m.receives++
	if !q.full {
		m.written = m.receives
	}
	if m.firstAt == 0 {
		m.firstAt = q.now
	}
	m.lastAt, m.receipt, m.changed, m.refused = q.now, d.Receipt, false, false
	q.hide(m, w.visibility)
	q.stats.Received++
	q.fifo.lastServed[m.msg.GroupID] = q.fifo.turn
	if q.issued[d.Receipt] {
		return fmt.Errorf("%s: delivery of %s has the receipt of an earlier receive", w.label, m.label)
	}
	q.issued[d.Receipt] = true
	q.receipts = append(q.receipts, &modelReceipt{of: q, m: m, r: d.Receipt, at: q.now})
	return q.checkDelivery(m, w, d)
}

// giveUp ends w with the empty answer.
func (q *modelQueue) giveUp(w *modelWaiter) error {
	q.drop(w)
	if err := w.checkReturned(q.now); err != nil {
		return err
	}
	if len(w.got) > 0 {
		return fmt.Errorf("%s got %d deliveries, want none", w.label, len(w.got))
	}
	return nil
}

// drop takes w off the list of those who wait.
func (q *modelQueue) drop(w *modelWaiter) {
	q.waiters = slices.DeleteFunc(q.waiters, func(v *modelWaiter) bool { return v == w })
}

// waits reports whether w is on that list.
func (q *modelQueue) waits(w *modelWaiter) bool { return slices.Contains(q.waiters, w) }

func (w *modelWaiter) checkReturned(now int64) error {
	switch {
	case !w.done:
		return fmt.Errorf("%s still waits, it should have returned at %s", w.label, modelTime(now))
	case w.err != nil:
		return fmt.Errorf("%s returned %s", w.label, modelError(w.err))
	case w.doneAt != now:
		return fmt.Errorf("%s returned at %s, want %s", w.label, modelTime(w.doneAt), modelTime(now))
	}
	return nil
}

// counters returns the statistics as they must be now.
func (q *modelQueue) counters() queue.Stats {
	s := q.stats
	for _, m := range q.messages {
		switch q.state(m) {
		case queue.Pending:
			s.Pending++
		case queue.Delayed:
			s.Delayed++
		case queue.Visible:
			s.Visible++
		case queue.InFlight:
			s.InFlight++
		}
	}
	s.Waiting = len(q.waiters)
	return s
}

// modelSight tells what can be seen of a message from outside, for answers
// that leave a choice: whether the queue still has it.
type modelSight func(m *modelMessage) bool
