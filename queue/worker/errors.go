package worker

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrLeaseLost is why a handler's context ended: the message is visible again,
	// and somebody else may hold it.
	ErrLeaseLost = errors.New("lease on the message was lost")
	// ErrStopping is why a handler's context ended: Run's has, and the grace is over.
	ErrStopping = errors.New("worker is stopping")
)

// RetryAfter makes an error of a handler with which the message comes back after d,
// not after the back-off; zero is at once. SQS hides a message for at most twelve hours
// from its receive: longer waits end there, unless the queue is queue.Unlimited. Err may be nil: the message comes back and
// nothing was wrong.
func RetryAfter(d time.Duration, err error) error { return &retryError{max(d, 0), err} }

type retryError struct {
	after time.Duration
	err   error
}

func (e *retryError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("again after %v", e.after)
	}
	return fmt.Sprintf("again after %v: %v", e.after, e.err)
}

func (e *retryError) Unwrap() error { return e.err }

// DeadLetter makes an error of a handler that sends the message to the dead-letter
// queue at once, with err's text as the reason. From a queue that has none, or that can't
// be asked, the message comes back as with any error.
func DeadLetter(err error) error { return &deadError{err} }

type deadError struct{ err error }

func (e *deadError) Error() string {
	if e.err == nil {
		return "to the dead-letter queue"
	}
	return e.err.Error()
}

func (e *deadError) Unwrap() error { return e.err }

// A PanicError is the error of a handler that panicked, or ended its goroutine.
type PanicError struct {
	Value any    // what it panicked with; nil if it called runtime.Goexit
	Stack []byte // of the handler's goroutine
}

// text is Error for a value whose own methods may panic.
func (e *PanicError) text() (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("handler panicked with a %T", e.Value)
		}
	}()
	return e.Error()
}

// Error tells the value.
func (e *PanicError) Error() string {
	if e.Value == nil {
		return "handler ended its goroutine"
	}
	return fmt.Sprintf("handler panicked: %v", e.Value)
}

// Unwrap returns the value, if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// A StuckError tells that handlers were still running when the grace was over. Their
// messages went back to the queue.
type StuckError struct{ Running int }

// Error tells how many.
func (e *StuckError) Error() string {
	return fmt.Sprintf("worker: stopped while %d handlers were still running", e.Running)
}
