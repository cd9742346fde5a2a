// Package disk is the seam between package filestore and the file system: one
// directory of flat files, with just the operations a store needs, so that a
// test can put a disk there that fails, fills up and crashes.
//
// [OS] is the real one. What an implementation promises, and in particular what
// it does not promise before a sync, is said at each method.
package disk

import "io"

// A Disk is one directory. Names are relative to it and hold no separator. All
// methods may be called concurrently.
//
// Until SyncDir has returned, a crash of the machine may undo each Create,
// Rename and Remove before it, in any order and combination.
type Disk interface {
	// Open opens an existing file for reading and writing. Its error is
	// fs.ErrNotExist if there is none.
	Open(name string) (File, error)

	// Create makes a new file of size bytes that read as zero, and really
	// allocates them, so that writing there later can't find the disk full. Its
	// error is fs.ErrExist if the name is taken; after any other error, such as
	// a full disk, no file is left. Nothing is synced.
	Create(name string, size int64) (File, error)

	// Rename gives a file another name, replacing what has it. Open files stay
	// open. Durable after SyncDir.
	Rename(old, new string) error

	// Remove removes a file's name. Durable after SyncDir.
	Remove(name string) error

	// List returns the names of all files, in no order.
	List() ([]string, error)

	// SyncDir makes durable which names exist, and which files they name. It
	// syncs no file's bytes.
	SyncDir() error

	// Free returns the room left on the file system, if that can be told.
	Free() (bytes int64, known bool)

	// Lock keeps every other process, and every other Disk of this directory,
	// from locking it, until unlock is called or the process ends. It does not
	// wait: if somebody has it, its error is queue.ErrStoreLocked.
	Lock() (unlock func() error, err error)

	// Path returns where a name is, for the texts of errors.
	Path(name string) string
}

// A File is an open file. Reads and writes may run concurrently where they
// don't overlap.
//
// Until Sync has returned, a crash of the machine may undo any part of what was
// written since the last one, down to single sectors, in any order.
type File interface {
	io.ReaderAt
	io.WriterAt

	// Size returns the file's length in bytes.
	Size() (int64, error)

	// Sync makes durable all that was written before the call, and the file's
	// length. After a failure it is unknown what is durable, and a later
	// success says nothing about it.
	Sync() error

	// Close releases the handle. It syncs nothing.
	Close() error
}
