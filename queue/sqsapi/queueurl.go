package sqsapi

import (
	"strings"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
)

// queue returns the queue that a request's QueueUrl names.
func (c *call) queue(url string) (*broker.Queue, error) {
	b, name := c.place(url)
	return b.GetQueue(name)
}

// messages returns what the calls about messages of q go to.
func (c *call) messages(q *broker.Queue) queue.Queue {
	if c.through == nil {
		return q
	}
	return c.through(q)
}

// place takes a QueueUrl apart: into where the queue is, and its name. The last
// segment of the URL's path is the name and the one before it the account. Scheme,
// host and port say how the client got here, and play no part. A bare name is the
// name of a queue of one's own; what is neither names no queue.
func (c *call) place(url string) (*broker.Broker, string) {
	account, name := splitQueueURL(url)
	switch {
	case isAccount(account) && c.mayAsk(account):
		return c.broker.In(broker.Scope{Account: account}), name
	case name == url:
		return c.broker, name
	}
	return c.broker, "" // no queue has this name
}

// mayAsk reports whether a request can name queues of that account: a handler that
// is pinned to one has no others.
func (c *call) mayAsk(account string) bool {
	return !c.pinned || account == c.broker.Scope().Account
}

// isAccount reports whether text has the form of an AWS account's number.
func isAccount(text string) bool { return len(text) == 12 && strings.Trim(text, "0123456789") == "" }

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
