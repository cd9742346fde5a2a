package queuetest

import (
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

// What each receipt may do. "Current" is the receipt of the latest receive
// while its visibility timeout runs; "expired", one whose timeout has passed
// before anybody received the message again; "superseded", one whose message
// was received again later; "gone", one whose message is deleted.

// garbage is no receipt of any local queue.
var garbage = queue.ForeignReceipt("garbage")

var standardReceiptCases = []testCase{
	{
		name: "Reference/9.2/standard-current-delete",
		rule: "the current receipt deletes",
		kind: queue.Standard,
		test: testCurrentDelete,
	},
	{
		name: "Reference/9.2/standard-expired-delete",
		rule: "on a Standard queue an expired receipt succeeds and deletes",
		kind: queue.Standard,
		test: func(d *desk) {
			d.delete(d.expired())
			d.staysGone()
		},
	},
	{
		name: "Reference/9.2/standard-superseded-delete",
		rule: "unverified; chosen: on a Standard queue a superseded receipt really deletes",
		kind: queue.Standard,
		test: func(d *desk) {
			old, latest := d.superseded()
			d.delete(old)
			d.delete(latest)
			d.staysGone()
		},
	},
	{
		name: "Reference/9.2/standard-superseded-delete-while-visible",
		rule: "unverified; chosen: a superseded receipt deletes also when the message is visible again",
		kind: queue.Standard,
		test: func(d *desk) {
			old, _ := d.superseded()
			time.Sleep(queue.DefaultVisibility)
			d.delete(old)
			d.staysGone()
		},
	},
	{
		name: "Reference/9.2/standard-released-delete",
		rule: "a receipt still deletes after its own ChangeVisibility to zero",
		kind: queue.Standard,
		test: func(d *desk) {
			d.send("a")
			r := d.one("a").Receipt
			d.change(r, 0)
			d.delete(r)
			d.staysGone()
		},
	},
	{
		name: "Reference/9.2/standard-no-timeout-delete",
		rule: "on a Standard queue the receipt of a receive with a visibility timeout of zero deletes",
		kind: queue.Standard,
		test: func(d *desk) {
			d.send("a")
			d.delete(d.oneFor(queue.None, "a").Receipt)
			d.staysGone()
		},
	},
	{
		name: "Reference/9.2/standard-gone-delete",
		rule: "deleting a deleted message succeeds, any number of times",
		kind: queue.Standard,
		test: testGoneDelete,
	},
	{
		name: "Reference/9.2/standard-retention-expired-delete",
		rule: "deleting a message that retention removed succeeds silently",
		kind: queue.Standard,
		cfg:  queue.Config{Retention: time.Minute},
		test: testRetentionExpiredDelete,
	},
	{
		name: "Reference/9.2/standard-current-change",
		rule: "the current receipt changes the visibility",
		kind: queue.Standard,
		test: testCurrentChange,
	},
	{
		name: "Reference/9.2/standard-expired-change",
		rule: "unverified; chosen: on a Standard queue an expired receipt hides the message, visible again by now",
		kind: queue.Standard,
		test: func(d *desk) {
			r := d.expired()
			start := time.Now()
			d.change(r, time.Minute)
			require.Equal(d, 2, d.receivableAt(start.Add(time.Minute), "a").ReceiveCount, "ReceiveCount")
		},
	},
	{
		name: "Reference/9.2/standard-expired-change-is-in-flight",
		rule: "unverified; chosen: a message that an expired receipt hid again is in flight",
		kind: queue.Standard,
		test: func(d *desk) {
			d.change(d.expired(), time.Minute)
			s := d.stats()
			require.Equal(d, 1, s.InFlight, "Stats.InFlight")
			require.Equal(d, 0, s.Visible, "Stats.Visible")
			require.EqualValues(d, 1, s.Received, "Stats.Received")
		},
	},
	{
		name: "Reference/9.2/standard-expired-change-to-zero",
		rule: "on a Standard queue an expired receipt succeeds with zero, and the message stays visible",
		kind: queue.Standard,
		test: func(d *desk) {
			d.change(d.expired(), 0)
			d.one("a")
		},
	},
	{
		name: "Reference/9.2/standard-superseded-change",
		rule: "on a Standard queue a superseded receipt succeeds and hides the message for the new time",
		kind: queue.Standard,
		test: func(d *desk) {
			old, _ := d.superseded()
			start := time.Now()
			d.change(old, time.Hour)
			d.receivableAt(start.Add(time.Hour), "a")
		},
	},
	{
		name: "Reference/9.2/standard-gone-change",
		rule: "the visibility of a deleted message can't change",
		kind: queue.Standard,
		test: testGoneChange,
	},
	{
		name: "Reference/9.2/standard-retention-expired-change",
		rule: "the visibility of a message that retention removed can't change",
		kind: queue.Standard,
		cfg:  queue.Config{Retention: time.Minute},
		test: testRetentionExpiredChange,
	},
	{
		name: "Reference/9.2/standard-lifetime",
		rule: "unverified; chosen: a Standard queue's receipt works for twelve hours after its own receive, then it has expired",
		kind: queue.Standard,
		test: testLifetime,
	},
	{
		name: "Reference/9.2/standard-lifetime-end",
		rule: "unverified; chosen: a Standard queue's receipt still deletes just before its twelve hours are over",
		kind: queue.Standard,
		test: func(d *desk) {
			d.send("a")
			r := d.one("a").Receipt
			time.Sleep(queue.ReceiptLifetime - tick)
			d.change(r, 0)
			d.delete(r)
			d.staysGone()
		},
	},
}

func testLifetime(d *desk) {
	d.send("a")
	old := d.one("a").Receipt
	time.Sleep(time.Hour)
	latest := d.one("a").Receipt
	time.Sleep(11*time.Hour + tick)
	d.deleteRefused(queue.ErrReceiptExpired, old)
	d.changeRefused(queue.ErrReceiptExpired, old, 0)
	d.delete(latest)
	d.staysGone()
}

// fencedReceiptCases are the rules of FIFO queues, and of Standard queues with
// FencedReceipts.
var fencedReceiptCases = fenced([]testCase{
	{name: "current-delete", rule: "the current receipt deletes", test: testCurrentDelete},
	{name: "current-change", rule: "the current receipt changes the visibility", test: testCurrentChange},
	{
		name: "expired-delete",
		rule: "an expired receipt is refused as expired, and the message stays",
		test: func(d *desk) {
			d.deleteRefused(queue.ErrReceiptExpired, d.expired())
			d.one("a")
		},
	},
	{
		name: "expired-at-the-deadline",
		rule: "a receipt expires with its visibility timeout, not earlier",
		test: func(d *desk) {
			d.send("a", "b")
			got := d.exactly(2)
			time.Sleep(queue.DefaultVisibility - tick)
			d.delete(got[0].Receipt)
			time.Sleep(tick)
			d.deleteRefused(queue.ErrReceiptExpired, got[1].Receipt)
		},
	},
	{
		name: "superseded-delete",
		rule: "a superseded receipt is refused as expired, and the latest receiver keeps the message",
		test: func(d *desk) {
			old, latest := d.superseded()
			d.deleteRefused(queue.ErrReceiptExpired, old)
			d.nothing()
			d.delete(latest)
			d.staysGone()
		},
	},
	{
		name: "released-delete",
		rule: "a receipt is expired after its own ChangeVisibility to zero",
		test: func(d *desk) {
			d.send("a")
			r := d.one("a").Receipt
			d.change(r, 0)
			d.deleteRefused(queue.ErrReceiptExpired, r)
			d.one("a")
		},
	},
	{
		name: "no-timeout-delete",
		rule: "the receipt of a receive with a visibility timeout of zero is expired at once",
		test: func(d *desk) {
			d.send("a")
			d.deleteRefused(queue.ErrReceiptExpired, d.oneFor(queue.None, "a").Receipt)
			d.one("a")
		},
	},
	{
		name: "extended-delete",
		rule: "after an extension the receipt lives until the extended deadline",
		test: func(d *desk) {
			d.send("a")
			r := d.one("a").Receipt
			d.change(r, time.Hour)
			time.Sleep(time.Hour - tick)
			d.delete(r)
			d.staysGone()
		},
	},
	{
		name: "extended-expired-delete",
		rule: "after an extension the receipt expires at the extended deadline",
		test: func(d *desk) {
			d.send("a")
			r := d.one("a").Receipt
			d.change(r, time.Hour)
			time.Sleep(time.Hour)
			d.deleteRefused(queue.ErrReceiptExpired, r)
		},
	},
	{
		name: "shortened-expired-delete",
		rule: "after a shortening the receipt expires at the shortened deadline",
		test: func(d *desk) {
			d.send("a")
			r := d.one("a").Receipt
			d.change(r, time.Second)
			time.Sleep(time.Second)
			d.deleteRefused(queue.ErrReceiptExpired, r)
		},
	},
	{
		name: "expired-change",
		rule: "unverified; chosen: an expired receipt can't change the visibility, with the same error as for deleting",
		test: func(d *desk) {
			r := d.expired()
			d.changeRefused(queue.ErrReceiptExpired, r, time.Minute)
			d.changeRefused(queue.ErrReceiptExpired, r, 0)
			d.one("a")
		},
	},
	{
		name: "superseded-change",
		rule: "unverified; chosen: a superseded receipt can't change the visibility, with the same error as for deleting",
		test: func(d *desk) {
			old, _ := d.superseded()
			start := time.Now()
			d.changeRefused(queue.ErrReceiptExpired, old, time.Hour)
			d.changeRefused(queue.ErrReceiptExpired, old, 0)
			d.receivableAt(start.Add(queue.DefaultVisibility), "a")
		},
	},
	{name: "gone-delete", rule: "unverified; chosen: deleting a deleted message succeeds, any number of times", test: testGoneDelete},
	{name: "gone-change", rule: "unverified; chosen: the visibility of a deleted message can't change", test: testGoneChange},
	{
		name: "retention-expired-delete",
		rule: "unverified; chosen: deleting a message that retention removed succeeds",
		cfg:  queue.Config{Retention: time.Minute},
		test: testRetentionExpiredDelete,
	},
	{
		name: "retention-expired-change",
		rule: "unverified; chosen: the visibility of a message that retention removed can't change",
		cfg:  queue.Config{Retention: time.Minute},
		test: testRetentionExpiredChange,
	},
	{
		name: "expired-delete-in-batch",
		rule: "in a batch an expired receipt fails alone",
		test: func(d *desk) {
			d.send("a", "b")
			got := d.exactly(2)
			d.change(got[0].Receipt, time.Second)
			time.Sleep(time.Second)
			err := d.q.DeleteBatch(d.Context(), receipts(got))
			failed := d.failedEntries(err)
			require.Len(d, failed, 1, "failed entries")
			require.ErrorIs(d, failed[0], queue.ErrReceiptExpired)
			time.Sleep(time.Hour)
			d.one(got[0].Body)
		},
	},
})

// fenced makes two cases of each: for FIFO queues, and for Standard queues with
// FencedReceipts.
func fenced(cases []testCase) (both []testCase) {
	for _, c := range cases {
		name, rule := c.name, c.rule
		c.kind, c.name = queue.FIFO, "Reference/9.2/fifo-"+name
		c.rule = rule + " (FIFO)"
		both = append(both, c)
		c.kind, c.name, c.cfg.FencedReceipts = queue.Standard, "Reference/9.2/fenced-"+name, true
		c.rule = rule + " (FencedReceipts)"
		both = append(both, c)
	}
	return both
}

// expired returns a receipt of the message "a" whose timeout has passed.
func (d *desk) expired() queue.Receipt {
	d.Helper()
	d.send("a")
	r := d.one("a").Receipt
	time.Sleep(queue.DefaultVisibility + time.Second)
	return r
}

// superseded returns two receipts of the message "a", the latest current.
func (d *desk) superseded() (old, latest queue.Receipt) {
	d.Helper()
	old = d.expired()
	return old, d.one("a").Receipt
}

// staysGone asserts that no message comes back.
func (d *desk) staysGone() {
	d.Helper()
	for range 3 {
		d.nothing()
		time.Sleep(6 * time.Hour)
	}
	d.nothing()
}

func testCurrentDelete(d *desk) {
	d.send("a")
	d.delete(d.one("a").Receipt)
	d.staysGone()
}

func testCurrentChange(d *desk) {
	d.send("a")
	start := time.Now()
	d.change(d.one("a").Receipt, time.Minute)
	d.receivableAt(start.Add(time.Minute), "a")
}

func testGoneDelete(d *desk) {
	d.send("a")
	r := d.one("a").Receipt
	for range 3 {
		d.delete(r)
	}
	time.Sleep(queue.DefaultVisibility + time.Second)
	d.delete(r)
	d.send("b")
	d.delete(r)
	d.one("b")
}

func testGoneChange(d *desk) {
	d.send("a")
	r := d.one("a").Receipt
	d.delete(r)
	d.changeRefused(queue.ErrMessageGone, r, time.Minute)
	d.changeRefused(queue.ErrMessageGone, r, 0)
	d.staysGone()
}

func testRetentionExpiredDelete(d *desk) {
	d.send("a")
	r := d.oneFor(time.Hour, "a").Receipt
	time.Sleep(2 * time.Minute)
	d.delete(r)
	d.delete(r)
}

func testRetentionExpiredChange(d *desk) {
	d.send("a")
	r := d.oneFor(time.Hour, "a").Receipt
	time.Sleep(2 * time.Minute)
	d.changeRefused(queue.ErrMessageGone, r, time.Minute)
	d.staysGone()
}

var receiptFormCases = []testCase{
	{
		name: "Reference/9.2/garbage",
		rule: "what is no receipt of this queue is not valid, for deleting and for changing",
		test: func(d *desk) {
			d.send("a")
			d.one("a")
			for _, r := range []queue.Receipt{garbage, queue.ForeignReceipt("-"), queue.NewReceipt(queue.ReceiptFields{Seq: 1})} {
				d.deleteRefused(queue.ErrReceiptInvalid, r)
				d.changeRefused(queue.ErrReceiptInvalid, r, time.Minute)
			}
		},
	},
	{
		name: "Reference/9.2/absent",
		rule: "the zero receipt is a missing parameter",
		test: func(d *desk) {
			d.deleteRefused(queue.ErrMissingParameter, queue.Receipt{})
			d.changeRefused(queue.ErrMissingParameter, queue.Receipt{}, time.Minute)
		},
	},
	{
		name: "Reference/9.2/another-queue",
		rule: "unverified; chosen: a receipt of another queue is not valid here",
		test: func(d *desk) {
			other := d.at(d.openNamed("other", queue.Config{}))
			d.send("a")
			other.send("b")
			mine, theirs := d.one("a").Receipt, other.one("b").Receipt
			d.deleteRefused(queue.ErrReceiptInvalid, theirs)
			d.changeRefused(queue.ErrReceiptInvalid, theirs, time.Minute)
			other.deleteRefused(queue.ErrReceiptInvalid, mine)
			d.delete(mine)
			other.delete(theirs)
		},
	},
	{
		name: "Contract/Receipt/changed-digit",
		rule: "a receipt with a changed digit is not valid",
		test: testChangedDigit,
	},
	{
		name: "Contract/Receipt/absurd-fields",
		rule: "a receipt of made-up fields is not valid, however large they are",
		test: testAbsurdFields,
	},
}

func testChangedDigit(d *desk) {
	d.send("a")
	r := d.one("a").Receipt
	if _, ok := r.Fields(); !ok {
		d.Skip("receipts are foreign text")
	}
	text := []byte(r.String())
	for i, digit := range text {
		text[i] = "123456789abcdef0"[hexValue(digit)]
		changed, err := queue.ParseReceipt(string(text))
		require.NoError(d, err, "ParseReceipt(%s)", text)
		require.ErrorIs(d, d.q.Delete(d.Context(), changed), queue.ErrReceiptInvalid, "Delete with digit %d changed", i)
		require.ErrorIs(d, d.q.ChangeVisibility(d.Context(), changed, 0), queue.ErrReceiptInvalid, "ChangeVisibility with digit %d changed", i)
		text[i] = digit
	}
	d.nothing()
	d.delete(r)
}

func hexValue(digit byte) byte {
	if digit <= '9' {
		return digit - '0'
	}
	return digit - 'a' + 10
}

func testAbsurdFields(d *desk) {
	d.send("a")
	r := d.one("a").Receipt
	if _, ok := r.Fields(); !ok {
		d.Skip("receipts are foreign text")
	}
	const word = 16 // digits of a number of 64 bits
	text := r.String()
	for i := 0; i < len(text); i += word {
		for _, digits := range []string{
			strings.Repeat("f", word), strings.Repeat("0", word), "7" + strings.Repeat("f", word-1), "8" + strings.Repeat("0", word-1),
		} {
			forged, err := queue.ParseReceipt(text[:i] + digits + text[i+word:])
			require.NoError(d, err, "ParseReceipt")
			if forged == r {
				continue
			}
			d.deleteRefused(queue.ErrReceiptInvalid, forged)
			d.changeRefused(queue.ErrReceiptInvalid, forged, time.Minute)
		}
	}
	d.delete(r)
}
