package worker

import (
	"context"
	"time"

	"github.com/restantemq/restante/queue"
)

// SendAt sends m so that it isn't received before at; one that has passed, the zero Time
// too, is now, whatever the queue's Config.Delay. It returns when m is sent, not when m can
// be received. m.Delay is not looked at.
//
// A queue with SQS's limits takes times up to queue.MaxDelay ahead, 15 minutes, and answers
// later ones with a [*queue.LimitError]; one that is queue.Unlimited takes any, up to 292
// years. If the queue shows its Config (queue.Configurable) and m would have expired by
// then, SendAt refuses it with a LimitError of Config.Retention. A FIFO queue delays all its
// messages alike, so it refuses all times ahead with [queue.ErrNotForThisQueue], and applies
// its Config.Delay to the others. Other errors are those of queue.Queue.Send.
//
// The time is turned into a delay here and now: setting the clock later doesn't move the
// message.
func SendAt(ctx context.Context, q queue.Queue, m queue.Message, at time.Time) (queue.Sent, error) {
	m.Delay = time.Until(at)
	if m.Delay <= 0 {
		m.Delay = queue.None
	}
	if c, ok := queue.As[queue.Configurable](q); ok {
		if life := c.Config().Retention; m.Delay >= life {
			return queue.Sent{}, &queue.LimitError{
				Parameter: "Retention", Got: life, Min: m.Delay, Reason: "the message would expire before its time", Err: queue.ErrInvalidParameter,
			}
		}
	}
	return q.Send(ctx, m)
}
