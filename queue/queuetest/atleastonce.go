package queuetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restantemq/restante/queue"
)

// TestAtLeastOnce runs the promises that hold for every queue with the
// semantics of SQS, near or far: nothing is lost, nothing is invented.
//
// [TestQueue] is exact: it tells to the millisecond what a queue answers. A queue
// at the other end of a network can't be held to that, and neither can a double
// that misbehaves on purpose, to test its users. They are held to this suite,
// with the same [Harness]:
//
//	func TestAtLeastOnce(t *testing.T) {
//		queuetest.TestAtLeastOnce(t, queuetest.Harness{Kind: queue.Standard, New: open})
//	}
//
// Every case has a name that begins with AtLeastOnce and a rule that is printed
// when it fails, runs in its own synctest bubble, and is left out by a key of
// Harness.Skip. A key that fits no case of this suite is an error.
//
// # What is tolerated
//
//   - Any call, or entry of a batch, may fail with [queue.ErrThrottled], and has
//     then done nothing, or with [queue.ErrUncertain], and may then have been
//     carried out: such a Send, repeated, may make two messages, such a Receive
//     has hidden messages that nobody got. Either is repeated, up to twenty times
//     in a row with the same entries. So are Stats, Peek and Close.
//   - Calls and answers may take seconds. A receipt whose visibility timeout has
//     passed may be refused with [queue.ErrReceiptExpired].
//   - A Standard queue may deliver in any order, deliver a message twice, also
//     while somebody holds it, and deliver a deleted one again for a while.
//   - A Receive may answer less than it could, and a short poll nothing. A long
//     poll may miss a message that the next one finds.
//   - SentAt, FirstReceivedAt and VisibleAt are not looked at.
//
// # What is not
//
//   - An accepted message that is not delivered, not even after its receiver's
//     visibility timeout, or is delivered with another body, group, trace header
//     or other attributes; a delivery that nobody sent; another MessageID than
//     Send told, unless a Send of that message ended with ErrUncertain.
//   - A delivery before the message's delay has passed on the caller's clock.
//   - A message in the dead-letter queue before it was received MaxReceives times,
//     two there of one, or none.
//   - A message that comes back for ever though its deletes were acknowledged.
//   - On a FIFO queue: first deliveries out of order within a group, two messages
//     of one deduplication ID, and while a message is held, this one or a later one
//     of its group for somebody else.
//   - Counters that don't balance, or count a message in a queue that is empty,
//     where the queue is a [queue.Inspector].
//   - What must happen some day and has not after six hours.
//   - Any other error.
//
// All sizes, counts and durations are within [queue.SQSLimits]. The longest case
// sends some hundred messages, and all cases together take about a hundredth of a
// second over a queue in memory, so that a double can be tried with many seeds.
func TestAtLeastOnce(t *testing.T, h Harness) {
	if h.New == nil || h.Kind != queue.Standard && h.Kind != queue.FIFO {
		t.Fatal("queuetest: a Harness needs a Kind and New")
	}
	cases := allOfficeCases()
	var named []testCase
	for _, c := range cases {
		named = append(named, testCase{name: c.name})
	}
	h.checkSkips(t, named)
	for _, c := range cases {
		if c.kind == 0 || c.kind == h.Kind {
			t.Run(c.name, func(t *testing.T) { runOfficeCase(t, h, c) })
		}
	}
}

// An officeCase is one promise and the traffic that tries to break it.
type officeCase struct {
	name string
	rule string     // one sentence, printed when the case fails
	kind queue.Kind // zero: either

	cfg         queue.Config // of office.q
	maxReceives int          // above zero: office.q has office.dead as its dead-letter queue

	test func(o *office)
}

func allOfficeCases() []officeCase {
	return slices.Concat(officeCases, officeTimeCases, officeDeadLetterCases, officeCrowdCases, officeGroupCases)
}

// runOfficeCase gives c a bubble and an office. Whatever the case is about, at
// its end all that was sent must have been delivered, and the queues run empty.
func runOfficeCase(t *testing.T, h Harness, c officeCase) {
	if reason, ok := h.skip(c.name); ok {
		t.Skip(reason)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("rule broken: %s", c.rule)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		o := &office{T: t, harness: h, book: newDaybook(h.Kind)}
		if c.maxReceives > 0 {
			o.dead = o.open("dead-letters", queue.Config{})
			target, ok := queue.As[queue.Adopter](o.dead)
			if !ok {
				t.Skip("the queue is no queue.Adopter")
			}
			c.cfg.DeadLetter = queue.DeadLetter{Target: target, MaxReceives: c.maxReceives}
		}
		o.q = o.open("orders", c.cfg)
		o.cfg = c.cfg
		c.test(o)
		o.finish()
	})
}

// An office is where a case works: a queue that need not be at its best, and
// the book of what was sent to it and what came out.
type office struct {
	*testing.T
	harness Harness
	q       queue.Queue
	cfg     queue.Config // of q
	dead    queue.Queue  // its dead-letter queue, in cases with maxReceives
	book    *daybook
}

// open makes a queue and leaves it to the end of the case to close it.
func (o *office) open(name string, cfg queue.Config) queue.Queue {
	o.Helper()
	cfg.Name = name
	if o.harness.Kind == queue.FIFO {
		cfg.Name += ".fifo"
	}
	q, err := o.harness.New(o.T, cfg)
	if err != nil {
		o.Fatalf("making a queue of %+v: %v", cfg, err)
	}
	o.Cleanup(func() {
		synctest.Wait()
		if err := o.patiently(q.Close); err != nil {
			o.Errorf("Close after the case = %v; want nil", err)
		}
	})
	return q
}

// patiently repeats a call that changes nothing by being repeated.
func (o *office) patiently(call func() error) error {
	for range maxTries {
		err := call()
		if !errors.Is(err, queue.ErrThrottled) && !errors.Is(err, queue.ErrUncertain) {
			return err
		}
		time.Sleep(pause)
	}
	return errors.New("it fails again and again")
}

// finish asserts what must hold at the end of every case.
func (o *office) finish() {
	o.Helper()
	queues := []queue.Queue{o.q}
	if o.dead != nil {
		queues = append(queues, o.dead)
	}
	for _, q := range queues {
		o.clerkAt(q).drain()
	}
	wrong := o.book.audit()
	for _, line := range wrong[:min(5, len(wrong))] {
		o.Error(line)
	}
	if more := len(wrong) - 5; more > 0 {
		o.Errorf("and %d more", more)
	}
	for _, q := range queues {
		o.counted(q)
	}
}

// counted asserts that an empty queue knows that it is empty.
func (o *office) counted(q queue.Queue) {
	o.Helper()
	s, ok := o.stats(q)
	if !ok {
		return
	}
	if held := s.Pending + s.Delayed + s.Visible + s.InFlight + s.Unreadable; held != 0 {
		o.Errorf("Stats count %d messages in a queue that has nothing to deliver: %+v", held, s)
	}
	in := s.Accepted + s.Adopted + s.Recovered
	if out := s.Deleted + s.Expired + s.Moved + s.Purged; in != out {
		o.Errorf("counters don't balance: %d came in, none is held, %d left: %+v", in, out, s)
	}
}

// stats returns the counters of a queue that has any.
func (o *office) stats(q queue.Queue) (s queue.Stats, ok bool) {
	o.Helper()
	inspector, ok := queue.As[queue.Inspector](q)
	if !ok {
		return s, false
	}
	err := o.patiently(func() (err error) {
		s, err = inspector.Stats(context.Background())
		return err
	})
	if err != nil {
		o.Fatalf("Stats = %v", err)
	}
	return s, true
}

// peeked returns how often each message lies in a queue that can be looked into.
func (o *office) peeked(q queue.Queue) (copies map[queue.MessageID]int, ok bool) {
	o.Helper()
	inspector, ok := queue.As[queue.Inspector](q)
	if !ok {
		return nil, false
	}
	err := o.patiently(func() error {
		copies = map[queue.MessageID]int{}
		for p, err := range inspector.Peek(context.Background()) {
			if err != nil {
				return err
			}
			copies[p.ID]++
		}
		return nil
	})
	if err != nil {
		o.Fatalf("Peek: %v", err)
	}
	return copies, true
}
