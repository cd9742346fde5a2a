package bubble_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue/internal/bubble"
)

func TestCurrent(t *testing.T) {
	require.Empty(t, bubble.Current())
	seen := map[string]bool{}
	for range 2 {
		synctest.Test(t, func(t *testing.T) {
			here := bubble.Current()
			require.NotEmpty(t, here)
			go func() { require.Equal(t, here, bubble.Current(), "a goroutine belongs where it was started") }()
			synctest.Wait()
			seen[here] = true
		})
	}
	require.Len(t, seen, 2, "bubbles can be told apart")
	require.Empty(t, bubble.Current())
}
