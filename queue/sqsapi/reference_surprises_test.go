package sqsapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
)

// The surprises: what emulators of SQS get wrong, each with its number.

var wireSurprisesOfWire = []wireRow{
	{"25/1-md5-of-no-attributes", "No attributes have no digest: the member is left out.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		a := q.call("SendMessage", wireMap{"MessageBody": "a", "MessageAttributes": wireMap{}})
		require.NotContains(d.t, a.body, "MD5OfMessageAttributes")
		a = q.call("SendMessageBatch", wireMap{"Entries": []wireMap{{"Id": "1", "MessageBody": "a"}}})
		require.NotContains(d.t, a.body, "MD5OfMessageAttributes")
		a = q.call("ReceiveMessage", wireMap{"MaxNumberOfMessages": 10, "MessageAttributeNames": []string{"All"}})
		require.Len(d.t, wireObjects(a.out["Messages"]), 2)
		require.NotContains(d.t, a.body, "MD5OfMessageAttributes")
		require.NotContains(d.t, a.body, "d41d8cd98f00b204e9800998ecf8427e")
	}},
	{"25/2-empty-message-attributes", "A message without attributes, or without those asked for, has no member MessageAttributes.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs", "VisibilityTimeout", "0")
		q.send("a")
		for _, names := range [][]string{nil, {"All"}, {"k"}} {
			a := q.call("ReceiveMessage", wireMap{"MessageAttributeNames": names})
			require.Len(d.t, wireObjects(a.out["Messages"]), 1)
			require.NotContains(d.t, a.body, "MessageAttribute")
		}
	}},
	{"25/3-md5-of-returned-subset", "The digest of received attributes is that of those returned, and what is stored stays whole.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs", "VisibilityTimeout", "0")
		q.send("a", wireMap{"MessageAttributes": wireMap{"General": wireText("Kenobi"), "Hello": wireText("There"), "Help.Me": wireText("Me")}})
		for _, c := range [][2]string{{"Hello", "a311262e065454b75da111d535b8dacd"}, {"Hel.*", "83fee93c1bcd8b9a5a923ffacdc636c7"}, {"All", "4c360f3fdafd970e05fae2f149d997f5"}, {"Hello", "a311262e065454b75da111d535b8dacd"}} {
			require.Equal(d.t, c[1], q.one(wireMap{"MessageAttributeNames": []string{c[0]}})["MD5OfMessageAttributes"], c[0])
		}
	}},
	{"25/4-type-and-query-error", "An error has a type and an old code, which differ for a queue that is missing and for one that exists.", wireInBoth, func(d *wireDesk) {
		d.queue("jobs")
		for typ, code := range map[string]string{wireNoQueue: "AWS.SimpleQueueService.NonExistentQueue", "QueueNameExists": "QueueAlreadyExists"} {
			a := d.call("GetQueueUrl", wireMap{"QueueName": "nosuch"})
			if typ == "QueueNameExists" {
				a = d.call("CreateQueue", wireMap{"QueueName": "jobs", "Attributes": wirePairs("DelaySeconds", "9")})
			}
			require.Equal(d.t, 400, a.status)
			require.Equal(d.t, code, a.fault.code)
			if !d.query {
				require.Equal(d.t, wireModelled+typ, a.fault.typ)
				require.Equal(d.t, code+";Sender", a.header.Get("x-amzn-query-error"))
			}
		}
	}},
	{"25/5-url-of-missing-queue", "GetQueueUrl of a queue that isn't there is refused.", wireInBoth, func(d *wireDesk) {
		d.refuse(wireNoQueue, "", "GetQueueUrl", wireMap{"QueueName": "jobs"})
		d.queue("jobs").ok("DeleteQueue", nil)
		d.refuse(wireNoQueue, "", "GetQueueUrl", wireMap{"QueueName": "jobs"})
	}},
	{"25/6-missing-is-not-invalid", "What is absent or empty is a missing parameter, but a missing group of a batch's entry is an invalid one.", wireInBoth, func(d *wireDesk) {
		q, fifo := d.queue("jobs"), d.queue("jobs.fifo", "ContentBasedDeduplication", "true")
		q.refuse(wireMissing, "", "SendMessage", wireMap{"MessageBody": ""})
		q.refuse(wireMissing, "", "DeleteMessage", wireMap{"ReceiptHandle": ""})
		q.refuse(wireMissing, "", "TagQueue", nil)
		q.refuse(wireMissing, "", "SetQueueAttributes", nil)
		fifo.refuse(wireMissing, "", "SendMessage", wireMap{"MessageBody": "a"})
		fifo.refuse(wireInvalid, "", "SendMessageBatch", wireMap{"Entries": []wireMap{{"Id": "1", "MessageBody": "a"}}})
	}},
	{"25/7-wsdl-text-in-query-only", "That a queue doesn't exist for this wsdl version is said in Query only.", wireInBoth, func(d *wireDesk) {
		a := d.call("GetQueueUrl", wireMap{"QueueName": "nosuch"})
		require.Equal(d.t, d.query, strings.Contains(a.body, "for this wsdl version"))
		require.Equal(d.t, d.missingQueue(), a.fault.message)
	}},
	{"25/8-queue-url-from-request", "A queue's URL has the scheme, host and port of the request.", wireInBoth, func(d *wireDesk) {
		for _, base := range []string{"http://localhost:4566", "https://sqs.eu-west-1.amazonaws.com", "http://[::1]:1"} {
			require.Equal(d.t, base+"/000000000000/jobs", d.at(base).queue("jobs").url)
		}
	}},
	{"25/9-timestamps", "Times of messages are whole milliseconds, of queues whole seconds, and of move tasks a number of milliseconds.", wireInBoth, func(d *wireDesk) {
		d.pass(1234567 * time.Microsecond)
		dead := d.queue("dead")
		q := d.queue("jobs", "RedrivePolicy", dead.redrive(1), "VisibilityTimeout", "0")
		require.Equal(d.t, wireMap{"CreatedTimestamp": "946684801", "LastModifiedTimestamp": "946684801"}, q.attrs("CreatedTimestamp", "LastModifiedTimestamp"))
		d.pass(2 * time.Second)
		q.set("DelaySeconds", "0")
		require.Equal(d.t, "946684803", q.attr("LastModifiedTimestamp"))
		dead.send("a")
		times := dead.one(wireMap{"AttributeNames": []string{"All"}, "VisibilityTimeout": 0})["Attributes"].(wireMap)
		require.Equal(d.t, "946684803234", times["SentTimestamp"])
		require.Equal(d.t, "946684803234", times["ApproximateFirstReceiveTimestamp"])
		d.ok("StartMessageMoveTask", wireMap{"SourceArn": dead.arn()})
		d.pass(time.Second)
		require.Equal(d.t, json.Number("946684803234"), dead.tasks()[0]["StartedTimestamp"])
	}},
	{"25/10-receipt-handle-alphabet", "Receipt handles have no hyphen and no number sign, and at most 1024 characters.", wireInBoth, func(d *wireDesk) {
		for _, q := range []*wireQueue{d.queue("jobs", "VisibilityTimeout", "0"), d.queue(strings.Repeat("n", 75)+".fifo", "VisibilityTimeout", "0")} {
			q.send("a")
			seen := map[any]bool{}
			for range 50 {
				handle := q.take("a")
				require.Regexp(d.t, `^[A-Za-z0-9+/=]+$`, handle)
				require.LessOrEqual(d.t, len(handle), 1024)
				seen[handle] = true
			}
			require.Len(d.t, seen, 50)
		}
	}},
	{"25/11-empty-lists-omitted", "Empty lists are left out: Messages, QueueUrls, Tags, Successful, Failed; but not queueUrls of ListDeadLetterSourceQueues.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		require.Empty(d.t, q.ok("ReceiveMessage", nil))
		require.Empty(d.t, d.ok("ListQueues", wireMap{"QueueNamePrefix": "x"}))
		require.Empty(d.t, q.ok("ListQueueTags", nil))
		require.NotContains(d.t, q.ok("SendMessageBatch", wireMap{"Entries": []wireMap{{"Id": "1", "MessageBody": "a"}}}), "Failed")
		require.NotContains(d.t, q.ok("DeleteMessageBatch", wireMap{"Entries": []wireMap{{"Id": "1", "ReceiptHandle": "x"}}}), "Successful")
		require.Equal(d.t, wireMap{"queueUrls": []any{}}, q.ok("ListDeadLetterSourceQueues", nil))
	}},
	{"25/12-attribute-wildcards", "Message attributes can be asked for by *, and by a prefix before .* without a dot.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs", "VisibilityTimeout", "0")
		q.send("a", wireMap{"MessageAttributes": wireMap{"General": wireText("x"), "Hello": wireText("y"), "Help.Me": wireText("z")}})
		require.Len(d.t, q.one(wireMap{"MessageAttributeNames": []string{"*"}})["MessageAttributes"], 3)
		require.Equal(d.t, wireMap{"Hello": wireText("y"), "Help.Me": wireText("z")}, q.one(wireMap{"MessageAttributeNames": []string{"Hel.*"}})["MessageAttributes"])
	}},
}

var wireSurprisesOfTime = []wireRow{
	{"25/13-zero-wait-and-visibility", "A wait and a visibility timeout of 0 are values, and hold instead of the queue's.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs", "ReceiveMessageWaitTimeSeconds", "10", "VisibilityTimeout", "50")
		start := time.Now()
		require.Empty(d.t, q.ok("ReceiveMessage", wireMap{"WaitTimeSeconds": 0}))
		require.Zero(d.t, time.Since(start))
		q.send("a")
		q.take("a", wireMap{"VisibilityTimeout": 0})
		q.take("a", wireMap{"VisibilityTimeout": 0})
		q.counts(1, 0, 0)
		handle := q.take("a")
		q.change(handle, 0)
		q.counts(1, 0, 0)
	}},
	{"25/14-fifo-zero-delay", "A delay of 0 is taken by a FIFO queue, and ignored: the queue's own holds.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs.fifo", "DelaySeconds", "5")
		q.send("a", wireMap{"DelaySeconds": 0})
		q.ok("SendMessageBatch", wireMap{"Entries": []wireMap{{"Id": "1", "MessageBody": "b", "MessageGroupId": "g", "MessageDeduplicationId": "b", "DelaySeconds": 0}}})
		q.counts(0, 0, 2)
		d.pass(5 * time.Second)
		require.Equal(d.t, []string{"a", "b"}, q.bodies(nil))
	}},
	{"25/15-standard-zero-delay", "A delay of 0 holds on a Standard queue instead of the queue's own.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs", "DelaySeconds", "5")
		q.send("now", wireMap{"DelaySeconds": 0})
		q.ok("SendMessageBatch", wireMap{"Entries": []wireMap{{"Id": "1", "MessageBody": "now", "DelaySeconds": 0}}})
		q.send("later")
		q.counts(2, 0, 1)
		require.Equal(d.t, []string{"now", "now"}, q.bodies(nil))
	}},
	{"25/16-standard-delete-with-old-handle", "A Standard queue's message is deleted by an expired handle, and by an older one.", wireInBoth, func(d *wireDesk) {
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
		require.Equal(d.t, wireMap{"Successful": []any{wireMap{"Id": "1"}}}, q.ok("DeleteMessageBatch", wireMap{"Entries": []wireMap{{"Id": "1", "ReceiptHandle": old}}}))
		q.counts(0, 0, 0)
	}},
	{"25/17-fifo-delete-with-expired-handle", "A FIFO queue refuses an expired handle, in a batch by the code ReceiptHandleIsInvalid.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs.fifo", "VisibilityTimeout", "1")
		q.send("a")
		handle := q.take("a")
		d.pass(2 * time.Second)
		q.refuse(wireInvalid, wireExpiredHandle(handle), "DeleteMessage", wireMap{"ReceiptHandle": handle})
		require.Equal(d.t, wireMap{"Failed": []any{wireMap{"Id": "1", "SenderFault": true, "Code": "ReceiptHandleIsInvalid", "Message": "The receipt handle has expired"}}},
			q.ok("DeleteMessageBatch", wireMap{"Entries": []wireMap{{"Id": "1", "ReceiptHandle": handle}}}))
		q.take("a")
	}},
	{"25/18-fifo-expiry-follows-extension", "After an extension a FIFO queue's handle lives until the new time.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs.fifo", "VisibilityTimeout", "5")
		q.send("a")
		handle := q.take("a")
		q.change(handle, 60)
		d.pass(59 * time.Second)
		q.delete(handle)
		q.counts(0, 0, 0)
	}},
	{"25/19-delete-twice", "Deleting twice succeeds on a Standard queue.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		q.send("a")
		handle := q.take("a")
		q.delete(handle)
		q.delete(handle)
		require.Equal(d.t, wireMap{"Successful": []any{wireMap{"Id": "1"}, wireMap{"Id": "2"}}},
			q.ok("DeleteMessageBatch", wireMap{"Entries": []wireMap{{"Id": "1", "ReceiptHandle": handle}, {"Id": "2", "ReceiptHandle": handle}}}))
	}},
	{"25/20-visibility-of-visible-message", "Changing the visibility of a Standard queue's visible message succeeds.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs", "VisibilityTimeout", "1")
		q.send("a")
		handle := q.take("a")
		d.pass(2 * time.Second)
		q.change(handle, 30)
	}},
	{"25/21-visibility-of-deleted-message", "Changing the visibility of a deleted message is an invalid parameter.", wireInBoth, func(d *wireDesk) {
		for _, q := range []*wireQueue{d.queue("jobs"), d.queue("jobs.fifo")} {
			q.send("a")
			handle := q.take("a")
			q.delete(handle)
			q.refuse(wireInvalid, wireGoneHandle(handle), "ChangeMessageVisibility", wireMap{"ReceiptHandle": handle, "VisibilityTimeout": 30})
		}
	}},
	{"25/22-twelve-hours-from-receive", "A message is held for 12 hours at most, counted from its receive and not from its sending.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		q.send("a")
		d.pass(20 * time.Hour)
		handle := q.take("a", wireMap{"VisibilityTimeout": 43200})
		d.pass(time.Hour)
		q.change(handle, 43200-3600)
		q.refuse(wireInvalid, "Value 39601 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds]",
			"ChangeMessageVisibility", wireMap{"ReceiptHandle": handle, "VisibilityTimeout": 43200 - 3600 + 1})
	}},
	{"25/23-change-is-of-one-receive", "A changed visibility is that receive's; the next is hidden as long as the queue says.", wireInBoth, func(d *wireDesk) {
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
	{"25/24-range-of-visibility", "A visibility timeout outside 0 to 43200 is an invalid parameter, however large.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		q.send("a")
		handle := q.take("a")
		for _, n := range []int64{-1, 43201, 1 << 31, -1 << 31, 9223372036, 1<<63 - 1} {
			if n == int64(int32(n)) {
				q.refuse(wireInvalid, "", "ChangeMessageVisibility", wireMap{"ReceiptHandle": handle, "VisibilityTimeout": n})
				q.refuse(wireInvalid, "", "ReceiveMessage", wireMap{"VisibilityTimeout": n})
				continue
			}
			require.Equal(d.t, 400, q.call("ChangeMessageVisibility", wireMap{"ReceiptHandle": handle, "VisibilityTimeout": n}).status) // more than an integer holds
			require.Equal(d.t, 400, q.call("ReceiveMessage", wireMap{"VisibilityTimeout": n}).status)
		}
		q.counts(0, 1, 0)
	}},
	{"25/25-long-poll-wakes", "A long poll wakes for a send, the end of a delay or of a visibility timeout, a change to 0, a FIFO group that is freed, and a dead letter.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		wakes := func(q *wireQueue, body string, event func()) string {
			d.t.Helper()
			answers := q.poll(d.ctx, 20)
			d.polling(answers)
			event()
			var a *wireAnswer
			select {
			case raw := <-answers:
				a = d.read(raw)
			case <-time.After(15 * time.Second):
				require.FailNow(d.t, "the poll was not woken for "+body)
			}
			ms := wireObjects(a.out["Messages"])
			require.Equal(d.t, []string{body}, wireBodies(ms))
			return ms[0]["ReceiptHandle"].(string)
		}
		handle := wakes(q, "send", func() { q.send("send") })
		q.change(handle, 10)
		wakes(q, "send", func() {})
		q.delete(handle)
		q.send("delay", wireMap{"DelaySeconds": 10})
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
		wakes(q, "moved", func() { d.ok("StartMessageMoveTask", wireMap{"SourceArn": dead.arn(), "DestinationArn": q.arn()}) })
	}},
}

// wireGroup is the input that sends a body to a group.
func wireGroup(group string) wireMap { return wireMap{"MessageGroupId": group} }

var wireSurprisesOfFIFO = []wireRow{
	{"25/26-prefix-of-a-group", "Of a group that is deliverable which stands before its first message in flight, each message with a deadline of its own.", wireInBoth, func(d *wireDesk) {
		for extended, want := range [][]string{{}, {"1"}, {"1", "2"}} {
			q := d.queue(fmt.Sprintf("jobs%d.fifo", extended), "VisibilityTimeout", "5")
			q.fill("1", "2", "3")
			ms := q.receive(nil)
			require.Equal(d.t, []string{"1", "2", "3"}, wireBodies(ms))
			q.change(ms[extended]["ReceiptHandle"].(string), 60)
			d.pass(5 * time.Second)
			require.Equal(d.t, want, q.bodies(nil))
		}
		q := d.queue("jobs.fifo")
		q.fill("1", "2", "3")
		one, two := q.take("1"), ""
		require.Empty(d.t, q.bodies(nil), "the head is in flight")
		q.change(one, 0)
		ms := q.receive(wireMap{"MaxNumberOfMessages": 2})
		require.Equal(d.t, []string{"1", "2"}, wireBodies(ms))
		one, two = ms[0]["ReceiptHandle"].(string), ms[1]["ReceiptHandle"].(string)
		q.change(one, 0)
		one = q.take("1")
		q.nothing()
		q.delete(one)
		q.nothing()
		q.delete(two)
		require.Equal(d.t, []string{"3"}, q.bodies(nil))
	}},
	{"25/27-concurrent-receivers", "While a group's head is in flight no other receiver gets of that group.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs.fifo")
		for i := range 6 {
			q.send(strconv.Itoa(i), wireGroup("g"+strconv.Itoa(i%2)))
		}
		polls := []<-chan wireRaw{}
		for range 4 {
			polls = append(polls, d.begin(d.ctx, "ReceiveMessage", q.in(wireMap{"MaxNumberOfMessages": 1, "WaitTimeSeconds": 2})))
		}
		d.pass(3 * time.Second)
		got := []string{}
		for _, poll := range polls {
			got = append(got, d.polled(poll)...)
		}
		require.ElementsMatch(d.t, []string{"0", "1"}, got)
	}},
	{"25/28-send-into-held-group", "Sending into a group that is held doesn't free it.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs.fifo", "VisibilityTimeout", "10")
		q.send("1")
		handle := q.take("1")
		q.send("2")
		q.nothing()
		d.pass(9 * time.Second)
		q.send("3")
		q.nothing()
		q.delete(handle)
		require.Equal(d.t, []string{"2", "3"}, q.bodies(nil))
	}},
	{"25/29-emptied-group-comes-back", "A group that was emptied and is filled again is delivered.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs.fifo")
		for i := range 4 {
			q.send(strconv.Itoa(i))
			q.delete(q.take(strconv.Itoa(i)))
			q.nothing()
		}
		q.ok("PurgeQueue", nil)
		q.send("a")
		q.take("a")
	}},
	{"25/30-many-of-one-group", "One receive brings up to 10 messages of one group, in order, and goes on with other groups.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs.fifo")
		want := []string{}
		for i := range 12 {
			q.send(strconv.Itoa(i))
			want = append(want, strconv.Itoa(i))
		}
		require.Equal(d.t, want[:10], q.bodies(nil))
		two := d.queue("two.fifo")
		for _, body := range []string{"g1-1", "g2-1", "g1-2", "g1-3"} {
			two.send(body, wireGroup(body[:2]))
		}
		require.Equal(d.t, []string{"g1-1", "g1-2", "g1-3", "g2-1"}, two.bodies(nil))
	}},
	{"25/31-dedup-survives-delete", "A deduplication ID is remembered for five minutes, also when its message was received and deleted.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs.fifo")
		sent := q.send("a")
		q.delete(q.take("a"))
		d.pass(5*time.Minute - time.Millisecond)
		require.Equal(d.t, sent["MessageId"], q.send("a")["MessageId"])
		q.nothing()
		d.pass(2 * time.Millisecond)
		require.NotEqual(d.t, sent["MessageId"], q.send("a")["MessageId"])
		q.take("a")
	}},
	{"25/32-dedup-scope", "A deduplication ID is the queue's, or each group's own with the scope messageGroup.", wireInBoth, func(d *wireDesk) {
		q := d.queue("queue.fifo")
		groups := d.queue("groups.fifo", "DeduplicationScope", "messageGroup")
		for _, group := range []string{"g1", "g2", "g1"} {
			q.send("a", wireGroup(group))
			groups.send("a", wireGroup(group))
		}
		q.counts(1, 0, 0)
		groups.counts(2, 0, 0)
	}},
	{"25/33-duplicate-is-the-original", "A duplicate is answered with the ID and the sequence number of the original, and with its own body's digest.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs.fifo")
		first := q.send("a", wireMap{"MessageDeduplicationId": "1"})
		again := q.send("other", wireMap{"MessageDeduplicationId": "1"})
		require.Equal(d.t, first["MessageId"], again["MessageId"])
		require.Equal(d.t, first["SequenceNumber"], again["SequenceNumber"])
		require.Equal(d.t, wireMD5Body("other"), again["MD5OfMessageBody"])
		entry := wireObjects(q.ok("SendMessageBatch", wireMap{"Entries": []wireMap{{"Id": "x", "MessageBody": "third", "MessageGroupId": "g", "MessageDeduplicationId": "1"}}})["Successful"])[0]
		require.Equal(d.t, wireMap{"Id": "x", "MessageId": first["MessageId"], "SequenceNumber": first["SequenceNumber"], "MD5OfMessageBody": wireMD5Body("third")}, entry)
		require.Greater(d.t, q.send("b")["SequenceNumber"], first["SequenceNumber"])
		require.Equal(d.t, []string{"a", "b"}, q.bodies(nil))
	}},
	{"25/34-purge-clears-dedup", "After a purge a deduplication ID is new.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs.fifo")
		first := q.send("a")
		q.ok("PurgeQueue", nil)
		require.NotEqual(d.t, first["MessageId"], q.send("a")["MessageId"])
		q.take("a")
	}},
	{"25/35-sequence-numbers", "Sequence numbers have 20 digits and grow.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs.fifo")
		last := ""
		for i := range 25 {
			number := q.send(strconv.Itoa(i))["SequenceNumber"].(string)
			require.Regexp(d.t, `^[0-9]{20}$`, number)
			require.Greater(d.t, number, last)
			last = number
		}
		last = ""
		for _, m := range q.receive(wireMap{"AttributeNames": []string{"SequenceNumber"}}) {
			number := m["Attributes"].(wireMap)["SequenceNumber"].(string)
			require.Greater(d.t, number, last)
			last = number
		}
	}},
	{"25/36-group-on-standard", "A Standard queue takes a message group, checks and returns it, and orders nothing by it.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		require.NotContains(d.t, q.send("a", wireGroup("tenant-1")), "SequenceNumber")
		q.send("b", wireGroup("tenant-1"))
		q.ok("SendMessageBatch", wireMap{"Entries": []wireMap{{"Id": "1", "MessageBody": "c", "MessageGroupId": "tenant-1"}}})
		q.refuse(wireInvalid, "Value a b for parameter MessageGroupId is invalid. Reason: MessageGroupId "+wireIDForm, "SendMessage", wireMap{"MessageBody": "d", "MessageGroupId": "a b"})
		for range 3 {
			all := q.one(wireMap{"AttributeNames": []string{"All"}})["Attributes"].(wireMap)
			require.Equal(d.t, "tenant-1", all["MessageGroupId"])
			require.NotContains(d.t, all, "SequenceNumber")
			require.NotContains(d.t, all, "MessageDeduplicationId")
		}
	}},
	{"25/37-fifo-batch-fails-whole", "A FIFO batch with a bad entry is refused whole.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs.fifo", "MaximumMessageSize", "1024")
		good := wireMap{"Id": "good", "MessageBody": "a", "MessageGroupId": "g", "MessageDeduplicationId": "1"}
		for name, bad := range map[string]wireMap{
			"group": {"MessageBody": "b", "MessageDeduplicationId": "2"}, "deduplication": {"MessageBody": "b", "MessageGroupId": "g"},
			"body": {"MessageGroupId": "g", "MessageDeduplicationId": "2"}, "characters": {"MessageBody": "\x07", "MessageGroupId": "g", "MessageDeduplicationId": "2"},
			"size":  {"MessageBody": strings.Repeat("b", 1025), "MessageGroupId": "g", "MessageDeduplicationId": "2"},
			"delay": {"MessageBody": "b", "MessageGroupId": "g", "MessageDeduplicationId": "2", "DelaySeconds": 5},
		} {
			bad["Id"] = "bad"
			a := q.call("SendMessageBatch", wireMap{"Entries": []wireMap{good, bad}})
			require.NotNil(d.t, a.fault, "%s: %s", name, a.body)
			require.Equal(d.t, 400, a.status, name)
			q.counts(0, 0, 0)
		}
		q.ok("SendMessageBatch", wireMap{"Entries": []wireMap{good}})
		q.take("a")
	}},
	{"25/38-attempt-id-on-standard", "A Standard queue takes a ReceiveRequestAttemptId and ignores it.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		q.fill("a", "b")
		got := []string{}
		for range 2 {
			got = append(got, q.one(wireMap{"ReceiveRequestAttemptId": "attempt"})["Body"].(string))
		}
		require.ElementsMatch(d.t, []string{"a", "b"}, got)
	}},
}

var wireSurprisesOfQueues = []wireRow{
	{"25/39-n-deliveries", "With a maxReceiveCount of n a message is delivered n times before it is a dead letter.", wireInBoth, func(d *wireDesk) {
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
	{"25/40-count-goes-on", "In the dead-letter queue the receive count goes on, and the source is told.", wireInBoth, func(d *wireDesk) {
		dead := d.queue("dead")
		q := d.queue("jobs", "RedrivePolicy", dead.redrive(2), "VisibilityTimeout", "0")
		sent := q.send("a", wireMap{"MessageAttributes": wireMap{"k": wireText("x")}})
		q.take("a")
		q.take("a")
		q.nothing()
		m := dead.one(wireMap{"AttributeNames": []string{"ApproximateReceiveCount", "DeadLetterQueueSourceArn"}, "MessageAttributeNames": []string{"All"}})
		require.Equal(d.t, wireMap{"ApproximateReceiveCount": "3", "DeadLetterQueueSourceArn": q.arn()}, m["Attributes"])
		require.Equal(d.t, sent["MessageId"], m["MessageId"])
		require.Equal(d.t, wireMap{"k": wireText("x")}, m["MessageAttributes"])
	}},
	{"25/41-lazy-move", "A message moves when it would be received again, not when its visibility timeout ends.", wireInBoth, func(d *wireDesk) {
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
	{"25/42-unresolvable-target", "A message whose dead-letter queue is gone stays in its queue.", wireInBoth, func(d *wireDesk) {
		dead := d.queue("dead")
		q := d.queue("jobs", "RedrivePolicy", dead.redrive(1), "VisibilityTimeout", "0")
		q.send("a")
		q.take("a")
		dead.ok("DeleteQueue", nil)
		q.take("a")
		q.take("a")
		q.counts(1, 0, 0)
	}},
	{"25/43-one-mebibyte", "The limits of a message, of a batch and of MaximumMessageSize are 1 MiB.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		require.Equal(d.t, "1048576", q.attr("MaximumMessageSize"))
		body := strings.Repeat("b", 1<<20)
		q.send(body)
		require.Equal(d.t, body, q.one(nil)["Body"])
		require.Contains(d.t, q.ok("SendMessageBatch", wireMap{"Entries": []wireMap{{"Id": "1", "MessageBody": body}}}), "Successful")
		q.set("MaximumMessageSize", "1048576")
		escaped := `{"QueueUrl":"` + q.url + `","MessageBody":"` + strings.Repeat(`\u0062`, 1<<20) + `"}`
		if d.query {
			escaped = "QueueUrl=" + url.QueryEscape(q.url) + "&MessageBody=" + strings.Repeat("%62", 1<<20)
		}
		a := d.raw("SendMessage", escaped)
		require.Equal(d.t, 200, a.status, "%.300s", a.body)
		require.Equal(d.t, wireMD5Body(body), a.out["MD5OfMessageBody"])
		q.refuse("InvalidAttributeValue", "", "SetQueueAttributes", wireMap{"Attributes": wirePairs("MaximumMessageSize", "1048577")})
	}},
	{"25/44-size-in-bytes", "A message's size is in bytes, of its body and of its attributes' names, types and values; exactly the limit is allowed.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs", "MaximumMessageSize", "1024")
		attributes := wireMap{"MessageAttributes": wireMap{"k": wireText("x")}}
		q.send(strings.Repeat("ü", 508), attributes)
		q.refuse(wireInvalid, "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.", "SendMessage", q.message(strings.Repeat("ü", 508)+"b", attributes))
	}},
	{"25/45-batch-total", "A batch's total is compared with 1 MiB, an entry's size with the queue's limit, whose refusal has another sentence than a single message's.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs", "MaximumMessageSize", "1024")
		out := q.ok("SendMessageBatch", wireMap{"Entries": []wireMap{{"Id": "1", "MessageBody": strings.Repeat("a", 1024)}, {"Id": "2", "MessageBody": strings.Repeat("b", 1025)}, {"Id": "3", "MessageBody": strings.Repeat("c", 1024)}}})
		require.Len(d.t, out["Successful"], 2)
		require.Equal(d.t, []any{wireMap{"Id": "2", "SenderFault": true, "Code": "InvalidParameterValue", "Message": "One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes."}}, out["Failed"])
	}},
	{"25/46-create-compares-given", "Creating again compares the attributes that are given with those the queue has now.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs", "VisibilityTimeout", "60", "DelaySeconds", "5")
		q.set("VisibilityTimeout", "61")
		require.Equal(d.t, q.url, d.queue("jobs").url)
		require.Equal(d.t, q.url, d.queue("jobs", "VisibilityTimeout", "61").url)
		require.Equal(d.t, q.url, d.queue("jobs", "DelaySeconds", "5").url)
		d.refuse("QueueNameExists", "A queue already exists with the same name and a different value for attribute VisibilityTimeout", "CreateQueue",
			wireMap{"QueueName": "jobs", "Attributes": wirePairs("VisibilityTimeout", "60")})
	}},
	{"25/47-recreate-cooldown", "A deleted queue's name can't be used for 60 seconds where cooldowns are enforced, and at once where not.", wireInBoth, func(d *wireDesk) {
		d.queue("jobs").ok("DeleteQueue", nil)
		d.queue("jobs").nothing()
		d = d.with(broker.Options{EnforceCooldowns: true})
		d.queue("jobs").ok("DeleteQueue", nil)
		d.pass(59 * time.Second)
		d.refuse("QueueDeletedRecently", "", "CreateQueue", wireMap{"QueueName": "jobs"})
		d.pass(2 * time.Second)
		d.queue("jobs")
	}},
	{"25/48-purge-every-state", "A purge removes what is visible, in flight and delayed.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		q.fill("flying", "visible")
		q.take("flying")
		q.send("delayed", wireMap{"DelaySeconds": 10})
		q.counts(1, 1, 1)
		q.ok("PurgeQueue", nil)
		q.counts(0, 0, 0)
		d.pass(time.Minute)
		q.nothing()
	}},
	{"25/49-sent-timestamp-kept", "SentTimestamp is the time of the sending, at every receive.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs", "VisibilityTimeout", "1")
		q.send("a")
		for range 3 {
			d.pass(time.Minute)
			require.Equal(d.t, wireMap{"SentTimestamp": "946684800000"}, q.one(wireMap{"AttributeNames": []string{"SentTimestamp"}})["Attributes"])
		}
	}},
	{"25/50-invalid-characters", "A body with characters that aren't allowed is InvalidMessageContents, in a batch that entry alone.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		q.refuse("InvalidMessageContents", "", "SendMessage", wireMap{"MessageBody": "a\x00b"})
		out := q.ok("SendMessageBatch", wireMap{"Entries": []wireMap{{"Id": "1", "MessageBody": "good"}, {"Id": "2", "MessageBody": "\uffff"}}})
		require.Len(d.t, out["Successful"], 1)
		failed := wireObjects(out["Failed"])
		require.Equal(d.t, "InvalidMessageContents", failed[0]["Code"])
		require.Equal(d.t, true, failed[0]["SenderFault"])
		require.Equal(d.t, []string{"good"}, q.bodies(nil))
	}},
	{"25/51-fifo-attributes-on-standard", "A Standard queue tells no attribute of FIFO queues.", wireInBoth, func(d *wireDesk) {
		all := d.queue("jobs").attrs("All")
		require.Len(d.t, all, 12)
		require.Empty(d.t, d.queue("jobs").attrs("FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"))
		require.NotContains(d.t, all, "FifoQueue")
	}},
	{"25/52-not-visible-counts-messages", "NotVisible counts the messages received, not their groups.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs.fifo")
		for i := range 6 {
			q.send(strconv.Itoa(i), wireGroup("g"+strconv.Itoa(i%3)))
		}
		q.one(nil)
		q.one(nil)
		q.counts(4, 2, 0)
	}},
}

var wireChoices = []wireRow{
	{"26/ids-of-one-batch", "Of equal deduplication IDs in one batch the second is a duplicate of the first.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs.fifo")
		out := wireObjects(q.ok("SendMessageBatch", wireMap{"Entries": []wireMap{
			{"Id": "1", "MessageBody": "a", "MessageGroupId": "g", "MessageDeduplicationId": "x"}, {"Id": "2", "MessageBody": "b", "MessageGroupId": "g", "MessageDeduplicationId": "x"}}})["Successful"])
		require.Len(d.t, out, 2)
		require.Equal(d.t, out[0]["MessageId"], out[1]["MessageId"])
		require.Equal(d.t, []string{"a"}, q.bodies(nil))
	}},
	{"26/duplicate-keeps-the-window", "A duplicate doesn't prolong the five minutes.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs.fifo")
		first := q.send("a")
		d.pass(4 * time.Minute)
		require.Equal(d.t, first["MessageId"], q.send("a")["MessageId"])
		d.pass(time.Minute + time.Second)
		require.NotEqual(d.t, first["MessageId"], q.send("a")["MessageId"])
	}},
	{"26/attempt", "A receive attempt that is repeated brings the same messages with the same handles, hides them anew, and is not counted again.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs.fifo", "VisibilityTimeout", "30")
		q.fill("a", "b")
		in := wireMap{"ReceiveRequestAttemptId": "attempt", "AttributeNames": []string{"ApproximateReceiveCount"}}
		first := q.receive(in)
		require.Len(d.t, first, 2)
		d.pass(20 * time.Second)
		require.Equal(d.t, first, q.receive(in))
		d.pass(29 * time.Second)
		q.nothing()
		q.delete(first[0]["ReceiptHandle"].(string))
	}},
	{"26/attempt-ended", "A receive attempt can't be repeated once a message of it was deleted or changed.", wireInBoth, func(d *wireDesk) {
		const sentence = "Value attempt for parameter ReceiveRequestAttemptId is invalid. Reason: The receiveRequestAttemptId is not valid anymore since the receive call is not retryable."
		for name, end := range map[string]func(q *wireQueue, handle string){
			"deleted.fifo": func(q *wireQueue, handle string) { q.delete(handle) }, "changed.fifo": func(q *wireQueue, handle string) { q.change(handle, 60) },
		} {
			q := d.queue(name)
			q.fill("a", "b")
			end(q, q.receive(wireMap{"ReceiveRequestAttemptId": "attempt"})[0]["ReceiptHandle"].(string))
			q.refuse(wireInvalid, sentence, "ReceiveMessage", wireMap{"ReceiveRequestAttemptId": "attempt"})
		}
	}},
	{"26/attempt-forgotten", "Five minutes later, or after a receive that brought nothing, a receive attempt is a new one.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs.fifo", "VisibilityTimeout", "1")
		in := wireMap{"ReceiveRequestAttemptId": "attempt"}
		require.Empty(d.t, q.receive(in))
		q.send("a")
		first := q.receive(in)
		require.Len(d.t, first, 1)
		d.pass(5*time.Minute + time.Second)
		again := q.receive(in)
		require.Len(d.t, again, 1)
		require.NotEqual(d.t, first[0]["ReceiptHandle"], again[0]["ReceiptHandle"])
	}},
	{"26/fifo-change-with-expired-handle", "A FIFO queue refuses to change by an expired handle as it refuses to delete by it.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs.fifo", "VisibilityTimeout", "1")
		q.send("a")
		handle := q.take("a")
		d.pass(time.Second)
		q.refuse(wireInvalid, wireExpiredHandle(handle), "ChangeMessageVisibility", wireMap{"ReceiptHandle": handle, "VisibilityTimeout": 30})
	}},
	{"26/fifo-delete-again", "Deleting what is deleted, purged or expired succeeds on a FIFO queue too.", wireInBoth, func(d *wireDesk) {
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
		handle = q.take("c", wireMap{"VisibilityTimeout": 600})
		d.pass(61 * time.Second)
		q.delete(handle)
	}},
	{"26/visible-message-hides", "Changing the visibility of a Standard queue's visible message hides it.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs", "VisibilityTimeout", "1")
		q.send("a")
		handle := q.take("a")
		d.pass(2 * time.Second)
		q.counts(1, 0, 0)
		q.change(handle, 30)
		q.counts(0, 1, 0)
	}},
	{"26/handle-lifetime", "A Standard queue's handle works for 12 hours, and has expired then.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		q.fill("a", "b")
		one, two := q.take("a"), q.take("b")
		d.pass(12*time.Hour - time.Second)
		q.delete(one)
		d.pass(2 * time.Second)
		q.refuse(wireInvalid, wireExpiredHandle(two), "DeleteMessage", wireMap{"ReceiptHandle": two})
		q.refuse(wireInvalid, wireExpiredHandle(two), "ChangeMessageVisibility", wireMap{"ReceiptHandle": two, "VisibilityTimeout": 1})
		q.take("b")
	}},
	{"26/superseded-handle-deletes", "A Standard queue's older handle deletes the message that somebody else has received since.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs", "VisibilityTimeout", "1")
		q.send("a")
		old := q.take("a")
		d.pass(time.Second)
		q.take("a", wireMap{"VisibilityTimeout": 60})
		q.delete(old)
		q.counts(0, 0, 0)
	}},
	{"26/cap-from-latest-receive", "The 12 hours that a message is held count from its latest receive.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs", "VisibilityTimeout", "1")
		q.send("a")
		q.take("a")
		d.pass(6 * time.Hour)
		q.change(q.take("a"), 43200)
	}},
	{"26/foreign-handle", "A handle of another queue is none.", wireInBoth, func(d *wireDesk) {
		one, two := d.queue("one"), d.queue("two")
		one.send("a")
		two.send("a")
		handle := one.take("a")
		two.take("a")
		sentence := `The input receipt handle "` + handle + `" is not a valid receipt handle.`
		two.refuse(wireBadHandle, sentence, "DeleteMessage", wireMap{"ReceiptHandle": handle})
		two.refuse(wireBadHandle, sentence, "ChangeMessageVisibility", wireMap{"ReceiptHandle": handle, "VisibilityTimeout": 0})
		one.counts(0, 1, 0)
		two.counts(0, 1, 0)
	}},
	{"26/numbers-as-sent", "A number's zeros are not trimmed, neither in its value nor in the digest.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		attributes := wireMap{"n": wireNumber("00012.3400")}
		q.send("a", wireMap{"MessageAttributes": attributes})
		m := q.one(wireMap{"MessageAttributeNames": []string{"n"}})
		require.Equal(d.t, attributes, m["MessageAttributes"])
		require.Equal(d.t, wireMD5(attributes), m["MD5OfMessageAttributes"])
	}},
	{"26/attribute-name-edges", "An attribute's name may have 256 characters, and neither two dots in a row nor one at an end.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		q.send("a", wireMap{"MessageAttributes": wireMap{strings.Repeat("n", 256): wireText("x")}})
		for _, name := range []string{"a..b", ".a", "a.", strings.Repeat("n", 257)} {
			q.refuse(wireInvalid, "", "SendMessage", wireMap{"MessageBody": "a", "MessageAttributes": wireMap{name: wireText("x")}})
		}
	}},
	{"26/ids-cost-nothing", "Group and deduplication IDs and the Ids of entries don't count towards a message's size.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs.fifo", "MaximumMessageSize", "1024")
		id := strings.Repeat("i", 128)
		q.send(strings.Repeat("b", 1024), wireMap{"MessageGroupId": id, "MessageDeduplicationId": id})
		big := d.queue("jobs")
		require.Len(d.t, big.ok("SendMessageBatch", wireMap{"Entries": []wireMap{{"Id": strings.Repeat("i", 80), "MessageBody": strings.Repeat("b", 1<<20), "MessageGroupId": id}}})["Successful"], 1)
	}},
	{"26/deduplication-id-on-standard", "A Standard queue refuses a deduplication ID.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		q.refuse(wireInvalid, "Value x for parameter MessageDeduplicationId is invalid. Reason: "+wireTwoKinds, "SendMessage", wireMap{"MessageBody": "a", "MessageDeduplicationId": "x"})
		out := q.ok("SendMessageBatch", wireMap{"Entries": []wireMap{{"Id": "1", "MessageBody": "a", "MessageDeduplicationId": "x"}}})
		require.Equal(d.t, "InvalidParameterValue", wireObjects(out["Failed"])[0]["Code"])
		q.nothing()
	}},
	{"26/both-ids-missing", "Where a FIFO message lacks both IDs, the group is told.", wireInBoth, func(d *wireDesk) {
		d.queue("jobs.fifo").refuse(wireMissing, wireNoGroup, "SendMessage", wireMap{"MessageBody": "a"})
	}},
	{"26/read-only-attributes", "Setting what can only be read is an unknown attribute.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		for _, name := range []string{"QueueArn", "CreatedTimestamp", "LastModifiedTimestamp", "ApproximateNumberOfMessages"} {
			q.refuse("InvalidAttributeName", "Unknown Attribute "+name+".", "SetQueueAttributes", wireMap{"Attributes": wirePairs(name, "1")})
			d.refuse("InvalidAttributeName", "Unknown Attribute "+name+".", "CreateQueue", wireMap{"QueueName": "new", "Attributes": wirePairs(name, "1")})
		}
	}},
	{"26/tags-on-repeated-create", "Tags given when creating again are neither compared nor applied.", wireInBoth, func(d *wireDesk) {
		d.ok("CreateQueue", wireMap{"QueueName": "jobs", "tags": wirePairs("k", "v")})
		d.ok("CreateQueue", wireMap{"QueueName": "jobs", "tags": wirePairs("k", "w", "l", "x")})
		require.Equal(d.t, wireMap{"Tags": wireMap{"k": "v"}}, d.queue("jobs").ok("ListQueueTags", nil))
	}},
	{"26/common-namespace", "Types of unknown operations and of what can't be read are in com.amazon.coral.service#.", wireInJSON, func(d *wireDesk) {
		d.common(d.raw("Nosuch", "{}"), "UnknownOperationException", 400)
		d.common(d.raw("CreateQueue", "{"), "SerializationException", 400)
	}},
	{"26/unknown-operation-status", "With JSON an unknown operation has status 400.", wireInJSON, func(d *wireDesk) {
		require.Equal(d.t, 400, d.raw("Nosuch", "{}").status)
	}},
	{"26/delete-unknown-queue", "Deleting a queue that isn't there is refused.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		q.ok("DeleteQueue", nil)
		q.refuse(wireNoQueue, "", "DeleteQueue", nil)
	}},
	{"26/unindexed-lists", "With Query a list of one may stand without its index.", wireInQuery, func(d *wireDesk) {
		require.Equal(d.t, 200, d.raw("CreateQueue", "QueueName=jobs&Attribute.Name=DelaySeconds&Attribute.Value=0").status)
		q := d.queue("jobs")
		require.Len(d.t, q.formed("GetQueueAttributes", "AttributeName=All")["Attributes"], 12)
		q.send("a", wireMap{"MessageAttributes": wireMap{"k": wireText("x")}})
		m := wireObjects(q.formed("ReceiveMessage", "AttributeName=SentTimestamp&MessageAttributeName=All")["Messages"])[0]
		require.Equal(d.t, wireMap{"SentTimestamp": "946684800000"}, m["Attributes"])
		require.Equal(d.t, wireMap{"k": wireText("x")}, m["MessageAttributes"])
		q.formed("SetQueueAttributes", "Attribute.Name=DelaySeconds&Attribute.Value=3")
		require.Equal(d.t, "3", q.attr("DelaySeconds"))
	}},
	{"26/deleted-while-polled", "A long poll at a queue that is deleted is told that the queue doesn't exist.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		poll := q.poll(context.Background(), 20)
		q.ok("DeleteQueue", nil)
		d.refused(d.read(<-poll), wireNoQueue, "")
	}},
	{"26/limits-of-broker", "A broker without limits lifts those of messages on the wire as well.", wireInBoth, func(d *wireDesk) {
		d = d.with(broker.Options{Limits: queue.Unlimited})
		q := d.queue("jobs")
		q.send(strings.Repeat("b", 1<<20))
	}},
}
