package sqlitestore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

// small are the options of tests: no test needs a reserve unless it says so.
var small = Options{Reserve: -1}

// openAt opens the store in a database file, and closes it after the test.
func openAt(t testing.TB, path string, o Options) *Store {
	t.Helper()
	s, err := Open(context.Background(), path, o)
	require.NoError(t, err)
	t.Cleanup(func() {
		if !t.Failed() && s.readable() == nil {
			checkTables(t, s)
		}
		if err := s.Close(); err != nil && !errors.Is(err, queue.ErrClosed) {
			t.Errorf("Close = %v", err)
		}
	})
	return s
}

func newStore(t testing.TB, o Options) *Store {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "test.db"), o)
}

// memoryDir returns a folder on a file system in memory, if there is one: for
// tests of what doesn't depend on the disk, whose syncs take the most time.
func memoryDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "sqlitestore-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// appDB opens the application's own view of a store's database.
func appDB(t testing.TB, s *Store) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", dsn(s.path)+"&_txlock=immediate")
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

// attach claims a queue for direct use.
func attach(t testing.TB, s *Store, name string) *queue.Recovery {
	t.Helper()
	r, err := s.Attach(context.Background(), name, queue.Standard)
	require.NoError(t, err)
	return r
}

// inserting is a batch that inserts records of those numbers.
func inserting(number uint64, seqs ...uint64) *queue.Batch {
	c := queue.Change{Queue: number}
	for _, seq := range seqs {
		c.Insert = append(c.Insert, queue.Record{
			Seq: seq, ID: queue.MessageID{1, byte(seq)}, Message: queue.Message{Body: fmt.Sprintf("body %d", seq)}, SentAt: 1000 + int64(seq),
		})
	}
	return &queue.Batch{Now: 1000, Changes: []queue.Change{c}}
}

func removing(number uint64, seqs ...uint64) *queue.Batch {
	return &queue.Batch{Now: 1000, Changes: []queue.Change{{Queue: number, Remove: seqs}}}
}

// do appends a batch and waits until it has reached a level.
func do(t testing.TB, s *Store, b *queue.Batch, l queue.Level) queue.Commit {
	t.Helper()
	c, err := s.Append(b)
	require.NoError(t, err)
	require.NoError(t, s.Wait(c, l))
	return c
}

// seqs returns the numbers of a queue's records.
func seqs(t testing.TB, s *Store, number uint64) []uint64 {
	t.Helper()
	records, err := s.Load(context.Background(), number, 0, 1<<62, nil)
	require.NoError(t, err)
	all := []uint64{}
	for i := range records {
		all = append(all, records[i].Seq)
	}
	return all
}

// checkTables asserts that the tables agree with each other: the page table with
// the messages it sums up, and everything with the queues there are.
func checkTables(t testing.TB, s *Store) {
	t.Helper()
	db := s.db
	var sick string
	require.NoError(t, db.QueryRow(`PRAGMA quick_check`).Scan(&sick))
	assert.Equal(t, "ok", sick)

	type pageRow struct{ live, bytes, minSent, maxDue int64 }
	read := func(query string) map[page]pageRow {
		rows, err := db.Query(query)
		require.NoError(t, err)
		defer rows.Close()
		pages := map[page]pageRow{}
		for rows.Next() {
			var p page
			var r pageRow
			require.NoError(t, rows.Scan(&p.queue, &p.first, &r.live, &r.bytes, &r.minSent, &r.maxDue))
			pages[p] = r
		}
		require.NoError(t, rows.Err())
		return pages
	}
	is := read(`SELECT * FROM restante_pages`)
	want := read(fmt.Sprintf(`SELECT queue, (seq - 1) / %[1]d * %[1]d + 1 AS first, count(*), sum(size), min(sent_at), max(due_at)
		FROM restante_messages GROUP BY 1, 2`, queue.PageSize))
	assert.ElementsMatch(t, slices.Collect(maps.Keys(want)), slices.Collect(maps.Keys(is)), "pages")
	for p, w := range want {
		r := is[p]
		assert.Equal(t, [2]int64{w.live, w.bytes}, [2]int64{r.live, r.bytes}, "page %+v", p)
		assert.LessOrEqual(t, r.minSent, w.minSent, "page %+v", p)
		assert.GreaterOrEqual(t, r.maxDue, w.maxDue, "page %+v", p)
	}
	for what, query := range map[string]string{
		"messages of no queue":                    `SELECT count(*) FROM restante_messages WHERE queue NOT IN (SELECT number FROM restante_queues)`,
		"deduplication entries of no queue":       `SELECT count(*) FROM restante_dedup WHERE queue NOT IN (SELECT number FROM restante_queues)`,
		"outbox rows of no queue":                 `SELECT count(*) FROM restante_outbox WHERE queue NOT IN (SELECT number FROM restante_queues)`,
		"messages at or above their queue's next": `SELECT count(*) FROM restante_messages, restante_queues WHERE number = queue AND seq >= next`,
	} {
		var n int
		require.NoError(t, db.QueryRow(query).Scan(&n))
		assert.Zero(t, n, what)
	}
}

func TestOneStoreAtATime(t *testing.T) {
	s := newStore(t, small)
	ctx := context.Background()
	_, err := Open(ctx, s.path, small)
	require.ErrorIs(t, err, queue.ErrStoreLocked)

	link := filepath.Join(t.TempDir(), "link.db")
	if os.Symlink(s.path, link) == nil {
		_, err = Open(ctx, link, small)
		require.ErrorIs(t, err, queue.ErrStoreLocked, "by another name")
	}
	require.NoError(t, s.Close())
	s = openAt(t, s.path, small)
	require.NoError(t, s.Close())
}

func TestOpenDB(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "the app's #1?.db")
	db, err := sql.Open("sqlite", dsn(path))
	require.NoError(t, err)
	defer db.Close()
	db.SetMaxOpenConns(1) // as applications do: the store must not need this one
	_, err = db.Exec(`CREATE TABLE orders (id INTEGER PRIMARY KEY)`)
	require.NoError(t, err)

	s, err := OpenDB(ctx, db, small)
	require.NoError(t, err)
	defer s.Close()
	r := attach(t, s, "q")
	do(t, s, inserting(r.Queue, 1), queue.Durable)
	var n int
	require.NoError(t, db.QueryRow(`SELECT count(*) FROM restante_messages`).Scan(&n))
	require.Equal(t, 1, n)

	_, err = OpenDB(ctx, db, small)
	require.ErrorIs(t, err, queue.ErrStoreLocked)
	memory, err := sql.Open("sqlite", ":memory:")
	require.NoError(t, err)
	defer memory.Close()
	_, err = OpenDB(ctx, memory, small)
	require.ErrorContains(t, err, "in a file")
	_, err = OpenDB(ctx, sql.OpenDB(otherDriver{}), small)
	require.ErrorContains(t, err, "otherDriver")
}

// otherDriver is another copy of SQLite.
type otherDriver struct{ driver.Connector }

func (d otherDriver) Driver() driver.Driver { return d }

func (otherDriver) Open(string) (driver.Conn, error) { return nil, errors.ErrUnsupported }

func TestOpenRefuses(t *testing.T) {
	ctx := context.Background()
	s := newStore(t, small)
	db := appDB(t, s)
	require.NoError(t, s.Close())

	_, err := db.Exec(`UPDATE restante_store SET version = 2`)
	require.NoError(t, err)
	_, err = Open(ctx, s.path, small)
	require.ErrorContains(t, err, "version 2")

	_, err = db.Exec(`DELETE FROM restante_store`)
	require.NoError(t, err)
	_, err = Open(ctx, s.path, small)
	require.ErrorIs(t, err, queue.ErrStoreCorrupt)

	other := filepath.Join(t.TempDir(), "letter.txt")
	require.NoError(t, os.WriteFile(other, make([]byte, 1<<12), 0o600))
	require.NoError(t, os.WriteFile(other, []byte(fmt.Sprintf("%4096s", "this is no database")), 0o600))
	_, err = Open(ctx, other, small)
	require.ErrorIs(t, err, queue.ErrStoreCorrupt)

	_, err = Open(ctx, filepath.Join(t.TempDir(), "no", "folder.db"), small)
	require.Error(t, err)
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	path := filepath.Join(t.TempDir(), "new.db")
	_, err = Open(canceled, path, small)
	require.ErrorIs(t, err, context.Canceled)
	openAt(t, path, small) // the refused one has let go of its lock
}

// The schema is what other programs read, and what old databases have.
func TestSchemaIsPinned(t *testing.T) {
	want, err := os.ReadFile("testdata/schema.txt")
	require.NoError(t, err)
	require.Equal(t, string(want), fmt.Sprintf("-- version %d\n%s", schemaVersion, schema), "raise schemaVersion, and bring old databases up to it")
}

// While the application holds the write lock commits wait, reads don't; and if
// it never lets go, the store fails.
func TestBusy(t *testing.T) {
	s := newStore(t, Options{Reserve: -1, BusyTimeout: 300 * time.Millisecond})
	r := attach(t, s, "q")
	db := appDB(t, s)

	tx, err := db.Begin()
	require.NoError(t, err)
	waited := make(chan error, 1)
	c, err := s.Append(inserting(r.Queue, 1))
	require.NoError(t, err)
	go func() { waited <- s.Wait(c, queue.Durable) }()
	select {
	case err := <-waited:
		t.Fatalf("Wait = %v though the write lock is held", err)
	case <-time.After(30 * time.Millisecond):
	}
	require.Equal(t, []uint64{1}, seqs(t, s, r.Queue), "what was appended is there for Load")
	require.NoError(t, tx.Rollback())
	require.NoError(t, <-waited)

	tx, err = db.Begin()
	require.NoError(t, err)
	c, err = s.Append(inserting(r.Queue, 2))
	require.NoError(t, err)
	err = s.Wait(c, queue.Durable)
	require.ErrorIs(t, err, queue.ErrUncertain)
	require.ErrorIs(t, err, queue.ErrStoreFailed)
	require.ErrorContains(t, err, "write lock")
	require.NoError(t, tx.Rollback())
	require.NoError(t, s.Close())
	s = openAt(t, s.path, small)
	require.Equal(t, []uint64{1}, seqs(t, s, attach(t, s, "q").Queue))
}

// Beyond MaxBytes messages are refused until others were deleted.
func TestMaxBytes(t *testing.T) {
	s := newStore(t, Options{Reserve: -1, MaxBytes: 1 << 20})
	number := attach(t, s, "q").Queue
	fill := func(from uint64) uint64 {
		for seq := from; ; seq++ {
			b := inserting(number, seq)
			b.Changes[0].Insert[0].Body = strings.Repeat("x", 10_000)
			c, err := s.Append(b)
			if errors.Is(err, queue.ErrStoreFull) {
				return seq
			}
			require.NoError(t, err)
			require.NoError(t, s.Wait(c, queue.Written))
		}
	}
	end := fill(1)
	require.InDelta(t, 80, end, 15)
	do(t, s, &queue.Batch{Changes: []queue.Change{{Queue: number, Touch: []queue.Touch{{Seq: 1, Receives: 1}}}}}, queue.Written)
	do(t, s, removing(number, 1, 2, 3, 4, 5), queue.Written)
	require.InDelta(t, end+5, fill(end), 2)
	path := s.path
	require.NoError(t, s.Close())
	s = openAt(t, path, Options{Reserve: -1, MaxBytes: 1 << 20})
	require.Len(t, attach(t, s, "q").Pages, 1)
	_, err := s.Append(inserting(number, 1000))
	require.NoError(t, err, "a small one fits")
	require.Less(t, fill(1001), uint64(1003))
}

// A failed store reads what was appended, also what didn't reach the database.
func TestFailedStoreStillReads(t *testing.T) {
	s := newStore(t, small)
	r := attach(t, s, "q")
	do(t, s, inserting(r.Queue, 1, 2, 3), queue.Durable)
	s.hook = func(point string) error {
		if point == pointSyncing {
			return errors.New("injected")
		}
		return nil
	}
	_, err := s.Append(inserting(r.Queue, 4))
	require.NoError(t, err)
	c, err := s.Append(&queue.Batch{
		Changes: []queue.Change{{Queue: r.Queue, Remove: []uint64{1}, Touch: []queue.Touch{{Seq: 2, Receives: 7, FirstReceivedAt: 9}}}},
		Meta:    []queue.Meta{{Name: "name", Value: []byte("value")}},
	})
	require.NoError(t, err)
	require.ErrorIs(t, s.Wait(c, queue.Durable), queue.ErrUncertain)
	require.ErrorIs(t, s.Wait(c-1, queue.Written), queue.ErrStoreFailed)
	require.NoError(t, s.Wait(0, queue.Durable))
	require.Equal(t, []uint64{2, 3, 4}, seqs(t, s, r.Queue))
	records, err := s.Load(context.Background(), r.Queue, 2, 3, nil)
	require.NoError(t, err)
	require.Equal(t, uint32(7), records[0].Receives)
	meta, err := s.Meta(context.Background())
	require.NoError(t, err)
	require.Equal(t, map[string][]byte{"name": []byte("value")}, meta)
	_, err = s.Append(inserting(r.Queue, 5))
	require.ErrorIs(t, err, queue.ErrStoreFailed)
	_, err = s.Attach(context.Background(), "other", queue.Standard)
	require.ErrorIs(t, err, queue.ErrStoreFailed)
}

// A damaged message is told, and the others come.
func TestDamagedMessage(t *testing.T) {
	for _, damage := range []string{
		`UPDATE restante_messages SET body = 'bodx 2' WHERE seq = 2`,
		`UPDATE restante_messages SET id = x'01' WHERE seq = 2`,
		`UPDATE restante_messages SET attributes = x'00000001' WHERE seq = 2`,
		`UPDATE restante_messages SET sent_at = 0 WHERE seq = 2`,
		`UPDATE restante_messages SET receives = -1 WHERE seq = 2`,
		`UPDATE restante_messages SET due_at = 'soon' WHERE seq = 2`,
	} {
		s := newStore(t, small)
		r := attach(t, s, "q")
		do(t, s, inserting(r.Queue, 1, 2, 3), queue.Durable)
		_, err := s.db.Exec(damage)
		require.NoError(t, err)
		records, err := s.Load(context.Background(), r.Queue, 1, 10, nil)
		require.ErrorIs(t, err, queue.ErrStoreCorrupt, damage)
		require.Len(t, records, 2, damage)
		_, err = s.db.Exec(`DELETE FROM restante_messages; DELETE FROM restante_pages`)
		require.NoError(t, err)
	}
}

// A sync that finds everything written syncs it all the same: the log had a
// write, and the mark moved.
func TestDurableAfterWritten(t *testing.T) {
	s := newStore(t, small)
	r := attach(t, s, "q")
	commits := func() (n int) {
		require.NoError(t, s.db.QueryRow(`SELECT commits FROM restante_store`).Scan(&n))
		return n
	}
	c := do(t, s, inserting(r.Queue, 1), queue.Written)
	n, syncs := commits(), 0
	s.hook = func(point string) error {
		if point == pointSyncing {
			syncs++
			var level int
			require.NoError(t, s.writer.conn.QueryRowContext(context.Background(), `PRAGMA synchronous`).Scan(&level))
			require.Equal(t, 2, level, "FULL")
		}
		return nil
	}
	require.NoError(t, s.Wait(c, queue.Written))
	require.Equal(t, n, commits())
	require.NoError(t, s.Wait(c, queue.Durable))
	require.NoError(t, s.Wait(c, queue.Durable))
	require.Equal(t, n+1, commits())
	require.Equal(t, 1, syncs)
}

// Expired deduplication entries go, a few with each commit that adds some.
func TestDedupIsForgottenInSlices(t *testing.T) {
	s := newStore(t, small)
	r := attach(t, s, "q")
	add := func(now int64, first, n int) {
		b := &queue.Batch{Now: now, Changes: []queue.Change{{Queue: r.Queue}}}
		for i := range n {
			b.Changes[0].Dedup = append(b.Changes[0].Dedup, queue.Dedup{Key: [16]byte{byte(first + i)}, Seq: uint64(first + i), Until: now + 10})
		}
		do(t, s, b, queue.Durable)
	}
	left := func() (n int) {
		require.NoError(t, s.db.QueryRow(`SELECT count(*) FROM restante_dedup`).Scan(&n))
		return n
	}
	add(1000, 1, 100)
	add(1005, 101, 10)
	require.Equal(t, 110, left())
	add(1010, 120, 5)
	require.Equal(t, 115-10, left(), "twice as many as were added")
	for i := range 20 {
		add(1020, 130+5*i, 5)
	}
	require.Equal(t, 100, left())
	s.Detach(r.Queue)
	require.Len(t, attach(t, s, "q").Dedup, 100)
}

func TestAppendPanicsWhenTheEngineIsWrong(t *testing.T) {
	s := newStore(t, small)
	r := attach(t, s, "")
	require.Panics(t, func() { _, _ = s.Append(inserting(r.Queue+1, 1)) })
	require.Panics(t, func() { _ = s.Wait(1, queue.Durable) })
	require.Panics(t, func() { _ = s.Wait(0, 3) })
	s.Detach(r.Queue)
	require.Panics(t, func() { _, _ = s.Append(inserting(r.Queue, 1)) })
}

// Nothing of a store stays when it is closed.
func TestCloseLeavesNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	s := newStore(t, small)
	r := attach(t, s, "q")
	do(t, s, inserting(r.Queue, 1), queue.Durable)
	require.NoError(t, s.Close())
	for i := 0; runtime.NumGoroutine() > before && i < 100; i++ {
		time.Sleep(time.Millisecond) // database/sql's goroutine ends by itself
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), before)
}
