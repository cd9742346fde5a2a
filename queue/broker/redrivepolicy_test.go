package broker_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
)

// Dead-letter queues may have dead-letter queues, as long as no message comes back
// to where it was.
func TestDeadLettersDoNotGoRound(t *testing.T) {
	b := newBroker(t)
	last := mustCreate(t, b, "last", nil)
	middle := mustCreate(t, b, "middle", withTarget(last))
	first := mustCreate(t, b, "first", withTarget(middle))
	for _, target := range []*broker.Queue{middle, first} {
		require.ErrorIs(t, last.SetAttributes(t.Context(), withTarget(target)), queue.ErrInvalidParameter)
		cfg := last.Config()
		cfg.DeadLetter = queue.DeadLetter{Target: target, MaxReceives: 3}
		require.ErrorIs(t, last.Reconfigure(t.Context(), cfg), queue.ErrInvalidParameter)
	}
	require.NotContains(t, allOf(t, last), "RedrivePolicy")
	require.Zero(t, last.Config().DeadLetter)

	// What a policy says counts, though its queue is gone.
	require.NoError(t, b.DeleteQueue(t.Context(), "last"))
	_, err := b.CreateQueue(t.Context(), "last", withTarget(first))
	require.ErrorIs(t, err, queue.ErrInvalidParameter)
	_, err = b.GetQueue("last")
	require.ErrorIs(t, err, broker.ErrQueueNotFound)
	require.NoError(t, middle.SetAttributes(t.Context(), map[string]string{"RedrivePolicy": ""}))
	mustCreate(t, b, "last", withTarget(first))
}

// To make and delete a queue with a dead-letter queue is as much work among many
// queues as among few. It is counted in allocations.
func TestWorkAmongManyQueues(t *testing.T) {
	work := func(others int) float64 {
		b := newBroker(t)
		policy := withTarget(mustCreate(t, b, "dead", nil))
		for n := range others {
			mustCreate(t, b, fmt.Sprint("other", n), policy)
		}
		return testing.AllocsPerRun(10, func() {
			mustCreate(t, b, "q", policy)
			if err := b.DeleteQueue(t.Context(), "q"); err != nil {
				t.Fatal(err)
			}
		})
	}
	if few, many := work(10), work(1000); many > 2*few {
		t.Errorf("%v allocations among 1000 queues, %v among 10", many, few)
	}
}
