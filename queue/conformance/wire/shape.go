package wire

import (
	"encoding/json"
	"maps"
	"regexp"
)

// A memberType is the type of a member of an answer.
type memberType struct {
	kind     byte                  // s text, n number, b boolean, l list of texts, L list of objects, m map of texts, M map of objects
	xml      string                // the element that stands for it; of a list, for each element
	of       map[string]memberType // the members of an object
	required bool
}

// element is the name of the element that stands for a member of that name.
func (t memberType) element(name string) string {
	if t.xml == "" {
		return name
	}
	return t.xml
}

var (
	failedEntry = map[string]memberType{
		"Id": {kind: 's', required: true}, "SenderFault": {kind: 'b', required: true},
		"Code": {kind: 's', required: true}, "Message": {kind: 's'},
	}
	doneEntry   = map[string]memberType{"Id": {kind: 's', required: true}}
	sentMessage = map[string]memberType{
		"MessageId": {kind: 's', required: true}, "MD5OfMessageBody": {kind: 's', required: true}, "MD5OfMessageAttributes": {kind: 's'},
		"MD5OfMessageSystemAttributes": {kind: 's'}, "SequenceNumber": {kind: 's'},
	}
	sentEntry = func() map[string]memberType {
		m := maps.Clone(sentMessage)
		m["Id"] = memberType{kind: 's', required: true}
		return m
	}()
	attributeValue  = map[string]memberType{"StringValue": {kind: 's'}, "BinaryValue": {kind: 's'}, "DataType": {kind: 's', required: true}}
	receivedMessage = map[string]memberType{
		"MessageId": {kind: 's', required: true}, "ReceiptHandle": {kind: 's', required: true},
		"MD5OfBody": {kind: 's', required: true}, "Body": {kind: 's', required: true},
		"Attributes": {kind: 'm', xml: "Attribute"}, "MD5OfMessageAttributes": {kind: 's'},
		"MessageAttributes": {kind: 'M', xml: "MessageAttribute", of: attributeValue},
	}
	moveTask = map[string]memberType{
		"TaskHandle": {kind: 's'}, "Status": {kind: 's', required: true}, "SourceArn": {kind: 's', required: true}, "DestinationArn": {kind: 's'},
		"MaxNumberOfMessagesPerSecond": {kind: 'n'}, "ApproximateNumberOfMessagesMoved": {kind: 'n', required: true},
		"ApproximateNumberOfMessagesToMove": {kind: 'n'}, "FailureReason": {kind: 's'}, "StartedTimestamp": {kind: 'n', required: true},
	}
)

// batchOutput is the answer of a batch call.
func batchOutput(action string, of map[string]memberType) map[string]memberType {
	return map[string]memberType{
		"Successful": {kind: 'L', xml: action + "ResultEntry", of: of},
		"Failed":     {kind: 'L', xml: "BatchResultErrorEntry", of: failedEntry},
	}
}

// outputs are the 23 actions and what they answer: nil for nothing at all.
var outputs = map[string]map[string]memberType{
	"AddPermission":                nil,
	"CancelMessageMoveTask":        {"ApproximateNumberOfMessagesMoved": {kind: 'n', required: true}},
	"ChangeMessageVisibility":      nil,
	"ChangeMessageVisibilityBatch": batchOutput("ChangeMessageVisibilityBatch", doneEntry),
	"CreateQueue":                  {"QueueUrl": {kind: 's', required: true}},
	"DeleteMessage":                nil,
	"DeleteMessageBatch":           batchOutput("DeleteMessageBatch", doneEntry),
	"DeleteQueue":                  nil,
	"GetQueueAttributes":           {"Attributes": {kind: 'm', xml: "Attribute"}},
	"GetQueueUrl":                  {"QueueUrl": {kind: 's', required: true}},
	"ListDeadLetterSourceQueues":   {"queueUrls": {kind: 'l', xml: "QueueUrl", required: true}, "NextToken": {kind: 's'}},
	"ListMessageMoveTasks":         {"Results": {kind: 'L', xml: "ListMessageMoveTasksResultEntry", of: moveTask}},
	"ListQueueTags":                {"Tags": {kind: 'm', xml: "Tag"}},
	"ListQueues":                   {"QueueUrls": {kind: 'l', xml: "QueueUrl"}, "NextToken": {kind: 's'}},
	"PurgeQueue":                   nil,
	"ReceiveMessage":               {"Messages": {kind: 'L', xml: "Message", of: receivedMessage}},
	"RemovePermission":             nil,
	"SendMessage":                  sentMessage,
	"SendMessageBatch":             batchOutput("SendMessageBatch", sentEntry),
	"SetQueueAttributes":           nil,
	"StartMessageMoveTask":         {"TaskHandle": {kind: 's', required: true}},
	"TagQueue":                     nil,
	"UntagQueue":                   nil,
}

var wholeNumber = regexp.MustCompile(`^(0|[1-9][0-9]*)$`)

// checkObject requires that an object has the members of its type and no others. It
// takes out what should have been left out, where that is no failure yet.
func (d *desk) checkObject(where string, members map[string]memberType, o object) {
	d.t.Helper()
	for name, value := range o {
		typ, known := members[name]
		at := where + "." + name
		switch {
		case !known:
			d.flaw(ofMembers, "%s is no member: %s", at, brief(value))
		case value == nil:
			d.flaw(ofMembers, "%s is null", at)
			delete(o, name)
		case empty(value) && !typ.required:
			d.flaw(ofMembers, "%s is an empty list or map", at)
			delete(o, name)
		default:
			d.checkMember(at, typ, value)
		}
	}
	for name, typ := range members {
		if typ.required && o[name] == nil {
			d.flaw(ofMembers, "%s.%s is required", where, name)
		}
	}
}

// empty reports whether value is an empty list or map.
func empty(value any) bool {
	switch value := value.(type) {
	case []any:
		return len(value) == 0
	case object:
		return len(value) == 0
	}
	return false
}

// checkMember requires that a member, of which at tells where it stands, has its type.
func (d *desk) checkMember(at string, typ memberType, value any) {
	d.t.Helper()
	element := func(at string, value any) {
		if o, ok := value.(object); ok && typ.of != nil {
			d.checkObject(at, typ.of, o)
		} else if _, ok := value.(string); !ok || typ.of != nil {
			d.flaw(ofMembers, "%s is of another type: %s", at, brief(value))
		}
	}
	ok := true
	switch typ.kind {
	case 's':
		_, ok = value.(string)
	case 'n':
		var n json.Number
		n, ok = value.(json.Number)
		ok = ok && wholeNumber.MatchString(string(n))
	case 'b':
		_, ok = value.(bool)
	case 'l', 'L':
		var list []any
		list, ok = value.([]any)
		for _, e := range list {
			element(at, e)
		}
	case 'm', 'M':
		var m object
		m, ok = value.(object)
		for key, e := range m {
			element(at+"["+key+"]", e)
		}
	}
	if !ok {
		d.flaw(ofMembers, "%s is of another type: %s", at, brief(value))
	}
}
