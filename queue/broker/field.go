package broker

import (
	"strconv"
	"strings"
	"time"

	"github.com/restantemq/restante/queue"
)

// A field reads one part of a description.
type field interface {
	// value returns what the part amounts to, defaults filled in, for ==.
	value(d *description) any
	// isGiven reports whether it is not zero.
	isGiven(d *description) bool
}

// An attributeField can also be written in SQS's form.
type attributeField interface {
	field
	// parse sets the part, or returns false if text is malformed or out of
	// range.
	parse(d *description, text string) bool
}

// seconds is a duration; SQS has whole seconds from low to high.
type seconds struct {
	low, high, normal time.Duration
	in                func(*queue.Config) *time.Duration
}

func (s seconds) parse(d *description, text string) bool {
	n, ok := parseInteger(text)
	// Compared as numbers: n seconds may be more than a Duration holds.
	if !ok || n < int(s.low/time.Second) || n > int(s.high/time.Second) {
		return false
	}
	value := time.Duration(n) * time.Second
	if value == 0 && s.normal != 0 {
		value = queue.None
	}
	*s.in(&d.cfg) = value
	return true
}

func (s seconds) value(d *description) any {
	switch value := *s.in(&d.cfg); value {
	case 0:
		return s.normal
	case queue.None:
		return time.Duration(0)
	default:
		return value
	}
}

func (s seconds) isGiven(d *description) bool { return *s.in(&d.cfg) != 0 }

// octets is a number of bytes from low to high.
type octets struct {
	low, high, normal int
	in                func(*queue.Config) *int
}

func (o octets) parse(d *description, text string) bool {
	n, ok := parseInteger(text)
	if !ok || n < o.low || n > o.high {
		return false
	}
	*o.in(&d.cfg) = n
	return true
}

func (o octets) value(d *description) any {
	if n := *o.in(&d.cfg); n != 0 {
		return n
	}
	return o.normal
}

func (o octets) isGiven(d *description) bool { return *o.in(&d.cfg) != 0 }

// flag is true or false.
type flag struct{ in func(*queue.Config) *bool }

func (f flag) parse(d *description, text string) bool {
	value, ok := parseBool(text)
	if ok {
		*f.in(&d.cfg) = value
	}
	return ok
}

func (f flag) value(d *description) any    { return *f.in(&d.cfg) }
func (f flag) isGiven(d *description) bool { return *f.in(&d.cfg) }

// kindField is the flag that says of a queue that it is a FIFO queue.
type kindField struct{}

func (kindField) parse(d *description, text string) bool {
	isFIFO, ok := parseBool(text)
	if isFIFO {
		d.kind = queue.FIFO
	}
	return ok
}

func (kindField) value(d *description) any  { return d.kind }
func (kindField) isGiven(*description) bool { return true }

// plain is a part that has no form in SQS, or none that is read here. Its zero
// is its default.
type plain[T comparable] struct{ in func(*queue.Config) *T }

func (p plain[T]) value(d *description) any { return *p.in(&d.cfg) }

func (p plain[T]) isGiven(d *description) bool {
	var zero T
	return *p.in(&d.cfg) != zero
}

func visibilityTimeout(c *queue.Config) *time.Duration             { return &c.VisibilityTimeout }
func delay(c *queue.Config) *time.Duration                         { return &c.Delay }
func retention(c *queue.Config) *time.Duration                     { return &c.Retention }
func receiveWait(c *queue.Config) *time.Duration                   { return &c.ReceiveWait }
func maxMessageSize(c *queue.Config) *int                          { return &c.MaxMessageSize }
func contentDeduplication(c *queue.Config) *bool                   { return &c.ContentDeduplication }
func fencedReceipts(c *queue.Config) *bool                         { return &c.FencedReceipts }
func limits(c *queue.Config) *queue.Limits                         { return &c.Limits }
func deadLetter(c *queue.Config) *queue.DeadLetter                 { return &c.DeadLetter }
func trace(c *queue.Config) **queue.Trace                          { return &c.Trace }
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
