package payload

import (
	"strings"

	"github.com/restantemq/restante/queue"
)

const (
	// DefaultThreshold is the Options.Threshold of Amazon's libraries: the limit
	// that messages of SQS once had.
	DefaultThreshold = 256 << 10

	// MaxPayload is the largest body that is kept in a blob under
	// [queue.SQSLimits]: 2 GiB, as in Amazon's libraries.
	MaxPayload int64 = 2 << 30

	// MaxAttributes is how many attributes a message may have whose body is kept
	// in a blob, under [queue.SQSLimits]: the mark of its pointer takes the tenth
	// place.
	MaxAttributes = queue.MaxAttributes - 1

	// MaxPrefixLength limits Options.Prefix, in bytes: an S3 key has 1024.
	MaxPrefixLength = 988
)

// maxBucketLength limits Options.Bucket, in bytes. Names of S3 buckets have up
// to 63, but ARNs of access points are longer.
const maxBucketLength = 255

// Options are the choices made when a queue is wrapped. Bucket is required.
type Options struct {
	// Bucket is where new blobs go; with S3 it is the bucket's name. It stands in
	// every pointer, so receivers need not be told. Up to 255 ASCII letters,
	// digits and any of ._:/- without two periods in a row.
	Bucket string

	// Prefix begins the keys of new blobs; a random UUID follows. Up to
	// [MaxPrefixLength] ASCII letters, digits and any of ./_- and no period or
	// slash at the beginning, nor two periods in a row. Queues that share a bucket
	// and are collected one by one ([CollectOptions].Prefix) need one each.
	Prefix string

	// Threshold is the largest [queue.Message].Size that is sent as it is, in
	// bytes: the body of a larger message becomes a blob. Zero means
	// [DefaultThreshold]. What is above the queue's own Config.MaxMessageSize
	// becomes a blob in any case. A message's attributes are not moved to the
	// blob, and alone must not be larger.
	Threshold int

	// Always makes a blob of every body.
	Always bool

	// Legacy writes pointers for receivers whose library knows no other form: with
	// the class name com.amazon.sqs.javamessaging.MessageS3Pointer and the
	// attribute SQSLargePayloadSize. Both forms are always read.
	Legacy bool

	// KeepBlobs leaves blobs where they are when their messages are deleted.
	// Blobs of messages that the queue refused are removed all the same.
	KeepBlobs bool

	// IgnoreMissing deletes a received message whose blob does not exist, and
	// goes on. Report is told.
	IgnoreMissing bool

	// Report, if not nil, is told of failures that no method returns: a delivery
	// that was left out, a blob that became an orphan. It is called by the
	// goroutine that made the call, before the call returns, and must not close
	// the queue.
	Report func(*BlobError)
}

// resolve checks the options and fills their defaults in.
func (o *Options) resolve() error {
	if err := checkBucket(o.Bucket); err != nil {
		return err
	}
	if err := checkPrefix(o.Prefix); err != nil {
		return err
	}
	if o.Threshold == 0 {
		o.Threshold = DefaultThreshold
	}
	if o.Threshold < 0 {
		return &queue.LimitError{Parameter: "Threshold", Got: o.Threshold, Min: 1, Err: queue.ErrInvalidParameter}
	}
	return nil
}

func checkBucket(bucket string) error {
	switch {
	case bucket == "":
		return &queue.LimitError{Parameter: "Bucket", Reason: "required", Err: queue.ErrMissingParameter}
	case len(bucket) > maxBucketLength:
		return &queue.LimitError{Parameter: "Bucket", Got: len(bucket), Min: 1, Max: maxBucketLength, Text: bucket, Reason: "bytes", Err: queue.ErrInvalidParameter}
	case !consistsOf(bucket, "._:/-") || strings.Contains(bucket, ".."):
		return &queue.LimitError{
			Parameter: "Bucket", Text: bucket, Reason: "letters, digits and ._:/- are allowed, without two periods in a row",
			Err: queue.ErrInvalidParameter,
		}
	}
	return nil
}

func checkPrefix(prefix string) error {
	switch {
	case prefix == "":
		return nil
	case len(prefix) > MaxPrefixLength:
		return &queue.LimitError{Parameter: "Prefix", Got: len(prefix), Min: 0, Max: MaxPrefixLength, Text: prefix, Reason: "bytes", Err: queue.ErrInvalidParameter}
	case !consistsOf(prefix, "./_-") || prefix[0] == '.' || prefix[0] == '/' || strings.Contains(prefix, ".."):
		return &queue.LimitError{
			Parameter: "Prefix", Text: prefix,
			Reason: "letters, digits and ./_- are allowed, without a period or slash at the beginning or two periods in a row",
			Err:    queue.ErrInvalidParameter,
		}
	}
	return nil
}

// consistsOf reports whether s has only ASCII letters, digits and characters of
// others.
func consistsOf(s, others string) bool {
	for i := range len(s) {
		c := s[i]
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return true
}
