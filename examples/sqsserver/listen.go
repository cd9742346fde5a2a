package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
)

// An address is where to listen.
type address struct {
	network string // "tcp" or "unix"
	name    string // host:port, or the path of the socket
}

func parseAddress(text string) (address, error) {
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		if path == "" {
			return address{}, errors.New("unix: is followed by the path of a socket")
		}
		return address{"unix", path}, nil
	}
	if _, _, err := net.SplitHostPort(text); err != nil {
		return address{}, fmt.Errorf("%q is neither host:port nor unix:PATH", text)
	}
	return address{"tcp", text}, nil
}

func (a address) isSocket() bool { return a.network == "unix" }

// listen begins to listen. A socket's file is its owner's alone, from its first
// moment; closing the listener removes it.
func (a address) listen() (net.Listener, error) {
	if !a.isSocket() {
		return net.Listen(a.network, a.name)
	}
	if err := removeStale(a.name); err != nil {
		return nil, err
	}
	defer ownerOnly()()
	return net.Listen(a.network, a.name)
}

// removeStale removes the socket of a process that has died. Anything else of
// that name stays, and is an error.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is there, and is no socket", path)
	}
	c, err := net.Dial("unix", path)
	if err == nil {
		c.Close()
		return fmt.Errorf("%s: another process listens there", path)
	}
	if !nobodyListens(err) {
		return err // no permission, or too many wait: somebody may be there
	}
	return os.Remove(path)
}

// endpoint is the address for clients of this machine.
func (a address) endpoint(listener net.Listener) string {
	tcp, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return "unix:" + a.name
	}
	host := tcp.IP
	if host.IsUnspecified() {
		host = net.IPv4(127, 0, 0, 1)
	}
	return "http://" + (&net.TCPAddr{IP: host, Port: tcp.Port, Zone: tcp.Zone}).String()
}
