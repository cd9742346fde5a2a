package engine

import (
	"github.com/restantemq/restante/queue"
)

// insert makes the slot of a message, in the state pending. The record is what
// else came with it, nil if it was sent. Times are in ms; dueAt is zero without
// a delay. Sequence numbers come in ascending order.
func (q *Queue) insert(seq uint64, m *queue.Message, r *queue.Record, sentAt, dueAt int64) (p *Page, i int, s *slot) {
	p = q.pageFor(seq)
	p.stored.bytes += int64(m.Size())
	i, s = q.put(p, seq, m, r, sentAt, dueAt)
	return p, i, s
}

// put is insert into a page that is known.
func (q *Queue) put(p *Page, seq uint64, m *queue.Message, r *queue.Record, sentAt, dueAt int64) (i int, s *slot) {
	i = int(seq - p.First)
	s = p.add(i)
	s.state = queue.Pending
	s.sentAt = stampOf(sentAt)
	if r != nil {
		s.firstAt, s.receives = stampOf(r.FirstReceivedAt), r.Receives
	}
	if m.Body == "" { // of a record that was read for the rest of it
		s.flags |= isOut
		p.stored.out++
	} else if r == nil && len(m.Body) <= maxSmall && m.Attributes == (queue.Attributes{}) &&
		m.GroupID == "" && m.DeduplicationID == "" && m.TraceHeader == "" { // most messages
		p.keep(i, s, m.Body)
	} else {
		p.store(i, s, m.Body, q.extraOf(seq, m, r), q.hint)
	}
	if q.store != nil && m.Body != "" {
		q.weigh(p, m.Size())
	}
	if sentAt < p.minSent {
		q.age(p, sentAt)
	}
	if dueAt != 0 {
		q.schedule(p, i, s, dueAt, sentAt)
	}
	q.stats.Pending++
	if r != nil && adopted(r) {
		s.flags |= isAdopted
	}
	if m.GroupID != "" {
		s.flags |= isGrouped
		if !p.stored.cold {
			q.order.Add(p, i, m.GroupID)
		}
	}
	return i, s
}

// extraOf returns what is to be kept of a message beside its body.
func (q *Queue) extraOf(seq uint64, m *queue.Message, r *queue.Record) []byte {
	e := extraFields{
		attributesField: m.Attributes.Encoded(), groupField: m.GroupID, dedupField: m.DeduplicationID, traceField: m.TraceHeader,
	}
	if r != nil {
		e[sourceField], e[reasonField] = r.DeadLetterSource, r.DeadLetterReason
		if r.ID != q.identity.id(seq) {
			e[idField] = string(r.ID[:])
		}
	}
	q.extra = e.encode(q.extra[:0])
	return q.extra
}

// pageFor returns the page that a new message falls into.
func (q *Queue) pageFor(seq uint64) *Page {
	if p := q.tail; p != nil && seq-p.First < pageSize {
		return p
	}
	return q.newPage(seq)
}

// newPage makes a page for a new message, and makes it the tail.
func (q *Queue) newPage(seq uint64) *Page {
	first, _ := firstOf(seq)
	if p := q.tail; p != nil {
		if len(p.slots) == pageSize {
			q.hint = p.textBytes()
		}
		if p.live == 0 {
			q.free(p)
		}
	}
	p := &Page{First: first, minSent: never, next: never}
	p.slots, p.bodies, p.links = q.spare.slots, q.spare.bodies, q.spare.links
	q.spare.slots, q.spare.bodies, q.spare.links = nil, nil, nil
	if p.bodies == nil { // the freed page was packed, or there was none
		p.bodies = make([]string, cap(p.slots))
	}
	q.pages.add(p)
	before := q.tail
	q.tail = p
	if q.store != nil {
		q.turnOver(p)
		if before != nil {
			q.rest(before)
		}
	} else {
		q.grow(p)
	}
	return p
}

// grow puts a new page among the young, and packs one that has fallen behind. A
// queue over a store doesn't pack: pages that fall behind go there.
func (q *Queue) grow(p *Page) {
	q.young = append(q.young, p)
	if len(q.young) <= youngPages {
		return
	}
	old := q.young[0]
	copy(q.young, q.young[1:])
	q.young = q.young[:youngPages]
	if old.live > 0 && old.young() {
		old.pack()
	}
}

// settle is where a message that is durable becomes delayed or visible. The step
// is traced: StepVisible for one that was sent, otherwise how it came here.
func (q *Queue) settle(p *Page, i int, s *slot, now int64, step queue.Step) {
	q.stats.Pending--
	if p.timed.Has(i) {
		if s.due.ms() > floor(now) {
			s.state = queue.Delayed
			q.stats.Delayed++
			if step == queue.StepVisible {
				step = queue.StepDelayed
			}
			q.trace(step, p.Seq(i), s.due.ms())
			return
		}
		p.timed.Unset(i)
	}
	q.trace(step, p.Seq(i), 0)
	q.show(p, i, s, queue.Pending)
}

// show makes a message receivable. The counter of its old state has been
// lowered already.
func (q *Queue) show(p *Page, i int, s *slot, was queue.State) {
	s.state = queue.Visible
	q.stats.Visible++
	if !p.stored.cold {
		q.order.Show(p, i, was)
	}
}
