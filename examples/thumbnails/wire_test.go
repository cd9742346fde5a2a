package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/sqsapi"
	"github.com/restantemq/restante/queue/worker"
)

// overHTTP returns a new queue at the other end of a connection.
func overHTTP(t *testing.T, name string, cfg queue.Config) *wireQueue {
	t.Helper()
	b := broker.New(broker.Options{})
	t.Cleanup(func() { b.Close() })
	if _, err := b.Create(t.Context(), name, cfg); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sqsapi.Handler(b, sqsapi.Options{}))
	t.Cleanup(server.Close)
	q, err := openWire(t.Context(), server.Client(), server.URL, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return q
}

func TestWireCarriesAllOfAMessage(t *testing.T) {
	q := overHTTP(t, "orders.fifo", queue.Config{})
	m := queue.Message{
		Body: "a <body> \"é😀\"\r\n",
		Attributes: queue.NewAttributes(map[string]queue.Value{
			"text": queue.String("é"), "number": queue.Number("-1.50"), "bytes": queue.Binary([]byte{0, 0xff}), "labelled": {Type: "Number.float", Data: "1"},
		}),
		GroupID: "g", DeduplicationID: "d", TraceHeader: "", // a header goes another way, which nothing here takes
	}
	sent, err := q.Send(t.Context(), m)
	if err != nil || sent.ID == (queue.MessageID{}) || sent.Sequence == 0 {
		t.Fatalf("Send: %+v, %v", sent, err)
	}
	before := time.Now()
	got, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 10, VisibilityTimeout: time.Minute})
	if err != nil || len(got) != 1 {
		t.Fatalf("Receive: %v, %v", got, err)
	}
	d := got[0]
	if !reflect.DeepEqual(d.Message, m) || d.ID != sent.ID || d.Sequence != sent.Sequence || d.ReceiveCount != 1 {
		t.Errorf("sent %+v as %+v, received %+v", m, sent, d)
	}
	if left := d.VisibleAt.Sub(before); left < time.Minute || left > time.Minute+10*time.Second {
		t.Errorf("it is visible again after %v; want a minute", left)
	}
	if before.Sub(d.SentAt) > 10*time.Second || d.FirstReceivedAt.Before(d.SentAt) {
		t.Errorf("sent at %v, first received at %v", d.SentAt, d.FirstReceivedAt)
	}
	if n, err := q.left(t.Context()); n != 1 || err != nil {
		t.Errorf("%d are left, %v", n, err)
	}
	if err := q.Delete(t.Context(), d.Receipt); err != nil {
		t.Error(err)
	}
	if n, err := q.left(t.Context()); n != 0 || err != nil {
		t.Errorf("after the delete %d are left, %v", n, err)
	}
}

func TestWireBatches(t *testing.T) {
	q := overHTTP(t, "orders", queue.Config{})
	ctx := t.Context()
	sent, err := q.SendBatch(ctx, []queue.Message{{Body: "a"}, {Body: "\x01"}, {Body: "c"}})
	var failed *queue.BatchError
	if !errors.As(err, &failed) || len(failed.Entries) != 1 || failed.Entries[0].Index != 1 || !errors.Is(err, queue.ErrInvalidContents) {
		t.Fatalf("SendBatch: %v; want that entry 1 is refused", err)
	}
	var none queue.MessageID
	if len(sent) != 3 || sent[0].ID == none || sent[1].ID != none || sent[2].ID == none {
		t.Errorf("sent %v", sent)
	}
	got, err := q.Receive(ctx, queue.ReceiveOptions{Max: 10})
	if err != nil || len(got) != 2 {
		t.Fatalf("Receive: %v, %v", got, err)
	}
	err = q.ChangeVisibilityBatch(ctx, []queue.VisibilityChange{{Receipt: got[0].Receipt}, {Receipt: got[1].Receipt, Timeout: time.Minute}})
	if err != nil {
		t.Error(err)
	}
	again, err := q.Receive(ctx, queue.ReceiveOptions{Max: 10})
	if err != nil || len(again) != 1 || again[0].ID != got[0].ID || again[0].ReceiveCount != 2 {
		t.Errorf("after one was returned: %v, %v", again, err)
	}
	err = q.DeleteBatch(ctx, []queue.Receipt{got[0].Receipt, queue.ForeignReceipt("nonsense"), got[1].Receipt})
	if !errors.As(err, &failed) || len(failed.Entries) != 1 || failed.Entries[0].Index != 1 || !errors.Is(err, queue.ErrReceiptInvalid) {
		t.Errorf("DeleteBatch: %v; want that entry 1 is refused", err)
	}
	if n, err := q.left(ctx); n != 0 || err != nil {
		t.Errorf("%d are left, %v", n, err)
	}
}

// Callers see the errors of package queue.
func TestWireErrors(t *testing.T) {
	q := overHTTP(t, "orders", queue.Config{})
	ctx := t.Context()
	if _, err := q.Send(ctx, queue.Message{Body: "a"}); err != nil {
		t.Fatal(err)
	}
	got, err := q.Receive(ctx, queue.ReceiveOptions{})
	if err != nil || len(got) != 1 || q.Delete(ctx, got[0].Receipt) != nil {
		t.Fatal(got, err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	for _, c := range []struct {
		what string
		got  func() error
		want error
	}{
		{"an empty body", func() error { _, err := q.Send(ctx, queue.Message{}); return err }, queue.ErrMissingParameter},
		{"a long delay", func() error { _, err := q.Send(ctx, queue.Message{Body: "a", Delay: time.Hour}); return err }, queue.ErrInvalidParameter},
		{"characters", func() error { _, err := q.Send(ctx, queue.Message{Body: "\x01"}); return err }, queue.ErrInvalidContents},
		{"no entries", func() error { _, err := q.SendBatch(ctx, nil); return err }, queue.ErrEmptyBatch},
		{"entries", func() error { return q.DeleteBatch(ctx, make([]queue.Receipt, 11)) }, queue.ErrTooManyEntries},
		{"no receipt", func() error { return q.Delete(ctx, queue.ForeignReceipt("nonsense")) }, queue.ErrReceiptInvalid},
		{"a deleted message", func() error { return q.ChangeVisibility(ctx, got[0].Receipt, time.Second) }, queue.ErrMessageGone},
		{"a long wait", func() error { _, err := q.Receive(ctx, queue.ReceiveOptions{Wait: time.Hour}); return err }, queue.ErrInvalidParameter},
		{"a context that has ended", func() error { _, err := q.Send(cancelled, queue.Message{Body: "a"}); return err }, context.Canceled},
		{"no such queue", func() error { _, err := openWire(ctx, q.client, q.endpoint, "nobody"); return err }, queue.ErrQueueDeleted},
		{"nobody there", func() error {
			_, err := (&wireQueue{client: q.client, endpoint: "http://127.0.0.1:1", open: ctx}).Send(ctx, queue.Message{Body: "a"})
			return err
		}, queue.ErrUncertain},
		{"a closed queue", func() error { return errors.Join(q.Close(), q.Close(), q.Delete(ctx, got[0].Receipt)) }, queue.ErrClosed},
	} {
		if err := c.got(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v; want %v", c.what, err, c.want)
		}
	}
}

// A server that isn't SQS is an error like others.
func TestWireNonsense(t *testing.T) {
	for _, text := range []string{"<html>", `{"Messages":[{"MessageId":"x"}]}`} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }))
		q := &wireQueue{client: server.Client(), endpoint: server.URL, open: t.Context()}
		if got, err := q.Receive(t.Context(), queue.ReceiveOptions{}); err == nil {
			t.Errorf("%s is %v", text, got)
		}
		server.Close()
	}
}

// bubble lets f have a wireQueue in virtual time: the broker is in this process,
// and the client calls it without a socket.
func bubble(t *testing.T, cfg queue.Config, f func(t *testing.T, q *wireQueue)) {
	synctest.Test(t, func(t *testing.T) {
		b := broker.New(broker.Options{})
		defer b.Close()
		if _, err := b.Create(t.Context(), "orders", cfg); err != nil {
			t.Fatal(err)
		}
		q, err := openWire(t.Context(), &http.Client{Transport: sqsapi.Client(b)}, "http://localhost", "orders")
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		f(t, q)
	})
}

// Zero is the queue's own, None is none, and parts of a second are rounded up.
func TestWireTimes(t *testing.T) {
	cfg := queue.Config{Delay: 5 * time.Second, ReceiveWait: 7 * time.Second, VisibilityTimeout: 11 * time.Second}
	bubble(t, cfg, func(t *testing.T, q *wireQueue) {
		began := time.Now()
		passed := func(what string, want time.Duration) {
			t.Helper()
			if got := time.Since(began); got != want {
				t.Errorf("%s after %v; want %v", what, got, want)
			}
			began = time.Now()
		}
		receive := func(o queue.ReceiveOptions, want int) (r queue.Receipt) {
			t.Helper()
			got, err := q.Receive(t.Context(), o)
			if err != nil || len(got) != want {
				t.Fatalf("received %d, %v; want %d", len(got), err, want)
			}
			for _, d := range got {
				r = d.Receipt
			}
			return r
		}
		send := func(delay time.Duration) {
			t.Helper()
			if _, err := q.Send(t.Context(), queue.Message{Body: "a", Delay: delay}); err != nil {
				t.Fatal(err)
			}
		}
		receive(queue.ReceiveOptions{}, 0)
		passed("the queue's wait", 7*time.Second)
		receive(queue.ReceiveOptions{Wait: queue.None}, 0)
		passed("no wait", 0)
		send(0)
		receive(queue.ReceiveOptions{VisibilityTimeout: queue.None}, 1)
		passed("the queue's delay", 5*time.Second)
		receive(queue.ReceiveOptions{}, 1)
		passed("no visibility timeout", 0)
		receive(queue.ReceiveOptions{Wait: 20 * time.Second, VisibilityTimeout: 2100 * time.Millisecond}, 1)
		passed("the queue's visibility timeout", 11*time.Second)
		r := receive(queue.ReceiveOptions{Wait: 20 * time.Second}, 1)
		passed("one of 2.1 s", 3*time.Second)
		if err := q.ChangeVisibility(t.Context(), r, 1*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		r = receive(queue.ReceiveOptions{}, 1)
		passed("a change to a millisecond", time.Second)
		if err := q.ChangeVisibility(t.Context(), r, 0); err != nil {
			t.Fatal(err)
		}
		receive(queue.ReceiveOptions{VisibilityTimeout: time.Hour}, 1)
		passed("a change to zero", 0)
		send(queue.None)
		receive(queue.ReceiveOptions{}, 1)
		passed("no delay", 0)
	})
}

// Close ends a long poll, and so does its context.
func TestWireEndsWaits(t *testing.T) {
	bubble(t, queue.Config{}, func(t *testing.T, q *wireQueue) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got, err := q.Receive(ctx, queue.ReceiveOptions{Wait: queue.MaxWait}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, %v; want the context's error", got, err)
		}
		time.AfterFunc(time.Second, func() { q.Close() })
		if got, err := q.Receive(t.Context(), queue.ReceiveOptions{Wait: queue.MaxWait}); !errors.Is(err, queue.ErrClosed) {
			t.Errorf("%v, %v; want ErrClosed", got, err)
		}
	})
}

// worker.Run works over the wire as over any queue: the handler takes longer than
// the visibility timeout and keeps its message, fails once and gets it again.
func TestWorkerOverTheWire(t *testing.T) {
	bubble(t, queue.Config{VisibilityTimeout: leaseTime}, func(t *testing.T, q *wireQueue) {
		if _, err := q.SendBatch(t.Context(), []queue.Message{{Body: "long"}, {Body: "moody"}}); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		calls := make(chan string, 10)
		ended := make(chan error)
		go func() { // ends with ctx
			ended <- worker.Run(ctx, q, func(ctx context.Context, d *queue.Delivery) error {
				calls <- d.Body
				if d.Body == "moody" && d.ReceiveCount == 1 {
					return errors.New("not now")
				}
				select {
				case <-time.After(20 * leaseTime):
					return nil
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}, worker.Options{VisibilityTimeout: leaseTime, Logger: slog.New(slog.DiscardHandler)})
		}()
		time.Sleep(time.Hour)
		if n, err := q.left(t.Context()); n != 0 || err != nil {
			t.Errorf("%d are left, %v", n, err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		close(calls)
		times := make(map[string]int)
		for body := range calls {
			times[body]++
		}
		if times["long"] != 1 || times["moody"] != 2 {
			t.Errorf("the handler was called %v", times)
		}
	})
}

func TestRefusalTells(t *testing.T) {
	for _, c := range []struct {
		text, says string
	}{
		{`{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"It's gone."}`, "QueueDoesNotExist: It's gone."},
		{`<html>`, `status 502: "<html>"`},
	} {
		if got := refusalOf(http.StatusBadGateway, []byte(c.text)).Error(); !strings.Contains(got, c.says) {
			t.Errorf("%s is told as %s; want %s", c.text, got, c.says)
		}
	}
}
