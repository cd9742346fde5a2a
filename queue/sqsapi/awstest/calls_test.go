package awstest

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/sqsapi"
)

// actions are all there are.
var actions = []string{
	"AddPermission", "CancelMessageMoveTask", "ChangeMessageVisibility", "ChangeMessageVisibilityBatch",
	"CreateQueue", "DeleteMessage", "DeleteMessageBatch", "DeleteQueue", "GetQueueAttributes", "GetQueueUrl",
	"ListDeadLetterSourceQueues", "ListMessageMoveTasks", "ListQueueTags", "ListQueues", "PurgeQueue",
	"ReceiveMessage", "RemovePermission", "SendMessage", "SendMessageBatch", "SetQueueAttributes",
	"StartMessageMoveTask", "TagQueue", "UntagQueue",
}

// Protocols of SQS.
const (
	jsonProtocol  = "JSON"
	queryProtocol = "Query"
)

// calls notes which actions clients were granted, and in which protocols they
// asked.
type calls struct {
	mu        sync.Mutex // guards all of it; a server has many goroutines
	granted   map[string]int
	protocols map[string]int
}

func (c *calls) note(protocol, action string, status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.granted == nil {
		c.granted, c.protocols = make(map[string]int), make(map[string]int)
	}
	c.protocols[protocol]++
	if status == http.StatusOK {
		c.granted[action]++
	}
}

// check reports actions that were never granted, and a protocol other than the
// one expected.
func (c *calls) check(t *testing.T, protocol string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range actions {
		if c.granted[name] == 0 {
			t.Errorf("%s was never granted", name)
		}
	}
	if len(c.granted) != len(actions) {
		t.Errorf("granted were %v", slices.Sorted(maps.Keys(c.granted)))
	}
	if c.protocols[protocol] == 0 || len(c.protocols) != 1 {
		t.Errorf("requests by protocol: %v, want only %s", c.protocols, protocol)
	}
}

// asked tells the protocol and the action of a request.
func asked(header http.Header, body []byte) (protocol, action string) {
	if _, action, ok := strings.Cut(header.Get("X-Amz-Target"), "."); ok {
		return jsonProtocol, action
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return "neither protocol", ""
	}
	return queryProtocol, form.Get("Action")
}

// inProcess is a client of b without a socket that notes calls.
type inProcess struct {
	client *sqsapi.InProcess
	calls  *calls
}

func (p inProcess) Do(r *http.Request) (*http.Response, error) {
	answer, err := p.client.Do(r)
	if err == nil {
		protocol, action := asked(r.Header, nil)
		p.calls.note(protocol, action, answer.StatusCode)
	}
	return answer, err
}

// serve serves b on the loopback interface until the test ends, and notes calls.
func serve(t *testing.T, b *broker.Broker, o sqsapi.Options) (url string, noted *calls) {
	noted = new(calls)
	handler := sqsapi.Handler(b, o)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("reading a request: %v", err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		to := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		handler.ServeHTTP(to, r)
		protocol, action := asked(r.Header, body)
		noted.note(protocol, action, to.status)
	}))
	t.Cleanup(server.Close)
	return server.URL, noted
}

// statusWriter keeps the status of a response.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
