package filestore

import (
	"fmt"

	"github.com/restantemq/restante/queue"
)

// Options are the choices made when a store is opened. The zero value is the
// safe one.
type Options struct {
	// SegmentSize is the length of a segment file in bytes: 64 KiB to 1 GiB,
	// zero means 16 MiB. It is rounded up to a multiple of 4 KiB, and may differ
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
