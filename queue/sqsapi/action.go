package sqsapi

import (
	"context"
	"net/http"
	"reflect"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
)

// A call is one request for an action, whatever the protocol it came in.
type call struct {
	ctx     context.Context
	broker  *broker.Broker // as seen from the account and region of the request
	header  http.Header
	base    string                          // what the queue URLs in its answer start with
	pinned  bool                            // to the account of broker
	through func(*broker.Queue) queue.Queue // of the options
	query   bool                            // it came in the Query protocol, which can't tell an empty list from none

	// read fills the structure that in points to with the request's members.
	read func(in any) error
}

// An action does what a call asks for and returns the structure of its answer.
type action struct {
	perform func(*call) (any, error)
	// ofAccount says that it is of no one queue, and so is not to be sent to a
	// queue's path in the Query protocol.
	ofAccount bool
}

// actions are all actions of the service.
var actions = map[string]action{
	"SendMessage":                  act(sendMessage),
	"SendMessageBatch":             act(sendBatch),
	"ReceiveMessage":               act(receiveMessage),
	"DeleteMessage":                act(deleteMessage),
	"DeleteMessageBatch":           act(deleteBatch),
	"ChangeMessageVisibility":      act(changeVisibility),
	"ChangeMessageVisibilityBatch": act(changeBatch),
	"PurgeQueue":                   act(purgeQueue),

	"CreateQueue":                account(act(createQueue)),
	"DeleteQueue":                act(deleteQueue),
	"GetQueueUrl":                act(getQueueURL),
	"ListQueues":                 account(act(listQueues)),
	"ListDeadLetterSourceQueues": act(listSources),
	"GetQueueAttributes":         act(getAttributes),
	"SetQueueAttributes":         act(setAttributes),
	"TagQueue":                   act(tagQueue),
	"UntagQueue":                 act(untagQueue),
	"ListQueueTags":              act(listTags),
	"AddPermission":              act(addPermission),
	"RemovePermission":           act(removePermission),

	"StartMessageMoveTask":  account(act(startMove)),
	"ListMessageMoveTasks":  account(act(listMoves)),
	"CancelMessageMoveTask": account(act(cancelMove)),
}

// act makes an action of a function from input to output.
func act[In, Out any](do func(*call, *In) (*Out, error)) action {
	lay(reflect.TypeFor[In]())
	lay(reflect.TypeFor[Out]())
	return action{perform: func(c *call) (any, error) {
		in := new(In)
		if err := c.read(in); err != nil {
			return nil, err
		}
		if err := checkNeeded(reflect.ValueOf(in).Elem()); err != nil {
			return nil, err
		}
		out, err := do(c, in)
		if err != nil {
			return nil, err
		}
		return out, nil
	}}
}

func account(a action) action {
	a.ofAccount = true
	return a
}
