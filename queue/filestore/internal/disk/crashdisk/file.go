package crashdisk

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
)

// sector is what a disk writes as a whole, if its power holds.
const sector = 512

// A file has bytes as programs see them, and what of them is certain.
// The disk's mutex guards it.
type file struct {
	number int    // order of creation, for repeatable choices
	data   []byte // what a read sees
	stable []byte // what the latest sync made certain

	// Both are copied before they are changed if somebody else, another disk or
	// the other one of the two, has the same bytes.
	dataShared, stableShared bool

	// What was not synced: for each sector its contents after each write, and
	// the lengths the file has had, oldest first. A write moves on writes.
	unsynced map[int64][]version
	lengths  []length
	writes   int
}

// A length is what a file's was after a write.
type length struct {
	write int
	bytes int64
}

// A version is what a sector held after a write.
type version struct {
	write int
	bytes []byte // a sector, or less at the end of the file
}

// resize gives the file another length; new bytes read as zero.
func (f *file) resize(size int64) {
	f.ownData()
	f.data = stretch(f.data, size)
	f.lengths = append(f.lengths, length{f.writes, size})
}

func (f *file) ownData() {
	if f.dataShared {
		f.data, f.dataShared = slices.Clone(f.data), false
	}
}

func (f *file) ownStable() {
	if f.stableShared {
		f.stable, f.stableShared = slices.Clone(f.stable), false
	}
}

// newFile returns a file whose bytes are all certain.
func newFile(number int, bytes []byte) *file {
	return &file{number: number, data: bytes, stable: bytes, dataShared: true, stableShared: true}
}

// write is WriteAt without its errors.
func (f *file) write(p []byte, off int64) {
	if len(p) == 0 {
		return
	}
	f.ownData()
	f.writes++
	end := off + int64(len(p))
	if end > int64(len(f.data)) {
		f.resize(end)
	}
	copy(f.data[off:], p)
	if f.unsynced == nil {
		f.unsynced = map[int64][]version{}
	}
	for s := off / sector; s*sector < end; s++ {
		f.unsynced[s] = append(f.unsynced[s], version{f.writes, append([]byte(nil), f.content(s)...)})
	}
}

func (f *file) dirty() bool { return len(f.unsynced) > 0 || len(f.lengths) > 0 }

// content returns what a read of a sector sees.
func (f *file) content(s int64) []byte {
	return f.data[s*sector : min((s+1)*sector, int64(len(f.data)))]
}

// sync makes certain what the first writes wrote, as many as are given.
func (f *file) sync(writes int) {
	if !f.dirty() {
		return
	}
	f.ownStable()
	for len(f.lengths) > 0 && f.lengths[0].write <= writes {
		f.stable = stretch(f.stable, f.lengths[0].bytes)
		f.lengths = f.lengths[1:]
	}
	for s, versions := range f.unsynced {
		for len(versions) > 0 && versions[0].write <= writes {
			copy(f.stable[s*sector:], versions[0].bytes)
			versions = versions[1:]
		}
		if len(versions) == 0 {
			delete(f.unsynced, s)
		} else {
			f.unsynced[s] = versions
		}
	}
}

// stretch gives b another length; new bytes are zero.
func stretch(b []byte, size int64) []byte {
	if size <= int64(len(b)) {
		return b[:size]
	}
	return append(b, make([]byte, size-int64(len(b)))...)
}

// syncFailed is what a sync that fails does: any part of what was written has
// become certain, and the rest never will, though reads still see it.
func (f *file) syncFailed(random *rand.Rand) {
	f.stable, f.stableShared = f.survivor(Random, random, nil), true
	f.unsynced, f.lengths = nil, nil
	if len(f.stable) != len(f.data) {
		f.lengths = []length{{f.writes, int64(len(f.data))}}
	}
}

// clone returns a copy: what changes in one doesn't in the other.
func (f *file) clone() *file {
	f.dataShared, f.stableShared = true, true
	c := *f
	c.lengths = append([]length(nil), f.lengths...)
	if f.unsynced != nil {
		c.unsynced = make(map[int64][]version, len(f.unsynced))
		for s, versions := range f.unsynced {
			c.unsynced[s] = append([]version(nil), versions...) // their bytes never change
		}
	}
	return &c
}

// A handle is an open file.
type handle struct {
	disk   *Disk
	file   *file
	name   string // when it was opened
	closed bool   // guarded by disk.mu
}

// ReadAt implements [io.ReaderAt].
func (h *handle) ReadAt(p []byte, off int64) (int, error) {
	if fault := h.disk.begin(Op{Kind: Read, File: h.name, Off: off, Len: len(p)}); fault.Err != nil {
		return 0, h.error("read", fault.Err)
	}
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	switch {
	case h.closed:
		return 0, h.error("read", fs.ErrClosed)
	case off < 0:
		return 0, h.error("read", errors.New("negative offset"))
	case off >= int64(len(h.file.data)):
		return 0, io.EOF
	}
	n := copy(p, h.file.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt implements [io.WriterAt].
func (h *handle) WriteAt(p []byte, off int64) (int, error) {
	fault := h.disk.begin(Op{Kind: Write, File: h.name, Off: off, Len: len(p)})
	if fault.Err == ErrDead {
		return 0, h.error("write", ErrDead)
	}
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	switch {
	case h.closed:
		return 0, h.error("write", fs.ErrClosed)
	case off < 0:
		return 0, h.error("write", errors.New("negative offset"))
	}
	if fault.Err != nil {
		n := min(fault.Short, len(p))
		h.file.write(p[:n], off)
		return n, h.error("write", fault.Err)
	}
	if err := h.disk.grow(off + int64(len(p)) - int64(len(h.file.data))); err != nil {
		return 0, h.error("write", err)
	}
	h.file.write(p, off)
	return len(p), nil
}

// Size implements [disk.File].
func (h *handle) Size() (int64, error) {
	if fault := h.disk.begin(Op{Kind: Size, File: h.name}); fault.Err != nil {
		return 0, h.error("stat", fault.Err)
	}
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	if h.closed {
		return 0, h.error("stat", fs.ErrClosed)
	}
	return int64(len(h.file.data)), nil
}

// Sync implements [disk.File]. What is written while it is held it doesn't cover.
func (h *handle) Sync() error {
	fault := h.disk.begin(Op{Kind: Sync, File: h.name})
	if fault.Err == ErrDead {
		return h.error("sync", ErrDead)
	}
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	if h.closed {
		return h.error("sync", fs.ErrClosed)
	}
	covered := h.file.writes
	if err := h.disk.hold(); err != nil {
		return h.error("sync", err)
	}
	if fault.Err != nil {
		h.file.syncFailed(rand.New(rand.NewPCG(uint64(h.disk.ops), uint64(h.file.number))))
		return h.error("sync", fault.Err)
	}
	h.file.sync(covered)
	return nil
}

// Close implements [disk.File].
func (h *handle) Close() error {
	if fault := h.disk.begin(Op{Kind: Close, File: h.name}); fault.Err != nil {
		return h.error("close", fault.Err)
	}
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	if h.closed {
		return h.error("close", fs.ErrClosed)
	}
	h.closed = true
	return nil
}

func (h *handle) error(op string, err error) error { return h.disk.pathError(op, h.name, err) }
