package filestore

import (
	"fmt"
	"slices"

	"github.com/restantemq/restante/queue/filestore/internal/disk"
)

// write hands the tail to the operating system. The caller is the writer, and
// the syncer as well if it says so; it must hold s.mu, which is released
// meanwhile.
func (s *Store) write(syncer bool) {
	if s.err != nil || s.written == s.commit {
		return
	}
	upTo := s.commit
	var buf []byte
	s.flying, buf = s.tail.take(s.spareBuffer)
	s.spareBuffer = nil
	for i := range s.flying {
		c := &s.flying[i]
		// Says how far what is behind a damaged frame proves that the frame was
		// once good.
		markSynced(c.data[c.last:], c.seg.synced, c.seg.seed, c.offset+int64(c.last))
	}
	chunks := s.flying
	s.mu.Unlock()
	err := s.put(chunks, syncer)
	s.mu.Lock()
	if err != nil {
		s.fail(err)
		return // what was taken stays where Load finds it
	}
	for i := range chunks {
		c := &chunks[i]
		c.seg.written = c.offset + int64(len(c.data))
	}
	s.flying = nil
	if cap(buf) <= keptBuffer {
		s.spareBuffer = buf[:0]
	}
	s.written = upTo
}

// put writes chunks, in order. The caller is the writer and does not hold s.mu.
func (s *Store) put(chunks []chunk, syncer bool) error {
	for i := range chunks {
		c := &chunks[i]
		if !c.seg.begun {
			if err := s.turn(c.seg, syncer); err != nil {
				return err
			}
		}
		if _, err := s.file.WriteAt(c.data, c.offset); err != nil {
			return err
		}
	}
	return nil
}

// turn goes on to the next segment: the file is got, named and given its header.
// The order of the syncs is what recovery relies on: all of a segment is durable
// before there is a later one, and a segment's name and header are before its
// first frame. The caller is the writer and does not hold s.mu.
func (s *Store) turn(g *segment, syncer bool) error {
	if s.file != nil {
		if !syncer {
			s.becomeSyncer()
		}
		// Protects what was written to the old segment since its last sync.
		err := s.file.Sync()
		if !syncer {
			s.resignSyncer(err)
		}
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.handles.release(s.file)
		s.file = nil
		s.mu.Unlock()
	}
	f, err := s.segmentFile(g)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(g.encode(), 0); err != nil {
		_ = f.Close() // the write's failure is what matters
		return err
	}
	// Protects the header: frames without it could not be found again.
	err = f.Sync()
	if err != nil {
		_ = f.Close() // the sync's failure is what matters
		return err
	}
	// Protects the file's name: a segment that is missing is damage.
	err = s.disk.SyncDir()
	if err != nil {
		_ = f.Close() // the sync's failure is what matters
		return err
	}
	s.mu.Lock()
	s.file, s.fileOf = s.handles.add(g.epoch, f), g
	g.begun = true
	s.supply.owed -= g.size
	s.supply.free -= g.size // or less, if it was a spare
	s.mu.Unlock()
	return nil
}

// segmentFile returns the file of a new segment: a spare of its size, or one
// that is made.
func (s *Store) segmentFile(g *segment) (f disk.File, err error) {
	s.mu.Lock()
	spare := ""
	if i := slices.IndexFunc(s.spares, func(p spareFile) bool { return p.size == g.size }); i >= 0 {
		spare = s.spares[i].name
		s.spares = slices.Delete(s.spares, i, i+1)
	}
	s.mu.Unlock()
	if spare == "" {
		if spare, err = s.allocate(g.size); disk.IsFull(err) {
			s.noteFull(err)
			s.makeRoom(g.size) // spares are room, too, if not in one piece
			spare, err = s.allocate(g.size)
		}
		if err != nil {
			return nil, fmt.Errorf("a file for the log: %w", err)
		}
	}
	if err = s.disk.Rename(spare, g.name()); err == nil {
		f, err = s.disk.Open(g.name())
	}
	if err != nil {
		return nil, fmt.Errorf("a file for the log: %w", err)
	}
	return f, nil
}

// allocate makes a file of that size, under the name of a spare.
func (s *Store) allocate(size int64) (name string, err error) {
	s.mu.Lock()
	s.files++
	name = spareName(s.files)
	s.mu.Unlock()
	f, err := s.disk.Create(name, size)
	if err != nil {
		return "", err
	}
	// Protects the file's length: a segment's file that is short is damage.
	err = f.Sync()
	_ = f.Close() // it is synced
	if err != nil {
		_ = s.disk.Remove(name) // nothing is in it
		return "", err
	}
	return name, nil
}

// becomeSyncer waits for the syncer's role. While the caller is the writer
// others take it only for what is written already, which does not last.
func (s *Store) becomeSyncer() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.await(&s.syncer)
	s.syncer.held = true
}

// resignSyncer gives the role back. A failure of the sync must be known before
// anybody else syncs that file, who would be told that all is well.
func (s *Store) resignSyncer(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.syncer.end()
	if err != nil {
		s.fail(err)
	}
}
