package wire

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A dice makes inputs, good ones and bad ones, from a seed.
type dice struct{ *rand.Rand }

func pick[T any](r dice, values ...T) T { return values[r.IntN(len(values))] }

// maybe puts a member into an input, now and then.
func (r dice) maybe(in object, name string, value any) {
	if r.IntN(3) == 0 {
		in[name] = value
	}
}

// seldom is a bad value in place of good ones, now and then.
func seldom[T any](r dice, good T, bad ...T) T {
	if r.IntN(12) == 0 {
		return pick(r, bad...)
	}
	return good
}

// attributes are good ones, and at most one bad one: of several it isn't said
// which is told.
func (r dice) attributes() object {
	m := object{}
	for range r.IntN(4) {
		m[pick(r, "k", "l", "a.b", "ä")] = pick(r, textValue("x"), numberValue("1.50"), bytesValue("\x00\xff"), typedValue("String.l", "y"), textValue("a\r\n<>&"))
	}
	if r.IntN(6) == 0 {
		m["z"] = pick(r, textValue(""), numberValue("x"), typedValue("Text", "y"), object{"DataType": "String"}, textValue("\x0b"), object{"StringValue": "x"})
	} else if r.IntN(12) == 0 {
		m[pick(r, "AWS.x", "a..b", "")] = textValue("x")
	}
	return m
}

func (r dice) message(in object, fifo bool) object {
	if r.IntN(20) > 0 {
		in["MessageBody"] = seldom(r, pick(r, "a", "b", "c", "d\re", " ", "ü\U0001f600"), "", "\x01", strings.Repeat("x", 1025))
	}
	if !fifo || r.IntN(12) == 0 {
		r.maybe(in, "DelaySeconds", seldom(r, pick(r, 0, 1), 900, 901, -1))
	}
	r.maybe(in, "MessageAttributes", r.attributes())
	r.maybe(in, "MessageSystemAttributes", object{seldom(r, "AWSTraceHeader", "Nosuch"): seldom(r, textValue(traceHeader), bytesValue("x"))})
	if r.IntN(20) > 0 == fifo {
		in["MessageGroupId"] = seldom(r, pick(r, "g", "h"), "a b", "")
	}
	if r.IntN(20) > 0 == fifo {
		in["MessageDeduplicationId"] = seldom(r, fmt.Sprint(r.IntN(1000)), "1", "a b", "")
	}
	return in
}

// next is an action and its input; handle tells one of the handles so far.
func (r dice) next(handle func() any) (string, object) {
	in := object{}
	name := seldom(r, pick(r, "jobs", "jobs", "dead", "jobs.fifo", "jobs.fifo", "small"), "nosuch")
	if r.IntN(40) > 0 {
		in["QueueUrl"] = Base + "/000000000000/" + name
	}
	message := func(in object) object { return r.message(in, strings.HasSuffix(name, ".fifo")) }
	entries := func(make func(object) object) []object {
		list := []object{}
		for i := range 1 + r.IntN(pick(r, 3, 3, 3, 12)) {
			e := make(object{"Id": fmt.Sprint("id", i)})
			switch r.IntN(60) {
			case 0:
				delete(e, "Id")
				e["ReceiptHandle"] = "x" // Query can't tell of an entry that has nothing
			case 1:
				e["Id"] = pick(r, "a b", "", "id0")
			}
			list = append(list, e)
		}
		return list
	}
	handled := func(e object) object {
		if r.IntN(15) > 0 {
			e["ReceiptHandle"] = handle()
		}
		return e
	}
	timed := func(e object) object {
		if r.IntN(15) > 0 {
			e["VisibilityTimeout"] = seldom(r, pick(r, 0, 1, 5, 60), 43200, 43201, -1)
		}
		return handled(e)
	}
	switch action := pick(r, "SendMessage", "SendMessage", "SendMessageBatch", "ReceiveMessage", "ReceiveMessage", "ReceiveMessage", "DeleteMessage", "DeleteMessageBatch",
		"ChangeMessageVisibility", "ChangeMessageVisibilityBatch", "CreateQueue", "GetQueueUrl", "ListQueues", "GetQueueAttributes", "SetQueueAttributes", "TagQueue", "UntagQueue",
		"ListQueueTags", "AddPermission", "RemovePermission", "ListDeadLetterSourceQueues", "ListMessageMoveTasks", "StartMessageMoveTask", seldom(r, "SendMessage", "PurgeQueue")); action {
	case "SendMessage":
		return action, message(in)
	case "SendMessageBatch":
		in["Entries"] = entries(message)
		return action, in
	case "ReceiveMessage":
		r.maybe(in, "MaxNumberOfMessages", seldom(r, pick(r, 1, 10), 0, 11, -1))
		r.maybe(in, "VisibilityTimeout", seldom(r, pick(r, 0, 1, 60), 43200, 43201, -1))
		r.maybe(in, "WaitTimeSeconds", seldom(r, pick(r, 0, 1, 2), 21, -1))
		r.maybe(in, "AttributeNames", pick(r, []string{"All"}, []string{"SentTimestamp", "MessageGroupId"}, []string{"SenderId"}))
		r.maybe(in, "MessageSystemAttributeNames", pick(r, []string{"All"}, []string{"ApproximateReceiveCount"}))
		r.maybe(in, "MessageAttributeNames", pick(r, []string{"All"}, []string{"k.*", "l"}, []string{"*"}))
		r.maybe(in, "ReceiveRequestAttemptId", seldom(r, pick(r, "x", "y"), "a b"))
		return action, in
	case "DeleteMessage":
		return action, handled(in)
	case "DeleteMessageBatch":
		in["Entries"] = entries(handled)
		return action, in
	case "ChangeMessageVisibility":
		return action, timed(in)
	case "ChangeMessageVisibilityBatch":
		in["Entries"] = entries(timed)
		return action, in
	case "CreateQueue":
		in = object{}
		in["QueueName"] = pick(r, "jobs", "new", "a b", "", "new.fifo")
		r.maybe(in, "Attributes", pairs(pick(r, "DelaySeconds", "VisibilityTimeout", "FifoQueue", "Nosuch"), pick(r, "1", "x", "true", "")))
		r.maybe(in, "tags", pairs("k", "v"))
		return action, in
	case "GetQueueUrl":
		return action, object{"QueueName": pick(r, "jobs", "nosuch", "new", "a b"), "QueueOwnerAWSAccountId": pick(r, "000000000000", "111111111111")}
	case "ListQueues":
		in = object{}
		r.maybe(in, "QueueNamePrefix", pick(r, "j", "x", ""))
		r.maybe(in, "MaxResults", pick(r, 1, 1000, 0, 1001))
		r.maybe(in, "NextToken", "nobody's")
		return action, in
	case "GetQueueAttributes":
		r.maybe(in, "AttributeNames", pick(r, []string{"All"}, []string{"Policy"}, []string{"Nosuch"}, []string{"DelaySeconds", "QueueArn"}))
		return action, in
	case "SetQueueAttributes":
		in["Attributes"] = pairs(pick(r, "VisibilityTimeout", "ReceiveMessageWaitTimeSeconds", "ContentBasedDeduplication", "Policy", "RedrivePolicy", "QueueArn", "KmsMasterKeyId"),
			pick(r, "0", "1", "true", "", "{}", "x"))
		return action, in
	case "TagQueue":
		in["Tags"] = pairs(pick(r, "k", "l", "aws:x", ""), pick(r, "", "v\r<"))
		return action, in
	case "UntagQueue":
		in["TagKeys"] = []string{pick(r, "k", "l", "")}
		return action, in
	case "AddPermission":
		in["Label"] = pick(r, "l", "m", "a b")
		in["AWSAccountIds"], in["Actions"] = []string{pick(r, "111111111111", "1")}, []string{pick(r, "SendMessage", "*", "Nosuch", "SendMessageBatch")}
		return action, in
	case "RemovePermission":
		in["Label"] = pick(r, "l", "m")
		return action, in
	case "ListDeadLetterSourceQueues":
		r.maybe(in, "MaxResults", pick(r, 1, 0, 1001))
		return action, in
	case "ListMessageMoveTasks", "StartMessageMoveTask":
		in = object{"SourceArn": "arn:aws:sqs:us-east-1:000000000000:" + pick(r, "dead", "jobs", "nosuch")}
		if action == "ListMessageMoveTasks" {
			r.maybe(in, "MaxResults", pick(r, 1, 10, 0, 11))
		} else {
			r.maybe(in, "MaxNumberOfMessagesPerSecond", pick(r, 1, 0, 501))
		}
		return action, in
	default:
		return action, in
	}
}

// masked is an answer without what differs from broker to broker.
func masked(d *desk, a *answer, handles []string) string {
	d.t.Helper()
	text := fmt.Sprint(a.status, " ")
	if a.fault != nil {
		text += a.fault.code + " " + a.fault.blame + " " + strings.TrimSuffix(strings.Replace(a.fault.message, " for this wsdl version", "", 1), "\n")
	} else {
		for _, list := range []string{"Messages", "Successful"} {
			for _, m := range objects(a.out[list]) {
				for _, name := range []string{"MessageId", "ReceiptHandle"} {
					if m[name] != nil {
						m[name] = "*"
					}
				}
				if attributes, ok := m["Attributes"].(object); ok && attributes["MessageDeduplicationId"] != nil {
					attributes["MessageDeduplicationId"] = "*" // in a dead-letter queue the message's ID
				}
			}
		}
		for _, m := range append(objects(a.out["Results"]), a.out) {
			for _, name := range []string{"MessageId", "TaskHandle"} {
				if m[name] != nil {
					m[name] = "*"
				}
			}
		}
		out, err := json.Marshal(a.out)
		require.NoError(d.t, err)
		text += string(out)
	}
	for i, handle := range handles {
		text = strings.ReplaceAll(text, handle, fmt.Sprint("handle", i))
	}
	return text
}

// Both protocols answer the same to the same, in the same words but for the one
// sentence: two brokers that get the same requests, one in each, stay alike.
func TestWireProtocolsAgree(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := dice{rand.New(rand.NewPCG(seed, 25))}
				desks := []*desk{bubbleDesk(t, false), bubbleDesk(t, true)}
				handles := make([][]string, 2) // of each desk, in the order of their coming
				for _, d := range desks {
					dead := d.queue("dead")
					d.queue("jobs", "RedrivePolicy", dead.redrive(3), "VisibilityTimeout", "3")
					d.queue("jobs.fifo", "VisibilityTimeout", "3")
					d.queue("small", "MaximumMessageSize", "1024")
				}
				for step := range 400 {
					choice, roll := r.IntN(1000), r.Uint64()
					var polls [2]<-chan rawAnswer // at the same time, since some wait
					for i, d := range desks {
						r := dice{rand.New(rand.NewPCG(roll, 0))}
						action, in := r.next(func() any {
							n := choice % (min(len(handles[i]), 5) + 1)
							if recent := len(handles[i]) - 1 - n; recent >= 0 {
								return handles[i][recent]
							}
							return pick(r, "garbage", "", "a-b")
						})
						polls[i] = d.begin(d.ctx, action, in)
					}
					var answers, inputs [2]string
					for i, d := range desks {
						a := d.read(<-polls[i])
						require.Less(t, a.status, 500, "step %d: %s %v: %s", step, a.action, a.in, a.body)
						for _, m := range objects(a.out["Messages"]) {
							handles[i] = append(handles[i], m["ReceiptHandle"].(string))
						}
						answers[i], inputs[i] = masked(d, a, handles[i]), fmt.Sprintf("%s %s", a.action, brief(a.in))
					}
					require.Equal(t, answers[0], answers[1], "step %d: %s", step, inputs[0])
					desks[0].pass(time.Duration(r.IntN(1500)) * time.Millisecond)
				}
			})
		})
	}
}
