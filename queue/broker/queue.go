package broker

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/restantemq/restante/fifo"
	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/standard"
)

// A Queue is a queue that a [Broker] keeps under a name. Further abilities
// than those of [queue.Queue] are found by [queue.As].
//
// The broker closes its queues. One that is closed by itself keeps its name
// and answers every call with [queue.ErrClosed], until it is deleted or the broker
// is opened again.
//
// Messages in a dead-letter queue have the ARN of the queue that they left for
// DeadLetterSource. A Queue can be the target of a queue.DeadLetter.
type Queue struct {
	queue.Queue // a *standard.Queue or *fifo.Queue
	*hub
	scope Scope
	name  string
	kind  queue.Kind
	arn   string

	state  state     // guarded by hub.mu
	purged time.Time // guarded by hub.mu; when, with EnforceCooldowns
	lost   error     // why it could not be deleted; written and read within hub.admin
}

var _ queue.Adopter = (*Queue)(nil)

// A state is what a broker knows of a queue beside its messages.
type state struct {
	description
	tags              map[string]string // replaced, never changed
	created, modified int64             // ms
}

// local is what the two kinds of queue in this process have in common.
type local interface {
	queue.Adopter
	queue.Purger
	queue.Inspector
	queue.Configurable
	Accepts(cfg queue.Config) error
	Drop(meta ...queue.Meta) error
	NextPosition() uint64
	Redrive(ctx context.Context, from, to uint64, limit int, route func(source string) (queue.Adopter, error)) (next uint64, moved int, err error)
}

// open makes the queue that q.state describes, over the broker's store.
func (q *Queue) open(ctx context.Context) error {
	cfg := q.wired(&q.state.description)
	var err error
	switch {
	case q.kind == queue.FIFO && q.store == nil:
		q.Queue, err = fifo.New(cfg)
	case q.kind == queue.FIFO:
		q.Queue, err = fifo.Open(ctx, q.store, cfg)
	case q.store == nil:
		q.Queue, err = standard.New(cfg)
	default:
		q.Queue, err = standard.Open(ctx, q.store, cfg)
	}
	return err
}

func (q *Queue) local() local { return q.Queue.(local) }

// Adopt implements [queue.Adopter].
func (q *Queue) Adopt(ctx context.Context, ms []queue.Record, leaving *queue.Change) error {
	return q.local().Adopt(ctx, ms, leaving)
}

// Store implements [queue.Adopter].
func (q *Queue) Store() queue.Store { return q.local().Store() }

// wired returns the configuration of a queue with that description: with the
// dead-letter queue that its policy names, if there is one now.
func (h *hub) wired(d *description) queue.Config {
	cfg := d.cfg
	if target := h.find(d.redrive.target); target != nil && target.kind == d.kind {
		cfg.DeadLetter = queue.DeadLetter{Target: target, MaxReceives: d.redrive.maxReceives}
	}
	cfg.Trace = traces(h.options.Trace, cfg.Trace)
	return cfg
}

// traces returns what tells both, either of which may be nil.
func traces(first, second *queue.Trace) *queue.Trace {
	switch {
	case first == nil || first.Message == nil:
		return second
	case second == nil || second.Message == nil:
		return first
	}
	return &queue.Trace{Message: func(e queue.Event) {
		first.Message(e)
		second.Message(e)
	}}
}

// link keeps h.sources: a queue has its dead-letter queue from now on, or no
// longer. The caller must hold h.mu.
func (h *hub) link(q *Queue, has bool) {
	target := q.state.redrive.target
	switch {
	case target == "":
	case !has:
		delete(h.sources[target], q)
		if len(h.sources[target]) == 0 {
			delete(h.sources, target)
		}
	case h.sources[target] == nil:
		h.sources[target] = map[*Queue]bool{q: true}
	default:
		h.sources[target][q] = true
	}
}

// rewire gives the queues whose dead-letter queue has that ARN what there is of it
// now. The caller must be in h.admin.
func (h *hub) rewire(arn string) {
	h.mu.RLock()
	sources := slices.Collect(maps.Keys(h.sources[arn]))
	h.mu.RUnlock()
	for _, q := range sources {
		d := q.describe()
		_ = q.local().Reconfigure(context.Background(), h.wired(&d)) // else it is closed
	}
}

// takeDeadLetter turns a dead-letter queue of this broker in d.cfg into a policy. A
// policy whose queue is gone stays, since no Config can say it.
func (d *description) takeDeadLetter(h *hub) error {
	given := d.cfg.DeadLetter
	if given.Target == nil {
		if h.find(d.redrive.target) != nil {
			d.setText(redrivePolicyName, "")
		}
		return nil
	}
	if n := given.MaxReceives; n < 1 || n > queue.MaxReceivesLimit && d.cfg.Limits == queue.SQSLimits {
		return &queue.LimitError{Parameter: "MaxReceiveCount", Got: n, Min: 1, Max: queue.MaxReceivesLimit, Err: queue.ErrInvalidParameter}
	}
	q, own := given.Target.(*Queue)
	if !own { // perhaps it is what one of them holds
		if c, ok := given.Target.(queue.Configurable); ok {
			if q = h.find(c.Config().ARN); q != nil {
				own = q.Queue == queue.Queue(given.Target)
			}
		}
	}
	switch {
	case own && h.find(q.arn) == q:
		p := redrivePolicy{q.arn, given.MaxReceives}
		if d.redrive != p {
			d.setText(redrivePolicyName, p.text())
		}
		d.cfg.DeadLetter = queue.DeadLetter{}
		return nil
	case own && q.hub == h || q != nil && !own:
		return &AttributeError{Name: "DeadLetter", Reason: "the dead-letter queue was deleted", Err: queue.ErrInvalidParameter}
	case h.store != nil:
		return &AttributeError{
			Name:   "DeadLetter",
			Reason: "the dead-letter queue of a durable broker's queue is a queue of the same broker",
			Err:    queue.ErrInvalidParameter,
		}
	}
	d.setText(redrivePolicyName, "")
	return nil
}

// alive returns an error if the queue was deleted, or the broker closed.
func (q *Queue) alive() error {
	q.mu.RLock()
	defer q.mu.RUnlock()
	switch {
	case q.closed:
		return queue.ErrClosed
	case q.queues[q.scope.key(q.name)] != q:
		return queue.ErrQueueDeleted
	}
	return nil
}

// Name returns the queue's name.
func (q *Queue) Name() string { return q.name }

// Kind tells whether the queue is a Standard or a FIFO queue.
func (q *Queue) Kind() queue.Kind { return q.kind }

// ARN returns the queue's Amazon Resource Name.
func (q *Queue) ARN() string { return q.arn }

// URL returns the queue's URL under base; see [Scope.URL].
func (q *Queue) URL(base string) string { return q.scope.URL(base, q.name) }

// Unwrap returns the *standard.Queue or *fifo.Queue that holds the messages. What is
// reconfigured there does not reach the catalogue.
func (q *Queue) Unwrap() queue.Queue { return q.Queue }

// Close closes the queue alone; see [Queue].
func (q *Queue) Close() error { return q.Queue.Close() }

// describe returns how the queue is set now.
func (q *Queue) describe() description {
	q.mu.RLock()
	defer q.mu.RUnlock()
	return q.state.description
}

// Purge removes all messages, as [queue.Purger] says. With EnforceCooldowns it
// returns [ErrPurgeInProgress] within 60 seconds of the last one.
func (q *Queue) Purge(ctx context.Context) error {
	if err := q.alive(); err != nil {
		return err
	}
	if q.options.EnforceCooldowns {
		now := time.Now()
		q.mu.Lock()
		last := q.purged
		if now.Sub(last) < cooldown {
			q.mu.Unlock()
			return &queue.LimitError{
				Parameter: nameArgument, Text: q.name, Err: ErrPurgeInProgress,
				Reason: "Only one PurgeQueue operation on " + q.name + " is allowed every 60 seconds.",
			}
		}
		q.purged = now
		q.mu.Unlock()
		err := q.local().Purge(ctx)
		if err != nil {
			q.mu.Lock()
			q.purged = last
			q.mu.Unlock()
		}
		return err
	}
	return q.local().Purge(ctx)
}
