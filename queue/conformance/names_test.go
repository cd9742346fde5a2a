package main

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue/conformance/wire"
)

// elsewhere is a place that has nothing in common with what rows think.
var elsewhere = place{origin: "https://queues.example:1", path: "/at/123456789012/", partition: "aws-cn", region: "cn-north-1", account: "123456789012"}

func testGuest() *guest {
	return newGuest(&endpoint{base: mustParse("http://host/base"), place: elsewhere}, "pre-")
}

func TestRequestsUnderOtherNames(t *testing.T) {
	for _, c := range [][2]string{
		{`{"QueueName":"jobs"}`, `{"QueueName":"pre-jobs"}`},
		{`{"queueName" : "jobs"}`, `{"queueName" : "pre-jobs"}`},
		{`{"QueueName":""}`, `{"QueueName":""}`},
		{`{"QueueName":"a b"`, `{"QueueName":"pre-a b"`},
		{`{"QueueUrl":"jobs"}`, `{"QueueUrl":"pre-jobs"}`},
		{`{"QueueUrl":"http://localhost:9324/000000000000/jobs.fifo"}`, `{"QueueUrl":"https://queues.example:1/at/123456789012/pre-jobs.fifo"}`},
		{`{"QueueUrl":"http://other:1/000000000000/jobs"}`, `{"QueueUrl":"http://other:1/at/123456789012/pre-jobs"}`},
		{`{"QueueUrl":"/111111111111/jobs"}`, `{"QueueUrl":"/111111111111/pre-jobs"}`},
		{`{"QueueUrl":"http://localhost:9324/000000000000/jobs/more"}`, `{"QueueUrl":"https://queues.example:1/at/123456789012/pre-jobs/more"}`},
		{`{"QueueUrl":"http://localhost:9324/team/known"}`, `{"QueueUrl":"https://queues.example:1/team/pre-known"}`},
		{`{"QueueUrl":"not a url"}`, `{"QueueUrl":"not a url"}`},
		{`{"SourceArn":"arn:aws:sqs:us-east-1:000000000000:dead"}`, `{"SourceArn":"arn:aws-cn:sqs:cn-north-1:123456789012:pre-dead"}`},
		{`{"SourceArn":"arn:aws:sqs:us-east-1:999999999999:dead"}`, `{"SourceArn":"arn:aws-cn:sqs:cn-north-1:999999999999:pre-dead"}`},
		{`{"SourceArn":"arn:aws:sns:us-east-1:000000000000:topic"}`, `{"SourceArn":"arn:aws:sns:us-east-1:000000000000:topic"}`},
		{`{"MessageBody":"jobs","ReceiptHandle":"jobs"}`, `{"MessageBody":"jobs","ReceiptHandle":"jobs"}`},
	} {
		g := testGuest()
		g.names.out("known")
		require.Equal(t, c[1], g.json(c[0], false))
		require.Equal(t, c[1], g.json(c[1], false), "nothing happens twice")
	}
	for _, c := range [][2]string{
		{"Action=CreateQueue&QueueName=jobs&Attribute.1.Value=%7B%22x%22%3A%22arn%3Aaws%3Asqs%3Aus-east-1%3A000000000000%3Adead%22%7D",
			"Action=CreateQueue&QueueName=pre-jobs&Attribute.1.Value=%7B%22x%22%3A%22arn%3Aaws-cn%3Asqs%3Acn-north-1%3A123456789012%3Apre-dead%22%7D"},
		{"QueueUrl=http%3A%2F%2Flocalhost%3A9324%2F000000000000%2Fjobs&MessageBody=%zz", "QueueUrl=https%3A%2F%2Fqueues.example%3A1%2Fat%2F123456789012%2Fpre-jobs&MessageBody=%zz"},
		{"Action=ListQueues&QueueNamePrefix=j", "Action=ListQueues&QueueNamePrefix=pre-j"},
		{"Action=ListQueues&MaxResults=1", "Action=ListQueues&MaxResults=1&QueueNamePrefix=pre-"},
		{"MessageBody=a%20b+c", "MessageBody=a%20b+c"},
		{"", ""},
	} {
		require.Equal(t, c[1], testGuest().form(c[0]))
	}
	require.Equal(t, `{"QueueNamePrefix":"pre-"}`, testGuest().json(`{}`, true))
	require.Equal(t, `{"QueueNamePrefix":"pre-","MaxResults":1}`, testGuest().json(`{"MaxResults":1}`, true))
	require.Empty(t, testGuest().json("", true))
	for path, want := range map[string]string{"": "/base/", "/": "/base/", "/nowhere": "/nowhere", "/000000000000/jobs": "/at/123456789012/pre-jobs", "/111111111111/jobs": "/111111111111/pre-jobs"} {
		require.Equal(t, want, testGuest().path(path))
	}
}

func TestAnswersUnderTheRowsNames(t *testing.T) {
	n := testGuest().names
	for _, c := range [][2]string{
		{`{"QueueUrl":"https://queues.example:1/at/123456789012/pre-jobs"}`, `{"QueueUrl":"http://localhost:9324/000000000000/jobs"}`},
		{`<QueueUrl>https://queues.example:1/111111111111/pre-jobs</QueueUrl>`, `<QueueUrl>http://localhost:9324/111111111111/jobs</QueueUrl>`},
		{`["https://wrong.example/at/123456789012/pre-jobs"]`, `["https://wrong.example/000000000000/jobs"]`},
		{`arn:aws-cn:sqs:cn-north-1:123456789012:pre-jobs.fifo`, `arn:aws:sqs:us-east-1:000000000000:jobs.fifo`},
		{`arn:aws-cn:sqs:eu-west-1:111111111111:pre-jobs`, `arn:aws:sqs:eu-west-1:111111111111:jobs`},
		{`Only one operation on pre-jobs is allowed.`, `Only one operation on jobs is allowed.`},
		{`{"Body":"jobs at 123456789012"}`, `{"Body":"jobs at 123456789012"}`},
	} {
		require.Equal(t, c[1], n.back(c[0], wire.Base))
	}
	require.Equal(t, `https://sqs.test/000000000000/jobs`, n.back("http://sqs.test/at/123456789012/pre-jobs", "https://sqs.test"), "the scheme can't be had")
}

func TestLongNamesKeepTheirLength(t *testing.T) {
	n := testGuest().names
	for _, length := range []int{1, 76, 77, 80, 81, 200} {
		name := strings.Repeat("n", length)
		out := n.out(name)
		require.True(t, strings.HasPrefix(out, "pre-"))
		require.Equal(t, length <= 80, len(out) <= 80)
		require.Equal(t, out, n.out(out))
		require.Equal(t, "<"+name+">", n.back("<"+out+">", wire.Base))
	}
}

// A handle may have the name of its queue in it, plainly or not.
func TestHandlesComeBackAsTheyWere(t *testing.T) {
	n := testGuest().names
	n.remember("token-pre-jobs")
	require.Equal(t, "token-pre-jobs", n.opaqueOut(n.plain("token-pre-jobs")))
	require.Equal(t, "other", n.opaqueOut("other"))
	encode := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	require.Equal(t, encode(`{"sourceArn":"arn:aws-cn:sqs:cn-north-1:123456789012:pre-dead"}`), n.taskOut(encode(`{"sourceArn":"arn:aws:sqs:us-east-1:000000000000:dead"}`)))
	require.Equal(t, "nobody's", n.taskOut("nobody's"))
}
