package broker_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/queuetest"
)

// A broker's Trace is told of the messages of all queues, however they were made,
// also after they were opened again or set otherwise, and a queue's own Trace is told
// as well.
func TestTraceOfAllQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		var all, own []queue.Event
		trace := func(to *[]queue.Event) *queue.Trace {
			return &queue.Trace{Message: func(e queue.Event) { *to = append(*to, e) }}
		}
		st := queuetest.NewMemStore()
		b, err := broker.OpenStore(ctx, st, broker.Options{Trace: trace(&all)})
		require.NoError(t, err)
		plain, err := b.CreateQueue(ctx, "plain", nil)
		require.NoError(t, err)
		_, err = b.Create(ctx, "traced.fifo", queue.Config{ContentDeduplication: true})
		require.NoError(t, err)
		require.Nil(t, plain.Config().Trace, "what a queue was given, no more")
		traced, err := b.Create(ctx, "traced.fifo", queue.Config{Trace: trace(&own)}) // it has none yet
		require.NoError(t, err)

		_, err = plain.Send(ctx, queue.Message{Body: "a"})
		require.NoError(t, err)
		_, err = traced.Send(ctx, queue.Message{Body: "b", GroupID: "g"})
		require.NoError(t, err)
		require.NoError(t, plain.SetAttributes(ctx, map[string]string{"VisibilityTimeout": "1"}))
		got, err := plain.Receive(ctx, queue.ReceiveOptions{})
		require.NoError(t, err)
		require.Len(t, got, 1)
		time.Sleep(time.Second)
		synctest.Wait()

		type step struct {
			queue, body, group string
			step               queue.Step
		}
		steps := func(events []queue.Event) (s []step) {
			for _, e := range events {
				s = append(s, step{e.Queue, e.Body, e.GroupID, e.Step})
			}
			return s
		}
		sent := []step{{"traced.fifo", "b", "g", queue.StepAccepted}, {"traced.fifo", "b", "g", queue.StepVisible}}
		want := append([]step{{"plain", "a", "", queue.StepAccepted}, {"plain", "a", "", queue.StepVisible}}, sent...)
		require.Equal(t, append(want, step{"plain", "a", "", queue.StepReceived}, step{"plain", "a", "", queue.StepTimedOut}), steps(all))
		require.Equal(t, sent, steps(own))
		require.NoError(t, b.Close())

		all = nil
		b, err = broker.OpenStore(ctx, st, broker.Options{Trace: trace(&all)})
		require.NoError(t, err)
		plain, err = b.GetQueue("plain")
		require.NoError(t, err)
		_, err = plain.Receive(ctx, queue.ReceiveOptions{})
		require.NoError(t, err)
		require.Contains(t, steps(all), step{"plain", "a", "", queue.StepReceived})
		require.NoError(t, b.Close())
	})
}
