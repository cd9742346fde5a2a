package worker

import (
	"errors"
	"runtime/debug"
	"time"

	"github.com/restantemq/restante/queue"
)

// A verdict is what a handler's error says of a message; nil is success. It is made
// where panics are caught: to look into an error calls methods that aren't ours.
type verdict struct {
	err      error
	text     string
	panicked *PanicError // if the handler panicked
	retry    bool        // after this time:
	after    time.Duration
	dead     bool // to the dead-letter queue, with this reason:
	reason   string
}

func (v *verdict) error() error {
	if v == nil {
		return nil
	}
	return v.err
}

// judge looks into a handler's error.
func judge(err error) *verdict {
	if err == nil {
		return nil
	}
	v := &verdict{err: err, text: err.Error()}
	errors.As(err, &v.panicked)
	var retry *retryError
	if v.retry = errors.As(err, &retry); v.retry {
		v.after = retry.after
	}
	var dead *deadError
	if v.dead = errors.As(err, &dead); v.dead {
		v.reason = dead.Error()
	}
	return v
}

// judgeBatch looks into the error of a handler that had n messages.
func judgeBatch(err error, n int) []*verdict {
	verdicts := make([]*verdict, n)
	if err == nil {
		return verdicts
	}
	batch, some := err.(*queue.BatchError) // its own: one that it wraps is about something else
	if some = some && batch != nil; some {
		for _, e := range batch.Entries {
			if e.Index < 0 || e.Index >= n {
				some = false // nobody can know what it means
				break
			}
			if verdicts[e.Index] = judge(e.Err); e.Err == nil {
				verdicts[e.Index] = judge(errNamed)
			}
		}
	}
	if !some {
		if batch, ok := err.(*queue.BatchError); ok && batch == nil {
			err = errors.New("a nil *queue.BatchError, which is no nil error")
		}
		v := judge(err)
		for i := range verdicts {
			verdicts[i] = v
		}
	}
	return verdicts
}

var errNamed = errors.New("named as failed, without an error")

// call calls the handler for one message.
func (l *lease) call(d *queue.Delivery) (v *verdict) {
	defer func() {
		if r := recover(); r != nil {
			v = panicked(r)
		}
	}()
	return judge(l.p.handle(l.ctx, d))
}

// callBatch calls the handler for the messages that it is to have.
func (l *lease) callBatch() (verdicts []*verdict) {
	ds := l.ds
	if len(l.at) < len(ds) { // some were lost, or returned
		ds = make([]queue.Delivery, 0, len(l.at))
		for _, i := range l.at {
			ds = append(ds, l.ds[i])
		}
	}
	defer func() {
		if r := recover(); r != nil {
			verdicts = l.all(panicked(r))
		}
	}()
	return judgeBatch(l.p.handleBatch(l.ctx, ds), len(l.at))
}

// all is the same verdict for each message that the handler has.
func (l *lease) all(v *verdict) []*verdict {
	verdicts := make([]*verdict, len(l.at))
	for i := range verdicts {
		verdicts[i] = v
	}
	return verdicts
}

// panicked makes a verdict of what a handler panicked with.
func panicked(value any) *verdict {
	err := &PanicError{value, debug.Stack()}
	return &verdict{err: err, text: err.text(), panicked: err}
}
