package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/restantemq/restante/queue"
)

// A Codec turns values into bodies and back. Its methods may be called concurrently.
type Codec interface {
	// Encode returns v as a body. A queue with SQS's limits takes text only, see
	// queue.Message, so there a binary form needs base64 around it.
	Encode(v any) (string, error)

	// Decode reads body into what v points to. Everything that isn't exactly one
	// encoded value is an error.
	Decode(body string, v any) error
}

// JSONCodec is the Codec of package encoding/json.
type JSONCodec struct{}

// Encode implements Codec as json.Marshal does it.
func (JSONCodec) Encode(v any) (string, error) {
	body, err := json.Marshal(v)
	return string(body), err
}

// Decode implements Codec as json.Unmarshal does it: fields that v doesn't have are passed
// over, what follows the value is an error.
func (JSONCodec) Decode(body string, v any) error { return json.Unmarshal([]byte(body), v) }

// A DecodeError tells that a body is not what its handler takes. Decoding it again would
// not help, so the message goes to the dead-letter queue.
type DecodeError struct {
	Type reflect.Type // what the handler takes
	Err  error        // the codec's
}

// Error tells the type and the codec's error, but not the body.
func (e *DecodeError) Error() string { return fmt.Sprintf("body is no %v: %v", e.Type, e.Err) }

// Unwrap returns the codec's error.
func (e *DecodeError) Unwrap() error { return e.Err }

// JSON makes a Handler of a function that takes bodies as JSON: it is Typed with JSONCodec.
func JSON[T any](h func(ctx context.Context, v T, d *queue.Delivery) error) Handler {
	return Typed(JSONCodec{}, h)
}

// Typed makes a Handler of a function that takes decoded bodies. v is a new value for each
// call. With a body that c can't decode h isn't called: the message goes to the dead-letter
// queue, with the text of a [*DecodeError] as the reason; see DeadLetter.
func Typed[T any](c Codec, h func(ctx context.Context, v T, d *queue.Delivery) error) Handler {
	return func(ctx context.Context, d *queue.Delivery) error {
		var v T
		if err := c.Decode(d.Body, &v); err != nil {
			return DeadLetter(&DecodeError{reflect.TypeFor[T](), err})
		}
		return h(ctx, v, d)
	}
}
