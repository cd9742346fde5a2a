package wire

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/sqsapi"
)

// bubbleDesk is a desk at a broker in memory, called in this process.
func bubbleDesk(t *testing.T, query bool) *desk {
	b := broker.New(broker.Options{})
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return newDesk(t, "", query, Target{Do: sqsapi.Client(b).Do, Settle: synctest.Wait, Hosts: true, Unchecked: true, Callers: true})
}
