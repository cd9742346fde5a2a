package queuetest

import (
	"fmt"
	"slices"

	"github.com/restantemq/restante/queue"
)

// confirmed notes that everything the store was told has become durable.
func (q *modelQueue) confirmed() {
	q.lapsed = nil
	for _, m := range q.messages {
		m.durable = m.written
	}
}

// survive compares the queue, opened again after a crash, with what must have
// survived, and goes on from there: what was acknowledged is there, what was
// acknowledged as gone is not, the rest is as the crash had it, but in the
// order of the log. What has expired may be back if the retention was raised
// since: nobody was told that it is gone. leaving are the messages whose deletion was not
// acknowledged; atLeast tells the smallest receive count a message may have.
func (q *modelQueue) survive(all []queue.Peeked, s queue.Stats, leaving []*modelMessage, atLeast func(*modelMessage) int) error {
	q.lapse()
	q.waiters = nil
	candidates := slices.Concat(q.messages, leaving, q.lapsed)
	survivors := []*modelMessage{}
	for i := range all {
		m := q.findSurvivor(candidates, &all[i])
		if m == nil || slices.Contains(survivors, m) {
			return fmt.Errorf("%s: after the restart Peek shows %s, which is gone or was never sent",
				q.name, modelLabel(all[i].Body))
		}
		if err := m.comeBack(&all[i], atLeast(m)); err != nil {
			return fmt.Errorf("%s: after the restart %s: %w", q.name, m.label, err)
		}
		survivors = append(survivors, m)
	}
	if err := q.checkSurvivors(survivors); err != nil {
		return err
	}
	for _, m := range leaving {
		m.leaving = false // what is gone now is so for good
	}
	q.messages = survivors
	q.lapsed = slices.DeleteFunc(q.lapsed, func(m *modelMessage) bool { return slices.Contains(survivors, m) })
	q.fifo.restart()
	q.stats = queue.Stats{Recovered: s.Recovered, Expired: s.Expired}
	if s.Recovered != uint64(len(survivors))+s.Expired {
		return fmt.Errorf("%s: after the restart Recovered is %d and Expired %d, with %d messages",
			q.name, s.Recovered, s.Expired, len(survivors))
	}
	return nil
}

func (q *modelQueue) findSurvivor(candidates []*modelMessage, p *queue.Peeked) *modelMessage {
	for _, m := range candidates {
		if m.id == p.ID || m.id == (queue.MessageID{}) && m.msg.Body == p.Body {
			return m
		}
	}
	return nil
}

// comeBack makes m what a restart makes it: not in flight, with the receive
// count that survived.
func (m *modelMessage) comeBack(p *queue.Peeked, atLeast int) error {
	if p.ReceiveCount < atLeast || p.ReceiveCount > m.receives {
		return fmt.Errorf("ReceiveCount is %d, want %d to %d", p.ReceiveCount, atLeast, m.receives)
	}
	m.id = p.ID
	m.gone, m.deleted, m.leaving, m.inFlight = false, false, false, false
	m.receives, m.written, m.durable = p.ReceiveCount, p.ReceiveCount, p.ReceiveCount
	m.lastAt, m.receipt = 0, queue.Receipt{}
	if m.receives == 0 {
		m.firstAt = 0
	} else {
		m.dueAt = 0 // over, whatever the queue's delay became since
	}
	return nil
}

// checkSurvivors makes sure that nothing acknowledged is lost, and that of the
// unacknowledged sends the earlier ones survived, each batch as a whole. What
// was lost was never sent, and its deduplication ID is free.
func (q *modelQueue) checkSurvivors(survivors []*modelMessage) error {
	var lost *modelMessage
	for _, m := range q.messages {
		switch survived := slices.Contains(survivors, m); {
		case !survived && !m.pending:
			return fmt.Errorf("%s: the restart lost %s; left are %s", q.name, m.label, modelLabels(survivors))
		case !survived:
			lost = m
			q.forgetOriginal(m)
			m.gone = true
		case m.pending && lost != nil:
			return fmt.Errorf("%s: the restart lost %s and kept %s, which was sent with it or later", q.name, lost.label, m.label)
		}
		m.pending = false
	}
	return nil
}
