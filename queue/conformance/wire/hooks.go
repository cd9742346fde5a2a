package wire

import (
	"net/http"

	"github.com/stretchr/testify/require"
)

// A doer sends requests.
type doer = func(*http.Request) (*http.Response, error)

// with is another desk, whose service has options.
func (d *desk) with(o Options) *desk {
	d.t.Helper()
	d.need(d.target.Fresh != nil, "a service with options of its own")
	return newDesk(d.t, d.row, d.query, d.target.Fresh(o))
}

// handler sends requests through a handler of the same queues.
func (d *desk) handler(o HandlerOptions) doer {
	d.t.Helper()
	d.need(d.target.Handler != nil, "a handler with options of its own")
	return d.target.Handler(o)
}

// through is the desk whose requests go through a handler, from this machine.
func (d *desk) through(do doer) *desk {
	c := d.clone()
	c.target.Do = do
	return c
}

// overHTTP is the desk whose requests go through a handler as a server does it.
func (d *desk) overHTTP() *desk {
	d.t.Helper()
	if d.real() {
		return d // they do
	}
	return d.through(d.handler(HandlerOptions{}))
}

// crowd brings as many messages of a queue in flight as there can be.
func (d *desk) crowd(queue string) {
	d.t.Helper()
	d.need(d.target.Crowd != nil, "120000 messages in flight")
	require.NoError(d.t, d.target.Crowd(queue))
}

// throttle creates a queue that enforces the limits of calls to FIFO queues.
func (d *desk) throttle(queue string) {
	d.t.Helper()
	d.need(d.target.Throttle != nil, "a queue that limits its calls")
	require.NoError(d.t, d.target.Throttle(queue))
}

// breakDown makes the service fail from now on.
func (d *desk) breakDown() {
	d.t.Helper()
	d.need(d.target.Break != nil, "a service that fails when it is told to")
	require.NoError(d.t, d.target.Break())
}
