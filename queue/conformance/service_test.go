package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/sqsapi"
)

// A service answers requests in this process.
type service func(*http.Request) (*http.Response, error)

func (s service) RoundTrip(r *http.Request) (*http.Response, error) { return s(r) }

// restante is a broker in memory behind sqsapi.
func restante(t *testing.T, o sqsapi.Options) (*broker.Broker, service) {
	b := broker.New(broker.Options{})
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b, sqsapi.ClientWith(b, o).RoundTrip
}

// altered is a service one thing of whose answers is changed.
func altered(s service, change func(r *http.Request, resp *http.Response, body string) string) service {
	return func(r *http.Request) (*http.Response, error) {
		resp, err := s(r)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		resp.Body = io.NopCloser(bytes.NewReader([]byte(change(r, resp, string(body)))))
		resp.ContentLength = -1
		return resp, nil
	}
}

// A verdict is what the command prints with -json.
type verdict struct {
	Passed, Failed, Skipped int
	Flaws                   []struct {
		Example string
		Times   int
	}
	Rows []struct{ ID, Protocol, Outcome, Why string }
}

// ids are those of the rows with an outcome, each once, in order.
func (v *verdict) ids(o outcome) []string {
	ids := []string{}
	for _, r := range v.Rows {
		if r.Outcome == string(o) && (len(ids) == 0 || ids[len(ids)-1] != r.ID) {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// inBubble runs the command in a bubble, where waiting is free although the rows
// take time for real.
func inBubble(t *testing.T, f func(t *testing.T)) { synctest.Test(t, f) }

// judge runs the command against a service in this process.
func judge(t *testing.T, s service, args ...string) verdict {
	t.Helper()
	var stdout bytes.Buffer
	status := conformanceWith(t.Context(), append([]string{"-endpoint", "http://queues.test:9324", "-json"}, args...), &stdout, t.Output(), s)
	var v verdict
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &v))
	require.Equal(t, v.Failed > 0, status == 1, "status %d", status)
	return v
}

// conformanceWith is the command whose requests go to s.
func conformanceWith(ctx context.Context, args []string, stdout, stderr io.Writer, s service) int {
	parsed, err := parse(args, stderr)
	if err != nil {
		return 2
	}
	parsed.endpoint.client.Transport = s
	return parsed.run(ctx, stdout, stderr)
}

func mustParse(address string) *url.URL {
	u, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	return u
}
