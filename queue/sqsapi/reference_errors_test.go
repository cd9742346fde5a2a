package sqsapi_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/sqsapi"
)

// wireBeyond are the rows of the catalogue that no broker brings about, and why.
var wireBeyond = map[string]string{
	"MessageNotInflight":   "changing the visibility of a visible message succeeds, and SQS too was never seen to answer this",
	"UnsupportedOperation": "all 23 actions are supported",
	"InvalidSecurity":      "plain HTTP is allowed, and signatures have codes of their own",
	"InvalidIdFormat":      "deprecated: a malformed handle is ReceiptHandleIsInvalid",
	"KmsAccessDenied":      "keys are kept and have no effect",
	"KmsDisabled":          "keys are kept and have no effect",
	"KmsInvalidKeyUsage":   "keys are kept and have no effect",
	"KmsInvalidState":      "keys are kept and have no effect",
	"KmsNotFound":          "keys are kept and have no effect",
	"KmsThrottled":         "keys are kept and have no effect",
	"KmsOptInRequired":     "keys are kept and have no effect",
}

// wireCodesShown are the rows of section 21 and the shapes they show.
var wireCodesShown = map[string]string{
	"21/batch-entry-ids-not-distinct": "BatchEntryIdsNotDistinct", "21/batch-request-too-long": "BatchRequestTooLong", "21/empty-batch-request": "EmptyBatchRequest",
	"21/invalid-batch-entry-id": "InvalidBatchEntryId", "21/too-many-entries-in-batch-request": "TooManyEntriesInBatchRequest", "21/queue-deleted-recently": "QueueDeletedRecently",
	"21/queue-does-not-exist": "QueueDoesNotExist", "21/queue-name-exists": "QueueNameExists", "21/purge-queue-in-progress": "PurgeQueueInProgress", "21/over-limit": "OverLimit",
	"21/request-throttled": "RequestThrottled", "21/invalid-address": "InvalidAddress", "21/receipt-handle-is-invalid": "ReceiptHandleIsInvalid",
	"21/resource-not-found": "ResourceNotFoundException", "21/invalid-attribute-name": "InvalidAttributeName", "21/invalid-attribute-value": "InvalidAttributeValue",
	"21/invalid-message-contents": "InvalidMessageContents", "21/invalid-parameter-value": wireInvalid, "21/missing-parameter": wireMissing,
}

// Each row of the catalogue is shown, or is one that nothing brings about.
func TestWireCatalogueIsCovered(t *testing.T) {
	ids := map[string]bool{}
	for _, row := range wireErrors {
		ids[row.id] = true
	}
	covered := map[string]bool{}
	for id, shape := range wireCodesShown {
		require.True(t, ids[id], "%s has a row", id)
		covered[shape] = true
	}
	for shape := range wireCatalogue {
		require.NotEqual(t, covered[shape], wireBeyond[shape] != "", "%s is shown or beyond, and not both", shape)
	}
	require.Len(t, wireCatalogue, len(wireBeyond)+len(covered))
}

// faultIs requires an error that the service doesn't model, in whichever protocol.
func (d *wireDesk) faultIs(raw wireRaw, name, code, blame string, status int) *wireFault {
	d.t.Helper()
	a := d.read(raw)
	require.NotNil(d.t, a.fault, "%s", a.body)
	require.Equal(d.t, status, a.status, "%s", a.body)
	require.Equal(d.t, code, a.fault.code, "%s %v", a.body, a.header)
	require.Equal(d.t, blame, a.fault.blame, "%s %v", a.body, a.header)
	if !d.query {
		require.Equal(d.t, wireCommon+name, a.fault.typ)
	}
	require.NotEmpty(d.t, a.fault.message)
	return a.fault
}

var wireErrors = []wireRow{
	{"21/batch-entry-ids-not-distinct", "BatchEntryIdsNotDistinct has its prefix in Query and status 400.", wireInBoth, func(d *wireDesk) {
		d.queue("jobs").refuse("BatchEntryIdsNotDistinct", "Id a repeated.", "SendMessageBatch", wireMap{"Entries": []wireMap{{"Id": "a", "MessageBody": "x"}, {"Id": "a", "MessageBody": "y"}}})
	}},
	{"21/batch-request-too-long", "BatchRequestTooLong has its prefix in Query and status 400.", wireInBoth, func(d *wireDesk) {
		d.queue("jobs").refuse("BatchRequestTooLong", "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.", "SendMessageBatch",
			wireMap{"Entries": []wireMap{{"Id": "a", "MessageBody": "x"}, {"Id": "b", "MessageBody": strings.Repeat("y", 1<<20)}}})
	}},
	{"21/empty-batch-request", "EmptyBatchRequest has its prefix in Query and status 400.", wireInBoth, func(d *wireDesk) {
		typ := "EmptyBatchRequest"
		if d.query { // an empty list is no list there
			typ += "|" + wireMissing
		}
		d.queue("jobs").refuse(typ, "", "DeleteMessageBatch", wireMap{"Entries": []wireMap{}})
	}},
	{"21/invalid-batch-entry-id", "InvalidBatchEntryId has its prefix in Query and status 400.", wireInBoth, func(d *wireDesk) {
		d.queue("jobs").refuse("InvalidBatchEntryId", "", "SendMessageBatch", wireMap{"Entries": []wireMap{{"Id": "a:b", "MessageBody": "x"}}})
	}},
	{"21/too-many-entries-in-batch-request", "TooManyEntriesInBatchRequest has its prefix in Query and status 400.", wireInBoth, func(d *wireDesk) {
		d.queue("jobs").refuse("TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10. You have sent 11.", "SendMessageBatch", wireMap{"Entries": wireEntries(11, wireMap{"MessageBody": "x"})})
	}},
	{"21/queue-deleted-recently", "QueueDeletedRecently has its prefix in Query and status 400.", wireInBoth, func(d *wireDesk) {
		d = d.with(broker.Options{EnforceCooldowns: true})
		d.queue("jobs").ok("DeleteQueue", nil)
		d.refuse("QueueDeletedRecently", "You must wait 60 seconds after deleting a queue before you can create another with the same name.", "CreateQueue", wireMap{"QueueName": "jobs"})
	}},
	{"21/queue-does-not-exist", "QueueDoesNotExist is AWS.SimpleQueueService.NonExistentQueue in Query and has status 400.", wireInBoth, func(d *wireDesk) {
		d.refuse(wireNoQueue, d.missingQueue(), "GetQueueUrl", wireMap{"QueueName": "nosuch"})
	}},
	{"21/queue-name-exists", "QueueNameExists is QueueAlreadyExists in Query, without a prefix, and has status 400.", wireInBoth, func(d *wireDesk) {
		d.queue("jobs")
		d.refuse("QueueNameExists", "A queue already exists with the same name and a different value for attribute DelaySeconds", "CreateQueue", wireMap{"QueueName": "jobs", "Attributes": wirePairs("DelaySeconds", "1")})
	}},
	{"21/purge-queue-in-progress", "PurgeQueueInProgress has its prefix in Query and status 403.", wireInBoth, func(d *wireDesk) {
		q := d.with(broker.Options{EnforceCooldowns: true}).queue("jobs")
		q.ok("PurgeQueue", nil)
		q.refuse("PurgeQueueInProgress", "Only one PurgeQueue operation on jobs is allowed every 60 seconds.", "PurgeQueue", nil)
	}},
	{"21/over-limit", "OverLimit has status 403: of permissions, and of messages in flight.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		q.refuse("OverLimit", "", "AddPermission", wireMap{"Label": "l", "AWSAccountIds": []string{"111111111111"}, "Actions": []string{"SendMessage", "ReceiveMessage", "DeleteMessage",
			"ChangeMessageVisibility", "GetQueueAttributes", "GetQueueUrl", "PurgeQueue", "ListDeadLetterSourceQueues"}})
		inside, err := d.b.GetQueue("jobs")
		require.NoError(d.t, err)
		batch := make([]queue.Message, 10)
		for i := range batch {
			batch[i].Body = "x"
		}
		for range queue.MaxInFlight/10 + 1 {
			_, err := inside.SendBatch(d.ctx, batch)
			require.NoError(d.t, err)
		}
		for {
			_, err := inside.Receive(d.ctx, queue.ReceiveOptions{Max: 10, VisibilityTimeout: time.Hour})
			if errors.Is(err, queue.ErrInFlightLimit) {
				break
			}
			require.NoError(d.t, err)
		}
		q.refuse("OverLimit", "", "ReceiveMessage", nil)
		require.Empty(d.t, q.ok("ReceiveMessage", wireMap{"WaitTimeSeconds": 1}))
	}},
	{"21/request-throttled", "RequestThrottled has status 403.", wireInBoth, func(d *wireDesk) {
		_, err := d.b.Create(d.ctx, "jobs.fifo", queue.Config{EnforceThroughput: true})
		require.NoError(d.t, err)
		q := d.queue("jobs.fifo")
		for range queue.MaxFIFOCalls {
			q.ok("ReceiveMessage", nil)
		}
		q.refuse("RequestThrottled", "", "ReceiveMessage", nil)
		d.pass(time.Second)
		q.ok("ReceiveMessage", nil)
	}},
	{"21/invalid-address", "InvalidAddress has status 404.", wireInQuery, func(d *wireDesk) {
		d.on("/nowhere").refuse("InvalidAddress", "", "ReceiveMessage", nil)
	}},
	{"21/receipt-handle-is-invalid", "ReceiptHandleIsInvalid has status 404.", wireInBoth, func(d *wireDesk) {
		d.queue("jobs").refuse(wireBadHandle, `The input receipt handle "x" is not a valid receipt handle.`, "DeleteMessage", wireMap{"ReceiptHandle": "x"})
	}},
	{"21/resource-not-found", "ResourceNotFoundException has status 404, and its type is a modelled one.", wireInBoth, func(d *wireDesk) {
		d.refuse("ResourceNotFoundException", "", "ListMessageMoveTasks", wireMap{"SourceArn": "arn:aws:sqs:us-east-1:000000000000:nosuch"})
	}},
	{"21/invalid-attribute-name", "InvalidAttributeName has status 400.", wireInBoth, func(d *wireDesk) {
		d.queue("jobs").refuse("InvalidAttributeName", "Unknown Attribute X.", "GetQueueAttributes", wireMap{"AttributeNames": []string{"X"}})
	}},
	{"21/invalid-attribute-value", "InvalidAttributeValue has status 400.", wireInBoth, func(d *wireDesk) {
		d.queue("jobs").refuse("InvalidAttributeValue", "Invalid value for the parameter DelaySeconds.", "SetQueueAttributes", wireMap{"Attributes": wirePairs("DelaySeconds", "901")})
	}},
	{"21/invalid-message-contents", "InvalidMessageContents has status 400.", wireInBoth, func(d *wireDesk) {
		d.queue("jobs").refuse("InvalidMessageContents", "", "SendMessage", wireMap{"MessageBody": "\x01"})
	}},
	{"21/invalid-parameter-value", "InvalidParameterValueException is InvalidParameterValue in Query and has status 400.", wireInBoth, func(d *wireDesk) {
		d.queue("jobs").refuse(wireInvalid, "", "ReceiveMessage", wireMap{"MaxNumberOfMessages": 11})
	}},
	{"21/missing-parameter", "MissingRequiredParameterException is MissingParameter in Query and has status 400.", wireInBoth, func(d *wireDesk) {
		d.queue("jobs").refuse(wireMissing, "The request must contain the parameter MessageBody.", "SendMessage", nil)
	}},
	{"21/required-parameters", "Every parameter that the service model requires is missed by name.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		q.send("a")
		handle := q.take("a")
		for _, c := range []struct {
			action, parameter string
			in                wireMap
		}{
			{"AddPermission", "QueueUrl", wireMap{"Label": "l", "AWSAccountIds": []string{"111111111111"}, "Actions": []string{"SendMessage"}}},
			{"CancelMessageMoveTask", "TaskHandle", nil},
			{"ChangeMessageVisibility", "QueueUrl", wireMap{"ReceiptHandle": handle, "VisibilityTimeout": 1}},
			{"ChangeMessageVisibility", "ReceiptHandle", q.in(wireMap{"VisibilityTimeout": 1})},
			{"ChangeMessageVisibility", "VisibilityTimeout", q.in(wireMap{"ReceiptHandle": handle})},
			{"DeleteMessage", "QueueUrl", wireMap{"ReceiptHandle": handle}},
			{"DeleteMessage", "ReceiptHandle", q.in(nil)},
			{"DeleteQueue", "QueueUrl", nil},
			{"GetQueueAttributes", "QueueUrl", nil},
			{"ListDeadLetterSourceQueues", "QueueUrl", nil},
			{"ListMessageMoveTasks", "SourceArn", nil},
			{"ListQueueTags", "QueueUrl", nil},
			{"PurgeQueue", "QueueUrl", nil},
			{"ReceiveMessage", "QueueUrl", nil},
			{"RemovePermission", "QueueUrl", wireMap{"Label": "l"}},
			{"SendMessage", "QueueUrl", wireMap{"MessageBody": "a"}},
			{"SendMessage", "MessageBody", q.in(nil)},
			{"SendMessageBatch", "QueueUrl", wireMap{"Entries": wireEntries(1, wireMap{"MessageBody": "a"})}},
			{"SetQueueAttributes", "QueueUrl", wireMap{"Attributes": wirePairs("DelaySeconds", "1")}},
			{"StartMessageMoveTask", "SourceArn", nil},
			{"TagQueue", "QueueUrl", wireMap{"Tags": wirePairs("k", "v")}},
			{"UntagQueue", "QueueUrl", wireMap{"TagKeys": []string{"k"}}},
		} {
			d.refuse(wireMissing, "The request must contain the parameter "+c.parameter+".", c.action, c.in)
		}
		q.refuse(wireMissing, "", "AddPermission", wireMap{"AWSAccountIds": []string{"111111111111"}, "Actions": []string{"SendMessage"}})
		q.refuse(wireMissing, "", "AddPermission", wireMap{"Label": "l", "Actions": []string{"SendMessage"}})
		q.refuse(wireMissing, "", "AddPermission", wireMap{"Label": "l", "AWSAccountIds": []string{"111111111111"}})
		q.refuse(wireMissing, "", "RemovePermission", nil)
		d.refuse(wireMissing+"|"+wireInvalid, "", "GetQueueUrl", nil)
		q.counts(0, 1, 0)
	}},
	{"21/internal-failure", "What goes wrong within the service is the service's fault, with a status above 499.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		require.NoError(d.t, d.b.Close())
		a := q.call("SendMessage", wireMap{"MessageBody": "a"})
		require.NotNil(d.t, a.fault)
		require.Contains(d.t, []int{500, 503}, a.status)
		require.Equal(d.t, "Receiver", a.fault.blame, "%s %v", a.body, a.header)
		require.Equal(d.t, map[int]string{500: "InternalFailure", 503: "ServiceUnavailable"}[a.status], a.fault.code)
	}},
	{"21/access-denied", "A request from another machine, or to another host, is denied with status 403 unless it is allowed, and told by which option.", wireInBoth, func(d *wireDesk) {
		h := sqsapi.Handler(d.b, sqsapi.Options{})
		from := func(h http.Handler, remote, base string) wireRaw {
			c := d.at(base).through(h)
			r := c.request("ListQueues", nil)
			r.RemoteAddr = remote
			raw := c.send(r)
			raw.action = "ListQueues"
			return raw
		}
		for _, remote := range []string{"192.0.2.1:1234", "[2001:db8::1]:1234"} {
			f := d.faultIs(from(h, remote, wireBase), "AccessDeniedException", "AccessDenied", "Sender", 403)
			require.Contains(d.t, f.message, "sqsapi.Options.AllowRemote")
			a := d.read(from(sqsapi.Handler(d.b, sqsapi.Options{AllowRemote: true}), remote, wireBase))
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
		f := d.faultIs(from(sqsapi.Handler(d.b, sqsapi.Options{AllowRemote: true}), "192.0.2.1:1", "http://queues.example"), "AccessDeniedException", "AccessDenied", "Sender", 403)
		require.Contains(d.t, f.message, "sqsapi.Options.Hosts")
		for origin, status := range map[string]int{"http://queues.example": 403, "https://localhost.example:1": 403, "http://localhost:3000": 200, "http://127.0.0.1": 200} {
			require.Equal(d.t, status, d.saying("Origin", origin).through(h).call("ListQueues", nil).status, origin)
			require.Equal(d.t, 200, d.saying("Origin", origin).through(sqsapi.Handler(d.b, sqsapi.Options{Hosts: []string{"queues.example", "localhost.example"}})).call("ListQueues", nil).status, origin)
		}
		locked := sqsapi.Handler(d.b, sqsapi.Options{Credentials: map[string]string{"AKIDEXAMPLE": "secret"}})
		d.faultIs(from(locked, "192.0.2.1:1", "http://queues.example"), "MissingAuthenticationToken", "MissingAuthenticationToken", "Sender", 403)
		for _, o := range []sqsapi.Options{{Hosts: []string{"queues.example"}}, {Hosts: []string{"*"}}, {BaseURL: "http://queues.example:1"}} {
			a := d.read(from(sqsapi.Handler(d.b, o), "127.0.0.1:1", "http://queues.example:9324"))
			require.Equal(d.t, 200, a.status, "%s", a.body)
		}
	}},
	{"21/signature-codes", "Where signatures are checked, none is MissingAuthenticationToken with 403, half of one IncompleteSignature with 400, an unknown key InvalidClientTokenId with 403, and a wrong one SignatureDoesNotMatch with 403.", wireInBoth, func(d *wireDesk) {
		c := d.through(sqsapi.Handler(d.b, sqsapi.Options{Credentials: map[string]string{"AKIDEXAMPLE": "secret"}}))
		list := func(c *wireDesk) wireRaw {
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
	{"21/missing-action", "A form that is posted without Action is MissingAction with status 400.", wireInQuery, func(d *wireDesk) {
		raw := d.send(d.post("application/x-www-form-urlencoded", "Version=2012-11-05"))
		d.faultIs(raw, "MissingAction", "MissingAction", "Sender", 400)
	}},
}

var wireSDKs = []wireRow{
	{"22.1/endpoint-and-body", "A client may send all to /, with the queue's URL in the request only.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		q.from(d.at("http://127.0.0.1:9999")).send("a")
		q.from(d.at("https://queue.amazonaws.com")).delete(q.take("a"))
		q.from(d.on("")).send("b")
		q.take("b")
	}},
	{"22.1/url-as-endpoint", "A client may take scheme and host of the queue's URL for its endpoint: they are those of the request that asked for it.", wireInBoth, func(d *wireDesk) {
		for _, base := range []string{"http://localhost:1234", "http://queues.localhost", "https://sqs.us-east-1.amazonaws.com", "http://127.0.0.1:80"} {
			q := d.at(base).queue("jobs")
			require.Equal(d.t, base+"/000000000000/jobs", q.url)
			require.Equal(d.t, wireMap{"QueueUrl": q.url}, d.at(base).ok("GetQueueUrl", wireMap{"QueueName": "jobs"}))
			require.Equal(d.t, []string{q.url}, wireURLsOf(d.at(base).ok("ListQueues", nil)))
			dead := d.at(base).queue("dead")
			q.set("RedrivePolicy", dead.redrive(3))
			require.Equal(d.t, []string{q.url}, wireURLsOf(dead.ok("ListDeadLetterSourceQueues", nil)))
			d.at(base).ok("DeleteQueue", wireMap{"QueueUrl": dead.url})
		}
	}},
	{"22.1/url-as-address", "A client may send to the whole URL of the queue.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		there := q.from(d.on(strings.TrimPrefix(q.url, wireBase)))
		there.send("a")
		handle := there.take("a")
		there.change(handle, 10)
		there.delete(handle)
		require.Equal(d.t, "30", there.attr("VisibilityTimeout"))
		there.ok("DeleteQueue", nil)
		there.refuse(wireNoQueue, "", "ReceiveMessage", nil)
	}},
	{"22.1/configured-base", "URLs start with the handler's base, if it has one.", wireInBoth, func(d *wireDesk) {
		for _, base := range []string{"https://queues.example:8443", "https://queues.example:8443/"} {
			c := d.through(sqsapi.Handler(d.b, sqsapi.Options{BaseURL: base}))
			q := c.queue("jobs")
			require.Equal(d.t, "https://queues.example:8443/000000000000/jobs", q.url)
			q.send("a")
			require.Equal(d.t, []string{"a"}, q.bodies(nil))
		}
	}},
	{"22.2/both-protocols", "One handler serves both protocols, request by request, over the same queues.", wireOnce, func(d *wireDesk) {
		old := d.inQuery().queue("jobs")
		q := old.from(d.inJSON())
		q.send("a\r", wireMap{"MessageAttributes": wireMap{"k": wireBytes("\x00\xff")}})
		m := old.one(wireMap{"MessageAttributeNames": []string{"All"}})
		require.Equal(d.t, "a\r", m["Body"])
		require.Equal(d.t, wireMap{"k": wireBytes("\x00\xff")}, m["MessageAttributes"])
		q.delete(m["ReceiptHandle"].(string))
		old.send("b")
		old.delete(q.take("b"))
	}},
	{"22.3/body-digests", "The body's digest is there in every answer about a message, in lower case.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		for _, body := range []string{"a", " ", "\n", "ä\U0001f600", strings.Repeat("long ", 1000)} {
			require.Equal(d.t, wireMD5Body(body), q.send(body)["MD5OfMessageBody"])
			out := wireObjects(q.ok("SendMessageBatch", wireMap{"Entries": []wireMap{{"Id": "1", "MessageBody": body}}})["Successful"])
			require.Equal(d.t, wireMD5Body(body), out[0]["MD5OfMessageBody"])
			ms := q.receive(nil)
			require.Len(d.t, ms, 2)
			for _, m := range ms {
				require.Equal(d.t, wireMD5Body(body), m["MD5OfBody"])
				q.delete(m["ReceiptHandle"].(string))
			}
		}
	}},
	{"22.3/attribute-digests", "Attributes come with their digest, and no digest comes without attributes.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		attributes := wireMap{"b": wireBytes("\x00"), "a": wireText("x"), "B": wireNumber("1"), "a.b": wireText("y")}
		require.Equal(d.t, wireMD5(attributes), q.send("a", wireMap{"MessageAttributes": attributes})["MD5OfMessageAttributes"])
		require.NotContains(d.t, q.send("b"), "MD5OfMessageAttributes")
		for _, m := range q.receive(wireMap{"MessageAttributeNames": []string{"All"}}) {
			require.Equal(d.t, wireMD5(m["MessageAttributes"]), m["MD5OfMessageAttributes"])
		}
	}},
	{"22.3/nothing-altered", "Bodies and attribute values come back byte for byte; numbers are not normalised.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		attributes := wireMap{}
		for i, number := range []string{"007", "1.50", "+5", "1E3", "-0.0", ".5"} {
			attributes[string(rune('a'+i))] = wireNumber(number)
		}
		const body = " \t<a>\r\n&amp; \u00e4a\u0308 \u2028 "
		q.send(body, wireMap{"MessageAttributes": attributes})
		m := q.one(wireMap{"MessageAttributeNames": []string{"All"}})
		require.Equal(d.t, body, m["Body"])
		require.Equal(d.t, attributes, m["MessageAttributes"])
	}},
	{"22.4/retried-send", "A send that is repeated makes a second message on a Standard queue, and none on a FIFO queue.", wireInBoth, func(d *wireDesk) {
		q, fifo := d.queue("jobs"), d.queue("jobs.fifo")
		for range 2 {
			q.send("a")
			fifo.send("a")
		}
		q.counts(2, 0, 0)
		fifo.counts(1, 0, 0)
	}},
}
