package broker_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/queuetest"
)

// There are no queues in a place that ARNs, URLs and the catalogue could not tell
// from another one.
func TestImpossibleScopes(t *testing.T) {
	for _, c := range []struct {
		scope     broker.Scope
		parameter string
	}{
		{broker.Scope{Account: "a/b"}, "Account"},
		{broker.Scope{Account: "team:blue"}, "Account"},
		{broker.Scope{Account: "12345678901"}, "Account"},
		{broker.Scope{Account: "1234567890123"}, "Account"},
		{broker.Scope{Region: "b/c"}, "Region"},
		{broker.Scope{Region: "b:c"}, "Region"},
		{broker.Scope{Region: "b c"}, "Region"},
		{broker.Scope{Partition: "aws/cn"}, "Partition"},
		{broker.Scope{Partition: "aws:cn"}, "Partition"},
	} {
		refused := func(err error) {
			t.Helper()
			var l *queue.LimitError
			require.ErrorAs(t, err, &l, c.scope)
			require.ErrorIs(t, err, queue.ErrInvalidParameter)
			require.Equal(t, c.parameter, l.Parameter)
		}
		there := broker.New(broker.Options{Scope: c.scope})
		defer there.Close()
		for _, b := range []*broker.Broker{newBroker(t).In(c.scope), there, there.In(broker.Scope{})} {
			_, err := b.CreateQueue(t.Context(), "q", nil)
			refused(err)
			_, err = b.CreateTagged(t.Context(), "q", nil, map[string]string{"k": "v"})
			refused(err)
			_, err = b.Create(t.Context(), "q", queue.Config{})
			refused(err)
			_, err = b.GetQueue("q")
			require.ErrorIs(t, err, broker.ErrQueueNotFound)
			queues, _, err := b.ListQueues(broker.ListOptions{})
			require.NoError(t, err)
			require.Empty(t, queues)
		}
		_, err := broker.OpenStore(t.Context(), queuetest.NewMemStore(), broker.Options{Scope: c.scope})
		refused(err)
		dir := t.TempDir()
		_, err = broker.Open(t.Context(), dir, broker.Options{Scope: c.scope})
		refused(err)
		b, err := broker.Open(t.Context(), dir, broker.Options{}) // nobody has it open
		require.NoError(t, err)
		require.NoError(t, b.Close())
	}
}
