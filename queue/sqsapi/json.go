package sqsapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
)

// The protocol AWS JSON 1.0: the action is named in a header, its input and
// output are JSON objects, and an error names its type in the member __type.
const (
	jsonType     = "application/x-amz-json-1.0"
	targetHeader = "X-Amz-Target"
	targetPrefix = "AmazonSQS."
)

// answerJSON answers a request in this protocol.
func (s *server) answerJSON(r *http.Request) reply {
	out, err := s.callJSON(r)
	var body []byte
	if err == nil {
		body, err = encodeJSON(out)
	}
	if err != nil {
		return failJSON(err)
	}
	return reply{
		status: http.StatusOK,
		header: http.Header{"Content-Type": {jsonType}},
		body:   body,
	}
}

func (s *server) callJSON(r *http.Request) (any, error) {
	target := r.Header.Get(targetHeader)
	if target == "" {
		return nil, withoutTarget(r)
	}
	name, ok := strings.CutPrefix(target, targetPrefix)
	if !ok || r.Method != http.MethodPost {
		return nil, unknownOperation(target)
	}
	c := &call{
		ctx:    r.Context(),
		broker: s.broker,
		header: r.Header,
		base:   s.baseURL(r),
		read:   func(in any) error { return readJSON(r, in) },
	}
	return c.perform(name)
}

// withoutTarget says what is wrong with a request that is of another protocol,
// or of none.
func withoutTarget(r *http.Request) error {
	form := strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
	if form || r.URL.Query().Has("Action") {
		return unsupported("The Query protocol is not supported yet; use AWS JSON 1.0.")
	}
	return unknownOperation("")
}

// readJSON fills in with the members of the request's object. An empty body
// stands for an empty object.
func readJSON(r *http.Request, in any) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	value, ok := parseJSON(body)
	if !ok {
		return malformed("The request is not valid JSON.")
	}
	return bind(in, value)
}

// encodeJSON writes the answer of an action.
func encodeJSON(out any) ([]byte, error) {
	if _, none := out.(*nothing); none {
		return nil, nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // no browser reads it, and it would grow bodies
	err := e.Encode(out)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// failJSON writes an error: for current clients its type, and in a header its
// code of the Query protocol, which older error handlers compare.
func failJSON(err error) reply {
	f := failureOf(err)
	body, encoding := encodeJSON(struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}{f.typeName(), f.message})
	if encoding != nil {
		panic("sqsapi: internal error: " + encoding.Error()) // two strings always encode
	}
	return reply{
		status: f.status,
		header: http.Header{
			"Content-Type":       {jsonType},
			"X-Amzn-Query-Error": {f.code + ";" + f.fault()},
		},
		body: body,
		err:  err,
	}
}
