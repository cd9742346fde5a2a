package sqsapi

import (
	"github.com/restantemq/restante/queue/broker"
)

// The actions on queues as a whole.

func createQueue(c *call, in *createQueueInput) (*queueURLOutput, error) {
	if in.QueueName == nil {
		return nil, invalid("Value for parameter QueueName is invalid. Reason: Must specify a queue name.")
	}
	q, err := c.broker.CreateTagged(c.ctx, *in.QueueName, texts(in.Attributes), in.Tags)
	if err != nil {
		return nil, err
	}
	return &queueURLOutput{q.URL(c.base)}, nil
}

func texts(in map[string]scalarText) map[string]string {
	out := make(map[string]string, len(in))
	for name, value := range in {
		out[name] = string(value)
	}
	return out
}

func deleteQueue(c *call, in *queueInput) (*nothing, error) {
	b, name := c.place(in.QueueUrl)
	return new(nothing), b.DeleteQueue(c.ctx, name)
}

func purgeQueue(c *call, in *queueInput) (*nothing, error) {
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return new(nothing), q.Purge(c.ctx)
}

func getQueueURL(c *call, in *getQueueURLInput) (*queueURLOutput, error) {
	b := c.broker
	if owner := in.QueueOwnerAWSAccountId; owner != "" {
		if !c.mayAsk(owner) {
			return nil, broker.ErrQueueNotFound
		}
		b = b.In(broker.Scope{Account: owner})
	}
	q, err := b.GetQueue(in.QueueName)
	if err != nil {
		return nil, err
	}
	return &queueURLOutput{q.URL(c.base)}, nil
}

func listQueues(c *call, in *listQueuesInput) (*listQueuesOutput, error) {
	o, err := in.options()
	if err != nil {
		return nil, err
	}
	o.Prefix = in.QueueNamePrefix
	queues, next, err := c.broker.ListQueues(o)
	return &listQueuesOutput{c.urls(queues), next}, err
}

func listSources(c *call, in *listSourcesInput) (*listSourcesOutput, error) {
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	o, err := in.options()
	if err != nil {
		return nil, err
	}
	queues, next, err := q.DeadLetterSources(o)
	return &listSourcesOutput{c.urls(queues), next}, err
}

// options tells zero, which is out of range, from absence.
func (p *pageInput) options() (broker.ListOptions, error) {
	o := broker.ListOptions{Token: p.NextToken}
	if p.MaxResults != nil {
		if o.Max = *p.MaxResults; o.Max == 0 {
			return o, invalid("Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 1000.")
		}
	}
	return o, nil
}

// urls returns the URLs of queues; it is never nil.
func (c *call) urls(queues []*broker.Queue) []string {
	urls := make([]string, 0, len(queues))
	for _, q := range queues {
		urls = append(urls, q.URL(c.base))
	}
	return urls
}

func getAttributes(c *call, in *getAttributesInput) (*getAttributesOutput, error) {
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	attributes, err := q.Attributes(c.ctx, in.AttributeNames...)
	return &getAttributesOutput{attributes}, err
}

func setAttributes(c *call, in *setAttributesInput) (*nothing, error) {
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return new(nothing), q.SetAttributes(c.ctx, texts(in.Attributes))
}

func tagQueue(c *call, in *tagQueueInput) (*nothing, error) {
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return new(nothing), q.Tag(c.ctx, in.Tags)
}

func untagQueue(c *call, in *untagQueueInput) (*nothing, error) {
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return new(nothing), q.Untag(c.ctx, in.TagKeys...)
}

func listTags(c *call, in *queueInput) (*listTagsOutput, error) {
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	tags, err := q.Tags(c.ctx)
	return &listTagsOutput{tags}, err
}

func addPermission(c *call, in *addPermissionInput) (*nothing, error) {
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return new(nothing), q.AddPermission(c.ctx, in.Label, in.AWSAccountIds, in.Actions)
}

func removePermission(c *call, in *removePermissionInput) (*nothing, error) {
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return new(nothing), q.RemovePermission(c.ctx, in.Label)
}

// The actions on move tasks.

func startMove(c *call, in *startMoveInput) (*startMoveOutput, error) {
	o := broker.MoveOptions{Source: in.SourceArn, Destination: in.DestinationArn}
	if in.MaxNumberOfMessagesPerSecond != nil {
		if o.PerSecond = *in.MaxNumberOfMessagesPerSecond; o.PerSecond == 0 {
			o.PerSecond = -1 // given, and out of range
		}
	}
	handle, err := c.broker.StartMoveTask(c.ctx, o)
	return &startMoveOutput{handle}, err
}

func cancelMove(c *call, in *cancelMoveInput) (*cancelMoveOutput, error) {
	moved, err := c.broker.CancelMoveTask(c.ctx, in.TaskHandle)
	return &cancelMoveOutput{moved}, err
}

func listMoves(c *call, in *listMovesInput) (*listMovesOutput, error) {
	limit := 0
	if in.MaxResults != nil {
		if limit = *in.MaxResults; limit == 0 {
			limit = -1 // given, and out of range
		}
	}
	tasks, err := c.broker.MoveTasks(c.ctx, in.SourceArn, limit)
	if err != nil {
		return nil, err
	}
	out := new(listMovesOutput)
	for _, t := range tasks {
		out.Results = append(out.Results, moveResult{
			TaskHandle: t.Handle, Status: t.Status.String(), SourceArn: t.Source, DestinationArn: t.Destination,
			MaxNumberOfMessagesPerSecond: t.PerSecond, ApproximateNumberOfMessagesMoved: t.Moved,
			ApproximateNumberOfMessagesToMove: t.ToMove, FailureReason: t.Failure, StartedTimestamp: t.StartedAt.UnixMilli(),
		})
	}
	return out, nil
}
