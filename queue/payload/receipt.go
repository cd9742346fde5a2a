package payload

import (
	"fmt"
	"strings"

	"github.com/restantemq/restante/queue"
)

// A receipt of a message with a blob names the blob as well, so that Delete
// finds it, in another process too:
//
//	-..s3BucketName..-BUCKET-..s3BucketName..--..s3Key..-KEY-..s3Key..-HANDLE
//
// HANDLE is the text of the inner queue's receipt. Amazon's libraries cut the
// text where the first two markers of a kind are (Java) or after the last one
// (Python), so neither BUCKET nor KEY may hold a marker.
const (
	bucketMarker = "-..s3BucketName..-"
	keyMarker    = "-..s3Key..-"
)

// ParseReceipt reads the text of a receipt, as [queue.ParseReceipt] does, also of
// one of a message with a blob, whether this package made it or one of Amazon's
// libraries. Whether it is valid is for the queue to say.
func ParseReceipt(text string) (queue.Receipt, error) {
	if _, handle, ok := cutHandle(text); ok && handle != "" {
		return queue.ForeignReceipt(text), nil
	}
	r, err := queue.ParseReceipt(text)
	if err != nil {
		return r, fmt.Errorf("payload: %w", err)
	}
	return r, nil
}

// extend returns r with the name of its message's blob. A name that holds a
// marker can't be told; then the receipt stays as it is, and Delete leaves the
// blob to Collect.
func extend(r queue.Receipt, at Pointer) queue.Receipt {
	handle := r.String()
	text := bucketMarker + at.Bucket + bucketMarker + keyMarker + at.Key + keyMarker + handle
	if again, rest, ok := cutHandle(text); !ok || again != at || rest != handle {
		return r
	}
	return queue.ForeignReceipt(text)
}

// original returns the inner queue's receipt and the blob that r names. If it
// names none, ok is false and r is the inner queue's already, or nobody's, which
// that queue will say.
func original(r queue.Receipt) (inner queue.Receipt, at Pointer, ok bool) {
	text, ok := r.Foreign()
	if !ok {
		return r, at, false
	}
	at, handle, ok := cutHandle(text)
	if !ok || handle == "" {
		return r, Pointer{}, false
	}
	if inner, err := queue.ParseReceipt(handle); err == nil {
		return inner, at, true
	}
	return queue.ForeignReceipt(handle), at, true
}

// cutHandle splits an extended receipt's text.
func cutHandle(text string) (at Pointer, handle string, ok bool) {
	rest, ok := strings.CutPrefix(text, bucketMarker)
	if !ok {
		return Pointer{}, "", false
	}
	if at.Bucket, rest, ok = strings.Cut(rest, bucketMarker); !ok || at.Bucket == "" {
		return Pointer{}, "", false
	}
	if rest, ok = strings.CutPrefix(rest, keyMarker); !ok {
		return Pointer{}, "", false
	}
	if at.Key, handle, ok = strings.Cut(rest, keyMarker); !ok || at.Key == "" {
		return Pointer{}, "", false
	}
	return at, handle, true
}
