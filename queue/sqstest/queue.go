package sqstest

import (
	"context"
	"sync"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
)

// A Queue is a queue of a kit: a [queue.Queue] with the kit's faults, which the code
// under test uses, and what a test asks about it.
type Queue struct {
	k     *Kit
	inner *broker.Queue

	mu     sync.Mutex
	faults *Faults                   // in place of the kit's, if not nil
	known  map[uint64]*known         // messages that were received, by position
	equal  map[uint64]int            // how many messages have the same content, by its hash
	issued map[queue.Receipt]*issued // of messages that are not deleted
}

// known is a message that was received.
type known struct {
	name     uint64 // what decisions know it by
	body     string
	receives int               // so far
	late     func() (due bool) // carries out a delete that is late, unless it was
}

// issued is what a receiver was told.
type issued struct {
	name     uint64 // what decisions know the message by
	body     string
	position uint64
	receives int
	until    time.Time // the end of its visibility timeout
	again    time.Time // when somebody else may have it before, zero if nobody may
}

var (
	_ queue.Adopter      = (*Queue)(nil)
	_ queue.Configurable = (*Queue)(nil)
)

func newQueue(k *Kit, q *broker.Queue) *Queue {
	return &Queue{
		k: k, inner: q,
		known: make(map[uint64]*known), equal: make(map[uint64]int), issued: make(map[queue.Receipt]*issued),
	}
}

// Name returns the queue's name.
func (q *Queue) Name() string { return q.inner.Name() }

// Kind tells whether the queue is a Standard or a FIFO queue.
func (q *Queue) Kind() queue.Kind { return q.inner.Kind() }

// ARN returns the queue's Amazon Resource Name.
func (q *Queue) ARN() string { return q.inner.ARN() }

// URL returns the queue's URL, for calls of an SDK.
func (q *Queue) URL() string { return q.inner.URL("") }

// Unwrap returns the *broker.Queue, which never misbehaves.
func (q *Queue) Unwrap() queue.Queue { return q.inner }

// Adopt implements [queue.Adopter].
func (q *Queue) Adopt(ctx context.Context, ms []queue.Record, leaving *queue.Change) error {
	return q.inner.Adopt(ctx, ms, leaving)
}

// Store implements [queue.Adopter].
func (q *Queue) Store() queue.Store { return q.inner.Store() }

// Config implements [queue.Configurable].
func (q *Queue) Config() queue.Config { return q.inner.Config() }

// Reconfigure implements [queue.Configurable]. A *Queue of the kit may be
// cfg.DeadLetter.Target.
func (q *Queue) Reconfigure(ctx context.Context, cfg queue.Config) error {
	cfg.DeadLetter.Target = unwrapped(cfg.DeadLetter.Target)
	return q.inner.Reconfigure(ctx, cfg)
}

// unwrapped returns the broker's queue for one of the kit's.
func unwrapped(target queue.Adopter) queue.Adopter {
	if q, ok := target.(*Queue); ok {
		return q.inner
	}
	return target
}

// Close closes the queue; the kit does so at the end of its test.
func (q *Queue) Close() error { return q.inner.Close() }

// Misbehave replaces the faults of this queue from now on, whatever those of the kit
// are; the zero Faults end them.
func (q *Queue) Misbehave(f Faults) {
	q.k.t.Helper()
	q.k.checked(f)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.faults = &f
}

func (q *Queue) chances() Faults {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.faults != nil {
		return *q.faults
	}
	return q.k.chances()
}

// loose reports whether the queue keeps the weaker promises of Standard queues.
func (q *Queue) loose() bool {
	return q.inner.Kind() == queue.Standard && !q.inner.Config().FencedReceipts
}

// issue remembers what the receiver of d is told.
func (q *Queue) issue(d *queue.Delivery) *issued {
	var position uint64
	if fields, ok := d.Receipt.Fields(); ok {
		position = fields.Seq
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	m := q.known[position]
	if m == nil {
		content := contentOf(&d.Message)
		q.equal[content]++
		m = &known{name: mix(content + uint64(q.equal[content])), body: d.Body}
		q.known[position] = m
	}
	m.receives = d.ReceiveCount
	i := &issued{name: m.name, body: d.Body, position: position, receives: d.ReceiveCount, until: d.VisibleAt}
	q.issued[d.Receipt] = i
	return i
}

// told returns what the receiver with that receipt was told; of a receipt that came
// another way or is used up, only which message and which receive it is about.
func (q *Queue) told(r queue.Receipt) *issued {
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := q.issued[r]; i != nil {
		copied := *i
		return &copied
	}
	fields, _ := r.Fields()
	i := &issued{position: fields.Seq, receives: int(fields.Receive())}
	if m := q.known[fields.Seq]; m != nil {
		i.name, i.body = m.name, m.body
	}
	return i
}

// again reports whether the message may be received once more before its time: by the
// latest receipt's word, and not if one more receive that comes to nothing would send it
// to the dead-letter queue.
func (q *Queue) again(i *issued) bool {
	letter := q.inner.Config().DeadLetter
	q.mu.Lock()
	defer q.mu.Unlock()
	m := q.known[i.position]
	return m != nil && m.late == nil && m.receives == i.receives && (letter.Target == nil || i.receives+1 < letter.MaxReceives)
}

// shared notes that somebody else may have the message from a time on.
func (q *Queue) shared(r queue.Receipt, from time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := q.issued[r]; i != nil {
		i.again = from
	}
}

// settled forgets a receipt that has been used up, or, with another end of the
// visibility timeout, changes what its receiver was told.
func (q *Queue) settled(r queue.Receipt, until time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := q.issued[r]; i != nil && !until.IsZero() {
		i.until, i.again = until, time.Time{}
	} else {
		delete(q.issued, r)
	}
}

// contentOf is what decisions know a message by that has not been received.
func contentOf(m *queue.Message) uint64 { return hashText(m.GroupID, m.Body) }
