package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/restantemq/restante/queue"
)

// A Sender sends messages in batches, which it fills with those of all its callers. Each
// message has an answer of its own, the one it would have had from the queue alone: one that
// is too large or malformed holds up and fails no other.
//
// # Order
//
// Messages go in the order in which Send and Add took them: on a Standard queue as far as
// batches that are under way at the same time allow, on a FIFO queue strictly, or with
// SenderOptions.Parallel above 1 strictly within each group. A message that fails leaves a
// gap: those behind it go on. Who can't have that waits for one message's answer before
// sending the group's next.
//
// # Errors
//
// What the queue refuses or can't take now ([queue.ErrThrottled], [queue.ErrStoreFull]) is
// answered with its error and not tried again: when to repeat a message, and whether it
// may come twice after a [queue.ErrUncertain], is for its sender to say. Only a batch that
// the queue has refused whole because of what is in it, as FIFO queues do, goes again in
// halves, until the message at fault is alone; nothing of such a batch was sent, so nothing
// comes twice.
//
// # Goroutines
//
// There is one for each batch under way, none while nothing is; all have ended when
// Close returns. The methods may be called concurrently. The queue is called with contexts
// that carry no values. Make a Sender with NewSender.
type Sender struct {
	queue   queue.Queue
	o       SenderOptions  // defaults filled in
	room    chan struct{}  // holds a token for each message that was taken and isn't answered
	closing chan struct{}  // closed by Close
	running sync.WaitGroup // of batches and the timer

	mu       sync.Mutex // guards the fields below; nothing blocks under it
	closed   bool
	last     uint64          // number of the latest letter
	open     int             // letters that are not answered
	waiting  []*letter       // those that are not under way, in ascending order
	bytes    int             // summed sizes of waiting
	hurry    uint64          // letters up to this number don't linger
	underWay int             // batches
	busy     map[string]bool // groups that are under way; nil if batches keep their order anyway
	timer    *time.Timer     // of the oldest one's linger
	armed    bool            // the timer runs, or its function is about to
	flushes  []*flush
	broken   error // the first panic of a done function
}

// A flush waits for all letters up to a number.
type flush struct {
	upTo  uint64
	left  int           // how many of them are not answered
	ended chan struct{} // closed when there are none
}

// NewSender returns a Sender to q. It needs to be closed. An option outside its limits is
// refused with a [*queue.LimitError].
func NewSender(q queue.Queue, o SenderOptions) (*Sender, error) {
	o, err := o.filled(q)
	if err != nil {
		return nil, err
	}
	s := &Sender{queue: q, o: o, room: make(chan struct{}, o.MaxPending), closing: make(chan struct{})}
	if o.Parallel > 1 && kindOf(q) != queue.Standard {
		s.busy = make(map[string]bool)
	}
	return s, nil
}

// Send sends m with others and returns its answer, as queue.Queue.Send does: ctx bounds the
// waiting, never an accepted change. When Send returns ctx's error, wrapped, m was not
// sent: it had not gone, or the queue has said so. A batch under way is called off only when
// nobody waits for any of it any longer, so Send may take longer than ctx.
//
// After Close it returns [queue.ErrClosed].
func (s *Sender) Send(ctx context.Context, m queue.Message) (queue.Sent, error) {
	l := &letter{message: m, answered: make(chan struct{})}
	if err := s.accept(ctx, l); err != nil {
		return queue.Sent{}, err
	}
	select {
	case <-l.answered:
		return l.sent, l.err
	case <-ctx.Done():
	}
	if s.withdraw(l) {
		return queue.Sent{}, fmt.Errorf("worker: send: %w", ctx.Err())
	}
	<-l.answered
	if errors.Is(l.err, context.Canceled) && !errors.Is(l.err, queue.ErrUncertain) { // the batch was called off
		return queue.Sent{}, fmt.Errorf("worker: send: %w", ctx.Err())
	}
	return l.sent, l.err
}

// Add takes m over to be sent, and returns as soon as there is room for it, or with ctx's
// error, wrapped, or [queue.ErrClosed]. ctx has no say afterwards.
//
// Unless Add has returned an error, done is called exactly once, with the answer, in the
// goroutine of the batch; for messages whose order is kept, in that order. The batch counts
// as under way until all its done functions have returned, so they should be quick, and
// must not wait for this Sender: to send again, done starts a goroutine. If it panics, the
// Sender logs that and goes on, and Close returns it. done may be nil; then an error goes to
// the log.
func (s *Sender) Add(ctx context.Context, m queue.Message, done func(queue.Sent, error)) error {
	return s.accept(ctx, &letter{message: m, done: done})
}

// Flush sends what was taken before the call without lingering, and returns when all of it
// has been answered, whatever the answers were, or with ctx's error, wrapped; then
// the messages are still on their way. It can be called after Close.
func (s *Sender) Flush(ctx context.Context) error {
	s.mu.Lock()
	if s.open == 0 {
		s.mu.Unlock()
		return nil
	}
	f := &flush{s.last, s.open, make(chan struct{})}
	s.flushes = append(s.flushes, f)
	s.hurry = s.last
	s.dispatch()
	s.mu.Unlock()

	select {
	case <-f.ended:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flushes = slices.DeleteFunc(s.flushes, func(other *flush) bool { return other == f })
	return fmt.Errorf("worker: flush: %w", ctx.Err())
}

// Close sends what was taken without lingering, and returns when all of it has been
// answered; nothing that the Sender started runs then. Calls that wait for room, and later
// ones, get [queue.ErrClosed]. It waits as long as the queue takes; a Flush before it can be
// bounded. It does not close the queue.
//
// Its error is a [*PanicError] if a done function panicked, the first one's. Closing again
// does the same.
func (s *Sender) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
	}
	s.hurry = s.last
	s.dispatch()
	if s.armed && s.timer.Stop() {
		s.armed = false
		s.running.Done()
	}
	s.mu.Unlock()

	s.running.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken
}

// accept waits for room and takes l over.
func (s *Sender) accept(ctx context.Context, l *letter) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("worker: send: %w", err)
	}
	select {
	case s.room <- struct{}{}:
	case <-s.closing:
		return fmt.Errorf("worker: sender: %w", queue.ErrClosed)
	case <-ctx.Done():
		return fmt.Errorf("worker: send: %w", ctx.Err())
	}
	l.size = l.message.Size()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		<-s.room
		return fmt.Errorf("worker: sender: %w", queue.ErrClosed)
	}
	s.last++
	l.number = s.last
	s.open++
	if s.o.Linger > 0 {
		l.since = time.Now()
	}
	s.waiting = append(s.waiting, l)
	s.bytes += l.size
	s.dispatch()
	return nil
}

// withdraw takes l back if it still waits. If not, it notes that nobody waits for l, and calls
// its batch off if that is so for all of it.
func (s *Sender) withdraw(l *letter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := l.batch; b != nil {
		if b.given++; b.given == len(b.letters) {
			b.cancel()
		}
		return false
	}
	at, _ := slices.BinarySearchFunc(s.waiting, l.number, func(l *letter, n uint64) int { return int(int64(l.number - n)) })
	s.waiting = slices.Delete(s.waiting, at, at+1)
	s.bytes -= l.size
	s.forget(l)
	return true
}

// dispatch starts the batches that are due, and sees to it that those which are not yet will
// be. It is called whenever that may have changed. The caller must hold s.mu.
func (s *Sender) dispatch() {
	for s.due() {
		b := s.take()
		if b == nil {
			return // until a group's batch has ended
		}
		s.underWay++
		s.running.Add(1)
		go s.carry(b) // ends when b is answered; Close waits for it
	}
	if s.o.Linger > 0 && !s.armed && len(s.waiting) > 0 && s.underWay < s.o.Parallel {
		s.armed = true
		s.running.Add(1)
		d := time.Until(s.waiting[0].since.Add(s.o.Linger))
		if s.timer == nil {
			s.timer = time.AfterFunc(d, s.lingered)
		} else {
			s.timer.Reset(d)
		}
	}
}

// lingered is called by the timer. It may find that the letter has gone, and dispatch then
// sets the timer for the next one.
func (s *Sender) lingered() {
	defer s.running.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed = false
	s.dispatch()
}

// due reports whether a batch is to go now. The caller must hold s.mu.
func (s *Sender) due() bool {
	switch {
	case len(s.waiting) == 0 || s.underWay == s.o.Parallel:
		return false
	case len(s.waiting) >= min(s.o.BatchSize, s.o.MaxPending) || s.bytes >= queue.MaxBatchBytes:
		return true // nothing can join
	case s.waiting[0].number <= s.hurry:
		return true
	case s.o.Linger == 0:
		return s.underWay == 0
	}
	return time.Since(s.waiting[0].since) >= s.o.Linger
}

// take makes a batch of the oldest letters that wait, without those of busy groups; nil if
// there are no others. The caller must hold s.mu.
func (s *Sender) take() *batch {
	b := &batch{letters: make([]*letter, 0, min(len(s.waiting), s.o.BatchSize))}
	bytes, passed, i := 0, 0, 0
	for ; i < len(s.waiting) && len(b.letters) < s.o.BatchSize; i++ {
		l := s.waiting[i]
		if s.busy[l.message.GroupID] {
			s.waiting[passed] = l
			passed++
			continue
		}
		if len(b.letters) > 0 && bytes+l.size > queue.MaxBatchBytes {
			break
		}
		bytes += l.size
		l.batch = b
		b.letters = append(b.letters, l)
	}
	if len(b.letters) == 0 {
		return nil
	}
	s.waiting = slices.Delete(s.waiting, passed, i)
	s.bytes -= bytes
	if s.busy != nil {
		for _, l := range b.letters {
			if l.message.GroupID != "" {
				s.busy[l.message.GroupID] = true
			}
		}
	}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	return b
}

// end forgets the letters of an answered batch and starts what has waited for it.
func (s *Sender) end(b *batch) {
	b.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.underWay--
	for _, l := range b.letters {
		delete(s.busy, l.message.GroupID)
		s.forget(l)
	}
	s.dispatch()
}

// forget takes an answered letter, or one taken back, off the books. The caller must hold
// s.mu.
func (s *Sender) forget(l *letter) {
	s.open--
	<-s.room // doesn't block: l's token is there
	for _, f := range s.flushes {
		if l.number <= f.upTo {
			if f.left--; f.left == 0 {
				close(f.ended)
			}
		}
	}
	s.flushes = slices.DeleteFunc(s.flushes, func(f *flush) bool { return f.left == 0 })
}
