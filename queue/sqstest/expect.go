package sqstest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/restantemq/restante/queue"
)

// The questions that most tests ask, as assertions: what isn't so fails the test, and
// is shown with the lives of the messages concerned, and the test goes on.

// Messages returns all messages that are in the queue now, in every state, without
// touching them, in the order of the queue.
func (q *Queue) Messages() []queue.Peeked {
	q.k.t.Helper()
	q.k.Settle()
	inspector, _ := queue.As[queue.Inspector](q.inner)
	var all []queue.Peeked
	for m, err := range inspector.Peek(context.Background()) {
		if err != nil {
			q.k.t.Fatalf("sqstest: look at the messages of %s: %v", q.Name(), err)
		}
		all = append(all, m)
	}
	return all
}

// History returns what became of each message that ever was in the queue, in order of
// arrival.
func (q *Queue) History() []*Life {
	q.k.Settle()
	return q.k.lives(q.Name(), nil)
}

// Message returns what became of the message of that body that was in the queue. It
// fails the test if there was none, or more than one.
func (q *Queue) Message(body string) *Life {
	q.k.t.Helper()
	lives := q.of(body)
	if len(lives) != 1 {
		q.k.t.Fatalf("sqstest: %d messages %s were in %s, want 1\n%s", len(lives), quoted(body), q.Name(), q.others(lives))
	}
	return lives[0]
}

func (q *Queue) of(body string) []*Life {
	q.k.Settle()
	return q.k.lives(q.Name(), func(l *Life) bool { return l.Body == body })
}

// others tells, if no message of a body was in the queue, which bodies there were.
func (q *Queue) others(lives []*Life) string {
	if len(lives) > 0 {
		return q.k.shown.text(lives)
	}
	var bodies []string
	for _, l := range q.History() {
		if len(bodies) == 10 {
			return "  there were " + list(bodies) + " and others"
		}
		bodies = append(bodies, l.Body)
	}
	if len(bodies) == 0 {
		return "  the queue has had no messages"
	}
	return "  there were " + list(bodies)
}

// ExpectSent fails the test unless so many messages of that body were sent to the queue
// and accepted. A FIFO queue accepts a duplicate and has no message of it.
func (q *Queue) ExpectSent(body string, times int) {
	q.k.t.Helper()
	q.expectCount(queue.StepAccepted, "sent to", body, times)
}

// ExpectReceived fails the test unless messages of that body were received from the
// queue so many times, all together.
func (q *Queue) ExpectReceived(body string, times int) {
	q.k.t.Helper()
	q.expectCount(queue.StepReceived, "received from", body, times)
}

func (q *Queue) expectCount(s queue.Step, what, body string, times int) {
	q.k.t.Helper()
	lives, n := q.of(body), 0
	for _, l := range lives {
		n += l.countIn(q.Name(), s)
	}
	if n != times {
		q.k.t.Errorf("sqstest: %s was %s %s %s, want %d\n%s", quoted(body), what, q.Name(), counted(n), times, q.others(lives))
	}
}

// ExpectDeleted fails the test unless there was a message of each of these bodies in
// the queue, and all of them were deleted there.
func (q *Queue) ExpectDeleted(bodies ...string) {
	q.k.t.Helper()
	q.expectEnd(queue.StepDeleted, "deleted from", bodies)
}

// ExpectDeadLettered fails the test unless there was a message of each of these bodies
// in the queue, and all of them were moved to its dead-letter queue.
func (q *Queue) ExpectDeadLettered(bodies ...string) {
	q.k.t.Helper()
	q.expectEnd(queue.StepDeadLettered, "moved to the dead-letter queue from", bodies)
}

func (q *Queue) expectEnd(s queue.Step, what string, bodies []string) {
	q.k.t.Helper()
	if len(bodies) == 0 {
		q.k.t.Errorf("sqstest: name the bodies that should have been %s %s", what, q.Name())
	}
	for _, body := range bodies {
		lives := q.of(body)
		if len(lives) == 0 {
			q.k.t.Errorf("sqstest: no message %s was in %s\n%s", quoted(body), q.Name(), q.others(nil))
			continue
		}
		others := slices.DeleteFunc(lives, func(l *Life) bool { return l.countIn(q.Name(), s) > 0 })
		if len(others) > 0 {
			q.k.t.Errorf("sqstest: %s was not %s %s\n%s", quoted(body), what, q.Name(), q.k.shown.text(others))
		}
	}
}

// ExpectOrder fails the test unless the messages of that group which were received from
// the queue were received for the first time in this order, and are these.
func (q *Queue) ExpectOrder(group string, bodies ...string) {
	q.k.t.Helper()
	q.k.Settle()
	var got []string
	seen := make(map[queue.MessageID]bool)
	events, _, _ := q.k.record.from(0)
	for _, e := range events {
		if e.Queue == q.Name() && e.GroupID == group && e.Step == queue.StepReceived && !seen[e.ID] {
			seen[e.ID] = true
			got = append(got, e.Body)
		}
	}
	if !slices.Equal(got, bodies) {
		q.k.t.Errorf("sqstest: of group %q of %s other messages were received, or in another order\n  wanted %s\n  got    %s",
			group, q.Name(), list(bodies), list(got))
	}
}

// ExpectEmpty fails the test unless the queue has no message in any state.
func (q *Queue) ExpectEmpty() {
	q.k.t.Helper()
	if ms := q.Messages(); len(ms) > 0 {
		ids := make(map[queue.MessageID]bool, len(ms))
		for i := range ms {
			ids[ms[i].ID] = true
		}
		lives := q.k.lives(q.Name(), func(l *Life) bool { return ids[l.ID] })
		q.k.t.Errorf("sqstest: %s is not empty\n%s", q.Name(), q.k.shown.text(lives))
	}
}

// bodies lists the messages that are in the queue now.
func (q *Queue) bodies() string {
	var bodies []string
	for _, m := range q.Messages() {
		bodies = append(bodies, m.Body)
	}
	return list(bodies)
}

func list(bodies []string) string {
	if len(bodies) == 0 {
		return "nothing"
	}
	all := make([]string, len(bodies))
	for i, b := range bodies {
		all[i] = quoted(b)
	}
	return strings.Join(all, ", ")
}

// shown remembers which lives the log has, and how far.
type shown struct {
	mu    sync.Mutex
	steps map[queue.MessageID]int
}

// text shows lives, each once unless it has gone on.
func (s *shown) text(lives []*Life) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.steps == nil {
		s.steps = make(map[queue.MessageID]int)
	}
	var b strings.Builder
	for i, l := range lives {
		if i == 10 {
			fmt.Fprintf(&b, "  and %d others\n", len(lives)-i)
			break
		}
		if s.steps[l.ID] == len(l.Events) && len(l.Events) > 2 {
			fmt.Fprintf(&b, "%s, see above\n", strings.TrimSuffix(l.head(), "\n"))
			continue
		}
		s.steps[l.ID] = len(l.Events)
		b.WriteString(l.String())
	}
	return b.String()
}
