package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/sqsapi"
)

// sqsLifecycle measures Send, Receive and Delete of a message with the AWS SDK
// for Go, beside the same SDK with answers that are constants:
// those that the queue gave to such calls before, with their headers. The SDK
// checks the MD5 of every body in both.
//
// The two take turns within a round, because a small difference is to be seen. The
// values of the round are those of its median turn; the ratio is that of two turns
// side by side: in process of times, over HTTP of rates.
type sqsLifecycle struct {
	once
	overHTTP   bool // else in process
	goroutines int  // that do the same
	bodies     *ring
	duration   time.Duration // of each
}

const (
	sqsTurn  = 10 * time.Millisecond
	sqsBurst = 5 // messages between two looks at the clock
)

func (l *sqsLifecycle) round() (values []value, err error) {
	b := broker.New(broker.Options{})
	defer b.Close()
	bodies := l.bodies.from(0)
	w := &sqsWorker{c: sqsClient(sqsapi.Client(b), ""), body: bodies.next()}
	q, err := w.c.CreateQueue(context.Background(), &sqs.CreateQueueInput{QueueName: aws.String("bench")})
	if err != nil {
		return nil, err
	}
	w.url = q.QueueUrl

	answers := &constants{from: sqsapi.Client(b), answers: make(map[string]*constant)}
	if err := w.with(sqsClient(answers, "")).lead(); err != nil {
		return nil, err
	}
	answers.from = nil
	clients := []*sqs.Client{w.c, sqsClient(answers, "")}
	if l.overHTTP {
		for i, h := range []http.Handler{sqsapi.Handler(b, sqsapi.Options{}), answers} {
			endpoint, stop, err := serveLoopback(h)
			if err != nil {
				return nil, err
			}
			defer stop()
			clients[i] = sqsClient(nil, endpoint)
		}
	}

	var steps [2][]func() error
	for i, c := range clients {
		steps[i] = slices.Repeat([]func() error{w.with(c).burst}, l.goroutines)
	}
	runtime.GC()
	var turns [2][]value
	var ratios []value
	for turn := range int(max(1, l.duration/sqsTurn)) + 1 {
		var took [2]value
		for i := range steps {
			i = (i + turn) % 2 // none is always the first
			c, err := timedBy(sqsBurst, min(l.duration, sqsTurn), steps[i]...)
			if err != nil {
				return nil, err
			}
			took[i] = c.value()
		}
		if turn == 0 { // to warm up
			continue
		}
		for i := range took {
			turns[i] = append(turns[i], took[i])
		}
		if l.overHTTP { // a rate is the reciprocal
			took[0], took[1] = took[1], took[0]
		}
		ratios = append(ratios, value{name: "ratio", unit: "times", numerator: took[0].quotient(), denominator: took[1].quotient()})
	}
	values = []value{*middle(turns[0]), *middle(turns[1]), *middle(ratios)}
	values[1].name = "constants"
	return values, nil
}

// sqsClient returns a client of the SDK, which sends to endpoint with an HTTP
// client of its own unless there is h.
func sqsClient(h sqs.HTTPClient, endpoint string) *sqs.Client {
	o := sqs.Options{
		Region:      "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("AKID", "SECRET", ""),
		HTTPClient:  h,
	}
	if endpoint != "" {
		o.BaseEndpoint = &endpoint
	}
	return sqs.New(o)
}

// serveLoopback serves h on the loopback interface until stop is called.
func serveLoopback(h http.Handler) (endpoint string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() { // ends with stop
		defer close(done)
		server.Serve(listener)
	}()
	return "http://" + listener.Addr().String(), func() {
		server.Close()
		<-done
	}, nil
}

// An sqsWorker leads messages through their lives, one at a time. What it sends
// another one may receive, if there are several; each finds one.
type sqsWorker struct {
	c    *sqs.Client
	url  *string
	body string
}

func (w *sqsWorker) with(c *sqs.Client) *sqsWorker { return &sqsWorker{c, w.url, w.body} }

func (w *sqsWorker) burst() error {
	for range sqsBurst {
		if err := w.lead(); err != nil {
			return err
		}
	}
	return nil
}

func (w *sqsWorker) lead() error {
	ctx := context.Background()
	if _, err := w.c.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: w.url, MessageBody: &w.body}); err != nil {
		return err
	}
	got, err := w.c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: w.url})
	if err != nil {
		return err
	}
	if len(got.Messages) != 1 {
		return errEmpty
	}
	sink.Add(read(*got.Messages[0].Body))
	_, err = w.c.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: w.url, ReceiptHandle: got.Messages[0].ReceiptHandle})
	return err
}

// constants answers each action in the same way every time, as an HTTP client and
// as a handler. It learns the answers from another client while there is one.
type constants struct {
	from    sqs.HTTPClient
	answers map[string]*constant // by X-Amz-Target
}

type constant struct {
	status int
	header http.Header
	body   []byte
}

func (c *constants) Do(r *http.Request) (*http.Response, error) {
	target := r.Header.Get("X-Amz-Target")
	if c.from != nil {
		answer, err := c.from.Do(r)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			return nil, err
		}
		c.answers[target] = &constant{answer.StatusCode, answer.Header, body}
	} else if r.Body != nil {
		r.Body.Close()
	}
	a := c.answers[target]
	if a == nil {
		return nil, fmt.Errorf("no answer to %q was learnt", target)
	}
	return &http.Response{
		Status: http.StatusText(a.status), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)), Request: r,
	}, nil
}

func (c *constants) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	a := c.answers[r.Header.Get("X-Amz-Target")]
	if a == nil {
		http.Error(w, "no such answer was learnt", http.StatusNotFound)
		return
	}
	header := w.Header()
	for name, values := range a.header {
		header[name] = values
	}
	w.WriteHeader(a.status)
	w.Write(a.body)
}
