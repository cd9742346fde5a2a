package wire

import (
	"context"
	"errors"

	"github.com/stretchr/testify/require"
)

// begin takes an action in a goroutine, and returns when it waits or is done.
func (d *desk) begin(ctx context.Context, action string, in object) <-chan rawAnswer {
	d.t.Helper()
	r := d.request(action, in).WithContext(ctx)
	answers := make(chan rawAnswer, 1)
	go func() {
		a := d.send(r)
		a.action, a.in = action, in
		answers <- a
	}()
	d.settle()
	return answers
}

// poll begins a long poll.
func (q *queue) poll(ctx context.Context, seconds int) <-chan rawAnswer {
	q.d.t.Helper()
	return q.d.begin(ctx, "ReceiveMessage", q.in(object{"WaitTimeSeconds": seconds, "MaxNumberOfMessages": 10}))
}

// polled returns the bodies that a poll has brought by now.
func (d *desk) polled(answers <-chan rawAnswer) []string {
	d.t.Helper()
	d.settle()
	d.until(func() bool { return len(answers) > 0 }, func() {})
	select {
	case raw := <-answers:
		a := d.read(raw)
		require.Equal(d.t, 200, a.status, "%s", a.body)
		return bodiesOf(objects(a.out["Messages"]))
	default:
		require.FailNow(d.t, "the poll still waits")
		return nil
	}
}

// polling requires that a poll still waits.
func (d *desk) polling(answers <-chan rawAnswer) {
	d.t.Helper()
	d.settle()
	require.Empty(d.t, answers, "the poll has ended")
}

// ended reports whether an error is that of a context that ended.
func ended(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
