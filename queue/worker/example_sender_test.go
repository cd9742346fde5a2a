package worker_test

import (
	"context"
	"fmt"
	"log"
	"sync"
	"sync/atomic"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/worker"
	"github.com/restantemq/restante/standard"
)

// Many callers, who share batches without knowing of each other.
func ExampleSender_Send() {
	ctx := context.Background()
	q, err := standard.New(queue.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()
	s, err := worker.NewSender(q, worker.SenderOptions{})
	if err != nil {
		log.Fatal(err)
	}

	var requests sync.WaitGroup
	for i := range 100 {
		requests.Go(func() {
			_, err := s.Send(ctx, queue.Message{Body: fmt.Sprint("request ", i)})
			if err != nil {
				log.Print(err)
			}
		})
	}
	requests.Wait()
	if err := s.Close(); err != nil {
		log.Fatal(err)
	}
	stats, err := q.Stats(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("sent:", stats.Accepted)
	// Output: sent: 100
}

// A producer that doesn't wait for each answer. What is wrong with a message is told to its
// own done function, and hinders no other.
func ExampleSender_Add() {
	ctx := context.Background()
	q, err := standard.New(queue.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()
	s, err := worker.NewSender(q, worker.SenderOptions{Linger: 10 * time.Millisecond})
	if err != nil {
		log.Fatal(err)
	}

	var sent atomic.Int64
	for i := range 1000 {
		body := fmt.Sprint("line ", i)
		if i == 500 {
			body = "" // not allowed
		}
		err := s.Add(ctx, queue.Message{Body: body}, func(_ queue.Sent, err error) {
			if err != nil {
				fmt.Printf("line %d: %v\n", i, err)
				return
			}
			sent.Add(1)
		})
		if err != nil {
			log.Fatal(err) // ctx has ended; the message wasn't taken
		}
	}
	if err := s.Close(); err != nil { // all have their answers
		log.Fatal(err)
	}
	fmt.Println("sent:", sent.Load())
	// Output:
	// line 500: missing parameter: MessageBody: required
	// sent: 999
}

// A message for later.
func ExampleSendAt() {
	ctx := context.Background()
	q, err := standard.New(queue.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()

	at := time.Now().Add(50 * time.Millisecond)
	if _, err := worker.SendAt(ctx, q, queue.Message{Body: "wake up"}, at); err != nil {
		log.Fatal(err)
	}
	got, err := q.Receive(ctx, queue.ReceiveOptions{Wait: time.Second})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(got[0].Body, "too early:", time.Now().Before(at))
	// Output: wake up too early: false
}
