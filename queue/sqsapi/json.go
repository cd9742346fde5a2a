package sqsapi

import (
	"bytes"
	"cmp"
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
func (x *exchange) answerJSON(refused error) reply {
	if refused != nil {
		return failJSON(refused)
	}
	out, err := x.callJSON()
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

func (x *exchange) callJSON() (any, error) {
	body, err := x.body()
	if err != nil {
		return nil, err
	}
	target := x.r.Header.Get(targetHeader)
	name, ok := strings.CutPrefix(target, targetPrefix)
	do, known := actions[name]
	if !ok || !known || x.r.Method != http.MethodPost {
		return nil, unknownOperation(cmp.Or(name, target))
	}
	return do.perform(x.call(func(in any) error {
		err := readJSON(body, in)
		body = nil // a long poll needs it no more
		return err
	}))
}

// readJSON fills in with the members of the request's object. An empty body
// stands for an empty object.
func readJSON(body []byte, in any) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	value, ok := parseJSON(body)
	if !ok && json.Valid(body) {
		return malformed("The request has too many values.")
	}
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
