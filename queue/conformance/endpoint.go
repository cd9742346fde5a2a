package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// An endpoint is the service that the rows are run against, and how to talk to it.
type endpoint struct {
	base   *url.URL
	client *http.Client
	signer signer
	place  place
	can    abilities
}

// newEndpoint returns the endpoint at address, which nobody has asked anything yet.
func newEndpoint(address string, s signer) (*endpoint, error) {
	base, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	if base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, fmt.Errorf("%q is no URL that starts with http:// or https://", address)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 100
	transport.DisableCompression = true
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &endpoint{base: base, client: client, signer: s}, nil
}

// send sends r, whose URL has only path and query as yet, with body. It is signed
// unless it bears a signature, and addressed to r.Host if that is set. The answer is
// read to its end.
func (e *endpoint) send(r *http.Request, body []byte) (*http.Response, []byte, error) {
	r.URL.Scheme, r.URL.Host = e.base.Scheme, e.base.Host
	if r.Host == "" {
		r.Host = e.base.Host
	}
	if r.ContentLength >= 0 {
		r.ContentLength = int64(len(body))
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if len(body) == 0 {
		r.Body = http.NoBody
	}
	if r.Header.Get("Authorization") == "" && !r.URL.Query().Has("X-Amz-Signature") {
		e.signer.sign(r, body, time.Now())
	}
	resp, err := e.client.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp, text, err
}

// A question is a request of our own, beside those of rows.
type question struct {
	action        string
	json, form    string // its input in both protocols
	query         bool   // asked in Query
	host          string // addressed to, if not the endpoint's
	authorization string // of somebody else
}

// ask sends a question, and returns the answer's status and text.
func (e *endpoint) ask(ctx context.Context, q question) (int, string, error) {
	path := e.base.Path
	if path == "" {
		path = "/"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, path, nil)
	if err != nil {
		return 0, "", err
	}
	body := q.json
	if q.query {
		body = "Action=" + q.action + "&Version=2012-11-05&" + q.form
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	} else {
		r.Header.Set("Content-Type", "application/x-amz-json-1.0")
		r.Header.Set("X-Amz-Target", "AmazonSQS."+q.action)
	}
	r.Host = q.host
	if q.authorization != "" {
		r.Header.Set("Authorization", q.authorization)
		r.Header.Set("X-Amz-Date", time.Now().UTC().Format("20060102T150405Z"))
	}
	resp, text, err := e.send(r, []byte(body))
	if err != nil {
		return 0, "", err
	}
	return resp.StatusCode, string(text), nil
}
