package queue_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// plain is a queue without further abilities; calling it panics.
type plain struct{ queue.Queue }

// purging can purge.
type purging struct {
	plain
	name string
}

func (purging) Purge(context.Context) error { return nil }

// wrapper wraps a queue and says so.
type wrapper struct{ queue.Queue }

func (w wrapper) Unwrap() queue.Queue { return w.Queue }

// purgingWrapper has the ability itself, too.
type purgingWrapper struct{ wrapper }

func (purgingWrapper) Purge(context.Context) error { return nil }

func TestAsFindsAbilities(t *testing.T) {
	inner := purging{name: "inner"}

	got, ok := queue.As[queue.Purger](inner)
	require.True(t, ok, "in the queue itself")
	assert.Equal(t, queue.Purger(inner), got)

	got, ok = queue.As[queue.Purger](wrapper{wrapper{inner}})
	require.True(t, ok, "through two wrappers")
	assert.Equal(t, queue.Purger(inner), got)

	outer := purgingWrapper{wrapper{inner}}
	got, ok = queue.As[queue.Purger](outer)
	require.True(t, ok)
	assert.Equal(t, queue.Purger(outer), got, "the outermost comes first")

	concrete, ok := queue.As[purging](wrapper{inner})
	require.True(t, ok, "a concrete type is found as well")
	assert.Equal(t, "inner", concrete.name)
}

func TestAsSaysWhenAnAbilityIsMissing(t *testing.T) {
	for name, q := range map[string]queue.Queue{
		"no queue":                 nil,
		"a plain one":              plain{},
		"a wrapper of a plain one": wrapper{plain{}},
		"a wrapper of nothing":     wrapper{},
		"a wrapper that hides":     plain{purging{}}, // embeds, but has no Unwrap
	} {
		got, ok := queue.As[queue.Purger](q)
		assert.False(t, ok, name)
		assert.Nil(t, got, name)
	}
}

// None stands where zero would mean the default: here for a message that
// leaves a delaying queue at once, and for a receive that doesn't wait.
func ExampleConfig_none() {
	config := queue.Config{Delay: time.Minute, ReceiveWait: queue.MaxWait}

	usual := queue.Message{Body: "after a minute"}
	urgent := queue.Message{Body: "now", Delay: queue.None}
	look := queue.ReceiveOptions{Wait: queue.None}

	fmt.Println(config.Delay, usual.Delay == 0, urgent.Delay == queue.None, look.Wait == queue.None)
	// Output: 1m0s true true true
}

func ExampleAs() {
	var q queue.Queue = wrapper{purging{}} // say, one that counts calls

	if purger, ok := queue.As[queue.Purger](q); ok {
		fmt.Println("purged:", purger.Purge(context.Background()) == nil)
	}
	// Output: purged: true
}
