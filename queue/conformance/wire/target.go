package wire

import (
	"context"
	"net/http"
	"time"
)

// What rows take for granted of the service: where it is, and where queues belong
// that nobody says more about. [Target.Do] translates where it is otherwise.
const (
	Base    = "http://localhost:9324"
	Account = "000000000000"
	Region  = "us-east-1"
)

// A T is what a row tells of itself, as to a *testing.T, which is one.
type T interface {
	// Helper says that its caller is not where a row went wrong.
	Helper()
	// Errorf says that the row fails, and why.
	Errorf(format string, args ...any)
	// FailNow ends the row's goroutine, after Errorf.
	FailNow()
	// Skipf says that the row can't be run, and why, and ends its goroutine.
	Skipf(format string, args ...any)
	// Context ends when the row has to.
	Context() context.Context
}

// A Target is a service to run a row against. Only Do is needed.
type Target struct {
	// Do sends a request to the service, as [http.Client.Do] does. Requests are
	// unsigned but for those of rows about signatures. It is called in several
	// goroutines at once.
	Do func(*http.Request) (*http.Response, error)

	// Settle waits until all has happened that is due: it is synctest.Wait. Then
	// time is that of a bubble, and the row is the first to run in it. Nil means that
	// time is real.
	Settle func()

	// Wait is the longest that a row may take where time is real.
	Wait time.Duration

	// Hosts says that the service answers requests addressed to any host, and
	// Unchecked that it takes any signature for a good one. Callers says that it
	// takes the signature's region for the queue's, and an access key of 12 digits
	// for its account.
	Hosts, Unchecked, Callers bool

	// Shared says that the service has queues that are not the row's.
	Shared bool

	// Flaw is told, in the manner of Errorf, what is wrong with answers whatever they
	// are about: of a missing request ID, say. Then it fails only the rows that are
	// about it. Nil means that it fails any row.
	Flaw func(format string, args ...any)

	// Hooks are what only some hosts can lend.
	Hooks
}

// Hooks are what a row can't get over the wire. Rows that ask for one that is nil
// are skipped.
type Hooks struct {
	// Fresh returns another service, without queues, that has options.
	Fresh func(Options) Target

	// Handler returns what serves requests as an HTTP handler of the same queues
	// would that has options. A request's RemoteAddr says whom it comes from.
	Handler func(HandlerOptions) func(*http.Request) (*http.Response, error)

	// Crowd brings as many messages of a Standard queue in flight as there can be.
	Crowd func(queue string) error

	// Throttle creates a FIFO queue that refuses more than 300 calls a second.
	Throttle func(queue string) error

	// Break makes every later request fail, by no fault of the sender's.
	Break func() error
}

// Options are those of a service. Zero values mean what is usual.
type Options struct {
	Cooldowns       bool // a deleted queue's name and a second purge have to wait for a minute
	Unlimited       bool // messages have no limits but the protocol's
	Account, Region string
}

// HandlerOptions are those of a handler. Zero values mean what is usual.
type HandlerOptions struct {
	AllowRemote     bool              // it serves other machines
	Hosts           []string          // further hosts that requests may be addressed to
	BaseURL         string            // what the URLs of queues start with
	Account, Region string            // where its queues belong, whatever a signature says
	Credentials     map[string]string // secrets by access key: it checks signatures
}

// need skips the row unless ok.
func (d *desk) need(ok bool, what string) {
	d.t.Helper()
	if !ok {
		d.t.Skipf("needs %s", what)
	}
}
