package filestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/restantemq/restante/queue/filestore/internal/disk"
)

// A survey is what a directory has, before its log is read. It changes nothing.
type survey struct {
	disk     disk.Disk
	segments map[uint32]*segment // those with a name, a sound header and their full length
	damaged  map[uint32]*DamageError
	newest   *segment // nil: there is no log
	fresh    string   // a file that was to be the next segment when the machine crashed, or ""
	spares   []string
}

// look surveys a directory.
func look(ctx context.Context, d disk.Disk) (*survey, error) {
	names, err := d.List()
	if err != nil {
		return nil, fmt.Errorf("filestore: %w", err)
	}
	v := &survey{disk: d, segments: map[uint32]*segment{}, damaged: map[uint32]*DamageError{}}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("filestore: opening: %w", err)
		}
		if isSpare(name) {
			v.spares = append(v.spares, name)
		} else if epoch, ok := epochOf(name); ok {
			if err := v.read(epoch); err != nil {
				return nil, err
			}
		}
	}
	slices.Sort(v.spares)
	return v, v.findNewest()
}

// read reads the header of a segment.
func (v *survey) read(epoch uint32) error {
	name := segmentName(epoch)
	f, err := v.disk.Open(name)
	if err != nil {
		return fmt.Errorf("filestore: %w", err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return fmt.Errorf("filestore: %w", err)
	}
	b := make([]byte, firstFrame)
	if size < firstFrame {
		v.damage(epoch, 0, "the file is shorter than a segment header")
		return nil
	}
	if err := readFull(f, b, 0); err != nil {
		return v.failure(epoch, 0, err)
	}
	h, wrong := decodeHeader(b)
	switch {
	case wrong != "":
		v.damage(epoch, 0, wrong)
	case h.epoch != epoch:
		v.damage(epoch, 0, fmt.Sprintf("the segment header is that of epoch %d", h.epoch))
	case h.size != size:
		v.damage(epoch, size, fmt.Sprintf("the file has %d bytes, its header says %d", size, h.size))
	default:
		g := newSegment(h)
		g.begun = true
		v.segments[epoch] = g
	}
	return nil
}

func (v *survey) damage(epoch uint32, offset int64, reason string) {
	v.damaged[epoch] = v.damageAt(epoch, offset, reason)
}

func (v *survey) damageAt(epoch uint32, offset int64, reason string) *DamageError {
	return &DamageError{File: v.disk.Path(segmentName(epoch)), Offset: offset, Reason: reason}
}

// failure returns what an error of reading a segment means: a file that is too
// short is damaged, while a disk that fails says nothing about what it has.
func (v *survey) failure(epoch uint32, offset int64, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return v.damageAt(epoch, offset, err.Error())
	}
	return fmt.Errorf("filestore: %s: %w", v.disk.Path(segmentName(epoch)), err)
}

// findNewest finds the segment where the log ends. The one with the highest
// epoch may be a file that was not yet put to use: then nothing was ever written
// to it under that epoch.
func (v *survey) findNewest() error {
	for _, g := range v.segments {
		if v.newest == nil || v.newest.epoch < g.epoch {
			v.newest = g
		}
	}
	after := slices.Sorted(maps.Keys(v.damaged))
	if v.newest != nil {
		after = slices.DeleteFunc(after, func(epoch uint32) bool { return epoch < v.newest.epoch })
	}
	if len(after) == 0 {
		return v.checkStores()
	}
	next := after[0]
	fresh, err := v.isFresh(next)
	if err != nil {
		return err
	}
	if !fresh || len(after) > 1 {
		return v.damaged[next]
	}
	v.fresh = segmentName(next)
	delete(v.damaged, next)
	return v.checkStores()
}

// checkStores makes sure that all segments are of one store.
func (v *survey) checkStores() error {
	for epoch, g := range v.segments {
		if g.store != v.newest.store {
			return v.damageAt(epoch, 40, "the segment is of another store")
		}
	}
	return nil
}

// isFresh reports whether no frame was ever written to a file under its epoch. A
// file gets its name when it has its length for good, so that a short one is
// not. Of the first segment of all even the checksums' seed is lost with its
// header, but there every byte is zero.
func (v *survey) isFresh(epoch uint32) (bool, error) {
	f, err := v.disk.Open(segmentName(epoch))
	if err != nil {
		return false, fmt.Errorf("filestore: %w", err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return false, fmt.Errorf("filestore: %w", err)
	}
	if size < minSegmentSize {
		return false, nil
	}
	if v.newest == nil {
		if epoch != 1 {
			return false, nil
		}
		return allZero(f, firstFrame, size)
	}
	if epoch != v.newest.epoch+1 {
		return false, nil
	}
	g := newSegment(segmentHeader{epoch: epoch, store: v.newest.store})
	any, _, err := remains(f, g, firstFrame-frameAlign, size)
	return !any, err
}

func allZero(f io.ReaderAt, from, end int64) (bool, error) {
	buf := make([]byte, min(readAhead, end-from))
	for at := from; at < end; at += int64(len(buf)) {
		b := buf[:min(int64(len(buf)), end-at)]
		if err := readFull(f, b, at); err != nil {
			return false, err
		}
		for _, c := range b {
			if c != 0 {
				return false, nil
			}
		}
	}
	return true, nil
}
