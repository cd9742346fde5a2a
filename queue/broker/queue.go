package broker

import (
	"github.com/restantemq/restante/fifo"
	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/standard"
)

// A Queue is a queue that a [Broker] keeps under a name. Further abilities
// than those of [queue.Queue] are found by [queue.As].
//
// The broker closes its queues. One that is closed by itself keeps its name
// and answers every call with [queue.ErrClosed].
type Queue struct {
	queue.Queue
	scope Scope
	name  string
	kind  queue.Kind
}

// local is what the two kinds of queue in this process have in common.
type local interface {
	queue.Queue
	Config() queue.Config
}

func newQueue(s Scope, d description) (*Queue, error) {
	q, err := newLocal(d)
	if err != nil {
		return nil, err
	}
	return &Queue{Queue: q, scope: s, name: d.cfg.Name, kind: d.kind}, nil
}

func newLocal(d description) (local, error) {
	if d.kind == queue.FIFO {
		return fifo.New(d.cfg)
	}
	return standard.New(d.cfg)
}

// Name returns the queue's name.
func (q *Queue) Name() string { return q.name }

// Kind tells whether the queue is a Standard or a FIFO queue.
func (q *Queue) Kind() queue.Kind { return q.kind }

// ARN returns the queue's Amazon Resource Name.
func (q *Queue) ARN() string { return q.scope.ARN(q.name) }

// URL returns the queue's URL under base; see [Scope.URL].
func (q *Queue) URL(base string) string { return q.scope.URL(base, q.name) }

// Unwrap returns the *standard.Queue or *fifo.Queue that holds the messages.
func (q *Queue) Unwrap() queue.Queue { return q.Queue }

// describe returns what the queue is now.
func (q *Queue) describe() description {
	return description{kind: q.kind, cfg: q.Queue.(local).Config()}
}
