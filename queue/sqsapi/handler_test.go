package sqsapi_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/sqsapi"
)

const queueURL = "http://localhost:9324/000000000000/q"

// A service is a handler under test, with one Standard queue named q.
type service struct {
	t       *testing.T
	broker  *broker.Broker
	handler http.Handler
}

func newService(t *testing.T) *service {
	t.Helper()
	b := broker.New(broker.Options{})
	t.Cleanup(func() { b.Close() })
	if _, err := b.CreateQueue(context.Background(), "q", nil); err != nil {
		t.Fatal(err)
	}
	return &service{t, b, sqsapi.Handler(b, sqsapi.Options{AllowRemote: true, Hosts: []string{"*"}})}
}

// post sends a body to an action and returns the answer.
func (s *service) post(action, body string) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequest("POST", "http://localhost:9324/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "AmazonSQS."+action)
	return s.serve(r)
}

func (s *service) serve(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

// members are those of a JSON object.
type members map[string]any

// succeed posts members, to q unless they say otherwise, and returns those of
// the answer.
func (s *service) succeed(action string, in members) members {
	s.t.Helper()
	w := s.post(action, s.encode(action, in))
	if w.Code != http.StatusOK {
		s.t.Fatalf("%s %v: %d %s", action, in, w.Code, w.Body)
	}
	out := members{}
	if w.Body.Len() > 0 {
		s.decode(w, &out)
	}
	return out
}

// refuse posts members that must be refused.
func (s *service) refuse(action string, in members, want wireError) {
	s.t.Helper()
	s.check(s.post(action, s.encode(action, in)), want)
}

func (s *service) encode(action string, in members) string {
	s.t.Helper()
	all := members{}
	if strings.HasSuffix(action, "Message") {
		all["QueueUrl"] = queueURL
	}
	for name, value := range in {
		all[name] = value
	}
	body, err := json.Marshal(all)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(body)
}

func (s *service) decode(w *httptest.ResponseRecorder, into any) {
	s.t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
		s.t.Fatalf("answer %s: %v", w.Body, err)
	}
}

// wireError is what an error looks like from outside. An empty message is not
// compared.
type wireError struct {
	status     int
	typeName   string
	queryError string
	message    string
}

func (s *service) check(w *httptest.ResponseRecorder, want wireError) {
	s.t.Helper()
	var body struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	s.decode(w, &body)
	if w.Code != want.status || body.Type != want.typeName || w.Header().Get("x-amzn-query-error") != want.queryError {
		s.t.Errorf("%d %s, x-amzn-query-error: %q (%s)\nwant %d %s, %q", w.Code, body.Type,
			w.Header().Get("x-amzn-query-error"), body.Message, want.status, want.typeName, want.queryError)
	}
	if want.message != "" && body.Message != want.message {
		s.t.Errorf("message %q\nwant    %q", body.Message, want.message)
	}
	if got := w.Header().Get("Content-Type"); got != "application/x-amz-json-1.0" {
		s.t.Errorf("Content-Type %q", got)
	}
}

func serializationError(message string) wireError {
	return wireError{status: 400, typeName: "com.amazon.coral.service#SerializationException", queryError: "SerializationException;Sender", message: message}
}

func invalidParameter(message string) wireError {
	return wireError{status: 400, typeName: "com.amazon.coral.service#InvalidParameterValueException", queryError: "InvalidParameterValue;Sender", message: message}
}

func missingParameter(name string) wireError {
	return wireError{status: 400, typeName: "com.amazon.coral.service#MissingRequiredParameterException", queryError: "MissingParameter;Sender",
		message: "The request must contain the parameter " + name + "."}
}

var (
	noSuchQueue = wireError{status: 400, typeName: "com.amazonaws.sqs#QueueDoesNotExist",
		queryError: "AWS.SimpleQueueService.NonExistentQueue;Sender", message: "The specified queue does not exist."}
	badContents = wireError{status: 400, typeName: "com.amazonaws.sqs#InvalidMessageContents", queryError: "InvalidMessageContents;Sender"}
	unknown     = wireError{status: 400, typeName: "com.amazon.coral.service#UnknownOperationException", queryError: "InvalidAction;Sender"}
)

// --- requests as such

func TestUnknownActions(t *testing.T) {
	s := newService(t)
	s.check(s.post("Nonsense", "{}"), unknown)
	s.check(s.post("sendmessage", "{}"), unknown)
}

func TestRequestsForNoAction(t *testing.T) {
	s := newService(t)
	for _, c := range []struct {
		what   string
		r      *http.Request
		target string
		want   wireError
	}{
		{"another service", httptest.NewRequest("POST", "/", strings.NewReader("{}")), "AmazonSNS.Publish", unknown},
		{"no POST", httptest.NewRequest("GET", "/", nil), "AmazonSQS.GetQueueUrl", unknown},
		{"no target", httptest.NewRequest("POST", "/", strings.NewReader("{}")), "", unknown},
	} {
		t.Run(c.what, func(t *testing.T) {
			c.r.Header.Set("Content-Type", "application/x-amz-json-1.0")
			if c.target != "" {
				c.r.Header.Set("X-Amz-Target", c.target)
			}
			s := *s
			s.t = t
			s.check(s.serve(c.r), c.want)
		})
	}
}

func TestMalformedRequests(t *testing.T) {
	s := newService(t)
	for _, body := range []string{"{", `{"QueueUrl":}`, "{} {}", "nonsense", "{\"MessageBody\":\"\n\"}"} {
		s.check(s.post("SendMessage", body), serializationError("The request is not valid JSON."))
	}
}

func TestEmptyBodyIsAnEmptyObject(t *testing.T) {
	s := newService(t)
	s.check(s.post("SendMessage", ""), missingParameter("QueueUrl"))
	s.check(s.post("SendMessage", " \n"), missingParameter("QueueUrl"))
}

func TestWrongTypes(t *testing.T) {
	s := newService(t)
	for _, c := range []struct{ body, message string }{
		{`[]`, "Expected start of structure or map, found start of list."},
		{`"text"`, "Expected start of structure or map, found STRING_VALUE."},
		{`{"QueueUrl":{}}`, "Start of structure or map found where not expected."},
		{`{"QueueUrl":[]}`, "Start of list found where not expected."},
		{`{"QueueUrl":1}`, "NUMBER_VALUE can not be converted to a String"},
		{`{"QueueUrl":true}`, "TRUE_VALUE can not be converted to a String"},
		{`{"DelaySeconds":"1"}`, "STRING_VALUE can not be converted to an Integer"},
		{`{"DelaySeconds":1.5}`, "NUMBER_VALUE can not be converted to an Integer"},
		{`{"DelaySeconds":2147483648}`, "NUMBER_VALUE can not be converted to an Integer"},
		{`{"MessageAttributes":[]}`, "Expected start of structure or map, found start of list."},
		{`{"MessageAttributes":{"a":"b"}}`, "Expected start of structure or map, found STRING_VALUE."},
		{`{"MessageAttributes":{"a":{"BinaryValue":"!"}}}`, "A blob is not valid base64."},
		{`{"MessageAttributes":{"a":{"StringListValues":"x"}}}`, "Expected list or null, found STRING_VALUE."},
		{`{"MessageGroupId":"\ud800"}`, "A text of the request is not valid Unicode."},
		{`{"MessageAttributes":{"\ud800":{}}}`, "A text of the request is not valid Unicode."},
	} {
		s.check(s.post("SendMessage", c.body), serializationError(c.message))
	}
}

func TestNullAndUnknownMembersAreIgnored(t *testing.T) {
	s := newService(t)
	s.succeed("SendMessage", members{"MessageBody": "a", "DelaySeconds": nil, "MessageAttributes": members{"gone": nil}, "Nonsense": []int{1}})
	// Names are exact, so this is an unknown member.
	s.refuse("SendMessage", members{"messageBody": "a"}, missingParameter("MessageBody"))
}

func TestHugeRequest(t *testing.T) {
	s := newService(t)
	body := `{"QueueUrl":"` + queueURL + `","MessageBody":"` + strings.Repeat("a", 7<<20) + `"}`
	s.check(s.post("SendMessage", body), wireError{status: 413,
		typeName: "com.amazon.coral.service#RequestEntityTooLargeException", queryError: "RequestEntityTooLarge;Sender"})
}

func TestAnswersCarryARequestID(t *testing.T) {
	s := newService(t)
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	one := s.post("ReceiveMessage", "{}").Header().Get("x-amzn-RequestId")
	two := s.post("GetQueueUrl", `{"QueueName":"q"}`).Header().Get("x-amzn-RequestId")
	if !uuid.MatchString(one) || !uuid.MatchString(two) || one == two {
		t.Errorf("request IDs %q and %q", one, two)
	}
}

func TestClosedBroker(t *testing.T) {
	s := newService(t)
	s.broker.Close()
	s.refuse("SendMessage", members{"MessageBody": "a"}, wireError{status: 503,
		typeName: "com.amazon.coral.service#ServiceUnavailableException", queryError: "ServiceUnavailable;Receiver"})
}

// --- queues

func TestCreateQueue(t *testing.T) {
	s := newService(t)
	out := s.succeed("CreateQueue", members{"QueueName": "new", "Attributes": members{"VisibilityTimeout": 60, "DelaySeconds": "5", "MaximumMessageSize": nil}})
	if want := "http://localhost:9324/000000000000/new"; out["QueueUrl"] != want || len(out) != 1 {
		t.Errorf("answer %v, want the QueueUrl %s alone", out, want)
	}
	for _, c := range []struct {
		in   members
		want wireError
	}{
		{members{}, invalidParameter("Value for parameter QueueName is invalid. Reason: Must specify a queue name.")},
		{members{"QueueName": ""}, invalidParameter("Queue name cannot be empty")},
		{members{"QueueName": "a b"}, invalidParameter("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")},
		{members{"QueueName": "a", "Attributes": members{"FifoQueue": "true"}},
			invalidParameter("The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.")},
		{members{"QueueName": "a", "Attributes": members{"Nonsense": "1"}},
			wireError{400, "com.amazonaws.sqs#InvalidAttributeName", "InvalidAttributeName;Sender", "Unknown Attribute Nonsense."}},
		{members{"QueueName": "a", "Attributes": members{"FifoThroughputLimit": "perQueue"}},
			wireError{400, "com.amazonaws.sqs#InvalidAttributeName", "InvalidAttributeName;Sender",
				"You can specify the FifoThroughputLimit only when FifoQueue is set to true."}},
		{members{"QueueName": "a", "Attributes": members{"DelaySeconds": "901"}},
			wireError{400, "com.amazonaws.sqs#InvalidAttributeValue", "InvalidAttributeValue;Sender", "Invalid value for the parameter DelaySeconds."}},
		{members{"QueueName": "new", "Attributes": members{"VisibilityTimeout": "61"}},
			wireError{400, "com.amazonaws.sqs#QueueNameExists", "QueueAlreadyExists;Sender",
				"A queue already exists with the same name and a different value for attribute VisibilityTimeout"}},
		{members{"QueueName": "a", "Attributes": members{"RedrivePolicy": "{}"}},
			invalidParameter("Value {} for parameter RedrivePolicy is invalid. Reason: Redrive policy does not contain mandatory attribute: maxReceiveCount.")},
	} {
		s.refuse("CreateQueue", c.in, c.want)
	}
	s.refuse("GetQueueUrl", members{"QueueName": "a"}, noSuchQueue)
}

func TestGetQueueURL(t *testing.T) {
	s := newService(t)
	for _, in := range []members{{"QueueName": "q"}, {"QueueName": "q", "QueueOwnerAWSAccountId": "000000000000"}} {
		if out := s.succeed("GetQueueUrl", in); out["QueueUrl"] != queueURL {
			t.Errorf("%v: %v, want %s", in, out, queueURL)
		}
	}
	s.refuse("GetQueueUrl", members{}, missingParameter("QueueName"))
	s.refuse("GetQueueUrl", members{"QueueName": "nobody"}, noSuchQueue)
	s.refuse("GetQueueUrl", members{"QueueName": "q", "QueueOwnerAWSAccountId": "123456789012"}, noSuchQueue)
}

func TestQueueURLsFollowTheRequest(t *testing.T) {
	s := newService(t)
	ask := func(h http.Handler, change func(*http.Request)) any {
		r := httptest.NewRequest("POST", "/000000000000/q", strings.NewReader(`{"QueueName":"q"}`))
		r.Header.Set("X-Amz-Target", "AmazonSQS.GetQueueUrl")
		r.Host = "queues.test:1"
		change(r)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		out := members{}
		s.decode(w, &out)
		return out["QueueUrl"]
	}
	configured := sqsapi.Handler(s.broker, sqsapi.Options{BaseURL: "https://outside.test/", AllowRemote: true, Hosts: []string{"queues.test"}})
	for _, c := range []struct {
		what   string
		h      http.Handler
		change func(*http.Request)
		want   string
	}{
		{"plain", s.handler, func(*http.Request) {}, "http://queues.test:1/000000000000/q"},
		{"over TLS", s.handler, func(r *http.Request) { r.TLS = new(tls.ConnectionState) }, "https://queues.test:1/000000000000/q"},
		{"without a host", s.handler, func(r *http.Request) { r.Host = "" }, "https://sqs.us-east-1.amazonaws.com/000000000000/q"},
		{"configured", configured, func(*http.Request) {}, "https://outside.test/000000000000/q"},
	} {
		if got := ask(c.h, c.change); got != c.want {
			t.Errorf("%s: %v, want %s", c.what, got, c.want)
		}
	}
}

func TestWhichQueueAURLNames(t *testing.T) {
	s := newService(t)
	for _, url := range []string{"q", "https://anywhere.test/000000000000/q", "http://localhost:1/prefix/000000000000/q", "/000000000000/q"} {
		s.succeed("SendMessage", members{"QueueUrl": url, "MessageBody": "a"})
	}
	for _, url := range []string{"Q", "://", "http://localhost:1/q", "http://localhost:1/team/q", "http://localhost/123456789012/q", "http://localhost/000000000000/q/", "http://localhost", "\t"} {
		s.refuse("SendMessage", members{"QueueUrl": url, "MessageBody": "a"}, noSuchQueue)
	}
	s.refuse("SendMessage", members{"QueueUrl": "", "MessageBody": "a"}, missingParameter("QueueUrl"))
}

// --- messages

// receiveOne receives the one message there is.
func (s *service) receiveOne(in members) members {
	s.t.Helper()
	messages, _ := s.succeed("ReceiveMessage", in)["Messages"].([]any)
	if len(messages) != 1 {
		s.t.Fatalf("received %v, want one message", messages)
	}
	return messages[0].(map[string]any)
}

func TestSendReceiveDelete(t *testing.T) {
	s := newService(t)
	sent := s.succeed("SendMessage", members{"MessageBody": "a"})
	if len(sent) != 2 || sent["MD5OfMessageBody"] != "0cc175b9c0f1b6a831c399e269772661" || len(sent["MessageId"].(string)) != 36 {
		t.Errorf("sent %v; want MessageId and MD5OfMessageBody alone", sent)
	}
	got := s.receiveOne(nil)
	if len(got) != 4 || got["MessageId"] != sent["MessageId"] || got["Body"] != "a" || got["MD5OfBody"] != sent["MD5OfMessageBody"] {
		t.Errorf("received %v; want MessageId, ReceiptHandle, MD5OfBody and Body alone", got)
	}
	handle := got["ReceiptHandle"].(string)
	if handle == "" || strings.ContainsAny(handle, "-#") {
		t.Errorf("receipt handle %q", handle)
	}
	for range 2 { // deleting again is no error
		w := s.post("DeleteMessage", s.encode("DeleteMessage", members{"ReceiptHandle": handle}))
		if w.Code != 200 || w.Body.Len() != 0 {
			t.Errorf("DeleteMessage: %d %q, want 200 and nothing", w.Code, w.Body)
		}
	}
}

func TestEmptyReceive(t *testing.T) {
	s := newService(t)
	w := s.post("ReceiveMessage", s.encode("ReceiveMessage", nil))
	if w.Code != 200 || w.Body.String() != "{}" {
		t.Errorf("answer %d %q, want {}", w.Code, w.Body)
	}
}

func TestBodyComesBackByteForByte(t *testing.T) {
	s := newService(t)
	for _, body := range []string{"a\r\nb\tc\n", "<&>\u2028\u2029", "é€😀", "\u0020", "\x7f", "\ufffd", "\uE000", "\U0010FFFF", `"\`} {
		s.succeed("SendMessage", members{"MessageBody": body})
		if got := s.receiveOne(nil); got["Body"] != body {
			t.Errorf("sent %q, received %q", body, got["Body"])
		}
	}
}

func TestLargestMessage(t *testing.T) {
	s := newService(t)
	// Every byte escaped, which is the most that a client may need.
	body := strings.Repeat(`\u0022`, queue.MaxMessage)
	w := s.post("SendMessage", `{"QueueUrl":"q","MessageBody":"`+body+`"}`)
	if w.Code != 200 {
		t.Fatalf("answer %d %s", w.Code, w.Body)
	}
	s.refuse("SendMessage", members{"MessageBody": strings.Repeat("a", queue.MaxMessage+1)},
		invalidParameter("One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes."))
}

func TestRefusedText(t *testing.T) {
	s := newService(t)
	unlimited, err := s.broker.Create(t.Context(), "unlimited", queue.Config{Limits: queue.Unlimited})
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{queueURL, unlimited.URL("")} {
		for _, body := range []string{`\ud800`, `\udc00\ud800`, "\xff", "\xed\xa0\x80"} {
			s.check(s.post("SendMessage", `{"QueueUrl":"`+url+`","MessageBody":"`+body+`"}`), badContents)
			s.check(s.post("SendMessage", `{"QueueUrl":"`+url+`","MessageBody":"a","MessageAttributes":{"k":{"DataType":"String","StringValue":"`+body+`"}}}`),
				invalidParameter(""))
		}
	}
	for _, body := range []string{`\u0000`, `\u001f`, `\ufffe`, `\uffff`, "\uffff"} {
		s.check(s.post("SendMessage", `{"QueueUrl":"q","MessageBody":"`+body+`"}`), badContents)
	}
	for _, name := range []string{"q", "unlimited"} {
		if out := s.succeed("ReceiveMessage", members{"QueueUrl": name}); len(out) != 0 {
			t.Errorf("a refused message was received: %v", out)
		}
	}
}

func TestRefusedSends(t *testing.T) {
	s := newService(t)
	if _, err := s.broker.CreateQueue(t.Context(), "q.fifo", map[string]string{"FifoQueue": "true"}); err != nil {
		t.Fatal(err)
	}
	text := func(v string) members { return members{"DataType": "String", "StringValue": v} }
	eleven := members{}
	for _, name := range strings.Split("abcdefghijk", "") {
		eleven[name] = text("x")
	}
	for _, c := range []struct {
		in   members
		want wireError
	}{
		{members{}, missingParameter("MessageBody")},
		{members{"MessageBody": ""}, missingParameter("MessageBody")},
		{members{"DelaySeconds": 901}, invalidParameter("Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.")},
		{members{"DelaySeconds": -1}, invalidParameter("Value -1 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.")},
		{members{"MessageGroupId": ""}, invalidParameter("Value  for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.")},
		{members{"MessageGroupId": "a b"}, invalidParameter("Value a b for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.")},
		{members{"MessageDeduplicationId": "d"}, invalidParameter("Value d for parameter MessageDeduplicationId is invalid. Reason: The request include parameter that is not valid for this queue type.")},
		{members{"MessageAttributes": eleven}, invalidParameter("Number of message attributes [11] exceeds the allowed maximum [10].")},
		{members{"MessageAttributes": members{"k": members{"DataType": "String"}}}, invalidParameter("The message (user) attribute 'k' must contain a non-empty message attribute value.")},
		{members{"MessageAttributes": members{"k": members{"DataType": "Binary", "StringValue": "x"}}}, invalidParameter("The message (user) attribute 'k' must contain a non-empty message attribute value.")},
		{members{"MessageAttributes": members{"k": text("")}}, invalidParameter("")},
		{members{"MessageAttributes": members{"k": members{"DataType": "Text", "StringValue": "x"}}}, invalidParameter("")},
		{members{"MessageAttributes": members{"AWS.k": text("x")}}, invalidParameter("")},
		{members{"MessageAttributes": members{"k": members{"DataType": "String", "StringListValues": []string{"x"}}}},
			invalidParameter("Message attribute list values in SendMessage operation are not supported.")},
		{members{"MessageSystemAttributes": members{"Other": text("x")}}, invalidParameter("Message system attribute name 'Other' is invalid.")},
		{members{"QueueUrl": "q.fifo"}, missingParameter("MessageGroupId")},
		{members{"QueueUrl": "q.fifo", "MessageGroupId": "g"},
			invalidParameter("The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")},
		{members{"QueueUrl": "q.fifo", "MessageGroupId": "g", "MessageDeduplicationId": "d", "DelaySeconds": 1},
			invalidParameter("Value 1 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type.")},
	} {
		if _, given := c.in["MessageBody"]; !given && c.want != missingParameter("MessageBody") {
			c.in["MessageBody"] = "a"
		}
		s.refuse("SendMessage", c.in, c.want)
	}
	if out := s.succeed("ReceiveMessage", nil); len(out) != 0 {
		t.Errorf("a refused message was received: %v", out)
	}
}

func TestMessageAttributes(t *testing.T) {
	s := newService(t)
	sent := s.succeed("SendMessage", members{"MessageBody": "a", "MessageAttributes": members{
		"Hello":   members{"DataType": "String", "StringValue": "There"},
		"General": members{"DataType": "String", "StringValue": "Kenobi"},
		"Help.Me": members{"DataType": "String", "StringValue": "Me"},
	}})
	if got := sent["MD5OfMessageAttributes"]; got != "4c360f3fdafd970e05fae2f149d997f5" {
		t.Errorf("MD5 of all is %v", got)
	}
	for _, c := range []struct {
		names []string
		count int
		md5   any
	}{
		{[]string{"All"}, 3, "4c360f3fdafd970e05fae2f149d997f5"},
		{[]string{".*"}, 3, "4c360f3fdafd970e05fae2f149d997f5"},
		{[]string{"*"}, 3, "4c360f3fdafd970e05fae2f149d997f5"},
		{[]string{"Hel.*"}, 2, "83fee93c1bcd8b9a5a923ffacdc636c7"},
		{[]string{"Hello", "General"}, 2, "fca026605781cb4126a1e9044df24232"},
		{[]string{"Hello", "Nobody", "AWS.", "..foo"}, 1, "a311262e065454b75da111d535b8dacd"},
		{[]string{"Nobody"}, 0, nil},
		{nil, 0, nil},
	} {
		got := s.receiveOne(members{"MessageAttributeNames": c.names, "VisibilityTimeout": 0})
		attributes, _ := got["MessageAttributes"].(map[string]any)
		if len(attributes) != c.count || got["MD5OfMessageAttributes"] != c.md5 {
			t.Errorf("%q: %v", c.names, got)
		}
		if _, present := got["MessageAttributes"]; present != (c.count > 0) {
			t.Errorf("%q: MessageAttributes present: %t", c.names, present)
		}
	}
}

func TestBinaryAndNumberAttributes(t *testing.T) {
	s := newService(t)
	s.succeed("SendMessage", members{"MessageBody": "a", "MessageAttributes": members{
		"b": members{"DataType": "Binary.png", "BinaryValue": []byte{0, 1, 255}},
		"n": members{"DataType": "Number.float", "StringValue": "01.50"},
	}})
	attributes := s.receiveOne(members{"MessageAttributeNames": []string{"All"}})["MessageAttributes"].(map[string]any)
	b, n := attributes["b"].(map[string]any), attributes["n"].(map[string]any)
	if len(b) != 2 || b["DataType"] != "Binary.png" || b["BinaryValue"] != "AAH/" {
		t.Errorf("binary attribute %v", b)
	}
	if len(n) != 2 || n["DataType"] != "Number.float" || n["StringValue"] != "01.50" {
		t.Errorf("number attribute %v", n)
	}
}

func TestSystemAttributes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		const trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
		sent := s.succeed("SendMessage", members{"MessageBody": "a", "MessageGroupId": "g",
			"MessageSystemAttributes": members{"AWSTraceHeader": members{"DataType": "String", "StringValue": trace}}})
		if got := sent["MD5OfMessageSystemAttributes"]; got != "5ae4d5d7636402d80f4eb6d213245a88" {
			t.Errorf("MD5 of the system attributes is %v", got)
		}
		time.Sleep(1500 * time.Millisecond)
		s.receiveOne(members{"VisibilityTimeout": 0})
		time.Sleep(time.Second)
		// A bubble's time begins with the year 2000.
		all := map[string]string{
			"SenderId": "000000000000", "SentTimestamp": "946684800000", "ApproximateReceiveCount": "2",
			"ApproximateFirstReceiveTimestamp": "946684801500", "MessageGroupId": "g", "AWSTraceHeader": trace,
		}
		got := s.receiveOne(members{"VisibilityTimeout": 0, "AttributeNames": []string{"All"}, "MessageSystemAttributeNames": []string{"SenderId"}})
		attributes := got["Attributes"].(map[string]any)
		if len(attributes) != len(all) {
			t.Errorf("attributes %v, want %v", attributes, all)
		}
		for name, want := range all {
			if attributes[name] != want {
				t.Errorf("%s is %v, want %s", name, attributes[name], want)
			}
		}
		got = s.receiveOne(members{"AttributeNames": []string{"ApproximateReceiveCount"}, "MessageSystemAttributeNames": []string{"SenderId", "Nonsense"}})
		attributes = got["Attributes"].(map[string]any)
		if len(attributes) != 2 || attributes["ApproximateReceiveCount"] != "3" || attributes["SenderId"] == nil {
			t.Errorf("attributes %v, want the two names' union", attributes)
		}
	})
}

func TestTraceHeaderOfTheRequest(t *testing.T) {
	s := newService(t)
	r := httptest.NewRequest("POST", "/", strings.NewReader(`{"QueueUrl":"q","MessageBody":"a"}`))
	r.Header.Set("X-Amz-Target", "AmazonSQS.SendMessage")
	r.Header.Set("X-Amzn-Trace-Id", "Root=1-67891233-abcdef012345678912345678")
	if w := s.serve(r); strings.Contains(w.Body.String(), "SystemAttributes") {
		t.Errorf("answer %s; the MD5 is of attributes that were sent", w.Body)
	}
	got := s.receiveOne(members{"MessageSystemAttributeNames": []string{"AWSTraceHeader"}})
	if got["Attributes"].(map[string]any)["AWSTraceHeader"] != "Root=1-67891233-abcdef012345678912345678" {
		t.Errorf("received %v", got)
	}
}

func TestRefusedReceives(t *testing.T) {
	s := newService(t)
	s.succeed("SendMessage", members{"MessageBody": "a"})
	for _, c := range []struct {
		in      members
		message string
	}{
		{members{"MaxNumberOfMessages": 11}, "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."},
		{members{"MaxNumberOfMessages": 0}, "Value 0 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."},
		{members{"MaxNumberOfMessages": -1}, "Value -1 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."},
		{members{"WaitTimeSeconds": 21}, "Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided."},
		{members{"WaitTimeSeconds": -1}, "Value -1 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided."},
		{members{"VisibilityTimeout": 43201}, "Value 43201 for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200, if provided."},
		{members{"VisibilityTimeout": 2147483647}, "Value 2147483647 for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200, if provided."},
	} {
		s.refuse("ReceiveMessage", c.in, invalidParameter(c.message))
	}
	s.refuse("ReceiveMessage", members{"QueueUrl": "nobody"}, noSuchQueue)
	s.receiveOne(nil)
}

func TestRefusedDeletes(t *testing.T) {
	s := newService(t)
	s.broker.CreateQueue(t.Context(), "other", nil)
	s.succeed("SendMessage", members{"MessageBody": "a"})
	handle := s.receiveOne(nil)["ReceiptHandle"].(string)
	invalid := func(handle string) wireError {
		return wireError{status: 404, typeName: "com.amazonaws.sqs#ReceiptHandleIsInvalid", queryError: "ReceiptHandleIsInvalid;Sender",
			message: `The input receipt handle "` + handle + `" is not a valid receipt handle.`}
	}
	s.refuse("DeleteMessage", members{"ReceiptHandle": "garbage"}, invalid("garbage"))
	s.refuse("DeleteMessage", members{"ReceiptHandle": strings.ToUpper(handle)}, invalid(strings.ToUpper(handle)))
	s.refuse("DeleteMessage", members{"ReceiptHandle": handle, "QueueUrl": "other"}, invalid(handle))
	s.refuse("DeleteMessage", members{"ReceiptHandle": " "}, missingParameter("ReceiptHandle"))
	s.refuse("DeleteMessage", members{}, missingParameter("ReceiptHandle"))
	s.refuse("DeleteMessage", members{"ReceiptHandle": handle, "QueueUrl": "nobody"}, noSuchQueue)
}

// Zero seconds are a value, absence means the queue's own.
func TestZeroAndAbsentSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		s.succeed("CreateQueue", members{"QueueName": "slow", "Attributes": members{
			"DelaySeconds": "10", "ReceiveMessageWaitTimeSeconds": "5", "VisibilityTimeout": "60"}})
		receive := func(in members) (messages int, took time.Duration) {
			in["QueueUrl"] = "slow"
			start := time.Now()
			list, _ := s.succeed("ReceiveMessage", in)["Messages"].([]any)
			return len(list), time.Since(start)
		}
		if n, took := receive(members{"WaitTimeSeconds": 0}); n != 0 || took != 0 {
			t.Errorf("WaitTimeSeconds 0: %d messages after %v", n, took)
		}
		if n, took := receive(members{}); n != 0 || took != 5*time.Second {
			t.Errorf("no WaitTimeSeconds: %d messages after %v; the queue waits 5s", n, took)
		}
		s.succeed("SendMessage", members{"QueueUrl": "slow", "MessageBody": "a"})
		if n, _ := receive(members{"WaitTimeSeconds": 9}); n != 0 {
			t.Error("no DelaySeconds: received before the queue's delay")
		}
		if n, _ := receive(members{"WaitTimeSeconds": 2}); n != 1 {
			t.Error("no DelaySeconds: not received after the queue's delay")
		}
		s.succeed("SendMessage", members{"QueueUrl": "slow", "MessageBody": "b", "DelaySeconds": 0})
		for range 2 {
			if n, _ := receive(members{"WaitTimeSeconds": 0, "VisibilityTimeout": 0}); n != 1 {
				t.Error("DelaySeconds 0 and VisibilityTimeout 0: the message is not there")
			}
		}
	})
}

// --- time

func TestLongPollEndsWithTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		r := httptest.NewRequest("POST", "/", strings.NewReader(`{"QueueUrl":"q","WaitTimeSeconds":20}`)).WithContext(ctx)
		r.Header.Set("X-Amz-Target", "AmazonSQS.ReceiveMessage")
		start := time.Now()
		w := s.serve(r)
		if took := time.Since(start); took != 3*time.Second || w.Code != http.StatusServiceUnavailable {
			t.Errorf("%d after %v; want 503 after 3s", w.Code, took)
		}
		s.succeed("SendMessage", members{"MessageBody": "a"})
		if got := s.receiveOne(members{"MessageSystemAttributeNames": []string{"All"}}); got["Attributes"].(map[string]any)["ApproximateReceiveCount"] != "1" {
			t.Errorf("received %v; the ended poll took something", got)
		}
	})
}

// Over a socket the request's context ends when the client hangs up.
func TestLongPollEndsWhenTheClientHangsUp(t *testing.T) {
	s := newService(t)
	server := httptest.NewServer(s.handler)
	defer server.Close()
	q, err := s.broker.GetQueue("q")
	if err != nil {
		t.Fatal(err)
	}
	inspector, _ := queue.As[queue.Inspector](q)
	waiting := func(want int) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			stats, err := inspector.Stats(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if stats.Waiting == want {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%d receivers wait, want %d", stats.Waiting, want)
			}
		}
	}

	ctx, hangUp := context.WithCancel(t.Context())
	r, _ := http.NewRequestWithContext(ctx, "POST", server.URL, strings.NewReader(`{"QueueUrl":"q","WaitTimeSeconds":20}`))
	r.Header.Set("X-Amz-Target", "AmazonSQS.ReceiveMessage")
	done := make(chan error)
	go func() { // ends with the request
		_, err := server.Client().Do(r)
		done <- err
	}()
	waiting(1)
	hangUp()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("the poll ended with %v", err)
	}
	waiting(0)
	s.succeed("SendMessage", members{"MessageBody": "a"})
	got := s.receiveOne(members{"MessageSystemAttributeNames": []string{"All"}})
	if got["Attributes"].(map[string]any)["ApproximateReceiveCount"] != "1" {
		t.Errorf("received %v; the ended poll took something", got)
	}
}

// --- in process

type closing struct {
	bytes.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

func TestClientServesInProcess(t *testing.T) {
	s := newService(t)
	body := &closing{Reader: *bytes.NewReader([]byte(`{"QueueName":"q"}`))}
	r, err := http.NewRequest("POST", "https://sqs.us-east-1.amazonaws.com/", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", "AmazonSQS.GetQueueUrl")
	answer, err := (&http.Client{Transport: sqsapi.Client(s.broker)}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var out members
	if err := json.NewDecoder(answer.Body).Decode(&out); err != nil {
		t.Fatal(err)
	}
	if want := "https://sqs.us-east-1.amazonaws.com/000000000000/q"; answer.StatusCode != 200 || out["QueueUrl"] != want {
		t.Errorf("answer %s %v, want %s", answer.Status, out, want)
	}
	if !body.closed {
		t.Error("the request's body is still open")
	}
}

func TestClientRefusesHugeRequests(t *testing.T) {
	s := newService(t)
	r, _ := http.NewRequest("POST", "https://localhost/", strings.NewReader(strings.Repeat(" ", 7<<20)))
	r.Header.Set("X-Amz-Target", "AmazonSQS.GetQueueUrl")
	answer, err := sqsapi.Client(s.broker).Do(r)
	if err != nil || answer.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("answer %v, %v; want 413", answer, err)
	}
}

func TestClientReturnsTheContextsError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		poll := func(ctx context.Context) error {
			r, _ := http.NewRequestWithContext(ctx, "POST", "https://localhost/", strings.NewReader(`{"QueueUrl":"q","WaitTimeSeconds":20}`))
			r.Header.Set("X-Amz-Target", "AmazonSQS.ReceiveMessage")
			_, err := sqsapi.Client(s.broker).Do(r)
			return err
		}
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Second, cancel)
		if err := poll(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("ended while polling: %v, want context.Canceled", err)
		}
		if err := poll(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("ended before: %v, want context.Canceled", err)
		}
	})
}

// A handler that is pinned to an account serves no other, however it is named.
func TestPinnedHandlerServesOneAccount(t *testing.T) {
	s := newService(t)
	other := broker.Scope{Account: "111122223333"}
	if _, err := s.broker.In(other).CreateQueue(t.Context(), "theirs", nil); err != nil {
		t.Fatal(err)
	}
	const theirs = "http://localhost/111122223333/theirs"
	s.succeed("SendMessage", members{"QueueUrl": theirs, "MessageBody": "a"})
	s.succeed("GetQueueUrl", members{"QueueName": "theirs", "QueueOwnerAWSAccountId": "111122223333"})

	s.handler = sqsapi.Handler(s.broker, sqsapi.Options{AllowRemote: true, Hosts: []string{"*"}, Scope: broker.Scope{Account: "000000000000"}})
	s.refuse("SendMessage", members{"QueueUrl": theirs, "MessageBody": "a"}, noSuchQueue)
	s.refuse("GetQueueUrl", members{"QueueName": "theirs", "QueueOwnerAWSAccountId": "111122223333"}, noSuchQueue)
	s.succeed("SendMessage", members{"MessageBody": "a"})
}
