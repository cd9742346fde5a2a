package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/restantemq/restante/queue"
)

// callTimeout is how long a caller of B waits for the answer.
const callTimeout = 5 * time.Second

// A forwarder is what A does with an order. It returns what to answer.
type forwarder func(ctx context.Context, o order) (status int)

// callB has A call B: once, as one does until the first outage. The order is as
// safe as B is up.
func callB(client *http.Client, url string) forwarder {
	return func(ctx context.Context, o order) int {
		if err := post(ctx, client, url, o, callTimeout); err != nil {
			return http.StatusBadGateway
		}
		return http.StatusOK
	}
}

// sendTo has A send the order to a queue. Once that has it, A need not know
// whether B is up.
func sendTo(q queue.Queue) forwarder {
	return func(ctx context.Context, o order) int {
		if _, err := q.Send(ctx, queue.Message{Body: string(o.encode())}); err != nil {
			return http.StatusServiceUnavailable
		}
		return http.StatusAccepted
	}
}

// serviceA takes orders from customers, and passes them on.
type serviceA struct {
	url     string // where to post orders
	forward forwarder
	server  *http.Server
	serving sync.WaitGroup // the server's Serve, which stop ends
}

// startA starts A at an address of its own.
func startA(forward forwarder) (*serviceA, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a := &serviceA{url: "http://" + listener.Addr().String() + "/orders", forward: forward}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", a.take)
	a.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	a.serving.Go(func() { _ = a.server.Serve(listener) }) // a listener that breaks shows as orders that nobody took
	return a, nil
}

// take answers one customer.
func (a *serviceA) take(w http.ResponseWriter, r *http.Request) {
	o, err := readOrder(w, r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(a.forward(r.Context(), o))
}

// stop ends A, when the requests that have begun are answered.
func (a *serviceA) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*callTimeout)
	defer cancel()
	err := a.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, a.server.Close())
	}
	a.serving.Wait()
	return err
}
