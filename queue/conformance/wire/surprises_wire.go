package wire

import (
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

// The surprises: what emulators of SQS get wrong, each with its number.

var wireSurprises = []Row{
	{"25/1-md5-of-no-attributes", "No attributes have no digest: the member is left out.", Both, func(d *desk) {
		q := d.queue("jobs")
		a := q.call("SendMessage", object{"MessageBody": "a", "MessageAttributes": object{}})
		require.NotContains(d.t, a.body, "MD5OfMessageAttributes")
		a = q.call("SendMessageBatch", object{"Entries": []object{{"Id": "1", "MessageBody": "a"}}})
		require.NotContains(d.t, a.body, "MD5OfMessageAttributes")
		a = q.call("ReceiveMessage", object{"MaxNumberOfMessages": 10, "MessageAttributeNames": []string{"All"}})
		require.Len(d.t, objects(a.out["Messages"]), 2)
		require.NotContains(d.t, a.body, "MD5OfMessageAttributes")
		require.NotContains(d.t, a.body, "d41d8cd98f00b204e9800998ecf8427e")
	}},
	{"25/2-empty-message-attributes", "A message without attributes, or without those asked for, has no member MessageAttributes.", Both, func(d *desk) {
		q := d.queue("jobs", "VisibilityTimeout", "0")
		q.send("a")
		for _, names := range [][]string{nil, {"All"}, {"k"}} {
			a := q.call("ReceiveMessage", object{"MessageAttributeNames": names})
			require.Len(d.t, objects(a.out["Messages"]), 1)
			require.NotContains(d.t, a.body, "MessageAttribute")
		}
	}},
	{"25/3-md5-of-returned-subset", "The digest of received attributes is that of those returned, and what is stored stays whole.", Both, func(d *desk) {
		q := d.queue("jobs", "VisibilityTimeout", "0")
		q.send("a", object{"MessageAttributes": object{"General": textValue("Kenobi"), "Hello": textValue("There"), "Help.Me": textValue("Me")}})
		for _, c := range [][2]string{{"Hello", "a311262e065454b75da111d535b8dacd"}, {"Hel.*", "83fee93c1bcd8b9a5a923ffacdc636c7"}, {"All", "4c360f3fdafd970e05fae2f149d997f5"}, {"Hello", "a311262e065454b75da111d535b8dacd"}} {
			require.Equal(d.t, c[1], q.one(object{"MessageAttributeNames": []string{c[0]}})["MD5OfMessageAttributes"], c[0])
		}
	}},
	{"25/4-type-and-query-error", "An error has a type and an old code, which differ for a queue that is missing and for one that exists.", Both, func(d *desk) {
		d.queue("jobs")
		for typ, code := range map[string]string{noQueue: "AWS.SimpleQueueService.NonExistentQueue", "QueueNameExists": "QueueAlreadyExists"} {
			a := d.call("GetQueueUrl", object{"QueueName": "nosuch"})
			if typ == "QueueNameExists" {
				a = d.call("CreateQueue", object{"QueueName": "jobs", "Attributes": pairs("DelaySeconds", "9")})
			}
			require.Equal(d.t, 400, a.status)
			require.Equal(d.t, code, a.fault.code)
			if !d.query {
				require.Equal(d.t, modelled+typ, a.fault.typ)
				require.Equal(d.t, code+";Sender", a.header.Get("x-amzn-query-error"))
			}
		}
	}},
	{"25/5-url-of-missing-queue", "GetQueueUrl of a queue that isn't there is refused.", Both, func(d *desk) {
		d.refuse(noQueue, "", "GetQueueUrl", object{"QueueName": "jobs"})
		d.queue("jobs").ok("DeleteQueue", nil)
		d.refuse(noQueue, "", "GetQueueUrl", object{"QueueName": "jobs"})
	}},
	{"25/6-missing-is-not-invalid", "What is absent or empty is a missing parameter, but a missing group of a batch's entry is an invalid one.", Both, func(d *desk) {
		q, fifo := d.queue("jobs"), d.queue("jobs.fifo", "ContentBasedDeduplication", "true")
		q.refuse(missing, "", "SendMessage", object{"MessageBody": ""})
		q.refuse(missing, "", "DeleteMessage", object{"ReceiptHandle": ""})
		q.refuse(missing, "", "TagQueue", nil)
		q.refuse(missing, "", "SetQueueAttributes", nil)
		fifo.refuse(missing, "", "SendMessage", object{"MessageBody": "a"})
		fifo.refuse(invalid, "", "SendMessageBatch", object{"Entries": []object{{"Id": "1", "MessageBody": "a"}}})
	}},
	{"25/7-wsdl-text-in-query-only", "That a queue doesn't exist for this wsdl version is said in Query only.", Both, func(d *desk) {
		a := d.call("GetQueueUrl", object{"QueueName": "nosuch"})
		require.Equal(d.t, d.query, strings.Contains(a.body, "for this wsdl version"))
		require.Equal(d.t, d.missingQueue(), a.fault.message)
	}},
	{"25/8-queue-url-from-request", "A queue's URL has the scheme, host and port of the request.", Both, func(d *desk) {
		for _, base := range []string{"http://localhost:4566", "https://sqs.eu-west-1.amazonaws.com", "http://[::1]:1"} {
			require.Equal(d.t, base+"/000000000000/jobs", d.at(base).queue("jobs").url)
		}
	}},
	{"25/9-timestamps", "Times of messages are whole milliseconds, of queues whole seconds, and of move tasks a number of milliseconds.", Both, func(d *desk) {
		d.pass(1234567 * time.Microsecond)
		dead := d.queue("dead")
		q := d.queue("jobs", "RedrivePolicy", dead.redrive(1), "VisibilityTimeout", "0")
		d.equalAttributes(object{"CreatedTimestamp": "946684801", "LastModifiedTimestamp": "946684801"}, q.attrs("CreatedTimestamp", "LastModifiedTimestamp"))
		d.pass(2 * time.Second)
		q.set("DelaySeconds", "0")
		d.equalTime("946684803", q.attr("LastModifiedTimestamp"))
		dead.send("a")
		times := dead.one(object{"AttributeNames": []string{"All"}, "VisibilityTimeout": 0})["Attributes"].(object)
		d.equalTime("946684803234", times["SentTimestamp"])
		d.equalTime("946684803234", times["ApproximateFirstReceiveTimestamp"])
		d.ok("StartMessageMoveTask", object{"SourceArn": dead.arn()})
		d.pass(time.Second)
		d.equalTime("946684803234", dead.tasks()[0]["StartedTimestamp"])
	}},
	{"25/10-receipt-handle-alphabet", "Receipt handles have no hyphen and no number sign, and at most 1024 characters.", Both, func(d *desk) {
		for _, q := range []*queue{d.queue("jobs", "VisibilityTimeout", "0"), d.queue(strings.Repeat("n", 75)+".fifo", "VisibilityTimeout", "0")} {
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
	{"25/11-empty-lists-omitted", "Empty lists are left out: Messages, QueueUrls, Tags, Successful, Failed; but not queueUrls of ListDeadLetterSourceQueues.", Both, func(d *desk) {
		q := d.queue("jobs")
		require.Empty(d.t, q.ok("ReceiveMessage", nil))
		require.Empty(d.t, d.ok("ListQueues", object{"QueueNamePrefix": "x"}))
		require.Empty(d.t, q.ok("ListQueueTags", nil))
		require.NotContains(d.t, q.ok("SendMessageBatch", object{"Entries": []object{{"Id": "1", "MessageBody": "a"}}}), "Failed")
		require.NotContains(d.t, q.ok("DeleteMessageBatch", object{"Entries": []object{{"Id": "1", "ReceiptHandle": "x"}}}), "Successful")
		require.Equal(d.t, object{"queueUrls": []any{}}, q.ok("ListDeadLetterSourceQueues", nil))
	}},
	{"25/12-attribute-wildcards", "Message attributes can be asked for by *, and by a prefix before .* without a dot.", Both, func(d *desk) {
		q := d.queue("jobs", "VisibilityTimeout", "0")
		q.send("a", object{"MessageAttributes": object{"General": textValue("x"), "Hello": textValue("y"), "Help.Me": textValue("z")}})
		require.Len(d.t, q.one(object{"MessageAttributeNames": []string{"*"}})["MessageAttributes"], 3)
		require.Equal(d.t, object{"Hello": textValue("y"), "Help.Me": textValue("z")}, q.one(object{"MessageAttributeNames": []string{"Hel.*"}})["MessageAttributes"])
	}},
}
