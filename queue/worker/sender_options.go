package worker

import (
	"log/slog"
	"time"

	"github.com/restantemq/restante/queue"
)

// SenderOptions are the choices of a Sender. The zero value works.
type SenderOptions struct {
	// Linger is how long a message waits for others at most, as long as its batch has
	// room. With zero a batch goes as soon as no other one is under way, and what comes
	// meanwhile fills the next one: batches grow with the load, and where there is none a
	// message goes at once. queue.None is the same.
	Linger time.Duration

	// BatchSize is the most messages that go together. Zero means queue.MaxBatch, 10; a
	// queue with SQS's limits takes no more. A batch has no more than queue.MaxBatchBytes
	// either, unless it is of a single message.
	BatchSize int

	// Parallel is how many batches are under way at the same time, at most. Zero means
	// 4 for a Standard queue and 1 for others. With more on a FIFO queue, messages keep
	// their order within their groups only.
	Parallel int

	// MaxPending is how many messages wait or are under way, at most: then Send and
	// Add wait. Zero means 1000.
	MaxPending int

	// Logger is told of done functions that panic, and of errors that nobody else is
	// told. Nil means slog.Default().
	Logger *slog.Logger
}

// filled returns o with defaults filled in, for q.
func (o SenderOptions) filled(q queue.Queue) (SenderOptions, error) {
	if o.Linger < 0 && o.Linger != queue.None {
		return o, invalid("Linger", o.Linger, time.Duration(0), nil)
	}
	o.Linger = max(o.Linger, 0)
	var most any
	if c, ok := queue.As[queue.Configurable](q); ok && c.Config().Limits == queue.SQSLimits {
		most = queue.MaxBatch
	}
	if o.BatchSize == 0 {
		o.BatchSize = queue.MaxBatch
	} else if o.BatchSize < 1 || most != nil && o.BatchSize > queue.MaxBatch {
		return o, invalid("BatchSize", o.BatchSize, 1, most)
	}
	if o.Parallel == 0 {
		o.Parallel = 1
		if kindOf(q) == queue.Standard {
			o.Parallel = 4
		}
	} else if o.Parallel < 1 {
		return o, invalid("Parallel", o.Parallel, 1, nil)
	}
	if o.MaxPending == 0 {
		o.MaxPending = 1000
	} else if o.MaxPending < 1 {
		return o, invalid("MaxPending", o.MaxPending, 1, nil)
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o, nil
}

// kindOf returns the kind of q, zero if it doesn't tell.
func kindOf(q queue.Queue) queue.Kind {
	if a, ok := queue.As[queue.Adopter](q); ok {
		return a.Kind()
	}
	return 0
}
