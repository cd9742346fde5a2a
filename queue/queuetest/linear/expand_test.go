package linear

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/restantemq/restante/queue"
)

// Rows of the visualization that belong to no client.
const (
	adopter = 90 + iota // the one who moves messages
	parker              // the one who looks at waiting receivers
)

// grace is how close before the instant in which a waiting receiver returns the
// queue may still have had something for it.
const grace = time.Millisecond

// An expansion turns a history of calls into one of operations of the model.
type expansion struct {
	*history
	ops    []porcupine.Operation
	faults []string // what is wrong without any search

	facts   [2]map[queue.MessageID]*fact
	at      []time.Duration // instant of each number of the counter
	instant [][2]int64      // first and last number of the instant of each number
	left    map[queue.MessageID]bool
}

// expand prepares a history for the checker.
func expand(h *history) *expansion {
	x := &expansion{history: h, left: map[queue.MessageID]bool{}}
	x.faults = append(x.faults, h.broken...)
	x.clock()
	x.collect()
	for _, c := range h.calls {
		x.call(c)
	}
	x.parked()
	x.turns()
	return x
}

// fault notes that something is wrong with a call.
func (x *expansion) fault(c *call, format string, args ...any) {
	x.faults = append(x.faults, fmt.Sprintf("%d-%d: %s", c.begin, c.end, fmt.Sprintf(format, args...)))
}

// clock finds the instants: runs of the counter at the same virtual time.
func (x *expansion) clock() {
	n := int64(2*len(x.calls)) + 1
	x.at = make([]time.Duration, n)
	x.instant = make([][2]int64, n)
	for _, c := range x.calls {
		x.at[c.begin], x.at[c.end] = c.from, c.to
	}
	for first := int64(1); first < n; {
		last := first
		for last+1 < n && x.at[last+1] == x.at[first] {
			last++
		}
		for i := first; i <= last; i++ {
			x.instant[i] = [2]int64{first, last}
		}
		first = last + 1
	}
}

// The checker's time is eight times the counter, which leaves room in between.
func point(number int64) int64 { return 8 * number }

// before is just before the instant of a number, after just after it.
func (x *expansion) before(number int64) int64 { return point(x.instant[number][0]) - 2 }
func (x *expansion) after(number int64) int64  { return point(x.instant[number][1]) + 2 }

// add adds an operation to a partition.
func (x *expansion) add(client int, call, ret int64, s *step) {
	x.ops = append(x.ops, porcupine.Operation{ClientId: client, Input: s, Call: call, Return: ret})
}

// partition names the object that is a group of a queue.
func partition(q int, group string) string { return fmt.Sprintf("queue %d, group %s", q, group) }

// collect finds all messages and checks what deliveries say of them.
func (x *expansion) collect() {
	x.facts = [2]map[queue.MessageID]*fact{{}, {}}
	learn := func(c *call, id queue.MessageID, m queue.Message, sequence uint64) {
		if x.facts[c.queue][id] != nil {
			x.fault(c, "message ID %v came in twice", id)
			return
		}
		x.facts[c.queue][id] = &fact{
			name: fmt.Sprintf("%s:#%d", m.GroupID, sequence), group: m.GroupID, body: m.Body,
			sequence: sequence, sentAt: c.to, movedAt: -1,
		}
	}
	for _, c := range x.calls {
		switch {
		case c.err != nil:
		case c.kind == callSend:
			if len(c.sent) != len(c.messages) {
				x.fault(c, "%d answers to %d messages", len(c.sent), len(c.messages))
				continue
			}
			for i, sent := range c.sent {
				if !sent.Duplicate {
					learn(c, sent.ID, c.messages[i], sent.Sequence)
				}
			}
		case c.kind == callAdopt:
			for _, r := range c.records {
				learn(c, r.ID, r.Message, 0)
				if f := x.facts[0][r.ID]; f != nil {
					f.movedAt = c.to
				}
			}
		case c.kind == callDeadLetter:
			for i, d := range c.used {
				if c.errs[i] == nil {
					x.left[d.ID] = true
				}
			}
		}
	}
	for _, c := range x.calls {
		for i := range c.got {
			d := &c.got[i]
			f := x.facts[c.queue][d.ID]
			if f == nil {
				x.fault(c, "a message was delivered that nobody sent: #%d", d.Sequence)
				continue
			}
			if f.sequence == 0 {
				f.sequence = d.Sequence
				f.name = fmt.Sprintf("%s:#%d", f.group, d.Sequence)
			}
			if d.Sequence != f.sequence || d.Body != f.body || d.GroupID != f.group {
				x.fault(c, "%s:%q was delivered as %s:#%d %q", f.name, f.body, d.GroupID, d.Sequence, d.Body)
			}
			if at := d.SentAt.Sub(epoch); at != f.sentAt {
				x.fault(c, "%s was sent at %v, and delivered as sent at %v", f.name, f.sentAt, at)
			}
		}
	}
}

// call adds the operations of a call.
func (x *expansion) call(c *call) {
	if c.kind != callReceive && c.from != c.to {
		x.fault(c, "a call that doesn't wait took %v", c.to-c.from)
		return
	}
	if c.err != nil && c.kind != callReceive {
		x.fault(c, "%v", c.err)
		return
	}
	s := step{now: c.to, limit: x.cfg[c.queue].DeadLetter.MaxReceives}
	switch c.kind {
	case callSend:
		x.send(c, s)
	case callReceive:
		x.receive(c, s)
	case callDelete, callChange, callDeadLetter:
		x.use(c, s)
	case callAdopt:
		x.adopt(c, s)
	}
}

// send adds a Send: for each message an operation on the memory of its
// deduplication ID, and if it is new, one on its group.
func (x *expansion) send(c *call, s step) {
	cfg := &x.cfg[c.queue]
	for i, sent := range c.sent {
		m := &c.messages[i]
		key := "id " + m.DeduplicationID
		if m.DeduplicationID == "" {
			key = "body " + m.Body
		}
		if cfg.DeduplicationScope == queue.ScopeMessageGroup {
			key += " in group " + m.GroupID
		}
		memory := s
		memory.verb, memory.sent = doDeduplicate, sent
		memory.sent.Duplicate = sent.Duplicate
		memory.partition = fmt.Sprintf("queue %d, %s", c.queue, key)
		x.add(c.client, point(c.begin), point(c.end), &memory)

		f := x.facts[c.queue][sent.ID]
		if sent.Duplicate || f == nil {
			continue
		}
		group := s
		group.verb, group.fact = doAppend, f
		group.partition = partition(c.queue, m.GroupID)
		group.hidden = s.now + max(cfg.Delay, 0)
		x.add(c.client, point(c.begin), point(c.end), &group)
	}
}

// receive adds a Receive: an operation on each group it delivered from, or an
// empty one on all.
func (x *expansion) receive(c *call, s step) {
	cfg := &x.cfg[c.queue]
	wait := given(c.options.Wait, cfg.ReceiveWait)
	begin := point(c.begin)
	if c.from != c.to {
		begin = x.before(c.end)
	}
	switch took := c.to - c.from; {
	case c.err != nil:
		if !errors.Is(c.err, context.DeadlineExceeded) || len(c.got) > 0 || c.cancel == 0 {
			x.fault(c, "%v", c.err)
		} else if took != c.cancel {
			x.fault(c, "the receive was canceled after %v and returned after %v", c.cancel, took)
		}
		return // nothing has happened
	case len(c.got) == 0:
		if took != wait {
			x.fault(c, "the receive was to wait for %v and returned nothing after %v", wait, took)
			return
		}
		s.verb, s.excused = doEmpty, x.excused(c)
		for _, group := range x.groups {
			empty := s
			empty.partition = partition(c.queue, group)
			x.add(c.client, begin, point(c.end), &empty)
		}
		return
	case took > wait:
		x.fault(c, "the receive was to wait for %v and returned after %v", wait, took)
		return
	case len(c.got) > max(c.options.Max, 1):
		x.fault(c, "the receive returned %d deliveries", len(c.got))
	}
	s.verb = doReceive
	s.hidden = s.now + given(c.options.VisibilityTimeout, cfg.VisibilityTimeout)
	var parts []*step
	for i := range c.got {
		d := &c.got[i]
		f := x.facts[c.queue][d.ID]
		if f == nil {
			continue
		}
		if at := d.VisibleAt.Sub(epoch); at != s.hidden {
			x.fault(c, "%s is to be hidden until %v, and was delivered as hidden until %v", f.name, s.hidden, at)
		}
		name := partition(c.queue, f.group)
		j := slices.IndexFunc(parts, func(p *step) bool { return p.partition == name })
		if j < 0 {
			j = len(parts)
			part := s
			part.partition = name
			parts = append(parts, &part)
		}
		parts[j].got = append(parts[j].got, f)
		parts[j].counts = append(parts[j].counts, d.ReceiveCount)
	}
	for _, part := range parts {
		x.add(c.client, begin, point(c.end), part)
	}
}

// excused reports whether a receive that found nothing may have met one whose
// context ended in the same instant: that one may have been handed something in
// its last moment, and have given it back.
func (x *expansion) excused(c *call) bool {
	return slices.ContainsFunc(x.calls, func(o *call) bool {
		return o.kind == callReceive && o.queue == c.queue && o.err != nil && o.to == c.to &&
			o.end > c.begin && o.begin < c.end
	})
}

// use adds the use of receipts.
func (x *expansion) use(c *call, s step) {
	for i, d := range c.used {
		f := x.facts[c.queue][d.ID]
		if f == nil {
			continue
		}
		one := s
		one.verb = map[kind]verb{callDelete: doDelete, callChange: doChange, callDeadLetter: doDeadLetter}[c.kind]
		one.partition, one.fact, one.count = partition(c.queue, f.group), f, d.ReceiveCount
		one.out = outcomeOf(c.errs[i])
		if one.out == failed {
			x.fault(c, "%v", c.errs[i])
		}
		if c.kind == callChange {
			one.hidden = s.now + c.timeouts[i]
		}
		x.add(c.client, point(c.begin), point(c.end), &one)
	}
}

// adopt adds an Adopt: messages come into the dead-letter queue, and those that
// nobody sent there by DeadLetter have left the queue for being exhausted.
func (x *expansion) adopt(c *call, s step) {
	for _, r := range c.records {
		f := x.facts[c.queue][r.ID]
		if f == nil || f.sentAt != c.to {
			continue
		}
		one := s
		one.verb, one.fact, one.count = doAppend, f, int(r.Receives)
		one.partition = partition(c.queue, f.group)
		x.add(adopter, point(c.begin), point(c.end), &one)

		source := x.facts[0][r.ID]
		if source == nil {
			x.fault(c, "a message was moved that nobody sent: %s:%q", r.GroupID, r.Body)
			continue
		}
		if x.left[r.ID] {
			continue
		}
		move := s
		move.verb, move.fact, move.count = doMove, source, int(r.Receives)
		move.limit = x.cfg[0].DeadLetter.MaxReceives
		move.partition = partition(0, source.group)
		x.add(adopter, x.before(c.begin), x.after(c.end), &move)
	}
}

// parked adds the operations of waiting receivers.
func (x *expansion) parked() {
	for last := int64(0); last+1 < int64(len(x.at)); {
		next := last + 1
		if last > 0 {
			for q := range x.cfg {
				// Whoever waits now began at last or before and ends at next or later.
				if slices.ContainsFunc(x.calls, func(c *call) bool {
					return c.kind == callReceive && c.queue == q && c.begin <= last && c.end >= next
				}) {
					now := max(x.at[last], x.at[next]-grace)
					for _, group := range x.groups {
						x.add(parker, point(last)+3, point(last)+4, &step{
							partition: partition(q, group), verb: doParked, now: now,
							limit: x.cfg[q].DeadLetter.MaxReceives,
						})
					}
				}
			}
		}
		last = x.instant[next][1]
	}
}

// turns checks that receivers that wait are served in the order of their
// arrival, as far as that is certain: of two that came in different instants,
// the later one must not get anything in an instant that the earlier one has
// seen pass in vain. An instant in which messages moved is excused: the earlier
// one may have been busy with that just then.
func (x *expansion) turns() {
	busy := map[time.Duration]bool{}
	for _, c := range x.calls {
		if c.kind == callAdopt {
			busy[c.to] = true
		}
	}
	for _, late := range x.calls {
		if late.kind != callReceive || late.to == late.from || len(late.got) == 0 || busy[late.to] && late.queue == 0 {
			continue
		}
		for _, early := range x.calls {
			if early.kind == callReceive && early.queue == late.queue && early.from < late.from && early.to > late.to {
				x.fault(late, "served before the receive %d-%d, which has waited longer", early.begin, early.end)
			}
		}
	}
}

// given returns an option: the value, or what stands for zero, or none.
func given(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		d = otherwise
	}
	return max(d, 0)
}

// sortCalls puts calls into the order in which they began.
func sortCalls(cs []*call) {
	sort.Slice(cs, func(i, j int) bool { return cs[i].begin < cs[j].begin })
}
