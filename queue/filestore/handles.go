package filestore

import (
	"sync"

	"github.com/restantemq/restante/queue/filestore/internal/disk"
)

// maxHandles is how many segment files are kept open, so that a store of any
// size lives under the usual limits of a process.
const maxHandles = 64

// handles keeps files of segments open. All methods may be called concurrently;
// none opens or closes a file while it holds mu.
type handles struct {
	disk disk.Disk

	mu     sync.Mutex // guards what follows, and the fields of each handle
	open   map[uint32]*handle
	clock  uint64 // rises with each use
	closed bool
}

// A handle is an open file of a segment. Who acquired it may use its file until
// it is released.
type handle struct {
	disk.File
	users int
	used  uint64
	stale bool // no longer in open: the last user closes it
}

// acquire returns the file of a segment.
func (hs *handles) acquire(epoch uint32) (*handle, error) {
	if h, err := hs.use(epoch); h != nil || err != nil {
		return h, err
	}
	f, err := hs.disk.Open(segmentName(epoch))
	if err != nil {
		return nil, err
	}
	return hs.add(epoch, f), nil
}

func (hs *handles) use(epoch uint32) (*handle, error) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if hs.closed {
		return nil, errClosed
	}
	h := hs.open[epoch]
	if h != nil {
		hs.touch(h)
	}
	return h, nil
}

func (hs *handles) touch(h *handle) {
	h.users++
	hs.clock++
	h.used = hs.clock
}

// add keeps the file of a segment open, acquired. If somebody else has added one
// meanwhile, it is that one.
func (hs *handles) add(epoch uint32, f disk.File) *handle {
	hs.mu.Lock()
	h, old := hs.open[epoch], (*handle)(nil)
	if h == nil {
		h, f = &handle{File: f, stale: hs.closed}, nil
		if !hs.closed {
			hs.open[epoch] = h
		}
	}
	hs.touch(h)
	if len(hs.open) > maxHandles {
		old = hs.evict()
	}
	hs.mu.Unlock()
	if f != nil {
		_ = f.Close() // nothing was written to it
	}
	if old != nil {
		_ = old.Close() // what was written to it is synced
	}
	return h
}

// evict takes out the handle that has not been used for longest. The caller
// closes it.
func (hs *handles) evict() *handle {
	var oldest *handle
	var at uint32
	for epoch, h := range hs.open {
		if h.users == 0 && (oldest == nil || h.used < oldest.used) {
			oldest, at = h, epoch
		}
	}
	if oldest != nil {
		delete(hs.open, at)
	}
	return oldest
}

// retain acquires a handle once more.
func (hs *handles) retain(h *handle) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	hs.touch(h)
}

// release gives a handle back.
func (hs *handles) release(h *handle) {
	hs.mu.Lock()
	h.users--
	last := h.stale && h.users == 0
	hs.mu.Unlock()
	if last {
		_ = h.Close() // only readers are left when a handle goes stale
	}
}

// forget closes the file of a segment, as soon as nobody uses it: the segment is
// to be recycled.
func (hs *handles) forget(epoch uint32) {
	hs.mu.Lock()
	h := hs.open[epoch]
	delete(hs.open, epoch)
	unused := h != nil && h.users == 0
	if h != nil {
		h.stale = true
	}
	hs.mu.Unlock()
	if unused {
		_ = h.Close() // what was written to it is synced
	}
}

// close forgets all, for ever.
func (hs *handles) close() {
	hs.mu.Lock()
	hs.closed = true
	var epochs []uint32
	for epoch := range hs.open {
		epochs = append(epochs, epoch)
	}
	hs.mu.Unlock()
	for _, epoch := range epochs {
		hs.forget(epoch)
	}
}
