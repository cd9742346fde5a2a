package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// An order is what a customer asks for, in a request and in a message.
type order struct {
	Number int `json:"number"` // the customer's; nobody else uses it
}

func (o order) encode() []byte { return fmt.Appendf(nil, `{"number":%d}`, o.Number) }

func decodeOrder(text []byte) (o order, err error) {
	if err := json.Unmarshal(text, &o); err != nil {
		return o, err
	}
	if o.Number < 1 {
		return o, fmt.Errorf("order number %d is not positive", o.Number)
	}
	return o, nil
}

// readOrder reads the order that a request brings.
func readOrder(w http.ResponseWriter, r *http.Request) (order, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<10))
	if err != nil {
		return order{}, err
	}
	return decodeOrder(body)
}

// post brings an order to a service, in one attempt. A nil error means that the
// service has answered, and said yes.
func post(ctx context.Context, client *http.Client, url string, o order, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(o.encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil { // to its end, so that the connection can be used again
		return err
	}
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("order %d: %s", o.Number, answer.Status)
	}
	return nil
}

// newClient returns a client with connections of its own.
func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
}
