package broker_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue/broker"
)

// A policy that permissions made is one that could be set.
func TestPermissionsStayWithinAPolicysLimits(t *testing.T) {
	b := newBroker(t)
	q := mustCreate(t, b, "q", nil)
	var accounts []string
	for n := range 51 {
		accounts = append(accounts, fmt.Sprintf("%012d", n))
	}
	require.ErrorIs(t, q.AddPermission(t.Context(), "all", accounts, []string{"*"}), broker.ErrOverLimit)
	require.NotContains(t, allOf(t, q), "Policy")
	require.NoError(t, q.AddPermission(t.Context(), "most", accounts[:50], []string{"*"}))
	require.ErrorIs(t, q.AddPermission(t.Context(), "last", accounts[50:], []string{"*"}), broker.ErrOverLimit)
	require.NoError(t, q.SetAttributes(t.Context(), map[string]string{"Policy": allOf(t, q)["Policy"]}))

	// Less than 20 statements of long labels and many actions are more than 8192 bytes.
	q = mustCreate(t, b, strings.Repeat("q", 80), nil)
	actions := []string{"ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl", "ListDeadLetterSourceQueues", "PurgeQueue", "ReceiveMessage"}
	var err error
	for n := range 20 {
		before := allOf(t, q)["Policy"]
		if err = q.AddPermission(t.Context(), fmt.Sprintf("%080d", n), accounts[:1], actions); err != nil {
			require.Equal(t, before, allOf(t, q)["Policy"])
			break
		}
	}
	require.ErrorIs(t, err, broker.ErrInvalidAttributeValue)
	policy := allOf(t, q)["Policy"]
	require.LessOrEqual(t, len(policy), 8192)
	require.NoError(t, q.SetAttributes(t.Context(), map[string]string{"Policy": policy}))
}
