package queuetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

// The message itself: its body, its size, its attributes, its identity.

var bodyCases = []testCase{
	{
		name: "Reference/5.1/body-kept-exactly",
		rule: "a body of allowed characters comes back as it was sent, line ends included",
		test: testBodyKept,
	},
	{
		name: "Reference/5.1/empty-body",
		rule: "a message without a body is refused as incomplete",
		test: func(d *desk) {
			m := d.message("")
			d.refusedMessage(queue.ErrMissingParameter, m)
		},
	},
	{
		name: "Reference/5.1/refused-characters",
		rule: "a body with a character outside U+0009, U+000A, U+000D, U+0020–U+D7FF, U+E000–U+FFFD, U+10000–U+10FFFF is refused",
		test: func(d *desk) {
			for _, bad := range badText {
				d.refusedMessage(queue.ErrInvalidContents, d.message("text "+bad+" text"))
			}
		},
	},
	{
		name: "Reference/5.1/refused-characters-at-the-edges",
		rule: "a bad character is found at the first and at the last byte of a body",
		test: func(d *desk) {
			long := strings.Repeat("x", 1000)
			d.refusedMessage(queue.ErrInvalidContents, d.message("\x00"+long))
			d.refusedMessage(queue.ErrInvalidContents, d.message(long+"\x00"))
			d.refusedMessage(queue.ErrInvalidContents, d.message(long+"\xe2\x82"))
		},
	},
	{
		name: "Reference/5.1/bad-body-in-batch",
		rule: "in a batch a bad body fails only its own entry",
		kind: queue.Standard,
		test: func(d *desk) {
			_, err := d.q.SendBatch(d.Context(), d.messages("a", "b\x00", "", "d"))
			failed := d.failedEntries(err)
			require.Len(d, failed, 2, "failed entries")
			require.ErrorIs(d, failed[1], queue.ErrInvalidContents)
			require.ErrorIs(d, failed[2], queue.ErrMissingParameter)
			require.ElementsMatch(d, []string{"a", "d"}, bodies(d.receive(10)))
		},
	},
	{
		name: "Contract/Config/unlimited-bytes",
		rule: "without SQS's limits a body may be any bytes",
		cfg:  queue.Config{Limits: queue.Unlimited},
		test: func(d *desk) {
			for _, body := range append([]string{"\x00"}, badText...) {
				d.send(body)
				d.delete(d.one(body).Receipt)
			}
		},
	},
}

// badText is what SQS refuses in a text.
var badText = []string{
	"\x00", "\x01", "\x08", "\x0b", "\x0c", "\x0e", "\x1f", // C0 controls
	"\ufffe", "\uffff",
	"\xed\xa0\x80", "\xed\xbf\xbf", // surrogates
	"\xff", "\xc0\xaf", "\xe2\x82", "\xf4\x90\x80\x80", // no UTF-8
}

func testBodyKept(d *desk) {
	for _, body := range []string{
		"x", " ", "\t", "\n", "\r", "\r\n\r\n \n\r", "\u007f\u0085\u009f", "\ud7ff\ue000\ufffd\ufeff",
		"\U00010000\U0001f4ee\U0001ffff\U0010ffff", `{"a":"<&>\u0000"}`, strings.Repeat("größe ", 10_000),
	} {
		d.send(body)
		d.delete(d.one(body).Receipt)
	}
}

var sizeCases = []testCase{
	{
		name: "Reference/5.2/limit-is-inclusive",
		rule: "a message of exactly 1,048,576 bytes is taken, and one byte more refused",
		test: func(d *desk) {
			body := strings.Repeat("x", queue.MaxMessage)
			d.send(body)
			err := d.refusedMessage(queue.ErrMessageTooLarge, d.message(body+"x"))
			d.limit(err, "MessageBody", queue.MaxMessage+1, nil, queue.MaxMessage)
		},
	},
	{
		name: "Reference/5.2/queue-limit",
		rule: "the queue's MaxMessageSize applies, inclusive",
		cfg:  queue.Config{MaxMessageSize: queue.MinMessageLimit},
		test: func(d *desk) {
			body := strings.Repeat("x", queue.MinMessageLimit)
			d.send(body)
			err := d.refusedMessage(queue.ErrMessageTooLarge, d.message(body+"x"))
			d.limit(err, "MessageBody", queue.MinMessageLimit+1, nil, queue.MinMessageLimit)
		},
	},
	{
		name: "Reference/5.2/bytes-not-characters",
		rule: "a body counts as its UTF-8 bytes",
		cfg:  queue.Config{MaxMessageSize: 1024},
		test: func(d *desk) {
			d.send(strings.Repeat("é", 512))
			d.refusedMessage(queue.ErrMessageTooLarge, d.message(strings.Repeat("é", 513)))
		},
	},
	{
		name: "Reference/5.2/attributes-count",
		rule: "an attribute counts with its name, its type with label, and its value, binary as raw bytes",
		cfg:  queue.Config{MaxMessageSize: 1024},
		test: testAttributesCount,
	},
	{
		name: "Reference/5.2/trace-header-is-free",
		rule: "system attributes don't count towards the size",
		cfg:  queue.Config{MaxMessageSize: 1024},
		test: func(d *desk) {
			m := d.message(strings.Repeat("x", 1024))
			m.TraceHeader = traceHeader
			d.sendMessage(m)
		},
	},
	{
		name: "Reference/5.2/group-is-free",
		rule: "unverified; chosen: group and deduplication IDs don't count towards the size",
		cfg:  queue.Config{MaxMessageSize: 1024},
		test: func(d *desk) {
			m := d.message(strings.Repeat("x", 1024))
			m.GroupID = "tenant"
			d.sendMessage(m)
		},
	},
}

const traceHeader = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"

func testAttributesCount(d *desk) {
	for name, v := range map[string]queue.Value{
		"k":          queue.String("x"),
		"größe":      queue.String("maß"),
		"labelled":   {Type: "Number.some label", Data: "12"},
		"binary":     queue.Binary([]byte{0, 1, 2, 255}),
		"binary-two": {Type: "Binary.gif", Data: "\xff\xfe"},
	} {
		body := strings.Repeat("x", 1024-len(name)-len(v.Type)-len(v.Data))
		fits, tooLarge := d.message(body), d.message(body+"x")
		fits.Attributes = queue.NewAttributes(map[string]queue.Value{name: v})
		tooLarge.Attributes = fits.Attributes
		d.sendMessage(fits)
		d.refusedMessage(queue.ErrMessageTooLarge, tooLarge)
	}
}

var identityCases = []testCase{
	{
		name: "Reference/5.4/sent-time-is-kept",
		rule: "the time of sending is that of the Send, whatever happens later",
		test: func(d *desk) {
			sent := time.Now()
			d.send("a")
			for range 3 {
				time.Sleep(time.Minute)
				require.WithinDuration(d, sent, d.one("a").SentAt, 0, "SentAt")
			}
		},
	},
	{
		name: "Reference/5.4/receive-count-and-first-receive",
		rule: "the receive count includes this receive, and the time of the first receive stays",
		test: func(d *desk) {
			d.send("a")
			time.Sleep(time.Second)
			first := time.Now()
			for n := 1; n <= 4; n++ {
				got := d.one("a")
				require.Equal(d, n, got.ReceiveCount, "ReceiveCount")
				require.WithinDuration(d, first, got.FirstReceivedAt, 0, "FirstReceivedAt")
				time.Sleep(queue.DefaultVisibility)
			}
		},
	},
	{
		name: "Reference/5.4/trace-header-and-group",
		rule: "the trace header and the group ID are delivered as sent",
		test: func(d *desk) {
			m := d.message("a")
			m.TraceHeader, m.GroupID = traceHeader, "tenant-1"
			d.sendMessage(m)
			got := d.one("a")
			require.Equal(d, traceHeader, got.TraceHeader, "TraceHeader")
			require.Equal(d, "tenant-1", got.GroupID, "GroupID")
		},
	},
	{
		name: "Reference/5.4/standard-group-has-no-sequence",
		rule: "a message with a group on a Standard queue has no sequence number",
		kind: queue.Standard,
		test: func(d *desk) {
			sent := d.sendMessage(queue.Message{Body: "a", GroupID: "tenant"})
			require.Zero(d, sent.Sequence, "Sent.Sequence")
			require.Zero(d, d.one("a").Sequence, "Delivery.Sequence")
		},
	},
	{
		name: "Reference/5.5/id-is-stable",
		rule: "a message keeps its ID over redeliveries",
		test: func(d *desk) {
			sent := d.send("a")[0]
			for range 3 {
				require.Equal(d, sent.ID, d.one("a").ID, "Delivery.ID")
				time.Sleep(queue.DefaultVisibility)
			}
		},
	},
	{
		name: "Reference/5.5/ids-are-distinct",
		rule: "no two messages have the same ID, also in different queues",
		test: testIDsDistinct,
	},
	{
		name: "Reference/5.5/receipt-is-new-with-every-receive",
		rule: "every receive issues a new receipt",
		test: testReceiptsNew,
	},
	{
		name: "Reference/5.5/receipt-text",
		rule: "a receipt's text has at most 1,024 characters and none that wrappers separate by",
		test: func(d *desk) {
			d.send("a")
			text := d.one("a").Receipt.String()
			require.NotEmpty(d, text, "receipt text")
			require.LessOrEqual(d, len(text), 1024, "length of receipt text %q", text)
			require.False(d, strings.ContainsAny(text, "-#"), "receipt text %q has - or #", text)
		},
	},
	{
		name: "Reference/5.5/receipt-round-trip",
		rule: "a local queue's receipt still works after it was text",
		test: func(d *desk) {
			d.send("a")
			r := d.one("a").Receipt
			if _, ok := r.Fields(); !ok {
				d.Skip("receipts are foreign text")
			}
			parsed, err := queue.ParseReceipt(r.String())
			require.NoError(d, err, "ParseReceipt(%q)", r)
			require.Equal(d, r, parsed, "receipt after String and ParseReceipt")
			d.change(parsed, time.Minute)
			d.delete(parsed)
			time.Sleep(time.Hour)
			d.nothing()
		},
	},
}

func testIDsDistinct(d *desk) {
	seen := make(map[queue.MessageID]bool)
	other := d.at(d.openNamed("other", queue.Config{}))
	for i := range 500 {
		for _, where := range []*desk{d, other} {
			sent := where.send(fmt.Sprint(i))[0]
			require.NotZero(d, sent.ID, "ID of message %d", i)
			require.False(d, seen[sent.ID], "ID %v was given twice", sent.ID)
			seen[sent.ID] = true
		}
	}
}

func testReceiptsNew(d *desk) {
	d.send("a", "b", "c")
	seen := make(map[queue.Receipt]bool)
	for range 5 {
		got := d.receive(10)
		require.Len(d, got, 3, "deliveries")
		for _, g := range got {
			require.NotZero(d, g.Receipt, "receipt")
			require.False(d, seen[g.Receipt], "receipt %v was issued twice", g.Receipt)
			seen[g.Receipt] = true
		}
		time.Sleep(queue.DefaultVisibility)
	}
}
