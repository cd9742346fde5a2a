package payload_test

import (
	"context"
	"iter"
	"testing"

	"github.com/restantemq/restante/fifo"
	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/payload"
	"github.com/restantemq/restante/queue/queuetest"
	"github.com/restantemq/restante/standard"
)

// A shown queue is a wrapped one whose Peek shows bodies instead of pointers, so
// that the suite can look at it.
type shown struct{ *payload.Queue }

func (s shown) Stats(ctx context.Context) (queue.Stats, error) {
	inspector, _ := queue.As[queue.Inspector](s.Unwrap())
	return inspector.Stats(ctx)
}

func (s shown) Peek(ctx context.Context) iter.Seq2[queue.Peeked, error] {
	inspector, _ := queue.As[queue.Inspector](s.Unwrap())
	return func(yield func(queue.Peeked, error) bool) {
		for p, err := range inspector.Peek(ctx) {
			if err == nil {
				p.Message, err = s.Fetch(ctx, p.Message)
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

func newQueue(kind queue.Kind, cfg queue.Config) (queue.Queue, error) {
	if kind == queue.FIFO {
		q, err := fifo.New(cfg)
		if err != nil {
			return nil, err
		}
		return q, nil
	}
	q, err := standard.New(cfg)
	if err != nil {
		return nil, err
	}
	return q, nil
}

// The suite of all queues, over queues whose every body is kept in a blob, in
// either form, and over queues whose bodies pass through.
func TestQueue(t *testing.T) {
	always := payload.Options{Bucket: "b", Always: true}
	legacy := payload.Options{Bucket: "b", Always: true, Legacy: true, Prefix: "prefix/"}
	never := payload.Options{Bucket: "b", Threshold: queue.MaxMessage}
	t.Run("standard/always", func(t *testing.T) { testSuite(t, queue.Standard, always) })
	t.Run("standard/never", func(t *testing.T) { testSuite(t, queue.Standard, never) })
	t.Run("fifo/always", func(t *testing.T) { testSuite(t, queue.FIFO, legacy) })
	t.Run("fifo/never", func(t *testing.T) { testSuite(t, queue.FIFO, never) })
}

func testSuite(t *testing.T, kind queue.Kind, o payload.Options) {
	blobs := map[*testing.T]payload.Blobs{} // one store a case: dead letters take their pointers along
	h := queuetest.Harness{
		Kind: kind,
		New: func(t *testing.T, cfg queue.Config) (queue.Queue, error) {
			inner, err := newQueue(kind, cfg)
			if err != nil {
				return nil, err
			}
			if blobs[t] == nil {
				blobs[t] = payload.NewMemory()
			}
			q, err := payload.Wrap(inner, blobs[t], o)
			if err != nil {
				return nil, err
			}
			return shown{q}, nil
		},
		Skip: map[string]string{},
	}
	for _, name := range largeBodies {
		h.Skip[name] = "a body that is too large is kept in a blob"
	}
	h.Skip["Reference/6.3/standard-partial-failure"] = "as above, and TestBatchFailsEntryByEntry has the rest"
	if kind == queue.FIFO {
		delete(h.Skip, "Reference/6.3/standard-partial-failure")
		h.Skip["Reference/6.3/fifo-size"] = "as above"
	}
	if o.Always {
		for _, name := range manyAttributes {
			h.Skip[name] = "an offloaded body leaves room for nine attributes"
		}
		h.Skip["Reference/13"] = "120,000 blobs take minutes under -race; the queues without blobs run these cases"
		h.Skip["Limits/InFlight"] = "as above"
		h.Skip["Reference/5.5/receipt-text"] = "the Extended Client's receipts have separators"
		h.Skip["Invariant/7/cancelled-at-the-moment-of-arrival"] = "what is given back because its blob can't be read any more has been received"
		h.Skip["Contract/Trace/life"] = "Delete extends the visibility timeout first, and that is traced"
	}
	queuetest.TestQueue(t, h)
}

// The cases in which a body is too large.
var largeBodies = []string{
	"Reference/5.2/limit-is-inclusive", "Reference/5.2/queue-limit", "Reference/5.2/bytes-not-characters", "Reference/5.2/attributes-count",
	"Reference/6.3/total-too-large", "Reference/6.3/whole-call-before-entries",
	"Invariant/9/refused-sends", "Contract/Reconfigure/size", "Limits/MessageBody/absurd",
}

// The cases in which a message has ten attributes, or the error says ten.
var manyAttributes = []string{
	"Reference/5.3/ten-attributes", "Reference/5.3/trace-header-is-not-counted",
	"Limits/MessageAttributes/outside-count", "Limits/MessageAttributes/absurd-count",
}
