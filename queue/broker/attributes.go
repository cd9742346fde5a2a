package broker

import (
	"time"

	"github.com/restantemq/restante/queue"
)

// An attribute is a setting of a queue under its name in SQS.
type attribute struct {
	name  string
	field attributeField

	// fifoOnly says that a Standard queue doesn't have it; elsewhere is what
	// SQS says then, if it says more than that it is unknown.
	fifoOnly  bool
	elsewhere string
}

const (
	fifoQueue           = "FifoQueue"
	throughputLimitName = "FifoThroughputLimit"
	policyName          = "Policy"
	redrivePolicyName   = "RedrivePolicy"
	redriveAllowName    = "RedriveAllowPolicy"
	managedEncryption   = "SqsManagedSseEnabled"
	kmsKey              = "KmsMasterKeyId"
	kmsReuse            = "KmsDataKeyReusePeriodSeconds"
)

// attributes are all that SQS lets one set, with everything there is to know of
// each but what they do to a queue.
var attributes = []attribute{
	{name: fifoQueue, field: kindField{}, fifoOnly: true},
	{name: "VisibilityTimeout", field: seconds{0, queue.MaxVisibility, queue.DefaultVisibility, visibilityTimeout}},
	{name: "DelaySeconds", field: seconds{0, queue.MaxDelay, 0, delay}},
	{name: "MaximumMessageSize", field: octets{queue.MinMessageLimit, queue.MaxMessage, queue.MaxMessage, maxMessageSize}},
	{name: "MessageRetentionPeriod", field: seconds{queue.MinRetention, queue.MaxRetention, queue.DefaultRetention, retention}},
	{name: "ReceiveMessageWaitTimeSeconds", field: seconds{0, queue.MaxWait, 0, receiveWait}},
	{name: "ContentBasedDeduplication", field: flag{contentDeduplication}, fifoOnly: true},

	{name: "DeduplicationScope", fifoOnly: true, elsewhere: onlyWhenFIFO("DeduplicationScope"),
		field: choice[queue.DeduplicationScope]{[]string{"queue", "messageGroup"}, deduplicationScope}},
	{name: throughputLimitName, fifoOnly: true, elsewhere: onlyWhenFIFO(throughputLimitName),
		field: choice[queue.ThroughputLimit]{[]string{"perQueue", "perMessageGroupId"}, throughputLimit}},

	{name: redrivePolicyName, field: text{name: redrivePolicyName, check: checkRedrivePolicy, meaning: redriveMeaning}},
	{name: redriveAllowName, field: text{name: redriveAllowName, check: checkAllowPolicy, meaning: allowMeaning}},
	{name: policyName, field: text{name: policyName, check: checkPolicy}},
	{name: managedEncryption, field: text{name: managedEncryption, normal: "true", form: lowerBool}},
	{name: kmsKey, field: text{name: kmsKey}},
	{name: kmsReuse, field: text{name: kmsReuse, normal: "300", form: reusePeriod, with: kmsKey}},
}

func onlyWhenFIFO(name string) string {
	return "You can specify the " + name + " only when FifoQueue is set to true."
}

// reusePeriod checks for how long a data key is used: the value of an attribute
// that nothing here uses.
func reusePeriod(text string) (string, bool) {
	n, ok := parseInteger(text)
	return text, ok && n >= 60 && n <= int(24*time.Hour/time.Second)
}

// A setting is a named part of a description that two of them can be compared
// by.
type setting struct {
	name  string
	field field
}

// settings are the attributes, and what a queue.Config says that no attribute
// does, but for the Trace: it is not the queue's but the process's.
func settings() []setting {
	all := make([]setting, 0, len(attributes)+4)
	for _, a := range attributes {
		all = append(all, setting{a.name, a.field})
	}
	return append(all,
		setting{"EnforceThroughput", plain[bool]{enforceThroughput}},
		setting{"FencedReceipts", plain[bool]{fencedReceipts}},
		setting{"Limits", plain[queue.Limits]{limits}},
		setting{"DeadLetter", foreignLetter{}},
	)
}
