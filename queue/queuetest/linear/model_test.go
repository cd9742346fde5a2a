package linear

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/restantemq/restante/queue"
)

// A fact is a message as the whole history knows it.
type fact struct {
	name     string // for people: group and sequence number
	group    string
	body     string
	sequence uint64        // zero: never seen; only an adopted message's is unknown at first
	sentAt   time.Duration // the instant of its sending or adoption
	movedAt  time.Duration // the instant in which it was adopted elsewhere, or -1
}

// verb is what an operation of the model does.
type verb uint8

const (
	doAppend verb = iota // a message comes in, by Send or Adopt
	doReceive
	doEmpty  // a Receive found nothing
	doParked // a receiver went on waiting
	doMove   // an exhausted message was taken over by the dead-letter queue
	doDelete
	doChange
	doDeadLetter
	doDeduplicate // a Send, seen by the memory of its deduplication ID
)

// outcome is what the use of a receipt came to.
type outcome uint8

const (
	worked outcome = iota
	expired
	gone
	failed // any other way
)

// A step is an operation of the model: what was called together with what it
// returned, on one partition.
type step struct {
	partition string
	verb      verb
	now       time.Duration // the instant in which it took effect
	limit     int           // DeadLetter.MaxReceives; zero: none

	fact   *fact
	count  int           // receive count: of an adopted message, or of the receipt used
	hidden time.Duration // the message's new deadline
	out    outcome

	excused bool // doEmpty: a canceled receive may have held something

	got    []*fact // doReceive
	counts []int

	sent queue.Sent // doDeduplicate
}

// held is a message in a group.
type held struct {
	fact   *fact
	count  int           // receives
	hidden time.Duration // until then, by delay or visibility timeout
	gone   bool
	moved  bool // to the dead-letter queue; then gone as well
}

// exhausted reports whether the message is not to be delivered again.
func (m *held) exhausted(limit int) bool { return limit > 0 && m.count >= limit }

// A memory is what is known of a deduplication ID.
type memory struct {
	original queue.Sent
	until    time.Duration
}

// model is what a FIFO queue may do. The state of a partition is nil at first,
// then a memory or a []held.
var model = porcupine.Model{
	Partition: func(ops []porcupine.Operation) [][]porcupine.Operation {
		var parts [][]porcupine.Operation
		index := map[string]int{}
		for _, op := range ops {
			name := op.Input.(*step).partition
			i, ok := index[name]
			if !ok {
				i = len(parts)
				index[name] = i
				parts = append(parts, nil)
			}
			parts[i] = append(parts[i], op)
		}
		return parts
	},
	Init: func() any { return nil },
	Step: func(state, input, _ any) (bool, any) {
		s := input.(*step)
		if s.verb == doDeduplicate {
			known, _ := state.(memory)
			after, ok := known.take(s)
			return ok, after
		}
		ms, _ := state.([]held)
		after, ok := s.apply(ms)
		if !ok {
			return false, state
		}
		return true, after
	},
	Equal: func(a, b any) bool {
		if a, ok := a.(memory); ok {
			b, ok := b.(memory)
			return ok && a == b
		}
		x, _ := a.([]held)
		y, ok := b.([]held)
		return (ok || b == nil) && slices.Equal(x, y)
	},
	DescribeOperation: func(input, _ any) string { return input.(*step).String() },
	DescribeState: func(state any) string {
		switch state := state.(type) {
		case memory:
			return fmt.Sprintf("#%d until %v", state.original.Sequence, state.until)
		case []held:
			var words []string
			for _, m := range state {
				word := fmt.Sprintf("%s received %d, hidden until %v", m.fact.name, m.count, m.hidden)
				if m.gone {
					word = m.fact.name + " gone"
				}
				words = append(words, word)
			}
			return strings.Join(words, "; ")
		}
		return "nothing"
	},
}

// take is a Send as the memory of its deduplication ID sees it. At the very end
// of the interval both answers are right.
func (m memory) take(s *step) (memory, bool) {
	known := m.original != queue.Sent{}
	if s.sent.Duplicate {
		return m, known && s.now <= m.until && s.sent.ID == m.original.ID && s.sent.Sequence == m.original.Sequence
	}
	return memory{s.sent, s.now + queue.DeduplicationInterval}, !known || s.now >= m.until
}

// apply returns the group after the step, or false if the step is not allowed.
// It leaves ms alone.
func (s *step) apply(ms []held) ([]held, bool) {
	switch s.verb {
	case doAppend:
		// A message never seen again has no number to compare.
		for i := len(ms) - 1; i >= 0 && s.fact.sequence != 0; i-- {
			if last := ms[i].fact.sequence; last != 0 {
				if last >= s.fact.sequence {
					return nil, false
				}
				break
			}
		}
		return append(slices.Clip(ms), held{fact: s.fact, count: s.count, hidden: s.hidden}), true
	case doReceive:
		return s.receive(ms)
	case doEmpty, doParked:
		return ms, s.excused || !s.deliverable(ms)
	case doMove:
		for i := range ms {
			m := &ms[i]
			if m.fact == s.fact {
				ok := !m.gone && m.hidden <= s.now && m.exhausted(s.limit) && m.count == s.count
				return with(ms, i, func(m *held) { m.gone, m.moved = true, true }), ok
			}
			if !m.gone && m.hidden > s.now {
				break
			}
		}
		return nil, false
	case doDelete, doChange, doDeadLetter:
		return s.use(ms)
	}
	return nil, false
}

// with returns ms with message i changed.
func with(ms []held, i int, change func(*held)) []held {
	ms = slices.Clone(ms)
	change(&ms[i])
	return ms
}

// receive takes messages from the front of the group.
func (s *step) receive(ms []held) ([]held, bool) {
	ms = slices.Clone(ms)
	taken := 0
	for i := range ms {
		m := &ms[i]
		if m.gone {
			continue
		}
		if taken == len(s.got) {
			break
		}
		if m.hidden > s.now || m.exhausted(s.limit) || m.fact != s.got[taken] || m.count+1 != s.counts[taken] {
			return nil, false
		}
		m.count++
		m.hidden = s.hidden
		taken++
	}
	return ms, taken == len(s.got)
}

// deliverable reports whether a Receive in the instant of s must find something.
func (s *step) deliverable(ms []held) bool {
	for i := range ms {
		m := &ms[i]
		switch {
		case m.gone:
		case m.hidden > s.now:
			return false
		case m.exhausted(s.limit):
			if s.verb == doEmpty && m.fact.movedAt == s.now {
				return false // it may be on its way
			}
		default:
			return true
		}
	}
	return false
}

// use is the use of a receipt.
func (s *step) use(ms []held) ([]held, bool) {
	i := slices.IndexFunc(ms, func(m held) bool { return m.fact == s.fact })
	if i < 0 {
		return nil, false
	}
	m := &ms[i]
	latest := m.count == s.count && m.hidden > s.now
	switch {
	case m.gone && s.verb == doDelete:
		// Deleting again is no error; with a receipt that had no right to the
		// message any more when it went, or after a move, both answers will do.
		return ms, s.out == worked || s.out == expired && (!latest || m.moved)
	case m.gone:
		return ms, s.out == gone || s.out == expired && (!latest || m.moved)
	case !latest:
		return ms, s.out == expired
	case s.out != worked:
		return nil, false
	case s.verb == doChange:
		return with(ms, i, func(m *held) { m.hidden = s.hidden }), true
	}
	return with(ms, i, func(m *held) { m.gone, m.moved = true, s.verb == doDeadLetter }), true
}

// String returns the step in a few words.
func (s *step) String() string {
	var words []string
	switch s.verb {
	case doAppend:
		words = append(words, "append", s.fact.name)
	case doReceive:
		words = append(words, "receive")
		for i, f := range s.got {
			words = append(words, fmt.Sprintf("%s (receive %d)", f.name, s.counts[i]))
		}
		words = append(words, fmt.Sprintf("until %v", s.hidden))
	case doEmpty:
		words = append(words, "receive nothing")
	case doParked:
		words = append(words, "wait on")
	case doMove:
		words = append(words, "move", s.fact.name)
	case doDelete, doChange, doDeadLetter:
		verb := map[verb]string{doDelete: "delete", doChange: "change", doDeadLetter: "dead-letter"}[s.verb]
		words = append(words, fmt.Sprintf("%s %s (receive %d)", verb, s.fact.name, s.count))
		if s.verb == doChange {
			words = append(words, fmt.Sprintf("until %v", s.hidden))
		}
		if s.out != worked {
			words = append(words, "→ "+[...]string{expired: "expired", gone: "gone", failed: "failed"}[s.out])
		}
	case doDeduplicate:
		words = append(words, fmt.Sprintf("send → #%d", s.sent.Sequence))
		if s.sent.Duplicate {
			words = append(words, "(duplicate)")
		}
	}
	return fmt.Sprintf("%v: %s", s.now, strings.Join(words, " "))
}

// outcomeOf sorts the error of the use of a receipt.
func outcomeOf(err error) outcome {
	switch {
	case err == nil:
		return worked
	case errors.Is(err, queue.ErrReceiptExpired):
		return expired
	case errors.Is(err, queue.ErrMessageGone):
		return gone
	}
	return failed
}
