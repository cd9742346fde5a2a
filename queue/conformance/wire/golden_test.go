package wire

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A golden is one request and its answer, written out in both protocols.
// Names in braces are filled in; an asterisk stands for what no test can know.
type golden struct {
	action      string
	json, query string // the request
	out, xml    string // the answer; the content of Result in XML; empty for no output
}

// goldens are one or more for each of the 23 actions, in an order in which
// they succeed.
var goldens = []golden{
	{"CreateQueue", `{"QueueName":"new.fifo","Attributes":{"FifoQueue":"true","DelaySeconds":"5"},"tags":{"team":"a"}}`,
		`QueueName=new.fifo&Attribute.1.Name=FifoQueue&Attribute.1.Value=true&Attribute.2.Name=DelaySeconds&Attribute.2.Value=5&Tag.1.Key=team&Tag.1.Value=a`,
		`{"QueueUrl":"http://localhost:9324/000000000000/new.fifo"}`, `<QueueUrl>http://localhost:9324/000000000000/new.fifo</QueueUrl>`},
	{"GetQueueUrl", `{"QueueName":"new.fifo","QueueOwnerAWSAccountId":"000000000000"}`, `QueueName=new.fifo&QueueOwnerAWSAccountId=000000000000`,
		`{"QueueUrl":"http://localhost:9324/000000000000/new.fifo"}`, `<QueueUrl>http://localhost:9324/000000000000/new.fifo</QueueUrl>`},
	{"ListQueues", `{"QueueNamePrefix":"j","MaxResults":1}`, `QueueNamePrefix=j&MaxResults=1`, `{"QueueUrls":["{jobs}"],"NextToken":"*"}`, `<QueueUrl>{jobs}</QueueUrl><NextToken>*</NextToken>`},
	{"ListQueues", `{"QueueNamePrefix":"nosuch"}`, `QueueNamePrefix=nosuch`, `{}`, ` `},
	{"SetQueueAttributes", `{"QueueUrl":"{jobs}","Attributes":{"VisibilityTimeout":"90"}}`, `QueueUrl={jobs}&Attribute.1.Name=VisibilityTimeout&Attribute.1.Value=90`, ``, ``},
	{"GetQueueAttributes", `{"QueueUrl":"{jobs}","AttributeNames":["VisibilityTimeout","QueueArn"]}`, `QueueUrl={jobs}&AttributeName.1=VisibilityTimeout&AttributeName.2=QueueArn`,
		`{"Attributes":{"VisibilityTimeout":"90","QueueArn":"{jobs-arn}"}}`,
		`<Attribute><Name>VisibilityTimeout</Name><Value>90</Value></Attribute><Attribute><Name>QueueArn</Name><Value>{jobs-arn}</Value></Attribute>`},
	{"GetQueueAttributes", `{"QueueUrl":"{jobs}"}`, `QueueUrl={jobs}`, `{}`, ` `},
	{"TagQueue", `{"QueueUrl":"{jobs}","Tags":{"a":"1","b":""}}`, `QueueUrl={jobs}&Tag.1.Key=a&Tag.1.Value=1&Tag.2.Key=b&Tag.2.Value=`, ``, ``},
	{"ListQueueTags", `{"QueueUrl":"{jobs}"}`, `QueueUrl={jobs}`, `{"Tags":{"a":"1","b":""}}`, `<Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b</Key><Value></Value></Tag>`},
	{"UntagQueue", `{"QueueUrl":"{jobs}","TagKeys":["a","b"]}`, `QueueUrl={jobs}&TagKey.1=a&TagKey.2=b`, ``, ``},
	{"ListQueueTags", `{"QueueUrl":"{jobs}"}`, `QueueUrl={jobs}`, `{}`, ` `},
	{"AddPermission", `{"QueueUrl":"{jobs}","Label":"l","AWSAccountIds":["111111111111"],"Actions":["SendMessage"]}`, `QueueUrl={jobs}&Label=l&AWSAccountId.1=111111111111&ActionName.1=SendMessage`, ``, ``},
	{"RemovePermission", `{"QueueUrl":"{jobs}","Label":"l"}`, `QueueUrl={jobs}&Label=l`, ``, ``},
	{"SendMessage", `{"QueueUrl":"{jobs}","MessageBody":"hi"}`, `QueueUrl={jobs}&MessageBody=hi`,
		`{"MD5OfMessageBody":"49f68a5c8493ec2c0bf489821c21fc3b","MessageId":"*"}`, `<MD5OfMessageBody>49f68a5c8493ec2c0bf489821c21fc3b</MD5OfMessageBody><MessageId>*</MessageId>`},
	{"SendMessage", `{"QueueUrl":"{fifo}","MessageBody":"hi","MessageGroupId":"g","MessageDeduplicationId":"d","MessageAttributes":{"k":{"DataType":"String","StringValue":"x"}},` +
		`"MessageSystemAttributes":{"AWSTraceHeader":{"DataType":"String","StringValue":"Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"}}}`,
		`QueueUrl={fifo}&MessageBody=hi&MessageGroupId=g&MessageDeduplicationId=d&MessageAttribute.1.Name=k&MessageAttribute.1.Value.DataType=String&MessageAttribute.1.Value.StringValue=x` +
			`&MessageSystemAttribute.1.Name=AWSTraceHeader&MessageSystemAttribute.1.Value.DataType=String&MessageSystemAttribute.1.Value.StringValue=Root%3D1-5759e988-bd862e3fe1be46a994272793%3BParent%3D53995c3f42cd8ad8%3BSampled%3D1`,
		`{"MD5OfMessageBody":"49f68a5c8493ec2c0bf489821c21fc3b","MD5OfMessageAttributes":"a45daa70926828a2f0a1db3418e6feb4","MD5OfMessageSystemAttributes":"5ae4d5d7636402d80f4eb6d213245a88","MessageId":"*","SequenceNumber":"*"}`,
		`<MD5OfMessageBody>49f68a5c8493ec2c0bf489821c21fc3b</MD5OfMessageBody><MD5OfMessageAttributes>a45daa70926828a2f0a1db3418e6feb4</MD5OfMessageAttributes>` +
			`<MD5OfMessageSystemAttributes>5ae4d5d7636402d80f4eb6d213245a88</MD5OfMessageSystemAttributes><MessageId>*</MessageId><SequenceNumber>*</SequenceNumber>`},
	{"ReceiveMessage", `{"QueueUrl":"{fifo}","AttributeNames":["MessageGroupId"],"MessageSystemAttributeNames":["SentTimestamp"],"MessageAttributeNames":["All"],"MaxNumberOfMessages":10,` +
		`"VisibilityTimeout":0,"WaitTimeSeconds":1,"ReceiveRequestAttemptId":"r"}`,
		`QueueUrl={fifo}&AttributeName.1=MessageGroupId&AttributeName.2=SentTimestamp&MessageAttributeName.1=All&MaxNumberOfMessages=10&VisibilityTimeout=0&WaitTimeSeconds=1&ReceiveRequestAttemptId=r`,
		`{"Messages":[{"MessageId":"*","ReceiptHandle":"*","MD5OfBody":"49f68a5c8493ec2c0bf489821c21fc3b","Body":"hi","Attributes":{"MessageGroupId":"g","SentTimestamp":"946684800000"},` +
			`"MD5OfMessageAttributes":"a45daa70926828a2f0a1db3418e6feb4","MessageAttributes":{"k":{"StringValue":"x","DataType":"String"}}}]}`,
		`<Message><MessageId>*</MessageId><ReceiptHandle>*</ReceiptHandle><MD5OfBody>49f68a5c8493ec2c0bf489821c21fc3b</MD5OfBody><Body>hi</Body>` +
			`<Attribute><Name>MessageGroupId</Name><Value>g</Value></Attribute><Attribute><Name>SentTimestamp</Name><Value>946684800000</Value></Attribute>` +
			`<MD5OfMessageAttributes>a45daa70926828a2f0a1db3418e6feb4</MD5OfMessageAttributes><MessageAttribute><Name>k</Name><Value><StringValue>x</StringValue><DataType>String</DataType></Value></MessageAttribute></Message>`},
	{"SendMessageBatch", `{"QueueUrl":"{jobs}","Entries":[{"Id":"1","MessageBody":"hi","DelaySeconds":60,"MessageAttributes":{"b":{"DataType":"Binary","BinaryValue":"AAE="}}},{"Id":"2","MessageBody":"\u0007"}]}`,
		`QueueUrl={jobs}&SendMessageBatchRequestEntry.1.Id=1&SendMessageBatchRequestEntry.1.MessageBody=hi&SendMessageBatchRequestEntry.1.DelaySeconds=60&SendMessageBatchRequestEntry.1.MessageAttribute.1.Name=b` +
			`&SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.DataType=Binary&SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.BinaryValue=AAE%3D&SendMessageBatchRequestEntry.2.Id=2&SendMessageBatchRequestEntry.2.MessageBody=%07`,
		`{"Successful":[{"Id":"1","MessageId":"*","MD5OfMessageBody":"49f68a5c8493ec2c0bf489821c21fc3b","MD5OfMessageAttributes":"973749046908c117819a7d5e12dac587"}],"Failed":[{"Id":"2","SenderFault":true,"Code":"InvalidMessageContents","Message":"*"}]}`,
		`<SendMessageBatchResultEntry><Id>1</Id><MessageId>*</MessageId><MD5OfMessageBody>49f68a5c8493ec2c0bf489821c21fc3b</MD5OfMessageBody><MD5OfMessageAttributes>973749046908c117819a7d5e12dac587</MD5OfMessageAttributes></SendMessageBatchResultEntry>` +
			`<BatchResultErrorEntry><Id>2</Id><SenderFault>true</SenderFault><Code>InvalidMessageContents</Code><Message>*</Message></BatchResultErrorEntry>`},
	{"ChangeMessageVisibility", `{"QueueUrl":"{held}","ReceiptHandle":"{handle}","VisibilityTimeout":60}`, `QueueUrl={held}&ReceiptHandle={handle}&VisibilityTimeout=60`, ``, ``},
	{"ChangeMessageVisibilityBatch", `{"QueueUrl":"{held}","Entries":[{"Id":"1","ReceiptHandle":"{handle}","VisibilityTimeout":60},{"Id":"2","ReceiptHandle":"x","VisibilityTimeout":60}]}`,
		`QueueUrl={held}&ChangeMessageVisibilityBatchRequestEntry.1.Id=1&ChangeMessageVisibilityBatchRequestEntry.1.ReceiptHandle={handle}&ChangeMessageVisibilityBatchRequestEntry.1.VisibilityTimeout=60` +
			`&ChangeMessageVisibilityBatchRequestEntry.2.Id=2&ChangeMessageVisibilityBatchRequestEntry.2.ReceiptHandle=x&ChangeMessageVisibilityBatchRequestEntry.2.VisibilityTimeout=60`,
		`{"Successful":[{"Id":"1"}],"Failed":[{"Id":"2","SenderFault":true,"Code":"ReceiptHandleIsInvalid","Message":"*"}]}`,
		`<ChangeMessageVisibilityBatchResultEntry><Id>1</Id></ChangeMessageVisibilityBatchResultEntry><BatchResultErrorEntry><Id>2</Id><SenderFault>true</SenderFault><Code>ReceiptHandleIsInvalid</Code><Message>*</Message></BatchResultErrorEntry>`},
	{"DeleteMessageBatch", `{"QueueUrl":"{held}","Entries":[{"Id":"1","ReceiptHandle":"{handle}"},{"Id":"2","ReceiptHandle":"x"}]}`,
		`QueueUrl={held}&DeleteMessageBatchRequestEntry.1.Id=1&DeleteMessageBatchRequestEntry.1.ReceiptHandle={handle}&DeleteMessageBatchRequestEntry.2.Id=2&DeleteMessageBatchRequestEntry.2.ReceiptHandle=x`,
		`{"Successful":[{"Id":"1"}],"Failed":[{"Id":"2","SenderFault":true,"Code":"ReceiptHandleIsInvalid","Message":"*"}]}`,
		`<DeleteMessageBatchResultEntry><Id>1</Id></DeleteMessageBatchResultEntry><BatchResultErrorEntry><Id>2</Id><SenderFault>true</SenderFault><Code>ReceiptHandleIsInvalid</Code><Message>*</Message></BatchResultErrorEntry>`},
	{"DeleteMessage", `{"QueueUrl":"{held}","ReceiptHandle":"{handle}"}`, `QueueUrl={held}&ReceiptHandle={handle}`, ``, ``},
	{"ReceiveMessage", `{"QueueUrl":"{held}"}`, `QueueUrl={held}`, `{}`, ` `},
	{"ListDeadLetterSourceQueues", `{"QueueUrl":"{dead}","MaxResults":1000}`, `QueueUrl={dead}&MaxResults=1000`, `{"queueUrls":["{jobs}"]}`, `<QueueUrl>{jobs}</QueueUrl>`},
	{"ListDeadLetterSourceQueues", `{"QueueUrl":"{jobs}"}`, `QueueUrl={jobs}`, `{"queueUrls":[]}`, ` `},
	{"ListMessageMoveTasks", `{"SourceArn":"{dead-arn}"}`, `SourceArn={dead-arn}`, `{}`, ` `},
	{"StartMessageMoveTask", `{"SourceArn":"{dead-arn}","DestinationArn":"{held-arn}","MaxNumberOfMessagesPerSecond":1}`, `SourceArn={dead-arn}&DestinationArn={held-arn}&MaxNumberOfMessagesPerSecond=1`,
		`{"TaskHandle":"*"}`, `<TaskHandle>*</TaskHandle>`},
	{"CancelMessageMoveTask", `{"TaskHandle":"{task}"}`, `TaskHandle={task}`, `{"ApproximateNumberOfMessagesMoved":1}`, `<ApproximateNumberOfMessagesMoved>1</ApproximateNumberOfMessagesMoved>`},
	{"ListMessageMoveTasks", `{"SourceArn":"{dead-arn}","MaxResults":10}`, `SourceArn={dead-arn}&MaxResults=10`,
		`{"Results":[{"Status":"CANCELLED","SourceArn":"{dead-arn}","DestinationArn":"{held-arn}","MaxNumberOfMessagesPerSecond":1,"ApproximateNumberOfMessagesMoved":1,"ApproximateNumberOfMessagesToMove":3,"StartedTimestamp":946684801000}]}`,
		`<ListMessageMoveTasksResultEntry><Status>CANCELLED</Status><SourceArn>{dead-arn}</SourceArn><DestinationArn>{held-arn}</DestinationArn><MaxNumberOfMessagesPerSecond>1</MaxNumberOfMessagesPerSecond>` +
			`<ApproximateNumberOfMessagesMoved>1</ApproximateNumberOfMessagesMoved><ApproximateNumberOfMessagesToMove>3</ApproximateNumberOfMessagesToMove><StartedTimestamp>946684801000</StartedTimestamp></ListMessageMoveTasksResultEntry>`},
	{"PurgeQueue", `{"QueueUrl":"{jobs}"}`, `QueueUrl={jobs}`, ``, ``},
	{"DeleteQueue", `{"QueueUrl":"{jobs}"}`, `QueueUrl={jobs}`, ``, ``},
}

// unknowable are the members that no test can know, but for their form.
var unknowable = map[string]string{
	"MessageId": `[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`, "ReceiptHandle": `[A-Za-z0-9+/=]+`, "SequenceNumber": `[0-9]{20}`, "TaskHandle": `[A-Za-z0-9+/=]+`, "NextToken": `[^"<]+`, "Message": `(?:[^"\\<]|\\.)+`,
}

// canonical writes an element so that the order of its children is gone.
func canonical(n *node) string {
	children := []string{}
	for i := range n.Children {
		children = append(children, canonical(&n.Children[i]))
	}
	slices.Sort(children)
	return "<" + n.name() + ">" + strings.TrimSpace(n.Text) + strings.Join(children, "") + "</>"
}

// Every action takes and answers these very texts.
func TestWireActions(t *testing.T) {
	covered := map[string]bool{}
	for _, g := range goldens {
		covered[g.action] = true
		require.Equal(t, outputs[g.action] == nil, g.out == "", g.action)
	}
	require.Len(t, covered, len(outputs))
	require.Len(t, outputs, 23)
	for _, query := range []bool{false, true} {
		t.Run(map[bool]string{false: "json", true: "query"}[query], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := bubbleDesk(t, query)
				dead, held, fifo := d.queue("dead"), d.queue("held"), d.queue("fifo.fifo")
				jobs := d.queue("jobs", "RedrivePolicy", dead.redrive(9))
				d.queue("jobs2")
				held.send("held")
				names := map[string]string{"jobs": jobs.url, "jobs-arn": jobs.arn(), "fifo": fifo.url, "dead": dead.url, "dead-arn": dead.arn(), "held": held.url, "held-arn": held.arn(), "handle": held.take("held")}
				dead.fill("a", "b", "c")
				for _, g := range goldens {
					goldenStep(d, g, names)
				}
			})
		})
	}
}

func goldenStep(d *desk, g golden, names map[string]string) {
	d.t.Helper()
	fill := func(text string, escape func(string) string) string {
		for name, value := range names {
			text = strings.ReplaceAll(text, "{"+name+"}", escape(value))
		}
		return text
	}
	plain := func(s string) string { return s }
	if g.action == "StartMessageMoveTask" {
		d.pass(time.Second - time.Duration(time.Now().UnixMilli()-946684800000)*time.Millisecond)
	}
	request := fill(g.json, plain)
	if d.query {
		request = fill(g.query, url.QueryEscape)
	}
	a := d.raw(g.action, request)
	require.Equal(d.t, 200, a.status, "%s %s: %s", g.action, request, a.body)
	switch g.action {
	case "CancelMessageMoveTask": // which takes a while
		d.pass(time.Minute)
	case "StartMessageMoveTask":
		names["task"] = a.out["TaskHandle"].(string)
		d.pass(1500 * time.Millisecond)
	}
	// A message a second: one has moved by now, or two.
	body := regexp.MustCompile(`(NumberOfMessagesMoved(?:>|": ?))2`).ReplaceAllString(a.body, "${1}1")
	for name, form := range unknowable {
		body = regexp.MustCompile(`"`+name+`": ?"`+form+`"`).ReplaceAllString(body, `"`+name+`":"*"`)
		body = regexp.MustCompile(`<`+name+`>`+form+`</`).ReplaceAllString(body, `<`+name+`>*</`)
	}
	switch {
	case !d.query && g.out == "":
		require.Empty(d.t, body, g.action)
	case !d.query:
		require.JSONEq(d.t, fill(g.out, plain), body, g.action)
	case g.xml == "":
		require.Equal(d.t, []string{"ResponseMetadata"}, tree(d.t, body).names(), g.action)
	default:
		want := tree(d.t, "<"+g.action+"Result>"+fill(g.xml, plain)+"</"+g.action+"Result>")
		require.Equal(d.t, canonical(want), canonical(tree(d.t, body).one(d.t, g.action+"Result")), "%s", a.body)
	}
}
