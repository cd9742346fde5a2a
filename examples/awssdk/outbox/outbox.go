package outbox

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

const (
	batch    = 10 // messages in a request; SQS takes no more
	minPause = time.Second
	maxPause = 30 * time.Second // much less than the five minutes in which SQS knows a deduplication ID
)

// An Order is what a customer ordered.
type Order struct {
	ID       string // of up to 80 letters, digits, hyphens and underscores
	Customer string
	Item     string
}

// An Outbox is a table of orders, to which each is added in the transaction that
// makes it.
type Outbox interface {
	Pending(ctx context.Context) ([]Order, error) // those not published, oldest first
	Published(ctx context.Context, ids ...string) error
}

// A Publisher sends the orders of an outbox to a FIFO queue, where each customer's
// come in order.
type Publisher struct {
	Client *sqs.Client
	Outbox Outbox
	URL    string // of the queue

	bug bool // see send
}

// Publish returns when all orders of the outbox are published. Call it again when
// there are more, and after an error or a crash: what isn't marked as published is
// sent again, and SQS takes it for what it is, as long as no more than five minutes
// have passed.
func (p *Publisher) Publish(ctx context.Context) error {
	pause := minPause
	for {
		orders, err := p.Outbox.Pending(ctx)
		if err != nil || len(orders) == 0 {
			return err
		}
		published, err := p.send(ctx, next(orders))
		if len(published) > 0 {
			if err := p.Outbox.Published(ctx, published...); err != nil {
				return err
			}
			pause = minPause
			continue
		}
		// What the SDK would have tried again, but for its number of attempts, may be
		// tried again.
		if err != nil && !p.Client.Options().Retryer.IsErrorRetryable(err) {
			return err
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, maxPause)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// next returns the orders of the next request, the oldest one of each customer: an
// entry of a batch may fail by itself, and the customer's later orders must not
// overtake it.
func next(orders []Order) []Order {
	var some []Order
	taken := make(map[string]bool) // customers
	for _, o := range orders {
		if !taken[o.Customer] && len(some) < batch {
			taken[o.Customer] = true
			some = append(some, o)
		}
	}
	return some
}

// send makes one request, and returns the IDs of the orders that SQS says it has
// accepted. If there is an error it may have accepted them or not.
func (p *Publisher) send(ctx context.Context, orders []Order) (accepted []string, err error) {
	var entries []types.SendMessageBatchRequestEntry
	for _, o := range orders {
		body, err := json.Marshal(o)
		if err != nil {
			return nil, err
		}
		deduplication := o.ID // the same in every attempt
		if p.bug {
			deduplication = rand.Text() // unique, so that no two orders are taken for one
		}
		entries = append(entries, types.SendMessageBatchRequestEntry{
			Id:                     aws.String(o.ID),
			MessageBody:            aws.String(string(body)),
			MessageGroupId:         aws.String(o.Customer),
			MessageDeduplicationId: aws.String(deduplication),
		})
	}
	answer, err := p.Client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &p.URL, Entries: entries})
	if err != nil {
		return nil, err
	}
	// The call succeeds also when entries fail, so what isn't named here stays in the
	// outbox.
	for _, s := range answer.Successful {
		accepted = append(accepted, aws.ToString(s.Id))
	}
	return accepted, nil
}
