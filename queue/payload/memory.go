package payload

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"time"
)

// Memory is [Blobs] in memory, for tests: it is gone with the process. Its times
// are package time's, virtual in a bubble of testing/synctest. Make it with
// [NewMemory].
type Memory struct {
	mu    sync.Mutex // guards blobs
	blobs map[Pointer]memoryBlob
}

type memoryBlob struct {
	body     string
	modified time.Time
}

var _ Blobs = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory() *Memory { return &Memory{blobs: make(map[Pointer]memoryBlob)} }

// Put implements [Blobs].
func (m *Memory) Put(ctx context.Context, at Pointer, body string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blobs[at] = memoryBlob{body, time.Now()}
	return nil
}

// Get implements [Blobs].
func (m *Memory) Get(ctx context.Context, at Pointer) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("get: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.blobs[at]
	if !ok {
		return "", ErrBlobNotFound
	}
	return b.body, nil
}

// Delete implements [Blobs].
func (m *Memory) Delete(ctx context.Context, at Pointer) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.blobs, at)
	return nil
}

// List implements [Blobs]. It yields the blobs that are there when it begins.
func (m *Memory) List(ctx context.Context, bucket, prefix string) iter.Seq2[Blob, error] {
	return func(yield func(Blob, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(Blob{}, fmt.Errorf("list: %w", err))
			return
		}
		m.mu.Lock()
		var found []Blob
		for at, b := range m.blobs {
			if at.Bucket == bucket && strings.HasPrefix(at.Key, prefix) {
				found = append(found, Blob{at, int64(len(b.body)), b.modified})
			}
		}
		m.mu.Unlock()
		for _, b := range found {
			if !yield(b, nil) {
				return
			}
		}
	}
}
