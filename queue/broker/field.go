package broker

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/restantemq/restante/queue"
)

// A field reads one part of a description.
type field interface {
	// value returns what the part amounts to, defaults filled in, for ==.
	value(d *description) any
	// isGiven reports whether it is not zero.
	isGiven(d *description) bool
}

// An attributeField has a form in SQS as well.
type attributeField interface {
	field
	// parse sets the part. The error is errValue, or one that says more.
	parse(d *description, text string) error
	// format writes the part, or returns false if it is not told.
	format(d *description) (text string, ok bool)
}

// errValue says of a text that it is malformed or out of range.
var errValue = errors.New("bad value")

// refusal is the error of an attribute whose value was refused with err.
func refusal(name string, err error) error {
	if err == errValue {
		return &AttributeError{Name: name, Err: ErrInvalidAttributeValue}
	}
	return err
}

// seconds is a duration; SQS has whole seconds from low to high.
type seconds struct {
	low, high, normal time.Duration
	in                func(*queue.Config) *time.Duration
}

func (s seconds) parse(d *description, text string) error {
	n, ok := parseInteger(text)
	// Compared as numbers: n seconds may be more than a Duration holds.
	if !ok || n < int(s.low/time.Second) || n > int(s.high/time.Second) {
		return errValue
	}
	value := time.Duration(n) * time.Second
	if value == 0 && s.normal != 0 {
		value = queue.None
	}
	*s.in(&d.cfg) = value
	return nil
}

func (s seconds) duration(d *description) time.Duration {
	switch value := *s.in(&d.cfg); value {
	case 0:
		return s.normal
	case queue.None:
		return 0
	default:
		return value
	}
}

func (s seconds) value(d *description) any { return s.duration(d) }

// format rounds up: what a Config says to the millisecond SQS has no form for.
func (s seconds) format(d *description) (string, bool) {
	return strconv.Itoa(s.whole(d)), true
}

func (s seconds) whole(d *description) int {
	value := s.duration(d)
	return int(value/time.Second) + min(1, int(value%time.Second))
}

// wholeSeconds compares durations as SQS tells them.
type wholeSeconds struct{ seconds }

func (s wholeSeconds) value(d *description) any { return s.whole(d) }

func (s seconds) isGiven(d *description) bool { return *s.in(&d.cfg) != 0 }

// octets is a number of bytes from low to high.
type octets struct {
	low, high, normal int
	in                func(*queue.Config) *int
}

func (o octets) parse(d *description, text string) error {
	n, ok := parseInteger(text)
	if !ok || n < o.low || n > o.high {
		return errValue
	}
	*o.in(&d.cfg) = n
	return nil
}

func (o octets) number(d *description) int {
	switch n := *o.in(&d.cfg); {
	case n != 0:
		return n
	case d.cfg.Limits == queue.Unlimited:
		return math.MaxInt
	}
	return o.normal
}

func (o octets) value(d *description) any             { return o.number(d) }
func (o octets) format(d *description) (string, bool) { return strconv.Itoa(o.number(d)), true }
func (o octets) isGiven(d *description) bool          { return *o.in(&d.cfg) != 0 }

// flag is true or false, of a FIFO queue.
type flag struct{ in func(*queue.Config) *bool }

func (f flag) parse(d *description, text string) error {
	value, ok := parseBool(text)
	if !ok {
		return errValue
	}
	*f.in(&d.cfg) = value
	return nil
}

func (f flag) value(d *description) any { return *f.in(&d.cfg) }

func (f flag) format(d *description) (string, bool) {
	return strconv.FormatBool(*f.in(&d.cfg)), d.kind == queue.FIFO
}

func (f flag) isGiven(d *description) bool { return *f.in(&d.cfg) }

// kindField is the flag that says of a queue that it is a FIFO queue.
type kindField struct{}

func (kindField) parse(d *description, text string) error {
	isFIFO, ok := parseBool(text)
	if !ok {
		return errValue
	}
	if isFIFO {
		d.kind = queue.FIFO
	}
	return nil
}

func (kindField) value(d *description) any { return d.kind }

func (kindField) format(d *description) (string, bool) { return "true", d.kind == queue.FIFO }
func (kindField) isGiven(*description) bool            { return true }

// choice is one of a few words, of a FIFO queue; the first is the default.
type choice[T ~uint8] struct {
	words []string
	in    func(*queue.Config) *T
}

func (c choice[T]) parse(d *description, text string) error {
	i := slices.Index(c.words, text)
	if i < 0 {
		return errValue
	}
	*c.in(&d.cfg) = T(i)
	return nil
}

func (c choice[T]) value(d *description) any { return *c.in(&d.cfg) }

func (c choice[T]) format(d *description) (string, bool) {
	return c.words[*c.in(&d.cfg)], d.kind == queue.FIFO
}

func (c choice[T]) isGiven(d *description) bool { return *c.in(&d.cfg) != 0 }

// text is an attribute that is kept as it was given. An empty value removes it.
type text struct {
	name   string
	normal string // what it is when nobody set it; empty: then it isn't told
	with   string // the attribute without which it isn't told, if any

	form    func(text string) (canonical string, ok bool) // nil: any text
	check   func(text string) error                       // nil: nothing beyond form
	meaning func(text string) string                      // what to compare, nil: the text
}

func (t text) parse(d *description, value string) error {
	if !utf8.ValidString(value) {
		return errValue
	}
	if t.form != nil {
		var ok bool
		if value, ok = t.form(value); !ok {
			return errValue
		}
	}
	if t.check != nil && value != "" {
		if err := t.check(value); err != nil {
			return err
		}
	}
	d.setText(t.name, value)
	return nil
}

func (t text) text(d *description) string {
	if value := d.texts[t.name]; value != "" {
		return value
	}
	return t.normal
}

func (t text) value(d *description) any {
	if t.meaning != nil {
		return t.meaning(t.text(d))
	}
	return t.text(d)
}

func (t text) format(d *description) (string, bool) {
	value := t.text(d)
	return value, value != "" && (t.with == "" || d.texts[t.with] != "")
}

func (t text) isGiven(d *description) bool { return d.texts[t.name] != "" }

// plain is a part that has no form in SQS. Its zero is its default.
type plain[T comparable] struct{ in func(*queue.Config) *T }

func (p plain[T]) value(d *description) any { return *p.in(&d.cfg) }

func (p plain[T]) isGiven(d *description) bool {
	var zero T
	return *p.in(&d.cfg) != zero
}

// foreignLetter is a dead-letter queue that is no queue of the broker.
type foreignLetter struct{}

func (foreignLetter) value(d *description) any {
	given := d.cfg.DeadLetter
	if given.Target != nil && !reflect.TypeOf(given.Target).Comparable() {
		return new(int) // equal to nothing
	}
	return given
}

func (foreignLetter) isGiven(d *description) bool {
	return d.cfg.DeadLetter.Target != nil || d.cfg.DeadLetter.MaxReceives != 0
}

func visibilityTimeout(c *queue.Config) *time.Duration             { return &c.VisibilityTimeout }
func delay(c *queue.Config) *time.Duration                         { return &c.Delay }
func retention(c *queue.Config) *time.Duration                     { return &c.Retention }
func receiveWait(c *queue.Config) *time.Duration                   { return &c.ReceiveWait }
func maxMessageSize(c *queue.Config) *int                          { return &c.MaxMessageSize }
func contentDeduplication(c *queue.Config) *bool                   { return &c.ContentDeduplication }
func enforceThroughput(c *queue.Config) *bool                      { return &c.EnforceThroughput }
func fencedReceipts(c *queue.Config) *bool                         { return &c.FencedReceipts }
func limits(c *queue.Config) *queue.Limits                         { return &c.Limits }
func throughputLimit(c *queue.Config) *queue.ThroughputLimit       { return &c.ThroughputLimit }
func deduplicationScope(c *queue.Config) *queue.DeduplicationScope { return &c.DeduplicationScope }

// parseInteger reads a decimal number written in the one canonical way: no
// plus sign, no padding.
func parseInteger(text string) (n int, ok bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && strconv.Itoa(n) == text
}

// parseBool reads "true" or "false" in any case.
func parseBool(text string) (value, ok bool) {
	value = strings.EqualFold(text, "true")
	return value, value || strings.EqualFold(text, "false")
}

// lowerBool is parseBool for a value that is kept as text.
func lowerBool(text string) (string, bool) {
	value, ok := parseBool(text)
	return strconv.FormatBool(value), ok
}
