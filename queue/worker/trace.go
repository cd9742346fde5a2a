package worker

import (
	"time"

	"github.com/restantemq/restante/queue"
)

// A Trace is told what a worker does. Each function may be nil. They are called by the
// goroutine that does it, several at the same time, and hold it up.
type Trace struct {
	// Received: a receive brought n messages.
	Received func(n int)
	// Started: a handler is called.
	Started func(d *queue.Delivery)
	// Finished: it is known what has become of a message: it was deleted, given back,
	// moved or lost. Err is the handler's error, or why the lease was lost, and took how
	// long the handler ran; zero if there was none.
	Finished func(d *queue.Delivery, o Outcome, err error, took time.Duration)
	// Extended: a message is hidden until then.
	Extended func(d *queue.Delivery, until time.Time)
	// Failed: a call of the queue failed: a Receive, a Delete, a ChangeVisibility, a
	// DeadLetter, or one of their batches. It is repeated where that makes sense.
	Failed func(call string, err error)
}

// Outcome is what became of a message in a worker's hands.
type Outcome uint8

const (
	Done         Outcome = iota + 1 // handled, and deleted
	Retried                         // the handler failed; it comes back
	DeadLettered                    // the handler sent it to the dead-letter queue
	LeaseLost                       // it was visible again before the handler had returned
	Returned                        // it went back without having been handled
)

var outcomeNames = [...]string{"", "done", "retried", "dead-lettered", "lease lost", "returned"}

// String returns the outcome's name in lower case.
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return "unknown"
}
