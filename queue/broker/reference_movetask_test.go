package broker_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
)

// deadWith creates the queue dead with n messages, and the queue source whose
// dead-letter queue it is. The messages were sent straight to dead.
func (d *refDesk) deadWith(n int) *refQueue {
	d.t.Helper()
	dead := d.queue("dead")
	d.queue("source", "RedrivePolicy", dead.redrive(1))
	dead.fillN(n)
	return dead
}

// bury sends messages to q and lets its dead-letter queue have them.
func (q *refQueue) bury(ms ...queue.Message) []queue.Sent {
	q.d.t.Helper()
	var sent []queue.Sent
	for _, m := range ms {
		sent = append(sent, q.send(m))
		require.Equal(q.d.t, m.Body, q.one(queue.None).Body)
		q.nothing()
	}
	q.counts(0, 0, 0)
	return sent
}

// move starts a task that must start; to nil is each message's own source.
func (d *refDesk) move(from, to *refQueue, perSecond int) (handle string) {
	d.t.Helper()
	o := broker.MoveOptions{Source: from.ARN(), PerSecond: perSecond}
	if to != nil {
		o.Destination = to.ARN()
	}
	handle, err := d.b.StartMoveTask(d.ctx, o)
	require.NoError(d.t, err)
	require.NotEmpty(d.t, handle)
	return handle
}

// start tries to start a task.
func (d *refDesk) start(source, destination string, perSecond int) error {
	_, err := d.b.StartMoveTask(d.ctx, broker.MoveOptions{Source: source, Destination: destination, PerSecond: perSecond})
	return err
}

// task returns the latest task of a source.
func (d *refDesk) task(from *refQueue) broker.MoveTask {
	d.t.Helper()
	tasks, err := d.b.MoveTasks(d.ctx, from.ARN(), 0)
	require.NoError(d.t, err)
	require.Len(d.t, tasks, 1)
	require.Equal(d.t, from.ARN(), tasks[0].Source)
	return tasks[0]
}

// finish waits for the latest task of a source, which must complete.
func (d *refDesk) finish(from *refQueue) broker.MoveTask {
	d.t.Helper()
	task := d.end(from)
	require.Equal(d.t, broker.Completed, task.Status, "%+v", task)
	return task
}

// end waits until the latest task of a source runs no more.
func (d *refDesk) end(from *refQueue) broker.MoveTask {
	d.t.Helper()
	d.pass(0)
	for range 600 {
		if s := d.task(from).Status; s != broker.Running && s != broker.Cancelling {
			break
		}
		d.pass(time.Second)
	}
	return d.task(from)
}

// refHandle makes a task handle as SQS does.
func refHandle(id, source string) string {
	return base64.StdEncoding.EncodeToString([]byte(`{"taskId":"` + id + `","sourceArn":"` + source + `"}`))
}

const (
	refNoSource      = "The resource that you specified for the SourceArn parameter doesn't exist."
	refNoDestination = "The resource that you specified for the DestinationArn parameter doesn't exist."
	refTaskID        = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
)

var referenceMoveStart = []referenceRow{
	{"15.1/source-is-dead-letter-queue", "The source must be the dead-letter queue of a queue when the task starts.", func(d *refDesk) {
		sentence := "Source queue must be configured as a Dead Letter Queue."
		dead, to := d.queue("dead"), d.queue("to")
		dead.fill("a")
		d.says(d.start(dead.ARN(), to.ARN(), 0), queue.ErrInvalidParameter, sentence)
		d.says(d.start(dead.ARN(), "", 0), queue.ErrInvalidParameter, sentence)
		q := d.queue("jobs", "RedrivePolicy", dead.redrive(1))
		d.says(d.start(q.ARN(), to.ARN(), 0), queue.ErrInvalidParameter, sentence)
		q.set("RedrivePolicy", "")
		d.says(d.start(dead.ARN(), to.ARN(), 0), queue.ErrInvalidParameter, sentence)
		q.set("RedrivePolicy", dead.redrive(1))
		d.remove("jobs")
		d.says(d.start(dead.ARN(), to.ARN(), 0), queue.ErrInvalidParameter, sentence)
		dead.counts(1, 0, 0)
		d.queue("jobs", "RedrivePolicy", dead.redrive(1))
		d.move(dead, to, 0)
		require.Equal(d.t, 1, d.finish(dead).Moved)
	}},
	{"15.1/missing-queues", "A source or destination that isn't there is a resource that doesn't exist.", func(d *refDesk) {
		dead := d.deadWith(1)
		d.says(d.start("arn:aws:sqs:us-east-1:000000000000:nobody", dead.ARN(), 0), broker.ErrResourceNotFound, refNoSource)
		d.says(d.start("arn:aws:sqs:us-east-1:000000000000:nobody", "", 0), broker.ErrResourceNotFound, refNoSource)
		d.says(d.start(dead.ARN(), "arn:aws:sqs:us-east-1:000000000000:nobody", 0), broker.ErrResourceNotFound, refNoDestination)
		tasks, err := d.b.MoveTasks(d.ctx, dead.ARN(), 10)
		require.NoError(d.t, err)
		require.Empty(d.t, tasks)
	}},
	{"15.1/arn-form", "A source that is no ARN is refused by a sentence that tells the form.", func(d *refDesk) {
		d.deadWith(1)
		for _, arn := range []string{"dead", "arn:aws:sqs", "arn:aws:sqs:us-east-1:dead", "https://sqs.us-east-1.amazonaws.com/000000000000/dead"} {
			d.says(d.start(arn, "", 0), queue.ErrInvalidParameter, "You must use this format to specify the SourceArn: arn:<partition>:<service>:<region>:<account-id>:<resource-id>")
		}
	}},
	{"15.1/same-queue", "Source and destination are different queues.", func(d *refDesk) {
		dead := d.deadWith(1)
		d.says(d.start(dead.ARN(), dead.ARN(), 0), queue.ErrInvalidParameter, "Source queue arn and destination queue arn cannot be the same.")
	}},
	{"15.1/same-kind", "Source and destination are of one kind.", func(d *refDesk) {
		sentence := "The source queue and destination queue must be of the same queue type."
		standard, fifo := d.deadWith(1), d.queue("dead.fifo")
		d.queue("source.fifo", "RedrivePolicy", fifo.redrive(1))
		d.says(d.start(standard.ARN(), fifo.ARN(), 0), queue.ErrInvalidParameter, sentence)
		d.says(d.start(fifo.ARN(), standard.ARN(), 0), queue.ErrInvalidParameter, sentence)
	}},
	{"15.1/rate-range", "The rate is 1 to 500 messages a second.", func(d *refDesk) {
		dead, to := d.deadWith(3), d.queue("to")
		sentence := "Value for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: You must enter a number that's between 1 and 500."
		for _, n := range []int{-1, 501, 1 << 20} {
			d.says(d.start(dead.ARN(), to.ARN(), n), queue.ErrInvalidParameter, sentence)
		}
		dead.counts(3, 0, 0)
		d.move(dead, to, 1)
		require.Equal(d.t, 1, d.finish(dead).PerSecond)
		dead.fill("a")
		d.move(dead, to, 500)
		require.Equal(d.t, 500, d.finish(dead).PerSecond)
	}},
	{"15.1/one-at-a-time", "A source has one active task; when that has ended another may start.", func(d *refDesk) {
		dead, to, other := d.deadWith(5), d.queue("to"), d.queue("other")
		d.move(dead, to, 1)
		sentence := "There is already a task running. Only one active task is allowed for a source queue arn at a given time."
		d.says(d.start(dead.ARN(), to.ARN(), 1), queue.ErrInvalidParameter, sentence)
		d.pass(time.Second)
		d.says(d.start(dead.ARN(), other.ARN(), 0), queue.ErrInvalidParameter, sentence)
		second := d.queue("dead2")
		d.queue("source2", "RedrivePolicy", second.redrive(1))
		second.fillN(2)
		d.move(second, to, 1) // of another source
		require.Equal(d.t, 5, d.finish(dead).Moved)
		dead.fill("a")
		d.move(dead, other, 0)
		require.Equal(d.t, 1, d.finish(dead).Moved)
	}},
	{"15.1/hundred-at-a-time", "An account has up to 100 active tasks.", func(d *refDesk) {
		d.queue("to")
		sources := func(d *refDesk, n int) (dead []*refQueue) {
			for i := range n {
				q := d.queue(fmt.Sprintf("dead-%d", i))
				d.queue(fmt.Sprintf("source-%d", i), "RedrivePolicy", q.redrive(1))
				q.fillN(5)
				dead = append(dead, q)
			}
			return dead
		}
		dead := sources(d, 101)
		for _, q := range dead[:100] {
			d.move(q, d.get("to"), 1)
		}
		require.Error(d.t, d.start(dead[100].ARN(), d.get("to").ARN(), 1))
		there := d.in(broker.Scope{Account: "111111111111"})
		there.move(sources(there, 1)[0], there.queue("to"), 1)
		require.Equal(d.t, 5, d.finish(dead[0]).Moved)
		d.move(dead[100], d.get("to"), 1)
	}},
	{"15.1/back-to-the-sources", "Without a destination each message goes back to the queue it came from, in one task.", func(d *refDesk) {
		for _, suffix := range refSuffixes {
			dead := d.queue("dead" + suffix)
			want := map[string][]string{}
			for _, name := range []string{"a", "b", "c"} {
				q := d.queue(name+suffix, "RedrivePolicy", dead.redrive(1))
				for i := range 3 {
					body := fmt.Sprintf("%s%d", name, i)
					q.bury(queue.Message{Body: body})
					want[name] = append(want[name], body)
				}
			}
			dead.counts(9, 0, 0)
			d.move(dead, nil, 0)
			task := d.finish(dead)
			require.Equal(d.t, 9, task.Moved)
			require.Equal(d.t, 9, task.ToMove)
			require.Empty(d.t, task.Destination)
			dead.counts(0, 0, 0)
			for name, bodies := range want {
				got := d.get(name + suffix).drain()
				if suffix == "" {
					require.ElementsMatch(d.t, bodies, got)
				} else {
					require.Equal(d.t, bodies, got)
				}
			}
		}
	}},
	{"15.1/sent-straight", "What was sent straight to the dead-letter queue stays there without a destination, and moves with one.", func(d *refDesk) {
		for _, suffix := range refSuffixes {
			q, dead := d.pair(suffix, 1)
			dead.send(queue.Message{Body: "straight-1", GroupID: "s"})
			q.bury(queue.Message{Body: "a"}, queue.Message{Body: "b"})
			dead.send(queue.Message{Body: "straight-2", GroupID: "s"})
			d.move(dead, nil, 0)
			task := d.finish(dead)
			require.Equal(d.t, 2, task.Moved)
			dead.counts(2, 0, 0)
			require.ElementsMatch(d.t, []string{"a", "b"}, q.drain())
			to := d.queue("to" + suffix)
			d.move(dead, to, 0)
			require.Equal(d.t, 2, d.finish(dead).Moved)
			dead.counts(0, 0, 0)
			require.ElementsMatch(d.t, []string{"straight-1", "straight-2"}, to.drain())
		}
	}},
	{"15.1/source-gone", "Without a destination a message whose source is gone is not lost, and keeps no other from going home.", func(d *refDesk) {
		dead := d.queue("dead")
		for _, name := range []string{"gone", "stays"} {
			d.queue(name, "RedrivePolicy", dead.redrive(1)).bury(queue.Message{Body: "of " + name})
		}
		d.remove("gone")
		d.move(dead, nil, 0)
		d.end(dead)
		to := d.queue("to")
		d.move(dead, to, 0)
		d.finish(dead)
		require.ElementsMatch(d.t, []string{"of gone", "of stays"}, append(to.drain(), d.get("stays").drain()...))
		require.NotEmpty(d.t, to.stats().Deleted, "what had no source was still there")
	}},
	{"15.1/handle", "A task's handle is base64 of a JSON object with the task's ID and the source's ARN.", func(d *refDesk) {
		dead, to := d.deadWith(3), d.queue("to")
		handle := d.move(dead, to, 1)
		text, err := base64.StdEncoding.DecodeString(handle)
		require.NoError(d.t, err)
		var inside map[string]string
		require.NoError(d.t, json.Unmarshal(text, &inside), "%s", text)
		require.Equal(d.t, dead.ARN(), inside["sourceArn"])
		require.Regexp(d.t, regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`), inside["taskId"])
		require.Len(d.t, inside, 2)
		require.Equal(d.t, handle, d.task(dead).Handle)
		d.finish(dead)
		dead.fill("a")
		require.NotEqual(d.t, handle, d.move(dead, to, 1))
	}},
	{"15.1/without-a-rate", "Without a rate a task goes as fast as it can.", func(d *refDesk) {
		dead, to := d.deadWith(2000), d.queue("to")
		began := time.Now()
		d.move(dead, to, 0)
		require.Equal(d.t, 2000, d.finish(dead).Moved)
		require.LessOrEqual(d.t, time.Since(began), 4*time.Second, "slower than the highest rate")
		to.counts(2000, 0, 0)
		dead.counts(0, 0, 0)
	}},
}

var referenceMove = []referenceRow{
	{"15.2/oldest-first", "The oldest message moves first.", func(d *refDesk) {
		dead, to := d.deadWith(0), d.queue("to")
		for i := range 10 {
			dead.fill(strconv.Itoa(i))
			time.Sleep(time.Second)
		}
		d.move(dead, to, 1)
		var bodies []string
		for range 60 {
			d.pass(500 * time.Millisecond)
			for _, m := range to.poll(12 * time.Hour) {
				bodies = append(bodies, m.Body)
			}
		}
		require.Equal(d.t, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}, bodies)
	}},
	{"15.2/order-of-groups", "Messages of a FIFO group arrive in their order.", func(d *refDesk) {
		dead, to := d.queue("dead.fifo"), d.queue("to.fifo")
		d.queue("source.fifo", "RedrivePolicy", dead.redrive(1))
		dead.fillN(25)
		d.move(dead, to, 10)
		d.finish(dead)
		got := to.drain()
		require.Len(d.t, got, 25)
		for i, body := range got {
			require.Equal(d.t, strconv.Itoa(i), body)
		}
	}},
	{"15.2/others-interleave", "What others send to the destination meanwhile comes between.", func(d *refDesk) {
		dead, to := d.queue("dead.fifo"), d.queue("to.fifo")
		d.queue("source.fifo", "RedrivePolicy", dead.redrive(1))
		dead.fill("a", "b", "c", "d")
		d.move(dead, to, 1)
		d.pass(1500 * time.Millisecond)
		to.fill("between")
		d.finish(dead)
		got := to.drain()
		at := slices.Index(got, "between")
		require.Contains(d.t, []int{1, 2}, at, "%v", got)
		require.Equal(d.t, []string{"a", "b", "c", "d"}, slices.Delete(slices.Clone(got), at, at+1))
	}},
	{"15.2/everything-in-it", "A moved message has the body, attributes and trace header that it had; none is left out.", func(d *refDesk) {
		for _, suffix := range refSuffixes {
			q, dead := d.pair(suffix, 1)
			q.bury(refMessage)
			d.move(dead, nil, 0)
			d.finish(dead)
			m := q.one(0)
			require.Equal(d.t, refMessage.Body, m.Body)
			require.Equal(d.t, refMessage.Attributes, m.Attributes)
			require.Equal(d.t, refMessage.TraceHeader, m.TraceHeader)
			require.Equal(d.t, refMessage.GroupID, m.GroupID)
		}
	}},
	{"15.2/new-message", "A moved message is a new one: a new ID, and sent when it was moved.", func(d *refDesk) {
		for _, suffix := range refSuffixes {
			q, dead := d.pair(suffix, 1)
			sent := q.bury(queue.Message{Body: "a"})[0]
			time.Sleep(time.Hour)
			began := time.Now()
			d.move(dead, nil, 0)
			d.finish(dead)
			ended := time.Now()
			time.Sleep(time.Hour)
			m := q.one(0)
			require.NotEqual(d.t, sent.ID, m.ID)
			require.False(d.t, m.SentAt.Before(began), "sent at %v, the task began at %v", m.SentAt, began)
			require.False(d.t, m.SentAt.After(ended), "sent at %v, the task ended by %v", m.SentAt, ended)
		}
	}},
	{"15.2/retention-restarts", "Retention at the destination counts from the move.", func(d *refDesk) {
		for _, suffix := range refSuffixes {
			q, dead := d.pair(suffix, 1, "MessageRetentionPeriod", "3600")
			q.bury(queue.Message{Body: "a"})
			time.Sleep(50 * time.Minute)
			d.move(dead, nil, 0)
			d.finish(dead)
			moved := q.peek()[0].SentAt
			d.pass(time.Until(moved.Add(time.Hour - time.Millisecond)))
			q.counts(1, 0, 0)
			d.pass(time.Millisecond)
			q.counts(0, 0, 0)
		}
	}},
	{"15.2/fresh-count", "A moved message has not been received, and comes from no dead-letter queue's source.", func(d *refDesk) {
		for _, suffix := range refSuffixes {
			q, dead := d.pair(suffix, 1)
			q.bury(queue.Message{Body: "a"})
			dead.one(queue.None)
			time.Sleep(time.Hour)
			d.move(dead, nil, 0)
			d.finish(dead)
			time.Sleep(time.Hour)
			m := q.one(queue.None) // and not moved again at once
			require.Equal(d.t, 1, m.ReceiveCount)
			require.Empty(d.t, m.DeadLetterSource)
			require.Empty(d.t, m.DeadLetterReason)
			require.True(d.t, time.Now().Equal(m.FirstReceivedAt))
			q.nothing()
			require.Equal(d.t, q.ARN(), dead.one(0).DeadLetterSource)
		}
	}},
	{"15.2/fifo-ids", "A FIFO message keeps its group, and its deduplication ID is the dead-letter queue's: the ID of the first message.", func(d *refDesk) {
		q, dead := d.pair(".fifo", 1)
		to := d.queue("to.fifo")
		sent := q.bury(queue.Message{Body: "a", GroupID: "x", DeduplicationID: "own"})[0]
		dead.send(queue.Message{Body: "b", GroupID: "y", DeduplicationID: "straight"})
		d.move(dead, to, 0)
		d.finish(dead)
		ids := map[string][]string{}
		for _, m := range to.poll(0) {
			ids[m.Body] = []string{m.GroupID, m.DeduplicationID}
		}
		require.Equal(d.t, map[string][]string{"a": {"x", sent.ID.String()}, "b": {"y", "straight"}}, ids)
	}},
	{"15.2/counts-as-send", "An arrival is a send: the destination's delay applies, and who waits there is woken.", func(d *refDesk) {
		dead, to := d.deadWith(1), d.queue("to", "DelaySeconds", "10")
		got := make(chan []queue.Delivery, 1)
		began := time.Now()
		go func() {
			ds, _ := to.Receive(d.ctx, queue.ReceiveOptions{Wait: 20 * time.Second})
			got <- ds
		}()
		d.pass(0)
		d.move(dead, to, 1)
		d.pass(2 * time.Second)
		to.counts(0, 0, 1)
		require.Len(d.t, <-got, 1)
		require.GreaterOrEqual(d.t, time.Since(began), 10*time.Second)
		require.LessOrEqual(d.t, time.Since(began), 11*time.Second)
	}},
	{"15.2/what-was-there", "A task moves what was visible in the source when it started; what comes later stays, and the task ends without it.", func(d *refDesk) {
		for _, rate := range []int{0, 1} {
			name := strconv.Itoa(rate)
			dead, to := d.queue("dead-"+name), d.queue("to-"+name)
			d.queue("source-"+name, "RedrivePolicy", dead.redrive(1))
			dead.fill("a", "b", "c")
			d.move(dead, to, rate)
			d.pass(0)
			dead.fill("late")
			task := d.finish(dead)
			require.Equal(d.t, 3, task.Moved)
			require.Equal(d.t, 3, task.ToMove)
			require.Equal(d.t, []string{"late"}, dead.drain())
			require.ElementsMatch(d.t, []string{"a", "b", "c"}, to.drain())
		}
	}},
	{"15.2/in-flight-stays", "What a receiver holds when the task comes to it stays in the source.", func(d *refDesk) {
		dead, to := d.deadWith(3), d.queue("to")
		held := dead.one(time.Hour)
		d.move(dead, to, 0)
		task := d.finish(dead)
		require.Equal(d.t, 2, task.Moved)
		require.Equal(d.t, 2, task.ToMove)
		dead.counts(0, 1, 0)
		require.NoError(d.t, dead.Delete(d.ctx, held.Receipt))
		require.NotContains(d.t, to.drain(), held.Body)

		dead.fillN(4)
		d.move(dead, to, 1)
		d.pass(100 * time.Millisecond)
		held = dead.one(time.Hour) // taken while the task runs
		task = d.finish(dead)
		require.Equal(d.t, 3, task.Moved)
		require.Equal(d.t, 4, task.ToMove)
		dead.counts(0, 1, 0)
		require.NotContains(d.t, to.drain(), held.Body)
	}},
	{"15.2/moved-or-received", "A message is moved or handed to a receiver of the source, never both and never neither.", func(d *refDesk) {
		for _, suffix := range refSuffixes {
			dead, to := d.queue("dead"+suffix), d.queue("to"+suffix)
			d.queue("source"+suffix, "RedrivePolicy", dead.redrive(1))
			for i := range 300 {
				dead.send(queue.Message{Body: strconv.Itoa(i), GroupID: strconv.Itoa(i % 7)})
			}
			d.move(dead, to, 100)
			var bodies []string
			for range 100 {
				d.pass(7 * time.Millisecond)
				ds, err := dead.Receive(d.ctx, queue.ReceiveOptions{Max: 1, Wait: queue.None})
				require.NoError(d.t, err)
				for _, m := range ds {
					bodies = append(bodies, m.Body)
					require.NoError(d.t, dead.Delete(d.ctx, m.Receipt))
				}
			}
			require.NotEmpty(d.t, bodies)
			task := d.finish(dead)
			require.Equal(d.t, 300-len(bodies), task.Moved)
			bodies = append(bodies, to.drain()...)
			require.Len(d.t, bodies, 300)
			slices.Sort(bodies)
			require.Len(d.t, slices.Compact(bodies), 300)
			dead.counts(0, 0, 0)
		}
	}},
	{"15.2/expired-on-the-way", "What expires in the source before the task comes to it is gone, and the task ends.", func(d *refDesk) {
		dead, to := d.deadWith(0), d.queue("to")
		dead.set("MessageRetentionPeriod", "60")
		dead.fillN(10)
		time.Sleep(55 * time.Second)
		d.move(dead, to, 1)
		task := d.finish(dead)
		require.Contains(d.t, []int{4, 5, 6}, task.Moved)
		require.Equal(d.t, 10, task.ToMove)
		require.Equal(d.t, task.Moved, to.visible())
		dead.counts(0, 0, 0)
	}},
	{"15.2/purged-on-the-way", "What is purged in the source before the task comes to it is gone, and the task ends.", func(d *refDesk) {
		dead, to := d.deadWith(10), d.queue("to")
		d.move(dead, to, 1)
		d.pass(2500 * time.Millisecond)
		require.NoError(d.t, dead.Purge(d.ctx))
		task := d.finish(dead)
		require.Contains(d.t, []int{2, 3}, task.Moved)
		require.Equal(d.t, task.Moved, to.visible())
	}},
	{"15.2/source-deleted", "When the source is deleted its task has ended, also for a new queue of that name.", func(d *refDesk) {
		dead, to := d.deadWith(10), d.queue("to")
		handle := d.move(dead, to, 1)
		d.pass(2500 * time.Millisecond)
		moved := to.visible()
		d.remove("dead")
		_, err := d.b.CancelMoveTask(d.ctx, handle)
		require.ErrorIs(d.t, err, broker.ErrResourceNotFound)
		dead = d.queue("dead")
		dead.fillN(5)
		d.pass(time.Hour)
		require.Equal(d.t, moved, to.visible())
		dead.counts(5, 0, 0)
		d.move(dead, to, 1)
		require.Equal(d.t, 5, d.finish(dead).Moved)
	}},
	{"15.2/round-trips", "A message may fail and be moved back again and again, within the time of deduplication too.", func(d *refDesk) {
		for _, suffix := range refSuffixes {
			q, dead := d.pair(suffix, 1)
			q.bury(queue.Message{Body: "a"}, queue.Message{Body: "b"})
			seen := map[queue.MessageID]bool{}
			for range 5 {
				d.move(dead, nil, 0)
				require.Equal(d.t, 2, d.finish(dead).Moved)
				for q.visible() > 0 {
					for _, m := range q.poll(queue.None) {
						require.False(d.t, seen[m.ID])
						seen[m.ID] = true
					}
				}
				dead.counts(2, 0, 0)
			}
			require.Len(d.t, seen, 10)
			require.ElementsMatch(d.t, []string{"a", "b"}, dead.drain())
		}
	}},
	{"15.2/rate", "With a rate of n no more than n messages move in any second, and hardly fewer.", func(d *refDesk) {
		const step = 50 * time.Millisecond
		for _, c := range []struct{ rate, messages int }{{1, 5}, {2, 7}, {10, 45}, {37, 100}, {500, 1600}} {
			name := strconv.Itoa(c.rate)
			dead, to := d.queue("dead-"+name), d.queue("to-"+name)
			d.queue("source-"+name, "RedrivePolicy", dead.redrive(1))
			dead.fillN(c.messages)
			d.move(dead, to, c.rate)
			d.pass(0)
			began := time.Now()
			arrived := []int{to.visible()} // at each step
			for arrived[len(arrived)-1] < c.messages {
				require.LessOrEqual(d.t, time.Since(began), time.Hour)
				d.pass(step)
				arrived = append(arrived, to.visible())
				require.Equal(d.t, c.messages-to.visible(), dead.visible())
			}
			perSecond := int(time.Second / step)
			for i, n := range arrived {
				before := 0
				if i >= perSecond {
					before = arrived[i-perSecond]
				}
				require.LessOrEqual(d.t, n-before, c.rate, "rate %d: in the second that ends %v after the start", c.rate, time.Duration(i)*step)
			}
			exact := time.Duration(c.messages) * time.Second / time.Duration(c.rate)
			took := time.Duration(len(arrived)-1) * step
			require.LessOrEqual(d.t, took, exact+time.Second, "rate %d", c.rate)
			require.GreaterOrEqual(d.t, took, exact-time.Second-step, "rate %d", c.rate)
			require.Equal(d.t, c.messages, d.finish(dead).Moved)
		}
	}},
	{"15.2/longest-run", "A task runs for up to 36 hours.", func(d *refDesk) {
		const hours36 = 36 * 3600
		dead, to := d.deadWith(hours36+600), d.queue("to")
		d.move(dead, to, 1)
		d.pass(36*time.Hour - time.Minute)
		require.Equal(d.t, broker.Running, d.task(dead).Status)
		d.pass(2 * time.Minute)
		task := d.end(dead)
		require.NotEqual(d.t, broker.Completed, task.Status)
		require.LessOrEqual(d.t, task.Moved, hours36+1)
		require.GreaterOrEqual(d.t, task.Moved, hours36-60)
		require.Equal(d.t, task.Moved, to.visible())
		d.pass(time.Hour)
		require.Equal(d.t, task.Moved, to.visible())
	}},
	{"15.2/kept-over-restart", "A task that ran when a durable broker was closed goes on when it opens, and moves each message once.", func(d *refDesk) {
		d = d.durable()
		dead, to := d.deadWith(10), d.queue("to")
		handle := d.move(dead, to, 1)
		d.pass(3500 * time.Millisecond)
		before := d.task(dead)
		require.Equal(d.t, broker.Running, before.Status)
		require.Contains(d.t, []int{3, 4}, before.Moved)
		d.restart(time.Hour)
		dead, to = d.get("dead"), d.get("to")
		task := d.task(dead)
		require.Equal(d.t, broker.Running, task.Status)
		require.Equal(d.t, handle, task.Handle)
		require.True(d.t, before.StartedAt.Equal(task.StartedAt))
		require.Equal(d.t, 10, task.ToMove)
		require.Equal(d.t, 1, task.PerSecond)
		require.Equal(d.t, to.ARN(), task.Destination)
		require.ErrorIs(d.t, d.start(dead.ARN(), to.ARN(), 1), queue.ErrInvalidParameter)
		task = d.finish(dead)
		require.Equal(d.t, 10, task.Moved)
		dead.counts(0, 0, 0)
		got := to.drain()
		slices.Sort(got)
		require.Equal(d.t, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}, got)
		d.restart(time.Minute)
		require.Equal(d.t, broker.Completed, d.task(d.get("dead")).Status)
		d.get("dead").counts(0, 0, 0)
	}},
	{"15.2/back-over-restart", "So does a task without a destination.", func(d *refDesk) {
		d = d.durable()
		for _, suffix := range refSuffixes {
			q, _ := d.pair(suffix, 1)
			for i := range 6 {
				q.bury(queue.Message{Body: strconv.Itoa(i)})
			}
			d.move(d.get("dead"+suffix), nil, 1)
		}
		d.pass(2500 * time.Millisecond)
		d.restart(time.Hour)
		for _, suffix := range refSuffixes {
			require.Equal(d.t, 6, d.finish(d.get("dead"+suffix)).Moved)
			got := d.get("jobs" + suffix).drain()
			slices.Sort(got)
			require.Equal(d.t, []string{"0", "1", "2", "3", "4", "5"}, got)
		}
	}},
}

// peek returns all messages without receiving them.
func (q *refQueue) peek() []queue.Peeked {
	q.d.t.Helper()
	inspector, ok := queue.As[queue.Inspector](q.Queue)
	require.True(q.d.t, ok)
	var all []queue.Peeked
	for p, err := range inspector.Peek(q.d.ctx) {
		require.NoError(q.d.t, err)
		all = append(all, p)
	}
	return all
}

var referenceMoveList = []referenceRow{
	{"15.3/newest-first", "Tasks are listed newest first: one unless more are asked for, up to 10.", func(d *refDesk) {
		dead, to := d.deadWith(0), d.queue("to")
		var started []time.Time
		for range 12 {
			dead.fill("a")
			started = append(started, time.Now().Truncate(time.Millisecond))
			d.move(dead, to, 0)
			d.finish(dead)
			time.Sleep(time.Minute)
		}
		slices.Reverse(started)
		for max, want := range map[int]int{0: 1, 1: 1, 2: 2, 9: 9, 10: 10} {
			tasks, err := d.b.MoveTasks(d.ctx, dead.ARN(), max)
			require.NoError(d.t, err)
			require.Len(d.t, tasks, want, "of %d", max)
			for i, task := range tasks {
				require.True(d.t, started[i].Equal(task.StartedAt), "task %d of %d began at %v, want %v", i, max, task.StartedAt, started[i])
			}
		}
		for _, max := range []int{-1, 11} {
			_, err := d.b.MoveTasks(d.ctx, dead.ARN(), max)
			require.ErrorIs(d.t, err, queue.ErrInvalidParameter, "%d", max)
		}
	}},
	{"15.3/of-the-source", "A list holds the tasks of one source; without any it is empty.", func(d *refDesk) {
		dead, to := d.deadWith(1), d.queue("to")
		other := d.queue("dead2")
		d.queue("source2", "RedrivePolicy", other.redrive(1))
		d.move(dead, to, 0)
		d.finish(dead)
		tasks, err := d.b.MoveTasks(d.ctx, other.ARN(), 10)
		require.NoError(d.t, err)
		require.Empty(d.t, tasks)
	}},
	{"15.3/statuses", "A task is RUNNING, COMPLETED, CANCELLING, CANCELLED or FAILED.", func(d *refDesk) {
		for status, name := range map[broker.MoveStatus]string{broker.Running: "RUNNING", broker.Completed: "COMPLETED",
			broker.Cancelling: "CANCELLING", broker.Cancelled: "CANCELLED", broker.Failed: "FAILED"} {
			require.Equal(d.t, name, status.String())
		}
		dead, to := d.deadWith(2), d.queue("to")
		d.move(dead, to, 1)
		require.Equal(d.t, broker.Running, d.task(dead).Status)
		require.Equal(d.t, broker.Completed, d.end(dead).Status)
		d.move(dead, to, 0) // nothing to move
		require.Equal(d.t, broker.Completed, d.end(dead).Status)
		dead.fillN(3)
		handle := d.move(dead, to, 1)
		d.pass(0)
		_, err := d.b.CancelMoveTask(d.ctx, handle)
		require.NoError(d.t, err)
		require.Contains(d.t, []broker.MoveStatus{broker.Cancelling, broker.Cancelled}, d.task(dead).Status)
		require.Equal(d.t, broker.Cancelled, d.end(dead).Status)
		dead.fillN(3)
		d.move(dead, to, 1)
		d.pass(0)
		d.remove("to")
		require.Equal(d.t, broker.Failed, d.end(dead).Status)
	}},
	{"15.3/handle-while-running", "A task tells its handle while it runs, and no longer.", func(d *refDesk) {
		dead, to := d.deadWith(2), d.queue("to")
		handle := d.move(dead, to, 1)
		require.Equal(d.t, handle, d.task(dead).Handle)
		require.Empty(d.t, d.finish(dead).Handle)
		dead.fillN(3)
		handle = d.move(dead, to, 1)
		d.pass(0)
		_, err := d.b.CancelMoveTask(d.ctx, handle)
		require.NoError(d.t, err)
		require.Empty(d.t, d.end(dead).Handle)
		dead.fillN(3)
		d.move(dead, to, 1)
		d.pass(0)
		d.remove("to")
		require.Empty(d.t, d.end(dead).Handle)
	}},
	{"15.3/as-started", "A task tells the destination and the rate it was given, and nothing where it was given none.", func(d *refDesk) {
		dead, to := d.deadWith(1), d.queue("to")
		d.move(dead, to, 7)
		task := d.finish(dead)
		require.Equal(d.t, to.ARN(), task.Destination)
		require.Equal(d.t, 7, task.PerSecond)
		d.move(dead, nil, 0)
		task = d.finish(dead)
		require.Empty(d.t, task.Destination)
		require.Zero(d.t, task.PerSecond)
	}},
	{"15.3/counts", "A task tells how many messages were visible when it started, and how many it has moved.", func(d *refDesk) {
		dead, to := d.deadWith(5), d.queue("to")
		d.move(dead, to, 1)
		last := 0
		for range 12 {
			d.pass(500 * time.Millisecond)
			task := d.task(dead)
			require.Equal(d.t, 5, task.ToMove)
			require.Equal(d.t, to.visible(), task.Moved)
			require.GreaterOrEqual(d.t, task.Moved, last)
			last = task.Moved
		}
		require.Equal(d.t, 5, last)
		require.Equal(d.t, broker.Completed, d.task(dead).Status)
	}},
	{"15.3/started", "A task tells when it started, to the millisecond.", func(d *refDesk) {
		dead, to := d.deadWith(1), d.queue("to")
		time.Sleep(1234*time.Millisecond + 567890)
		began := time.Now()
		d.move(dead, to, 0)
		d.finish(dead)
		started := d.task(dead).StartedAt
		require.Zero(d.t, started.Nanosecond()%int(time.Millisecond))
		require.Less(d.t, started.Sub(began).Abs(), time.Millisecond)
	}},
	{"15.3/failure", "A failed task tells why, and others tell nothing; what was not moved stays in the source.", func(d *refDesk) {
		dead, to := d.deadWith(6), d.queue("to")
		d.move(dead, to, 1)
		d.pass(2500 * time.Millisecond)
		moved := d.task(dead).Moved
		require.Empty(d.t, d.task(dead).Failure)
		d.remove("to")
		task := d.end(dead)
		require.Equal(d.t, broker.Failed, task.Status)
		require.Equal(d.t, "AWS.SimpleQueueService.NonExistentQueue", task.Failure)
		require.Equal(d.t, moved, task.Moved)
		require.Equal(d.t, 6, task.ToMove)
		dead.counts(6-moved, 0, 0)
		d.move(dead, d.queue("to"), 0)
		task = d.finish(dead)
		require.Empty(d.t, task.Failure)
		require.Equal(d.t, 6-moved, task.Moved)
	}},
	{"15.3/unknown-source", "Asking for the tasks of a source that isn't there is refused.", func(d *refDesk) {
		_, err := d.b.MoveTasks(d.ctx, "arn:aws:sqs:us-east-1:000000000000:nobody", 0)
		d.says(err, broker.ErrResourceNotFound, refNoSource)
		dead := d.deadWith(1)
		d.move(dead, d.queue("to"), 0)
		d.finish(dead)
		d.remove("dead")
		_, err = d.b.MoveTasks(d.ctx, dead.ARN(), 0)
		require.ErrorIs(d.t, err, broker.ErrResourceNotFound)
	}},
}

var referenceMoveCancel = []referenceRow{
	{"15.4/stops", "Cancelling tells how many have moved; these stay moved, the others stay in the source.", func(d *refDesk) {
		dead, to := d.deadWith(10), d.queue("to")
		handle := d.move(dead, to, 1)
		d.pass(2500 * time.Millisecond)
		before := d.task(dead).Moved
		require.Contains(d.t, []int{2, 3}, before)
		moved, err := d.b.CancelMoveTask(d.ctx, handle)
		require.NoError(d.t, err)
		require.Equal(d.t, before, moved)
		task := d.end(dead)
		require.Equal(d.t, broker.Cancelled, task.Status)
		require.GreaterOrEqual(d.t, task.Moved, moved)
		require.Less(d.t, task.Moved, 10)
		d.pass(time.Hour)
		to.counts(task.Moved, 0, 0)
		dead.counts(10-task.Moved, 0, 0)
		d.move(dead, to, 0) // another may start
		require.Equal(d.t, 10-task.Moved, d.finish(dead).Moved)
		to.counts(10, 0, 0)
	}},
	{"15.4/running-only", "Only a running task can be cancelled.", func(d *refDesk) {
		dead, to := d.deadWith(2), d.queue("to")
		handle := d.move(dead, to, 1)
		d.finish(dead)
		_, err := d.b.CancelMoveTask(d.ctx, handle)
		require.Error(d.t, err)
		require.Equal(d.t, broker.Completed, d.task(dead).Status)
		dead.fillN(3)
		handle = d.move(dead, to, 1)
		_, err = d.b.CancelMoveTask(d.ctx, handle)
		require.NoError(d.t, err)
		_, err = d.b.CancelMoveTask(d.ctx, handle)
		require.Error(d.t, err)
		d.end(dead)
		_, err = d.b.CancelMoveTask(d.ctx, handle)
		require.Error(d.t, err)
	}},
	{"15.4/bad-handle", "A handle that can't be read is an invalid parameter.", func(d *refDesk) {
		for _, handle := range []string{"!", "nonsense", base64.StdEncoding.EncodeToString([]byte("nonsense")), base64.StdEncoding.EncodeToString([]byte(`{"taskId":`))} {
			_, err := d.b.CancelMoveTask(d.ctx, handle)
			d.says(err, queue.ErrInvalidParameter, "Value for parameter TaskHandle is invalid.")
		}
	}},
	{"15.4/unknown-source", "A handle whose source isn't there is refused like a missing source.", func(d *refDesk) {
		_, err := d.b.CancelMoveTask(d.ctx, refHandle(refTaskID, "arn:aws:sqs:us-east-1:000000000000:nobody"))
		d.says(err, broker.ErrResourceNotFound, refNoSource)
	}},
	{"15.4/unknown-task", "A handle of a task that never was is refused, and the task that runs goes on.", func(d *refDesk) {
		dead, to := d.deadWith(3), d.queue("to")
		_, err := d.b.CancelMoveTask(d.ctx, refHandle(refTaskID, dead.ARN()))
		d.says(err, broker.ErrResourceNotFound, "Task does not exist.")
		d.move(dead, to, 1)
		_, err = d.b.CancelMoveTask(d.ctx, refHandle(refTaskID, dead.ARN()))
		d.says(err, broker.ErrResourceNotFound, "Task does not exist.")
		require.Equal(d.t, 3, d.finish(dead).Moved)
	}},
	{"15.4/kept-over-restart", "A cancelled task stays cancelled after a restart, with its count.", func(d *refDesk) {
		d = d.durable()
		dead, to := d.deadWith(5), d.queue("to")
		handle := d.move(dead, to, 1)
		d.pass(1500 * time.Millisecond)
		_, err := d.b.CancelMoveTask(d.ctx, handle)
		require.NoError(d.t, err)
		before := d.end(dead)
		d.restart(time.Hour)
		dead, to = d.get("dead"), d.get("to")
		task := d.task(dead)
		require.Equal(d.t, broker.Cancelled, task.Status)
		require.Equal(d.t, before.Moved, task.Moved)
		d.pass(time.Hour)
		dead.counts(5-before.Moved, 0, 0)
		to.counts(before.Moved, 0, 0)
	}},
}
