package queuetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

// The group rule: in each group the messages before the first one that is in
// flight or delayed are deliverable, and nothing from it on is. Every message
// has its own deadline; there is no lock on a group.

// threeTaken receives the messages 1, 2 and 3 of one group together; 4 waits
// behind them.
func (d *desk) threeTaken() []queue.Receipt {
	d.Helper()
	d.sendIn("g", "1", "2", "3", "4")
	got := d.receive(3)
	require.Equal(d, []string{"1", "2", "3"}, bodies(got))
	return receipts(got)
}

// receives asserts what a receive of up to ten returns.
func (d *desk) receives(want ...string) []queue.Delivery {
	d.Helper()
	got := d.receive(10)
	require.Equal(d, want, bodies(got), "bodies received, in order")
	return got
}

var fifoGroupCases = []testCase{
	extended("extend-first", "1 extended: nothing is deliverable", 0),
	extended("extend-second", "2 extended: only 1 is deliverable", 1, "1"),
	extended("extend-third", "3 extended: 1 and 2 are deliverable", 2, "1", "2"),
	{
		name: "Reference/10.1/release-first",
		rule: "1 given back while 2 is in flight: 1 is deliverable again, and 2's deadline is untouched",
		kind: queue.FIFO,
		test: func(d *desk) {
			start := time.Now()
			rs := d.threeTaken()
			time.Sleep(10 * time.Second)
			d.change(rs[0], 0)
			r := d.receives("1")[0].Receipt
			d.nothing()
			d.delete(r)
			sleepUntil(start.Add(queue.DefaultVisibility - tick))
			d.nothing()
			sleepUntil(start.Add(queue.DefaultVisibility))
			d.receives("2", "3", "4")
		},
	},
	{
		name: "Reference/10.1/delete-first-while-second-in-flight",
		rule: "1 deleted while 2 is in flight: the group is still blocked",
		kind: queue.FIFO,
		test: func(d *desk) {
			rs := d.threeTaken()
			d.delete(rs[0])
			d.nothing()
			d.delete(rs[2])
			d.nothing()
		},
	},
	{
		name: "Reference/10.1/delete-all-received",
		rule: "all received messages deleted: the rest is deliverable at once",
		kind: queue.FIFO,
		test: func(d *desk) {
			rs := d.threeTaken()
			require.NoError(d, d.q.DeleteBatch(d.Context(), rs))
			d.receives("4")
		},
	},
	{
		name: "Reference/10.1/delete-out-of-order",
		rule: "the order of the deletes does not matter",
		kind: queue.FIFO,
		test: func(d *desk) {
			rs := d.threeTaken()
			for _, i := range []int{1, 2, 0} {
				d.nothing()
				d.delete(rs[i])
			}
			d.receives("4")
		},
	},
	{
		name: "Reference/10.1/expired-received",
		rule: "all received messages expired: the rest is deliverable at once",
		kind: queue.FIFO,
		cfg:  queue.Config{Retention: time.Minute},
		test: func(d *desk) {
			d.sendIn("g", "1")
			d.oneFor(time.Hour, "1")
			time.Sleep(30 * time.Second)
			d.sendIn("g", "2")
			time.Sleep(30*time.Second - tick)
			d.nothing()
			time.Sleep(tick)
			d.receives("2")
		},
	},
	{
		name: "Reference/10.1/send-into-blocked-group",
		rule: "sending into a blocked group neither unblocks it nor alters deadlines",
		kind: queue.FIFO,
		test: func(d *desk) {
			start := time.Now()
			d.sendIn("g", "1")
			d.one("1")
			time.Sleep(10 * time.Second)
			d.sendIn("g", "2")
			d.nothing()
			sleepUntil(start.Add(queue.DefaultVisibility - tick))
			d.nothing()
			sleepUntil(start.Add(queue.DefaultVisibility))
			d.receives("1", "2")
		},
	},
	{
		name: "Reference/10.1/refilled-group",
		rule: "a group emptied by deletes and filled again is deliverable",
		kind: queue.FIFO,
		test: func(d *desk) {
			for i := range 50 {
				body := fmt.Sprint(i)
				d.sendIn("g", body)
				d.delete(d.one(body).Receipt)
				d.nothing()
			}
		},
	},
	{
		name: "Reference/10.1/timed-out-head",
		rule: "a head that timed out comes back in its place, before all later ones",
		kind: queue.FIFO,
		test: func(d *desk) {
			d.sendIn("g", "1", "2")
			require.Equal(d, []string{"1"}, bodies(d.receive(1)))
			d.nothing()
			time.Sleep(queue.DefaultVisibility)
			d.receives("1", "2")
		},
	},
	{
		name: "Reference/10.1/delayed-blocks",
		rule: "a delayed message blocks later ones of its group",
		kind: queue.FIFO,
		cfg:  queue.Config{Delay: 10 * time.Second},
		test: func(d *desk) {
			start := time.Now()
			d.sendIn("g", "1")
			time.Sleep(5 * time.Second)
			d.sendIn("g", "2")
			sleepUntil(start.Add(10*time.Second - tick))
			d.nothing()
			sleepUntil(start.Add(10 * time.Second))
			d.delete(d.receives("1")[0].Receipt)
			sleepUntil(start.Add(15*time.Second - tick))
			d.nothing()
			sleepUntil(start.Add(15 * time.Second))
			d.receives("2")
		},
	},
	{
		name: "Reference/10.1/other-groups-go-on",
		rule: "a blocked group holds no other group up",
		kind: queue.FIFO,
		test: func(d *desk) {
			d.sendIn("blocked", "1", "2")
			require.Equal(d, []string{"1"}, bodies(d.receive(1)))
			for i := range 100 {
				d.sendIn(fmt.Sprint("g", i), "x")
			}
			for range 10 {
				d.exactly(10)
			}
			d.nothing()
		},
	},
	{
		name: "Reference/3/fifo-stuck-counts-as-visible",
		rule: "messages behind an in-flight one of their group count as visible",
		kind: queue.FIFO,
		test: func(d *desk) {
			for _, g := range []string{"a", "b", "c"} {
				d.sendIn(g, g+"1")
			}
			for _, g := range []string{"a", "b", "c"} {
				d.sendIn(g, g+"2")
			}
			first, second := d.exactly(1), d.exactly(1)
			require.NotEqual(d, first[0].GroupID, second[0].GroupID, "groups of two receives")
			s := d.stats()
			require.Equal(d, [2]int{4, 2}, [2]int{s.Visible, s.InFlight}, "Visible, InFlight")
		},
	},
	unblocks("delete-of-head", "the delete of a group's head", func(d *desk, head queue.Receipt) { d.delete(head) }),
	unblocks("dead-letter-of-head", "setting a group's head aside", func(d *desk, head queue.Receipt) { d.setAside(head, "") }),
	{
		name: "Reference/8.2/wakes/fifo-expiry-of-head",
		rule: "the expiry of a group's head wakes a long poll",
		kind: queue.FIFO,
		cfg:  queue.Config{Retention: time.Minute},
		test: func(d *desk) {
			d.sendIn("g", "head")
			d.oneFor(time.Hour, "head")
			time.Sleep(50 * time.Second)
			d.sendIn("g", "a")
			d.park(queue.ReceiveOptions{}).gets(10*time.Second, "a")
		},
	},
}

// extended is a case of the recorded rule: 1, 2 and 3 are received together,
// one of them is extended, the timeouts of the others pass.
func extended(name, rule string, which int, want ...string) testCase {
	return testCase{
		name: "Reference/10.1/" + name,
		rule: "of 1, 2 and 3 received together " + rule,
		kind: queue.FIFO,
		test: func(d *desk) {
			rs := d.threeTaken()
			d.change(rs[which], time.Hour)
			time.Sleep(queue.DefaultVisibility)
			d.receives(want...)
		},
	}
}

// unblocks is a case in which what happens to the head of a group makes the next
// message receivable, and so wakes a long poll.
func unblocks(name, what string, act func(d *desk, head queue.Receipt)) testCase {
	return testCase{
		name:        "Reference/8.2/wakes/fifo-" + name,
		rule:        what + " wakes a long poll when it unblocks the group",
		kind:        queue.FIFO,
		maxReceives: 10,
		test: func(d *desk) {
			d.sendIn("g", "head", "a")
			head := d.exactly(1)[0].Receipt
			w := d.park(queue.ReceiveOptions{})
			time.Sleep(time.Second)
			act(d, head)
			w.gets(time.Second, "a")
		},
	}
}

var fifoFillCases = []testCase{
	{
		name: "Reference/10.2/same-group-first",
		rule: "one receive takes as many as possible from one group, in order, before it goes on to another",
		kind: queue.FIFO,
		test: func(d *desk) {
			for i := 1; i <= 3; i++ {
				d.sendIn("a", fmt.Sprint("a", i))
				d.sendIn("b", fmt.Sprint("b", i))
			}
			got := d.exactly(4)
			first, second := got[0].GroupID, got[3].GroupID
			require.NotEqual(d, first, second, "groups of the first and the fourth delivery")
			require.Equal(d, []string{first + "1", first + "2", first + "3", second + "1"}, bodies(got))
		},
	},
	{
		name: "Reference/10.2/ten-of-one-group",
		rule: "one receive returns up to ten messages of one group",
		kind: queue.FIFO,
		test: func(d *desk) {
			d.sendIn("g", eleven...)
			require.Equal(d, eleven[:10], bodies(d.receive(10)))
			d.nothing()
		},
	},
	{
		name: "Reference/10.2/one-of-each-of-ten-groups",
		rule: "one receive goes on into other groups until it is full",
		kind: queue.FIFO,
		test: func(d *desk) {
			for i := range 12 {
				d.sendIn(fmt.Sprint(i), fmt.Sprint(i))
			}
			d.exactly(10)
			d.exactly(2)
			d.nothing()
		},
	},
	{
		name: "Reference/10.2/concurrent-receivers",
		rule: "concurrent receivers get different groups",
		kind: queue.FIFO,
		test: func(d *desk) {
			for _, g := range []string{"a", "b", "c"} {
				d.sendIn(g, "1", "2", "3")
			}
			seen := map[string]bool{}
			for range 3 {
				got := d.receive(2)
				require.Equal(d, []string{"1", "2"}, bodies(got))
				require.Equal(d, got[0].GroupID, got[1].GroupID, "groups of one receive")
				require.False(d, seen[got[0].GroupID], "group %s is held by two receivers", got[0].GroupID)
				seen[got[0].GroupID] = true
			}
			d.nothing()
		},
	},
	{
		name: "Reference/10.2/released-head-to-another-receiver",
		rule: "after 1 and 2 were received, 1 given back goes to another receiver while 2 is still held",
		kind: queue.FIFO,
		test: func(d *desk) {
			d.sendIn("g", "1", "2")
			d.change(d.receives("1", "2")[0].Receipt, 0)
			d.receives("1")
		},
	},
	{
		name: "Reference/10.2/released-group-goes-behind",
		rule: "a group that was just received and given back goes behind the others",
		kind: queue.FIFO,
		test: func(d *desk) {
			d.sendIn("a", "a1")
			d.sendIn("b", "b1")
			first := d.exactly(1)
			d.change(first[0].Receipt, 0)
			got := d.exactly(2)
			require.NotEqual(d, first[0].Body, got[0].Body, "first message after the group was given back")
		},
	},
	{
		name: "Reference/10.2/redelivery-keeps-position",
		rule: "a poison message blocks its group, and never moves back in it",
		kind: queue.FIFO,
		test: func(d *desk) {
			d.sendIn("g", "poison", "next")
			for range 20 {
				got := d.receive(1)
				require.Equal(d, []string{"poison"}, bodies(got))
				d.nothing()
				time.Sleep(queue.DefaultVisibility)
			}
		},
	},
	{
		name: "Reference/10.2/huge-blocked-group",
		rule: "chosen: a huge backlog of one blocked group hides no other group",
		kind: queue.FIFO,
		test: func(d *desk) {
			for range 5000 {
				d.sendIn("g", "x")
			}
			d.exactly(1)
			d.sendIn("other", "a")
			d.receives("a")
		},
	},
}

var fifoAttemptCases = []testCase{
	{
		name: "Reference/10.3/repeat",
		rule: "the same attempt ID returns the same messages with the same receipts, although they are invisible",
		kind: queue.FIFO,
		test: func(d *desk) {
			d.sendIn("g", "1", "2", "3")
			first := d.attempt("id", 2)
			again := d.attempt("id", 2)
			require.Equal(d, []string{"1", "2"}, bodies(first))
			require.Equal(d, bodies(first), bodies(again))
			require.Equal(d, receipts(first), receipts(again), "receipts")
			d.nothing()
		},
	},
	{
		name: "Reference/10.3/timeout-restarts",
		rule: "a repeated attempt restarts the visibility timeout",
		kind: queue.FIFO,
		test: func(d *desk) {
			d.sendIn("g", "1")
			d.attempt("id", 1)
			time.Sleep(20 * time.Second)
			start := time.Now()
			again := d.attempt("id", 1)
			require.WithinDuration(d, start.Add(queue.DefaultVisibility), again[0].VisibleAt, 0, "VisibleAt")
			d.receivableAt(start.Add(queue.DefaultVisibility), "1")
		},
	},
	{
		name: "Reference/10.3/receipts-work-after-the-repeat",
		rule: "the receipt of a repeated attempt deletes until the restarted timeout has passed",
		kind: queue.FIFO,
		test: func(d *desk) {
			d.sendIn("g", "1")
			first := d.attempt("id", 1)
			time.Sleep(20 * time.Second)
			d.attempt("id", 1)
			time.Sleep(20 * time.Second)
			d.delete(first[0].Receipt)
			d.staysGone()
		},
	},
	{
		name: "Reference/10.3/count-stays",
		rule: "unverified; chosen: a repeated attempt does not raise the receive count",
		kind: queue.FIFO,
		test: func(d *desk) {
			d.sendIn("g", "1")
			for range 5 {
				require.Equal(d, 1, d.attempt("id", 1)[0].ReceiveCount, "ReceiveCount")
			}
		},
	},
	attemptInvalid("deleted", "one of them was deleted", func(d *desk, rs []queue.Receipt) { d.delete(rs[1]) }),
	attemptInvalid("extended", "one of them was extended", func(d *desk, rs []queue.Receipt) { d.change(rs[1], time.Hour) }),
	attemptInvalid("released", "one of them was given back", func(d *desk, rs []queue.Receipt) { d.change(rs[0], 0) }),
	{
		name: "Reference/10.3/other-id",
		rule: "another attempt ID is another receive",
		kind: queue.FIFO,
		test: func(d *desk) {
			d.sendIn("a", "1")
			d.sendIn("b", "1")
			first, second := d.attempt("x", 1), d.attempt("y", 1)
			require.NotEqual(d, first[0].GroupID, second[0].GroupID, "groups of two attempts")
			d.attempt("z", 0)
			require.Equal(d, receipts(first), receipts(d.attempt("x", 1)))
		},
	},
	{
		name: "Reference/10.3/no-id",
		rule: "receives without an attempt ID are never repetitions",
		kind: queue.FIFO,
		test: func(d *desk) {
			d.sendIn("g", "1")
			d.one("1")
			d.nothing()
		},
	},
	{
		name: "Reference/10.3/after-five-minutes",
		rule: "unverified; chosen: after five minutes the attempt ID is a fresh receive",
		kind: queue.FIFO,
		cfg:  queue.Config{VisibilityTimeout: time.Hour},
		test: func(d *desk) {
			d.sendIn("a", "1")
			d.attempt("id", 1)
			d.sendIn("b", "2")
			time.Sleep(queue.AttemptInterval + tick)
			require.Equal(d, []string{"2"}, bodies(d.attempt("id", 1)))
		},
	},
	{
		name: "Reference/10.3/after-an-empty-receive",
		rule: "unverified; chosen: an attempt that returned nothing can be repeated as a fresh receive",
		kind: queue.FIFO,
		test: func(d *desk) {
			d.attempt("id", 0)
			d.sendIn("g", "1")
			require.Equal(d, []string{"1"}, bodies(d.attempt("id", 1)))
		},
	},
}

// attempt is a receive with an attempt ID that gets n messages; zero stands for
// a receive of one that gets none.
func (d *desk) attempt(id string, n int) []queue.Delivery {
	d.Helper()
	got := d.receiveWith(queue.ReceiveOptions{Max: n, AttemptID: id})
	require.Len(d, got, n, "deliveries of attempt %q", id)
	return got
}

// attemptInvalid is a case in which something happens to the messages of an
// attempt, so that it can't be repeated.
func attemptInvalid(name, what string, act func(d *desk, rs []queue.Receipt)) testCase {
	return testCase{
		name: "Reference/10.3/" + name,
		rule: "an attempt can't be repeated after " + what,
		kind: queue.FIFO,
		test: func(d *desk) {
			d.sendIn("g", "1", "2")
			act(d, receipts(d.attempt("id", 2)))
			d.refused(queue.ErrAttemptInvalid, func() error {
				_, err := d.q.Receive(d.Context(), queue.ReceiveOptions{Max: 2, AttemptID: "id"})
				return err
			})
		},
	}
}

var fifoTimeCases = []testCase{
	{
		name: "Reference/11/fifo-queue-delay-is-retroactive",
		rule: "a changed queue delay concerns queued messages too, counted from their sending",
		kind: queue.FIFO,
		cfg:  queue.Config{Delay: time.Minute},
		test: func(d *desk) {
			start := time.Now()
			d.sendIn("g", "a")
			time.Sleep(5 * time.Second)
			d.reconfigure(func(cfg *queue.Config) { cfg.Delay = 10 * time.Second })
			d.delete(d.receivableAt(start.Add(10*time.Second), "a").Receipt)

			start = time.Now()
			d.sendIn("g", "b")
			time.Sleep(5 * time.Second)
			d.reconfigure(func(cfg *queue.Config) { cfg.Delay = time.Minute })
			d.receivableAt(start.Add(time.Minute), "b")
		},
	},
	{
		name: "Reference/11/fifo-shortened-delay-wakes",
		rule: "a shortened queue delay wakes a long poll",
		kind: queue.FIFO,
		cfg:  queue.Config{Delay: time.Minute},
		test: func(d *desk) {
			d.sendIn("g", "a")
			w := d.park(queue.ReceiveOptions{})
			time.Sleep(5 * time.Second)
			d.reconfigure(func(cfg *queue.Config) { cfg.Delay = queue.None })
			w.gets(5*time.Second, "a")
		},
	},
	{
		name: "Reference/12/fifo-dead-letter-restarts-the-clock",
		rule: "on FIFO queues a move renews the time of sending, and so the retention",
		kind: queue.FIFO,
		test: func(d *desk) {
			dead := d.at(d.openNamed("short-dead-letters", queue.Config{Retention: time.Minute}))
			d.q = d.openNamed("source", queue.Config{DeadLetter: queue.DeadLetter{Target: ability[queue.Adopter](d, dead.q), MaxReceives: 1}})
			d.send("a")
			d.one("a")
			time.Sleep(time.Hour)
			d.nothing() // moves it
			moved := time.Now()
			time.Sleep(time.Minute - tick)
			require.WithinDuration(d, moved, dead.oneFor(queue.None, "a").SentAt, 0, "SentAt")
			time.Sleep(tick)
			dead.nothing()
		},
	},
}

var fifoDeadLetterCases = []testCase{
	{
		name:        "Reference/14.4/fifo",
		rule:        "a move keeps ID, body, attributes, trace header and group, renews the sending time, and makes the ID the deduplication ID",
		kind:        queue.FIFO,
		maxReceives: 1,
		test:        testFIFOMovePreserves,
	},
	{
		name:        "Reference/14.4/fifo-group-goes-on",
		rule:        "when a group's head moves away, the receive that moved it returns the next message",
		kind:        queue.FIFO,
		maxReceives: 1,
		test: func(d *desk) {
			d.sendIn("g", "poison", "next")
			require.Equal(d, []string{"poison"}, bodies(d.receive(1)))
			time.Sleep(queue.DefaultVisibility)
			d.receives("next")
			d.at(d.dead).one("poison")
		},
	},
	{
		name:        "Reference/14.4/fifo-order-in-the-dead-letter-queue",
		rule:        "the dead-letter queue orders by group too",
		kind:        queue.FIFO,
		maxReceives: 1,
		test: func(d *desk) {
			d.sendIn("g", "1", "2", "3")
			d.receives("1", "2", "3")
			time.Sleep(queue.DefaultVisibility)
			d.nothing()
			dead := d.at(d.dead)
			require.Equal(d, []string{"1"}, bodies(dead.receive(1)))
			dead.nothing()
		},
	},
	{
		name: "Reference/14.4/fifo-equal-bodies",
		rule: "equal bodies of different messages both arrive in a dead-letter queue with content-based deduplication",
		kind: queue.FIFO,
		test: func(d *desk) {
			dead := d.at(d.openNamed("content-dead-letters", queue.Config{ContentDeduplication: true}))
			d.q = d.openNamed("source", queue.Config{DeadLetter: queue.DeadLetter{Target: ability[queue.Adopter](d, dead.q), MaxReceives: 1}})
			d.sendIn("g", "a", "a")
			d.receives("a", "a")
			time.Sleep(queue.DefaultVisibility)
			d.nothing()
			dead.receives("a", "a")
		},
	},
	{
		name: "Contract/Adopt/fifo",
		rule: "a FIFO queue takes a message over with its ID and counts, a new sending time, and the ID as deduplication ID",
		kind: queue.FIFO,
		cfg:  queue.Config{Delay: time.Minute},
		test: func(d *desk) {
			r := d.record("a")
			r.Receives, r.DueAt = 7, time.Now().Add(time.Hour).UnixMilli()
			r.SentAt = time.Now().Add(-time.Hour).UnixMilli()
			require.NoError(d, ability[queue.Adopter](d, d.q).Adopt(d.Context(), []queue.Record{r}, nil))
			got := d.one("a")
			require.Equal(d, r.ID, got.ID, "ID")
			require.Equal(d, r.ID.String(), got.DeduplicationID, "DeduplicationID")
			require.Equal(d, r.GroupID, got.GroupID, "GroupID")
			require.Equal(d, 8, got.ReceiveCount, "ReceiveCount")
			require.WithinDuration(d, time.Now(), got.SentAt, 0, "SentAt")
		},
	},
}

func testFIFOMovePreserves(d *desk) {
	m := d.message("body")
	m.TraceHeader = traceHeader
	m.Attributes = queue.NewAttributes(map[string]queue.Value{"k": queue.String("x")})
	start := time.Now()
	sent := d.sendMessage(m)
	time.Sleep(time.Second)
	d.moveByReceives(1)
	moved := time.Now()
	got := d.at(d.dead).one("body")
	m.DeduplicationID = sent.ID.String()
	require.Equal(d, m, got.Message, "the message itself, with the ID as its deduplication ID")
	require.Equal(d, sent.ID, got.ID, "ID")
	require.NotZero(d, got.Sequence, "Sequence")
	require.Equal(d, 2, got.ReceiveCount, "ReceiveCount")
	require.WithinDuration(d, moved, got.SentAt, 0, "SentAt")
	require.WithinDuration(d, start.Add(time.Second), got.FirstReceivedAt, 0, "unverified; chosen: FirstReceivedAt")
	require.Equal(d, d.source("orders"), got.DeadLetterSource, "DeadLetterSource")
}

var fifoInvariantCases = []testCase{
	{
		name: "Invariant/5/in-order-through-everything",
		rule: "group order: what is deleted of a group is deleted in the order of sending, among many senders and slow receivers",
		kind: queue.FIFO,
		cfg:  queue.Config{VisibilityTimeout: time.Second},
		test: testGroupOrder,
	},
	{
		name: "Invariant/5/older-ones-gone-or-along",
		rule: "group order: a message is handed out only when every older one is gone or goes out in the same receive",
		kind: queue.FIFO,
		test: func(d *desk) {
			d.sendIn("g", eleven...)
			for left := eleven; len(left) > 0; {
				got := d.receive(3)
				n := min(3, len(left))
				require.Equal(d, left[:n], bodies(got))
				d.nothing()
				require.NoError(d, d.q.DeleteBatch(d.Context(), receipts(got)))
				left = left[n:]
			}
		},
	},
	{
		name: "Invariant/7/fifo-waiters-and-groups",
		rule: "waiters are served in arrival order as groups become free",
		kind: queue.FIFO,
		test: func(d *desk) {
			d.sendIn("g", "1", "2", "3")
			head := d.exactly(1)[0].Receipt
			first, second := d.park(queue.ReceiveOptions{}), d.park(queue.ReceiveOptions{})
			time.Sleep(time.Second)
			d.delete(head)
			got := first.gets(time.Second, "2")
			require.True(d, second.waiting(), "the second waiter waits while the group is held")
			time.Sleep(time.Second)
			d.delete(got[0].Receipt)
			second.gets(2*time.Second, "3")
		},
	},
}

// testGroupOrder has receivers that sometimes are too slow and sometimes give
// back; each remembers what it deleted while it was the holder.
func testGroupOrder(d *desk) {
	const groups, each = 5, 60
	ctx, cancel := context.WithCancel(d.Context())
	defer cancel()
	var mu sync.Mutex // guards deleted
	deleted := map[string][]string{}
	var senders, receivers sync.WaitGroup
	for g := range groups {
		senders.Go(func() {
			for i := range each {
				if _, err := d.q.Send(ctx, d.in(fmt.Sprint(g), fmt.Sprintf("%03d", i))); err != nil {
					d.Errorf("Send = %v; want nil", err)
				}
				time.Sleep(time.Duration(g+1) * 10 * time.Millisecond)
			}
		})
	}
	for r := range 6 {
		random := rand.New(rand.NewPCG(7, uint64(r)))
		receivers.Go(func() {
			for ctx.Err() == nil {
				got, _ := d.q.Receive(ctx, queue.ReceiveOptions{Max: 1 + random.IntN(5), Wait: time.Second})
				for _, g := range got {
					time.Sleep(time.Duration(random.IntN(400)) * time.Millisecond)
					mu.Lock()
					if !time.Now().Before(g.VisibleAt) || d.q.Delete(context.WithoutCancel(ctx), g.Receipt) != nil {
						mu.Unlock()
						break // too slow: it and those after it may be somebody else's
					}
					deleted[g.GroupID] = append(deleted[g.GroupID], g.Body)
					mu.Unlock()
				}
			}
		})
	}
	senders.Wait()
	for deadline := time.Now().Add(time.Hour); d.stats().Deleted < groups*each && time.Now().Before(deadline); {
		time.Sleep(time.Second)
	}
	cancel()
	receivers.Wait()
	for g := range groups {
		var want []string
		for i := range each {
			want = append(want, fmt.Sprintf("%03d", i))
		}
		require.Equal(d, want, deleted[fmt.Sprint(g)], "deletes of group %d, in order", g)
	}
}
