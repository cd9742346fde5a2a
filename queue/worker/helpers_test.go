package worker_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/worker"
)

// bubble runs a subtest in a bubble of its own.
func bubble(t *testing.T, name string, test func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

// bothKinds runs a subtest for a Standard and one for a FIFO queue, each in a bubble.
func bothKinds(t *testing.T, test func(t *testing.T, kind queue.Kind)) {
	for _, kind := range []queue.Kind{queue.Standard, queue.FIFO} {
		bubble(t, kind.String(), func(t *testing.T) { test(t, kind) })
	}
}

// inspected is a queue that tells its counters.
type inspected interface {
	queue.Queue
	queue.Inspector
}

// open opens a queue of the kind, with these bodies in it, each in its own group.
func open(t *testing.T, kind queue.Kind, cfg queue.Config, bodies ...string) inspected {
	var q inspected
	if kind == queue.FIFO {
		if cfg.ContentDeduplication = true; cfg.Name != "" {
			cfg.Name += ".fifo"
		}
		q = openFIFO(t, cfg)
	} else {
		q = openStandard(t, cfg)
	}
	put(t, q, kind, bodies...)
	return q
}

// put sends bodies, to a FIFO queue each in its own group.
func put(t *testing.T, q queue.Queue, kind queue.Kind, bodies ...string) {
	for len(bodies) > 0 {
		n := min(len(bodies), queue.MaxBatch)
		var batch []queue.Message
		for _, b := range bodies[:n] {
			m := queue.Message{Body: b}
			if kind == queue.FIFO {
				m.GroupID = b
			}
			batch = append(batch, m)
		}
		_, err := q.SendBatch(t.Context(), batch)
		require.NoError(t, err)
		bodies = bodies[n:]
	}
}

// inGroup sends bodies to one FIFO group.
func inGroup(t *testing.T, q queue.Queue, group string, bodies ...string) {
	for _, b := range bodies {
		_, err := q.Send(t.Context(), queue.Message{Body: b, GroupID: group})
		require.NoError(t, err)
	}
}

// numbers returns prefix0, prefix1 and so on.
func numbers(prefix string, n int) (bodies []string) {
	for i := range n {
		bodies = append(bodies, fmt.Sprint(prefix, i))
	}
	return bodies
}

// quietly returns o with a logger that says nothing, unless it has one.
func quietly(o worker.Options) worker.Options {
	if o.Logger == nil {
		o.Logger = mute
	}
	return o
}

// A crew is a Run in the background.
type crew struct {
	stop context.CancelFunc
	done chan error
}

func hire(t *testing.T, q queue.Queue, h worker.Handler, o worker.Options) *crew {
	ctx, cancel := context.WithCancel(t.Context())
	c := &crew{cancel, make(chan error, 1)}
	go func() { c.done <- worker.Run(ctx, q, h, quietly(o)) }()
	return c
}

// end stops the crew, and returns what Run has returned.
func (c *crew) end() error {
	c.stop()
	return <-c.done
}

// runFor is a Run whose context ends after d, which must return nil.
func runFor(t *testing.T, d time.Duration, q queue.Queue, h worker.Handler, o worker.Options) {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	require.NoError(t, worker.Run(ctx, q, h, quietly(o)))
}

func runBatchFor(t *testing.T, d time.Duration, q queue.Queue, h worker.BatchHandler, o worker.Options) {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	require.NoError(t, worker.RunBatch(ctx, q, h, quietly(o)))
}

// receivable receives all that can be received at this instant.
func receivable(t *testing.T, q queue.Queue) (all []queue.Delivery) {
	for {
		ds, err := q.Receive(context.Background(), queue.ReceiveOptions{Max: queue.MaxReceive, Wait: queue.None})
		require.NoError(t, err)
		if len(ds) == 0 {
			return all
		}
		all = append(all, ds...)
	}
}

// nothingRuns fails the test if a goroutine of the package is left.
func nothingRuns(t *testing.T) {
	t.Helper()
	synctest.Wait()
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		require.NotContains(t, stack, "queue/worker.", "a goroutine outlives Run")
	}
}

// Notes are what tests write down from several goroutines.
type notes[T any] struct {
	mu      sync.Mutex
	entries []T
}

func (l *notes[T]) add(e T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, e)
}

func (l *notes[T]) all() []T {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]T{}, l.entries...)
}

// A tampered queue gives its test a say in calls; what is nil goes through.
type tampered struct {
	queue.Queue
	receive func(ctx context.Context, o queue.ReceiveOptions) error // before; an error is the answer
	change  func(ctx context.Context, cs []queue.VisibilityChange, next func() error) error
	delete  func(ctx context.Context, rs []queue.Receipt, next func() error) error
	dead    func(next func() error) error
}

func (q *tampered) Unwrap() queue.Queue { return q.Queue }

func (q *tampered) Receive(ctx context.Context, o queue.ReceiveOptions) ([]queue.Delivery, error) {
	if q.receive != nil {
		if err := q.receive(ctx, o); err != nil {
			return nil, err
		}
	}
	return q.Queue.Receive(ctx, o)
}

func (q *tampered) ChangeVisibility(ctx context.Context, r queue.Receipt, d time.Duration) error {
	next := func() error { return q.Queue.ChangeVisibility(ctx, r, d) }
	if q.change != nil {
		return q.change(ctx, []queue.VisibilityChange{{Receipt: r, Timeout: d}}, next)
	}
	return next()
}

func (q *tampered) ChangeVisibilityBatch(ctx context.Context, cs []queue.VisibilityChange) error {
	next := func() error { return q.Queue.ChangeVisibilityBatch(ctx, cs) }
	if q.change != nil {
		return q.change(ctx, cs, next)
	}
	return next()
}

func (q *tampered) Delete(ctx context.Context, r queue.Receipt) error {
	next := func() error { return q.Queue.Delete(ctx, r) }
	if q.delete != nil {
		return q.delete(ctx, []queue.Receipt{r}, next)
	}
	return next()
}

func (q *tampered) DeleteBatch(ctx context.Context, rs []queue.Receipt) error {
	next := func() error { return q.Queue.DeleteBatch(ctx, rs) }
	if q.delete != nil {
		return q.delete(ctx, rs, next)
	}
	return next()
}

func (q *tampered) DeadLetter(ctx context.Context, r queue.Receipt, reason string) error {
	next := func() error {
		inner, _ := queue.As[queue.DeadLetterer](q.Queue)
		return inner.DeadLetter(ctx, r, reason)
	}
	if q.dead != nil {
		return q.dead(next)
	}
	return next()
}

// throttledChanges is a queue that refuses all changes of visibility.
func throttledChanges(q queue.Queue) *tampered {
	return &tampered{Queue: q, change: func(context.Context, []queue.VisibilityChange, func() error) error { return queue.ErrThrottled }}
}
