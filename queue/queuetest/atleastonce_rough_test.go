package queuetest

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/restantemq/restante/queue"
)

// A roughQueue does to its callers all that [TestAtLeastOnce] tolerates, with a
// chance of one in four each.
type roughQueue struct {
	queue.Queue
	kind queue.Kind

	mu     sync.Mutex // guards the fields below
	random *rand.Rand
	inARow map[string]int // failures, by call
	late   []lateDelete
}

// A lateDelete was acknowledged and is yet to be carried out.
type lateDelete struct {
	r   queue.Receipt
	due time.Time
}

func newRoughQueue(kind queue.Kind, seed uint64, cfg queue.Config) (queue.Queue, error) {
	if kind == queue.Standard {
		cfg.FencedReceipts = seed%2 == 1
	}
	q, err := newOfKind(kind, cfg)
	if err != nil {
		return nil, err
	}
	return &roughQueue{Queue: q, kind: kind, random: rand.New(rand.NewPCG(seed, 1)), inARow: map[string]int{}}, nil
}

func (q *roughQueue) chance() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.random.IntN(4) == 0
}

func (q *roughQueue) below(n int) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.random.IntN(n)
}

// mishap decides how a call fails, if it does: not more than twice in a row. lost
// says that it is carried out before.
func (q *roughQueue) mishap(call string) (lost bool, err error) {
	if q.chance() {
		time.Sleep(time.Duration(q.below(3000)) * time.Millisecond)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	luck := q.random.IntN(8)
	if luck > 1 || q.inARow[call] == 2 {
		delete(q.inARow, call)
		return false, nil
	}
	q.inARow[call]++
	if luck == 0 {
		return false, fmt.Errorf("rough: %w", queue.ErrThrottled)
	}
	return true, fmt.Errorf("rough: %w", queue.ErrUncertain)
}

func (q *roughQueue) Send(ctx context.Context, m queue.Message) (queue.Sent, error) {
	lost, err := q.mishap("Send " + m.Body)
	if err != nil && !lost {
		return queue.Sent{}, err
	}
	sent, failed := q.Queue.Send(ctx, m)
	if lost {
		return queue.Sent{}, err
	}
	return sent, failed
}

// SendBatch fails as a whole on a FIFO queue, whose order an entry that fails
// alone would change.
func (q *roughQueue) SendBatch(ctx context.Context, ms []queue.Message) ([]queue.Sent, error) {
	if q.kind == queue.FIFO {
		lost, err := q.mishap("SendBatch " + ms[0].Body)
		if err != nil && !lost {
			return nil, err
		}
		sent, failed := q.Queue.SendBatch(ctx, ms)
		if lost {
			return nil, err
		}
		return sent, failed
	}
	sent := make([]queue.Sent, len(ms))
	return sent, toyBatch(len(ms), func(i int) (err error) {
		sent[i], err = q.Send(ctx, ms[i])
		return err
	})
}

func (q *roughQueue) Receive(ctx context.Context, o queue.ReceiveOptions) ([]queue.Delivery, error) {
	q.catchUp()
	lost, err := q.mishap("Receive")
	if err != nil && !lost {
		return nil, err
	}
	if o.Wait == queue.None && q.chance() {
		return nil, err
	}
	if o.Max > 1 && q.chance() {
		o.Max = 1 + q.below(o.Max)
	}
	ds, failed := q.Queue.Receive(ctx, o)
	if lost {
		return nil, err
	}
	for i := range ds {
		ds[i].SentAt = ds[i].SentAt.Add(-time.Hour)
		if q.kind == queue.Standard && q.chance() {
			_ = q.Queue.ChangeVisibility(ctx, ds[i].Receipt, time.Duration(q.below(3))*time.Second) // for somebody else
		}
	}
	if q.kind == queue.Standard {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.random.Shuffle(len(ds), func(i, j int) { ds[i], ds[j] = ds[j], ds[i] })
	}
	return ds, failed
}

// catchUp carries out the deletes that are due.
func (q *roughQueue) catchUp() {
	q.mu.Lock()
	late := q.late
	q.late = nil
	q.mu.Unlock()
	for _, d := range late {
		if time.Now().Before(d.due) {
			q.mu.Lock()
			q.late = append(q.late, d)
			q.mu.Unlock()
			continue
		}
		_ = q.Queue.Delete(context.Background(), d.r) // if that is refused, the message comes back
	}
}

func (q *roughQueue) Delete(ctx context.Context, r queue.Receipt) error {
	lost, err := q.mishap("Delete " + r.String())
	if err != nil && !lost {
		return err
	}
	if err == nil && q.kind == queue.Standard && q.chance() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.late = append(q.late, lateDelete{r, time.Now().Add(7 * time.Second)})
		return nil
	}
	failed := q.Queue.Delete(ctx, r)
	if lost {
		return err
	}
	return failed
}

func (q *roughQueue) DeleteBatch(ctx context.Context, rs []queue.Receipt) error {
	return toyBatch(len(rs), func(i int) error { return q.Delete(ctx, rs[i]) })
}

func (q *roughQueue) ChangeVisibility(ctx context.Context, r queue.Receipt, d time.Duration) error {
	lost, err := q.mishap("ChangeVisibility " + r.String())
	if err != nil && !lost {
		return err
	}
	failed := q.Queue.ChangeVisibility(ctx, r, d)
	if lost {
		return err
	}
	return failed
}

func (q *roughQueue) ChangeVisibilityBatch(ctx context.Context, cs []queue.VisibilityChange) error {
	return toyBatch(len(cs), func(i int) error { return q.ChangeVisibility(ctx, cs[i].Receipt, cs[i].Timeout) })
}

func (q *roughQueue) Stats(ctx context.Context) (queue.Stats, error) {
	if _, err := q.mishap("Stats"); err != nil {
		return queue.Stats{}, err
	}
	return q.Queue.(queue.Inspector).Stats(ctx)
}

func (q *roughQueue) Peek(ctx context.Context) iter.Seq2[queue.Peeked, error] {
	return q.Queue.(queue.Inspector).Peek(ctx)
}

func (q *roughQueue) Close() error {
	if _, err := q.mishap("Close"); err != nil {
		return err
	}
	return q.Queue.Close()
}

// Unwrap shows the queue as a dead-letter target.
func (q *roughQueue) Unwrap() queue.Queue { return q.Queue }

func TestAtLeastOnceToleratesRoughQueues(t *testing.T) {
	for _, kind := range []queue.Kind{queue.Standard, queue.FIFO} {
		for seed := range uint64(12) {
			t.Run(fmt.Sprintf("%v/%d", kind, seed), func(t *testing.T) {
				t.Parallel()
				TestAtLeastOnce(t, Harness{Kind: kind, New: func(_ *testing.T, cfg queue.Config) (queue.Queue, error) {
					return newRoughQueue(kind, seed, cfg)
				}})
			})
		}
	}
}

func TestAtLeastOnceSkips(t *testing.T) {
	TestAtLeastOnce(t, Harness{
		Kind: queue.Standard,
		New: func(t *testing.T, _ queue.Config) (queue.Queue, error) {
			t.Error("a case ran that is left out")
			return nil, queue.ErrUnsupported
		},
		Skip: map[string]string{"AtLeastOnce": "this is a test of Skip"},
	})
}
