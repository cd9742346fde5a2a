package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"modernc.org/sqlite"

	"github.com/restantemq/restante/queue"
)

// Options are the choices of a [Store]. The zero value is the defaults.
type Options struct {
	// BusyTimeout is how long a commit waits while the application, or another
	// process, holds the database's write lock. Afterwards the store has failed,
	// because an appended change can't be taken back. Zero means
	// [DefaultBusyTimeout], [queue.None] without end.
	BusyTimeout time.Duration

	// Reserve is the size in bytes of a file of blank bytes beside the database.
	// When the disk is full it is given up, so that messages can still be
	// deleted; new ones are refused until it fits again. Zero means
	// [DefaultReserve], a negative value none: then a full disk fails the store.
	Reserve int64

	// MaxBytes is how large the database may grow, the application's tables
	// included: beyond it new messages are refused with [queue.ErrStoreFull]. It
	// is compared with the pages in use after each commit and so is exceeded by
	// one commit at most. Zero or less is no limit.
	MaxBytes int64
}

const (
	// DefaultBusyTimeout is the Options.BusyTimeout of a zero value.
	DefaultBusyTimeout = time.Minute
	// DefaultReserve is the Options.Reserve of a zero value, 8 MiB: twice what
	// SQLite writes to its log before it begins to reuse it.
	DefaultReserve = 8 << 20
)

// A Store is a [queue.Store] in an SQLite database, which may be the
// application's. Make it with [Open] or [OpenDB]; the zero value isn't usable.
// All methods may be called concurrently.
type Store struct {
	path    string
	token   []byte // random, of this database
	lock    *fileLock
	db      *sql.DB   // readers, and the writer's connection
	waiting *sql.Stmt // asks for rows of the outbox
	writer  *writer   // in the hands of whoever has set leading
	reserve *reserve
	busy    time.Duration // zero: without end
	limit   int64         // Options.MaxBytes

	// hook is nil but in tests: it hears of the points of a commit, and what it
	// returns is taken for the error of that step.
	hook func(point string) error

	mu   sync.Mutex // guards everything below; no other lock is taken under it
	cond *sync.Cond // over mu: broadcast when leading ends or the store fails

	attached map[uint64]string // names of claimed queues, by number
	dropped  map[uint64]bool   // queues whose drop was appended
	pending  []*batch          // appended and not committed, oldest first
	bytes    int64             // inserted by pending
	last     queue.Commit      // of the latest batch
	marks    [2]queue.Commit   // by level: every commit up to here has reached it
	wanted   queue.Commit      // the latest commit that somebody waits for to be durable
	leading  bool              // somebody uses the writer
	used     int64             // bytes of the database's pages in use, and of its blank ones: see measure
	blank    int64
	full     bool              // the disk is: the reserve was given up
	regained time.Time         // when somebody last tried to get it back
	trying   sync.WaitGroup    // one while somebody tries
	failed   error             // not nil: a commit failed, and this is what Append returns
	closed   bool              // Close was called
	tickets  map[*byte]ticket  // outbox rows on their way into a queue
	outboxes map[uint64]*Queue // by number of the queue
}

var _ queue.Store = (*Store)(nil)

// Open opens the store in the database file of that path, and makes both if
// they are new. It switches the database to WAL mode, which stays. The caller
// owns the store and closes it after its queues.
//
// Errors: [queue.ErrStoreLocked] if another Store, in any process, has the
// database open; [queue.ErrStoreCorrupt]; and those of SQLite. A database that a
// later version of this package has written is refused.
func Open(ctx context.Context, path string, o Options) (*Store, error) {
	if path == "" || path == ":memory:" {
		return nil, errors.New("sqlitestore: a store needs a database in a file")
	}
	path, err := canonical(path)
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: %w", err)
	}
	lock, err := lockFile(path + "-restante-lock")
	if err != nil {
		return nil, fmt.Errorf("sqlitestore: %s: %w", path, err)
	}
	s := &Store{
		path: path, lock: lock,
		reserve:  newReserve(path+"-restante-reserve", o.Reserve),
		busy:     o.BusyTimeout,
		limit:    max(0, o.MaxBytes),
		attached: map[uint64]string{}, dropped: map[uint64]bool{},
		tickets: map[*byte]ticket{}, outboxes: map[uint64]*Queue{},
	}
	s.cond = sync.NewCond(&s.mu)
	switch {
	case o.BusyTimeout == 0:
		s.busy = DefaultBusyTimeout
	case o.BusyTimeout < 0:
		s.busy = 0
	}
	if err := s.open(ctx); err != nil {
		s.shut()
		return nil, fmt.Errorf("sqlitestore: %s: %w", path, err)
	}
	return s, nil
}

// OpenDB is [Open] for the file of the application's database db, so that its
// transactions can send; see [Store.SendTx]. db is asked for its file and not
// used further: the store has its own connections, and db's may be few. It must
// be opened with the driver of modernc.org/sqlite, because two copies of SQLite
// in one process break each other's locks.
func OpenDB(ctx context.Context, db *sql.DB, o Options) (*Store, error) {
	if _, ok := db.Driver().(*sqlite.Driver); !ok {
		return nil, fmt.Errorf("sqlitestore: the database's driver is %T, it must be that of modernc.org/sqlite", db.Driver())
	}
	var path string
	if err := db.QueryRowContext(ctx, `SELECT file FROM pragma_database_list WHERE name = 'main'`).Scan(&path); err != nil {
		return nil, fmt.Errorf("sqlitestore: asking the database for its file: %w", sorted(err))
	}
	return Open(ctx, path, o)
}

// canonical returns the one name of a file that may not exist yet, so that two
// stores which were given different ones meet at one lock.
func canonical(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real, nil
	}
	folder, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	return filepath.Join(folder, filepath.Base(path)), nil
}

// connections is how many a store has at most: the writer's, and one for each
// reader at a time. Reads are short, so that more would only cost memory.
const connections = 1 + 8

func (s *Store) open(ctx context.Context) error {
	connector, err := sqlite.NewConnector(dsn(s.path))
	if err != nil {
		return err
	}
	s.db = sql.OpenDB(connector)
	s.db.SetMaxOpenConns(connections)
	s.db.SetMaxIdleConns(connections)
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return sorted(err)
	}
	s.writer = &writer{conn: conn}
	made, err := prepareDatabase(ctx, conn)
	if err != nil {
		return err
	}
	if made {
		if err := syncFolder(filepath.Dir(s.path)); err != nil {
			return err
		}
	}
	if err := conn.QueryRowContext(ctx, `SELECT token FROM restante_store`).Scan(&s.token); err != nil {
		return sorted(err)
	}
	if err := s.writer.prepare(ctx); err != nil {
		return err
	}
	s.waiting, err = s.db.PrepareContext(ctx, `SELECT EXISTS (SELECT 1 FROM restante_outbox WHERE `+rowsWaiting+`)`)
	if err != nil {
		return sorted(err)
	}
	if err := s.reserve.fill(); isFull(err) {
		s.full = true
	} else if err != nil {
		return err
	}
	return s.measure()
}

// Close makes durable what was appended, and closes the store; afterwards every
// method returns [queue.ErrClosed]. On a store that has failed it makes nothing
// durable and returns nil. It blocks for running calls.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return queue.ErrClosed
	}
	s.closed = true // from here on nothing is appended
	last, failed := s.last, s.failed != nil
	s.mu.Unlock()

	var err error
	if !failed {
		err = s.Wait(last, queue.Durable)
	}
	s.mu.Lock()
	for s.leading {
		s.cond.Wait()
	}
	s.leading = true // for good
	s.mu.Unlock()
	s.trying.Wait()
	return errors.Join(err, s.shut())
}

// shut lets go of everything that is open.
func (s *Store) shut() error {
	var errs []error
	if s.writer != nil {
		errs = append(errs, s.writer.close())
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	return errors.Join(append(errs, s.lock.unlock())...)
}

// refusing returns why the store takes no changes, nil if it does. The caller
// must hold s.mu.
func (s *Store) refusing() error {
	if s.closed {
		return queue.ErrClosed
	}
	return s.failed
}

// readable returns why nothing can be read: a store that failed still reads.
func (s *Store) readable() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return queue.ErrClosed
	}
	return nil
}

// exclusively runs f, which uses the writer, while nobody else does.
func (s *Store) exclusively(f func() error) error {
	s.mu.Lock()
	for s.leading && s.refusing() == nil {
		s.cond.Wait()
	}
	if err := s.refusing(); err != nil {
		s.mu.Unlock()
		return err
	}
	s.leading = true
	s.mu.Unlock()
	err := f()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leading = false
	s.cond.Broadcast()
	return err
}

// syncFolder makes a new file's name durable, where folders can be synced.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	if err := folder.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !notSyncable(err) {
		return err
	}
	return nil
}

// The points of a commit, and of a takeover, at which a test can stop them, make
// them fail, or end the process.
const (
	pointBegun     = "begun"     // the write lock is held
	pointWriting   = "writing"   // everything is applied, and is to be written
	pointSyncing   = "syncing"   // or synced
	pointCommitted = "committed" // it is
	pointRead      = "read"      // rows of the outbox are about to be sent
	pointTaken     = "taken"     // and have been
)

// point tells a test where we are, and returns the error it wants.
func (s *Store) point(name string) error {
	if s.hook == nil {
		return nil
	}
	return s.hook(name)
}
