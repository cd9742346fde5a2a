package queue_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLimitErrorIsReadable(t *testing.T) {
	for _, c := range []struct {
		err  queue.LimitError
		want string
	}{
		{queue.LimitError{Parameter: "VisibilityTimeout", Got: 13 * time.Hour, Min: time.Duration(0), Max: queue.MaxVisibility, Err: queue.ErrInvalidParameter},
			"invalid parameter: VisibilityTimeout is 13h0m0s, allowed is 0s to 12h0m0s"},
		{queue.LimitError{Parameter: "MessageBody", Got: queue.MaxMessage + 1, Max: queue.MaxMessage, Err: queue.ErrMessageTooLarge},
			"message too large: MessageBody is 1048577, allowed is up to 1048576"},
		{queue.LimitError{Parameter: "Delay", Got: -time.Second, Min: time.Duration(0), Err: queue.ErrInvalidParameter},
			"invalid parameter: Delay is -1s, allowed is 0s or more"},
		{queue.LimitError{Parameter: "MessageGroupId", Reason: "a FIFO queue needs one", Err: queue.ErrMissingParameter},
			"missing parameter: MessageGroupId: a FIFO queue needs one"},
		{queue.LimitError{Parameter: "Name", Got: 81, Min: 1, Max: 80, Reason: "counted in characters", Err: queue.ErrInvalidParameter},
			"invalid parameter: Name is 81, allowed is 1 to 80: counted in characters"},
	} {
		assert.EqualError(t, &c.err, c.want)
	}
}

func TestLimitErrorIsItsSentinel(t *testing.T) {
	err := fmt.Errorf("sending: %w", &queue.LimitError{Parameter: "Delay", Err: queue.ErrInvalidParameter})
	assert.ErrorIs(t, err, queue.ErrInvalidParameter)
	assert.NotErrorIs(t, err, queue.ErrMissingParameter)
}

func TestBatchErrorIsReadable(t *testing.T) {
	assert.EqualError(t, &queue.BatchError{}, "no entry of the batch failed")
	assert.EqualError(t,
		&queue.BatchError{Entries: []queue.EntryError{{Index: 3, Err: queue.ErrReceiptInvalid}}},
		"batch entry 3: receipt is not valid")
	assert.EqualError(t,
		&queue.BatchError{Entries: []queue.EntryError{{Index: 2, Err: queue.ErrMessageGone}, {Index: 5, Err: queue.ErrReceiptInvalid}}},
		"2 batch entries failed; entry 2: message does not exist any more")
}

func TestErrorsAreSeenThroughBatchError(t *testing.T) {
	tooLong := &queue.LimitError{Parameter: "VisibilityTimeout", Err: queue.ErrInvalidParameter}
	err := fmt.Errorf("change: %w", &queue.BatchError{Entries: []queue.EntryError{
		{Index: 0, Err: fmt.Errorf("first: %w", queue.ErrReceiptExpired)},
		{Index: 4, Err: tooLong},
	}})

	assert.ErrorIs(t, err, queue.ErrReceiptExpired, "an error of the first entry")
	assert.ErrorIs(t, err, queue.ErrInvalidParameter, "an error of a later entry")
	assert.NotErrorIs(t, err, queue.ErrClosed)

	var limit *queue.LimitError
	require.ErrorAs(t, err, &limit)
	assert.Same(t, tooLong, limit)
	var batch *queue.BatchError
	require.ErrorAs(t, err, &batch)
	assert.Equal(t, 4, batch.Entries[1].Index)
}

func ExampleBatchError() {
	// What a SendBatch of three messages might return.
	var err error = &queue.BatchError{Entries: []queue.EntryError{
		{Index: 1, Err: &queue.LimitError{
			Parameter: "Delay", Got: time.Hour, Min: time.Duration(0), Max: queue.MaxDelay, Err: queue.ErrInvalidParameter,
		}},
	}}

	var batch *queue.BatchError
	switch {
	case errors.As(err, &batch):
		for _, entry := range batch.Entries {
			fmt.Printf("message %d was refused: %v\n", entry.Index, entry.Err)
		}
	case errors.Is(err, context.DeadlineExceeded):
		fmt.Println("nothing was sent")
	}
	// Output: message 1 was refused: invalid parameter: Delay is 1h0m0s, allowed is 0s to 15m0s
}
