package wire

import (
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
)

// quiet are the actions that answer nothing, each with an input that succeeds.
func (d *desk) quiet() map[string]object {
	d.t.Helper()
	q := d.queue("quiet")
	q.send("a")
	handle := q.take("a")
	q.ok("AddPermission", object{"Label": "old", "AWSAccountIds": []string{"111111111111"}, "Actions": []string{"SendMessage"}})
	other := d.queue("other")
	return map[string]object{
		"AddPermission":           q.in(object{"Label": "new", "AWSAccountIds": []string{"111111111111"}, "Actions": []string{"SendMessage"}}),
		"ChangeMessageVisibility": q.in(object{"ReceiptHandle": handle, "VisibilityTimeout": 60}),
		"DeleteMessage":           q.in(object{"ReceiptHandle": handle}),
		"DeleteQueue":             other.in(nil),
		"PurgeQueue":              d.queue("empty").in(nil),
		"RemovePermission":        q.in(object{"Label": "old"}),
		"SetQueueAttributes":      q.in(object{"Attributes": pairs("DelaySeconds", "1")}),
		"TagQueue":                q.in(object{"Tags": pairs("k", "v")}),
		"UntagQueue":              q.in(object{"TagKeys": []string{"k"}}),
	}
}

var jsonRows = []Row{
	{"19.1/target", "A request is a POST of a JSON object with the action behind AmazonSQS. in X-Amz-Target; it may go to / or to the queue's path.", JSON, func(d *desk) {
		q := d.queue("jobs")
		path := strings.TrimPrefix(q.url, Base)
		for _, contentType := range []string{"application/x-amz-json-1.0", "application/x-amz-json-1.0; charset=utf-8"} {
			for _, p := range []string{"/", path} {
				a := d.on(p).posted(contentType, "AmazonSQS.SendMessage", `{"QueueUrl":"`+q.url+`","MessageBody":"a"}`)
				require.Equal(d.t, 200, a.status, "%s", a.body)
			}
		}
		chunked := d.post("application/x-amz-json-1.0", `{"QueueUrl":"`+q.url+`","MessageBody":"a"}`, "X-Amz-Target", "AmazonSQS.SendMessage")
		chunked.ContentLength = -1
		require.Equal(d.t, 200, d.send(chunked).status)
		require.Len(d.t, q.receive(nil), 5)
	}},
	{"19.1/empty-body", "An empty body is an empty object.", JSON, func(d *desk) {
		a := d.raw("ListQueues", "")
		require.Equal(d.t, 200, a.status, "%s", a.body)
		if !d.target.Shared {
			require.JSONEq(d.t, `{}`, a.body)
		}
		d.refused(d.raw("CreateQueue", ""), invalid, "Value for parameter QueueName is invalid. Reason: Must specify a queue name.")
	}},
	{"19.1/query-mode", "The header x-amzn-query-mode makes no difference: old codes are always told.", JSON, func(d *desk) {
		const body = `{"QueueName":"nosuch"}`
		d.refused(d.raw("GetQueueUrl", body), noQueue, "")
		d.refused(d.saying("X-Amzn-Query-Mode", "true").raw("GetQueueUrl", body), noQueue, "")
	}},
	{"19.1/base64", "Binary values are standard base64, with padding; what is none is refused.", JSON, func(d *desk) {
		q := d.queue("jobs")
		send := func(value string) *answer {
			return d.raw("SendMessage", `{"QueueUrl":"`+q.url+`","MessageBody":"a","MessageAttributes":{"b":{"DataType":"Binary","BinaryValue":"`+value+`"}}}`)
		}
		value := base64.StdEncoding.EncodeToString([]byte("\xfb\xff\xfe\x00"))
		require.Contains(d.t, value, "+", "the two alphabets differ here")
		a := send(value)
		require.Equal(d.t, 200, a.status, "%s", a.body)
		require.Equal(d.t, digest(object{"b": bytesValue("\xfb\xff\xfe\x00")}), a.out["MD5OfMessageAttributes"])
		require.Equal(d.t, object{"b": bytesValue("\xfb\xff\xfe\x00")}, q.one(object{"MessageAttributeNames": []string{"b"}})["MessageAttributes"])
		for _, bad := range []string{"no base64!", "A", "=AAA"} {
			require.Equal(d.t, 400, send(bad).status, bad)
		}
		q.nothing()
	}},
	{"19.1/case-traps", "Members are case-sensitive: tags of CreateQueue and queueUrls of ListDeadLetterSourceQueues in lower case, Tags of TagQueue not.", JSON, func(d *desk) {
		d.raw("CreateQueue", `{"QueueName":"one","tags":{"k":"v"}}`)
		d.raw("CreateQueue", `{"QueueName":"two","Tags":{"k":"v"}}`)
		require.Equal(d.t, object{"Tags": object{"k": "v"}}, d.queue("one").ok("ListQueueTags", nil))
		require.Empty(d.t, d.queue("two").ok("ListQueueTags", nil))
		q := d.queue("two")
		d.refused(d.raw("TagQueue", `{"QueueUrl":"`+q.url+`","tags":{"k":"v"}}`), missing, "The request must contain the parameter Tags.")
		d.refused(d.raw("SendMessage", `{"QueueUrl":"`+q.url+`","messageBody":"a"}`), missing, "The request must contain the parameter MessageBody.")
		d.refused(d.raw("CreateQueue", `{"queueName":"three"}`), invalid, "")
	}},
	{"19.1/unknown-members", "Members that an action doesn't have are ignored, whatever they hold, in nested objects too.", JSON, func(d *desk) {
		q := d.queue("jobs")
		a := d.raw("SendMessage", `{"Nosuch":{"a":[1,2,{"b":null}]},"QueueUrl":"`+q.url+`","MessageBody":"a","Another":true,
			"MessageAttributes":{"k":{"DataType":"String","StringValue":"x","Nosuch":[]}}}`)
		require.Equal(d.t, 200, a.status, "%s", a.body)
		require.Equal(d.t, object{"k": textValue("x")}, q.one(object{"MessageAttributeNames": []string{"k"}})["MessageAttributes"])
	}},
	{"19.1/null-members", "A member that is null is one that isn't there.", JSON, func(d *desk) {
		q := d.queue("jobs")
		a := d.raw("SendMessage", `{"QueueUrl":"`+q.url+`","MessageBody":"a","DelaySeconds":null,"MessageAttributes":null,"MessageGroupId":null,"MessageSystemAttributes":null}`)
		require.Equal(d.t, 200, a.status, "%s", a.body)
		require.ElementsMatch(d.t, []string{"MessageId", "MD5OfMessageBody"}, keysOf(a.out))
		a = d.raw("ReceiveMessage", `{"QueueUrl":"`+q.url+`","MaxNumberOfMessages":null,"VisibilityTimeout":null,"WaitTimeSeconds":null,"AttributeNames":null,"ReceiveRequestAttemptId":null}`)
		require.Len(d.t, objects(a.out["Messages"]), 1)
		d.refused(d.raw("SendMessage", `{"QueueUrl":"`+q.url+`","MessageBody":null}`), missing, "The request must contain the parameter MessageBody.")
	}},
	{"19.1/empty-lists", "Empty lists and maps of attributes, of values and of names to return are as if they weren't there.", JSON, func(d *desk) {
		q := d.queue("jobs")
		a := d.raw("SendMessage", `{"QueueUrl":"`+q.url+`","MessageBody":"a","MessageAttributes":{"k":{"DataType":"String","StringValue":"x","StringListValues":[],"BinaryListValues":[]}},"MessageSystemAttributes":{}}`)
		require.Equal(d.t, 200, a.status, "%s", a.body)
		a = d.raw("ReceiveMessage", `{"QueueUrl":"`+q.url+`","AttributeNames":[],"MessageAttributeNames":[],"MessageSystemAttributeNames":[]}`)
		require.ElementsMatch(d.t, []string{"MessageId", "ReceiptHandle", "MD5OfBody", "Body"}, keysOf(objects(a.out["Messages"])[0]))
		require.Equal(d.t, 200, d.raw("CreateQueue", `{"QueueName":"jobs","Attributes":{},"tags":{}}`).status)
	}},
	{"19.1/wrong-types", "A member of another type than its own is a SerializationException with status 400.", JSON, func(d *desk) {
		q := d.queue("jobs")
		for action, members := range map[string][]string{
			"SendMessage": {`"MessageBody":{}`, `"MessageBody":["a"]`, `"DelaySeconds":"five"`, `"DelaySeconds":"5"`, `"DelaySeconds":{}`, `"DelaySeconds":[1]`,
				`"MessageAttributes":[]`, `"MessageAttributes":"x"`, `"MessageAttributes":{"k":"x"}`, `"MessageAttributes":{"k":{"DataType":{},"StringValue":"x"}}`},
			"ReceiveMessage":     {`"MaxNumberOfMessages":"x"`, `"WaitTimeSeconds":{}`, `"AttributeNames":{}`, `"AttributeNames":"All"`, `"MessageAttributeNames":[{}]`, `"VisibilityTimeout":[]`},
			"SendMessageBatch":   {`"Entries":{}`, `"Entries":"x"`, `"Entries":["x"]`, `"Entries":[{"Id":{},"MessageBody":"a"}]`},
			"SetQueueAttributes": {`"Attributes":[]`, `"Attributes":"x"`, `"Attributes":{"DelaySeconds":{}}`},
			"TagQueue":           {`"Tags":[]`, `"Tags":{"k":{}}`},
		} {
			for _, member := range members {
				body := `{"QueueUrl":"` + q.url + `",` + member + `}`
				if action == "SendMessage" && !strings.Contains(member, "MessageBody") {
					body = `{"MessageBody":"a",` + body[1:]
				}
				d.common(d.raw(action, body), "SerializationException", 400)
			}
		}
		d.common(d.raw("SendMessage", `{"QueueUrl":{},"MessageBody":"a"}`), "SerializationException", 400)
		require.Equal(d.t, "Start of structure or map found where not expected.", d.raw("SendMessage", `{"QueueUrl":{},"MessageBody":"a"}`).fault.message)
		require.Equal(d.t, "STRING_VALUE can not be converted to an Integer", d.raw("SendMessage", `{"QueueUrl":"`+q.url+`","MessageBody":"a","DelaySeconds":"5"}`).fault.message)
		q.nothing()
	}},
	{"19.1/fractions", "A number with a fraction, or too large for its member, is refused where a whole one is asked for.", JSON, func(d *desk) {
		q := d.queue("jobs")
		for _, number := range []string{"1.5", "1e400", "99999999999999999999999999", "9223372036854775808", "4294967297"} {
			a := d.raw("SendMessage", `{"QueueUrl":"`+q.url+`","MessageBody":"a","DelaySeconds":`+number+`}`)
			require.Equal(d.t, 400, a.status, "%s: %s", number, a.body)
		}
		q.counts(0, 0, 0)
	}},
	{"19.1/no-json", "A body that is no JSON object is a SerializationException with status 400.", JSON, func(d *desk) {
		for _, body := range []string{"{", "}", `{"QueueName":"a"`, `{"QueueName":"a"}}`, `{"QueueName":"a"} {}`, `{QueueName:"a"}`, `{'QueueName':'a'}`, `{"QueueName":"a",}`, "[]", `"a"`, "1", "true",
			"Action=CreateQueue&QueueName=a", "<xml/>", `{"QueueName":"a` + "\n" + `"}`, `{"QueueName":"\x"}`, "\x00", strings.Repeat(`{"a":`, 20000)} {
			d.common(d.raw("CreateQueue", body), "SerializationException", 400)
		}
		require.Empty(d.t, d.ok("ListQueues", nil))
	}},
	{"19.1/escapes", "Escapes of JSON are the characters they stand for; a lone surrogate is none, and refused, and so are bytes that are no UTF-8.", JSON, func(d *desk) {
		q := d.queue("jobs")
		send := func(body string) *answer {
			return d.raw("SendMessage", `{"QueueUrl":"`+q.url+`","MessageBody":"`+body+`"}`)
		}
		for escaped, body := range map[string]string{`\u0041\n\"\\\/\t\u00e4`: "A\n\"\\/\tä", `\ud83d\ude00`: "\U0001f600", `\u003c\u2028\ufffd`: "<\u2028\ufffd", `&#xD;%0A+`: "&#xD;%0A+"} {
			require.Equal(d.t, 200, send(escaped).status, escaped)
			q.delete(q.take(body))
		}
		for _, bad := range []string{`\ud800`, `\udc00`, `\ud800a`, `\ud800\ud800`, `\ude00\ud83d`, `\u0000`, `\u000b`, `\uffff`} {
			d.refused(send("a"+bad), "InvalidMessageContents", "")
		}
		for _, bad := range []string{"\xff", "\xc3", "\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80", "\x80"} {
			a := send("a" + bad + "b")
			require.Equal(d.t, 400, a.status, "%q", bad)
			require.Contains(d.t, []string{modelled + "InvalidMessageContents", unmodelled + "SerializationException"}, a.fault.typ, "%q", bad)
		}
		q.nothing()
	}},
	{"19.2/headers", "An answer has status 200, the content type of the protocol, and a request ID that is a UUID of its own.", JSON, func(d *desk) {
		seen := map[string]bool{}
		for range 5 {
			a := d.call("ListQueues", nil)
			require.Equal(d.t, 200, a.status)
			seen[a.header.Get("x-amzn-RequestId")] = true
			a = d.call("GetQueueUrl", object{"QueueName": "nosuch"})
			seen[a.header.Get("x-amzn-RequestId")] = true
		}
		require.Len(d.t, seen, 10)
	}},
	{"19.2/no-output", "An action without output answers an empty body.", JSON, func(d *desk) {
		quiet := d.quiet()
		actions := []string{}
		for action, typ := range outputs {
			if typ == nil {
				actions = append(actions, action)
			}
		}
		require.ElementsMatch(d.t, actions, slices.Collect(maps.Keys(quiet)))
		for action, in := range sorted(quiet) {
			require.Empty(d.t, d.raw(action, jsonText(d, in)).body, action)
		}
	}},
	{"19.2/absent", "Absent members, empty lists and empty maps are left out, and nothing is null.", JSON, func(d *desk) {
		q := d.queue("jobs")
		for action, in := range map[string]object{"ReceiveMessage": q.in(nil), "ListQueueTags": q.in(nil), "GetQueueAttributes": q.in(nil), "ListQueues": {"QueueNamePrefix": "x"}, "ListMessageMoveTasks": {"SourceArn": q.arn()}} {
			require.Equal(d.t, "{}", strings.TrimSpace(d.call(action, in).body), action)
		}
	}},
	{"19.3/namespaces", "A modelled error's type is in com.amazonaws.sqs#, any other in com.amazon.coral.service#, and the message is in message.", JSON, func(d *desk) {
		q := d.queue("jobs")
		a := d.call("GetQueueUrl", object{"QueueName": "nosuch"})
		require.JSONEq(d.t, `{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}`, a.body)
		require.Equal(d.t, "AWS.SimpleQueueService.NonExistentQueue;Sender", a.header.Get("x-amzn-query-error"))
		a = q.call("SendMessage", nil)
		require.JSONEq(d.t, `{"__type":"com.amazon.coral.service#MissingRequiredParameterException","message":"The request must contain the parameter MessageBody."}`, a.body)
		require.Equal(d.t, "MissingParameter;Sender", a.header.Get("x-amzn-query-error"))
		a = q.call("ReceiveMessage", object{"WaitTimeSeconds": 21})
		require.JSONEq(d.t, `{"__type":"com.amazon.coral.service#InvalidParameterValueException","message":"Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided."}`, a.body)
		require.Equal(d.t, "InvalidParameterValue;Sender", a.header.Get("x-amzn-query-error"))
	}},
	{"19.3/unknown-operation", "An action that isn't there, or of another service, is an UnknownOperationException.", JSON, func(d *desk) {
		for _, target := range []string{"AmazonSQS.Nosuch", "AmazonSQS.", "AmazonSQS", "AmazonSQS.sendmessage", "AmazonSQS.SendMessage2", "AmazonSNS.ListQueues", "DynamoDB_20120810.ListTables"} {
			raw := d.posted("application/x-amz-json-1.0", target, "{}")
			d.common(d.read(raw), "UnknownOperationException", 400)
		}
		raw := d.posted("application/x-amz-json-1.0", "", "{}")
		require.GreaterOrEqual(d.t, raw.status, 400)
		require.Less(d.t, raw.status, 500)
	}},
	{"19.3/other-methods", "What is no POST is none of the JSON protocol.", JSON, func(d *desk) {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
			r := d.post("application/x-amz-json-1.0", `{"QueueName":"jobs"}`, "X-Amz-Target", "AmazonSQS.CreateQueue")
			r.Method = method
			raw := d.send(r)
			require.GreaterOrEqual(d.t, raw.status, 400, method)
			require.Less(d.t, raw.status, 500, method)
		}
		require.Empty(d.t, d.ok("ListQueues", nil))
	}},
}

// jsonText is the body of a JSON request.
func jsonText(d *desk, in object) string {
	d.t.Helper()
	r := d.inJSON().request("Any", in)
	body := make([]byte, r.ContentLength)
	_, err := r.Body.Read(body)
	require.NoError(d.t, err)
	return string(body)
}
