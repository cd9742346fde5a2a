package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strconv"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

const consumers = 4

// A shift is one run of the producer and its consumers.
type shift struct {
	client *sqs.Client
	url    string
	name   string
	n      int // orders

	mu   sync.Mutex   // guards done
	done map[int]bool // orders by number: one that comes twice is one
}

func newShift(client *sqs.Client, url string, n int) *shift {
	return &shift{client: client, url: url, name: rand.Text(), n: n, done: make(map[int]bool)}
}

// work returns when all orders are done, or something failed, or ctx ended.
func (s *shift) work(ctx context.Context) error {
	if s.n == 0 {
		return nil
	}
	working, stop := context.WithCancel(ctx) // ends the polls of those who wait
	defer stop()
	errs := make(chan error, 1+consumers)
	var team sync.WaitGroup
	hire := func(job func(context.Context) error) {
		team.Go(func() {
			if err := job(working); err != nil && working.Err() == nil {
				errs <- err
				stop()
			}
		})
	}
	hire(s.produce)
	for range consumers {
		hire(func(ctx context.Context) error { return s.consume(ctx, stop) })
	}
	team.Wait()
	close(errs)
	var all error
	for err := range errs {
		all = errors.Join(all, err)
	}
	return errors.Join(all, ctx.Err())
}

// consume does orders until ctx ends. When the last one is done it calls finished.
//
// Over a network, a poll that is given up may be handed a message at that very
// moment, before the other end knows. Such a message is lost to nobody: it comes
// back when its visibility timeout is over. In process there is no such moment.
func (s *shift) consume(ctx context.Context, finished func()) error {
	for {
		got, err := s.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: &s.url, MaxNumberOfMessages: batch, WaitTimeSeconds: 20,
		})
		if err != nil {
			return err
		}
		if len(got.Messages) == 0 {
			continue // twenty seconds without a message
		}
		var entries []types.DeleteMessageBatchRequestEntry
		last := false
		for i, m := range got.Messages {
			last = s.do(*m.Body) || last
			entries = append(entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: m.ReceiptHandle})
		}
		// What is done is deleted, also when others say that it is enough.
		answer, err := s.client.DeleteMessageBatch(context.WithoutCancel(ctx), &sqs.DeleteMessageBatchInput{QueueUrl: &s.url, Entries: entries})
		if err != nil {
			return err
		}
		if err := failures(answer.Failed); err != nil {
			return err
		}
		if last {
			finished()
		}
	}
}

// do is the work, and reports whether that was the last order of the shift. What
// isn't an order of ours comes from another run; it is done with, too.
func (s *shift) do(body string) (last bool) {
	var o order
	if err := json.Unmarshal([]byte(body), &o); err != nil || o.Shift != s.name {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done[o.Number] = true
	return len(s.done) == s.n
}
