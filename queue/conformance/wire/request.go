package wire

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
)

// request makes the request of an action.
func (d *desk) request(action string, in object) *http.Request {
	d.t.Helper()
	if !d.query {
		body, err := json.Marshal(in)
		require.NoError(d.t, err)
		if in == nil {
			body = []byte("{}")
		}
		return d.post("application/x-amz-json-1.0", string(body), "X-Amz-Target", "AmazonSQS."+action, "X-Amzn-Query-Mode", "true")
	}
	form := formOf(action, in)
	if d.get {
		r, err := http.NewRequestWithContext(d.ctx, "GET", d.base+d.path+"?"+form.Encode(), nil)
		require.NoError(d.t, err)
		maps.Copy(r.Header, d.headers)
		return r
	}
	return d.post("application/x-www-form-urlencoded; charset=utf-8", form.Encode())
}

// post makes a request of any kind.
func (d *desk) post(contentType, body string, headers ...string) *http.Request {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.ctx, "POST", d.base+d.path, strings.NewReader(body))
	require.NoError(d.t, err)
	r.Header.Set("Content-Type", contentType)
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	maps.Copy(r.Header, d.headers.Clone())
	return r
}

// send does a request and reads the whole answer. It may run in any goroutine.
func (d *desk) send(r *http.Request) rawAnswer {
	resp, err := d.target.Do(r)
	if err != nil {
		return rawAnswer{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return rawAnswer{status: resp.StatusCode, header: resp.Header, body: string(body), err: err}
}

// raw posts a text as the body of an action's request in JSON, or as the form
// of one in Query.
func (d *desk) raw(action, body string) *answer {
	d.t.Helper()
	var r *http.Request
	if d.query {
		r = d.post("application/x-www-form-urlencoded", "Action="+action+"&"+body)
	} else {
		r = d.post("application/x-amz-json-1.0", body, "X-Amz-Target", "AmazonSQS."+action)
	}
	a := d.send(r)
	a.action = action
	return d.read(a)
}

// call takes an action and reads the answer.
func (d *desk) call(action string, in object) *answer {
	d.t.Helper()
	a := d.send(d.request(action, in))
	a.action, a.in = action, in
	return d.read(a)
}

// posted posts a body with whatever headers, and returns the answer.
func (d *desk) posted(contentType, target, body string) rawAnswer {
	d.t.Helper()
	r := d.post(contentType, body, "X-Amz-Target", target)
	if target == "" {
		r.Header.Del("X-Amz-Target")
	}
	return d.send(r)
}
