package worker_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/worker"
)

func TestWith(t *testing.T) {
	var steps []string
	layer := func(name string) worker.Middleware {
		return func(h worker.Handler) worker.Handler {
			return func(ctx context.Context, d *queue.Delivery) error {
				steps = append(steps, name+" in")
				err := h(ctx, d)
				steps = append(steps, name+" out: "+err.Error())
				return errors.New(err.Error() + name)
			}
		}
	}
	h := func(context.Context, *queue.Delivery) error {
		steps = append(steps, "handler")
		return errors.New("h")
	}
	for range 2 { // it can be called again
		steps = nil
		err := worker.With(h, layer("a"), layer("b"), layer("c"))(t.Context(), nil)
		require.EqualError(t, err, "hcba")
		require.Equal(t, []string{"a in", "b in", "c in", "handler", "c out: h", "b out: hc", "a out: hcb"}, steps)
	}
	require.EqualError(t, worker.With(h)(t.Context(), nil), "h")
}
