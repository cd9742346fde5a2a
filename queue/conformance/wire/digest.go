package wire

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// digest is the digest of message attributes: for each, in ascending order of
// names, name and type after their lengths as four bytes, big endian; a byte
// that is 1 for text and 2 for binary; and the value after its length. There is
// none of no attributes.
func digest(attributes any) any {
	m, _ := attributes.(object)
	if len(m) == 0 {
		return nil
	}
	sum := md5.New()
	put := func(text string) {
		_ = binary.Write(sum, binary.BigEndian, uint32(len(text)))
		_, _ = io.WriteString(sum, text)
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		a := m[name].(object)
		put(name)
		put(a["DataType"].(string))
		if strings.HasPrefix(a["DataType"].(string), "Binary") {
			value, _ := base64.StdEncoding.DecodeString(a["BinaryValue"].(string))
			sum.Write([]byte{2})
			put(string(value))
		} else {
			sum.Write([]byte{1})
			put(a["StringValue"].(string))
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func bodyDigest(body any) string {
	text, _ := body.(string)
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

var handleForm = regexp.MustCompile(`^[A-Za-z0-9+/=]+$`)

// checkDigests does what the SDKs do with each answer.
func (d *desk) checkDigests(a *answer) {
	d.t.Helper()
	same := func(want, got any, of string) {
		d.t.Helper()
		if want != got {
			d.flaw(ofDigests, "the digest of %s is %v instead of %v", of, got, want)
		}
	}
	identified := func(m object) {
		d.t.Helper()
		if id, _ := m["MessageId"].(string); !uuid.MatchString(id) {
			d.flaw(ofMembers, "MessageId is %q, which is no UUID", id)
		}
	}
	sent := func(in, out object) {
		d.t.Helper()
		same(bodyDigest(in["MessageBody"]), out["MD5OfMessageBody"], "a sent body")
		same(digest(in["MessageAttributes"]), out["MD5OfMessageAttributes"], "sent attributes")
		same(digest(in["MessageSystemAttributes"]), out["MD5OfMessageSystemAttributes"], "sent system attributes")
		identified(out)
	}
	switch a.action {
	case "SendMessage":
		if a.in != nil {
			sent(a.in, a.out)
		}
	case "SendMessageBatch":
		entries, _ := a.in["Entries"].([]object)
		for _, out := range objects(a.out["Successful"]) {
			for _, in := range entries {
				if in["Id"] == out["Id"] {
					sent(in, out)
				}
			}
		}
	case "ReceiveMessage":
		for _, m := range objects(a.out["Messages"]) {
			same(bodyDigest(m["Body"]), m["MD5OfBody"], "a received body")
			same(digest(m["MessageAttributes"]), m["MD5OfMessageAttributes"], "received attributes")
			identified(m)
			if handle, _ := m["ReceiptHandle"].(string); !handleForm.MatchString(handle) || len(handle) > 1024 {
				d.flaw(ofMembers, "a handle is base64 or hex, of at most 1024 characters: %.100q", handle)
			}
		}
	}
}
