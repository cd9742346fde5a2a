package payload

import (
	"encoding/hex"
	"strings"
)

// Where a blob is in a Directory: the bucket's folder, and in it the blob's
// file. Bucket and key may hold anything, so every byte but a to z, 0 to 9, _
// and - stands as % and two hexadecimal digits: names of different blobs
// differ also where file systems take capitals for small letters, and none is
// "..", a device of Windows, or hidden. What is longer than a name may be goes on
// in a folder. The first letters tell what is what:
//
//	b-orders/k-cd5f1e0f-0c1b-4a8e-...            bucket "orders", a UUID as key
//	b-orders/k-eu%2fcd5f1e0f-0c1b-4a8e-...       key "eu/cd5f..."
//	b-orders/d-<first 200>/d-<next 200>/k-<rest>   a long key
//	t-1234                                       being written; no blob yet
const (
	bucketElement = "b-" // the last element of a bucket's name
	keyElement    = "k-" // the last element of a key, which is a file
	moreElement   = "d-" // an element that goes on
	elementLength = 200  // of a name, without the letter
)

// path returns the elements of a blob's path.
func path(at Pointer) []string {
	return append(bucketPath(at.Bucket), elements(at.Key, keyElement)...)
}

func bucketPath(bucket string) []string { return elements(bucket, bucketElement) }

// elements cuts a text into elements, of which the last one has that letter.
func elements(text, last string) (cut []string) {
	name := escape(text)
	for len(name) > elementLength {
		cut = append(cut, moreElement+name[:elementLength])
		name = name[elementLength:]
	}
	return append(cut, last+name)
}

// keyOf returns the key whose elements these are.
func keyOf(names []string) (key string, ok bool) {
	var name strings.Builder
	for i, element := range names {
		letter := moreElement
		if i == len(names)-1 {
			letter = keyElement
		}
		part, ok := strings.CutPrefix(element, letter)
		if !ok || letter == moreElement && len(part) != elementLength || len(part) > elementLength {
			return "", false
		}
		name.WriteString(part)
	}
	key, ok = unescape(name.String())
	return key, ok && escape(key) == name.String() && key != ""
}

// isBare reports whether c stands for itself.
func isBare(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '_' || c == '-' }

func escape(text string) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; isBare(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}

func unescape(name string) (text string, ok bool) {
	var b strings.Builder
	for name != "" {
		if name[0] != '%' {
			b.WriteByte(name[0])
			name = name[1:]
			continue
		}
		if len(name) < 3 {
			return "", false
		}
		c, err := hex.DecodeString(name[1:3])
		if err != nil {
			return "", false
		}
		b.WriteByte(c[0])
		name = name[3:]
	}
	return b.String(), true
}
