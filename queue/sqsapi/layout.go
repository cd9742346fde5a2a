package sqsapi

import (
	"reflect"
	"strings"
)

// A layout is what the tags of a structure say, in the order of its fields, those
// of embedded structures included.
type layout []member

type member struct {
	name      string
	index     []int  // of the field
	query     string // what elements are called in the Query protocol; empty for scalars
	key       string // what a map's keys are called there
	needed    bool
	omitEmpty bool
}

// layouts has that of every structure of the wire. It is filled when the program
// starts, and then only read.
var layouts = make(map[reflect.Type]layout)

// lay makes the layouts of a type and of those within it.
func lay(t reflect.Type) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if _, done := layouts[t]; done || t.Kind() != reflect.Struct {
		return
	}
	l := layout{}
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous {
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		m := member{
			name: f.Name, index: f.Index, query: f.Tag.Get("query"), key: "Name",
			needed: f.Tag.Get("need") != "", omitEmpty: options == "omitempty",
		}
		if name != "" {
			m.name = name
		}
		if key := f.Tag.Get("key"); key != "" {
			m.key = key
		}
		l = append(l, m)
		lay(f.Type)
	}
	layouts[t] = l
}

// checkNeeded refuses a request that lacks a member that it needs.
func checkNeeded(in reflect.Value) error {
	for _, m := range layouts[in.Type()] {
		if m.needed && in.FieldByIndex(m.index).IsZero() {
			return missing(m.name)
		}
	}
	return nil
}
