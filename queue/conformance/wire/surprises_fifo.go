package wire

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

var fifoSurprises = []Row{
	{"25/26-prefix-of-a-group", "Of a group that is deliverable which stands before its first message in flight, each message with a deadline of its own.", Both, func(d *desk) {
		for extended, want := range [][]string{{}, {"1"}, {"1", "2"}} {
			q := d.queue(fmt.Sprintf("jobs%d.fifo", extended), "VisibilityTimeout", "5")
			q.fill("1", "2", "3")
			ms := q.receive(nil)
			require.Equal(d.t, []string{"1", "2", "3"}, bodiesOf(ms))
			q.change(ms[extended]["ReceiptHandle"].(string), 60)
			d.pass(5 * time.Second)
			require.Equal(d.t, want, q.bodies(nil))
		}
		q := d.queue("jobs.fifo")
		q.fill("1", "2", "3")
		one, two := q.take("1"), ""
		require.Empty(d.t, q.bodies(nil), "the head is in flight")
		q.change(one, 0)
		ms := q.receive(object{"MaxNumberOfMessages": 2})
		require.Equal(d.t, []string{"1", "2"}, bodiesOf(ms))
		one, two = ms[0]["ReceiptHandle"].(string), ms[1]["ReceiptHandle"].(string)
		q.change(one, 0)
		one = q.take("1")
		q.nothing()
		q.delete(one)
		q.nothing()
		q.delete(two)
		require.Equal(d.t, []string{"3"}, q.bodies(nil))
	}},
	{"25/27-concurrent-receivers", "While a group's head is in flight no other receiver gets of that group.", Both, func(d *desk) {
		q := d.queue("jobs.fifo")
		for i := range 6 {
			q.send(strconv.Itoa(i), inGroup("g"+strconv.Itoa(i%2)))
		}
		polls := []<-chan rawAnswer{}
		for range 4 {
			polls = append(polls, d.begin(d.ctx, "ReceiveMessage", q.in(object{"MaxNumberOfMessages": 1, "WaitTimeSeconds": 2})))
		}
		d.pass(3 * time.Second)
		got := []string{}
		for _, poll := range polls {
			got = append(got, d.polled(poll)...)
		}
		require.ElementsMatch(d.t, []string{"0", "1"}, got)
	}},
	{"25/28-send-into-held-group", "Sending into a group that is held doesn't free it.", Both, func(d *desk) {
		q := d.queue("jobs.fifo", "VisibilityTimeout", "10")
		q.send("1")
		handle := q.take("1")
		q.send("2")
		q.nothing()
		d.pass(9 * time.Second)
		q.send("3")
		q.nothing()
		q.delete(handle)
		require.Equal(d.t, []string{"2", "3"}, q.bodies(nil))
	}},
	{"25/29-emptied-group-comes-back", "A group that was emptied and is filled again is delivered.", Both, func(d *desk) {
		q := d.queue("jobs.fifo")
		for i := range 4 {
			q.send(strconv.Itoa(i))
			q.delete(q.take(strconv.Itoa(i)))
			q.nothing()
		}
		q.ok("PurgeQueue", nil)
		q.send("a")
		q.take("a")
	}},
	{"25/30-many-of-one-group", "One receive brings up to 10 messages of one group, in order, and goes on with other groups.", Both, func(d *desk) {
		q := d.queue("jobs.fifo")
		want := []string{}
		for i := range 12 {
			q.send(strconv.Itoa(i))
			want = append(want, strconv.Itoa(i))
		}
		require.Equal(d.t, want[:10], q.bodies(nil))
		two := d.queue("two.fifo")
		for _, body := range []string{"g1-1", "g2-1", "g1-2", "g1-3"} {
			two.send(body, inGroup(body[:2]))
		}
		require.Equal(d.t, []string{"g1-1", "g1-2", "g1-3", "g2-1"}, two.bodies(nil))
	}},
	{"25/31-dedup-survives-delete", "A deduplication ID is remembered for five minutes, also when its message was received and deleted.", Both, func(d *desk) {
		q := d.queue("jobs.fifo")
		sent := q.send("a")
		q.delete(q.take("a"))
		d.exactly()
		d.pass(5*time.Minute - time.Millisecond)
		require.Equal(d.t, sent["MessageId"], q.send("a")["MessageId"])
		q.nothing()
		d.pass(2 * time.Millisecond)
		require.NotEqual(d.t, sent["MessageId"], q.send("a")["MessageId"])
		q.take("a")
	}},
	{"25/32-dedup-scope", "A deduplication ID is the queue's, or each group's own with the scope messageGroup.", Both, func(d *desk) {
		q := d.queue("queue.fifo")
		groups := d.queue("groups.fifo", "DeduplicationScope", "messageGroup")
		for _, group := range []string{"g1", "g2", "g1"} {
			q.send("a", inGroup(group))
			groups.send("a", inGroup(group))
		}
		q.counts(1, 0, 0)
		groups.counts(2, 0, 0)
	}},
	{"25/33-duplicate-is-the-original", "A duplicate is answered with the ID and the sequence number of the original, and with its own body's digest.", Both, func(d *desk) {
		q := d.queue("jobs.fifo")
		first := q.send("a", object{"MessageDeduplicationId": "1"})
		again := q.send("other", object{"MessageDeduplicationId": "1"})
		require.Equal(d.t, first["MessageId"], again["MessageId"])
		require.Equal(d.t, first["SequenceNumber"], again["SequenceNumber"])
		require.Equal(d.t, bodyDigest("other"), again["MD5OfMessageBody"])
		entry := objects(q.ok("SendMessageBatch", object{"Entries": []object{{"Id": "x", "MessageBody": "third", "MessageGroupId": "g", "MessageDeduplicationId": "1"}}})["Successful"])[0]
		require.Equal(d.t, object{"Id": "x", "MessageId": first["MessageId"], "SequenceNumber": first["SequenceNumber"], "MD5OfMessageBody": bodyDigest("third")}, entry)
		require.Greater(d.t, q.send("b")["SequenceNumber"], first["SequenceNumber"])
		require.Equal(d.t, []string{"a", "b"}, q.bodies(nil))
	}},
	{"25/34-purge-clears-dedup", "After a purge a deduplication ID is new.", Both, func(d *desk) {
		q := d.queue("jobs.fifo")
		first := q.send("a")
		q.ok("PurgeQueue", nil)
		require.NotEqual(d.t, first["MessageId"], q.send("a")["MessageId"])
		q.take("a")
	}},
	{"25/35-sequence-numbers", "Sequence numbers have 20 digits and grow.", Both, func(d *desk) {
		q := d.queue("jobs.fifo")
		last := ""
		for i := range 25 {
			number := q.send(strconv.Itoa(i))["SequenceNumber"].(string)
			require.Regexp(d.t, `^[0-9]{20}$`, number)
			require.Greater(d.t, number, last)
			last = number
		}
		last = ""
		for _, m := range q.receive(object{"AttributeNames": []string{"SequenceNumber"}}) {
			number := m["Attributes"].(object)["SequenceNumber"].(string)
			require.Greater(d.t, number, last)
			last = number
		}
	}},
	{"25/36-group-on-standard", "A Standard queue takes a message group, checks and returns it, and orders nothing by it.", Both, func(d *desk) {
		q := d.queue("jobs")
		require.NotContains(d.t, q.send("a", inGroup("tenant-1")), "SequenceNumber")
		q.send("b", inGroup("tenant-1"))
		q.ok("SendMessageBatch", object{"Entries": []object{{"Id": "1", "MessageBody": "c", "MessageGroupId": "tenant-1"}}})
		q.refuse(invalid, "Value a b for parameter MessageGroupId is invalid. Reason: MessageGroupId "+idForm, "SendMessage", object{"MessageBody": "d", "MessageGroupId": "a b"})
		for range 3 {
			all := q.one(object{"AttributeNames": []string{"All"}})["Attributes"].(object)
			require.Equal(d.t, "tenant-1", all["MessageGroupId"])
			require.NotContains(d.t, all, "SequenceNumber")
			require.NotContains(d.t, all, "MessageDeduplicationId")
		}
	}},
	{"25/37-fifo-batch-fails-whole", "A FIFO batch with a bad entry is refused whole.", Both, func(d *desk) {
		q := d.queue("jobs.fifo", "MaximumMessageSize", "1024")
		good := object{"Id": "good", "MessageBody": "a", "MessageGroupId": "g", "MessageDeduplicationId": "1"}
		for name, bad := range map[string]object{
			"group": {"MessageBody": "b", "MessageDeduplicationId": "2"}, "deduplication": {"MessageBody": "b", "MessageGroupId": "g"},
			"body": {"MessageGroupId": "g", "MessageDeduplicationId": "2"}, "characters": {"MessageBody": "\x07", "MessageGroupId": "g", "MessageDeduplicationId": "2"},
			"size":  {"MessageBody": strings.Repeat("b", 1025), "MessageGroupId": "g", "MessageDeduplicationId": "2"},
			"delay": {"MessageBody": "b", "MessageGroupId": "g", "MessageDeduplicationId": "2", "DelaySeconds": 5},
		} {
			bad["Id"] = "bad"
			a := q.call("SendMessageBatch", object{"Entries": []object{good, bad}})
			require.NotNil(d.t, a.fault, "%s: %s", name, a.body)
			require.Equal(d.t, 400, a.status, name)
			q.counts(0, 0, 0)
		}
		q.ok("SendMessageBatch", object{"Entries": []object{good}})
		q.take("a")
	}},
	{"25/38-attempt-id-on-standard", "A Standard queue takes a ReceiveRequestAttemptId and ignores it.", Both, func(d *desk) {
		q := d.queue("jobs")
		q.fill("a", "b")
		got := []string{}
		for range 2 {
			got = append(got, q.one(object{"ReceiveRequestAttemptId": "attempt"})["Body"].(string))
		}
		require.ElementsMatch(d.t, []string{"a", "b"}, got)
	}},
}
