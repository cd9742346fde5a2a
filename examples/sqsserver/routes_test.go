package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/restantemq/restante/queue/broker"
)

func TestHealth(t *testing.T) {
	s := serveHere(t)
	status, body := s.get("/health")
	if status != http.StatusOK || body != "{\"status\": \"ok\"}\n" {
		t.Errorf("/health: %d, %s", status, body)
	}
	status, body = s.get("/_localstack/health")
	var health struct{ Services map[string]string }
	if err := json.Unmarshal([]byte(body), &health); err != nil || status != http.StatusOK || health.Services["sqs"] != "running" {
		t.Errorf("/_localstack/health: %d, %s, %v", status, body, err)
	}
	if !strings.Contains(body, `"sqs": "running"`) { // as scripts search for it
		t.Errorf("/_localstack/health: %s", body)
	}
}

func TestHealthOfAClosedBroker(t *testing.T) {
	b := broker.New(broker.Options{})
	s := newService(b, settings{})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/health", "/_localstack/health", "/_aws/sqs/messages?QueueUrl=orders"} {
		if w := ask(s, path, "127.0.0.1:1", "localhost", ""); w.Code != http.StatusServiceUnavailable {
			t.Errorf("%s: %d, %s", path, w.Code, w.Body)
		}
	}
}

// ask asks a service for a page.
func ask(h http.Handler, path, from, host, origin string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.RemoteAddr, r.Host = from, host
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// Every page has the API's rule about who may ask.
func TestWhoMayAsk(t *testing.T) {
	const near, far = "127.0.0.1:1", "192.0.2.1:1"
	withKeys := settings{accessKey: "a", secretKey: "b"}
	for _, c := range []struct {
		name               string
		s                  settings
		from, host, origin string
		served             bool
	}{
		{"this machine", settings{}, near, "localhost:9324", "", true},
		{"a socket", settings{}, "@", "localhost", "", true},
		{"another machine", settings{}, far, "localhost:9324", "", false},
		{"another machine, which is allowed", settings{allowRemote: true}, far, "192.0.2.2:9324", "", true},
		{"another name", settings{}, near, "evil.example", "", false},
		{"another name, which is allowed", settings{hosts: []string{"sqs"}}, near, "sqs:9324", "", true},
		{"the name of the base URL", settings{baseURL: "http://queues:9324"}, near, "queues:9324", "", true},
		{"another machine by a name", settings{allowRemote: true}, far, "sqs:9324", "", false},
		{"another site", settings{}, near, "localhost", "https://evil.example", false},
		{"this site", settings{}, near, "localhost", "http://localhost:3000", true},
		{"another machine, with keys", withKeys, far, "evil.example", "", true},
	} {
		b := broker.New(broker.Options{})
		if _, err := b.CreateQueue(t.Context(), "orders", nil); err != nil {
			t.Fatal(err)
		}
		s := newService(b, c.s)
		for _, path := range []string{"/health", "/_localstack/health", "/_aws/sqs/messages?QueueUrl=orders", "/_aws/sqs/messages/us-east-1/000000000000/orders", "/?Action=ListQueues"} {
			want := http.StatusOK
			switch looks := strings.HasPrefix(path, messagesPath); {
			case !c.served, c.s.accessKey != "" && strings.HasPrefix(path, "/?"):
				want = http.StatusForbidden
			case c.s.accessKey != "" && looks:
				want = http.StatusUnauthorized
			}
			if w := ask(s, path, c.from, c.host, c.origin); w.Code != want {
				t.Errorf("%s asks for %s: %d, %s; want %d", c.name, path, w.Code, w.Body, want)
			}
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

// With keys, the API wants signatures, and who looks into queues tells them.
func TestKeys(t *testing.T) {
	t.Setenv(secretVariable, "it's a secret")
	s := serveHere(t, "-queue", "orders", "-access-key", "AKIDEXAMPLE")
	if strings.Contains(s.out.String()+s.errOut.String(), "it's a secret") || !strings.Contains(s.out.String(), "AWS_ACCESS_KEY_ID=AKIDEXAMPLE") {
		t.Errorf("it printed %q", s.out.String())
	}
	if err := s.call("ListQueues", fields{}, nil); err == nil || !strings.Contains(err.Error(), "MissingAuthenticationToken") {
		t.Errorf("an unsigned request: %v", err)
	}
	for _, c := range []struct {
		id, secret string
		status     int
	}{
		{"AKIDEXAMPLE", "it's a secret", http.StatusOK},
		{"AKIDEXAMPLE", "wrong", http.StatusUnauthorized},
		{"wrong", "it's a secret", http.StatusUnauthorized},
		{"", "", http.StatusUnauthorized},
	} {
		r, err := http.NewRequest(http.MethodGet, s.base+"/_aws/sqs/messages?QueueUrl=orders", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth(c.id, c.secret)
		answer, err := s.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != c.status {
			t.Errorf("%s:%s looks into a queue: %s", c.id, c.secret, answer.Status)
		}
	}
}

// A message in one of the forms.
type seen struct {
	MessageID, Body, MD5OfBody string
	Attributes                 map[string]string
}

type pair struct{ Name, Value string }

func pairs(list []pair) map[string]string {
	m := make(map[string]string)
	for _, p := range list {
		m[p.Name] = p.Value
	}
	return m
}

// look returns the messages of a queue, after checking that all forms agree.
func look(t *testing.T, s *server, query string) []seen {
	t.Helper()
	type message struct {
		MessageID string `xml:"MessageId"`
		Body      string
		MD5OfBody string
		Attribute []pair
	}
	var inXML struct {
		Message []message `xml:"ReceiveMessageResult>Message"`
	}
	_, text := s.get(messagesPath + query)
	if err := xml.Unmarshal([]byte(text), &inXML); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	var inJSON struct {
		ReceiveMessageResponse struct {
			ReceiveMessageResult struct{ Message []message }
			ResponseMetadata     struct{ RequestID string }
		}
	}
	_, text = s.get(messagesPath+query, "Accept", "application/json")
	if err := json.Unmarshal([]byte(text), &inJSON); err != nil || inJSON.ReceiveMessageResponse.ResponseMetadata.RequestID == "" {
		t.Fatalf("%s: %v", text, err)
	}
	if a, b := inXML.Message, inJSON.ReceiveMessageResponse.ReceiveMessageResult.Message; len(a)+len(b) > 0 && !reflect.DeepEqual(a, b) {
		t.Errorf("in XML %v, in JSON %v", a, b)
	}
	var sdk struct{ Messages []seen }
	_, text = s.get(messagesPath+query, "Accept", "application/x-amz-json-1.0")
	if err := json.Unmarshal([]byte(text), &sdk); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	var other []seen
	for _, m := range inXML.Message {
		other = append(other, seen{m.MessageID, m.Body, m.MD5OfBody, pairs(m.Attribute)})
	}
	if len(sdk.Messages)+len(other) > 0 && !reflect.DeepEqual(sdk.Messages, other) {
		t.Errorf("for an SDK %v, in XML %v", sdk.Messages, other)
	}
	return sdk.Messages
}

// Messages are seen in every state, and stay in it.
func TestMessages(t *testing.T) {
	s := serveHere(t, "-queue", "orders")
	url := s.url("orders")
	if got := look(t, s, "?QueueUrl="+url); len(got) != 0 {
		t.Errorf("an empty queue shows %v", got)
	}
	var sent struct{ MessageID, MD5OfMessageBody string }
	s.must("SendMessage", fields{"QueueUrl": url, "MessageBody": "in flight"}, nil)
	var first received
	s.must("ReceiveMessage", fields{"QueueUrl": url}, &first)
	s.must("SendMessage", fields{"QueueUrl": url, "MessageBody": "delayed", "DelaySeconds": 900}, nil)
	s.must("SendMessage", fields{"QueueUrl": url, "MessageBody": "visible <&> \"é😀\"\r\n", "MessageAttributes": fields{
		"a": fields{"DataType": "String", "StringValue": "b"}, "c": fields{"DataType": "Binary", "BinaryValue": "AAE="},
	}}, &sent)

	for range 2 { // a look changes nothing
		got := look(t, s, "?QueueUrl="+url)
		if len(got) != 3 {
			t.Fatalf("it shows %v", got)
		}
		for i, want := range []struct{ body, visible, delayed, receives string }{
			{"in flight", "false", "false", "1"},
			{"delayed", "false", "true", "0"},
			{"visible <&> \"é😀\"\r\n", "true", "false", "0"},
		} {
			if m := got[i]; m.Body != want.body || m.Attributes["IsVisible"] != want.visible || m.Attributes["IsDelayed"] != want.delayed || m.Attributes["ApproximateReceiveCount"] != want.receives {
				t.Errorf("message %d is %v; want %v", i, m, want)
			}
		}
		if m := got[2]; m.MessageID != sent.MessageID || m.MD5OfBody != sent.MD5OfMessageBody || m.Attributes["SenderId"] != "000000000000" || m.Attributes["SentTimestamp"] == "" {
			t.Errorf("it shows %v; want %v", m, sent)
		}
	}
	for query, want := range map[string]int{
		"?QueueUrl=orders": 3,
		"?QueueUrl=http://elsewhere/000000000000/orders":       3,
		"/us-east-1/000000000000/orders":                       3,
		"?ShowInvisible=false&QueueUrl=" + url:                 2,
		"?ShowDelayed=false&QueueUrl=" + url:                   2,
		"?ShowDelayed=0&ShowInvisible=False&QueueUrl=" + url:   1,
		"?ShowDelayed=true&ShowInvisible=true&QueueUrl=" + url: 3,
	} {
		if got := look(t, s, query); len(got) != want {
			t.Errorf("%s shows %v; want %d", query, got, want)
		}
	}
	// Of user attributes, in the shape of ReceiveMessage.
	r, err := http.Post(s.base+messagesPath, "application/x-amz-json-1.0", strings.NewReader(`{"QueueUrl":"`+url+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var in struct {
		Messages []struct {
			MessageAttributes map[string]struct {
				DataType, StringValue string
				BinaryValue           []byte
			}
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || len(in.Messages) != 3 {
		t.Fatalf("an SDK gets %v, %v", in, err)
	}
	if a := in.Messages[2].MessageAttributes; a["a"].StringValue != "b" || a["a"].DataType != "String" || !bytes.Equal(a["c"].BinaryValue, []byte{0, 1}) {
		t.Errorf("an SDK gets the attributes %v", a)
	}
	// The receipt works as before.
	s.must("DeleteMessage", fields{"QueueUrl": url, "ReceiptHandle": first.Messages[0].ReceiptHandle}, nil)
	if got := look(t, s, "?QueueUrl="+url); len(got) != 2 {
		t.Errorf("after a delete it shows %v", got)
	}
}

// A message has the same sequence number before and after it is received.
func TestMessagesOfAFIFOQueue(t *testing.T) {
	s := serveHere(t, "-queue", "orders.fifo")
	url := s.url("orders.fifo")
	var sent struct{ SequenceNumber string }
	for _, group := range []string{"g", "h"} {
		s.must("SendMessage", fields{"QueueUrl": url, "MessageBody": "a", "MessageGroupId": group, "MessageDeduplicationId": group}, &sent)
	}
	got := look(t, s, "?QueueUrl="+url)
	if len(got) != 2 || got[1].Attributes["SequenceNumber"] != sent.SequenceNumber || got[1].Attributes["MessageGroupId"] != "h" || got[1].Attributes["MessageDeduplicationId"] != "h" {
		t.Errorf("sent %v, it shows %v", sent, got)
	}
}

func TestMessagesOfNoQueue(t *testing.T) {
	s := serveHere(t, "-queue", "orders")
	for path, says := range map[string]string{
		"":                                       "QueueUrl",
		"?QueueUrl=nobody":                       "QueueDoesNotExist",
		"?QueueUrl=http://x/111111111111/orders": "QueueDoesNotExist",
		"/eu-west-1/000000000000/orders":         "QueueDoesNotExist",
		"/orders":                                "REGION/ACCOUNT/QUEUE",
	} {
		for _, accept := range []string{"text/xml", "application/json", "application/x-amz-json-1.0"} {
			status, body := s.get(messagesPath+path, "Accept", accept)
			if status/100 != 4 || !strings.Contains(body, says) {
				t.Errorf("%s as %s: %d, %s; want %q", path, accept, status, body, says)
			}
		}
	}
}

// What isn't a page is SQS's, whatever its method and its path.
func TestEverythingElseIsSQS(t *testing.T) {
	s := serveHere(t, "-queue", "orders")
	status, body := s.get("/000000000000/orders?Action=SendMessage&MessageBody=hello")
	if status != http.StatusOK || !strings.Contains(body, "<MessageId>") {
		t.Errorf("a Query request: %d, %s", status, body)
	}
	if status, body := s.get("/nonsense"); status == http.StatusOK || !strings.Contains(body, "UnknownOperation") {
		t.Errorf("/nonsense: %d, %s", status, body)
	}
}
