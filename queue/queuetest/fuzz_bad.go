package queuetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/restantemq/restante/queue"
)

// modelBadCall is a call that must be refused and change nothing, which the
// comparison after every action sees.
type modelBadCall struct {
	what string
	do   func(ctx context.Context, q queue.Queue) error
	want modelVerdict
}

// actBadCall makes a call with bad input.
func actBadCall(r *modelRun) {
	s := r.side()
	calls := modelBadCalls(r.kind, s.cfg)
	c := calls[r.pick(len(calls))]
	r.logf("%s: %s", s.model.name, c.what)
	r.check(c.want.check(c.what, c.do(r.ctx, s.q)))
}

func modelBadCalls(kind queue.Kind, cfg queue.Config) []modelBadCall {
	calls := append(modelBadSends(kind, cfg), modelBadReceives()...)
	if kind == queue.FIFO {
		return append(calls, modelBadFIFOSends(cfg)...)
	}
	return append(calls, modelBadStandardSends()...)
}

// modelValid returns a message that a queue of that kind takes.
func modelValid(kind queue.Kind) queue.Message {
	m := queue.Message{Body: "refused"}
	if kind == queue.FIFO {
		m.GroupID, m.DeduplicationID = "a", "refused"
	}
	return m
}

func modelSending(what string, m queue.Message, want ...error) modelBadCall {
	return modelBadCall{"Send " + what, func(ctx context.Context, q queue.Queue) error {
		_, err := q.Send(ctx, m)
		return err
	}, want}
}

func modelBadSends(kind queue.Kind, cfg queue.Config) []modelBadCall {
	with := func(change func(m *queue.Message)) queue.Message {
		m := modelValid(kind)
		change(&m)
		return m
	}
	size := queue.MaxMessage
	if cfg.MaxMessageSize != 0 {
		size = cfg.MaxMessageSize
	}
	return []modelBadCall{
		modelSending("without a body", with(func(m *queue.Message) { m.Body = "" }), queue.ErrMissingParameter),
		modelSending("of a NUL", with(func(m *queue.Message) { m.Body = "a\x00" }), queue.ErrInvalidContents),
		modelSending("of U+FFFE", with(func(m *queue.Message) { m.Body = "\uFFFE" }), queue.ErrInvalidContents),
		modelSending("of bytes that are no UTF-8", with(func(m *queue.Message) { m.Body = "\xff" }), queue.ErrInvalidContents),
		modelSending("of a body too large", with(func(m *queue.Message) { m.Body = strings.Repeat("x", size+1) }), queue.ErrMessageTooLarge),
		modelSending("with a group of a space", with(func(m *queue.Message) { m.GroupID = "a b" }), queue.ErrInvalidParameter),
		modelSending("with a long group", with(func(m *queue.Message) { m.GroupID = strings.Repeat("g", 129) }), queue.ErrInvalidParameter),
		modelSending("with a bad delay", with(func(m *queue.Message) { m.Delay = -2 }), queue.ErrInvalidParameter, queue.ErrNotForThisQueue),
		{"SendBatch of nothing", func(ctx context.Context, q queue.Queue) error {
			_, err := q.SendBatch(ctx, nil)
			return err
		}, modelVerdict{queue.ErrEmptyBatch}},
		{"SendBatch of 11", func(ctx context.Context, q queue.Queue) error {
			ms := make([]queue.Message, queue.MaxBatch+1)
			for i := range ms {
				ms[i] = modelValid(kind)
			}
			_, err := q.SendBatch(ctx, ms)
			return err
		}, modelVerdict{queue.ErrTooManyEntries}},
	}
}

func modelBadStandardSends() []modelBadCall {
	return []modelBadCall{
		modelSending("with a deduplication ID", queue.Message{Body: "refused", DeduplicationID: "d"}, queue.ErrNotForThisQueue),
		modelSending("with a long delay", queue.Message{Body: "refused", Delay: queue.MaxDelay + 1}, queue.ErrInvalidParameter),
		{"SendBatch of two bad entries", func(ctx context.Context, q queue.Queue) error {
			_, err := q.SendBatch(ctx, []queue.Message{{}, {Body: "\x00"}})
			if modelEntry(err, 0) == err || !errors.Is(modelEntry(err, 1), queue.ErrInvalidContents) {
				return fmt.Errorf("the error is not one of two entries: %w", err)
			}
			return modelEntry(err, 0)
		}, modelVerdict{queue.ErrMissingParameter}},
	}
}

func modelBadFIFOSends(cfg queue.Config) []modelBadCall {
	calls := []modelBadCall{
		modelSending("without a group", queue.Message{Body: "refused", DeduplicationID: "d"}, queue.ErrMissingParameter),
		modelSending("with a delay", queue.Message{Body: "refused", GroupID: "a", DeduplicationID: "d", Delay: time.Second}, queue.ErrNotForThisQueue),
		modelSending("with a bad deduplication ID", queue.Message{Body: "refused", GroupID: "a", DeduplicationID: "d d"}, queue.ErrInvalidParameter),
		{"SendBatch of a good entry and a bad one", func(ctx context.Context, q queue.Queue) error {
			_, err := q.SendBatch(ctx, []queue.Message{modelValid(queue.FIFO), {Body: "refused", DeduplicationID: "d"}})
			return err
		}, modelVerdict{queue.ErrMissingParameter}},
	}
	if !cfg.ContentDeduplication {
		calls = append(calls, modelSending("without a deduplication ID", queue.Message{Body: "refused", GroupID: "a"},
			queue.ErrMissingParameter, queue.ErrInvalidParameter))
	}
	return calls
}

func modelBadReceives() []modelBadCall {
	receiving := func(what string, o queue.ReceiveOptions) modelBadCall {
		return modelBadCall{"Receive with " + what, func(ctx context.Context, q queue.Queue) error {
			_, err := q.Receive(ctx, o)
			return err
		}, modelVerdict{queue.ErrInvalidParameter}}
	}
	return []modelBadCall{
		receiving("Max 11", queue.ReceiveOptions{Max: queue.MaxReceive + 1}),
		receiving("Max -1", queue.ReceiveOptions{Max: -1}),
		receiving("a long wait", queue.ReceiveOptions{Wait: queue.MaxWait + 1}),
		receiving("a negative wait", queue.ReceiveOptions{Wait: -2}),
		receiving("a long timeout", queue.ReceiveOptions{VisibilityTimeout: queue.MaxVisibility + 1}),
		receiving("a negative timeout", queue.ReceiveOptions{VisibilityTimeout: -2}),
		{"DeleteBatch of nothing", func(ctx context.Context, q queue.Queue) error {
			return q.DeleteBatch(ctx, nil)
		}, modelVerdict{queue.ErrEmptyBatch}},
		{"DeleteBatch of 11", func(ctx context.Context, q queue.Queue) error {
			return q.DeleteBatch(ctx, make([]queue.Receipt, queue.MaxBatch+1))
		}, modelVerdict{queue.ErrTooManyEntries}},
		{"ChangeVisibilityBatch of nothing", func(ctx context.Context, q queue.Queue) error {
			return q.ChangeVisibilityBatch(ctx, nil)
		}, modelVerdict{queue.ErrEmptyBatch}},
		{"Reconfigure with a retention of a second", func(ctx context.Context, q queue.Queue) error {
			c, ok := q.(modelReconfigurer)
			if !ok {
				return queue.ErrInvalidParameter
			}
			cfg := c.Config()
			cfg.Retention = time.Second
			return c.Reconfigure(ctx, cfg)
		}, modelVerdict{queue.ErrInvalidParameter}},
	}
}
