package worker_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/sqstest"
	"github.com/restantemq/restante/queue/worker"
)

// Queues that keep SQS's promises and no others, and handlers that fail in all ways:
// every message is handled until it is deleted, in a FIFO group one at a time and in
// order, and the counts balance.

func TestMisbehavingQueues(t *testing.T) {
	rough := sqstest.Faults{Duplicate: .3, Late: .3, Shuffle: .3, Empty: .3, LateDelete: .3, Expired: .3, Partial: .3, Throttle: .3, Lose: .3, Slow: .3}
	for name, faults := range map[string]sqstest.Faults{"realistic": sqstest.Realistic(), "rough": rough} {
		for _, kind := range []queue.Kind{queue.Standard, queue.FIFO} {
			t.Run(fmt.Sprint(name, "/", kind), func(t *testing.T) {
				sqstest.Seeds(t, 100, sqstest.Options{Faults: faults}, func(t *testing.T, k *sqstest.Kit) { workOver(t, k, kind) })
			})
		}
	}
}

func workOver(t *testing.T, k *sqstest.Kit, kind queue.Kind) {
	const messages, groups = 30, 5
	name, cfg := "jobs", queue.Config{}
	if kind == queue.FIFO {
		name, cfg = "jobs.fifo", queue.Config{ContentDeduplication: true}
	}
	q := k.Create(name, cfg)
	honest, err := k.Broker().GetQueue(name)
	require.NoError(t, err)
	want := map[string][]string{}
	for i := range messages {
		m := queue.Message{Body: fmt.Sprint(i)}
		if kind == queue.FIFO {
			m.GroupID = fmt.Sprint("g", i%groups)
		}
		want[m.GroupID] = append(want[m.GroupID], m.Body)
		_, err := honest.Send(t.Context(), m)
		require.NoError(t, err)
	}

	var mu sync.Mutex
	holders := map[string]map[*queue.Delivery]context.Context{} // of each group, now
	first := map[string][]string{}                              // of each group, in the order of the first receives
	seen := map[string]bool{}
	received, finished := 0, 0
	enter := func(ctx context.Context, d *queue.Delivery) {
		mu.Lock()
		defer mu.Unlock()
		if ctx.Err() != nil {
			t.Errorf("%s begins with a context that has ended: %v", d.Body, context.Cause(ctx))
		}
		for other, c := range holders[d.GroupID] {
			if kind == queue.FIFO && !errors.Is(context.Cause(c), worker.ErrLeaseLost) {
				t.Errorf("two of group %s at the same time: %s and %s", d.GroupID, d.Body, other.Body)
			}
		}
		if holders[d.GroupID] == nil {
			holders[d.GroupID] = map[*queue.Delivery]context.Context{}
		}
		holders[d.GroupID][d] = ctx
		if !seen[d.Body] {
			seen[d.Body] = true
			first[d.GroupID] = append(first[d.GroupID], d.Body)
		}
	}
	leave := func(d *queue.Delivery) {
		mu.Lock()
		defer mu.Unlock()
		delete(holders[d.GroupID], d)
	}
	var m worker.Metrics
	c := hire(t, q, func(ctx context.Context, d *queue.Delivery) error {
		enter(ctx, d)
		defer leave(d)
		switch {
		case k.Chance(0.2, "slow", d.Body):
			time.Sleep(7 * time.Second)
		case k.Chance(0.05, "very slow", d.Body):
			time.Sleep(70 * time.Second)
		}
		switch {
		case k.Chance(0.2, "fail", d.Body):
			return errNo
		case k.Chance(0.05, "panic", d.Body):
			panic("no")
		case k.Chance(0.05, "exit", d.Body):
			runtime.Goexit()
		}
		return nil
	}, worker.Options{
		Concurrency: 1 + int(k.Seed()%8), BatchSize: 1 + int(k.Seed()%10), Backoff: worker.Backoff{Seed: k.Seed()}, Metrics: &m,
		Trace: &worker.Trace{
			Received: func(n int) { mu.Lock(); received += n; mu.Unlock() },
			Finished: func(*queue.Delivery, worker.Outcome, error, time.Duration) { mu.Lock(); finished++; mu.Unlock() },
		},
	})
	q.ExpectDrained(10 * time.Hour)
	k.Advance(2 * time.Minute) // for a handler that holds one that is gone
	require.Len(t, seen, messages)
	if kind == queue.FIFO {
		require.Equal(t, want, first)
	}
	start := time.Now()
	require.NoError(t, c.end())
	require.LessOrEqual(t, time.Since(start), 25*time.Second)
	s := m.Snapshot()
	require.Equal(t, s.Received, s.Done+s.Retried+s.DeadLettered+s.LeaseLost+s.Returned, "%v", &m)
	require.EqualValues(t, s.Received, received)
	require.Equal(t, received, finished)
	require.Zero(t, s.Running)
	nothingRuns(t)
}
