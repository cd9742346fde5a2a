package payload

import (
	"encoding/json"
	"fmt"
	"strings"
)

// A Pointer names a blob.
type Pointer struct{ Bucket, Key string }

// The class names in pointers. Amazon's library for Java made pointers by
// writing an object together with its class, so that is how they look.
const (
	class       = "software.amazon.payloadoffloading.PayloadS3Pointer"
	legacyClass = "com.amazon.sqs.javamessaging.MessageS3Pointer"
)

// Body returns the pointer as the body of a message, to the byte as Amazon's
// library for Java writes it:
//
//	["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"b","s3Key":"k"}]
//
// or with legacy, com.amazon.sqs.javamessaging.MessageS3Pointer in place of the
// first text. Bucket and key must be UTF-8.
func (p Pointer) Body(legacy bool) string {
	name := class
	if legacy {
		name = legacyClass
	}
	var b strings.Builder
	b.WriteString(`["` + name + `",{"s3BucketName":`)
	writeText(&b, p.Bucket)
	b.WriteString(`,"s3Key":`)
	writeText(&b, p.Key)
	b.WriteString(`}]`)
	return b.String()
}

// writeText writes s as JSON does, with no more escapes than Jackson makes;
// encoding/json has some more.
func writeText(b *strings.Builder, s string) {
	b.WriteByte('"')
	for i := range len(s) {
		c := s[i]
		if short := strings.IndexByte("\"\\\b\t\n\f\r", c); short >= 0 {
			b.WriteByte('\\')
			b.WriteByte(`"\btnfr`[short])
		} else if c < ' ' {
			fmt.Fprintf(b, `\u%04X`, c)
		} else {
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
}

// ParsePointer reads the body of a message that is a pointer, in either form and
// with any white space, as Amazon's library for Python writes it. Further
// members of the object are ignored, as they are there. Anything else is an
// [ErrPointerInvalid].
func ParsePointer(body string) (Pointer, error) {
	if !strings.HasPrefix(strings.TrimLeft(body, " \t\r\n"), "[") {
		return Pointer{}, ErrPointerInvalid // most bodies, at no cost
	}
	var parts []json.RawMessage
	var name string
	var object map[string]json.RawMessage // a struct would take "s3key" for s3Key
	if json.Unmarshal([]byte(body), &parts) != nil || len(parts) != 2 ||
		json.Unmarshal(parts[0], &name) != nil || name != class && name != legacyClass ||
		json.Unmarshal(parts[1], &object) != nil {
		return Pointer{}, ErrPointerInvalid
	}
	var p Pointer
	for member, text := range map[string]*string{"s3BucketName": &p.Bucket, "s3Key": &p.Key} {
		if json.Unmarshal(object[member], text) != nil || *text == "" {
			return Pointer{}, fmt.Errorf("%w: it has no %s", ErrPointerInvalid, member)
		}
	}
	return p, nil
}
