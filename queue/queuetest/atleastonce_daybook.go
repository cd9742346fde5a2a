package queuetest

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/restantemq/restante/queue"
)

// A daybook tells the story of one case: each message that was sent, and what
// became of it. It decides what is wrong by what callers see: when their calls
// began and ended, what was answered, what was delivered.
type daybook struct {
	kind queue.Kind

	mu      sync.Mutex // guards the fields below, and those of all letters
	letters []*letter
	bodies  map[string]*letter
	steps   int       // counts events, which orders what happens in one instant
	lost    int       // Receives of the case's queue that ended with ErrUncertain
	hidden  time.Time // nothing is delayed or hidden for longer than that
}

// A letter is one message to send, known by its body, which no other has. A
// clerk sends it until it is accepted.
type letter struct {
	number int // in the case
	m      queue.Message
	delay  time.Duration // in force

	// Sending: the first call that may have enqueued it, and the answer.
	began      time.Time
	beganAt    int // step, the same for a whole batch; zero: not yet
	index      int // in that batch
	accepted   time.Time
	acceptedAt int // step; zero: not yet
	id         queue.MessageID
	perhaps    int // Sends that ended with ErrUncertain: each may have made one more message

	// Receiving.
	first    time.Time         // delivery
	ids      []queue.MessageID // delivered, each once
	received int               // deliveries by the case's queue
	receives int               // the highest ReceiveCount
	dead     bool              // seen in the dead-letter queue

	// Holding: since when holder, the latest receiver, has had it, and until when it
	// surely still has.
	holder          *clerk
	held, heldUntil time.Time

	// Deleting.
	deleting       bool // somebody has tried to
	deleted        int  // deletes acknowledged
	perhapsDeleted bool // by a Delete that ended with ErrUncertain and can't be repeated

	// For cases that change its visibility: the instant of the release, or of the end
	// of the extension, and its highest ReceiveCount when they did so.
	letGo     time.Time
	letGoWith int
	back      bool // delivered after letGo
	early     bool // delivered before letGo
}

func newDaybook(kind queue.Kind) *daybook {
	return &daybook{kind: kind, bodies: map[string]*letter{}}
}

// add makes a letter of m, whose body must be new.
func (b *daybook) add(m queue.Message, cfg *queue.Config) *letter {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := &letter{number: len(b.letters), m: m, delay: cfg.Delay}
	switch {
	case m.Delay == queue.None:
		l.delay = 0
	case m.Delay > 0:
		l.delay = m.Delay
	}
	b.letters = append(b.letters, l)
	b.bodies[m.Body] = l
	return l
}

// with calls f while the book is locked.
func (b *daybook) with(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

// all reports whether every letter is done, and describes those that are not.
func (b *daybook) all(ls []*letter, done func(l *letter) bool) (others string, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	var first *letter
	for _, l := range ls {
		if !done(l) {
			n++
			first = cmp.Or(first, l)
		}
	}
	if n == 0 {
		return "", true
	}
	return fmt.Sprintf("%d of %d messages, the first of them %s", n, len(ls), first.describe()), false
}

func (l *letter) describe() string {
	return fmt.Sprintf("%.40q (accepted %t, received %d times, deleted %d times)", l.m.Body, l.acceptedAt > 0, l.received, l.deleted)
}

// stepLocked counts an event.
func (b *daybook) stepLocked() int {
	b.steps++
	return b.steps
}

// mayHide notes that something may be delayed or hidden until t.
func (b *daybook) mayHide(t time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mayHideLocked(t)
}

func (b *daybook) mayHideLocked(t time.Time) {
	if t.After(b.hidden) {
		b.hidden = t
	}
}

// sending notes that a call with these letters begins.
func (b *daybook) sending(ls []*letter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	call := b.stepLocked()
	for i, l := range ls {
		if l.perhaps == 0 && l.acceptedAt == 0 { // otherwise an earlier call may have enqueued it
			l.began, l.beganAt, l.index = time.Now(), call, i
		}
	}
}

// uncertain notes that a Send of l may have enqueued it.
func (b *daybook) uncertain(l *letter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l.perhaps++
	b.mayHideLocked(time.Now().Add(l.delay))
}

// accept notes that a Send of l was acknowledged. It returns what is wrong with
// the answer.
func (b *daybook) accept(l *letter, sent queue.Sent) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mayHideLocked(time.Now().Add(l.delay))
	if l.acceptedAt > 0 {
		// Sent once more on purpose, to be recognised.
		if sent.ID != l.id || !sent.Duplicate {
			return fmt.Errorf("%.40q was sent again with its deduplication ID and is %v, duplicate %t; it was accepted as %v",
				l.m.Body, sent.ID, sent.Duplicate, l.id)
		}
		return nil
	}
	l.id, l.accepted, l.acceptedAt = sent.ID, time.Now(), b.stepLocked()
	return nil
}

// mayBeGone reports whether a message of l may be deleted: somebody has tried to.
func (b *daybook) mayBeGone(l *letter) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return l.deleting
}

// precedes reports whether x was surely enqueued before y, in the same group: its
// call had returned when the other's began, or they went in one batch and nothing
// was repeated. The caller must hold the book's lock.
func (x *letter) precedes(y *letter) bool {
	if x.m.GroupID != y.m.GroupID {
		return false
	}
	batched := x.beganAt == y.beganAt && x.index < y.index && x.perhaps == 0 && y.perhaps == 0 && x.acceptedAt > 0
	return x.acceptedAt > 0 && x.acceptedAt < y.beganAt || batched
}

// deliver notes a delivery to c by a Receive that began at asked, and returns its
// letter, or what is wrong with it.
func (b *daybook) deliver(c *clerk, d *queue.Delivery, asked time.Time, timeout time.Duration) (*letter, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	l := b.bodies[d.Body]
	if l == nil || l.beganAt == 0 {
		return nil, fmt.Errorf("delivered is a message that was never sent: %.60q, %v", d.Body, d.ID)
	}
	if err := l.harm(&d.Message); err != nil {
		return nil, err
	}
	if !slices.Contains(l.ids, d.ID) {
		l.ids = append(l.ids, d.ID)
	}
	if c.q == c.dead {
		l.dead = true
		return l, nil
	}
	if due := l.began.Add(l.delay); now.Before(due) {
		return nil, fmt.Errorf("%.40q was delivered %v after it was sent, its delay is %v", d.Body, now.Sub(l.began), l.delay)
	}
	if b.kind == queue.FIFO {
		if err := b.groupLocked(l, c, asked); err != nil {
			return nil, err
		}
	}
	if l.received++; l.received == 1 {
		l.first = now
	}
	switch {
	case l.letGo.IsZero():
	case now.Before(l.letGo):
		l.early = l.early || d.ReceiveCount > l.letGoWith
	default:
		l.back = l.back || d.ReceiveCount > l.letGoWith
	}
	l.receives = max(l.receives, d.ReceiveCount)
	l.holder, l.held, l.heldUntil = c, now, asked.Add(timeout)
	b.mayHideLocked(now.Add(timeout))
	return l, nil
}

// harm returns in what a message differs from the letter.
func (l *letter) harm(m *queue.Message) error {
	switch {
	case m.Attributes != l.m.Attributes:
		return fmt.Errorf("%.40q was delivered with attributes %q; it was sent with %q", m.Body, m.Attributes.Encoded(), l.m.Attributes.Encoded())
	case m.GroupID != l.m.GroupID:
		return fmt.Errorf("%.40q was delivered with group %q; it was sent with %q", m.Body, m.GroupID, l.m.GroupID)
	case m.TraceHeader != l.m.TraceHeader:
		return fmt.Errorf("%.40q was delivered with trace header %q; it was sent with %q", m.Body, m.TraceHeader, l.m.TraceHeader)
	}
	return nil
}

// groupLocked returns what is wrong with a delivery of l to c in the order of its
// group.
func (b *daybook) groupLocked(l *letter, c *clerk, asked time.Time) error {
	if l.heldFrom(c, asked) {
		return fmt.Errorf("%.40q was delivered while somebody else holds it", l.m.Body)
	}
	for _, x := range b.letters {
		if !x.precedes(l) {
			continue
		}
		if x.received == 0 && c.dead == nil { // it may be there, and its deliveries lost
			return fmt.Errorf("%.40q was delivered before %.40q, which was sent before it to group %q", l.m.Body, x.m.Body, l.m.GroupID)
		}
		if x.heldFrom(c, asked) {
			return fmt.Errorf("%.40q was delivered while somebody else holds %.40q, which was sent before it to group %q", l.m.Body, x.m.Body, l.m.GroupID)
		}
	}
	return nil
}

// heldFrom reports whether somebody else held l from before asked until now: for
// the whole of a call of c, whenever in it the queue chose what to hand out.
func (l *letter) heldFrom(c *clerk, asked time.Time) bool {
	return l.holder != nil && l.holder != c && l.held.Before(asked) && l.heldUntil.After(time.Now())
}

// audit returns what is wrong at the end: an accepted message that was not
// delivered, or one more than was sent.
func (b *daybook) audit() (wrong []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	owners := map[queue.MessageID]*letter{}
	for _, l := range b.letters {
		if l.beganAt == 0 {
			continue
		}
		others := 0 // messages of this letter beside the accepted one
		for _, id := range l.ids {
			if id != l.id {
				others++
			}
			if x := owners[id]; x != nil {
				wrong = append(wrong, fmt.Sprintf("%.40q and %.40q were delivered as one message, %v", x.m.Body, l.m.Body, id))
			}
			owners[id] = l
		}
		switch {
		case !slices.Contains(l.ids, l.id):
			wrong = append(wrong, fmt.Sprintf("%.40q was accepted as %v and never delivered", l.m.Body, l.id))
		case b.kind == queue.FIFO && others > 0:
			wrong = append(wrong, fmt.Sprintf("%.40q was delivered as %d messages, with one deduplication ID", l.m.Body, 1+others))
		case others > l.perhaps:
			wrong = append(wrong, fmt.Sprintf("%.40q was delivered as %d messages; it was sent once, and %d more may have been accepted", l.m.Body, 1+others, l.perhaps))
		}
	}
	return wrong
}
