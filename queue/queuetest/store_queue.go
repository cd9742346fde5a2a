package queuetest

import (
	"sync"
	"testing"

	"github.com/restantemq/restante/queue"
)

// OverStore returns the harness with which [TestQueue] runs over the store that
// h describes; of h it uses Open alone. open makes a queue of that kind that
// lives in st, under cfg.Name, which is never empty; it is called inside a
// synctest bubble.
//
// The queues of a case share one store, at a place of its own, so that what
// concerns several of them is one batch there; a queue whose name is taken gets
// another store. The stores are closed after the queues.
//
// Inside a bubble files and locks work as anywhere. But who waits for them is
// not "durably blocked" in the sense of [testing/synctest], so the bubble's
// clock stands still meanwhile: no test is late because of a slow disk. What a
// store makes of channels, timers and goroutines it must make when it is opened
// or later, not at package level, and its Close must end.
//
//	func TestQueue(t *testing.T) {
//		h := queuetest.StoreHarness{Open: openStore}
//		queuetest.TestQueue(t, queuetest.OverStore(queue.Standard, h,
//			func(t *testing.T, st queue.Store, cfg queue.Config) (queue.Queue, error) {
//				q, err := standard.Open(t.Context(), st, cfg)
//				if err != nil {
//					return nil, err // and no queue.Queue that holds a nil *standard.Queue
//				}
//				return q, nil
//			}))
//	}
func OverStore(
	kind queue.Kind, h StoreHarness,
	open func(t *testing.T, st queue.Store, cfg queue.Config) (queue.Queue, error),
) Harness {
	var mu sync.Mutex // guards shared
	shared := map[*testing.T]*caseStore{}
	return Harness{Kind: kind, New: func(t *testing.T, cfg queue.Config) (queue.Queue, error) {
		if cfg.Name == "" {
			cfg.Name = "queue"
			if kind == queue.FIFO {
				cfg.Name = "queue.fifo"
			}
		}
		mu.Lock()
		defer mu.Unlock()
		s := shared[t]
		if s == nil || s.names[cfg.Name] {
			st, err := h.Open(t, t.TempDir())
			if err != nil {
				return nil, err
			}
			s = &caseStore{st, map[string]bool{}}
			shared[t] = s
			t.Cleanup(func() {
				if err := st.Close(); err != nil {
					t.Errorf("Close of the store after the case = %v; want nil", err)
				}
				mu.Lock()
				defer mu.Unlock()
				delete(shared, t)
			})
		}
		s.names[cfg.Name] = true
		return open(t, s.st, cfg)
	}}
}

// A caseStore is a store that queues of one case share.
type caseStore struct {
	st    queue.Store
	names map[string]bool // of its queues
}
