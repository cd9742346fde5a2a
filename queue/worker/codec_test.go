package worker_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/gob"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/worker"
)

type order struct {
	Item  string
	Count int
}

func TestJSONCodec(t *testing.T) {
	var c worker.Codec = worker.JSONCodec{}
	body, err := c.Encode(order{"tea <&> milk", 2})
	require.NoError(t, err)
	var o order
	require.NoError(t, c.Decode(body, &o))
	require.Equal(t, order{"tea <&> milk", 2}, o)

	_, err = c.Encode(func() {})
	require.Error(t, err)
	for _, body := range []string{"", " ", "tea", "{", `{"Item":1}`, `{"Item":"tea"}{}`, `{"Item":"tea"} x`, "[]", `"tea"`} {
		require.Error(t, c.Decode(body, new(order)), "%q", body)
	}
	require.NoError(t, c.Decode(" {\"Item\":\"tea\",\"More\":[1]}\n", new(order)))
}

func TestJSON(t *testing.T) {
	fault := errors.New("fault")
	var got []order
	h := worker.JSON(func(ctx context.Context, o order, d *queue.Delivery) error {
		require.Equal(t, "value", ctx.Value(order{}))
		got = append(got, o)
		if d.ReceiveCount > 1 {
			return fault
		}
		return nil
	})
	ctx := context.WithValue(t.Context(), order{}, "value")
	d := &queue.Delivery{Message: queue.Message{Body: `{"Item":"tea","Count":2}`}}
	require.NoError(t, h(ctx, d))
	d.Body = `{"Item":"milk"}`
	d.ReceiveCount = 2
	require.Equal(t, fault, h(ctx, d), "as it is")
	require.Equal(t, []order{{"tea", 2}, {"milk", 0}}, got, "nothing is left of the value before")
}

func TestJSONTakesAnyType(t *testing.T) {
	run := func(h worker.Handler, body string) {
		t.Helper()
		require.NoError(t, h(t.Context(), &queue.Delivery{Message: queue.Message{Body: body}}))
	}
	run(worker.JSON(func(_ context.Context, v *order, _ *queue.Delivery) error {
		require.Equal(t, &order{Item: "tea"}, v)
		return nil
	}), `{"Item":"tea"}`)
	run(worker.JSON(func(_ context.Context, v map[string]any, _ *queue.Delivery) error {
		require.Equal(t, map[string]any{"Item": "tea"}, v)
		return nil
	}), `{"Item":"tea"}`)
	run(worker.JSON(func(_ context.Context, v any, _ *queue.Delivery) error {
		require.Equal(t, 1.5, v)
		return nil
	}), `1.5`)
	run(worker.JSON(func(_ context.Context, v json.RawMessage, _ *queue.Delivery) error {
		require.Equal(t, "[1]", string(v))
		return nil
	}), `[1]`)
}

func TestDecodeError(t *testing.T) {
	h := worker.JSON(func(context.Context, order, *queue.Delivery) error {
		t.Error("called with a body that can't be decoded")
		return nil
	})
	err := h(t.Context(), &queue.Delivery{Message: queue.Message{Body: `{"Count":"secret"}`}})
	var decode *worker.DecodeError
	require.ErrorAs(t, err, &decode)
	require.Equal(t, "worker_test.order", decode.Type.String())
	var typed *json.UnmarshalTypeError
	require.ErrorAs(t, err, &typed)
	require.NotContains(t, err.Error(), "secret")
}

func TestPoisonGoesToTheDeadLetterQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := openStandard(t, queue.Config{Name: "dead"})
		q := openStandard(t, queue.Config{Name: "orders", DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 1000}})
		for _, body := range []string{`{"Item":"tea"}`, "poison", `{"Item":"milk"}`} {
			_, err := q.Send(t.Context(), queue.Message{Body: body})
			require.NoError(t, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		handled := make(chan string, 10)
		require.NoError(t, worker.Run(ctx, q, worker.JSON(func(_ context.Context, o order, _ *queue.Delivery) error {
			handled <- o.Item
			return nil
		}), worker.Options{Logger: mute}))
		require.Len(t, handled, 2)
		require.Empty(t, bodiesIn(t, q))

		got, err := dead.Receive(t.Context(), queue.ReceiveOptions{Max: 10})
		require.NoError(t, err)
		require.Len(t, got, 1)
		require.Equal(t, "poison", got[0].Body)
		require.Equal(t, 2, got[0].ReceiveCount, "once there, and now")
		require.Contains(t, got[0].DeadLetterReason, "body is no worker_test.order: invalid character")
	})
}

// A gobCodec is a Codec of somebody else.
type gobCodec struct{}

func (gobCodec) Encode(v any) (string, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(v)
	return base64.StdEncoding.EncodeToString(b.Bytes()), err
}

func (gobCodec) Decode(body string, v any) error {
	return gob.NewDecoder(base64.NewDecoder(base64.StdEncoding, strings.NewReader(body))).Decode(v)
}

func TestTyped(t *testing.T) {
	body, err := gobCodec{}.Encode(order{"tea", 2})
	require.NoError(t, err)
	called := false
	h := worker.Typed(gobCodec{}, func(_ context.Context, o order, _ *queue.Delivery) error {
		called = true
		require.Equal(t, order{"tea", 2}, o)
		return nil
	})
	require.NoError(t, h(t.Context(), &queue.Delivery{Message: queue.Message{Body: body}}))
	require.True(t, called)
	var decode *worker.DecodeError
	require.ErrorAs(t, h(t.Context(), &queue.Delivery{Message: queue.Message{Body: body[:8]}}), &decode)
}
