package main

import (
	"encoding/base64"
	"regexp"
	"strings"
	"sync"

	"github.com/restantemq/restante/queue/conformance/wire"
)

// names is what a row's queues are called at the endpoint. Rows name them as if they
// were alone, at wire.Base in wire.Account and wire.Region. On the way to the
// endpoint each name gets a prefix that no other row has, and URLs and ARNs become
// those of the endpoint; on the way back all of that is undone.
type names struct {
	place  place
	prefix string
	urls   *regexp.Regexp // of the row's queues, in answers: origin and path

	mu     sync.Mutex
	known  map[string]bool   // names that the row has used, without the prefix
	short  map[string]string // where the prefix took a part of a long name: the whole one
	opaque map[string]string // tokens and handles that had names in them: as they were
}

// maxName is how long a queue's name may be.
const maxName = 80

func newNames(p place, prefix string) *names {
	return &names{
		place: p, prefix: prefix, known: map[string]bool{}, short: map[string]string{}, opaque: map[string]string{},
		urls: regexp.MustCompile(`(https?://[^/"<\s]+)((?:/[^/"<\s]+)*/)` + regexp.QuoteMeta(prefix)),
	}
}

// out is the endpoint's name for the row's. A name that is too long with the prefix
// keeps its length: the prefix takes the place of its first characters.
func (n *names) out(name string) string {
	if name == "" || strings.HasPrefix(name, n.prefix) {
		return name
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.known[name] = true
	if len(name)+len(n.prefix) <= maxName || len(name) <= len(n.prefix) {
		return n.prefix + name
	}
	long := n.prefix + name[len(n.prefix):]
	n.short[long] = name
	return long
}

// knows reports whether the row has a queue of that name.
func (n *names) knows(name string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.known[name]
}

var (
	nameForm    = regexp.MustCompile(`^[A-Za-z0-9_-]+(?:\.fifo)?$`)
	withAccount = regexp.MustCompile(`/([0-9]{12})/([^/]+)`)
	arns        = regexp.MustCompile(`arn:([a-z-]+):sqs:([a-z0-9-]*):([0-9]{12})(:[A-Za-z0-9_-]+(?:\.fifo)?)?`)
)

// urlOut is the endpoint's form of what the row takes for a queue's URL, well-formed
// or not.
func (n *names) urlOut(text string) string {
	switch {
	case nameForm.MatchString(text):
		return n.out(text)
	case strings.Contains(text, n.prefix):
		return text // the endpoint's own
	}
	if path, ok := strings.CutPrefix(text, wire.Base+"/"); ok {
		text = n.place.origin + "/" + path
	}
	if withAccount.MatchString(text) {
		return withAccount.ReplaceAllStringFunc(text, func(part string) string {
			account, name := part[1:13], n.out(part[14:])
			if account == wire.Account {
				return n.place.path + name
			}
			return "/" + account + "/" + name
		})
	}
	segments := strings.Split(text, "/")
	for i, s := range segments {
		if n.knows(s) {
			segments[i] = n.out(s)
		}
	}
	return strings.Join(segments, "/")
}

// arnsOut makes the ARNs in a text those of the endpoint.
func (n *names) arnsOut(text string) string {
	if !strings.Contains(text, ":sqs:") {
		return text
	}
	return arns.ReplaceAllStringFunc(text, func(arn string) string {
		m := arns.FindStringSubmatch(arn)
		if strings.HasPrefix(m[4], ":"+n.prefix) {
			return arn
		}
		m[1] = n.place.partition
		if m[2] == wire.Region {
			m[2] = n.place.region
		}
		if m[3] == wire.Account {
			m[3] = n.place.account
		}
		if m[4] != "" {
			m[4] = ":" + n.out(m[4][1:])
		}
		return "arn:" + m[1] + ":sqs:" + m[2] + ":" + m[3] + m[4]
	})
}

// taskOut is the endpoint's form of a move task's handle, which may be base64 with an
// ARN in it.
func (n *names) taskOut(handle string) string {
	text, err := base64.StdEncoding.DecodeString(handle)
	if err != nil || !strings.Contains(string(text), ":sqs:") {
		return handle
	}
	return base64.StdEncoding.EncodeToString([]byte(n.arnsOut(string(text))))
}

// opaqueOut is a token or handle as the endpoint gave it.
func (n *names) opaqueOut(text string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if was, ok := n.opaque[text]; ok {
		return was
	}
	return text
}

// back makes a text of the endpoint the row's. The request that it answers had
// rowBase for its scheme and host.
func (n *names) back(text, rowBase string) string {
	if strings.Contains(text, n.prefix) {
		text = n.urls.ReplaceAllStringFunc(text, func(url string) string {
			m := n.urls.FindStringSubmatch(url)
			origin, path := m[1], m[2]
			switch {
			case rowBase != wire.Base && hostOf(origin) == hostOf(rowBase):
				origin = rowBase // the scheme can't be had, only the host
			case origin == n.place.origin:
				origin = wire.Base
			}
			if path == n.place.path {
				path = "/" + wire.Account + "/"
			}
			return origin + path + n.prefix
		})
	}
	if strings.Contains(text, ":sqs:") {
		text = arns.ReplaceAllStringFunc(text, func(arn string) string {
			m := arns.FindStringSubmatch(arn)
			if m[1] == n.place.partition {
				m[1] = "aws"
			}
			if m[2] == n.place.region {
				m[2] = wire.Region
			}
			if m[3] == n.place.account {
				m[3] = wire.Account
			}
			return "arn:" + m[1] + ":sqs:" + m[2] + ":" + m[3] + m[4]
		})
	}
	return n.plain(text)
}

// hostOf is an origin without its scheme.
func hostOf(origin string) string {
	_, host, _ := strings.Cut(origin, "://")
	return host
}

// plain takes the prefix off all names in a text.
func (n *names) plain(text string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	for long, name := range n.short {
		text = strings.ReplaceAll(text, long, name)
	}
	return strings.ReplaceAll(text, n.prefix, "")
}

// remember keeps a token or handle of the endpoint's that has a name in it.
func (n *names) remember(text string) {
	if plain := n.plain(text); plain != text {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.opaque[plain] = text
	}
}
