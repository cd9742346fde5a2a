package sqlitestore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/restantemq/restante/queue"
)

// Attach implements [queue.Store]. A new queue is durable when it returns. It
// waits for what was appended before.
func (s *Store) Attach(ctx context.Context, name string, kind queue.Kind) (*queue.Recovery, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("sqlitestore: attaching %q: %w", name, err)
	}
	r, err := s.attach(ctx, name, kind)
	if err != nil && !errors.Is(err, queue.ErrClosed) {
		err = fmt.Errorf("sqlitestore: attaching %q: %w", name, err)
	}
	return r, err
}

func (s *Store) attach(ctx context.Context, name string, kind queue.Kind) (*queue.Recovery, error) {
	s.mu.Lock()
	last, err := s.last, s.refusing()
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	// A queue of that name may have been dropped and the drop not committed.
	if err := s.Wait(last, queue.Durable); err != nil {
		return nil, err
	}
	var number uint64
	err = s.exclusively(func() error {
		number, err = s.findOrCreate(ctx, name, kind)
		if err != nil {
			return err
		}
		return s.claim(number, name)
	})
	if err != nil {
		return nil, err
	}
	r, err := s.recovery(ctx, number)
	if err != nil {
		s.Detach(number)
		return nil, err
	}
	return r, nil
}

func (s *Store) claim(number uint64, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.attached[number]; taken {
		return fmt.Errorf("the queue is attached: %w", queue.ErrStoreLocked)
	}
	s.attached[number] = name
	return nil
}

// findOrCreate returns a queue's number. The caller leads.
func (s *Store) findOrCreate(ctx context.Context, name string, kind queue.Kind) (uint64, error) {
	var number, is int64
	err := s.db.QueryRowContext(ctx, `SELECT number, kind FROM restante_queues WHERE name = ?`, text(name)).Scan(&number, &is)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return s.create(name, kind)
	case err != nil:
		return 0, sorted(err)
	case queue.Kind(is) != kind:
		return 0, fmt.Errorf("the queue is %v: %w", queue.Kind(is), queue.ErrNotForThisQueue)
	}
	return uint64(number), nil
}

// create makes a queue, durably. As after any commit that fails, the store has
// failed if it can't; but to come to nothing, because somebody else holds the
// write lock, is no failure while no batch waits for it.
func (s *Store) create(name string, kind queue.Kind) (uint64, error) {
	var key [16]byte
	rand.Read(key[:]) // never fails
	var number int64
	err := s.commit(queue.Durable, func(t *transaction) error {
		result, err := t.w.stmts[stCreate].ExecContext(context.Background(), text(name), int64(kind), key[:])
		if err != nil {
			return err
		}
		number, err = result.LastInsertId()
		return err
	})
	if isBusy(err) {
		return 0, err
	}
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.fail(err)
		return 0, fmt.Errorf("%w: %w", queue.ErrUncertain, s.failed)
	}
	return uint64(number), nil
}

// recovery reads what survived of an attached queue.
func (s *Store) recovery(ctx context.Context, number uint64) (*queue.Recovery, error) {
	r := &queue.Recovery{Queue: number}
	var next int64
	var key []byte
	err := s.db.QueryRowContext(ctx, `SELECT key, next, now FROM restante_queues, restante_store WHERE number = ?`, int64(number)).
		Scan(&key, &next, &r.Now)
	if err != nil {
		return nil, sorted(err)
	}
	if len(key) != len(r.Key) || next < 1 {
		return nil, corrupt("queue %d is malformed", number)
	}
	copy(r.Key[:], key)
	r.Next = uint64(next)
	if r.Pages, err = s.pages(ctx, number); err != nil {
		return nil, sorted(err)
	}
	if r.Dedup, err = s.dedup(ctx, number, r.Now); err != nil {
		return nil, sorted(err)
	}
	return r, nil
}

func (s *Store) pages(ctx context.Context, number uint64) (pages []queue.PageInfo, err error) {
	rows, err := s.db.QueryContext(ctx, `SELECT first, live, bytes, min_sent_at, max_due_at FROM restante_pages
		WHERE queue = ? ORDER BY first`, int64(number))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var p queue.PageInfo
		if err := rows.Scan(&p.First, &p.Live, &p.Bytes, &p.MinSentAt, &p.MaxDueAt); err != nil {
			return nil, err
		}
		pages = append(pages, p)
	}
	return pages, rows.Err()
}

// dedup reads the entries that are not over, oldest first.
func (s *Store) dedup(ctx context.Context, number uint64, now int64) (entries []queue.Dedup, err error) {
	rows, err := s.db.QueryContext(ctx, `SELECT key, seq, until FROM restante_dedup WHERE queue = ? AND until > ? ORDER BY seq, key`, int64(number), now)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var d queue.Dedup
		var key sql.RawBytes
		if err := rows.Scan(&key, &d.Seq, &d.Until); err != nil {
			return nil, err
		}
		if len(key) != len(d.Key) {
			return nil, corrupt("a deduplication entry of queue %d is malformed", number)
		}
		copy(d.Key[:], key)
		entries = append(entries, d)
	}
	return slices.Clip(entries), rows.Err()
}

// Detach implements [queue.Store].
func (s *Store) Detach(number uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.attached, number)
	delete(s.outboxes, number)
}
