package sqsapi_test

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

var wireBodiesAndSizes = []wireRow{
	{"5.1/characters", "A body has tab, line feed, carriage return, U+0020 to U+D7FF, U+E000 to U+FFFD and what is above U+FFFF; any other is refused, not replaced.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		for _, body := range []string{"\t", "\n", "\r", " ", "~", "\u007f", "\u0085", "\ud7ff", "\ue000", "\ufffd", "\U00010000", "\U0010ffff", "\U0001f600", "\u2028", "a\u0301", "\U0001fffe"} {
			q.send(body)
			q.delete(q.take(body))
		}
		for _, body := range []string{"\x00", "\x01", "\x08", "\x0b", "\x0c", "\x0e", "\x1b", "\x1f", "\ufffe", "\uffff"} {
			q.refuse("InvalidMessageContents", "", "SendMessage", wireMap{"MessageBody": "a" + body + "b"})
		}
		q.nothing()
	}},
	{"5.1/missing-body", "An empty or absent body is a missing parameter.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		q.refuse(wireMissing, "The request must contain the parameter MessageBody.", "SendMessage", nil)
		q.refuse(wireMissing, "The request must contain the parameter MessageBody.", "SendMessage", wireMap{"MessageBody": ""})
		q.send(" ")
	}},
	{"5.1/line-ends", "CR, LF and CRLF come back as they were sent.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		for _, body := range []string{"a\rb\nc\r\nd\n\re", "\r\n", "\r", "\n\n", " \t a \r"} {
			q.send(body, wireMap{"MessageAttributes": wireMap{"k": wireText(body)}})
			m := q.one(wireMap{"MessageAttributeNames": []string{"All"}})
			require.Equal(d.t, body, m["Body"])
			require.Equal(d.t, wireMap{"k": wireText(body)}, m["MessageAttributes"])
			q.delete(m["ReceiptHandle"].(string))
		}
	}},
	{"5.2/size-of-attributes", "An attribute costs the bytes of its name, its type with the label, and its value, binary as decoded; system attributes cost nothing.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs", "MaximumMessageSize", "1024")
		binary := wireBytes("\x00\xff\x10")
		binary["DataType"] = "Binary.gif"
		attributes := wireMap{"k": wireText("x"), "bé": binary, "n": wireNumber("12")} // 1+6+1, 3+10+3, 1+6+2
		q.send(strings.Repeat("b", 1024-8-16-9), wireMap{"MessageAttributes": attributes, "MessageSystemAttributes": wireMap{"AWSTraceHeader": wireText(wireTrace)}})
		q.refuse(wireInvalid, "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.", "SendMessage",
			wireMap{"MessageBody": strings.Repeat("b", 1024-8-16-9+1), "MessageAttributes": attributes})
	}},
	{"5.2/inclusive", "A message of exactly the limit is taken, one byte more is not; bytes count, not characters.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs", "MaximumMessageSize", "1024")
		q.send(strings.Repeat("ä", 512))
		q.refuse(wireInvalid, "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.", "SendMessage", wireMap{"MessageBody": strings.Repeat("ä", 512) + "b"})
		big := d.queue("big")
		big.send(strings.Repeat("b", 1<<20))
		big.refuse(wireInvalid, "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.", "SendMessage", wireMap{"MessageBody": strings.Repeat("b", 1<<20+1)})
	}},
}

const wireTrace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"

// wireTyped is a value of a type with a label.
func wireTyped(typ, value string) wireMap {
	v := wireText(value)
	if strings.HasPrefix(typ, "Binary") {
		v = wireBytes(value)
	}
	v["DataType"] = typ
	return v
}

var wireMessageAttributes = []wireRow{
	{"5.3/types", "String, Number and Binary come back as they were sent, with any label after a dot; names and labels are case-sensitive.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		attributes := wireMap{
			"text": wireText("a<b>&\"'ü"), "Text": wireTyped("String.my label", "x"), "number": wireNumber("-12.50"), "id": wireTyped("Number.bigint", "1234567890123456789012"),
			"bytes": wireBytes("\x00\x01\xff\xfe\r\n"), "png": wireTyped("Binary.png", "\x89PNG"), "a-b_c.d": wireText("y"), "9": wireText("z"), "int": wireTyped("Number.int", "5"), "dots": wireTyped("String.a.b.c", "w"),
		}
		q.send("a", wireMap{"MessageAttributes": attributes})
		m := q.one(wireMap{"MessageAttributeNames": []string{"All"}})
		require.Equal(d.t, attributes, m["MessageAttributes"])
	}},
	{"5.3/texts", "What is wrong with a message attribute is an invalid parameter, said in SQS's sentences.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		eleven := wireMap{}
		for i := range 11 {
			eleven[fmt.Sprint("k", i)] = wireText("x")
		}
		refuse := func(sentence string, attributes wireMap) {
			d.t.Helper()
			q.refuse(wireInvalid, sentence, "SendMessage", wireMap{"MessageBody": "a", "MessageAttributes": attributes})
		}
		refuse("Number of message attributes [11] exceeds the allowed maximum [10].", eleven)
		refuse("Message (user) attribute name must be shorter than 256 bytes.", wireMap{strings.Repeat("n", 257): wireText("x")})
		refuse("Message (user) attribute type must be shorter than 256 bytes.", wireMap{"k": wireTyped("String."+strings.Repeat("t", 250), "x")})
		for _, name := range []string{"AWS.k", "aws.k", "Amazon.k", "AMAZON.k"} {
			refuse("You can't use message attribute names beginning with 'AWS.' or 'Amazon'. These strings are reserved for internal use.", wireMap{name: wireText("x")})
		}
		refuse("The message (user) attribute 'k' must contain a non-empty message attribute value.", wireMap{"k": wireMap{"DataType": "String"}})
		refuse("Message (user) attribute 'k' must contain a non-empty value of type 'String'.", wireMap{"k": wireText("")})
		for _, typ := range []string{"string", "Text", "Stringy", "int", "NUMBER", ".String"} {
			refuse("The type of message (user) attribute 'k' is invalid. You must use only the following supported type prefixes: Binary, Number, String.", wireMap{"k": wireTyped(typ, "1")})
		}
		for _, number := range []string{"x", "1,5", "0x10", "NaN", "Infinity", "1 2"} {
			refuse("Can't cast the value of message (user) attribute 'k' to a number.", wireMap{"k": wireNumber(number)})
		}
		refuse("", wireMap{"k": wireNumber(strings.Repeat("9", 39))})
		refuse("", wireMap{"k": wireNumber("1e127")})
		refuse("", wireMap{"k": wireMap{"StringValue": "x"}})
		refuse("", wireMap{"k": wireTyped("", "x")})
		refuse("", wireMap{"k": wireMap{"DataType": "Binary", "StringValue": "x"}})
		refuse("", wireMap{"k": wireMap{"DataType": "String", "BinaryValue": "AAE="}})
		refuse("", wireMap{"k": wireTyped("Binary", "")})
		for _, name := range []string{".k", "k.", "a..b", "a b", "a/b"} {
			refuse("", wireMap{name: wireText("x")})
		}
		refuse("Message attribute list values in SendMessage operation are not supported.", wireMap{"k": wireMap{"DataType": "String", "StringListValues": []string{"x"}}})
		q.nothing()
	}},
	{"5.3/empty-name", "An attribute whose name is empty is refused by a sentence of its own.", wireInBoth, func(d *wireDesk) {
		d.queue("jobs").refuse(wireInvalid, "The request must contain non-empty message (user) attribute names.", "SendMessage",
			wireMap{"MessageBody": "a", "MessageAttributes": wireMap{"": wireText("x")}})
	}},
	{"5.3/bad-character", "A character that a body may not have makes a text attribute an invalid parameter, not invalid contents.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		for _, bad := range []string{"\x00", "\x0b", "\ufffe"} {
			q.refuse(wireInvalid, "", "SendMessage", wireMap{"MessageBody": "a", "MessageAttributes": wireMap{"k": wireText("x" + bad)}})
		}
	}},
	{"5.3/letters-of-names", "Letters beyond ASCII are taken in attribute names.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		attributes := wireMap{"attr.1øßä": wireText("x")}
		q.send("a", wireMap{"MessageAttributes": attributes})
		require.Equal(d.t, attributes, q.one(wireMap{"MessageAttributeNames": []string{"attr.1øßä"}})["MessageAttributes"])
	}},
	{"5.3/numbers", "A number has up to 38 digits and a magnitude from 10^-128 to 10^126.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		for _, number := range []string{"0", "-0", "1e126", "1E-128", "+5", ".5", strings.Repeat("9", 38), "0." + strings.Repeat("1", 38)} {
			q.send("a", wireMap{"MessageAttributes": wireMap{"k": wireNumber(number)}})
			m := q.one(wireMap{"MessageAttributeNames": []string{"k"}})
			require.Equal(d.t, wireMap{"k": wireNumber(number)}, m["MessageAttributes"])
			q.delete(m["ReceiptHandle"].(string))
		}
	}},
	{"5.6/vectors", "The digests are those that SQS was seen to answer.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		help := wireMap{"General": wireText("Kenobi"), "Hello": wireText("There"), "Help.Me": wireText("Me")}
		only := func(names ...string) wireMap {
			m := maps.Clone(help)
			maps.DeleteFunc(m, func(k string, _ any) bool { return !strings.Contains(strings.Join(names, " "), k) })
			return m
		}
		for _, v := range []struct {
			attributes wireMap
			md5        string
		}{
			{wireMap{"k": wireText("x")}, "a45daa70926828a2f0a1db3418e6feb4"},
			{wireMap{"Hello": wireText("World")}, "7db7fb1ba7f41366a8ea5eb18220b26d"},
			{only("Hello"), "a311262e065454b75da111d535b8dacd"},
			{only("General", "Hello"), "fca026605781cb4126a1e9044df24232"},
			{help, "4c360f3fdafd970e05fae2f149d997f5"},
			{only("Hello", "Help.Me"), "83fee93c1bcd8b9a5a923ffacdc636c7"},
			{wireMap{"timestamp": wireNumber("1493147359900")}, "235c5c510d26fb653d073faed50ae77c"},
			{wireMap{"data1": wireNumber("1"), "data2": wireNumber("2")}, "b53b5acf24e7fd9567705bd8027b1c76"},
			{wireMap{"UserId": wireTyped("Number.bigint", "1234567890123456789012")}, "797ab158d73dcb5242dedc4412c8e855"},
			{wireMap{"MyAttribute": wireText("foobar")}, "adb59cd4678ea5a855436b949cd07ab6"},
			{wireMap{"attr1": wireBytes("traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01")}, "8cbe4db156db8a94db8b801b7addb984"},
		} {
			require.Equal(d.t, v.md5, wireMD5(v.attributes), "%v", v.attributes)
			require.Equal(d.t, v.md5, q.send("a", wireMap{"MessageAttributes": v.attributes})["MD5OfMessageAttributes"])
			m := q.one(wireMap{"MessageAttributeNames": []string{"All"}})
			require.Equal(d.t, v.md5, m["MD5OfMessageAttributes"])
			q.delete(m["ReceiptHandle"].(string))
		}
		sent := q.send("a", wireMap{"MessageSystemAttributes": wireMap{"AWSTraceHeader": wireText(wireTrace)}})
		require.Equal(d.t, "5ae4d5d7636402d80f4eb6d213245a88", sent["MD5OfMessageSystemAttributes"])
		require.NotContains(d.t, sent, "MD5OfMessageAttributes")
	}},
}

var wireSystemAttributes = []wireRow{
	{"5.4/only-asked-for", "System attributes are told when asked for, by name or with All, and where they apply.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs", "VisibilityTimeout", "0")
		q.send("a")
		require.NotContains(d.t, q.one(nil), "Attributes")
		require.Equal(d.t, wireMap{"ApproximateReceiveCount": "2"}, q.one(wireMap{"MessageSystemAttributeNames": []string{"ApproximateReceiveCount"}})["Attributes"])
		require.NotContains(d.t, q.one(wireMap{"AttributeNames": []string{"SequenceNumber", "MessageGroupId", "AWSTraceHeader", "DeadLetterQueueSourceArn"}}), "Attributes")
		all := q.one(wireMap{"AttributeNames": []string{"All"}})["Attributes"].(wireMap)
		require.NotEmpty(d.t, all["SenderId"])
		delete(all, "SenderId")
		require.Equal(d.t, wireMap{"SentTimestamp": "946684800000", "ApproximateReceiveCount": "4", "ApproximateFirstReceiveTimestamp": "946684800000"}, all)
	}},
	{"5.4/of-a-fifo-message", "A FIFO queue's message tells its group, its deduplication ID, also one made of the body, and its sequence number of 20 digits.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs.fifo", "ContentBasedDeduplication", "true")
		sent := q.ok("SendMessage", wireMap{"MessageBody": "a", "MessageGroupId": "g-1"})
		require.Regexp(d.t, `^[0-9]{20}$`, sent["SequenceNumber"])
		all := q.one(wireMap{"MessageSystemAttributeNames": []string{"All"}})["Attributes"].(wireMap)
		require.Equal(d.t, "g-1", all["MessageGroupId"])
		require.Equal(d.t, sent["SequenceNumber"], all["SequenceNumber"])
		require.Equal(d.t, "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb", all["MessageDeduplicationId"])
		require.ElementsMatch(d.t, []string{"SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp", "MessageGroupId", "MessageDeduplicationId", "SequenceNumber"}, wireKeys(all))
	}},
	{"5.4/timestamps", "Times of messages are whole milliseconds in decimal, and the first receive's stays.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		q.send("a")
		d.pass(1234 * time.Millisecond)
		q.one(nil)
		d.pass(31 * time.Second)
		all := q.one(wireMap{"AttributeNames": []string{"SentTimestamp", "ApproximateFirstReceiveTimestamp"}})["Attributes"]
		require.Equal(d.t, wireMap{"SentTimestamp": "946684800000", "ApproximateFirstReceiveTimestamp": "946684801234"}, all)
	}},
	{"5.4/trace-header", "AWSTraceHeader travels with the message, is not among its attributes, and is the only system attribute that can be sent.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		q.send("a", wireMap{"MessageSystemAttributes": wireMap{"AWSTraceHeader": wireText(wireTrace)}})
		m := q.one(wireMap{"AttributeNames": []string{"AWSTraceHeader"}, "MessageAttributeNames": []string{"All"}})
		require.Equal(d.t, wireMap{"AWSTraceHeader": wireTrace}, m["Attributes"])
		require.NotContains(d.t, m, "MessageAttributes")
		q.refuse(wireInvalid, "Message system attribute name 'Nosuch' is invalid.", "SendMessage", wireMap{"MessageBody": "a", "MessageSystemAttributes": wireMap{"Nosuch": wireText("x")}})
		q.refuse(wireInvalid, "Message system attribute name 'SenderId' is invalid.", "SendMessage", wireMap{"MessageBody": "a", "MessageSystemAttributes": wireMap{"SenderId": wireText("x")}})
		q.refuse(wireInvalid, "", "SendMessage", wireMap{"MessageBody": "a", "MessageSystemAttributes": wireMap{"AWSTraceHeader": wireBytes("x")}})
		q.refuse(wireInvalid, "", "SendMessage", wireMap{"MessageBody": "a", "MessageSystemAttributes": wireMap{"AWSTraceHeader": wireText("no trace header")}})
	}},
	{"5.4/trace-header-is-no-eleventh", "A message has up to 10 attributes, and its trace header beside them.", wireInBoth, func(d *wireDesk) {
		q, ten := d.queue("jobs"), wireMap{}
		for i := range 10 {
			ten[fmt.Sprint("k", i)] = wireText("x")
		}
		q.send("a", wireMap{"MessageAttributes": ten, "MessageSystemAttributes": wireMap{"AWSTraceHeader": wireText(wireTrace)}})
		require.Equal(d.t, ten, q.one(wireMap{"MessageAttributeNames": []string{"All"}})["MessageAttributes"])
	}},
	{"5.4/trace-header-of-the-request", "The HTTP header X-Amzn-Trace-Id is the trace header of a message that has none of its own, and has no digest.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		traced := q.from(d.saying("X-Amzn-Trace-Id", wireTrace))
		require.NotContains(d.t, traced.send("a"), "MD5OfMessageSystemAttributes")
		m := q.one(wireMap{"AttributeNames": []string{"AWSTraceHeader"}})
		require.Equal(d.t, wireMap{"AWSTraceHeader": wireTrace}, m["Attributes"])
		q.delete(m["ReceiptHandle"].(string))
		own := strings.Replace(wireTrace, "Sampled=1", "Sampled=0", 1)
		traced.send("b", wireMap{"MessageSystemAttributes": wireMap{"AWSTraceHeader": wireText(own)}})
		require.Equal(d.t, wireMap{"AWSTraceHeader": own}, q.one(wireMap{"AttributeNames": []string{"AWSTraceHeader"}})["Attributes"])
	}},
}

// wireKeys are those of an object.
func wireKeys(m wireMap) []string {
	keys := []string{}
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}

const (
	wireTwoKinds = "The request include parameter that is not valid for this queue type."
	wireIDForm   = "can only include alphanumeric and punctuation characters. 1 to 128 in length."
	wireNoDedup  = "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
	wireNoGroup  = "The request must contain the parameter MessageGroupId."
)

var wireSending = []wireRow{
	{"6.1/members", "A send answers the message's ID and the body's digest; a sequence number on a FIFO queue, and digests of attributes where some were sent.", wireInBoth, func(d *wireDesk) {
		require.ElementsMatch(d.t, []string{"MessageId", "MD5OfMessageBody"}, wireKeys(d.queue("jobs").send("a")))
		require.ElementsMatch(d.t, []string{"MessageId", "MD5OfMessageBody", "SequenceNumber"}, wireKeys(d.queue("jobs.fifo").send("a")))
		require.ElementsMatch(d.t, []string{"MessageId", "MD5OfMessageBody", "MD5OfMessageAttributes", "MD5OfMessageSystemAttributes"}, wireKeys(d.queue("jobs").send("a",
			wireMap{"MessageAttributes": wireMap{"k": wireText("x")}, "MessageSystemAttributes": wireMap{"AWSTraceHeader": wireText(wireTrace)}})))
	}},
	{"6.2/delay-on-fifo", "A FIFO queue refuses a delay of one message.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs.fifo")
		q.refuse(wireInvalid, "Value 2 for parameter DelaySeconds is invalid. Reason: "+wireTwoKinds, "SendMessage", q.message("a", wireMap{"DelaySeconds": 2}))
	}},
	{"6.2/delay-range", "DelaySeconds is 0 to 900.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		for _, n := range []string{"1000", "901", "-1"} {
			q.refuse(wireInvalid, "Value "+n+" for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.", "SendMessage",
				wireMap{"MessageBody": "a", "DelaySeconds": wireInt(n)})
		}
		q.send("a", wireMap{"DelaySeconds": 900})
		q.counts(0, 0, 1)
	}},
	{"6.2/missing-group", "A FIFO message without a group is a missing parameter; in a batch an invalid one, and the whole call fails.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs.fifo")
		q.refuse(wireMissing, wireNoGroup, "SendMessage", wireMap{"MessageBody": "a", "MessageDeduplicationId": "1"})
		q.refuse(wireInvalid, wireNoGroup, "SendMessageBatch", wireMap{"Entries": []wireMap{
			{"Id": "1", "MessageBody": "a", "MessageGroupId": "g", "MessageDeduplicationId": "1"}, {"Id": "2", "MessageBody": "b", "MessageDeduplicationId": "2"}}})
		q.nothing()
	}},
	{"6.2/missing-deduplication-id", "A FIFO message without a deduplication ID, where none is made of the body, is an invalid parameter; in a batch the whole call fails.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs.fifo")
		q.refuse(wireInvalid, wireNoDedup, "SendMessage", wireMap{"MessageBody": "a", "MessageGroupId": "g"})
		q.refuse(wireInvalid, wireNoDedup, "SendMessageBatch", wireMap{"Entries": []wireMap{
			{"Id": "1", "MessageBody": "a", "MessageGroupId": "g", "MessageDeduplicationId": "1"}, {"Id": "2", "MessageBody": "b", "MessageGroupId": "g"}}})
		q.nothing()
	}},
	{"6.2/id-form", "Group and deduplication IDs have 1 to 128 ASCII letters, digits and punctuation marks; the value is quoted in the refusal.", wireInBoth, func(d *wireDesk) {
		q, std := d.queue("jobs.fifo"), d.queue("jobs")
		const punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
		q.send("a", wireMap{"MessageGroupId": punctuation, "MessageDeduplicationId": punctuation + strings.Repeat("d", 128-len(punctuation))})
		std.send("a", wireMap{"MessageGroupId": punctuation})
		for _, id := range []string{strings.Repeat("i", 129), "a b", "ä", "a\nb"} {
			sentence := "Value " + id + " for parameter %s is invalid. Reason: %[1]s " + wireIDForm
			q.refuse(wireInvalid, fmt.Sprintf(sentence, "MessageGroupId"), "SendMessage", q.message("b", wireMap{"MessageGroupId": id}))
			q.refuse(wireInvalid, fmt.Sprintf(sentence, "MessageDeduplicationId"), "SendMessage", q.message("b", wireMap{"MessageDeduplicationId": id}))
			std.refuse(wireInvalid, fmt.Sprintf(sentence, "MessageGroupId"), "SendMessage", wireMap{"MessageBody": "b", "MessageGroupId": id})
		}
		std.refuse(wireInvalid, "Value  for parameter MessageGroupId is invalid. Reason: MessageGroupId "+wireIDForm, "SendMessage", wireMap{"MessageBody": "b", "MessageGroupId": ""})
		q.refuse(wireInvalid+"|"+wireMissing, "", "SendMessage", q.message("b", wireMap{"MessageGroupId": ""}))
		q.refuse(wireInvalid, "", "SendMessage", q.message("b", wireMap{"MessageDeduplicationId": ""}))
		content := d.queue("content.fifo", "ContentBasedDeduplication", "true")
		content.refuse(wireInvalid, "Value  for parameter MessageDeduplicationId is invalid. Reason: MessageDeduplicationId "+wireIDForm, "SendMessage", content.message("b", wireMap{"MessageDeduplicationId": ""}))
		// SQS's own XML can't be read where it quotes a control character.
		for _, in := range []wireMap{{"MessageGroupId": "a\bb"}, {"MessageDeduplicationId": "a\bb"}} {
			require.Equal(d.t, 400, d.send(d.request("SendMessage", q.in(q.message("b", in)))).status)
		}
		q.counts(1, 0, 0)
	}},
}

// wireInt is a number in either protocol.
func wireInt(text string) any {
	var n int
	_, _ = fmt.Sscan(text, &n)
	return n
}

// wireEntries are n entries of a batch.
func wireEntries(n int, entry wireMap) []wireMap {
	entries := []wireMap{}
	for i := range n {
		e := maps.Clone(entry)
		e["Id"] = fmt.Sprint("id", i)
		entries = append(entries, e)
	}
	return entries
}

// batches are the three batch calls, each with an entry that lacks its Id. In
// the order of their names each leaves the handle to the next.
func (q *wireQueue) batches() map[string]wireMap {
	q.d.t.Helper()
	q.send("batch")
	handle := q.take("batch")
	return map[string]wireMap{
		"SendMessageBatch":             {"MessageBody": "a"},
		"DeleteMessageBatch":           {"ReceiptHandle": handle},
		"ChangeMessageVisibilityBatch": {"ReceiptHandle": handle, "VisibilityTimeout": 40},
	}
}

var wireBatches = []wireRow{
	{"6.3/queue-first", "A batch to a queue that isn't there is refused for that, whatever else is wrong.", wireInBoth, func(d *wireDesk) {
		q := &wireQueue{d, wireBase + "/000000000000/nosuch"}
		for action, entry := range wireSorted(d.queue("jobs").batches()) {
			q.refuse(wireNoQueue, "", action, wireMap{"Entries": wireEntries(11, entry)})
			q.refuse(wireNoQueue, "", action, nil)
		}
	}},
	{"6.3/no-entries", "A batch without entries is refused.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		for action := range wireSorted(q.batches()) {
			if d.query { // which has no way to tell an empty list from none
				q.refuse(wireMissing+"|EmptyBatchRequest", "", action, nil)
				continue
			}
			q.refuse(wireMissing, "The request must contain the parameter Entries.", action, nil)
			q.refuse("EmptyBatchRequest", "There should be at least one "+action+"RequestEntry in the request.", action, wireMap{"Entries": []wireMap{}})
		}
	}},
	{"6.3/too-many-entries", "A batch has up to 10 entries.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		for action, entry := range wireSorted(q.batches()) {
			q.refuse("TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10. You have sent 20.", action, wireMap{"Entries": wireEntries(20, entry)})
			out := q.ok(action, wireMap{"Entries": wireEntries(10, entry)})
			require.Len(d.t, wireObjects(out["Successful"]), 10, "entries may have the same handle")
		}
	}},
	{"6.3/ids", "An entry's Id has 1 to 80 letters, digits, hyphens and underscores.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		for action, entry := range wireSorted(q.batches()) {
			for _, id := range []string{"", " ", "a.b", "ä", strings.Repeat("i", 81)} {
				entries := wireEntries(2, entry)
				entries[1]["Id"] = id
				sentence, typ := "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.", "InvalidBatchEntryId"
				if id == "" { // empty is the same as absent, or not
					sentence, typ = "", "InvalidBatchEntryId|"+wireMissing
				}
				q.refuse(typ, sentence, action, wireMap{"Entries": entries})
			}
			entries := wireEntries(2, entry)
			entries[0]["Id"], entries[1]["Id"] = strings.Repeat("i", 80), "-_aZ09"
			require.Len(d.t, wireObjects(q.ok(action, wireMap{"Entries": entries})["Successful"]), 2)
		}
	}},
	{"6.3/distinct-ids", "The Ids of a batch differ; the first that is repeated is named.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		for action, entry := range wireSorted(q.batches()) {
			entries := wireEntries(5, entry)
			entries[3]["Id"], entries[4]["Id"] = "id1", "id0"
			q.refuse("BatchEntryIdsNotDistinct", "Id id1 repeated.", action, wireMap{"Entries": entries})
			entries = wireEntries(2, entry)
			entries[0]["Id"], entries[1]["Id"] = "a", "A"
			require.Len(d.t, wireObjects(q.ok(action, wireMap{"Entries": entries})["Successful"]), 2)
		}
	}},
	{"6.3/absent-id", "An entry without an Id is a missing parameter, with its place counted from one.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		for action, entry := range wireSorted(q.batches()) {
			entries := wireEntries(3, entry)
			delete(entries[1], "Id")
			q.refuse(wireMissing, "The request must contain the parameter "+action+"RequestEntry.2.Id.", action, wireMap{"Entries": entries})
		}
	}},
	{"6.3/total", "A batch has up to 1048576 bytes, whatever the queue's own limit, which holds for each entry.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		half := strings.Repeat("b", 1<<19)
		q.refuse("BatchRequestTooLong", "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.", "SendMessageBatch",
			wireMap{"Entries": []wireMap{{"Id": "1", "MessageBody": half}, {"Id": "2", "MessageBody": half + "b"}}})
		q.nothing()
		require.Len(d.t, wireObjects(q.ok("SendMessageBatch", wireMap{"Entries": []wireMap{{"Id": "1", "MessageBody": half}, {"Id": "2", "MessageBody": half}}})["Successful"]), 2)
		small := d.queue("small", "MaximumMessageSize", "1024")
		out := small.ok("SendMessageBatch", wireMap{"Entries": wireEntries(2, wireMap{"MessageBody": strings.Repeat("b", 1024)})})
		require.Len(d.t, wireObjects(out["Successful"]), 2)
		require.NotContains(d.t, out, "Failed")
	}},
	{"6.3/failed-entries", "Entries of a Standard queue's batch fail one by one, with status 200, by codes and sentences that count them from one.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs", "MaximumMessageSize", "1024")
		out := q.ok("SendMessageBatch", wireMap{"Entries": []wireMap{
			{"Id": "good", "MessageBody": "a"},
			{"Id": "nobody"},
			{"Id": "bell", "MessageBody": "\x07"},
			{"Id": "large", "MessageBody": strings.Repeat("b", 1025)},
			{"Id": "delay", "MessageBody": "b", "DelaySeconds": 901},
			{"Id": "attribute", "MessageBody": "b", "MessageAttributes": wireMap{"k": wireTyped("Text", "x")}},
			{"Id": "good2", "MessageBody": "c", "MessageAttributes": wireMap{"k": wireText("x")}},
		}})
		ids := []any{}
		for _, s := range wireObjects(out["Successful"]) {
			ids = append(ids, s["Id"])
		}
		require.Equal(d.t, []any{"good", "good2"}, ids)
		failed := map[any]wireMap{}
		for _, f := range wireObjects(out["Failed"]) {
			require.Equal(d.t, true, f["SenderFault"])
			failed[f["Id"]] = f
		}
		require.Len(d.t, failed, 5)
		require.Equal(d.t, "InvalidMessageContents", failed["bell"]["Code"])
		require.Equal(d.t, wireMap{"Id": "large", "SenderFault": true, "Code": "InvalidParameterValue",
			"Message": "One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes."}, failed["large"])
		require.Equal(d.t, "InvalidParameterValue", failed["delay"]["Code"])
		require.Equal(d.t, "InvalidParameterValue", failed["attribute"]["Code"])
		require.ElementsMatch(d.t, []string{"a", "c"}, q.bodies(nil))
		require.Equal(d.t, wireMap{"Id": "nobody", "SenderFault": true, "Code": "MissingParameter", "Message": "The request must contain the parameter SendMessageBatchRequestEntry.2.MessageBody."}, failed["nobody"])
	}},
	{"6.3/all-fail", "A batch all of whose entries fail has status 200, and no list of successes.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		for action, entry := range map[string]wireMap{"SendMessageBatch": {"MessageBody": "\x07"}, "DeleteMessageBatch": {"ReceiptHandle": "nobody's"},
			"ChangeMessageVisibilityBatch": {"ReceiptHandle": "nobody's", "VisibilityTimeout": 1}} {
			out := q.ok(action, wireMap{"Entries": wireEntries(2, entry)})
			require.NotContains(d.t, out, "Successful")
			failed := wireObjects(out["Failed"])
			require.Len(d.t, failed, 2)
			require.Equal(d.t, "id0", failed[0]["Id"])
			require.Equal(d.t, true, failed[0]["SenderFault"])
			if action != "SendMessageBatch" {
				require.Equal(d.t, "ReceiptHandleIsInvalid", failed[0]["Code"])
			}
		}
	}},
	{"6.3/order", "A FIFO queue's batch is sent in the order of its entries.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs.fifo", "ContentBasedDeduplication", "true")
		entries, want, last := []wireMap{}, []string{}, ""
		for i := range 10 {
			want = append(want, fmt.Sprint("body", i))
			entries = append(entries, wireMap{"Id": fmt.Sprint("id", 9-i), "MessageBody": want[i], "MessageGroupId": "g"})
		}
		for _, s := range wireObjects(q.ok("SendMessageBatch", wireMap{"Entries": entries})["Successful"]) {
			require.Greater(d.t, s["SequenceNumber"], last)
			last = s["SequenceNumber"].(string)
		}
		require.Equal(d.t, want, q.bodies(nil))
	}},
	{"9.3/missing-handles", "An entry without a handle is a missing parameter, of its own or of the whole batch.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		for _, action := range []string{"DeleteMessageBatch", "ChangeMessageVisibilityBatch"} {
			in := wireMap{"Entries": []wireMap{{"Id": "1", "VisibilityTimeout": 5}}}
			if action == "DeleteMessageBatch" {
				in = wireMap{"Entries": []wireMap{{"Id": "1"}}}
			}
			a := q.call(action, in)
			sentence := "The request must contain the parameter " + action + "RequestEntry.1.ReceiptHandle."
			if a.fault != nil {
				d.refused(a, wireMissing, sentence)
			} else {
				require.Equal(d.t, wireMap{"Failed": []any{wireMap{"Id": "1", "SenderFault": true, "Code": "MissingParameter", "Message": sentence}}}, a.out)
			}
		}
	}},
	{"9.3/entries", "Of batches to delete and to change visibility entries fail one by one, by codes of their own.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		q.fill("a", "b")
		one, two := q.take("a"), q.take("b")
		out := q.ok("ChangeMessageVisibilityBatch", wireMap{"Entries": []wireMap{
			{"Id": "1", "ReceiptHandle": one, "VisibilityTimeout": 0}, {"Id": "2", "ReceiptHandle": two, "VisibilityTimeout": 43201},
			{"Id": "3", "ReceiptHandle": two}, {"Id": "4", "ReceiptHandle": two, "VisibilityTimeout": -10},
		}})
		require.Equal(d.t, []any{wireMap{"Id": "1"}}, out["Successful"])
		failed := wireObjects(out["Failed"])
		require.Len(d.t, failed, 3)
		require.Equal(d.t, wireMap{"Id": "2", "SenderFault": true, "Code": "InvalidParameterValue",
			"Message": "Value 43201 for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an integer between 0 and 43200."}, failed[0])
		require.Equal(d.t, wireMap{"Id": "3", "SenderFault": true, "Code": "MissingParameter",
			"Message": "The request must contain the parameter ChangeMessageVisibilityBatchRequestEntry.3.VisibilityTimeout."}, failed[1])
		require.Equal(d.t, "Value -10 for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an integer between 0 and 43200.", failed[2]["Message"])
		q.counts(1, 1, 0)
		out = q.ok("DeleteMessageBatch", wireMap{"Entries": []wireMap{{"Id": "1", "ReceiptHandle": one}, {"Id": "2", "ReceiptHandle": "nobody's"}, {"Id": "3", "ReceiptHandle": two}, {"Id": "4", "ReceiptHandle": two}}})
		require.Equal(d.t, []any{wireMap{"Id": "1"}, wireMap{"Id": "3"}, wireMap{"Id": "4"}}, out["Successful"])
		require.Equal(d.t, []any{wireMap{"Id": "2", "SenderFault": true, "Code": "ReceiptHandleIsInvalid",
			"Message": `The input receipt handle "nobody's" is not a valid receipt handle.`}}, out["Failed"])
		q.counts(0, 0, 0)
	}},
}
