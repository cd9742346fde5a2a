package queue

import "time"

// A Trace is told what happens to messages.
//
// Message is called after the queue's lock was released, so it may call the
// queue. Events of one queue come one at a time and in the order in which they
// happened; while one goroutine delivers events, others hand theirs to it and
// go on. So a slow Message delays the caller that happens to deliver, and an
// event may come shortly after the call that caused it has returned.
type Trace struct {
	Message func(Event)
}

// An Event is one step in the life of one message.
type Event struct {
	Step  Step
	At    time.Time
	Queue string // Config.Name

	ID            MessageID
	Body, GroupID string    // the message's own; empty while only the store has them
	Position      uint64    // place in the queue; lower came earlier
	ReceiveCount  int       // receives so far
	Until         time.Time // the deadline, of a step that sets one
}

// Step is what happened. The comment says which states it joins.
type Step uint8

const (
	StepAccepted     Step = iota + 1 // Send → pending
	StepDelayed                      // pending → delayed
	StepVisible                      // pending or delayed → visible
	StepReceived                     // visible → in flight
	StepExtended                     // in flight, a new deadline
	StepTimedOut                     // in flight → visible: the timeout passed
	StepReleased                     // in flight → visible: ChangeVisibility(0), a receive that doesn't hide or was abandoned, a dead-letter queue that refused
	StepDeleted                      // any → gone
	StepExpired                      // any → gone: retention
	StepDeadLettered                 // visible or in flight → gone, in another queue
	StepAdopted                      // from another queue → visible
	StepPurged                       // any → gone
	StepRecovered                    // from the store → delayed or visible
	StepMoved                        // visible → gone, in another queue: Redrive, not a dead letter
)

var stepNames = [...]string{
	"", "accepted", "delayed", "visible", "received", "extended", "timed out", "released",
	"deleted", "expired", "dead-lettered", "adopted", "purged", "recovered", "moved",
}

// String returns the step's name in lower case.
func (s Step) String() string {
	if int(s) < len(stepNames) {
		return stepNames[s]
	}
	return "unknown"
}
