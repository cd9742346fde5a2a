package wire

import (
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

var choiceRows = []Row{
	{"26/ids-of-one-batch", "Of equal deduplication IDs in one batch the second is a duplicate of the first.", Both, func(d *desk) {
		q := d.queue("jobs.fifo")
		out := objects(q.ok("SendMessageBatch", object{"Entries": []object{
			{"Id": "1", "MessageBody": "a", "MessageGroupId": "g", "MessageDeduplicationId": "x"}, {"Id": "2", "MessageBody": "b", "MessageGroupId": "g", "MessageDeduplicationId": "x"}}})["Successful"])
		require.Len(d.t, out, 2)
		require.Equal(d.t, out[0]["MessageId"], out[1]["MessageId"])
		require.Equal(d.t, []string{"a"}, q.bodies(nil))
	}},
	{"26/duplicate-keeps-the-window", "A duplicate doesn't prolong the five minutes.", Both, func(d *desk) {
		q := d.queue("jobs.fifo")
		first := q.send("a")
		d.pass(4 * time.Minute)
		require.Equal(d.t, first["MessageId"], q.send("a")["MessageId"])
		d.pass(time.Minute + time.Second)
		require.NotEqual(d.t, first["MessageId"], q.send("a")["MessageId"])
	}},
	{"26/attempt", "A receive attempt that is repeated brings the same messages with the same handles, hides them anew, and is not counted again.", Both, func(d *desk) {
		q := d.queue("jobs.fifo", "VisibilityTimeout", "30")
		q.fill("a", "b")
		in := object{"ReceiveRequestAttemptId": "attempt", "AttributeNames": []string{"ApproximateReceiveCount"}}
		first := q.receive(in)
		require.Len(d.t, first, 2)
		d.pass(20 * time.Second)
		require.Equal(d.t, first, q.receive(in))
		d.pass(29 * time.Second)
		q.nothing()
		q.delete(first[0]["ReceiptHandle"].(string))
	}},
	{"26/attempt-ended", "A receive attempt can't be repeated once a message of it was deleted or changed.", Both, func(d *desk) {
		const sentence = "Value attempt for parameter ReceiveRequestAttemptId is invalid. Reason: The receiveRequestAttemptId is not valid anymore since the receive call is not retryable."
		for name, end := range map[string]func(q *queue, handle string){
			"deleted.fifo": func(q *queue, handle string) { q.delete(handle) }, "changed.fifo": func(q *queue, handle string) { q.change(handle, 60) },
		} {
			q := d.queue(name)
			q.fill("a", "b")
			end(q, q.receive(object{"ReceiveRequestAttemptId": "attempt"})[0]["ReceiptHandle"].(string))
			q.refuse(invalid, sentence, "ReceiveMessage", object{"ReceiveRequestAttemptId": "attempt"})
		}
	}},
	{"26/attempt-forgotten", "Five minutes later, or after a receive that brought nothing, a receive attempt is a new one.", Both, func(d *desk) {
		q := d.queue("jobs.fifo", "VisibilityTimeout", "1")
		in := object{"ReceiveRequestAttemptId": "attempt"}
		require.Empty(d.t, q.receive(in))
		q.send("a")
		first := q.receive(in)
		require.Len(d.t, first, 1)
		d.pass(5*time.Minute + time.Second)
		again := q.receive(in)
		require.Len(d.t, again, 1)
		require.NotEqual(d.t, first[0]["ReceiptHandle"], again[0]["ReceiptHandle"])
	}},
	{"26/fifo-change-with-expired-handle", "A FIFO queue refuses to change by an expired handle as it refuses to delete by it.", Both, func(d *desk) {
		q := d.queue("jobs.fifo", "VisibilityTimeout", "1")
		q.send("a")
		handle := q.take("a")
		d.pass(time.Second)
		q.refuse(invalid, expiredHandle(handle), "ChangeMessageVisibility", object{"ReceiptHandle": handle, "VisibilityTimeout": 30})
	}},
	{"26/fifo-delete-again", "Deleting what is deleted, purged or expired succeeds on a FIFO queue too.", Both, func(d *desk) {
		q := d.queue("jobs.fifo", "MessageRetentionPeriod", "60")
		q.send("a")
		handle := q.take("a")
		q.delete(handle)
		q.delete(handle)
		q.send("b")
		handle = q.take("b")
		q.ok("PurgeQueue", nil)
		q.delete(handle)
		q.send("c")
		handle = q.take("c", object{"VisibilityTimeout": 600})
		d.pass(61 * time.Second)
		q.delete(handle)
	}},
	{"26/visible-message-hides", "Changing the visibility of a Standard queue's visible message hides it.", Both, func(d *desk) {
		q := d.queue("jobs", "VisibilityTimeout", "1")
		q.send("a")
		handle := q.take("a")
		d.pass(2 * time.Second)
		q.counts(1, 0, 0)
		q.change(handle, 30)
		q.counts(0, 1, 0)
	}},
	{"26/handle-lifetime", "A Standard queue's handle works for 12 hours, and has expired then.", Both, func(d *desk) {
		q := d.queue("jobs")
		q.fill("a", "b")
		one, two := q.take("a"), q.take("b")
		d.pass(12*time.Hour - time.Second)
		q.delete(one)
		d.pass(2 * time.Second)
		q.refuse(invalid, expiredHandle(two), "DeleteMessage", object{"ReceiptHandle": two})
		q.refuse(invalid, expiredHandle(two), "ChangeMessageVisibility", object{"ReceiptHandle": two, "VisibilityTimeout": 1})
		q.take("b")
	}},
	{"26/superseded-handle-deletes", "A Standard queue's older handle deletes the message that somebody else has received since.", Both, func(d *desk) {
		q := d.queue("jobs", "VisibilityTimeout", "1")
		q.send("a")
		old := q.take("a")
		d.pass(time.Second)
		q.take("a", object{"VisibilityTimeout": 60})
		q.delete(old)
		q.counts(0, 0, 0)
	}},
	{"26/cap-from-latest-receive", "The 12 hours that a message is held count from its latest receive.", Both, func(d *desk) {
		q := d.queue("jobs", "VisibilityTimeout", "1")
		q.send("a")
		q.take("a")
		d.pass(6 * time.Hour)
		q.change(q.take("a"), 43200)
	}},
	{"26/foreign-handle", "A handle of another queue is none.", Both, func(d *desk) {
		one, two := d.queue("one"), d.queue("two")
		one.send("a")
		two.send("a")
		handle := one.take("a")
		two.take("a")
		sentence := `The input receipt handle "` + handle + `" is not a valid receipt handle.`
		two.refuse(badHandle, sentence, "DeleteMessage", object{"ReceiptHandle": handle})
		two.refuse(badHandle, sentence, "ChangeMessageVisibility", object{"ReceiptHandle": handle, "VisibilityTimeout": 0})
		one.counts(0, 1, 0)
		two.counts(0, 1, 0)
	}},
	{"26/numbers-as-sent", "A number's zeros are not trimmed, neither in its value nor in the digest.", Both, func(d *desk) {
		q := d.queue("jobs")
		attributes := object{"n": numberValue("00012.3400")}
		q.send("a", object{"MessageAttributes": attributes})
		m := q.one(object{"MessageAttributeNames": []string{"n"}})
		require.Equal(d.t, attributes, m["MessageAttributes"])
		require.Equal(d.t, digest(attributes), m["MD5OfMessageAttributes"])
	}},
	{"26/attribute-name-edges", "An attribute's name may have 256 characters, and neither two dots in a row nor one at an end.", Both, func(d *desk) {
		q := d.queue("jobs")
		q.send("a", object{"MessageAttributes": object{strings.Repeat("n", 256): textValue("x")}})
		for _, name := range []string{"a..b", ".a", "a.", strings.Repeat("n", 257)} {
			q.refuse(invalid, "", "SendMessage", object{"MessageBody": "a", "MessageAttributes": object{name: textValue("x")}})
		}
	}},
	{"26/ids-cost-nothing", "Group and deduplication IDs and the Ids of entries don't count towards a message's size.", Both, func(d *desk) {
		q := d.queue("jobs.fifo", "MaximumMessageSize", "1024")
		id := strings.Repeat("i", 128)
		q.send(strings.Repeat("b", 1024), object{"MessageGroupId": id, "MessageDeduplicationId": id})
		big := d.queue("jobs")
		require.Len(d.t, big.ok("SendMessageBatch", object{"Entries": []object{{"Id": strings.Repeat("i", 80), "MessageBody": strings.Repeat("b", 1<<20), "MessageGroupId": id}}})["Successful"], 1)
	}},
	{"26/deduplication-id-on-standard", "A Standard queue refuses a deduplication ID.", Both, func(d *desk) {
		q := d.queue("jobs")
		q.refuse(invalid, "Value x for parameter MessageDeduplicationId is invalid. Reason: "+otherKind, "SendMessage", object{"MessageBody": "a", "MessageDeduplicationId": "x"})
		out := q.ok("SendMessageBatch", object{"Entries": []object{{"Id": "1", "MessageBody": "a", "MessageDeduplicationId": "x"}}})
		require.Equal(d.t, "InvalidParameterValue", objects(out["Failed"])[0]["Code"])
		q.nothing()
	}},
	{"26/both-ids-missing", "Where a FIFO message lacks both IDs, the group is told.", Both, func(d *desk) {
		d.queue("jobs.fifo").refuse(missing, noGroup, "SendMessage", object{"MessageBody": "a"})
	}},
	{"26/read-only-attributes", "Setting what can only be read is an unknown attribute.", Both, func(d *desk) {
		q := d.queue("jobs")
		for _, name := range []string{"QueueArn", "CreatedTimestamp", "LastModifiedTimestamp", "ApproximateNumberOfMessages"} {
			q.refuse("InvalidAttributeName", "Unknown Attribute "+name+".", "SetQueueAttributes", object{"Attributes": pairs(name, "1")})
			d.refuse("InvalidAttributeName", "Unknown Attribute "+name+".", "CreateQueue", object{"QueueName": "new", "Attributes": pairs(name, "1")})
		}
	}},
	{"26/tags-on-repeated-create", "Tags given when creating again are neither compared nor applied.", Both, func(d *desk) {
		d.ok("CreateQueue", object{"QueueName": "jobs", "tags": pairs("k", "v")})
		d.ok("CreateQueue", object{"QueueName": "jobs", "tags": pairs("k", "w", "l", "x")})
		require.Equal(d.t, object{"Tags": object{"k": "v"}}, d.queue("jobs").ok("ListQueueTags", nil))
	}},
	{"26/common-namespace", "Types of unknown operations and of what can't be read are in com.amazon.coral.service#.", JSON, func(d *desk) {
		d.common(d.raw("Nosuch", "{}"), "UnknownOperationException", 400)
		d.common(d.raw("CreateQueue", "{"), "SerializationException", 400)
	}},
	{"26/unknown-operation-status", "With JSON an unknown operation has status 400.", JSON, func(d *desk) {
		require.Equal(d.t, 400, d.raw("Nosuch", "{}").status)
	}},
	{"26/delete-unknown-queue", "Deleting a queue that isn't there is refused.", Both, func(d *desk) {
		q := d.queue("jobs")
		q.ok("DeleteQueue", nil)
		q.refuse(noQueue, "", "DeleteQueue", nil)
	}},
	{"26/unindexed-lists", "With Query a list of one may stand without its index.", Query, func(d *desk) {
		require.Equal(d.t, 200, d.raw("CreateQueue", "QueueName=jobs&Attribute.Name=DelaySeconds&Attribute.Value=0").status)
		q := d.queue("jobs")
		require.Len(d.t, q.formed("GetQueueAttributes", "AttributeName=All")["Attributes"], 12)
		q.send("a", object{"MessageAttributes": object{"k": textValue("x")}})
		m := objects(q.formed("ReceiveMessage", "AttributeName=SentTimestamp&MessageAttributeName=All")["Messages"])[0]
		d.equalAttributes(object{"SentTimestamp": "946684800000"}, m["Attributes"])
		require.Equal(d.t, object{"k": textValue("x")}, m["MessageAttributes"])
		q.formed("SetQueueAttributes", "Attribute.Name=DelaySeconds&Attribute.Value=3")
		require.Equal(d.t, "3", q.attr("DelaySeconds"))
	}},
	{"26/deleted-while-polled", "A long poll at a queue that is deleted is told that the queue doesn't exist.", Both, func(d *desk) {
		q := d.queue("jobs")
		poll := q.poll(d.ctx, 20)
		q.ok("DeleteQueue", nil)
		d.refused(d.read(<-poll), noQueue, "")
	}},
	{"26/limits-of-broker", "A broker without limits lifts those of messages on the wire as well.", Both, func(d *desk) {
		d = d.with(Options{Unlimited: true})
		q := d.queue("jobs")
		q.send(strings.Repeat("b", 1<<20))
	}},
}
