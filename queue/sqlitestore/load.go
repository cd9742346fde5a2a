package sqlitestore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/restantemq/restante/queue"
)

// Load implements [queue.Store]. It doesn't wait for the database's write lock.
func (s *Store) Load(ctx context.Context, number, from, to uint64, dst []queue.Record) ([]queue.Record, error) {
	if err := ctx.Err(); err != nil {
		return dst, fmt.Errorf("sqlitestore: loading records: %w", err)
	}
	pending, err := s.appended()
	if err != nil {
		return dst, err
	}
	at := len(dst)
	dst, err = s.stored(ctx, number, from, to, dst)
	if len(pending) > 0 {
		o := overlay{queue: number, from: from, to: to, records: dst[at:]}
		for _, b := range pending {
			o.lay(b)
		}
		dst = append(dst[:at], o.result()...)
	}
	if err != nil {
		err = fmt.Errorf("sqlitestore: loading records: %w", err)
	}
	return dst, err
}

// appended returns the batches that may not be in the database yet.
//
// Readers ask for them first and read the database then. Meanwhile some of them
// may have been committed, and later ones as well; laid over what was read, the
// batches give every record as it was at the time of the question or later.
func (s *Store) appended() ([]*batch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, queue.ErrClosed
	}
	return s.pending, nil // its elements and the array's used part never change
}

// stored reads what the database has.
func (s *Store) stored(ctx context.Context, number, from, to uint64, dst []queue.Record) (_ []queue.Record, err error) {
	if from > math.MaxInt64 || from >= to {
		return dst, nil
	}
	last := min(to-1, math.MaxInt64)
	rows, err := s.db.QueryContext(ctx, `SELECT `+messageColumns+`, checksum FROM restante_messages
		WHERE queue = ? AND seq >= ? AND seq <= ? ORDER BY seq`, int64(number), int64(from), int64(last))
	if err != nil {
		return dst, sorted(err)
	}
	defer rows.Close()
	var damage error
	for rows.Next() {
		var w row
		if err := rows.Scan(w.targets()...); err != nil {
			damage = cmp.Or(damage, corrupt("a message of queue %d can't be read: %v", number, err))
			continue
		}
		r, err := w.record(number)
		if err != nil {
			damage = cmp.Or(damage, err)
			continue
		}
		dst = append(dst, r)
	}
	return dst, errors.Join(damage, sorted(rows.Err()))
}

// An overlay brings records that were read up to date with batches that were
// appended. It may lay a batch over records that have it already.
type overlay struct {
	queue, from, to uint64
	records         []queue.Record
	bySeq           map[uint64]*queue.Record // nil: records is still right
}

func (o *overlay) lay(b *batch) {
	for i := range b.changes {
		if c := &b.changes[i]; c.Queue == o.queue {
			o.change(c)
		}
	}
}

func (o *overlay) change(c *queue.Change) {
	if o.bySeq == nil {
		o.bySeq = make(map[uint64]*queue.Record, len(o.records))
		for i := range o.records {
			o.bySeq[o.records[i].Seq] = &o.records[i]
		}
	}
	if c.Clear || c.Drop {
		clear(o.bySeq)
	}
	for i := range c.Insert {
		if r := c.Insert[i]; o.from <= r.Seq && r.Seq < o.to {
			o.bySeq[r.Seq] = &r
		}
	}
	for _, seq := range c.Remove {
		delete(o.bySeq, seq)
	}
	for _, t := range c.Touch {
		if r := o.bySeq[t.Seq]; r != nil {
			r.Receives, r.FirstReceivedAt = t.Receives, t.FirstReceivedAt
		}
	}
}

func (o *overlay) result() []queue.Record {
	if o.bySeq == nil {
		return o.records
	}
	records := make([]queue.Record, 0, len(o.bySeq))
	for _, r := range o.bySeq {
		records = append(records, *r)
	}
	slices.SortFunc(records, func(a, b queue.Record) int { return cmp.Compare(a.Seq, b.Seq) })
	return records
}

// Meta implements [queue.Store].
func (s *Store) Meta(ctx context.Context) (map[string][]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("sqlitestore: reading meta: %w", err)
	}
	pending, err := s.appended()
	if err != nil {
		return nil, err
	}
	meta, err := s.storedMeta(ctx)
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: reading meta: %w", sorted(err))
	}
	for _, b := range pending {
		for _, m := range b.meta {
			if m.Value == nil {
				delete(meta, m.Name)
			} else {
				meta[m.Name] = append([]byte{}, m.Value...)
			}
		}
	}
	return meta, nil
}

func (s *Store) storedMeta(ctx context.Context) (map[string][]byte, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT name, value FROM restante_meta`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	meta := map[string][]byte{}
	for rows.Next() {
		var name string
		var value []byte
		if err := rows.Scan(&name, &value); err != nil {
			return nil, err
		}
		meta[name] = append([]byte{}, value...) // never nil
	}
	return meta, rows.Err()
}
