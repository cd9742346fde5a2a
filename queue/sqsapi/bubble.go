package sqsapi

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/restantemq/restante/queue/internal/bubble"
)

// A home is where a client was first used: in a bubble of testing/synctest, or
// outside of all. The timers of queues belong there. Elsewhere they would not fire,
// or much later, and a test would hang and not say why.
type home struct {
	once   sync.Once
	bubble string       // as the runtime calls it; empty outside
	last   atomic.Int64 // when a caller was last seen to be at home, in ns
}

var errElsewhere = errors.New("sqsapi: this client was used in another synctest bubble, or outside of one; a broker and its clients belong to one bubble: make them there")

// check returns errElsewhere if the caller is not at home. To look takes some
// microseconds, so calls that come less than a millisecond after one that was at home
// are believed: every bubble begins in the year 2000, and in a bubble most calls come
// at one instant, or seconds apart.
func (h *home) check() error {
	now := time.Now().UnixNano()
	if passed := now - h.last.Load(); passed > 0 && passed < int64(time.Millisecond) {
		return nil
	}
	here := bubble.Current()
	h.once.Do(func() { h.bubble = here })
	if here != h.bubble {
		return errElsewhere
	}
	h.last.Store(now)
	return nil
}
