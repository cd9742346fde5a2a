package fifo_test

import (
	"context"
	"testing"

	"github.com/restantemq/restante/fifo"
	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/queuetest"
)

func open(_ *testing.T, cfg queue.Config) (queue.Queue, error) {
	q, err := fifo.New(cfg)
	if err != nil {
		return nil, err
	}
	return q, nil
}

func openStore(_ *testing.T, st queue.Store, cfg queue.Config) (queue.Queue, error) {
	q, err := fifo.Open(context.Background(), st, cfg)
	if err != nil {
		return nil, err
	}
	return q, nil
}

// openNew opens a queue in a store of its own.
func openNew(t *testing.T, cfg queue.Config) (queue.Queue, error) {
	if cfg.Name == "" {
		cfg.Name = "test.fifo"
	}
	return openStore(t, queuetest.NewMemStore(), cfg)
}

func TestQueue(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		queuetest.TestQueue(t, queuetest.Harness{Kind: queue.FIFO, New: open})
	})
	t.Run("store", func(t *testing.T) {
		queuetest.TestQueue(t, queuetest.Harness{Kind: queue.FIFO, New: openNew})
	})
}

func FuzzModel(f *testing.F) { queuetest.Fuzz(f, queue.FIFO, open, openStore) }
