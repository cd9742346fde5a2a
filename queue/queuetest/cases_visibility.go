package queuetest

import (
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

var visibilityCases = []testCase{
	{
		name: "Reference/9.1/hidden-for-the-timeout",
		rule: "a received message is hidden for the visibility timeout, counted from the receive",
		test: func(d *desk) {
			d.send("a")
			time.Sleep(time.Hour) // not from the sending
			start := time.Now()
			d.one("a")
			d.receivableAt(start.Add(queue.DefaultVisibility), "a")
		},
	},
	{
		name: "Reference/9.1/each-message-its-own-deadline",
		rule: "every message has its own deadline",
		test: func(d *desk) {
			start := time.Now()
			for i, body := range []string{"c", "a", "b"} {
				d.send(body)
				d.oneFor([]time.Duration{3, 1, 2}[i]*time.Minute, body)
			}
			for i, body := range []string{"a", "b", "c"} {
				d.delete(d.receivableAt(start.Add(time.Duration(i+1)*time.Minute), body).Receipt)
			}
		},
	},
	{
		name: "Reference/9.1/change-counts-from-the-call",
		rule: "ChangeVisibility hides for the new time from the call on, not added to what is left",
		test: func(d *desk) {
			d.send("a")
			r := d.one("a").Receipt
			time.Sleep(20 * time.Second)
			start := time.Now()
			d.change(r, 15*time.Second)
			d.receivableAt(start.Add(15*time.Second), "a")
		},
	},
	{
		name: "Reference/9.1/extend",
		rule: "a timeout can be extended again and again",
		test: func(d *desk) {
			d.send("a")
			r := d.one("a").Receipt
			for range 10 {
				time.Sleep(29 * time.Second)
				d.change(r, 30*time.Second)
			}
			d.receivableAt(time.Now().Add(30*time.Second), "a")
		},
	},
	{
		name: "Reference/9.1/shorten",
		rule: "a timeout can be shortened",
		test: func(d *desk) {
			d.send("a")
			r := d.one("a").Receipt
			start := time.Now()
			d.change(r, time.Second)
			d.receivableAt(start.Add(time.Second), "a")
		},
	},
	{
		name: "Reference/9.1/zero-returns-at-once",
		rule: "ChangeVisibility to zero makes the message receivable at once",
		test: func(d *desk) {
			d.send("a")
			d.change(d.one("a").Receipt, 0)
			require.Equal(d, 2, d.one("a").ReceiveCount, "ReceiveCount")
		},
	},
	{
		name: "Reference/9.1/this-receive-only",
		rule: "a changed timeout does not stick to the message: the next receive has the queue's",
		test: func(d *desk) {
			d.send("a")
			start := time.Now()
			d.change(d.one("a").Receipt, time.Hour)
			d.receivableAt(start.Add(time.Hour), "a")
			d.receivableAt(start.Add(time.Hour+queue.DefaultVisibility), "a")
		},
	},
	{
		name: "Reference/9.1/twelve-hours-by-receive",
		rule: "a receive may hide a message for twelve hours",
		test: func(d *desk) {
			d.send("a")
			start := time.Now()
			d.oneFor(queue.MaxVisibility, "a")
			d.receivableAt(start.Add(queue.MaxVisibility), "a")
		},
	},
	{
		name: "Reference/9.1/twelve-hours-in-total",
		rule: "a message is hidden for at most twelve hours counted from its receive, and extensions don't move that end",
		test: testTwelveHours,
	},
	{
		name: "Reference/9.1/twelve-hours-at-once",
		rule: "a change to twelve hours is refused a millisecond after the receive",
		test: func(d *desk) {
			d.send("a")
			r := d.one("a").Receipt
			d.change(r, queue.MaxVisibility) // at the very instant of the receive
			time.Sleep(tick)
			err := d.changeRefused(queue.ErrInvalidParameter, r, queue.MaxVisibility)
			d.limit(err, "VisibilityTimeout", queue.MaxVisibility, nil, nil)
		},
	},
	{
		name: "Reference/9.1/twelve-hours-not-from-sending",
		rule: "the twelve hours don't count from the sending",
		test: func(d *desk) {
			d.send("a")
			time.Sleep(24 * time.Hour)
			d.change(d.one("a").Receipt, queue.MaxVisibility)
		},
	},
	{
		name: "Reference/9.1/twelve-hours-from-the-latest-receive",
		rule: "unverified; chosen: the twelve hours count from the latest receive",
		kind: queue.Standard,
		test: func(d *desk) {
			d.send("a")
			old := d.one("a").Receipt
			time.Sleep(2 * time.Hour)
			d.one("a")
			start := time.Now()
			d.change(old, 11*time.Hour+59*time.Minute) // within 12 hours of the second receive only
			d.receivableAt(start.Add(11*time.Hour+59*time.Minute), "a")
		},
	},
	{
		name: "Invariant/4/never-early-within-a-millisecond",
		rule: "durations are rounded up: a message is not back a nanosecond early, and back within a millisecond",
		test: testNeverEarly,
	},
	{
		name: "Contract/ChangeVisibility/unlimited",
		rule: "without SQS's limits a message may be hidden for longer than twelve hours, in one go and in total",
		cfg:  queue.Config{Limits: queue.Unlimited},
		test: func(d *desk) {
			d.send("a")
			start := time.Now()
			r := d.oneFor(24*time.Hour, "a").Receipt
			time.Sleep(11 * time.Hour)
			d.change(r, 30*time.Hour)
			d.receivableAt(start.Add(41*time.Hour), "a")
		},
	},
}

func testTwelveHours(d *desk) {
	d.send("a")
	start := time.Now()
	r := d.oneFor(6*time.Hour, "a").Receipt
	time.Sleep(6*time.Hour - tick)
	d.change(r, 5*time.Hour)
	sleepUntil(start.Add(10 * time.Hour))
	err := d.changeRefused(queue.ErrInvalidParameter, r, 2*time.Hour+tick)
	d.limit(err, "VisibilityTimeout", 2*time.Hour+tick, nil, nil)
	d.change(r, 2*time.Hour)
	d.receivableAt(start.Add(12*time.Hour), "a")
}

func testNeverEarly(d *desk) {
	const timeout = time.Second
	for _, offset := range []time.Duration{1, 300 * time.Microsecond, 999_999} {
		time.Sleep(offset)
		d.send("a")
		start := time.Now()
		got := d.oneFor(timeout, "a")
		require.False(d, got.VisibleAt.Before(start.Add(timeout)), "VisibleAt is %v before the deadline", start.Add(timeout).Sub(got.VisibleAt))
		sleepUntil(start.Add(timeout - 1))
		d.nothing()
		sleepUntil(start.Add(timeout + tick))
		d.delete(d.one("a").Receipt)
	}
}

var handleBatchCases = []testCase{
	{
		name: "Reference/9.3/delete-batch",
		rule: "DeleteBatch deletes each message",
		test: func(d *desk) {
			d.send("a", "b", "c")
			require.NoError(d, d.q.DeleteBatch(d.Context(), receipts(d.receive(10))))
			time.Sleep(time.Hour)
			d.nothing()
		},
	},
	{
		name: "Reference/9.3/delete-batch-again",
		rule: "a batch of receipts whose messages are deleted already succeeds",
		test: func(d *desk) {
			d.send("a", "b")
			rs := receipts(d.receive(10))
			for range 3 {
				require.NoError(d, d.q.DeleteBatch(d.Context(), rs))
			}
		},
	},
	{
		name: "Reference/9.3/same-receipt-twice",
		rule: "a batch may name the same receipt twice",
		test: func(d *desk) {
			d.send("a")
			start := time.Now()
			r := d.one("a").Receipt
			require.NoError(d, d.q.ChangeVisibilityBatch(d.Context(), []queue.VisibilityChange{{Receipt: r, Timeout: time.Hour}, {Receipt: r, Timeout: time.Minute}}))
			got := d.receivableAt(start.Add(time.Minute), "a")
			require.NoError(d, d.q.DeleteBatch(d.Context(), []queue.Receipt{got.Receipt, got.Receipt}))
		},
	},
	{
		name: "Reference/9.3/delete-batch-partial-failure",
		rule: "in DeleteBatch bad receipts fail alone",
		test: func(d *desk) {
			d.send("a", "b")
			got := d.exactly(2)
			err := d.q.DeleteBatch(d.Context(), []queue.Receipt{got[0].Receipt, {}, garbage, got[1].Receipt})
			failed := d.failedEntries(err)
			require.Len(d, failed, 2, "failed entries")
			require.ErrorIs(d, failed[1], queue.ErrMissingParameter)
			require.ErrorIs(d, failed[2], queue.ErrReceiptInvalid)
			time.Sleep(time.Hour)
			d.nothing()
		},
	},
	{
		name: "Reference/9.3/change-batch",
		rule: "ChangeVisibilityBatch changes each message to its own time",
		test: func(d *desk) {
			start := time.Now()
			var cs []queue.VisibilityChange
			for i := 3; i >= 1; i-- {
				d.send(fmt.Sprint(i))
				cs = append(cs, queue.VisibilityChange{Receipt: d.one(fmt.Sprint(i)).Receipt, Timeout: time.Duration(i) * time.Minute})
			}
			require.NoError(d, d.q.ChangeVisibilityBatch(d.Context(), cs))
			for i := 1; i <= 3; i++ {
				d.delete(d.receivableAt(start.Add(time.Duration(i)*time.Minute), fmt.Sprint(i)).Receipt)
			}
		},
	},
	{
		name: "Reference/9.3/change-batch-partial-failure",
		rule: "in ChangeVisibilityBatch bad entries fail alone",
		test: testChangeBatchPartial,
	},
}

func testChangeBatchPartial(d *desk) {
	d.send("good", "long", "gone")
	byBody := make(map[string]queue.Receipt)
	for _, got := range d.receive(10) {
		byBody[got.Body] = got.Receipt
	}
	d.delete(byBody["gone"])
	start := time.Now()
	err := d.q.ChangeVisibilityBatch(d.Context(), []queue.VisibilityChange{
		{Receipt: byBody["gone"], Timeout: time.Minute},
		{Receipt: queue.Receipt{}, Timeout: time.Minute},
		{Receipt: garbage, Timeout: time.Minute},
		{Receipt: byBody["good"], Timeout: time.Minute},
		{Receipt: byBody["long"], Timeout: queue.MaxVisibility + time.Second},
	})
	failed := d.failedEntries(err)
	require.Len(d, failed, 4, "failed entries")
	require.ErrorIs(d, failed[0], queue.ErrMessageGone)
	require.ErrorIs(d, failed[1], queue.ErrMissingParameter)
	require.ErrorIs(d, failed[2], queue.ErrReceiptInvalid)
	require.ErrorIs(d, failed[4], queue.ErrInvalidParameter)
	d.limit(failed[4], "VisibilityTimeout", queue.MaxVisibility+time.Second, nil, queue.MaxVisibility)
	d.delete(d.receivableAt(start.Add(queue.DefaultVisibility), "long").Receipt)
	d.receivableAt(start.Add(time.Minute), "good")
}
