package broker

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/restantemq/restante/queue"
)

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
// [ErrInvalidAttributeValue], [ErrQueueExists] or, for RedrivePolicy and
// RedriveAllowPolicy, [queue.ErrInvalidParameter]; [ErrQueueDeletedRecently];
// [queue.ErrClosed]; the store's; the context's.
func (b *Broker) CreateQueue(ctx context.Context, name string, attributes map[string]string) (*Queue, error) {
	return b.CreateTagged(ctx, name, attributes, nil)
}

// CreateTagged is CreateQueue for a queue with tags. Tags are no part of the
// comparison with a queue that exists, and don't change it: what SQS does is not
// documented. Further errors: those of [Queue.Tag].
func (b *Broker) CreateTagged(ctx context.Context, name string, attributes, tags map[string]string) (*Queue, error) {
	asked := description{kind: queue.Standard, cfg: queue.Config{Name: name, Limits: b.options.Limits}}
	given, err := asked.apply(attributes, asked.judgedKind(attributes))
	if err != nil {
		return nil, err
	}
	if err := checkTags(name, tags, len(tags)); err != nil {
		return nil, err
	}
	return b.create(ctx, asked, given, tags)
}

// Create creates the queue of that name, described by a Config, and returns
// it. The name tells its kind: that of a FIFO queue ends in ".fifo". cfg.Name
// may be empty, or must be the same name.
//
// If there is a queue of that name it is returned, provided that each field of
// cfg that is not zero has the value which that queue has now.
//
// cfg.DeadLetter.Target is a [*Queue] of the broker, in the same account and region,
// or, if the broker is in memory, any queue. cfg.Trace is the process's and not
// kept: it is not compared, and a queue that has none takes it. If cfg.Limits is
// zero, Options.Limits hold.
//
// Errors: a [*queue.LimitError] that is [queue.ErrInvalidParameter] for the
// name, those of standard.New and fifo.New for cfg, an [*AttributeError] that
// is [ErrQueueExists], or [queue.ErrInvalidParameter] for cfg.DeadLetter,
// [ErrQueueDeletedRecently], [queue.ErrClosed], the store's, and the context's.
func (b *Broker) Create(ctx context.Context, name string, cfg queue.Config) (*Queue, error) {
	if cfg.Name != "" && cfg.Name != name {
		return nil, &queue.LimitError{
			Parameter: "Name",
			Reason:    fmt.Sprintf("the configuration says %q, the call %q", cfg.Name, name),
			Err:       queue.ErrInvalidParameter,
		}
	}
	if arn := b.scope.ARN(name); cfg.ARN != "" && cfg.ARN != arn {
		return nil, &queue.LimitError{
			Parameter: "ARN", Text: cfg.ARN, Reason: "here the queue's ARN is " + arn, Err: queue.ErrInvalidParameter,
		}
	}
	cfg.Name, cfg.ARN = name, ""
	limits := cfg.Limits
	cfg.Limits = max(limits, b.options.Limits)
	asked := description{kind: kindOf(name), cfg: cfg}
	if err := asked.takeDeadLetter(b.hub); err != nil {
		return nil, err
	}
	asked.cfg.Limits = limits
	given := asked.given()
	asked.cfg.Limits = cfg.Limits
	return b.create(ctx, asked, given, nil)
}

// create returns the existing queue of that name, if it agrees with what was
// asked for in the settings given, or else a new one.
func (b *Broker) create(ctx context.Context, asked description, given []setting, tags map[string]string) (*Queue, error) {
	name := asked.cfg.Name
	if err := b.begin(ctx); err != nil {
		return nil, fmt.Errorf("create queue %q: %w", name, err)
	}
	defer b.end()
	if existing, err := b.GetQueue(name); err == nil {
		if err := existing.createAgain(ctx, asked, given); err != nil {
			return nil, err
		}
		return existing, nil
	}
	if err := b.scope.check(); err != nil {
		return nil, err
	}
	// Only now: creating "x.fifo" again need not repeat that it is a FIFO queue.
	if err := checkName(name, asked.kind); err != nil {
		return nil, err
	}
	k := b.scope.key(name)
	b.mu.RLock()
	last, was := b.deleted[k]
	b.mu.RUnlock()
	now := time.Now()
	if was && now.Sub(last) < cooldown {
		return nil, &queue.LimitError{
			Parameter: nameArgument, Text: name, Err: ErrQueueDeletedRecently,
			Reason: "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
		}
	}
	q := &Queue{hub: b.hub, scope: b.scope, name: name, kind: asked.kind, arn: b.scope.ARN(name)}
	asked.cfg.ARN = q.arn
	if err := q.checkRedrive(&asked); err != nil {
		return nil, err
	}
	q.state = state{description: asked, tags: maps.Clone(tags), created: now.UnixMilli(), modified: now.UnixMilli()}
	if err := q.open(ctx); err != nil {
		return nil, err
	}
	if err := b.save(q.entry(q.state)); err != nil {
		_ = q.local().Drop() // why it could not be recorded is what matters
		return nil, fmt.Errorf("create queue %q: %w", name, err)
	}
	b.mu.Lock()
	b.queues[k] = q
	b.link(q, true)
	delete(b.deleted, k)
	b.mu.Unlock()
	b.rewire(q.arn)
	return q, nil
}

// createAgain says whether a queue is as was asked for. A Trace is the process's: a
// queue that has none takes the one that comes with its Config.
func (q *Queue) createAgain(ctx context.Context, asked description, given []setting) error {
	if q.lost != nil {
		return q.lost
	}
	if err := agree(q.describe(), asked, given); err != nil {
		return err
	}
	if trace := asked.cfg.Trace; trace != nil && q.describe().cfg.Trace == nil {
		return q.edit(ctx, func(s *state) error {
			s.cfg.Trace = trace
			return nil
		})
	}
	return nil
}
