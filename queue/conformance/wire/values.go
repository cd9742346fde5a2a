package wire

import (
	"encoding/base64"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

// An object is one in the form that the JSON protocol gives it. The requests of
// Query are made of it, and its answers are brought back to it.
type object = map[string]any

// brief is a value for messages, in one line and cut short.
func brief(value any) string {
	return fmt.Sprintf("%.300s", strings.Join(strings.Fields(fmt.Sprint(value)), " "))
}

// pairs makes a map of names and values.
func pairs(pairs ...string) map[string]string {
	m := map[string]string{}
	for pair := range slices.Chunk(pairs, 2) {
		m[pair[0]] = pair[1]
	}
	return m
}

// objects is a list of objects.
func objects(list any) []object {
	all := []object{}
	elements, _ := list.([]any)
	for _, e := range elements {
		all = append(all, e.(object))
	}
	return all
}

// bodiesOf are the bodies of messages.
func bodiesOf(messages []object) []string {
	bodies := []string{}
	for _, m := range messages {
		bodies = append(bodies, m["Body"].(string))
	}
	return bodies
}

// urlsOf is the list of URLs in an answer.
func urlsOf(out object) []string {
	list, ok := out["QueueUrls"].([]any)
	if !ok {
		list, _ = out["queueUrls"].([]any)
	}
	urls := []string{}
	for _, url := range list {
		urls = append(urls, url.(string))
	}
	return urls
}

// keysOf are the names of an object's members.
func keysOf(m object) []string {
	keys := []string{}
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}

// sorted yields a map in ascending order of its keys.
func sorted[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}

// textValue, numberValue and bytesValue are values of message attributes.
func textValue(value string) object { return object{"DataType": "String", "StringValue": value} }

func numberValue(value string) object { return object{"DataType": "Number", "StringValue": value} }

func bytesValue(value string) object {
	return object{"DataType": "Binary", "BinaryValue": base64.StdEncoding.EncodeToString([]byte(value))}
}

// typedValue is a value of a type with a label.
func typedValue(typ, value string) object {
	v := textValue(value)
	if strings.HasPrefix(typ, "Binary") {
		v = bytesValue(value)
	}
	v["DataType"] = typ
	return v
}

const traceHeader = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"

// integer is a number in either protocol.
func integer(text string) any {
	var n int
	_, _ = fmt.Sscan(text, &n)
	return n
}

// entriesOf are n entries of a batch.
func entriesOf(n int, entry object) []object {
	entries := []object{}
	for i := range n {
		e := maps.Clone(entry)
		e["Id"] = fmt.Sprint("id", i)
		entries = append(entries, e)
	}
	return entries
}

// inGroup is the input that sends a body to a group.
func inGroup(group string) object { return object{"MessageGroupId": group} }
