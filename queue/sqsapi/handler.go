package sqsapi

import (
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
)

// Options are the choices of a handler. The zero value works.
type Options struct {
	// BaseURL is what queue URLs start with, for clients that reach the handler
	// by another address than the one they send along: "https://queues.example".
	// Empty means the scheme and host of each request.
	BaseURL string
}

// Handler serves the queues of b over HTTP. It takes requests on every path,
// because some SDKs send to "/" and others to the queue's URL.
func Handler(b *broker.Broker, o Options) http.Handler {
	return &server{broker: b, options: o}
}

type server struct {
	broker  *broker.Broker
	options Options
}

// maxRequest is the largest request body read. JSON may spend six bytes on one
// (\u0022), and what is beside the messages is small.
const maxRequest = 6*queue.MaxMessage + 64<<10

// A reply is the answer to a request, ready to be sent.
type reply struct {
	status int
	header http.Header
	body   []byte
	err    error // what failed, if something did
}

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The limit tells the connection too, so that it won't be read to its end.
	r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
	a := s.answer(r)
	header := w.Header()
	for name, values := range a.header {
		header[name] = values
	}
	w.WriteHeader(a.status)
	w.Write(a.body) // a client that has gone can't be told
}

// answer does what r asks for.
func (s *server) answer(r *http.Request) reply {
	a := s.answerJSON(r)
	// Set in canonical form; clients compare header names without case.
	a.header.Set("x-amzn-RequestId", newRequestID())
	a.header.Set("Content-Length", strconv.Itoa(len(a.body)))
	return a
}

// readBody reads all of a request's body.
func readBody(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, requestTooLarge(tooLarge.Limit)
	}
	if gone := r.Context().Err(); err != nil && gone != nil {
		return nil, gone
	}
	if err != nil {
		return nil, malformed("The request could not be read.")
	}
	return body, nil
}

// baseURL is what the queue URLs in the answer to r start with.
func (s *server) baseURL(r *http.Request) string {
	if s.options.BaseURL != "" || r.Host == "" {
		return s.options.BaseURL // empty: the broker knows one
	}
	scheme := "http"
	switch {
	case r.URL.Scheme != "": // a client's request, served in process
		scheme = r.URL.Scheme
	case r.TLS != nil:
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

// newRequestID returns a random UUID.
func newRequestID() string {
	var id queue.MessageID // for its text
	rand.Read(id[:])       // never fails
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id.String()
}
