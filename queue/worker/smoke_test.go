package worker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/worker"
	"github.com/restantemq/restante/standard"
)

var silent = slog.New(slog.NewTextHandler(io.Discard, nil))

func TestSmoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, err := standard.New(queue.Config{})
		require.NoError(t, err)
		defer q.Close()
		for i := range 100 {
			_, err := q.Send(t.Context(), queue.Message{Body: fmt.Sprint(i)})
			require.NoError(t, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var n atomic.Int64
		var m worker.Metrics
		done := make(chan error)
		go func() {
			done <- worker.Run(ctx, q, func(ctx context.Context, d *queue.Delivery) error {
				time.Sleep(40 * time.Second)
				n.Add(1)
				if d.Body == "7" && d.ReceiveCount < 3 {
					return errors.New("no")
				}
				if d.Body == "8" && d.ReceiveCount < 2 {
					panic("eight")
				}
				return nil
			}, worker.Options{Logger: silent, Metrics: &m})
		}()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		s, _ := q.Stats(ctx)
		t.Log(n.Load(), s, &m)
		cancel()
		require.NoError(t, <-done)
	})
}

func benchmark(b *testing.B, n int, work func(ctx context.Context, q *standard.Queue, stop func())) {
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
			benchmark(b, n, func(ctx context.Context, q *standard.Queue, stop func()) {
				var left atomic.Int64
				left.Store(int64(b.N))
				_ = worker.Run(ctx, q, func(ctx context.Context, d *queue.Delivery) error {
					if left.Add(-1) == 0 {
						stop()
					}
					return nil
				}, worker.Options{Concurrency: n})
			})
		})
		b.Run(fmt.Sprint("loop/", n), func(b *testing.B) {
			benchmark(b, n, func(ctx context.Context, q *standard.Queue, stop func()) {
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
