package sqsapi

import (
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
)

// messageAttributes makes a message's attributes of a request's. What a queue
// can check is left to it.
func messageAttributes(in map[string]attributeInput) (queue.Attributes, error) {
	values := make(map[string]queue.Value, len(in))
	for _, name := range slices.Sorted(maps.Keys(in)) { // so that the first error is always the same
		a := in[name]
		v, err := a.value(name)
		if err != nil {
			return queue.Attributes{}, err
		}
		values[name] = v
	}
	return queue.NewAttributes(values), nil
}

// value takes the slot that belongs to the type; the other one is ignored.
func (a *attributeInput) value(name string) (queue.Value, error) {
	v := queue.Value{Type: a.DataType}
	if len(a.StringListValues) > 0 || len(a.BinaryListValues) > 0 {
		return v, invalid("Message attribute list values in SendMessage operation are not supported.")
	}
	switch {
	case v.IsBinary() && a.BinaryValue != nil:
		v.Data = string(*a.BinaryValue)
	case !v.IsBinary() && a.StringValue != nil:
		v.Data = string(*a.StringValue)
		if !utf8.ValidString(v.Data) {
			return v, invalid("Message (user) attribute '" + name + "' has a value with invalid characters.")
		}
	default:
		return v, invalid("The message (user) attribute '" + name + "' must contain a non-empty message attribute value.")
	}
	return v, nil
}

func attributesOut(attributes queue.Attributes) map[string]attributeOutput {
	if attributes == (queue.Attributes{}) {
		return nil
	}
	out := make(map[string]attributeOutput)
	for name, v := range attributes.All() {
		a := attributeOutput{DataType: v.Type}
		if v.IsBinary() {
			a.BinaryValue = []byte(v.Data)
		} else {
			a.StringValue = &v.Data
		}
		out[name] = a
	}
	return out
}

// attributesMD5 is the digest that clients check, empty if there are no
// attributes.
func attributesMD5(attributes queue.Attributes) string {
	if attributes == (queue.Attributes{}) {
		return ""
	}
	sum := attributes.MD5()
	return hex.EncodeToString(sum[:])
}

// attributeFilter says which message attributes a receiver wants: those named,
// those with a prefix named before ".*", or all.
func attributeFilter(names []string) func(string) bool {
	return func(name string) bool {
		for _, wanted := range names {
			prefix, isPrefix := strings.CutSuffix(wanted, ".*")
			switch {
			case wanted == name, wanted == "All", wanted == "*":
				return true
			case isPrefix && strings.HasPrefix(name, prefix):
				return true
			}
		}
		return false
	}
}

// systemFilter says which system attributes a receiver wants.
func systemFilter(names []string) func(string) bool {
	return func(name string) bool {
		for _, wanted := range names {
			if wanted == name || wanted == "All" {
				return true
			}
		}
		return false
	}
}

// traceHeaderName is the only system attribute that can be sent.
const traceHeaderName = "AWSTraceHeader"

// traceHeader returns the trace header among the system attributes of a
// request.
func traceHeader(in map[string]attributeInput) (string, error) {
	var header string
	for name, a := range in {
		if name != traceHeaderName || a.DataType != "String" {
			return "", invalid("Message system attribute name '" + name + "' is invalid.")
		}
		v, err := a.value(name)
		if err != nil {
			return "", err
		}
		if v.Data == "" {
			return "", invalid("Message system attribute '" + name + "' must contain a non-empty value of type 'String'.")
		}
		if !isTraceHeader(v.Data) {
			return "", invalid("Message system attribute '" + name + "' is not an X-Ray trace header.")
		}
		header = v.Data
	}
	return header, nil
}

// isTraceHeader reports whether text has the form of AWS X-Ray's tracing header:
// fields name=value between semicolons, one of which is the root's ID,
// 1-<8 hexadecimal digits>-<24 of them>.
func isTraceHeader(text string) bool {
	beyondASCII := func(r rune) bool { return r < ' ' || r > '~' }
	if len(text) > maxTraceHeader || strings.ContainsFunc(text, beyondASCII) {
		return false
	}
	rooted := false
	for field := range strings.SplitSeq(text, ";") {
		name, value, ok := strings.Cut(strings.TrimSpace(field), "=")
		if !ok && field != "" {
			return false
		}
		if strings.EqualFold(name, "Root") {
			parts := strings.Split(value, "-")
			rooted = len(parts) == 3 && parts[0] == "1" && isHex(parts[1], 8) && isHex(parts[2], 24)
		}
	}
	return rooted
}

// maxTraceHeader bounds a trace header, which doesn't count as a part of its
// message: X-Ray's own have some hundred characters.
const maxTraceHeader = 512

func isHex(text string, digits int) bool {
	return len(text) == digits && strings.Trim(text, "0123456789abcdefABCDEF") == ""
}

// traceAttribute is a trace header as the attribute it was sent as.
func traceAttribute(header string) queue.Attributes {
	if header == "" {
		return queue.Attributes{}
	}
	return queue.NewAttributes(map[string]queue.Value{traceHeaderName: queue.String(header)})
}

// systemAttributes returns those attributes of a delivery that the receiver
// wants. Those that don't apply to the message are absent.
func systemAttributes(d *queue.Delivery, in broker.Scope, wanted func(string) bool) map[string]string {
	out := make(map[string]string)
	put := func(name, value string) {
		if value != "" && wanted(name) {
			out[name] = value
		}
	}
	put("SenderId", in.Account) // requests carry no identity that is checked
	put("SentTimestamp", milliseconds(d.SentAt))
	put("ApproximateReceiveCount", strconv.Itoa(d.ReceiveCount))
	put("ApproximateFirstReceiveTimestamp", milliseconds(d.FirstReceivedAt))
	put("MessageGroupId", d.GroupID)
	put("MessageDeduplicationId", d.DeduplicationID)
	put("SequenceNumber", sequenceNumber(d.Sequence))
	put(traceHeaderName, d.TraceHeader)
	put("DeadLetterQueueSourceArn", d.DeadLetterSource)
	return out
}
