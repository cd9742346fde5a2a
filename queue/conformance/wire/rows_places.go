package wire

import (
	"strings"

	"github.com/stretchr/testify/require"
)

// hostForms are all forms of host that SQS has.
var hostForms = []string{
	"sqs.us-east-1.amazonaws.com", "us-east-1.queue.amazonaws.com", "queue.amazonaws.com",
	"vpce-0a1b2c3d.sqs.us-east-1.vpce.amazonaws.com", "sqs-fips.us-east-1.amazonaws.com", "sqs.us-east-1.api.aws",
}

var urlRows = []Row{
	{"2/host-forms", "Requests come to every form of host that SQS has: regional, of old, FIPS, dual stack, private.", Both, func(d *desk) {
		for _, host := range append(hostForms, "localhost", "127.0.0.1:9324", "[::1]:9324") {
			there := d.at("https://" + host)
			q := there.queue("jobs")
			require.Regexp(d.t, "://"+strings.NewReplacer(".", `\.`, "[", `\[`, "]", `\]`).Replace(host)+"/000000000000/jobs$", q.url)
			q.send("a")
			q.from(d).delete(q.from(d).take("a"))
		}
	}},
	{"2/bare-name", "With JSON a queue's bare name may stand where its URL is asked for; account and region are then the caller's.", JSON, func(d *desk) {
		here := d.queue("jobs")
		there := d.as("111111111111", "eu-west-1").queue("jobs")
		bare := &queue{d, "jobs"}
		bare.send("a")
		bare.from(there.d).send("b")
		require.Equal(d.t, []string{"a"}, here.bodies(nil))
		require.Equal(d.t, []string{"b"}, there.bodies(nil))
		(&queue{d, "nosuch"}).refuse(noQueue, "", "ReceiveMessage", nil)
	}},
	{"2/malformed-url", "With JSON a malformed queue URL, or one of an unknown host, is a queue that doesn't exist.", JSON, func(d *desk) {
		d.queue("jobs")
		for _, url := range []string{
			"http://", "not a url", "::::", "https://", "http://localhost:9324/", "http://localhost:9324/000000000000/", "http://[::1", "%zz",
			"https://nobody.example/", "https://nobody.example/000000000000/nosuch", "http://localhost:9324/000000000000/no such", "a/b/c", "ftp://x/y",
			"http://localhost:9324/000000000000/jobs/more",
		} {
			(&queue{d, url}).refuse(noQueue, "", "SendMessage", object{"MessageBody": "a"})
		}
	}},
	{"2/url-without-account", "A URL without an account of 12 digits before the name is malformed, and stands for no queue.", Both, func(d *desk) {
		d.queue("jobs")
		for _, url := range []string{"http://localhost:9324/jobs", "http://localhost:9324/team/jobs", "http://localhost:9324/00000000000/jobs", "http://localhost:9324/0000000000000/jobs"} {
			typ := noQueue
			if d.query {
				typ += "|InvalidAddress"
			}
			(&queue{d, url}).refuse(typ, "", "PurgeQueue", nil)
		}
	}},
	{"2/query-url-parameter", "With Query the QueueUrl parameter wins over the path, which names the queue when there is none.", Query, func(d *desk) {
		one, two := d.queue("one"), d.queue("two")
		path := strings.TrimPrefix(one.url, Base)
		two.from(d.on(path)).send("by parameter")
		d.on(path).ok("SendMessage", object{"MessageBody": "by path"})
		require.Equal(d.t, []string{"by parameter"}, two.bodies(nil))
		require.Equal(d.t, []string{"by path"}, one.bodies(nil))
		d.refuse(missing, "The request must contain the parameter QueueUrl.", "SendMessage", object{"MessageBody": "nowhere"})
	}},
	{"2/url-last-segments", "Of a queue URL the last segment is the name and the one before it the account; scheme, host and port don't matter.", Both, func(d *desk) {
		here := d.queue("jobs")
		there := d.as("111111111111", "us-east-1").queue("jobs")
		for _, front := range []string{"http://elsewhere:1", "https://sqs.eu-west-3.amazonaws.com", "https://queue.amazonaws.com:443", "http://localhost:9324/queue/us-east-1", ""} {
			(&queue{d, front + "/000000000000/jobs"}).send("a")
			(&queue{d, front + "/111111111111/jobs"}).send("b")
			here.delete(here.take("a"))
			there.delete(there.take("b"))
			(&queue{d, front + "/222222222222/jobs"}).refuse(noQueue, "", "PurgeQueue", nil)
			(&queue{d, front + "/000000000000/Jobs"}).refuse(noQueue, "", "PurgeQueue", nil)
		}
	}},
}

var scopeRows = []Row{
	{"2/region-of-signature", "The region is that of the signature's credential scope, and the broker's own where there is none.", Both, func(d *desk) {
		for _, region := range []string{"us-east-1", "eu-west-1", "ap-southeast-2"} {
			q := d.as("AKIDEXAMPLE", region).queue("jobs", "VisibilityTimeout", "7")
			require.Equal(d.t, "arn:aws:sqs:"+region+":000000000000:jobs", q.arn())
			q.send(region)
		}
		for _, region := range []string{"us-east-1", "eu-west-1", "ap-southeast-2"} {
			q := d.as("AKIDEXAMPLE", region).queue("jobs")
			require.Equal(d.t, []string{region}, q.bodies(nil))
		}
		require.Equal(d.t, []string{Base + "/000000000000/jobs"}, urlsOf(d.ok("ListQueues", nil)), "unsigned: the broker's region")
		d.as("AKIDEXAMPLE", "eu-north-1").refuse(noQueue, "", "GetQueueUrl", object{"QueueName": "jobs"})

		tokyo := d.with(Options{Account: "123456789012", Region: "ap-northeast-1"})
		require.Equal(d.t, "arn:aws:sqs:ap-northeast-1:123456789012:jobs", tokyo.queue("jobs").arn())
		require.Equal(d.t, "arn:aws:sqs:us-west-2:123456789012:jobs", tokyo.as("AKIDEXAMPLE", "us-west-2").queue("jobs").arn())
	}},
	{"2/account-of-access-key", "The account is an access key of 12 digits; any other key is the broker's own account.", Both, func(d *desk) {
		one, two := d.as("111111111111", "us-east-1").queue("jobs"), d.as("222222222222", "us-east-1").queue("jobs")
		require.Equal(d.t, Base+"/111111111111/jobs", one.url)
		require.Equal(d.t, "arn:aws:sqs:us-east-1:222222222222:jobs", two.arn())
		one.send("a")
		two.nothing()
		require.Equal(d.t, []string{"a"}, one.bodies(nil))
		for _, key := range []string{"AKIAIOSFODNN7EXAMPLE", "11111111111", "1111111111111", "11111111111a", "test"} {
			own := d.as(key, "us-east-1")
			require.Equal(d.t, Base+"/000000000000/own", own.queue("own").url, "%s", key)
			own.refuse(noQueue, "", "GetQueueUrl", object{"QueueName": "jobs"})
		}
		require.Empty(d.t, d.as("333333333333", "us-east-1").ok("ListQueues", nil))
	}},
	{"2/presigned", "Account and region of a request that is signed in its URL are those of X-Amz-Credential.", Query, func(d *desk) {
		q := d.as("111111111111", "eu-west-1").queue("jobs")
		q.send("a")
		r := d.viaGET().request("GetQueueAttributes", object{"QueueUrl": q.url, "AttributeNames": []string{"QueueArn"}})
		r.URL.RawQuery += "&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=111111111111%2F20000101%2Feu-west-1%2Fsqs%2Faws4_request&X-Amz-Date=20000101T000000Z" +
			"&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=" + strings.Repeat("0", 64)
		raw := d.send(r)
		raw.action = "GetQueueAttributes"
		require.Equal(d.t, object{"QueueArn": "arn:aws:sqs:eu-west-1:111111111111:jobs"}, d.read(raw).out["Attributes"])
	}},
	{"2/no-signature-of-ours", "Where signatures aren't checked, what is none is passed over.", Both, func(d *desk) {
		d.need(d.target.Unchecked, "an endpoint that doesn't check signatures")
		for _, value := range []string{"Basic dGVzdDp0ZXN0", "Bearer x", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=", "AWS4-HMAC-SHA256 Credential=a/b", "AWS4-HMAC-SHA256 Credential=////, Signature=", "AWS test:x"} {
			require.Equal(d.t, Base+"/000000000000/jobs", d.saying("Authorization", value).queue("jobs").url, value)
		}
	}},
	{"2/kept-apart", "Accounts and regions are kept apart in every list, and by every handle.", Both, func(d *desk) {
		here, there := d.queue("jobs"), d.as("111111111111", "eu-west-1").queue("jobs")
		there.d.queue("more")
		require.Equal(d.t, []string{here.url}, urlsOf(d.ok("ListQueues", nil)))
		require.Equal(d.t, []string{Base + "/111111111111/jobs", Base + "/111111111111/more"}, urlsOf(there.d.ok("ListQueues", nil)))
		here.send("a")
		there.send("a")
		handle := here.take("a")
		there.refuse(badHandle, "", "DeleteMessage", object{"ReceiptHandle": handle})
		here.counts(0, 1, 0)
		there.counts(1, 0, 0)
		there.ok("DeleteQueue", nil)
		here.counts(0, 1, 0)
	}},
	{"2/pinned-handler", "A handler with a scope of its own serves that account and region, whatever a request's signature says.", Both, func(d *desk) {
		pinned := d.through(d.handler(HandlerOptions{Account: "444444444444", Region: "eu-central-1"}))
		for _, who := range []*desk{pinned, pinned.as("111111111111", "us-west-2"), pinned.as("AKIDEXAMPLE", "us-east-1")} {
			q := who.queue("jobs")
			require.Equal(d.t, Base+"/444444444444/jobs", q.url)
			require.Equal(d.t, "arn:aws:sqs:eu-central-1:444444444444:jobs", q.arn())
		}
		d.refuse(noQueue, "", "GetQueueUrl", object{"QueueName": "jobs"})

		region := d.through(d.handler(HandlerOptions{Region: "eu-central-1"}))
		require.Equal(d.t, "arn:aws:sqs:eu-central-1:111111111111:half", region.as("111111111111", "us-west-2").queue("half").arn())
		account := d.through(d.handler(HandlerOptions{Account: "555555555555"}))
		require.Equal(d.t, "arn:aws:sqs:us-west-2:555555555555:half", account.as("111111111111", "us-west-2").queue("half").arn())
	}},
}
