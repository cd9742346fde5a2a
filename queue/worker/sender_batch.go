package worker

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/restantemq/restante/queue"
)

// A letter is a message on its way. The fields below the line are its batch's from the
// moment in which there is one, until it is answered.
type letter struct {
	number   uint64 // in the order of acceptance, from 1
	message  queue.Message
	size     int
	since    time.Time               // when it was taken, if letters linger
	done     func(queue.Sent, error) // of Add, may be nil
	answered chan struct{}           // of Send: closed when sent and err are set
	batch    *batch                  // nil while it waits; guarded by Sender.mu

	sent queue.Sent
	err  error
}

// A batch is letters that go together.
type batch struct {
	letters []*letter
	ctx     context.Context
	cancel  context.CancelFunc
	given   int  // letters whose Send no longer wants to wait; guarded by Sender.mu
	called  bool // the queue was called
	told    int  // letters whose answer was given
}

// carry calls the queue, gives the answers, and ends the batch. A done function, or a
// queue, that ends the goroutine doesn't keep it from that.
func (s *Sender) carry(b *batch) {
	regular := false
	defer func() {
		if !regular {
			go s.carry(b)
			return
		}
		s.running.Done()
	}()
	if !b.called {
		b.called = true
		for _, l := range b.letters {
			l.err = errNoAnswer
		}
		s.offer(b.ctx, b.letters)
	}
	for b.told < len(b.letters) {
		b.told++
		s.tell(b.letters[b.told-1])
	}
	s.end(b)
	regular = true
}

// errNoAnswer is the answer of a queue that hasn't given one.
var errNoAnswer = fmt.Errorf("worker: the queue didn't answer: %w", queue.ErrUncertain)

// offer sends letters with one call of the queue, or in halves if the queue refuses the
// call because of what is in it, and sets their answers.
func (s *Sender) offer(ctx context.Context, letters []*letter) {
	if len(letters) == 1 {
		letters[0].sent, letters[0].err = s.queue.Send(ctx, letters[0].message)
		return
	}
	ms := make([]queue.Message, len(letters))
	for i, l := range letters {
		ms[i] = l.message
	}
	sent, err := s.queue.SendBatch(ctx, ms)
	var entries *queue.BatchError
	switch {
	case err != nil && !errors.As(err, &entries) && isOfContents(err):
		half := len(letters) / 2
		s.offer(ctx, letters[:half])
		s.offer(ctx, letters[half:])
		return
	case err != nil && entries == nil:
		for _, l := range letters {
			l.err = err
		}
		return
	}
	for i := range min(len(sent), len(letters)) {
		letters[i].sent, letters[i].err = sent[i], nil
	}
	if entries != nil {
		for _, e := range entries.Entries {
			letters[e.Index].sent, letters[e.Index].err = queue.Sent{}, e.Err
		}
	}
}

// isOfContents reports whether a queue refuses a whole batch because of what is in it.
func isOfContents(err error) bool {
	if errors.Is(err, queue.ErrUncertain) {
		return false
	}
	for _, refused := range []error{
		queue.ErrInvalidParameter, queue.ErrMissingParameter, queue.ErrMessageTooLarge, queue.ErrInvalidContents, queue.ErrNotForThisQueue,
		queue.ErrTooManyEntries, queue.ErrBatchTooLarge,
	} {
		if errors.Is(err, refused) {
			return true
		}
	}
	return false
}

// tell gives a letter's answer.
func (s *Sender) tell(l *letter) {
	switch {
	case l.answered != nil:
		close(l.answered)
		return
	case l.done == nil:
		if l.err != nil {
			s.o.Logger.Warn("worker: message was not sent", "error", l.err)
		}
		return
	}
	defer func() {
		if v := recover(); v != nil {
			panicked := &PanicError{v, debug.Stack()}
			s.o.Logger.Error("worker: done function panicked", "value", v, "stack", string(panicked.Stack))
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.broken == nil {
				s.broken = fmt.Errorf("worker: done function: %w", panicked)
			}
		}
	}()
	l.done(l.sent, l.err)
}
