package queuetest

import (
	"context"
	"errors"
	"fmt"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

var deadLetterCases = []testCase{
	movesAfter(1),
	movesAfter(2),
	movesAfter(5),
	{
		name:        "Reference/14.3/lazily",
		rule:        "nothing moves to the dead-letter queue unless somebody receives from the source",
		maxReceives: 1,
		test: func(d *desk) {
			d.send("a")
			d.one("a")
			time.Sleep(time.Hour)
			synctest.Wait()
			d.at(d.dead).nothing()
			require.EqualValues(d, 0, d.stats().Moved, "Stats.Moved")
			d.nothing() // moves it
			d.at(d.dead).one("a")
		},
	},
	{
		name:        "Reference/14.3/every-receive-counts",
		rule:        "receives with a visibility timeout of zero count, and so do receives that were extended",
		maxReceives: 3,
		test: func(d *desk) {
			d.send("a")
			d.oneFor(queue.None, "a")
			d.oneFor(queue.None, "a")
			r := d.one("a").Receipt
			d.change(r, time.Minute)
			d.change(r, 0)
			d.nothing()
			d.at(d.dead).one("a")
		},
	},
	{
		name:        "Reference/14.3/others-are-received",
		rule:        "the receive that moves a message returns the others",
		maxReceives: 1,
		test: func(d *desk) {
			d.send("poison")
			d.change(d.one("poison").Receipt, 0)
			d.send("a", "b")
			require.ElementsMatch(d, []string{"a", "b"}, bodies(d.receive(10)))
			d.at(d.dead).one("poison")
		},
	},
	{
		name:        "Reference/14.3/many-move",
		rule:        "many messages that are due to move hold up nobody behind them, and all of them move",
		maxReceives: 1,
		test: func(d *desk) {
			const poison = 50
			for i := range poison {
				d.send(fmt.Sprint(i))
			}
			for range poison / 10 {
				d.exactly(10)
			}
			time.Sleep(queue.DefaultVisibility)
			d.send("good")
			require.True(d, d.eventually("good"), "the good message behind %d poisonous ones is received", poison)
			for range poison {
				d.receive(10)
			}
			require.Equal(d, poison, d.at(d.dead).drain(), "messages in the dead-letter queue")
		},
	},
	{
		name:        "Reference/14.3/deleted-in-time",
		rule:        "a message that is deleted at its last receive does not move",
		maxReceives: 2,
		test: func(d *desk) {
			d.send("a")
			d.change(d.one("a").Receipt, 0)
			d.delete(d.one("a").Receipt)
			d.staysGone()
			d.at(d.dead).nothing()
		},
	},
	{
		name: "Reference/14.3/policy-added-later",
		rule: "unverified; chosen: a dead-letter rule set later applies to messages already there, with their counts",
		test: func(d *desk) {
			dead := d.at(d.openNamed("late-dead-letters", queue.Config{}))
			target := ability[queue.Adopter](d, dead.q)
			d.send("a")
			for range 5 {
				d.change(d.one("a").Receipt, 0)
			}
			d.reconfigure(func(cfg *queue.Config) { cfg.DeadLetter = queue.DeadLetter{Target: target, MaxReceives: 3} })
			d.nothing()
			dead.one("a")
		},
	},
	{
		name:        "Reference/14.3/waiting-receiver-is-not-misled",
		rule:        "a long poll whose only message moves away goes on waiting",
		maxReceives: 1,
		cfg:         queue.Config{VisibilityTimeout: 5 * time.Second},
		test: func(d *desk) {
			d.send("poison")
			d.one("poison")
			w := d.park(queue.ReceiveOptions{})
			time.Sleep(10 * time.Second)
			d.send("good")
			w.gets(10*time.Second, "good")
			d.at(d.dead).one("poison")
		},
	},
	{
		name:        "Reference/14.4/standard",
		rule:        "a move keeps ID, body, attributes, trace header, group, sending time, first receive time; the count goes on, and the source is named",
		kind:        queue.Standard,
		maxReceives: 1,
		test:        testMovePreserves,
	},
	{
		name:        "Reference/14.4/count-continues",
		rule:        "the receive count continues in the dead-letter queue; the receive that moved the message is not counted",
		maxReceives: 2,
		test: func(d *desk) {
			d.send("a")
			d.moveByReceives(2)
			dead := d.at(d.dead)
			require.Equal(d, 3, dead.one("a").ReceiveCount, "ReceiveCount of the first receive from the dead-letter queue")
			time.Sleep(queue.DefaultVisibility)
			require.Equal(d, 4, dead.one("a").ReceiveCount, "ReceiveCount of the second")
		},
	},
	{
		name:        "Reference/14.4/stats",
		rule:        "a move counts as Moved in the source and as Adopted, not Accepted, in the target",
		maxReceives: 1,
		test: func(d *desk) {
			d.send("a")
			d.moveByReceives(1)
			require.EqualValues(d, 1, d.stats().Moved, "Stats.Moved of the source")
			require.EqualValues(d, 1, d.stats().Received, "Stats.Received of the source")
			s := d.at(d.dead).stats()
			require.EqualValues(d, 1, s.Adopted, "Stats.Adopted of the target")
			require.EqualValues(d, 0, s.Accepted, "Stats.Accepted of the target")
			require.Equal(d, 1, s.Visible, "Stats.Visible of the target")
		},
	},
	{
		name:        "Reference/14.4/receipts-of-the-source",
		rule:        "a message that moved is gone from its source: deleting there succeeds without effect, changing fails",
		maxReceives: 1,
		test: func(d *desk) {
			d.send("a")
			r := d.one("a").Receipt
			time.Sleep(queue.DefaultVisibility)
			d.nothing() // moves it
			d.delete(r)
			d.changeRefused(queue.ErrMessageGone, r, time.Minute)
			d.at(d.dead).one("a")
		},
	},
	{
		name: "Reference/14.6/chain",
		rule: "a dead-letter queue may have a dead-letter queue of its own",
		test: testDeadLetterChain,
	},
}

// movesAfter is the rule of MaxReceives for one number.
func movesAfter(n int) testCase {
	return testCase{
		name:        fmt.Sprintf("Reference/14.3/delivered-%d-times", n),
		rule:        "a message is delivered MaxReceives times; the receive that would deliver it once more moves it",
		maxReceives: n,
		test: func(d *desk) {
			d.send("a")
			for i := 1; i <= n; i++ {
				require.Equal(d, i, d.one("a").ReceiveCount, "ReceiveCount")
				d.at(d.dead).nothing()
				time.Sleep(queue.DefaultVisibility)
			}
			d.nothing()
			d.at(d.dead).one("a")
			time.Sleep(time.Hour)
			d.nothing()
		},
	}
}

// moveByReceives receives the only message n times and once more.
func (d *desk) moveByReceives(n int) {
	d.Helper()
	for range n {
		require.Len(d, d.receive(10), 1, "deliveries before the move")
		time.Sleep(queue.DefaultVisibility)
	}
	d.nothing()
}

// drain receives and deletes all that is receivable, and returns how many that
// were.
func (d *desk) drain() (n int) {
	d.Helper()
	for {
		got := d.receive(10)
		if len(got) == 0 {
			return n
		}
		require.NoError(d, d.q.DeleteBatch(d.Context(), receipts(got)), "DeleteBatch")
		n += len(got)
	}
}

// eventually polls for a minute until it receives a message of that body.
func (d *desk) eventually(body string) bool {
	d.Helper()
	for range 60 {
		for _, got := range d.receive(10) {
			if got.Body == body {
				return true
			}
		}
		time.Sleep(time.Second)
	}
	return false
}

func testMovePreserves(d *desk) {
	m := d.message("body")
	m.GroupID, m.TraceHeader = "group", traceHeader
	m.Attributes = queue.NewAttributes(map[string]queue.Value{"k": queue.String("x")})
	start := time.Now()
	sent := d.sendMessage(m)
	time.Sleep(time.Second)
	d.moveByReceives(1)
	got := d.at(d.dead).one("body")
	require.Equal(d, m, got.Message, "the message itself")
	require.Equal(d, sent.ID, got.ID, "ID")
	require.Equal(d, 2, got.ReceiveCount, "ReceiveCount")
	require.WithinDuration(d, start, got.SentAt, 0, "SentAt")
	require.WithinDuration(d, start.Add(time.Second), got.FirstReceivedAt, 0, "unverified; chosen: FirstReceivedAt")
	require.Equal(d, d.source("orders"), got.DeadLetterSource, "DeadLetterSource")
	require.Empty(d, got.DeadLetterReason, "DeadLetterReason of a move that nobody asked for")
}

func testDeadLetterChain(d *desk) {
	last := d.at(d.openNamed("last", queue.Config{}))
	middle := d.at(d.openNamed("middle", queue.Config{DeadLetter: queue.DeadLetter{Target: ability[queue.Adopter](d, last.q), MaxReceives: 2}}))
	d.q = d.openNamed("first", queue.Config{DeadLetter: queue.DeadLetter{Target: ability[queue.Adopter](d, middle.q), MaxReceives: 1}})
	d.send("a")
	d.moveByReceives(1)
	require.Equal(d, 2, middle.one("a").ReceiveCount, "ReceiveCount in the middle")
	time.Sleep(queue.DefaultVisibility)
	middle.nothing()
	got := last.one("a")
	require.Equal(d, 3, got.ReceiveCount, "ReceiveCount at the end")
	require.Equal(d, d.source("middle"), got.DeadLetterSource, "DeadLetterSource at the end")
}

// A brokenTarget is a dead-letter target whose Adopt fails while err is set.
type brokenTarget struct {
	queue.Adopter
	err error
}

func (b *brokenTarget) Adopt(ctx context.Context, ms []queue.Record, leaving *queue.Change) error {
	if b.err != nil {
		return b.err
	}
	return b.Adopter.Adopt(ctx, ms, leaving)
}

var errBroken = errors.New("target is broken")

// openBroken puts a queue on the desk whose dead-letter target is broken.
func (d *desk) openBroken(maxReceives int) (*brokenTarget, *desk) {
	d.Helper()
	dead := d.at(d.openNamed("broken", queue.Config{}))
	target := &brokenTarget{ability[queue.Adopter](d, dead.q), errBroken}
	d.q = d.openNamed("source", queue.Config{DeadLetter: queue.DeadLetter{Target: target, MaxReceives: maxReceives}})
	return target, dead
}

var brokenTargetCases = []testCase{
	{
		name: "Reference/14.6/target-fails",
		rule: "a message whose move fails stays in its source, and is delivered again",
		test: func(d *desk) {
			_, dead := d.openBroken(1)
			d.send("a")
			d.one("a")
			time.Sleep(queue.DefaultVisibility)
			require.True(d, d.eventually("a"), "the message whose move failed is delivered again within a minute")
			time.Sleep(queue.DefaultVisibility)
			require.True(d, d.eventually("a"), "the message whose move failed is delivered again and again")
			dead.nothing()
			require.EqualValues(d, 0, d.stats().Moved, "Stats.Moved")
		},
	},
	{
		name: "Reference/14.6/target-recovers",
		rule: "a message whose move failed moves when the target works again",
		test: func(d *desk) {
			target, dead := d.openBroken(1)
			d.send("a")
			d.one("a")
			time.Sleep(queue.DefaultVisibility)
			require.True(d, d.eventually("a"), "the message whose move failed is delivered again within a minute")
			target.err = nil
			time.Sleep(time.Hour)
			require.False(d, d.eventually("a"), "the message is delivered although its move can succeed")
			dead.one("a")
		},
	},
	{
		name: "Reference/14.6/target-fails-others-are-received",
		rule: "a failing dead-letter target does not keep a receive from delivering other messages",
		test: func(d *desk) {
			d.openBroken(1)
			d.send("poison")
			d.change(d.one("poison").Receipt, 0)
			d.send("good")
			require.True(d, d.eventually("good"), "the good message is received")
		},
	},
	{
		name:        "Reference/14.6/target-closed",
		rule:        "a message whose dead-letter queue is closed stays in its source, and is delivered again",
		maxReceives: 1,
		test: func(d *desk) {
			require.NoError(d, d.dead.Close())
			d.send("a")
			d.one("a")
			time.Sleep(queue.DefaultVisibility)
			require.True(d, d.eventually("a"), "the message is delivered again within a minute")
			require.EqualValues(d, 0, d.stats().Moved, "Stats.Moved")
		},
	},
	{
		name: "Reference/14.6/not-its-own",
		rule: "unverified; chosen: a queue can't be its own dead-letter queue",
		test: func(d *desk) {
			live := ability[configurable](d, d.q)
			cfg := live.Config()
			cfg.DeadLetter = queue.DeadLetter{Target: ability[queue.Adopter](d, d.q), MaxReceives: 1}
			d.refused(queue.ErrInvalidParameter, func() error { return live.Reconfigure(d.Context(), cfg) })
		},
	},
	{
		name: "Reference/14.1/same-kind",
		rule: "a dead-letter queue is of the same kind as its source",
		test: func(d *desk) {
			target := otherKind{ability[queue.Adopter](d, d.q)}
			_, err := d.harness.New(d.T, queue.Config{Name: d.name("source"), DeadLetter: queue.DeadLetter{Target: target, MaxReceives: 1}})
			require.ErrorIs(d, err, queue.ErrInvalidParameter)
		},
	},
}

// otherKind claims to be of the other kind.
type otherKind struct{ queue.Adopter }

func (o otherKind) Kind() queue.Kind { return queue.Standard + queue.FIFO - o.Adopter.Kind() }

var setAsideCases = []testCase{
	{
		name:        "Contract/DeadLetter/moves-at-once",
		rule:        "DeadLetter moves the message at once, and its deliveries carry the reason",
		maxReceives: 10,
		test: func(d *desk) {
			sent := d.send("a")[0]
			d.setAside(d.one("a").Receipt, "can't be parsed")
			got := d.at(d.dead).one("a")
			require.Equal(d, sent.ID, got.ID, "ID")
			require.Equal(d, 2, got.ReceiveCount, "ReceiveCount")
			require.Equal(d, d.source("orders"), got.DeadLetterSource, "DeadLetterSource")
			require.Equal(d, "can't be parsed", got.DeadLetterReason, "DeadLetterReason")
			d.staysGone()
		},
	},
	{
		name:        "Contract/DeadLetter/gone",
		rule:        "a message that was set aside is gone from its source",
		maxReceives: 10,
		test: func(d *desk) {
			d.send("a")
			r := d.one("a").Receipt
			d.setAside(r, "")
			d.delete(r)
			d.changeRefused(queue.ErrMessageGone, r, time.Minute)
			d.setAsideRefused(queue.ErrMessageGone, r)
			require.Empty(d, d.at(d.dead).one("a").DeadLetterReason, "DeadLetterReason")
		},
	},
	{
		name: "Contract/DeadLetter/no-target",
		rule: "DeadLetter on a queue without a dead-letter queue is refused",
		test: func(d *desk) {
			d.send("a")
			d.setAsideRefused(queue.ErrNoDeadLetter, d.one("a").Receipt)
		},
	},
	{
		name:        "Contract/DeadLetter/bad-receipts",
		rule:        "DeadLetter refuses the receipts that ChangeVisibility refuses",
		maxReceives: 10,
		test: func(d *desk) {
			d.send("a")
			r := d.one("a").Receipt
			d.setAsideRefused(queue.ErrReceiptInvalid, garbage)
			d.setAsideRefused(queue.ErrMissingParameter, queue.Receipt{})
			d.delete(r)
			d.setAsideRefused(queue.ErrMessageGone, r)
		},
	},
	{
		name:        "Contract/DeadLetter/fenced",
		rule:        "with FencedReceipts an expired or superseded receipt can't set a message aside",
		cfg:         queue.Config{FencedReceipts: true},
		maxReceives: 10,
		test: func(d *desk) {
			old := d.expired()
			d.setAsideRefused(queue.ErrReceiptExpired, old)
			latest := d.one("a").Receipt
			d.setAsideRefused(queue.ErrReceiptExpired, old)
			d.setAside(latest, "")
			d.at(d.dead).one("a")
		},
	},
	{
		name:        "Contract/DeadLetter/standard-expired-receipt",
		rule:        "on a Standard queue an expired receipt, which may change the visibility, may set aside",
		kind:        queue.Standard,
		maxReceives: 10,
		test: func(d *desk) {
			d.setAside(d.expired(), "late")
			d.nothing()
			d.at(d.dead).one("a")
		},
	},
	{
		name: "Contract/DeadLetter/target-fails",
		rule: "DeadLetter returns the target's error and changes nothing, so that its receiver keeps the message",
		test: func(d *desk) {
			_, dead := d.openBroken(10)
			d.send("a")
			start := time.Now()
			d.setAsideRefused(errBroken, d.one("a").Receipt)
			d.receivableAt(start.Add(queue.DefaultVisibility), "a")
			dead.nothing()
		},
	},
}

func (d *desk) setAside(r queue.Receipt, reason string) {
	d.Helper()
	require.NoError(d, ability[queue.DeadLetterer](d, d.q).DeadLetter(d.Context(), r, reason), "DeadLetter")
}

func (d *desk) setAsideRefused(want error, r queue.Receipt) {
	d.Helper()
	d.refused(want, func() error { return ability[queue.DeadLetterer](d, d.q).DeadLetter(d.Context(), r, "") })
}

var purgeCases = []testCase{
	{
		name: "Reference/4.5/every-state",
		rule: "a purge removes visible, in-flight and delayed messages",
		test: testPurgeEveryState,
	},
	{
		name: "Reference/4.5/receipts",
		rule: "unverified for FIFO; chosen: a receipt from before the purge deletes without error, and changes nothing any more",
		test: func(d *desk) {
			d.send("a")
			r := d.one("a").Receipt
			d.purge()
			d.delete(r)
			d.changeRefused(queue.ErrMessageGone, r, time.Minute)
		},
	},
	{
		name: "Reference/4.5/old-receipt-new-message",
		rule: "a receipt from before the purge has no power over messages sent after it",
		test: func(d *desk) {
			d.send("before")
			r := d.one("before").Receipt
			d.purge()
			d.send("after")
			d.delete(r)
			d.one("after")
		},
	},
	{
		name: "Reference/4.5/queue-goes-on",
		rule: "a purged queue takes and delivers messages as before",
		test: func(d *desk) {
			d.purge()
			d.send("a", "b")
			d.purge()
			sent := d.send("c")[0]
			got := d.one("c")
			require.Equal(d, sent.ID, got.ID, "ID")
			require.Equal(d, 1, got.ReceiveCount, "ReceiveCount")
			require.EqualValues(d, 2, d.stats().Purged, "Stats.Purged")
		},
	},
	{
		name: "Reference/4.5/waiters-wait-on",
		rule: "a purge does not end a long poll, which gets what is sent afterwards",
		test: func(d *desk) {
			w := d.park(queue.ReceiveOptions{})
			time.Sleep(time.Second)
			d.purge()
			time.Sleep(time.Second)
			d.send("a")
			w.gets(2*time.Second, "a")
		},
	},
}

func testPurgeEveryState(d *desk) {
	d.q = d.openNamed("delaying", queue.Config{Delay: time.Minute})
	d.send("in flight", "visible")
	time.Sleep(time.Minute)
	d.exactly(1)
	d.send("delayed")
	d.purge()
	s := d.stats()
	require.EqualValues(d, 3, s.Purged, "Stats.Purged")
	require.Zero(d, s.Pending+s.Delayed+s.Visible+s.InFlight, "messages held after the purge")
	require.Empty(d, d.peek(), "messages seen by Peek after the purge")
	d.staysGone()
}
