package sqsapi

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
)

// A translation says how an error of a queue or a broker is told on the wire.
type translation struct {
	of        error  // the sentinel
	parameter string // of the queue.LimitError; empty: any, or none
	to        errorType
	say       func(error) string
}

// translations are tried in order: an error may be several of the sentinels.
// An error that is none of them is an internalFailure.
var translations = []translation{
	{context.Canceled, "", serviceUnavailable, itself},
	{context.DeadlineExceeded, "", serviceUnavailable, itself},
	{queue.ErrClosed, "", serviceUnavailable, itself},
	{queue.ErrStoreFull, "", serviceUnavailable, itself},
	{queue.ErrUnsupported, "", unsupportedOperation, itself},

	{broker.ErrQueueNotFound, "", queueDoesNotExist, fixed(noQueue)},
	{queue.ErrQueueDeleted, "", queueDoesNotExist, fixed(noQueue)},
	{broker.ErrQueueExists, "", queueNameExists, attribute("A queue already exists with the same name and a different value for attribute %s")},
	{broker.ErrQueueDeletedRecently, "", queueDeletedRecently, reason},
	{broker.ErrPurgeInProgress, "", purgeInProgress, reason},
	{broker.ErrInvalidAttributeName, "", invalidAttributeName, attribute("Unknown Attribute %s.")},
	{broker.ErrInvalidAttributeValue, "", invalidAttributeValue, attribute("Invalid value for the parameter %s.")},
	{broker.ErrOverLimit, "", overLimit, ownWords},
	{broker.ErrResourceNotFound, "", resourceNotFound, reason},

	{queue.ErrBatchTooLarge, "", batchTooLong, limit("Batch requests cannot be longer than %[2]v bytes. You have sent %[3]v bytes.")},
	{queue.ErrMessageTooLarge, "", invalidParameterValue, tooLarge},
	{queue.ErrInvalidContents, "", invalidMessageContents, fixed(badCharacters)},
	{queue.ErrNotForThisQueue, "", invalidParameterValue, parameter("The request include parameter that is not valid for this queue type.")},
	{queue.ErrMissingParameter, "", missingParameter, absent},

	{queue.ErrInvalidParameter, "DelaySeconds", invalidParameterValue, parameter("DelaySeconds must be >= %[1]v and <= %[2]v.")},
	{queue.ErrInvalidParameter, "MaxNumberOfMessages", invalidParameterValue, parameter("Must be between %[1]v and %[2]v, if provided.")},
	{queue.ErrInvalidParameter, "VisibilityTimeout", invalidParameterValue, visibility},
	{queue.ErrInvalidParameter, "WaitTimeSeconds", invalidParameterValue, parameter("Must be >= %[1]v and <= %[2]v, if provided.")},
	{queue.ErrInvalidParameter, "MessageGroupId", invalidParameterValue, parameter("MessageGroupId" + badID)},
	{queue.ErrInvalidParameter, "MessageDeduplicationId", invalidParameterValue, deduplicationID},
	{queue.ErrInvalidParameter, "ReceiveRequestAttemptId", invalidParameterValue, parameter("ReceiveRequestAttemptId" + badID)},
	{queue.ErrInvalidParameter, "MessageAttributes", invalidParameterValue, badAttribute},
	{queue.ErrInvalidParameter, "", invalidParameterValue, ownWords},

	{queue.ErrReceiptInvalid, "", receiptHandleIsInvalid, value("The input receipt handle \"%s\" is not a valid receipt handle.")},
	{queue.ErrReceiptExpired, "", invalidParameterValue, value("Value %s for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.")},
	{queue.ErrMessageGone, "", invalidParameterValue, value("Value %s for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.")},
	{queue.ErrAttemptInvalid, "", invalidParameterValue, value("Value %s for parameter ReceiveRequestAttemptId is invalid. Reason: The receiveRequestAttemptId is not valid anymore since the receive call is not retryable.")},
	{queue.ErrInFlightLimit, "", overLimit, itself},
	{queue.ErrThrottled, "", requestThrottled, fixed("Rate exceeded.")},
}

// ofEntries are tried before, for entries of batches: SQS says some errors in
// other words there.
var ofEntries = []translation{
	{queue.ErrMessageTooLarge, "", invalidParameterValue, limit("One or more parameters cannot be validated. Reason: Message must be shorter than %[2]v bytes.")},
	{queue.ErrReceiptExpired, "", receiptHandleIsInvalid, fixed("The receipt handle has expired")},
	{queue.ErrMissingParameter, "MessageGroupId", invalidParameterValue, absent},
}

const (
	noQueue         = "The specified queue does not exist."
	noQueueQuery    = "The specified queue does not exist for this wsdl version."
	badID           = " can only include alphanumeric and punctuation characters. 1 to 128 in length."
	noDeduplication = "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
	badCharacters   = "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF"
)

// failureOf puts err in SQS's words.
func failureOf(err error) *failure {
	if f := (*failure)(nil); errors.As(err, &f) {
		return f
	}
	if e := (*entryError)(nil); errors.As(err, &e) {
		if f := translate(ofEntries, err); f != nil {
			return f
		}
	}
	if f := translate(translations, err); f != nil {
		return f
	}
	return &failure{internalFailure, err.Error()}
}

func translate(table []translation, err error) *failure {
	parameter := limitOf(err).Parameter
	for _, t := range table {
		if errors.Is(err, t.of) && (t.parameter == "" || t.parameter == parameter) {
			return &failure{t.to, t.say(err)}
		}
	}
	return nil
}

// isContextError reports whether a call failed because its context ended.
func isContextError(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// aboutValue is a queue's error together with the value of the request it is
// about. SQS repeats the value, and the queue doesn't know how it was written.
type aboutValue struct {
	error
	value string
}

func (e *aboutValue) Unwrap() error { return e.error }

// about adds value to err, if there is an error.
func about(value string, err error) error {
	if err == nil {
		return nil
	}
	return &aboutValue{err, value}
}

// A changeError is the error of a ChangeMessageVisibility.
type changeError struct{ error }

func (e *changeError) Unwrap() error { return e.error }

// What follows are the ways to say an error.

// itself says it in the error's own words, where SQS's are unknown or there
// are none.
func itself(err error) string { return err.Error() }

func fixed(text string) func(error) string {
	return func(error) string { return text }
}

// value puts the value into format that the error is about.
func value(format string) func(error) string {
	return func(err error) string {
		var a *aboutValue
		if !errors.As(err, &a) {
			return err.Error()
		}
		return fmt.Sprintf(format, a.value)
	}
}

// attribute puts the attribute's name into format, unless the error has a
// sentence of its own.
func attribute(format string) func(error) string {
	return func(err error) string {
		var a *broker.AttributeError
		switch {
		case !errors.As(err, &a):
			return err.Error()
		case a.Reason != "":
			return a.Reason
		}
		return fmt.Sprintf(format, a.Name)
	}
}

// limitOf returns the facts about a broken limit; zero ones if the error has
// none.
func limitOf(err error) queue.LimitError {
	var l *queue.LimitError
	if !errors.As(err, &l) {
		return queue.LimitError{}
	}
	return *l
}

// limit puts the numbers of a broken limit into format: the smallest, the largest,
// and the one given.
func limit(format string) func(error) string {
	return func(err error) string {
		l := limitOf(err)
		return fmt.Sprintf(format+"%[4]s", wireValue(l.Min), wireValue(l.Max), wireValue(l.Got), "")
	}
}

// parameter tells the value that was refused, and for a reason what is allowed: the
// smallest and the largest value are the format's first two arguments.
func parameter(format string) func(error) string {
	return func(err error) string {
		l := limitOf(err)
		reason := format
		if strings.Contains(format, "%") {
			reason = fmt.Sprintf(format, wireValue(l.Min), wireValue(l.Max))
		}
		got := wireValue(l.Got)
		if got == nil || l.Text != "" {
			got = l.Text
		}
		return fmt.Sprintf("Value %v for parameter %s is invalid. Reason: %s", got, l.Parameter, reason)
	}
}

// visibility tells a timeout that is out of range from one that would hide a
// message for too long in all. SQS has a text for each call that takes one.
func visibility(err error) string {
	switch {
	case limitOf(err).Reason != "":
		return parameter("Total VisibilityTimeout for the message is beyond the limit [43200 seconds]")(err)
	case errors.As(err, new(*entryError)):
		return parameter("VisibilityTimeout must be an integer between %[1]v and %[2]v.")(err)
	case errors.As(err, new(*changeError)):
		return parameter("Must be between %[1]v and %[2]v.")(err)
	}
	return parameter("Must be >= %[1]v and <= %[2]v, if provided.")(err)
}

// ownWords says what an attribute or a broker's limit error has to say: a sentence
// of SQS, if there is one.
func ownWords(err error) string {
	var a *broker.AttributeError
	if errors.As(err, &a) && a.Reason != "" {
		return a.Reason
	}
	if l := limitOf(err); strings.HasSuffix(l.Reason, ".") || strings.HasPrefix(l.Parameter, "QueueName") && l.Reason != "" ||
		strings.HasPrefix(l.Reason, "You must use this format") {
		return l.Reason
	}
	return err.Error()
}

// deduplicationID tells a missing deduplication ID from a malformed one.
func deduplicationID(err error) string {
	if limitOf(err).Text == "" {
		return noDeduplication
	}
	return parameter("MessageDeduplicationId" + badID)(err)
}

// wireValue is a value as the wire has it: durations are whole
// seconds there.
func wireValue(v any) any {
	if d, ok := v.(time.Duration); ok {
		return int64(d / time.Second)
	}
	return v
}

// reason says nothing but the reason, which is a sentence of SQS.
func reason(err error) string { return limitOf(err).Reason }

func absent(err error) string { return missing(limitOf(err).Parameter).message }

func tooLarge(err error) string {
	return fmt.Sprintf("One or more parameters are invalid. Reason: Message must be shorter than %v bytes.", limitOf(err).Max)
}

// badAttribute tells which message attribute is wrong, or that there are too
// many.
func badAttribute(err error) string {
	l := limitOf(err)
	if n, ok := l.Got.(int); ok {
		switch {
		case l.Max == queue.MaxAttributeNameLength && strings.Contains(l.Reason, "name"):
			return "Message (user) attribute name must be shorter than 256 bytes."
		case l.Max == queue.MaxAttributeTypeLength && l.Reason != "":
			return "Message (user) attribute type must be shorter than 256 bytes."
		}
		return fmt.Sprintf("Number of message attributes [%d] exceeds the allowed maximum [%v].", n, l.Max)
	}
	for _, t := range []struct{ reason, text string }{
		{"its name is empty", "The request must contain non-empty message (user) attribute names."},
		{"are reserved", "You can't use message attribute names beginning with 'AWS.' or 'Amazon'. These strings are reserved for internal use."},
		{"is not String, Number or Binary", "The type of message (user) attribute '" + l.Text +
			"' is invalid. You must use only the following supported type prefixes: Binary, Number, String."},
		{"is not a number", "Can't cast the value of message (user) attribute '" + l.Text + "' to a number."},
		{"its value is empty", "Message (user) attribute '" + l.Text + "' must contain a non-empty value of type 'String'."},
	} {
		if strings.Contains(l.Reason, t.reason) {
			return t.text
		}
	}
	return fmt.Sprintf("The message (user) attribute '%v' is invalid: %s.", l.Text, l.Reason)
}
