package sqlitestore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

// What is in the database. All tables of the store begin with restante_; those
// of the application beside them are none of its business.
//
// To change anything here, raise schemaVersion and teach prepareDatabase to
// bring older databases up to it. testdata/schema.txt pins the text.
const schemaVersion = 1

// schema makes the tables. Times are in milliseconds since 1970, zero means
// never. Text that isn't UTF-8 is stored as a BLOB in the same column.
const schema = `
-- The database as a whole, in one row. Every commit of the store changes
-- commits, so that there is something to sync.
CREATE TABLE restante_store (
	one     INTEGER PRIMARY KEY CHECK (one = 1),
	version INTEGER NOT NULL, -- of this schema
	token   BLOB    NOT NULL, -- random; tells this database from others
	now     INTEGER NOT NULL, -- the latest time that was told
	commits INTEGER NOT NULL
);

-- Queues. AUTOINCREMENT: the number of a deleted one is not used again.
CREATE TABLE restante_queues (
	number INTEGER PRIMARY KEY AUTOINCREMENT,
	name   TEXT    NOT NULL UNIQUE,
	kind   INTEGER NOT NULL, -- 1: Standard, 2: FIFO
	key    BLOB    NOT NULL, -- random; message IDs and receipts derive from it
	next   INTEGER NOT NULL  -- above every sequence number that was ever given
);

CREATE TABLE restante_messages (
	queue              INTEGER NOT NULL,
	seq                INTEGER NOT NULL,
	id                 BLOB    NOT NULL, -- 16 bytes
	body               TEXT    NOT NULL,
	attributes         BLOB    NOT NULL, -- as queue.Attributes.Encoded returns them
	group_id           TEXT    NOT NULL,
	deduplication_id   TEXT    NOT NULL,
	delay              INTEGER NOT NULL, -- nanoseconds, as it was sent
	trace_header       TEXT    NOT NULL,
	sent_at            INTEGER NOT NULL,
	due_at             INTEGER NOT NULL, -- end of the delay
	first_received_at  INTEGER NOT NULL,
	receives           INTEGER NOT NULL,
	dead_letter_source TEXT    NOT NULL,
	dead_letter_reason TEXT    NOT NULL,
	size               INTEGER NOT NULL, -- as SQS counts it
	checksum           INTEGER NOT NULL, -- CRC-32C of all columns that don't change
	PRIMARY KEY (queue, seq)
) WITHOUT ROWID;

-- What is known of each run of 256 sequence numbers that holds a message.
CREATE TABLE restante_pages (
	queue       INTEGER NOT NULL,
	first       INTEGER NOT NULL,
	live        INTEGER NOT NULL, -- exact
	bytes       INTEGER NOT NULL, -- exact
	min_sent_at INTEGER NOT NULL, -- a bound
	max_due_at  INTEGER NOT NULL, -- a bound
	PRIMARY KEY (queue, first)
) WITHOUT ROWID;

CREATE TABLE restante_dedup (
	queue INTEGER NOT NULL,
	key   BLOB    NOT NULL,
	seq   INTEGER NOT NULL,
	until INTEGER NOT NULL,
	PRIMARY KEY (queue, key)
) WITHOUT ROWID;
CREATE INDEX restante_dedup_until ON restante_dedup (until);

CREATE TABLE restante_meta (
	name  TEXT PRIMARY KEY,
	value BLOB NOT NULL
) WITHOUT ROWID;

-- Messages that the application's transactions have sent and that their queue
-- has not taken over. refused says why it did not want one.
CREATE TABLE restante_outbox (
	id               INTEGER PRIMARY KEY AUTOINCREMENT,
	queue            INTEGER NOT NULL,
	body             TEXT    NOT NULL,
	attributes       BLOB    NOT NULL,
	group_id         TEXT    NOT NULL,
	deduplication_id TEXT    NOT NULL,
	delay            INTEGER NOT NULL,
	trace_header     TEXT    NOT NULL,
	refused          TEXT
);
CREATE INDEX restante_outbox_waiting ON restante_outbox (queue, id) WHERE refused IS NULL;
`

// dsn names a database file to the driver. The pragmas are those of every
// connection; readers wait for a lock only while a log is being recovered.
func dsn(path string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") { // a drive of Windows
		path = "/" + path
	}
	u := url.URL{Path: path}
	return "file://" + u.EscapedPath() + "?_pragma=busy_timeout(10000)"
}

// prepareDatabase switches the database to WAL mode, makes the tables if there
// are none, which it reports, and refuses those of another version.
func prepareDatabase(ctx context.Context, conn *sql.Conn) (made bool, err error) {
	var mode string
	if err := conn.QueryRowContext(ctx, `PRAGMA journal_mode = WAL`).Scan(&mode); err != nil {
		return false, sorted(err)
	}
	if mode != "wal" {
		return false, fmt.Errorf("the database can't be in WAL mode, it is in mode %q", mode)
	}
	for _, pragma := range []string{
		`PRAGMA fullfsync = 1`, // where fsync alone doesn't reach the disk (macOS)
		`PRAGMA checkpoint_fullfsync = 1`,
		`PRAGMA synchronous = FULL`,
		`BEGIN IMMEDIATE`,
	} {
		if _, err := conn.ExecContext(ctx, pragma); err != nil {
			return false, sorted(err)
		}
	}
	made, err = makeTables(ctx, conn)
	end := `COMMIT`
	if err != nil || !made {
		end = `ROLLBACK`
	}
	if _, failed := conn.ExecContext(context.WithoutCancel(ctx), end); err == nil && failed != nil {
		err = sorted(failed)
	}
	return made, err
}

func makeTables(ctx context.Context, conn *sql.Conn) (made bool, err error) {
	var tables int
	if err := conn.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'restante_store'`).Scan(&tables); err != nil {
		return false, sorted(err)
	}
	if tables == 0 {
		if _, err := conn.ExecContext(ctx, schema); err != nil {
			return false, sorted(err)
		}
		var token [16]byte
		rand.Read(token[:]) // never fails
		_, err := conn.ExecContext(ctx, `INSERT INTO restante_store VALUES (1, ?, ?, 0, 0)`, schemaVersion, token[:])
		return true, sorted(err)
	}
	var version int
	if err := conn.QueryRowContext(ctx, `SELECT version FROM restante_store`).Scan(&version); errors.Is(err, sql.ErrNoRows) {
		return false, corrupt("the table restante_store is empty")
	} else if err != nil {
		return false, sorted(err)
	}
	if version != schemaVersion {
		return false, fmt.Errorf("the tables are of version %d, this package knows version %d", version, schemaVersion)
	}
	return false, nil
}
