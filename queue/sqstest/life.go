package sqstest

import (
	"slices"
	"time"

	"github.com/restantemq/restante/queue"
)

// A Life is what has become of one message, in all queues of the kit that it was in.
// It is the caller's own, and doesn't change any more.
type Life struct {
	ID            queue.MessageID
	Body, GroupID string
	Events        []queue.Event // in order

	former  bool      // it began in a queue that another of the same name has followed
	dropped bool      // the queue it was in was deleted
	n       int       // its number in the queue it came from, from 1
	faults  []Fault   // that concerned it
	begin   time.Time // of the kit
}

// Received returns how many times the message was received, over all queues.
func (l *Life) Received() int { return l.count(queue.StepReceived) }

// Deleted reports whether somebody deleted the message.
func (l *Life) Deleted() bool { return l.count(queue.StepDeleted) > 0 }

// DeadLettered reports whether the message was moved to a dead-letter queue.
func (l *Life) DeadLettered() bool { return l.count(queue.StepDeadLettered) > 0 }

// Gone reports whether the message is in no queue any more: it was deleted, has
// expired, was purged, or a move task made a new message of it, or its queue was
// deleted.
func (l *Life) Gone() bool { return l.In() == "" }

// In returns the name of the queue that the message is in, empty if it is gone.
func (l *Life) In() string {
	last := l.Events[len(l.Events)-1]
	if l.dropped {
		return ""
	}
	switch last.Step {
	case queue.StepDeleted, queue.StepExpired, queue.StepPurged, queue.StepMoved, queue.StepDeadLettered:
		return ""
	}
	return last.Queue
}

func (l *Life) count(s queue.Step) int { return l.countIn("", s) }

// countIn counts the steps that the message took in a queue, or, if name is empty, in
// all.
func (l *Life) countIn(name string, s queue.Step) (n int) {
	for i := range l.Events {
		if l.Events[i].Step == s && (name == "" || l.Events[i].Queue == name) {
			n++
		}
	}
	return n
}

func (l *Life) wasAt(p place) bool {
	return slices.ContainsFunc(l.Events, func(e queue.Event) bool { return placeOf(&e) == p })
}

// add puts e where it belongs, which isn't always at the end: a queue that gives a message
// away says so after the one that has got it, and goroutines that deliver the events of
// several queues may overtake each other.
func (l *Life) add(e queue.Event) {
	at, known := len(l.Events), false
	for i := range l.Events {
		if placeOf(&l.Events[i]) == placeOf(&e) {
			at, known = i+1, true
		}
	}
	if !known && (e.Step == queue.StepAccepted || e.Step == queue.StepRecovered) {
		at = 0
	}
	l.Events = slices.Insert(l.Events, at, e)
}
