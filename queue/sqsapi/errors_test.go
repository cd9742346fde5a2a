package sqsapi

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
)

// What only happens in states that a request can't easily bring about.
func TestTranslations(t *testing.T) {
	for _, c := range []struct {
		err     error
		name    string
		status  int
		message string
	}{
		{fmt.Errorf("receive: %w", context.Canceled), "ServiceUnavailableException", 503, "receive: context canceled"},
		{queue.ErrClosed, "ServiceUnavailableException", 503, "queue is closed"},
		{queue.ErrQueueDeleted, "QueueDoesNotExist", 400, "The specified queue does not exist."},
		{&queue.LimitError{Parameter: "InFlight", Err: queue.ErrInFlightLimit}, "OverLimit", 403, "too many messages in flight: InFlight"},
		{queue.ErrThrottled, "RequestThrottled", 403, "Rate exceeded."},
		{about("a1", queue.ErrAttemptInvalid), "InvalidParameterValueException", 400,
			"Value a1 for parameter ReceiveRequestAttemptId is invalid. Reason: The receiveRequestAttemptId is not valid anymore since the receive call is not retryable."},
		{about("r1", queue.ErrReceiptExpired), "InvalidParameterValueException", 400,
			"Value r1 for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."},
		{&queue.LimitError{Parameter: "MessageGroupId", Err: queue.ErrMissingParameter}, "MissingRequiredParameterException", 400,
			"The request must contain the parameter MessageGroupId."},
		{&queue.LimitError{Parameter: "MessageDeduplicationId", Err: queue.ErrInvalidParameter}, "InvalidParameterValueException", 400,
			"The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"},
		{&queue.LimitError{Parameter: "DelaySeconds", Got: 5 * time.Second, Err: queue.ErrNotForThisQueue}, "InvalidParameterValueException", 400,
			"Value 5 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type."},
		{&broker.AttributeError{Name: "RedrivePolicy", Err: queue.ErrUnsupported}, "UnsupportedOperation", 400, "not supported yet: RedrivePolicy"},
		{queue.ErrStoreFailed, "InternalFailure", 500, "store has failed; open it again"},
		{errors.New("anything"), "InternalFailure", 500, "anything"},
	} {
		f := failureOf(c.err)
		if f.name != c.name || f.status != c.status || f.message != c.message {
			t.Errorf("%v is told as %d %s %q;\nwant %d %s %q", c.err, f.status, f.name, f.message, c.status, c.name, c.message)
		}
	}
}

func TestSplitQueueURL(t *testing.T) {
	for url, want := range map[string][2]string{
		"https://sqs.us-east-1.amazonaws.com/123456789012/q": {"123456789012", "q"},
		"http://localhost:9324/queue/123456789012/q":         {"123456789012", "q"},
		"http://localhost:9324/q":                            {"", "q"},
		"/123456789012/q":                                    {"123456789012", "q"},
		"123456789012/q":                                     {"123456789012", "q"},
		"q":                                                  {"", "q"},
		"http://localhost":                                   {"", ""},
		"http://localhost/":                                  {"", ""},
		"://":                                                {"", ""},
		"":                                                   {"", ""},
	} {
		account, name := splitQueueURL(url)
		if got := [2]string{account, name}; got != want {
			t.Errorf("splitQueueURL(%q) = %q, want %q", url, got, want)
		}
	}
}
