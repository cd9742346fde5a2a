package sqsapi

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// refusal says why a request is not served, by where it comes from and how it is
// addressed. Where credentials prove who asks, neither matters.
func (o *Options) refusal(r *http.Request) error {
	switch {
	case len(o.Credentials) > 0:
		return nil
	case !o.AllowRemote && isRemote(r):
		return &failure{accessDenied, "Requests from other machines are served only with sqsapi.Options.AllowRemote, or with Credentials."}
	case !o.allowsHost(hostOf(r.Host)):
		return refusedHost("Host", r.Host)
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || !o.allowsHost(hostOf(u.Host)) {
			return refusedHost("Origin", origin)
		}
	}
	return nil
}

func refusedHost(header, value string) error {
	return &failure{accessDenied, fmt.Sprintf("The %s %q is not allowed. Names that requests may be addressed to are in sqsapi.Options.Hosts.", header, value)}
}

// isRemote reports whether a request comes from another machine. What has no IP
// address came through a socket file.
func isRemote(r *http.Request) bool {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || from.Addr().Unmap().IsLoopback() {
		return false
	}
	// A machine may also call itself by its address in the network.
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if local == nil {
		return true
	}
	here, err := netip.ParseAddrPort(local.String())
	return err != nil || here.Addr().Unmap() != from.Addr().Unmap()
}

// hostOf returns a host without its port, in lower case.
func hostOf(hostPort string) string {
	host := hostPort
	if h, _, err := net.SplitHostPort(hostPort); err == nil {
		host = h
	}
	return strings.ToLower(strings.Trim(strings.TrimSuffix(host, "."), "[]"))
}

func (o *Options) allowsHost(host string) bool {
	if host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost") || slices.Contains(o.Hosts, "*") {
		return true
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return true // no name can be made to point elsewhere
	}
	if base, err := url.Parse(o.BaseURL); err == nil && base.Host != "" && hostOf(base.Host) == host {
		return true
	}
	return slices.ContainsFunc(o.Hosts, func(h string) bool { return strings.EqualFold(h, host) })
}
