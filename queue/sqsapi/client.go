package sqsapi

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/restantemq/restante/queue/broker"
)

// InProcess is an HTTP client whose every request is served right here, by the
// queues of one broker, whatever the host it is addressed to. It is an
// [http.RoundTripper], and the HTTP client that the AWS SDK for Go takes.
//
// A request is served in the goroutine that makes it, under its context. A client
// that is used in a bubble of testing/synctest belongs to it, as its broker does;
// elsewhere its requests fail at once, with an error that says so. Make an InProcess
// with [Client].
type InProcess struct {
	server *server
	home   home
}

// Client returns a client of the queues of b.
func Client(b *broker.Broker) *InProcess { return ClientWith(b, Options{}) }

// ClientWith is Client with the options of a handler, except that AllowRemote and
// Hosts play no part: whoever has the client may ask.
func ClientWith(b *broker.Broker, o Options) *InProcess {
	return &InProcess{server: newServer(b, o)}
}

// Do serves r. The error is that of r's context if it ended before there was
// an answer: then nothing has happened, no message was sent or received; or
// [ErrNoAnswer].
func (c *InProcess) Do(r *http.Request) (*http.Response, error) {
	body := r.Body
	if body == nil {
		body = http.NoBody
	}
	defer body.Close() // a round tripper's duty
	if err := c.home.check(); err != nil {
		return nil, err
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	x := exchange{server: c.server, r: received(r, body)}
	a := x.answer(nil)
	if err := r.Context().Err(); err != nil && isContextError(a.err) {
		return nil, err
	}
	if errors.Is(a.err, ErrNoAnswer) {
		return nil, ErrNoAnswer
	}
	return &http.Response{
		Status:        strconv.Itoa(a.status) + " " + http.StatusText(a.status),
		StatusCode:    a.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        a.header,
		Body:          io.NopCloser(bytes.NewReader(a.body)),
		ContentLength: int64(len(a.body)),
		Request:       r,
	}, nil
}

// RoundTrip implements http.RoundTripper; it is Do.
func (c *InProcess) RoundTrip(r *http.Request) (*http.Response, error) { return c.Do(r) }

// received returns the outgoing request r as a server would see it. r itself
// must not change.
func received(r *http.Request, body io.ReadCloser) *http.Request {
	in := r.WithContext(r.Context()) // a shallow copy
	in.Body = http.MaxBytesReader(nil, body, maxRequest)
	if in.ContentLength == 0 && body != http.NoBody {
		in.ContentLength = -1 // what zero means in a client's request
	}
	if in.Method == "" {
		in.Method = http.MethodGet // what it means in a client's request
	}
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	if in.Header == nil {
		in.Header = make(http.Header)
	}
	return in
}
