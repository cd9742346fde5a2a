package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

const checkTime = 5 * time.Second // for a server to say how it is

// check asks the server at an address how it is, for those who have no curl, such
// as a container of nothing but this program.
func check(ctx context.Context, a address) error {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	where := a.name
	if host, port, err := net.SplitHostPort(where); !a.isSocket() && err == nil {
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			where = net.JoinHostPort("127.0.0.1", port) // it listens everywhere, so also here
		}
	}
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, a.network, where)
		},
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/health", nil)
	if err != nil {
		return err
	}
	answer, err := transport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, strings.TrimSpace(string(text)))
	}
	return err
}
