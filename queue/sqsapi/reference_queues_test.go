package sqsapi_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue/broker"
)

var wireQueues = []wireRow{
	{"3/values-are-text", "All attribute values travel as text, numbers in decimal and booleans as true or false.", wireInBoth, func(d *wireDesk) {
		require.Equal(d.t, wireMap{
			"VisibilityTimeout": "45", "DelaySeconds": "0", "MaximumMessageSize": "1048576", "MessageRetentionPeriod": "345600",
			"ReceiveMessageWaitTimeSeconds": "0", "SqsManagedSseEnabled": "true", "FifoQueue": "true", "ContentBasedDeduplication": "false",
			"DeduplicationScope": "queue", "FifoThroughputLimit": "perQueue", "ApproximateNumberOfMessages": "0",
			"ApproximateNumberOfMessagesNotVisible": "0", "ApproximateNumberOfMessagesDelayed": "0",
			"CreatedTimestamp": "946684800", "LastModifiedTimestamp": "946684800", "QueueArn": "arn:aws:sqs:us-east-1:000000000000:jobs.fifo",
		}, d.queue("jobs.fifo", "VisibilityTimeout", "45").attrs("All"))
	}},
	{"3/number-for-text", "With JSON a number where an attribute's text is asked for is taken as its text.", wireInJSON, func(d *wireDesk) {
		a := d.raw("CreateQueue", `{"QueueName":"jobs","Attributes":{"VisibilityTimeout":60,"DelaySeconds":"5"}}`)
		require.Equal(d.t, 200, a.status, "%s", a.body)
		q := d.queue("jobs")
		require.Equal(d.t, wireMap{"VisibilityTimeout": "60", "DelaySeconds": "5"}, q.attrs("VisibilityTimeout", "DelaySeconds"))
		a = d.raw("SetQueueAttributes", `{"QueueUrl":"`+q.url+`","Attributes":{"VisibilityTimeout":61}}`)
		require.Equal(d.t, 200, a.status, "%s", a.body)
		require.Equal(d.t, "61", q.attr("VisibilityTimeout"))
		d.refused(d.raw("SetQueueAttributes", `{"QueueUrl":"`+q.url+`","Attributes":{"VisibilityTimeout":43201}}`), "InvalidAttributeValue", "Invalid value for the parameter VisibilityTimeout.")
	}},
	{"3/null-is-default", "With JSON null for an attribute is its default.", wireInJSON, func(d *wireDesk) {
		a := d.raw("CreateQueue", `{"QueueName":"jobs","Attributes":{"VisibilityTimeout":null,"DelaySeconds":"5"}}`)
		require.Equal(d.t, 200, a.status, "%s", a.body)
		require.Equal(d.t, wireMap{"VisibilityTimeout": "30", "DelaySeconds": "5"}, d.queue("jobs").attrs("VisibilityTimeout", "DelaySeconds"))
	}},
	{"4.1/answers-url-only", "Creating a queue answers its URL and nothing else.", wireInBoth, func(d *wireDesk) {
		require.Equal(d.t, wireMap{"QueueUrl": wireBase + "/000000000000/jobs"}, d.ok("CreateQueue", wireMap{"QueueName": "jobs"}))
		require.Equal(d.t, wireMap{"QueueUrl": wireBase + "/000000000000/jobs"}, d.ok("CreateQueue", wireMap{"QueueName": "jobs"}))
	}},
	{"4.1/absent-name", "Creating a queue without the parameter of its name is refused by a sentence of its own.", wireInBoth, func(d *wireDesk) {
		d.refuse(wireInvalid, "Value for parameter QueueName is invalid. Reason: Must specify a queue name.", "CreateQueue", nil)
		d.refuse(wireInvalid, "Queue name cannot be empty", "CreateQueue", wireMap{"QueueName": ""})
		d.refuse(wireInvalid, "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length", "CreateQueue", wireMap{"QueueName": "a b"})
		d.refuse(wireInvalid, "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.",
			"CreateQueue", wireMap{"QueueName": "a", "Attributes": wirePairs("FifoQueue", "true")})
	}},
	{"4.1/exists-codes", "A queue of other attributes has two codes: QueueNameExists as type, QueueAlreadyExists in Query; the sentence names the attribute.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs", "VisibilityTimeout", "60")
		d.refuse("QueueNameExists", "A queue already exists with the same name and a different value for attribute VisibilityTimeout",
			"CreateQueue", wireMap{"QueueName": "jobs", "Attributes": wirePairs("VisibilityTimeout", "61")})
		require.Equal(d.t, "60", q.attr("VisibilityTimeout"))
	}},
	{"4.1/tags-member", "With JSON the member for tags at creation is tags, in lower case; with Query Tag.N.Key and Tag.N.Value.", wireInBoth, func(d *wireDesk) {
		d.ok("CreateQueue", wireMap{"QueueName": "jobs", "tags": wirePairs("team", "a", "Team", "b", "empty", "")})
		require.Equal(d.t, wireMap{"Tags": wireMap{"team": "a", "Team": "b", "empty": ""}}, d.queue("jobs").ok("ListQueueTags", nil))
	}},
	{"4.3/owner-parameter", "QueueOwnerAWSAccountId chooses the account of the queue whose URL is asked for.", wireInBoth, func(d *wireDesk) {
		there := d.as("111111111111", "us-east-1").queue("jobs")
		require.Equal(d.t, wireMap{"QueueUrl": there.url}, d.ok("GetQueueUrl", wireMap{"QueueName": "jobs", "QueueOwnerAWSAccountId": "111111111111"}))
		d.refuse(wireNoQueue, "", "GetQueueUrl", wireMap{"QueueName": "jobs"})
		d.refuse(wireNoQueue, "", "GetQueueUrl", wireMap{"QueueName": "jobs", "QueueOwnerAWSAccountId": "222222222222"})
	}},
	{"4.3/missing-codes", "A missing queue has two codes: QueueDoesNotExist as type, AWS.SimpleQueueService.NonExistentQueue in Query; status 400.", wireInBoth, func(d *wireDesk) {
		q := &wireQueue{d, wireBase + "/000000000000/nosuch"}
		for action, in := range map[string]wireMap{
			"AddPermission":                {"Label": "l", "AWSAccountIds": []string{"111111111111"}, "Actions": []string{"SendMessage"}},
			"ChangeMessageVisibility":      {"ReceiptHandle": "AQEB", "VisibilityTimeout": 1},
			"ChangeMessageVisibilityBatch": {"Entries": []wireMap{{"Id": "a", "ReceiptHandle": "AQEB", "VisibilityTimeout": 1}}},
			"DeleteMessage":                {"ReceiptHandle": "AQEB"},
			"DeleteMessageBatch":           {"Entries": []wireMap{{"Id": "a", "ReceiptHandle": "AQEB"}}},
			"DeleteQueue":                  nil,
			"GetQueueAttributes":           {"AttributeNames": []string{"All"}},
			"ListDeadLetterSourceQueues":   nil,
			"ListQueueTags":                nil,
			"PurgeQueue":                   nil,
			"ReceiveMessage":               nil,
			"RemovePermission":             {"Label": "l"},
			"SendMessage":                  {"MessageBody": "a"},
			"SendMessageBatch":             {"Entries": []wireMap{{"Id": "a", "MessageBody": "a"}}},
			"SetQueueAttributes":           {"Attributes": wirePairs("DelaySeconds", "1")},
			"TagQueue":                     {"Tags": wirePairs("k", "v")},
			"UntagQueue":                   {"TagKeys": []string{"k"}},
		} {
			q.refuse(wireNoQueue, "", action, in)
		}
		d.refuse(wireNoQueue, "", "GetQueueUrl", wireMap{"QueueName": "nosuch"})
	}},
	{"4.3/no-match-no-key", "A list of queues without a match has no key QueueUrls.", wireInBoth, func(d *wireDesk) {
		require.Empty(d.t, d.ok("ListQueues", nil))
		d.queue("jobs")
		require.Empty(d.t, d.ok("ListQueues", wireMap{"QueueNamePrefix": "J"}))
		require.Len(d.t, wireURLsOf(d.ok("ListQueues", wireMap{"QueueNamePrefix": "j"})), 1)
	}},
	{"4.3/sources-member", "The list of a dead-letter queue's sources is queueUrls, in lower case, and there also when it is empty.", wireInBoth, func(d *wireDesk) {
		dead := d.queue("dead")
		a := dead.call("ListDeadLetterSourceQueues", nil)
		require.Equal(d.t, wireMap{"queueUrls": []any{}}, a.out)
		if !d.query {
			require.JSONEq(d.t, `{"queueUrls":[]}`, a.body)
		}
		jobs := d.queue("jobs", "RedrivePolicy", dead.redrive(1))
		require.Equal(d.t, wireMap{"queueUrls": []any{jobs.url}}, dead.ok("ListDeadLetterSourceQueues", nil))
	}},
	{"4.3/zero-maximum", "MaxResults of 0 is refused; it is not the same as none.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		const sentence = "Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 1000."
		for _, n := range []int{0, -1, 1001} {
			d.refuse(wireInvalid, sentence, "ListQueues", wireMap{"MaxResults": n})
			q.refuse(wireInvalid, sentence, "ListDeadLetterSourceQueues", wireMap{"MaxResults": n})
		}
		d.ok("ListQueues", wireMap{"MaxResults": 1000})
	}},
	{"4.3/paging", "Pages of a list are joined by NextToken, which the last one lacks; without MaxResults there is none.", wireInBoth, func(d *wireDesk) {
		want := []string{}
		dead := d.queue("zz-dead")
		policy := dead.redrive(3)
		for i := range 5 {
			want = append(want, d.queue("jobs-"+strconv.Itoa(i), "RedrivePolicy", policy).url)
		}
		for _, list := range []func(wireMap) wireMap{
			func(in wireMap) wireMap { in["QueueNamePrefix"] = "jobs-"; return d.ok("ListQueues", in) },
			func(in wireMap) wireMap { return dead.ok("ListDeadLetterSourceQueues", in) },
		} {
			out := list(wireMap{})
			require.Equal(d.t, want, wireURLsOf(out))
			require.NotContains(d.t, out, "NextToken")
			one := list(wireMap{"MaxResults": 2})
			two := list(wireMap{"MaxResults": 2, "NextToken": one["NextToken"]})
			three := list(wireMap{"MaxResults": 2, "NextToken": two["NextToken"]})
			require.Equal(d.t, want, append(append(wireURLsOf(one), wireURLsOf(two)...), wireURLsOf(three)...))
			require.Len(d.t, wireURLsOf(three), 1)
			require.NotContains(d.t, three, "NextToken")
		}
		d.refuse(wireInvalid, "Invalid or expired next token.", "ListQueues", wireMap{"MaxResults": 2, "NextToken": "nobody's"})
	}},
	{"4.4/no-attributes-no-key", "Asking for no attribute, or for unset ones only, answers without the key Attributes.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		require.Empty(d.t, q.ok("GetQueueAttributes", nil))
		require.Empty(d.t, q.ok("GetQueueAttributes", wireMap{"AttributeNames": []string{"Policy", "RedrivePolicy", "KmsMasterKeyId"}}))
		require.Equal(d.t, wireMap{"DelaySeconds": "0"}, q.attrs("Policy", "DelaySeconds"))
	}},
	{"4.4/attribute-errors", "What is wrong with an attribute has a code of its own for its name and for its value.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		q.refuse("InvalidAttributeName", "Unknown Attribute Nosuch.", "GetQueueAttributes", wireMap{"AttributeNames": []string{"Nosuch"}})
		q.refuse("InvalidAttributeName", "Unknown Attribute Nosuch.", "SetQueueAttributes", wireMap{"Attributes": wirePairs("Nosuch", "1")})
		d.refuse("InvalidAttributeName", "Unknown Attribute Nosuch.", "CreateQueue", wireMap{"QueueName": "other", "Attributes": wirePairs("Nosuch", "1")})
		for _, value := range []string{"-1", "43201", "x", "", " 5", "5.0", "5 "} {
			q.refuse("InvalidAttributeValue", "Invalid value for the parameter VisibilityTimeout.", "SetQueueAttributes", wireMap{"Attributes": wirePairs("VisibilityTimeout", value)})
		}
		q.refuse(wireMissing, "The request must contain the parameter Attribute.Name.", "SetQueueAttributes", nil)
		q.refuse("InvalidAttributeName", "You can specify the DeduplicationScope only when FifoQueue is set to true.", "SetQueueAttributes", wireMap{"Attributes": wirePairs("DeduplicationScope", "queue")})
		d.queue("jobs.fifo").refuse("InvalidAttributeValue", "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.",
			"SetQueueAttributes", wireMap{"Attributes": wirePairs("FifoQueue", "false")})
		q.refuse("InvalidAttributeValue", "Invalid value for the parameter Policy.", "SetQueueAttributes", wireMap{"Attributes": wirePairs("Policy", "{")})
	}},
	{"4.5/purge-status", "A second purge too early has status 403 and the code AWS.SimpleQueueService.PurgeQueueInProgress.", wireInBoth, func(d *wireDesk) {
		q := d.with(broker.Options{EnforceCooldowns: true}).queue("jobs")
		q.ok("PurgeQueue", nil)
		d.pass(59 * time.Second)
		q.refuse("PurgeQueueInProgress", "Only one PurgeQueue operation on jobs is allowed every 60 seconds.", "PurgeQueue", nil)
		d.pass(2 * time.Second)
		q.ok("PurgeQueue", nil)
	}},
	{"4.6/no-tags-no-key", "The tags of a queue without any are answered without the key Tags.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		require.Empty(d.t, q.ok("ListQueueTags", nil))
		q.ok("TagQueue", wireMap{"Tags": wirePairs("a", "1", "b", "2")})
		q.ok("TagQueue", wireMap{"Tags": wirePairs("b", "3")})
		require.Equal(d.t, wireMap{"Tags": wireMap{"a": "1", "b": "3"}}, q.ok("ListQueueTags", nil))
		q.ok("UntagQueue", wireMap{"TagKeys": []string{"a", "b", "never"}})
		require.Empty(d.t, q.ok("ListQueueTags", nil))
	}},
	{"4.6/nothing-texts", "Adding no tags and removing none are refused by different codes and sentences.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		q.refuse(wireMissing, "The request must contain the parameter Tags.", "TagQueue", nil)
		q.refuse(wireInvalid, "Tag keys must be between 1 and 128 characters in length.", "UntagQueue", nil)
		q.refuse(wireMissing, "The request must contain the parameter Tags.", "TagQueue", wireMap{"Tags": wirePairs()})
		q.refuse(wireInvalid, "Tag keys must be between 1 and 128 characters in length.", "UntagQueue", wireMap{"TagKeys": []string{}})
		q.refuse(wireMissing, "The request must contain the parameter Attribute.Name.", "SetQueueAttributes", wireMap{"Attributes": wirePairs()})
	}},
	{"4.7/over-limit-status", "Too many actions or statements have status 403 and the code OverLimit.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		add := func(label string, actions ...string) wireMap {
			return wireMap{"Label": label, "AWSAccountIds": []string{"111111111111"}, "Actions": actions}
		}
		q.refuse("OverLimit", "8 Actions were found, maximum allowed is 7.", "AddPermission", add("many", "ChangeMessageVisibility", "DeleteMessage",
			"GetQueueAttributes", "GetQueueUrl", "ListDeadLetterSourceQueues", "PurgeQueue", "ReceiveMessage", "SendMessage"))
		for i := range 20 {
			q.ok("AddPermission", add(fmt.Sprint("label", i), "SendMessage"))
		}
		q.refuse("OverLimit", "21 Statements were found, maximum allowed is 20.", "AddPermission", add("another", "SendMessage"))
	}},
	{"4.7/policy-on-the-wire", "A permission becomes a statement of the attribute Policy, with its label, accounts and actions.", wireInBoth, func(d *wireDesk) {
		q := d.queue("jobs")
		q.ok("AddPermission", wireMap{"Label": "crossaccount", "AWSAccountIds": []string{"111111111111", "222222222222"}, "Actions": []string{"ReceiveMessage"}})
		require.JSONEq(d.t, `{"Version":"2008-10-17","Id":"arn:aws:sqs:us-east-1:000000000000:jobs/SQSDefaultPolicy","Statement":[{
			"Sid":"crossaccount","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111111111111:root","arn:aws:iam::222222222222:root"]},
			"Action":"SQS:ReceiveMessage","Resource":"arn:aws:sqs:us-east-1:000000000000:jobs"}]}`, q.attr("Policy"))
		q.refuse(wireInvalid, "Value crossaccount for parameter Label is invalid. Reason: Already exists.", "AddPermission",
			wireMap{"Label": "crossaccount", "AWSAccountIds": []string{"111111111111"}, "Actions": []string{"SendMessage"}})
		q.refuse(wireInvalid, "Value nosuch for parameter Label is invalid. Reason: can't find label.", "RemovePermission", wireMap{"Label": "nosuch"})
		q.ok("RemovePermission", wireMap{"Label": "crossaccount"})
		require.Empty(d.t, q.attrs("Policy"))
	}},
	{"14.1/policy-errors", "A redrive policy that is refused is quoted in the sentence that says why; one that is no JSON is a bad attribute value.", wireInBoth, func(d *wireDesk) {
		q, dead := d.queue("jobs"), d.queue("dead")
		fifo := d.queue("dead.fifo")
		for policy, reason := range map[string]string{
			fmt.Sprintf(`{"deadLetterTargetArn":"%s"}`, dead.arn()): "Redrive policy does not contain mandatory attribute: maxReceiveCount.",
			`{"maxReceiveCount":"1"}`:                               "Redrive policy does not contain mandatory attribute: deadLetterTargetArn.",
			dead.redrive(-36):                                       "Invalid value for maxReceiveCount: -36, valid values are from 1 to 1000 both inclusive.",
			fifo.redrive(1):                                         "Dead-letter queue must be same type of queue as the source..",
			strings.Replace(dead.redrive(1), ":dead", ":nosuch", 1): "Dead letter target does not exist.",
			fmt.Sprintf(`{"deadLetterTargetArn":"%s","maxReceiveCount":1,"more":1}`, dead.arn()):     "Only following attributes are supported: [maxReceiveCount, deadLetterTargetArn].",
			`{"deadLetterTargetArn":"arn:aws:sns:us-east-1:000000000000:topic","maxReceiveCount":1}`: "Only SQS queues are valid resources for deadLetterTargetArn.",
			`{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:999999999999:dead","maxReceiveCount":1}`:  "Dead-letter target owner should be same as the source.",
		} {
			q.refuse(wireInvalid, "Value "+policy+" for parameter RedrivePolicy is invalid. Reason: "+reason, "SetQueueAttributes", wireMap{"Attributes": wirePairs("RedrivePolicy", policy)})
		}
		q.refuse("InvalidAttributeValue", "Invalid value for the parameter RedrivePolicy. Reason: Redrive policy is not a valid JSON map.",
			"SetQueueAttributes", wireMap{"Attributes": wirePairs("RedrivePolicy", "no map")})
		policy := " " + dead.redrive(5) + " "
		q.set("RedrivePolicy", policy)
		require.Equal(d.t, policy, q.attr("RedrivePolicy"))
	}},
}

// tasks lists the move tasks of a queue.
func (q *wireQueue) tasks() []wireMap {
	q.d.t.Helper()
	return wireObjects(q.d.ok("ListMessageMoveTasks", wireMap{"SourceArn": q.arn(), "MaxResults": 10})["Results"])
}

// deadLetters is a dead-letter queue with n messages of one source.
func (d *wireDesk) deadLetters(n int) (dead, source *wireQueue) {
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

var wireMoveTasks = []wireRow{
	{"15.1/not-found-status", "A missing source or destination has status 404 and the code ResourceNotFoundException.", wireInBoth, func(d *wireDesk) {
		dead, _ := d.deadLetters(1)
		arn := strings.Replace(dead.arn(), ":dead", ":nosuch", 1)
		const sentence = "The resource that you specified for the %s parameter doesn't exist."
		d.refuse("ResourceNotFoundException", fmt.Sprintf(sentence, "SourceArn"), "StartMessageMoveTask", wireMap{"SourceArn": arn})
		d.refuse("ResourceNotFoundException", fmt.Sprintf(sentence, "DestinationArn"), "StartMessageMoveTask", wireMap{"SourceArn": dead.arn(), "DestinationArn": arn})
		d.refuse("ResourceNotFoundException", "", "ListMessageMoveTasks", wireMap{"SourceArn": arn})
	}},
	{"15.1/zero-rate", "A rate of 0 is refused; it is not the same as none.", wireInBoth, func(d *wireDesk) {
		dead, _ := d.deadLetters(1)
		for _, rate := range []int{0, -1, 501} {
			d.refuse(wireInvalid, "Value for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: You must enter a number that's between 1 and 500.",
				"StartMessageMoveTask", wireMap{"SourceArn": dead.arn(), "MaxNumberOfMessagesPerSecond": rate})
		}
		require.Empty(d.t, dead.tasks())
	}},
	{"15.1/start-texts", "What is wrong with a move task is said in SQS's sentences.", wireInBoth, func(d *wireDesk) {
		dead, source := d.deadLetters(3)
		fifo := d.queue("other.fifo")
		start := func(sentence string, in wireMap) {
			d.t.Helper()
			d.refuse(wireInvalid, sentence, "StartMessageMoveTask", in)
		}
		start("Source queue must be configured as a Dead Letter Queue.", wireMap{"SourceArn": source.arn()})
		start("You must use this format to specify the SourceArn: arn:<partition>:<service>:<region>:<account-id>:<resource-id>", wireMap{"SourceArn": "dead"})
		start("Source queue arn and destination queue arn cannot be the same.", wireMap{"SourceArn": dead.arn(), "DestinationArn": dead.arn()})
		start("The source queue and destination queue must be of the same queue type.", wireMap{"SourceArn": dead.arn(), "DestinationArn": fifo.arn()})
		d.ok("StartMessageMoveTask", wireMap{"SourceArn": dead.arn(), "MaxNumberOfMessagesPerSecond": 1})
		start("There is already a task running. Only one active task is allowed for a source queue arn at a given time.", wireMap{"SourceArn": dead.arn()})
	}},
	{"15.3/absent-members", "Members that don't apply to a task (handle, destination, rate, reason) are absent.", wireInBoth, func(d *wireDesk) {
		dead, source := d.deadLetters(3)
		require.Empty(d.t, d.ok("ListMessageMoveTasks", wireMap{"SourceArn": dead.arn()}))
		start := d.ok("StartMessageMoveTask", wireMap{"SourceArn": dead.arn()})
		d.pass(time.Minute)
		tasks := dead.tasks()
		require.Len(d.t, tasks, 1)
		require.Equal(d.t, wireMap{"Status": "COMPLETED", "SourceArn": dead.arn(), "ApproximateNumberOfMessagesMoved": json.Number("3"),
			"ApproximateNumberOfMessagesToMove": json.Number("3"), "StartedTimestamp": tasks[0]["StartedTimestamp"]}, tasks[0])
		source.counts(3, 0, 0)
		require.NotEmpty(d.t, start["TaskHandle"])

		other := d.queue("other")
		dead.fill("a", "b", "c", "d")
		start = d.ok("StartMessageMoveTask", wireMap{"SourceArn": dead.arn(), "DestinationArn": other.arn(), "MaxNumberOfMessagesPerSecond": 1})
		tasks = dead.tasks()
		require.Len(d.t, tasks, 2)
		running := tasks[0]
		require.Equal(d.t, wireMap{"TaskHandle": start["TaskHandle"], "Status": "RUNNING", "SourceArn": dead.arn(), "DestinationArn": other.arn(),
			"MaxNumberOfMessagesPerSecond": json.Number("1"), "ApproximateNumberOfMessagesMoved": running["ApproximateNumberOfMessagesMoved"],
			"ApproximateNumberOfMessagesToMove": json.Number("4"), "StartedTimestamp": running["StartedTimestamp"]}, running)
		other.ok("DeleteQueue", nil)
		d.pass(time.Minute)
		failed := dead.tasks()[0]
		require.Equal(d.t, "FAILED", failed["Status"])
		require.Equal(d.t, "AWS.SimpleQueueService.NonExistentQueue", failed["FailureReason"])
		require.NotContains(d.t, failed, "TaskHandle")
	}},
	{"15.3/started-number", "StartedTimestamp is a JSON number of milliseconds since 1970.", wireInBoth, func(d *wireDesk) {
		dead, _ := d.deadLetters(1)
		d.pass(1500 * time.Millisecond)
		now := time.Now().UnixMilli()
		d.ok("StartMessageMoveTask", wireMap{"SourceArn": dead.arn()})
		d.pass(time.Second)
		require.Equal(d.t, json.Number(strconv.FormatInt(now, 10)), dead.tasks()[0]["StartedTimestamp"])
	}},
	{"15.3/maximum", "MaxResults of tasks is 1 to 10, and 1 unless said.", wireInBoth, func(d *wireDesk) {
		dead, _ := d.deadLetters(1)
		for range 3 {
			d.ok("StartMessageMoveTask", wireMap{"SourceArn": dead.arn()})
			d.pass(time.Minute)
		}
		require.Len(d.t, wireObjects(d.ok("ListMessageMoveTasks", wireMap{"SourceArn": dead.arn()})["Results"]), 1)
		require.Len(d.t, dead.tasks(), 3)
		for _, n := range []int{0, -1, 11} {
			d.refuse(wireInvalid, "", "ListMessageMoveTasks", wireMap{"SourceArn": dead.arn(), "MaxResults": n})
		}
	}},
	{"15.4/cancel-on-the-wire", "Cancelling answers how many messages have moved; a bad handle, a missing source and an unknown task have codes and sentences of their own.", wireInBoth, func(d *wireDesk) {
		dead, _ := d.deadLetters(5)
		handle := d.ok("StartMessageMoveTask", wireMap{"SourceArn": dead.arn(), "MaxNumberOfMessagesPerSecond": 1})["TaskHandle"].(string)
		d.pass(1500 * time.Millisecond)
		out := d.ok("CancelMessageMoveTask", wireMap{"TaskHandle": handle})
		require.Contains(d.t, []string{"1", "2"}, string(out["ApproximateNumberOfMessagesMoved"].(json.Number)))
		d.pass(time.Minute)
		require.Equal(d.t, "CANCELLED", dead.tasks()[0]["Status"])
		d.refuse(wireInvalid, "Value for parameter TaskHandle is invalid.", "CancelMessageMoveTask", wireMap{"TaskHandle": "nobody's"})
		d.refuse("ResourceNotFoundException", "The resource that you specified for the SourceArn parameter doesn't exist.", "CancelMessageMoveTask",
			wireMap{"TaskHandle": wireTaskHandle(strings.Replace(dead.arn(), ":dead", ":nosuch", 1))})
		d.refuse("ResourceNotFoundException", "Task does not exist.", "CancelMessageMoveTask", wireMap{"TaskHandle": wireTaskHandle(dead.arn())})
	}},
}

// wireTaskHandle is the handle of a task that never was.
func wireTaskHandle(source string) string {
	text := fmt.Sprintf(`{"taskId":"11111111-2222-3333-4444-555555555555","sourceArn":"%s"}`, source)
	return wireBytes(text)["BinaryValue"].(string)
}
