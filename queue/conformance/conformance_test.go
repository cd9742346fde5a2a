package main

import (
	"bytes"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/sqsapi"
)

// Over HTTP, all rows pass that needn't wait.
func TestServer(t *testing.T) {
	b := broker.New(broker.Options{})
	defer b.Close()
	server := httptest.NewServer(sqsapi.Handler(b, sqsapi.Options{Hosts: []string{"*"}}))
	defer server.Close()
	var stdout bytes.Buffer
	status := conformance(t.Context(), []string{"-endpoint", server.URL, "-wait", "0s", "-parallel", "16"}, &stdout, t.Output())
	require.Zero(t, status, "%s", &stdout)
	require.Contains(t, stdout.String(), "\n     340       0       99    all\n")
	require.Contains(t, stdout.String(), "\n  needs 12h0m1s: 26/handle-lifetime\n")
}

// In a bubble waiting is free, so that all rows run but those that need what no wire
// carries. They leave nothing behind.
func TestAllRows(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, s := restante(t, sqsapi.Options{})
		v := judge(t, s, "-wait", "24h")
		requirePassed(t, &v)
		require.Equal(t, []int{409, 30}, []int{v.Passed, v.Skipped})
		requireNoQueues(t, b)
	})
}

// requirePassed requires that rows passed or were skipped for what this endpoint
// can't have.
func requirePassed(t *testing.T, v *verdict) {
	t.Helper()
	for _, r := range v.Rows {
		require.NotEqual(t, "failed", r.Outcome, "%s %s: %s", r.ID, r.Protocol, r.Why)
		if r.Outcome == "skipped" {
			require.Regexp(t, "^needs (a service|a handler|a queue|120000 messages|exact time|an endpoint|[0-9hm]+s)", r.Why)
		}
	}
	require.Empty(t, v.Flaws)
}

func requireNoQueues(t *testing.T, b *broker.Broker) {
	t.Helper()
	left, _, err := b.ListQueues(broker.ListOptions{})
	require.NoError(t, err)
	require.Empty(t, left)
}

// An endpoint may be of another account and region, and tell URLs of another host.
func TestOtherPlace(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, s := restante(t, sqsapi.Options{BaseURL: "https://elsewhere.example", Scope: broker.Scope{Account: "123456789012", Region: "eu-central-1"}})
		v := judge(t, s, "-wait", "1m", "-region", "eu-central-1", "-run", "^([3-9]|1.|20|25/[1-9][0-9])")
		requirePassed(t, &v)
		require.Greater(t, v.Passed, 250)
		requireNoQueues(t, b.In(broker.Scope{Account: "123456789012", Region: "eu-central-1"}))
	})
}

// Rows don't notice one another, nor queues of others.
func TestSharedService(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b, s := restante(t, sqsapi.Options{})
		for _, name := range []string{"jobs", "dead", "a"} {
			_, err := b.Create(t.Context(), name, queue.Config{VisibilityTimeout: 7 * time.Second})
			require.NoError(t, err)
		}
		v := judge(t, s, "-wait", "0s", "-run", "^4", "-parallel", "40")
		requirePassed(t, &v)
		left, _, err := b.ListQueues(broker.ListOptions{})
		require.NoError(t, err)
		require.Len(t, left, 3)
	})
}

func TestSignedRequests(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		_, s := restante(t, sqsapi.Options{Credentials: map[string]string{"AKIDEXAMPLE": "secret"}})
		v := judge(t, s, "-wait", "0s", "-key", "AKIDEXAMPLE", "-secret", "secret", "-run", "^(4|6|19|20)")
		requirePassed(t, &v)
		require.Greater(t, v.Passed, 90)
		require.Contains(t, v.ids(skipped), "4.3/owner-parameter", "a caller that nobody knows")

		var stderr bytes.Buffer
		require.Equal(t, 2, conformanceWith(t.Context(), []string{"-endpoint", "http://queues.test", "-key", "AKIDEXAMPLE"}, t.Output(), &stderr, s))
		require.Contains(t, stderr.String(), "SignatureDoesNotMatch")
	})
}
