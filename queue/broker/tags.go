package broker

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"unicode/utf8"

	"github.com/restantemq/restante/queue"
)

// A queue has at most maxTags tags, of at most so many characters.
const (
	maxTags     = 50
	maxTagKey   = 128
	maxTagValue = 256
)

// Tags returns the queue's tags. The map is the caller's. Errors:
// [queue.ErrQueueDeleted] and [queue.ErrClosed], the context's.
func (q *Queue) Tags(ctx context.Context) (map[string]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("tags of queue %q: %w", q.name, err)
	}
	if err := q.alive(); err != nil {
		return nil, err
	}
	q.mu.RLock()
	defer q.mu.RUnlock()
	tags := make(map[string]string, len(q.state.tags))
	maps.Copy(tags, q.state.tags)
	return tags, nil
}

// Tag adds tags to the queue; one of the same key, whose case counts, is replaced.
// A key has 1 to 128 characters and doesn't begin with "aws:", a value up to 256,
// and a queue has at most 50 tags.
//
// Errors: a [*queue.LimitError] that is [queue.ErrInvalidParameter], or
// [queue.ErrMissingParameter] without tags; [queue.ErrQueueDeleted],
// [queue.ErrClosed], the store's, the context's.
func (q *Queue) Tag(ctx context.Context, tags map[string]string) error {
	if len(tags) == 0 {
		return missing("Tags", "The request must contain the parameter Tags.")
	}
	return q.change(ctx, func(s *state) error {
		old := s.tags
		s.tags = make(map[string]string, len(old)+len(tags))
		maps.Copy(s.tags, old)
		maps.Copy(s.tags, tags)
		return checkTags(q.name, tags, len(s.tags))
	})
}

// Untag removes the tags of those keys; unknown keys are ignored.
//
// Errors: a [*queue.LimitError] that is [queue.ErrInvalidParameter] without keys
// or for a key; otherwise those of Tag.
func (q *Queue) Untag(ctx context.Context, keys ...string) error {
	if len(keys) == 0 {
		return invalid("TagKeys", "", badTagKey)
	}
	for _, k := range keys {
		if err := checkTagKey(k); err != nil {
			return err
		}
	}
	return q.change(ctx, func(s *state) error {
		s.tags = maps.Clone(s.tags)
		for _, k := range keys {
			delete(s.tags, k)
		}
		return nil
	})
}

const badTagKey = "Tag keys must be between 1 and 128 characters in length."

// checkTags says whether a queue may get those tags, and then have so many.
func checkTags(queueName string, tags map[string]string, number int) error {
	for k, v := range tags {
		if err := checkTagKey(k); err != nil {
			return err
		}
		switch {
		case strings.HasPrefix(strings.ToLower(k), "aws:"):
			return invalid("Tags", k, "Tag keys must not begin with aws:, which is reserved.")
		case !utf8.ValidString(k) || !utf8.ValidString(v):
			return invalid("Tags", k, "Tags must be valid Unicode.")
		case utf8.RuneCountInString(v) > maxTagValue:
			return invalid("Tags", v, "Tag values must be between 0 and 256 characters in length.")
		}
	}
	if number > maxTags {
		return &queue.LimitError{
			Parameter: "Tags", Got: number, Max: maxTags,
			Reason: "Too many tags added for queue " + queueName + ".", Err: queue.ErrInvalidParameter,
		}
	}
	return nil
}

func checkTagKey(k string) error {
	if n := utf8.RuneCountInString(k); n < 1 || n > maxTagKey {
		return invalid("TagKeys", k, badTagKey)
	}
	return nil
}
