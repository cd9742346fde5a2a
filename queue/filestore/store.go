package filestore

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/filestore/internal/disk"
)

// A Store is a [queue.Store] in the files of one directory. It is made by
// [Open]; any number of goroutines may use it. It starts no goroutine, but
// timers with [LoseLastSecond] and while there is no room, which Close ends.
type Store struct {
	disk    disk.Disk
	options Options
	limits  limits
	unlock  func() error // of the directory
	handles handles

	// mu guards all below. It is never held during input or output. It comes
	// after a queue's own lock, under which Append is called.
	mu sync.Mutex
	*state
	tail   tail
	sizes  []uint32 // of the records of the batch that Append encodes
	flying []chunk  // what the writer has taken and not yet written
	commit queue.Commit
	// written and durable are the latest commits that the operating system and
	// the disk have.
	written, durable queue.Commit
	unclean          bool  // something was appended since a clean frame
	grown            int64 // by how much the log has grown since the latest checkpoint, in bytes
	checkpointed     int64 // bytes of the latest checkpoint

	writer  role   // see wait.go
	syncer  role   // likewise
	tender  role   // see tend.go
	waiting *group // for the next sync; nil if nobody is

	// file is that of the segment which the writer writes to; fileOf is that
	// segment. The writer changes them, and may read them without mu.
	file   *handle
	fileOf *segment

	spillAt  int   // how many deduplication entries in memory are too many
	hopeless int   // how many stale records can't be settled
	futile   int64 // by how much the files can't be made smaller

	spareBuffer []byte      // for the tail
	spares      []spareFile // files to be used as segments
	files       int         // how many names of spares were made up
	supply      supply
	cleaning    cleaning

	err    error // not nil: the store has failed or is closed
	closed bool

	syncAlarm alarm // of LoseLastSecond
	lookAlarm alarm // while there is no room
}

// A spareFile is an allocated file whose content means nothing.
type spareFile struct {
	name string
	size int64
}

// blockSize is what the lengths of files are multiples of.
const blockSize = 4096

// Open opens the store in the directory dir, which is made if it is not there;
// its parent must be. It reads the log from the latest checkpoint on. The
// directory is locked until Close: a second Open returns
// [queue.ErrStoreLocked], in this process or another one. Damaged files are a
// [*DamageError]; [Salvage] saves what can be read.
func Open(ctx context.Context, dir string, o Options) (*Store, error) {
	d, err := disk.OS(dir)
	if err != nil {
		return nil, err
	}
	return open(ctx, d, o)
}

// open is Open on any disk.
func open(ctx context.Context, d disk.Disk, o Options) (*Store, error) {
	fit := o.SegmentSize == 0
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	unlock, err := d.Lock()
	if err != nil {
		return nil, err
	}
	if fit {
		if o.SegmentSize, err = fittingSize(d); err != nil {
			_ = unlock() // why it could not be opened is what matters
			return nil, err
		}
	}
	s := &Store{disk: d, options: o, unlock: unlock, handles: handles{disk: d, open: map[uint32]*handle{}}}
	s.limits = usualLimits
	s.spillAt = s.limits.queueDedups
	if err := s.start(ctx); err != nil {
		s.handles.close()
		_ = unlock() // why it could not be opened is what matters
		return nil, err
	}
	return s, nil
}

// Attach implements [queue.Store].
func (s *Store) Attach(ctx context.Context, name string, kind queue.Kind) (*queue.Recovery, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("filestore: attaching %q: %w", name, err)
	}
	q, created, err := s.claim(name, kind)
	if err != nil {
		return nil, err
	}
	if err := s.Wait(created, queue.Durable); err != nil {
		return nil, err
	}
	r, err := s.recovery(ctx, q)
	if err != nil {
		s.Detach(q.number)
		return nil, err
	}
	return r, nil
}

// claim finds or makes the queue of that name for one who attaches it. If it
// made it, the commit is what makes that durable.
func (s *Store) claim(name string, kind queue.Kind) (*queueState, queue.Commit, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(); err != nil {
		return nil, 0, err
	}
	q, created := s.names[name], queue.Commit(0)
	if q == nil {
		key, number := randomKey(), s.state.next
		start := s.tail.begin()
		s.tail.buf = encodeCreation(s.tail.buf, s.now, number, name, kind, key)
		if s.scarce() {
			s.tail.abandon(start)
			return nil, 0, fmt.Errorf("filestore: making queue %q: %w", name, queue.ErrStoreFull)
		}
		s.finish(start, batchFrame)
		s.create(number, name, kind, key)
		q, created = s.names[name], s.commit
	}
	switch {
	case q.kind != kind:
		return nil, 0, fmt.Errorf("filestore: queue %q is %v: %w", name, q.kind, queue.ErrNotForThisQueue)
	case q.attached:
		return nil, 0, fmt.Errorf("filestore: queue %q is attached: %w", name, queue.ErrStoreLocked)
	}
	q.attached = true
	return q, created, nil
}

func randomKey() (key [16]byte) {
	rand.Read(key[:]) // never fails
	return key
}

// Detach implements [queue.Store].
func (s *Store) Detach(number uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queues[number]
	if q == nil {
		return // it was dropped
	}
	if !q.attached && s.err == nil {
		panicf("Detach of queue %q, which is not attached", q.name)
	}
	q.attached = false
}

// Meta implements [queue.Store].
func (s *Store) Meta(ctx context.Context) (map[string][]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("filestore: reading meta: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, s.err
	}
	return s.copyMeta(), nil
}

// usable returns the error of a store that takes no changes. The caller must
// hold s.mu.
func (s *Store) usable() error {
	if s.closed {
		return errClosed
	}
	return s.err
}

// Close implements [queue.Store]. It waits for calls of Wait that are under way.
// Its error says that what was appended could not be made durable.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return errClosed
	}
	s.closed = true // from here on nothing is appended but by conclude
	s.stop(&s.syncAlarm)
	s.stop(&s.lookAlarm)
	s.await(&s.tender)
	s.tender.held = true
	s.conclude()
	s.await(&s.writer) // those who did not need what conclude did
	s.await(&s.syncer)
	failed, lost := s.err, s.durable < s.commit
	s.err = errClosed
	if s.file != nil {
		s.handles.release(s.file)
		s.file = nil
	}
	s.mu.Unlock()
	s.handles.close()
	err := s.unlock()
	if failed != nil && lost {
		return failed
	}
	if err != nil {
		return fmt.Errorf("filestore: %w", err)
	}
	return nil
}

// errClosed is what every method of a closed store returns.
var errClosed = fmt.Errorf("filestore: %w", queue.ErrClosed)

var _ queue.Store = (*Store)(nil)
