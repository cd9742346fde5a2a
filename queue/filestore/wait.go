package filestore

import (
	"fmt"
	"runtime"

	"github.com/restantemq/restante/queue"
)

// Making commits durable has two roles, each with one holder at a time: the
// writer hands the tail to the operating system, and the syncer has it made
// durable. They are apart so that who waits for Written need not wait for a
// sync. Who wants both takes both at once; the writer may want the syncer's as
// well, to go on to another segment, and the syncer never wants the writer's.
// Who waits for Durable while others write and write takes the syncer's alone.

// A role has one holder at a time. Its fields are guarded by Store.mu.
type role struct {
	held  bool
	freed chan struct{} // closed when the role is given back; nil if nobody waits for that
}

// end gives the role back.
func (r *role) end() {
	r.held = false
	if r.freed != nil {
		close(r.freed)
		r.freed = nil
	}
}

// await waits until nobody has a role. The caller must hold s.mu, which is
// released meanwhile.
func (s *Store) await(r *role) {
	for r.held {
		if r.freed == nil {
			r.freed = make(chan struct{})
		}
		freed := r.freed
		s.mu.Unlock()
		<-freed
		s.mu.Lock()
	}
}

// A group is callers of Wait who share the next sync. Whoever leads it takes it
// out of Store.waiting; from then on nobody joins.
type group struct {
	done chan struct{} // closed when the sync has ended
	turn chan struct{} // has something when one of the group should lead
}

// Wait implements [queue.Store].
func (s *Store) Wait(c queue.Commit, l queue.Level) error {
	s.mu.Lock()
	if s.err == errClosed {
		s.mu.Unlock()
		return errClosed
	}
	if c > s.commit {
		defer s.mu.Unlock()
		panicf("Wait for commit %d, the latest is %d", c, s.commit)
	}
	led := false
	switch {
	case l == queue.Durable && s.options.Sync == LoseNothing:
		led = s.waitDurable(c)
	case l == queue.Durable || l == queue.Written:
		led = s.waitWritten(c)
	default:
		defer s.mu.Unlock()
		panicf("level %d", l)
	}
	err := s.outcome(c, l)
	if led && err == nil {
		s.syncLater()
	}
	s.mu.Unlock()
	if led && err == nil {
		s.tend()
	}
	return err
}

// outcome returns what Wait says of a commit. The caller must hold s.mu.
func (s *Store) outcome(c queue.Commit, l queue.Level) error {
	switch {
	case c <= s.durable:
		return nil
	case s.err != nil:
		return fmt.Errorf("%w: %w", queue.ErrUncertain, s.err)
	}
	return nil
}

// waitWritten returns when c is written, or the store has failed. It reports
// whether this call wrote. The caller must hold s.mu, which is released
// meanwhile.
func (s *Store) waitWritten(c queue.Commit) (led bool) {
	for s.written < c && s.err == nil {
		if s.writer.held {
			s.await(&s.writer)
			continue
		}
		s.writer.held = true
		s.write(false)
		s.writer.end()
		s.handOver()
		led = true
	}
	return led
}

// waitDurable returns when c is durable, or the store has failed. It reports
// whether this call synced. The caller must hold s.mu, which is released
// meanwhile.
func (s *Store) waitDurable(c queue.Commit) (led bool) {
	var mine *group
	for s.durable < c && s.err == nil {
		// While somebody writes what came later, what is written can be synced.
		ready := !s.writer.held || s.written >= c && s.file != nil
		if ready && !s.syncer.held && (mine == nil || mine == s.waiting) {
			s.lead()
			led = true
			continue
		}
		if mine == nil {
			if s.waiting == nil {
				s.waiting = &group{done: make(chan struct{}), turn: make(chan struct{}, 1)}
			}
			mine = s.waiting
		}
		s.mu.Unlock()
		select {
		case <-mine.done:
			mine = nil // c may have come too late for that sync
		case <-mine.turn:
		}
		s.mu.Lock()
	}
	// The sync before may have covered c, and the turn have come to this call all
	// the same: then it is for the next of the group.
	s.handOver()
	return led
}

// lead takes both roles, writes what is appended, syncs it, and lets its group
// go. If there is a writer it syncs what is written. The caller must hold s.mu,
// which is released meanwhile.
func (s *Store) lead() {
	writes := !s.writer.held
	s.syncer.held = true
	if writes {
		s.writer.held = true
		s.mu.Unlock()
		runtime.Gosched() // others who are about to append come along
		s.mu.Lock()
	}
	mine := s.waiting
	s.waiting = nil
	if writes {
		s.write(true)
	}
	upTo := s.written
	h, g := s.file, s.fileOf
	var end int64
	if h != nil {
		end = g.written
		s.handles.retain(h)
	}
	if writes {
		s.writer.end()
	}
	if s.err == nil && upTo > s.durable && h != nil {
		s.mu.Unlock()
		// Protects every commit that Wait reports durable.
		err := h.Sync()
		s.mu.Lock()
		if err != nil {
			s.fail(err)
		} else {
			g.synced = max(g.synced, end)
			s.durable = max(s.durable, upTo)
		}
	}
	if h != nil {
		s.handles.release(h)
	}
	s.syncer.end()
	if mine != nil {
		close(mine.done)
	}
	s.handOver()
}

// handOver lets one of the next group lead, if there is one and it can. Without
// it the group would wait for ever, since it does not watch the roles. The
// caller must hold s.mu.
func (s *Store) handOver() {
	if s.waiting == nil || s.syncer.held {
		return
	}
	select {
	case s.waiting.turn <- struct{}{}:
	default: // somebody is on the way
	}
}

// fail ends the store after a failed write or sync: what is durable stays so,
// and nothing more becomes it. A sync is never tried again, since the operating
// system forgets what it could not write. The caller must hold s.mu.
func (s *Store) fail(err error) {
	if s.err == nil {
		s.err = fmt.Errorf("filestore: %w: %w", queue.ErrStoreFailed, err)
	}
	if s.waiting != nil {
		close(s.waiting.done)
		s.waiting = nil
	}
}
