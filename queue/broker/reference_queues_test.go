package broker_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
)

var referenceCreate = []referenceRow{
	{"4.1/standard-unless-fifo", "A queue is a Standard queue unless FifoQueue is true.", func(d *refDesk) {
		require.Equal(d.t, queue.Standard, d.queue("jobs").Kind())
		require.Equal(d.t, queue.Standard, d.queue("fifo").Kind())
		require.Equal(d.t, queue.FIFO, d.queue("jobs.fifo").Kind())
	}},
	{"4.1/attributes-apply", "The attributes given at creation are the queue's; those not given have their defaults.", func(d *refDesk) {
		q := d.queue("jobs", "VisibilityTimeout", "7", "DelaySeconds", "3", "MaximumMessageSize", "2048", "MessageRetentionPeriod", "90", "ReceiveMessageWaitTimeSeconds", "2")
		require.Equal(d.t, map[string]string{"VisibilityTimeout": "7", "DelaySeconds": "3", "MaximumMessageSize": "2048", "MessageRetentionPeriod": "90", "ReceiveMessageWaitTimeSeconds": "2"},
			q.attrs("VisibilityTimeout", "DelaySeconds", "MaximumMessageSize", "MessageRetentionPeriod", "ReceiveMessageWaitTimeSeconds"))
		q.fill("a")
		q.counts(0, 0, 1)
		began := time.Now()
		ds, err := q.Receive(d.ctx, queue.ReceiveOptions{Wait: 10 * time.Second})
		require.NoError(d.t, err)
		require.Len(d.t, ds, 1)
		require.Equal(d.t, 3*time.Second, time.Since(began))
		require.Equal(d.t, began.Add(10*time.Second), ds[0].VisibleAt)
		require.Equal(d.t, "30", d.queue("other", "DelaySeconds", "3").attr("VisibilityTimeout"))
	}},
	{"4.1/repeat-without-attributes", "Creating again without attributes finds the queue, whatever its settings.", func(d *refDesk) {
		q := d.queue("jobs", "VisibilityTimeout", "7", "DelaySeconds", "0")
		q.set("MessageRetentionPeriod", "90")
		q.fill("a")
		before := q.attrs("All")
		again := d.queue("jobs")
		require.Equal(d.t, q.ARN(), again.ARN())
		require.Equal(d.t, before, again.attrs("All"))
		require.Equal(d.t, "a", again.one(0).Body)
		q.counts(0, 1, 0)
	}},
	{"4.1/repeat-same-values", "Creating again with attributes that the queue has finds the queue.", func(d *refDesk) {
		q := d.queue("jobs", "VisibilityTimeout", "7")
		q.fill("a")
		before := q.attrs("All")
		time.Sleep(time.Minute)
		again := d.queue("jobs", "VisibilityTimeout", "7", "DelaySeconds", "0")
		require.Equal(d.t, before, again.attrs("All"))
		require.Equal(d.t, "a", again.one(0).Body)
		d.queue("jobs.fifo", "ContentBasedDeduplication", "true")
		d.queue("jobs.fifo", "ContentBasedDeduplication", "true")
	}},
	{"4.1/repeat-compares-given-only", "Creating again compares what is given and leaves the rest alone, also where it has no default.", func(d *refDesk) {
		q := d.queue("jobs", "VisibilityTimeout", "7", "DelaySeconds", "3")
		d.queue("jobs", "DelaySeconds", "3")
		d.queue("jobs", "VisibilityTimeout", "7")
		require.Equal(d.t, "7", q.attr("VisibilityTimeout"))
		require.Equal(d.t, "3", q.attr("DelaySeconds"))
		f := d.queue("jobs.fifo", "ContentBasedDeduplication", "true", "DeduplicationScope", "messageGroup")
		d.queue("jobs.fifo")
		require.Equal(d.t, "true", f.attr("ContentBasedDeduplication"))
		require.Equal(d.t, "messageGroup", f.attr("DeduplicationScope"))
	}},
	{"4.1/repeat-compares-current-values", "Creating again compares with what the queue is now, not with what it was created with.", func(d *refDesk) {
		q := d.queue("jobs", "VisibilityTimeout", "7")
		q.set("VisibilityTimeout", "8")
		d.blames(d.try("jobs", "VisibilityTimeout", "7"), broker.ErrQueueExists, "VisibilityTimeout")
		d.queue("jobs", "VisibilityTimeout", "8")
		require.Equal(d.t, "8", q.attr("VisibilityTimeout"))
		dead := d.queue("dead")
		q.set("RedrivePolicy", dead.redrive(3))
		d.queue("jobs", "RedrivePolicy", dead.redrive(3))
		q.set("RedrivePolicy", "")
		d.blames(d.try("jobs", "RedrivePolicy", dead.redrive(3)), broker.ErrQueueExists, "RedrivePolicy")
	}},
	{"4.1/repeat-other-value", "Creating again with another value of any attribute is refused, naming the attribute, and changes nothing.", func(d *refDesk) {
		dead := d.queue("dead")
		q := d.queue("jobs")
		before := q.attrs("All")
		for name, value := range map[string]string{
			"VisibilityTimeout": "31", "DelaySeconds": "1", "MaximumMessageSize": "1024", "MessageRetentionPeriod": "60",
			"ReceiveMessageWaitTimeSeconds": "1", "SqsManagedSseEnabled": "false", "Policy": refPolicy,
			"RedrivePolicy": dead.redrive(1), "RedriveAllowPolicy": `{"redrivePermission":"denyAll"}`, "KmsMasterKeyId": "alias/aws/sqs",
		} {
			d.blames(d.try("jobs", name, value), broker.ErrQueueExists, name, name)
		}
		require.Equal(d.t, before, q.attrs("All"))
		d.queue("jobs.fifo")
		for name, value := range map[string]string{"ContentBasedDeduplication": "true", "DeduplicationScope": "messageGroup"} {
			d.blames(d.try("jobs.fifo", "FifoQueue", "true", name, value), broker.ErrQueueExists, name, name)
		}
	}},
	{"4.1/repeat-tags", "Tags are not compared when creating again, and not applied.", func(d *refDesk) {
		q, err := d.b.CreateTagged(d.ctx, "jobs", nil, map[string]string{"team": "a"})
		require.NoError(d.t, err)
		_, err = d.b.CreateTagged(d.ctx, "jobs", nil, map[string]string{"team": "b", "more": "c"})
		require.NoError(d.t, err)
		d.queue("jobs", "VisibilityTimeout", "30")
		tags, err := q.Tags(d.ctx)
		require.NoError(d.t, err)
		require.Equal(d.t, map[string]string{"team": "a"}, tags)
	}},
	{"4.1/recreate-cooldown", "A deleted queue's name can't be given again for 60 seconds, in that account and region, where cooldowns are enforced.", func(d *refDesk) {
		d = d.with(broker.Options{EnforceCooldowns: true})
		d.queue("jobs")
		d.queue("other")
		d.remove("jobs")
		sentence := "You must wait 60 seconds after deleting a queue before you can create another with the same name."
		d.says(d.try("jobs"), broker.ErrQueueDeletedRecently, sentence)
		d.queue("job")
		d.queue("other")
		d.queue("Jobs")
		d.in(broker.Scope{Account: "111111111111"}).queue("jobs")
		d.in(broker.Scope{Region: "eu-west-1"}).queue("jobs")
		time.Sleep(time.Minute - time.Millisecond)
		d.says(d.try("jobs", "VisibilityTimeout", "1"), broker.ErrQueueDeletedRecently, sentence)
		_, err := d.b.GetQueue("jobs")
		require.ErrorIs(d.t, err, broker.ErrQueueNotFound)
		time.Sleep(time.Millisecond)
		d.queue("jobs")
		d.remove("jobs") // a new minute begins
		time.Sleep(59 * time.Second)
		require.ErrorIs(d.t, d.try("jobs"), broker.ErrQueueDeletedRecently)
	}},
	{"4.1/recreate-without-cooldown", "Where cooldowns are not enforced, a deleted queue's name can be given again at once, to a new and empty queue.", func(d *refDesk) {
		q := d.queue("jobs", "VisibilityTimeout", "7")
		require.NoError(d.t, q.Tag(d.ctx, map[string]string{"a": "b"}))
		q.fill("a")
		time.Sleep(10 * time.Second)
		d.remove("jobs")
		again := d.queue("jobs")
		again.counts(0, 0, 0)
		require.Equal(d.t, "30", again.attr("VisibilityTimeout"))
		require.Equal(d.t, strconv.FormatInt(time.Now().Unix(), 10), again.attr("CreatedTimestamp"))
		tags, err := again.Tags(d.ctx)
		require.NoError(d.t, err)
		require.Empty(d.t, tags)
		require.ErrorIs(d.t, q.Purge(d.ctx), queue.ErrQueueDeleted)
		_, err = q.Send(d.ctx, queue.Message{Body: "b"})
		require.ErrorIs(d.t, err, queue.ErrQueueDeleted)
		again.counts(0, 0, 0)
	}},
	{"4.1/name-errors", "A bad name is refused by the sentence of its kind of queue, an empty one by another.", func(d *refDesk) {
		for _, name := range []string{"a b", "a/b", strings.Repeat("n", 81)} {
			d.says(d.try(name), queue.ErrInvalidParameter, refStandardName)
			d.says(d.try(name, "VisibilityTimeout", "1"), queue.ErrInvalidParameter, refStandardName)
		}
		for _, name := range []string{"a b.fifo", "a.b.fifo", ".fifo", strings.Repeat("n", 76) + ".fifo"} {
			d.says(d.try(name, "FifoQueue", "true"), queue.ErrInvalidParameter, refFIFOName)
		}
		d.says(d.try(""), queue.ErrInvalidParameter, "Queue name cannot be empty")
		names, _ := d.list(broker.ListOptions{})
		require.Empty(d.t, names)
	}},
	{"4.1/suffix-without-fifo", "A name that ends in .fifo is none of a Standard queue.", func(d *refDesk) {
		require.ErrorIs(d.t, d.try("jobs.fifo"), queue.ErrInvalidParameter)
		require.ErrorIs(d.t, d.try("jobs.fifo", "VisibilityTimeout", "1"), queue.ErrInvalidParameter)
		_, err := d.b.GetQueue("jobs.fifo")
		require.ErrorIs(d.t, err, broker.ErrQueueNotFound)
	}},
	{"4.1/fifo-without-suffix", "A FIFO queue's name without the suffix is refused by the sentence of FIFO names.", func(d *refDesk) {
		for _, name := range []string{"jobs", "jobsfifo", "jobs.fif", "jobs.Fifo"} {
			d.says(d.try(name, "FifoQueue", "true"), queue.ErrInvalidParameter, refFIFOName)
		}
	}},
	{"4.1/tags-at-creation", "Tags given at creation are the queue's.", func(d *refDesk) {
		q, err := d.b.CreateTagged(d.ctx, "jobs", map[string]string{"VisibilityTimeout": "7"}, map[string]string{"team": "a", "empty": ""})
		require.NoError(d.t, err)
		tags, err := q.Tags(d.ctx)
		require.NoError(d.t, err)
		require.Equal(d.t, map[string]string{"team": "a", "empty": ""}, tags)
		require.Equal(d.t, "7", (&refQueue{q, d}).attr("VisibilityTimeout"))
	}},
	{"4.1/kept-over-restart", "Queues of a durable broker, their kind, attributes and times are the same after a restart.", func(d *refDesk) {
		d = d.durable()
		time.Sleep(90 * time.Second)
		dead := d.queue("dead", "RedriveAllowPolicy", `{"redrivePermission":"allowAll"}`)
		d.queue("jobs", "VisibilityTimeout", "7", "DelaySeconds", "3", "MaximumMessageSize", "2048", "MessageRetentionPeriod", "900", "ReceiveMessageWaitTimeSeconds", "2",
			"Policy", refPolicy, "RedrivePolicy", dead.redrive(3), "KmsMasterKeyId", "alias/aws/sqs", "KmsDataKeyReusePeriodSeconds", "600")
		d.queue("jobs.fifo", "ContentBasedDeduplication", "true", "DeduplicationScope", "messageGroup", "FifoThroughputLimit", "perMessageGroupId")
		d.in(broker.Scope{Account: "111111111111"}).queue("jobs", "VisibilityTimeout", "11")
		time.Sleep(90 * time.Second)
		d.get("jobs").set("VisibilityTimeout", "8")
		d.queue("gone").fill("a")
		d.remove("gone")
		names := []string{"dead", "jobs", "jobs.fifo"}
		before := map[string]map[string]string{}
		for _, name := range names {
			before[name] = d.get(name).attrs("All")
		}
		d.restart(time.Hour)
		listed, _ := d.list(broker.ListOptions{})
		require.Equal(d.t, names, listed)
		for _, name := range names {
			require.Equal(d.t, before[name], d.get(name).attrs("All"), name)
		}
		require.Equal(d.t, queue.FIFO, d.get("jobs.fifo").Kind())
		require.Equal(d.t, "11", d.in(broker.Scope{Account: "111111111111"}).get("jobs").attr("VisibilityTimeout"))
		require.Equal(d.t, "arn:aws:sqs:us-east-1:111111111111:jobs", d.in(broker.Scope{Account: "111111111111"}).get("jobs").ARN())
		d.queue("gone").counts(0, 0, 0)
		q := d.get("jobs")
		q.fill("a")
		q.counts(0, 0, 1) // the delay is in force
		d.pass(3 * time.Second)
		require.Equal(d.t, time.Now().Add(8*time.Second), q.one(0).VisibleAt)
	}},
}

var referenceDelete = []referenceRow{
	{"4.2/with-messages", "A queue is deleted with all its messages, in whatever state they are.", func(d *refDesk) {
		for _, name := range []string{"jobs", "jobs.fifo"} {
			q := d.queue(name)
			q.fill("a", "b")
			m := q.one(0)
			if q.Kind() == queue.Standard {
				q.send(queue.Message{Body: "c", Delay: time.Minute})
			}
			d.remove(name)
			_, err := d.b.GetQueue(name)
			require.ErrorIs(d.t, err, broker.ErrQueueNotFound)
			names, _ := d.list(broker.ListOptions{})
			require.Empty(d.t, names)
			again := d.queue(name)
			d.pass(time.Hour)
			again.counts(0, 0, 0)
			again.nothing()
			again.send(queue.Message{Body: "a"}) // not a duplicate: that was another queue
			again.counts(1, 0, 0)
			require.Error(d.t, again.Delete(d.ctx, m.Receipt), "a receipt of the queue that was")
			again.counts(1, 0, 0)
			d.remove(name)
		}
	}},
	{"4.2/unknown-queue", "Deleting a queue that isn't there is refused.", func(d *refDesk) {
		require.ErrorIs(d.t, d.b.DeleteQueue(d.ctx, "jobs"), broker.ErrQueueNotFound)
		d.queue("jobs")
		d.remove("jobs")
		require.ErrorIs(d.t, d.b.DeleteQueue(d.ctx, "jobs"), broker.ErrQueueNotFound)
	}},
	{"4.2/calls-after", "Where calls on SQS may succeed for up to a minute after the deletion, here all are refused at once.", func(d *refDesk) {
		q := d.queue("jobs", "MessageRetentionPeriod", "3600")
		q.fill("a", "b")
		m := q.one(0)
		d.remove("jobs")
		_, receive := q.Receive(d.ctx, queue.ReceiveOptions{Wait: 20 * time.Second})
		_, send := q.Send(d.ctx, queue.Message{Body: "c"})
		_, batch := q.SendBatch(d.ctx, []queue.Message{{Body: "c"}})
		_, attributes := q.Attributes(d.ctx, "All")
		_, tags := q.Tags(d.ctx)
		_, _, sources := q.DeadLetterSources(broker.ListOptions{})
		for name, err := range map[string]error{
			"Receive": receive, "Send": send, "SendBatch": batch, "Attributes": attributes, "Tags": tags, "DeadLetterSources": sources,
			"Delete":                q.Delete(d.ctx, m.Receipt),
			"DeleteBatch":           q.DeleteBatch(d.ctx, []queue.Receipt{m.Receipt}),
			"ChangeVisibility":      q.ChangeVisibility(d.ctx, m.Receipt, time.Minute),
			"ChangeVisibilityBatch": q.ChangeVisibilityBatch(d.ctx, []queue.VisibilityChange{{Receipt: m.Receipt, Timeout: time.Minute}}),
			"SetAttributes":         q.trySet("VisibilityTimeout", "1"),
			"Reconfigure":           q.Reconfigure(d.ctx, queue.Config{Name: "jobs"}),
			"Purge":                 q.Purge(d.ctx),
			"Tag":                   q.Tag(d.ctx, map[string]string{"a": "b"}),
			"Untag":                 q.Untag(d.ctx, "a"),
			"AddPermission":         q.AddPermission(d.ctx, "label", []string{"111111111111"}, []string{"SendMessage"}),
			"RemovePermission":      q.RemovePermission(d.ctx, "label"),
		} {
			require.ErrorIs(d.t, err, queue.ErrQueueDeleted, name)
		}
		require.Equal(d.t, "jobs", q.Name())
		require.Equal(d.t, "arn:aws:sqs:us-east-1:000000000000:jobs", q.ARN())
	}},
	{"4.2/waiting-receivers", "Receivers that wait at a queue when it is deleted are told so at once.", func(d *refDesk) {
		for _, name := range []string{"jobs", "jobs.fifo"} {
			q := d.queue(name)
			errs := make(chan error, 3)
			for range cap(errs) {
				go func() {
					_, err := q.Receive(d.ctx, queue.ReceiveOptions{Wait: 20 * time.Second})
					errs <- err
				}()
			}
			d.pass(5 * time.Second)
			began := time.Now()
			d.remove(name)
			for range cap(errs) {
				require.ErrorIs(d.t, <-errs, queue.ErrQueueDeleted)
			}
			require.Zero(d.t, time.Since(began))
		}
	}},
	{"4.2/destination-of-a-move", "A move task whose destination is deleted turns FAILED.", func(d *refDesk) {
		dead, to := d.deadWith(5), d.queue("to")
		d.move(dead, to, 1)
		d.pass(1500 * time.Millisecond)
		d.remove("to")
		d.pass(10 * time.Second)
		task := d.task(dead)
		require.Equal(d.t, broker.Failed, task.Status)
		require.Equal(d.t, 5-task.Moved, dead.visible())
	}},
	{"4.2/dead-letter-queue", "A dead-letter queue can be deleted, and its sources live on.", func(d *refDesk) {
		dead := d.queue("dead")
		q := d.queue("jobs", "RedrivePolicy", dead.redrive(1))
		d.remove("dead")
		require.Equal(d.t, dead.redrive(1), q.attr("RedrivePolicy"))
		q.fill("a")
		require.Equal(d.t, "a", q.one(0).Body)
	}},
}

var referenceList = []referenceRow{
	{"4.3/get-unknown", "Getting a queue that isn't there is refused.", func(d *refDesk) {
		_, err := d.b.GetQueue("jobs")
		require.ErrorIs(d.t, err, broker.ErrQueueNotFound)
		d.queue("jobs")
		d.get("jobs")
		for _, name := range []string{"job", "jobs2", "JOBS", "jobs.fifo", ""} {
			_, err = d.b.GetQueue(name)
			require.Error(d.t, err, "%q", name)
		}
	}},
	{"4.3/other-account", "A queue of another account can be got by naming the account.", func(d *refDesk) {
		other := d.in(broker.Scope{Account: "111111111111"})
		other.queue("jobs").fill("a")
		require.Equal(d.t, "arn:aws:sqs:us-east-1:111111111111:jobs", d.in(broker.Scope{Account: "111111111111"}).get("jobs").ARN())
		require.Equal(d.t, "a", d.in(broker.Scope{Account: "111111111111"}).get("jobs").one(0).Body)
		_, err := d.b.GetQueue("jobs")
		require.ErrorIs(d.t, err, broker.ErrQueueNotFound)
		_, err = other.in(broker.Scope{Region: "eu-west-1"}).b.GetQueue("jobs")
		require.ErrorIs(d.t, err, broker.ErrQueueNotFound)
	}},
	{"4.3/prefix", "The list is filtered by a prefix of names, case-sensitively.", func(d *refDesk) {
		for _, name := range []string{"jobs", "jobs-2", "Jobs", "job", "other-jobs"} {
			d.queue(name)
		}
		d.queue("jobs.fifo")
		for prefix, want := range map[string][]string{
			"jobs": {"jobs", "jobs-2", "jobs.fifo"}, "J": {"Jobs"}, "jobs.": {"jobs.fifo"}, "other": {"other-jobs"},
			"jobs-2": {"jobs-2"}, "jobs-22": {}, "JOBS": {}, "*": {},
			"": {"Jobs", "job", "jobs", "jobs-2", "jobs.fifo", "other-jobs"},
		} {
			names, next := d.list(broker.ListOptions{Prefix: prefix})
			require.Equal(d.t, want, names, "%q", prefix)
			require.Empty(d.t, next)
		}
	}},
	{"4.3/at-most-a-thousand", "Without a maximum up to 1000 queues are listed, and never a token given.", func(d *refDesk) {
		for i := range 1001 {
			d.queue(fmt.Sprintf("jobs-%04d", i))
		}
		names, next := d.list(broker.ListOptions{})
		require.Len(d.t, names, 1000)
		require.Empty(d.t, next)
		require.Equal(d.t, "jobs-0999", names[999])
		names, next = d.list(broker.ListOptions{Max: 1000})
		require.Len(d.t, names, 1000)
		require.NotEmpty(d.t, next)
		names, next = d.list(broker.ListOptions{Max: 1000, Token: next})
		require.Equal(d.t, []string{"jobs-1000"}, names)
		require.Empty(d.t, next)
	}},
	{"4.3/pages", "With a maximum the list comes in pages, each with a token for the next, every queue once.", func(d *refDesk) {
		want := []string{}
		for i := range 10 {
			want = append(want, fmt.Sprintf("jobs-%d", i))
			d.queue(want[i])
			d.queue(fmt.Sprintf("other-%d", i))
		}
		for _, size := range []int{1, 3, 5, 9, 10, 11} {
			got, o := []string{}, broker.ListOptions{Prefix: "jobs", Max: size}
			for pages := 0; ; pages++ {
				require.LessOrEqual(d.t, pages, 11)
				names, next := d.list(o)
				require.LessOrEqual(d.t, len(names), size)
				got = append(got, names...)
				if next == "" {
					break
				}
				require.Len(d.t, names, size, "a page with a token is full")
				o.Token = next
			}
			require.Equal(d.t, want, got, "pages of %d", size)
		}
		names, next := d.list(broker.ListOptions{Max: 4})
		require.Equal(d.t, want[:4], names)
		d.remove("jobs-3") // where the page ended
		d.queue("jobs-35")
		names, _ = d.list(broker.ListOptions{Max: 2, Token: next})
		require.Equal(d.t, []string{"jobs-35", "jobs-4"}, names)
	}},
	{"4.3/bad-maximum", "The maximum of a page is 1 to 1000.", func(d *refDesk) {
		sentence := "Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 1000."
		dead := d.queue("dead")
		for _, n := range []int{-1, 1001, -1000} {
			_, _, err := d.b.ListQueues(broker.ListOptions{Max: n})
			d.says(err, queue.ErrInvalidParameter, sentence)
			_, _, err = dead.DeadLetterSources(broker.ListOptions{Max: n})
			d.says(err, queue.ErrInvalidParameter, sentence)
		}
		for _, n := range []int{1, 1000} {
			_, _, err := d.b.ListQueues(broker.ListOptions{Max: n})
			require.NoError(d.t, err)
			_, _, err = dead.DeadLetterSources(broker.ListOptions{Max: n})
			require.NoError(d.t, err)
		}
	}},
	{"4.3/bad-token", "A token that no page gave is refused.", func(d *refDesk) {
		dead := d.queue("dead")
		for _, token := range []string{"nonsense", "!", "AAAA", "123"} {
			_, _, err := d.b.ListQueues(broker.ListOptions{Max: 10, Token: token})
			d.says(err, queue.ErrInvalidParameter, "Invalid or expired next token.")
			_, _, err = dead.DeadLetterSources(broker.ListOptions{Max: 10, Token: token})
			d.says(err, queue.ErrInvalidParameter, "Invalid or expired next token.")
		}
	}},
	{"4.3/order", "Where SQS promises no order, queues are listed by name.", func(d *refDesk) {
		want := []string{}
		for _, name := range []string{"m", "a", "Z", "z-1", "0", "_", "-", "A-2", "mm"} {
			d.queue(name)
			want = append(want, name)
		}
		slices.Sort(want)
		names, _ := d.list(broker.ListOptions{})
		require.Equal(d.t, want, names)
	}},
	{"4.3/own-account-and-region", "The list holds the queues of one account and region.", func(d *refDesk) {
		d.queue("a")
		account, region := d.in(broker.Scope{Account: "111111111111"}), d.in(broker.Scope{Region: "eu-west-1"})
		account.queue("b")
		region.queue("c")
		for want, there := range map[string]*refDesk{"a": d, "b": account, "c": region} {
			names, _ := there.list(broker.ListOptions{})
			require.Equal(d.t, []string{want}, names)
		}
		names, _ := account.in(broker.Scope{Region: "eu-west-1"}).list(broker.ListOptions{})
		require.Empty(d.t, names)
	}},
	{"4.3/dead-letter-sources", "A queue tells whose dead-letter queue it is, in pages like the list; without any it tells none.", func(d *refDesk) {
		dead, other := d.queue("dead"), d.queue("other")
		sources := func(q *refQueue, o broker.ListOptions) ([]string, string) {
			queues, next, err := q.DeadLetterSources(o)
			require.NoError(d.t, err)
			return d.names(queues), next
		}
		names, next := sources(dead, broker.ListOptions{})
		require.Empty(d.t, names)
		require.Empty(d.t, next)
		for _, name := range []string{"e", "b", "d", "a", "c"} {
			d.queue(name, "RedrivePolicy", dead.redrive(3))
		}
		d.queue("f", "RedrivePolicy", other.redrive(3))
		names, next = sources(dead, broker.ListOptions{})
		require.Equal(d.t, []string{"a", "b", "c", "d", "e"}, names)
		require.Empty(d.t, next)
		first, next := sources(dead, broker.ListOptions{Max: 3})
		require.Equal(d.t, []string{"a", "b", "c"}, first)
		require.NotEmpty(d.t, next)
		rest, next := sources(dead, broker.ListOptions{Max: 3, Token: next})
		require.Equal(d.t, []string{"d", "e"}, rest)
		require.Empty(d.t, next)
		d.remove("b")
		d.get("c").set("RedrivePolicy", "")
		d.get("d").set("RedrivePolicy", other.redrive(3))
		names, _ = sources(dead, broker.ListOptions{})
		require.Equal(d.t, []string{"a", "e"}, names)
		names, _ = sources(other, broker.ListOptions{})
		require.Equal(d.t, []string{"d", "f"}, names)
	}},
}

var referenceChange = []referenceRow{
	{"4.4/no-names", "Asking for no attribute gives none.", func(d *refDesk) {
		m, err := d.queue("jobs").Attributes(d.ctx)
		require.NoError(d.t, err)
		require.Empty(d.t, m)
	}},
	{"4.4/all-anywhere", "All among the names asks for everything, wherever it stands.", func(d *refDesk) {
		for _, name := range []string{"jobs", "jobs.fifo"} {
			q := d.queue(name)
			all := q.attrs("All")
			require.GreaterOrEqual(d.t, len(all), len(refAlways))
			require.Equal(d.t, all, q.attrs("VisibilityTimeout", "All"))
			require.Equal(d.t, all, q.attrs("All", "VisibilityTimeout"))
			require.Equal(d.t, all, q.attrs("Policy", "All", "DelaySeconds", "All"))
		}
	}},
	{"4.4/only-what-is-asked-for", "Names ask for those attributes and no others, a repeated name once.", func(d *refDesk) {
		q := d.queue("jobs")
		require.Equal(d.t, map[string]string{"VisibilityTimeout": "30", "DelaySeconds": "0"}, q.attrs("DelaySeconds", "VisibilityTimeout", "DelaySeconds"))
	}},
	{"4.4/unset-is-omitted", "A legal attribute that is not set is left out, without an error.", func(d *refDesk) {
		q := d.queue("jobs")
		for _, name := range []string{"Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds"} {
			require.Empty(d.t, q.attrs(name), name)
			require.Equal(d.t, map[string]string{"DelaySeconds": "0"}, q.attrs(name, "DelaySeconds"))
		}
	}},
	{"4.4/set-replaces-given-only", "Setting attributes leaves those alone that are not given.", func(d *refDesk) {
		dead := d.queue("dead")
		q := d.queue("jobs", "VisibilityTimeout", "7", "DelaySeconds", "3", "MaximumMessageSize", "2048", "MessageRetentionPeriod", "90",
			"ReceiveMessageWaitTimeSeconds", "2", "SqsManagedSseEnabled", "false", "Policy", refPolicy, "RedrivePolicy", dead.redrive(4), "RedriveAllowPolicy", `{"redrivePermission":"denyAll"}`)
		want := q.attrs("All")
		for _, change := range [][2]string{{"VisibilityTimeout", "8"}, {"DelaySeconds", "4"}, {"MaximumMessageSize", "4096"}, {"MessageRetentionPeriod", "91"},
			{"ReceiveMessageWaitTimeSeconds", "3"}, {"SqsManagedSseEnabled", "true"}, {"RedrivePolicy", dead.redrive(5)}, {"RedriveAllowPolicy", `{"redrivePermission":"allowAll"}`}} {
			q.set(change[0], change[1])
			want[change[0]] = change[1]
			require.Equal(d.t, want, q.attrs("All"))
		}
	}},
	{"4.4/set-is-seen-by-all", "A change is in force at once, for everybody who has the queue.", func(d *refDesk) {
		q := d.queue("jobs")
		other := d.get("jobs")
		q.set("MaximumMessageSize", "1024")
		require.Equal(d.t, "1024", other.attr("MaximumMessageSize"))
		_, err := other.Send(d.ctx, queue.Message{Body: strings.Repeat("x", 1025)})
		require.ErrorIs(d.t, err, queue.ErrMessageTooLarge)
	}},
	{"4.4/set-touches-the-modification-time", "Setting attributes moves LastModifiedTimestamp; a refused call, sending and receiving don't.", func(d *refDesk) {
		q := d.queue("jobs")
		created := q.attr("CreatedTimestamp")
		time.Sleep(100 * time.Second)
		q.fill("a")
		q.one(0)
		require.Error(d.t, q.trySet("VisibilityTimeout", "x"))
		require.Equal(d.t, created, q.attr("LastModifiedTimestamp"))
		q.set("VisibilityTimeout", "8")
		require.Equal(d.t, strconv.FormatInt(time.Now().Unix(), 10), q.attr("LastModifiedTimestamp"))
		require.NotEqual(d.t, created, q.attr("LastModifiedTimestamp"))
		require.Equal(d.t, created, q.attr("CreatedTimestamp"))
	}},
	{"4.4/refused-set-changes-nothing", "When one attribute is refused, none is set.", func(d *refDesk) {
		q := d.queue("jobs")
		before := q.attrs("All")
		time.Sleep(10 * time.Second)
		for range 20 { // maps come in any order
			require.Error(d.t, q.trySet("VisibilityTimeout", "8", "DelaySeconds", "901", "MaximumMessageSize", "2048"))
			require.Error(d.t, q.trySet("VisibilityTimeout", "8", "RedrivePolicy", "x", "Policy", refPolicy))
			require.Equal(d.t, before, q.attrs("All"))
		}
	}},
	{"4.4/visibility-timeout-of-later-receives", "A changed VisibilityTimeout holds for later receives, not for messages in flight.", func(d *refDesk) {
		for _, name := range []string{"jobs", "jobs.fifo"} {
			for _, changed := range []string{"5", "0", "1000"} {
				q := d.queue(name, "VisibilityTimeout", "30")
				q.fill("a" + changed)
				m := q.one(0)
				q.set("VisibilityTimeout", changed)
				require.Equal(d.t, time.Now().Add(30*time.Second), m.VisibleAt)
				time.Sleep(30*time.Second - time.Millisecond)
				q.nothing()
				time.Sleep(time.Millisecond)
				seconds, err := strconv.Atoi(changed)
				require.NoError(d.t, err)
				m = q.one(0)
				require.Equal(d.t, time.Now().Add(time.Duration(seconds)*time.Second), m.VisibleAt)
				d.remove(name)
			}
		}
	}},
	{"4.4/delay-of-a-standard-queue", "A changed DelaySeconds of a Standard queue holds for later sends only.", func(d *refDesk) {
		q := d.queue("jobs", "DelaySeconds", "10")
		q.fill("a")
		time.Sleep(5 * time.Second)
		q.set("DelaySeconds", "100")
		q.fill("b")
		time.Sleep(5*time.Second - time.Millisecond)
		q.nothing()
		time.Sleep(time.Millisecond)
		require.Equal(d.t, "a", q.one(time.Hour).Body)
		q.set("DelaySeconds", "0")
		q.counts(0, 1, 1)
		q.fill("c")
		require.Equal(d.t, "c", q.one(time.Hour).Body)
		time.Sleep(95*time.Second - time.Millisecond)
		q.nothing()
		time.Sleep(time.Millisecond)
		require.Equal(d.t, "b", q.one(0).Body)
	}},
	{"4.4/delay-of-a-fifo-queue", "A changed DelaySeconds of a FIFO queue holds for what is in it too, counted from the sending.", func(d *refDesk) {
		q := d.queue("jobs.fifo", "DelaySeconds", "10")
		q.fill("a")
		time.Sleep(5 * time.Second)
		q.set("DelaySeconds", "100")
		time.Sleep(95*time.Second - time.Millisecond)
		q.nothing()
		q.counts(0, 0, 1)
		time.Sleep(time.Millisecond)
		require.NoError(d.t, q.Delete(d.ctx, q.one(0).Receipt))

		q.fill("b")
		time.Sleep(10 * time.Second)
		q.set("DelaySeconds", "20")
		time.Sleep(10*time.Second - time.Millisecond)
		q.nothing()
		time.Sleep(time.Millisecond)
		require.Equal(d.t, "b", q.one(0).Body)

		q.send(queue.Message{Body: "c", GroupID: "h"})
		q.nothing()
		got := make(chan []queue.Delivery, 1)
		go func() {
			ds, _ := q.Receive(d.ctx, queue.ReceiveOptions{Wait: 15 * time.Second})
			got <- ds
		}()
		synctest.Wait()
		began := time.Now()
		q.set("DelaySeconds", "0") // wakes who waits
		ds := <-got
		require.Len(d.t, ds, 1)
		require.Equal(d.t, "c", ds[0].Body)
		require.Zero(d.t, time.Since(began))
	}},
	{"4.4/retention-of-existing-messages", "A changed MessageRetentionPeriod holds for the messages that are there: shorter it ends them, longer it prolongs them.", func(d *refDesk) {
		for _, name := range []string{"jobs", "jobs.fifo"} {
			q := d.queue(name, "MessageRetentionPeriod", "3600")
			q.fill("a")
			q.send(queue.Message{Body: "b", GroupID: "h"})
			q.one(12 * time.Hour)
			time.Sleep(100 * time.Second)
			q.send(queue.Message{Body: "c", GroupID: "i"})
			q.set("MessageRetentionPeriod", "60")
			synctest.Wait()
			q.counts(1, 0, 0)
			time.Sleep(59 * time.Second)
			q.set("MessageRetentionPeriod", "3600")
			time.Sleep(time.Hour - 59*time.Second - time.Millisecond)
			require.Equal(d.t, "c", q.one(queue.None).Body)
			d.pass(time.Millisecond)
			q.nothing()
			q.counts(0, 0, 0)
		}
	}},
	{"4.4/wait-of-later-receives", "A changed ReceiveMessageWaitTimeSeconds holds for receives that begin later.", func(d *refDesk) {
		q := d.queue("jobs", "ReceiveMessageWaitTimeSeconds", "20")
		ended := make(chan time.Time, 1)
		began := time.Now()
		go func() {
			_, _ = q.Receive(d.ctx, queue.ReceiveOptions{})
			ended <- time.Now()
		}()
		d.pass(2 * time.Second)
		q.set("ReceiveMessageWaitTimeSeconds", "1")
		_, err := q.Receive(d.ctx, queue.ReceiveOptions{})
		require.NoError(d.t, err)
		require.Equal(d.t, 3*time.Second, time.Since(began))
		require.Equal(d.t, 20*time.Second, (<-ended).Sub(began))
	}},
	{"4.4/deduplication-scope-of-later-sends", "A changed DeduplicationScope holds for IDs first sent later.", func(d *refDesk) {
		q := d.queue("jobs.fifo")
		send := func(group, id string) bool {
			return q.send(queue.Message{Body: "x", GroupID: group, DeduplicationID: id}).Duplicate
		}
		require.False(d.t, send("x", "1"))
		require.True(d.t, send("y", "1"))
		q.set("DeduplicationScope", "messageGroup")
		time.Sleep(6 * time.Minute)
		require.False(d.t, send("x", "2"))
		require.False(d.t, send("y", "2"))
		require.True(d.t, send("y", "2"))
		q.set("DeduplicationScope", "queue")
		time.Sleep(6 * time.Minute)
		require.False(d.t, send("x", "3"))
		require.True(d.t, send("y", "3"))
	}},
	{"4.4/kept-over-restart", "What was set is in force after a restart, and so is what it does to messages that are there.", func(d *refDesk) {
		d = d.durable()
		q, f := d.queue("jobs"), d.queue("jobs.fifo")
		q.fill("a")
		f.fill("a")
		q.set("MessageRetentionPeriod", "600", "VisibilityTimeout", "3")
		f.set("DelaySeconds", "60", "ContentBasedDeduplication", "true")
		q.set("MessageRetentionPeriod", "900")
		d.restart(10 * time.Second)
		q, f = d.get("jobs"), d.get("jobs.fifo")
		require.Equal(d.t, time.Now().Add(3*time.Second), q.one(0).VisibleAt)
		_, err := f.Send(d.ctx, queue.Message{Body: "b", GroupID: "h"})
		require.NoError(d.t, err)
		time.Sleep(50*time.Second - time.Millisecond)
		f.nothing()
		time.Sleep(time.Millisecond)
		require.Equal(d.t, "a", f.one(0).Body)
		d.pass(840*time.Second - time.Millisecond)
		q.counts(1, 0, 0)
		d.pass(time.Millisecond)
		q.counts(0, 0, 0)
	}},
}

var referencePurge = []referenceRow{
	{"4.5/every-state", "A purge removes what is visible, in flight and delayed.", func(d *refDesk) {
		for _, name := range []string{"jobs", "jobs.fifo"} {
			q := d.queue(name)
			q.fill("a", "b", "c")
			q.one(10 * time.Second)
			if q.Kind() == queue.Standard {
				q.send(queue.Message{Body: "d", Delay: 10 * time.Second})
				q.counts(2, 1, 1)
			}
			require.NoError(d.t, q.Purge(d.ctx))
			q.counts(0, 0, 0)
			d.pass(time.Minute)
			q.nothing()
			q.counts(0, 0, 0)
		}
		q := d.queue("delayed.fifo", "DelaySeconds", "10")
		q.fill("a")
		q.counts(0, 0, 1)
		require.NoError(d.t, q.Purge(d.ctx))
		d.pass(time.Minute)
		q.nothing()
	}},
	{"4.5/forgets-deduplication", "After a purge the same deduplication ID can be sent again at once.", func(d *refDesk) {
		for _, scope := range []string{"queue", "messageGroup"} {
			q := d.queue(scope+".fifo", "DeduplicationScope", scope)
			first := q.send(queue.Message{Body: "a"})
			require.True(d.t, q.send(queue.Message{Body: "a"}).Duplicate)
			require.NoError(d.t, q.Purge(d.ctx))
			again := q.send(queue.Message{Body: "a"})
			require.False(d.t, again.Duplicate)
			require.NotEqual(d.t, first.ID, again.ID)
			require.Greater(d.t, again.Sequence, first.Sequence)
			q.counts(1, 0, 0)
		}
	}},
	{"4.5/cooldown", "A queue is purged once in 60 seconds, where cooldowns are enforced; the error names the queue.", func(d *refDesk) {
		d = d.with(broker.Options{EnforceCooldowns: true})
		q, other := d.queue("jobs"), d.queue("other")
		require.NoError(d.t, q.Purge(d.ctx))
		q.fill("a")
		d.says(q.Purge(d.ctx), broker.ErrPurgeInProgress, "Only one PurgeQueue operation on jobs is allowed every 60 seconds.")
		d.says(d.get("jobs").Purge(d.ctx), broker.ErrPurgeInProgress, "Only one PurgeQueue operation on jobs is allowed every 60 seconds.")
		q.counts(1, 0, 0)
		require.NoError(d.t, other.Purge(d.ctx))
		there := d.in(broker.Scope{Account: "111111111111"}).queue("jobs")
		require.NoError(d.t, there.Purge(d.ctx))
		time.Sleep(time.Minute - time.Millisecond)
		require.ErrorIs(d.t, q.Purge(d.ctx), broker.ErrPurgeInProgress)
		time.Sleep(time.Millisecond)
		require.NoError(d.t, q.Purge(d.ctx)) // a refused purge does not count
		q.counts(0, 0, 0)
		require.ErrorIs(d.t, q.Purge(d.ctx), broker.ErrPurgeInProgress)
	}},
	{"4.5/without-cooldown", "Where cooldowns are not enforced, a queue can be purged again at once.", func(d *refDesk) {
		q := d.queue("jobs")
		for range 3 {
			q.fill("a")
			require.NoError(d.t, q.Purge(d.ctx))
			q.counts(0, 0, 0)
		}
	}},
	{"4.5/later-messages", "Where SQS may lose what is sent during the minute of a purge, here all that is sent after the call stays.", func(d *refDesk) {
		q := d.queue("jobs")
		q.fill("a")
		require.NoError(d.t, q.Purge(d.ctx))
		q.fill("b")
		d.pass(time.Minute)
		require.Equal(d.t, []string{"b"}, q.drain())
	}},
	{"4.5/old-receipts", "Deleting with a receipt from before the purge succeeds and deletes nothing, on both kinds of queue.", func(d *refDesk) {
		for _, name := range []string{"jobs", "jobs.fifo"} {
			q := d.queue(name)
			q.fill("a")
			m := q.one(0)
			require.NoError(d.t, q.Purge(d.ctx))
			q.fill("a")
			require.NoError(d.t, q.Delete(d.ctx, m.Receipt))
			require.NoError(d.t, q.Delete(d.ctx, m.Receipt))
			q.counts(1, 0, 0)
			require.ErrorIs(d.t, q.ChangeVisibility(d.ctx, m.Receipt, 0), queue.ErrMessageGone)
		}
	}},
	{"4.5/kept-over-restart", "What was purged does not come back with a restart.", func(d *refDesk) {
		d = d.durable()
		q, f := d.queue("jobs"), d.queue("jobs.fifo")
		q.fill("a", "b")
		f.fill("a")
		q.one(0)
		require.NoError(d.t, q.Purge(d.ctx))
		require.NoError(d.t, f.Purge(d.ctx))
		q.fill("c")
		d.restart(time.Minute)
		require.Equal(d.t, []string{"c"}, d.get("jobs").drain())
		f = d.get("jobs.fifo")
		f.counts(0, 0, 0)
		require.False(d.t, f.send(queue.Message{Body: "a"}).Duplicate)
	}},
}
