package broker_test

import (
	"cmp"
	"fmt"
	"strings"
	"testing"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/filestore"
	"github.com/restantemq/restante/queue/queuetest"
)

// The queues of a broker are queues: in memory and in files, of both kinds. All
// queues of a case are one broker's.
func TestQueuesOfABroker(t *testing.T) {
	for _, kind := range []queue.Kind{queue.Standard, queue.FIFO} {
		t.Run("memory/"+kind.String(), func(t *testing.T) {
			queuetest.TestQueue(t, suiteHarness(kind, func(*testing.T) (*broker.Broker, error) {
				return broker.New(broker.Options{}), nil
			}, skips(kind)))
		})
		t.Run("durable/"+kind.String(), func(t *testing.T) {
			skip := skips(kind)
			for _, name := range []string{"Reference/14.6/target-fails", "Reference/14.6/target-recovers",
				"Reference/14.6/target-fails-others-are-received", "Contract/DeadLetter/target-fails"} {
				skip[name] = "the dead-letter queue of a durable queue is one of the same broker"
			}
			queuetest.TestQueue(t, suiteHarness(kind, openSmall, skip))
		})
	}
}

// openSmall opens a durable broker in a store of small files, since there is one
// for each case.
func openSmall(t *testing.T) (*broker.Broker, error) {
	st, err := filestore.Open(t.Context(), t.TempDir(), filestore.Options{SegmentSize: 64 << 10, Sync: filestore.LoseUnsynced})
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Errorf("Close of the store: %v", err)
		}
	})
	return broker.OpenStore(t.Context(), st, broker.Options{})
}

func skips(kind queue.Kind) map[string]string {
	name := "Limits/QueueName/outside-" + strings.ToLower(kind.String())
	return map[string]string{name: "the name tells the kind"}
}

func suiteHarness(kind queue.Kind, open func(*testing.T) (*broker.Broker, error), skip map[string]string) queuetest.Harness {
	brokers := make(map[*testing.T]*broker.Broker)
	made := 0
	return queuetest.Harness{
		Kind:   kind,
		Skip:   skip,
		Source: func(name string) string { return broker.Scope{}.ARN(name) },
		New: func(t *testing.T, cfg queue.Config) (queue.Queue, error) {
			b := brokers[t]
			if b == nil {
				var err error
				if b, err = open(t); err != nil {
					return nil, err
				}
				brokers[t] = b
				t.Cleanup(func() {
					delete(brokers, t)
					if err := b.Close(); err != nil {
						t.Errorf("Close of the broker: %v", err)
					}
				})
			}
			if _, err := b.GetQueue(cfg.Name); err == nil { // a case tries one after the other
				if err := b.DeleteQueue(t.Context(), cfg.Name); err != nil {
					return nil, err
				}
			}
			made++
			name := fmt.Sprintf("unnamed-%d", made)
			if kind == queue.FIFO {
				name += ".fifo"
			}
			return b.Create(t.Context(), cmp.Or(cfg.Name, name), cfg)
		},
	}
}
