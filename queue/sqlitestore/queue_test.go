package sqlitestore

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/queuetest"
)

// The queues of this module over this store are what they are over any other,
// with an outbox and without.
func TestQueue(t *testing.T) {
	skip := map[string]string{
		"Reference/13":    "120,000 messages in flight, one commit each; the limit is the engine's",
		"Limits/InFlight": "120,000 messages in flight, one commit each; the limit is the engine's",
	}
	if withRace {
		for _, part := range []string{"Reference", "Limits", "Contract"} {
			skip[part] = "too slow with the race detector"
		}
		delete(skip, "Reference/13")
	}
	for _, c := range []struct {
		name   string
		kind   queue.Kind
		outbox bool
	}{
		{"Standard", queue.Standard, false},
		{"Standard with an outbox", queue.Standard, true},
		{"FIFO", queue.FIFO, false},
		{"FIFO with an outbox", queue.FIFO, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if withRace && !c.outbox {
				t.Skip("too slow with the race detector")
			}
			stores := map[string]*Store{} // one for the queues of a case
			var nameless atomic.Int64
			queuetest.TestQueue(t, queuetest.Harness{
				Kind: c.kind,
				Skip: skip,
				New: func(t *testing.T, cfg queue.Config) (queue.Queue, error) {
					s := stores[t.Name()]
					if s == nil {
						s = openAt(t, filepath.Join(memoryDir(t), "test.db"), small)
						stores[t.Name()] = s
					}
					if cfg.Name == "" {
						cfg.Name = fmt.Sprint("queue-", nameless.Add(1))
						if c.kind == queue.FIFO {
							cfg.Name += ".fifo"
						}
					}
					q, err := openQueueOf(t.Context(), c.kind, s, cfg)
					if err != nil || !c.outbox {
						return q, err
					}
					return s.WithOutbox(t.Context(), q)
				},
			})
		})
	}
}
