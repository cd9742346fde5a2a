package sqsapi

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
)

// The actions on messages.

func sendMessage(c *call, in *sendMessageInput) (*sendMessageOutput, error) {
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	out := new(sendMessageOutput)
	m, err := in.message(c, &out.digests)
	if err != nil {
		return nil, err
	}
	sent, err := c.messages(q).Send(c.ctx, m)
	if err != nil {
		return nil, err
	}
	out.MessageId, out.SequenceNumber = sent.ID.String(), sequenceNumber(sent.Sequence)
	return out, nil
}

// message checks what only the wire can see, and leaves the rest to the queue. It
// writes down the digests of what was sent.
func (o *outgoing) message(c *call, sums *digests) (queue.Message, error) {
	var m queue.Message
	if o.MessageBody == "" {
		return m, missing("MessageBody")
	}
	if !utf8.ValidString(string(o.MessageBody)) {
		return m, queue.ErrInvalidContents // for queues that would take it
	}
	m.Body = string(o.MessageBody)
	m.Delay = given(o.DelaySeconds)
	var err error
	if m.GroupID, err = givenID("MessageGroupId", o.MessageGroupId); err != nil {
		return m, err
	}
	if m.DeduplicationID, err = givenID("MessageDeduplicationId", o.MessageDeduplicationId); err != nil {
		return m, err
	}
	if m.Attributes, err = messageAttributes(o.MessageAttributes); err != nil {
		return m, err
	}
	if m.TraceHeader, err = traceHeader(o.MessageSystemAttributes); err != nil {
		return m, err
	}
	*sums = digests{hexMD5(m.Body), attributesMD5(m.Attributes), attributesMD5(traceAttribute(m.TraceHeader))}
	if h := c.header.Get("X-Amzn-Trace-Id"); m.TraceHeader == "" && isTraceHeader(h) {
		m.TraceHeader = h
	}
	return m, nil
}

// given is the duration of a member in seconds: zero, which stands for the
// queue's own, if the member is absent.
func given(seconds *int) time.Duration {
	switch {
	case seconds == nil:
		return 0
	case *seconds == 0:
		return queue.None
	}
	return time.Duration(*seconds) * time.Second
}

// givenID tells the empty ID, which is an error, from none.
func givenID(parameter string, id *string) (string, error) {
	switch {
	case id == nil:
		return "", nil
	case *id == "":
		return "", invalid("Value  for parameter " + parameter + " is invalid. Reason: " + parameter + badID)
	}
	return *id, nil
}

func receiveMessage(c *call, in *receiveMessageInput) (*receiveMessageOutput, error) {
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	o := queue.ReceiveOptions{
		Wait:              given(in.WaitTimeSeconds),
		VisibilityTimeout: given(in.VisibilityTimeout),
		AttemptID:         in.ReceiveRequestAttemptId,
	}
	if in.MaxNumberOfMessages != nil {
		if o.Max = *in.MaxNumberOfMessages; o.Max == 0 { // the queue takes it for 1
			return nil, &queue.LimitError{Parameter: "MaxNumberOfMessages", Got: 0, Min: 1, Max: queue.MaxReceive, Err: queue.ErrInvalidParameter}
		}
	}
	deliveries, err := c.messages(q).Receive(c.ctx, o)
	if err != nil {
		return nil, about(in.ReceiveRequestAttemptId, err)
	}
	choice := selection{
		system: systemFilter(append(in.AttributeNames, in.MessageSystemAttributeNames...)),
		user:   attributeFilter(in.MessageAttributeNames),
		scope:  c.broker.Scope(),
	}
	out := new(receiveMessageOutput)
	for i := range deliveries {
		out.Messages = append(out.Messages, choice.of(&deliveries[i]))
	}
	return out, nil
}

// A selection is what a receiver wants to see of each message.
type selection struct {
	system, user func(name string) bool
	scope        broker.Scope
}

func (s *selection) of(d *queue.Delivery) receivedMessage {
	wanted := d.Attributes.Select(s.user)
	return receivedMessage{
		MessageId:              d.ID.String(),
		ReceiptHandle:          d.Receipt.String(),
		MD5OfBody:              hexMD5(d.Body),
		Body:                   d.Body,
		Attributes:             systemAttributes(d, s.scope, s.system),
		MD5OfMessageAttributes: attributesMD5(wanted),
		MessageAttributes:      attributesOut(wanted),
	}
}

func deleteMessage(c *call, in *deleteMessageInput) (*nothing, error) {
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	r, err := in.receipt()
	if err == nil {
		err = c.messages(q).Delete(c.ctx, r)
	}
	return new(nothing), about(in.ReceiptHandle, err)
}

func changeVisibility(c *call, in *changeVisibilityInput) (*nothing, error) {
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	r, err := in.receipt()
	if err == nil {
		err = c.messages(q).ChangeVisibility(c.ctx, r, time.Duration(*in.VisibilityTimeout)*time.Second)
	}
	if err = about(in.ReceiptHandle, err); err != nil {
		return nil, &changeError{err}
	}
	return new(nothing), nil
}

// receipt reads the handle.
func (h *handleInput) receipt() (queue.Receipt, error) {
	if strings.TrimSpace(h.ReceiptHandle) == "" {
		return queue.Receipt{}, missing("ReceiptHandle")
	}
	return queue.ParseReceipt(h.ReceiptHandle)
}

// sequenceNumber returns SQS's form of a FIFO message's number, empty for zero.
func sequenceNumber(n uint64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%020d", n)
}

func hexMD5(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

// milliseconds is the form of a message's timestamps.
func milliseconds(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
