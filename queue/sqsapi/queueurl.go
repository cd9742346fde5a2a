package sqsapi

import (
	"fmt"
	"strings"

	"github.com/restantemq/restante/queue/broker"
)

// queue returns the queue that a request's QueueUrl names.
//
// The last segment of the URL's path is the queue's name and the one before it
// the account. Scheme, host and port say how the client got here, and play no
// part. A bare name is the name of a queue of one's own.
func (c *call) queue(url string) (*broker.Queue, error) {
	if url == "" {
		return nil, missing("QueueUrl")
	}
	account, name := splitQueueURL(url)
	if account != "" && account != c.broker.Scope().Account {
		return nil, fmt.Errorf("%w: %q is in another account", broker.ErrQueueNotFound, name)
	}
	return c.broker.GetQueue(name)
}

// splitQueueURL returns the account and the name of a queue's URL; the account
// is empty where there is none.
func splitQueueURL(url string) (account, name string) {
	path := url
	if _, rest, ok := strings.Cut(url, "://"); ok {
		_, path, _ = strings.Cut(rest, "/")
	}
	rest, name, found := cutLast(path, "/")
	if !found {
		return "", path
	}
	if _, last, found := cutLast(rest, "/"); found {
		return last, name
	}
	return rest, name
}

// cutLast is strings.Cut around the last separator.
func cutLast(s, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(s, separator); i >= 0 {
		return s[:i], s[i+len(separator):], true
	}
	return s, "", false
}
