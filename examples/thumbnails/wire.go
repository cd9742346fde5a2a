package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/restantemq/restante/queue"
)

// A wireQueue is a [queue.Queue] whose messages are in another process, which
// speaks the protocol of Amazon SQS: AWS JSON 1.0 over HTTP. A call is a POST
// whose header X-Amz-Target names the action. It does not sign its requests,
// because sqsapi.Handler asks nobody on its own machine for a signature; for
// Amazon's use an SDK, which does.
//
// The wire makes three differences. Times are whole seconds, and rounded up: a
// message never comes back early. When a connection breaks, a change may have
// been made or not, which is queue.ErrUncertain, and what a Receive was about to
// bring comes back after its visibility timeout. And a message can't be sent to
// the dead-letter queue with a reason: SQS has no such call, so a wireQueue is no
// queue.DeadLetterer.
type wireQueue struct {
	client   *http.Client
	endpoint string
	url      string          // of the queue: its name on the wire
	open     context.Context // ends with Close
	close    context.CancelFunc
}

var _ queue.Queue = (*wireQueue)(nil)

// openWire returns the queue of that name behind an endpoint.
func openWire(ctx context.Context, client *http.Client, endpoint, name string) (*wireQueue, error) {
	q := &wireQueue{client: client, endpoint: endpoint}
	q.open, q.close = context.WithCancel(context.Background())
	a, err := q.call(ctx, "GetQueueUrl", request{QueueName: name})
	if err != nil {
		return nil, errors.Join(err, q.Close())
	}
	q.url = a.QueueUrl
	return q, nil
}

// A request is the input of any of the actions used here, or an entry of a batch.
type request struct {
	QueueUrl, QueueName string `json:",omitempty"`

	Id                     string               `json:",omitempty"` // of an entry
	MessageBody            string               `json:",omitempty"`
	MessageAttributes      map[string]attribute `json:",omitempty"`
	MessageGroupId         string               `json:",omitempty"`
	MessageDeduplicationId string               `json:",omitempty"`
	DelaySeconds           *int                 `json:",omitempty"` // as all pointers here: absent, the queue's own holds
	ReceiptHandle          string               `json:",omitempty"`
	VisibilityTimeout      *int                 `json:",omitempty"`

	MaxNumberOfMessages         int      `json:",omitempty"`
	WaitTimeSeconds             *int     `json:",omitempty"`
	ReceiveRequestAttemptId     string   `json:",omitempty"`
	AttributeNames              []string `json:",omitempty"`
	MessageAttributeNames       []string `json:",omitempty"`
	MessageSystemAttributeNames []string `json:",omitempty"`

	Entries []request `json:",omitzero"` // an empty batch is told as one
}

// An answer is the output of any of them.
type answer struct {
	QueueUrl   string
	Attributes map[string]string
	sentAnswer
	Messages []struct {
		MessageId, ReceiptHandle, Body string
		Attributes                     map[string]string
		MessageAttributes              map[string]attribute
	}
	Successful []struct {
		Id string
		sentAnswer
	}
	Failed []struct{ Id, Code, Message string }
}

type sentAnswer struct{ MessageId, SequenceNumber string }

type attribute struct {
	DataType    string
	StringValue *string `json:",omitempty"`
	BinaryValue []byte  `json:",omitempty"`
}

// Send implements [queue.Queue].
func (q *wireQueue) Send(ctx context.Context, m queue.Message) (queue.Sent, error) {
	a, err := q.call(ctx, "SendMessage", outgoing(m))
	if err != nil {
		return queue.Sent{}, err
	}
	return a.sent()
}

// SendBatch implements [queue.Queue].
func (q *wireQueue) SendBatch(ctx context.Context, ms []queue.Message) ([]queue.Sent, error) {
	entries := make([]request, len(ms))
	for i := range ms {
		entries[i] = outgoing(ms[i])
	}
	a, err := q.batch(ctx, "SendMessageBatch", entries)
	if _, some := errors.AsType[*queue.BatchError](err); err != nil && !some {
		return nil, err
	}
	sent := make([]queue.Sent, len(ms))
	for _, s := range a.Successful {
		i, wrong := entryIndex(s.Id, len(ms))
		if wrong != nil {
			return nil, wrong
		}
		if sent[i], wrong = s.sent(); wrong != nil {
			return nil, wrong
		}
	}
	return sent, err
}

// Receive implements [queue.Queue].
func (q *wireQueue) Receive(ctx context.Context, o queue.ReceiveOptions) ([]queue.Delivery, error) {
	a, err := q.call(ctx, "ReceiveMessage", request{
		MaxNumberOfMessages:         o.Max,
		WaitTimeSeconds:             secondsUnlessDefault(o.Wait),
		VisibilityTimeout:           secondsUnlessDefault(o.VisibilityTimeout),
		ReceiveRequestAttemptId:     o.AttemptID,
		MessageAttributeNames:       []string{"All"},
		MessageSystemAttributeNames: []string{"All"},
	})
	if err != nil {
		return nil, err
	}
	var visibleAt time.Time // unknown, unless it was said
	if o.VisibilityTimeout > 0 {
		visibleAt = time.Now().Add(o.VisibilityTimeout) // the answer's way here is not counted
	}
	ds := make([]queue.Delivery, len(a.Messages))
	for i, m := range a.Messages {
		d := &ds[i]
		if d.ID, err = parseID(m.MessageId); err != nil {
			return nil, err
		}
		system := m.Attributes
		d.Body, d.Receipt, d.VisibleAt = m.Body, queue.ForeignReceipt(m.ReceiptHandle), visibleAt
		d.Attributes = incoming(m.MessageAttributes)
		d.GroupID, d.DeduplicationID, d.TraceHeader = system["MessageGroupId"], system["MessageDeduplicationId"], system["AWSTraceHeader"]
		d.Sequence, _ = strconv.ParseUint(system["SequenceNumber"], 10, 64)
		d.ReceiveCount, _ = strconv.Atoi(system["ApproximateReceiveCount"])
		d.SentAt, d.FirstReceivedAt = timestamp(system["SentTimestamp"]), timestamp(system["ApproximateFirstReceiveTimestamp"])
		d.DeadLetterSource = system["DeadLetterQueueSourceArn"]
	}
	return ds, nil
}

// Delete implements [queue.Queue].
func (q *wireQueue) Delete(ctx context.Context, r queue.Receipt) error {
	_, err := q.call(ctx, "DeleteMessage", request{ReceiptHandle: r.String()})
	return err
}

// DeleteBatch implements [queue.Queue].
func (q *wireQueue) DeleteBatch(ctx context.Context, rs []queue.Receipt) error {
	entries := make([]request, len(rs))
	for i, r := range rs {
		entries[i].ReceiptHandle = r.String()
	}
	_, err := q.batch(ctx, "DeleteMessageBatch", entries)
	return err
}

// ChangeVisibility implements [queue.Queue].
func (q *wireQueue) ChangeVisibility(ctx context.Context, r queue.Receipt, d time.Duration) error {
	_, err := q.call(ctx, "ChangeMessageVisibility", request{ReceiptHandle: r.String(), VisibilityTimeout: seconds(d)})
	return err
}

// ChangeVisibilityBatch implements [queue.Queue].
func (q *wireQueue) ChangeVisibilityBatch(ctx context.Context, cs []queue.VisibilityChange) error {
	entries := make([]request, len(cs))
	for i, c := range cs {
		entries[i] = request{ReceiptHandle: c.Receipt.String(), VisibilityTimeout: seconds(c.Timeout)}
	}
	_, err := q.batch(ctx, "ChangeMessageVisibilityBatch", entries)
	return err
}

// Close implements [queue.Queue]: it ends what this process has of the queue.
func (q *wireQueue) Close() error {
	q.close()
	return nil
}

// left returns how many messages the queue has, in whatever state.
func (q *wireQueue) left(ctx context.Context) (n int, err error) {
	a, err := q.call(ctx, "GetQueueAttributes", request{AttributeNames: []string{"All"}})
	for _, state := range []string{"", "Delayed", "NotVisible"} {
		count, wrong := strconv.Atoi(a.Attributes["ApproximateNumberOfMessages"+state])
		n, err = n+count, errors.Join(err, wrong)
	}
	return n, err
}

// call does one action.
func (q *wireQueue) call(ctx context.Context, action string, in request) (out answer, err error) {
	switch {
	case q.open.Err() != nil:
		return out, fmt.Errorf("wire: %s: %w", action, queue.ErrClosed)
	case ctx.Err() != nil:
		return out, fmt.Errorf("wire: %s: %w", action, ctx.Err())
	}
	if action == "ReceiveMessage" { // the one that waits
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(q.open, cancel)()
	}
	in.QueueUrl = q.url
	text, status, err := q.post(ctx, action, in)
	switch {
	case err == nil && status == http.StatusOK && len(text) == 0: // as of a delete
		return out, nil
	case err == nil && status == http.StatusOK:
		return out, json.Unmarshal(text, &out)
	case err == nil:
		return out, fmt.Errorf("wire: %s: %w", action, refusalOf(status, text))
	case action != "ReceiveMessage":
		return out, fmt.Errorf("wire: %s: %w: %v", action, queue.ErrUncertain, err)
	case q.open.Err() != nil:
		return out, fmt.Errorf("wire: %s: %w", action, queue.ErrClosed)
	}
	return out, fmt.Errorf("wire: %s: %w", action, err)
}

// post sends a request and returns the whole answer.
func (q *wireQueue) post(ctx context.Context, action string, in request) (text []byte, status int, err error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, 0, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, q.endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "AmazonSQS."+action)
	response, err := q.client.Do(r)
	if err != nil {
		return nil, 0, err
	}
	defer response.Body.Close()
	text, err = io.ReadAll(response.Body)
	return text, response.StatusCode, err
}

// batch does an action with entries, whose IDs are their indices. The error is a
// *queue.BatchError if some failed.
func (q *wireQueue) batch(ctx context.Context, action string, entries []request) (answer, error) {
	for i := range entries {
		entries[i].Id = strconv.Itoa(i)
	}
	a, err := q.call(ctx, action, request{Entries: entries})
	if err != nil || len(a.Failed) == 0 {
		return a, err
	}
	failed := new(queue.BatchError)
	for _, f := range a.Failed {
		i, err := entryIndex(f.Id, len(entries))
		if err != nil {
			return a, err
		}
		failed.Entries = append(failed.Entries, queue.EntryError{Index: i, Err: &refusal{f.Code, f.Message}})
	}
	return a, failed
}

func entryIndex(id string, n int) (int, error) {
	if i, err := strconv.Atoi(id); err == nil && 0 <= i && i < n {
		return i, nil
	}
	return 0, fmt.Errorf("wire: an answer about the entry %q, which was not sent", id)
}

// A refusal is an error that the other side has told.
type refusal struct{ code, message string }

func (r *refusal) Error() string { return r.code + ": " + r.message }

// refusalOf reads the error in an answer.
func refusalOf(status int, text []byte) error {
	var told struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(text, &told); err != nil || told.Type == "" {
		return fmt.Errorf("status %d: %.200q", status, text)
	}
	_, code, _ := strings.Cut(told.Type, "#")
	return &refusal{code, told.Message}
}

// Unwrap returns what package queue calls that error, which is what callers of a
// queue.Queue, package worker among them, look at.
func (r *refusal) Unwrap() error {
	code := r.code[strings.LastIndexByte(r.code, '.')+1:] // entries have AWS.SimpleQueueService. before some
	switch {
	case strings.Contains(r.message, "Message does not exist"): // told apart by words alone
		return queue.ErrMessageGone
	case strings.Contains(r.message, "receipt handle has expired"):
		return queue.ErrReceiptExpired
	}
	return names[strings.TrimSuffix(code, "Exception")]
}

var names = map[string]error{
	"BatchRequestTooLong":          queue.ErrBatchTooLarge,
	"EmptyBatchRequest":            queue.ErrEmptyBatch,
	"InvalidMessageContents":       queue.ErrInvalidContents,
	"InvalidParameterValue":        queue.ErrInvalidParameter,
	"MissingParameter":             queue.ErrMissingParameter,
	"MissingRequiredParameter":     queue.ErrMissingParameter,
	"NonExistentQueue":             queue.ErrQueueDeleted,
	"OverLimit":                    queue.ErrInFlightLimit,
	"QueueDoesNotExist":            queue.ErrQueueDeleted,
	"ReceiptHandleIsInvalid":       queue.ErrReceiptInvalid,
	"RequestThrottled":             queue.ErrThrottled,
	"TooManyEntriesInBatchRequest": queue.ErrTooManyEntries,
	"UnsupportedOperation":         queue.ErrUnsupported,
}

// outgoing puts a message in the form of the wire.
func outgoing(m queue.Message) request {
	out := request{
		MessageBody: m.Body, MessageGroupId: m.GroupID, MessageDeduplicationId: m.DeduplicationID,
		DelaySeconds: secondsUnlessDefault(m.Delay), MessageAttributes: make(map[string]attribute, m.Attributes.Len()),
	}
	for name, v := range m.Attributes.All() {
		a := attribute{DataType: v.Type}
		if v.IsBinary() {
			a.BinaryValue = []byte(v.Data)
		} else {
			a.StringValue = &v.Data
		}
		out.MessageAttributes[name] = a
	}
	return out
}

// incoming is the opposite for attributes.
func incoming(attributes map[string]attribute) queue.Attributes {
	values := make(map[string]queue.Value, len(attributes))
	for name, a := range attributes {
		v := queue.Value{Type: a.DataType, Data: string(a.BinaryValue)}
		if a.StringValue != nil {
			v.Data = *a.StringValue
		}
		values[name] = v
	}
	return queue.NewAttributes(values)
}

// sent reads the answer to a message.
func (s *sentAnswer) sent() (sent queue.Sent, err error) {
	sent.ID, err = parseID(s.MessageId)
	sent.Sequence, _ = strconv.ParseUint(s.SequenceNumber, 10, 64) // empty on a Standard queue
	return sent, err
}

// parseID reads a message ID, which has the form of a UUID.
func parseID(text string) (id queue.MessageID, err error) {
	b, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(b) != len(id) {
		return id, fmt.Errorf("wire: %q is no message ID", text)
	}
	return queue.MessageID(b), nil
}

// timestamp reads milliseconds since 1970; it is the zero Time if there are none.
func timestamp(text string) time.Time {
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// seconds rounds up.
func seconds(d time.Duration) *int { return new(int((d + time.Second - 1) / time.Second)) }

// secondsUnlessDefault is seconds of an option: absent if it is zero, and zero if
// it is queue.None.
func secondsUnlessDefault(d time.Duration) *int {
	switch d {
	case 0:
		return nil
	case queue.None:
		return new(0)
	}
	return seconds(d)
}
