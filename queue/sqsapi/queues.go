package sqsapi

import (
	"fmt"

	"github.com/restantemq/restante/queue/broker"
)

// The actions on queues as a whole.

type createQueueInput struct {
	QueueName  *string
	Attributes map[string]scalarText
	Tags       map[string]string `member:"tags"`
}

type queueURLOutput struct {
	QueueURL string `json:"QueueUrl"`
}

func createQueue(c *call, in *createQueueInput) (*queueURLOutput, error) {
	if len(in.Tags) > 0 {
		return nil, unsupported("Tags are not supported yet.")
	}
	if in.QueueName == nil {
		return nil, invalid("Value for parameter QueueName is invalid. Reason: Must specify a queue name.")
	}
	attributes := make(map[string]string, len(in.Attributes))
	for name, value := range in.Attributes {
		attributes[name] = string(value)
	}
	q, err := c.broker.CreateQueue(c.ctx, *in.QueueName, attributes)
	if err != nil {
		return nil, err
	}
	return &queueURLOutput{q.URL(c.base)}, nil
}

type getQueueURLInput struct {
	QueueName              string
	QueueOwnerAWSAccountId string
}

func getQueueURL(c *call, in *getQueueURLInput) (*queueURLOutput, error) {
	if in.QueueName == "" {
		return nil, missing("QueueName")
	}
	if owner := in.QueueOwnerAWSAccountId; owner != "" && owner != c.broker.Scope().Account {
		return nil, fmt.Errorf("%w: %q of account %s", broker.ErrQueueNotFound, in.QueueName, owner)
	}
	q, err := c.broker.GetQueue(in.QueueName)
	if err != nil {
		return nil, err
	}
	return &queueURLOutput{q.URL(c.base)}, nil
}
