package wire

import (
	"context"
	"net/http"
	"strings"

	"github.com/stretchr/testify/require"
)

// A desk is a service, and a client of it that speaks one of the protocols. A
// failed step ends the row.
type desk struct {
	t       T
	ctx     context.Context
	row     string // its ID
	target  Target
	clock   *clock
	query   bool        // speaks Query, otherwise JSON
	get     bool        // puts the parameters of Query in the URL of a GET
	base    string      // scheme and host of requests
	path    string      // of requests
	headers http.Header // further ones
}

// newDesk is a desk at a service, for a row.
func newDesk(t T, row string, query bool, target Target) *desk {
	return &desk{t: t, ctx: t.Context(), row: row, target: target, clock: startClock(), query: query, base: Base, path: "/", headers: http.Header{}}
}

// clone is the same desk, to be changed.
func (d *desk) clone() *desk {
	c := *d
	c.headers = d.headers.Clone()
	return &c
}

// at is the desk whose requests are addressed to another scheme and host.
func (d *desk) at(base string) *desk {
	d.need(d.target.Hosts || base == Base, "an endpoint that answers to other hosts")
	c := d.clone()
	c.base = base
	return c
}

// on is the desk whose requests go to a path.
func (d *desk) on(path string) *desk { c := d.clone(); c.path = path; return c }

func (d *desk) inJSON() *desk { c := d.clone(); c.query = false; return c }

func (d *desk) inQuery() *desk { c := d.clone(); c.query = true; return c }

// viaGET speaks Query with the parameters in the URL.
func (d *desk) viaGET() *desk { c := d.clone(); c.query, c.get = true, true; return c }

// saying adds a header.
func (d *desk) saying(key, value string) *desk {
	c := d.clone()
	c.headers.Set(key, value)
	return c
}

// as is the desk of another caller: one with that access key, in that region.
// The signature is nobody's.
func (d *desk) as(key, region string) *desk {
	d.need(d.target.Callers, "an endpoint that takes account and region from signatures it doesn't check")
	signed := "host;x-amz-date"
	if !d.query {
		signed += ";x-amz-target"
	}
	return d.saying("X-Amz-Date", "20000101T000000Z").saying("Authorization", "AWS4-HMAC-SHA256 Credential="+key+"/20000101/"+region+
		"/sqs/aws4_request, SignedHeaders="+signed+", Signature="+strings.Repeat("0", 64))
}

// ok takes an action that must succeed.
func (d *desk) ok(action string, in object) object {
	d.t.Helper()
	a := d.call(action, in)
	require.Equal(d.t, 200, a.status, "%s %s: %d %s", action, brief(in), a.status, brief(a.body))
	return a.out
}

// refuse takes an action that must be refused as a row of the catalogue says,
// with that sentence, or any if it is empty. The type may stand after the
// names of others that will do as well, with bars between.
func (d *desk) refuse(typ, sentence, action string, in object) {
	d.t.Helper()
	d.refused(d.call(action, in), typ, sentence)
}

// queue creates a queue that must come to be. The attribute FifoQueue is added
// where the name asks for it.
func (d *desk) queue(name string, attributes ...string) *queue {
	d.t.Helper()
	if strings.HasSuffix(name, ".fifo") {
		attributes = append(attributes, "FifoQueue", "true")
	}
	in := object{"QueueName": name}
	if len(attributes) > 0 {
		in["Attributes"] = pairs(attributes...)
	}
	return &queue{d, d.ok("CreateQueue", in)["QueueUrl"].(string)}
}
