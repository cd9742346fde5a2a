package awstest

import (
	"context"
	"errors"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/sqsapi"
)

// newClient returns the SDK's client of a new broker, without a socket. Its
// checks of checksums are on, as they are by default.
func newClient(t *testing.T) *sqs.Client {
	t.Helper()
	return sqs.New(sqs.Options{
		Region:      "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("AKID", "SECRET", ""),
		HTTPClient:  sqsapi.Client(newBroker(t)),
	})
}

func newBroker(t *testing.T) *broker.Broker {
	t.Helper()
	b := broker.New(broker.Options{})
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return b
}

func create(t *testing.T, c *sqs.Client, name string, attributes map[string]string) (url *string) {
	t.Helper()
	out, err := c.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	if err != nil {
		t.Fatal(err)
	}
	return out.QueueUrl
}

func send(t *testing.T, c *sqs.Client, in *sqs.SendMessageInput) *sqs.SendMessageOutput {
	t.Helper()
	out, err := c.SendMessage(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func receive(t *testing.T, c *sqs.Client, in *sqs.ReceiveMessageInput) []types.Message {
	t.Helper()
	out, err := c.ReceiveMessage(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return out.Messages
}

func TestFiveActions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { driveFiveActions(t, newClient(t), "https://sqs.us-east-1.amazonaws.com") })
}

// Over a socket, as other processes come in.
func TestFiveActionsOverHTTP(t *testing.T) {
	server := httptest.NewServer(sqsapi.Handler(newBroker(t), sqsapi.Options{}))
	defer server.Close()
	driveFiveActions(t, sqs.New(sqs.Options{
		Region:       "us-east-1",
		Credentials:  credentials.NewStaticCredentialsProvider("AKID", "SECRET", ""),
		BaseEndpoint: &server.URL,
	}), server.URL)
}

func driveFiveActions(t *testing.T, c *sqs.Client, base string) {
	url := create(t, c, "orders", map[string]string{"VisibilityTimeout": "60"})
	if want := base + "/000000000000/orders"; *url != want {
		t.Errorf("QueueUrl = %s, want %s", *url, want)
	}
	found, err := c.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String("orders")})
	if err != nil || *found.QueueUrl != *url {
		t.Errorf("GetQueueUrl = %v, %v", found, err)
	}

	body := "héllo <&> \"wörld\" 😀\r\n"
	sent := send(t, c, &sqs.SendMessageInput{
		QueueUrl: url, MessageBody: &body,
		MessageAttributes: map[string]types.MessageAttributeValue{
			"Hello":   {DataType: aws.String("String"), StringValue: aws.String("There")},
			"picture": {DataType: aws.String("Binary.png"), BinaryValue: []byte{0, 1, 255}},
		},
		MessageSystemAttributes: map[string]types.MessageSystemAttributeValue{
			"AWSTraceHeader": {DataType: aws.String("String"), StringValue: aws.String("Root=1-5759e988-bd862e3fe1be46a994272793")},
		},
	})
	if sent.MessageId == nil || sent.MD5OfMessageBody == nil || sent.MD5OfMessageAttributes == nil || sent.MD5OfMessageSystemAttributes == nil {
		t.Errorf("sent %+v, without some of its members", sent)
	}
	if sent.SequenceNumber != nil {
		t.Errorf("SequenceNumber %s on a Standard queue", *sent.SequenceNumber)
	}

	got := receive(t, c, &sqs.ReceiveMessageInput{
		QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: 20,
		MessageAttributeNames:       []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"},
	})
	if len(got) != 1 || *got[0].Body != body || *got[0].MessageId != *sent.MessageId {
		t.Fatalf("received %+v", got)
	}
	m := got[0]
	if *m.MD5OfMessageAttributes != *sent.MD5OfMessageAttributes {
		t.Error("the attributes' MD5 differs from the one at sending")
	}
	if v := m.MessageAttributes["Hello"]; v.StringValue == nil || *v.StringValue != "There" || *v.DataType != "String" {
		t.Errorf("attribute %+v", v)
	}
	if v := m.MessageAttributes["picture"]; !slices.Equal(v.BinaryValue, []byte{0, 1, 255}) || *v.DataType != "Binary.png" {
		t.Errorf("attribute %+v", v)
	}
	if m.Attributes["ApproximateReceiveCount"] != "1" || m.Attributes["AWSTraceHeader"] == "" {
		t.Errorf("system attributes %v", m.Attributes)
	}
	if ms, err := strconv.ParseInt(m.Attributes["SentTimestamp"], 10, 64); err != nil || time.Since(time.UnixMilli(ms)).Abs() > time.Minute {
		t.Errorf("SentTimestamp %q", m.Attributes["SentTimestamp"])
	}

	for range 2 { // deleting again is no error
		if _, err := c.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: m.ReceiptHandle}); err != nil {
			t.Fatal(err)
		}
	}
	if got := receive(t, c, &sqs.ReceiveMessageInput{QueueUrl: url}); len(got) != 0 {
		t.Errorf("received %+v after the delete", got)
	}
}

func TestLongPollOnAnEmptyQueueTakes20Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t)
		url := create(t, c, "q", nil)
		start := time.Now()
		got := receive(t, c, &sqs.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: 20})
		if took := time.Since(start); len(got) != 0 || took != 20*time.Second {
			t.Errorf("%d messages after %v", len(got), took)
		}
	})
}

func TestLongPollReturnsWithAMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t)
		url := create(t, c, "q", nil)
		go func() {
			time.Sleep(7 * time.Second)
			send(t, c, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("a")})
		}()
		start := time.Now()
		got := receive(t, c, &sqs.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: 20})
		if took := time.Since(start); len(got) != 1 || took != 7*time.Second {
			t.Errorf("%d messages after %v", len(got), took)
		}
	})
}

func TestMessageComesBackAfter12Hours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t)
		url := create(t, c, "q", map[string]string{"VisibilityTimeout": "43200"})
		send(t, c, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("a")})
		first := receive(t, c, &sqs.ReceiveMessageInput{QueueUrl: url})
		start := time.Now()
		if len(first) != 1 {
			t.Fatalf("received %d messages", len(first))
		}
		time.Sleep(12*time.Hour - 10*time.Second)
		again := receive(t, c, &sqs.ReceiveMessageInput{
			QueueUrl: url, WaitTimeSeconds: 20,
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{"ApproximateReceiveCount"},
		})
		// Never early, and within one tick of a millisecond.
		if took := time.Since(start); len(again) != 1 || took < 12*time.Hour || took > 12*time.Hour+2*time.Millisecond {
			t.Fatalf("%d messages after %v", len(again), took)
		}
		if *again[0].MessageId != *first[0].MessageId || *again[0].ReceiptHandle == *first[0].ReceiptHandle ||
			again[0].Attributes["ApproximateReceiveCount"] != "2" {
			t.Errorf("first %+v, then %+v", first[0], again[0])
		}
	})
}

func TestCancelledLongPollTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t)
		url := create(t, c, "q", nil)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		start := time.Now()
		_, err := c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: 20})
		if took := time.Since(start); !errors.Is(err, context.Canceled) || took != 3*time.Second {
			t.Fatalf("%v after %v, want context.Canceled after 3s", err, took)
		}
		send(t, c, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("a")})
		got := receive(t, c, &sqs.ReceiveMessageInput{
			QueueUrl: url, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"ApproximateReceiveCount"},
		})
		if len(got) != 1 || got[0].Attributes["ApproximateReceiveCount"] != "1" {
			t.Errorf("received %+v", got)
		}
	})
}

func TestErrorsHaveTheSDKsTypes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := broker.New(broker.Options{EnforceCooldowns: true})
		t.Cleanup(func() { check(t, b.Close()) })
		c := clientOf(sqsapi.Client(b))
		ctx := t.Context()
		url := create(t, c, "q", nil)
		text := func(n int) *string { return aws.String(strings.Repeat("a", n)) }

		_, err := c.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String("nobody")})
		expect[*types.QueueDoesNotExist](t, err)
		_, err = c.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: aws.String(*url + "x"), MessageBody: text(1)})
		expect[*types.QueueDoesNotExist](t, err)
		_, err = c.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: aws.String("nonsense")})
		expect[*types.QueueDoesNotExist](t, err)
		_, err = c.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("q"), Attributes: map[string]string{"DelaySeconds": "1"}})
		expect[*types.QueueNameExists](t, err)
		_, err = c.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("p"), Attributes: map[string]string{"Nonsense": "1"}})
		expect[*types.InvalidAttributeName](t, err)
		_, err = c.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: url, AttributeNames: []types.QueueAttributeName{"Nonsense"}})
		expect[*types.InvalidAttributeName](t, err)
		_, err = c.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("p"), Attributes: map[string]string{"DelaySeconds": "x"}})
		expect[*types.InvalidAttributeValue](t, err)
		_, err = c.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("\x00")})
		expect[*types.InvalidMessageContents](t, err)
		_, err = c.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: aws.String("garbage")})
		expect[*types.ReceiptHandleIsInvalid](t, err)
		_, err = c.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: url, ReceiptHandle: aws.String("garbage")})
		expect[*types.ReceiptHandleIsInvalid](t, err)
		_, err = c.ListMessageMoveTasks(ctx, &sqs.ListMessageMoveTasksInput{SourceArn: aws.String("arn:aws:sqs:us-east-1:000000000000:nobody")})
		expect[*types.ResourceNotFoundException](t, err)
		_, err = c.AddPermission(ctx, &sqs.AddPermissionInput{
			QueueUrl: url, Label: aws.String("l"), AWSAccountIds: []string{"111122223333"}, Actions: []string{
				"SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility",
				"GetQueueAttributes", "GetQueueUrl", "PurgeQueue", "ListDeadLetterSourceQueues",
			},
		})
		expect[*types.OverLimit](t, err)

		batch := func(entries ...types.SendMessageBatchRequestEntry) error {
			_, err := c.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: url, Entries: entries})
			return err
		}
		entry := func(id string, size int) types.SendMessageBatchRequestEntry {
			return types.SendMessageBatchRequestEntry{Id: &id, MessageBody: text(size)}
		}
		expect[*types.EmptyBatchRequest](t, batch([]types.SendMessageBatchRequestEntry{}...))
		expect[*types.TooManyEntriesInBatchRequest](t, batch(slices.Repeat([]types.SendMessageBatchRequestEntry{entry("a", 1)}, 11)...))
		expect[*types.BatchEntryIdsNotDistinct](t, batch(entry("a", 1), entry("a", 1)))
		expect[*types.InvalidBatchEntryId](t, batch(entry("no spaces", 1)))
		expect[*types.BatchRequestTooLong](t, batch(entry("a", 600<<10), entry("b", 600<<10)))

		purge := func() error {
			_, err := c.PurgeQueue(ctx, &sqs.PurgeQueueInput{QueueUrl: url})
			return err
		}
		check(t, purge())
		expect[*types.PurgeQueueInProgress](t, purge())
		time.Sleep(time.Minute)
		check(t, purge())
		_, err = c.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: url})
		check(t, err)
		_, err = c.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("q")})
		expect[*types.QueueDeletedRecently](t, err)
		time.Sleep(time.Minute)
		create(t, c, "q", nil)

		// What the service's model has no type for.
		for _, f := range []struct {
			code string
			call func() error
		}{
			{"InvalidParameterValue", func() error {
				_, err := c.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: text(1<<20 + 1)})
				return err
			}},
			{"MissingParameter", func() error {
				_, err := c.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: text(0)})
				return err
			}},
		} {
			var e smithy.APIError
			if err := f.call(); !errors.As(err, &e) || e.ErrorCode() != f.code || e.ErrorFault() != smithy.FaultClient {
				t.Errorf("%v, want %s", err, f.code)
			}
		}
	})
}

// expect reports an error that is not of type E.
func expect[E error](t *testing.T, err error) {
	t.Helper()
	var e E
	if !errors.As(err, &e) {
		t.Errorf("error %v, want a %T", err, e)
	}
}
