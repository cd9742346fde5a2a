// Package crashdisk is a [disk.Disk] in memory for tests of crash safety. It
// keeps apart what a program has written and what a loss of power would leave:
// nothing but what was synced is certain to survive, and of the rest any part
// may, down to single sectors and single directory entries, in any order.
//
//	d := crashdisk.New()
//	...                                       // a store works on d
//	after := d.Crash(crashdisk.Choice{Mode: crashdisk.Random, Seed: 7})
//	...                                       // and is opened again on after
//
// # What it assumes of the world
//
// A sector has 512 bytes. A write that is under way as the power fails changes
// only the bytes it covers ("power-safe overwrite"); inside a sector it may get
// as far as any byte. A rename happens or doesn't; only [Halved] leaves both
// names. Sync does what it promises, and a sync that fails leaves what
// was written in doubt for ever: a later one says nothing about it, as on Linux.
//
// # Crash points and faults
//
// [Disk.Before] is called before each operation and may take a [Disk.Crash]
// there, which is a copy, while the operation goes on as if nothing had
// happened; or it may turn the operation into a [Fault].
//
// What becomes of what was not synced depends on the seed and on the
// operations so far alone, so a failure can be run again.
package crashdisk

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"syscall"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/filestore/internal/disk"
)

// ErrDead is the error of every operation after Kill.
var ErrDead = errors.New("crashdisk: the machine is off")

// A Disk is a directory that remembers what was synced. Make one with [New].
type Disk struct {
	before func(Op) Fault // nil: none; set before the disk is used

	mu       sync.Mutex       // guards everything below, and all inodes
	entries  map[string]*file // the directory as programs see it
	stable   map[string]*file // as of the latest SyncDir
	changes  []change         // of the directory since then, in order
	changed  int              // changes of the directory ever
	removed  []byte           // what a removed file held: may show up where nothing was written
	ops      int              // operations begun
	born     int              // files made
	capacity int64            // in bytes; the sum of the lengths of files stays below
	quota    int64            // likewise
	hideFree bool
	locked   bool
	dead     bool
	held     chan struct{} // closed when syncs may go on; nil: they may
	holding  int           // syncs that wait for it
}

// A change is a directory operation that is not durable yet.
type change struct {
	number   int  // counted from one
	kind     Kind // Create, Rename or Remove
	name, to string
	file     *file
}

var _ disk.Disk = (*Disk)(nil)

// unlimited is more than anybody needs, and doesn't overflow in a sum.
const unlimited = 1 << 60

// New returns an empty disk of unlimited size.
func New() *Disk {
	return &Disk{entries: map[string]*file{}, stable: map[string]*file{}, capacity: unlimited, quota: unlimited}
}

// Before makes f be called before each operation, also by several goroutines
// at once if the disk is used so. It may call the disk's Crash, but none of its
// operations. Set it while nobody uses the disk.
func (d *Disk) Before(f func(Op) Fault) { d.before = f }

// SetCapacity limits the sum of the lengths of all files; beyond it Create and
// WriteAt fail with ENOSPC. What is there stays.
func (d *Disk) SetCapacity(bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.capacity = bytes
}

// HideFree makes Free say that it doesn't know.
func (d *Disk) HideFree() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hideFree = true
}

// SetQuota limits the sum of the lengths of all files as SetCapacity does, with
// the error EDQUOT, and Free knows nothing of it.
func (d *Disk) SetQuota(bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.quota = bytes
}

// grow returns the error of making files longer by so many bytes. The caller
// must hold d.mu.
func (d *Disk) grow(bytes int64) error {
	switch used := d.used() + bytes; {
	case bytes <= 0:
	case used > d.quota:
		return syscall.EDQUOT
	case used > d.capacity:
		return syscall.ENOSPC
	}
	return nil
}

// Kill turns the machine off: every later operation fails with [ErrDead] and
// changes nothing, and syncs that are held end so.
func (d *Disk) Kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
	d.release()
}

// HoldSyncs keeps every later Sync and SyncDir from ending until release is
// called. While they are held nothing becomes durable.
func (d *Disk) HoldSyncs() (release func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.held == nil {
		d.held = make(chan struct{})
	}
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.release()
	}
}

func (d *Disk) release() {
	if d.held != nil {
		close(d.held)
		d.held = nil
	}
}

// Holding returns how many syncs wait to be released.
func (d *Disk) Holding() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.holding
}

// Ops returns how many operations have begun.
func (d *Disk) Ops() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ops
}

// Used returns the sum of the lengths of all files.
func (d *Disk) Used() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.used()
}

// Unsynced reports whether a crash of the machine could lose anything.
func (d *Disk) Unsynced() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.changes) > 0 {
		return true
	}
	for f := range d.files() {
		if f.dirty() {
			return true
		}
	}
	return false
}

// Dirty reports whether a file has bytes, or a length, that were not synced.
func (d *Disk) Dirty(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.entries[name]
	return f != nil && f.dirty()
}

// Edit replaces the bytes of a file behind the back of everybody, as damage
// does; what f returns has been synced for ever. f gets a copy.
func (d *Disk) Edit(name string, f func([]byte) []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := d.entries[name]
	if at == nil {
		panic("crashdisk: internal error: Edit of " + name + ", which does not exist")
	}
	number, writes := at.number, at.writes
	*at = *newFile(number, f(slices.Clone(at.data)))
	at.writes = writes
}

func (d *Disk) used() (sum int64) {
	for f := range d.files() {
		sum += int64(len(f.data))
	}
	return sum
}

// files returns the files that have a name: a set, as one can have two.
func (d *Disk) files() map[*file]bool {
	files := map[*file]bool{}
	for _, f := range d.entries {
		files[f] = true
	}
	return files
}

// Open implements [disk.Disk].
func (d *Disk) Open(name string) (disk.File, error) {
	if fault := d.begin(Op{Kind: Open, File: name}); fault.Err != nil {
		return nil, d.pathError("open", name, fault.Err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.entries[name]
	if f == nil {
		return nil, d.pathError("open", name, fs.ErrNotExist)
	}
	return &handle{disk: d, file: f, name: name}, nil
}

// Create implements [disk.Disk].
func (d *Disk) Create(name string, size int64) (disk.File, error) {
	if fault := d.begin(Op{Kind: Create, File: name, Len: int(size)}); fault.Err != nil {
		return nil, d.pathError("create", name, fault.Err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.entries[name] != nil {
		return nil, d.pathError("create", name, fs.ErrExist)
	}
	if err := d.grow(size); err != nil {
		return nil, d.pathError("create", name, err)
	}
	d.born++
	f := &file{number: d.born}
	f.resize(size)
	d.change(change{kind: Create, name: name, file: f})
	return &handle{disk: d, file: f, name: name}, nil
}

// Rename implements [disk.Disk].
func (d *Disk) Rename(from, to string) error {
	if fault := d.begin(Op{Kind: Rename, File: from, To: to}); fault.Err != nil {
		return d.pathError("rename", from, fault.Err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.entries[from]
	if f == nil {
		return d.pathError("rename", from, fs.ErrNotExist)
	}
	if d.entries[to] != f { // else both are names of one file, and POSIX leaves them so
		d.change(change{kind: Rename, name: from, to: to, file: f})
	}
	return nil
}

// Remove implements [disk.Disk].
func (d *Disk) Remove(name string) error {
	if fault := d.begin(Op{Kind: Remove, File: name}); fault.Err != nil {
		return d.pathError("remove", name, fault.Err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.entries[name]
	if f == nil {
		return d.pathError("remove", name, fs.ErrNotExist)
	}
	f.dataShared = true
	d.removed = f.data
	d.change(change{kind: Remove, name: name, file: f})
	return nil
}

// List implements [disk.Disk].
func (d *Disk) List() ([]string, error) {
	if fault := d.begin(Op{Kind: List}); fault.Err != nil {
		return nil, d.pathError("list", "", fault.Err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.entries)), nil
}

// SyncDir implements [disk.Disk].
func (d *Disk) SyncDir() error {
	if fault := d.begin(Op{Kind: SyncDir}); fault.Err != nil {
		return d.pathError("syncdir", "", fault.Err) // as unsure as before
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	covered := d.changed
	if err := d.hold(); err != nil {
		return d.pathError("syncdir", "", err)
	}
	for len(d.changes) > 0 && d.changes[0].number <= covered {
		d.changes[0].apply(d.stable)
		d.changes = d.changes[1:]
	}
	return nil
}

// Free implements [disk.Disk].
func (d *Disk) Free() (bytes int64, known bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.hideFree {
		return 0, false
	}
	return max(0, d.capacity-d.used()), true
}

// Lock implements [disk.Disk]. A disk that a crash left is not locked.
func (d *Disk) Lock() (unlock func() error, err error) {
	if fault := d.begin(Op{Kind: Lock}); fault.Err != nil {
		return nil, d.pathError("lock", "LOCK", fault.Err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locked {
		return nil, fmt.Errorf("crashdisk: %w", queue.ErrStoreLocked)
	}
	d.locked = true
	return func() error {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.locked = false
		return nil
	}, nil
}

// Path implements [disk.Disk].
func (d *Disk) Path(name string) string { return "crashdisk/" + name }

func (d *Disk) pathError(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: d.Path(name), Err: err}
}

// begin counts an operation and asks what becomes of it.
func (d *Disk) begin(op Op) Fault {
	d.mu.Lock()
	op.N = d.ops
	d.ops++
	dead := d.dead
	d.mu.Unlock()
	if dead {
		return Fault{Err: ErrDead}
	}
	if d.before == nil {
		return Fault{}
	}
	fault := d.before(op)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead { // before killed it
		return Fault{Err: ErrDead}
	}
	return fault
}

// hold waits while syncs are held. The caller must hold d.mu.
func (d *Disk) hold() error {
	for d.held != nil {
		held := d.held
		d.holding++
		d.mu.Unlock()
		<-held
		d.mu.Lock()
		d.holding--
	}
	if d.dead {
		return ErrDead
	}
	return nil
}

// change changes the directory. The caller must hold d.mu.
func (d *Disk) change(c change) {
	d.changed++
	c.number = d.changed
	c.apply(d.entries)
	d.changes = append(d.changes, c)
}

// apply makes the change in a directory.
func (c *change) apply(entries map[string]*file) {
	switch c.kind {
	case Create:
		entries[c.name] = c.file
	case Rename:
		if entries[c.name] == c.file {
			delete(entries, c.name)
		}
		entries[c.to] = c.file
	case Remove:
		if entries[c.name] == c.file {
			delete(entries, c.name)
		}
	}
}
