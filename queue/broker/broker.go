package broker

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/restantemq/restante/queue"
)

// Options are the choices of a whole broker. The zero value works.
type Options struct {
	// Scope is where the broker claims to be: it shows in ARNs and URLs.
	Scope Scope
}

// A Broker keeps queues by name. Make it with [New].
type Broker struct {
	scope Scope

	mu     sync.Mutex // guards the fields below; queues' own locks are taken under it
	queues map[string]*Queue
	closed bool
}

// New returns a broker without queues, in memory.
func New(o Options) *Broker {
	return &Broker{scope: o.Scope.withDefaults(), queues: make(map[string]*Queue)}
}

// Scope returns where the broker claims to be, defaults filled in.
func (b *Broker) Scope() Scope { return b.scope }

// CreateQueue creates the queue of that name, described by SQS attributes, and
// returns it. FifoQueue "true" makes a FIFO queue, whose name must end in
// ".fifo".
//
// If there is a queue of that name it is returned, provided that each of the
// attributes given has the value which that queue has now; attributes that are
// not given are not compared.
//
// Errors: a [*queue.LimitError] that is [queue.ErrInvalidParameter] for the
// name; an [*AttributeError] that is [ErrInvalidAttributeName],
// [ErrInvalidAttributeValue], [ErrQueueExists] or, for an attribute that SQS
// has and this version hasn't, [queue.ErrUnsupported]; those of standard.New
// and fifo.New; [queue.ErrClosed]; the context's.
func (b *Broker) CreateQueue(ctx context.Context, name string, attributes map[string]string) (*Queue, error) {
	asked := description{kind: queue.Standard, cfg: queue.Config{Name: name}}
	given, err := asked.apply(attributes)
	if err != nil {
		return nil, err
	}
	return b.create(ctx, asked, given)
}

// Create creates the queue of that name, described by a Config, and returns
// it. The name tells its kind: that of a FIFO queue ends in ".fifo". cfg.Name
// may be empty, or must be the same name.
//
// If there is a queue of that name it is returned, provided that each field of
// cfg that is not zero has the value which that queue has now.
//
// Errors: a [*queue.LimitError] that is [queue.ErrInvalidParameter] for the
// name, those of standard.New and fifo.New for cfg, an [*AttributeError] that
// is [ErrQueueExists], [queue.ErrClosed], and the context's.
func (b *Broker) Create(ctx context.Context, name string, cfg queue.Config) (*Queue, error) {
	if cfg.Name != "" && cfg.Name != name {
		return nil, &queue.LimitError{
			Parameter: "Name",
			Reason:    fmt.Sprintf("the configuration says %q, the call %q", cfg.Name, name),
			Err:       queue.ErrInvalidParameter,
		}
	}
	cfg.Name = name
	asked := description{kind: kindOf(name), cfg: cfg}
	return b.create(ctx, asked, asked.given())
}

// create returns the existing queue of that name, if it agrees with what was
// asked for in the settings given, or else a new one.
func (b *Broker) create(ctx context.Context, asked description, given []setting) (*Queue, error) {
	name := asked.cfg.Name
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("create queue %q: %w", name, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, queue.ErrClosed
	}
	if existing := b.queues[name]; existing != nil {
		if err := agree(existing.describe(), asked, given); err != nil {
			return nil, err
		}
		return existing, nil
	}
	// Only now: creating "x.fifo" again need not repeat that it is a FIFO queue.
	if err := checkName(name, asked.kind); err != nil {
		return nil, err
	}
	q, err := newQueue(b.scope, asked)
	if err != nil {
		return nil, err
	}
	b.queues[name] = q
	return q, nil
}

// GetQueue returns the queue of that name. Errors: [ErrQueueNotFound] and
// [queue.ErrClosed].
func (b *Broker) GetQueue(name string) (*Queue, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, queue.ErrClosed
	}
	q := b.queues[name]
	if q == nil {
		return nil, fmt.Errorf("%w: %q", ErrQueueNotFound, name)
	}
	return q, nil
}

// Close closes all queues of the broker, as [queue.Queue].Close does, and ends
// the broker: its other methods return [queue.ErrClosed]. Closing again
// returns nil.
func (b *Broker) Close() error {
	b.mu.Lock()
	queues := b.queues
	b.queues, b.closed = nil, true
	b.mu.Unlock()

	var errs []error
	for _, q := range queues {
		errs = append(errs, q.Close())
	}
	return errors.Join(errs...)
}
