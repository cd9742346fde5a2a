package payload

import (
	"maps"
	"strconv"

	"github.com/restantemq/restante/queue"
)

// The attributes that mark a message as a pointer. Their value is the size of
// the body in bytes. Either of them is enough.
const (
	// SizeAttribute is the name that is used today.
	SizeAttribute = "ExtendedPayloadSize"
	// LegacySizeAttribute is the first one, which Amazon's library for Java still
	// writes unless it is told otherwise.
	LegacySizeAttribute = "SQSLargePayloadSize"
)

func isReserved(name string) bool { return name == SizeAttribute || name == LegacySizeAttribute }

// marked returns a with the mark of a body of that size.
func marked(a queue.Attributes, size int, legacy bool) queue.Attributes {
	values := maps.Collect(a.All())
	name := SizeAttribute
	if legacy {
		name = LegacySizeAttribute
	}
	values[name] = queue.Number(strconv.Itoa(size))
	return queue.NewAttributes(values)
}

// markIn returns the name and value of the mark in a, if there is one.
func markIn(a queue.Attributes) (name, size string, ok bool) {
	if a == (queue.Attributes{}) {
		return "", "", false // most messages
	}
	for name, v := range a.All() { // SizeAttribute comes first
		if isReserved(name) {
			return name, v.Data, true
		}
	}
	return "", "", false
}

// unmarked returns a without marks.
func unmarked(a queue.Attributes) queue.Attributes {
	return a.Select(func(name string) bool { return !isReserved(name) })
}
