package queuetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

var sendCases = []testCase{
	{
		name: "Reference/6.1/standard-answer",
		rule: "the answer to a send is the message's ID, without sequence number or duplicate on a Standard queue",
		kind: queue.Standard,
		test: func(d *desk) {
			sent := d.send("a")[0]
			require.NotZero(d, sent.ID, "Sent.ID")
			require.Equal(d, queue.Sent{ID: sent.ID}, sent)
			require.Equal(d, sent.ID, d.one("a").ID, "ID of the delivery")
		},
	},
	{
		name: "Reference/6.1/equal-messages",
		rule: "two sends of the same content to a Standard queue are two messages",
		kind: queue.Standard,
		test: func(d *desk) {
			sent := d.send("a", "a")
			require.NotEqual(d, sent[0].ID, sent[1].ID, "IDs of two sends")
			require.Equal(d, []string{"a", "a"}, bodies(d.receive(10)))
		},
	},
	{
		name: "Reference/6.2/standard-group-is-optional",
		rule: "a Standard queue takes messages with and without a group",
		kind: queue.Standard,
		test: func(d *desk) {
			d.sendMessage(queue.Message{Body: "without"})
			d.sendMessage(queue.Message{Body: "with", GroupID: "tenant"})
			require.ElementsMatch(d, []string{"without", "with"}, bodies(d.receive(10)))
		},
	},
	{
		name: "Reference/6.2/standard-group-does-not-block",
		rule: "messages of one group of a Standard queue are in flight at the same time, with different receivers",
		kind: queue.Standard,
		test: func(d *desk) {
			for i := range 3 {
				d.sendMessage(queue.Message{Body: fmt.Sprint(i), GroupID: "tenant"})
			}
			for range 3 {
				d.exactly(1)
			}
		},
	},
	{
		name: "Reference/6.2/standard-deduplication-id",
		rule: "unverified; chosen: a Standard queue refuses a deduplication ID as not its own",
		kind: queue.Standard,
		test: func(d *desk) {
			d.refusedMessage(queue.ErrNotForThisQueue, queue.Message{Body: "a", DeduplicationID: "1"})
		},
	},
	{
		name: "Reference/6.2/standard-deduplication-id-in-batch",
		rule: "in a batch to a Standard queue a deduplication ID fails only its own entry",
		kind: queue.Standard,
		test: func(d *desk) {
			_, err := d.q.SendBatch(d.Context(), []queue.Message{{Body: "a"}, {Body: "b", DeduplicationID: "1"}})
			failed := d.failedEntries(err)
			require.Len(d, failed, 1, "failed entries")
			require.ErrorIs(d, failed[1], queue.ErrNotForThisQueue)
			d.one("a")
		},
	},
	{
		name: "Reference/6.2/standard-delay-overrides",
		rule: "a message's delay wins over the queue's, in both directions",
		kind: queue.Standard,
		cfg:  queue.Config{Delay: 10 * time.Second},
		test: func(d *desk) {
			start := time.Now()
			d.sendMessage(queue.Message{Body: "short", Delay: time.Second})
			d.sendMessage(queue.Message{Body: "long", Delay: time.Minute})
			d.sendMessage(queue.Message{Body: "queue's"})
			for _, want := range []struct {
				body  string
				after time.Duration
			}{{"short", time.Second}, {"queue's", 10 * time.Second}, {"long", time.Minute}} {
				d.delete(d.receivableAt(start.Add(want.after), want.body).Receipt)
			}
		},
	},
	{
		name: "Reference/6.2/standard-no-delay-overrides",
		rule: "an explicit delay of zero wins over the queue's delay",
		kind: queue.Standard,
		cfg:  queue.Config{Delay: 10 * time.Second},
		test: func(d *desk) {
			d.sendMessage(queue.Message{Body: "a", Delay: queue.None})
			d.one("a")
		},
	},
}

var batchCases = []testCase{
	{
		name: "Reference/6.3/answers-by-index",
		rule: "a batch is answered entry by entry, in its order",
		test: func(d *desk) {
			ms := d.messages("a", "b", "c")
			sent := d.sendBatch(ms...)
			ids := make(map[string]queue.MessageID)
			for _, got := range d.receive(10) {
				ids[got.Body] = got.ID
			}
			for i, m := range ms {
				require.Equal(d, ids[m.Body], sent[i].ID, "ID answered for entry %d", i)
			}
		},
	},
	{
		name: "Reference/6.3/standard-partial-failure",
		rule: "entries of a batch to a Standard queue fail one by one, and the others take effect",
		kind: queue.Standard,
		cfg:  queue.Config{MaxMessageSize: 1024},
		test: testPartialFailure,
	},
	{
		name: "Reference/6.3/standard-all-entries-fail",
		rule: "a batch of which every entry fails reports every entry and enqueues nothing",
		kind: queue.Standard,
		test: func(d *desk) {
			d.refused(queue.ErrMissingParameter, func() error {
				sent, err := d.q.SendBatch(d.Context(), make([]queue.Message, 10))
				require.Len(d, d.failedEntries(err), 10, "failed entries")
				require.Equal(d, make([]queue.Sent, 10), sent, "answers where every entry failed")
				return err
			})
		},
	},
	{
		name: "Reference/6.3/empty-batch",
		rule: "a batch has at least one entry",
		test: func(d *desk) {
			d.eachBatch(func(call func(n int) error) {
				d.wholeCall(d.refused(queue.ErrEmptyBatch, func() error { return call(0) }))
			})
		},
	},
	{
		name: "Reference/6.3/ten-entries",
		rule: "a batch may have ten entries",
		test: func(d *desk) {
			d.sendBatch(d.messages(eleven[:10]...)...)
			got := d.exactly(10)
			require.NoError(d, d.q.ChangeVisibilityBatch(d.Context(), changes(receipts(got), time.Minute)), "ChangeVisibilityBatch")
			require.NoError(d, d.q.DeleteBatch(d.Context(), receipts(got)), "DeleteBatch")
			time.Sleep(time.Hour)
			d.nothing()
		},
	},
	{
		name: "Reference/6.3/eleven-entries",
		rule: "a batch of more than ten entries is refused as a whole",
		test: func(d *desk) {
			d.eachBatch(func(call func(n int) error) {
				err := d.refused(queue.ErrTooManyEntries, func() error { return call(11) })
				d.wholeCall(err)
				d.limit(err, "", 11, nil, queue.MaxBatch)
			})
		},
	},
	{
		name: "Reference/6.3/total-is-inclusive",
		rule: "the entries of a batch may sum up to exactly 1,048,576 bytes",
		test: func(d *desk) {
			ms := d.messages(strings.Repeat("a", 1<<19), strings.Repeat("b", 1<<19-8))
			ms[1].Attributes = queue.NewAttributes(map[string]queue.Value{"k": queue.String("x")})
			d.sendBatch(ms...)
			d.exactly(2)
		},
	},
	{
		name: "Reference/6.3/total-too-large",
		rule: "a batch of more than 1,048,576 bytes is refused as a whole, attributes included",
		test: func(d *desk) {
			ms := d.messages(strings.Repeat("a", 1<<19), strings.Repeat("b", 1<<19-7))
			ms[1].Attributes = queue.NewAttributes(map[string]queue.Value{"k": queue.String("x")})
			err := d.refused(queue.ErrBatchTooLarge, func() error {
				_, err := d.q.SendBatch(d.Context(), ms)
				return err
			})
			d.wholeCall(err)
			d.limit(err, "", 1<<20+1, nil, queue.MaxBatchBytes)
		},
	},
	{
		name: "Reference/6.3/total-has-its-own-limit",
		rule: "a batch's total is compared with 1,048,576 bytes, not with the queue's MaxMessageSize",
		cfg:  queue.Config{MaxMessageSize: 1024},
		test: func(d *desk) {
			body := strings.Repeat("x", 1024)
			d.sendBatch(d.messages(body, body, body)...)
			d.exactly(3)
		},
	},
	{
		name: "Reference/6.3/whole-call-before-entries",
		rule: "what is wrong with the whole call is reported before any entry is looked at",
		test: func(d *desk) {
			d.refused(queue.ErrTooManyEntries, func() error {
				_, err := d.q.SendBatch(d.Context(), make([]queue.Message, 11))
				d.wholeCall(err)
				return err
			})
			d.refused(queue.ErrBatchTooLarge, func() error {
				_, err := d.q.SendBatch(d.Context(), d.messages(strings.Repeat("a", 1<<20), "\x00"))
				d.wholeCall(err)
				return err
			})
		},
	},
}

var eleven = strings.Split("abcdefghijk", "")

// eachBatch hands test the batch calls, one by one, as functions of the number
// of their entries. Only those of SendBatch are good.
func (d *desk) eachBatch(test func(call func(n int) error)) {
	d.Helper()
	test(func(n int) error {
		_, err := d.q.SendBatch(d.Context(), d.messages(eleven[:n]...))
		return err
	})
	test(func(n int) error {
		return d.q.ChangeVisibilityBatch(d.Context(), make([]queue.VisibilityChange, n))
	})
	test(func(n int) error {
		return d.q.DeleteBatch(d.Context(), make([]queue.Receipt, n))
	})
}

// changes makes a batch of the same change for each receipt.
func changes(rs []queue.Receipt, timeout time.Duration) []queue.VisibilityChange {
	var cs []queue.VisibilityChange
	for _, r := range rs {
		cs = append(cs, queue.VisibilityChange{Receipt: r, Timeout: timeout})
	}
	return cs
}

func testPartialFailure(d *desk) {
	good := queue.Message{Body: "good"}
	bad := map[int]struct {
		m    queue.Message
		want error
	}{
		1: {queue.Message{}, queue.ErrMissingParameter},
		2: {queue.Message{Body: strings.Repeat("x", 1025)}, queue.ErrMessageTooLarge},
		3: {queue.Message{Body: "\x00"}, queue.ErrInvalidContents},
		5: {queue.Message{Body: "x", Delay: queue.MaxDelay + time.Second}, queue.ErrInvalidParameter},
		6: {queue.Message{Body: "x", Delay: -2}, queue.ErrInvalidParameter},
		7: {queue.Message{Body: "x", GroupID: "a b"}, queue.ErrInvalidParameter},
		8: {attributed(d, "a b", queue.String("x")), queue.ErrInvalidParameter},
		9: {queue.Message{Body: "x", DeduplicationID: "x"}, queue.ErrNotForThisQueue},
	}
	ms := make([]queue.Message, 10)
	for i := range ms {
		ms[i] = good
		if b, ok := bad[i]; ok {
			ms[i] = b.m
		}
	}
	sent, err := d.q.SendBatch(d.Context(), ms)
	failed := d.failedEntries(err)
	require.Len(d, failed, len(bad), "failed entries")
	require.Len(d, sent, len(ms), "answers")
	for i := range ms {
		if b, ok := bad[i]; ok {
			require.ErrorIs(d, failed[i], b.want, "entry %d", i)
			require.Zero(d, sent[i], "answer for failed entry %d", i)
		} else {
			require.NotZero(d, sent[i].ID, "ID answered for entry %d", i)
		}
	}
	require.Equal(d, []string{"good", "good"}, bodies(d.receive(10)))
}
