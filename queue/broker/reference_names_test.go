package broker_test

import (
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
)

const (
	refStandardName = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
	refFIFOName     = "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length."
)

var referenceNames = []referenceRow{
	{"2/name-characters", "A name is made of ASCII letters, digits, hyphens and underscores, and of nothing else.", func(d *refDesk) {
		for _, name := range []string{"a", "Z", "0", "-", "_", "abcXYZ-019_", "--", "9lives"} {
			require.NoError(d.t, d.try(name), "%q", name)
		}
		for _, name := range []string{"a b", "a.b", "a/b", "a:b", "ä", "a\n", " a", "a ", "a*", "a.fif", "日本"} {
			require.ErrorIs(d.t, d.try(name), queue.ErrInvalidParameter, "%q", name)
		}
		for _, name := range []string{"a b.fifo", "a.b.fifo", "ä.fifo", "a/.fifo", "a.fifo.fifo"} {
			require.ErrorIs(d.t, d.try(name, "FifoQueue", "true"), queue.ErrInvalidParameter, "%q", name)
		}
		require.NoError(d.t, d.try("abcXYZ-019_.fifo", "FifoQueue", "true"))
	}},
	{"2/name-length", "A name has 1 to 80 characters.", func(d *refDesk) {
		require.NoError(d.t, d.try(strings.Repeat("n", 80)))
		require.NoError(d.t, d.try("n"))
		require.ErrorIs(d.t, d.try(strings.Repeat("n", 81)), queue.ErrInvalidParameter)
		require.ErrorIs(d.t, d.try(""), queue.ErrInvalidParameter)
	}},
	{"2/fifo-name-length", "The 80 characters of a FIFO queue's name include its suffix: 1 to 75 and .fifo.", func(d *refDesk) {
		require.NoError(d.t, d.try(strings.Repeat("n", 75)+".fifo", "FifoQueue", "true"))
		require.NoError(d.t, d.try("n.fifo", "FifoQueue", "true"))
		require.ErrorIs(d.t, d.try(strings.Repeat("n", 76)+".fifo", "FifoQueue", "true"), queue.ErrInvalidParameter)
		require.ErrorIs(d.t, d.try(".fifo", "FifoQueue", "true"), queue.ErrInvalidParameter)
	}},
	{"2/names-case-sensitive", "Names that differ in case only are names of different queues; the suffix is .fifo in lower case.", func(d *refDesk) {
		upper := d.queue("Jobs")
		_, err := d.b.GetQueue("jobs")
		require.ErrorIs(d.t, err, broker.ErrQueueNotFound)
		lower := d.queue("jobs")
		upper.fill("a")
		lower.nothing()
		upper.counts(1, 0, 0)
		require.ErrorIs(d.t, d.try("jobs.FIFO", "FifoQueue", "true"), queue.ErrInvalidParameter)
	}},
	{"2/arn", "The ARN is arn:partition:sqs:region:account:name.", func(d *refDesk) {
		q := d.queue("jobs")
		require.Equal(d.t, "arn:aws:sqs:us-east-1:000000000000:jobs", q.ARN())
		for _, c := range []struct {
			scope broker.Scope
			want  string
		}{
			{broker.Scope{Account: "123456789012"}, "arn:aws:sqs:us-east-1:123456789012:jobs.fifo"},
			{broker.Scope{Region: "eu-central-1"}, "arn:aws:sqs:eu-central-1:000000000000:jobs.fifo"},
			{broker.Scope{Partition: "aws-cn", Region: "cn-north-1"}, "arn:aws-cn:sqs:cn-north-1:000000000000:jobs.fifo"},
			{broker.Scope{Partition: "aws-us-gov", Region: "us-gov-west-1", Account: "999999999999"}, "arn:aws-us-gov:sqs:us-gov-west-1:999999999999:jobs.fifo"},
		} {
			there := d.in(c.scope)
			require.Equal(d.t, c.want, there.queue("jobs.fifo").ARN())
			require.Equal(d.t, c.want, there.b.Scope().ARN("jobs.fifo"))
		}
		elsewhere := d.with(broker.Options{Scope: broker.Scope{Account: "111122223333", Region: "eu-west-3"}})
		require.Equal(d.t, "arn:aws:sqs:eu-west-3:111122223333:jobs", elsewhere.queue("jobs").ARN())
	}},
	{"2/url", "The URL is the region's endpoint, the account's twelve digits and the name.", func(d *refDesk) {
		q := d.queue("jobs")
		require.Equal(d.t, "https://sqs.us-east-1.amazonaws.com/000000000000/jobs", q.URL(""))
		require.Equal(d.t, "http://localhost:9324/000000000000/jobs", q.URL("http://localhost:9324"))
		there := d.in(broker.Scope{Account: "123456789012", Region: "eu-central-1"}).queue("Jobs.fifo")
		require.Equal(d.t, "https://sqs.eu-central-1.amazonaws.com/123456789012/Jobs.fifo", there.URL(""))
		china := d.in(broker.Scope{Partition: "aws-cn", Region: "cn-north-1"}).queue("jobs")
		require.Equal(d.t, "https://sqs.cn-north-1.amazonaws.com.cn/000000000000/jobs", china.URL(""))
	}},
	{"2/accounts-and-regions", "A name belongs to an account and a region; elsewhere it is another queue.", func(d *refDesk) {
		here := d.queue("jobs", "VisibilityTimeout", "7")
		here.fill("a")
		for _, s := range []broker.Scope{{Account: "111111111111"}, {Region: "eu-west-1"}, {Account: "111111111111", Region: "eu-west-1"}} {
			there := d.in(s)
			_, err := there.b.GetQueue("jobs")
			require.ErrorIs(d.t, err, broker.ErrQueueNotFound, "%+v", s)
			require.ErrorIs(d.t, there.b.DeleteQueue(d.ctx, "jobs"), broker.ErrQueueNotFound, "%+v", s)
			q := there.queue("jobs", "VisibilityTimeout", "8")
			q.nothing()
			q.fill("b")
		}
		require.Equal(d.t, "a", here.one(0).Body)
		here.counts(0, 1, 0)
		d.in(broker.Scope{Region: "eu-west-1"}).remove("jobs")
		require.Equal(d.t, "7", d.get("jobs").attr("VisibilityTimeout"))
	}},
}
