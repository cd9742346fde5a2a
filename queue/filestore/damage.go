package filestore

import (
	"fmt"

	"github.com/restantemq/restante/queue"
)

// A DamageError says where stored data is damaged. It is [queue.ErrStoreCorrupt]
// to errors.Is.
type DamageError struct {
	File       string // path of the damaged or missing file
	Offset     int64  // of the damage in it, in bytes
	Queue, Seq uint64 // the record that can't be read; zero if not known
	Reason     string // what is wrong there
}

// Error names the file, the offset and what is wrong.
func (e *DamageError) Error() string {
	where := fmt.Sprintf("%s, offset %d", e.File, e.Offset)
	if e.Queue != 0 {
		where += fmt.Sprintf(", queue %d", e.Queue)
	}
	if e.Seq != 0 {
		where += fmt.Sprintf(", record %d", e.Seq)
	}
	return fmt.Sprintf("filestore: %v: %s: %s", queue.ErrStoreCorrupt, where, e.Reason)
}

// Unwrap returns [queue.ErrStoreCorrupt].
func (e *DamageError) Unwrap() error { return queue.ErrStoreCorrupt }
