// Awssdk is a program for Amazon SQS, written with the AWS SDK for Go as its
// manuals say. It runs against queues in its own process, against a server, and
// against AWS, and nothing but the client's options tells these apart.
//
//	go run .                                  # in this process, without a socket
//	go run . -create -endpoint http://127.0.0.1:9324   # examples/sqsserver, or another
//	go run . -create -aws                     # where the environment says: AWS, with your account
//
// It does two things. Hello is everybody's first program: get the queue's URL,
// send "Hello World!", wait up to 20 seconds for a message, print it, delete it.
// Then a producer sends orders in batches, and consumers receive, do and delete
// them, until all are done.
//
// It deletes every message that it receives. Give it a queue of its own.
//
// main_test.go is how your own tests can look: the whole program in a bubble of
// testing/synctest, where a visibility timeout of twelve hours passes at once.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/sqsapi"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	os.Exit(command(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// settings are what the flags say.
type settings struct {
	endpoint string
	aws      bool
	create   bool
	queue    string
	orders   int
}

// command is the program without its process. It returns the exit status.
func command(ctx context.Context, args []string, out, errOut io.Writer) int {
	var s settings
	flags := flag.NewFlagSet("awssdk", flag.ContinueOnError)
	flags.SetOutput(errOut)
	flags.StringVar(&s.endpoint, "endpoint", "", "use the server at this `URL`")
	flags.BoolVar(&s.aws, "aws", false, "use what the environment and ~/.aws say, as other programs do")
	flags.BoolVar(&s.create, "create", false, "create the queue if it isn't there; in process it always is")
	flags.StringVar(&s.queue, "queue", "restante-example", "the queue's `NAME`")
	flags.IntVar(&s.orders, "orders", 100, "how `many` orders the producer sends")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0 || s.endpoint != "" && s.aws || s.orders < 0:
		fmt.Fprintln(errOut, "awssdk: there are no arguments, only flags; one of -endpoint and -aws; and -orders is not negative")
		return 2
	}
	if err := run(ctx, s, out); err != nil {
		fmt.Fprintln(errOut, "awssdk:", err)
		return 1
	}
	return 0
}

// run makes the client, and lets both programs happen.
func run(ctx context.Context, s settings, out io.Writer) (err error) {
	var client *sqs.Client
	switch {
	case s.aws:
		environment, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return err
		}
		client = sqs.NewFromConfig(environment)
	case s.endpoint != "":
		client = overHTTP(s.endpoint)
	default:
		b := broker.New(broker.Options{})
		defer func() { err = errors.Join(err, b.Close()) }()
		client, s.create = inProcess(b), true
	}
	if s.create {
		if _, err := client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &s.queue}); err != nil {
			return err
		}
	}
	if err := hello(ctx, client, s.queue, out); err != nil {
		return err
	}
	return orders(ctx, client, s.queue, s.orders, out)
}

// inProcess returns a client of the queues of b. Nothing is listened on and
// nothing leaves the process. The SDK wants credentials, and nobody looks at them.
func inProcess(b *broker.Broker) *sqs.Client {
	return sqs.New(sqs.Options{
		Region:      "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		HTTPClient:  sqsapi.Client(b),
	})
}

// overHTTP returns a client of the server at endpoint, with the keys and the
// region that the environment names, if it names any.
func overHTTP(endpoint string) *sqs.Client {
	variable := func(name, otherwise string) string {
		if value := os.Getenv(name); value != "" {
			return value
		}
		return otherwise
	}
	return sqs.New(sqs.Options{
		Region: variable("AWS_REGION", "us-east-1"),
		Credentials: credentials.NewStaticCredentialsProvider(
			variable("AWS_ACCESS_KEY_ID", "test"), variable("AWS_SECRET_ACCESS_KEY", "test"), os.Getenv("AWS_SESSION_TOKEN")),
		BaseEndpoint: &endpoint,
	})
}

// hello is everybody's first program.
func hello(ctx context.Context, client *sqs.Client, name string, out io.Writer) error {
	found, err := client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &name})
	if missing := (*types.QueueDoesNotExist)(nil); errors.As(err, &missing) {
		return fmt.Errorf("there is no queue %s, -create makes it: %w", name, err)
	}
	if err != nil {
		return err
	}
	url := found.QueueUrl
	if _, err := client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("Hello World!")}); err != nil {
		return err
	}
	got, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: 20})
	if err != nil {
		return err
	}
	for _, m := range got.Messages {
		fmt.Fprintf(out, "received %q\n", *m.Body)
		if _, err := client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: m.ReceiptHandle}); err != nil {
			return err
		}
	}
	return nil
}

// orders lets a producer and consumers share a queue until n orders are done.
func orders(ctx context.Context, client *sqs.Client, name string, n int, out io.Writer) error {
	found, err := client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &name})
	if err != nil {
		return err
	}
	began := time.Now()
	shift := newShift(client, *found.QueueUrl, n)
	if err := shift.work(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d orders sent and done in %v\n", n, time.Since(began).Round(time.Millisecond))
	return nil
}
