package filestore

import (
	"math"

	"github.com/restantemq/restante/queue/filestore/internal/disk"
)

// Room to remove is reserved when a record is inserted. It does not take a place
// for each record, since what removing appends is itself reclaimed with the next
// checkpoint: it takes what lies between two of those. While the file system has
// ample room the reserve is not allocated; when that gets scarce, files for it
// are, ahead of time, and inserts are refused that would use them.

// A supply is what is known of the file system's room.
type supply struct {
	ample bool  // the reserve can be allocated when it is needed
	full  bool  // the last file that was wanted could not be allocated
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
	checkpoint := max(s.checkpointed, 100*int64(s.pages)+32*int64(len(s.segments)+s.dedups)+256*int64(len(s.queues)))
	return s.limits.reserve + 3*s.options.SegmentSize + 2*checkpoint + 24*int64(s.entries)
}

// fits reports whether a frame of n bytes that needs room later, to remove what
// it inserts, can be accepted. If not, the file system is looked at again soon,
// even if nobody removes anything. The caller must hold s.mu.
func (s *Store) fits(n int64) bool {
	if s.supply.ample && s.supply.owed+2*n+s.reserve()+2*s.options.SegmentSize <= s.supply.free {
		return true
	}
	// The rest of a segment may be too short for the frame, and is lost then.
	if s.room()-n >= s.reserve() && n <= s.options.SegmentSize-firstFrame {
		return true
	}
	s.lookLater()
	return false
}

// scarce reports whether there is so little room that what only costs room is
// refused: touches and new queues. The caller must hold s.mu.
func (s *Store) scarce() bool { return !s.supply.ample && s.room() < s.reserve()/2 }

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
		return int(max(0, (s.reserve()+size-s.room()+size-1)/size))
	}
	if g := s.tail.seg; g != nil && g.room() < size/4 && len(s.spares) == 0 {
		return 1
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
		if s.supply.free = free; !known {
			s.supply.free = math.MaxInt64
		}
		s.supply.ample = known && free >= 2*s.reserve()+8*size || !known && !s.supply.full
		wanted := s.wanted()
		if wanted == 0 {
			s.supply.full = false
		}
		failed := s.err != nil
		s.files++
		name := spareName(s.files)
		s.mu.Unlock()
		if wanted == 0 || failed || known && free < size+size/16 {
			return
		}
		f, err := s.disk.Create(name, size)
		if err != nil {
			s.mu.Lock()
			s.supply.full = true
			s.supply.ample = s.supply.ample && !disk.IsFull(err)
			s.mu.Unlock()
			return // without room for it, or for a reason that will show when a file is needed
		}
		// Protects nothing but time: the first sync of a header would have to write
		// all the zeros, and commits would wait for it.
		err = f.Sync()
		_ = f.Close() // it is synced
		if err != nil {
			_ = s.disk.Remove(name) // nothing is in it
			return
		}
		s.mu.Lock()
		s.spares = append(s.spares, spareFile{name: name, size: size})
		s.mu.Unlock()
		free, known = s.disk.Free()
	}
}
