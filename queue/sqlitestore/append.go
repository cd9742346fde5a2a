package sqlitestore

import (
	"fmt"
	"time"

	"github.com/restantemq/restante/queue"
)

// A batch is a queue.Batch as the store keeps it until it is committed.
type batch struct {
	now     int64
	changes []queue.Change
	meta    []queue.Meta
	outbox  []outboxChange // rows that leave the outbox with it, or stay for good
	bytes   int64          // about what it inserts; zero if it inserts nothing
}

// rowBytes is about what a record takes in the database beside its texts.
const rowBytes = 128

// maxRecord is how large a record may be, all its texts together: SQLite takes a
// billion bytes in a row.
const maxRecord = 990_000_000

// newBatch copies b. Strings are shared: they never change.
func newBatch(b *queue.Batch) (*batch, error) {
	w := &batch{now: b.Now, changes: make([]queue.Change, len(b.Changes))}
	for i, c := range b.Changes {
		c.Insert = append([]queue.Record(nil), c.Insert...)
		c.Remove = append([]uint64(nil), c.Remove...)
		c.Touch = append([]queue.Touch(nil), c.Touch...)
		c.Dedup = append([]queue.Dedup(nil), c.Dedup...)
		w.changes[i] = c
		for k := range c.Insert {
			r := &c.Insert[k]
			size := len(r.Body) + len(r.Attributes.Encoded()) + len(r.GroupID) + len(r.DeduplicationID) + len(r.TraceHeader) +
				len(r.DeadLetterSource) + len(r.DeadLetterReason)
			if size > maxRecord {
				return nil, &queue.LimitError{Parameter: "MessageBody", Got: size, Max: maxRecord, Reason: "bytes that SQLite keeps", Err: queue.ErrMessageTooLarge}
			}
			w.bytes += rowBytes + int64(size)
		}
	}
	for _, m := range b.Meta {
		if m.Value != nil { // nil removes the name, so an empty value must not become it
			m.Value = append([]byte{}, m.Value...)
		}
		w.meta = append(w.meta, m)
	}
	return w, nil
}

// Append implements [queue.Store]. While there is no room it drops every Touch.
// A record too large for a row of SQLite it refuses with
// [queue.ErrMessageTooLarge]; only a queue without limits lets one through.
func (s *Store) Append(b *queue.Batch) (queue.Commit, error) {
	w, err := newBatch(b)
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refusing(); err != nil {
		return 0, err
	}
	s.checkClaims(w)
	if w.bytes > 0 && !s.hasRoom(w.bytes) {
		return 0, queue.ErrStoreFull
	}
	tight := s.full && !s.roomInside(0)
	for i := range w.changes {
		c := &w.changes[i]
		if tight {
			c.Touch = nil
		}
		if s.dropped[c.Queue] {
			*c = queue.Change{Queue: c.Queue, Drop: true} // there is nothing to change
		}
		if c.Drop {
			s.dropped[c.Queue] = true
		}
		w.outbox = s.redeem(w.outbox, c)
	}
	return s.add(w), nil
}

// add puts a batch behind all others. The caller must hold s.mu.
func (s *Store) add(w *batch) queue.Commit {
	s.pending = append(s.pending, w)
	s.bytes += w.bytes
	s.last++
	return s.last
}

// checkClaims panics if the engine that made w may not: it has not attached the
// queue. Dropping one takes no claim.
func (s *Store) checkClaims(w *batch) {
	for i := range w.changes {
		c := &w.changes[i]
		if _, claimed := s.attached[c.Queue]; !claimed && !c.Drop {
			panic(fmt.Sprintf("sqlitestore: internal error: Append to queue %d, which is not attached", c.Queue))
		}
	}
}

// Wait implements [queue.Store]. A commit that was durable before the store
// failed is still a success.
func (s *Store) Wait(c queue.Commit, l queue.Level) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c > s.last {
		panic(fmt.Sprintf("sqlitestore: internal error: Wait for commit %d, the latest is %d", c, s.last))
	}
	if l == queue.Durable {
		s.wanted = max(s.wanted, c)
	}
	level := index(l)
	for {
		switch {
		case c <= s.marks[index(queue.Durable)]:
			return nil
		case s.failed != nil:
			// Also for a commit that was only written: what could not be synced may
			// have taken it along.
			return fmt.Errorf("sqlitestore: %w: %w", queue.ErrUncertain, s.failed)
		case c <= s.marks[level]:
			return nil
		case s.leading:
			s.cond.Wait()
		default:
			s.lead()
		}
	}
}

// index returns the place of a level's mark.
func index(l queue.Level) int {
	if l != queue.Written && l != queue.Durable {
		panic(fmt.Sprintf("sqlitestore: internal error: level %d", l))
	}
	return int(l - queue.Written)
}

// lead commits everything appended so far in one transaction, at the highest
// level that somebody waits for: one commit in which a receive count waits for a
// sync is cheaper than two, and there is only one writer. If everything is
// written and something is to be durable, the transaction has nothing in it but
// the counter that each one raises: its sync is one of the whole log. The caller
// must hold s.mu, which is let go meanwhile, and nobody may be leading.
func (s *Store) lead() {
	level := queue.Written
	if s.wanted > s.marks[index(queue.Durable)] {
		level = queue.Durable
	}
	group, upTo := s.pending[:len(s.pending):len(s.pending)], s.last
	s.leading = true
	s.mu.Unlock()
	err := s.commit(level, func(t *transaction) error { return t.applyAll(group) })
	if err == nil {
		_ = s.measure() // or the next time
	}
	s.mu.Lock()
	s.leading = false
	s.cond.Broadcast()
	if err != nil {
		s.fail(err)
		return
	}
	s.pending = append([]*batch(nil), s.pending[len(group):]...)
	for _, w := range group {
		s.bytes -= w.bytes
	}
	s.marks[index(queue.Written)] = upTo
	if level == queue.Durable {
		s.marks[index(queue.Durable)] = upTo
	}
}

// fail ends the store's changes. The caller must hold s.mu.
func (s *Store) fail(cause error) {
	if s.failed == nil {
		s.failed = fmt.Errorf("%w: %v", queue.ErrStoreFailed, cause)
		s.cond.Broadcast()
	}
}

// commit makes changes in one transaction. The caller leads. If the disk is full
// it gives the reserve up and tries once more: what a transaction that was rolled
// back has written doesn't count.
func (s *Store) commit(l queue.Level, changes func(t *transaction) error) error {
	if err := s.writer.setLevel(l); err != nil {
		return err
	}
	err := s.transact(l, changes)
	if !isFull(err) || !s.reserve.held() {
		return err
	}
	if failed := s.giveUp(); failed != nil {
		return fmt.Errorf("%w, and the reserve can't be freed: %w", err, failed)
	}
	return s.transact(l, changes)
}

// begin takes the database's write lock, for which it may have to wait until
// the application's transaction ends.
func (s *Store) begin() error {
	pause := 100 * time.Microsecond
	var since time.Time
	for {
		err := s.writer.begin()
		if !isBusy(err) {
			return err
		}
		switch now := time.Now(); {
		case since.IsZero():
			since = now
		case s.busy > 0 && now.Sub(since) > s.busy:
			return fmt.Errorf("the database's write lock was held for %v: %w", now.Sub(since).Round(time.Millisecond), err)
		}
		time.Sleep(pause)
		pause = min(2*pause, 5*time.Millisecond)
	}
}
