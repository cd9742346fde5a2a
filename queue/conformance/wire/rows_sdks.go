package wire

import (
	"strconv"
	"strings"

	"github.com/stretchr/testify/require"
)

var sdkRows = []Row{
	{"22.1/endpoint-and-body", "A client may send all to /, with the queue's URL in the request only.", Both, func(d *desk) {
		q := d.queue("jobs")
		q.from(d.at("http://127.0.0.1:9999")).send("a")
		q.from(d.at("https://queue.amazonaws.com")).delete(q.take("a"))
		q.from(d.on("")).send("b")
		q.take("b")
	}},
	{"22.1/url-as-endpoint", "A client may take scheme and host of the queue's URL for its endpoint: they are those of the request that asked for it.", Both, func(d *desk) {
		for i, base := range []string{"http://localhost:1234", "http://queues.localhost", "https://sqs.us-east-1.amazonaws.com", "http://127.0.0.1:80"} {
			q := d.at(base).queue("jobs")
			require.Equal(d.t, base+"/000000000000/jobs", q.url)
			require.Equal(d.t, object{"QueueUrl": q.url}, d.at(base).ok("GetQueueUrl", object{"QueueName": "jobs"}))
			require.Equal(d.t, []string{q.url}, urlsOf(d.at(base).ok("ListQueues", nil)))
			dead := d.at(base).queue("dead-" + strconv.Itoa(i)) // a deleted queue's name may rest
			q.set("RedrivePolicy", dead.redrive(3))
			require.Equal(d.t, []string{q.url}, urlsOf(dead.ok("ListDeadLetterSourceQueues", nil)))
			d.at(base).ok("DeleteQueue", object{"QueueUrl": dead.url})
		}
	}},
	{"22.1/url-as-address", "A client may send to the whole URL of the queue.", Both, func(d *desk) {
		q := d.queue("jobs")
		there := q.from(d.on(strings.TrimPrefix(q.url, Base)))
		there.send("a")
		handle := there.take("a")
		there.change(handle, 10)
		there.delete(handle)
		require.Equal(d.t, "30", there.attr("VisibilityTimeout"))
		there.ok("DeleteQueue", nil)
		there.refuse(noQueue, "", "ReceiveMessage", nil)
	}},
	{"22.1/configured-base", "URLs start with the handler's base, if it has one.", Both, func(d *desk) {
		for _, base := range []string{"https://queues.example:8443", "https://queues.example:8443/"} {
			c := d.through(d.handler(HandlerOptions{BaseURL: base}))
			q := c.queue("jobs")
			require.Equal(d.t, "https://queues.example:8443/000000000000/jobs", q.url)
			q.send("a")
			require.Equal(d.t, []string{"a"}, q.bodies(nil))
		}
	}},
	{"22.2/both-protocols", "One handler serves both protocols, request by request, over the same queues.", Mixed, func(d *desk) {
		old := d.inQuery().queue("jobs")
		q := old.from(d.inJSON())
		q.send("a\r", object{"MessageAttributes": object{"k": bytesValue("\x00\xff")}})
		m := old.one(object{"MessageAttributeNames": []string{"All"}})
		require.Equal(d.t, "a\r", m["Body"])
		require.Equal(d.t, object{"k": bytesValue("\x00\xff")}, m["MessageAttributes"])
		q.delete(m["ReceiptHandle"].(string))
		old.send("b")
		old.delete(q.take("b"))
	}},
	{"22.3/body-digests", "The body's digest is there in every answer about a message, in lower case.", Both, func(d *desk) {
		q := d.queue("jobs")
		for _, body := range []string{"a", " ", "\n", "ä\U0001f600", strings.Repeat("long ", 1000)} {
			require.Equal(d.t, bodyDigest(body), q.send(body)["MD5OfMessageBody"])
			out := objects(q.ok("SendMessageBatch", object{"Entries": []object{{"Id": "1", "MessageBody": body}}})["Successful"])
			require.Equal(d.t, bodyDigest(body), out[0]["MD5OfMessageBody"])
			ms := q.receive(nil)
			require.Len(d.t, ms, 2)
			for _, m := range ms {
				require.Equal(d.t, bodyDigest(body), m["MD5OfBody"])
				q.delete(m["ReceiptHandle"].(string))
			}
		}
	}},
	{"22.3/attribute-digests", "Attributes come with their digest, and no digest comes without attributes.", Both, func(d *desk) {
		q := d.queue("jobs")
		attributes := object{"b": bytesValue("\x00"), "a": textValue("x"), "B": numberValue("1"), "a.b": textValue("y")}
		require.Equal(d.t, digest(attributes), q.send("a", object{"MessageAttributes": attributes})["MD5OfMessageAttributes"])
		require.NotContains(d.t, q.send("b"), "MD5OfMessageAttributes")
		for _, m := range q.receive(object{"MessageAttributeNames": []string{"All"}}) {
			require.Equal(d.t, digest(m["MessageAttributes"]), m["MD5OfMessageAttributes"])
		}
	}},
	{"22.3/nothing-altered", "Bodies and attribute values come back byte for byte; numbers are not normalised.", Both, func(d *desk) {
		q := d.queue("jobs")
		attributes := object{}
		for i, number := range []string{"007", "1.50", "+5", "1E3", "-0.0", ".5"} {
			attributes[string(rune('a'+i))] = numberValue(number)
		}
		const body = " \t<a>\r\n&amp; \u00e4a\u0308 \u2028 "
		q.send(body, object{"MessageAttributes": attributes})
		m := q.one(object{"MessageAttributeNames": []string{"All"}})
		require.Equal(d.t, body, m["Body"])
		require.Equal(d.t, attributes, m["MessageAttributes"])
	}},
	{"22.4/retried-send", "A send that is repeated makes a second message on a Standard queue, and none on a FIFO queue.", Both, func(d *desk) {
		q, fifo := d.queue("jobs"), d.queue("jobs.fifo")
		for range 2 {
			q.send("a")
			fifo.send("a")
		}
		q.counts(2, 0, 0)
		fifo.counts(1, 0, 0)
	}},
}
