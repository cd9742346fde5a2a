package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/restantemq/restante/queue/conformance/wire"
)

// A guest is a row at the endpoint: it sends the row's requests under the names that
// its queues have there, and leaves nothing behind.
type guest struct {
	endpoint *endpoint
	names    *names

	mu      sync.Mutex
	created []created
}

// created is a queue that the row has created, and how to ask for it again.
type created struct {
	url string
	how question
}

func newGuest(e *endpoint, prefix string) *guest {
	return &guest{endpoint: e, names: newNames(e.place, prefix)}
}

// do sends a request of the row's and returns the answer, both translated.
func (g *guest) do(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	rowBase := r.URL.Scheme + "://" + r.URL.Host
	out := r.Clone(r.Context())
	out.Host = ""
	out.URL = &url.URL{Path: g.path(r.URL.Path), RawQuery: g.form(r.URL.RawQuery)}
	switch {
	case rowBase != wire.Base:
		out.Host = r.URL.Host
	case strings.HasPrefix(out.URL.Path, g.names.place.path+g.names.prefix):
		out.Host = hostOf(g.names.place.origin) // sent to the queue's URL
	}
	text := string(body)
	if r.Header.Get("X-Amz-Target") != "" || strings.Contains(r.Header.Get("Content-Type"), "json") {
		text = g.json(text, strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".ListQueues"))
	} else {
		text = g.form(text)
	}
	resp, answer, err := g.endpoint.send(out, []byte(text))
	if err != nil {
		return nil, err
	}
	back := string(answer)
	if strings.HasPrefix(back, "{") && strings.Contains(back, g.names.prefix) {
		back = strings.ReplaceAll(back, `\/`, "/")
	}
	g.note(r, text, back)
	for _, m := range opaqueMembers.FindAllStringSubmatch(back, -1) {
		g.names.remember(m[1])
	}
	resp.Body = io.NopCloser(bytes.NewReader([]byte(g.names.back(back, rowBase))))
	return resp, nil
}

// note keeps what a request has created.
func (g *guest) note(r *http.Request, text, answer string) {
	target := r.Header.Get("X-Amz-Target")
	if !strings.HasSuffix(target, ".CreateQueue") && !strings.Contains(text+"&"+r.URL.RawQuery, "Action=CreateQueue") {
		return
	}
	address := urlIn(answer)
	if !strings.Contains(address, g.names.prefix) {
		return
	}
	c := created{address, question{query: target == "", authorization: r.Header.Get("Authorization")}}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !slices.Contains(g.created, c) {
		g.created = append(g.created, c)
	}
}

// leave deletes the row's queues.
func (g *guest) leave(ctx context.Context) {
	g.mu.Lock()
	all := g.created
	g.created = nil
	g.mu.Unlock()
	for _, c := range all {
		g.endpoint.delete(ctx, c.how, c.url)
	}
}

// path translates the path of a request: that of a queue, or of the endpoint.
func (g *guest) path(path string) string {
	if m := withAccount.FindStringIndex(path); m != nil && m[0] == 0 {
		return g.names.urlOut(path)
	}
	if path == "" || path == "/" {
		return strings.TrimSuffix(g.endpoint.base.Path, "/") + "/"
	}
	return path
}

var (
	// jsonMembers are those that name queues or what belongs to them, and their values.
	jsonMembers   = regexp.MustCompile(`(?i)"(QueueName|QueueNamePrefix|QueueUrl|TaskHandle|ReceiptHandle|NextToken|QueueOwnerAWSAccountId)"(\s*:\s*)"((?:[^"\\]|\\.)*)"`)
	opaqueMembers = regexp.MustCompile(`"?(?:NextToken|ReceiptHandle|TaskHandle)(?:"\s*:\s*"|>)([^"<]+)`)
)

// json translates a request's object, or what the row sends for one. A list of queues
// becomes one of the row's.
func (g *guest) json(text string, list bool) string {
	prefixed := false
	text = jsonMembers.ReplaceAllStringFunc(text, func(member string) string {
		m := jsonMembers.FindStringSubmatch(member)
		prefixed = prefixed || strings.EqualFold(m[1], "QueueNamePrefix")
		return `"` + m[1] + `"` + m[2] + `"` + g.value(m[1], m[3]) + `"`
	})
	if rest, ok := strings.CutPrefix(text, "{"); ok && list && !prefixed {
		comma := ","
		if strings.HasPrefix(strings.TrimSpace(rest), "}") {
			comma = ""
		}
		text = `{"QueueNamePrefix":"` + g.names.prefix + `"` + comma + rest
	}
	return g.names.arnsOut(text)
}

// form translates the parameters of a Query request. What needs no translation stays
// as it was written.
func (g *guest) form(text string) string {
	if text == "" {
		return ""
	}
	list, prefixed := false, false
	pairs := strings.Split(text, "&")
	for i, pair := range pairs {
		key, escaped, _ := strings.Cut(pair, "=")
		value, err := url.QueryUnescape(escaped)
		if err != nil {
			continue
		}
		name := key[strings.LastIndexByte(key, '.')+1:]
		list = list || name == "Action" && value == "ListQueues"
		prefixed = prefixed || strings.EqualFold(name, "QueueNamePrefix")
		if out := g.value(name, value); out != value {
			pairs[i] = key + "=" + url.QueryEscape(out)
		}
	}
	if list && !prefixed {
		pairs = append(pairs, "QueueNamePrefix="+g.names.prefix)
	}
	return strings.Join(pairs, "&")
}

// value translates the value of a member or parameter.
func (g *guest) value(name, value string) string {
	n := g.names
	switch strings.ToLower(name) {
	case "queuename":
		return n.out(value)
	case "queuenameprefix":
		return n.prefix + value
	case "queueurl":
		return n.urlOut(value)
	case "taskhandle":
		return n.taskOut(n.opaqueOut(value))
	case "receipthandle", "nexttoken":
		return n.opaqueOut(value)
	case "queueownerawsaccountid":
		if value == wire.Account {
			return n.place.account
		}
		return value
	case "messagebody":
		return value
	}
	return n.arnsOut(value)
}
