package broker

import (
	"errors"

	"github.com/restantemq/restante/queue"
)

// Errors of a broker. Those about an attribute come wrapped in an
// [*AttributeError], those about another parameter in a [*queue.LimitError].
var (
	// ErrQueueNotFound: no queue has that name.
	ErrQueueNotFound = errors.New("queue does not exist")
	// ErrQueueExists: a queue of that name differs in a setting that was given.
	ErrQueueExists = errors.New("queue exists with other settings")
	// ErrInvalidAttributeName: SQS has no such attribute, or not on a queue of
	// that kind, or not together with another one.
	ErrInvalidAttributeName = errors.New("invalid attribute name")
	// ErrInvalidAttributeValue: the value is malformed or out of range.
	ErrInvalidAttributeValue = errors.New("invalid attribute value")
	// ErrQueueDeletedRecently: with Options.EnforceCooldowns, a name is taken for
	// a minute after its queue was deleted.
	ErrQueueDeletedRecently = errors.New("queue deleted recently")
	// ErrPurgeInProgress: with Options.EnforceCooldowns, a queue is purged once a
	// minute.
	ErrPurgeInProgress = errors.New("purge in progress")
	// ErrOverLimit: there are too many of something: permissions, move tasks.
	ErrOverLimit = errors.New("over limit")
	// ErrResourceNotFound: what a move task is about does not exist.
	ErrResourceNotFound = errors.New("resource not found")
)

// An AttributeError says which setting of a queue was refused.
type AttributeError struct {
	// Name is the attribute's name in SQS. For a field of queue.Config that is
	// no attribute of SQS, it is the field's.
	Name   string
	Reason string // a sentence in SQS's words, where the sentinel alone is too little
	Err    error  // the sentinel
}

// Error names the attribute and what is wrong with it.
func (e *AttributeError) Error() string {
	text := e.Err.Error() + ": " + e.Name
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	return text
}

// Unwrap returns the sentinel.
func (e *AttributeError) Unwrap() error { return e.Err }

// invalid refuses a parameter, for a reason in SQS's words.
func invalid(parameter, text, reason string) error {
	return &queue.LimitError{Parameter: parameter, Text: text, Reason: reason, Err: queue.ErrInvalidParameter}
}

func missing(parameter, reason string) error {
	return &queue.LimitError{Parameter: parameter, Reason: reason, Err: queue.ErrMissingParameter}
}
