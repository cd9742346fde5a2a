package wire

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

// tasks lists the move tasks of a queue.
func (q *queue) tasks() []object {
	q.d.t.Helper()
	return objects(q.d.ok("ListMessageMoveTasks", object{"SourceArn": q.arn(), "MaxResults": 10})["Results"])
}

// deadLetters is a dead-letter queue with n messages of one source.
func (d *desk) deadLetters(n int) (dead, source *queue) {
	d.t.Helper()
	dead = d.queue("dead")
	source = d.queue("jobs", "RedrivePolicy", dead.redrive(1), "VisibilityTimeout", "0")
	for i := range n {
		source.send(strconv.Itoa(i))
	}
	for range 2*n + 2 {
		source.receive(nil)
	}
	dead.counts(n, 0, 0)
	return dead, source
}

var moveTaskRows = []Row{
	{"15.1/not-found-status", "A missing source or destination has status 404 and the code ResourceNotFoundException.", Both, func(d *desk) {
		dead, _ := d.deadLetters(1)
		arn := strings.Replace(dead.arn(), ":dead", ":nosuch", 1)
		const sentence = "The resource that you specified for the %s parameter doesn't exist."
		d.refuse("ResourceNotFoundException", fmt.Sprintf(sentence, "SourceArn"), "StartMessageMoveTask", object{"SourceArn": arn})
		d.refuse("ResourceNotFoundException", fmt.Sprintf(sentence, "DestinationArn"), "StartMessageMoveTask", object{"SourceArn": dead.arn(), "DestinationArn": arn})
		d.refuse("ResourceNotFoundException", "", "ListMessageMoveTasks", object{"SourceArn": arn})
	}},
	{"15.1/zero-rate", "A rate of 0 is refused; it is not the same as none.", Both, func(d *desk) {
		dead, _ := d.deadLetters(1)
		for _, rate := range []int{0, -1, 501} {
			d.refuse(invalid, "Value for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: You must enter a number that's between 1 and 500.",
				"StartMessageMoveTask", object{"SourceArn": dead.arn(), "MaxNumberOfMessagesPerSecond": rate})
		}
		require.Empty(d.t, dead.tasks())
	}},
	{"15.1/start-texts", "What is wrong with a move task is said in SQS's sentences.", Both, func(d *desk) {
		dead, source := d.deadLetters(3)
		fifo := d.queue("other.fifo")
		start := func(sentence string, in object) {
			d.t.Helper()
			d.refuse(invalid, sentence, "StartMessageMoveTask", in)
		}
		start("Source queue must be configured as a Dead Letter Queue.", object{"SourceArn": source.arn()})
		start("You must use this format to specify the SourceArn: arn:<partition>:<service>:<region>:<account-id>:<resource-id>", object{"SourceArn": "dead"})
		start("Source queue arn and destination queue arn cannot be the same.", object{"SourceArn": dead.arn(), "DestinationArn": dead.arn()})
		start("The source queue and destination queue must be of the same queue type.", object{"SourceArn": dead.arn(), "DestinationArn": fifo.arn()})
		d.ok("StartMessageMoveTask", object{"SourceArn": dead.arn(), "MaxNumberOfMessagesPerSecond": 1})
		start("There is already a task running. Only one active task is allowed for a source queue arn at a given time.", object{"SourceArn": dead.arn()})
	}},
	{"15.3/absent-members", "Members that don't apply to a task (handle, destination, rate, reason) are absent.", Both, func(d *desk) {
		dead, source := d.deadLetters(3)
		require.Empty(d.t, d.ok("ListMessageMoveTasks", object{"SourceArn": dead.arn()}))
		start := d.ok("StartMessageMoveTask", object{"SourceArn": dead.arn()})
		d.pass(time.Minute)
		tasks := dead.tasks()
		require.Len(d.t, tasks, 1)
		require.Equal(d.t, object{"Status": "COMPLETED", "SourceArn": dead.arn(), "ApproximateNumberOfMessagesMoved": json.Number("3"),
			"ApproximateNumberOfMessagesToMove": json.Number("3"), "StartedTimestamp": tasks[0]["StartedTimestamp"]}, tasks[0])
		source.counts(3, 0, 0)
		require.NotEmpty(d.t, start["TaskHandle"])

		other := d.queue("other")
		dead.fill("a", "b", "c", "d")
		start = d.ok("StartMessageMoveTask", object{"SourceArn": dead.arn(), "DestinationArn": other.arn(), "MaxNumberOfMessagesPerSecond": 1})
		tasks = dead.tasks()
		require.Len(d.t, tasks, 2)
		running := tasks[0]
		require.Equal(d.t, object{"TaskHandle": start["TaskHandle"], "Status": "RUNNING", "SourceArn": dead.arn(), "DestinationArn": other.arn(),
			"MaxNumberOfMessagesPerSecond": json.Number("1"), "ApproximateNumberOfMessagesMoved": running["ApproximateNumberOfMessagesMoved"],
			"ApproximateNumberOfMessagesToMove": json.Number("4"), "StartedTimestamp": running["StartedTimestamp"]}, running)
		other.ok("DeleteQueue", nil)
		d.pass(time.Minute)
		failed := dead.tasks()[0]
		require.Equal(d.t, "FAILED", failed["Status"])
		require.Equal(d.t, "AWS.SimpleQueueService.NonExistentQueue", failed["FailureReason"])
		require.NotContains(d.t, failed, "TaskHandle")
	}},
	{"15.3/started-number", "StartedTimestamp is a JSON number of milliseconds since 1970.", Both, func(d *desk) {
		dead, _ := d.deadLetters(1)
		d.pass(1500 * time.Millisecond)
		now := d.now().UnixMilli()
		d.ok("StartMessageMoveTask", object{"SourceArn": dead.arn()})
		d.pass(time.Second)
		d.equalTime(strconv.FormatInt(now, 10), dead.tasks()[0]["StartedTimestamp"])
	}},
	{"15.3/maximum", "MaxResults of tasks is 1 to 10, and 1 unless said.", Both, func(d *desk) {
		dead, _ := d.deadLetters(1)
		for range 3 {
			d.ok("StartMessageMoveTask", object{"SourceArn": dead.arn()})
			d.pass(time.Minute)
		}
		require.Len(d.t, objects(d.ok("ListMessageMoveTasks", object{"SourceArn": dead.arn()})["Results"]), 1)
		require.Len(d.t, dead.tasks(), 3)
		for _, n := range []int{0, -1, 11} {
			d.refuse(invalid, "", "ListMessageMoveTasks", object{"SourceArn": dead.arn(), "MaxResults": n})
		}
	}},
	{"15.4/cancel-on-the-wire", "Cancelling answers how many messages have moved; a bad handle, a missing source and an unknown task have codes and sentences of their own.", Both, func(d *desk) {
		dead, _ := d.deadLetters(5)
		handle := d.ok("StartMessageMoveTask", object{"SourceArn": dead.arn(), "MaxNumberOfMessagesPerSecond": 1})["TaskHandle"].(string)
		d.pass(1500 * time.Millisecond)
		out := d.ok("CancelMessageMoveTask", object{"TaskHandle": handle})
		require.Contains(d.t, []string{"1", "2"}, string(out["ApproximateNumberOfMessagesMoved"].(json.Number)))
		d.pass(time.Minute)
		require.Equal(d.t, "CANCELLED", dead.tasks()[0]["Status"])
		d.refuse(invalid, "Value for parameter TaskHandle is invalid.", "CancelMessageMoveTask", object{"TaskHandle": "nobody's"})
		d.refuse("ResourceNotFoundException", "The resource that you specified for the SourceArn parameter doesn't exist.", "CancelMessageMoveTask",
			object{"TaskHandle": taskHandle(strings.Replace(dead.arn(), ":dead", ":nosuch", 1))})
		d.refuse("ResourceNotFoundException", "Task does not exist.", "CancelMessageMoveTask", object{"TaskHandle": taskHandle(dead.arn())})
	}},
}

// taskHandle is the handle of a task that never was.
func taskHandle(source string) string {
	text := fmt.Sprintf(`{"taskId":"11111111-2222-3333-4444-555555555555","sourceArn":"%s"}`, source)
	return bytesValue(text)["BinaryValue"].(string)
}
