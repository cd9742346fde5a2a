package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"

	"github.com/restantemq/restante/queue"
)

// A writer is the connection that changes the database, with its statements.
// One goroutine at a time has it: whoever leads.
type writer struct {
	conn  *sql.Conn
	level queue.Level // that the connection is set to
	stmts [statements]*sql.Stmt
}

// The statements of a commit, by their place in writer.stmts.
const (
	stBegin = iota
	stCommit
	stRollback
	stWritten
	stDurable
	stInsert
	stRemove
	stTouch
	stCreate
	stNext
	stPage
	stEmptyPage
	stClearMessages
	stClearPages
	stClearDedup
	stDropOutbox
	stDropQueue
	stDedup
	stForget
	stSetMeta
	stRemoveMeta
	stTaken
	stRefused
	stStore
	statements
)

// statementText says what they are.
var statementText = [statements]string{
	stBegin:    `BEGIN IMMEDIATE`,
	stCommit:   `COMMIT`,
	stRollback: `ROLLBACK`,
	stWritten:  `PRAGMA synchronous = NORMAL`,
	stDurable:  `PRAGMA synchronous = FULL`,
	stInsert: `INSERT INTO restante_messages (` + messageColumns + `, queue, size, checksum)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
	stRemove: `DELETE FROM restante_messages WHERE queue = ? AND seq = ? RETURNING size`,
	stTouch:  `UPDATE restante_messages SET receives = ?, first_received_at = ? WHERE queue = ? AND seq = ?`,
	stCreate: `INSERT INTO restante_queues (name, kind, key, next) VALUES (?, ?, ?, 1)`,
	stNext:   `UPDATE restante_queues SET next = max(next, ?) WHERE number = ?`,
	stPage: `INSERT INTO restante_pages (queue, first, live, bytes, min_sent_at, max_due_at) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (queue, first) DO UPDATE SET live = live + excluded.live, bytes = bytes + excluded.bytes,
		min_sent_at = min(min_sent_at, excluded.min_sent_at), max_due_at = max(max_due_at, excluded.max_due_at)`,
	stEmptyPage:     `DELETE FROM restante_pages WHERE queue = ? AND first = ? AND live = 0`,
	stClearMessages: `DELETE FROM restante_messages WHERE queue = ?`,
	stClearPages:    `DELETE FROM restante_pages WHERE queue = ?`,
	stClearDedup:    `DELETE FROM restante_dedup WHERE queue = ?`,
	stDropOutbox:    `DELETE FROM restante_outbox WHERE queue = ?`,
	stDropQueue:     `DELETE FROM restante_queues WHERE number = ?`,
	stDedup:         `INSERT OR REPLACE INTO restante_dedup (queue, key, seq, until) VALUES (?, ?, ?, ?)`,
	stForget: `DELETE FROM restante_dedup WHERE (queue, key) IN
		(SELECT queue, key FROM restante_dedup WHERE until <= ? ORDER BY until LIMIT ?)`,
	stSetMeta:    `INSERT OR REPLACE INTO restante_meta (name, value) VALUES (?, ?)`,
	stRemoveMeta: `DELETE FROM restante_meta WHERE name = ?`,
	stTaken:      `DELETE FROM restante_outbox WHERE id = ?`,
	stRefused:    `UPDATE restante_outbox SET refused = ? WHERE id = ?`,
	stStore:      `UPDATE restante_store SET now = max(now, ?), commits = commits + 1`,
}

func (w *writer) prepare(ctx context.Context) (err error) {
	// Waiting for the write lock is done by Store.begin, in finer steps.
	if _, err := w.conn.ExecContext(ctx, `PRAGMA busy_timeout = 0`); err != nil {
		return sorted(err)
	}
	for i, text := range statementText {
		if w.stmts[i], err = w.conn.PrepareContext(ctx, text); err != nil {
			return fmt.Errorf("preparing %s: %w", text, sorted(err))
		}
	}
	return nil
}

// exec runs a statement. It takes no context: an appended change can't be taken
// back.
func (w *writer) exec(statement int, args ...any) error {
	_, err := w.stmts[statement].ExecContext(context.Background(), args...)
	return err
}

func (w *writer) begin() error { return w.exec(stBegin) }

func (w *writer) rollback() {
	_ = w.exec(stRollback) // SQLite has rolled back by itself after some errors
}

// setLevel chooses what the next commit waits for: in WAL mode NORMAL writes the
// log, and FULL syncs it as well, with all that was written to it before. It
// can't be changed within a transaction.
func (w *writer) setLevel(l queue.Level) error {
	if w.level == l {
		return nil
	}
	statement := stWritten
	if l == queue.Durable {
		statement = stDurable
	}
	w.level = 0 // not known, until it has worked
	if err := w.exec(statement); err != nil {
		return err
	}
	w.level = l
	return nil
}

func (w *writer) close() error {
	var errs []error
	for _, st := range w.stmts {
		if st != nil {
			errs = append(errs, st.Close())
		}
	}
	return errors.Join(append(errs, w.conn.Close())...)
}

// transact makes changes in one transaction and commits it. After an error it is
// rolled back, or can't be.
func (s *Store) transact(l queue.Level, changes func(t *transaction) error) error {
	committing := pointWriting
	if l == queue.Durable {
		committing = pointSyncing
	}
	if err := s.begin(); err != nil {
		return err
	}
	t := &transaction{w: s.writer, pages: map[page]change{}, next: map[uint64]uint64{}}
	for _, step := range []func() error{
		func() error { return s.point(pointBegun) },
		func() error { return changes(t) },
		t.finish,
		func() error { return s.point(committing) },
		func() error { return s.writer.exec(stCommit) },
	} {
		if err := step(); err != nil {
			s.writer.rollback()
			return err
		}
	}
	return s.point(pointCommitted)
}

// A transaction gathers what is written once, whatever the number of batches.
type transaction struct {
	w      *writer
	pages  map[page]change
	next   map[uint64]uint64 // by queue
	now    int64
	dedups int // entries added
}

// page names a run of queue.PageSize sequence numbers.
type page struct{ queue, first uint64 }

// change is what a transaction does to a page.
type change struct {
	live, bytes     int64
	minSent, maxDue int64
}

func pageOf(queueNumber, seq uint64) page {
	return page{queueNumber, (seq-1)/queue.PageSize*queue.PageSize + 1}
}

func (t *transaction) applyAll(group []*batch) error {
	for _, b := range group {
		if err := t.apply(b); err != nil {
			return err
		}
	}
	return nil
}

// apply makes the changes of one batch, in the order that queue.Change gives.
func (t *transaction) apply(b *batch) error {
	t.now = max(t.now, b.now)
	for i := range b.changes {
		c := &b.changes[i]
		var err error
		if c.Drop {
			err = t.drop(c.Queue)
		} else {
			err = t.change(c)
		}
		if err != nil {
			return fmt.Errorf("queue %d: %w", c.Queue, err)
		}
	}
	for _, m := range b.meta {
		var err error
		if m.Value == nil {
			err = t.w.exec(stRemoveMeta, text(m.Name))
		} else {
			err = t.w.exec(stSetMeta, text(m.Name), m.Value)
		}
		if err != nil {
			return err
		}
	}
	return t.leaveOutbox(b.outbox)
}

func (t *transaction) change(c *queue.Change) error {
	if c.Clear {
		if err := t.clear(c.Queue); err != nil {
			return err
		}
	}
	for i := range c.Insert {
		if err := t.insert(c.Queue, &c.Insert[i]); err != nil {
			return err
		}
	}
	for _, seq := range c.Remove {
		if err := t.remove(c.Queue, seq); err != nil {
			return err
		}
	}
	for _, touch := range c.Touch {
		if err := t.w.exec(stTouch, int64(touch.Receives), touch.FirstReceivedAt, int64(c.Queue), int64(touch.Seq)); err != nil {
			return err
		}
	}
	for _, d := range c.Dedup {
		if err := t.w.exec(stDedup, int64(c.Queue), d.Key[:], int64(d.Seq), d.Until); err != nil {
			return err
		}
		t.dedups++
	}
	return nil
}

func (t *transaction) insert(number uint64, r *queue.Record) error {
	if r.Seq > math.MaxInt64 {
		return fmt.Errorf("sequence number %d is larger than SQLite's integers", r.Seq)
	}
	size := int64(r.Size())
	args := append(make([]any, 0, 17), columnsOf(r)...)
	if err := t.w.exec(stInsert, append(args, int64(number), size, checksum(number, r))...); err != nil {
		return err
	}
	p := pageOf(number, r.Seq)
	c, ok := t.pages[p]
	if !ok || c.minSent > r.SentAt {
		c.minSent = r.SentAt
	}
	c.live, c.bytes, c.maxDue = c.live+1, c.bytes+size, max(c.maxDue, r.DueAt)
	t.pages[p] = c
	t.next[number] = max(t.next[number], r.Seq+1)
	return nil
}

// remove deletes a record. One that isn't there changes no page.
func (t *transaction) remove(number, seq uint64) error {
	if seq == 0 || seq > math.MaxInt64 {
		return nil
	}
	var size int64
	err := t.w.stmts[stRemove].QueryRowContext(context.Background(), int64(number), int64(seq)).Scan(&size)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	p := pageOf(number, seq)
	c, ok := t.pages[p]
	if !ok {
		c.minSent = math.MaxInt64 // no new bound
	}
	c.live, c.bytes = c.live-1, c.bytes-size
	t.pages[p] = c
	return nil
}

// clear empties a queue. The numbers it has given stay given.
func (t *transaction) clear(number uint64) error {
	for p := range t.pages {
		if p.queue == number {
			delete(t.pages, p)
		}
	}
	for _, statement := range []int{stClearMessages, stClearPages, stClearDedup} {
		if err := t.w.exec(statement, int64(number)); err != nil {
			return err
		}
	}
	return nil
}

// drop deletes a queue, and what waits in the outbox for it.
func (t *transaction) drop(number uint64) error {
	if err := t.clear(number); err != nil {
		return err
	}
	delete(t.next, number)
	for _, statement := range []int{stDropOutbox, stDropQueue} {
		if err := t.w.exec(statement, int64(number)); err != nil {
			return err
		}
	}
	return nil
}

// finish writes what was gathered.
func (t *transaction) finish() error {
	for p, c := range t.pages {
		if err := t.w.exec(stPage, int64(p.queue), int64(p.first), c.live, c.bytes, c.minSent, c.maxDue); err != nil {
			return err
		}
		if c.live <= 0 { // it may have become empty
			if err := t.w.exec(stEmptyPage, int64(p.queue), int64(p.first)); err != nil {
				return err
			}
		}
	}
	for number, next := range t.next {
		if err := t.w.exec(stNext, int64(next), int64(number)); err != nil {
			return err
		}
	}
	if t.dedups > 0 {
		// Twice as many as came, so that the expired ones never pile up, and no
		// commit has many to forget.
		if err := t.w.exec(stForget, t.now, 2*t.dedups); err != nil {
			return err
		}
	}
	return t.w.exec(stStore, t.now)
}
