package queuetest

import (
	"time"

	"github.com/restantemq/restante/queue"
)

// officeCases are about what becomes of a message that is sent, received and
// deleted.
var officeCases = []officeCase{
	{
		name: "AtLeastOnce/nothing-lost",
		rule: "every accepted message is delivered with all that it was sent with, and nothing is delivered that was not sent",
		test: func(o *office) {
			ls := o.letters(60, nil)
			c := o.clerk()
			c.sendMixed(ls)
			c.receiveUntil(poll, ls, "all deleted", isDeleted, func(ps []parcel) { c.delete(ps...) })
		},
	},
	{
		name: "AtLeastOnce/comes-back",
		rule: "a message that is not deleted comes back after its visibility timeout, again and again, with a growing receive count",
		cfg:  queue.Config{VisibilityTimeout: 10 * time.Second},
		test: func(o *office) {
			ls := o.letters(15, nil)
			c := o.clerk()
			c.sendMixed(ls)
			c.receiveUntil(poll, ls, "all received for the fifth time", func(l *letter) bool { return l.receives >= 5 }, nil)
		},
	},
	{
		name: "AtLeastOnce/deleted-is-gone",
		rule: "when all deletes are acknowledged the queue runs empty and stays empty: no message is delivered for ever",
		cfg:  queue.Config{VisibilityTimeout: 5 * time.Second},
		test: func(o *office) {
			ls := o.letters(24, nil)
			c := o.clerk()
			c.sendMixed(ls)
			c.receiveUntil(poll, ls, "all deleted", isDeleted, func(ps []parcel) {
				for i, p := range ps {
					if p.number%2 == 0 || p.ReceiveCount > 1 { // the others once by somebody who receives them again
						c.delete(ps[i])
					}
				}
			})
			c.drain()
			time.Sleep(24 * time.Hour)
			if ps := c.receive(poll); len(ps) > 0 {
				o.Errorf("a day after the queue had run empty it delivers %s", names(ps))
			}
		},
	},
}

// officeTimeCases are about when a message is delivered.
var officeTimeCases = []officeCase{
	{
		name: "AtLeastOnce/delayed",
		rule: "a message with a delay is delivered, and never before the delay has passed on the sender's clock",
		cfg:  queue.Config{Delay: 2 * time.Minute},
		test: func(o *office) {
			delays := []time.Duration{0, queue.None, time.Second, 45 * time.Second, queue.MaxDelay}
			ls := o.letters(20, func(i int, m *queue.Message) {
				if o.harness.Kind == queue.Standard { // a FIFO queue delays all messages alike
					m.Delay = delays[i%len(delays)]
				}
			})
			c := o.clerk()
			c.sendMixed(ls)
			c.receiveUntil(poll, ls, "all deleted", isDeleted, func(ps []parcel) { c.delete(ps...) })
		},
	},
	{
		name: "AtLeastOnce/released",
		rule: "ChangeVisibility to zero brings a message back long before its visibility timeout",
		cfg:  queue.Config{VisibilityTimeout: 10 * time.Second},
		test: testReleased,
	},
	{
		name: "AtLeastOnce/extended",
		rule: "ChangeVisibility to a longer time keeps a message away for that time, and does not lose it",
		cfg:  queue.Config{VisibilityTimeout: 20 * time.Second},
		test: testExtended,
	},
	{
		name: "AtLeastOnce/long-poll",
		rule: "a receiver that waits gets a message that is sent meanwhile, in this poll or a next one",
		cfg:  queue.Config{VisibilityTimeout: 5 * time.Second},
		test: testLongPoll,
	},
}

// Each message is taken for an hour and then released. Polls hide for a few
// seconds, so that what they lose is soon there again.
func testReleased(o *office) {
	const soon = 20 * time.Minute
	ls := o.letters(12, nil)
	c := o.clerk()
	c.sendMixed(ls)
	var taken []*letter // and released
	c.receiveUntil(poll, ls, "all released", func(l *letter) bool { return !l.letGo.IsZero() }, func(ps []parcel) {
		ps = c.change(0, c.change(time.Hour, firsts(ps)...)...)
		o.book.with(func() {
			for _, p := range ps {
				p.letGo, p.letGoWith = time.Now(), p.receives
				taken = append(taken, p.letter)
			}
		})
	})
	for end := time.Now().Add(soon); ; {
		missing, ok := o.book.all(taken, func(l *letter) bool { return l.back })
		if ok {
			return
		}
		if time.Now().After(end) {
			o.Fatalf("not back within %v after they were released: %s", soon, missing)
		}
		c.receive(poll)
	}
}

// A Standard queue may deliver a message to somebody else while it is held. One
// that delivers all of them knows nothing of extensions.
func testExtended(o *office) {
	const hold = 10 * time.Minute
	ls := o.letters(20, nil)
	c := o.clerk()
	c.sendMixed(ls)
	c.receiveUntil(poll, ls, "all back after their visibility was extended", func(l *letter) bool { return l.back }, func(ps []parcel) {
		began := time.Now()
		changed := c.change(hold, firsts(ps)...)
		o.book.with(func() {
			for _, p := range changed {
				p.letGo, p.letGoWith = began.Add(hold), p.receives
			}
		})
	})
	if _, all := o.book.all(ls, func(l *letter) bool { return l.early }); all {
		o.Errorf("all of %d messages came back while their receiver held them", len(ls))
	}
}

// firsts returns the parcels whose letters were not let go yet, each letter once.
func firsts(ps []parcel) []parcel {
	var all []parcel
	seen := map[*letter]bool{}
	for _, p := range ps {
		if p.letGo.IsZero() && !seen[p.letter] {
			seen[p.letter] = true
			all = append(all, p)
		}
	}
	return all
}

// Somebody waits whenever a message is sent.
func testLongPoll(o *office) {
	ls := o.letters(8, nil)
	waiter := func(c *clerk) {
		c.receiveUntil(poll, ls, "all deleted", isDeleted, func(ps []parcel) { c.delete(ps...) })
	}
	o.together(waiter, waiter, func(c *clerk) {
		for _, l := range ls {
			time.Sleep(7 * time.Second)
			c.send(l)
		}
	})
	// A poll that was lost has hidden the message, and wasted its wait.
	within := 3*queue.MaxWait + time.Duration(o.book.lost)*(queue.MaxWait+o.cfg.VisibilityTimeout)
	for _, l := range ls {
		if took := l.first.Sub(l.accepted); took > within {
			o.Errorf("%.40q reached a waiting receiver %v after it was accepted; want at most %v", l.m.Body, took, within)
		}
	}
}

// officeDeadLetterCases are about messages that nobody can deal with.
var officeDeadLetterCases = []officeCase{
	{
		name:        "AtLeastOnce/dead-letter",
		rule:        "a message that is never deleted ends up in the dead-letter queue, as one message, and not before it was received MaxReceives times",
		cfg:         queue.Config{VisibilityTimeout: 5 * time.Second},
		maxReceives: 3,
		test:        testDeadLetter,
	},
}

func testDeadLetter(o *office) {
	maxReceives := o.cfg.DeadLetter.MaxReceives
	ls := o.letters(12, nil)
	doomed := ls[:8]
	c, undertaker := o.clerk(), o.clerkAt(o.dead)
	c.sendMixed(ls)
	short := queue.ReceiveOptions{Max: queue.MaxReceive, Wait: time.Second}
	for end := time.Now().Add(someDay); ; {
		missing, ok := o.book.all(doomed, func(l *letter) bool { return l.dead })
		if ok {
			break
		}
		if time.Now().After(end) {
			o.Fatalf("not in the dead-letter queue after %v: %s", someDay, missing)
		}
		for _, p := range c.receive(short) {
			if p.number >= len(doomed) {
				c.delete(p)
			}
		}
		for _, p := range undertaker.receive(short) {
			if p.received+o.book.lost < maxReceives {
				o.Errorf("%.40q is in the dead-letter queue after %d receives; want %d", p.Body, p.received, maxReceives)
			}
			if p.ReceiveCount <= maxReceives {
				o.Errorf("%.40q has receive count %d in the dead-letter queue; want more than %d", p.Body, p.ReceiveCount, maxReceives)
			}
		}
	}
	copies, _ := o.peeked(o.dead)
	for id, n := range copies {
		if n != 1 {
			o.Errorf("the dead-letter queue has %d messages of ID %v; want 1", n, id)
		}
	}
}
