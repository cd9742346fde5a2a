package payload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/restantemq/restante/queue"
)

// DefaultMinAge is the CollectOptions.MinAge that zero means.
const DefaultMinAge = 24 * time.Hour

// CollectOptions are the choices of one [Collect].
type CollectOptions struct {
	// Bucket and Prefix say which blobs to look at. Bucket is required; a prefix
	// that is empty means the whole bucket.
	Bucket, Prefix string

	// MinAge is how long ago a blob must have been put to be an orphan. It must be
	// longer than a Send may take from writing the blob to having sent the
	// message, in any process, as its own clock and that of the Blobs see it: a
	// process that sleeps in between for longer sends a message whose blob is
	// gone. Zero means [DefaultMinAge], [queue.None] none at all, for when nobody
	// sends.
	MinAge time.Duration

	// DryRun finds orphans and removes nothing.
	DryRun bool
}

// Collected is what [Collect] found.
type Collected struct {
	Young int // blobs too young to be looked at
	Used  int // blobs that a message points to

	// Orphans are the other ones, by key. They are removed now, unless that was a
	// dry run or the error says that it failed.
	Orphans []Blob
}

// Collect finds the blobs that no message points to, and removes them. Such
// orphans are left by crashes, by messages that expire or are purged, and by
// Deletes that could not be sure.
//
// queues must be all queues, wrapped or not, whose messages may point to blobs
// of that bucket and prefix, or blobs that are needed are removed. Their
// dead-letter queues, and the dead-letter queues of these, are looked at too.
// Each must be a [queue.Inspector]; one of this module is. Queues go on working
// meanwhile; blobs put under keys that are used again and again, as Amazon's
// library for Python allows, must not be collected. A message body that is a
// pointer counts also if its mark is lost.
//
// On an error in looking nothing has been removed: queues can't be read, or hold
// messages that can't ([queue.Stats].Unreadable). Errors of removing are
// [*BlobError]s, joined, and don't keep other orphans from being removed.
func Collect(ctx context.Context, b Blobs, o CollectOptions, queues ...queue.Queue) (Collected, error) {
	if err := o.resolve(queues); err != nil {
		return Collected{}, fmt.Errorf("payload: collect: %w", err)
	}
	found, err := o.orphans(ctx, b, queues)
	if err != nil {
		return Collected{}, fmt.Errorf("payload: collect: %w", err)
	}
	if o.DryRun {
		return found, nil
	}
	errs := make([]error, len(found.Orphans))
	together(len(found.Orphans), func(i int) {
		if err := b.Delete(ctx, found.Orphans[i].Pointer); err != nil {
			errs[i] = &BlobError{Op: OpDelete, Blob: found.Orphans[i].Pointer, Err: err}
		}
	})
	return found, errors.Join(errs...)
}

func (o *CollectOptions) resolve(queues []queue.Queue) error {
	if o.Bucket == "" {
		return &queue.LimitError{Parameter: "Bucket", Reason: "required", Err: queue.ErrMissingParameter}
	}
	if len(queues) == 0 { // with none every blob is an orphan
		return &queue.LimitError{Parameter: "queues", Reason: "required", Err: queue.ErrMissingParameter}
	}
	switch {
	case o.MinAge == 0:
		o.MinAge = DefaultMinAge
	case o.MinAge == queue.None:
		o.MinAge = 0
	case o.MinAge < 0:
		return &queue.LimitError{Parameter: "MinAge", Got: o.MinAge, Min: time.Duration(0), Err: queue.ErrInvalidParameter}
	}
	return nil
}

// orphans lists the blobs that are old enough, and then crosses out those that
// messages point to. In this order: a message that is sent after a queue was
// looked at points to a blob that was too young when they were listed.
func (o *CollectOptions) orphans(ctx context.Context, b Blobs, queues []queue.Queue) (Collected, error) {
	var found Collected
	old := map[Pointer]Blob{}
	before := time.Now().Add(-o.MinAge)
	for blob, err := range b.List(ctx, o.Bucket, o.Prefix) {
		if err != nil {
			return Collected{}, err
		}
		if o.MinAge > 0 && blob.Modified.After(before) {
			found.Young++
			continue
		}
		old[blob.Pointer] = blob
	}
	all := len(old)
	queues = withDeadLetters(queues)
	// A message that moves from one queue to the one looked at next is seen there,
	// and one that moves back is seen the second time.
	for range 2 {
		for _, q := range queues {
			if err := crossOut(ctx, old, q); err != nil {
				return Collected{}, err
			}
		}
	}
	found.Used = all - len(old)
	for _, blob := range old {
		found.Orphans = append(found.Orphans, blob)
	}
	slices.SortFunc(found.Orphans, func(x, y Blob) int { return cmp.Compare(x.Key, y.Key) })
	return found, nil
}

// crossOut takes the blobs out of old that messages of q point to.
func crossOut(ctx context.Context, old map[Pointer]Blob, q queue.Queue) error {
	able, ok := queue.As[queue.Inspector](q)
	if !ok {
		return fmt.Errorf("a queue is no queue.Inspector: %w", queue.ErrUnsupported)
	}
	for p, err := range able.Peek(ctx) {
		if err != nil {
			return err
		}
		if at, err := ParsePointer(p.Body); err == nil {
			delete(old, at)
		}
	}
	s, err := able.Stats(ctx)
	if err == nil && s.Unreadable > 0 {
		err = fmt.Errorf("%d messages can't be read: %w", s.Unreadable, queue.ErrStoreCorrupt)
	}
	return err
}

// withDeadLetters returns queues and the dead-letter queues they lead to, each
// behind those it gets messages from, as far as they form no circle.
func withDeadLetters(queues []queue.Queue) []queue.Queue {
	all := slices.Clone(queues)
	seen := map[queue.Adopter]bool{}
	for i := 0; i < len(all); i++ {
		c, ok := queue.As[queue.Configurable](all[i])
		if !ok {
			continue
		}
		if target := c.Config().DeadLetter.Target; target != nil && !seen[target] {
			seen[target] = true
			all = append(all, target)
		}
	}
	return all
}
