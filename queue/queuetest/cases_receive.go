package queuetest

import (
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

var receiveCases = []testCase{
	{
		name: "Reference/8.1/empty-queue",
		rule: "a short poll of an empty queue returns nothing, at once, and no error",
		test: func(d *desk) {
			start := time.Now()
			d.nothing()
			require.Zero(d, time.Since(start), "duration of a short poll")
		},
	},
	{
		name: "Reference/8.1/one-by-default",
		rule: "a receive returns one message unless it asks for more",
		test: func(d *desk) {
			d.send("a", "b", "c")
			got, err := d.q.Receive(d.Context(), queue.ReceiveOptions{})
			require.NoError(d, err)
			require.Len(d, got, 1, "deliveries")
		},
	},
	{
		name: "Reference/8.1/up-to-max",
		rule: "a receive returns at most Max messages, and hides exactly these",
		test: func(d *desk) {
			d.send("a", "b", "c", "d", "e")
			first := d.receive(3)
			require.Len(d, first, 3, "deliveries")
			rest := d.receive(10)
			require.Len(d, rest, 2, "deliveries")
			require.ElementsMatch(d, []string{"a", "b", "c", "d", "e"}, append(bodies(first), bodies(rest)...))
		},
	},
	{
		name: "Reference/8.1/ten-of-many",
		rule: "a receive returns up to ten messages",
		test: func(d *desk) {
			for i := range 25 {
				d.send(fmt.Sprint(i))
			}
			for _, want := range []int{10, 10, 5, 0} {
				require.Len(d, d.receive(10), want, "deliveries")
			}
		},
	},
	{
		name: "Reference/8.1/all-fields",
		rule: "a delivery carries the whole message",
		test: testDeliveryComplete,
	},
	{
		name: "Reference/8.1/timeout-of-the-call",
		rule: "a receive's own visibility timeout replaces the queue's, for this receive only",
		cfg:  queue.Config{VisibilityTimeout: time.Minute},
		test: func(d *desk) {
			d.send("a")
			start := time.Now()
			d.oneFor(time.Second, "a")
			d.receivableAt(start.Add(time.Second), "a") // for the queue's timeout
			d.receivableAt(start.Add(time.Second+time.Minute), "a")
		},
	},
	{
		name: "Reference/8.1/no-timeout-stays-visible",
		rule: "with a visibility timeout of zero a message stays visible, and each receive counts",
		test: func(d *desk) {
			d.send("a")
			for n := 1; n <= 5; n++ {
				got := d.oneFor(queue.None, "a")
				require.Equal(d, n, got.ReceiveCount, "ReceiveCount")
				require.WithinDuration(d, time.Now(), got.VisibleAt, 0, "VisibleAt")
			}
		},
	},
	{
		name: "Reference/8.1/no-timeout-not-twice-in-one-call",
		rule: "one receive never returns the same message twice, even if it stays visible",
		test: func(d *desk) {
			d.send("a", "b", "c")
			got := d.receiveWith(queue.ReceiveOptions{Max: 10, VisibilityTimeout: queue.None})
			require.ElementsMatch(d, []string{"a", "b", "c"}, bodies(got))
		},
	},
	{
		name: "Reference/8.1/no-timeout-by-the-queue",
		rule: "a queue's visibility timeout may be zero",
		cfg:  queue.Config{VisibilityTimeout: queue.None},
		test: func(d *desk) {
			d.send("a")
			d.one("a")
			d.oneFor(time.Minute, "a")
			d.nothing()
		},
	},
	{
		name: "Reference/8.1/no-timeout-is-not-in-flight",
		rule: "a message received with a visibility timeout of zero is not in flight",
		test: func(d *desk) {
			d.send("a")
			d.oneFor(queue.None, "a")
			s := d.stats()
			require.Equal(d, 1, s.Visible, "Stats.Visible")
			require.Equal(d, 0, s.InFlight, "Stats.InFlight")
			require.EqualValues(d, 1, s.Received, "Stats.Received")
		},
	},
}

func testDeliveryComplete(d *desk) {
	m := d.message("body")
	m.GroupID, m.TraceHeader = "group", traceHeader
	m.Attributes = queue.NewAttributes(map[string]queue.Value{"k": queue.String("x")})
	start := time.Now()
	sent := d.sendMessage(m)
	time.Sleep(time.Second)
	got := d.oneFor(time.Minute, "body")
	require.Equal(d, m.Attributes, got.Attributes, "Attributes")
	require.Equal(d, m.GroupID, got.GroupID, "GroupID")
	require.Equal(d, m.DeduplicationID, got.DeduplicationID, "DeduplicationID")
	require.Equal(d, m.TraceHeader, got.TraceHeader, "TraceHeader")
	require.Equal(d, sent.ID, got.ID, "ID")
	require.Equal(d, sent.Sequence, got.Sequence, "Sequence")
	require.Equal(d, 1, got.ReceiveCount, "ReceiveCount")
	require.WithinDuration(d, start, got.SentAt, 0, "SentAt")
	require.WithinDuration(d, start.Add(time.Second), got.FirstReceivedAt, 0, "FirstReceivedAt")
	require.WithinDuration(d, start.Add(time.Second+time.Minute), got.VisibleAt, 0, "VisibleAt")
	require.Empty(d, got.DeadLetterSource, "DeadLetterSource")
	require.Empty(d, got.DeadLetterReason, "DeadLetterReason")
}

var pollCases = []testCase{
	{
		name: "Reference/8.2/wait-of-the-queue",
		rule: "a receive that does not say how long to wait waits as long as the queue says",
		cfg:  queue.Config{ReceiveWait: 5 * time.Second},
		test: func(d *desk) {
			start := time.Now()
			got, err := d.q.Receive(d.Context(), queue.ReceiveOptions{})
			require.NoError(d, err)
			require.Empty(d, got)
			require.Equal(d, 5*time.Second, time.Since(start), "duration of the receive")
		},
	},
	{
		name: "Reference/8.2/explicit-zero-forces-a-short-poll",
		rule: "a wait of zero in the call wins over the queue's wait",
		cfg:  queue.Config{ReceiveWait: 5 * time.Second},
		test: func(d *desk) {
			start := time.Now()
			d.nothing() // which asks for None
			require.Zero(d, time.Since(start), "duration of the receive")
		},
	},
	{
		name: "Reference/8.2/wait-of-the-call",
		rule: "a wait in the call wins over the queue's wait",
		cfg:  queue.Config{ReceiveWait: 5 * time.Second},
		test: func(d *desk) {
			d.park(queue.ReceiveOptions{Wait: 2 * time.Second}).getsNothing(2 * time.Second)
			d.park(queue.ReceiveOptions{Wait: 20 * time.Second}).getsNothing(20 * time.Second)
		},
	},
	{
		name: "Reference/8.2/no-wait-when-there-is-a-message",
		rule: "a long poll returns at once when a message is receivable",
		test: func(d *desk) {
			d.send("a")
			d.park(queue.ReceiveOptions{}).gets(0, "a")
		},
	},
	{
		name: "Reference/8.2/does-not-wait-to-fill",
		rule: "a long poll returns with the first message; it does not wait to fill its batch",
		test: func(d *desk) {
			d.send("a", "b")
			got := d.park(queue.ReceiveOptions{Max: 10})
			<-got.done
			require.ElementsMatch(d, []string{"a", "b"}, bodies(got.got))
			got.returns(0)
			w := d.park(queue.ReceiveOptions{Max: 10})
			time.Sleep(time.Second)
			d.send("c")
			w.gets(time.Second, "c")
		},
	},
	{
		name: "Reference/8.2/wait-ends-empty",
		rule: "a wait that ends is an empty result and no error",
		test: func(d *desk) {
			d.park(queue.ReceiveOptions{Wait: 7 * time.Second}).getsNothing(7 * time.Second)
		},
	},
	{
		name: "Reference/8.2/message-at-the-end-of-the-wait",
		rule: "a message that arrives as the wait ends is either received or still there",
		test: func(d *desk) {
			w := d.park(queue.ReceiveOptions{Wait: time.Second})
			time.Sleep(time.Second)
			d.send("a")
			<-w.done
			require.NoError(d, w.err)
			if len(w.got) == 0 {
				require.Equal(d, 1, d.one("a").ReceiveCount, "ReceiveCount after a wait that took nothing")
			}
		},
	},
	wakes("send", "a send", func(d *desk) {
		time.Sleep(time.Second)
		d.send("a")
	}),
	wakes("send-batch", "a batch", func(d *desk) {
		time.Sleep(time.Second)
		d.sendBatch(d.messages("a")...)
	}),
	wakesBefore("delay-over", "the end of a delay", queue.Config{Delay: time.Second}, func(d *desk) func() {
		d.send("a")
		return nil
	}),
	wakesBefore("timeout-over", "the end of a visibility timeout", queue.Config{VisibilityTimeout: time.Second}, func(d *desk) func() {
		d.send("a")
		d.one("a")
		return nil
	}),
	wakesBefore("released", "ChangeVisibility to zero", queue.Config{}, func(d *desk) func() {
		d.send("a")
		r := d.one("a").Receipt
		return func() { time.Sleep(time.Second); d.change(r, 0) }
	}),
	wakesBefore("released-in-batch", "ChangeVisibilityBatch to zero", queue.Config{}, func(d *desk) func() {
		d.send("a")
		r := d.one("a").Receipt
		return func() {
			time.Sleep(time.Second)
			require.NoError(d, d.q.ChangeVisibilityBatch(d.Context(), []queue.VisibilityChange{{Receipt: r}}))
		}
	}),
	wakesBefore("shortened", "the end of a shortened visibility timeout", queue.Config{VisibilityTimeout: time.Hour}, func(d *desk) func() {
		d.send("a")
		r := d.one("a").Receipt
		return func() { d.change(r, time.Second) }
	}),
	wakesBefore("extended", "the end of an extended visibility timeout", queue.Config{VisibilityTimeout: 500 * time.Millisecond}, func(d *desk) func() {
		d.send("a")
		r := d.one("a").Receipt
		return func() { d.change(r, time.Second) }
	}),
	{
		name:        "Reference/8.2/wakes/dead-letter",
		rule:        "a message that arrives by a dead-letter move wakes a long poll",
		maxReceives: 1,
		cfg:         queue.Config{VisibilityTimeout: 500 * time.Millisecond},
		test: func(d *desk) {
			d.send("a")
			d.one("a")
			w := d.at(d.dead).park(queue.ReceiveOptions{})
			time.Sleep(time.Second)
			d.nothing() // moves it
			w.gets(time.Second, "a")
		},
	},
	{
		name:        "Reference/8.2/wakes/set-aside",
		rule:        "a message that DeadLetter moves wakes a long poll",
		maxReceives: 5,
		test: func(d *desk) {
			d.send("a")
			r := d.one("a").Receipt
			w := d.at(d.dead).park(queue.ReceiveOptions{})
			time.Sleep(time.Second)
			require.NoError(d, ability[queue.DeadLetterer](d, d.q).DeadLetter(d.Context(), r, "bad"))
			w.gets(time.Second, "a")
		},
	},
}

// wakes is a case in which what act does after a second ends the long poll
// that already waits.
func wakes(name, what string, act func(d *desk)) testCase {
	return wakesBefore(name, what, queue.Config{}, func(d *desk) func() { return func() { act(d) } })
}

// wakesBefore is such a case with a preparation, which takes no time and
// returns the act, or nil when time alone is to do it.
func wakesBefore(name, what string, cfg queue.Config, prepare func(d *desk) (act func())) testCase {
	return testCase{
		name: "Reference/8.2/wakes/" + name,
		rule: what + " wakes a long poll when it makes a message receivable, and not earlier",
		cfg:  cfg,
		test: func(d *desk) {
			act := prepare(d)
			w := d.park(queue.ReceiveOptions{})
			if act != nil {
				act()
			}
			w.gets(time.Second, "a")
		},
	}
}

var orderCases = []testCase{
	{
		name: "Reference/8.4/idle-queue-in-order",
		rule: "a Standard queue that nobody disturbs delivers oldest first",
		kind: queue.Standard,
		test: func(d *desk) {
			for _, body := range eleven {
				d.send(body)
			}
			require.Equal(d, eleven[:10], bodies(d.receive(10)))
			require.Equal(d, eleven[10:], bodies(d.receive(10)))
		},
	},
	{
		name: "Reference/8.4/timed-out-before-newer",
		rule: "a message whose visibility timeout passed comes back before newer ones",
		kind: queue.Standard,
		test: func(d *desk) {
			d.send("old")
			d.one("old")
			d.send("new", "newer")
			time.Sleep(queue.DefaultVisibility)
			require.Equal(d, []string{"old", "new", "newer"}, bodies(d.receive(10)))
		},
	},
	{
		name: "Reference/8.4/released-before-newer",
		rule: "a message that was given back comes back before newer ones",
		kind: queue.Standard,
		test: func(d *desk) {
			d.send("old")
			r := d.one("old").Receipt
			d.send("new", "newer")
			d.change(r, 0)
			require.Equal(d, []string{"old"}, bodies(d.receive(1)))
			require.Equal(d, []string{"new", "newer"}, bodies(d.receive(10)))
		},
	},
	{
		name: "Reference/8.4/returned-far-behind",
		rule: "a message comes back before newer ones even when thousands of these were received in between",
		kind: queue.Standard,
		cfg:  queue.Config{VisibilityTimeout: time.Hour},
		test: func(d *desk) {
			d.send("old")
			r := d.one("old").Receipt
			for range 3000 {
				d.send("new")
			}
			for range 200 {
				d.delete(d.exactly(1)[0].Receipt)
			}
			d.change(r, 0)
			require.Equal(d, []string{"old"}, bodies(d.receive(1)))
		},
	},
}
