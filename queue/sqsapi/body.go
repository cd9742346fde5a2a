package sqsapi

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/restantemq/restante/queue"
)

const (
	// maxRequest is the largest request body read. JSON may spend six bytes on one
	// (\u0022), and what is beside the messages is small.
	maxRequest = 6*queue.MaxMessage + 64<<10

	// maxReading is how much of all bodies a handler holds before it has dealt
	// with them.
	maxReading = 64 << 20

	// smallBody is what is read in any case.
	smallBody = 64 << 10

	// bodyTime is how long a body may take to arrive.
	bodyTime = 30 * time.Second
)

// A room is memory that requests share while they are being read, so that many of
// them can't take it all.
type room struct {
	mu   sync.Mutex
	left int // guarded by mu
}

// take returns false if there isn't so much left.
func (r *room) take(n int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n > r.left {
		return false
	}
	r.left -= n
	return true
}

// take is for the body of an exchange; end gives it back. What is small needs no
// room, so that small requests are served whatever large ones there are.
func (x *exchange) take(n int) bool {
	if x.room == nil || x.held == 0 && n <= smallBody {
		return true
	}
	if !x.room.take(n) {
		return false
	}
	x.held += n
	return true
}

func (x *exchange) end() {
	if x.held > 0 {
		x.room.take(-x.held)
		x.held = 0
	}
}

// readBody reads all of the request's body. Memory grows with what has arrived,
// not with what was announced.
func (x *exchange) readBody() ([]byte, error) {
	r := x.r
	if r.ContentLength > maxRequest {
		return nil, requestTooLarge(maxRequest)
	}
	if r.ContentLength == 0 {
		x.read = true
		return nil, nil
	}
	if x.control != nil {
		// A connection without deadlines is served just the same.
		_ = x.control.SetReadDeadline(time.Now().Add(bodyTime))
	}
	size := 4 << 10
	if r.ContentLength > 0 {
		size = min(int(r.ContentLength)+1, smallBody) // one byte more to see the end
	}
	if !x.take(size) {
		return nil, busy()
	}
	body := make([]byte, 0, size)
	for {
		n, err := r.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case err == io.EOF:
			x.read = true
			if x.control != nil {
				_ = x.control.SetReadDeadline(time.Time{}) // a long poll may take its time
			}
			return body, nil
		case err != nil:
			return nil, x.readError(err)
		case len(body) == cap(body):
			if !x.take(2 * cap(body)) { // the old and the new live side by side
				return nil, busy()
			}
			grown := make([]byte, len(body), 2*cap(body))
			copy(grown, body)
			body = grown
		}
	}
}

// readError says why a body can't be read.
func (x *exchange) readError(err error) error {
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return requestTooLarge(tooLarge.Limit)
	}
	if gone := x.r.Context().Err(); gone != nil {
		return gone
	}
	return malformed("The request could not be read.")
}

func busy() error {
	return &failure{serviceUnavailable, "Too many large requests are being read. Try again."}
}
