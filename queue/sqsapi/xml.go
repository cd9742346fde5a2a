package sqsapi

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"reflect"
	"slices"
	"strconv"
)

// xmlNamespace is that of all answers of the Query protocol.
const xmlNamespace = "http://queue.amazonaws.com/doc/2012-11-05/"

// An xmlWriter writes elements. encoding/xml would need a type for each answer;
// here the layouts do, which both protocols have in common.
type xmlWriter struct{ bytes.Buffer }

func (w *xmlWriter) open(name string) {
	w.WriteByte('<')
	w.WriteString(name)
	w.WriteByte('>')
}

func (w *xmlWriter) close(name string) {
	w.WriteString("</")
	w.WriteString(name)
	w.WriteByte('>')
}

// element writes an element with a text. A carriage return is written as a
// reference, because readers turn others into line feeds; what XML can't hold is
// replaced.
func (w *xmlWriter) element(name, text string) {
	w.open(name)
	_ = xml.EscapeText(w, []byte(text)) // a Buffer doesn't fail
	w.close(name)
}

// structure writes the members of a structure.
func (w *xmlWriter) structure(v reflect.Value) {
	for _, m := range layouts[v.Type()] {
		field := v.FieldByIndex(m.index)
		if m.omitEmpty && isEmpty(field) {
			continue
		}
		switch {
		case field.Type() == bytesType:
			w.element(m.name, base64.StdEncoding.EncodeToString(field.Bytes()))
		case field.Kind() == reflect.Slice:
			for i := range field.Len() {
				w.value(m.query, field.Index(i))
			}
		case field.Kind() == reflect.Map:
			w.pairs(m, field)
		default:
			w.value(m.name, field)
		}
	}
}

// pairs writes the elements of a map in the order of their names.
func (w *xmlWriter) pairs(m member, v reflect.Value) {
	names := v.MapKeys()
	slices.SortFunc(names, func(a, b reflect.Value) int { return bytes.Compare([]byte(a.String()), []byte(b.String())) })
	for _, name := range names {
		w.open(m.query)
		w.element(m.key, name.String())
		w.value("Value", v.MapIndex(name))
		w.close(m.query)
	}
}

// value writes what is no list or map.
func (w *xmlWriter) value(name string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		w.value(name, v.Elem())
	case reflect.Struct:
		w.open(name)
		w.structure(v)
		w.close(name)
	case reflect.Bool:
		w.element(name, strconv.FormatBool(v.Bool()))
	case reflect.Int, reflect.Int64:
		w.element(name, strconv.FormatInt(v.Int(), 10))
	default:
		w.element(name, v.String())
	}
}

// isEmpty is what encoding/json omits with omitempty.
func isEmpty(v reflect.Value) bool {
	if v.Kind() == reflect.Slice || v.Kind() == reflect.Map {
		return v.Len() == 0
	}
	return v.IsZero()
}
