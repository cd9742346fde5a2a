package worker_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/worker"
)

// BenchmarkSender compares ways to send, per message: a loop over SendBatch with full
// batches, a loop over Send, and a Sender's Add and Send. "call" is what a call of the queue
// costs beside its work: nothing, in memory; a sync or a network where it is more.
//
//	go test ./queue/worker -run '^$' -bench Sender
func BenchmarkSender(b *testing.B) {
	ctx := context.Background()
	m := queue.Message{Body: "0123456789abcdef0123456789abcdef"}
	ways := []struct {
		name string
		send func(b *testing.B, q queue.Queue, producers int)
	}{
		{"SendBatch", func(b *testing.B, q queue.Queue, producers int) {
			ms := make([]queue.Message, queue.MaxBatch)
			for i := range ms {
				ms[i] = m
			}
			each(b, producers, func(n int) {
				for ; n > 0; n -= len(ms) {
					_, err := q.SendBatch(ctx, ms[:min(n, len(ms))])
					require.NoError(b, err)
				}
			})
		}},
		{"Send", func(b *testing.B, q queue.Queue, producers int) {
			each(b, producers, func(n int) {
				for range n {
					_, err := q.Send(ctx, m)
					require.NoError(b, err)
				}
			})
		}},
		{"Sender.Add", func(b *testing.B, q queue.Queue, producers int) {
			s := openSender(b, q, worker.SenderOptions{})
			each(b, producers, func(n int) {
				for range n {
					_ = s.Add(ctx, m, func(_ queue.Sent, err error) {
						if err != nil {
							b.Error(err)
						}
					})
				}
			})
			require.NoError(b, s.Close())
		}},
		{"Sender.Send", func(b *testing.B, q queue.Queue, producers int) {
			s := openSender(b, q, worker.SenderOptions{})
			each(b, producers, func(n int) {
				for range n {
					_, err := s.Send(ctx, m)
					require.NoError(b, err)
				}
			})
			require.NoError(b, s.Close())
		}},
	}
	for _, takes := range []time.Duration{0, 2 * time.Millisecond} {
		for _, producers := range []int{1, 100} {
			for _, w := range ways {
				b.Run(fmt.Sprintf("call=%v/producers=%s/way=%s", takes, strconv.Itoa(producers), w.name), func(b *testing.B) {
					var q queue.Queue = openStandard(b, queue.Config{})
					if takes > 0 {
						q = slow{q, takes}
					}
					b.ReportAllocs()
					w.send(b, q, producers)
				})
			}
		}
	}
}

// each shares b.N out among producers and waits for them.
func each(b *testing.B, producers int, produce func(n int)) {
	var all sync.WaitGroup
	b.ResetTimer()
	for p := range producers {
		n := b.N / producers
		if p < b.N%producers {
			n++
		}
		all.Go(func() { produce(n) })
	}
	all.Wait()
}

// A slow queue takes its time for each call.
type slow struct {
	queue.Queue
	takes time.Duration
}

func (q slow) Unwrap() queue.Queue { return q.Queue }

func (q slow) Send(ctx context.Context, m queue.Message) (queue.Sent, error) {
	time.Sleep(q.takes)
	return q.Queue.Send(ctx, m)
}

func (q slow) SendBatch(ctx context.Context, ms []queue.Message) ([]queue.Sent, error) {
	time.Sleep(q.takes)
	return q.Queue.SendBatch(ctx, ms)
}
