package queuetest

import (
	"testing"

	"github.com/restantemq/restante/fifo"
	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/standard"
)

// newOfKind makes a queue in memory.
func newOfKind(kind queue.Kind, cfg queue.Config) (queue.Queue, error) {
	if kind == queue.FIFO {
		return fifo.New(cfg)
	}
	return standard.New(cfg)
}

func TestAtLeastOnceHoldsNearby(t *testing.T) {
	for _, kind := range []queue.Kind{queue.Standard, queue.FIFO} {
		t.Run(kind.String(), func(t *testing.T) {
			TestAtLeastOnce(t, Harness{Kind: kind, New: func(_ *testing.T, cfg queue.Config) (queue.Queue, error) {
				return newOfKind(kind, cfg)
			}})
		})
	}
}
