package broker

import "github.com/restantemq/restante/queue"

// An attribute is a setting of a queue under its name in SQS.
type attribute struct {
	name  string
	field attributeField // nil: SQS has it, and this version doesn't

	// fifoOnly says that a Standard queue doesn't have it; elsewhere is what
	// SQS says then, if it says more than that it is unknown.
	fifoOnly  bool
	elsewhere string
}

const fifoQueue = "FifoQueue"

// attributes are all that SQS lets one give when creating a queue.
var attributes = []attribute{
	{name: fifoQueue, field: kindField{}, fifoOnly: true},
	{name: "VisibilityTimeout", field: seconds{0, queue.MaxVisibility, queue.DefaultVisibility, visibilityTimeout}},
	{name: "DelaySeconds", field: seconds{0, queue.MaxDelay, 0, delay}},
	{name: "MaximumMessageSize", field: octets{queue.MinMessageLimit, queue.MaxMessage, queue.MaxMessage, maxMessageSize}},
	{name: "MessageRetentionPeriod", field: seconds{queue.MinRetention, queue.MaxRetention, queue.DefaultRetention, retention}},
	{name: "ReceiveMessageWaitTimeSeconds", field: seconds{0, queue.MaxWait, 0, receiveWait}},
	{name: "ContentBasedDeduplication", field: flag{contentDeduplication}, fifoOnly: true},

	{name: "DeduplicationScope", fifoOnly: true, elsewhere: onlyWhenFIFO("DeduplicationScope")},
	{name: "FifoThroughputLimit", fifoOnly: true, elsewhere: onlyWhenFIFO("FifoThroughputLimit")},
	{name: "RedrivePolicy"},
	{name: "RedriveAllowPolicy"},
	{name: "Policy"},
	{name: "SqsManagedSseEnabled"},
	{name: "KmsMasterKeyId"},
	{name: "KmsDataKeyReusePeriodSeconds"},
}

func onlyWhenFIFO(name string) string {
	return "You can specify the " + name + " only when FifoQueue is set to true."
}

// A setting is a named part of a description that two of them can be compared
// by.
type setting struct {
	name  string
	field field
}

// settings are the attributes with data behind them, and what a queue.Config
// says that no supported attribute does.
func settings() []setting {
	var all []setting
	for _, a := range attributes {
		if a.field != nil {
			all = append(all, setting{a.name, a.field})
		}
	}
	return append(all,
		setting{"DeduplicationScope", plain[queue.DeduplicationScope]{deduplicationScope}},
		setting{"FifoThroughputLimit", plain[queue.ThroughputLimit]{throughputLimit}},
		setting{"FencedReceipts", plain[bool]{fencedReceipts}},
		setting{"Limits", plain[queue.Limits]{limits}},
		setting{"DeadLetter", plain[queue.DeadLetter]{deadLetter}},
		setting{"Trace", plain[*queue.Trace]{trace}},
	)
}
