package main

import (
	"bytes"
	"context"
	"errors"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/sqsapi"
)

var printed = regexp.MustCompile(`^received "Hello World!"
25 orders sent and done in \S+
$`)

func newBroker(t *testing.T) *broker.Broker {
	t.Helper()
	b := broker.New(broker.Options{})
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// The program ends as it should, against the queues that args choose.
func runs(t *testing.T, args ...string) {
	t.Helper()
	var out, errOut bytes.Buffer
	status := command(t.Context(), append(args, "-orders", "25"), &out, &errOut)
	if status != 0 || errOut.Len() > 0 || !printed.Match(out.Bytes()) {
		t.Errorf("%q: status %d, printed %q and %q", args, status, out.String(), errOut.String())
	}
}

// In process it also runs in a bubble: there is no socket.
func TestInProcess(t *testing.T) {
	runs(t)
	synctest.Test(t, func(t *testing.T) { runs(t) })
}

func TestOverHTTP(t *testing.T) {
	b := newBroker(t)
	server := httptest.NewServer(sqsapi.Handler(b, sqsapi.Options{}))
	defer server.Close()
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	runs(t, "-endpoint", server.URL, "-create")
	q, err := b.CreateQueue(t.Context(), "mine", nil) // another one: see consume
	if err != nil {
		t.Fatal(err)
	}
	runs(t, "-endpoint", server.URL, "-queue", "mine")
	attributes, err := q.Attributes(t.Context(), "All")
	if err != nil || attributes["ApproximateNumberOfMessages"] != "0" || attributes["ApproximateNumberOfMessagesNotVisible"] != "0" {
		t.Errorf("the queue is left with %v, %v", attributes, err)
	}
}

// As programs that know nothing of any endpoint find a server: by the environment.
func TestWithTheEnvironment(t *testing.T) {
	const key, secret = "AKIDEXAMPLE", "secret"
	server := httptest.NewServer(sqsapi.Handler(newBroker(t), sqsapi.Options{Credentials: map[string]string{key: secret}}))
	defer server.Close()
	t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
	t.Setenv("AWS_PROFILE", "")
	t.Setenv("AWS_ENDPOINT_URL_SQS", server.URL)
	t.Setenv("AWS_REGION", "eu-central-1")
	t.Setenv("AWS_ACCESS_KEY_ID", key)
	t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
	t.Setenv("AWS_SESSION_TOKEN", "")
	runs(t, "-aws", "-create")
	runs(t, "-endpoint", server.URL, "-create", "-queue", "another")

	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
	var out, errOut bytes.Buffer
	if status := command(t.Context(), []string{"-aws"}, &out, &errOut); status != 1 || !strings.Contains(errOut.String(), "SignatureDoesNotMatch") {
		t.Errorf("with a wrong key: status %d, %s", status, errOut.String())
	}
}

func TestNoQueue(t *testing.T) {
	server := httptest.NewServer(sqsapi.Handler(newBroker(t), sqsapi.Options{}))
	defer server.Close()
	var out, errOut bytes.Buffer
	if status := command(t.Context(), []string{"-endpoint", server.URL}, &out, &errOut); status != 1 || !strings.Contains(errOut.String(), "-create") {
		t.Errorf("status %d, says %q; want 1, and what to do", status, errOut.String())
	}
}

func TestWrongFlags(t *testing.T) {
	for _, args := range [][]string{{"x"}, {"-nonsense"}, {"-aws", "-endpoint", "http://localhost"}, {"-orders", "-1"}} {
		var out, errOut bytes.Buffer
		if status := command(t.Context(), args, &out, &errOut); status != 2 || errOut.Len() == 0 {
			t.Errorf("%q: status %d, says %q; want 2, and why", args, status, errOut.String())
		}
	}
}

// A consumer that dies leaves its orders in flight. Here it took them for twelve
// hours, which is as long as SQS allows, and the shift is over when these have
// passed: at once, in a bubble.
func TestOrdersOfADeadConsumerComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := inProcess(newBroker(t))
		made, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{
			QueueName: aws.String("orders"), Attributes: map[string]string{"VisibilityTimeout": "43200"},
		})
		if err != nil {
			t.Fatal(err)
		}
		shift := newShift(client, *made.QueueUrl, 25)
		if err := shift.produce(t.Context()); err != nil {
			t.Fatal(err)
		}
		dead, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: made.QueueUrl, MaxNumberOfMessages: batch})
		if err != nil || len(dead.Messages) == 0 {
			t.Fatalf("received %v, %v", dead, err)
		}
		began := time.Now()
		ctx, stop := context.WithCancel(t.Context())
		if err := shift.consume(ctx, stop); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if took := time.Since(began); took < 12*time.Hour || took > 12*time.Hour+time.Second {
			t.Errorf("the orders of a dead consumer were done after %v", took)
		}
		if len(shift.done) != 25 {
			t.Errorf("%d orders are done", len(shift.done))
		}
		late := dead.Messages[0] // and its receipt is of no use any more
		_, err = client.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{QueueUrl: made.QueueUrl, ReceiptHandle: late.ReceiptHandle, VisibilityTimeout: 1})
		if err == nil {
			t.Error("the dead consumer changed the visibility of a message that is gone")
		}
	})
}

// Hello waits for a message for up to 20 seconds, and then goes home.
func TestHelloWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := inProcess(newBroker(t))
		_, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("q"), Attributes: map[string]string{"DelaySeconds": "15"}})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		began := time.Now()
		if err := hello(t.Context(), client, "q", &out); err != nil || out.String() != "received \"Hello World!\"\n" {
			t.Errorf("printed %q, %v", out.String(), err)
		}
		if took := time.Since(began); took < 15*time.Second || took > 16*time.Second {
			t.Errorf("it took %v; want the delay of the message", took)
		}
	})
}

// An entry that fails is an error, though the call succeeds.
func TestFailures(t *testing.T) {
	if err := failures(nil); err != nil {
		t.Error(err)
	}
	err := failures([]types.BatchResultErrorEntry{{Id: aws.String("7"), Code: aws.String("InternalError"), Message: aws.String("again")}})
	if err == nil || !strings.Contains(err.Error(), "entry 7: InternalError: again") {
		t.Error(err)
	}
}
