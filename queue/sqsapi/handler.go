package sqsapi

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
)

// Options are the choices of a handler. The zero value serves this machine alone,
// whoever asks.
type Options struct {
	// BaseURL is what queue URLs start with, for clients that reach the handler
	// by another address than the one they send along: "https://queues.example".
	// Empty means the scheme and host of each request.
	BaseURL string

	// Scope pins the handler to a place: a field of it that is set holds for every
	// request, and queues of other accounts are not there. Otherwise a request says itself where it belongs: its region is that
	// of its signature's credential scope, and its account the access key ID, if that
	// is a number of 12 digits. What it doesn't say is as in the broker's own scope.
	Scope broker.Scope

	// Credentials are who may ask: secret access keys by access key ID. If there
	// are any (IDs have up to 128 printable characters of ASCII, without spaces, slashes
	// and commas), every request must be signed with one of them, by Signature Version
	// 4, in its header or its URL, within 15 minutes of its date. If there are none,
	// signatures are not checked, and requests are served only if they come from this
	// machine and are addressed to it: see AllowRemote and Hosts. An empty secret lets
	// nobody in.
	Credentials map[string]string

	// AllowRemote serves other machines too, though nobody proves who he is. What a
	// proxy forwards counts as theirs.
	AllowRemote bool

	// Hosts are names under which the handler may be addressed, and whose pages may
	// send requests in a browser: names in the headers Host, Origin and Referer. Else a
	// web page could have its own name point here, or send what changes queues, through
	// a browser of this machine. "localhost", what ends in ".localhost", BaseURL's host,
	// and IP addresses (as Host; as a page's only this machine's) are always allowed;
	// "*" allows all. Ports don't count.
	Hosts []string

	// Through, if not nil, returns what sends, receives, deletes and changes of
	// visibility of q go to in its place: a queue that wraps it, to count or to
	// misbehave. It is asked for each request. If that queue fails with [ErrNoAnswer],
	// the client gets none.
	Through func(q *broker.Queue) queue.Queue
}

// ErrNoAnswer breaks the connection of the request whose call fails with it, so that
// its client can't know whether the call took effect. See Options.Through.
var ErrNoAnswer = fmt.Errorf("the connection broke before the answer: %w", io.ErrUnexpectedEOF)

// Handler serves the queues of b over HTTP, in AWS JSON and in the Query protocol.
// It takes requests at "/" and at queues' paths, because SDKs send to either.
//
// A request has to arrive within half a minute, and takes up to 6.5 MB; all
// requests above 64 KB that are being read take up to 64 MB, beyond which clients are
// asked to come again. The server must not time out answers within [queue.MaxWait].
func Handler(b *broker.Broker, o Options) http.Handler {
	s := newServer(b, o)
	s.room = &room{left: maxReading}
	return s
}

type server struct {
	broker   *broker.Broker
	options  Options
	verifier *verifier // nil: signatures are not checked
	room     *room     // for bodies that are being read; nil: as much as comes
}

func newServer(b *broker.Broker, o Options) *server {
	s := &server{broker: b, options: o}
	if len(o.Credentials) > 0 {
		s.verifier = newVerifier(o.Credentials)
	}
	return s
}

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
	x := exchange{server: s, r: r, control: http.NewResponseController(w)}
	defer x.end()
	var refused error
	if s.verifier == nil {
		refused = s.options.refusal(r)
	}
	a := x.answer(refused)
	if errors.Is(a.err, ErrNoAnswer) {
		panic(http.ErrAbortHandler) // the server's word for hanging up
	}
	header := w.Header()
	for name, values := range a.header {
		header[name] = values
	}
	if !x.read {
		header.Set("Connection", "close") // or the rest of the body would be waited for
	}
	w.WriteHeader(a.status)
	w.Write(a.body) // a client that has gone can't be told
}

// An exchange is a request and what belongs to it until it is answered.
type exchange struct {
	*server
	r       *http.Request
	control *http.ResponseController // nil in process
	held    int                      // bytes of the server's room
	read    bool                     // the body was read to its end
}

// answer does what the request asks for, unless it was refused already.
func (x *exchange) answer(refused error) reply {
	id := newRequestID()
	var a reply
	if x.isJSON() {
		a = x.answerJSON(refused)
	} else {
		a = x.answerQuery(refused, id)
	}
	// In canonical form; clients compare header names without case.
	a.header["X-Amzn-Requestid"] = []string{id}
	a.header["Content-Length"] = []string{strconv.Itoa(len(a.body))}
	return a
}

// isJSON tells AWS JSON from the Query protocol.
func (x *exchange) isJSON() bool {
	return x.r.Header.Get(targetHeader) != "" || strings.HasPrefix(x.r.Header.Get("Content-Type"), "application/x-amz-json")
}

// body reads the request, and checks who sent it.
func (x *exchange) body() ([]byte, error) {
	body, err := x.readBody()
	if err == nil && x.verifier != nil {
		if f := x.verifier.verify(x.r, body, time.Now()); f != nil {
			err = f
		}
	}
	return body, err
}

// call makes a call of the request. Read fills in its input.
func (x *exchange) call(read func(in any) error) *call {
	return &call{
		ctx:     x.r.Context(),
		broker:  x.broker.In(x.place()),
		pinned:  x.options.Scope.Account != "",
		through: x.options.Through,
		header:  x.r.Header,
		base:    x.baseURL(),
		read: func(in any) error {
			err := read(in)
			x.end() // what the call needs of the body it has copied
			return err
		},
	}
}

// place is where a request belongs: where the handler is pinned to, else where the
// request says, else where the broker is.
func (x *exchange) place() broker.Scope {
	place := x.options.Scope
	key, region := claimed(x.r)
	if place.Account == "" && isAccount(key) {
		place.Account = key
	}
	if place.Region == "" {
		place.Region = region
	}
	return place
}

// baseURL is what the queue URLs in the answer start with.
func (x *exchange) baseURL() string {
	r := x.r
	if x.options.BaseURL != "" || r.Host == "" {
		return x.options.BaseURL // empty: the broker knows one
	}
	scheme := "http"
	switch {
	case x.control == nil && r.URL.Scheme != "": // a client's request, served in process
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
