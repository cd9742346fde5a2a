package sqsapi

import (
	"encoding/base64"
	"reflect"
	"strconv"
	"unicode/utf8"
)

// content is text whose form is judged where it is used, because SQS has errors
// of its own for it: it may be invalid UTF-8. All other text is refused then.
type content string

// scalarText is text for which SQS also takes a number, as it was written.
type scalarText string

// bind fills the structure that in points to with the members of a JSON object.
//
// A member goes to the field of its name, in exact case. Members without a field
// are ignored, as is null.
func bind(in any, value any) error {
	return bindValue(reflect.ValueOf(in).Elem(), value)
}

var (
	bytesType      = reflect.TypeFor[[]byte]()
	contentType    = reflect.TypeFor[content]()
	scalarTextType = reflect.TypeFor[scalarText]()
)

func bindValue(to reflect.Value, value any) error {
	switch {
	case value == nil:
		return nil
	case to.Type() == bytesType:
		return bindBlob(to, value)
	}
	switch to.Kind() {
	case reflect.Pointer:
		to.Set(reflect.New(to.Type().Elem()))
		return bindValue(to.Elem(), value)
	case reflect.Struct:
		return bindStruct(to, value)
	case reflect.Map:
		return bindMap(to, value)
	case reflect.Slice:
		return bindList(to, value)
	case reflect.String:
		return bindText(to, value)
	case reflect.Int:
		return bindInteger(to, value)
	}
	panic("sqsapi: internal error: no member can be a " + to.Type().String())
}

func bindStruct(to reflect.Value, value any) error {
	object, ok := value.(map[string]any)
	if !ok {
		return malformed("Expected start of structure or map, found " + found(value) + ".")
	}
	for _, m := range layouts[to.Type()] {
		if err := bindValue(to.FieldByIndex(m.index), object[m.name]); err != nil {
			return err
		}
	}
	return nil
}

// bindMap leaves out what is null.
func bindMap(to reflect.Value, value any) error {
	object, ok := value.(map[string]any)
	if !ok {
		return malformed("Expected start of structure or map, found " + found(value) + ".")
	}
	to.Set(reflect.MakeMapWithSize(to.Type(), len(object)))
	for name, member := range object {
		if member == nil {
			continue
		}
		if !utf8.ValidString(name) {
			return notUnicode()
		}
		element := reflect.New(to.Type().Elem()).Elem()
		if err := bindValue(element, member); err != nil {
			return err
		}
		to.SetMapIndex(reflect.ValueOf(name), element)
	}
	return nil
}

func bindList(to reflect.Value, value any) error {
	list, ok := value.([]any)
	if !ok {
		return malformed("Expected list or null, found " + found(value) + ".")
	}
	to.Set(reflect.MakeSlice(to.Type(), len(list), len(list)))
	for i, member := range list {
		if err := bindValue(to.Index(i), member); err != nil {
			return err
		}
	}
	return nil
}

func bindText(to reflect.Value, value any) error {
	text, ok := value.(string)
	if n, isNumber := value.(number); isNumber && to.Type() == scalarTextType {
		text, ok = string(n), true
	}
	if !ok {
		return cantConvert(value, "String")
	}
	if to.Type() != contentType && !utf8.ValidString(text) {
		return notUnicode()
	}
	to.SetString(text)
	return nil
}

func bindInteger(to reflect.Value, value any) error {
	n, ok := value.(number)
	if !ok {
		return cantConvert(value, "Integer")
	}
	i, err := strconv.ParseInt(string(n), 10, 32) // SQS's integers have 32 bits
	if err != nil {
		return cantConvert(value, "Integer")
	}
	to.SetInt(i)
	return nil
}

func bindBlob(to reflect.Value, value any) error {
	text, ok := value.(string)
	if !ok {
		return cantConvert(value, "Blob")
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return malformed("A blob is not valid base64.")
	}
	to.SetBytes(b)
	return nil
}

func cantConvert(value any, to string) error {
	switch value.(type) {
	case map[string]any:
		return malformed("Start of structure or map found where not expected.")
	case []any:
		return malformed("Start of list found where not expected.")
	}
	return malformed(found(value) + " can not be converted to " + article(to) + " " + to)
}

func article(noun string) string {
	if noun == "Integer" {
		return "an"
	}
	return "a"
}

func notUnicode() error { return malformed("A text of the request is not valid Unicode.") }

// found names the type of a parsed value as SQS does.
func found(value any) string {
	switch v := value.(type) {
	case map[string]any:
		return "start of structure or map"
	case []any:
		return "start of list"
	case string:
		return "STRING_VALUE"
	case bool:
		if v {
			return "TRUE_VALUE"
		}
		return "FALSE_VALUE"
	}
	return "NUMBER_VALUE"
}
