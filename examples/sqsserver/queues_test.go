package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func configFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "queues.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConfig(t *testing.T) {
	path := configFile(t, `[
  {"name": "orders", "attributes": {
    "VisibilityTimeout": "60", "DelaySeconds": 5, "SqsManagedSseEnabled": false,
    "RedrivePolicy": {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:orders-dead", "maxReceiveCount": 3}
  }, "tags": {"team": "shop"}},
  {"name": "orders-dead"},
  {"name": "payments.fifo", "attributes": {"ContentBasedDeduplication": true}}
]`)
	s := serveHere(t, "-config", path, "-queue", "more", "-queue", "more.fifo", "-queue", "orders-dead")
	var listed struct{ QueueUrls []string }
	s.must("ListQueues", fields{}, &listed)
	var names []string
	for _, url := range listed.QueueUrls {
		names = append(names, filepath.Base(url))
	}
	if want := []string{"more", "more.fifo", "orders", "orders-dead", "payments.fifo"}; !reflect.DeepEqual(names, want) {
		t.Errorf("there are %q; want %q", names, want)
	}
	var got struct{ Attributes map[string]string }
	s.must("GetQueueAttributes", fields{"QueueUrl": s.url("orders"), "AttributeNames": []string{"All"}}, &got)
	for name, want := range map[string]string{
		"VisibilityTimeout": "60", "DelaySeconds": "5", "SqsManagedSseEnabled": "false",
		"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:orders-dead","maxReceiveCount":3}`,
	} {
		if got.Attributes[name] != want {
			t.Errorf("%s is %s; want %s", name, got.Attributes[name], want)
		}
	}
	s.must("GetQueueAttributes", fields{"QueueUrl": s.url("payments.fifo"), "AttributeNames": []string{"All"}}, &got)
	if got.Attributes["FifoQueue"] != "true" || got.Attributes["ContentBasedDeduplication"] != "true" {
		t.Errorf("payments.fifo has %v", got.Attributes)
	}
	var tags struct{ Tags map[string]string }
	s.must("ListQueueTags", fields{"QueueUrl": s.url("orders")}, &tags)
	if tags.Tags["team"] != "shop" {
		t.Errorf("orders has the tags %v", tags.Tags)
	}
}

// What can't be read is refused before anything is done.
func TestUnreadableConfig(t *testing.T) {
	for _, c := range []struct{ text, says string }{
		{``, "it is empty"},
		{`{"name": "orders"}`, `a list of queues, [{"name": "orders"}]`},
		{"[\n{\"name\": \"a\"}\n{\"name\": \"b\"}]", "line 3"},
		{`[] []`, "behind its end"},
		{`[{"name": "a"}, {"nam": "b"}]`, `queue 2: json: unknown field "nam"; a queue has name, attributes and tags`},
		{`[{"attributes": {}}]`, "queue 1 has no name"},
		{`[{"name": "a"}, {"name": "a"}]`, `queue 2, "a": it is the name of queue 1, too`},
		{`[{"name": "a", "attributes": {"DelaySeconds": null}}]`, `queue 1, "a": attribute DelaySeconds: null is no value`},
		{`[{"name": "a", "tags": {"n": 1}}]`, "tags"},
	} {
		path := configFile(t, c.text)
		status, _, errOut := try(t, "-addr", "127.0.0.1:0", "-config", path)
		if status != 2 || !strings.Contains(errOut, c.says) || !strings.Contains(errOut, path) {
			t.Errorf("%s: status %d, says %q; want 2, and %q", c.text, status, errOut, c.says)
		}
	}
}

// What a queue can't be is the broker's to say.
func TestImpossibleQueues(t *testing.T) {
	for _, c := range []struct{ text, says string }{
		{`[{"name": "no spaces"}]`, `queue 1, "no spaces": `},
		{`[{"name": "a", "attributes": {"VisibilityTimout": "60"}}]`, "VisibilityTimout"},
		{`[{"name": "a", "attributes": {"VisibilityTimeout": "soon"}}]`, "VisibilityTimeout"},
		{`[{"name": "a", "attributes": {"RedrivePolicy": {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:b", "maxReceiveCount": 3}}}]`, `queue 1, "a": `},
	} {
		status, _, errOut := try(t, "-addr", "127.0.0.1:0", "-config", configFile(t, c.text))
		if status != 1 || !strings.Contains(errOut, c.says) {
			t.Errorf("%s: status %d, says %q; want 1, and %q", c.text, status, errOut, c.says)
		}
	}
}

func TestExistingQueues(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "queues")
	set := configFile(t, `[{"name": "orders", "attributes": {"VisibilityTimeout": "60"}}]`)
	for range 2 {
		s := serveHere(t, "-dir", dir, "-config", set, "-queue", "orders")
		s.send(s.url("orders"), "a")
		s.stop()
		s.ended(5e9)
	}
	other := configFile(t, `[{"name": "orders", "attributes": {"VisibilityTimeout": "61"}}]`)
	status, _, errOut := try(t, "-addr", "127.0.0.1:0", "-dir", dir, "-config", other)
	if status != 1 || !strings.Contains(errOut, "VisibilityTimeout") || !strings.Contains(errOut, "SetQueueAttributes") {
		t.Errorf("another VisibilityTimeout: status %d, says %q", status, errOut)
	}
	s := serveHere(t, "-dir", dir)
	if got := s.receive(s.url("orders"), 0); len(got) != 2 {
		t.Errorf("%q are left of two messages", got)
	}
}
