package main

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/restantemq/restante/queue/sqstest"
)

// sdkRedrive measures the wall time of a whole test with the AWS SDK for Go, in
// which a message is received twice, is not deleted for twelve hours each time,
// and ends in a dead-letter queue; beside it one that only makes a kit.
//
// There is no warm-up, because a test seldom has one: in the first round, the
// greatest as a rule, the process has used neither the SDK nor a kit before.
type sdkRedrive struct{ once }

const (
	redriveVisibility = 12 * time.Hour // the longest that SQS has
	redriveReceives   = 2
)

func (sdkRedrive) round() ([]value, error) {
	var calls counted
	var passed time.Duration // in the bubble
	took, err := wallTime(func(t testing.TB) {
		began := time.Now()
		testRedrive(t, &calls)
		passed = time.Since(began)
	})
	if err != nil {
		return nil, err
	}
	empty, err := wallTime(func(t testing.TB) { sqstest.New(t, sqstest.Options{}) })
	if err != nil {
		return nil, err
	}
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	return []value{
		{unit: "ms/test", numerator: ms(took), denominator: 1},
		{name: "empty", unit: "ms/test", numerator: ms(empty), denominator: 1},
		{name: "calls", unit: "SDK calls/test", numerator: float64(calls.n.Load()), denominator: 1},
		{name: "virtual", unit: "h/test", numerator: passed.Hours(), denominator: 1},
	}, nil
}

// wallTime returns how long test takes in a bubble, and the bubble with it.
func wallTime(test func(t testing.TB)) (time.Duration, error) {
	began := time.Now()
	err := inBubble(test)
	return time.Since(began), err
}

// testRedrive is the test, with all that it needs: nothing is left from one to the
// next.
func testRedrive(t testing.TB, calls *counted) {
	ctx := t.Context()
	k := sqstest.New(t, sqstest.Options{})
	calls.to = k.HTTPClient()
	c := sqsClient(calls, "")
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	dead, err := c.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("dead")})
	check(err)
	about, err := c.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: dead.QueueUrl, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn},
	})
	check(err)
	jobs, err := c.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("jobs"), Attributes: map[string]string{
		"VisibilityTimeout": fmt.Sprint(redriveVisibility.Seconds()),
		"RedrivePolicy": fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":%d}`,
			about.Attributes["QueueArn"], redriveReceives),
	}})
	check(err)
	_, err = c.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: jobs.QueueUrl, MessageBody: aws.String("job")})
	check(err)

	// receive returns the messages that are received from the queue now.
	receive := func(url *string, wanted int) []types.Message {
		t.Helper()
		got, err := c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: url})
		check(err)
		if len(got.Messages) != wanted {
			t.Fatalf("received %d messages from %s, not %d", len(got.Messages), *url, wanted)
		}
		return got.Messages
	}
	for range redriveReceives {
		receive(jobs.QueueUrl, 1)
		k.Advance(redriveVisibility)
	}
	receive(jobs.QueueUrl, 0)
	failed, grave := k.Queue("jobs"), k.Queue("dead")
	failed.ExpectReceived("job", redriveReceives)
	failed.ExpectDeadLettered("job")
	failed.ExpectEmpty()

	found := receive(dead.QueueUrl, 1)
	_, err = c.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: dead.QueueUrl, ReceiptHandle: found[0].ReceiptHandle})
	check(err)
	grave.ExpectReceived("job", 1)
	grave.ExpectDeleted("job")
	grave.ExpectEmpty()
}

// counted counts the requests on their way to another client.
type counted struct {
	to sqs.HTTPClient
	n  atomic.Int64
}

func (c *counted) Do(r *http.Request) (*http.Response, error) {
	c.n.Add(1)
	return c.to.Do(r)
}
