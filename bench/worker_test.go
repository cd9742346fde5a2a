package main

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	queueworker "github.com/restantemq/restante/queue/worker"
)

func TestHandledDealsWithEveryMessage(t *testing.T) {
	const n = 995 // no multiple of a batch
	h := &handled{bodies: newRing(64)}
	for _, h.metrics = range []bool{false, true} {
		for _, by := range []handling{h.work, h.loop} {
			for _, h.goroutines = range []int{1, 3} {
				q, err := newQueue(queue.Config{})
				require.NoError(t, err)
				for range 2 {
					c, err := h.handle(q, n, by)
					require.NoError(t, err)
					assert.Equal(t, n, c.messages)
					assert.Positive(t, c.elapsed)
					empty, err := isEmpty(q)
					require.NoError(t, err)
					assert.True(t, empty)
				}
				require.NoError(t, q.Close())
			}
		}
	}
}

func TestHandledSeesWhatIsLeft(t *testing.T) {
	q, err := newQueue(queue.Config{})
	require.NoError(t, err)
	defer q.Close()
	h := &handled{bodies: newRing(64)}
	_, err = h.handle(q, 1, func(queue.Queue, *last) (cost, error) { return cost{}, nil })
	assert.EqualError(t, err, "not all messages were handled and deleted")
}

// The rows beside a worker are of its own round.
func TestBareLoopsAreBesideTheirWorker(t *testing.T) {
	worker := &handled{goroutines: 2, messages: 100, turns: 3, bodies: newRing(64)}
	values, err := worker.round()
	require.NoError(t, err)
	require.Len(t, values, 2)
	assert.Equal(t, 300.0, values[0].denominator, "without the turn that warms up")
	assert.Equal(t, "ratio", values[1].name)
	loops, err := bareLoops{beside: worker}.round()
	require.NoError(t, err)
	require.Len(t, loops, 1)
	assert.Equal(t, 300.0, loops[0].denominator)
	assert.Positive(t, loops[0].numerator)
}

func TestHandledEndsWithItsWorker(t *testing.T) {
	q, err := newQueue(queue.Config{})
	require.NoError(t, err)
	require.NoError(t, q.Close())
	_, err = (&handled{goroutines: 1}).work(q, newLast())
	assert.ErrorIs(t, err, errEnded)
	assert.ErrorIs(t, err, queue.ErrClosed)
}

func TestBareLoopFails(t *testing.T) {
	q, err := newQueue(queue.Config{})
	require.NoError(t, err)
	defer q.Close()
	require.NoError(t, fill(q, newRing(64).from(0), nil, 1))
	failed := errors.New("failed")
	assert.Equal(t, failed, bareLoop(q, func(context.Context, *queue.Delivery) error { return failed }))
	empty, err := isEmpty(q)
	require.NoError(t, err)
	assert.False(t, empty)
}

func TestLastBodyIsOfNoRing(t *testing.T) {
	l, bodies := newLast(), newRing(64).from(0)
	for range ringLength {
		require.NoError(t, l.handle(t.Context(), delivered(bodies.next())))
	}
	assert.Empty(t, l.handled)
	require.NoError(t, l.handle(t.Context(), delivered(lastBody)))
	assert.Len(t, l.handled, 1)
}

func delivered(body string) *queue.Delivery {
	return &queue.Delivery{Message: queue.Message{Body: body}}
}

func TestHandOff(t *testing.T) {
	for _, to := range []func() (*waiter, error){toChannel, toWorker} {
		w, err := to()
		require.NoError(t, err)
		took, err := w.takeTimes(newRing(64).from(0), 5*time.Millisecond)
		require.NoError(t, err)
		require.NoError(t, w.stop())
		assert.NotEmpty(t, took)
		for _, d := range took {
			assert.GreaterOrEqual(t, d, time.Duration(0))
		}
	}
}

func TestHandOffEndsWithItsWorker(t *testing.T) {
	ended := make(chan struct{})
	close(ended)
	w := &waiter{hand: func(string) error { return nil }, ended: ended}
	_, err := w.takeTimes(newRing(64).from(0), time.Millisecond)
	assert.Equal(t, errEnded, err)

	failed := errors.New("failed")
	w = &waiter{hand: func(string) error { return failed }}
	_, err = w.takeTimes(newRing(64).from(0), time.Millisecond)
	assert.Equal(t, failed, err)
}

// The ratio of a round is that of its own medians.
func TestHandOffRatio(t *testing.T) {
	g := group{"hand-off", 1, handOffEntries(tinyPlan, newRing(64))}
	hop := entry{name: chanName, trial: &chanHop{bodies: newRing(64), duration: time.Millisecond}}
	var rs results
	require.NoError(t, g.measure(&rs, hop, &progress{to: io.Discard, began: time.Now()}))
	worker, channel := rs.find("", "worker_latency/body=64"), rs.find("", "chan_latency/body=64")
	assert.InDelta(t, worker.Median/channel.Median, rs.find("", "worker_latency/body=64/ratio").Median, 1e-9)
	assert.GreaterOrEqual(t, rs.find("", "worker_latency/body=64/percentile=99").Median, worker.Median)
	assert.GreaterOrEqual(t, rs.find("", "chan_latency/body=64/percentile=99").Median, channel.Median)
}

func TestSendingSendsEveryMessage(t *testing.T) {
	for _, way := range sendingWays {
		q, err := newQueue(queue.Config{})
		require.NoError(t, err)
		shares := []share{{messages: 7, bodies: newRing(64).from(0)}, {messages: 25, bodies: newRing(64).from(100)}}
		require.NoError(t, way.send(q, shares), way.name)
		var mu sync.Mutex
		seen := make(map[string]bool) // guarded by mu
		require.NoError(t, bareLoop(q, func(_ context.Context, d *queue.Delivery) error {
			mu.Lock()
			defer mu.Unlock()
			seen[d.Body] = true
			return nil
		}))
		assert.Len(t, seen, 7+25, way.name)

		require.NoError(t, q.Close())
		assert.ErrorIs(t, way.send(q, shares), queue.ErrClosed, way.name)
	}
}

// The shares of the producers are all there is to send.
func TestSendingShares(t *testing.T) {
	sent := 0
	s := &sending{producers: 3, messages: 100, bodies: newRing(64), send: func(_ queue.Queue, shares []share) error {
		assert.Len(t, shares, 3)
		sent = 0
		for i := range shares {
			sent += shares[i].messages
		}
		return nil
	}}
	c, err := s.measure(100)
	require.NoError(t, err)
	assert.Equal(t, 100, sent)
	assert.Equal(t, 100, c.messages)
}

func TestStopReturnsTheWorkersError(t *testing.T) {
	q, err := newQueue(queue.Config{})
	require.NoError(t, err)
	defer q.Close()
	handler := func(context.Context, *queue.Delivery) error { return nil }
	assert.NoError(t, startWorker(q, handler, queueworker.Options{}).stop())
	var limit *queue.LimitError
	assert.ErrorAs(t, startWorker(q, handler, queueworker.Options{BatchSize: -1}).stop(), &limit)
}
