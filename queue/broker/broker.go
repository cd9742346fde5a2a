package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/restantemq/restante/queue"
)

// Options are the choices of a whole broker. The zero value works.
type Options struct {
	// Scope is where the broker claims to be: it shows in ARNs and URLs. The
	// zero Scope is account 000000000000 in us-east-1.
	Scope Scope

	// EnforceCooldowns makes SQS's waiting times hold: a queue can be purged once
	// in 60 seconds, and a name can be used again 60 seconds after its queue was
	// deleted. They are counted in this process: opening a broker ends them.
	EnforceCooldowns bool

	// Limits are those of queues whose configuration doesn't say: queue.SQSLimits
	// or queue.Unlimited. Attributes in SQS's form keep SQS's ranges.
	Limits queue.Limits

	// Trace, if not nil, is told of every step in the life of every message in
	// every queue, before a queue's own Trace is. Steps of one queue come one at a
	// time, those of several queues at the same time.
	Trace *queue.Trace
}

// cooldown is how long a purge, and the deletion of a queue, rule out another.
const cooldown = 60 * time.Second

// A Broker keeps queues by name, as seen from one account and region. Make it
// with [New], [Open] or [OpenStore].
type Broker struct {
	*hub
	scope Scope
}

// A hub is a broker as such, whatever it is seen from.
type hub struct {
	options Options
	store   queue.Store // nil: in memory
	owned   bool        // the broker opened the store

	// admin lets one change of the catalogue happen at a time: whoever put his token
	// in makes it. It stays in while a change becomes durable; sending and receiving
	// don't need it.
	admin chan struct{}

	// mu guards what follows, and the fields of queues and tasks that say so. No
	// queue is called while it is held, but a queue may call for it; the store may
	// be handed a batch.
	mu      sync.RWMutex
	queues  map[key]*Queue
	sources map[string]map[*Queue]bool // by the ARN of their dead-letter queue
	deleted map[key]time.Time          // when, with EnforceCooldowns
	tasks   map[string]*task           // by ID
	closed  bool
	stop    context.CancelFunc // ends running tasks
	ctx     context.Context    // of running tasks
	running sync.WaitGroup     // tasks
}

func newBroker(o Options) *Broker {
	h := &hub{
		options: o,
		admin:   make(chan struct{}, 1),
		queues:  make(map[key]*Queue), sources: make(map[string]map[*Queue]bool), deleted: make(map[key]time.Time), tasks: make(map[string]*task),
	}
	h.ctx, h.stop = context.WithCancel(context.Background())
	return &Broker{h, o.Scope.withDefaults()}
}

// New returns a broker without queues, in memory.
func New(o Options) *Broker { return newBroker(o) }

// In returns the same broker as seen from another account or region. Empty fields
// of s stand for those of b. Closing either closes both. In a place that can't be,
// because its account isn't a number of 12 digits, say, there are no queues, and none
// can be created.
func (b *Broker) In(s Scope) *Broker {
	if s = s.or(b.scope); s == b.scope {
		return b
	}
	return &Broker{b.hub, s}
}

// Scope returns where the broker is seen from, defaults filled in.
func (b *Broker) Scope() Scope { return b.scope }

// GetQueue returns the queue of that name. Errors: [ErrQueueNotFound] and
// [queue.ErrClosed].
func (b *Broker) GetQueue(name string) (*Queue, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.closed {
		return nil, queue.ErrClosed
	}
	q := b.queues[b.scope.key(name)]
	if q == nil {
		return nil, fmt.Errorf("%w: %q", ErrQueueNotFound, name)
	}
	return q, nil
}

// begin starts a change of the catalogue: nobody else makes one until the caller
// calls h.end.
func (h *hub) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case h.admin <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.closed {
		h.end()
		return queue.ErrClosed
	}
	return nil
}

func (h *hub) end() { <-h.admin }

// find returns the queue of that ARN, nil if there is none.
func (h *hub) find(arn string) *Queue {
	s, name, ok := parseARN(arn)
	if !ok {
		return nil
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	if q := h.queues[s.key(name)]; q != nil && q.arn == arn {
		return q
	}
	return nil
}

// all returns all queues in the order of account, region and name.
func (h *hub) all() []*Queue {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return slices.SortedFunc(maps.Values(h.queues), func(a, b *Queue) int {
		return cmp.Or(cmp.Compare(a.scope.Account, b.scope.Account),
			cmp.Compare(a.scope.Region, b.scope.Region), cmp.Compare(a.name, b.name))
	})
}

// Close ends the broker, for all who see it: a change under way is finished, move
// tasks stop (those of a durable broker go on when it is opened again), and all
// queues are closed as [queue.Queue].Close does. A durable broker makes durable
// what was accepted, and closes the store that [Open] opened. Afterwards every
// method returns [queue.ErrClosed]. Closing again returns nil. A [queue.Trace] must
// not call Close: it waits for events to be delivered.
func (b *Broker) Close() error {
	h := b.hub
	h.admin <- struct{}{}
	defer h.end()
	h.mu.Lock()
	already := h.closed
	h.closed = true
	h.mu.Unlock()
	if already {
		return nil
	}
	h.stop()
	h.running.Wait()

	var errs []error
	for _, q := range h.all() {
		errs = append(errs, q.Close())
	}
	if h.owned {
		errs = append(errs, h.store.Close())
	}
	return errors.Join(errs...)
}
