package worker

import (
	"log/slog"
	"time"

	"github.com/restantemq/restante/queue"
)

// Options are the choices of a Run. The zero value works.
type Options struct {
	// Concurrency is how many handlers run at the same time. Zero means 10.
	Concurrency int

	// BatchSize is how many messages a receive asks for at most, 1 to
	// queue.MaxReceive. Zero means queue.MaxReceive. For RunBatch it is the most that a
	// handler gets.
	BatchSize int

	// Wait is how long a receive waits for a message. Zero means queue.MaxWait, 20
	// seconds; queue.None means not at all: Run then looks once a second.
	Wait time.Duration

	// VisibilityTimeout hides a received message, and is what each extension extends
	// it to. Zero means the queue's. It must not be none: no lease would hold.
	VisibilityTimeout time.Duration

	// MaxHold is how long a message is held in all, extensions included, counted from
	// its receive. Zero means SQS's limit of twelve hours; queue.None means that
	// nothing is extended.
	MaxHold time.Duration

	// Backoff is when a message comes back whose handler failed.
	Backoff Backoff

	// Grace is how long handlers may go on after Run's context has ended; Run returns
	// by then. In the last tenth of it, but at most a second, their contexts have ended.
	// Zero means 25 seconds, queue.None none: then Run waits for nothing but, a tenth of a
	// second, for the queue to take messages back.
	Grace time.Duration

	// Logger is told what an operator should know: failures, lost leases, and how the
	// stop went, but no successes. Nil means slog.Default().
	Logger *slog.Logger

	Trace   *Trace   // told of each step; may be nil
	Metrics *Metrics // counts; may be nil
}

// filled returns o with defaults filled in, for q.
func (o Options) filled(q queue.Queue) (Options, error) {
	if o.Concurrency == 0 {
		o.Concurrency = 10
	}
	if o.BatchSize == 0 {
		o.BatchSize = queue.MaxReceive
	}
	if o.Wait == 0 {
		o.Wait = queue.MaxWait
	}
	if o.VisibilityTimeout == 0 {
		o.VisibilityTimeout = queue.DefaultVisibility
		if c, ok := queue.As[queue.Configurable](q); ok {
			o.VisibilityTimeout = c.Config().VisibilityTimeout
		}
	}
	if o.MaxHold == 0 {
		o.MaxHold = queue.MaxVisibility
	}
	if o.Grace == 0 {
		o.Grace = 25 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.MaxHold > 0 {
		o.VisibilityTimeout = min(o.VisibilityTimeout, o.MaxHold)
	}
	if err := o.check(); err != nil { // what filled would hide
		return o, err
	}
	o.Backoff = o.Backoff.filled()
	return o, o.check()
}

func (o *Options) check() error {
	switch {
	case o.Concurrency < 1:
		return invalid("Concurrency", o.Concurrency, 1, nil)
	case o.BatchSize < 1 || o.BatchSize > queue.MaxReceive:
		return invalid("BatchSize", o.BatchSize, 1, queue.MaxReceive)
	case o.VisibilityTimeout < time.Millisecond:
		return &queue.LimitError{
			Parameter: "VisibilityTimeout", Got: o.VisibilityTimeout, Min: time.Millisecond,
			Reason: "a worker needs messages to be hidden while it holds them", Err: queue.ErrInvalidParameter,
		}
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"Wait", o.Wait}, {"MaxHold", o.MaxHold}, {"Grace", o.Grace}, {"Backoff.Min", o.Backoff.Min}, {"Backoff.Max", o.Backoff.Max}} {
		if d.value < 0 && d.value != queue.None {
			return invalid(d.name, d.value, time.Duration(0), nil)
		}
	}
	if o.Backoff.Max > 0 && o.Backoff.Max < o.Backoff.Min {
		return invalid("Backoff.Max", o.Backoff.Max, o.Backoff.Min, nil)
	}
	return nil
}

func invalid(parameter string, got, from, to any) error {
	return &queue.LimitError{Parameter: parameter, Got: got, Min: from, Max: to, Err: queue.ErrInvalidParameter}
}
