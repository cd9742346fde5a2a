package queuetest

import (
	"fmt"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

var delayCases = []testCase{
	{
		name: "Reference/11/standard-message-delay",
		rule: "a delayed message is receivable when its delay is over, and not earlier",
		kind: queue.Standard,
		test: func(d *desk) {
			start := time.Now()
			d.sendMessage(queue.Message{Body: "a", Delay: queue.MaxDelay})
			d.receivableAt(start.Add(queue.MaxDelay), "a")
		},
	},
	{
		name: "Reference/11/queue-delay",
		rule: "the queue's delay holds every message that does not say otherwise",
		cfg:  queue.Config{Delay: 10 * time.Second},
		test: func(d *desk) {
			start := time.Now()
			d.send("a")
			d.delete(d.receivableAt(start.Add(10*time.Second), "a").Receipt)
			start = time.Now()
			d.sendBatch(d.messages("b")...)
			d.receivableAt(start.Add(10*time.Second), "b")
		},
	},
	{
		name: "Reference/11/counted-as-delayed",
		rule: "a delayed message counts as delayed alone, neither visible nor in flight",
		cfg:  queue.Config{Delay: 10 * time.Second},
		test: func(d *desk) {
			d.send("a")
			s := d.stats()
			require.Equal(d, [3]int{1, 0, 0}, [3]int{s.Delayed, s.Visible, s.InFlight}, "Delayed, Visible, InFlight during the delay")
			time.Sleep(10 * time.Second)
			s = d.stats()
			require.Equal(d, [3]int{0, 1, 0}, [3]int{s.Delayed, s.Visible, s.InFlight}, "Delayed, Visible, InFlight after the delay")
		},
	},
	{
		name: "Reference/11/sent-time-is-that-of-the-send",
		rule: "a delay does not move the time of sending",
		cfg:  queue.Config{Delay: 10 * time.Second},
		test: func(d *desk) {
			start := time.Now()
			d.send("a")
			time.Sleep(10 * time.Second)
			require.WithinDuration(d, start, d.one("a").SentAt, 0, "SentAt")
		},
	},
	{
		name: "Reference/11/standard-delayed-does-not-block",
		rule: "on a Standard queue a delayed message holds nobody else up",
		kind: queue.Standard,
		test: func(d *desk) {
			d.sendMessage(queue.Message{Body: "delayed", GroupID: "g", Delay: time.Minute})
			d.sendMessage(queue.Message{Body: "now", GroupID: "g"})
			d.one("now")
		},
	},
	{
		name: "Reference/11/many-delays",
		rule: "every message keeps its own delay",
		kind: queue.Standard,
		test: func(d *desk) {
			start := time.Now()
			const n = 300
			for i := range n {
				d.sendMessage(queue.Message{Body: fmt.Sprint(i), Delay: time.Duration(1+i*7919%n) * time.Second})
			}
			for s := 1; s <= n; s++ {
				sleepUntil(start.Add(time.Duration(s) * time.Second))
				got := d.receiveWith(queue.ReceiveOptions{Max: 10, VisibilityTimeout: time.Hour})
				require.Len(d, got, 1, "messages due after %d s", s)
			}
		},
	},
	{
		name: "Reference/11/standard-queue-delay-is-not-retroactive",
		rule: "a changed queue delay holds only later sends on a Standard queue",
		kind: queue.Standard,
		cfg:  queue.Config{Delay: time.Minute},
		test: func(d *desk) {
			start := time.Now()
			d.send("before")
			d.reconfigure(func(cfg *queue.Config) { cfg.Delay = time.Second })
			d.send("after")
			d.delete(d.receivableAt(start.Add(time.Second), "after").Receipt)
			d.reconfigure(func(cfg *queue.Config) { cfg.Delay = queue.MaxDelay })
			d.receivableAt(start.Add(time.Minute), "before")
		},
	},
	{
		name: "Reference/11/no-delay-on-moves",
		rule: "unverified; chosen: a dead-letter queue's own delay is not applied to what moves into it",
		cfg:  queue.Config{VisibilityTimeout: time.Second},
		test: func(d *desk) {
			dead := d.at(d.openNamed("slow-dead-letters", queue.Config{Delay: time.Minute}))
			d.q = d.openNamed("source", queue.Config{DeadLetter: queue.DeadLetter{Target: ability[queue.Adopter](d, dead.q), MaxReceives: 1}})
			d.send("a")
			d.one("a")
			time.Sleep(queue.DefaultVisibility)
			d.nothing()
			dead.one("a")
		},
	},
}

var retentionCases = []testCase{
	{
		name: "Reference/12/visible",
		rule: "a message is dropped when its retention is over, counted from the sending, and not earlier",
		cfg:  queue.Config{Retention: time.Minute},
		test: func(d *desk) {
			d.send("a")
			time.Sleep(time.Minute - tick)
			d.oneFor(queue.None, "a")
			time.Sleep(tick)
			d.nothing()
		},
	},
	{
		name: "Reference/12/default",
		rule: "the default retention is four days",
		test: func(d *desk) {
			d.send("a")
			time.Sleep(4*24*time.Hour - tick)
			d.oneFor(queue.None, "a")
			time.Sleep(tick)
			d.nothing()
		},
	},
	{
		name: "Reference/12/fourteen-days",
		rule: "the longest retention is fourteen days",
		cfg:  queue.Config{Retention: queue.MaxRetention},
		test: func(d *desk) {
			d.send("a")
			time.Sleep(queue.MaxRetention - tick)
			d.oneFor(queue.None, "a")
			time.Sleep(tick)
			d.nothing()
		},
	},
	{
		name: "Reference/12/in-flight",
		rule: "a message is dropped when its retention is over also while it is in flight",
		cfg:  queue.Config{Retention: time.Minute},
		test: func(d *desk) {
			d.send("a")
			d.oneFor(2*time.Minute, "a")
			time.Sleep(time.Minute)
			s := d.stats()
			require.Equal(d, 0, s.InFlight, "Stats.InFlight")
			require.EqualValues(d, 1, s.Expired, "Stats.Expired")
			time.Sleep(time.Hour)
			d.nothing()
		},
	},
	{
		name: "Reference/12/in-delay",
		rule: "retention runs during the delay",
		cfg:  queue.Config{Retention: time.Minute, Delay: queue.MaxDelay},
		test: func(d *desk) {
			d.send("a")
			time.Sleep(time.Minute)
			s := d.stats()
			require.Equal(d, 0, s.Delayed, "Stats.Delayed")
			require.EqualValues(d, 1, s.Expired, "Stats.Expired")
			time.Sleep(time.Hour)
			d.nothing()
		},
	},
	{
		name: "Reference/12/nobody-calls",
		rule: "messages expire also when nobody calls the queue, in every state",
		test: testExpiresUnattended,
	},
	{
		name: "Reference/12/redelivery-does-not-prolong",
		rule: "receives and visibility changes don't touch the retention",
		cfg:  queue.Config{Retention: time.Minute},
		test: func(d *desk) {
			d.send("a")
			for range 6 {
				d.change(d.one("a").Receipt, 0)
				time.Sleep(10 * time.Second)
			}
			d.nothing()
		},
	},
	{
		name: "Reference/12/in-order-of-sending",
		rule: "every message has its own retention",
		cfg:  queue.Config{Retention: time.Minute},
		test: func(d *desk) {
			for i := range 10 {
				d.send(fmt.Sprint(i))
				time.Sleep(time.Second)
			}
			for left := 10; left >= 0; left-- {
				require.Equal(d, left, d.stats().Visible, "Stats.Visible")
				if left == 10 {
					time.Sleep(50 * time.Second)
				} else {
					time.Sleep(time.Second)
				}
			}
		},
	},
	{
		name: "Reference/12/lowered",
		rule: "lowering the retention expires existing messages",
		test: func(d *desk) {
			d.send("old")
			time.Sleep(2 * time.Minute)
			d.send("young")
			d.reconfigure(func(cfg *queue.Config) { cfg.Retention = time.Minute })
			d.delete(d.one("young").Receipt)
			require.EqualValues(d, 1, d.stats().Expired, "Stats.Expired")
		},
	},
	{
		name: "Reference/12/raised",
		rule: "raising the retention prolongs the messages still present",
		cfg:  queue.Config{Retention: time.Minute},
		test: func(d *desk) {
			d.send("a")
			time.Sleep(50 * time.Second)
			d.reconfigure(func(cfg *queue.Config) { cfg.Retention = time.Hour })
			time.Sleep(time.Hour - 50*time.Second - tick)
			d.oneFor(queue.None, "a")
			time.Sleep(tick)
			d.nothing()
		},
	},
	{
		name: "Reference/12/standard-dead-letter-keeps-the-clock",
		rule: "on Standard queues the time spent in the source counts against the dead-letter queue's retention",
		kind: queue.Standard,
		test: func(d *desk) {
			dead := d.at(d.openNamed("short-dead-letters", queue.Config{Retention: time.Minute}))
			d.q = d.openNamed("source", queue.Config{DeadLetter: queue.DeadLetter{Target: ability[queue.Adopter](d, dead.q), MaxReceives: 1}})
			d.send("a")
			d.one("a")
			time.Sleep(50 * time.Second)
			d.nothing() // moves it
			time.Sleep(10*time.Second - tick)
			dead.oneFor(queue.None, "a")
			time.Sleep(tick)
			dead.nothing()
		},
	},
}

func testExpiresUnattended(d *desk) {
	trace, events := recorder()
	d.q = d.openNamed("traced", queue.Config{Retention: time.Minute, Trace: trace})
	start := time.Now()
	d.send("visible", "in flight")
	require.Len(d, d.receiveWith(queue.ReceiveOptions{VisibilityTimeout: time.Hour}), 1, "deliveries")
	time.Sleep(2 * time.Minute)
	synctest.Wait()
	expired := events.of(queue.StepExpired)
	if len(events.all()) == 0 {
		d.Skip("the queue doesn't trace")
	}
	require.Len(d, expired, 2, "expiries traced while nobody called")
	for _, e := range expired {
		require.False(d, e.At.Before(start.Add(time.Minute)), "expired %v early", start.Add(time.Minute).Sub(e.At))
	}
}

// flightCases fill a queue up to its in-flight limit.
var flightCases = []testCase{
	{
		name: "Reference/13/standard-short-poll-at-the-limit",
		rule: "a short poll of a Standard queue with 120,000 messages in flight fails with the limit's error, until one is deleted",
		kind: queue.Standard,
		cfg:  queue.Config{VisibilityTimeout: time.Hour},
		long: true,
		test: func(d *desk) {
			held := d.fill()
			d.send("one more")
			_, err := d.q.Receive(d.Context(), queue.ReceiveOptions{Max: 10})
			require.ErrorIs(d, err, queue.ErrInFlightLimit)
			require.Equal(d, queue.MaxInFlight, d.stats().InFlight, "Stats.InFlight")
			d.delete(held)
			d.one("one more")
		},
	},
	{
		name: "Reference/13/standard-long-poll-at-the-limit",
		rule: "a long poll of a Standard queue with 120,000 messages in flight waits until there are fewer",
		kind: queue.Standard,
		cfg:  queue.Config{VisibilityTimeout: time.Hour},
		long: true,
		test: testLongPollAtLimit,
	},
	{
		name: "Reference/13/standard-timeouts-make-room",
		rule: "messages that become visible again are not in flight any more",
		kind: queue.Standard,
		cfg:  queue.Config{VisibilityTimeout: time.Hour},
		long: true,
		test: func(d *desk) {
			d.fill()
			d.send("one more")
			time.Sleep(time.Hour - 10*time.Second)
			w := d.park(queue.ReceiveOptions{})
			<-w.done
			require.NoError(d, w.err)
			require.Len(d, w.got, 1, "deliveries after the timeouts")
			w.returns(10 * time.Second)
		},
	},
	{
		name: "Reference/13/delayed-is-not-in-flight",
		rule: "delayed messages don't count towards the in-flight limit",
		cfg:  queue.Config{Delay: time.Minute},
		test: func(d *desk) {
			d.send("a")
			require.Equal(d, 0, d.stats().InFlight, "Stats.InFlight")
		},
	},
	{
		name: "Reference/13/fifo-at-the-limit",
		rule: "a receive of a FIFO queue with 120,000 messages in flight returns nothing and no error",
		kind: queue.FIFO,
		cfg:  queue.Config{VisibilityTimeout: time.Hour},
		long: true,
		test: func(d *desk) {
			held := d.fill()
			d.send("one more")
			d.nothing()
			d.park(queue.ReceiveOptions{}).getsNothing(queue.MaxWait)
			w := d.park(queue.ReceiveOptions{})
			time.Sleep(time.Second)
			d.delete(held)
			w.gets(time.Second, "one more")
		},
	},
	{
		name: "Limits/InFlight/unlimited",
		rule: "without SQS's limits more than 120,000 messages may be in flight",
		cfg:  queue.Config{VisibilityTimeout: time.Hour, Limits: queue.Unlimited},
		long: true,
		test: func(d *desk) {
			d.fill()
			d.send("one more")
			d.one("one more")
		},
	},
}

func testLongPollAtLimit(d *desk) {
	held := d.fill()
	d.send("one more", "another")
	d.park(queue.ReceiveOptions{Wait: 5 * time.Second}).getsNothing(5 * time.Second)
	w := d.park(queue.ReceiveOptions{})
	time.Sleep(time.Second)
	d.delete(held)
	<-w.done
	require.NoError(d, w.err)
	require.Len(d, w.got, 1, "deliveries of a long poll after one message was deleted")
	w.returns(time.Second)
	last := d.park(queue.ReceiveOptions{})
	time.Sleep(time.Second)
	d.change(w.got[0].Receipt, 0)
	<-last.done
	require.NoError(d, last.err)
	require.Len(d, last.got, 1, "deliveries of a long poll after one message was given back")
	last.returns(time.Second)
}

// fill brings the queue to its in-flight limit and returns one of the receipts.
func (d *desk) fill() (held queue.Receipt) {
	d.Helper()
	for range queue.MaxInFlight / queue.MaxBatch {
		if _, err := d.q.SendBatch(d.Context(), d.messages(eleven[:queue.MaxBatch]...)); err != nil {
			require.NoError(d, err, "SendBatch")
		}
		got, err := d.q.Receive(d.Context(), queue.ReceiveOptions{Max: queue.MaxReceive, Wait: queue.None})
		if err != nil || len(got) != queue.MaxReceive {
			d.Fatalf("Receive = %d deliveries, %v; want %d, nil", len(got), err, queue.MaxReceive)
		}
		held = got[0].Receipt
	}
	return held
}
