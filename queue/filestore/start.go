package filestore

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/filestore/internal/disk"
)

// start reads the log and makes the store ready. What it found is durable when
// it returns: what was only written when the process before ended is synced, so
// that an answer that leans on it holds.
func (s *Store) start(ctx context.Context) error {
	v, err := look(ctx, s.disk)
	if err != nil {
		return err
	}
	r, err := v.recover(ctx)
	if err != nil {
		return err
	}
	s.state, s.unclean = r.state, !r.clean
	for epoch, g := range s.segments {
		if epoch >= s.checkpoint.epoch() {
			s.grown += g.end
		}
	}
	if !r.clean {
		if err := s.markSpares(v); err != nil {
			return err
		}
	}
	if g := s.last; g != nil {
		h, err := s.handles.acquire(g.epoch)
		if err != nil {
			return fmt.Errorf("filestore: %w", err)
		}
		s.file, s.fileOf = h, g
		if err := s.renew(h, g, r.synced); err != nil {
			return err
		}
		// After a crash there may be more behind the log's end. It goes on in
		// another segment, whose header says where this one ended.
		if r.clean {
			s.tail.seg = g
		}
	}
	if err := s.tidy(v, r.clean); err != nil {
		return err
	}
	s.provide()
	return nil
}

// renew writes the newest segment's header, and again what it has from an offset
// on, and syncs it. A sync alone would not do: if one failed in the process
// before, the operating system may hold bytes that the disk does not have, and
// take them for synced.
func (s *Store) renew(f disk.File, g *segment, from int64) error {
	for b, at := g.encode(), int64(0); at < g.end; {
		if at > 0 {
			if err := readFull(f, b, at); err != nil {
				return fmt.Errorf("filestore: %w", err)
			}
		}
		if _, err := f.WriteAt(b, at); err != nil {
			return fmt.Errorf("filestore: %w: %w", queue.ErrStoreFailed, err)
		}
		at = max(at+int64(len(b)), from)
		b = make([]byte, min(readAhead, max(g.end-at, 0)))
	}
	// Protects what the process before had written and not synced.
	err := f.Sync()
	if err != nil {
		return fmt.Errorf("filestore: %w: %w", queue.ErrStoreFailed, err)
	}
	return nil
}

// tidy makes spares of the files that nothing needs, and removes those that are
// too many. After a crash it keeps only what was a spare before, since that is
// what the reserve is made of.
func (s *Store) tidy(v *survey, clean bool) error {
	if !clean {
		return s.removeUnneeded(v)
	}
	for _, name := range v.spares {
		s.files = max(s.files, spareNumber(name))
	}
	if v.fresh != "" {
		if err := s.discard(v.fresh); err != nil {
			return err
		}
	}
	found := slices.Collect(maps.Keys(v.segments))
	found = slices.AppendSeq(found, maps.Keys(v.damaged))
	slices.Sort(found)
	for _, epoch := range found {
		if s.segments[epoch] == nil {
			if err := s.discard(segmentName(epoch)); err != nil {
				return err
			}
		}
	}
	for _, name := range v.spares {
		if err := s.keep(name); err != nil {
			return err
		}
	}
	// Protects the log from a file that comes back under a name that was given
	// to another one since.
	err := s.disk.SyncDir()
	if err != nil {
		return fmt.Errorf("filestore: %w", err)
	}
	return nil
}

// markSpares writes into each spare which it is. On a file system without a
// journal a crash in the middle of a rename may leave both names: then two of
// them are one file, or one is the newest segment, in which there is nothing yet
// but its header, which is written again after this.
func (s *Store) markSpares(v *survey) error {
	for _, name := range v.spares {
		f, err := s.disk.Open(name)
		if err != nil {
			return fmt.Errorf("filestore: %w", err)
		}
		if _, err = f.WriteAt(spareMark(name), 0); err == nil {
			// Protects the spare's length, if the process before could not sync it.
			err = f.Sync()
		}
		_ = f.Close() // the mark means something only while the store is being opened
		if err != nil {
			return fmt.Errorf("filestore: %w", err)
		}
	}
	return nil
}

// isMarked reports whether a spare has its own mark, so that it is a file of its
// own.
func (s *Store) isMarked(name string) (bool, error) {
	f, err := s.disk.Open(name)
	if err != nil {
		return false, fmt.Errorf("filestore: %w", err)
	}
	defer f.Close()
	b := make([]byte, firstFrame)
	if err := readFull(f, b, 0); err != nil {
		return false, nil // too short to be of use
	}
	return bytes.Equal(b, spareMark(name)), nil
}

func spareMark(name string) []byte {
	b := make([]byte, firstFrame)
	copy(b, name)
	return b
}

// removeUnneeded removes the files that nothing needs, but for the spares.
func (s *Store) removeUnneeded(v *survey) error {
	var names []string
	for _, name := range v.spares {
		s.files = max(s.files, spareNumber(name))
		marked, err := s.isMarked(name)
		switch {
		case err != nil:
			return err
		case !marked:
			names = append(names, name)
		default:
			if err := s.keep(name); err != nil {
				return err
			}
		}
	}
	for epoch := range v.segments {
		if s.segments[epoch] == nil {
			names = append(names, segmentName(epoch))
		}
	}
	for epoch := range v.damaged {
		if s.segments[epoch] == nil {
			names = append(names, segmentName(epoch))
		}
	}
	if v.fresh != "" {
		names = append(names, v.fresh)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := s.disk.Remove(name); err != nil {
			return fmt.Errorf("filestore: %w", err)
		}
	}
	// Protects the log from a name that comes back, of a file or beside one.
	err := s.disk.SyncDir()
	if err != nil {
		return fmt.Errorf("filestore: %w", err)
	}
	return nil
}

// discard makes a spare of a segment's file, or removes it.
func (s *Store) discard(name string) error {
	s.files++
	spare := spareName(s.files)
	if err := s.disk.Rename(name, spare); err != nil {
		return fmt.Errorf("filestore: %w", err)
	}
	return s.keep(spare)
}

// keep adds a file to the spares if it is wanted as one, and else removes it.
func (s *Store) keep(name string) error {
	f, err := s.disk.Open(name)
	if err != nil {
		return fmt.Errorf("filestore: %w", err)
	}
	size, err := f.Size()
	_ = f.Close() // it was only read
	if err != nil {
		return fmt.Errorf("filestore: %w", err)
	}
	s.mu.Lock()
	wanted := size == s.options.SegmentSize && len(s.spares) < s.wantedSpares()
	if wanted {
		s.spares = append(s.spares, spareFile{name: name, size: size})
	}
	s.mu.Unlock()
	if wanted {
		return nil
	}
	if err := s.disk.Remove(name); err != nil {
		return fmt.Errorf("filestore: %w", err)
	}
	return nil
}
