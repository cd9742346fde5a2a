package broker_test

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
)

// number checks an attribute that is a whole number: its default, both ends of
// its range when creating and when setting, and what lies beyond them.
func (d *refDesk) number(name string, low, high, otherwise int) {
	d.t.Helper()
	q := d.queue("of-defaults")
	require.Equal(d.t, strconv.Itoa(otherwise), q.attr(name), "the default")
	for i, n := range []int{low, low + 1, high - 1, high} {
		value := strconv.Itoa(n)
		created := d.queue("created-"+strconv.Itoa(i), name, value)
		require.Equal(d.t, value, created.attr(name))
		q.set(name, value)
		require.Equal(d.t, value, q.attr(name))
	}
	for _, value := range []string{
		strconv.Itoa(low - 1), strconv.Itoa(high + 1), "-1", "99999999999999999999", "-99999999999999999999",
		"", " ", "x", "1e2", "3.5", "0x50", " " + strconv.Itoa(high), strconv.Itoa(high) + " ", strconv.Itoa(high) + ".0", strconv.Itoa(high) + "\n", "null", "true",
	} {
		d.blames(d.try("refused", name, value), broker.ErrInvalidAttributeValue, name, "creating with %q", value)
		d.blames(q.trySet(name, value), broker.ErrInvalidAttributeValue, name, "setting %q", value)
		require.Equal(d.t, strconv.Itoa(high), q.attr(name), "after setting %q", value)
	}
	_, err := d.b.GetQueue("refused")
	require.ErrorIs(d.t, err, broker.ErrQueueNotFound)
}

const (
	refPolicy = `{"Version":"2012-10-17","Statement":[{"Sid":"own","Effect":"Allow","Principal":"*","Action":"SQS:SendMessage","Resource":"arn:aws:sqs:us-east-1:000000000000:jobs"}]}`
)

// What every queue tells when asked for all, beside what only FIFO queues do.
var refAlways = []string{
	"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed", "ApproximateNumberOfMessagesNotVisible",
	"CreatedTimestamp", "DelaySeconds", "LastModifiedTimestamp", "MaximumMessageSize", "MessageRetentionPeriod",
	"QueueArn", "ReceiveMessageWaitTimeSeconds", "SqsManagedSseEnabled", "VisibilityTimeout",
}

var referenceAttributes = []referenceRow{
	{"3/boolean-any-case", "A boolean is taken in any case and told in lower case.", func(d *refDesk) {
		for i, yes := range []string{"true", "True", "TRUE", "tRuE"} {
			no := []string{"false", "False", "FALSE", "fAlSe"}[i]
			q, err := d.b.CreateQueue(d.ctx, strconv.Itoa(i)+".fifo", map[string]string{"FifoQueue": yes, "ContentBasedDeduplication": yes, "SqsManagedSseEnabled": no})
			require.NoError(d.t, err, yes)
			r := &refQueue{q, d}
			require.Equal(d.t, "true", r.attr("FifoQueue"))
			require.Equal(d.t, "true", r.attr("ContentBasedDeduplication"))
			require.Equal(d.t, "false", r.attr("SqsManagedSseEnabled"))
			r.set("ContentBasedDeduplication", no, "SqsManagedSseEnabled", yes)
			require.Equal(d.t, "false", r.attr("ContentBasedDeduplication"))
			require.Equal(d.t, "true", r.attr("SqsManagedSseEnabled"))
		}
		q := d.queue("jobs.fifo")
		for _, value := range []string{"", "yes", "1", "0", "t", " true", "true "} {
			d.blames(q.trySet("ContentBasedDeduplication", value), broker.ErrInvalidAttributeValue, "ContentBasedDeduplication", "%q", value)
			d.blames(q.trySet("SqsManagedSseEnabled", value), broker.ErrInvalidAttributeValue, "SqsManagedSseEnabled", "%q", value)
			d.blames(d.try("more.fifo", "FifoQueue", value), broker.ErrInvalidAttributeValue, "FifoQueue", "%q", value)
		}
	}},
	{"3/visibility-timeout", "VisibilityTimeout is 0 to 43200 seconds, 30 unless set, and what a receive hides for.", func(d *refDesk) {
		d.number("VisibilityTimeout", 0, 43200, 30)
		for _, c := range []struct {
			value string
			want  time.Duration
		}{{"", 30 * time.Second}, {"43200", 12 * time.Hour}, {"1", time.Second}} {
			q := d.queue("of-" + c.value)
			if c.value != "" {
				q.set("VisibilityTimeout", c.value)
			}
			q.fill("a")
			q.one(0)
			time.Sleep(c.want - time.Millisecond)
			q.nothing()
			time.Sleep(time.Millisecond)
			q.one(0)
		}
		q := d.queue("never-hidden", "VisibilityTimeout", "0")
		q.fill("a")
		q.one(0)
		require.Equal(d.t, 2, q.one(0).ReceiveCount)
	}},
	{"3/delay-seconds", "DelaySeconds is 0 to 900, none unless set, and what a sent message waits for.", func(d *refDesk) {
		d.number("DelaySeconds", 0, 900, 0)
		for _, name := range []string{"jobs", "jobs.fifo"} {
			q := d.queue(name, "DelaySeconds", "900")
			q.fill("a")
			q.counts(0, 0, 1)
			time.Sleep(15*time.Minute - time.Millisecond)
			q.nothing()
			time.Sleep(time.Millisecond)
			q.one(0)
		}
	}},
	{"3/maximum-message-size", "MaximumMessageSize is 1024 to 1048576 bytes, 1048576 unless set; a message of exactly that size is taken.", func(d *refDesk) {
		d.number("MaximumMessageSize", 1024, 1048576, 1048576)
		for _, c := range []struct {
			name, value string
			size        int
		}{{"small", "1024", 1024}, {"middle", "262144", 262144}, {"large", "", 1048576}} {
			q := d.queue(c.name)
			if c.value != "" {
				q.set("MaximumMessageSize", c.value)
			}
			q.fill(strings.Repeat("x", c.size))
			_, err := q.Send(d.ctx, queue.Message{Body: strings.Repeat("x", c.size+1)})
			require.ErrorIs(d.t, err, queue.ErrMessageTooLarge)
		}
	}},
	{"3/message-retention-period", "MessageRetentionPeriod is 60 to 1209600 seconds, four days unless set; after it a message is gone.", func(d *refDesk) {
		d.number("MessageRetentionPeriod", 60, 1209600, 345600)
		for _, c := range []struct {
			name, value string
			want        time.Duration
		}{{"short", "60", time.Minute}, {"usual", "", 96 * time.Hour}, {"long", "1209600", 14 * 24 * time.Hour}} {
			q := d.queue(c.name)
			if c.value != "" {
				q.set("MessageRetentionPeriod", c.value)
			}
			q.fill("a")
			d.pass(c.want - time.Millisecond)
			q.one(queue.None)
			d.pass(time.Millisecond)
			q.nothing()
			q.counts(0, 0, 0)
		}
	}},
	{"3/receive-message-wait-time", "ReceiveMessageWaitTimeSeconds is 0 to 20, none unless set, and how long a receive waits that does not say.", func(d *refDesk) {
		d.number("ReceiveMessageWaitTimeSeconds", 0, 20, 0)
		for _, seconds := range []int{0, 1, 20} {
			q := d.queue("waits-"+strconv.Itoa(seconds), "ReceiveMessageWaitTimeSeconds", strconv.Itoa(seconds))
			began := time.Now()
			ds, err := q.Receive(d.ctx, queue.ReceiveOptions{})
			require.NoError(d.t, err)
			require.Empty(d.t, ds)
			require.Equal(d.t, time.Duration(seconds)*time.Second, time.Since(began))
		}
	}},
	{"3/policy", "Policy is kept and told if it is set, and else not there.", func(d *refDesk) {
		q := d.queue("jobs")
		q.lacks("Policy")
		q.set("Policy", refPolicy)
		require.JSONEq(d.t, refPolicy, q.attr("Policy"))
		require.JSONEq(d.t, refPolicy, d.queue("created", "Policy", refPolicy).attr("Policy"))
	}},
	{"3/redrive-policy", "RedrivePolicy is told as the very text that was given, and if it is set only.", func(d *refDesk) {
		dead := d.queue("dead")
		q := d.queue("jobs")
		q.lacks("RedrivePolicy")
		for _, text := range []string{
			dead.redrive(5),
			`{"maxReceiveCount":5,"deadLetterTargetArn":"` + dead.ARN() + `"}`,
			" {\n\t\"maxReceiveCount\" : \"7\" ,\r\n \"deadLetterTargetArn\":\"" + dead.ARN() + "\"} ",
		} {
			q.set("RedrivePolicy", text)
			require.Equal(d.t, text, q.attr("RedrivePolicy"))
		}
		created := d.queue("created", "RedrivePolicy", dead.redrive(1000))
		require.Equal(d.t, dead.redrive(1000), created.attr("RedrivePolicy"))
	}},
	{"3/redrive-allow-policy", "RedriveAllowPolicy is told if it is set, and else not there.", func(d *refDesk) {
		q := d.queue("dead")
		q.lacks("RedriveAllowPolicy")
		for _, text := range []string{
			`{"redrivePermission":"denyAll"}`, `{"redrivePermission":"allowAll"}`,
			`{"redrivePermission":"byQueue","sourceQueueArns":["arn:aws:sqs:us-east-1:000000000000:jobs"]}`,
		} {
			q.set("RedriveAllowPolicy", text)
			require.JSONEq(d.t, text, q.attr("RedriveAllowPolicy"))
		}
		created := d.queue("created", "RedriveAllowPolicy", `{"redrivePermission":"denyAll"}`)
		require.JSONEq(d.t, `{"redrivePermission":"denyAll"}`, created.attr("RedriveAllowPolicy"))
	}},
	{"3/fifo-queue", "FifoQueue is chosen at creation, told by FIFO queues only, and always true.", func(d *refDesk) {
		fifo := d.queue("jobs.fifo")
		require.Equal(d.t, "true", fifo.attr("FifoQueue"))
		require.Equal(d.t, queue.FIFO, fifo.Kind())
		require.NotContains(d.t, d.queue("jobs").attrs("All"), "FifoQueue")
	}},
	{"3/content-based-deduplication", "ContentBasedDeduplication is of FIFO queues, false unless set, and can be switched at any time.", func(d *refDesk) {
		q := d.queue("jobs.fifo")
		require.Equal(d.t, "false", q.attr("ContentBasedDeduplication"))
		without := queue.Message{Body: "a", GroupID: "g"}
		_, err := q.Send(d.ctx, without)
		require.ErrorIs(d.t, err, queue.ErrInvalidParameter)
		q.set("ContentBasedDeduplication", "true")
		require.Equal(d.t, "true", q.attr("ContentBasedDeduplication"))
		first, err := q.Send(d.ctx, without)
		require.NoError(d.t, err)
		again, err := q.Send(d.ctx, without)
		require.NoError(d.t, err)
		require.True(d.t, again.Duplicate)
		require.Equal(d.t, first.ID, again.ID)
		q.set("ContentBasedDeduplication", "false")
		_, err = q.Send(d.ctx, queue.Message{Body: "b", GroupID: "g"})
		require.ErrorIs(d.t, err, queue.ErrInvalidParameter)
		require.Equal(d.t, "true", d.queue("created.fifo", "ContentBasedDeduplication", "true").attr("ContentBasedDeduplication"))
		require.NotContains(d.t, d.queue("jobs").attrs("All"), "ContentBasedDeduplication")
	}},
	{"3/deduplication-scope", "DeduplicationScope is of FIFO queues: queue, the default, or messageGroup.", func(d *refDesk) {
		d.choice("DeduplicationScope", "queue", "messageGroup")
		require.Equal(d.t, "messageGroup", d.queue("created.fifo", "DeduplicationScope", "messageGroup").attr("DeduplicationScope"))
	}},
	{"3/fifo-throughput-limit", "FifoThroughputLimit is of FIFO queues: perQueue, the default, or perMessageGroupId.", func(d *refDesk) {
		d.queue("jobs.fifo", "DeduplicationScope", "messageGroup")
		d.choice("FifoThroughputLimit", "perQueue", "perMessageGroupId")
		q := d.queue("created.fifo", "FifoThroughputLimit", "perMessageGroupId", "DeduplicationScope", "messageGroup")
		require.Equal(d.t, "perMessageGroupId", q.attr("FifoThroughputLimit"))
	}},
	{"3/approximate-number-of-messages", "ApproximateNumberOfMessages is how many are visible now.", func(d *refDesk) {
		q := d.queue("jobs")
		require.Equal(d.t, "0", q.attr("ApproximateNumberOfMessages"))
		q.fill("a", "b", "c")
		require.Equal(d.t, "3", q.attr("ApproximateNumberOfMessages"))
		m := q.one(0)
		require.Equal(d.t, "2", q.attr("ApproximateNumberOfMessages"))
		require.NoError(d.t, q.ChangeVisibility(d.ctx, m.Receipt, 0))
		require.Equal(d.t, "3", q.attr("ApproximateNumberOfMessages"))
		require.NoError(d.t, q.Delete(d.ctx, m.Receipt))
		require.Equal(d.t, "2", q.attr("ApproximateNumberOfMessages"))
	}},
	{"3/approximate-number-not-visible", "ApproximateNumberOfMessagesNotVisible is how many are in flight now.", func(d *refDesk) {
		q := d.queue("jobs")
		require.Equal(d.t, "0", q.attr("ApproximateNumberOfMessagesNotVisible"))
		q.fill("a", "b", "c")
		first := q.one(30 * time.Second)
		q.one(10 * time.Second)
		require.Equal(d.t, "2", q.attr("ApproximateNumberOfMessagesNotVisible"))
		d.pass(10 * time.Second)
		require.Equal(d.t, "1", q.attr("ApproximateNumberOfMessagesNotVisible"))
		require.NoError(d.t, q.Delete(d.ctx, first.Receipt))
		require.Equal(d.t, "0", q.attr("ApproximateNumberOfMessagesNotVisible"))
		require.Equal(d.t, "2", q.attr("ApproximateNumberOfMessages"))
	}},
	{"3/approximate-number-delayed", "ApproximateNumberOfMessagesDelayed is how many still wait for their delay to end.", func(d *refDesk) {
		q := d.queue("jobs", "DelaySeconds", "10")
		require.Equal(d.t, "0", q.attr("ApproximateNumberOfMessagesDelayed"))
		q.fill("a")
		q.send(queue.Message{Body: "b", Delay: 20 * time.Second})
		q.send(queue.Message{Body: "c", Delay: queue.None})
		require.Equal(d.t, "2", q.attr("ApproximateNumberOfMessagesDelayed"))
		d.pass(10*time.Second - time.Millisecond)
		require.Equal(d.t, "2", q.attr("ApproximateNumberOfMessagesDelayed"))
		d.pass(time.Millisecond)
		require.Equal(d.t, "1", q.attr("ApproximateNumberOfMessagesDelayed"))
		d.pass(10 * time.Second)
		require.Equal(d.t, "0", q.attr("ApproximateNumberOfMessagesDelayed"))
	}},
	{"3/timestamps", "CreatedTimestamp and LastModifiedTimestamp are whole seconds since 1970, at first the same.", func(d *refDesk) {
		time.Sleep(1999 * time.Millisecond)
		q := d.queue("jobs")
		want := strconv.FormatInt(time.Now().Unix(), 10)
		time.Sleep(time.Hour)
		require.Equal(d.t, want, q.attr("CreatedTimestamp"))
		require.Equal(d.t, want, q.attr("LastModifiedTimestamp"))
	}},
	{"3/queue-arn", "QueueArn is the queue's ARN.", func(d *refDesk) {
		require.Equal(d.t, "arn:aws:sqs:us-east-1:000000000000:jobs", d.queue("jobs").attr("QueueArn"))
		there := d.in(broker.Scope{Account: "123456789012", Region: "eu-west-1"}).queue("jobs.fifo")
		require.Equal(d.t, "arn:aws:sqs:eu-west-1:123456789012:jobs.fifo", there.attr("QueueArn"))
	}},
	{"3/all-of-a-new-standard-queue", "All of a new Standard queue are twelve attributes, none of them a FIFO queue's.", func(d *refDesk) {
		now := strconv.FormatInt(time.Now().Unix(), 10)
		require.Equal(d.t, map[string]string{
			"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesDelayed": "0", "ApproximateNumberOfMessagesNotVisible": "0",
			"CreatedTimestamp": now, "LastModifiedTimestamp": now, "DelaySeconds": "0", "MaximumMessageSize": "1048576",
			"MessageRetentionPeriod": "345600", "QueueArn": "arn:aws:sqs:us-east-1:000000000000:jobs",
			"ReceiveMessageWaitTimeSeconds": "0", "SqsManagedSseEnabled": "true", "VisibilityTimeout": "30",
		}, d.queue("jobs").attrs("All"))
	}},
	{"3/all-of-a-new-fifo-queue", "A new FIFO queue tells four attributes more.", func(d *refDesk) {
		m := d.queue("jobs.fifo").attrs("All")
		want := append(slices.Clone(refAlways), "ContentBasedDeduplication", "DeduplicationScope", "FifoQueue", "FifoThroughputLimit")
		slices.Sort(want)
		require.Equal(d.t, want, slices.Sorted(maps.Keys(m)))
		require.Equal(d.t, "true", m["FifoQueue"])
		require.Equal(d.t, "false", m["ContentBasedDeduplication"])
		require.Equal(d.t, "queue", m["DeduplicationScope"])
		require.Equal(d.t, "perQueue", m["FifoThroughputLimit"])
		require.Equal(d.t, "arn:aws:sqs:us-east-1:000000000000:jobs.fifo", m["QueueArn"])
	}},
	{"3/each-message-counts-once", "A delayed message counts as delayed only, a received one as not visible only, any other as visible.", func(d *refDesk) {
		for _, name := range []string{"jobs", "jobs.fifo"} {
			q := d.queue(name)
			q.send(queue.Message{Body: "a", GroupID: "a"})
			q.send(queue.Message{Body: "b", GroupID: "b"})
			q.send(queue.Message{Body: "c", GroupID: "c"})
			q.counts(3, 0, 0)
			m := q.one(0)
			q.counts(2, 1, 0)
			if q.Kind() == queue.Standard {
				q.send(queue.Message{Body: "d", Delay: time.Minute})
				q.counts(2, 1, 1)
			} else {
				q.set("DelaySeconds", "60") // of a FIFO queue: of what is visible too
				q.counts(0, 1, 2)
				q.set("DelaySeconds", "0")
			}
			require.NoError(d.t, q.Delete(d.ctx, m.Receipt))
			d.pass(time.Minute)
			if q.Kind() == queue.Standard {
				q.counts(3, 0, 0)
			} else {
				q.counts(2, 0, 0)
			}
		}
	}},
	{"3/behind-its-group-is-visible", "What waits behind a received message of its group counts as visible.", func(d *refDesk) {
		q := d.queue("jobs.fifo")
		for _, group := range []string{"x", "y", "z"} {
			q.send(queue.Message{Body: group + "1", GroupID: group})
			q.send(queue.Message{Body: group + "2", GroupID: group})
		}
		q.counts(6, 0, 0)
		first, second := q.one(0), q.one(0)
		require.NotEqual(d.t, first.GroupID, second.GroupID)
		q.counts(4, 2, 0)
	}},
	{"3/counters-exact", "Where SQS's counters settle later, those here are exact at once.", func(d *refDesk) {
		for _, name := range []string{"jobs", "jobs.fifo"} {
			q := d.queue(name)
			for i := range 50 {
				q.send(queue.Message{Body: strconv.Itoa(i), GroupID: strconv.Itoa(i)})
				q.counts(i+1, 0, 0)
			}
			for i := range 5 {
				for j, m := range q.poll(0) {
					require.NoError(d.t, q.Delete(d.ctx, m.Receipt))
					q.counts(40-10*i, 9-j, 0)
				}
			}
			q.counts(0, 0, 0)
		}
	}},
	{"3/empty-removes-policy", "Policy set to nothing is removed.", func(d *refDesk) {
		q := d.queue("jobs", "Policy", refPolicy)
		q.set("Policy", "")
		q.lacks("Policy")
		q.set("Policy", "") // nothing to remove
		q.lacks("Policy")
	}},
	{"3/empty-removes-redrive-policy", "RedrivePolicy set to nothing is removed, and messages stay where they are.", func(d *refDesk) {
		dead := d.queue("dead")
		q := d.queue("jobs", "RedrivePolicy", dead.redrive(1))
		q.set("RedrivePolicy", "")
		q.lacks("RedrivePolicy")
		q.fill("a")
		for i := range 5 {
			require.Equal(d.t, i+1, q.one(queue.None).ReceiveCount)
		}
		dead.counts(0, 0, 0)
		sources, _, err := dead.DeadLetterSources(broker.ListOptions{})
		require.NoError(d.t, err)
		require.Empty(d.t, sources)
	}},
	{"3/empty-removes-redrive-allow-policy", "RedriveAllowPolicy set to nothing is removed, and all queues are allowed again.", func(d *refDesk) {
		dead := d.queue("dead", "RedriveAllowPolicy", `{"redrivePermission":"denyAll"}`)
		q := d.queue("jobs")
		require.Error(d.t, q.trySet("RedrivePolicy", dead.redrive(1)))
		dead.set("RedriveAllowPolicy", "")
		dead.lacks("RedriveAllowPolicy")
		q.set("RedrivePolicy", dead.redrive(1))
	}},
	{"3/unknown-name", "An attribute nobody knows is refused by name, when creating, setting and asking; names are case-sensitive.", func(d *refDesk) {
		q := d.queue("jobs")
		for _, name := range []string{"Nothing", "visibilityTimeout", "VISIBILITYTIMEOUT", " VisibilityTimeout", "all", ""} {
			d.blames(d.try("more", name, "1"), broker.ErrInvalidAttributeName, name, "creating with %q", name)
			d.blames(q.trySet(name, "1"), broker.ErrInvalidAttributeName, name, "setting %q", name)
			_, err := q.Attributes(d.ctx, "DelaySeconds", name)
			d.blames(err, broker.ErrInvalidAttributeName, name, "asking for %q", name)
		}
		_, err := q.Attributes(d.ctx, "All", "Nothing")
		d.blames(err, broker.ErrInvalidAttributeName, "Nothing")
		d.blames(q.trySet("VisibilityTimeout", "7", "Nothing", "1"), broker.ErrInvalidAttributeName, "Nothing")
		require.Equal(d.t, "30", q.attr("VisibilityTimeout"))
	}},
	{"3/bad-value", "A value out of range, not a whole number, padded or empty is refused, naming the attribute, and nothing of the call is done.", func(d *refDesk) {
		q := d.queue("jobs")
		for _, name := range []string{"VisibilityTimeout", "DelaySeconds", "MaximumMessageSize", "MessageRetentionPeriod", "ReceiveMessageWaitTimeSeconds"} {
			before := q.attrs("All")
			for _, value := range []string{"", " ", "-1", "abc", " 60", "60 ", "6O", "60s", "1.5", "1209601"} {
				d.blames(q.trySet(name, value, "SqsManagedSseEnabled", "false"), broker.ErrInvalidAttributeValue, name, "%s=%q", name, value)
				require.Equal(d.t, before, q.attrs("All"))
				d.blames(d.try("more", name, value), broker.ErrInvalidAttributeValue, name, "%s=%q", name, value)
			}
		}
	}},
	{"3/read-only", "What can only be read is refused when set or given at creation, as an unknown attribute.", func(d *refDesk) {
		q := d.queue("jobs")
		for name, value := range map[string]string{
			"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "0", "ApproximateNumberOfMessagesDelayed": "0",
			"CreatedTimestamp": "1", "LastModifiedTimestamp": "1", "QueueArn": q.ARN(), "All": "1",
		} {
			d.blames(q.trySet(name, value), broker.ErrInvalidAttributeName, name, name)
			d.blames(d.try("more", name, value), broker.ErrInvalidAttributeName, name, name)
		}
	}},
	{"3/fifo-queue-on-standard", "FifoQueue is unknown to a Standard queue: false when creating it, anything when setting.", func(d *refDesk) {
		d.blames(d.try("jobs", "FifoQueue", "false"), broker.ErrInvalidAttributeName, "FifoQueue")
		q := d.queue("jobs")
		d.blames(q.trySet("FifoQueue", "true"), broker.ErrInvalidAttributeName, "FifoQueue")
		d.blames(q.trySet("FifoQueue", "false"), broker.ErrInvalidAttributeName, "FifoQueue")
		require.Equal(d.t, queue.Standard, d.get("jobs").Kind())
	}},
	{"3/content-deduplication-on-standard", "ContentBasedDeduplication is unknown to a Standard queue.", func(d *refDesk) {
		q := d.queue("jobs")
		for _, value := range []string{"true", "false"} {
			d.blames(d.try("more", "ContentBasedDeduplication", value), broker.ErrInvalidAttributeName, "ContentBasedDeduplication")
			d.blames(q.trySet("ContentBasedDeduplication", value), broker.ErrInvalidAttributeName, "ContentBasedDeduplication")
		}
	}},
	{"3/scope-and-throughput-on-standard", "DeduplicationScope and FifoThroughputLimit are refused on a Standard queue by a sentence of their own.", func(d *refDesk) {
		q := d.queue("jobs")
		for name, value := range map[string]string{"DeduplicationScope": "queue", "FifoThroughputLimit": "perQueue"} {
			sentence := "You can specify the " + name + " only when FifoQueue is set to true."
			for _, err := range []error{d.try("more", name, value), q.trySet(name, value)} {
				d.blames(err, broker.ErrInvalidAttributeName, name)
				d.says(err, broker.ErrInvalidAttributeName, sentence)
			}
		}
	}},
	{"3/fifo-queue-on-fifo", "On a FIFO queue FifoQueue may be set to true, which does nothing; to false it can't.", func(d *refDesk) {
		q := d.queue("jobs.fifo")
		q.set("FifoQueue", "true")
		err := q.trySet("FifoQueue", "false")
		d.blames(err, broker.ErrInvalidAttributeValue, "FifoQueue")
		d.says(err, broker.ErrInvalidAttributeValue, "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.")
		require.Equal(d.t, "true", q.attr("FifoQueue"))
	}},
	{"3/throughput-needs-scope", "perMessageGroupId requires the scope messageGroup, in every order of setting them; the scope alone is fine.", func(d *refDesk) {
		require.Error(d.t, d.try("more.fifo", "FifoQueue", "true", "FifoThroughputLimit", "perMessageGroupId"))
		require.Error(d.t, d.try("more.fifo", "FifoQueue", "true", "FifoThroughputLimit", "perMessageGroupId", "DeduplicationScope", "queue"))
		q := d.queue("jobs.fifo")
		require.Error(d.t, q.trySet("FifoThroughputLimit", "perMessageGroupId"))
		require.Equal(d.t, "perQueue", q.attr("FifoThroughputLimit"))
		q.set("FifoThroughputLimit", "perMessageGroupId", "DeduplicationScope", "messageGroup")
		require.Error(d.t, q.trySet("DeduplicationScope", "queue"))
		require.Equal(d.t, "messageGroup", q.attr("DeduplicationScope"))
		q.set("DeduplicationScope", "queue", "FifoThroughputLimit", "perQueue")
		q.set("DeduplicationScope", "messageGroup")
		q.set("FifoThroughputLimit", "perMessageGroupId")
	}},
	{"3/scope-alone", "The scope messageGroup, with the throughput of a queue, makes deduplication IDs those of their group.", func(d *refDesk) {
		narrow := d.queue("narrow.fifo", "DeduplicationScope", "messageGroup")
		require.Equal(d.t, "perQueue", narrow.attr("FifoThroughputLimit"))
		wide := d.queue("wide.fifo")
		for _, group := range []string{"x", "y", "x"} {
			for _, q := range []*refQueue{narrow, wide} {
				q.send(queue.Message{Body: group, GroupID: group, DeduplicationID: "same"})
			}
		}
		narrow.counts(2, 0, 0)
		wide.counts(1, 0, 0)
	}},
	{"3/set-nothing", "Setting no attributes is refused as a missing parameter.", func(d *refDesk) {
		q := d.queue("jobs")
		d.says(q.SetAttributes(d.ctx, nil), queue.ErrMissingParameter, "The request must contain the parameter Attribute.Name.")
		d.says(q.SetAttributes(d.ctx, map[string]string{}), queue.ErrMissingParameter, "The request must contain the parameter Attribute.Name.")
	}},
}

// choice checks an attribute of FIFO queues that is one word of two, on the
// queue jobs.fifo, which is made if it is missing.
func (d *refDesk) choice(name, otherwise, other string) {
	d.t.Helper()
	require.Equal(d.t, otherwise, d.queue("of-defaults.fifo").attr(name))
	q := d.queue("jobs.fifo")
	for _, value := range []string{other, otherwise, other} {
		q.set(name, value)
		require.Equal(d.t, value, q.attr(name))
	}
	for _, value := range []string{"", " " + other, strings.ToUpper(other), strings.ToLower(other) + "s", "true"} {
		d.blames(q.trySet(name, value), broker.ErrInvalidAttributeValue, name, "%q", value)
		d.blames(d.try("more.fifo", "FifoQueue", "true", name, value), broker.ErrInvalidAttributeValue, name, "%q", value)
		require.Equal(d.t, other, q.attr(name))
	}
	require.NotContains(d.t, d.queue("jobs").attrs("All"), name)
}

var referenceEncryption = []referenceRow{
	{"3/sqs-managed-sse", "SqsManagedSseEnabled is true unless set, and always told.", func(d *refDesk) {
		for _, name := range []string{"jobs", "jobs.fifo"} {
			q := d.queue(name)
			require.Equal(d.t, "true", q.attr("SqsManagedSseEnabled"))
			q.set("SqsManagedSseEnabled", "false")
			require.Equal(d.t, "false", q.attr("SqsManagedSseEnabled"))
			q.set("SqsManagedSseEnabled", "true")
			require.Equal(d.t, "true", q.attr("SqsManagedSseEnabled"))
		}
		require.Equal(d.t, "false", d.queue("created", "SqsManagedSseEnabled", "false").attr("SqsManagedSseEnabled"))
	}},
	{"3/kms-master-key-id", "KmsMasterKeyId is a key's ID, ARN or alias, and told if it is set only.", func(d *refDesk) {
		q := d.queue("jobs")
		q.lacks("KmsMasterKeyId")
		for i, key := range []string{"1234abcd-12ab-34cd-56ef-1234567890ab", "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab", "alias/aws/sqs"} {
			q.set("KmsMasterKeyId", key)
			require.Equal(d.t, key, q.attr("KmsMasterKeyId"))
			require.Equal(d.t, key, d.queue("created-"+strconv.Itoa(i), "KmsMasterKeyId", key).attr("KmsMasterKeyId"))
		}
	}},
	{"3/kms-data-key-reuse-period", "KmsDataKeyReusePeriodSeconds is 60 to 86400, 300 unless set, and told with a key only.", func(d *refDesk) {
		q := d.queue("jobs")
		q.lacks("KmsDataKeyReusePeriodSeconds")
		q.set("KmsMasterKeyId", "alias/aws/sqs")
		require.Equal(d.t, "300", q.attr("KmsDataKeyReusePeriodSeconds"))
		for _, value := range []string{"60", "61", "86399", "86400"} {
			q.set("KmsMasterKeyId", "alias/aws/sqs", "KmsDataKeyReusePeriodSeconds", value)
			require.Equal(d.t, value, q.attr("KmsDataKeyReusePeriodSeconds"))
			created := d.queue("created-"+value, "KmsMasterKeyId", "alias/aws/sqs", "KmsDataKeyReusePeriodSeconds", value)
			require.Equal(d.t, value, created.attr("KmsDataKeyReusePeriodSeconds"))
		}
		for _, value := range []string{"59", "86401", "-1", "0", "x", "", "300 "} {
			d.blames(q.trySet("KmsDataKeyReusePeriodSeconds", value), broker.ErrInvalidAttributeValue, "KmsDataKeyReusePeriodSeconds", "%q", value)
			err := d.try("more", "KmsMasterKeyId", "alias/aws/sqs", "KmsDataKeyReusePeriodSeconds", value)
			d.blames(err, broker.ErrInvalidAttributeValue, "KmsDataKeyReusePeriodSeconds", "%q", value)
			require.Equal(d.t, "86400", q.attr("KmsDataKeyReusePeriodSeconds"))
		}
	}},
	{"3/empty-removes-kms-key", "An empty KmsMasterKeyId removes the key, and both its attributes are told no more.", func(d *refDesk) {
		q := d.queue("jobs", "KmsMasterKeyId", "alias/aws/sqs", "KmsDataKeyReusePeriodSeconds", "600")
		q.set("KmsMasterKeyId", "", "KmsDataKeyReusePeriodSeconds", "300")
		q.lacks("KmsMasterKeyId")
		q.lacks("KmsDataKeyReusePeriodSeconds")
	}},
	{"3/kms-switches-sse-off", "Setting a key makes SqsManagedSseEnabled false, and removing it does not make it true again.", func(d *refDesk) {
		q := d.queue("jobs")
		q.set("KmsMasterKeyId", "alias/aws/sqs")
		require.Equal(d.t, "false", q.attr("SqsManagedSseEnabled"))
		q.set("KmsMasterKeyId", "", "KmsDataKeyReusePeriodSeconds", "300")
		require.Equal(d.t, "false", q.attr("SqsManagedSseEnabled"))
		q.set("SqsManagedSseEnabled", "true")
		require.Equal(d.t, "true", q.attr("SqsManagedSseEnabled"))
		require.Equal(d.t, "false", d.queue("created", "KmsMasterKeyId", "alias/aws/sqs").attr("SqsManagedSseEnabled"))
	}},
	{"3/one-encryption", "A call that sets both kinds of encryption is refused.", func(d *refDesk) {
		q := d.queue("jobs")
		both := []string{"KmsMasterKeyId", "alias/aws/sqs", "SqsManagedSseEnabled", "true"}
		sentence := "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE."
		d.says(q.trySet(both...), broker.ErrInvalidAttributeName, sentence)
		d.says(d.try("more", both...), broker.ErrInvalidAttributeName, sentence)
		q.lacks("KmsMasterKeyId")
		q.set("KmsMasterKeyId", "alias/aws/sqs", "SqsManagedSseEnabled", "false")
	}},
}
