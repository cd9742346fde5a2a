package payload

import (
	"sync"

	"github.com/restantemq/restante/queue"
)

// calls counts the calls that are running, so that Close can wait for those that
// are at the blobs: the inner queue doesn't know of them.
type calls struct {
	mu      sync.Mutex // guards the fields below
	running int
	closed  bool
	idle    sync.Cond // of mu: running is zero
}

func (c *calls) init() { c.idle.L = &c.mu }

// begin is called at the beginning of a call, end at its end unless begin
// returned an error.
func (c *calls) begin() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return queue.ErrClosed
	}
	c.running++
	return nil
}

func (c *calls) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running--; c.running == 0 {
		c.idle.Broadcast()
	}
}

// refuse lets no further call begin.
func (c *calls) refuse() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
}

// wait returns when no call is running.
func (c *calls) wait() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.running > 0 {
		c.idle.Wait()
	}
}
