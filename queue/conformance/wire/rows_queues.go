package wire

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

var queueRows = []Row{
	{"3/values-are-text", "All attribute values travel as text, numbers in decimal and booleans as true or false.", Both, func(d *desk) {
		all := d.queue("jobs.fifo", "VisibilityTimeout", "45").attrs("All")
		d.equalAttributes(object{
			"VisibilityTimeout": "45", "DelaySeconds": "0", "MaximumMessageSize": "1048576", "MessageRetentionPeriod": "345600",
			"ReceiveMessageWaitTimeSeconds": "0", "SqsManagedSseEnabled": "true", "FifoQueue": "true", "ContentBasedDeduplication": "false",
			"DeduplicationScope": "queue", "FifoThroughputLimit": "perQueue", "ApproximateNumberOfMessages": "0",
			"ApproximateNumberOfMessagesNotVisible": "0", "ApproximateNumberOfMessagesDelayed": "0",
			"CreatedTimestamp": "946684800", "LastModifiedTimestamp": "946684800", "QueueArn": "arn:aws:sqs:us-east-1:000000000000:jobs.fifo",
		}, all)
	}},
	{"3/number-for-text", "With JSON a number where an attribute's text is asked for is taken as its text.", JSON, func(d *desk) {
		a := d.raw("CreateQueue", `{"QueueName":"jobs","Attributes":{"VisibilityTimeout":60,"DelaySeconds":"5"}}`)
		require.Equal(d.t, 200, a.status, "%s", a.body)
		q := d.queue("jobs")
		require.Equal(d.t, object{"VisibilityTimeout": "60", "DelaySeconds": "5"}, q.attrs("VisibilityTimeout", "DelaySeconds"))
		a = d.raw("SetQueueAttributes", `{"QueueUrl":"`+q.url+`","Attributes":{"VisibilityTimeout":61}}`)
		require.Equal(d.t, 200, a.status, "%s", a.body)
		require.Equal(d.t, "61", q.attr("VisibilityTimeout"))
		d.refused(d.raw("SetQueueAttributes", `{"QueueUrl":"`+q.url+`","Attributes":{"VisibilityTimeout":43201}}`), "InvalidAttributeValue", "Invalid value for the parameter VisibilityTimeout.")
	}},
	{"3/null-is-default", "With JSON null for an attribute is its default.", JSON, func(d *desk) {
		a := d.raw("CreateQueue", `{"QueueName":"jobs","Attributes":{"VisibilityTimeout":null,"DelaySeconds":"5"}}`)
		require.Equal(d.t, 200, a.status, "%s", a.body)
		require.Equal(d.t, object{"VisibilityTimeout": "30", "DelaySeconds": "5"}, d.queue("jobs").attrs("VisibilityTimeout", "DelaySeconds"))
	}},
	{"4.1/answers-url-only", "Creating a queue answers its URL and nothing else.", Both, func(d *desk) {
		require.Equal(d.t, object{"QueueUrl": Base + "/000000000000/jobs"}, d.ok("CreateQueue", object{"QueueName": "jobs"}))
		require.Equal(d.t, object{"QueueUrl": Base + "/000000000000/jobs"}, d.ok("CreateQueue", object{"QueueName": "jobs"}))
	}},
	{"4.1/absent-name", "Creating a queue without the parameter of its name is refused by a sentence of its own.", Both, func(d *desk) {
		d.refuse(invalid, "Value for parameter QueueName is invalid. Reason: Must specify a queue name.", "CreateQueue", nil)
		d.refuse(invalid, "Queue name cannot be empty", "CreateQueue", object{"QueueName": ""})
		d.refuse(invalid, "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length", "CreateQueue", object{"QueueName": "a b"})
		d.refuse(invalid, "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.",
			"CreateQueue", object{"QueueName": "a", "Attributes": pairs("FifoQueue", "true")})
	}},
	{"4.1/exists-codes", "A queue of other attributes has two codes: QueueNameExists as type, QueueAlreadyExists in Query; the sentence names the attribute.", Both, func(d *desk) {
		q := d.queue("jobs", "VisibilityTimeout", "60")
		d.refuse("QueueNameExists", "A queue already exists with the same name and a different value for attribute VisibilityTimeout",
			"CreateQueue", object{"QueueName": "jobs", "Attributes": pairs("VisibilityTimeout", "61")})
		require.Equal(d.t, "60", q.attr("VisibilityTimeout"))
	}},
	{"4.1/tags-member", "With JSON the member for tags at creation is tags, in lower case; with Query Tag.N.Key and Tag.N.Value.", Both, func(d *desk) {
		d.ok("CreateQueue", object{"QueueName": "jobs", "tags": pairs("team", "a", "Team", "b", "empty", "")})
		require.Equal(d.t, object{"Tags": object{"team": "a", "Team": "b", "empty": ""}}, d.queue("jobs").ok("ListQueueTags", nil))
	}},
	{"4.3/owner-parameter", "QueueOwnerAWSAccountId chooses the account of the queue whose URL is asked for.", Both, func(d *desk) {
		there := d.as("111111111111", "us-east-1").queue("jobs")
		require.Equal(d.t, object{"QueueUrl": there.url}, d.ok("GetQueueUrl", object{"QueueName": "jobs", "QueueOwnerAWSAccountId": "111111111111"}))
		d.refuse(noQueue, "", "GetQueueUrl", object{"QueueName": "jobs"})
		d.refuse(noQueue, "", "GetQueueUrl", object{"QueueName": "jobs", "QueueOwnerAWSAccountId": "222222222222"})
	}},
	{"4.3/missing-codes", "A missing queue has two codes: QueueDoesNotExist as type, AWS.SimpleQueueService.NonExistentQueue in Query; status 400.", Both, func(d *desk) {
		q := &queue{d, Base + "/000000000000/nosuch"}
		for action, in := range map[string]object{
			"AddPermission":                {"Label": "l", "AWSAccountIds": []string{"111111111111"}, "Actions": []string{"SendMessage"}},
			"ChangeMessageVisibility":      {"ReceiptHandle": "AQEB", "VisibilityTimeout": 1},
			"ChangeMessageVisibilityBatch": {"Entries": []object{{"Id": "a", "ReceiptHandle": "AQEB", "VisibilityTimeout": 1}}},
			"DeleteMessage":                {"ReceiptHandle": "AQEB"},
			"DeleteMessageBatch":           {"Entries": []object{{"Id": "a", "ReceiptHandle": "AQEB"}}},
			"DeleteQueue":                  nil,
			"GetQueueAttributes":           {"AttributeNames": []string{"All"}},
			"ListDeadLetterSourceQueues":   nil,
			"ListQueueTags":                nil,
			"PurgeQueue":                   nil,
			"ReceiveMessage":               nil,
			"RemovePermission":             {"Label": "l"},
			"SendMessage":                  {"MessageBody": "a"},
			"SendMessageBatch":             {"Entries": []object{{"Id": "a", "MessageBody": "a"}}},
			"SetQueueAttributes":           {"Attributes": pairs("DelaySeconds", "1")},
			"TagQueue":                     {"Tags": pairs("k", "v")},
			"UntagQueue":                   {"TagKeys": []string{"k"}},
		} {
			q.refuse(noQueue, "", action, in)
		}
		d.refuse(noQueue, "", "GetQueueUrl", object{"QueueName": "nosuch"})
	}},
	{"4.3/no-match-no-key", "A list of queues without a match has no key QueueUrls.", Both, func(d *desk) {
		require.Empty(d.t, d.ok("ListQueues", nil))
		d.queue("jobs")
		require.Empty(d.t, d.ok("ListQueues", object{"QueueNamePrefix": "J"}))
		require.Len(d.t, urlsOf(d.ok("ListQueues", object{"QueueNamePrefix": "j"})), 1)
	}},
	{"4.3/sources-member", "The list of a dead-letter queue's sources is queueUrls, in lower case, and there also when it is empty.", Both, func(d *desk) {
		dead := d.queue("dead")
		a := dead.call("ListDeadLetterSourceQueues", nil)
		require.Equal(d.t, object{"queueUrls": []any{}}, a.out)
		if !d.query {
			require.JSONEq(d.t, `{"queueUrls":[]}`, a.body)
		}
		jobs := d.queue("jobs", "RedrivePolicy", dead.redrive(1))
		require.Equal(d.t, object{"queueUrls": []any{jobs.url}}, dead.ok("ListDeadLetterSourceQueues", nil))
	}},
	{"4.3/zero-maximum", "MaxResults of 0 is refused; it is not the same as none.", Both, func(d *desk) {
		q := d.queue("jobs")
		const sentence = "Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 1000."
		for _, n := range []int{0, -1, 1001} {
			d.refuse(invalid, sentence, "ListQueues", object{"MaxResults": n})
			q.refuse(invalid, sentence, "ListDeadLetterSourceQueues", object{"MaxResults": n})
		}
		d.ok("ListQueues", object{"MaxResults": 1000})
	}},
	{"4.3/paging", "Pages of a list are joined by NextToken, which the last one lacks; without MaxResults there is none.", Both, func(d *desk) {
		want := []string{}
		dead := d.queue("zz-dead")
		policy := dead.redrive(3)
		for i := range 5 {
			want = append(want, d.queue("jobs-"+strconv.Itoa(i), "RedrivePolicy", policy).url)
		}
		for _, list := range []func(object) object{
			func(in object) object { in["QueueNamePrefix"] = "jobs-"; return d.ok("ListQueues", in) },
			func(in object) object { return dead.ok("ListDeadLetterSourceQueues", in) },
		} {
			out := list(object{})
			require.Equal(d.t, want, urlsOf(out))
			require.NotContains(d.t, out, "NextToken")
			one := list(object{"MaxResults": 2})
			two := list(object{"MaxResults": 2, "NextToken": one["NextToken"]})
			three := list(object{"MaxResults": 2, "NextToken": two["NextToken"]})
			require.Equal(d.t, want, append(append(urlsOf(one), urlsOf(two)...), urlsOf(three)...))
			require.Len(d.t, urlsOf(three), 1)
			require.NotContains(d.t, three, "NextToken")
		}
		d.refuse(invalid, "Invalid or expired next token.", "ListQueues", object{"MaxResults": 2, "NextToken": "nobody's"})
	}},
	{"4.4/no-attributes-no-key", "Asking for no attribute, or for unset ones only, answers without the key Attributes.", Both, func(d *desk) {
		q := d.queue("jobs")
		require.Empty(d.t, q.ok("GetQueueAttributes", nil))
		require.Empty(d.t, q.ok("GetQueueAttributes", object{"AttributeNames": []string{"Policy", "RedrivePolicy", "KmsMasterKeyId"}}))
		require.Equal(d.t, object{"DelaySeconds": "0"}, q.attrs("Policy", "DelaySeconds"))
	}},
	{"4.4/attribute-errors", "What is wrong with an attribute has a code of its own for its name and for its value.", Both, func(d *desk) {
		q := d.queue("jobs")
		q.refuse("InvalidAttributeName", "Unknown Attribute Nosuch.", "GetQueueAttributes", object{"AttributeNames": []string{"Nosuch"}})
		q.refuse("InvalidAttributeName", "Unknown Attribute Nosuch.", "SetQueueAttributes", object{"Attributes": pairs("Nosuch", "1")})
		d.refuse("InvalidAttributeName", "Unknown Attribute Nosuch.", "CreateQueue", object{"QueueName": "other", "Attributes": pairs("Nosuch", "1")})
		for _, value := range []string{"-1", "43201", "x", "", " 5", "5.0", "5 "} {
			q.refuse("InvalidAttributeValue", "Invalid value for the parameter VisibilityTimeout.", "SetQueueAttributes", object{"Attributes": pairs("VisibilityTimeout", value)})
		}
		q.refuse(missing, "The request must contain the parameter Attribute.Name.", "SetQueueAttributes", nil)
		q.refuse("InvalidAttributeName", "You can specify the DeduplicationScope only when FifoQueue is set to true.", "SetQueueAttributes", object{"Attributes": pairs("DeduplicationScope", "queue")})
		d.queue("jobs.fifo").refuse("InvalidAttributeValue", "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.",
			"SetQueueAttributes", object{"Attributes": pairs("FifoQueue", "false")})
		q.refuse("InvalidAttributeValue", "Invalid value for the parameter Policy.", "SetQueueAttributes", object{"Attributes": pairs("Policy", "{")})
	}},
	{"4.5/purge-status", "A second purge too early has status 403 and the code AWS.SimpleQueueService.PurgeQueueInProgress.", Both, func(d *desk) {
		q := d.with(Options{Cooldowns: true}).queue("jobs")
		q.ok("PurgeQueue", nil)
		d.pass(59 * time.Second)
		q.refuse("PurgeQueueInProgress", "Only one PurgeQueue operation on jobs is allowed every 60 seconds.", "PurgeQueue", nil)
		d.pass(2 * time.Second)
		q.ok("PurgeQueue", nil)
	}},
	{"4.6/no-tags-no-key", "The tags of a queue without any are answered without the key Tags.", Both, func(d *desk) {
		q := d.queue("jobs")
		require.Empty(d.t, q.ok("ListQueueTags", nil))
		q.ok("TagQueue", object{"Tags": pairs("a", "1", "b", "2")})
		q.ok("TagQueue", object{"Tags": pairs("b", "3")})
		require.Equal(d.t, object{"Tags": object{"a": "1", "b": "3"}}, q.ok("ListQueueTags", nil))
		q.ok("UntagQueue", object{"TagKeys": []string{"a", "b", "never"}})
		require.Empty(d.t, q.ok("ListQueueTags", nil))
	}},
	{"4.6/nothing-texts", "Adding no tags and removing none are refused by different codes and sentences.", Both, func(d *desk) {
		q := d.queue("jobs")
		q.refuse(missing, "The request must contain the parameter Tags.", "TagQueue", nil)
		q.refuse(invalid, "Tag keys must be between 1 and 128 characters in length.", "UntagQueue", nil)
		q.refuse(missing, "The request must contain the parameter Tags.", "TagQueue", object{"Tags": pairs()})
		q.refuse(invalid, "Tag keys must be between 1 and 128 characters in length.", "UntagQueue", object{"TagKeys": []string{}})
		q.refuse(missing, "The request must contain the parameter Attribute.Name.", "SetQueueAttributes", object{"Attributes": pairs()})
	}},
	{"4.7/over-limit-status", "Too many actions or statements have status 403 and the code OverLimit.", Both, func(d *desk) {
		q := d.queue("jobs")
		add := func(label string, actions ...string) object {
			return object{"Label": label, "AWSAccountIds": []string{"111111111111"}, "Actions": actions}
		}
		q.refuse("OverLimit", "8 Actions were found, maximum allowed is 7.", "AddPermission", add("many", "ChangeMessageVisibility", "DeleteMessage",
			"GetQueueAttributes", "GetQueueUrl", "ListDeadLetterSourceQueues", "PurgeQueue", "ReceiveMessage", "SendMessage"))
		for i := range 20 {
			q.ok("AddPermission", add(fmt.Sprint("label", i), "SendMessage"))
		}
		q.refuse("OverLimit", "21 Statements were found, maximum allowed is 20.", "AddPermission", add("another", "SendMessage"))
	}},
	{"4.7/policy-on-the-wire", "A permission becomes a statement of the attribute Policy, with its label, accounts and actions.", Both, func(d *desk) {
		q := d.queue("jobs")
		q.ok("AddPermission", object{"Label": "crossaccount", "AWSAccountIds": []string{"111111111111", "222222222222"}, "Actions": []string{"ReceiveMessage"}})
		require.JSONEq(d.t, `{"Version":"2008-10-17","Id":"arn:aws:sqs:us-east-1:000000000000:jobs/SQSDefaultPolicy","Statement":[{
			"Sid":"crossaccount","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111111111111:root","arn:aws:iam::222222222222:root"]},
			"Action":"SQS:ReceiveMessage","Resource":"arn:aws:sqs:us-east-1:000000000000:jobs"}]}`, q.attr("Policy"))
		q.refuse(invalid, "Value crossaccount for parameter Label is invalid. Reason: Already exists.", "AddPermission",
			object{"Label": "crossaccount", "AWSAccountIds": []string{"111111111111"}, "Actions": []string{"SendMessage"}})
		q.refuse(invalid, "Value nosuch for parameter Label is invalid. Reason: can't find label.", "RemovePermission", object{"Label": "nosuch"})
		q.ok("RemovePermission", object{"Label": "crossaccount"})
		require.Empty(d.t, q.attrs("Policy"))
	}},
	{"14.1/policy-errors", "A redrive policy that is refused is quoted in the sentence that says why; one that is no JSON is a bad attribute value.", Both, func(d *desk) {
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
			q.refuse(invalid, "Value "+policy+" for parameter RedrivePolicy is invalid. Reason: "+reason, "SetQueueAttributes", object{"Attributes": pairs("RedrivePolicy", policy)})
		}
		q.refuse("InvalidAttributeValue", "Invalid value for the parameter RedrivePolicy. Reason: Redrive policy is not a valid JSON map.",
			"SetQueueAttributes", object{"Attributes": pairs("RedrivePolicy", "no map")})
		policy := " " + dead.redrive(5) + " "
		q.set("RedrivePolicy", policy)
		require.Equal(d.t, policy, q.attr("RedrivePolicy"))
	}},
}
