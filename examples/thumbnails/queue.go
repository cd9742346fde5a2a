package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/payload"
	"github.com/restantemq/restante/queue/sqsapi"
)

const (
	queueName   = "images"
	deadName    = "images-dead"
	leaseTime   = 2 * time.Second // visibility timeout: how soon the message of a lost worker is taken up again
	maxReceives = 5               // an image that takes its workers down goes to the dead-letter queue in the end
)

// serveQueue is the queue's process: a broker in files, behind the protocol of
// SQS. What it has accepted is on the disk.
func serveQueue(ctx context.Context, j job, tell func(event)) (err error) {
	b, err := broker.Open(ctx, filepath.Join(j.dir, "queue"), broker.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	dead, err := b.Create(ctx, deadName, queue.Config{})
	if err != nil {
		return err
	}
	_, err = b.Create(ctx, queueName, queue.Config{
		VisibilityTimeout: leaseTime,
		DeadLetter:        queue.DeadLetter{Target: dead, MaxReceives: maxReceives},
	})
	if err != nil {
		return err
	}
	return serve(ctx, sqsapi.Handler(b, sqsapi.Options{}), tell)
}

// openQueue returns a queue of the queue's process, for any of the others. Its
// messages are whole images: they are kept in files, and what goes over the wire
// points to them.
func openQueue(ctx context.Context, j job, name string) (queue.Queue, error) {
	wire, err := openWire(ctx, &http.Client{}, j.queue, name)
	if err != nil {
		return nil, err
	}
	blobs, err := payload.Dir(filepath.Join(j.dir, "uploads"))
	if err != nil {
		return nil, err
	}
	return payload.Wrap(wire, blobs, payload.Options{
		Bucket:    name,
		Always:    true,
		KeepBlobs: true, // people want their images back
	})
}

// serve answers requests on a port of the loopback until ctx ends.
func serve(ctx context.Context, h http.Handler, tell func(event)) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	stopped := make(chan error, 1)
	defer context.AfterFunc(ctx, func() {
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		err := server.Shutdown(limit) // requests that have begun are answered
		if err != nil {
			err = server.Close() // their clients were too slow
		}
		stopped <- err
	})()
	tell(event{What: ready, URL: "http://" + listener.Addr().String()})
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}
