package queue

import (
	"encoding/hex"
	"time"
)

// A Message is what a producer sends.
type Message struct {
	// Body is the payload: at least one byte. Under [SQSLimits] it is UTF-8
	// text of the characters SQS allows (tab, line feed, carriage return, and
	// U+0020 up without U+FFFE and U+FFFF); under [Unlimited] any bytes.
	Body string

	// Attributes are typed values beside the body; see [NewAttributes].
	Attributes Attributes

	// GroupID is the message group: required on a FIFO queue, where it orders;
	// optional on a Standard queue, where it names the tenant for fairness.
	// Up to 128 ASCII letters, digits and punctuation marks.
	GroupID string

	// DeduplicationID makes a repeated send of the same ID a duplicate for five
	// minutes. FIFO only; required there unless Config.ContentDeduplication is
	// set. Same form as GroupID.
	DeduplicationID string

	// Delay hides the message for a while after it was sent. Zero means the
	// queue's Config.Delay, [None] none. A FIFO queue delays all messages alike
	// and refuses a delay above zero here. Zero in what is received or peeked at.
	Delay time.Duration

	// TraceHeader is an AWS X-Ray trace header that travels with the message.
	// It does not count towards the message's size.
	TraceHeader string
}

// Size returns the size of m as SQS counts it: the bytes of the body and, for
// each attribute, of its name, its type and its value.
func (m *Message) Size() int { return len(m.Body) + m.Attributes.Size() }

// A MessageID identifies a message for its whole life, over redeliveries and
// the move to a dead-letter queue. The zero MessageID names no message.
type MessageID [16]byte

// String returns the ID in the form of a UUID: 36 characters in lower case.
func (id MessageID) String() string {
	var b [36]byte
	hex.Encode(b[0:8], id[0:4])
	hex.Encode(b[9:13], id[4:6])
	hex.Encode(b[14:18], id[6:8])
	hex.Encode(b[19:23], id[8:10])
	hex.Encode(b[24:36], id[10:16])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

// Sent is the answer to an accepted message.
type Sent struct {
	ID       MessageID
	Sequence uint64 // position in the queue; zero on a Standard queue

	// Duplicate says that a FIFO queue recognised the deduplication ID and
	// enqueued nothing: ID and Sequence are those of the original.
	Duplicate bool
}

// A Delivery is one message in the hands of one receiver. It is plain data:
// the receiver's own, and constant whatever becomes of the message.
type Delivery struct {
	Message
	ID      MessageID
	Receipt Receipt // for Delete and ChangeVisibility; new with every receive

	Sequence     uint64 // position in the queue; zero on a Standard queue
	ReceiveCount int    // receives so far, this one included, over all queues

	SentAt          time.Time // when the message was accepted
	FirstReceivedAt time.Time
	VisibleAt       time.Time // when the message goes back unless it is deleted before

	// DeadLetterSource is the name of the queue the message was moved from, and
	// DeadLetterReason why, if somebody said so. Empty outside dead-letter queues.
	DeadLetterSource, DeadLetterReason string
}

// ReceiveOptions are the choices of one Receive. The zero value asks for one
// message, with the queue's wait and visibility timeout.
type ReceiveOptions struct {
	// Max is the largest number of deliveries wanted: 1 to [MaxReceive] under
	// [SQSLimits], zero means 1.
	Max int

	// Wait is how long to wait for a message when there is none: up to
	// [MaxWait] under [SQSLimits]. Zero means Config.ReceiveWait, [None] not at
	// all.
	Wait time.Duration

	// VisibilityTimeout hides what is received: up to [MaxVisibility] under
	// [SQSLimits]. Zero means Config.VisibilityTimeout; with [None] the
	// messages stay visible, though the receive counts.
	VisibilityTimeout time.Duration

	// AttemptID makes a FIFO receive repeatable: the same ID within five
	// minutes returns the same messages with the same receipts. Standard
	// queues ignore it.
	AttemptID string

	// Into, if its capacity is at least Max, is the memory the result is made
	// in; then Receive allocates nothing. Its old elements are overwritten.
	Into []Delivery
}

// State is where a message is in its life.
type State uint8

const (
	Pending  State = iota + 1 // accepted, not yet durable
	Delayed                   // durable, its delay not yet over
	Visible                   // receivable, or behind another one of its FIFO group
	InFlight                  // received, its visibility timeout running
)

// String returns the state's name in lower case.
func (s State) String() string {
	switch s {
	case Pending:
		return "pending"
	case Delayed:
		return "delayed"
	case Visible:
		return "visible"
	case InFlight:
		return "in flight"
	}
	return "gone"
}

// Peeked is a message as [Inspector].Peek sees it.
type Peeked struct {
	Message
	ID       MessageID
	Position uint64 // place in the queue; lower came earlier
	State    State

	ReceiveCount            int
	SentAt, FirstReceivedAt time.Time // FirstReceivedAt is zero before the first receive
	VisibleAt               time.Time // end of the delay or of the visibility timeout; otherwise zero

	DeadLetterSource, DeadLetterReason string
}
