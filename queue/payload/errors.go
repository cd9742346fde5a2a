package payload

import (
	"errors"
	"fmt"

	"github.com/restantemq/restante/queue"
)

var (
	// ErrBlobNotFound: there is no blob of that bucket and key. [Blobs].Get
	// returns it.
	ErrBlobNotFound = errors.New("blob not found")
	// ErrBlobDamaged: a blob is not of the size that its message says.
	ErrBlobDamaged = errors.New("blob is damaged")
	// ErrPointerInvalid: the body of a message that is marked as a pointer is none.
	ErrPointerInvalid = errors.New("not a pointer of the Extended Client")
)

// Op is what was to be done with a blob.
type Op string

const (
	OpPut    Op = "put"    // write it, for a message to be sent
	OpGet    Op = "get"    // read it, for a message received
	OpDelete Op = "delete" // remove it: it is an orphan now, or still
)

// A BlobError is the failure of an operation on a blob.
type BlobError struct {
	Op   Op
	Blob Pointer         // zero if the message's pointer can't be read
	ID   queue.MessageID // of the message that was received; zero otherwise
	Err  error
}

// Error names the operation, the blob and what is wrong.
func (e *BlobError) Error() string {
	if e.Blob == (Pointer{}) {
		return fmt.Sprintf("payload: %s the blob of message %v: %v", e.Op, e.ID, e.Err)
	}
	return fmt.Sprintf("payload: %s blob %q of bucket %q: %v", e.Op, e.Blob.Key, e.Blob.Bucket, e.Err)
}

// Unwrap returns what went wrong.
func (e *BlobError) Unwrap() error { return e.Err }
