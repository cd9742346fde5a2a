package sqlitestore

import (
	"context"
	"errors"
	"fmt"

	"github.com/restantemq/restante/queue"
)

// A Queue is a queue with an outbox: it takes over what the application's
// transactions have sent to it, in every Send and Receive, before it does what it
// is asked for. So a message whose transaction has committed comes before one
// that is sent afterwards. Make it with [Store.WithOutbox].
//
// Its methods are those of the queue it wraps, and so are its abilities, which
// [queue.As] finds. Its Stats count a message once it is taken over. Close it
// instead of the queue. A Trace of the queue must not call Send or Receive of the
// Queue: it may be called by a takeover, and would wait for that to end.
type Queue struct {
	inner  // whose Adopt is Queue's as well
	store  *Store
	number uint64
	name   string
	turn   chan struct{} // of capacity 1: in it while somebody takes over
}

// inner is an alias, so that the field has no exported name.
type inner = queue.Adopter

var (
	_ queue.Adopter = (*Queue)(nil)
	_ queue.Purger  = (*Queue)(nil)
)

// WithOutbox gives q, which must be an open queue of package standard or fifo
// that lives in s, an outbox for [Store.SendTx], and takes over what it finds
// there: what was committed before a crash, or not delivered. Rows that were
// refused are tried again, because the queue's configuration may have changed.
//
// Use the Queue that it returns from here on, and not q: q knows nothing of the
// outbox. There can be one for each queue. If the store has no room for what is
// in the outbox, that is no error: it waits there.
func (s *Store) WithOutbox(ctx context.Context, q queue.Adopter) (*Queue, error) {
	named, ok := q.(interface{ Config() queue.Config })
	if _, purger := queue.As[queue.Purger](q); !ok || !purger || q.Store() != queue.Store(s) {
		return nil, errors.New("sqlitestore: an outbox is for a queue of package standard or fifo that lives in the store")
	}
	name := named.Config().Name
	outbox := &Queue{inner: q, store: s, name: name, turn: make(chan struct{}, 1)}
	if err := s.addOutbox(outbox); err != nil {
		return nil, err
	}
	err := outbox.retryRefused(ctx)
	if err == nil {
		if err = outbox.takeOver(ctx); errors.Is(err, queue.ErrStoreFull) || isRefusal(err) {
			err = nil
		}
	}
	if err != nil {
		s.removeOutbox(outbox)
		return nil, err
	}
	return outbox, nil
}

func (s *Store) addOutbox(q *Queue) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return queue.ErrClosed
	}
	for number, name := range s.attached {
		if name != q.name || s.dropped[number] {
			continue
		}
		if s.outboxes[number] != nil {
			return fmt.Errorf("sqlitestore: queue %q has an outbox: %w", name, queue.ErrStoreLocked)
		}
		q.number = number
		s.outboxes[number] = q
		return nil
	}
	return fmt.Errorf("sqlitestore: queue %q is not attached: %w", q.name, queue.ErrClosed)
}

func (s *Store) removeOutbox(q *Queue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outboxes[q.number] == q {
		delete(s.outboxes, q.number)
	}
}

// Unwrap returns the queue without its outbox, for [queue.As].
func (q *Queue) Unwrap() queue.Queue { return q.inner }

// Send implements [queue.Queue]. If what is in the outbox can't be taken over, m
// is not sent either, because it came later.
func (q *Queue) Send(ctx context.Context, m queue.Message) (queue.Sent, error) {
	if err := q.takeOverFirst(ctx); err != nil {
		return queue.Sent{}, err
	}
	return q.inner.Send(ctx, m)
}

// SendBatch implements [queue.Queue], as Send does.
func (q *Queue) SendBatch(ctx context.Context, ms []queue.Message) ([]queue.Sent, error) {
	if err := q.takeOverFirst(ctx); err != nil {
		return nil, err
	}
	return q.inner.SendBatch(ctx, ms)
}

// Receive implements [queue.Queue]. If what is in the outbox can't be taken
// over, what is in the queue is received all the same.
func (q *Queue) Receive(ctx context.Context, o queue.ReceiveOptions) ([]queue.Delivery, error) {
	_ = q.takeOver(ctx) // a queue or a store that is done for says so below, and so does ctx
	return q.inner.Receive(ctx, o)
}

// Purge implements [queue.Purger]. It removes what is in the outbox too.
func (q *Queue) Purge(ctx context.Context) error {
	if err := q.takeOverFirst(ctx); err != nil {
		return err
	}
	purger, _ := queue.As[queue.Purger](q.inner) // WithOutbox has seen that it is one
	return purger.Purge(ctx)
}

// Close implements [queue.Queue]. Rows that wait stay in the outbox.
func (q *Queue) Close() error {
	err := q.inner.Close()
	q.store.removeOutbox(q)
	return err
}

// A Refused is a message that a transaction has sent and that the queue did not
// want when it was to take it over.
type Refused struct {
	Row     int64 // its id in the table restante_outbox
	Message queue.Message
	Reason  string
}

// Refused returns what was refused, oldest first. A message that SendTx has
// checked is refused only if the queue's configuration has changed in between,
// for instance its MaxMessageSize. It stays, and holds up no other; WithOutbox
// tries it again the next time, and who doesn't want it deletes its row from the
// table restante_outbox.
func (q *Queue) Refused(ctx context.Context) ([]Refused, error) {
	if err := q.store.readable(); err != nil {
		return nil, err
	}
	var rows []Refused
	for r, err := range q.store.outboxRows(ctx, q.number, `queue = ? AND refused IS NOT NULL`) {
		if err != nil {
			return nil, fmt.Errorf("sqlitestore: reading the outbox: %w", err)
		}
		rows = append(rows, Refused{r.id, r.message, r.refused})
	}
	return rows, nil
}

// check returns the error with which Send would refuse m. A Send whose context
// has ended checks its message and sends nothing: then the context's error is
// what it returns for a good one. So there are no rules of a message here that
// could differ from the queue's.
func (q *Queue) check(m queue.Message) error {
	ended, end := context.WithCancel(context.Background())
	end()
	switch _, err := q.inner.Send(ended, m); {
	case errors.Is(err, context.Canceled):
		return nil
	case err == nil:
		panic("sqlitestore: internal error: the queue sent a message though the context had ended")
	default:
		return err
	}
}

// takeOverFirst takes over what must come before a message that is sent now. A
// row that was refused doesn't count.
func (q *Queue) takeOverFirst(ctx context.Context) error {
	err := q.takeOver(ctx)
	if isRefusal(err) {
		return nil
	}
	if errors.Is(err, queue.ErrUncertain) {
		return queue.ErrStoreFailed // of the message that is to be sent it is certain
	}
	return err
}

// takeOver sends what waits in the outbox. When it returns nil, everything
// that was committed before the call is in the queue and durable. An error that
// isRefusal is about messages that were set aside; everything else is done then.
func (q *Queue) takeOver(ctx context.Context) error {
	if err := q.store.readable(); err != nil {
		return err
	}
	some, err := q.store.anyWaiting(q.number)
	if err != nil {
		return fmt.Errorf("sqlitestore: looking into the outbox: %w", err)
	}
	if !some {
		return nil
	}
	select {
	case q.turn <- struct{}{}: // of two at once the second would send the same rows
		defer func() { <-q.turn }()
	case <-ctx.Done():
		return fmt.Errorf("sqlitestore: looking into the outbox: %w", ctx.Err())
	}
	var refusals []error
	for {
		rows, err := q.store.someWaiting(ctx, q.number)
		if err != nil {
			return fmt.Errorf("sqlitestore: reading the outbox: %w", err)
		}
		if len(rows) == 0 {
			return errors.Join(refusals...)
		}
		more, err := q.sendRows(ctx, rows)
		if err != nil {
			return err
		}
		refusals = append(refusals, more...)
	}
}

// sendRows makes messages of rows, or sets them aside, and tells which were
// refused. After an error some of them may wait still.
func (q *Queue) sendRows(ctx context.Context, rows []outboxRow) (refusals []error, err error) {
	if err := q.store.point(pointRead); err != nil {
		return nil, err
	}
	ms := make([]queue.Message, len(rows))
	for i := range rows {
		ms[i] = rows[i].message
	}
	q.store.issue(q.number, rows)
	_, err = q.inner.SendBatch(ctx, ms)
	left := q.store.withdraw(rows)

	reasons := make([]error, len(rows))
	var entries *queue.BatchError
	switch {
	case err == nil:
	case errors.As(err, &entries):
		for _, e := range entries.Entries {
			reasons[e.Index] = e.Err
		}
	case !isRefusal(err):
		return nil, err
	case len(rows) > 1: // a FIFO queue refuses all for the sake of one
		for i := range rows {
			more, err := q.sendRows(ctx, rows[i:i+1])
			if err != nil {
				return refusals, err
			}
			refusals = append(refusals, more...)
		}
		return refusals, nil
	default:
		reasons[0] = err
	}
	if err := q.store.point(pointTaken); err != nil {
		return nil, err
	}

	// What was not refused and is not in the queue either repeats another message.
	var changes []outboxChange
	for i, r := range rows {
		switch {
		case reasons[i] != nil:
			changes = append(changes, outboxChange{r.id, refused, reasons[i].Error()})
			refusals = append(refusals, fmt.Errorf("sqlitestore: row %d of the outbox of queue %q: %w", r.id, q.name, reasons[i]))
		case left[i]:
			changes = append(changes, outboxChange{row: r.id, fate: taken})
		}
	}
	return refusals, q.store.settleRows(changes)
}

// isRefusal reports that a queue did not want a message, or a batch of them, and
// will not want it the next time either.
func isRefusal(err error) bool {
	for _, e := range []error{
		queue.ErrInvalidParameter, queue.ErrMissingParameter, queue.ErrMessageTooLarge, queue.ErrInvalidContents, queue.ErrNotForThisQueue,
		queue.ErrTooManyEntries, queue.ErrBatchTooLarge,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// retryRefused lets refused rows wait again.
func (q *Queue) retryRefused(ctx context.Context) error {
	rows, err := q.Refused(ctx)
	if err != nil {
		return err
	}
	var changes []outboxChange
	for _, r := range rows {
		changes = append(changes, outboxChange{row: r.Row, fate: waiting})
	}
	return q.store.settleRows(changes)
}
