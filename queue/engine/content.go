package engine

import (
	"encoding/binary"
	"math/bits"
	"strings"

	"github.com/restantemq/restante/queue"
)

// What a message carries is its body and, for few messages, an extra: whatever
// else the sender or a move gave it, in one string.
//
//	extra = present (1 byte: a bit for each field, in the order of extraFields)
//	        length (uvarint), bytes — for each field that is present
//
// A page is young first: it keeps the senders' strings as they are, because most
// messages are gone soon and a copy would be for nothing. When it falls behind,
// it is packed: its small messages are copied into one text, so that the
// collector has nothing to look at however long the queue grows. Large messages
// stay the senders' strings. No text is ever written again, so a delivered body
// is constant, whichever it came from.
type content struct{ body, extra string }

// maxSmall is the size of a body with its extra up to which it is copied when its
// page is packed. Copying costs less than what the collector pays for a pointer;
// above, keeping the sender's string is cheaper.
const maxSmall = 512

// maxText is the size of a text: offsets within it have 16 bits.
const maxText = 1 << 16

// youngPages is how many pages at the end of the queue are left young.
const youngPages = 32

// extraFields are the fields of an extra, by the constants below. The ID is there
// only if it doesn't derive from the sequence number: the message came from
// another queue.
type extraFields [7]string

const (
	attributesField = iota
	groupField
	dedupField
	traceField
	sourceField
	reasonField
	idField
)

// encode appends the extra to b; nothing if all fields are empty.
func (e *extraFields) encode(b []byte) []byte {
	var present byte
	for i := range e {
		if e[i] != "" {
			present |= 1 << i
		}
	}
	if present == 0 {
		return b
	}
	b = append(b, present)
	for i := range e {
		if e[i] != "" {
			b = binary.AppendUvarint(b, uint64(len(e[i])))
			b = append(b, e[i]...)
		}
	}
	return b
}

// decode reads an extra at the start of s and returns its length. The fields
// share s.
func (e *extraFields) decode(s string) (n int) {
	n = 1
	for present := s[0]; present != 0; present &= present - 1 {
		length, width := uvarint(s[n:])
		n += width
		e[bits.TrailingZeros8(present)] = s[n : n+length]
		n += length
	}
	return n
}

func uvarint(s string) (value, width int) {
	for shift := 0; ; shift += 7 {
		c := s[width]
		width++
		value |= int(c&0x7f) << shift
		if c < 0x80 {
			return value, width
		}
	}
}

// store puts body and extra into a page and makes s, at index i, point at them. The hint is how many bytes of extras a page is expected to take.
func (p *Page) store(i int, s *slot, body string, extra []byte, hint int) {
	if len(extra) > 0 {
		s.flags |= hasExtra
	}
	if len(body)+len(extra) > maxSmall {
		s.flags |= isLarge
		s.at = uint32(len(p.large))
		p.large = append(p.large, content{body, string(extra)})
		return
	}
	if !p.young() {
		s.size = uint16(len(body))
		s.at = p.write(body, extra, hint)
		return
	}
	p.keep(i, s, body)
	if len(extra) > 0 {
		s.at = p.write("", extra, hint)
	}
}

// keep is store for a message that has no extra and is small.
func (p *Page) keep(i int, s *slot, body string) {
	s.size = uint16(len(body))
	p.bodies[i] = body
}

// pack copies the small messages of a page into texts of their exact size.
func (p *Page) pack() {
	size := 0
	p.all(func(i int, s *slot) {
		if s.flags&(isLarge|isOut) == 0 {
			size += int(s.size) + len(p.extraText(s))
		}
	})
	old := *p
	p.texts, p.bodies = nil, nil
	text := new(strings.Builder)
	text.Grow(min(size, maxText-1))
	p.all(func(i int, s *slot) {
		if s.flags&(isLarge|isOut) != 0 {
			return
		}
		body, extra := old.body(i, s), old.extraText(s)
		if n := len(body) + len(extra); text.Len()+n > maxText-1 {
			p.texts = append(p.texts, text.String())
			text = new(strings.Builder)
			text.Grow(min(size, maxText-1))
		}
		s.at = uint32(len(p.texts))<<16 | uint32(text.Len())
		text.WriteString(body)
		text.WriteString(extra)
		size -= len(body) + len(extra)
	})
	p.builder = text
}

// write appends body and extra to the page's text and returns where.
func (p *Page) write(body string, extra []byte, hint int) uint32 {
	b := p.reserve(len(body)+len(extra), hint)
	at := uint32(len(p.texts))<<16 | uint32(b.Len())
	b.WriteString(body)
	if len(extra) > 0 {
		b.Write(extra)
	}
	return at
}

// reserve returns a builder with room for n bytes, which never moves what was
// written: its memory is reserved once, and a full one is left behind.
func (p *Page) reserve(n, hint int) *strings.Builder {
	if b := p.builder; b != nil && b.Cap()-b.Len() >= n {
		return b
	}
	room := hint
	if p.builder != nil { // the hint was too small
		room = max(p.builder.Cap(), 256)
		p.texts = append(p.texts, p.builder.String())
	}
	p.builder = new(strings.Builder)
	p.builder.Grow(min(max(room, n), maxText-1))
	return p.builder
}

// textBytes returns how many bytes of text the page holds.
func (p *Page) textBytes() int {
	n := 0
	for _, t := range p.texts {
		n += len(t)
	}
	if p.builder != nil {
		n += p.builder.Len()
	}
	return n
}

// from returns the text from where s points.
func (p *Page) from(s *slot) string {
	t := ""
	if k := int(s.at >> 16); k < len(p.texts) {
		t = p.texts[k]
	} else {
		t = p.builder.String()
	}
	return t[s.at&0xffff:]
}

// young reports whether the page still keeps the senders' strings.
func (p *Page) young() bool { return p.bodies != nil }

// body returns the body of a small message.
func (p *Page) body(i int, s *slot) string {
	if p.young() {
		return p.bodies[i]
	}
	return p.from(s)[:s.size]
}

// extra returns the extra of a small message that has one, and what follows it.
func (p *Page) extra(s *slot) string {
	t := p.from(s)
	if !p.young() {
		t = t[s.size:]
	}
	return t
}

// extraText returns the extra of a small message, empty if it has none.
func (p *Page) extraText(s *slot) string {
	if s.flags&hasExtra == 0 {
		return ""
	}
	t := p.extra(s)
	var e extraFields
	return t[:e.decode(t)]
}

// content returns the body of a message, and its extra if it has one. Both stay
// constant for ever. Of a message whose content is out there is neither.
func (p *Page) content(i int, s *slot) (body string, e extraFields) {
	if s.flags&isOut != 0 {
		return "", e
	}
	if s.flags&isLarge != 0 {
		c := p.large[s.at]
		if c.extra != "" {
			e.decode(c.extra)
		}
		return c.body, e
	}
	if s.flags&hasExtra != 0 {
		e.decode(p.extra(s))
	}
	return p.body(i, s), e
}

// message puts together what a sender gave.
func (e *extraFields) message(body string) queue.Message {
	return queue.Message{
		Body: body, Attributes: attributes(e[attributesField]),
		GroupID: e[groupField], DeduplicationID: e[dedupField], TraceHeader: e[traceField],
	}
}

// attributes makes Attributes of their stored form, which was checked when it
// came in.
func attributes(encoded string) queue.Attributes {
	if encoded == "" {
		return queue.Attributes{}
	}
	a, err := queue.DecodeAttributes(encoded)
	if err != nil {
		panic("engine: internal error: " + err.Error())
	}
	return a
}
