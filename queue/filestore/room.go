package filestore

import "github.com/restantemq/restante/queue/filestore/internal/disk"

// Room to remove is reserved when a record is inserted. It does not take a place
// for each record, since what removing appends is itself reclaimed with the next
// checkpoint: it takes what lies between two of those. While the file system has
// ample room the reserve is not allocated; when that gets scarce, files for it
// are, ahead of time, and inserts are refused that would use them.

// A supply is what is known of the file system's room.
type supply struct {
	ample bool  // the reserve can be allocated when it is needed; false if that can't be told
	asked int64 // the most that a frame was going to take
	lied  bool  // there was no room when there should have been plenty: a quota, say
	owed  int64 // bytes of segments that were appended to and have no file yet
	free  int64 // bytes left on the file system when it was looked at, less what was allocated since
}

// room returns the bytes that can be appended to files that are there. The
// caller must hold s.mu.
func (s *Store) room() int64 {
	room := int64(len(s.spares))*s.options.SegmentSize - s.supply.owed
	if g := s.tail.seg; g != nil {
		room += g.room()
	}
	return room
}

// reserve returns the bytes that are kept for removing: what the log grows by
// between checkpoints, two of these, page blocks, and a segment for the cleaner.
// The caller must hold s.mu.
func (s *Store) reserve() int64 {
	return s.limits.reserve + 3*s.options.SegmentSize + 2*s.nextCheckpoint() + 24*int64(s.entries)
}

// nextCheckpoint returns about how many bytes a checkpoint takes now. The caller
// must hold s.mu.
func (s *Store) nextCheckpoint() int64 {
	return max(s.checkpointed, s.leastCheckpoint())
}

// leastCheckpoint is nextCheckpoint without regard to the one before: much may
// have been removed since. The caller must hold s.mu.
func (s *Store) leastCheckpoint() int64 {
	return 100*int64(s.pages) + 8*int64(s.entries) + 32*int64(len(s.segments)+s.dedups) + 256*int64(len(s.queues))
}

// cramped reports whether there is room left for little more than a checkpoint
// and what is appended until it is durable: then nothing is copied any more, since
// what that gains comes only after a checkpoint. The caller must hold s.mu.
func (s *Store) cramped() bool {
	return !s.supply.ample && s.room() < 2*s.nextCheckpoint()+2*s.options.SegmentSize
}

// cost returns what a frame of n bytes takes of the room: a file of its own, if
// it is larger than a segment. The caller must hold s.mu.
func (s *Store) cost(n int64) int64 {
	if n <= s.options.SegmentSize-firstFrame {
		return n
	}
	return n + firstFrame + blockSize
}

// fits reports whether a frame of n bytes that needs room later, to remove what
// it inserts, can be accepted. If not, the file system is looked at again soon,
// even if nobody removes anything. The caller must hold s.mu.
func (s *Store) fits(n int64) bool {
	s.supply.asked = max(s.supply.asked, s.cost(n))
	if s.supply.ample && s.supply.owed+2*n+s.reserve()+2*s.options.SegmentSize <= s.supply.free {
		return true
	}
	// The rest of a segment may be too short for the frame, and is lost then.
	if s.room()-s.cost(n) >= s.reserve() {
		return true
	}
	s.lookLater()
	return false
}

// scarce reports whether there is so little room that what only costs room is
// refused: touches and new queues. The caller must hold s.mu.
func (s *Store) scarce() bool {
	return !s.supply.ample && s.room() < min(s.reserve()/2, s.options.SegmentSize)
}

// wanting reports whether files should be allocated, or what is known of the
// file system's room may be out of date. The caller must hold s.mu.
func (s *Store) wanting() bool {
	return !s.supply.ample || s.wanted() > 0 || s.supply.free < 2*s.reserve()+8*s.options.SegmentSize
}

// wanted returns how many more spares there should be. The caller must hold
// s.mu.
func (s *Store) wanted() int {
	size := s.options.SegmentSize
	if !s.supply.ample {
		// What the next inserts take is on top of the reserve.
		return int(max(0, (s.reserve()+max(size, s.supply.asked)-s.room()+size-1)/size))
	}
	// Two ahead, once there is more than one segment: what tells that there is no
	// room after all must be the making of a spare, not of a segment.
	if g := s.tail.seg; g != nil && (len(s.segments) > 1 || g.room() < size/2) && s.oversize() <= 0 {
		return max(0, min(2, len(s.segments))-len(s.spares))
	}
	return 0
}

// shortage returns how many bytes should be reclaimed for want of room. The
// caller must hold s.mu.
func (s *Store) shortage() int64 {
	if s.supply.ample {
		return 0
	}
	return max(0, s.reserve()+s.options.SegmentSize-s.room())
}

// wantedSpares returns how many spares are kept. The caller must hold s.mu.
func (s *Store) wantedSpares() int {
	switch {
	case s.supply.ample && s.oversize() > 0:
		return 0
	case s.supply.ample:
		return 2
	}
	return max(2, len(s.spares)+s.wanted())
}

// provide looks at the file system and allocates files ahead.
func (s *Store) provide() {
	free, known := s.disk.Free()
	for {
		s.mu.Lock()
		size := s.options.SegmentSize
		s.supply.free = free
		s.supply.ample = known && !s.supply.lied && free >= 2*s.reserve()+8*size
		wanted := s.wanted()
		failed := s.err != nil
		s.mu.Unlock()
		if wanted == 0 || failed || known && free < size+size/16 {
			return
		}
		name, err := s.allocate(size)
		if err != nil {
			s.noteFull(err)
			return // without room for it, or for a reason that will show when a file is needed
		}
		s.mu.Lock()
		s.spares = append(s.spares, spareFile{name: name, size: size})
		s.mu.Unlock()
		free, known = s.disk.Free()
	}
}

// noteFull remembers that there was no room, if that is what err says, and that
// the file system is not to be believed if it says otherwise.
func (s *Store) noteFull(err error) {
	if !disk.IsFull(err) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.supply.lied = s.supply.lied || s.supply.ample
	s.supply.ample = false
}

// makeRoom removes spares for a file of that size.
func (s *Store) makeRoom(size int64) {
	for size > 0 {
		s.mu.Lock()
		n := len(s.spares)
		if n == 0 {
			s.mu.Unlock()
			return
		}
		spare := s.spares[n-1]
		s.spares = s.spares[:n-1]
		s.mu.Unlock()
		if s.disk.Remove(spare.name) == nil {
			size -= spare.size
		}
	}
}
