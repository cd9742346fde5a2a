package main

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
)

// roundRobin is a proxy in front of servers, which get its requests in turn.
func roundRobin(servers []*url.URL) http.Handler {
	var requests atomic.Uint64
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		next := (requests.Add(1) - 1) % uint64(len(servers))
		r.SetURL(servers[next])
	}}
}
