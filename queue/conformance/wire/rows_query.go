package wire

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

// form posts a text as a Query request, without Version, and reads the answer.
func (q *queue) form(action, parameters string) *answer {
	q.d.t.Helper()
	return q.d.raw(action, "QueueUrl="+url.QueryEscape(q.url)+"&"+parameters)
}

// formed is form for what must succeed.
func (q *queue) formed(action, parameters string) object {
	q.d.t.Helper()
	a := q.form(action, parameters)
	require.Equal(q.d.t, 200, a.status, "%s", a.body)
	return a.out
}

var queryRows = []Row{
	{"20.1/post-and-get", "A request is a form that is posted, or the query of a GET, to / or to the queue's path.", Query, func(d *desk) {
		q := d.queue("jobs")
		path := strings.TrimPrefix(q.url, Base)
		for i, there := range []*desk{d, d.on(path), d.viaGET(), d.viaGET().on(path)} {
			body := fmt.Sprint("a&b=c+d %41 ä\r\n", i)
			q.from(there).send(body)
			m := q.from(there).one(object{"VisibilityTimeout": 60})
			require.Equal(d.t, body, m["Body"])
			q.from(there).delete(m["ReceiptHandle"].(string))
		}
		for _, there := range []*desk{d.on(path), d.viaGET().on(path)} {
			there.ok("SendMessage", object{"MessageBody": "by path"})
			q.delete(q.take("by path"))
		}
		require.Equal(d.t, d.viaGET().ok("GetQueueUrl", object{"QueueName": "jobs"}), object{"QueueUrl": q.url})
	}},
	{"20.1/parameters-in-url", "Of a POST the parameters may be in the URL, all or some.", Query, func(d *desk) {
		q := d.queue("jobs")
		path := strings.TrimPrefix(q.url, Base)
		raw := d.on(path + "?Action=SendMessage&MessageBody=in+the+url").send(d.on(path+"?Action=SendMessage&MessageBody=in+the+url").post("application/x-www-form-urlencoded", ""))
		require.Equal(d.t, 200, raw.status, "%s", raw.body)
		raw = d.send(d.on(path+"?Action=SendMessage").post("application/x-www-form-urlencoded", "MessageBody=in+both"))
		require.Equal(d.t, 200, raw.status, "%s", raw.body)
		require.ElementsMatch(d.t, []string{"in the url", "in both"}, q.bodies(nil))
	}},
	{"20.1/version", "Version may be absent.", Query, func(d *desk) {
		require.Equal(d.t, object{"QueueUrl": Base + "/000000000000/jobs"}, d.raw("CreateQueue", "QueueName=jobs").out)
		require.Equal(d.t, object{"QueueUrl": Base + "/000000000000/jobs"}, d.raw("CreateQueue", "QueueName=jobs&Version=2012-11-05").out)
	}},
	{"20.1/attribute-names", "Names of attributes to get, of a queue or of a message, are AttributeName.N.", Query, func(d *desk) {
		q := d.queue("jobs")
		q.send("a")
		require.Equal(d.t, object{"Attributes": object{"DelaySeconds": "0", "VisibilityTimeout": "30"}}, q.formed("GetQueueAttributes", "AttributeName.1=DelaySeconds&AttributeName.2=VisibilityTimeout"))
		m := objects(q.formed("ReceiveMessage", "AttributeName.1=SentTimestamp&AttributeName.2=ApproximateReceiveCount")["Messages"])[0]
		d.equalAttributes(object{"SentTimestamp": "946684800000", "ApproximateReceiveCount": "1"}, m["Attributes"])
	}},
	{"20.1/message-attribute-names", "Names of message attributes to return are MessageAttributeName.N.", Query, func(d *desk) {
		q := d.queue("jobs")
		q.send("a", object{"MessageAttributes": object{"k": textValue("x"), "l": textValue("y"), "m": textValue("z")}})
		m := objects(q.formed("ReceiveMessage", "MessageAttributeName.1=k&MessageAttributeName.2=m")["Messages"])[0]
		require.Equal(d.t, object{"k": textValue("x"), "m": textValue("z")}, m["MessageAttributes"])
	}},
	{"20.1/attributes", "A queue's attributes are Attribute.N.Name and Attribute.N.Value.", Query, func(d *desk) {
		d.raw("CreateQueue", "QueueName=jobs&Attribute.1.Name=DelaySeconds&Attribute.1.Value=5&Attribute.2.Name=VisibilityTimeout&Attribute.2.Value=6")
		q := d.queue("jobs")
		require.Equal(d.t, object{"DelaySeconds": "5", "VisibilityTimeout": "6"}, q.attrs("DelaySeconds", "VisibilityTimeout"))
		q.formed("SetQueueAttributes", "Attribute.1.Value=7&Attribute.1.Name=DelaySeconds")
		require.Equal(d.t, "7", q.attr("DelaySeconds"))
	}},
	{"20.1/tags", "Tags are Tag.N.Key and Tag.N.Value, and keys to remove TagKey.N.", Query, func(d *desk) {
		d.raw("CreateQueue", "QueueName=jobs&Tag.1.Key=a&Tag.1.Value=1")
		q := d.queue("jobs")
		q.formed("TagQueue", "Tag.1.Key=b&Tag.1.Value=2&Tag.2.Key=c&Tag.2.Value=")
		require.Equal(d.t, object{"Tags": object{"a": "1", "b": "2", "c": ""}}, q.ok("ListQueueTags", nil))
		q.formed("UntagQueue", "TagKey.1=a&TagKey.2=b")
		require.Equal(d.t, object{"Tags": object{"c": ""}}, q.ok("ListQueueTags", nil))
	}},
	{"20.1/message-attributes", "Message attributes are MessageAttribute.N.Name with .Value.DataType and .Value.StringValue or .Value.BinaryValue, which is base64.", Query, func(d *desk) {
		q := d.queue("jobs")
		out := q.formed("SendMessage", "MessageBody=a&MessageAttribute.1.Name=k&MessageAttribute.1.Value.DataType=String&MessageAttribute.1.Value.StringValue=x"+
			"&MessageAttribute.2.Name=b&MessageAttribute.2.Value.BinaryValue=%2B%2F8%3D&MessageAttribute.2.Value.DataType=Binary")
		want := object{"k": textValue("x"), "b": bytesValue("\xfb\xff")}
		require.Equal(d.t, digest(want), out["MD5OfMessageAttributes"])
		require.Equal(d.t, want, q.one(object{"MessageAttributeNames": []string{"All"}})["MessageAttributes"])
		for _, list := range []string{"StringListValue.1=x", "BinaryListValue.1=AAE%3D"} {
			d.refused(q.form("SendMessage", "MessageBody=a&MessageAttribute.1.Name=k&MessageAttribute.1.Value.DataType=String&MessageAttribute.1.Value."+list), invalid,
				"Message attribute list values in SendMessage operation are not supported.")
		}
	}},
	{"20.1/message-system-attributes", "System attributes to send are MessageSystemAttribute.N.Name and .Value.", Query, func(d *desk) {
		q := d.queue("jobs")
		out := q.formed("SendMessage", "MessageBody=a&MessageSystemAttribute.1.Name=AWSTraceHeader&MessageSystemAttribute.1.Value.DataType=String&MessageSystemAttribute.1.Value.StringValue="+url.QueryEscape(traceHeader))
		require.Equal(d.t, "5ae4d5d7636402d80f4eb6d213245a88", out["MD5OfMessageSystemAttributes"])
		require.Equal(d.t, object{"AWSTraceHeader": traceHeader}, q.one(object{"AttributeNames": []string{"AWSTraceHeader"}})["Attributes"])
	}},
	{"20.1/send-batch", "Entries to send are SendMessageBatchRequestEntry.N, with their attributes, in the order of N.", Query, func(d *desk) {
		q := d.queue("jobs.fifo")
		parameters, want := []string{}, []string{}
		for n := 10; n >= 1; n-- {
			parameters = append(parameters, fmt.Sprintf("SendMessageBatchRequestEntry.%d.MessageBody=%[1]d&SendMessageBatchRequestEntry.%[1]d.Id=id%[1]d&SendMessageBatchRequestEntry.%[1]d.MessageGroupId=g"+
				"&SendMessageBatchRequestEntry.%[1]d.MessageDeduplicationId=%[1]d&SendMessageBatchRequestEntry.%[1]d.MessageAttribute.1.Name=k&SendMessageBatchRequestEntry.%[1]d.MessageAttribute.1.Value.DataType=Number"+
				"&SendMessageBatchRequestEntry.%[1]d.MessageAttribute.1.Value.StringValue=%[1]d&SendMessageBatchRequestEntry.%[1]d.MessageSystemAttribute.1.Name=AWSTraceHeader"+
				"&SendMessageBatchRequestEntry.%[1]d.MessageSystemAttribute.1.Value.DataType=String&SendMessageBatchRequestEntry.%[1]d.MessageSystemAttribute.1.Value.StringValue=%s", n, url.QueryEscape(traceHeader)))
			want = append([]string{fmt.Sprint(n)}, want...)
		}
		for i, s := range objects(q.formed("SendMessageBatch", strings.Join(parameters, "&"))["Successful"]) {
			require.Equal(d.t, fmt.Sprint("id", i+1), s["Id"])
			require.Equal(d.t, digest(object{"k": numberValue(want[i])}), s["MD5OfMessageAttributes"])
			require.Equal(d.t, "5ae4d5d7636402d80f4eb6d213245a88", s["MD5OfMessageSystemAttributes"])
		}
		ms := q.receive(object{"MessageAttributeNames": []string{"k"}})
		require.Equal(d.t, want, bodiesOf(ms))
		require.Equal(d.t, object{"k": numberValue("10")}, ms[9]["MessageAttributes"])

		std := d.queue("jobs")
		std.formed("SendMessageBatch", "SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1.MessageBody=late&SendMessageBatchRequestEntry.1.DelaySeconds=60")
		std.counts(0, 0, 1)
	}},
	{"20.1/delete-batch", "Entries to delete are DeleteMessageBatchRequestEntry.N.Id and .ReceiptHandle.", Query, func(d *desk) {
		q := d.queue("jobs")
		q.fill("a", "b")
		one, two := q.take("a"), q.take("b")
		require.Equal(d.t, object{"Successful": []any{object{"Id": "1"}, object{"Id": "2"}}}, q.formed("DeleteMessageBatch",
			"DeleteMessageBatchRequestEntry.1.Id=1&DeleteMessageBatchRequestEntry.1.ReceiptHandle="+url.QueryEscape(one)+
				"&DeleteMessageBatchRequestEntry.2.Id=2&DeleteMessageBatchRequestEntry.2.ReceiptHandle="+url.QueryEscape(two)))
		q.counts(0, 0, 0)
	}},
	{"20.1/visibility-batch", "Entries to change are ChangeMessageVisibilityBatchRequestEntry.N.Id, .ReceiptHandle and .VisibilityTimeout.", Query, func(d *desk) {
		q := d.queue("jobs")
		q.send("a")
		require.Equal(d.t, object{"Successful": []any{object{"Id": "1"}}}, q.formed("ChangeMessageVisibilityBatch",
			"ChangeMessageVisibilityBatchRequestEntry.1.VisibilityTimeout=0&ChangeMessageVisibilityBatchRequestEntry.1.Id=1&ChangeMessageVisibilityBatchRequestEntry.1.ReceiptHandle="+url.QueryEscape(q.take("a"))))
		q.counts(1, 0, 0)
	}},
	{"20.1/permissions", "Accounts and actions of a permission are AWSAccountId.N and ActionName.N.", Query, func(d *desk) {
		q := d.queue("jobs")
		q.formed("AddPermission", "Label=l&AWSAccountId.1=111111111111&AWSAccountId.2=222222222222&ActionName.1=SendMessage&ActionName.2=ReceiveMessage")
		policy := q.attr("Policy")
		for _, part := range []string{"arn:aws:iam::111111111111:root", "arn:aws:iam::222222222222:root", "SQS:SendMessage", "SQS:ReceiveMessage"} {
			require.Contains(d.t, policy, part)
		}
		q.formed("RemovePermission", "Label=l")
		require.Empty(d.t, q.attrs("Policy"))
	}},
	{"20.1/unknown-parameters", "Parameters that an action doesn't have are ignored.", Query, func(d *desk) {
		d.queue("jobs").formed("SendMessage", "MessageBody=a&Nosuch=1&Nosuch.1.Name=x&Timestamp=2012-11-05T00%3A00%3A00Z&AWSAccessKeyId=test&SignatureVersion=2&Expires=x")
	}},
	{"20.1/numbers", "A parameter that is to be a number and is none is refused with status 400.", Query, func(d *desk) {
		q := d.queue("jobs")
		for _, number := range []string{"x", "1.5", "99999999999999999999", "1e1"} {
			require.Equal(d.t, 400, q.form("SendMessage", "MessageBody=a&DelaySeconds="+number).status, number)
			require.Equal(d.t, 400, q.form("ReceiveMessage", "MaxNumberOfMessages="+number).status, number)
		}
		q.counts(0, 0, 0)
	}},
	{"20.1/malformed-forms", "A form that can't be read, or that is no UTF-8, is refused with status 400 and sends nothing.", Query, func(d *desk) {
		q := d.queue("jobs")
		for _, body := range []string{"MessageBody=%zz", "MessageBody=a%4", "MessageBody=%ff", "MessageBody=%ed%a0%80"} {
			raw := d.send(d.post("application/x-www-form-urlencoded", "Action=SendMessage&QueueUrl="+url.QueryEscape(q.url)+"&"+body))
			require.Contains(d.t, []int{400, 404}, raw.status, "%s: %s", body, raw.body)
		}
		q.nothing()
		for _, parameters := range []string{"SendMessageBatchRequestEntry.999999999.Id=a&SendMessageBatchRequestEntry.999999999.MessageBody=b", "SendMessageBatchRequestEntry.x.Id=a", "SendMessageBatchRequestEntry.-1.Id=a",
			"SendMessageBatchRequestEntry.99999999999999999999.Id=a", "SendMessageBatchRequestEntry..Id=a", "SendMessageBatchRequestEntry=a"} {
			status := d.send(d.post("application/x-www-form-urlencoded", "Action=SendMessageBatch&QueueUrl="+url.QueryEscape(q.url)+"&"+parameters)).status
			require.Contains(d.t, []int{200, 400}, status, parameters)
		}
		d.refused(q.form("SendMessage", "MessageBody=a&MessageAttribute.1.Name=b&MessageAttribute.1.Value.DataType=Binary&MessageAttribute.1.Value.BinaryValue=no+base64!"), invalid, "")
	}},
	{"20.2/envelope", "An answer is text/xml: the action's Response in the service's namespace, its Result unless it answers nothing, and ResponseMetadata with a request ID.", Query, func(d *desk) {
		a := d.call("CreateQueue", object{"QueueName": "jobs"})
		require.Regexp(d.t, `^(<\?xml version="1\.0"( encoding="[uU][tT][fF]-8")?\?>\s*)?<CreateQueueResponse xmlns="http://queue\.amazonaws\.com/doc/2012-11-05/">\s*<CreateQueueResult>\s*`+
			`<QueueUrl>http://localhost:9324/000000000000/jobs</QueueUrl>\s*</CreateQueueResult>\s*<ResponseMetadata>\s*<RequestId>[0-9a-f-]{36}</RequestId>\s*</ResponseMetadata>\s*</CreateQueueResponse>\s*$`, a.body)
		for action, in := range sorted(d.quiet()) {
			d.ok(action, in) // the desk knows which have a Result
		}
		ids := map[string]bool{}
		for range 5 {
			ids[tree(d.t, d.call("ListQueues", nil).body).one(d.t, "ResponseMetadata").one(d.t, "RequestId").Text] = true
		}
		require.Len(d.t, ids, 5)
	}},
	{"20.2/flattened", "Lists and maps are repeated elements without one around them.", Query, func(d *desk) {
		dead := d.queue("dead")
		q := d.queue("jobs", "RedrivePolicy", dead.redrive(9))
		q.ok("TagQueue", object{"Tags": pairs("k", "v", "l", "w")})
		q.fill("a", "b")
		handle := q.take("a")
		names := func(a *answer) []string {
			d.t.Helper()
			require.Equal(d.t, 200, a.status, "%s", a.body)
			return tree(d.t, a.body).one(d.t, a.action+"Result").names()
		}
		require.Equal(d.t, []string{"QueueUrl", "QueueUrl"}, names(d.call("ListQueues", nil)))
		require.Equal(d.t, []string{"QueueUrl", "NextToken"}, names(d.call("ListQueues", object{"MaxResults": 1})))
		require.Equal(d.t, []string{"QueueUrl"}, names(dead.call("ListDeadLetterSourceQueues", nil)))
		require.Equal(d.t, []string{"Tag", "Tag"}, names(q.call("ListQueueTags", nil)))
		require.Equal(d.t, []string{"Attribute", "Attribute"}, names(q.call("GetQueueAttributes", object{"AttributeNames": []string{"DelaySeconds", "QueueArn"}})))
		require.Equal(d.t, []string{"SendMessageBatchResultEntry", "BatchResultErrorEntry"}, names(q.call("SendMessageBatch", object{"Entries": []object{{"Id": "1", "MessageBody": "c"}, {"Id": "2", "MessageBody": "\x07"}}})))
		require.Equal(d.t, []string{"ChangeMessageVisibilityBatchResultEntry"}, names(q.call("ChangeMessageVisibilityBatch", object{"Entries": []object{{"Id": "1", "ReceiptHandle": handle, "VisibilityTimeout": 9}}})))
		require.Equal(d.t, []string{"DeleteMessageBatchResultEntry"}, names(q.call("DeleteMessageBatch", object{"Entries": []object{{"Id": "1", "ReceiptHandle": handle}}})))
		require.Equal(d.t, []string{"Message", "Message"}, names(q.call("ReceiveMessage", object{"MaxNumberOfMessages": 10})))
		dead.fill("x")
		d.ok("StartMessageMoveTask", object{"SourceArn": dead.arn(), "DestinationArn": q.arn()})
		d.pass(time.Minute)
		require.Equal(d.t, []string{"ListMessageMoveTasksResultEntry"}, names(d.call("ListMessageMoveTasks", object{"SourceArn": dead.arn()})))
	}},
	{"20.2/empty-result", "An empty result is an empty element.", Query, func(d *desk) {
		q := d.queue("jobs")
		for action, in := range map[string]object{"ReceiveMessage": q.in(nil), "ListQueueTags": q.in(nil), "GetQueueAttributes": q.in(nil), "ListDeadLetterSourceQueues": q.in(nil),
			"ListQueues": {"QueueNamePrefix": "x"}, "ListMessageMoveTasks": {"SourceArn": q.arn()}} {
			a := d.call(action, in)
			result := tree(d.t, a.body).one(d.t, action+"Result")
			require.Empty(d.t, result.Children, "%s", a.body)
			require.Empty(d.t, result.Text, "%s", a.body)
		}
	}},
	{"20.2/message", "A message is MessageId, ReceiptHandle, MD5OfBody and Body, Attribute and MessageAttribute with Name and Value, and MD5OfMessageAttributes.", Query, func(d *desk) {
		q := d.queue("jobs")
		q.send("a", object{"MessageAttributes": object{"k": textValue("x")}})
		a := q.call("ReceiveMessage", object{"AttributeNames": []string{"SentTimestamp"}, "MessageAttributeNames": []string{"k"}})
		m := tree(d.t, a.body).one(d.t, "ReceiveMessageResult").one(d.t, "Message")
		require.ElementsMatch(d.t, []string{"MessageId", "ReceiptHandle", "MD5OfBody", "Body", "Attribute", "MD5OfMessageAttributes", "MessageAttribute"}, m.names())
		sent := m.one(d.t, "Attribute").one(d.t, "Value").Text
		d.equalTime("946684800000", sent)
		require.Contains(d.t, strings.Join(strings.Fields(a.body), ""), "<Attribute><Name>SentTimestamp</Name><Value>"+sent+"</Value></Attribute>")
		v := m.one(d.t, "MessageAttribute").one(d.t, "Value")
		require.ElementsMatch(d.t, []string{"StringValue", "DataType"}, v.names())
	}},
	{"20.2/escaped", "Text is escaped where XML asks for it, carriage returns as &#xD;, and comes back byte for byte.", Query, func(d *desk) {
		q := d.queue("jobs")
		for _, text := range []string{"<a href=\"x\">&amp;'</a>", "]]>", "<![CDATA[x]]>", "<!-- x -->", "\r", "a\r\nb\rc\n", " \t\n ", "&#13;", "\u0085\u2028", "\U0001f600\ufffd"} {
			q.send(text, object{"MessageAttributes": object{"k": textValue(text)}})
			a := q.call("ReceiveMessage", object{"MessageAttributeNames": []string{"k"}})
			require.NotContains(d.t, a.body, "\r")
			require.Equal(d.t, 2*strings.Count(text, "\r"), strings.Count(a.body, "&#xD;"), "%s", a.body)
			m := objects(a.out["Messages"])[0]
			require.Equal(d.t, text, m["Body"])
			require.Equal(d.t, object{"k": textValue(text)}, m["MessageAttributes"])
			q.delete(m["ReceiptHandle"].(string))
		}
		q.ok("TagQueue", object{"Tags": pairs("<&>", "\"'")})
		require.Equal(d.t, object{"Tags": object{"<&>": "\"'"}}, q.ok("ListQueueTags", nil))
	}},
	{"20.3/shape", "An error is ErrorResponse with Error, of Type, Code, Message and an empty Detail, and RequestId beside it.", Query, func(d *desk) {
		a := d.call("GetQueueUrl", object{"QueueName": "nosuch"})
		require.Equal(d.t, 400, a.status)
		require.Regexp(d.t, `^(<\?xml version="1\.0"( encoding="[uU][tT][fF]-8")?\?>\s*)?<ErrorResponse xmlns="http://queue\.amazonaws\.com/doc/2012-11-05/">\s*<Error>\s*<Type>Sender</Type>\s*`+
			`<Code>AWS\.SimpleQueueService\.NonExistentQueue</Code>\s*<Message>The specified queue does not exist for this wsdl version\.</Message>\s*<Detail(/>|></Detail>)\s*</Error>\s*`+
			`<RequestId>[0-9a-f-]{36}</RequestId>\s*</ErrorResponse>\s*$`, a.body)
	}},
	{"20.3/unknown-action", "An action that isn't there is InvalidAction, and so is one of the account at a queue's path, but for GetQueueUrl.", Query, func(d *desk) {
		q, other := d.queue("jobs"), d.queue("other")
		invalid := func(a *answer) {
			d.t.Helper()
			require.NotNil(d.t, a.fault, "%s", a.body)
			require.Equal(d.t, fault{code: "InvalidAction", blame: "Sender", message: "The action " + a.action + " is not valid for this endpoint."}, *a.fault)
			require.Equal(d.t, 400, a.status)
		}
		path := strings.TrimPrefix(q.url, Base)
		for _, action := range []string{"Nosuch", "sendmessage", "SendMessage2"} {
			invalid(d.call(action, nil))
			invalid(d.viaGET().call(action, nil))
			invalid(d.on(path).call(action, nil))
		}
		invalid(d.on(path).call("CreateQueue", object{"QueueName": "new"}))
		invalid(d.on(path).call("ListQueues", nil))
		require.Equal(d.t, object{"QueueUrl": other.url}, d.on(path).ok("GetQueueUrl", object{"QueueName": "other"}))
		d.refuse(noQueue, "", "GetQueueUrl", object{"QueueName": "new"})
	}},
	{"20.3/get-without-action", "A GET without Action has status 404 and is an UnknownOperationException, whatever it accepts.", Query, func(d *desk) {
		q := d.queue("jobs")
		for _, target := range []string{Base + "/", q.url, Base + "/?Version=2012-11-05"} {
			for _, accept := range []string{"", "application/json", "text/html", "*/*"} {
				r, err := http.NewRequestWithContext(d.ctx, "GET", target, nil)
				require.NoError(d.t, err)
				if accept != "" {
					r.Header.Set("Accept", accept)
				}
				raw := d.send(r)
				require.NoError(d.t, raw.err)
				require.Equal(d.t, 404, raw.status, "%s", raw.body)
				require.Equal(d.t, "<UnknownOperationException/>", strings.TrimSpace(raw.body))
			}
		}
	}},
	{"20.3/bad-path", "A path that is no queue's has status 404 and is InvalidAddress; one of a deleted queue is a queue that doesn't exist.", Query, func(d *desk) {
		q := d.queue("jobs")
		path := strings.TrimPrefix(q.url, Base)
		q.ok("DeleteQueue", nil)
		d.on(path).refuse(noQueue, "", "SendMessage", object{"MessageBody": "a"})
		for _, bad := range []string{"/jobs", "/queue", "/000000000000"} {
			a := d.on(bad).call("SendMessage", object{"MessageBody": "a"})
			d.refused(a, "InvalidAddress", "")
			require.Regexp(d.t, `^The address .* is not valid for this endpoint\.$`, a.fault.message)
			require.Contains(d.t, a.fault.message, bad)
		}
		for _, bad := range []string{"/a/b", "/123/jobs"} { // an address that is none, or the queue of an account that has none
			d.on(bad).refuse("InvalidAddress|"+noQueue, "", "SendMessage", object{"MessageBody": "a"})
		}
	}},
	{"20.3/bad-url-parameter", "A QueueUrl that is no queue's is an InvalidAddress or a queue that doesn't exist, and never stands for a queue that it doesn't name.", Query, func(d *desk) {
		d.queue("jobs")
		for _, bad := range []string{"not a url", "http://", "http://[::1", "%zz", "https://nobody.example/", "/000000000000/", "/000000000000/job", "/000000000000/jobs/x", "/000000000000/jobs?x"} {
			(&queue{d, bad}).refuse("InvalidAddress|"+noQueue, "", "PurgeQueue", nil)
		}
	}},
	{"20.3/missing-parameters", "Missing parameters are told in the same sentences as in JSON.", Query, func(d *desk) {
		q := d.queue("jobs")
		d.refused(q.form("SendMessage", ""), missing, "The request must contain the parameter MessageBody.")
		d.refused(q.form("SendMessage", "MessageBody="), missing, "The request must contain the parameter MessageBody.")
		d.refused(q.form("DeleteMessage", ""), missing, "The request must contain the parameter ReceiptHandle.")
		d.refused(d.raw("SendMessage", "MessageBody=a"), missing, "The request must contain the parameter QueueUrl.")
	}},
}
