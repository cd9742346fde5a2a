package queuetest

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/restantemq/restante/queue"
)

// memPlaces keeps MemStores by place, as a file system keeps files.
type memPlaces struct {
	mu      sync.Mutex
	at      map[string]*MemStore
	crashes uint64 // of all places; varies what survives
}

func newMemPlaces() *memPlaces { return &memPlaces{at: map[string]*MemStore{}} }

func (p *memPlaces) open(place string) (*MemStore, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.at[place]
	switch {
	case m == nil:
		m = NewMemStore()
	case !isClosed(m):
		return nil, queue.ErrStoreLocked
	default:
		m = m.Reopen()
	}
	p.at[place] = m
	return m, nil
}

func (p *memPlaces) openElsewhere(place string) error {
	m, err := p.open(place)
	if err != nil {
		return err
	}
	return m.Close()
}

// crash keeps what reached l and, every other time, some more.
func (p *memPlaces) crash(m *MemStore, place string, l queue.Level) *MemStore {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.crashes++
	random := rand.New(rand.NewPCG(p.crashes, 0))
	if random.IntN(2) > 0 {
		least := m.marks[levelIndex(l)] - m.marks[levelIndex(queue.Durable)]
		m = m.CrashKeeping(int(least) + random.IntN(m.Pending()+1))
	} else {
		m = m.Crash(l)
	}
	p.at[place] = m
	return m
}

func isClosed(m *MemStore) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.gone()
}

func (p *memPlaces) harness() StoreHarness {
	return StoreHarness{
		Open: func(_ *testing.T, place string) (queue.Store, error) { return p.open(place) },
		OpenElsewhere: func(_ *testing.T, place string) error {
			return p.openElsewhere(place)
		},
		Crash: func(_ *testing.T, st queue.Store, place string, l queue.Level) (queue.Store, error) {
			return p.crash(st.(*MemStore), place, l), nil
		},
		Fail: func(_ *testing.T, st queue.Store) { st.(*MemStore).Fail() },
		Full: func(_ *testing.T, st queue.Store, full bool) { st.(*MemStore).SetFull(full) },
		Hold: func(_ *testing.T, st queue.Store) func() {
			st.(*MemStore).Hold(queue.Durable)
			return st.(*MemStore).Release
		},
		Syncs: func(_ *testing.T, st queue.Store) int { return st.(*MemStore).Syncs() },
	}
}

func TestMemStoreKeepsTheContract(t *testing.T) {
	TestStore(t, newMemPlaces().harness())
}
