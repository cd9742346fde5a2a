package queue

import (
	"crypto/md5"
	"encoding/binary"
	"errors"
	"iter"
	"slices"
	"strings"
)

// Attributes are the typed values beside a message's body. They are immutable
// and comparable; the zero value is empty.
//
// They are kept in the form whose MD5 Amazon SQS returns: for each attribute,
// in ascending order of names, the name, the type and the value, each after its
// length as four bytes, big endian, with one byte before the value's length
// that tells text (1) from binary (2).
type Attributes struct{ encoded string }

// A Value is the value of an attribute. Make it with [String], [Number] or
// [Binary]; a label may be added to the type after a dot ("Number.float").
type Value struct {
	Type string // "String", "Number" or "Binary", with or without ".label"
	Data string // text, decimal digits, or raw bytes
}

// String is the value of an attribute of type String.
func String(s string) Value { return Value{"String", s} }

// Number is the value of an attribute of type Number: decimal digits with an
// optional sign, point and exponent. It is kept as written.
func Number(digits string) Value { return Value{"Number", digits} }

// Binary is the value of an attribute of type Binary; b is copied.
func Binary(b []byte) Value { return Value{"Binary", string(b)} }

// IsBinary reports whether v is of type Binary, labelled or not.
func (v Value) IsBinary() bool {
	return v.Type == "Binary" || strings.HasPrefix(v.Type, "Binary.")
}

// NewAttributes makes attributes of a map from name to value. It checks
// nothing; a queue checks names, types and values when the message is sent.
func NewAttributes(values map[string]Value) Attributes {
	if len(values) == 0 {
		return Attributes{}
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	var b []byte
	for _, name := range names {
		v := values[name]
		b = appendString(b, name)
		b = appendString(b, v.Type)
		b = append(b, transport(v))
		b = appendString(b, v.Data)
	}
	return Attributes{string(b)}
}

func appendString(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

func transport(v Value) byte {
	if v.IsBinary() {
		return 2
	}
	return 1
}

// DecodeAttributes reads what [Attributes.Encoded] returned. It is for stores:
// anything that isn't exactly such text is an error.
func DecodeAttributes(encoded string) (Attributes, error) {
	previous, first := "", true
	for rest := encoded; rest != ""; first = false {
		name, _, tail, ok := cutAttribute(rest)
		if !ok || !first && name <= previous {
			return Attributes{}, errors.New("malformed encoding of message attributes")
		}
		previous, rest = name, tail
	}
	return Attributes{encoded}, nil
}

// cutAttribute splits the first attribute off s.
func cutAttribute(s string) (name string, v Value, rest string, ok bool) {
	if name, s, ok = cutString(s); !ok {
		return
	}
	if v.Type, s, ok = cutString(s); !ok || s == "" {
		return name, v, s, false
	}
	mark := s[0]
	if v.Data, rest, ok = cutString(s[1:]); !ok {
		return
	}
	return name, v, rest, mark == transport(v)
}

func cutString(s string) (head, rest string, ok bool) {
	if len(s) < 4 {
		return "", s, false
	}
	n := int64(s[0])<<24 | int64(s[1])<<16 | int64(s[2])<<8 | int64(s[3])
	if n > int64(len(s)-4) {
		return "", s, false
	}
	return s[4 : 4+n], s[4+n:], true
}

// Encoded returns the attributes in the form described at [Attributes], empty
// if there are none. It costs nothing.
func (a Attributes) Encoded() string { return a.encoded }

// All yields the attributes in ascending order of names.
func (a Attributes) All() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for rest := a.encoded; rest != ""; {
			name, v, tail, ok := cutAttribute(rest)
			if !ok {
				panic("queue: internal error: malformed attributes")
			}
			if !yield(name, v) {
				return
			}
			rest = tail
		}
	}
}

// Get returns the attribute of that name.
func (a Attributes) Get(name string) (Value, bool) {
	for n, v := range a.All() {
		if n == name {
			return v, true
		}
	}
	return Value{}, false
}

// Len returns the number of attributes.
func (a Attributes) Len() int {
	n := 0
	for range a.All() {
		n++
	}
	return n
}

// Size returns what the attributes add to [Message.Size]: the bytes of all
// names, types and values.
func (a Attributes) Size() int {
	if a.encoded == "" {
		return 0
	}
	return a.size()
}

func (a Attributes) size() int {
	size := 0
	for name, v := range a.All() {
		size += len(name) + len(v.Type) + len(v.Data)
	}
	return size
}

// Select returns the attributes whose names keep accepts.
func (a Attributes) Select(keep func(name string) bool) Attributes {
	var b strings.Builder
	for rest := a.encoded; rest != ""; {
		name, _, tail, _ := cutAttribute(rest)
		if keep(name) {
			b.WriteString(rest[:len(rest)-len(tail)])
		}
		rest = tail
	}
	return Attributes{b.String()}
}

// MD5 returns the digest of the attributes as SQS computes it. SQS leaves it
// out of its answers when there are no attributes; test Len, or compare with
// the zero Attributes, before using it.
func (a Attributes) MD5() [16]byte { return md5.Sum([]byte(a.encoded)) }
