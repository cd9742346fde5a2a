package worker_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/worker"
	"github.com/restantemq/restante/standard"
)

func benchmark(b *testing.B, work func(ctx context.Context, q *standard.Queue, stop func())) {
	q, _ := standard.New(queue.Config{})
	defer q.Close()
	for range b.N {
		_, _ = q.Send(b.Context(), queue.Message{Body: "a body of some bytes"})
	}
	ctx, cancel := context.WithCancel(b.Context())
	b.ResetTimer()
	work(ctx, q, cancel)
}

func BenchmarkWorker(b *testing.B) {
	for _, n := range []int{1, 4, 16} {
		b.Run(fmt.Sprint("run/", n), func(b *testing.B) {
			benchmark(b, func(ctx context.Context, q *standard.Queue, stop func()) {
				var left atomic.Int64
				left.Store(int64(b.N))
				_ = worker.Run(ctx, q, func(ctx context.Context, d *queue.Delivery) error {
					if left.Add(-1) == 0 {
						stop()
					}
					return nil
				}, worker.Options{Concurrency: n, Logger: slog.New(slog.DiscardHandler)})
			})
		})
		b.Run(fmt.Sprint("loop/", n), func(b *testing.B) {
			benchmark(b, func(ctx context.Context, q *standard.Queue, stop func()) {
				var left atomic.Int64
				left.Store(int64(b.N))
				h := func(ctx context.Context, d *queue.Delivery) error {
					if left.Add(-1) == 0 {
						stop()
					}
					return nil
				}
				var wg sync.WaitGroup
				for range n {
					wg.Go(func() {
						into := make([]queue.Delivery, 0, 10)
						rs := make([]queue.Receipt, 0, 10)
						for ctx.Err() == nil {
							ds, err := q.Receive(ctx, queue.ReceiveOptions{Max: 10, Into: into, Wait: 20 * time.Second})
							if err != nil {
								return
							}
							rs = rs[:0]
							for i := range ds {
								if h(ctx, &ds[i]) == nil {
									rs = append(rs, ds[i].Receipt)
								}
							}
							_ = q.DeleteBatch(ctx, rs)
						}
					})
				}
				wg.Wait()
			})
		})
	}
}
