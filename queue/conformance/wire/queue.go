package wire

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/stretchr/testify/require"
)

// A queue is a queue at a desk.
type queue struct {
	d   *desk
	url string
}

// from is the queue at another desk.
func (q *queue) from(d *desk) *queue { return &queue{d, q.url} }

// in adds the queue to an action's input.
func (q *queue) in(in object) object {
	all := maps.Clone(in)
	if all == nil {
		all = object{}
	}
	all["QueueUrl"] = q.url
	return all
}

func (q *queue) call(action string, in object) *answer {
	q.d.t.Helper()
	return q.d.call(action, q.in(in))
}

func (q *queue) ok(action string, in object) object {
	q.d.t.Helper()
	return q.d.ok(action, q.in(in))
}

func (q *queue) refuse(typ, sentence, action string, in object) {
	q.d.t.Helper()
	q.d.refuse(typ, sentence, action, q.in(in))
}

// send sends a body. On a FIFO queue the group is "g" and the deduplication ID
// made of the body unless more says otherwise.
func (q *queue) send(body string, more ...object) object {
	q.d.t.Helper()
	return q.ok("SendMessage", q.message(body, more...))
}

// message is the input that sends a body.
func (q *queue) message(body string, more ...object) object {
	in := object{"MessageBody": body}
	if strings.HasSuffix(q.url, ".fifo") {
		in["MessageGroupId"] = "g"
		sum := md5.Sum([]byte(body))
		in["MessageDeduplicationId"] = hex.EncodeToString(sum[:])
	}
	for _, m := range more {
		maps.Copy(in, m)
	}
	return in
}

func (q *queue) fill(bodies ...string) {
	q.d.t.Helper()
	for _, body := range bodies {
		q.send(body)
	}
}

// receive receives up to ten at once, unless in says otherwise.
func (q *queue) receive(in object) []object {
	q.d.t.Helper()
	all := object{"MaxNumberOfMessages": 10}
	maps.Copy(all, in)
	return objects(q.ok("ReceiveMessage", all)["Messages"])
}

// one receives exactly one message. Where time is real it may be a little late.
func (q *queue) one(in object) object {
	q.d.t.Helper()
	all := object{"MaxNumberOfMessages": 1}
	maps.Copy(all, in)
	ms := q.receive(all)
	q.d.until(func() bool { return len(ms) > 0 }, func() { ms = q.receive(all) })
	require.Len(q.d.t, ms, 1, "receiving from %s", q.url)
	return ms[0]
}

// take receives one message of that body and returns its handle.
func (q *queue) take(body string, in ...object) string {
	q.d.t.Helper()
	all := object{}
	for _, m := range in {
		maps.Copy(all, m)
	}
	m := q.one(all)
	require.Equal(q.d.t, body, m["Body"])
	return m["ReceiptHandle"].(string)
}

// nothing requires that nothing can be received now.
func (q *queue) nothing() {
	q.d.t.Helper()
	require.Empty(q.d.t, q.receive(nil), "receiving from %s", q.url)
}

// bodies are those of what can be received now.
func (q *queue) bodies(in object) []string {
	q.d.t.Helper()
	return bodiesOf(q.receive(in))
}

func (q *queue) delete(handle string) {
	q.d.t.Helper()
	q.ok("DeleteMessage", object{"ReceiptHandle": handle})
}

func (q *queue) change(handle string, seconds int) {
	q.d.t.Helper()
	q.ok("ChangeMessageVisibility", object{"ReceiptHandle": handle, "VisibilityTimeout": seconds})
}

func (q *queue) set(attributes ...string) {
	q.d.t.Helper()
	q.ok("SetQueueAttributes", object{"Attributes": pairs(attributes...)})
}

// attrs returns attributes by name.
func (q *queue) attrs(names ...string) object {
	q.d.t.Helper()
	m, _ := q.ok("GetQueueAttributes", object{"AttributeNames": names})["Attributes"].(object)
	return m
}

func (q *queue) attr(name string) string {
	q.d.t.Helper()
	m := q.attrs(name)
	require.Contains(q.d.t, m, name)
	return m[name].(string)
}

func (q *queue) arn() string { q.d.t.Helper(); return q.attr("QueueArn") }

// counts requires the three counters.
func (q *queue) counts(visible, inFlight, delayed int) {
	q.d.t.Helper()
	want := object{
		"ApproximateNumberOfMessages":           strconv.Itoa(visible),
		"ApproximateNumberOfMessagesNotVisible": strconv.Itoa(inFlight),
		"ApproximateNumberOfMessagesDelayed":    strconv.Itoa(delayed),
	}
	count := func() object { return q.attrs(slices.Sorted(maps.Keys(want))...) }
	got := count()
	q.d.until(func() bool { return maps.Equal(want, got) }, func() { got = count() })
	require.Equal(q.d.t, want, got, "counters of %s", q.url)
}

// redrive is the text of a redrive policy to this queue.
func (q *queue) redrive(maxReceives int) string {
	q.d.t.Helper()
	return fmt.Sprintf(`{"deadLetterTargetArn":"%s","maxReceiveCount":%d}`, q.arn(), maxReceives)
}
