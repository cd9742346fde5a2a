package filestore

import (
	"errors"
	"time"

	"github.com/restantemq/restante/queue"
)

// The fields that a record's first number says are present, beside those that
// every record has: its ID, when it was sent, and its body.
const (
	hasAttributes = 1 << iota
	hasGroup
	hasDeduplicationID
	hasDelay
	hasTraceHeader
	hasDueAt
	hasFirstReceivedAt
	hasReceives
	hasDeadLetterSource
	hasDeadLetterReason

	knownFields = 1<<iota - 1
)

// appendRecord encodes a record without its number. The encoding does not
// depend on where it stands, so that the cleaner can copy it as it is.
func appendRecord(b []byte, r *queue.Record) []byte {
	b = appendUvarint(b, fieldsOf(r))
	b = append(b, r.ID[:]...)
	b = appendVarint(b, r.SentAt)
	if r.DueAt != 0 {
		b = appendVarint(b, r.DueAt-r.SentAt)
	}
	if r.FirstReceivedAt != 0 {
		b = appendVarint(b, r.FirstReceivedAt-r.SentAt)
	}
	if r.Receives != 0 {
		b = appendUvarint(b, uint64(r.Receives))
	}
	if r.Delay != 0 {
		b = appendVarint(b, int64(r.Delay))
	}
	if encoded := r.Attributes.Encoded(); encoded != "" {
		b = appendUvarint(b, uint64(r.Attributes.Size()))
		b = appendText(b, encoded)
	}
	b = appendPresent(b, r.GroupID)
	b = appendPresent(b, r.DeduplicationID)
	b = appendPresent(b, r.TraceHeader)
	b = appendPresent(b, r.DeadLetterSource)
	b = appendPresent(b, r.DeadLetterReason)
	return appendText(b, r.Body)
}

func appendPresent(b []byte, s string) []byte {
	if s == "" {
		return b
	}
	return appendText(b, s)
}

func fieldsOf(r *queue.Record) (fields uint64) {
	set := func(field uint64, present bool) {
		if present {
			fields |= field
		}
	}
	set(hasAttributes, r.Attributes.Encoded() != "")
	set(hasGroup, r.GroupID != "")
	set(hasDeduplicationID, r.DeduplicationID != "")
	set(hasDelay, r.Delay != 0)
	set(hasTraceHeader, r.TraceHeader != "")
	set(hasDueAt, r.DueAt != 0)
	set(hasFirstReceivedAt, r.FirstReceivedAt != 0)
	set(hasReceives, r.Receives != 0)
	set(hasDeadLetterSource, r.DeadLetterSource != "")
	set(hasDeadLetterReason, r.DeadLetterReason != "")
	return fields
}

// A summary is what a store keeps in memory of a record.
type summary struct {
	sentAt, dueAt, firstReceivedAt int64
	receives                       uint32
	size                           uint32 // Message.Size
	disk                           uint32 // bytes of its encoding
}

func summarise(r *queue.Record, disk int) summary {
	return summary{
		sentAt: r.SentAt, dueAt: r.DueAt, firstReceivedAt: r.FirstReceivedAt,
		receives: r.Receives, size: uint32(r.Size()), disk: uint32(disk),
	}
}

// summary reads past a record.
func (in *input) summary() (s summary) {
	start := in.at
	fields := in.head(&s, new(queue.Record))
	if fields&hasAttributes != 0 {
		s.size = in.number()
		in.bytes()
	}
	for field := uint64(hasGroup); field <= hasDeadLetterReason; field <<= 1 {
		if fields&field != 0 && field&texts != 0 {
			in.bytes()
		}
	}
	s.size += uint32(len(in.bytes()))
	s.disk = uint32(in.at - start)
	return s
}

// texts are the fields that are texts of their own.
const texts = hasGroup | hasDeduplicationID | hasTraceHeader | hasDeadLetterSource | hasDeadLetterReason

// head reads what stands before the first text.
func (in *input) head(s *summary, r *queue.Record) (fields uint64) {
	fields = in.uvarint()
	if fields > knownFields {
		in.fail()
	}
	r.ID = in.key()
	s.sentAt = in.varint()
	if fields&hasDueAt != 0 {
		s.dueAt = s.sentAt + in.varint()
	}
	if fields&hasFirstReceivedAt != 0 {
		s.firstReceivedAt = s.sentAt + in.varint()
	}
	if fields&hasReceives != 0 {
		s.receives = in.number()
	}
	if fields&hasDelay != 0 {
		r.Delay = time.Duration(in.varint())
	}
	return fields
}

var errRecord = errors.New("a record that can't be decoded")

// record decodes a record. The input's bytes are those of text, of which the
// record's strings become parts.
func (in *input) record(text string, r *queue.Record) error {
	var s summary
	fields := in.head(&s, r)
	r.SentAt, r.DueAt, r.FirstReceivedAt, r.Receives = s.sentAt, s.dueAt, s.firstReceivedAt, s.receives
	if fields&hasAttributes != 0 {
		in.number() // their size, which they know themselves
		attributes, err := queue.DecodeAttributes(in.text(text))
		if err != nil {
			return err
		}
		r.Attributes = attributes
	}
	for _, f := range [...]struct {
		field uint64
		value *string
	}{
		{hasGroup, &r.GroupID}, {hasDeduplicationID, &r.DeduplicationID}, {hasTraceHeader, &r.TraceHeader},
		{hasDeadLetterSource, &r.DeadLetterSource}, {hasDeadLetterReason, &r.DeadLetterReason},
	} {
		if fields&f.field != 0 {
			*f.value = in.text(text)
		}
	}
	r.Body = in.text(text)
	if in.bad {
		return errRecord
	}
	return nil
}

// text reads a text as a part of s, which has the input's bytes.
func (in *input) text(s string) string {
	n := len(in.bytes())
	return s[in.at-n : in.at]
}
