package sqlitestore

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/restantemq/restante/queue"
)

// sorted adds to an error of SQLite the one of package queue that fits, so that
// callers find it by errors.Is.
func sorted(err error) error {
	switch code := codeOf(err); {
	case err == nil:
		return nil
	case code&0xff == sqlite3.SQLITE_CORRUPT, code&0xff == sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%w: %w", queue.ErrStoreCorrupt, err)
	case isFull(err):
		return fmt.Errorf("%w: %w", queue.ErrStoreFull, err)
	}
	return err
}

// corrupt is the error of something that this package can't have written.
func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", queue.ErrStoreCorrupt, fmt.Sprintf(format, args...))
}

// isBusy reports that somebody else held a lock, so that nothing happened.
func isBusy(err error) bool { return codeOf(err)&0xff == sqlite3.SQLITE_BUSY }

// isFull reports that there was no room: in the database, or, for the second
// code, for the memory that its connections share.
func isFull(err error) bool {
	code := codeOf(err)
	return code&0xff == sqlite3.SQLITE_FULL || code == sqlite3.SQLITE_IOERR_SHMSIZE || isDiskFull(err)
}

// codeOf returns SQLite's extended result code, zero if err has none.
func codeOf(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}
