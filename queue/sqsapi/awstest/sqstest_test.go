package awstest

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/sqstest"
)

// misbehaving runs test in a bubble, with a kit that has these faults and a client of
// it, which makes that many attempts.
func misbehaving(t *testing.T, attempts int, f sqstest.Faults, test func(t *testing.T, k *sqstest.Kit, c *sqs.Client)) {
	t.Helper()
	t.Setenv(sqstest.SeedVariable, "")
	synctest.Test(t, func(t *testing.T) {
		k := sqstest.New(t, sqstest.Options{Faults: f})
		test(t, k, kitClient(k, attempts))
	})
}

// kitClient returns the SDK's client of a kit. Its pauses between attempts are even,
// since the SDK's own are random.
func kitClient(k *sqstest.Kit, attempts int) *sqs.Client {
	return sqs.New(sqs.Options{
		Region:      "eu-west-3", // any will do
		Credentials: credentials.NewStaticCredentialsProvider("AKID", "SECRET", ""),
		HTTPClient:  k.HTTPClient(),
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts = attempts
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 100 * time.Millisecond, nil })
		}),
	})
}

// happened counts the faults of a kind.
func happened(k *sqstest.Kit, kind sqstest.Kind) (n int) {
	for _, f := range k.Faults() {
		if f.Kind == kind {
			n++
		}
	}
	return n
}

func TestSDKSeesALostAnswerAsABrokenConnection(t *testing.T) {
	misbehaving(t, 1, sqstest.Faults{Lose: 1}, func(t *testing.T, k *sqstest.Kit, c *sqs.Client) {
		q := k.Create("jobs", queue.Config{})
		_, err := c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: aws.String(q.URL()), MessageBody: aws.String("a")})
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.False(t, errors.As(err, new(smithy.APIError)), "no answer of SQS: %v", err)
		q.ExpectSent("a", 1)
	})
}

func TestSDKRetriesALostSend(t *testing.T) {
	misbehaving(t, 3, sqstest.Faults{Lose: 1}, func(t *testing.T, k *sqstest.Kit, c *sqs.Client) {
		jobs := k.Create("jobs", queue.Config{})
		line := k.Create("line.fifo", queue.Config{})
		send(t, c, &sqs.SendMessageInput{QueueUrl: aws.String(jobs.URL()), MessageBody: aws.String("a")})
		require.Equal(t, 2, happened(k, sqstest.Lost))
		jobs.ExpectSent("a", 3)

		sent := send(t, c, &sqs.SendMessageInput{
			QueueUrl: aws.String(line.URL()), MessageBody: aws.String("a"), MessageGroupId: aws.String("g"), MessageDeduplicationId: aws.String("1"),
		})
		line.ExpectSent("a", 1)
		require.Equal(t, line.Message("a").ID.String(), *sent.MessageId, "the first attempt's")
		out, err := c.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{
			QueueUrl: aws.String(line.URL()),
			Entries: []types.SendMessageBatchRequestEntry{
				{Id: aws.String("x"), MessageBody: aws.String("b"), MessageGroupId: aws.String("g"), MessageDeduplicationId: aws.String("2")},
			},
		})
		require.NoError(t, err)
		require.Len(t, out.Successful, 1)
		line.ExpectSent("b", 1)
	})
}

func TestSDKRetriesThrottledCalls(t *testing.T) {
	misbehaving(t, 3, sqstest.Faults{Throttle: 1}, func(t *testing.T, k *sqstest.Kit, c *sqs.Client) {
		q := k.Create("jobs", queue.Config{})
		url := aws.String(q.URL())
		send(t, c, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("a")})
		q.ExpectSent("a", 1)
		m := receive(t, c, &sqs.ReceiveMessageInput{QueueUrl: url})
		require.Len(t, m, 1)
		_, err := c.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{
			QueueUrl: url, ReceiptHandle: m[0].ReceiptHandle, VisibilityTimeout: 60,
		})
		require.NoError(t, err)
		_, err = c.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: m[0].ReceiptHandle})
		require.NoError(t, err)
		q.ExpectDeleted("a")
		require.Equal(t, 8, happened(k, sqstest.Throttled))
		require.Equal(t, 800*time.Millisecond, time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)), "the pauses")
	})
}

func TestSDKSeesThrottledEntriesOfABatch(t *testing.T) {
	misbehaving(t, 3, sqstest.Faults{Throttle: 0.5}, func(t *testing.T, k *sqstest.Kit, c *sqs.Client) {
		q := k.Create("jobs", queue.Config{})
		in := &sqs.SendMessageBatchInput{QueueUrl: aws.String(q.URL())}
		for i := range 10 {
			in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(i)), MessageBody: aws.String(fmt.Sprint("m", i))})
		}
		out, err := c.SendMessageBatch(t.Context(), in)
		require.NoError(t, err)
		require.NotEmpty(t, out.Failed)
		require.NotEmpty(t, out.Successful)
		require.Len(t, q.Messages(), len(out.Successful))
		for _, s := range out.Successful {
			q.ExpectSent("m"+*s.Id, 1)
		}
		for _, f := range out.Failed {
			q.ExpectSent("m"+*f.Id, 0)
			require.Contains(t, *f.Code, "RequestThrottled")
		}
	})
}

func TestSDKRetriesALostReceiveWithItsAttemptID(t *testing.T) {
	misbehaving(t, 3, sqstest.Faults{Lose: 1}, func(t *testing.T, k *sqstest.Kit, c *sqs.Client) {
		q := k.Create("line.fifo", queue.Config{ContentDeduplication: true})
		sure, err := k.Broker().GetQueue("line.fifo")
		require.NoError(t, err)
		for _, body := range []string{"a", "b"} {
			_, err := sure.Send(t.Context(), queue.Message{Body: body, GroupID: "g"})
			require.NoError(t, err)
		}
		got := receive(t, c, &sqs.ReceiveMessageInput{
			QueueUrl: aws.String(q.URL()), MaxNumberOfMessages: 10, ReceiveRequestAttemptId: aws.String("again"),
		})
		require.Equal(t, 2, happened(k, sqstest.Lost))
		require.Len(t, got, 2, "those that the first attempt took")
		for _, m := range got {
			_, err := c.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: aws.String(q.URL()), ReceiptHandle: m.ReceiptHandle})
			require.NoError(t, err)
		}
		q.ExpectDeleted("a", "b")
	})
}

func TestFaultsOfReceiptsThatWentOverTheWire(t *testing.T) {
	misbehaving(t, 1, sqstest.Faults{Expired: 1, LateDelete: 1, Duplicate: 1, Skew: time.Hour}, func(t *testing.T, k *sqstest.Kit, c *sqs.Client) {
		q := k.Create("jobs", queue.Config{VisibilityTimeout: 10 * time.Second})
		url := aws.String(q.URL())
		sent := time.Now()
		send(t, c, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("a")})
		m := receive(t, c, &sqs.ReceiveMessageInput{QueueUrl: url, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"}})
		require.Len(t, m, 1)
		require.Equal(t, 1, happened(k, sqstest.Duplicated))
		require.NotEqual(t, fmt.Sprint(sent.UnixMilli()), m[0].Attributes["SentTimestamp"])

		k.Advance(10 * time.Second)
		del := &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: m[0].ReceiptHandle}
		_, err := c.DeleteMessage(t.Context(), del)
		var refused smithy.APIError
		require.ErrorAs(t, err, &refused)
		require.Contains(t, refused.ErrorMessage(), "The receipt handle has expired")

		again := receive(t, c, &sqs.ReceiveMessageInput{QueueUrl: url})
		require.Len(t, again, 1)
		del.ReceiptHandle = again[0].ReceiptHandle
		_, err = c.DeleteMessage(t.Context(), del)
		require.NoError(t, err)
		require.Equal(t, 1, happened(k, sqstest.DeletedLate))
		require.Len(t, q.Messages(), 1)
		k.WaitIdle()
		q.ExpectEmpty()
	})
}

// A consumer that knows what SQS may do works off a queue that does all of it.
func TestSDKConsumerOverManySeeds(t *testing.T) {
	for _, name := range []string{"jobs", "jobs.fifo"} {
		t.Run(name, func(t *testing.T) {
			sqstest.Seeds(t, 20, sqstest.Options{Faults: sqstest.Realistic()}, func(t *testing.T, k *sqstest.Kit) {
				q := k.Create(name, queue.Config{ContentDeduplication: name == "jobs.fifo"})
				c, url := kitClient(k, 3), aws.String(q.URL())
				var bodies []string
				for i := range 20 {
					in := &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String(fmt.Sprint("m", i))}
					if q.Kind() == queue.FIFO {
						in.MessageGroupId = aws.String("g")
					}
					send(t, c, in)
					bodies = append(bodies, *in.MessageBody)
				}
				var first []string
				for q.Stats().Visible+q.Stats().Delayed+q.Stats().InFlight > 0 {
					for _, m := range receive(t, c, &sqs.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: 20}) {
						if !slices.Contains(first, *m.Body) {
							first = append(first, *m.Body)
						}
						_, _ = c.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: m.ReceiptHandle})
					}
				}
				require.ElementsMatch(t, bodies, first)
				q.ExpectDeleted(bodies...)
				if q.Kind() == queue.FIFO {
					require.Equal(t, bodies, first)
					q.ExpectOrder("g", bodies...)
				}
			})
		})
	}
}
