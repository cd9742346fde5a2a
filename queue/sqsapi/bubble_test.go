package sqsapi_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/sqsapi"
)

// A client says at once that it is used where its queues don't belong.
func TestClientBelongsToOneBubble(t *testing.T) {
	use := func(c *sqsapi.InProcess) error {
		r, err := http.NewRequest("POST", "http://localhost/?Action=ListQueues", strings.NewReader(""))
		if err != nil {
			return err
		}
		answer, err := c.Do(r)
		if err == nil {
			answer.Body.Close()
		}
		return err
	}
	inBubble := func(f func()) { synctest.Test(t, func(*testing.T) { f() }) }

	client := sqsapi.Client(broker.New(broker.Options{}))
	inBubble(func() { require.NoError(t, use(client)) })
	for range 3 {
		require.ErrorContains(t, use(client), "another synctest bubble", "outside, after it was used in a bubble")
	}
	inBubble(func() {
		for range 3 {
			require.ErrorContains(t, use(client), "another synctest bubble", "in a second bubble")
			time.Sleep(time.Second)
		}
	})

	client = sqsapi.Client(broker.New(broker.Options{}))
	require.NoError(t, use(client))
	inBubble(func() {
		for range 3 {
			require.ErrorContains(t, use(client), "another synctest bubble", "in a bubble, after it was used outside")
			time.Sleep(50 * time.Millisecond)
		}
	})
	require.NoError(t, use(client), "outside again")

	for range 2 { // one after the other, each with its own
		inBubble(func() {
			b := broker.New(broker.Options{})
			defer b.Close()
			require.NoError(t, use(sqsapi.Client(b)))
		})
	}
}
