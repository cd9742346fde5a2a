package sqsapi_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/sqsapi"
)

// Who is served when nobody has to prove who he is.
func TestWhoIsServedWithoutCredentials(t *testing.T) {
	b := broker.New(broker.Options{})
	defer b.Close()
	const here = "127.0.0.1:1"
	for _, c := range []struct {
		what   string
		o      sqsapi.Options
		from   string
		host   string
		header map[string]string
		want   int
	}{
		{what: "this machine", from: here, host: "localhost:9324", want: 200},
		{what: "this machine over IPv6", from: "[::1]:1", host: "[::1]:9324", want: 200},
		{what: "a socket file", from: "@", host: "anything.localhost", want: 200},
		{what: "no address", from: "", host: "localhost", want: 200},
		{what: "another machine", from: "192.0.2.1:1", host: "localhost", want: 403},
		{what: "an address without a port", from: "203.0.113.9", host: "localhost", want: 403},
		{what: "no address at all", from: "somewhere", host: "localhost", want: 403},
		{what: "another machine, allowed", o: sqsapi.Options{AllowRemote: true}, from: "192.0.2.1:1", host: "192.0.2.2", want: 200},
		{what: "behind a proxy", from: here, host: "localhost", header: map[string]string{"X-Forwarded-For": "203.0.113.9"}, want: 403},
		{what: "behind a proxy, allowed", o: sqsapi.Options{AllowRemote: true}, from: here, host: "localhost", header: map[string]string{"Forwarded": "for=x"}, want: 200},

		{what: "a foreign name", from: here, host: "evil.example", want: 403},
		{what: "a foreign name with a dot", from: here, host: "evil.example.:80", want: 403},
		{what: "an address", from: here, host: "192.0.2.7:9324", want: 200},
		{what: "no host", from: here, host: "", want: 200},
		{what: "a name of ours", o: sqsapi.Options{Hosts: []string{"Queues:9324"}}, from: here, host: "queues", want: 200},
		{what: "the base URL's name", o: sqsapi.Options{BaseURL: "https://queues.example"}, from: here, host: "queues.example:443", want: 200},
		{what: "any name", o: sqsapi.Options{Hosts: []string{"*"}}, from: here, host: "any.example", want: 200},

		{what: "a foreign page", from: here, host: "localhost", header: map[string]string{"Origin": "https://evil.example"}, want: 403},
		{what: "a page at an address", from: here, host: "localhost", header: map[string]string{"Origin": "http://203.0.113.5"}, want: 403},
		{what: "a page without an origin", from: here, host: "localhost", header: map[string]string{"Origin": "null"}, want: 403},
		{what: "a page with a user's name", from: here, host: "localhost", header: map[string]string{"Origin": "http://localhost@evil.example"}, want: 403},
		{what: "a page of this machine", from: here, host: "localhost", header: map[string]string{"Origin": "http://127.0.0.1:3000", "Sec-Fetch-Site": "cross-site"}, want: 200},
		{what: "a page of ours", o: sqsapi.Options{Hosts: []string{"app.example"}}, from: here, host: "localhost", header: map[string]string{"Origin": "https://app.example"}, want: 200},
		{what: "what a foreign page embeds", from: here, host: "localhost", header: map[string]string{"Sec-Fetch-Site": "cross-site"}, want: 403},
		{what: "what a foreign page embeds, in an old browser", from: here, host: "localhost", header: map[string]string{"Referer": "https://evil.example/x"}, want: 403},
		{what: "typed into a browser", from: here, host: "localhost", header: map[string]string{"Sec-Fetch-Site": "none"}, want: 200},
	} {
		r := httptest.NewRequest("GET", "/?Action=ListQueues", nil)
		r.RemoteAddr, r.Host = c.from, c.host
		for name, value := range c.header {
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		sqsapi.Handler(b, c.o).ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s: %d %s, want %d", c.what, w.Code, w.Body, c.want)
		}
	}
}

// An empty secret, a setting that was forgotten, lets nobody in.
func TestEmptySecret(t *testing.T) {
	b := broker.New(broker.Options{})
	defer b.Close()
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "http://localhost/?Action=ListQueues", nil)
	r.RemoteAddr = "127.0.0.1:1"
	sqsapi.Handler(b, sqsapi.Options{Credentials: map[string]string{"KEY": ""}}).ServeHTTP(w, r)
	if w.Code != http.StatusForbidden {
		t.Errorf("%d %s, want 403", w.Code, w.Body)
	}
}
