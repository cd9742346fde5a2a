package sqsapi

import (
	"errors"
	"reflect"
	"testing"
)

var errRead = errors.New("that was all")

// eachInput calls read for the input of every action.
func eachInput(t *testing.T, read func(in any) error) {
	t.Helper()
	for name, a := range actions {
		_, err := a.perform(&call{read: func(in any) error {
			if err := read(in); err != nil {
				if f := (*failure)(nil); !errors.As(err, &f) {
					t.Errorf("%s: the error %v has no form on the wire", name, err)
				}
			}
			return errRead
		}})
		if !errors.Is(err, errRead) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzForm reads any parameters as the input of every action: nothing panics, and
// reading the same again gives the same.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{
		"Action=SendMessage&MessageBody=a&MessageAttribute.1.Name=k&MessageAttribute.1.Value.DataType=String&MessageAttribute.1.Value.StringValue=x",
		"SendMessageBatchRequestEntry.2.Id=b&SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1.DelaySeconds=9999999999",
		"Attribute.Name=VisibilityTimeout&Attribute.Value=5&AttributeName=All&Entries=", "Attribute=x&Tag.1=x&Tag.1.Key=a&Tag.1.Key.b=c",
		"MessageAttribute.1.Value.BinaryValue=!!&MessageAttribute.1.Value.StringListValue.1=a&a.b.c.d.e.f.g.h.i=1", "%zz=1", "=&&=a&.=b&..1.=c",
		"AttributeName.0=a&AttributeName.-1=b&AttributeName.18446744073709551616=c", "QueueName=%ff&MessageBody=%ff",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parameters, err := parseForm(text)
		if err != nil {
			return
		}
		eachInput(t, func(in any) error {
			again := reflect.New(reflect.TypeOf(in).Elem()).Interface()
			err, errAgain := bindForm(in, parameters), bindForm(again, parameters)
			if (err == nil) != (errAgain == nil) || err == nil && !reflect.DeepEqual(in, again) {
				t.Errorf("read twice: %+v, %v and %+v, %v", in, err, again, errAgain)
			}
			return err
		})
	})
}

// FuzzMembers reads any JSON as the input of every action.
func FuzzMembers(f *testing.F) {
	for _, seed := range []string{
		`{"QueueUrl":"q","MessageBody":"a","DelaySeconds":5,"MessageAttributes":{"k":{"DataType":"String","StringValue":"x"}}}`,
		`{"Entries":[{"Id":"a","MessageBody":"b"},null,{}],"Attributes":{"a":1,"b":null},"tags":{"":""}}`,
		`{"Entries":{},"QueueUrl":[],"MaxResults":1e3,"Label":"\ud800"}`, `[]`, `null`, `{"DelaySeconds":99999999999}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		eachInput(t, func(in any) error { return readJSON(text, in) })
	})
}
