package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/restantemq/restante/queue"
)

// SendTx sends m to q in the application's own transaction tx, which must be of
// the store's database: if tx commits, the message is sent, and if it is rolled
// back, it never was. Until then nobody sees it.
//
// q is a queue with an outbox, see [Store.WithOutbox], or a wrapper around one.
// SendTx writes a row and returns; it doesn't block but for the database. After
// the commit call [Store.Deliver], and the queue takes the message over: the row
// goes and the message comes in one transaction, and only then it has an ID and
// a sequence number, is SentAt, and its Delay and its retention begin.
// A crash before that loses nothing. Without Deliver the next Send or Receive on
// the queue does it, or WithOutbox after a restart; a receiver that is in a long
// poll already waits on. Messages are taken over in the order of the commits,
// those of one transaction in the order in which they were sent.
//
// The message is checked as Send does. What can only be told when it is taken
// over is not an error here: a FIFO queue then suppresses what repeats a
// deduplication ID, and a message that no longer fits the queue's
// configuration stays behind, see [Queue.Refused]. A transaction may not call
// the queue itself: the store would wait for the write lock that tx holds.
//
// Errors: those of a message, as of Send; [queue.ErrStoreFull],
// [queue.ErrStoreFailed], [queue.ErrClosed]; [queue.ErrQueueDeleted]; and those of
// tx. After an error nothing was written; whether tx can go on is between the
// application and SQLite. Like every write, it makes SQLite's BUSY errors
// possible: begin such transactions with BEGIN IMMEDIATE (_txlock=immediate) and
// with a busy timeout.
func (s *Store) SendTx(ctx context.Context, tx *sql.Tx, q queue.Queue, m queue.Message) error {
	outbox, ok := queue.As[*Queue](q)
	if !ok || outbox.store != s {
		return errors.New("sqlitestore: the queue has no outbox in this store; see Store.WithOutbox")
	}
	if err := outbox.check(m); err != nil {
		return err
	}
	if err := s.takesRow(outbox, rowBytes+int64(m.Size())); err != nil {
		return err
	}
	result, err := tx.ExecContext(ctx, `INSERT INTO restante_outbox
		(queue, body, attributes, group_id, deduplication_id, delay, trace_header)
		SELECT number, ?, ?, ?, ?, ?, ? FROM restante_store, restante_queues WHERE number = ? AND token = ?`,
		text(m.Body), []byte(m.Attributes.Encoded()), text(m.GroupID), text(m.DeduplicationID),
		int64(m.Delay), text(m.TraceHeader), int64(outbox.number), s.token)
	if err != nil {
		return fmt.Errorf("sqlitestore: sending in a transaction: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		return errors.Join(errors.New("sqlitestore: the transaction is of another database than the queue"), err)
	}
	return nil
}

// Deliver makes every open queue of the store take over what transactions have
// sent to it. Call it after a commit; it returns when the messages are durable
// and receivable, and costs a read of the database if there are none. It may be
// called at any time, by anybody.
//
// Errors: a message that its queue refuses, with the reason, and then all others
// are delivered; see [Queue.Refused]. Or those of Send: what was not delivered is
// so later. An error does not mean that the transaction didn't commit.
func (s *Store) Deliver(ctx context.Context) error {
	var errs []error
	for _, q := range s.withOutbox() {
		if err := q.takeOver(ctx); err != nil && !errors.Is(err, queue.ErrClosed) { // the queue's
			errs = append(errs, err)
		}
	}
	if err := s.readable(); err != nil {
		return err
	}
	return errors.Join(errs...)
}

// takesRow returns why a queue can't be sent a message of about so many bytes now,
// which takes as much room in the outbox as in the queue.
func (s *Store) takesRow(q *Queue, bytes int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch err := s.refusing(); {
	case err != nil:
		return err
	case s.dropped[q.number]:
		return queue.ErrQueueDeleted
	case s.outboxes[q.number] != q:
		return queue.ErrClosed
	case !s.hasRoom(bytes):
		return queue.ErrStoreFull
	}
	return nil
}

// withOutbox returns the open queues that have an outbox.
func (s *Store) withOutbox() []*Queue {
	s.mu.Lock()
	defer s.mu.Unlock()
	queues := make([]*Queue, 0, len(s.outboxes))
	for _, q := range s.outboxes {
		queues = append(queues, q)
	}
	return queues
}

// An outboxRow is a message that a transaction has sent.
type outboxRow struct {
	id      int64
	message queue.Message
	refused string
}

const outboxColumns = `id, body, attributes, group_id, deduplication_id, delay, trace_header, coalesce(refused, '')`

// rowsWaiting is the condition under which a row of a queue is to be taken over.
const rowsWaiting = `queue = ? AND refused IS NULL`

// anyWaiting reports whether a queue has something to take over. It costs a few
// microseconds and waits for nothing, hence no context.
func (s *Store) anyWaiting(number uint64) (some bool, err error) {
	err = s.waiting.QueryRowContext(context.Background(), int64(number)).Scan(&some)
	return some, sorted(err)
}

// outboxRows yields rows in the order of their commits. Bodies are made anew, as
// tickets need it.
func (s *Store) outboxRows(ctx context.Context, number uint64, where string) iter.Seq2[outboxRow, error] {
	return func(yield func(outboxRow, error) bool) {
		rows, err := s.db.QueryContext(ctx, `SELECT `+outboxColumns+` FROM restante_outbox WHERE `+where+` ORDER BY id`, int64(number))
		if err != nil {
			yield(outboxRow{}, sorted(err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			r, err := scanOutboxRow(rows)
			if !yield(r, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(outboxRow{}, sorted(err))
		}
	}
}

func scanOutboxRow(rows *sql.Rows) (r outboxRow, err error) {
	var attributes string
	var delay int64
	m := &r.message
	if err := rows.Scan(&r.id, &m.Body, &attributes, &m.GroupID, &m.DeduplicationID, &delay, &m.TraceHeader, &r.refused); err != nil {
		return r, corrupt("a row of the outbox can't be read: %v", err)
	}
	m.Body, m.Delay = strings.Clone(m.Body), time.Duration(delay)
	if m.Attributes, err = queue.DecodeAttributes(attributes); err != nil {
		return r, corrupt("row %d of the outbox: %v", r.id, err)
	}
	return r, nil
}

// someWaiting returns the oldest rows that a queue is to take over: as many as a
// SendBatch takes under SQS's limits.
func (s *Store) someWaiting(ctx context.Context, number uint64) ([]outboxRow, error) {
	var rows []outboxRow
	size := 0
	for r, err := range s.outboxRows(ctx, number, rowsWaiting) {
		if err != nil {
			return nil, err
		}
		if size += r.message.Size(); len(rows) > 0 && size > queue.MaxBatchBytes {
			break
		}
		if rows = append(rows, r); len(rows) == queue.MaxBatch {
			break
		}
	}
	return rows, nil
}
