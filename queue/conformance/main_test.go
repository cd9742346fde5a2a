package main

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWrongCommandLines(t *testing.T) {
	for _, c := range []struct {
		want string
		args []string
	}{
		{"with -endpoint", nil},
		{"no URL", []string{"-endpoint", "localhost:9324"}},
		{"no URL", []string{"-endpoint", "ftp://localhost"}},
		{`what is "more"?`, []string{"-endpoint", "http://localhost:9324", "more"}},
		{"json, query or both", []string{"-endpoint", "http://localhost:9324", "-protocol", "soap"}},
		{"missing closing", []string{"-endpoint", "http://localhost:9324", "-run", "("}},
		{"no row", []string{"-endpoint", "http://localhost:9324", "-run", "nosuch"}},
		{"no row", []string{"-endpoint", "http://localhost:9324", "-run", "^19", "-protocol", "query"}},
		{"-parallel", []string{"-endpoint", "http://localhost:9324", "-parallel", "0"}},
		{"-nosuch", []string{"-nosuch"}},
	} {
		var stdout, stderr bytes.Buffer
		require.Equal(t, 2, conformance(t.Context(), c.args, &stdout, &stderr), "%v", c.args)
		require.Contains(t, stderr.String(), c.want, "%v", c.args)
		require.Empty(t, stdout.String())
	}
}

func TestUnreachableEndpoint(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := "http://" + l.Addr().String()
	require.NoError(t, l.Close())
	var stdout, stderr bytes.Buffer
	require.Equal(t, 2, conformance(t.Context(), []string{"-endpoint", address}, &stdout, &stderr))
	require.Contains(t, stderr.String(), address)
	require.Empty(t, stdout.String())
}

func TestOtherServiceAtEndpoint(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	var stdout, stderr bytes.Buffer
	require.Equal(t, 2, conformance(t.Context(), []string{"-endpoint", server.URL}, &stdout, &stderr))
	require.Contains(t, stderr.String(), "404")
}
