package sqsapi

import (
	"context"
	"net/http"

	"github.com/restantemq/restante/queue/broker"
)

// A call is one request for an action, whatever the protocol it came in.
type call struct {
	ctx    context.Context
	broker *broker.Broker
	header http.Header
	base   string // what the queue URLs in its answer start with

	// read fills the structure that in points to with the request's members.
	read func(in any) error
}

// An action does what a call asks for and returns the structure of its answer.
type action func(*call) (any, error)

// actions are all actions of the service. A nil one is known and not served
// yet.
var actions = map[string]action{
	"CreateQueue":    act(createQueue),
	"GetQueueUrl":    act(getQueueURL),
	"SendMessage":    act(sendMessage),
	"ReceiveMessage": act(receiveMessage),
	"DeleteMessage":  act(deleteMessage),

	"AddPermission":                nil,
	"CancelMessageMoveTask":        nil,
	"ChangeMessageVisibility":      nil,
	"ChangeMessageVisibilityBatch": nil,
	"DeleteMessageBatch":           nil,
	"DeleteQueue":                  nil,
	"GetQueueAttributes":           nil,
	"ListDeadLetterSourceQueues":   nil,
	"ListMessageMoveTasks":         nil,
	"ListQueueTags":                nil,
	"ListQueues":                   nil,
	"PurgeQueue":                   nil,
	"RemovePermission":             nil,
	"SendMessageBatch":             nil,
	"SetQueueAttributes":           nil,
	"StartMessageMoveTask":         nil,
	"TagQueue":                     nil,
	"UntagQueue":                   nil,
}

// act makes an action of a function from input to output. The members of a
// request are the exported fields of In; see bind.
func act[In, Out any](do func(*call, *In) (*Out, error)) action {
	return func(c *call) (any, error) {
		in := new(In)
		if err := c.read(in); err != nil {
			return nil, err
		}
		out, err := do(c, in)
		if err != nil {
			return nil, err
		}
		return out, nil
	}
}

// nothing is the output of an action that has none.
type nothing struct{}

// perform does the action of that name.
func (c *call) perform(name string) (any, error) {
	do, known := actions[name]
	switch {
	case !known:
		return nil, unknownOperation(name)
	case do == nil:
		return nil, unsupported("The action " + name + " is not supported yet.")
	}
	return do(c)
}
