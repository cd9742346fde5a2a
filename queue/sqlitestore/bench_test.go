package sqlitestore

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

// Durable operations with a number of goroutines at once, each waiting for its
// own:
//
//	go test -run '^$' -bench . -benchtime 3s
//
// Compare producers=1 with what the disk's sync costs.

func benchQueue(b *testing.B) *shop {
	s := newShop(b, queue.Config{Name: "bench", Limits: queue.Unlimited, VisibilityTimeout: queue.DefaultVisibility * 100})
	b.ReportAllocs()
	return s
}

// among runs f b.N times in all, in that many goroutines.
func among(b *testing.B, goroutines int, f func() error) {
	b.SetParallelism(goroutines) // of each of GOMAXPROCS
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := f(); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.StopTimer()
}

func BenchmarkSend(b *testing.B) {
	m := queue.Message{Body: strings.Repeat("x", 100)}
	for _, outbox := range []bool{false, true} {
		for _, producers := range []int{1, 64} {
			b.Run(fmt.Sprintf("outbox=%v/producers=%d", outbox, producers), func(b *testing.B) {
				s := benchQueue(b)
				var q queue.Queue = s.outbox
				if !outbox {
					q = s.outbox.inner
				}
				send := func() error {
					_, err := q.Send(s.ctx, m)
					return err
				}
				if producers == 1 {
					b.ResetTimer()
					for b.Loop() {
						require.NoError(b, send())
					}
					return
				}
				among(b, producers/2, send)
			})
		}
	}
}

// Send, Receive and Delete of one message after the other.
func BenchmarkLifecycle(b *testing.B) {
	s := benchQueue(b)
	q := s.outbox.inner
	m := queue.Message{Body: strings.Repeat("x", 100)}
	for b.Loop() {
		_, err := q.Send(s.ctx, m)
		require.NoError(b, err)
		got, err := q.Receive(s.ctx, queue.ReceiveOptions{})
		require.NoError(b, err)
		require.NoError(b, q.Delete(s.ctx, got[0].Receipt))
	}
}

// A receive alone: its count is written, not synced.
func BenchmarkReceive(b *testing.B) {
	s := benchQueue(b)
	q := s.outbox.inner
	_, err := q.Send(s.ctx, queue.Message{Body: strings.Repeat("x", 100)})
	require.NoError(b, err)
	for b.Loop() {
		got, err := q.Receive(s.ctx, queue.ReceiveOptions{VisibilityTimeout: queue.None})
		require.NoError(b, err)
		require.Len(b, got, 1)
	}
}

// A transaction with a row of the application and a message, and its delivery.
func BenchmarkSendTx(b *testing.B) {
	for _, deliver := range []int{1, 10} {
		b.Run(fmt.Sprintf("transactions-per-delivery=%d", deliver), func(b *testing.B) {
			s := benchQueue(b)
			m := queue.Message{Body: strings.Repeat("x", 100)}
			n := 0
			for b.Loop() {
				s.commit(m)
				if n++; n%deliver == 0 {
					require.NoError(b, s.st.Deliver(context.Background()))
				}
			}
		})
	}
}

// Opening a queue: in proportion to its pages.
func BenchmarkOpen(b *testing.B) {
	for _, messages := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("messages=%d", messages), func(b *testing.B) {
			s := newStore(b, small)
			number := attach(b, s, "q").Queue
			for first := 1; first <= messages; first += 1000 {
				batch := &queue.Batch{Now: 1000, Changes: []queue.Change{{Queue: number}}}
				for i := range 1000 {
					batch.Changes[0].Insert = append(batch.Changes[0].Insert, inserting(number, uint64(first+i)).Changes[0].Insert...)
				}
				do(b, s, batch, queue.Written)
			}
			for b.Loop() {
				s.Detach(number)
				attach(b, s, "q")
			}
		})
	}
}
