package sqsapi

import (
	"encoding/json"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// number is a JSON number as it was written.
type number string

// parseJSON reads one JSON value: a map[string]any, []any, string, number, bool
// or nil. Of two members of one name the later one counts.
//
// encoding/json judges the syntax but doesn't read the value, because it
// silently puts U+FFFD where text is not Unicode. Here such text becomes a
// string that is not valid UTF-8 (a lone surrogate keeps its three bytes), so
// that it can be refused.
//
// A value with more than maxValues others in it is refused: read, they could take
// fifty times the memory of their text.
func parseJSON(data []byte) (value any, ok bool) {
	if !json.Valid(data) {
		return nil, false
	}
	defer func() {
		if r := recover(); r == tooManyValues {
			value, ok = nil, false
		} else if r != nil {
			panic(r)
		}
	}()
	p := parser{rest: string(data)}
	return p.value(), true
}

// maxValues is some twenty times what the largest request of SQS has.
const maxValues = 10_000

// tooManyValues is what a parser panics with.
const tooManyValues = "too many values"

// parser holds what is left of a text that is known to be valid JSON.
type parser struct {
	rest   string
	values int // so far
}

func (p *parser) value() any {
	if p.values++; p.values > maxValues {
		panic(tooManyValues)
	}
	switch p.skipSpace(); p.rest[0] {
	case '{':
		return p.object()
	case '[':
		return p.array()
	case '"':
		return p.text(false)
	default:
		return p.literal()
	}
}

func (p *parser) object() map[string]any {
	object := make(map[string]any)
	for p.next('}') {
		p.skipSpace()
		name := p.text(true)
		p.skipSpace()
		p.rest = p.rest[1:] // the colon
		object[name] = p.value()
	}
	return object
}

func (p *parser) array() []any {
	array := []any{}
	for p.next(']') {
		array = append(array, p.value())
	}
	return array
}

// next steps over an opening bracket or a comma and reports whether an element
// follows; if not, it steps over the closing bracket as well.
func (p *parser) next(closing byte) bool {
	p.skipSpace()
	if p.rest[0] != closing {
		p.rest = p.rest[1:]
		p.skipSpace()
	}
	if p.rest[0] != closing {
		return true
	}
	p.rest = p.rest[1:]
	return false
}

func (p *parser) literal() any {
	end := strings.IndexAny(p.rest, ",]} \t\r\n")
	if end < 0 {
		end = len(p.rest)
	}
	word := p.rest[:end]
	p.rest = p.rest[end:]
	switch word {
	case "null":
		return nil
	case "true", "false":
		return word == "true"
	}
	return number(word)
}

func (p *parser) skipSpace() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

// text reads a string in quotes. It shares the memory of the request only if the
// caller wants it so, for a while: a message, or a long poll, outlives its request.
func (p *parser) text(share bool) string {
	p.rest = p.rest[1:]
	end := strings.IndexAny(p.rest, `"\`)
	if p.rest[end] == '"' {
		s := p.rest[:end]
		p.rest = p.rest[end+1:]
		if !share {
			s = strings.Clone(s)
		}
		return s
	}
	var b []byte
	for p.rest[end] != '"' {
		b = append(b, p.rest[:end]...)
		p.rest = p.rest[end+1:] // behind the backslash
		b = p.escape(b)
		end = strings.IndexAny(p.rest, `"\`)
	}
	b = append(b, p.rest[:end]...)
	p.rest = p.rest[end+1:]
	return string(b)
}

// plainEscapes are the characters that may follow a backslash, each before the
// one it stands for.
const plainEscapes = "\"\"\\\\//b\bf\fn\nr\rt\t"

// escape appends what the escape sequence stands for whose backslash has been
// read.
func (p *parser) escape(b []byte) []byte {
	c := p.rest[0]
	if c != 'u' {
		p.rest = p.rest[1:]
		return append(b, plainEscapes[strings.IndexByte(plainEscapes, c)+1])
	}
	r := p.unit()
	if !utf16.IsSurrogate(r) {
		return utf8.AppendRune(b, r)
	}
	if ahead := *p; strings.HasPrefix(ahead.rest, `\u`) {
		ahead.rest = ahead.rest[1:]
		if pair := utf16.DecodeRune(r, ahead.unit()); pair != utf8.RuneError {
			*p = ahead
			return utf8.AppendRune(b, pair)
		}
	}
	// A lone surrogate: the three bytes it would have, which are not UTF-8.
	return append(b, 0xe0|byte(r>>12), 0x80|byte(r>>6)&0x3f, 0x80|byte(r)&0x3f)
}

// unit reads the letter u and four hexadecimal digits.
func (p *parser) unit() rune {
	var r rune
	for _, c := range []byte(p.rest[1:5]) {
		switch {
		case c <= '9':
			r = r<<4 | rune(c-'0')
		default:
			r = r<<4 | rune(c|0x20-'a'+10)
		}
	}
	p.rest = p.rest[5:]
	return r
}
