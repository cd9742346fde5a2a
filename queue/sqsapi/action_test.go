package sqsapi

import (
	"reflect"
	"testing"
)

func TestActionsAreThoseOfTheService(t *testing.T) {
	if len(actions) != 23 {
		t.Errorf("%d actions, the service has 23", len(actions))
	}
}

// Lists and maps need a name for their elements in the Query protocol, and nothing
// else does.
func TestShapesAreWhole(t *testing.T) {
	for shape, l := range layouts {
		for _, m := range l {
			f := shape.FieldByIndex(m.index).Type
			many := f != bytesType && (f.Kind() == reflect.Slice || f.Kind() == reflect.Map)
			if many != (m.query != "") {
				t.Errorf("%v.%s has the tag query:%q", shape, m.name, m.query)
			}
		}
	}
}
