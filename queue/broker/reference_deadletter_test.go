package broker_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
)

// refused requires that the redrive policy text is refused, at creation and on
// q, for that reason; an empty reason may be any.
func (q *refQueue) refused(text, reason string) {
	q.d.t.Helper()
	before := q.attrs("All")
	name := "refused"
	attributes := []string{"RedrivePolicy", text}
	if q.Kind() == queue.FIFO {
		name, attributes = "refused.fifo", append(attributes, "FifoQueue", "true")
	}
	for _, err := range []error{q.trySet("RedrivePolicy", text), q.d.try(name, attributes...)} {
		q.d.blames(err, queue.ErrInvalidParameter, "RedrivePolicy", text)
		if reason != "" {
			q.d.says(err, queue.ErrInvalidParameter, "Value "+text+" for parameter RedrivePolicy is invalid. Reason: "+reason)
		}
	}
	require.Equal(q.d.t, before, q.attrs("All"))
	_, err := q.d.b.GetQueue(name)
	require.ErrorIs(q.d.t, err, broker.ErrQueueNotFound)
}

// refPolicyText is a redrive policy whose count is given as JSON.
func refPolicyText(arn, count string) string {
	return `{"deadLetterTargetArn":"` + arn + `","maxReceiveCount":` + count + `}`
}

var referenceRedrivePolicy = []referenceRow{
	{"14.1/number-or-text", "maxReceiveCount is a number, written as one or as text.", func(d *refDesk) {
		dead := d.queue("dead")
		for i, count := range []string{`2`, `"2"`} {
			q := d.queue("jobs-"+strconv.Itoa(i), "RedrivePolicy", refPolicyText(dead.ARN(), count))
			require.Equal(d.t, refPolicyText(dead.ARN(), count), q.attr("RedrivePolicy"))
			q.fill("a")
			q.one(queue.None)
			q.one(queue.None)
			q.nothing()
			dead.counts(i+1, 0, 0)
		}
	}},
	{"14.1/target-exists", "The dead-letter queue must be there when the policy is set.", func(d *refDesk) {
		q := d.queue("jobs")
		q.refused(refPolicyText("arn:aws:sqs:us-east-1:000000000000:dead", `"3"`), "Dead letter target does not exist.")
		dead := d.queue("dead")
		q.set("RedrivePolicy", dead.redrive(3))
		d.remove("dead")
		require.Error(d.t, d.try("more", "RedrivePolicy", dead.redrive(3)))
	}},
	{"14.1/target-account", "The dead-letter queue must be of the same account.", func(d *refDesk) {
		q := d.queue("jobs")
		dead := d.in(broker.Scope{Account: "111111111111"}).queue("dead")
		d.queue("dead")
		q.refused(dead.redrive(3), "Dead-letter target owner should be same as the source.")
	}},
	{"14.1/target-region", "The dead-letter queue must be of the same region.", func(d *refDesk) {
		q := d.queue("jobs")
		dead := d.in(broker.Scope{Region: "eu-west-1"}).queue("dead")
		d.queue("dead")
		q.refused(dead.redrive(3), "")
	}},
	{"14.1/target-kind", "The dead-letter queue must be of the same kind.", func(d *refDesk) {
		reason := "Dead-letter queue must be same type of queue as the source.."
		standard, fifo := d.queue("dead"), d.queue("dead.fifo")
		d.queue("jobs").refused(fifo.redrive(3), reason)
		d.queue("jobs.fifo").refused(standard.redrive(3), reason)
		d.get("jobs").set("RedrivePolicy", standard.redrive(3))
		d.get("jobs.fifo").set("RedrivePolicy", fifo.redrive(3))
	}},
	{"14.1/other-keys", "No keys but the two are taken.", func(d *refDesk) {
		dead := d.queue("dead")
		text := `{"deadLetterTargetArn":"` + dead.ARN() + `","maxReceiveCount":"3","more":"x"}`
		d.queue("jobs").refused(text, "Only following attributes are supported: [maxReceiveCount, deadLetterTargetArn].")
	}},
	{"14.1/both-keys", "Both keys are required, and the error names the missing one.", func(d *refDesk) {
		dead := d.queue("dead")
		q := d.queue("jobs")
		q.refused(`{"deadLetterTargetArn":"`+dead.ARN()+`"}`, "Redrive policy does not contain mandatory attribute: maxReceiveCount.")
		q.refused(`{"maxReceiveCount":"3"}`, "Redrive policy does not contain mandatory attribute: deadLetterTargetArn.")
		q.refused(`{}`, "")
	}},
	{"14.1/count-range", "maxReceiveCount is 1 to 1000.", func(d *refDesk) {
		dead := d.queue("dead")
		q := d.queue("jobs")
		for _, count := range []string{"-36", "0", "-1", "1001"} {
			reason := "Invalid value for maxReceiveCount: " + count + ", valid values are from 1 to 1000 both inclusive."
			q.refused(refPolicyText(dead.ARN(), count), reason)
			q.refused(refPolicyText(dead.ARN(), `"`+count+`"`), reason)
		}
		for _, count := range []string{`"x"`, `""`, `2.5`, `"2.5"`, `true`, `null`, `[]`, `99999999999999999999`} {
			require.Error(d.t, q.trySet("RedrivePolicy", refPolicyText(dead.ARN(), count)), count)
		}
		q.set("RedrivePolicy", dead.redrive(1))
		q.set("RedrivePolicy", dead.redrive(1000))
	}},
	{"14.1/target-is-a-queue", "The dead-letter target must be the ARN of an SQS queue.", func(d *refDesk) {
		q := d.queue("jobs")
		for _, arn := range []string{"arn:aws:sns:us-east-1:000000000000:topic", "arn:aws:lambda:us-east-1:000000000000:function"} {
			q.refused(refPolicyText(arn, `"3"`), "Only SQS queues are valid resources for deadLetterTargetArn.")
		}
		for _, arn := range []string{"", "dead", "arn:aws:sqs:us-east-1:dead", "https://sqs.us-east-1.amazonaws.com/000000000000/dead"} {
			require.Error(d.t, q.trySet("RedrivePolicy", refPolicyText(arn, `"3"`)), "%q", arn)
		}
	}},
	{"14.1/not-a-map", "A RedrivePolicy that is no JSON object is a bad attribute value.", func(d *refDesk) {
		dead := d.queue("dead")
		q := d.queue("jobs", "RedrivePolicy", dead.redrive(3))
		for _, text := range []string{"x", "{", `"x"`, "[]", "5", " ", dead.redrive(3) + "x"} {
			for _, err := range []error{q.trySet("RedrivePolicy", text), d.try("more", "RedrivePolicy", text)} {
				d.blames(err, broker.ErrInvalidAttributeValue, "RedrivePolicy", "%q", text)
				d.says(err, broker.ErrInvalidAttributeValue, "Invalid value for the parameter RedrivePolicy. Reason: Redrive policy is not a valid JSON map.")
			}
		}
		require.Equal(d.t, dead.redrive(3), q.attr("RedrivePolicy"))
	}},
	{"14.1/kept-over-restart", "After a restart a redrive policy works on, and receives from before count.", func(d *refDesk) {
		d = d.durable()
		for _, suffix := range []string{"", ".fifo"} {
			dead := d.queue("dead" + suffix)
			q := d.queue("jobs"+suffix, "RedrivePolicy", dead.redrive(2), "VisibilityTimeout", "5")
			q.fill("a")
			q.one(0)
		}
		d.restart(time.Minute)
		for _, suffix := range []string{"", ".fifo"} {
			dead, q := d.get("dead"+suffix), d.get("jobs"+suffix)
			require.Equal(d.t, 2, q.one(0).ReceiveCount)
			time.Sleep(5 * time.Second)
			q.nothing()
			q.counts(0, 0, 0)
			dead.counts(1, 0, 0)
		}
		d.restart(time.Minute)
		for _, suffix := range []string{"", ".fifo"} {
			m := d.get("dead" + suffix).one(0)
			require.Equal(d.t, "a", m.Body)
			require.Equal(d.t, 3, m.ReceiveCount)
			require.Equal(d.t, "arn:aws:sqs:us-east-1:000000000000:jobs"+suffix, m.DeadLetterSource)
		}
	}},
	{"14.2/allow-all", "Every queue of the account may name a dead-letter queue that says allowAll or nothing.", func(d *refDesk) {
		d.queue("a", "RedrivePolicy", d.queue("silent").redrive(3))
		d.queue("b", "RedrivePolicy", d.queue("open", "RedriveAllowPolicy", `{"redrivePermission":"allowAll"}`).redrive(3))
	}},
	{"14.2/deny-all", "A dead-letter queue that says denyAll can be named by none; the source's policy is refused.", func(d *refDesk) {
		for _, suffix := range []string{"", ".fifo"} {
			dead := d.queue("dead"+suffix, "RedriveAllowPolicy", `{"redrivePermission":"denyAll"}`)
			d.queue("jobs"+suffix).refused(dead.redrive(3), "")
		}
	}},
	{"14.2/by-queue", "A dead-letter queue that says byQueue can be named by the queues it lists.", func(d *refDesk) {
		a, b := d.queue("a"), d.queue("b")
		dead := d.queue("dead", "RedriveAllowPolicy", `{"redrivePermission":"byQueue","sourceQueueArns":["`+a.ARN()+`","arn:aws:sqs:us-east-1:000000000000:c"]}`)
		a.set("RedrivePolicy", dead.redrive(3))
		b.refused(dead.redrive(3), "")
		d.queue("c", "RedrivePolicy", dead.redrive(3))
		dead.set("RedriveAllowPolicy", `{"redrivePermission":"byQueue","sourceQueueArns":["`+b.ARN()+`"]}`)
		b.set("RedrivePolicy", dead.redrive(3))
		require.Error(d.t, d.try("d", "RedrivePolicy", dead.redrive(3)))
	}},
	{"14.2/unsupported-form", "A RedriveAllowPolicy of another shape is refused by a sentence of its own.", func(d *refDesk) {
		q := d.queue("dead")
		for _, text := range []string{"x", "{", "[]", `{"redrivePermission":"some"}`, `{"redrivePermission":"AllowAll"}`, `{"redrivePermission":1}`} {
			for _, err := range []error{q.trySet("RedriveAllowPolicy", text), d.try("more", "RedriveAllowPolicy", text)} {
				require.Error(d.t, err, "%q", text)
				kind := broker.ErrInvalidAttributeValue
				if !errors.Is(err, kind) {
					kind = queue.ErrInvalidParameter // which of the two SQS says is not certain
				}
				d.blames(err, kind, "RedriveAllowPolicy", "%q", text)
				d.says(err, kind, "Invalid value for the parameter RedriveAllowPolicy. Reason: Amazon SQS can't create the redrive allow policy, as it’s in an unsupported format.")
			}
		}
		q.lacks("RedriveAllowPolicy")
	}},
	{"14.2/sources-with-by-queue", "sourceQueueArns goes with byQueue and only with it.", func(d *refDesk) {
		q := d.queue("dead")
		says := func(text, reason string) {
			for _, err := range []error{q.trySet("RedriveAllowPolicy", text), d.try("more", "RedriveAllowPolicy", text)} {
				d.blames(err, queue.ErrInvalidParameter, "RedriveAllowPolicy", text)
				d.says(err, queue.ErrInvalidParameter, "Value "+text+" for parameter RedriveAllowPolicy is invalid. Reason: Amazon SQS can't create the redrive allow policy. "+reason)
			}
		}
		for _, text := range []string{`{"redrivePermission":"byQueue"}`, `{"redrivePermission":"byQueue","sourceQueueArns":[]}`} {
			says(text, "When you specify the byQueue permission type, you must also specify one or more sourceQueueArns values.")
		}
		for _, permission := range []string{"allowAll", "denyAll"} {
			says(`{"redrivePermission":"`+permission+`","sourceQueueArns":["arn:aws:sqs:us-east-1:000000000000:a"]}`,
				"To specify one or more source queue ARNs, you must set redrivePermission to byQueue.")
		}
		q.lacks("RedriveAllowPolicy")
	}},
	{"14.2/ten-sources", "sourceQueueArns holds up to 10.", func(d *refDesk) {
		q := d.queue("dead")
		text := func(n int) string {
			var arns []string
			for i := range n {
				arns = append(arns, fmt.Sprintf(`"arn:aws:sqs:us-east-1:000000000000:q%d"`, i))
			}
			return `{"redrivePermission":"byQueue","sourceQueueArns":[` + strings.Join(arns, ",") + `]}`
		}
		q.set("RedriveAllowPolicy", text(1))
		q.set("RedriveAllowPolicy", text(10))
		d.queue("q9", "RedrivePolicy", q.redrive(3))
		err := q.trySet("RedriveAllowPolicy", text(11))
		d.says(err, queue.ErrInvalidParameter, "Value "+text(11)+" for parameter RedriveAllowPolicy is invalid. Reason: "+
			"Amazon SQS can't create the redrive allow policy. The maximum number of source queue ARNs you can specify is 10.")
		require.JSONEq(d.t, text(10), q.attr("RedriveAllowPolicy"))
	}},
	{"14.2/kept-over-restart", "A RedriveAllowPolicy is in force after a restart.", func(d *refDesk) {
		d = d.durable()
		d.queue("dead", "RedriveAllowPolicy", `{"redrivePermission":"denyAll"}`)
		d.restart(time.Minute)
		require.JSONEq(d.t, `{"redrivePermission":"denyAll"}`, d.get("dead").attr("RedriveAllowPolicy"))
		d.queue("jobs").refused(d.get("dead").redrive(3), "")
	}},
}

// pair creates a queue, a dead-letter queue and the policy between them, on
// names with that suffix.
func (d *refDesk) pair(suffix string, maxReceives int, attributes ...string) (q, dead *refQueue) {
	d.t.Helper()
	dead = d.queue("dead" + suffix)
	return d.queue("jobs"+suffix, append(attributes, "RedrivePolicy", dead.redrive(maxReceives))...), dead
}

// refMessage has everything a message can carry.
var refMessage = queue.Message{
	Body: "body", GroupID: "group",
	Attributes:  queue.NewAttributes(map[string]queue.Value{"s": queue.String("text"), "n": {Type: "Number.int", Data: "5"}, "b": queue.Binary([]byte{0, 1, 2})}),
	TraceHeader: "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
}

var refSuffixes = []string{"", ".fifo"}

var referenceDeadLetter = []referenceRow{
	{"14.3/n-deliveries", "With a maximum of n a message is delivered n times; the receive that would be the next moves it.", func(d *refDesk) {
		for _, suffix := range refSuffixes {
			for _, n := range []int{1, 2, 3, 10, 1000} {
				q, dead := d.pair(fmt.Sprintf("-%d%s", n, suffix), n)
				q.fill("a")
				for i := range n {
					require.Equal(d.t, i+1, q.one(time.Second).ReceiveCount)
					time.Sleep(time.Second)
				}
				q.counts(1, 0, 0)
				dead.counts(0, 0, 0)
				q.nothing()
				q.counts(0, 0, 0)
				dead.counts(1, 0, 0)
			}
		}
	}},
	{"14.3/lazy", "Nothing moves unless somebody receives from the source.", func(d *refDesk) {
		for _, suffix := range refSuffixes {
			q, dead := d.pair(suffix, 1)
			q.fill("a")
			q.one(time.Second)
			d.pass(24 * time.Hour)
			q.counts(1, 0, 0)
			dead.counts(0, 0, 0)
			dead.nothing()
			q.nothing()
			dead.counts(1, 0, 0)
		}
	}},
	{"14.3/receive-goes-on", "The receive that moves messages returns others, or waits for them.", func(d *refDesk) {
		for _, suffix := range refSuffixes {
			q, dead := d.pair(suffix, 1)
			q.send(queue.Message{Body: "a", GroupID: "x"})
			q.one(queue.None)
			q.send(queue.Message{Body: "b", GroupID: "y"})
			ds := q.poll(queue.None)
			require.Len(d.t, ds, 1)
			require.Equal(d.t, "b", ds[0].Body)
			dead.counts(1, 0, 0)
			began := time.Now()
			go func() {
				time.Sleep(3 * time.Second)
				q.send(queue.Message{Body: "c", GroupID: "z"})
			}()
			ds, err := q.Receive(d.ctx, queue.ReceiveOptions{Max: 10, Wait: 10 * time.Second})
			require.NoError(d.t, err)
			require.Len(d.t, ds, 1)
			require.Equal(d.t, "c", ds[0].Body)
			require.Equal(d.t, 3*time.Second, time.Since(began))
			dead.counts(2, 0, 0)
		}
	}},
	{"14.3/many", "Many messages move one as the other: none is lost, kept, or delivered once more.", func(d *refDesk) {
		for _, suffix := range refSuffixes {
			q, dead := d.pair(suffix, 1)
			q.fillN(35)
			for range 36 {
				for _, m := range q.poll(queue.None) {
					require.Equal(d.t, 1, m.ReceiveCount)
				}
			}
			q.counts(0, 0, 0)
			dead.counts(35, 0, 0)
			require.Len(d.t, dead.drain(), 35)
		}
	}},
	{"14.3/counts-every-receive", "Every receive counts: one that doesn't hide, one that was extended, one that was returned early.", func(d *refDesk) {
		for _, suffix := range refSuffixes {
			q, dead := d.pair(suffix, 3)
			q.fill("a")
			q.one(queue.None)
			m := q.one(0)
			require.NoError(d.t, q.ChangeVisibility(d.ctx, m.Receipt, time.Hour))
			d.pass(time.Hour)
			m = q.one(0)
			require.NoError(d.t, q.ChangeVisibility(d.ctx, m.Receipt, 0))
			dead.counts(0, 0, 0)
			q.nothing()
			dead.counts(1, 0, 0)
		}
	}},
	{"14.3/policy-set-later", "A policy set or changed later counts the receives from before.", func(d *refDesk) {
		for _, suffix := range refSuffixes {
			dead := d.queue("dead" + suffix)
			q := d.queue("jobs" + suffix)
			q.send(queue.Message{Body: "a"})
			for range 4 {
				q.one(queue.None)
			}
			q.set("RedrivePolicy", dead.redrive(6))
			require.Equal(d.t, 5, q.one(queue.None).ReceiveCount)
			q.set("RedrivePolicy", dead.redrive(7))
			require.Equal(d.t, 6, q.one(queue.None).ReceiveCount)
			require.Equal(d.t, 7, q.one(queue.None).ReceiveCount)
			q.set("RedrivePolicy", dead.redrive(100))
			require.Equal(d.t, 8, q.one(queue.None).ReceiveCount)
			q.set("RedrivePolicy", dead.redrive(2))
			dead.counts(0, 0, 0)
			q.nothing()
			dead.counts(1, 0, 0)
		}
	}},
	{"14.3/target-changed", "A changed policy sends later moves to the new dead-letter queue.", func(d *refDesk) {
		q, old := d.pair("", 1)
		q.fill("a")
		q.one(queue.None)
		q.nothing()
		q.fill("b")
		q.one(queue.None)
		other := d.queue("other")
		q.set("RedrivePolicy", other.redrive(1))
		q.nothing()
		old.counts(1, 0, 0)
		require.Equal(d.t, "b", other.one(0).Body)
	}},
	{"14.3/wakes-receivers", "A move wakes who waits at the dead-letter queue.", func(d *refDesk) {
		for _, suffix := range refSuffixes {
			q, dead := d.pair(suffix, 1)
			q.fill("a")
			q.one(queue.None)
			got := make(chan []queue.Delivery, 1)
			go func() {
				ds, _ := dead.Receive(d.ctx, queue.ReceiveOptions{Wait: 20 * time.Second})
				got <- ds
			}()
			d.pass(time.Second)
			q.nothing()
			began := time.Now()
			require.Len(d.t, <-got, 1)
			require.Zero(d.t, time.Since(began))
		}
	}},
	{"14.4/message", "A moved message keeps its ID, body, attributes and trace header.", func(d *refDesk) {
		for _, suffix := range refSuffixes {
			q, dead := d.pair(suffix, 1)
			sent := q.send(refMessage)
			first := q.one(queue.None)
			q.nothing()
			m := dead.one(0)
			require.Equal(d.t, sent.ID, m.ID)
			require.Equal(d.t, refMessage.Body, m.Body)
			require.Equal(d.t, refMessage.Attributes, m.Attributes)
			require.Equal(d.t, refMessage.TraceHeader, m.TraceHeader)
			require.NotEqual(d.t, first.Receipt, m.Receipt)
		}
	}},
	{"14.4/receive-count", "The receive count goes on, without the attempt that moved the message.", func(d *refDesk) {
		for _, suffix := range refSuffixes {
			for _, n := range []int{1, 3} {
				q, dead := d.pair(fmt.Sprintf("-%d%s", n, suffix), n)
				q.fill("a")
				for range n {
					q.one(queue.None)
				}
				q.nothing()
				require.Equal(d.t, n+1, dead.one(queue.None).ReceiveCount)
				require.Equal(d.t, n+2, dead.one(queue.None).ReceiveCount)
			}
		}
	}},
	{"14.4/first-receive", "The time of the first receive is kept.", func(d *refDesk) {
		for _, suffix := range refSuffixes {
			q, dead := d.pair(suffix, 1)
			q.fill("a")
			time.Sleep(time.Minute)
			want := time.Now()
			q.one(queue.None)
			time.Sleep(time.Minute)
			q.nothing()
			time.Sleep(time.Minute)
			m := dead.one(0)
			require.True(d.t, want.Equal(m.FirstReceivedAt), "%v, want %v", m.FirstReceivedAt, want)
		}
	}},
	{"14.4/sent-timestamp", "A Standard queue keeps the time of sending; a FIFO queue takes that of the move.", func(d *refDesk) {
		for _, suffix := range refSuffixes {
			q, dead := d.pair(suffix, 1)
			want := time.Now()
			q.fill("a")
			q.one(queue.None)
			time.Sleep(time.Minute)
			if suffix == ".fifo" {
				want = time.Now()
			}
			q.nothing()
			time.Sleep(time.Minute)
			m := dead.one(0)
			require.True(d.t, want.Equal(m.SentAt), "%v, want %v", m.SentAt, want)
		}
	}},
	{"14.4/retention", "So on a Standard queue the time in the source counts towards the dead-letter queue's retention, on a FIFO queue it does not.", func(d *refDesk) {
		for _, suffix := range refSuffixes {
			q, dead := d.pair(suffix, 1)
			dead.set("MessageRetentionPeriod", "3600")
			q.fill("a")
			q.one(queue.None)
			time.Sleep(50 * time.Minute)
			q.nothing()
			left := 10 * time.Minute
			if suffix == ".fifo" {
				left = time.Hour
			}
			d.pass(left - time.Millisecond)
			dead.counts(1, 0, 0)
			dead.one(queue.None)
			d.pass(time.Millisecond)
			dead.counts(0, 0, 0)
			dead.nothing()
		}
	}},
	{"14.4/source-arn", "In the dead-letter queue a message tells the ARN of the queue it came from, and elsewhere nothing.", func(d *refDesk) {
		there := d.in(broker.Scope{Account: "123456789012", Region: "eu-west-1"})
		for _, suffix := range refSuffixes {
			q, dead := there.pair(suffix, 1)
			q.fill("a")
			require.Empty(d.t, q.one(queue.None).DeadLetterSource)
			q.nothing()
			require.Equal(d.t, "arn:aws:sqs:eu-west-1:123456789012:jobs"+suffix, dead.one(0).DeadLetterSource)
			dead.send(queue.Message{Body: "sent", GroupID: "h"})
			require.Empty(d.t, dead.one(0).DeadLetterSource)
		}
	}},
	{"14.4/group", "The message group is kept, and orders in the dead-letter queue.", func(d *refDesk) {
		q, dead := d.pair(".fifo", 1)
		q.send(queue.Message{Body: "a", GroupID: "x"})
		q.send(queue.Message{Body: "b", GroupID: "x"})
		for range 4 { // each is received once and then moved
			q.poll(queue.None)
		}
		dead.counts(2, 0, 0)
		a := dead.one(time.Minute)
		require.Equal(d.t, "a", a.Body)
		require.Equal(d.t, "x", a.GroupID)
		dead.nothing()
		require.NoError(d.t, dead.Delete(d.ctx, a.Receipt))
		require.Equal(d.t, "b", dead.one(0).Body)
		q, dead = d.pair("", 1)
		q.send(queue.Message{Body: "a", GroupID: "tenant"})
		q.one(queue.None)
		q.nothing()
		require.Equal(d.t, "tenant", dead.one(0).GroupID)
	}},
	{"14.4/deduplication-id", "In a FIFO dead-letter queue a message's deduplication ID is its message ID.", func(d *refDesk) {
		q, dead := d.pair(".fifo", 1)
		sent := q.send(queue.Message{Body: "a", DeduplicationID: "own"})
		require.Equal(d.t, "own", q.one(queue.None).DeduplicationID)
		q.nothing()
		require.Equal(d.t, sent.ID.String(), dead.one(queue.None).DeduplicationID)
		require.False(d.t, dead.send(queue.Message{Body: "b", GroupID: "h", DeduplicationID: "own"}).Duplicate)
		dead.counts(2, 0, 0)
	}},
	{"14.4/equal-bodies", "So a FIFO dead-letter queue with content-based deduplication takes equal bodies of different messages.", func(d *refDesk) {
		dead := d.queue("dead.fifo", "ContentBasedDeduplication", "true")
		for _, name := range []string{"a.fifo", "b.fifo"} {
			q := d.queue(name, "RedrivePolicy", dead.redrive(1), "ContentBasedDeduplication", "true", "DeduplicationScope", "messageGroup")
			for _, group := range []string{"x", "y"} {
				_, err := q.Send(d.ctx, queue.Message{Body: "same", GroupID: group})
				require.NoError(d.t, err)
			}
			require.Len(d.t, q.poll(queue.None), 2)
			q.nothing()
		}
		dead.counts(4, 0, 0)
	}},
	{"14.4/sequence-number", "A FIFO dead-letter queue gives a moved message a number of its own, in order of arrival there.", func(d *refDesk) {
		q, dead := d.pair(".fifo", 1)
		before := dead.send(queue.Message{Body: "before", GroupID: "b"})
		q.send(queue.Message{Body: "a", GroupID: "x"})
		q.send(queue.Message{Body: "b", GroupID: "y"})
		require.Len(d.t, q.poll(queue.None), 2)
		q.nothing()
		after := dead.send(queue.Message{Body: "after", GroupID: "a"})
		numbers := map[string]uint64{}
		for _, m := range dead.poll(0) {
			numbers[m.Body] = m.Sequence
		}
		require.Len(d.t, numbers, 4)
		for _, body := range []string{"a", "b"} {
			require.Greater(d.t, numbers[body], before.Sequence)
			require.Less(d.t, numbers[body], after.Sequence)
		}
		require.NotEqual(d.t, numbers["a"], numbers["b"])
	}},
	{"14.4/order-of-arrival", "A FIFO dead-letter queue is in order of arrival there, whatever was sent first.", func(d *refDesk) {
		dead := d.queue("dead.fifo")
		early := d.queue("early.fifo", "RedrivePolicy", dead.redrive(1))
		late := d.queue("late.fifo", "RedrivePolicy", dead.redrive(1))
		early.send(queue.Message{Body: "early"})
		time.Sleep(time.Minute)
		late.send(queue.Message{Body: "late"})
		for _, q := range []*refQueue{late, early} {
			q.one(queue.None)
			q.nothing()
			time.Sleep(time.Second)
		}
		require.Equal(d.t, []string{"late", "early"}, dead.drain())
	}},
	{"14.4/group-goes-on", "When a FIFO queue's message has moved, its group goes on with the next.", func(d *refDesk) {
		q, dead := d.pair(".fifo", 1)
		q.fill("a", "b", "c")
		require.Equal(d.t, "a", q.one(time.Second).Body)
		q.nothing()
		time.Sleep(time.Second)
		receive := queue.ReceiveOptions{Max: 1, Wait: queue.None, VisibilityTimeout: time.Second}
		ds, err := q.Receive(d.ctx, receive)
		require.NoError(d.t, err)
		if len(ds) == 0 { // it moved a and left it at that
			ds, err = q.Receive(d.ctx, receive)
			require.NoError(d.t, err)
		}
		require.Len(d.t, ds, 1)
		b := ds[0]
		require.Equal(d.t, "b", b.Body)
		require.Equal(d.t, 1, b.ReceiveCount)
		dead.counts(1, 0, 0)
		q.counts(1, 1, 0)
		require.NoError(d.t, q.Delete(d.ctx, b.Receipt))
		require.Equal(d.t, "c", q.one(0).Body)
	}},
	{"14.4/no-delay", "The dead-letter queue's own delay is not applied to a moved message.", func(d *refDesk) {
		for _, suffix := range refSuffixes {
			q, dead := d.pair(suffix, 1)
			dead.set("DelaySeconds", "900")
			q.fill("a")
			q.one(queue.None)
			q.nothing()
			dead.counts(1, 0, 0)
			require.Equal(d.t, "a", dead.one(0).Body)
		}
	}},
	{"14.5/not-a-send", "A move doesn't count as a message sent to the dead-letter queue, nor as deleted from the source.", func(d *refDesk) {
		for _, suffix := range refSuffixes {
			q, dead := d.pair(suffix, 1)
			q.fill("a")
			q.one(queue.None)
			q.nothing()
			s, t := q.stats(), dead.stats()
			require.Equal(d.t, []uint64{1, 0, 0, 1, 0}, []uint64{s.Accepted, s.Adopted, s.Deleted, s.Moved, s.Expired})
			require.Equal(d.t, []uint64{0, 1, 0, 0}, []uint64{t.Accepted, t.Adopted, t.Deleted, t.Moved})
		}
	}},
	{"14.6/target-deleted", "When the dead-letter queue is deleted, messages stay in the source and are delivered on; none is lost.", func(d *refDesk) {
		for _, suffix := range refSuffixes {
			q, _ := d.pair(suffix, 1)
			q.fill("a")
			q.send(queue.Message{Body: "b", GroupID: "h"})
			q.one(time.Second)
			d.remove("dead" + suffix)
			for range 5 {
				time.Sleep(time.Second)
				require.Len(d.t, q.poll(time.Second), 2)
				q.counts(0, 2, 0)
			}
			d.pass(time.Second)
			q.counts(2, 0, 0)
			require.ElementsMatch(d.t, []string{"a", "b"}, q.drain())
		}
	}},
	{"14.6/target-back", "When a dead-letter queue of that name is there again, messages move to it.", func(d *refDesk) {
		for _, suffix := range refSuffixes {
			q, _ := d.pair(suffix, 1)
			q.fill("a")
			q.one(queue.None)
			d.remove("dead" + suffix)
			require.Equal(d.t, 2, q.one(queue.None).ReceiveCount)
			dead := d.queue("dead" + suffix)
			q.nothing()
			require.Equal(d.t, 3, dead.one(0).ReceiveCount)
		}
	}},
	{"14.6/target-deleted-kept-over-restart", "A queue whose dead-letter queue is gone opens again and delivers on.", func(d *refDesk) {
		d = d.durable()
		q, _ := d.pair("", 1)
		q.fill("a")
		q.one(queue.None)
		d.remove("dead")
		d.restart(time.Minute)
		q = d.get("jobs")
		require.Equal(d.t, 2, q.one(queue.None).ReceiveCount)
		require.Equal(d.t, "a", q.one(queue.None).Body)
		q.counts(1, 0, 0)
	}},
	{"14.6/itself", "A queue can't be its own dead-letter queue.", func(d *refDesk) {
		for _, suffix := range refSuffixes {
			q := d.queue("jobs" + suffix)
			err := q.trySet("RedrivePolicy", q.redrive(3))
			d.blames(err, queue.ErrInvalidParameter, "RedrivePolicy")
			q.lacks("RedrivePolicy")
		}
		require.Error(d.t, d.try("own", "RedrivePolicy", refPolicyText("arn:aws:sqs:us-east-1:000000000000:own", `"3"`)))
	}},
	{"14.6/chain", "A dead-letter queue may have one of its own; the second move tells the first's ARN.", func(d *refDesk) {
		for _, suffix := range refSuffixes {
			last := d.queue("last" + suffix)
			q, dead := d.pair(suffix, 1)
			dead.set("RedrivePolicy", last.redrive(2))
			q.fill("a")
			q.one(queue.None)
			q.nothing()
			require.Equal(d.t, 2, dead.one(queue.None).ReceiveCount)
			dead.nothing()
			m := last.one(0)
			require.Equal(d.t, 3, m.ReceiveCount)
			require.Equal(d.t, dead.ARN(), m.DeadLetterSource)
		}
	}},
	{"14.6/sources", "A dead-letter queue lists the queues whose policy names it.", func(d *refDesk) {
		q, dead := d.pair("", 1)
		sources, _, err := dead.DeadLetterSources(broker.ListOptions{})
		require.NoError(d.t, err)
		require.Len(d.t, sources, 1)
		require.Equal(d.t, q.ARN(), sources[0].ARN())
		sources, _, err = q.DeadLetterSources(broker.ListOptions{})
		require.NoError(d.t, err)
		require.Empty(d.t, sources)
	}},
}
