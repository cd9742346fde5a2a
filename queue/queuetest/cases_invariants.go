package queuetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

// What must hold whatever happens, tried with crowds and at the same instant.
// The balance of the counters (8) and, for refused calls, what they left (9)
// are also checked after and within all other cases.

var invariantCases = []testCase{
	{
		name: "Invariant/1/every-message-arrives",
		rule: "nothing accepted is lost: a thousand messages sent are the thousand messages received",
		test: func(d *desk) {
			want := make(map[queue.MessageID]bool)
			for i := range 1000 {
				want[d.send(fmt.Sprint(i))[0].ID] = true
			}
			for range 100 {
				for _, got := range d.receive(10) {
					require.True(d, want[got.ID], "message %v was not sent, or came twice", got.ID)
					delete(want, got.ID)
				}
			}
			require.Empty(d, want, "messages that did not arrive")
		},
	},
	{
		name: "Invariant/1/until-deleted",
		rule: "nothing accepted is lost: a message that nobody deletes comes back each time",
		test: func(d *desk) {
			d.send("a")
			for n := 1; n <= 200; n++ {
				require.Equal(d, n, d.one("a").ReceiveCount, "ReceiveCount")
				time.Sleep(queue.DefaultVisibility)
			}
		},
	},
	{
		name: "Invariant/1/crowd",
		rule: "nothing accepted is lost, nothing deleted comes back, and nobody holds what another one holds, among many senders and receivers at once",
		test: func(d *desk) { testCrowd(d, 8, 250) },
	},
	{
		name:        "Invariant/1/crowd-with-dead-letters",
		rule:        "nothing accepted is lost while many receivers give back and messages move to the dead-letter queue",
		cfg:         queue.Config{VisibilityTimeout: 100 * time.Millisecond},
		maxReceives: 2,
		test:        testCrowdDeadLetters,
	},
	{
		name: "Invariant/2/deleted-while-visible",
		rule: "deleted means gone: a message deleted while it is visible is not delivered, although it was next",
		kind: queue.Standard,
		test: func(d *desk) {
			d.delete(d.expired())
			d.send("b")
			d.one("b")
		},
	},
	{
		name: "Invariant/2/deleted-at-its-deadline",
		rule: "deleted means gone: a Delete at the instant of the deadline that succeeds is final",
		test: func(d *desk) {
			for range 20 {
				d.send("a")
				r := d.one("a").Receipt
				w := d.park(queue.ReceiveOptions{Wait: queue.MaxWait})
				d.change(r, time.Second)
				time.Sleep(time.Second)
				err := d.q.Delete(d.Context(), r)
				<-w.done
				require.NoError(d, w.err)
				if err == nil && len(w.got) == 0 {
					continue
				}
				require.Len(d, w.got, 1, "deliveries to the waiter when Delete = %v", err)
				if err != nil {
					d.delete(w.got[0].Receipt)
				}
			}
			d.staysGone()
		},
	},
	{
		name: "Invariant/2/deleted-before-a-batch-comes-back",
		rule: "deleted means gone: of messages that time out together, the deleted ones don't come back",
		test: func(d *desk) {
			for i := range 1000 {
				d.send(fmt.Sprint(i))
			}
			kept := 0
			for i := range 100 {
				got := d.exactly(10)
				require.NoError(d, d.q.DeleteBatch(d.Context(), receipts(got[:i%10+1])))
				kept += 9 - i%10
			}
			time.Sleep(queue.DefaultVisibility)
			require.Equal(d, kept, d.drain(), "messages that came back")
			d.staysGone()
		},
	},
	{
		name: "Invariant/3/many-receivers-one-message",
		rule: "one holder at a time: of many receivers at once one gets the message",
		test: func(d *desk) {
			d.send("a")
			for range 20 {
				require.Equal(d, 1, d.race(10), "deliveries of one message to ten receivers at once")
				time.Sleep(queue.DefaultVisibility)
			}
		},
	},
	{
		name: "Invariant/3/many-waiters-one-message",
		rule: "one holder at a time: of many waiting receivers one gets the message",
		test: func(d *desk) {
			var ws []*waiter
			for range 10 {
				ws = append(ws, d.park(queue.ReceiveOptions{Max: 10}))
			}
			d.send("a")
			n := 0
			for _, w := range ws {
				<-w.done
				require.NoError(d, w.err)
				n += len(w.got)
			}
			require.Equal(d, 1, n, "deliveries of one message to ten waiters")
		},
	},
	{
		name: "Invariant/3/until-the-last-millisecond",
		rule: "one holder at a time: nobody else receives the message at any millisecond before its deadline",
		cfg:  queue.Config{VisibilityTimeout: 250 * time.Millisecond},
		test: func(d *desk) {
			d.send("a")
			d.one("a")
			for range 249 {
				time.Sleep(tick)
				d.nothing()
			}
			time.Sleep(tick)
			d.one("a")
		},
	},
	{
		name: "Invariant/4/every-scale",
		rule: "back in time: a message is back at its deadline and not earlier, from a millisecond to twelve hours",
		test: testEveryScale,
	},
	{
		name: "Invariant/4/all-at-once",
		rule: "back in time: a thousand messages whose deadlines pass together are all back at that instant, ahead of younger ones",
		test: func(d *desk) {
			for i := range 1000 {
				d.send(fmt.Sprint("old ", i))
			}
			for range 100 {
				d.exactly(10)
			}
			d.send("young")
			time.Sleep(queue.DefaultVisibility)
			require.Equal(d, 1001, d.stats().Visible, "Stats.Visible at the deadline")
			require.Equal(d, 1001, d.drain(), "messages received at the deadline")
		},
	},
	{
		name: "Invariant/4/replaced-deadlines",
		rule: "back in time: only the last of many deadlines counts",
		test: func(d *desk) {
			d.send("a")
			r := d.one("a").Receipt
			for i := range 200 {
				d.change(r, time.Duration(1+i*7919%3600)*time.Second)
			}
			start := time.Now()
			d.change(r, 1234*time.Second)
			d.receivableAt(start.Add(1234*time.Second), "a")
		},
	},
	{
		name: "Invariant/4/nobody-calls",
		rule: "back in time: a waiter that is the queue's only caller is woken at the deadline",
		cfg:  queue.Config{VisibilityTimeout: 10 * time.Second},
		test: func(d *desk) {
			d.send("a")
			d.one("a")
			time.Sleep(3 * time.Second)
			d.park(queue.ReceiveOptions{}).gets(7*time.Second, "a")
		},
	},
	{
		name: "Invariant/4/nobody-calls-earlier-deadline-last",
		rule: "back in time: a deadline set after a later one wakes a waiter in time",
		test: func(d *desk) {
			d.send("late")
			d.oneFor(time.Hour, "late")
			d.send("early")
			d.oneFor(5*time.Second, "early")
			d.park(queue.ReceiveOptions{}).gets(5*time.Second, "early")
		},
	},
	{
		name: "Invariant/4/nobody-calls-deadline-after-deadline",
		rule: "back in time: one waiter after another is woken at each deadline",
		test: func(d *desk) {
			for i := 1; i <= 5; i++ {
				body := fmt.Sprint(i)
				d.send(body)
				d.oneFor(time.Duration(i)*3*time.Second, body)
			}
			var ws []*waiter
			for range 5 {
				ws = append(ws, d.park(queue.ReceiveOptions{VisibilityTimeout: time.Hour}))
			}
			for i, w := range ws {
				w.gets(time.Duration(i+1)*3*time.Second, fmt.Sprint(i+1))
			}
		},
	},
	{
		name: "Invariant/8/after-a-life-of-everything",
		rule: "counters balance while messages go through every state",
		test: testBalanceAlong,
	},
	{
		name: "Invariant/8/at-any-instant",
		rule: "counters balance at every instant at which they are read, also while others send, receive and delete",
		test: testBalanceInCrowd,
	},
	{
		name:        "Invariant/8/over-two-queues",
		rule:        "counters balance in both queues when messages move, and what left one came into the other",
		maxReceives: 1,
		test: func(d *desk) {
			for i := range 100 {
				d.send(fmt.Sprint(i))
			}
			for range 5 {
				d.exactly(10)
			}
			time.Sleep(queue.DefaultVisibility)
			for range 100 {
				d.receive(10)
			}
			check(d, d.q)
			check(d, d.dead)
			require.Equal(d, d.stats().Moved, d.at(d.dead).stats().Adopted, "Stats.Adopted of the target, against Stats.Moved of the source")
		},
	},
	{
		name: "Invariant/9/refused-sends",
		rule: "a refused send changes nothing, in no message of any state",
		cfg:  queue.Config{MaxMessageSize: 1024},
		test: testRefusedSends,
	},
	{
		name: "Invariant/9/refused-receives",
		rule: "a refused receive changes nothing: it takes no message and counts no receive",
		test: func(d *desk) {
			d.everyState()
			for _, o := range []queue.ReceiveOptions{
				{Max: 11}, {Max: -1}, {Wait: queue.MaxWait + 1}, {Wait: -2}, {VisibilityTimeout: queue.MaxVisibility + 1}, {VisibilityTimeout: -2},
			} {
				d.refused(queue.ErrInvalidParameter, func() error {
					got, err := d.q.Receive(d.Context(), o)
					require.Empty(d, bodies(got), "deliveries of a refused receive")
					return err
				})
			}
		},
	},
	{
		name: "Invariant/9/refused-receipts",
		rule: "a refused delete or change changes nothing, of the message or of others",
		test: func(d *desk) {
			r := d.everyState()
			d.deleteRefused(queue.ErrReceiptInvalid, garbage)
			d.deleteRefused(queue.ErrMissingParameter, queue.Receipt{})
			d.changeRefused(queue.ErrReceiptInvalid, garbage, time.Minute)
			d.changeRefused(queue.ErrInvalidParameter, r, queue.MaxVisibility+1)
			d.changeRefused(queue.ErrInvalidParameter, r, -2)
			d.refused(queue.ErrReceiptInvalid, func() error { return d.q.DeleteBatch(d.Context(), []queue.Receipt{garbage, garbage}) })
			d.refused(queue.ErrInvalidParameter, func() error {
				return d.q.ChangeVisibilityBatch(d.Context(), changes([]queue.Receipt{r, r}, -2))
			})
		},
	},
	{
		name: "Invariant/9/refused-change-leaves-the-deadline",
		rule: "a refused change leaves the deadline as it was",
		test: func(d *desk) {
			d.send("a")
			start := time.Now()
			r := d.one("a").Receipt
			time.Sleep(time.Second)
			d.changeRefused(queue.ErrInvalidParameter, r, queue.MaxVisibility)
			d.changeRefused(queue.ErrInvalidParameter, r, -time.Second)
			d.receivableAt(start.Add(queue.DefaultVisibility), "a")
		},
	},
	{
		name: "Invariant/10/second-delete",
		rule: "a second Delete does not succeed before the message is gone",
		test: func(d *desk) {
			for range 20 {
				d.send("a")
				r := d.one("a").Receipt
				var both sync.WaitGroup
				for range 2 {
					both.Go(func() {
						if err := d.q.Delete(d.Context(), r); err != nil {
							d.Errorf("Delete = %v; want nil", err)
						}
					})
				}
				both.Wait()
				require.Empty(d, d.peek(), "messages after both deletes")
			}
		},
	},
}

// race lets n receivers poll at once and returns how many messages they got.
func (d *desk) race(n int) int {
	d.Helper()
	results := make([]int, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			got, err := d.q.Receive(d.Context(), queue.ReceiveOptions{Max: 10, Wait: queue.None})
			if err != nil {
				d.Errorf("Receive = %v; want nil", err)
			}
			results[i] = len(got)
		})
	}
	all.Wait()
	sum := 0
	for _, r := range results {
		sum += r
	}
	return sum
}

func testEveryScale(d *desk) {
	for _, timeout := range []time.Duration{
		1, 2, 3, 63, 64, 65, 127, 128, 255, 256, 257, 1000, 4095, 4096, 4097, 65_535, 65_536, 65_537,
		100_000, 1 << 20, 1<<20 + 1, 10_000_000, 1 << 24, 43_199_999, 43_200_000,
	} {
		timeout *= time.Millisecond
		d.send("a")
		start := time.Now()
		d.oneFor(timeout, "a")
		d.delete(d.receivableAt(start.Add(timeout), "a").Receipt)
		time.Sleep(777 * time.Millisecond) // another phase for the next one
	}
}

// testBalanceAlong lets check look at a queue at every step.
func testBalanceAlong(d *desk) {
	d.q = d.openNamed("busy", queue.Config{Retention: 10 * time.Minute, Delay: time.Second})
	random := rand.New(rand.NewPCG(1, 2))
	var held []queue.Receipt
	for i := range 500 {
		d.send(fmt.Sprint(i))
		if got := d.receive(1 + i%3); len(got) > 0 {
			held = append(held, receipts(got)...)
		}
		if len(held) > 5 {
			r := held[random.IntN(len(held))]
			switch random.IntN(3) {
			case 0:
				_ = d.q.Delete(d.Context(), r) // may have expired
			case 1:
				_ = d.q.ChangeVisibility(d.Context(), r, 0)
			case 2:
				_ = d.q.ChangeVisibility(d.Context(), r, time.Minute)
			}
		}
		time.Sleep(time.Duration(random.IntN(5000)) * time.Millisecond)
		synctest.Wait()
		check(d, d.q)
	}
	d.purge()
	check(d, d.q)
}

// everyState brings the queue a visible, a delayed (if it can) and an in-flight
// message, and returns the receipt of the latter.
func (d *desk) everyState() queue.Receipt {
	d.Helper()
	d.send("in flight")
	r := d.one("in flight").Receipt
	d.send("visible")
	if d.harness.Kind == queue.Standard {
		d.sendMessage(queue.Message{Body: "delayed", Delay: time.Minute})
	}
	return r
}

func testRefusedSends(d *desk) {
	d.everyState()
	large := d.message(strings.Repeat("x", 1025))
	d.refusedMessage(queue.ErrMessageTooLarge, large)
	d.refusedMessage(queue.ErrMissingParameter, d.message(""))
	d.refusedMessage(queue.ErrInvalidContents, d.message("\x00"))
	for want, ms := range map[error][]queue.Message{
		queue.ErrEmptyBatch:      nil,
		queue.ErrTooManyEntries:  d.messages(eleven...),
		queue.ErrMessageTooLarge: {large, large},
		queue.ErrInvalidContents: d.messages("\x00", "\x01"),
	} {
		d.refused(want, func() error {
			_, err := d.q.SendBatch(d.Context(), ms)
			return err
		})
	}
}

// testBalanceInCrowd reads the counters while others are at work. Waiting
// receivers are part of the picture, so check does not fit.
func testBalanceInCrowd(d *desk) {
	inspector := ability[queue.Inspector](d, d.q)
	ctx, cancel := context.WithCancel(d.Context())
	var all sync.WaitGroup
	for r := range 4 {
		all.Go(func() { crowdReceiver(ctx, d, newLedger(d), rand.New(rand.NewPCG(5, uint64(r)))) })
		all.Go(func() {
			for i := range 200 {
				if _, err := d.q.Send(d.Context(), d.message(fmt.Sprint(i))); err != nil {
					d.Errorf("Send = %v; want nil", err)
				}
				time.Sleep(tick)
			}
		})
	}
	for range 2000 {
		s, err := inspector.Stats(d.Context())
		require.NoError(d, err)
		held := s.Pending + s.Delayed + s.Visible + s.InFlight
		require.Equal(d, s.Accepted, uint64(held)+s.Deleted, "Accepted, against held and Deleted: %+v", s)
		time.Sleep(100 * time.Microsecond)
	}
	cancel()
	all.Wait()
}

// A ledger knows who holds what, to find what should not be.
type ledger struct {
	mu      sync.Mutex // guards the rest
	d       *desk
	sent    map[queue.MessageID]bool
	held    map[queue.MessageID]bool
	deleted map[queue.MessageID]bool
}

func newLedger(d *desk) *ledger {
	return &ledger{d: d, sent: map[queue.MessageID]bool{}, held: map[queue.MessageID]bool{}, deleted: map[queue.MessageID]bool{}}
}

func (l *ledger) send(id queue.MessageID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sent[id] {
		l.d.Errorf("message ID %v was given twice", id)
	}
	l.sent[id] = true
}

func (l *ledger) take(ds []queue.Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, got := range ds {
		if l.held[got.ID] {
			l.d.Errorf("message %s is handed out while somebody holds it", got.Body)
		}
		if l.deleted[got.ID] {
			l.d.Errorf("message %s is handed out although it is deleted", got.Body)
		}
		l.held[got.ID] = true
	}
}

// done is called before the message goes back or is deleted: until the queue
// has been told, this receiver is the holder.
func (l *ledger) done(id queue.MessageID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.held, id)
}

func (l *ledger) remove(id queue.MessageID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deleted[id] = true
}

// testCrowd has n senders of each messages, and n receivers that delete most of
// what they get and give the rest back.
func testCrowd(d *desk, n, each int) {
	l := newLedger(d)
	ctx, cancel := context.WithCancel(d.Context())
	defer cancel()
	var senders, receivers sync.WaitGroup
	for s := range n {
		senders.Go(func() {
			for i := range each {
				if sent, err := d.q.Send(ctx, d.message(fmt.Sprint(s, "-", i))); err != nil {
					d.Errorf("Send = %v; want nil", err)
				} else {
					l.send(sent.ID)
				}
				time.Sleep(time.Duration(i%7) * time.Millisecond)
			}
		})
	}
	for r := range n {
		receivers.Go(func() { crowdReceiver(ctx, d, l, rand.New(rand.NewPCG(3, uint64(r)))) })
	}
	senders.Wait()
	for deadline := time.Now().Add(time.Hour); time.Now().Before(deadline); time.Sleep(time.Second) {
		if s := d.stats(); s.Visible+s.InFlight+s.Pending+s.Delayed == 0 {
			break
		}
	}
	cancel()
	receivers.Wait()
	require.Len(d, l.sent, n*each, "messages sent")
	require.Equal(d, len(l.sent), len(l.deleted), "messages deleted in the end")
	require.EqualValues(d, n*each, d.stats().Deleted, "Stats.Deleted")
}

// crowdReceiver works until ctx ends.
func crowdReceiver(ctx context.Context, d *desk, l *ledger, random *rand.Rand) {
	for ctx.Err() == nil {
		got, err := d.q.Receive(ctx, queue.ReceiveOptions{Max: 1 + random.IntN(10), Wait: time.Second})
		if err != nil {
			if ctx.Err() == nil {
				d.Errorf("Receive = %v; want nil", err)
			}
			return
		}
		l.take(got)
		time.Sleep(time.Duration(random.IntN(20)) * time.Millisecond)
		for _, g := range got {
			l.done(g.ID)
			if random.IntN(4) == 0 {
				err = d.q.ChangeVisibility(context.WithoutCancel(ctx), g.Receipt, 0)
			} else {
				l.remove(g.ID)
				err = d.q.Delete(context.WithoutCancel(ctx), g.Receipt)
			}
			if err != nil {
				d.Errorf("Delete or ChangeVisibility of a held message = %v; want nil", err)
			}
		}
	}
}

func testCrowdDeadLetters(d *desk) {
	const n = 500
	var want []string
	for i := range n {
		want = append(want, fmt.Sprint(i))
		d.send(want[i])
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				got, err := d.q.Receive(d.Context(), queue.ReceiveOptions{Max: 10, Wait: 50 * time.Millisecond})
				if err != nil {
					d.Errorf("Receive = %v; want nil", err)
					return
				}
				for _, g := range got[:len(got)/2] {
					if err := d.q.ChangeVisibility(d.Context(), g.Receipt, 0); err != nil {
						d.Errorf("ChangeVisibility of a held message = %v; want nil", err)
					}
				}
			}
		})
	}
	all.Wait()
	time.Sleep(time.Minute)
	for range n {
		d.receive(10) // moves what is left
	}
	var moved []string
	for dead := d.at(d.dead); ; {
		got := dead.receiveWith(queue.ReceiveOptions{Max: 10, VisibilityTimeout: time.Hour})
		if len(got) == 0 {
			break
		}
		for _, g := range got {
			require.Equal(d, 3, g.ReceiveCount, "ReceiveCount of a message that was received twice before it moved")
		}
		moved = append(moved, bodies(got)...)
	}
	slices.Sort(want)
	slices.Sort(moved)
	require.Equal(d, want, moved, "messages in the dead-letter queue in the end")
}

var waiterCases = []testCase{
	{
		name: "Invariant/7/arrival-order",
		rule: "waiters are served in the order of their arrival",
		test: func(d *desk) {
			var ws []*waiter
			for range 3 {
				ws = append(ws, d.park(queue.ReceiveOptions{}))
			}
			for i, body := range []string{"a", "b", "c"} {
				time.Sleep(time.Second)
				d.send(body)
				ws[i].gets(time.Duration(i+1)*time.Second, body)
			}
		},
	},
	{
		name: "Invariant/7/arrival-order-of-a-batch",
		rule: "messages that arrive together go to the waiters in the order of their arrival",
		test: func(d *desk) {
			first, second, third := d.park(queue.ReceiveOptions{}), d.park(queue.ReceiveOptions{}), d.park(queue.ReceiveOptions{})
			d.sendBatch(d.messages("a", "a")...)
			first.gets(0, "a")
			second.gets(0, "a")
			require.True(d, third.waiting(), "the third waiter waits when two messages arrived")
			d.send("b")
			third.gets(0, "b")
		},
	},
	{
		name: "Invariant/7/newcomer-does-not-overtake",
		rule: "a message that arrives goes to who waits, not to who asks later",
		test: func(d *desk) {
			w := d.park(queue.ReceiveOptions{})
			d.send("a")
			d.nothing()
			w.gets(0, "a")
		},
	},
	{
		name: "Invariant/7/cancelled-takes-nothing",
		rule: "a waiter that gives up takes nothing with it: the next one gets the message, at its first receive",
		test: func(d *desk) {
			ctx, cancel := context.WithCancel(d.Context())
			quitter, next := d.parkContext(ctx, queue.ReceiveOptions{}), d.park(queue.ReceiveOptions{})
			time.Sleep(time.Second)
			cancel()
			quitter.fails(time.Second, context.Canceled)
			d.send("a")
			require.Equal(d, 1, next.gets(time.Second, "a")[0].ReceiveCount, "ReceiveCount")
		},
	},
	{
		name: "Invariant/7/timed-out-takes-nothing",
		rule: "a waiter whose wait has ended takes nothing with it",
		test: func(d *desk) {
			d.park(queue.ReceiveOptions{Wait: time.Second}).getsNothing(time.Second)
			d.send("a")
			require.Equal(d, 1, d.one("a").ReceiveCount, "ReceiveCount")
		},
	},
	{
		name: "Invariant/7/cancelled-at-the-moment-of-arrival",
		rule: "a waiter cancelled as a message arrives either returns it, or leaves it to the next one uncounted",
		test: testCancelledAtArrival,
	},
	{
		name: "Invariant/7/timed-out-at-the-moment-of-arrival",
		rule: "a waiter whose wait ends as a message comes back either returns it, or leaves it to the next one uncounted",
		test: func(d *desk) {
			d.send("a")
			for round := range 20 {
				d.oneFor(time.Second, "a")
				first := d.park(queue.ReceiveOptions{Wait: time.Second})
				second := d.park(queue.ReceiveOptions{Wait: 2 * time.Second})
				<-first.done
				<-second.done
				require.NoError(d, first.err)
				require.NoError(d, second.err)
				got := append(first.got, second.got...)
				require.Equal(d, []string{"a"}, bodies(got), "bodies that two waiters received")
				require.Equal(d, 2*round+2, got[0].ReceiveCount, "ReceiveCount")
				d.change(got[0].Receipt, 0)
			}
		},
	},
	{
		name: "Contract/Receive/at-the-end-of-the-wait",
		rule: "a message that becomes receivable in the very instant in which a wait ends is received by that wait",
		test: func(d *desk) {
			d.send("a")
			for range 20 {
				d.oneFor(time.Second, "a")
				got := d.park(queue.ReceiveOptions{Wait: time.Second}).gets(time.Second, "a")
				d.change(got[0].Receipt, 0)
			}
		},
	},
	{
		name: "Invariant/7/the-end-of-a-wait-takes-nothing-from-who-came-first",
		rule: "a message that comes back in the instant in which the second waiter's wait ends goes to the first",
		test: func(d *desk) {
			d.send("a")
			for range 64 { // whose timer fires first at one instant is left to chance
				d.oneFor(time.Second, "a")
				first := d.park(queue.ReceiveOptions{Wait: 2 * time.Second})
				second := d.park(queue.ReceiveOptions{Wait: time.Second})
				second.getsNothing(time.Second)
				got := first.gets(time.Second, "a")
				d.change(got[0].Receipt, 0)
			}
		},
	},
	{
		name: "Invariant/7/one-message-wakes-one-many-wake-many",
		rule: "no wake-up is missed: as many waiters return as there are messages",
		test: func(d *desk) {
			var ws []*waiter
			for range 50 {
				ws = append(ws, d.park(queue.ReceiveOptions{}))
			}
			for range 50 {
				d.send("a")
			}
			for _, w := range ws {
				w.gets(0, "a")
			}
		},
	},
	{
		name: "Invariant/7/released-batch-wakes-all",
		rule: "no wake-up is missed: messages that time out together wake as many waiters",
		cfg:  queue.Config{VisibilityTimeout: 5 * time.Second},
		test: func(d *desk) {
			for range 10 {
				d.send("a")
			}
			d.exactly(10)
			var ws []*waiter
			for range 10 {
				ws = append(ws, d.park(queue.ReceiveOptions{VisibilityTimeout: time.Hour}))
			}
			for _, w := range ws {
				w.gets(5*time.Second, "a")
			}
		},
	},
	{
		name: "Invariant/7/no-timeout-receive-leaves-it-to-the-next",
		rule: "a waiter that receives with a visibility timeout of zero leaves the message to the next waiter",
		test: func(d *desk) {
			first := d.park(queue.ReceiveOptions{VisibilityTimeout: queue.None})
			second := d.park(queue.ReceiveOptions{})
			time.Sleep(time.Second)
			d.send("a")
			require.Equal(d, 1, first.gets(time.Second, "a")[0].ReceiveCount, "ReceiveCount of the first waiter")
			require.Equal(d, 2, second.gets(time.Second, "a")[0].ReceiveCount, "ReceiveCount of the second waiter")
		},
	},
	{
		name: "Invariant/7/counted",
		rule: "Stats tells how many receivers wait",
		test: func(d *desk) {
			ctx, cancel := context.WithCancel(d.Context())
			for n := 1; n <= 3; n++ {
				d.parkContext(ctx, queue.ReceiveOptions{})
				require.Equal(d, n, d.stats().Waiting, "Stats.Waiting")
			}
			d.send("a")
			synctest.Wait()
			require.Equal(d, 2, d.stats().Waiting, "Stats.Waiting after one was served")
			cancel()
			synctest.Wait()
			require.Equal(d, 0, d.stats().Waiting, "Stats.Waiting after the others gave up")
		},
	},
}

func testCancelledAtArrival(d *desk) {
	for i := range 200 {
		ctx, cancel := context.WithCancel(d.Context())
		first, second := d.parkContext(ctx, queue.ReceiveOptions{}), d.park(queue.ReceiveOptions{})
		if i%2 == 0 {
			cancel()
			d.send("a")
		} else {
			d.send("a")
			cancel()
		}
		<-first.done
		served := first
		if first.err != nil {
			require.ErrorIs(d, first.err, context.Canceled)
			require.Empty(d, first.got, "deliveries of a cancelled Receive")
			served = second
		} else {
			require.True(d, second.waiting(), "the second waiter waits when the first one was served")
			d.send("b")
			second.gets(0, "b")
			d.delete(second.got[0].Receipt)
		}
		got := served.gets(0, "a")[0]
		require.Equal(d, 1, got.ReceiveCount, "ReceiveCount: an abandoned receive does not count")
		d.delete(got.Receipt)
	}
}
