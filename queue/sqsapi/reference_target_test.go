package sqsapi_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/conformance/wire"
	"github.com/restantemq/restante/queue/sqsapi"
)

// inProcess is a broker in memory for a row that runs in this bubble, called in this
// process, with all that a row can ask for.
func inProcess(t *testing.T, o broker.Options) wire.Target {
	b := broker.New(o)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return wire.Target{
		Do:        sqsapi.Client(b).Do,
		Settle:    synctest.Wait,
		Hosts:     true,
		Unchecked: true,
		Callers:   true,
		Hooks: wire.Hooks{
			Fresh:    func(o wire.Options) wire.Target { return inProcess(t, brokerOptions(o)) },
			Handler:  func(o wire.HandlerOptions) func(*http.Request) (*http.Response, error) { return served(b, o) },
			Crowd:    func(name string) error { return crowd(t, b, name) },
			Throttle: func(name string) error { return throttle(t, b, name) },
			Break:    b.Close,
		},
	}
}

func brokerOptions(o wire.Options) broker.Options {
	all := broker.Options{EnforceCooldowns: o.Cooldowns, Scope: broker.Scope{Account: o.Account, Region: o.Region}}
	if o.Unlimited {
		all.Limits = queue.Unlimited
	}
	return all
}

// served sends requests through a handler, from this machine unless they say
// otherwise.
func served(b *broker.Broker, o wire.HandlerOptions) func(*http.Request) (*http.Response, error) {
	h := sqsapi.Handler(b, sqsapi.Options{
		AllowRemote: o.AllowRemote,
		Hosts:       o.Hosts,
		BaseURL:     o.BaseURL,
		Scope:       broker.Scope{Account: o.Account, Region: o.Region},
		Credentials: o.Credentials,
	})
	return func(r *http.Request) (*http.Response, error) {
		r.RequestURI, r.Host = r.URL.RequestURI(), r.URL.Host
		if r.RemoteAddr == "" {
			r.RemoteAddr = "127.0.0.1:1"
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result(), nil
	}
}

// crowd brings as many messages of a queue in flight as there can be.
func crowd(t *testing.T, b *broker.Broker, name string) error {
	inside, err := b.GetQueue(name)
	if err != nil {
		return err
	}
	batch := make([]queue.Message, 10)
	for i := range batch {
		batch[i].Body = "x"
	}
	for range queue.MaxInFlight/10 + 1 {
		if _, err := inside.SendBatch(t.Context(), batch); err != nil {
			return err
		}
	}
	for err == nil {
		_, err = inside.Receive(t.Context(), queue.ReceiveOptions{Max: 10, VisibilityTimeout: time.Hour})
	}
	if errors.Is(err, queue.ErrInFlightLimit) {
		return nil
	}
	return err
}

// throttle creates a FIFO queue that enforces the limits of its calls.
func throttle(t *testing.T, b *broker.Broker, name string) error {
	_, err := b.Create(t.Context(), name, queue.Config{EnforceThroughput: true})
	return err
}
