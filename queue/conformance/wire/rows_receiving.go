package wire

import (
	"context"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

var receivingRows = []Row{
	{"8.1/members", "A received message has its ID, handle, body and the body's digest, and further members only if asked for.", Both, func(d *desk) {
		q := d.queue("jobs")
		sent := q.send("a", object{"MessageAttributes": object{"k": textValue("x")}})
		m := q.one(nil)
		require.ElementsMatch(d.t, []string{"MessageId", "ReceiptHandle", "MD5OfBody", "Body"}, keysOf(m))
		require.Equal(d.t, sent["MessageId"], m["MessageId"])
		require.Equal(d.t, sent["MD5OfMessageBody"], m["MD5OfBody"])
		require.Empty(d.t, q.ok("ReceiveMessage", nil))
	}},
	{"8.1/maximum", "MaxNumberOfMessages is 1 to 10, and 1 unless said.", Both, func(d *desk) {
		q := d.queue("jobs")
		q.fill(strings.Split("abcdefghijkl", "")...)
		require.Len(d.t, objects(q.ok("ReceiveMessage", nil)["Messages"]), 1)
		require.Len(d.t, q.receive(nil), 10)
		for _, n := range []string{"11", "0", "-1"} {
			q.refuse(invalid, "Value "+n+" for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.", "ReceiveMessage", object{"MaxNumberOfMessages": integer(n)})
		}
	}},
	{"8.1/ranges", "WaitTimeSeconds is 0 to 20 and VisibilityTimeout 0 to 43200; what is outside is quoted.", Both, func(d *desk) {
		q := d.queue("jobs")
		for _, n := range []string{"21", "-1"} {
			q.refuse(invalid, "Value "+n+" for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.", "ReceiveMessage", object{"WaitTimeSeconds": integer(n)})
		}
		for _, n := range []string{"43201", "-1"} {
			q.refuse(invalid, "Value "+n+" for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200, if provided.", "ReceiveMessage", object{"VisibilityTimeout": integer(n)})
		}
		q.send("a")
		q.take("a", object{"WaitTimeSeconds": 20, "VisibilityTimeout": 43200})
	}},
	{"8.1/attempt-id-form", "A ReceiveRequestAttemptId has 1 to 128 ASCII letters, digits and punctuation marks.", Both, func(d *desk) {
		q := d.queue("jobs.fifo")
		require.Empty(d.t, q.receive(object{"ReceiveRequestAttemptId": strings.Repeat("i", 127) + "~"}))
		for _, id := range []string{strings.Repeat("i", 129), "a b", "ä"} {
			q.refuse(invalid, "", "ReceiveMessage", object{"ReceiveRequestAttemptId": id})
		}
	}},
	{"8.2/wait", "A receive waits as long as it says, else as long as the queue says, and then answers nothing.", Both, func(d *desk) {
		q := d.queue("jobs", "ReceiveMessageWaitTimeSeconds", "3")
		start := d.now()
		require.Empty(d.t, q.ok("ReceiveMessage", nil))
		d.took(3*time.Second, start)
		require.Empty(d.t, q.ok("ReceiveMessage", object{"WaitTimeSeconds": 20}))
		d.took(23*time.Second, start)
	}},
	{"8.2/first-message-ends-it", "A long poll ends with the first message that can be received, and doesn't wait for more.", Both, func(d *desk) {
		q := d.queue("jobs")
		poll := q.poll(d.ctx, 20)
		d.pass(5 * time.Second)
		d.polling(poll)
		q.send("a")
		require.Equal(d.t, []string{"a"}, d.polled(poll))
	}},
	{"8.2/caller-gone", "A long poll whose request's context ends has received nothing.", Both, func(d *desk) {
		q := d.queue("jobs")
		ctx, cancel := context.WithCancel(d.ctx)
		gone, stays := q.poll(ctx, 20), q.poll(d.ctx, 20)
		d.pass(time.Second)
		cancel()
		raw := <-gone
		require.True(d.t, ended(raw.err), "%v", raw.err)
		d.arrive()
		q.send("a")
		require.Equal(d.t, []string{"a"}, d.polled(stays))
		server := q.from(d.overHTTP())
		hangs, hangUp := context.WithCancel(d.ctx)
		hung := server.poll(hangs, 20)
		d.pass(time.Second)
		hangUp()
		<-hung
		d.arrive()
		q.send("b")
		require.Equal(d.t, "1", q.one(object{"AttributeNames": []string{"ApproximateReceiveCount"}, "VisibilityTimeout": 600})["Attributes"].(object)["ApproximateReceiveCount"])
		dead, end := context.WithCancel(d.ctx)
		end()
		require.True(d.t, ended((<-q.poll(dead, 0)).err), "a request whose context has ended does nothing")
		d.pass(31 * time.Second)
		dead, end = context.WithCancel(d.ctx)
		end()
		require.True(d.t, ended((<-q.poll(dead, 0)).err))
		require.Equal(d.t, object{"ApproximateReceiveCount": "2"}, q.one(object{"AttributeNames": []string{"ApproximateReceiveCount"}})["Attributes"])
	}},
	{"8.3/names-united", "AttributeNames and MessageSystemAttributeNames are one list, and All anywhere is all.", Both, func(d *desk) {
		q := d.queue("jobs", "VisibilityTimeout", "0")
		q.send("a")
		two := q.one(object{"AttributeNames": []string{"SentTimestamp"}, "MessageSystemAttributeNames": []string{"ApproximateReceiveCount"}})["Attributes"].(object)
		require.ElementsMatch(d.t, []string{"SentTimestamp", "ApproximateReceiveCount"}, keysOf(two))
		all := q.one(object{"AttributeNames": []string{"SenderId"}, "MessageSystemAttributeNames": []string{"All"}})["Attributes"].(object)
		require.Len(d.t, all, 4)
		all = q.one(object{"AttributeNames": []string{"All"}, "MessageSystemAttributeNames": []string{"SenderId"}})["Attributes"].(object)
		require.Len(d.t, all, 4)
	}},
	{"8.3/selection", "Message attributes are chosen by exact name, by All, .* or *, or by what their names begin with, before .*, where no dot is needed.", Both, func(d *desk) {
		q := d.queue("jobs", "VisibilityTimeout", "0")
		all := object{"General": textValue("Kenobi"), "Hello": textValue("There"), "Help.Me": textValue("Me"), "hello": textValue("lower")}
		q.send("a", object{"MessageAttributes": all})
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
			m := q.one(object{"MessageAttributeNames": c.names})
			if c.want == nil {
				require.NotContains(d.t, m, "MessageAttributes", "%v", c.names)
				require.NotContains(d.t, m, "MD5OfMessageAttributes", "%v", c.names)
				continue
			}
			got := m["MessageAttributes"].(object)
			require.ElementsMatch(d.t, c.want, keysOf(got), "%v", c.names)
			for k, v := range got {
				require.Equal(d.t, all[k], v)
			}
		}
	}},
	{"8.3/odd-names", "Unknown and illegal names of message attributes to return are ignored.", Both, func(d *desk) {
		q := d.queue("jobs", "VisibilityTimeout", "0")
		q.send("a", object{"MessageAttributes": object{"k": textValue("x")}})
		for _, name := range []string{"AWS.", "..foo", "nosuch", "AWS.*", "a b", ".k", "nosuch.*"} {
			require.NotContains(d.t, q.one(object{"MessageAttributeNames": []string{name}}), "MessageAttributes", name)
			require.Contains(d.t, q.one(object{"MessageAttributeNames": []string{name, "k"}}), "MessageAttributes", name)
		}
	}},
}
