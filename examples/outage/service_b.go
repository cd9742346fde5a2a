package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	workTime     = 30 * time.Millisecond // between the record of an order and B's answer
	comebackTime = 5 * time.Second       // for B to get its port back
)

// errPortTaken means that B can't listen where it did before.
var errPortTaken = errors.New("somebody else got B's port while B was down; run it again")

// A record is what B keeps of an order.
type record struct {
	at    time.Time // when B recorded it for the first time
	times int       // how often it came; all but the first time change nothing
}

// serviceB does orders. It can be killed, and started again at the same
// address with the same records.
type serviceB struct {
	addr   string
	server *http.Server // new with every start

	mu      sync.Mutex // guards the fields below
	up      bool
	records map[int]record // by the order's number
	working sync.WaitGroup // Serve and the handlers, which kill ends; added to while up
}

// startB starts B for the first time, at an address of its own.
func startB() (*serviceB, error) {
	b := &serviceB{addr: "127.0.0.1:0", records: make(map[int]record)}
	listener, err := net.Listen("tcp", b.addr)
	if err != nil {
		return nil, err
	}
	b.addr = listener.Addr().String()
	b.serve(listener)
	return b, nil
}

// url is where to post orders.
func (b *serviceB) url() string { return "http://" + b.addr + "/orders" }

// serve makes B answer.
func (b *serviceB) serve(listener net.Listener) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", b.take)
	b.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.up = true
	server := b.server
	b.working.Go(func() { _ = server.Serve(listener) }) // kill is why it ends
}

// comeBack starts B again after kill.
func (b *serviceB) comeBack(ctx context.Context) error {
	for began := time.Now(); ; {
		listener, err := net.Listen("tcp", b.addr)
		if err == nil {
			b.serve(listener)
			return nil
		}
		if time.Since(began) > comebackTime {
			return fmt.Errorf("%w: %w", errPortTaken, err)
		}
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

// kill takes B down, as a crash does: it is there no more for anybody, and what
// was in its hands stays as it is. It returns when nothing of B runs any more.
// B may be down already.
func (b *serviceB) kill() error {
	b.mu.Lock()
	b.up = false
	b.mu.Unlock()
	err := b.server.Close() // the listener, and all connections, whatever goes on there
	b.working.Wait()
	return err
}

// take does one order.
func (b *serviceB) take(w http.ResponseWriter, r *http.Request) {
	if !b.enter() {
		panic(http.ErrAbortHandler) // the connection ends without an answer
	}
	defer b.working.Done()
	o, err := readOrder(w, r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if !b.record(o) || sleep(r.Context(), workTime) != nil {
		panic(http.ErrAbortHandler)
	}
}

// enter reports whether B is up, and if so counts a handler as working.
func (b *serviceB) enter() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.up {
		b.working.Add(1)
	}
	return b.up
}

// record records an order, unless B is down. One that has been recorded before
// is only counted.
func (b *serviceB) record(o order) bool {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.up {
		return false
	}
	r := b.records[o.Number]
	if r.times == 0 {
		r.at = now
	}
	r.times++
	b.records[o.Number] = r
	return true
}

// all returns a copy of the records.
func (b *serviceB) all() map[int]record {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.records)
}
