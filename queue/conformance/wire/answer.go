package wire

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	"github.com/stretchr/testify/require"
)

// This file and its neighbours read answers of both protocols, from their description
// alone. They check every answer as the SDKs do, and more strictly: see flaw.go.

// A rawAnswer is an answer that nobody has looked into.
type rawAnswer struct {
	action string
	in     object
	status int
	header http.Header
	body   string
	err    error
}

// An answer is one that was understood.
type answer struct {
	rawAnswer
	out   object // of status 200
	fault *fault // of any other
}

// A fault is what an error answer says.
type fault struct {
	typ     string // of JSON: its type, with the namespace
	code    string // of Query, or the header that stands for it
	blame   string // Sender or Receiver
	message string
}

// shape is the type of JSON without the namespace.
func (f *fault) shape() string { return f.typ[strings.LastIndexByte(f.typ, '#')+1:] }

var uuid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// read looks into an answer, which must be well-formed.
func (d *desk) read(raw rawAnswer) *answer {
	d.t.Helper()
	require.NoError(d.t, raw.err, "%s", raw.action)
	a := &answer{rawAnswer: raw}
	if d.query {
		d.readXML(a)
	} else {
		d.readJSON(a)
	}
	if a.out != nil {
		d.checkDigests(a)
	}
	return a
}

func (d *desk) readJSON(a *answer) {
	d.t.Helper()
	if got := a.header.Get("Content-Type"); got != "application/x-amz-json-1.0" {
		d.flaw(ofEnvelopes, "the content type of JSON is %q", got)
	}
	if id := a.header.Get("x-amzn-RequestId"); !uuid.MatchString(id) {
		d.flaw(ofEnvelopes, "x-amzn-RequestId is %q, which is no UUID", id)
	}
	o := object{}
	if a.body != "" {
		dec := json.NewDecoder(strings.NewReader(a.body))
		dec.UseNumber()
		require.NoError(d.t, dec.Decode(&o), "%s is no JSON: %d %s", a.action, a.status, brief(a.body))
		require.False(d.t, dec.More(), "%s: %.300s", a.action, a.body)
		require.NotNil(d.t, o, "%s answered null", a.action)
	}
	header := a.header.Get("x-amzn-query-error")
	if a.status == 200 {
		switch {
		case outputs[a.action] == nil && a.body != "":
			d.flaw(ofMembers, "%s answers %.100q instead of nothing", a.action, a.body)
		case outputs[a.action] != nil && a.body == "":
			d.flaw(ofMembers, "%s answers nothing instead of an object", a.action)
		}
		d.checkObject(a.action, outputs[a.action], o)
		if header != "" {
			d.flaw(ofErrors, "x-amzn-query-error is %q with status 200", header)
		}
		a.out = o
		return
	}
	a.fault = &fault{}
	a.fault.typ, _ = o["__type"].(string)
	a.fault.message, _ = o["message"].(string)
	require.NotEmpty(d.t, a.fault.typ, "%s: an error without a type: %d %s", a.action, a.status, brief(a.body))
	if header == "" {
		d.guess(a.fault)
		return
	}
	var ok bool
	a.fault.code, a.fault.blame, ok = strings.Cut(header, ";")
	require.True(d.t, ok, "x-amzn-query-error: %s", header)
}

// guess fills in what the header x-amzn-query-error would have said, if it may be
// missing.
func (d *desk) guess(f *fault) {
	d.t.Helper()
	if d.strict(ofErrors) {
		return // rows require it where the service has it
	}
	d.flaw(ofErrors, "an error has no x-amzn-query-error")
	f.code, f.blame = f.shape(), "Sender"
	if c, known := catalogue[f.shape()]; known {
		f.code = c.code
	}
}
