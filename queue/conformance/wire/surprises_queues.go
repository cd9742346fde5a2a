package wire

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

var queueSurprises = []Row{
	{"25/39-n-deliveries", "With a maxReceiveCount of n a message is delivered n times before it is a dead letter.", Both, func(d *desk) {
		for n := 1; n <= 3; n++ {
			dead := d.queue(fmt.Sprint("dead", n))
			q := d.queue(fmt.Sprint("jobs", n), "RedrivePolicy", dead.redrive(n), "VisibilityTimeout", "0")
			q.send("a")
			for range n {
				q.take("a")
			}
			q.nothing()
			q.counts(0, 0, 0)
			dead.take("a")
		}
	}},
	{"25/40-count-goes-on", "In the dead-letter queue the receive count goes on, and the source is told.", Both, func(d *desk) {
		dead := d.queue("dead")
		q := d.queue("jobs", "RedrivePolicy", dead.redrive(2), "VisibilityTimeout", "0")
		sent := q.send("a", object{"MessageAttributes": object{"k": textValue("x")}})
		q.take("a")
		q.take("a")
		q.nothing()
		m := dead.one(object{"AttributeNames": []string{"ApproximateReceiveCount", "DeadLetterQueueSourceArn"}, "MessageAttributeNames": []string{"All"}})
		require.Equal(d.t, object{"ApproximateReceiveCount": "3", "DeadLetterQueueSourceArn": q.arn()}, m["Attributes"])
		require.Equal(d.t, sent["MessageId"], m["MessageId"])
		require.Equal(d.t, object{"k": textValue("x")}, m["MessageAttributes"])
	}},
	{"25/41-lazy-move", "A message moves when it would be received again, not when its visibility timeout ends.", Both, func(d *desk) {
		dead := d.queue("dead")
		q := d.queue("jobs", "RedrivePolicy", dead.redrive(1), "VisibilityTimeout", "1")
		q.send("a")
		q.take("a")
		d.pass(time.Hour)
		q.counts(1, 0, 0)
		dead.counts(0, 0, 0)
		q.nothing()
		dead.counts(1, 0, 0)
	}},
	{"25/42-unresolvable-target", "A message whose dead-letter queue is gone stays in its queue.", Both, func(d *desk) {
		dead := d.queue("dead")
		q := d.queue("jobs", "RedrivePolicy", dead.redrive(1), "VisibilityTimeout", "0")
		q.send("a")
		q.take("a")
		dead.ok("DeleteQueue", nil)
		q.take("a")
		q.take("a")
		q.counts(1, 0, 0)
	}},
	{"25/43-one-mebibyte", "The limits of a message, of a batch and of MaximumMessageSize are 1 MiB.", Both, func(d *desk) {
		q := d.queue("jobs")
		require.Equal(d.t, "1048576", q.attr("MaximumMessageSize"))
		body := strings.Repeat("b", 1<<20)
		q.send(body)
		require.Equal(d.t, body, q.one(nil)["Body"])
		require.Contains(d.t, q.ok("SendMessageBatch", object{"Entries": []object{{"Id": "1", "MessageBody": body}}}), "Successful")
		q.set("MaximumMessageSize", "1048576")
		escaped := `{"QueueUrl":"` + q.url + `","MessageBody":"` + strings.Repeat(`\u0062`, 1<<20) + `"}`
		if d.query {
			escaped = "QueueUrl=" + url.QueryEscape(q.url) + "&MessageBody=" + strings.Repeat("%62", 1<<20)
		}
		a := d.raw("SendMessage", escaped)
		require.Equal(d.t, 200, a.status, "%.300s", a.body)
		require.Equal(d.t, bodyDigest(body), a.out["MD5OfMessageBody"])
		q.refuse("InvalidAttributeValue", "", "SetQueueAttributes", object{"Attributes": pairs("MaximumMessageSize", "1048577")})
	}},
	{"25/44-size-in-bytes", "A message's size is in bytes, of its body and of its attributes' names, types and values; exactly the limit is allowed.", Both, func(d *desk) {
		q := d.queue("jobs", "MaximumMessageSize", "1024")
		attributes := object{"MessageAttributes": object{"k": textValue("x")}}
		q.send(strings.Repeat("ü", 508), attributes)
		q.refuse(invalid, "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.", "SendMessage", q.message(strings.Repeat("ü", 508)+"b", attributes))
	}},
	{"25/45-batch-total", "A batch's total is compared with 1 MiB, an entry's size with the queue's limit, whose refusal has another sentence than a single message's.", Both, func(d *desk) {
		q := d.queue("jobs", "MaximumMessageSize", "1024")
		out := q.ok("SendMessageBatch", object{"Entries": []object{{"Id": "1", "MessageBody": strings.Repeat("a", 1024)}, {"Id": "2", "MessageBody": strings.Repeat("b", 1025)}, {"Id": "3", "MessageBody": strings.Repeat("c", 1024)}}})
		require.Len(d.t, out["Successful"], 2)
		require.Equal(d.t, []any{object{"Id": "2", "SenderFault": true, "Code": "InvalidParameterValue", "Message": "One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes."}}, out["Failed"])
	}},
	{"25/46-create-compares-given", "Creating again compares the attributes that are given with those the queue has now.", Both, func(d *desk) {
		q := d.queue("jobs", "VisibilityTimeout", "60", "DelaySeconds", "5")
		q.set("VisibilityTimeout", "61")
		require.Equal(d.t, q.url, d.queue("jobs").url)
		require.Equal(d.t, q.url, d.queue("jobs", "VisibilityTimeout", "61").url)
		require.Equal(d.t, q.url, d.queue("jobs", "DelaySeconds", "5").url)
		d.refuse("QueueNameExists", "A queue already exists with the same name and a different value for attribute VisibilityTimeout", "CreateQueue",
			object{"QueueName": "jobs", "Attributes": pairs("VisibilityTimeout", "60")})
	}},
	{"25/47-recreate-cooldown", "A deleted queue's name can't be used for 60 seconds where cooldowns are enforced, and at once where not.", Both, func(d *desk) {
		d.queue("jobs").ok("DeleteQueue", nil)
		d.queue("jobs").nothing()
		d = d.with(Options{Cooldowns: true})
		d.queue("jobs").ok("DeleteQueue", nil)
		d.pass(59 * time.Second)
		d.refuse("QueueDeletedRecently", "", "CreateQueue", object{"QueueName": "jobs"})
		d.pass(2 * time.Second)
		d.queue("jobs")
	}},
	{"25/48-purge-every-state", "A purge removes what is visible, in flight and delayed.", Both, func(d *desk) {
		q := d.queue("jobs")
		q.fill("flying", "visible")
		q.take("flying")
		q.send("delayed", object{"DelaySeconds": 10})
		q.counts(1, 1, 1)
		q.ok("PurgeQueue", nil)
		q.counts(0, 0, 0)
		d.pass(time.Minute)
		q.nothing()
	}},
	{"25/49-sent-timestamp-kept", "SentTimestamp is the time of the sending, at every receive.", Both, func(d *desk) {
		q := d.queue("jobs", "VisibilityTimeout", "1")
		q.send("a")
		for range 3 {
			d.pass(time.Minute)
			d.equalAttributes(object{"SentTimestamp": "946684800000"}, q.one(object{"AttributeNames": []string{"SentTimestamp"}})["Attributes"])
		}
	}},
	{"25/50-invalid-characters", "A body with characters that aren't allowed is InvalidMessageContents, in a batch that entry alone.", Both, func(d *desk) {
		q := d.queue("jobs")
		q.refuse("InvalidMessageContents", "", "SendMessage", object{"MessageBody": "a\x00b"})
		out := q.ok("SendMessageBatch", object{"Entries": []object{{"Id": "1", "MessageBody": "good"}, {"Id": "2", "MessageBody": "\uffff"}}})
		require.Len(d.t, out["Successful"], 1)
		failed := objects(out["Failed"])
		require.Equal(d.t, "InvalidMessageContents", failed[0]["Code"])
		require.Equal(d.t, true, failed[0]["SenderFault"])
		require.Equal(d.t, []string{"good"}, q.bodies(nil))
	}},
	{"25/51-fifo-attributes-on-standard", "A Standard queue tells no attribute of FIFO queues.", Both, func(d *desk) {
		all := d.queue("jobs").attrs("All")
		require.Len(d.t, all, 12)
		require.Empty(d.t, d.queue("jobs").attrs("FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"))
		require.NotContains(d.t, all, "FifoQueue")
	}},
	{"25/52-not-visible-counts-messages", "NotVisible counts the messages received, not their groups.", Both, func(d *desk) {
		q := d.queue("jobs.fifo")
		for i := range 6 {
			q.send(strconv.Itoa(i), inGroup("g"+strconv.Itoa(i%3)))
		}
		q.one(nil)
		q.one(nil)
		q.counts(4, 2, 0)
	}},
}
