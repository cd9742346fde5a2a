package payload

import (
	"context"
	"iter"
	"time"
)

// Blobs is where bodies are kept: texts by bucket and key, as in Amazon S3. It
// is what an application implements to plug in another store; [Dir] and
// [NewMemory] make those of this package.
//
// All methods may be called concurrently, by several processes if these share
// the store. A context bounds the call; what it returns then wraps the context's
// error. No method needs to look into a key: equal texts are equal keys, and any
// text that isn't empty is a key.
type Blobs interface {
	// Put writes a blob, in place of one of the same name if there is any, and
	// returns once it is durable and Get finds it. A blob is there whole or not at
	// all. After an error it may or may not be there.
	Put(ctx context.Context, at Pointer, body string) error

	// Get returns a blob that was put, or an error that is [ErrBlobNotFound] if
	// there is none. That error must be certain: with Options.IgnoreMissing it
	// deletes messages.
	Get(ctx context.Context, at Pointer) (body string, err error)

	// Delete removes a blob. That there is none is no error. It need not be
	// durable: a blob that comes back after a crash is an orphan. After an error
	// it may or may not be there.
	Delete(ctx context.Context, at Pointer) error

	// List yields the blobs of a bucket whose keys begin with prefix, in any
	// order; there are none in a bucket that isn't there. Blobs that come or go
	// meanwhile may be missed; others not. An error ends the iteration.
	List(ctx context.Context, bucket, prefix string) iter.Seq2[Blob, error]
}

// A Blob is what a store tells of a blob.
type Blob struct {
	Pointer
	Size     int64     // in bytes
	Modified time.Time // when it was put
}
