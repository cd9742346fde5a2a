package main

import (
	"bufio"
	"crypto/md5"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
)

// The look into a queue: all its messages, in every state, and none is touched.
// Paths and forms are those of LocalStack:
//
//	GET  /_aws/sqs/messages?QueueUrl=URL
//	GET  /_aws/sqs/messages/REGION/ACCOUNT/QUEUE
//	POST /_aws/sqs/messages, by an SDK that has this for its endpoint: ReceiveMessage
//
// ShowInvisible=false and ShowDelayed=false leave messages out; with LocalStack
// they are left out unless one asks for them.
const messagesPath = "/_aws/sqs/messages"

// A form is how an answer is written. Messages are written one by one, as a queue
// may have more of them than memory.
type form struct {
	contentType           string
	before, between, last string // around the messages; %s in last is the request's ID
	message               func(w io.Writer, m *shown) error
	failure               string // with the error's code and message; both need no quoting
}

var (
	sdkForm = form{
		contentType: "application/x-amz-json-1.0",
		before:      `{"Messages":[`, between: ",", last: "]}",
		message: func(w io.Writer, m *shown) error { return writeJSON(w, m.sdk()) },
		failure: `{"__type":"com.amazonaws.sqs#%s","message":"%s"}`,
	}
	jsonForm = form{
		contentType: "application/json",
		before:      `{"ReceiveMessageResponse":{"ReceiveMessageResult":{"Message":[`, between: ",",
		last:    `]},"ResponseMetadata":{"RequestId":"%s"}}}`,
		message: func(w io.Writer, m *shown) error { return writeJSON(w, m) },
		failure: sdkForm.failure,
	}
	xmlForm = form{
		contentType: "text/xml",
		before:      xml.Header + `<ReceiveMessageResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><ReceiveMessageResult>`,
		last:        `</ReceiveMessageResult><ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></ReceiveMessageResponse>`,
		message:     func(w io.Writer, m *shown) error { return xml.NewEncoder(w).Encode(m) },
		failure:     xml.Header + `<ErrorResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>`,
	}
)

func formOf(r *http.Request) *form {
	switch accept := r.Header.Get("Accept"); {
	case r.Method == http.MethodPost, strings.Contains(accept, "application/x-amz-json"):
		return &sdkForm
	case strings.Contains(accept, "application/json"):
		return &jsonForm
	}
	return &xmlForm
}

func (f *form) fail(w http.ResponseWriter, status int, code, message string) {
	answer(w, status, f.contentType, fmt.Sprintf(f.failure, code, message))
}

// messages answers with the messages of a queue.
func (s *service) messages(w http.ResponseWriter, r *http.Request) {
	f := formOf(r)
	scope, name := broker.Scope{}, ""
	if path := strings.TrimPrefix(r.URL.Path, messagesPath+"/"); path != r.URL.Path && path != "" {
		parts := strings.Split(strings.TrimSuffix(path, "/"), "/")
		if len(parts) != 3 {
			f.fail(w, http.StatusNotFound, "InvalidAddress", "The path is "+messagesPath+"/REGION/ACCOUNT/QUEUE.")
			return
		}
		scope, name = broker.Scope{Region: parts[0], Account: parts[1]}, parts[2]
	} else {
		queueURL, err := queueURLOf(w, r)
		if err != nil {
			f.fail(w, http.StatusBadRequest, "MissingParameter", "The request must contain the parameter QueueUrl.")
			return
		}
		scope.Account, name = splitQueueURL(queueURL)
	}
	b := s.broker.In(scope)
	q, err := b.GetQueue(name)
	switch {
	case errors.Is(err, broker.ErrQueueNotFound):
		f.fail(w, http.StatusBadRequest, "QueueDoesNotExist", "The specified queue does not exist.")
		return
	case err != nil:
		f.fail(w, http.StatusServiceUnavailable, "ServiceUnavailable", "The server is stopping.")
		return
	}
	inspector, _ := queue.As[queue.Inspector](q) // all queues of a broker are Inspectors
	shows := func(parameter string) bool {
		text := strings.ToLower(r.URL.Query().Get(parameter))
		return text != "false" && text != "0"
	}
	invisible, delayed := shows("ShowInvisible"), shows("ShowDelayed")

	out := bufio.NewWriter(&patient{w: w})
	began := false
	begin := func() {
		if !began {
			began = true
			w.Header().Set("Content-Type", f.contentType)
			io.WriteString(out, f.before)
		}
	}
	first := true
	for p, err := range inspector.Peek(r.Context()) {
		if err != nil {
			if !began {
				f.fail(w, http.StatusInternalServerError, "InternalFailure", "The queue can not be read.")
				return
			}
			panic(http.ErrAbortHandler) // what has been sent must not look complete
		}
		if p.State == queue.InFlight && !invisible || p.State == queue.Delayed && !delayed {
			continue
		}
		begin()
		if !first {
			io.WriteString(out, f.between)
		}
		first = false
		if err := f.message(out, show(&p, q.Kind(), b.Scope().Account)); err != nil {
			return // whoever asked has gone
		}
	}
	begin()
	if strings.Contains(f.last, "%s") {
		fmt.Fprintf(out, f.last, requestID())
	} else {
		io.WriteString(out, f.last)
	}
	out.WriteByte('\n')
	out.Flush()
}

// patient gives whoever reads more time with every piece.
type patient struct{ w http.ResponseWriter }

func (p *patient) Write(b []byte) (int, error) {
	// Not every writer has deadlines; those without need no more time.
	_ = http.NewResponseController(p.w).SetWriteDeadline(time.Now().Add(requestTime))
	return p.w.Write(b)
}

// queueURLOf returns the URL that the request names: as a parameter, or in the
// body of an SDK's.
func queueURLOf(w http.ResponseWriter, r *http.Request) (string, error) {
	if text := r.URL.Query().Get("QueueUrl"); text != "" {
		return text, nil
	}
	var in struct{ QueueUrl string }
	if r.Method == http.MethodPost {
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxHeader)).Decode(&in); err != nil {
			return "", err
		}
	}
	if in.QueueUrl == "" {
		return "", errors.New("no QueueUrl")
	}
	return in.QueueUrl, nil
}

// splitQueueURL returns the account and the name of a queue's URL. A bare name is
// that of a queue of one's own.
func splitQueueURL(text string) (account, name string) {
	if _, rest, ok := strings.Cut(text, "://"); ok {
		_, text, _ = strings.Cut(rest, "/")
	}
	parts := strings.Split(text, "/")
	if n := len(parts); n > 1 {
		account = parts[n-2]
	}
	return account, parts[len(parts)-1]
}

// shown is a message as LocalStack shows it. Nobody has received it, so there is
// no receipt handle to delete it by.
type shown struct {
	XMLName                xml.Name         `xml:"Message" json:"-"`
	MessageID              string           `xml:"MessageId" json:"MessageId"`
	MD5OfBody              string           `xml:"MD5OfBody"`
	Body                   string           `xml:"Body"`
	Attribute              []shownSystem    `xml:"Attribute"`
	MD5OfMessageAttributes string           `xml:"MD5OfMessageAttributes,omitempty" json:",omitempty"`
	MessageAttribute       []shownAttribute `xml:"MessageAttribute" json:",omitempty"`
}

type shownSystem struct{ Name, Value string }

type shownAttribute struct {
	Name  string
	Value shownValue
}

type shownValue struct {
	StringValue *string `xml:",omitempty" json:",omitempty"`
	BinaryValue string  `xml:",omitempty" json:",omitempty"` // in base64
	DataType    string
}

func show(p *queue.Peeked, kind queue.Kind, account string) *shown {
	m := &shown{MessageID: p.ID.String(), Body: p.Body}
	sum := md5.Sum([]byte(p.Body))
	m.MD5OfBody = hex.EncodeToString(sum[:])
	put := func(name, value string) {
		if value != "" {
			m.Attribute = append(m.Attribute, shownSystem{name, value})
		}
	}
	put("SenderId", account) // requests carry no identity that is checked
	put("SentTimestamp", milliseconds(p.SentAt))
	put("ApproximateReceiveCount", strconv.Itoa(p.ReceiveCount))
	put("ApproximateFirstReceiveTimestamp", milliseconds(p.FirstReceivedAt))
	put("MessageGroupId", p.GroupID)
	put("MessageDeduplicationId", p.DeduplicationID)
	if kind == queue.FIFO {
		put("SequenceNumber", fmt.Sprintf("%020d", p.Position))
	}
	put("AWSTraceHeader", p.TraceHeader)
	put("DeadLetterQueueSourceArn", p.DeadLetterSource)
	put("IsVisible", strconv.FormatBool(p.State == queue.Visible))
	put("IsDelayed", strconv.FormatBool(p.State == queue.Delayed))
	if p.Attributes.Len() > 0 {
		sum := p.Attributes.MD5()
		m.MD5OfMessageAttributes = hex.EncodeToString(sum[:])
	}
	for name, v := range p.Attributes.All() {
		a := shownAttribute{Name: name, Value: shownValue{DataType: v.Type}}
		if v.IsBinary() {
			a.Value.BinaryValue = base64.StdEncoding.EncodeToString([]byte(v.Data))
		} else {
			a.Value.StringValue = &v.Data
		}
		m.MessageAttribute = append(m.MessageAttribute, a)
	}
	return m
}

// sdk is the message as it stands in an answer to ReceiveMessage in JSON.
func (m *shown) sdk() any {
	system := make(map[string]string, len(m.Attribute))
	for _, a := range m.Attribute {
		system[a.Name] = a.Value
	}
	users := make(map[string]shownValue, len(m.MessageAttribute))
	for _, a := range m.MessageAttribute {
		users[a.Name] = a.Value
	}
	return struct {
		MessageID              string `json:"MessageId"`
		MD5OfBody, Body        string
		Attributes             map[string]string
		MD5OfMessageAttributes string                `json:",omitempty"`
		MessageAttributes      map[string]shownValue `json:",omitempty"`
	}{m.MessageID, m.MD5OfBody, m.Body, system, m.MD5OfMessageAttributes, users}
}

func writeJSON(w io.Writer, value any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false) // no browser reads it
	return e.Encode(value)
}

// milliseconds is the form of a message's timestamps, empty for none.
func milliseconds(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.UnixMilli(), 10)
}

// requestID returns a new name for an answer.
func requestID() string {
	var id queue.MessageID // for its text
	rand.Read(id[:])       // never fails
	return id.String()
}
