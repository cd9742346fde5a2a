package queuetest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/restantemq/restante/queue"
)

// modelDiff collects differences between what was got and what was wanted.
type modelDiff []string

func modelCheck[T comparable](d *modelDiff, what string, got, want T) {
	if got != want {
		*d = append(*d, fmt.Sprintf("%s is %v, want %v", what, got, want))
	}
}

func (d modelDiff) err(what string) error {
	if len(d) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %s", what, strings.Join(d, "; "))
}

// checkDelivery compares a delivery with the message just taken.
func (q *modelQueue) checkDelivery(m *modelMessage, w *modelWaiter, d *queue.Delivery) error {
	var diff modelDiff
	m.checkContent(&diff, &d.Message, d.ID)
	modelCheck(&diff, "ReceiveCount", d.ReceiveCount, m.receives)
	modelCheck(&diff, "SentAt", modelTime(d.SentAt.UnixMilli()), modelTime(m.sentAt))
	modelCheck(&diff, "FirstReceivedAt", modelTime(d.FirstReceivedAt.UnixMilli()), modelTime(m.firstAt))
	modelCheck(&diff, "VisibleAt", modelTime(d.VisibleAt.UnixMilli()), modelTime(q.now+w.visibility))
	modelCheck(&diff, "DeadLetterSource", d.DeadLetterSource, m.source)
	modelCheck(&diff, "DeadLetterReason", d.DeadLetterReason, m.reason)
	if m.sequence == 0 && q.kind == queue.FIFO {
		m.sequence = d.Sequence // adopted: its number is told here first
	}
	modelCheck(&diff, "Sequence", d.Sequence, m.sequence)
	if parsed, err := queue.ParseReceipt(d.Receipt.String()); err != nil || parsed != d.Receipt {
		diff = append(diff, fmt.Sprintf("the receipt's text does not give it back: %v", err))
	}
	return diff.err(w.label + ": delivery of " + m.label)
}

func (m *modelMessage) checkContent(diff *modelDiff, msg *queue.Message, id queue.MessageID) {
	modelCheck(diff, "ID", id, m.id)
	modelCheck(diff, "Body", msg.Body, m.msg.Body)
	modelCheck(diff, "Attributes", msg.Attributes, m.msg.Attributes)
	modelCheck(diff, "GroupID", msg.GroupID, m.msg.GroupID)
	modelCheck(diff, "TraceHeader", msg.TraceHeader, m.msg.TraceHeader)
	if m.msg.DeduplicationID != "" { // else it may or may not show the hash
		modelCheck(diff, "DeduplicationID", msg.DeduplicationID, m.msg.DeduplicationID)
	}
}

// checkPeek compares all that the queue has with the model. A message still
// pending is met here for the first time, so its ID is learnt.
func (q *modelQueue) checkPeek(all []queue.Peeked) error {
	if len(all) != len(q.messages) {
		return fmt.Errorf("%s: Peek shows %s, want %s", q.name, q.describePeek(all), q.describe())
	}
	q.orderAdopted(all)
	position := uint64(0)
	for i := range all {
		p, m := &all[i], q.messages[i]
		if p.Position <= position {
			return fmt.Errorf("%s: Peek shows position %d after %d", q.name, p.Position, position)
		}
		position = p.Position
		if err := q.checkPeeked(m, p); err != nil {
			return err
		}
	}
	return nil
}

// orderAdopted puts messages adopted since the last look in the order in which
// they are seen: those that several receives moved in one instant come in any.
func (q *modelQueue) orderAdopted(all []queue.Peeked) {
	fresh := slices.IndexFunc(q.messages, func(m *modelMessage) bool { return m.adopted && m.position == 0 })
	if fresh < 0 {
		return
	}
	place := func(m *modelMessage) int {
		return slices.IndexFunc(all, func(p queue.Peeked) bool { return p.ID == m.id })
	}
	slices.SortStableFunc(q.messages[fresh:], func(a, b *modelMessage) int { return cmp.Compare(place(a), place(b)) })
}

func (q *modelQueue) checkPeeked(m *modelMessage, p *queue.Peeked) error {
	if m.pending && m.id == (queue.MessageID{}) {
		m.id = p.ID
	}
	m.position = cmp.Or(m.position, p.Position)
	var diff modelDiff
	m.checkContent(&diff, &p.Message, p.ID)
	modelCheck(&diff, "Position", p.Position, m.position)
	modelCheck(&diff, "State", p.State, q.state(m))
	modelCheck(&diff, "ReceiveCount", p.ReceiveCount, m.receives)
	modelCheck(&diff, "SentAt", modelTime(p.SentAt.UnixMilli()), modelTime(m.sentAt))
	modelCheck(&diff, "FirstReceivedAt", modelStamp(p.FirstReceivedAt), modelTime(m.firstAt))
	if !m.pending {
		modelCheck(&diff, "VisibleAt", modelStamp(p.VisibleAt), modelTime(q.visibleAt(m)))
	}
	modelCheck(&diff, "DeadLetterSource", p.DeadLetterSource, m.source)
	modelCheck(&diff, "DeadLetterReason", p.DeadLetterReason, m.reason)
	return diff.err(q.name + ": Peek of " + m.label)
}

// describe lists the live messages and their states.
func (q *modelQueue) describe() string {
	var b strings.Builder
	for _, m := range q.messages {
		fmt.Fprintf(&b, "[%s %v] ", m.label, q.state(m))
	}
	return cmp.Or(strings.TrimSpace(b.String()), "nothing")
}

func (q *modelQueue) describePeek(all []queue.Peeked) string {
	var b strings.Builder
	for i := range all {
		fmt.Fprintf(&b, "[%s %v] ", modelLabel(all[i].Body), all[i].State)
	}
	return cmp.Or(strings.TrimSpace(b.String()), "nothing")
}

// modelLabel returns the label that a body begins with.
func modelLabel(body string) string {
	label, _, _ := strings.Cut(body, " ")
	return label
}

// modelStamp prints the zero Time like the time zero, which means never.
func modelStamp(t time.Time) string {
	if t.IsZero() {
		return modelTime(0)
	}
	return modelTime(t.UnixMilli())
}

// modelEpoch is when the clock of a synctest bubble starts; reports count from
// there.
var modelEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()

func modelTime(ms int64) string {
	if ms == 0 {
		return "never"
	}
	return (time.Duration(ms-modelEpoch) * time.Millisecond).String()
}
