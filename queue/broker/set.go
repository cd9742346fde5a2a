package broker

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/restantemq/restante/queue"
)

// The attributes that tell something and can't be set.
const (
	allAttributes  = "All"
	visibleNumber  = "ApproximateNumberOfMessages"
	inFlightNumber = "ApproximateNumberOfMessagesNotVisible"
	delayedNumber  = "ApproximateNumberOfMessagesDelayed"
	createdTime    = "CreatedTimestamp"
	modifiedTime   = "LastModifiedTimestamp"
	queueARN       = "QueueArn"
)

var readOnly = []string{visibleNumber, inFlightNumber, delayedNumber, createdTime, modifiedTime, queueARN}

// Attributes returns SQS attributes by name, or all there are where one of the
// names is "All". Those that the queue doesn't have are left out; the approximate
// numbers of messages are exact. Durations that a Config set to fractions of a
// second are rounded up.
//
// Errors: an [*AttributeError] that is [ErrInvalidAttributeName] for a name that
// SQS doesn't have; [queue.ErrQueueDeleted], [queue.ErrClosed], the context's.
func (q *Queue) Attributes(ctx context.Context, names ...string) (map[string]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("attributes of queue %q: %w", q.name, err)
	}
	wanted := make(map[string]bool, len(names))
	for _, name := range names {
		if name != allAttributes && !isAttribute(name) {
			return nil, &AttributeError{Name: name, Err: ErrInvalidAttributeName}
		}
		wanted[name] = true
	}
	if err := q.alive(); err != nil {
		return nil, err
	}
	all := make(map[string]string)
	tell := func(name, text string) {
		if wanted[name] || wanted[allAttributes] {
			all[name] = text
		}
	}
	if len(names) > 0 {
		s, err := q.local().Stats(ctx)
		if err != nil {
			return nil, err
		}
		tell(visibleNumber, strconv.Itoa(s.Visible))
		tell(inFlightNumber, strconv.Itoa(s.InFlight))
		tell(delayedNumber, strconv.Itoa(s.Delayed))
	}
	q.mu.RLock()
	defer q.mu.RUnlock()
	tell(createdTime, strconv.FormatInt(q.state.created/1000, 10))
	tell(modifiedTime, strconv.FormatInt(q.state.modified/1000, 10))
	tell(queueARN, q.arn)
	for _, a := range attributes {
		if text, ok := a.field.format(&q.state.description); ok {
			tell(a.name, text)
		}
	}
	return all, nil
}

func isAttribute(name string) bool {
	return slices.Contains(readOnly, name) ||
		slices.ContainsFunc(attributes, func(a attribute) bool { return a.name == name })
}

// SetAttributes changes SQS attributes of the queue while it runs, and leaves the
// others as they are. An empty text removes Policy, RedrivePolicy,
// RedriveAllowPolicy and KmsMasterKeyId. What a change does to the messages there
// are is told at standard.Queue's Reconfigure. A changed RedriveAllowPolicy does
// not part the queue from sources it has.
//
// Errors: a [*queue.LimitError] that is [queue.ErrMissingParameter] without
// attributes; those of CreateQueue for attributes; [queue.ErrQueueDeleted],
// [queue.ErrClosed], the store's, the context's. After an error nothing has
// changed, unless it is [queue.ErrUncertain].
func (q *Queue) SetAttributes(ctx context.Context, attributes map[string]string) error {
	if len(attributes) == 0 {
		return missing("Attribute.Name", "The request must contain the parameter Attribute.Name.")
	}
	return q.change(ctx, func(s *state) error {
		if text, given := attributes[fifoQueue]; given && q.kind == queue.FIFO {
			if isFIFO, ok := parseBool(text); ok && !isFIFO {
				return &AttributeError{
					Name:   fifoQueue,
					Reason: "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.",
					Err:    ErrInvalidAttributeValue,
				}
			}
		}
		if _, err := s.apply(attributes, q.kind); err != nil {
			return err
		}
		if _, given := attributes[redrivePolicyName]; given {
			s.cfg.DeadLetter = queue.DeadLetter{}
			if err := q.checkRedrive(&s.description); err != nil {
				return err
			}
		}
		s.modified = time.Now().UnixMilli()
		return nil
	})
}

// Config returns the queue's configuration with defaults filled in, in the form
// that Reconfigure takes.
func (q *Queue) Config() queue.Config {
	cfg := q.local().Config()
	cfg.Trace = q.describe().cfg.Trace // without Options.Trace
	return cfg
}

// Reconfigure replaces the queue's configuration while it runs, and with it the
// attributes that say the same. Name and ARN may be empty, or must be what they
// are. For cfg.DeadLetter, and the errors about it, see [Broker.Create]; for the
// rest [queue.Configurable].
func (q *Queue) Reconfigure(ctx context.Context, cfg queue.Config) error {
	return q.change(ctx, func(s *state) error {
		if cfg.Name == "" {
			cfg.Name = q.name
		}
		if cfg.ARN == "" {
			cfg.ARN = q.arn
		}
		cfg.Limits = max(cfg.Limits, q.options.Limits)
		before := s.redrive
		s.cfg = cfg
		if err := s.takeDeadLetter(q.hub); err != nil {
			return err
		}
		s.modified = time.Now().UnixMilli()
		if s.redrive == before {
			return nil // the dead-letter queue may allow it no more
		}
		return q.checkRedrive(&s.description)
	})
}

// change changes the queue's state by edit: in the catalogue, and then in the
// queue, so that no crash can undo a setting that has had its effect.
func (q *Queue) change(ctx context.Context, edit func(*state) error) error {
	if err := q.begin(ctx); err != nil {
		return fmt.Errorf("change queue %q: %w", q.name, err)
	}
	defer q.end()
	if err := q.alive(); err != nil {
		return err
	}
	return q.edit(ctx, edit)
}

// edit is change for a caller who is in h.admin.
func (q *Queue) edit(ctx context.Context, edit func(*state) error) error {
	q.mu.RLock()
	after := q.state
	q.mu.RUnlock()
	if err := edit(&after); err != nil {
		return err
	}
	cfg := q.wired(&after.description)
	if err := q.local().Accepts(cfg); err != nil {
		return err
	}
	if err := q.save(q.entry(after)); err != nil {
		return fmt.Errorf("change queue %q: %w", q.name, err)
	}
	q.mu.Lock()
	q.link(q, false)
	q.state = after
	q.link(q, true)
	q.mu.Unlock()
	return q.local().Reconfigure(context.WithoutCancel(ctx), cfg)
}
