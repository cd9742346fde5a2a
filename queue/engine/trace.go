package engine

import "github.com/restantemq/restante/queue"

// trace notes a step of a message for the Trace, if there is one. Until is a
// deadline in ms, or zero. The caller must hold q.mu, and the message must still
// have its slot.
func (q *Queue) trace(step queue.Step, seq uint64, until int64) {
	if q.traced && step != 0 {
		q.note(step, seq, until)
	}
}

func (q *Queue) note(step queue.Step, seq uint64, until int64) {
	p, i, s := q.find(seq)
	body, e := p.content(i, s)
	q.events = append(q.events, queue.Event{
		Step: step, At: instant(floor(q.clock.now())), Queue: q.config.Load().Name,
		ID: q.idOf(seq, &e), Body: body, GroupID: e[groupField], Position: seq, ReceiveCount: int(s.receives), Until: instant(until),
	})
}

// deliverEvents hands noted events to the Trace, outside the lock, one at a
// time and in order: those that others note meanwhile come after. The caller
// must hold q.mu; it is free afterwards.
func (q *Queue) deliverEvents() {
	q.tracing = true
	q.enter()
	defer func() { // also when a Trace panics
		q.tracing = false
		q.leave()
		q.mu.Unlock()
	}()
	for len(q.events) > 0 {
		events, trace := q.events, q.config.Load().Trace
		q.events = nil
		if trace == nil || trace.Message == nil { // removed meanwhile
			continue
		}
		func() {
			q.mu.Unlock()
			defer q.mu.Lock()
			for i := range events {
				trace.Message(events[i])
			}
		}()
	}
}
