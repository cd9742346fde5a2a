package sqstest_test

import (
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/sqstest"
)

// Most handlers of tests take no time: a duplicate must reach their consumer all the same.
func TestDuplicateReachesAReceiverWhoDeletesAtOnce(t *testing.T) {
	overSeeds(t, 20, sqstest.Faults{Duplicate: 1}, func(t *testing.T, k *sqstest.Kit) {
		q := k.Create("jobs", queue.Config{})
		put(t, k, "jobs", "a", "b")
		seen := map[string]int{}
		for range 30 {
			ds, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 10})
			require.NoError(t, err)
			for _, d := range ds {
				seen[d.Body]++
				require.NoError(t, q.Delete(t.Context(), d.Receipt))
			}
			k.Advance(time.Second)
		}
		require.Equal(t, map[string]int{"a": 2, "b": 2}, seen)
		q.ExpectEmpty()
	})
}

// A queue isn't drained, nor is all idle, while the kit itself holds a call back.
func TestDrainingAndIdlingWaitForSlowCalls(t *testing.T) {
	for name, wait := range map[string]func(*sqstest.Kit, *sqstest.Queue){
		"RunUntilDrained": func(_ *sqstest.Kit, q *sqstest.Queue) { q.RunUntilDrained(time.Hour) },
		"WaitIdle":        func(k *sqstest.Kit, _ *sqstest.Queue) { k.WaitIdle() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := sqstest.New(t, sqstest.Options{Faults: sqstest.Faults{Slow: 1}})
				q := k.Create("jobs", queue.Config{})
				go func() {
					_, _ = q.Send(t.Context(), queue.Message{Body: "a"})
					ds, _ := q.Receive(t.Context(), queue.ReceiveOptions{})
					for _, d := range ds {
						_ = q.Delete(t.Context(), d.Receipt)
					}
				}()
				wait(k, q)
				q.ExpectSent("a", 1)
				q.ExpectDeleted("a")
			})
		})
	}
}

// Faults that can't happen would let a test pass that shows nothing.
func TestFaultsThatCanNotHappenAreRefused(t *testing.T) {
	for name, f := range map[string]sqstest.Faults{
		`"SendMessage"`: {Throttle: 1, Calls: []string{"Send", "SendMessage"}},
		"Throttle":      {Throttle: 20},
		"Lose":          {Lose: math.NaN()},
		"Empty":         {Empty: -0.1},
		"SlowBy":        {SlowBy: -time.Second},
	} {
		for where, give := range map[string]func(k func() *sqstest.Kit, o *sqstest.Options){
			"New":             func(_ func() *sqstest.Kit, o *sqstest.Options) { o.Faults = f },
			"Kit.Misbehave":   func(k func() *sqstest.Kit, _ *sqstest.Options) { k().Misbehave(f) },
			"Queue.Misbehave": func(k func() *sqstest.Kit, _ *sqstest.Options) { k().Create("jobs", queue.Config{}).Misbehave(f) },
		} {
			t.Run(fmt.Sprint(name, "/", where), func(t *testing.T) {
				tr := try(t, func(tr *trial) {
					var o sqstest.Options
					var kit *sqstest.Kit
					give(func() *sqstest.Kit { kit = sqstest.New(tr, o); return kit }, &o)
					if kit == nil {
						sqstest.New(tr, o)
					}
				})
				require.True(t, tr.stopped)
				require.Contains(t, tr.said(), name)
			})
		}
	}
}
