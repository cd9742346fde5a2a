package sqsapi

import (
	"encoding/base64"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A form is what a request of the Query protocol says: a tree whose edges are the
// parts of its parameters' names, which dots separate.
type form struct {
	text  string
	given bool // there is a parameter of that very name
	parts map[string]*form
}

// A request has at most maxParameters parameters of at most maxParts parts. The
// largest one that SQS takes, ten messages with ten attributes each, has 460 of
// up to 6.
const (
	maxParameters = 2000
	maxParts      = 8
)

// parseForm reads parameters. Of those of one name the last one counts.
func parseForm(encoded string) (*form, error) {
	f := new(form)
	for n := 0; encoded != ""; n++ {
		if n == maxParameters {
			return nil, &failure{malformedQueryString, "The request has too many parameters."}
		}
		var parameter string
		parameter, encoded, _ = strings.Cut(encoded, "&")
		if parameter == "" {
			continue
		}
		name, value, _ := strings.Cut(parameter, "=")
		name, err := url.QueryUnescape(name)
		if err == nil {
			value, err = url.QueryUnescape(value)
		}
		if err != nil {
			return nil, &failure{malformedQueryString, "The query string contains a syntax error."}
		}
		if strings.Count(name, ".") >= maxParts {
			continue // no member is as deep as that, and others are ignored
		}
		at := f
		for part := range strings.SplitSeq(name, ".") {
			if at.parts == nil {
				at.parts = make(map[string]*form)
			}
			next := at.parts[part]
			if next == nil {
				next = new(form)
				at.parts[part] = next
			}
			at = next
		}
		at.text, at.given = strings.Clone(value), true // a message outlives its request
	}
	return f, nil
}

// get returns a part, nil if there is none.
func (f *form) get(name string) *form {
	if f == nil {
		return nil
	}
	return f.parts[name]
}

// elements returns those of a list or a map in the order of their numbers. One
// without a number, which old clients send, stands alone.
func (f *form) elements() []*form {
	if f == nil {
		return nil
	}
	type element struct {
		n    int
		form *form
	}
	var numbered []element
	for part, e := range f.parts {
		if n, err := strconv.Atoi(part); err == nil && n > 0 && strconv.Itoa(n) == part {
			numbered = append(numbered, element{n, e})
		}
	}
	if len(numbered) == 0 {
		if f.given || len(f.parts) > 0 {
			return []*form{f}
		}
		return nil
	}
	slices.SortFunc(numbered, func(a, b element) int { return a.n - b.n })
	elements := make([]*form, len(numbered))
	for i := range numbered {
		elements[i] = numbered[i].form
	}
	return elements
}

// bindForm fills the structure that in points to with the parameters of a form.
// Parameters without a field are ignored.
func bindForm(in any, f *form) error { return bindMembers(reflect.ValueOf(in).Elem(), f) }

func bindMembers(to reflect.Value, f *form) error {
	for _, m := range layouts[to.Type()] {
		field := to.FieldByIndex(m.index)
		var err error
		switch {
		case field.Type() == bytesType || field.Kind() != reflect.Slice && field.Kind() != reflect.Map:
			err = bindParameter(field, f.get(m.name), m.name)
		case field.Kind() == reflect.Slice:
			err = bindElements(field, f.get(m.query).elements(), m)
		default:
			err = bindPairs(field, f.get(m.query).elements(), m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bindParameter sets what is no list or map: a text, a number, or a structure.
func bindParameter(to reflect.Value, f *form, name string) error {
	switch {
	case f == nil:
		return nil
	case to.Kind() == reflect.Struct:
		return bindMembers(to, f)
	case !f.given:
		return nil
	case to.Kind() == reflect.Pointer:
		to.Set(reflect.New(to.Type().Elem()))
		return bindParameter(to.Elem(), f, name)
	case to.Type() == bytesType:
		b, err := base64.StdEncoding.DecodeString(f.text)
		if err != nil {
			return invalid("Value for parameter " + name + " is invalid. Reason: It is not valid base64.")
		}
		to.SetBytes(b)
	case to.Kind() == reflect.Int:
		n, err := strconv.ParseInt(f.text, 10, 32)
		if err != nil {
			return invalid("Value " + f.text + " for parameter " + name + " is invalid. Reason: Must be an integer.")
		}
		to.SetInt(n)
	default:
		if to.Type() != contentType && !utf8.ValidString(f.text) {
			return notUnicode()
		}
		to.SetString(f.text)
	}
	return nil
}

func bindElements(to reflect.Value, elements []*form, m member) error {
	if elements == nil {
		return nil
	}
	to.Set(reflect.MakeSlice(to.Type(), len(elements), len(elements)))
	for i, e := range elements {
		if err := bindParameter(to.Index(i), e, m.query); err != nil {
			return err
		}
	}
	return nil
}

func bindPairs(to reflect.Value, elements []*form, m member) error {
	if elements == nil {
		return nil
	}
	to.Set(reflect.MakeMapWithSize(to.Type(), len(elements)))
	for _, e := range elements {
		var name string
		if err := bindParameter(reflect.ValueOf(&name).Elem(), e.get(m.key), m.query+"."+m.key); err != nil {
			return err
		}
		value := reflect.New(to.Type().Elem()).Elem()
		if err := bindParameter(value, e.get("Value"), m.query+".Value"); err != nil {
			return err
		}
		to.SetMapIndex(reflect.ValueOf(name), value)
	}
	return nil
}
