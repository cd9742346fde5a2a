package crashdisk

import (
	"fmt"
	"strings"
)

// Kind is what an operation does.
type Kind uint8

// The operations of a disk and of its files.
const (
	Open Kind = iota + 1
	Create
	Rename
	Remove
	List
	SyncDir
	Lock
	Read
	Write
	Sync
	Size
	Close
)

// String returns the operation's name.
func (k Kind) String() string {
	names := [...]string{"none", "Open", "Create", "Rename", "Remove", "List", "SyncDir", "Lock", "Read", "Write", "Sync", "Size", "Close"}
	if int(k) >= len(names) {
		return fmt.Sprintf("Kind(%d)", k)
	}
	return names[k]
}

// Changes reports whether such an operation changes what a crash leaves. A crash
// before any other comes to the same as one before the next that does.
func (k Kind) Changes() bool {
	switch k {
	case Create, Rename, Remove, SyncDir, Write, Sync:
		return true
	}
	return false
}

// An Op is an operation that is about to happen.
type Op struct {
	N    int // how many came before it on this disk
	Kind Kind
	File string // its name when it was opened; empty for List and SyncDir
	To   string // of a Rename
	Off  int64  // of a Read or Write
	Len  int    // of a Read, Write or Create, in bytes
}

// String describes the operation, for reports.
func (o Op) String() string {
	switch o.Kind {
	case Rename:
		return fmt.Sprintf("#%d %v %s to %s", o.N, o.Kind, o.File, o.To)
	case Read, Write:
		return fmt.Sprintf("#%d %v %s [%d, %d)", o.N, o.Kind, o.File, o.Off, o.Off+int64(o.Len))
	}
	return strings.TrimSpace(fmt.Sprintf("#%d %v %s", o.N, o.Kind, o.File))
}

// A Fault is what happens instead of an operation. The zero Fault is none.
type Fault struct {
	// Err is the operation's error. Nothing happens, but a Sync that fails
	// leaves in doubt for ever what was written since the last one.
	Err error

	// Short is how many bytes a Write writes before it fails with Err.
	Short int
}
