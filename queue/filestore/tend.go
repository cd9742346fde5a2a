package filestore

import (
	"cmp"
	"slices"
)

// Limits of what a store keeps in memory beside its pages, and of how much is
// done about it at a time.
type limits struct {
	entries     int   // of changed pages, 32 bytes each; then blocks are written
	stale       int   // records; then they are settled
	dedups      int   // deduplication entries; then blocks are written
	queueDedups int   // of one queue, likewise
	pages       int   // that a turn writes at most
	clean       int64 // bytes of segments that a turn of the cleaner reads
	reserve     int64 // bytes that are kept beside the reserve that is needed
}

var usualLimits = limits{entries: 1 << 16, stale: 1 << 12, dedups: 1 << 15, queueDedups: 1 << 12, pages: 256, clean: 1 << 20}

// tend looks after the store: it keeps memory and the files small. Whoever led a
// sync does it, after those who shared that were woken. There is one tender at a
// time, and a turn is bounded, unless the files are much larger than they should
// be.
func (s *Store) tend() {
	s.mu.Lock()
	if s.tender.held || s.closed || s.err != nil || !s.needy() {
		s.mu.Unlock()
		return
	}
	s.tender.held = true
	s.mu.Unlock()
	b := new(block)
	s.settleStale(b)
	s.flushPages(b)
	s.spillDedups()
	s.reclaim(b)
	s.provide()
	s.mu.Lock()
	s.tender.end()
	s.mu.Unlock()
}

// needy reports whether there is something to look after. The caller must hold
// s.mu.
func (s *Store) needy() bool {
	return s.tooStale() || s.entries > s.limits.entries || s.dedups > s.spillAt ||
		s.checkpointDue() || s.excess() > 0 || s.wanting()
}

// tooStale reports whether so much is stale that what is counted as needed says
// little. The caller must hold s.mu.
func (s *Store) tooStale() bool {
	if s.stale <= s.hopeless {
		return false
	}
	return s.stale > s.limits.stale || s.staleBytes+64*int64(s.stale) > s.options.SegmentSize/8 ||
		s.oversize() > s.futile
}

// settleStale settles pages and orphans while too much is stale.
func (s *Store) settleStale(b *block) {
	for {
		s.mu.Lock()
		var orphans, changes []*change
		if s.tooStale() && s.err == nil && !s.closed {
			for _, p := range s.orphans {
				if len(orphans) < s.limits.pages && !p.change.unreadable {
					orphans = append(orphans, p.change)
				}
			}
			for c := s.changes.oldest; c != nil && len(changes) < s.limits.pages; c = c.newer {
				if c.stale != (bitmap{}) && !c.unreadable {
					changes = append(changes, c)
				}
			}
			if len(orphans)+len(changes) == 0 {
				s.hopeless = s.stale // their blocks can't be read
			}
		}
		s.mu.Unlock()
		if len(orphans)+len(changes) == 0 {
			return
		}
		// What can't be settled is unreadable now, or somebody has changed it.
		for _, c := range append(orphans, changes...) {
			s.settle(c, c.queue, b)
		}
	}
}

// flushPages writes blocks of the pages that were changed first, until few
// entries are in memory.
func (s *Store) flushPages(b *block) {
	for range s.limits.pages {
		s.mu.Lock()
		c := s.changes.oldest
		for c != nil && (c.unreadable || len(c.entries) == 0) {
			c = c.newer
		}
		enough := s.entries <= s.limits.entries*3/4 || s.err != nil || s.closed
		s.mu.Unlock()
		if enough || c == nil {
			return
		}
		s.flush(c.queue, c.page, b)
	}
}

// spillDedups writes blocks of the deduplication entries of queues that have
// many in memory.
func (s *Store) spillDedups() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dedups <= s.spillAt || s.err != nil || s.closed {
		return
	}
	byEntries := make([]*queueState, 0, len(s.queues))
	for _, q := range s.queues {
		byEntries = append(byEntries, q)
	}
	slices.SortFunc(byEntries, func(a, b *queueState) int {
		return cmp.Or(cmp.Compare(len(b.dedup), len(a.dedup)), cmp.Compare(a.number, b.number))
	})
	for _, q := range byEntries {
		if len(q.dedup) < s.limits.queueDedups && s.dedups <= s.limits.dedups/2 {
			break
		}
		s.spill(q)
	}
	s.spillAt = s.dedups + s.limits.queueDedups
}

// spill writes a block of the entries of q. The caller must hold s.mu.
func (s *Store) spill(q *queueState) {
	start := s.tail.begin()
	s.tail.buf = encodeDedupBlock(s.tail.buf, q.number, 0, q.dedup)
	n := s.tail.size(start)
	until := int64(0)
	for _, d := range q.dedup {
		until = max(until, d.Until)
	}
	at := s.finish(start, dedupFrame)
	s.blocked(q, dedupBlock{place: at, size: uint32(n), until: until}, 0)
}

// checkpointDue reports whether the log has grown enough for a checkpoint, so
// that reopening is quick. The caller must hold s.mu.
func (s *Store) checkpointDue() bool {
	return s.grown >= max(s.options.SegmentSize, 8*s.checkpointed)
}

// oversize returns by how much the files are larger than they should be. The
// caller must hold s.mu.
func (s *Store) oversize() int64 {
	needed := s.bytes - s.staleBytes + 64*s.records
	return s.size + int64(len(s.spares))*s.options.SegmentSize - needed - needed/2 - 2*s.options.SegmentSize
}

// excess returns how many bytes of files should go: the files are too large, or
// there is too little room for others. It is zero while the same was tried in
// vain. The caller must hold s.mu.
func (s *Store) excess() int64 {
	over := max(s.oversize(), s.shortage())
	s.futile = min(s.futile, max(0, over)+s.options.SegmentSize/4+8*s.checkpointed) // what was needed may be gone
	if over <= s.futile {
		return 0
	}
	return over
}

// reclaim makes checkpoints and cleans segments, until the log is short and the
// files are as small as they should be, or nothing helps.
func (s *Store) reclaim(b *block) {
	s.mu.Lock()
	first := s.excess()
	s.mu.Unlock()
	// Emptying a segment that is half full gains as much as it takes; most are
	// emptier.
	budget, capped := max(s.limits.clean, 8*first), false
	if budget > mostToClean {
		budget, capped = mostToClean, true
	}
	lowest, cleaned, tried := first, false, false
	for {
		s.mu.Lock()
		over, due, failed, cramped := s.excess(), s.checkpointDue(), s.err != nil || s.closed, s.cramped()
		free := int64(0)
		if over > 0 || due {
			s.expire()
			free = s.reclaimable()
		}
		s.mu.Unlock()
		switch {
		case failed || over == 0 && !due:
			return
		case cramped:
			if free == 0 || tried && over >= lowest {
				return // what is removed next brings it further
			}
		case due || free >= over && free >= 4*s.checkpointed:
		case budget > 0:
			if n := s.clean(b); n > 0 {
				budget -= n
				cleaned = true
				continue
			}
			budget, capped = 0, false
			fallthrough
		default:
			// A checkpoint frees the one before, and takes as much: without
			// having cleaned or gained it would go on for ever.
			if free == 0 || !cleaned && over >= lowest {
				if over >= first && !capped { // else there is more to try
					s.giveUpOn(over)
				}
				return
			}
		}
		if !s.makeCheckpoint() {
			return
		}
		lowest, cleaned, tried = min(lowest, over), false, true
	}
}

// giveUpOn notes that files can't be made smaller by that many bytes, until more
// is removed.
func (s *Store) giveUpOn(over int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.futile = over + s.options.SegmentSize/4
}

// makeCheckpoint writes a checkpoint and, when it is durable, recycles the
// segments that it does not know. It reports whether it could.
func (s *Store) makeCheckpoint() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil || s.last == nil || s.cramped() && s.room() < s.leastCheckpoint() {
		return false
	}
	unneeded := s.appendCheckpoint()
	s.waitDurable(s.commit)
	if s.err != nil {
		return false
	}
	s.recycle(unneeded)
	return s.err == nil
}

// appendCheckpoint appends a checkpoint, all at one instant, so that it says what
// the log says up to there. It returns the segments that nothing needs once it is
// durable. The caller must hold s.mu.
func (s *Store) appendCheckpoint() (unneeded []*segment) {
	keep := s.last.epoch
	for _, g := range s.segments {
		if g.free(keep) {
			unneeded = append(unneeded, g)
		}
	}
	slices.SortFunc(unneeded, func(a, b *segment) int { return cmp.Compare(a.epoch, b.epoch) })

	before := s.grown
	part := int(min(64<<10, s.options.SegmentSize/4))
	start, began, parts := s.tail.begin(), place(0), 0
	finish := func() {
		if at := s.finish(start, checkpointFrame); parts == 0 {
			began = at
		}
		parts++
	}
	s.tail.buf = s.encodeItems(s.tail.buf, keep, func(b []byte) []byte {
		s.tail.buf = b
		if len(b)-start > part {
			finish()
			start = s.tail.begin()
		}
		return s.tail.buf
	})
	finish()
	start = s.tail.begin()
	s.tail.buf = encodeComplete(s.tail.buf, began, parts)
	s.finish(start, completeFrame)
	s.checkpoint = began
	s.checkpointed, s.grown = s.grown-before, 0
	return unneeded
}

// recycle makes spares of segments that no durable checkpoint knows, or removes
// their files. The caller must hold s.mu, which is released meanwhile.
func (s *Store) recycle(unneeded []*segment) {
	if len(unneeded) == 0 {
		return
	}
	kept := len(s.spares)
	var names []spareFile
	for _, g := range unneeded {
		s.leave(g)
	}
	wanted := s.wantedSpares()
	files := s.files
	s.files += len(unneeded)
	s.mu.Unlock()
	for i, g := range unneeded {
		s.handles.forget(g.epoch)
		spare := spareFile{name: spareName(files + 1 + i), size: g.size}
		// A file that can't be renamed or removed is found when the store is
		// opened again.
		if g.size != s.options.SegmentSize || kept >= wanted {
			_ = s.disk.Remove(g.name())
		} else if err := s.disk.Rename(g.name(), spare.name); err == nil {
			names = append(names, spare)
			kept++
		}
	}
	// Protects the log from a file that comes back under its old name after it
	// was put to use again.
	err := s.disk.SyncDir()
	s.mu.Lock()
	if err != nil {
		s.fail(err)
		return
	}
	s.spares = append(s.spares, names...)
}

// conclude makes durable what was appended, and says in the log that the store
// was closed, so that opening it takes no time and any damage shows. The caller
// must hold s.mu, which is released meanwhile.
func (s *Store) conclude() {
	s.waitDurable(s.commit)
	if s.err != nil || s.last == nil || !s.unclean {
		return
	}
	s.appendCheckpoint()
	s.waitDurable(s.commit)
	if s.err != nil {
		return
	}
	s.finish(s.tail.begin(), cleanFrame)
	s.waitDurable(s.commit)
}
