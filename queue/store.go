package queue

import "context"

// A Store keeps the queues of one directory or database: each queue's records
// in sequence order, and their later changes. Engines alone call it, under the
// rules stated at each method; one engine at a time per queue.
//
// A store is in one of two conditions. Sound: everything below works. Failed,
// after one commit could not be made durable: Append and Wait return
// [ErrStoreFailed] until the store is opened anew, and Load still works.
type Store interface {
	// Attach claims the queue of that name, creating it if it is new, and tells
	// what survived, in time proportional to its pages, its deduplication
	// entries and what came since the last checkpoint, never to its records.
	// A queue of another kind is refused with [ErrNotForThisQueue], one that is
	// attached already with [ErrStoreLocked].
	Attach(ctx context.Context, name string, kind Kind) (*Recovery, error)

	// Detach gives the claim on the queue of that number back, so that it can be
	// attached again. The caller has no call on it running.
	Detach(queue uint64)

	// Append adds b after all earlier batches, atomically: after a crash there
	// is all of b or nothing, also where it changes several queues. It is called
	// under the queue's lock: one call at a time per queue, in sequence order,
	// and it does no I/O and does not block. The store keeps no reference to b
	// or its slices; strings it may keep.
	//
	// [ErrStoreFull] means that nothing happened. Batches that insert get it, and
	// those that do nothing but touch; never one that removes, because room for
	// that is reserved when a record is inserted.
	Append(b *Batch) (Commit, error)

	// Wait returns nil when every commit up to c has reached l. Callers share
	// one write and one sync; one of them leads. It takes no context, because an
	// appended change can't be taken back. The zero Commit is always durable.
	// After one failure everything not yet durable, and all that follows, fails
	// with [ErrStoreFailed]; a call whose own commit failed returns an error
	// that is both [ErrUncertain] and ErrStoreFailed.
	Wait(c Commit, l Level) error

	// Load appends to dst the live records with from <= Seq < to, in order, as
	// every batch appended before the call left them, durable or not. A damaged
	// one is reported by an error that is [ErrStoreCorrupt]; the others are still
	// appended. It may run concurrently with everything. Its strings are the
	// caller's for ever; those of one call may share memory.
	Load(ctx context.Context, queue uint64, from, to uint64, dst []Record) ([]Record, error)

	// Meta returns small named values of the layer above (a broker's
	// catalogue), which Batch.Meta changes. The map is the caller's.
	Meta(ctx context.Context) (map[string][]byte, error)

	// Close makes durable what was appended; afterwards every method returns
	// [ErrClosed].
	Close() error
}

// A Commit is a batch's place in the order of all batches of a store. Commits
// are dense enough to be compared: a smaller one came earlier.
type Commit uint64

// Level is how far a commit has come.
type Level uint8

const (
	Written Level = iota + 1 // the operating system has it: it survives the process
	Durable                  // synced: it survives the machine
)

// A Batch is an atomic change of a store.
type Batch struct {
	Now     int64 // wall clock in ms, for Recovery.Now
	Changes []Change
	Meta    []Meta
}

// Meta is a named value; a nil Value removes the name.
type Meta struct {
	Name  string
	Value []byte
}

// A Change is what a batch does to one queue. Its parts apply in the order of
// the fields.
type Change struct {
	Queue  uint64
	Drop   bool     // the queue is deleted with all it has; nothing else applies
	Clear  bool     // purge: forgets all records and all deduplication
	Insert []Record // Seq strictly increasing over the queue's life; gaps are allowed
	Remove []uint64 // unknown numbers are ignored
	Touch  []Touch
	Dedup  []Dedup
}

// A Record is a message as a store keeps it. Times are in milliseconds since
// 1970; zero means never.
type Record struct {
	Seq uint64
	ID  MessageID
	Message
	SentAt, DueAt, FirstReceivedAt int64 // DueAt: end of the delay
	Receives                       uint32
	DeadLetterSource               string
	DeadLetterReason               string
}

// Touch records a receive.
type Touch struct {
	Seq             uint64
	Receives        uint32
	FirstReceivedAt int64
}

// Dedup is a FIFO deduplication entry. It outlives its record, until Until.
type Dedup struct {
	Key   [16]byte
	Seq   uint64
	Until int64 // ms; afterwards the store may forget it
}

// Recovery is what a store knows of a queue when it is attached.
type Recovery struct {
	Queue uint64   // the queue's number in this store, for Change and Load
	Key   [16]byte // made once, at random: receipts and message IDs derive from it
	Next  uint64   // above every number ever inserted; at least 1
	Now   int64    // the latest Batch.Now; zero if there was none
	Pages []PageInfo
	Dedup []Dedup
}

// PageInfo summarises the live records of the run of [PageSize] numbers from
// First on, where First-1 is a multiple of PageSize. Empty runs are left out,
// and runs come in order. Live is exact; the times are bounds, so that a store
// need not look for new ones whenever a record goes.
type PageInfo struct {
	First     uint64
	Live      int
	Bytes     int64 // sum of Message.Size
	MinSentAt int64 // no record was sent before
	MaxDueAt  int64 // no record's delay ends later; zero if none has one
}

// PageSize is the number of sequence numbers in a [PageInfo].
const PageSize = 256
