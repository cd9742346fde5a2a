package broker

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/restantemq/restante/queue"
)

// ListOptions choose a page of a list of queues. The zero value lists up to 1000.
type ListOptions struct {
	Prefix string // of the queues' names, in which case counts
	// Max is how many queues a page has, 1 to 1000. Zero means 1000, and that no
	// token tells whether there are more: as SQS does when it isn't asked for pages.
	Max   int
	Token string // where the page before ended; empty for the first
}

// maxList is how many queues a page has at most.
const maxList = 1000

// ListQueues returns queues of this account and region by name, and, if there are
// more than o.Max, a token for the next page. Queues that come and go between
// pages may be missing or listed; all others are listed once.
//
// Errors: a [*queue.LimitError] that is [queue.ErrInvalidParameter] for MaxResults
// and NextToken; [queue.ErrClosed].
func (b *Broker) ListQueues(o ListOptions) (queues []*Queue, next string, err error) {
	return b.list(o, func(yield func(*Queue)) {
		for k, q := range b.queues {
			if k == b.scope.key(q.name) {
				yield(q)
			}
		}
	})
}

// DeadLetterSources returns, as ListQueues does, the queues that have q for their
// dead-letter queue. Further error: [queue.ErrQueueDeleted].
func (q *Queue) DeadLetterSources(o ListOptions) (queues []*Queue, next string, err error) {
	if err := q.alive(); err != nil {
		return nil, "", err
	}
	return q.list(o, func(yield func(*Queue)) {
		for source := range q.sources[q.arn] {
			yield(source)
		}
	})
}

// list returns a page of the queues that each yields. It calls each under h.mu.
func (h *hub) list(o ListOptions, each func(yield func(*Queue))) (queues []*Queue, next string, err error) {
	limit := o.Max
	if limit == 0 {
		limit = maxList
	}
	if limit < 1 || limit > maxList {
		return nil, "", &queue.LimitError{
			Parameter: "MaxResults", Got: o.Max, Min: 1, Max: maxList,
			Reason: "Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 1000.",
			Err:    queue.ErrInvalidParameter,
		}
	}
	after, ok := parseToken(o.Token)
	if !ok {
		return nil, "", invalid("NextToken", o.Token, "Invalid or expired next token.")
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.closed {
		return nil, "", queue.ErrClosed
	}
	each(func(q *Queue) {
		if strings.HasPrefix(q.name, o.Prefix) && q.name > after {
			queues = append(queues, q)
		}
	})
	slices.SortFunc(queues, func(a, b *Queue) int { return strings.Compare(a.name, b.name) })
	if len(queues) > limit {
		queues = queues[:limit]
		if o.Max != 0 {
			next = token(queues[limit-1].name)
		}
	}
	return queues, next, nil
}

// A token is the last name of a page, under a mark that garbage doesn't have.
const tokenMark = "after:"

func token(name string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(tokenMark + name))
}

func parseToken(text string) (name string, ok bool) {
	if text == "" {
		return "", true
	}
	plain, err := base64.RawURLEncoding.DecodeString(text)
	name, marked := strings.CutPrefix(string(plain), tokenMark)
	return name, err == nil && marked && name != ""
}
