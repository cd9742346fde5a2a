package linear

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/restantemq/restante/queue"
)

// kind is what a recorded call does.
type kind uint8

const (
	callSend kind = iota
	callReceive
	callDelete
	callChange
	callDeadLetter
	callAdopt
)

// A call is one recorded call of a queue's method, single or batch.
type call struct {
	client int
	queue  int // 0 is the queue, 1 its dead-letter queue
	kind   kind

	begin, end int64         // numbers of the counter; end is zero while the call runs
	from, to   time.Duration // the instants of these, since the schedule began

	messages []queue.Message // callSend
	sent     []queue.Sent

	options queue.ReceiveOptions // callReceive
	cancel  time.Duration        // when the context ends, counted from the call; zero: never
	got     []queue.Delivery

	used     []queue.Delivery // whose receipts were used: callDelete, callChange, callDeadLetter
	timeouts []time.Duration  // callChange
	errs     []error          // for each of used

	records []queue.Record // callAdopt

	err error // of the whole call
}

// A recorder numbers the calls of a schedule and keeps them.
type recorder struct {
	start   time.Time
	counter atomic.Int64
	yields  atomic.Int64
	mu      sync.Mutex
	calls   []*call
}

// begin notes that a call starts now.
func (r *recorder) begin(c *call) *call {
	r.mu.Lock()
	r.calls = append(r.calls, c)
	r.mu.Unlock()
	c.from = time.Since(r.start)
	c.begin = r.counter.Add(1)
	return c
}

// end notes that a call has returned.
func (r *recorder) end(c *call) {
	c.end = r.counter.Add(1)
	c.to = time.Since(r.start)
}

// yield lets other clients run, every second time. It stands where a queue in
// the middle of a call asks something of its caller.
func (r *recorder) yield() {
	if r.yields.Add(1)%2 == 0 {
		runtime.Gosched()
	}
}

// interrupting is a context that lets other clients run when it is asked for
// anything.
type interrupting struct {
	context.Context
	recorder *recorder
}

// Done is that of the context.
func (c interrupting) Done() <-chan struct{} {
	c.recorder.yield()
	return c.Context.Done()
}

// Err is that of the context.
func (c interrupting) Err() error {
	c.recorder.yield()
	return c.Context.Err()
}

// target is a dead-letter queue whose adoptions are recorded.
type target struct {
	queue.Adopter
	recorder *recorder
}

// Adopt records the adoption.
func (t target) Adopt(ctx context.Context, ms []queue.Record, leaving *queue.Change) error {
	c := t.recorder.begin(&call{client: adopter, queue: 1, kind: callAdopt, records: slices.Clone(ms)})
	t.recorder.yield()
	c.err = t.Adopter.Adopt(ctx, ms, leaving)
	t.recorder.yield()
	t.recorder.end(c)
	return c.err
}

// A history is what happened in one schedule.
type history struct {
	seed   uint64
	groups []string
	cfg    [2]queue.Config // with defaults filled in; without collaborators
	calls  []*call         // in the order in which they began
	broken []string        // what went wrong outside of the calls
}

// String returns the history in readable form: a line for each call.
func (h *history) String() string {
	var b strings.Builder
	for i, cfg := range h.cfg {
		if i == 1 && h.cfg[0].DeadLetter.MaxReceives == 0 {
			break
		}
		fmt.Fprintf(&b, "queue %d: visibility timeout %v, delay %v, wait %v, max receives %d, content deduplication %v, scope %d\n",
			i, cfg.VisibilityTimeout, cfg.Delay, cfg.ReceiveWait, cfg.DeadLetter.MaxReceives, cfg.ContentDeduplication, cfg.DeduplicationScope)
	}
	for _, c := range h.calls {
		when := c.from.String()
		if c.end == 0 {
			when += " (still running)"
		} else if c.to != c.from {
			when += " to " + c.to.String()
		}
		fmt.Fprintf(&b, "%4d-%-4d %-18s %-8s queue %d: %s\n", c.begin, c.end, when, clientName(c.client), c.queue, c)
	}
	return b.String()
}

// clientName returns what a client is called in histories.
func clientName(client int) string {
	switch client {
	case 0:
		return "main"
	case adopter:
		return "adopter"
	}
	return fmt.Sprintf("client %d", client)
}

// String returns the call with its arguments and results.
func (c *call) String() string {
	var b strings.Builder
	switch c.kind {
	case callSend:
		b.WriteString("send")
		for i, m := range c.messages {
			fmt.Fprintf(&b, " %s:%q", m.GroupID, m.Body)
			if m.DeduplicationID != "" {
				fmt.Fprintf(&b, " id %q", m.DeduplicationID)
			}
			if c.err == nil && i < len(c.sent) {
				fmt.Fprintf(&b, " → #%d", c.sent[i].Sequence)
				if c.sent[i].Duplicate {
					b.WriteString(" (duplicate)")
				}
			}
		}
	case callReceive:
		fmt.Fprintf(&b, "receive up to %d", max(c.options.Max, 1))
		for _, o := range []struct {
			name string
			d    time.Duration
		}{{"wait", c.options.Wait}, {"timeout", c.options.VisibilityTimeout}} {
			if o.d == queue.None {
				fmt.Fprintf(&b, ", no %s", o.name)
			} else if o.d != 0 {
				fmt.Fprintf(&b, ", %s %v", o.name, o.d)
			}
		}
		if c.cancel != 0 {
			fmt.Fprintf(&b, ", canceled after %v", c.cancel)
		}
		b.WriteString(" →")
		for _, d := range c.got {
			fmt.Fprintf(&b, " %s:#%d (receive %d)", d.GroupID, d.Sequence, d.ReceiveCount)
		}
		if len(c.got) == 0 && c.err == nil {
			b.WriteString(" nothing")
		}
	case callDelete, callChange, callDeadLetter:
		b.WriteString([...]string{callDelete: "delete", callChange: "change", callDeadLetter: "dead-letter"}[c.kind])
		for i, d := range c.used {
			fmt.Fprintf(&b, " %s:#%d (receive %d)", d.GroupID, d.Sequence, d.ReceiveCount)
			if c.kind == callChange {
				fmt.Fprintf(&b, " to %v", c.timeouts[i])
			}
			if i < len(c.errs) && c.errs[i] != nil {
				fmt.Fprintf(&b, " → %v", c.errs[i])
			}
		}
	case callAdopt:
		b.WriteString("adopt")
		for _, r := range c.records {
			fmt.Fprintf(&b, " %s:%q", r.GroupID, r.Body)
		}
	}
	if c.err != nil {
		fmt.Fprintf(&b, " → error: %v", c.err)
	}
	return b.String()
}

// entryErrors spreads the error of a call with n entries over them. It reports
// false if err is an error of the whole call.
func entryErrors(err error, n int) ([]error, bool) {
	errs := make([]error, n)
	if err == nil {
		return errs, true
	}
	var batch *queue.BatchError
	if !errors.As(err, &batch) {
		return errs, false
	}
	for _, e := range batch.Entries {
		if e.Index < 0 || e.Index >= n || errs[e.Index] != nil {
			return errs, false
		}
		errs[e.Index] = e.Err
	}
	return errs, true
}
