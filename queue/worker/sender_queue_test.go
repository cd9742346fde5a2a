package worker_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/fifo"
	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/worker"
	"github.com/restantemq/restante/standard"
)

// A spy is a queue in front of another one that notes what is sent, takes its time, and
// may refuse.
type spy struct {
	queue.Queue
	takes  time.Duration                             // each call
	refuse func(ms []queue.Message) ([]int, error)   // may be nil; with indices only those entries are refused
	after  func(ms []queue.Message, err error) error // may be nil; replaces a call's error

	start time.Time
	mu    sync.Mutex // guards calls
	calls []spyCall
}

// A spyCall is one of Send or SendBatch.
type spyCall struct {
	at     time.Duration // since the spy was made
	bodies string        // the first byte of each
}

func spyOn(q queue.Queue) *spy { return &spy{Queue: q, start: time.Now()} }

func (c *spy) Unwrap() queue.Queue { return c.Queue }

func (c *spy) Send(ctx context.Context, m queue.Message) (queue.Sent, error) {
	if _, err := c.note(ctx, []queue.Message{m}); err != nil {
		return queue.Sent{}, err
	}
	sent, err := c.Queue.Send(ctx, m)
	if c.after != nil {
		err = c.after([]queue.Message{m}, err)
	}
	return sent, err
}

func (c *spy) SendBatch(ctx context.Context, ms []queue.Message) ([]queue.Sent, error) {
	which, err := c.note(ctx, ms)
	switch {
	case err != nil && which == nil:
		return nil, err
	case err != nil:
		return c.sendOthers(ctx, ms, which, err)
	}
	sent, err := c.Queue.SendBatch(ctx, ms)
	if c.after != nil {
		err = c.after(ms, err)
	}
	return sent, err
}

// note waits and refuses as c is told to.
func (c *spy) note(ctx context.Context, ms []queue.Message) ([]int, error) {
	bodies := ""
	for _, m := range ms {
		bodies += m.Body[:min(1, len(m.Body))]
	}
	c.mu.Lock()
	c.calls = append(c.calls, spyCall{time.Since(c.start), bodies})
	c.mu.Unlock()
	if c.takes > 0 {
		select {
		case <-time.After(c.takes):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if c.refuse == nil {
		return nil, nil
	}
	return c.refuse(ms)
}

// sendOthers sends those messages that aren't refused.
func (c *spy) sendOthers(ctx context.Context, ms []queue.Message, refused []int, err error) ([]queue.Sent, error) {
	batch := &queue.BatchError{}
	sent := make([]queue.Sent, len(ms))
	for i := range ms {
		why := err
		if !slices.Contains(refused, i) {
			sent[i], why = c.Queue.Send(ctx, ms[i])
		}
		if why != nil {
			batch.Entries = append(batch.Entries, queue.EntryError{Index: i, Err: why})
		}
	}
	return sent, batch
}

func (c *spy) seen() []spyCall {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]spyCall(nil), c.calls...)
}

func openStandard(t testing.TB, cfg queue.Config) *standard.Queue {
	q, err := standard.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, q.Close()) })
	return q
}

func openFIFO(t testing.TB, cfg queue.Config) *fifo.Queue {
	q, err := fifo.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, q.Close()) })
	return q
}

func openSender(t testing.TB, q queue.Queue, o worker.SenderOptions) *worker.Sender {
	s, err := worker.NewSender(q, o)
	require.NoError(t, err)
	return s
}

// bodiesIn returns the bodies in q, in sequence order.
func bodiesIn(t testing.TB, q queue.Queue) []string {
	inside, ok := queue.As[queue.Inspector](q)
	require.True(t, ok)
	var bodies []string
	for p, err := range inside.Peek(context.Background()) {
		require.NoError(t, err)
		bodies = append(bodies, p.Body)
	}
	return bodies
}

// replies collects what done functions get.
type replies struct {
	mu    sync.Mutex // guards the fields below
	order []string   // bodies, as they were answered
	sent  map[string]queue.Sent
	errs  map[string]error
	times map[string]int
}

func newReplies() *replies {
	return &replies{sent: map[string]queue.Sent{}, errs: map[string]error{}, times: map[string]int{}}
}

// of returns a done function for that body.
func (a *replies) of(body string) func(queue.Sent, error) {
	return func(sent queue.Sent, err error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.order = append(a.order, body)
		a.sent[body], a.errs[body] = sent, err
		a.times[body]++
	}
}

// add adds a message for each body.
func (a *replies) add(t testing.TB, s *worker.Sender, bodies ...string) {
	for _, b := range bodies {
		require.NoError(t, s.Add(context.Background(), queue.Message{Body: b}, a.of(b)))
	}
}
