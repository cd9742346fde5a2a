package broker_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
)

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

func mustCreate(t *testing.T, b *broker.Broker, name string, attributes map[string]string) *broker.Queue {
	t.Helper()
	q, err := b.CreateQueue(t.Context(), name, attributes)
	if err != nil {
		t.Fatalf("CreateQueue(%q, %v): %v", name, attributes, err)
	}
	return q
}

func configOf(t *testing.T, q *broker.Queue) queue.Config {
	t.Helper()
	c, ok := queue.As[interface{ Config() queue.Config }](q)
	if !ok {
		t.Fatal("the queue tells no configuration")
	}
	return c.Config()
}

func TestQueueKeepsMessages(t *testing.T) {
	q := mustCreate(t, newBroker(t), "orders", nil)
	if _, err := q.Send(t.Context(), queue.Message{Body: "a"}); err != nil {
		t.Fatal(err)
	}
	got, err := q.Receive(t.Context(), queue.ReceiveOptions{})
	if err != nil || len(got) != 1 || got[0].Body != "a" {
		t.Fatalf("Receive = %v, %v; want the message", got, err)
	}
	if err := q.Delete(t.Context(), got[0].Receipt); err != nil {
		t.Fatal(err)
	}
}

func TestAbilitiesAreFoundThroughTheQueue(t *testing.T) {
	q := mustCreate(t, newBroker(t), "orders", nil)
	if _, ok := queue.As[queue.Purger](q); !ok {
		t.Error("no Purger")
	}
	if _, ok := queue.As[queue.Inspector](q); !ok {
		t.Error("no Inspector")
	}
	if _, ok := queue.As[queue.Adopter](q); !ok {
		t.Error("no Adopter")
	}
}

func TestNamesOfAQueue(t *testing.T) {
	b := broker.New(broker.Options{Scope: broker.Scope{Partition: "aws-cn", Account: "123456789012", Region: "cn-north-1"}})
	defer b.Close()
	q := mustCreate(t, b, "orders", nil)
	for _, c := range []struct{ what, got, want string }{
		{"Name", q.Name(), "orders"},
		{"Kind", q.Kind().String(), "Standard"},
		{"ARN", q.ARN(), "arn:aws-cn:sqs:cn-north-1:123456789012:orders"},
		{"URL", q.URL(""), "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/orders"},
		{"URL with a base", q.URL("http://localhost:9324/"), "http://localhost:9324/123456789012/orders"},
		{"ARN of the zero scope", broker.Scope{}.ARN("q"), "arn:aws:sqs:us-east-1:000000000000:q"},
		{"URL of the zero scope", broker.Scope{}.URL("", "q"), "https://sqs.us-east-1.amazonaws.com/000000000000/q"},
	} {
		if c.got != c.want {
			t.Errorf("%s = %q, want %q", c.what, c.got, c.want)
		}
	}
	if got := configOf(t, q).Name; got != "orders" {
		t.Errorf("Config().Name = %q, want the queue's name", got)
	}
}

func TestAttributesReachTheQueue(t *testing.T) {
	b := newBroker(t)
	c := configOf(t, mustCreate(t, b, "q", map[string]string{
		"VisibilityTimeout": "60", "DelaySeconds": "5", "MaximumMessageSize": "2048",
		"MessageRetentionPeriod": "120", "ReceiveMessageWaitTimeSeconds": "20",
	}))
	if c.VisibilityTimeout != time.Minute || c.Delay != 5*time.Second || c.MaxMessageSize != 2048 ||
		c.Retention != 2*time.Minute || c.ReceiveWait != 20*time.Second {
		t.Errorf("Config = %+v", c)
	}
	q := mustCreate(t, b, "q.fifo", map[string]string{"FifoQueue": "True", "ContentBasedDeduplication": "TRUE"})
	if !configOf(t, q).ContentDeduplication || q.Kind() != queue.FIFO {
		t.Errorf("kind %v, Config = %+v", q.Kind(), configOf(t, q))
	}
}

// Zero seconds are a choice, not the default.
func TestVisibilityTimeoutOfZero(t *testing.T) {
	b := newBroker(t)
	q := mustCreate(t, b, "q", map[string]string{"VisibilityTimeout": "0"})
	if _, err := q.Send(t.Context(), queue.Message{Body: "a"}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got, err := q.Receive(t.Context(), queue.ReceiveOptions{}); err != nil || len(got) != 1 {
			t.Fatalf("Receive = %v, %v; the message stays visible", got, err)
		}
	}
	mustCreate(t, b, "q", map[string]string{"VisibilityTimeout": "0"})
	_, err := b.CreateQueue(t.Context(), "q", map[string]string{"VisibilityTimeout": "30"})
	if !errors.Is(err, broker.ErrQueueExists) {
		t.Errorf("error %v, want ErrQueueExists", err)
	}
}

func TestRefusedAttributes(t *testing.T) {
	for _, c := range []struct {
		queue, name, value string
		want               error
	}{
		{"q", "Nonsense", "1", broker.ErrInvalidAttributeName},
		{"q", "QueueArn", "1", broker.ErrInvalidAttributeName},
		{"q", "FifoQueue", "false", broker.ErrInvalidAttributeName},
		{"q", "ContentBasedDeduplication", "true", broker.ErrInvalidAttributeName},
		{"q", "DeduplicationScope", "queue", broker.ErrInvalidAttributeName},
		{"q", "VisibilityTimeout", "43201", broker.ErrInvalidAttributeValue},
		{"q", "VisibilityTimeout", "-1", broker.ErrInvalidAttributeValue},
		{"q", "VisibilityTimeout", "+1", broker.ErrInvalidAttributeValue},
		{"q", "VisibilityTimeout", " 1", broker.ErrInvalidAttributeValue},
		{"q", "VisibilityTimeout", "1.0", broker.ErrInvalidAttributeValue},
		{"q", "VisibilityTimeout", "", broker.ErrInvalidAttributeValue},
		{"q", "VisibilityTimeout", "9223372037", broker.ErrInvalidAttributeValue},
		{"q", "VisibilityTimeout", "99999999999999999999", broker.ErrInvalidAttributeValue},
		{"q", "DelaySeconds", "901", broker.ErrInvalidAttributeValue},
		{"q", "MaximumMessageSize", "1023", broker.ErrInvalidAttributeValue},
		{"q", "MaximumMessageSize", "1048577", broker.ErrInvalidAttributeValue},
		{"q", "MessageRetentionPeriod", "59", broker.ErrInvalidAttributeValue},
		{"q", "MessageRetentionPeriod", "1209601", broker.ErrInvalidAttributeValue},
		{"q", "ReceiveMessageWaitTimeSeconds", "21", broker.ErrInvalidAttributeValue},
		{"q", "RedrivePolicy", "{}", queue.ErrInvalidParameter},
		{"q", "SqsManagedSseEnabled", "yes", broker.ErrInvalidAttributeValue},
		{"q.fifo", "DeduplicationScope", "Queue", broker.ErrInvalidAttributeValue},
		{"q.fifo", "ContentBasedDeduplication", "yes", broker.ErrInvalidAttributeValue},
		{"q.fifo", "FifoQueue", "yes", broker.ErrInvalidAttributeValue},
	} {
		b := newBroker(t)
		_, err := b.CreateQueue(t.Context(), c.queue, map[string]string{c.name: c.value})
		var a *broker.AttributeError
		if !errors.Is(err, c.want) || !errors.As(err, &a) || a.Name != c.name {
			t.Errorf("%s %s=%q: error %v, want %v of %s", c.queue, c.name, c.value, err, c.want, c.name)
		}
		if _, err := b.GetQueue(c.queue); !errors.Is(err, broker.ErrQueueNotFound) {
			t.Errorf("%s %s=%q: the refused queue is there: %v", c.queue, c.name, c.value, err)
		}
	}
}

func TestRangesIncludeTheirEnds(t *testing.T) {
	b := newBroker(t)
	for i, attributes := range []map[string]string{
		{"VisibilityTimeout": "0"}, {"VisibilityTimeout": "43200"},
		{"DelaySeconds": "0"}, {"DelaySeconds": "900"},
		{"MaximumMessageSize": "1024"}, {"MaximumMessageSize": "1048576"},
		{"MessageRetentionPeriod": "60"}, {"MessageRetentionPeriod": "1209600"},
		{"ReceiveMessageWaitTimeSeconds": "0"}, {"ReceiveMessageWaitTimeSeconds": "20"},
	} {
		mustCreate(t, b, "q"+strings.Repeat("x", i), attributes)
	}
}

func TestQueueNames(t *testing.T) {
	fifo := map[string]string{"FifoQueue": "true"}
	for _, c := range []struct {
		name       string
		attributes map[string]string
		ok         bool
	}{
		{"a", nil, true},
		{"aZ0-_", nil, true},
		{strings.Repeat("a", 80), nil, true},
		{strings.Repeat("a", 81), nil, false},
		{"", nil, false},
		{"a b", nil, false},
		{"ä", nil, false},
		{"a.fifo", nil, false},
		{"a.fifo", fifo, true},
		{"a", fifo, false},
		{".fifo", fifo, false},
		{"a.b.fifo", fifo, false},
		{strings.Repeat("a", 75) + ".fifo", fifo, true},
		{strings.Repeat("a", 76) + ".fifo", fifo, false},
	} {
		_, err := newBroker(t).CreateQueue(t.Context(), c.name, c.attributes)
		var l *queue.LimitError
		switch {
		case c.ok && err != nil:
			t.Errorf("%q, %v: %v", c.name, c.attributes, err)
		case !c.ok && (!errors.Is(err, queue.ErrInvalidParameter) || !errors.As(err, &l) || l.Parameter != "QueueName"):
			t.Errorf("%q, %v: error %v, want ErrInvalidParameter of QueueName", c.name, c.attributes, err)
		}
	}
}

// As recorded of SQS, what is given is
// compared with what the queue is now, and nothing else is.
func TestCreatingAgain(t *testing.T) {
	b := newBroker(t)
	first := mustCreate(t, b, "q", map[string]string{"VisibilityTimeout": "60", "DelaySeconds": "5"})
	for _, attributes := range []map[string]string{
		nil,
		{"VisibilityTimeout": "60"},
		{"VisibilityTimeout": "60", "MaximumMessageSize": "1048576", "ReceiveMessageWaitTimeSeconds": "0"},
	} {
		if again := mustCreate(t, b, "q", attributes); again != first {
			t.Errorf("%v made another queue", attributes)
		}
	}
	_, err := b.CreateQueue(t.Context(), "q", map[string]string{"VisibilityTimeout": "60", "DelaySeconds": "6"})
	var a *broker.AttributeError
	if !errors.Is(err, broker.ErrQueueExists) || !errors.As(err, &a) || a.Name != "DelaySeconds" {
		t.Errorf("error %v, want ErrQueueExists for DelaySeconds", err)
	}
	_, err = b.CreateQueue(t.Context(), "q", map[string]string{"DelaySeconds": "901"})
	if !errors.Is(err, broker.ErrInvalidAttributeValue) {
		t.Errorf("error %v, want ErrInvalidAttributeValue", err)
	}
}

func TestCreatingAFIFOQueueAgain(t *testing.T) {
	b := newBroker(t)
	first := mustCreate(t, b, "q.fifo", map[string]string{"FifoQueue": "true"})
	for _, attributes := range []map[string]string{
		nil,
		{"FifoQueue": "true"},
		{"ContentBasedDeduplication": "false"},
	} {
		if again := mustCreate(t, b, "q.fifo", attributes); again != first {
			t.Errorf("%v made another queue", attributes)
		}
	}
	_, err := b.CreateQueue(t.Context(), "q.fifo", map[string]string{"FifoQueue": "false"})
	if !errors.Is(err, broker.ErrQueueExists) {
		t.Errorf("error %v, want ErrQueueExists", err)
	}
}

// The comparison is with the queue's settings of now, not of its creation.
func TestCreatingAgainAfterReconfigure(t *testing.T) {
	b := newBroker(t)
	q := mustCreate(t, b, "q", map[string]string{"VisibilityTimeout": "60"})
	r, ok := queue.As[interface {
		Reconfigure(context.Context, queue.Config) error
	}](q)
	if !ok {
		t.Fatal("the queue can't be reconfigured")
	}
	if err := r.Reconfigure(t.Context(), queue.Config{Name: "q", VisibilityTimeout: 90 * time.Second}); err != nil {
		t.Fatal(err)
	}
	mustCreate(t, b, "q", map[string]string{"VisibilityTimeout": "90"})
	if _, err := b.CreateQueue(t.Context(), "q", map[string]string{"VisibilityTimeout": "60"}); !errors.Is(err, broker.ErrQueueExists) {
		t.Errorf("error %v, want ErrQueueExists", err)
	}
}

func TestCreateInGoForm(t *testing.T) {
	b := newBroker(t)
	cfg := queue.Config{VisibilityTimeout: queue.None, FencedReceipts: true}
	q, err := b.Create(t.Context(), "q", cfg)
	if err != nil {
		t.Fatal(err)
	}
	if f, err := b.Create(t.Context(), "f.fifo", queue.Config{}); err != nil || f.Kind() != queue.FIFO {
		t.Errorf("a FIFO queue: %v, %v", f, err)
	}
	for _, same := range []queue.Config{{}, cfg, {Name: "q", Retention: queue.DefaultRetention}} {
		if again, err := b.Create(t.Context(), "q", same); err != nil || again != q {
			t.Errorf("Create(%+v) = %v, %v; want the same queue", same, again, err)
		}
	}
	for _, other := range []queue.Config{
		{VisibilityTimeout: time.Second}, {Limits: queue.Unlimited}, {MaxMessageSize: 1024},
	} {
		if _, err := b.Create(t.Context(), "q", other); !errors.Is(err, broker.ErrQueueExists) {
			t.Errorf("Create(%+v): error %v, want ErrQueueExists", other, err)
		}
	}
	if _, err := b.Create(t.Context(), "q", queue.Config{Name: "p"}); !errors.Is(err, queue.ErrInvalidParameter) {
		t.Errorf("two names: error %v, want ErrInvalidParameter", err)
	}
	if _, err := b.Create(t.Context(), "long", queue.Config{Retention: time.Second}); !errors.Is(err, queue.ErrInvalidParameter) {
		t.Errorf("retention of a second: error %v, want ErrInvalidParameter", err)
	}
}

func TestGetQueue(t *testing.T) {
	b := newBroker(t)
	q := mustCreate(t, b, "q", nil)
	if got, err := b.GetQueue("q"); err != nil || got != q {
		t.Errorf("GetQueue = %v, %v", got, err)
	}
	for _, name := range []string{"", "Q", "nobody"} {
		if _, err := b.GetQueue(name); !errors.Is(err, broker.ErrQueueNotFound) {
			t.Errorf("GetQueue(%q): error %v, want ErrQueueNotFound", name, err)
		}
	}
}

func TestClosedBroker(t *testing.T) {
	b := broker.New(broker.Options{})
	q := mustCreate(t, b, "q", nil)
	for range 2 {
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := q.Send(t.Context(), queue.Message{Body: "a"}); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("Send: %v, want ErrClosed", err)
	}
	if _, err := b.GetQueue("q"); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("GetQueue: %v, want ErrClosed", err)
	}
	if _, err := b.CreateQueue(t.Context(), "q", nil); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("CreateQueue: %v, want ErrClosed", err)
	}
}

func TestEndedContextCreatesNothing(t *testing.T) {
	b := newBroker(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.CreateQueue(ctx, "q", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("CreateQueue: %v, want context.Canceled", err)
	}
	if _, err := b.GetQueue("q"); !errors.Is(err, broker.ErrQueueNotFound) {
		t.Errorf("GetQueue: %v, want ErrQueueNotFound", err)
	}
}

func TestConcurrentCreatesMakeOneQueue(t *testing.T) {
	b := newBroker(t)
	queues := make([]*broker.Queue, 16)
	var all sync.WaitGroup
	for i := range queues {
		all.Go(func() { queues[i], _ = b.CreateQueue(t.Context(), "q", nil) })
	}
	all.Wait()
	for _, q := range queues {
		if q == nil || q != queues[0] {
			t.Fatalf("created %v", queues)
		}
	}
}
