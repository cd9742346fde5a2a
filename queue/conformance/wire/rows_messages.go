package wire

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

var bodyRows = []Row{
	{"5.1/characters", "A body has tab, line feed, carriage return, U+0020 to U+D7FF, U+E000 to U+FFFD and what is above U+FFFF; any other is refused, not replaced.", Both, func(d *desk) {
		q := d.queue("jobs")
		for _, body := range []string{"\t", "\n", "\r", " ", "~", "\u007f", "\u0085", "\ud7ff", "\ue000", "\ufffd", "\U00010000", "\U0010ffff", "\U0001f600", "\u2028", "a\u0301", "\U0001fffe"} {
			q.send(body)
			q.delete(q.take(body))
		}
		for _, body := range []string{"\x00", "\x01", "\x08", "\x0b", "\x0c", "\x0e", "\x1b", "\x1f", "\ufffe", "\uffff"} {
			q.refuse("InvalidMessageContents", "", "SendMessage", object{"MessageBody": "a" + body + "b"})
		}
		q.nothing()
	}},
	{"5.1/missing-body", "An empty or absent body is a missing parameter.", Both, func(d *desk) {
		q := d.queue("jobs")
		q.refuse(missing, "The request must contain the parameter MessageBody.", "SendMessage", nil)
		q.refuse(missing, "The request must contain the parameter MessageBody.", "SendMessage", object{"MessageBody": ""})
		q.send(" ")
	}},
	{"5.1/line-ends", "CR, LF and CRLF come back as they were sent.", Both, func(d *desk) {
		q := d.queue("jobs")
		for _, body := range []string{"a\rb\nc\r\nd\n\re", "\r\n", "\r", "\n\n", " \t a \r"} {
			q.send(body, object{"MessageAttributes": object{"k": textValue(body)}})
			m := q.one(object{"MessageAttributeNames": []string{"All"}})
			require.Equal(d.t, body, m["Body"])
			require.Equal(d.t, object{"k": textValue(body)}, m["MessageAttributes"])
			q.delete(m["ReceiptHandle"].(string))
		}
	}},
	{"5.2/size-of-attributes", "An attribute costs the bytes of its name, its type with the label, and its value, binary as decoded; system attributes cost nothing.", Both, func(d *desk) {
		q := d.queue("jobs", "MaximumMessageSize", "1024")
		binary := bytesValue("\x00\xff\x10")
		binary["DataType"] = "Binary.gif"
		attributes := object{"k": textValue("x"), "bé": binary, "n": numberValue("12")} // 1+6+1, 3+10+3, 1+6+2
		q.send(strings.Repeat("b", 1024-8-16-9), object{"MessageAttributes": attributes, "MessageSystemAttributes": object{"AWSTraceHeader": textValue(traceHeader)}})
		q.refuse(invalid, "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.", "SendMessage",
			object{"MessageBody": strings.Repeat("b", 1024-8-16-9+1), "MessageAttributes": attributes})
	}},
	{"5.2/inclusive", "A message of exactly the limit is taken, one byte more is not; bytes count, not characters.", Both, func(d *desk) {
		q := d.queue("jobs", "MaximumMessageSize", "1024")
		q.send(strings.Repeat("ä", 512))
		q.refuse(invalid, "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.", "SendMessage", object{"MessageBody": strings.Repeat("ä", 512) + "b"})
		big := d.queue("big")
		big.send(strings.Repeat("b", 1<<20))
		big.refuse(invalid, "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.", "SendMessage", object{"MessageBody": strings.Repeat("b", 1<<20+1)})
	}},
}

var attributeRows = []Row{
	{"5.3/types", "String, Number and Binary come back as they were sent, with any label after a dot; names and labels are case-sensitive.", Both, func(d *desk) {
		q := d.queue("jobs")
		attributes := object{
			"text": textValue("a<b>&\"'ü"), "Text": typedValue("String.my label", "x"), "number": numberValue("-12.50"), "id": typedValue("Number.bigint", "1234567890123456789012"),
			"bytes": bytesValue("\x00\x01\xff\xfe\r\n"), "png": typedValue("Binary.png", "\x89PNG"), "a-b_c.d": textValue("y"), "9": textValue("z"), "int": typedValue("Number.int", "5"), "dots": typedValue("String.a.b.c", "w"),
		}
		q.send("a", object{"MessageAttributes": attributes})
		m := q.one(object{"MessageAttributeNames": []string{"All"}})
		require.Equal(d.t, attributes, m["MessageAttributes"])
	}},
	{"5.3/texts", "What is wrong with a message attribute is an invalid parameter, said in SQS's sentences.", Both, func(d *desk) {
		q := d.queue("jobs")
		eleven := object{}
		for i := range 11 {
			eleven[fmt.Sprint("k", i)] = textValue("x")
		}
		refuse := func(sentence string, attributes object) {
			d.t.Helper()
			q.refuse(invalid, sentence, "SendMessage", object{"MessageBody": "a", "MessageAttributes": attributes})
		}
		refuse("Number of message attributes [11] exceeds the allowed maximum [10].", eleven)
		refuse("Message (user) attribute name must be shorter than 256 bytes.", object{strings.Repeat("n", 257): textValue("x")})
		refuse("Message (user) attribute type must be shorter than 256 bytes.", object{"k": typedValue("String."+strings.Repeat("t", 250), "x")})
		for _, name := range []string{"AWS.k", "aws.k", "Amazon.k", "AMAZON.k"} {
			refuse("You can't use message attribute names beginning with 'AWS.' or 'Amazon'. These strings are reserved for internal use.", object{name: textValue("x")})
		}
		refuse("The message (user) attribute 'k' must contain a non-empty message attribute value.", object{"k": object{"DataType": "String"}})
		refuse("Message (user) attribute 'k' must contain a non-empty value of type 'String'.", object{"k": textValue("")})
		for _, typ := range []string{"string", "Text", "Stringy", "int", "NUMBER", ".String"} {
			refuse("The type of message (user) attribute 'k' is invalid. You must use only the following supported type prefixes: Binary, Number, String.", object{"k": typedValue(typ, "1")})
		}
		for _, number := range []string{"x", "1,5", "0x10", "NaN", "Infinity", "1 2"} {
			refuse("Can't cast the value of message (user) attribute 'k' to a number.", object{"k": numberValue(number)})
		}
		refuse("", object{"k": numberValue(strings.Repeat("9", 39))})
		refuse("", object{"k": numberValue("1e127")})
		refuse("", object{"k": object{"StringValue": "x"}})
		refuse("", object{"k": typedValue("", "x")})
		refuse("", object{"k": object{"DataType": "Binary", "StringValue": "x"}})
		refuse("", object{"k": object{"DataType": "String", "BinaryValue": "AAE="}})
		refuse("", object{"k": typedValue("Binary", "")})
		for _, name := range []string{".k", "k.", "a..b", "a b", "a/b"} {
			refuse("", object{name: textValue("x")})
		}
		refuse("Message attribute list values in SendMessage operation are not supported.", object{"k": object{"DataType": "String", "StringListValues": []string{"x"}}})
		q.nothing()
	}},
	{"5.3/empty-name", "An attribute whose name is empty is refused by a sentence of its own.", Both, func(d *desk) {
		d.queue("jobs").refuse(invalid, "The request must contain non-empty message (user) attribute names.", "SendMessage",
			object{"MessageBody": "a", "MessageAttributes": object{"": textValue("x")}})
	}},
	{"5.3/bad-character", "A character that a body may not have makes a text attribute an invalid parameter, not invalid contents.", Both, func(d *desk) {
		q := d.queue("jobs")
		for _, bad := range []string{"\x00", "\x0b", "\ufffe"} {
			q.refuse(invalid, "", "SendMessage", object{"MessageBody": "a", "MessageAttributes": object{"k": textValue("x" + bad)}})
		}
	}},
	{"5.3/letters-of-names", "Letters beyond ASCII are taken in attribute names.", Both, func(d *desk) {
		q := d.queue("jobs")
		attributes := object{"attr.1øßä": textValue("x")}
		q.send("a", object{"MessageAttributes": attributes})
		require.Equal(d.t, attributes, q.one(object{"MessageAttributeNames": []string{"attr.1øßä"}})["MessageAttributes"])
	}},
	{"5.3/numbers", "A number has up to 38 digits and a magnitude from 10^-128 to 10^126.", Both, func(d *desk) {
		q := d.queue("jobs")
		for _, number := range []string{"0", "-0", "1e126", "1E-128", "+5", ".5", strings.Repeat("9", 38), "0." + strings.Repeat("1", 38)} {
			q.send("a", object{"MessageAttributes": object{"k": numberValue(number)}})
			m := q.one(object{"MessageAttributeNames": []string{"k"}})
			require.Equal(d.t, object{"k": numberValue(number)}, m["MessageAttributes"])
			q.delete(m["ReceiptHandle"].(string))
		}
	}},
	{"5.6/vectors", "The digests are those that SQS was seen to answer.", Both, func(d *desk) {
		q := d.queue("jobs")
		help := object{"General": textValue("Kenobi"), "Hello": textValue("There"), "Help.Me": textValue("Me")}
		only := func(names ...string) object {
			m := maps.Clone(help)
			maps.DeleteFunc(m, func(k string, _ any) bool { return !strings.Contains(strings.Join(names, " "), k) })
			return m
		}
		for _, v := range []struct {
			attributes object
			md5        string
		}{
			{object{"k": textValue("x")}, "a45daa70926828a2f0a1db3418e6feb4"},
			{object{"Hello": textValue("World")}, "7db7fb1ba7f41366a8ea5eb18220b26d"},
			{only("Hello"), "a311262e065454b75da111d535b8dacd"},
			{only("General", "Hello"), "fca026605781cb4126a1e9044df24232"},
			{help, "4c360f3fdafd970e05fae2f149d997f5"},
			{only("Hello", "Help.Me"), "83fee93c1bcd8b9a5a923ffacdc636c7"},
			{object{"timestamp": numberValue("1493147359900")}, "235c5c510d26fb653d073faed50ae77c"},
			{object{"data1": numberValue("1"), "data2": numberValue("2")}, "b53b5acf24e7fd9567705bd8027b1c76"},
			{object{"UserId": typedValue("Number.bigint", "1234567890123456789012")}, "797ab158d73dcb5242dedc4412c8e855"},
			{object{"MyAttribute": textValue("foobar")}, "adb59cd4678ea5a855436b949cd07ab6"},
			{object{"attr1": bytesValue("traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01")}, "8cbe4db156db8a94db8b801b7addb984"},
		} {
			require.Equal(d.t, v.md5, digest(v.attributes), "%v", v.attributes)
			require.Equal(d.t, v.md5, q.send("a", object{"MessageAttributes": v.attributes})["MD5OfMessageAttributes"])
			m := q.one(object{"MessageAttributeNames": []string{"All"}})
			require.Equal(d.t, v.md5, m["MD5OfMessageAttributes"])
			q.delete(m["ReceiptHandle"].(string))
		}
		sent := q.send("a", object{"MessageSystemAttributes": object{"AWSTraceHeader": textValue(traceHeader)}})
		require.Equal(d.t, "5ae4d5d7636402d80f4eb6d213245a88", sent["MD5OfMessageSystemAttributes"])
		require.NotContains(d.t, sent, "MD5OfMessageAttributes")
	}},
}

var systemAttributeRows = []Row{
	{"5.4/only-asked-for", "System attributes are told when asked for, by name or with All, and where they apply.", Both, func(d *desk) {
		q := d.queue("jobs", "VisibilityTimeout", "0")
		q.send("a")
		require.NotContains(d.t, q.one(nil), "Attributes")
		require.Equal(d.t, object{"ApproximateReceiveCount": "2"}, q.one(object{"MessageSystemAttributeNames": []string{"ApproximateReceiveCount"}})["Attributes"])
		require.NotContains(d.t, q.one(object{"AttributeNames": []string{"SequenceNumber", "MessageGroupId", "AWSTraceHeader", "DeadLetterQueueSourceArn"}}), "Attributes")
		all := q.one(object{"AttributeNames": []string{"All"}})["Attributes"].(object)
		require.NotEmpty(d.t, all["SenderId"])
		delete(all, "SenderId")
		d.equalAttributes(object{"SentTimestamp": "946684800000", "ApproximateReceiveCount": "4", "ApproximateFirstReceiveTimestamp": "946684800000"}, all)
	}},
	{"5.4/of-a-fifo-message", "A FIFO queue's message tells its group, its deduplication ID, also one made of the body, and its sequence number of 20 digits.", Both, func(d *desk) {
		q := d.queue("jobs.fifo", "ContentBasedDeduplication", "true")
		sent := q.ok("SendMessage", object{"MessageBody": "a", "MessageGroupId": "g-1"})
		require.Regexp(d.t, `^[0-9]{20}$`, sent["SequenceNumber"])
		all := q.one(object{"MessageSystemAttributeNames": []string{"All"}})["Attributes"].(object)
		require.Equal(d.t, "g-1", all["MessageGroupId"])
		require.Equal(d.t, sent["SequenceNumber"], all["SequenceNumber"])
		require.Equal(d.t, "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb", all["MessageDeduplicationId"])
		require.ElementsMatch(d.t, []string{"SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp", "MessageGroupId", "MessageDeduplicationId", "SequenceNumber"}, keysOf(all))
	}},
	{"5.4/timestamps", "Times of messages are whole milliseconds in decimal, and the first receive's stays.", Both, func(d *desk) {
		q := d.queue("jobs")
		q.send("a")
		d.pass(1234 * time.Millisecond)
		q.one(nil)
		d.pass(31 * time.Second)
		all := q.one(object{"AttributeNames": []string{"SentTimestamp", "ApproximateFirstReceiveTimestamp"}})["Attributes"]
		d.equalAttributes(object{"SentTimestamp": "946684800000", "ApproximateFirstReceiveTimestamp": "946684801234"}, all)
	}},
	{"5.4/trace-header", "AWSTraceHeader travels with the message, is not among its attributes, and is the only system attribute that can be sent.", Both, func(d *desk) {
		q := d.queue("jobs")
		q.send("a", object{"MessageSystemAttributes": object{"AWSTraceHeader": textValue(traceHeader)}})
		m := q.one(object{"AttributeNames": []string{"AWSTraceHeader"}, "MessageAttributeNames": []string{"All"}})
		require.Equal(d.t, object{"AWSTraceHeader": traceHeader}, m["Attributes"])
		require.NotContains(d.t, m, "MessageAttributes")
		q.refuse(invalid, "Message system attribute name 'Nosuch' is invalid.", "SendMessage", object{"MessageBody": "a", "MessageSystemAttributes": object{"Nosuch": textValue("x")}})
		q.refuse(invalid, "Message system attribute name 'SenderId' is invalid.", "SendMessage", object{"MessageBody": "a", "MessageSystemAttributes": object{"SenderId": textValue("x")}})
		q.refuse(invalid, "", "SendMessage", object{"MessageBody": "a", "MessageSystemAttributes": object{"AWSTraceHeader": bytesValue("x")}})
		q.refuse(invalid, "", "SendMessage", object{"MessageBody": "a", "MessageSystemAttributes": object{"AWSTraceHeader": textValue("no trace header")}})
	}},
	{"5.4/trace-header-is-no-eleventh", "A message has up to 10 attributes, and its trace header beside them.", Both, func(d *desk) {
		q, ten := d.queue("jobs"), object{}
		for i := range 10 {
			ten[fmt.Sprint("k", i)] = textValue("x")
		}
		q.send("a", object{"MessageAttributes": ten, "MessageSystemAttributes": object{"AWSTraceHeader": textValue(traceHeader)}})
		require.Equal(d.t, ten, q.one(object{"MessageAttributeNames": []string{"All"}})["MessageAttributes"])
	}},
	{"5.4/trace-header-of-the-request", "The HTTP header X-Amzn-Trace-Id is the trace header of a message that has none of its own, and has no digest.", Both, func(d *desk) {
		q := d.queue("jobs")
		traced := q.from(d.saying("X-Amzn-Trace-Id", traceHeader))
		require.NotContains(d.t, traced.send("a"), "MD5OfMessageSystemAttributes")
		m := q.one(object{"AttributeNames": []string{"AWSTraceHeader"}})
		require.Equal(d.t, object{"AWSTraceHeader": traceHeader}, m["Attributes"])
		q.delete(m["ReceiptHandle"].(string))
		own := strings.Replace(traceHeader, "Sampled=1", "Sampled=0", 1)
		traced.send("b", object{"MessageSystemAttributes": object{"AWSTraceHeader": textValue(own)}})
		require.Equal(d.t, object{"AWSTraceHeader": own}, q.one(object{"AttributeNames": []string{"AWSTraceHeader"}})["Attributes"])
	}},
}
