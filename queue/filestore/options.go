package filestore

import (
	"fmt"
	"strings"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/filestore/internal/disk"
)

// Options are the choices made when a store is opened. The zero value is the
// safe one.
type Options struct {
	// SegmentSize is the length of a segment file in bytes: 64 KiB to 1 GiB. Zero
	// means 16 MiB, or about a 64th of a file system of less than 1 GiB. It is rounded up to a multiple of 4 KiB, and may differ
	// from one opening to the next: files that exist keep their length.
	SegmentSize int64

	// Sync is what a crash of the machine may lose. Zero means nothing.
	Sync Sync
}

// Sync says which of the changes that were reported durable a crash of the
// machine may lose. A crash of the process alone loses none of them in any mode.
type Sync int

const (
	// LoseNothing syncs before a change is reported durable.
	LoseNothing Sync = iota
	// LoseLastSecond reports a change durable when the operating system has it,
	// and syncs within a second.
	LoseLastSecond
	// LoseUnsynced reports a change durable when the operating system has it.
	// Only going on to another file, a checkpoint and Close sync.
	LoseUnsynced
)

const (
	defaultSegmentSize = 16 << 20
	minSegmentSize     = 64 << 10
	maxSegmentSize     = 1 << 30
)

// fittingSize returns the segment size for a store without a choice of its own:
// the room it has, free or taken by its files, should be some dozen segments.
func fittingSize(d disk.Disk) (int64, error) {
	room, known := d.Free()
	if !known || room >= 64*defaultSegmentSize {
		return defaultSegmentSize, nil
	}
	names, err := d.List()
	if err != nil {
		return 0, fmt.Errorf("filestore: %w", err)
	}
	for _, name := range names {
		if !strings.HasSuffix(name, segmentSuffix) {
			continue
		}
		f, err := d.Open(name)
		if err != nil {
			return 0, fmt.Errorf("filestore: %w", err)
		}
		size, err := f.Size()
		_ = f.Close() // nothing was written
		if err != nil {
			return 0, fmt.Errorf("filestore: %w", err)
		}
		room += size
	}
	size := int64(defaultSegmentSize)
	for size > minSegmentSize && 64*size > room {
		size /= 2
	}
	return size, nil
}

// withDefaults returns o with its zeros filled in, or what is wrong with it.
func (o Options) withDefaults() (Options, error) {
	if o.SegmentSize == 0 {
		o.SegmentSize = defaultSegmentSize
	}
	if o.SegmentSize < minSegmentSize || o.SegmentSize > maxSegmentSize {
		return o, fmt.Errorf("filestore: %w: SegmentSize is %d, allowed is %d to %d",
			queue.ErrInvalidParameter, o.SegmentSize, minSegmentSize, maxSegmentSize)
	}
	if o.Sync < LoseNothing || o.Sync > LoseUnsynced {
		return o, fmt.Errorf("filestore: %w: Sync is %d", queue.ErrInvalidParameter, o.Sync)
	}
	o.SegmentSize = (o.SegmentSize + 4095) &^ 4095
	return o, nil
}
