package wire

import (
	"time"

	"github.com/stretchr/testify/require"
)

var timeSurprises = []Row{
	{"25/13-zero-wait-and-visibility", "A wait and a visibility timeout of 0 are values, and hold instead of the queue's.", Both, func(d *desk) {
		q := d.queue("jobs", "ReceiveMessageWaitTimeSeconds", "10", "VisibilityTimeout", "50")
		start := d.now()
		require.Empty(d.t, q.ok("ReceiveMessage", object{"WaitTimeSeconds": 0}))
		d.took(0, start)
		q.send("a")
		q.take("a", object{"VisibilityTimeout": 0})
		q.take("a", object{"VisibilityTimeout": 0})
		q.counts(1, 0, 0)
		handle := q.take("a")
		q.change(handle, 0)
		q.counts(1, 0, 0)
	}},
	{"25/14-fifo-zero-delay", "A delay of 0 is taken by a FIFO queue, and ignored: the queue's own holds.", Both, func(d *desk) {
		q := d.queue("jobs.fifo", "DelaySeconds", "5")
		q.send("a", object{"DelaySeconds": 0})
		q.ok("SendMessageBatch", object{"Entries": []object{{"Id": "1", "MessageBody": "b", "MessageGroupId": "g", "MessageDeduplicationId": "b", "DelaySeconds": 0}}})
		q.counts(0, 0, 2)
		d.pass(5 * time.Second)
		require.Equal(d.t, []string{"a", "b"}, q.bodies(nil))
	}},
	{"25/15-standard-zero-delay", "A delay of 0 holds on a Standard queue instead of the queue's own.", Both, func(d *desk) {
		q := d.queue("jobs", "DelaySeconds", "5")
		q.send("now", object{"DelaySeconds": 0})
		q.ok("SendMessageBatch", object{"Entries": []object{{"Id": "1", "MessageBody": "now", "DelaySeconds": 0}}})
		q.send("later")
		q.counts(2, 0, 1)
		require.Equal(d.t, []string{"now", "now"}, q.bodies(nil))
	}},
	{"25/16-standard-delete-with-old-handle", "A Standard queue's message is deleted by an expired handle, and by an older one.", Both, func(d *desk) {
		q := d.queue("jobs", "VisibilityTimeout", "1")
		q.send("a")
		handle := q.take("a")
		d.pass(2 * time.Second)
		q.delete(handle)
		q.counts(0, 0, 0)
		q.send("b")
		old := q.take("b")
		d.pass(2 * time.Second)
		q.take("b")
		require.Equal(d.t, object{"Successful": []any{object{"Id": "1"}}}, q.ok("DeleteMessageBatch", object{"Entries": []object{{"Id": "1", "ReceiptHandle": old}}}))
		q.counts(0, 0, 0)
	}},
	{"25/17-fifo-delete-with-expired-handle", "A FIFO queue refuses an expired handle, in a batch by the code ReceiptHandleIsInvalid.", Both, func(d *desk) {
		q := d.queue("jobs.fifo", "VisibilityTimeout", "1")
		q.send("a")
		handle := q.take("a")
		d.pass(2 * time.Second)
		q.refuse(invalid, expiredHandle(handle), "DeleteMessage", object{"ReceiptHandle": handle})
		require.Equal(d.t, object{"Failed": []any{object{"Id": "1", "SenderFault": true, "Code": "ReceiptHandleIsInvalid", "Message": "The receipt handle has expired"}}},
			q.ok("DeleteMessageBatch", object{"Entries": []object{{"Id": "1", "ReceiptHandle": handle}}}))
		q.take("a")
	}},
	{"25/18-fifo-expiry-follows-extension", "After an extension a FIFO queue's handle lives until the new time.", Both, func(d *desk) {
		q := d.queue("jobs.fifo", "VisibilityTimeout", "5")
		q.send("a")
		handle := q.take("a")
		q.change(handle, 60)
		d.pass(59 * time.Second)
		q.delete(handle)
		q.counts(0, 0, 0)
	}},
	{"25/19-delete-twice", "Deleting twice succeeds on a Standard queue.", Both, func(d *desk) {
		q := d.queue("jobs")
		q.send("a")
		handle := q.take("a")
		q.delete(handle)
		q.delete(handle)
		require.Equal(d.t, object{"Successful": []any{object{"Id": "1"}, object{"Id": "2"}}},
			q.ok("DeleteMessageBatch", object{"Entries": []object{{"Id": "1", "ReceiptHandle": handle}, {"Id": "2", "ReceiptHandle": handle}}}))
	}},
	{"25/20-visibility-of-visible-message", "Changing the visibility of a Standard queue's visible message succeeds.", Both, func(d *desk) {
		q := d.queue("jobs", "VisibilityTimeout", "1")
		q.send("a")
		handle := q.take("a")
		d.pass(2 * time.Second)
		q.change(handle, 30)
	}},
	{"25/21-visibility-of-deleted-message", "Changing the visibility of a deleted message is an invalid parameter.", Both, func(d *desk) {
		for _, q := range []*queue{d.queue("jobs"), d.queue("jobs.fifo")} {
			q.send("a")
			handle := q.take("a")
			q.delete(handle)
			q.refuse(invalid, goneHandle(handle), "ChangeMessageVisibility", object{"ReceiptHandle": handle, "VisibilityTimeout": 30})
		}
	}},
	{"25/22-twelve-hours-from-receive", "A message is held for 12 hours at most, counted from its receive and not from its sending.", Both, func(d *desk) {
		q := d.queue("jobs")
		q.send("a")
		d.exactly()
		d.pass(20 * time.Hour)
		handle := q.take("a", object{"VisibilityTimeout": 43200})
		d.pass(time.Hour)
		q.change(handle, 43200-3600)
		q.refuse(invalid, "Value 39601 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds]",
			"ChangeMessageVisibility", object{"ReceiptHandle": handle, "VisibilityTimeout": 43200 - 3600 + 1})
	}},
	{"25/23-change-is-of-one-receive", "A changed visibility is that receive's; the next is hidden as long as the queue says.", Both, func(d *desk) {
		q := d.queue("jobs", "VisibilityTimeout", "10")
		q.send("a")
		q.change(q.take("a"), 100)
		d.pass(100 * time.Second)
		q.take("a")
		d.pass(9 * time.Second)
		q.nothing()
		d.pass(time.Second)
		q.take("a")
	}},
	{"25/24-range-of-visibility", "A visibility timeout outside 0 to 43200 is an invalid parameter, however large.", Both, func(d *desk) {
		q := d.queue("jobs")
		q.send("a")
		handle := q.take("a")
		for _, n := range []int64{-1, 43201, 1 << 31, -1 << 31, 9223372036, 1<<63 - 1} {
			if n == int64(int32(n)) {
				q.refuse(invalid, "", "ChangeMessageVisibility", object{"ReceiptHandle": handle, "VisibilityTimeout": n})
				q.refuse(invalid, "", "ReceiveMessage", object{"VisibilityTimeout": n})
				continue
			}
			require.Equal(d.t, 400, q.call("ChangeMessageVisibility", object{"ReceiptHandle": handle, "VisibilityTimeout": n}).status) // more than an integer holds
			require.Equal(d.t, 400, q.call("ReceiveMessage", object{"VisibilityTimeout": n}).status)
		}
		q.counts(0, 1, 0)
	}},
	{"25/25-long-poll-wakes", "A long poll wakes for a send, the end of a delay or of a visibility timeout, a change to 0, a FIFO group that is freed, and a dead letter.", Both, func(d *desk) {
		q := d.queue("jobs")
		wakes := func(q *queue, body string, event func()) string {
			d.t.Helper()
			answers := q.poll(d.ctx, 20)
			d.polling(answers)
			event()
			var a *answer
			select {
			case raw := <-answers:
				a = d.read(raw)
			case <-time.After(15 * time.Second):
				require.FailNow(d.t, "the poll was not woken for "+body)
			}
			ms := objects(a.out["Messages"])
			require.Equal(d.t, []string{body}, bodiesOf(ms))
			return ms[0]["ReceiptHandle"].(string)
		}
		handle := wakes(q, "send", func() { q.send("send") })
		q.change(handle, 10)
		wakes(q, "send", func() {})
		q.delete(handle)
		q.send("delay", object{"DelaySeconds": 10})
		handle = wakes(q, "delay", func() {})
		handle = wakes(q, "delay", func() { q.change(handle, 0) })
		q.delete(handle)

		fifo := d.queue("jobs.fifo")
		fifo.fill("head", "next")
		head := fifo.take("head")
		wakes(fifo, "next", func() { fifo.delete(head) })

		dead := d.queue("dead")
		source := d.queue("source", "RedrivePolicy", dead.redrive(1), "VisibilityTimeout", "0")
		source.send("letter")
		source.take("letter")
		wakes(dead, "letter", func() { source.nothing() })
		dead.send("moved")
		wakes(q, "moved", func() { d.ok("StartMessageMoveTask", object{"SourceArn": dead.arn(), "DestinationArn": q.arn()}) })
	}},
}
