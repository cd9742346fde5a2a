package queue

import (
	"encoding/binary"
	"encoding/hex"
	"unique"
)

// A Receipt is the right to delete one message or to change its visibility,
// issued by one receive of it. SQS calls its text a receipt handle. A Receipt
// is a comparable value; the zero Receipt is none.
//
// Receipts of local queues cost nothing to make. Their text, made only by
// String, is hexadecimal, so it holds no character that wrappers use as a
// separator, and its check makes a changed digit a [ErrReceiptInvalid].
type Receipt struct {
	fields  ReceiptFields
	foreign unique.Handle[string] // zero: none. One word, where a string would be two in every delivery
}

// ReceiptFields is what is inside a receipt of a local queue. It is for authors
// of queue types; everybody else treats a Receipt as opaque.
type ReceiptFields struct {
	Seq   uint64 // the message's sequence number
	Turn  uint64 // which receive of the message it was; see [Turn]
	At    int64  // when it was received, ms since 1970
	Check uint64 // over the rest, keyed by the queue
}

// Turn puts a receive's number, the message's receive count, behind the
// incarnation of the open queue, which tells apart receives before and after a
// restart.
func Turn(incarnation, receive uint32) uint64 { return uint64(incarnation)<<32 | uint64(receive) }

// Receive returns the receive's number.
func (f ReceiptFields) Receive() uint32 { return uint32(f.Turn) }

// NewReceipt makes a receipt of its fields.
func NewReceipt(f ReceiptFields) Receipt { return Receipt{fields: f} }

// Issue is NewReceipt in place: it makes r the receipt of those fields.
func (r *Receipt) Issue(f ReceiptFields) {
	r.fields = f
	r.foreign = unique.Handle[string]{}
}

// Fields returns what is inside; ok is false for foreign text and for the zero
// Receipt.
func (r Receipt) Fields() (f ReceiptFields, ok bool) {
	return r.fields, r.foreign == unique.Handle[string]{} && r.fields != ReceiptFields{}
}

// ForeignReceipt makes a receipt that carries text of somebody else: a remote
// queue, or a wrapper that needs to remember something. It is for authors of
// queue types. Empty text makes the zero Receipt.
func ForeignReceipt(text string) Receipt {
	if text == "" {
		return Receipt{}
	}
	return Receipt{foreign: unique.Make(text)}
}

// Foreign returns the text given to [ForeignReceipt].
func (r Receipt) Foreign() (text string, ok bool) {
	if r.foreign == (unique.Handle[string]{}) {
		return "", false
	}
	return r.foreign.Value(), true
}

const receiptBytes = 4 * 8

// String returns the receipt as text, for [ParseReceipt]: 64 hexadecimal
// digits, or the foreign text. The zero Receipt is the empty string.
func (r Receipt) String() string {
	if r == (Receipt{}) {
		return ""
	}
	if text, ok := r.Foreign(); ok {
		return text
	}
	var b [receiptBytes]byte
	f := &r.fields
	binary.BigEndian.PutUint64(b[0:], f.Seq)
	binary.BigEndian.PutUint64(b[8:], f.Turn)
	binary.BigEndian.PutUint64(b[16:], uint64(f.At))
	binary.BigEndian.PutUint64(b[24:], f.Check)
	var text [2 * receiptBytes]byte
	hex.Encode(text[:], b[:])
	return string(text[:])
}

// ParseReceipt reads the text of a local queue's receipt. Text that can't be
// one is an [ErrReceiptInvalid], empty text an [ErrMissingParameter]; whether
// the check holds is for the queue to say when the receipt is used.
func ParseReceipt(text string) (Receipt, error) {
	if text == "" {
		return Receipt{}, &LimitError{Parameter: "ReceiptHandle", Reason: "required", Err: ErrMissingParameter}
	}
	var b [receiptBytes]byte
	if len(text) != hex.EncodedLen(len(b)) {
		return Receipt{}, ErrReceiptInvalid
	}
	for i := range len(text) {
		// One spelling only: hex.Decode would take capitals as well.
		if c := text[i]; !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
			return Receipt{}, ErrReceiptInvalid
		}
	}
	if _, err := hex.Decode(b[:], []byte(text)); err != nil {
		return Receipt{}, ErrReceiptInvalid
	}
	r := Receipt{fields: ReceiptFields{
		Seq:   binary.BigEndian.Uint64(b[0:]),
		Turn:  binary.BigEndian.Uint64(b[8:]),
		At:    int64(binary.BigEndian.Uint64(b[16:])),
		Check: binary.BigEndian.Uint64(b[24:]),
	}}
	if r == (Receipt{}) {
		return Receipt{}, ErrReceiptInvalid
	}
	return r, nil
}
