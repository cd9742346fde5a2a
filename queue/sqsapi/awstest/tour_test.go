package awstest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/restantemq/restante/queue/sqsapi"
)

// The tour drives every action with the SDK for Go.

func TestTour(t *testing.T) {
	noted := new(calls)
	drive(t, clientOf(inProcess{sqsapi.Client(newBroker(t)), noted}))
	noted.check(t, jsonProtocol)
}

func TestTourInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		noted := new(calls)
		drive(t, clientOf(inProcess{sqsapi.Client(newBroker(t)), noted}))
		noted.check(t, jsonProtocol)
	})
}

func TestTourOverHTTP(t *testing.T) {
	endpoint, noted := serve(t, newBroker(t), sqsapi.Options{})
	drive(t, clientAt(endpoint))
	noted.check(t, jsonProtocol)
}

// The first program of everybody who tries SQS.
func TestFirstProgram(t *testing.T) {
	program := func(t *testing.T, c *sqs.Client) {
		ctx := t.Context()
		found, err := c.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String("first")})
		check(t, err)
		_, err = c.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: found.QueueUrl, MessageBody: aws.String("Hello World!")})
		check(t, err)
		got, err := c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: found.QueueUrl, WaitTimeSeconds: 20})
		check(t, err)
		var printed strings.Builder
		for _, m := range got.Messages {
			fmt.Fprintln(&printed, *m.Body)
			_, err := c.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: found.QueueUrl, ReceiptHandle: m.ReceiptHandle})
			check(t, err)
		}
		if printed.String() != "Hello World!\n" {
			t.Errorf("printed %q", printed.String())
		}
	}
	t.Run("in process", func(t *testing.T) {
		b := newBroker(t)
		_, err := b.CreateQueue(t.Context(), "first", nil)
		check(t, err)
		program(t, clientOf(sqsapi.Client(b)))
	})
	t.Run("over HTTP", func(t *testing.T) {
		b := newBroker(t)
		_, err := b.CreateQueue(t.Context(), "first", nil)
		check(t, err)
		endpoint, _ := serve(t, b, sqsapi.Options{})
		program(t, clientAt(endpoint))
	})
}

// The region and the account of a request are those of its signature.
func TestRegionAndAccountOfTheCredentials(t *testing.T) {
	c := sqs.New(sqs.Options{
		Region:      "eu-west-1",
		Credentials: credentials.NewStaticCredentialsProvider("111122223333", "SECRET", ""),
		HTTPClient:  sqsapi.Client(newBroker(t)),
	})
	url := create(t, c, "q", nil)
	if want := "https://sqs.eu-west-1.amazonaws.com/111122223333/q"; *url != want {
		t.Errorf("QueueUrl = %s, want %s", *url, want)
	}
	equal(t, "QueueArn", attributes(t, c, url, "QueueArn"), map[string]string{"QueueArn": "arn:aws:sqs:eu-west-1:111122223333:q"})
}

// clientOf returns a client of the SDK. Its checks of checksums are on, as they
// are by default, and it repeats nothing.
func clientOf(h sqs.HTTPClient) *sqs.Client {
	return sqs.New(sqs.Options{
		Region:           "us-east-1",
		Credentials:      credentials.NewStaticCredentialsProvider("AKID", "SECRET", ""),
		HTTPClient:       h,
		RetryMaxAttempts: 1,
	})
}

// clientAt returns the like that goes over a socket.
func clientAt(endpoint string) *sqs.Client {
	return sqs.New(sqs.Options{
		Region:           "us-east-1",
		Credentials:      credentials.NewStaticCredentialsProvider("AKID", "SECRET", ""),
		BaseEndpoint:     &endpoint,
		RetryMaxAttempts: 1,
	})
}

func drive(t *testing.T, c *sqs.Client) {
	driveQueues(t, c)
	driveSettings(t, c)
	driveMessage(t, c)
	driveBatches(t, c)
	driveFIFO(t, c)
	driveDeadLetters(t, c)
}

func driveQueues(t *testing.T, c *sqs.Client) {
	ctx := t.Context()
	var urls []string
	for i := range 5 {
		urls = append(urls, *create(t, c, fmt.Sprint("page-", i), nil))
	}
	create(t, c, "other", nil)
	if again := create(t, c, "page-0", nil); *again != urls[0] {
		t.Errorf("created again: %s, want %s", *again, urls[0])
	}
	found, err := c.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String("page-3"), QueueOwnerAWSAccountId: aws.String("000000000000")})
	check(t, err)
	equal(t, "GetQueueUrl", *found.QueueUrl, urls[3])

	all, err := c.ListQueues(ctx, &sqs.ListQueuesInput{QueueNamePrefix: aws.String("page-")})
	check(t, err)
	equal(t, "ListQueues", all.QueueUrls, urls)
	var pages [][]string
	p := sqs.NewListQueuesPaginator(c, &sqs.ListQueuesInput{QueueNamePrefix: aws.String("page-"), MaxResults: aws.Int32(2)})
	for p.HasMorePages() {
		page, err := p.NextPage(ctx)
		check(t, err)
		pages = append(pages, page.QueueUrls)
	}
	equal(t, "pages", pages, [][]string{urls[:2], urls[2:4], urls[4:]})

	for _, url := range urls {
		_, err := c.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: &url})
		check(t, err)
	}
	_, err = c.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String("page-3")})
	expect[*types.QueueDoesNotExist](t, err)
}

func driveSettings(t *testing.T, c *sqs.Client) {
	ctx := t.Context()
	out, err := c.CreateQueue(ctx, &sqs.CreateQueueInput{
		QueueName: aws.String("settings"), Attributes: map[string]string{"VisibilityTimeout": "60"},
		Tags: map[string]string{"team": "a", "empty": ""},
	})
	check(t, err)
	url := out.QueueUrl
	const arn = "arn:aws:sqs:us-east-1:000000000000:settings"

	all := attributes(t, c, url, "All")
	equal(t, "QueueArn", all["QueueArn"], arn)
	equal(t, "VisibilityTimeout", all["VisibilityTimeout"], "60")
	_, err = c.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: url, Attributes: map[string]string{"VisibilityTimeout": "45"}})
	check(t, err)
	equal(t, "attributes", attributes(t, c, url, "VisibilityTimeout", "Policy"), map[string]string{"VisibilityTimeout": "45"})

	_, err = c.TagQueue(ctx, &sqs.TagQueueInput{QueueUrl: url, Tags: map[string]string{"team": "b", "Team": "é <&>"}})
	check(t, err)
	equal(t, "tags", tags(t, c, url), map[string]string{"team": "b", "Team": "é <&>", "empty": ""})
	_, err = c.UntagQueue(ctx, &sqs.UntagQueueInput{QueueUrl: url, TagKeys: []string{"team", "Team", "empty", "unknown"}})
	check(t, err)
	equal(t, "tags", tags(t, c, url), nil)

	_, err = c.AddPermission(ctx, &sqs.AddPermissionInput{
		QueueUrl: url, Label: aws.String("one"), AWSAccountIds: []string{"111122223333"}, Actions: []string{"SendMessage", "ReceiveMessage"},
	})
	check(t, err)
	var policy struct {
		Statement []struct{ Sid, Effect, Resource string }
	}
	check(t, json.Unmarshal([]byte(attributes(t, c, url, "Policy")["Policy"]), &policy))
	if s := policy.Statement; len(s) != 1 || s[0].Sid != "one" || s[0].Effect != "Allow" || s[0].Resource != arn {
		t.Errorf("policy %+v", policy)
	}
	_, err = c.RemovePermission(ctx, &sqs.RemovePermissionInput{QueueUrl: url, Label: aws.String("one")})
	check(t, err)
	equal(t, "attributes", attributes(t, c, url, "Policy"), nil)
}

func driveMessage(t *testing.T, c *sqs.Client) {
	ctx := t.Context()
	url := create(t, c, "message", nil)
	const body = "héllo <&> \"wörld\" 😀\r\n\u2028"
	sent := send(t, c, &sqs.SendMessageInput{
		QueueUrl: url, MessageBody: aws.String(body),
		MessageAttributes: map[string]types.MessageAttributeValue{"Hello": {DataType: aws.String("String"), StringValue: aws.String("There")}},
	})
	equal(t, "MD5OfMessageAttributes", aws.ToString(sent.MD5OfMessageAttributes), "a311262e065454b75da111d535b8dacd")

	for receives := 1; receives <= 2; receives++ {
		got := receive(t, c, &sqs.ReceiveMessageInput{
			QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: 20, MessageAttributeNames: []string{"Hel.*"},
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{"ApproximateReceiveCount"},
		})
		if len(got) != 1 {
			t.Fatalf("received %+v", got)
		}
		m := got[0]
		equal(t, "Body", *m.Body, body)
		equal(t, "Attributes", m.Attributes, map[string]string{"ApproximateReceiveCount": fmt.Sprint(receives)})
		equal(t, "MD5OfMessageAttributes", aws.ToString(m.MD5OfMessageAttributes), *sent.MD5OfMessageAttributes)
		if receives == 1 {
			_, err := c.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: url, ReceiptHandle: m.ReceiptHandle})
			check(t, err)
			continue
		}
		_, err := c.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: m.ReceiptHandle})
		check(t, err)
	}

	send(t, c, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("x")})
	_, err := c.PurgeQueue(ctx, &sqs.PurgeQueueInput{QueueUrl: url})
	check(t, err)
	if got := receive(t, c, &sqs.ReceiveMessageInput{QueueUrl: url}); len(got) != 0 {
		t.Errorf("received %+v after the purge", got)
	}
}

func driveBatches(t *testing.T, c *sqs.Client) {
	ctx := t.Context()
	url := create(t, c, "batches", nil)
	sent, err := c.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: url, Entries: []types.SendMessageBatchRequestEntry{
		{Id: aws.String("a"), MessageBody: aws.String("body a")},
		{Id: aws.String("late"), MessageBody: aws.String("body"), DelaySeconds: 901},
		{Id: aws.String("b"), MessageBody: aws.String("body b")},
		{Id: aws.String("bad"), MessageBody: aws.String("\v")},
	}})
	check(t, err)
	var ids []string
	for _, e := range sent.Successful {
		ids = append(ids, *e.Id)
	}
	equal(t, "sent", ids, []string{"a", "b"})
	equal(t, "not sent", failed(sent.Failed), map[string]string{"late": "InvalidParameterValue", "bad": "InvalidMessageContents"})

	in := &sqs.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: 20}
	got := receive(t, c, in)
	if len(got) != 2 {
		t.Fatalf("received %+v", got)
	}
	changed, err := c.ChangeMessageVisibilityBatch(ctx, &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: url, Entries: []types.ChangeMessageVisibilityBatchRequestEntry{
		{Id: aws.String("0"), ReceiptHandle: got[0].ReceiptHandle},
		{Id: aws.String("1"), ReceiptHandle: got[1].ReceiptHandle},
		{Id: aws.String("long"), ReceiptHandle: got[1].ReceiptHandle, VisibilityTimeout: 43201},
	}})
	check(t, err)
	equal(t, "changed", len(changed.Successful), 2)
	equal(t, "not changed", failed(changed.Failed), map[string]string{"long": "InvalidParameterValue"})

	got = receive(t, c, in)
	entries := []types.DeleteMessageBatchRequestEntry{{Id: aws.String("none"), ReceiptHandle: aws.String("garbage")}}
	for _, m := range got {
		entries = append(entries, types.DeleteMessageBatchRequestEntry{Id: m.MessageId, ReceiptHandle: m.ReceiptHandle})
	}
	deleted, err := c.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: url, Entries: entries})
	check(t, err)
	equal(t, "deleted", len(deleted.Successful), 2)
	equal(t, "not deleted", failed(deleted.Failed), map[string]string{"none": "ReceiptHandleIsInvalid"})
}

func driveFIFO(t *testing.T, c *sqs.Client) {
	ctx := t.Context()
	url := create(t, c, "orders.fifo", map[string]string{"FifoQueue": "true", "ContentBasedDeduplication": "true"})
	var sent []*sqs.SendMessageOutput
	for _, body := range []string{"one", "two", "one"} {
		sent = append(sent, send(t, c, &sqs.SendMessageInput{QueueUrl: url, MessageBody: &body, MessageGroupId: aws.String("g")}))
	}
	if *sent[2].MessageId != *sent[0].MessageId || *sent[2].SequenceNumber != *sent[0].SequenceNumber {
		t.Errorf("a duplicate is told as %+v, the first one as %+v", sent[2], sent[0])
	}
	if *sent[0].SequenceNumber >= *sent[1].SequenceNumber {
		t.Errorf("sequence numbers %s, then %s", *sent[0].SequenceNumber, *sent[1].SequenceNumber)
	}
	in := &sqs.ReceiveMessageInput{
		QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: 20, ReceiveRequestAttemptId: aws.String("once"),
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"},
	}
	got, again := receive(t, c, in), receive(t, c, in)
	if len(got) != 2 || len(again) != 2 {
		t.Fatalf("received %+v, then %+v", got, again)
	}
	for i, m := range got {
		equal(t, "the receipt of the same attempt", *again[i].ReceiptHandle, *m.ReceiptHandle)
		equal(t, "Body", *m.Body, []string{"one", "two"}[i])
		equal(t, "SequenceNumber", m.Attributes["SequenceNumber"], *sent[i].SequenceNumber)
		equal(t, "MessageGroupId", m.Attributes["MessageGroupId"], "g")
		_, err := c.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: m.ReceiptHandle})
		check(t, err)
	}
}

func driveDeadLetters(t *testing.T, c *sqs.Client) {
	ctx := t.Context()
	const arn = "arn:aws:sqs:us-east-1:000000000000:"
	dead := create(t, c, "dead", nil)
	create(t, c, "other", nil)
	var sources []string
	for i := range 3 {
		sources = append(sources, *create(t, c, fmt.Sprint("source-", i), map[string]string{
			"RedrivePolicy": `{"deadLetterTargetArn":"` + arn + `dead","maxReceiveCount":1}`,
		}))
	}
	var pages [][]string
	p := sqs.NewListDeadLetterSourceQueuesPaginator(c, &sqs.ListDeadLetterSourceQueuesInput{QueueUrl: dead, MaxResults: aws.Int32(2)})
	for p.HasMorePages() {
		page, err := p.NextPage(ctx)
		check(t, err)
		pages = append(pages, page.QueueUrls)
	}
	equal(t, "sources", pages, [][]string{sources[:2], sources[2:]})

	sent := send(t, c, &sqs.SendMessageInput{QueueUrl: &sources[0], MessageBody: aws.String("a")})
	release := func(url *string) types.Message {
		t.Helper()
		got := receive(t, c, &sqs.ReceiveMessageInput{
			QueueUrl: url, WaitTimeSeconds: 20, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"},
		})
		if len(got) != 1 {
			t.Fatalf("received %+v", got)
		}
		_, err := c.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: url, ReceiptHandle: got[0].ReceiptHandle})
		check(t, err)
		return got[0]
	}
	release(&sources[0])
	if got := receive(t, c, &sqs.ReceiveMessageInput{QueueUrl: &sources[0]}); len(got) != 0 {
		t.Fatalf("received %+v once more", got)
	}
	letter := release(dead)
	equal(t, "MessageId", *letter.MessageId, *sent.MessageId)
	equal(t, "DeadLetterQueueSourceArn", letter.Attributes["DeadLetterQueueSourceArn"], arn+"source-0")

	_, err := c.StartMessageMoveTask(ctx, &sqs.StartMessageMoveTaskInput{SourceArn: aws.String(arn + "dead")})
	check(t, err)
	back := release(&sources[0])
	if *back.MessageId == *sent.MessageId {
		t.Error("the message kept its ID when it was moved back")
	}
	first := task(t, c, arn+"dead")
	for first.Status != nil && *first.Status == "RUNNING" { // it moved the message, and will tell so
		first = task(t, c, arn+"dead")
	}
	if aws.ToString(first.Status) != "COMPLETED" || first.ApproximateNumberOfMessagesMoved != 1 || first.TaskHandle != nil {
		t.Errorf("task %+v", first)
	}

	for range 5 {
		send(t, c, &sqs.SendMessageInput{QueueUrl: dead, MessageBody: aws.String("x")})
	}
	started, err := c.StartMessageMoveTask(ctx, &sqs.StartMessageMoveTaskInput{
		SourceArn: aws.String(arn + "dead"), DestinationArn: aws.String(arn + "other"), MaxNumberOfMessagesPerSecond: aws.Int32(1),
	})
	check(t, err)
	running := task(t, c, arn+"dead")
	if aws.ToString(running.Status) != "RUNNING" || aws.ToString(running.TaskHandle) != *started.TaskHandle ||
		aws.ToString(running.DestinationArn) != arn+"other" || aws.ToInt32(running.MaxNumberOfMessagesPerSecond) != 1 ||
		aws.ToInt64(running.ApproximateNumberOfMessagesToMove) != 5 || running.StartedTimestamp == 0 {
		t.Errorf("task %+v", running)
	}
	cancelled, err := c.CancelMessageMoveTask(ctx, &sqs.CancelMessageMoveTaskInput{TaskHandle: started.TaskHandle})
	check(t, err)
	if cancelled.ApproximateNumberOfMessagesMoved > 4 {
		t.Errorf("%d messages were moved at once", cancelled.ApproximateNumberOfMessagesMoved)
	}
	if s := aws.ToString(task(t, c, arn+"dead").Status); s != "CANCELLING" && s != "CANCELLED" {
		t.Errorf("the task is %s after it was cancelled", s)
	}
}

// task returns the latest move task of a source.
func task(t *testing.T, c *sqs.Client, source string) types.ListMessageMoveTasksResultEntry {
	t.Helper()
	out, err := c.ListMessageMoveTasks(t.Context(), &sqs.ListMessageMoveTasksInput{SourceArn: &source})
	check(t, err)
	if len(out.Results) != 1 {
		t.Fatalf("%d tasks, want the latest one", len(out.Results))
	}
	return out.Results[0]
}

func attributes(t *testing.T, c *sqs.Client, url *string, names ...types.QueueAttributeName) map[string]string {
	t.Helper()
	out, err := c.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: url, AttributeNames: names})
	check(t, err)
	return out.Attributes
}

func tags(t *testing.T, c *sqs.Client, url *string) map[string]string {
	t.Helper()
	out, err := c.ListQueueTags(t.Context(), &sqs.ListQueueTagsInput{QueueUrl: url})
	check(t, err)
	return out.Tags
}

// failed returns the codes of a batch's failures by their IDs.
func failed(entries []types.BatchResultErrorEntry) map[string]string {
	codes := make(map[string]string)
	for _, e := range entries {
		codes[*e.Id] = *e.Code
	}
	return codes
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// equal reports what is not as wanted.
func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
