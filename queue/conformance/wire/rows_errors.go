package wire

import (
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

var errorRows = []Row{
	{"21/batch-entry-ids-not-distinct", "BatchEntryIdsNotDistinct has its prefix in Query and status 400.", Both, func(d *desk) {
		d.queue("jobs").refuse("BatchEntryIdsNotDistinct", "Id a repeated.", "SendMessageBatch", object{"Entries": []object{{"Id": "a", "MessageBody": "x"}, {"Id": "a", "MessageBody": "y"}}})
	}},
	{"21/batch-request-too-long", "BatchRequestTooLong has its prefix in Query and status 400.", Both, func(d *desk) {
		d.queue("jobs").refuse("BatchRequestTooLong", "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.", "SendMessageBatch",
			object{"Entries": []object{{"Id": "a", "MessageBody": "x"}, {"Id": "b", "MessageBody": strings.Repeat("y", 1<<20)}}})
	}},
	{"21/empty-batch-request", "EmptyBatchRequest has its prefix in Query and status 400.", Both, func(d *desk) {
		typ := "EmptyBatchRequest"
		if d.query { // an empty list is no list there
			typ += "|" + missing
		}
		d.queue("jobs").refuse(typ, "", "DeleteMessageBatch", object{"Entries": []object{}})
	}},
	{"21/invalid-batch-entry-id", "InvalidBatchEntryId has its prefix in Query and status 400.", Both, func(d *desk) {
		d.queue("jobs").refuse("InvalidBatchEntryId", "", "SendMessageBatch", object{"Entries": []object{{"Id": "a:b", "MessageBody": "x"}}})
	}},
	{"21/too-many-entries-in-batch-request", "TooManyEntriesInBatchRequest has its prefix in Query and status 400.", Both, func(d *desk) {
		d.queue("jobs").refuse("TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10. You have sent 11.", "SendMessageBatch", object{"Entries": entriesOf(11, object{"MessageBody": "x"})})
	}},
	{"21/queue-deleted-recently", "QueueDeletedRecently has its prefix in Query and status 400.", Both, func(d *desk) {
		d = d.with(Options{Cooldowns: true})
		d.queue("jobs").ok("DeleteQueue", nil)
		d.refuse("QueueDeletedRecently", "You must wait 60 seconds after deleting a queue before you can create another with the same name.", "CreateQueue", object{"QueueName": "jobs"})
	}},
	{"21/queue-does-not-exist", "QueueDoesNotExist is AWS.SimpleQueueService.NonExistentQueue in Query and has status 400.", Both, func(d *desk) {
		d.refuse(noQueue, d.missingQueue(), "GetQueueUrl", object{"QueueName": "nosuch"})
	}},
	{"21/queue-name-exists", "QueueNameExists is QueueAlreadyExists in Query, without a prefix, and has status 400.", Both, func(d *desk) {
		d.queue("jobs")
		d.refuse("QueueNameExists", "A queue already exists with the same name and a different value for attribute DelaySeconds", "CreateQueue", object{"QueueName": "jobs", "Attributes": pairs("DelaySeconds", "1")})
	}},
	{"21/purge-queue-in-progress", "PurgeQueueInProgress has its prefix in Query and status 403.", Both, func(d *desk) {
		q := d.with(Options{Cooldowns: true}).queue("jobs")
		q.ok("PurgeQueue", nil)
		q.refuse("PurgeQueueInProgress", "Only one PurgeQueue operation on jobs is allowed every 60 seconds.", "PurgeQueue", nil)
	}},
	{"21/over-limit", "OverLimit has status 403: of permissions, and of messages in flight.", Both, func(d *desk) {
		q := d.queue("jobs")
		q.refuse("OverLimit", "", "AddPermission", object{"Label": "l", "AWSAccountIds": []string{"111111111111"}, "Actions": []string{"SendMessage", "ReceiveMessage", "DeleteMessage",
			"ChangeMessageVisibility", "GetQueueAttributes", "GetQueueUrl", "PurgeQueue", "ListDeadLetterSourceQueues"}})
		d.crowd("jobs")
		q.refuse("OverLimit", "", "ReceiveMessage", nil)
		require.Empty(d.t, q.ok("ReceiveMessage", object{"WaitTimeSeconds": 1}))
	}},
	{"21/request-throttled", "RequestThrottled has status 403.", Both, func(d *desk) {
		d.throttle("jobs.fifo")
		q := d.queue("jobs.fifo")
		for range 300 {
			q.ok("ReceiveMessage", nil)
		}
		q.refuse("RequestThrottled", "", "ReceiveMessage", nil)
		d.pass(time.Second)
		q.ok("ReceiveMessage", nil)
	}},
	{"21/invalid-address", "InvalidAddress has status 404.", Query, func(d *desk) {
		d.on("/nowhere").refuse("InvalidAddress", "", "ReceiveMessage", nil)
	}},
	{"21/receipt-handle-is-invalid", "ReceiptHandleIsInvalid has status 404.", Both, func(d *desk) {
		d.queue("jobs").refuse(badHandle, `The input receipt handle "x" is not a valid receipt handle.`, "DeleteMessage", object{"ReceiptHandle": "x"})
	}},
	{"21/resource-not-found", "ResourceNotFoundException has status 404, and its type is a modelled one.", Both, func(d *desk) {
		d.refuse("ResourceNotFoundException", "", "ListMessageMoveTasks", object{"SourceArn": "arn:aws:sqs:us-east-1:000000000000:nosuch"})
	}},
	{"21/invalid-attribute-name", "InvalidAttributeName has status 400.", Both, func(d *desk) {
		d.queue("jobs").refuse("InvalidAttributeName", "Unknown Attribute X.", "GetQueueAttributes", object{"AttributeNames": []string{"X"}})
	}},
	{"21/invalid-attribute-value", "InvalidAttributeValue has status 400.", Both, func(d *desk) {
		d.queue("jobs").refuse("InvalidAttributeValue", "Invalid value for the parameter DelaySeconds.", "SetQueueAttributes", object{"Attributes": pairs("DelaySeconds", "901")})
	}},
	{"21/invalid-message-contents", "InvalidMessageContents has status 400.", Both, func(d *desk) {
		d.queue("jobs").refuse("InvalidMessageContents", "", "SendMessage", object{"MessageBody": "\x01"})
	}},
	{"21/invalid-parameter-value", "InvalidParameterValueException is InvalidParameterValue in Query and has status 400.", Both, func(d *desk) {
		d.queue("jobs").refuse(invalid, "", "ReceiveMessage", object{"MaxNumberOfMessages": 11})
	}},
	{"21/missing-parameter", "MissingRequiredParameterException is MissingParameter in Query and has status 400.", Both, func(d *desk) {
		d.queue("jobs").refuse(missing, "The request must contain the parameter MessageBody.", "SendMessage", nil)
	}},
	{"21/required-parameters", "Every parameter that the service model requires is missed by name.", Both, func(d *desk) {
		q := d.queue("jobs")
		q.send("a")
		handle := q.take("a")
		for _, c := range []struct {
			action, parameter string
			in                object
		}{
			{"AddPermission", "QueueUrl", object{"Label": "l", "AWSAccountIds": []string{"111111111111"}, "Actions": []string{"SendMessage"}}},
			{"CancelMessageMoveTask", "TaskHandle", nil},
			{"ChangeMessageVisibility", "QueueUrl", object{"ReceiptHandle": handle, "VisibilityTimeout": 1}},
			{"ChangeMessageVisibility", "ReceiptHandle", q.in(object{"VisibilityTimeout": 1})},
			{"ChangeMessageVisibility", "VisibilityTimeout", q.in(object{"ReceiptHandle": handle})},
			{"DeleteMessage", "QueueUrl", object{"ReceiptHandle": handle}},
			{"DeleteMessage", "ReceiptHandle", q.in(nil)},
			{"DeleteQueue", "QueueUrl", nil},
			{"GetQueueAttributes", "QueueUrl", nil},
			{"ListDeadLetterSourceQueues", "QueueUrl", nil},
			{"ListMessageMoveTasks", "SourceArn", nil},
			{"ListQueueTags", "QueueUrl", nil},
			{"PurgeQueue", "QueueUrl", nil},
			{"ReceiveMessage", "QueueUrl", nil},
			{"RemovePermission", "QueueUrl", object{"Label": "l"}},
			{"SendMessage", "QueueUrl", object{"MessageBody": "a"}},
			{"SendMessage", "MessageBody", q.in(nil)},
			{"SendMessageBatch", "QueueUrl", object{"Entries": entriesOf(1, object{"MessageBody": "a"})}},
			{"SetQueueAttributes", "QueueUrl", object{"Attributes": pairs("DelaySeconds", "1")}},
			{"StartMessageMoveTask", "SourceArn", nil},
			{"TagQueue", "QueueUrl", object{"Tags": pairs("k", "v")}},
			{"UntagQueue", "QueueUrl", object{"TagKeys": []string{"k"}}},
		} {
			d.refuse(missing, "The request must contain the parameter "+c.parameter+".", c.action, c.in)
		}
		q.refuse(missing, "", "AddPermission", object{"AWSAccountIds": []string{"111111111111"}, "Actions": []string{"SendMessage"}})
		q.refuse(missing, "", "AddPermission", object{"Label": "l", "Actions": []string{"SendMessage"}})
		q.refuse(missing, "", "AddPermission", object{"Label": "l", "AWSAccountIds": []string{"111111111111"}})
		q.refuse(missing, "", "RemovePermission", nil)
		d.refuse(missing+"|"+invalid, "", "GetQueueUrl", nil)
		q.counts(0, 1, 0)
	}},
	{"21/internal-failure", "What goes wrong within the service is the service's fault, with a status above 499.", Both, func(d *desk) {
		q := d.queue("jobs")
		d.breakDown()
		a := q.call("SendMessage", object{"MessageBody": "a"})
		require.NotNil(d.t, a.fault)
		require.Contains(d.t, []int{500, 503}, a.status)
		require.Equal(d.t, "Receiver", a.fault.blame, "%s %v", a.body, a.header)
		require.Equal(d.t, map[int]string{500: "InternalFailure", 503: "ServiceUnavailable"}[a.status], a.fault.code)
	}},
	{"21/access-denied", "A request from another machine, or to another host, is denied with status 403 unless it is allowed, and told by which option.", Both, func(d *desk) {
		h := d.handler(HandlerOptions{})
		from := func(h doer, remote, base string) rawAnswer {
			c := d.at(base).through(h)
			r := c.request("ListQueues", nil)
			r.RemoteAddr = remote
			raw := c.send(r)
			raw.action = "ListQueues"
			return raw
		}
		for _, remote := range []string{"192.0.2.1:1234", "[2001:db8::1]:1234"} {
			f := d.faultIs(from(h, remote, Base), "AccessDeniedException", "AccessDenied", "Sender", 403)
			require.Contains(d.t, f.message, "sqsapi.Options.AllowRemote")
			a := d.read(from(d.handler(HandlerOptions{AllowRemote: true}), remote, Base))
			require.Equal(d.t, 200, a.status, "%s", a.body)
		}
		for _, host := range []string{"http://queues.example", "http://queues.example:9324", "http://localhost.example"} {
			f := d.faultIs(from(h, "127.0.0.1:1", host), "AccessDeniedException", "AccessDenied", "Sender", 403)
			require.Contains(d.t, f.message, "sqsapi.Options.Hosts")
		}
		for _, host := range []string{"http://localhost", "http://a.localhost:1", "http://127.0.0.1:1", "http://[::1]:1", "http://10.1.2.3"} {
			a := d.read(from(h, "[::1]:1", host))
			require.Equal(d.t, 200, a.status, "%s: %s", host, a.body)
		}
		f := d.faultIs(from(d.handler(HandlerOptions{AllowRemote: true}), "192.0.2.1:1", "http://queues.example"), "AccessDeniedException", "AccessDenied", "Sender", 403)
		require.Contains(d.t, f.message, "sqsapi.Options.Hosts")
		for origin, status := range map[string]int{"http://queues.example": 403, "https://localhost.example:1": 403, "http://localhost:3000": 200, "http://127.0.0.1": 200} {
			require.Equal(d.t, status, d.saying("Origin", origin).through(h).call("ListQueues", nil).status, origin)
			require.Equal(d.t, 200, d.saying("Origin", origin).through(d.handler(HandlerOptions{Hosts: []string{"queues.example", "localhost.example"}})).call("ListQueues", nil).status, origin)
		}
		locked := d.handler(HandlerOptions{Credentials: map[string]string{"AKIDEXAMPLE": "secret"}})
		d.faultIs(from(locked, "192.0.2.1:1", "http://queues.example"), "MissingAuthenticationToken", "MissingAuthenticationToken", "Sender", 403)
		for _, o := range []HandlerOptions{{Hosts: []string{"queues.example"}}, {Hosts: []string{"*"}}, {BaseURL: "http://queues.example:1"}} {
			a := d.read(from(d.handler(o), "127.0.0.1:1", "http://queues.example:9324"))
			require.Equal(d.t, 200, a.status, "%s", a.body)
		}
	}},
	{"21/signature-codes", "Where signatures are checked, none is MissingAuthenticationToken with 403, half of one IncompleteSignature with 400, an unknown key InvalidClientTokenId with 403, and a wrong one SignatureDoesNotMatch with 403.", Both, func(d *desk) {
		c := d.through(d.handler(HandlerOptions{Credentials: map[string]string{"AKIDEXAMPLE": "secret"}}))
		list := func(c *desk) rawAnswer {
			raw := c.send(c.request("ListQueues", nil))
			raw.action = "ListQueues"
			return raw
		}
		d.faultIs(list(c), "MissingAuthenticationToken", "MissingAuthenticationToken", "Sender", 403)
		d.faultIs(list(c.saying("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE")), "IncompleteSignature", "IncompleteSignature", "Sender", 400)
		f := d.faultIs(list(c.as("AKIDOTHER", "us-east-1")), "InvalidClientTokenId", "InvalidClientTokenId", "Sender", 403)
		require.Equal(d.t, "The security token included in the request is invalid.", f.message)
		d.faultIs(list(c.as("AKIDEXAMPLE", "us-east-1")), "SignatureDoesNotMatch", "SignatureDoesNotMatch", "Sender", 403)
		d.pass(16 * time.Minute)
		d.faultIs(list(c.as("AKIDEXAMPLE", "us-east-1")), "RequestExpired", "RequestExpired", "Sender", 400)
	}},
	{"21/missing-action", "A form that is posted without Action is MissingAction with status 400.", Query, func(d *desk) {
		raw := d.send(d.post("application/x-www-form-urlencoded", "Version=2012-11-05"))
		d.faultIs(raw, "MissingAction", "MissingAction", "Sender", 400)
	}},
}
