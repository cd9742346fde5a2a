package awstest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/sqsapi"
)

// Neither the SDK nor the library keeps something from one bubble for the next.
func TestBubblesInARow(t *testing.T) {
	for range 2 {
		synctest.Test(t, func(t *testing.T) { waitAndSeeAgain(t, newClient(t), "q", time.Hour) })
	}
	waitAndSeeAgain(t, newClient(t), "q", time.Second)
}

// A client and its broker may be made outside the bubble that uses and closes them.
// Queues that were used live in one bubble: their timers belong to it.
func TestClientFromOutsideTheBubble(t *testing.T) {
	b := broker.New(broker.Options{})
	c := clientOf(sqsapi.Client(b))
	synctest.Test(t, func(t *testing.T) {
		defer func() { check(t, b.Close()) }()
		waitAndSeeAgain(t, c, "q", time.Hour)
	})
}

// waitAndSeeAgain waits for a message, with a long poll that begins before it is
// sent, and waits until its visibility timeout ends.
func waitAndSeeAgain(t *testing.T, c *sqs.Client, name string, hidden time.Duration) {
	t.Helper()
	url := create(t, c, name, nil)
	sent := make(chan error, 1)
	time.AfterFunc(time.Millisecond, func() {
		_, err := c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("a")})
		sent <- err
	})
	begun := time.Now()
	first := receive(t, c, &sqs.ReceiveMessageInput{
		QueueUrl: url, WaitTimeSeconds: 20, VisibilityTimeout: int32(hidden / time.Second),
	})
	check(t, <-sent)
	if took := time.Since(begun); len(first) != 1 || took > 10*time.Second {
		t.Fatalf("%s: %d messages after %v", name, len(first), took)
	}
	received := time.Now()
	if early := hidden - 10*time.Second; early > 0 {
		time.Sleep(early) // in a bubble
	}
	again := receive(t, c, &sqs.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: 20})
	// The queue's clock may stand a moment before this one.
	if took := time.Since(received); len(again) != 1 || took < hidden-100*time.Millisecond || took > hidden+8*time.Second {
		t.Fatalf("%s: %d messages %v after the first receive", name, len(again), took)
	}
}
