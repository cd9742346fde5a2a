package sqsapi_test

import (
	"context"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue/sqsapi"
)

var wireReceiving = []wireRow{
	{"8.1/members", "A received message has its ID, handle, body and the body's digest, and further members only if asked for.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		sent := q.send("a", wireMap{"MessageAttributes": wireMap{"k": wireText("x")}})
		m := q.one(nil)
		require.ElementsMatch(d.t, []string{"MessageId", "ReceiptHandle", "MD5OfBody", "Body"}, wireKeys(m))
		require.Equal(d.t, sent["MessageId"], m["MessageId"])
		require.Equal(d.t, sent["MD5OfMessageBody"], m["MD5OfBody"])
		require.Empty(d.t, q.ok("ReceiveMessage", nil))
	}},
	{"8.1/maximum", "MaxNumberOfMessages is 1 to 10, and 1 unless said.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		q.fill(strings.Split("abcdefghijkl", "")...)
		require.Len(d.t, wireObjects(q.ok("ReceiveMessage", nil)["Messages"]), 1)
		require.Len(d.t, q.receive(nil), 10)
		for _, n := range []string{"11", "0", "-1"} {
			q.refuse(wireInvalid, "Value "+n+" for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.", "ReceiveMessage", wireMap{"MaxNumberOfMessages": wireInt(n)})
		}
	}},
	{"8.1/ranges", "WaitTimeSeconds is 0 to 20 and VisibilityTimeout 0 to 43200; what is outside is quoted.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		for _, n := range []string{"21", "-1"} {
			q.refuse(wireInvalid, "Value "+n+" for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.", "ReceiveMessage", wireMap{"WaitTimeSeconds": wireInt(n)})
		}
		for _, n := range []string{"43201", "-1"} {
			q.refuse(wireInvalid, "Value "+n+" for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200, if provided.", "ReceiveMessage", wireMap{"VisibilityTimeout": wireInt(n)})
		}
		q.send("a")
		q.take("a", wireMap{"WaitTimeSeconds": 20, "VisibilityTimeout": 43200})
	}},
	{"8.1/attempt-id-form", "A ReceiveRequestAttemptId has 1 to 128 ASCII letters, digits and punctuation marks.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs.fifo")
		require.Empty(d.t, q.receive(wireMap{"ReceiveRequestAttemptId": strings.Repeat("i", 127) + "~"}))
		for _, id := range []string{strings.Repeat("i", 129), "a b", "ä"} {
			q.refuse(wireInvalid, "", "ReceiveMessage", wireMap{"ReceiveRequestAttemptId": id})
		}
	}},
	{"8.2/wait", "A receive waits as long as it says, else as long as the queue says, and then answers nothing.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs", "ReceiveMessageWaitTimeSeconds", "3")
		start := time.Now()
		require.Empty(d.t, q.ok("ReceiveMessage", nil))
		require.Equal(d.t, 3*time.Second, time.Since(start))
		require.Empty(d.t, q.ok("ReceiveMessage", wireMap{"WaitTimeSeconds": 20}))
		require.Equal(d.t, 23*time.Second, time.Since(start))
	}},
	{"8.2/first-message-ends-it", "A long poll ends with the first message that can be received, and doesn't wait for more.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		poll := q.poll(d.ctx, 20)
		d.pass(5 * time.Second)
		d.polling(poll)
		q.send("a")
		require.Equal(d.t, []string{"a"}, d.polled(poll))
	}},
	{"8.2/caller-gone", "A long poll whose request's context ends has received nothing.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		ctx, cancel := context.WithCancel(d.ctx)
		gone, stays := q.poll(ctx, 20), q.poll(d.ctx, 20)
		d.pass(time.Second)
		cancel()
		raw := <-gone
		require.True(d.t, wireEnded(raw.err), "%v", raw.err)
		q.send("a")
		require.Equal(d.t, []string{"a"}, d.polled(stays))
		server := q.from(d.through(sqsapi.Handler(d.b, sqsapi.Options{})))
		hangs, hangUp := context.WithCancel(d.ctx)
		hung := server.poll(hangs, 20)
		d.pass(time.Second)
		hangUp()
		<-hung
		q.send("b")
		require.Equal(d.t, "1", q.one(wireMap{"AttributeNames": []string{"ApproximateReceiveCount"}, "VisibilityTimeout": 600})["Attributes"].(wireMap)["ApproximateReceiveCount"])
		dead, end := context.WithCancel(d.ctx)
		end()
		require.True(d.t, wireEnded((<-q.poll(dead, 0)).err), "a request whose context has ended does nothing")
		d.pass(31 * time.Second)
		dead, end = context.WithCancel(d.ctx)
		end()
		require.True(d.t, wireEnded((<-q.poll(dead, 0)).err))
		require.Equal(d.t, wireMap{"ApproximateReceiveCount": "2"}, q.one(wireMap{"AttributeNames": []string{"ApproximateReceiveCount"}})["Attributes"])
	}},
	{"8.3/names-united", "AttributeNames and MessageSystemAttributeNames are one list, and All anywhere is all.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs", "VisibilityTimeout", "0")
		q.send("a")
		two := q.one(wireMap{"AttributeNames": []string{"SentTimestamp"}, "MessageSystemAttributeNames": []string{"ApproximateReceiveCount"}})["Attributes"].(wireMap)
		require.ElementsMatch(d.t, []string{"SentTimestamp", "ApproximateReceiveCount"}, wireKeys(two))
		all := q.one(wireMap{"AttributeNames": []string{"SenderId"}, "MessageSystemAttributeNames": []string{"All"}})["Attributes"].(wireMap)
		require.Len(d.t, all, 4)
		all = q.one(wireMap{"AttributeNames": []string{"All"}, "MessageSystemAttributeNames": []string{"SenderId"}})["Attributes"].(wireMap)
		require.Len(d.t, all, 4)
	}},
	{"8.3/selection", "Message attributes are chosen by exact name, by All, .* or *, or by what their names begin with, before .*, where no dot is needed.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs", "VisibilityTimeout", "0")
		all := wireMap{"General": wireText("Kenobi"), "Hello": wireText("There"), "Help.Me": wireText("Me"), "hello": wireText("lower")}
		q.send("a", wireMap{"MessageAttributes": all})
		for _, c := range []struct {
			names []string
			want  []string
		}{
			{nil, nil},
			{[]string{"All"}, []string{"General", "Hello", "Help.Me", "hello"}},
			{[]string{".*"}, []string{"General", "Hello", "Help.Me", "hello"}},
			{[]string{"*"}, []string{"General", "Hello", "Help.Me", "hello"}},
			{[]string{"Hello"}, []string{"Hello"}},
			{[]string{"Hel.*"}, []string{"Hello", "Help.Me"}},
			{[]string{"Help.*"}, []string{"Help.Me"}},
			{[]string{"Help.Me.*"}, []string{"Help.Me"}},
			{[]string{"G.*", "hello"}, []string{"General", "hello"}},
			{[]string{"Hello", "Hello", "Hel.*"}, []string{"Hello", "Help.Me"}},
			{[]string{"Hel"}, nil},
			{[]string{"HELLO", "all"}, nil},
			{[]string{"nosuch", "Hello"}, []string{"Hello"}},
			{[]string{"General", "All"}, []string{"General", "Hello", "Help.Me", "hello"}},
		} {
			m := q.one(wireMap{"MessageAttributeNames": c.names})
			if c.want == nil {
				require.NotContains(d.t, m, "MessageAttributes", "%v", c.names)
				require.NotContains(d.t, m, "MD5OfMessageAttributes", "%v", c.names)
				continue
			}
			got := m["MessageAttributes"].(wireMap)
			require.ElementsMatch(d.t, c.want, wireKeys(got), "%v", c.names)
			for k, v := range got {
				require.Equal(d.t, all[k], v)
			}
		}
	}},
	{"8.3/odd-names", "Unknown and illegal names of message attributes to return are ignored.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs", "VisibilityTimeout", "0")
		q.send("a", wireMap{"MessageAttributes": wireMap{"k": wireText("x")}})
		for _, name := range []string{"AWS.", "..foo", "nosuch", "AWS.*", "a b", ".k", "nosuch.*"} {
			require.NotContains(d.t, q.one(wireMap{"MessageAttributeNames": []string{name}}), "MessageAttributes", name)
			require.Contains(d.t, q.one(wireMap{"MessageAttributeNames": []string{name, "k"}}), "MessageAttributes", name)
		}
	}},
}

const (
	wireExpired = "Value %s for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
	wireGone    = "Value %s for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change."
)

// wireExpiredHandle and wireGoneHandle are the sentences about a handle.
func wireExpiredHandle(handle string) string { return strings.Replace(wireExpired, "%s", handle, 1) }

func wireGoneHandle(handle string) string { return strings.Replace(wireGone, "%s", handle, 1) }

var wireHandles = []wireRow{
	{"9.1/from-the-call", "A changed visibility counts from the call, is not added to what was left, and holds for this receive only.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		q.send("a")
		handle := q.take("a")
		d.pass(20 * time.Second)
		q.change(handle, 15)
		d.pass(14 * time.Second)
		q.nothing()
		d.pass(time.Second)
		q.take("a")
		d.pass(29 * time.Second)
		q.nothing()
		d.pass(time.Second)
		q.take("a")
	}},
	{"9.1/ranges", "VisibilityTimeout is 0 to 43200, and required.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		q.send("a")
		handle := q.take("a")
		for _, n := range []string{"-10", "-1", "43201", "2147483647"} {
			q.refuse(wireInvalid, "Value "+n+" for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200.", "ChangeMessageVisibility",
				wireMap{"ReceiptHandle": handle, "VisibilityTimeout": wireInt(n)})
		}
		q.refuse(wireMissing, "The request must contain the parameter VisibilityTimeout.", "ChangeMessageVisibility", wireMap{"ReceiptHandle": handle})
		q.counts(0, 1, 0)
	}},
	{"9.2/garbage", "A handle that is none has status 404, and is quoted.", wireInBoth, func(d *wireDesk) {
		for _, q := range []*wireQueue{d.queue("jobs"), d.queue("jobs.fifo")} {
			for _, handle := range []string{"garbage", "AQEB", "a b", "-..s3BucketName..-", "0", strings.Repeat("A", 2000)} {
				sentence := `The input receipt handle "` + handle + `" is not a valid receipt handle.`
				q.refuse(wireBadHandle, sentence, "DeleteMessage", wireMap{"ReceiptHandle": handle})
				q.refuse(wireBadHandle, sentence, "ChangeMessageVisibility", wireMap{"ReceiptHandle": handle, "VisibilityTimeout": 1})
			}
		}
	}},
	{"9.2/missing", "An absent or empty handle is a missing parameter.", wireInBoth, func(d *wireDesk) {
		for _, q := range []*wireQueue{d.queue("jobs"), d.queue("jobs.fifo")} {
			for _, in := range []wireMap{nil, {"ReceiptHandle": ""}} {
				q.refuse(wireMissing, "The request must contain the parameter ReceiptHandle.", "DeleteMessage", in)
				if in == nil {
					in = wireMap{}
				}
				in["VisibilityTimeout"] = 1
				q.refuse(wireMissing, "The request must contain the parameter ReceiptHandle.", "ChangeMessageVisibility", in)
			}
		}
	}},
	{"9.2/standard", "A Standard queue deletes by handles that are current, expired, superseded or of gone messages; it changes by the first three.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs", "MessageRetentionPeriod", "60")
		q.send("a")
		first := q.take("a", wireMap{"VisibilityTimeout": 1})
		q.change(first, 2)
		d.pass(3 * time.Second)
		q.change(first, 0)
		second := q.take("a", wireMap{"VisibilityTimeout": 1})
		require.NotEqual(d.t, first, second, "each receive has a handle of its own")
		q.change(first, 5)
		d.pass(3 * time.Second)
		q.delete(second)
		q.counts(0, 0, 0)
		for _, handle := range []string{first, second} {
			q.delete(handle)
			q.refuse(wireInvalid, wireGoneHandle(handle), "ChangeMessageVisibility", wireMap{"ReceiptHandle": handle, "VisibilityTimeout": 1})
		}
		q.send("b")
		old := q.take("b")
		d.pass(time.Minute)
		q.counts(0, 0, 0)
		q.delete(old)
		q.refuse(wireInvalid, wireGoneHandle(old), "ChangeMessageVisibility", wireMap{"ReceiptHandle": old, "VisibilityTimeout": 1})
	}},
	{"9.2/fifo", "A FIFO queue deletes and changes by the current handle only; others have expired, which a batch says by another code.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs.fifo", "VisibilityTimeout", "5")
		q.send("a")
		first := q.take("a")
		d.pass(5 * time.Second)
		stale := func(handle string) {
			d.t.Helper()
			q.refuse(wireInvalid, wireExpiredHandle(handle), "DeleteMessage", wireMap{"ReceiptHandle": handle})
			out := q.ok("DeleteMessageBatch", wireMap{"Entries": []wireMap{{"Id": "1", "ReceiptHandle": handle}}})
			require.Equal(d.t, wireMap{"Failed": []any{wireMap{"Id": "1", "SenderFault": true, "Code": "ReceiptHandleIsInvalid", "Message": "The receipt handle has expired"}}}, out)
			q.refuse(wireInvalid, wireExpiredHandle(handle), "ChangeMessageVisibility", wireMap{"ReceiptHandle": handle, "VisibilityTimeout": 1})
		}
		stale(first)
		second := q.take("a")
		stale(first)
		q.change(second, 20)
		d.pass(19 * time.Second)
		q.delete(second)
		q.counts(0, 0, 0)
	}},
	{"9.2/zero-on-fifo", "A FIFO receive that hides for no time gives a handle that has expired.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs.fifo")
		q.send("a")
		handle := q.take("a", wireMap{"VisibilityTimeout": 0})
		q.refuse(wireInvalid, wireExpiredHandle(handle), "DeleteMessage", wireMap{"ReceiptHandle": handle})
		q.take("a")
	}},
}
