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
// addressed. It is for handlers that know nobody's credentials.
func (o *Options) refusal(r *http.Request) error {
	switch {
	case !o.AllowRemote && isRemote(r):
		return &failure{accessDenied, "Requests from other machines are served only with sqsapi.Options.AllowRemote, or with Credentials."}
	case !o.allowsHost(hostOf(r.Host)):
		return refusedHost("Host", r.Host)
	}
	// Browsers say which page a request is from: with Origin, or for what a page
	// merely embeds, with the other two.
	if origin := r.Header.Get("Origin"); origin != "" {
		if !o.allowsPage(origin, r) {
			return refusedHost("Origin", origin)
		}
		return nil
	}
	if page := r.Header.Get("Referer"); page != "" && !o.allowsPage(page, r) {
		return refusedHost("Referer", page)
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		return refusedHost("Sec-Fetch-Site", site)
	}
	return nil
}

// allowsPage reports whether a page may send requests: one of this machine, or of
// a name that the handler has. An address is no recommendation: anybody has one.
func (o *Options) allowsPage(page string, r *http.Request) bool {
	u, err := url.Parse(page)
	if err != nil || u.Host == "" || u.User != nil {
		return false
	}
	host := hostOf(u.Host)
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().IsLoopback() && addr.Zone() == "" || host == hostOf(r.Host)
	}
	return o.allowsHost(host)
}

func refusedHost(header, value string) error {
	return &failure{accessDenied, fmt.Sprintf("The %s %q is not allowed. Names that requests may be addressed to are in sqsapi.Options.Hosts.", header, value)}
}

// isRemote reports whether a request comes from another machine, or was passed on
// by somebody for whom it may.
func isRemote(r *http.Request) bool {
	for _, h := range []string{"X-Forwarded-For", "Forwarded", "X-Real-Ip"} {
		if r.Header.Get(h) != "" {
			return true
		}
	}
	if a := r.RemoteAddr; a == "" || a == "@" || strings.HasPrefix(a, "/") {
		return false // a socket file's
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return true
	}
	if from.Addr().Unmap().IsLoopback() {
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
	return slices.ContainsFunc(o.Hosts, func(h string) bool { return hostOf(h) == host })
}
