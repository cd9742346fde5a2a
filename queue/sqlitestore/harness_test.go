package sqlitestore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/queuetest"
)

// TestStore runs the contract of queue.Store.
func TestStore(t *testing.T) {
	rigs := map[queue.Store]*rig{}
	open := func(t *testing.T, place string) (queue.Store, error) {
		s, err := Open(t.Context(), filepath.Join(place, "test.db"), small)
		if err != nil {
			return nil, err
		}
		r := &rig{Store: s}
		s.hook = r.hook
		rigs[s] = r
		return s, nil
	}
	skip := map[string]string{}
	if withRace {
		for _, part := range []string{"Model", "Churn", "Crash", "Pages", "Record", "Dedup", "Change", "Drop", "Append/large-batch", "Load/at-once"} {
			skip[part] = "too slow with the race detector"
		}
	}
	queuetest.TestStore(t, queuetest.StoreHarness{
		Skip: skip,
		Open: open,
		OpenElsewhere: func(t *testing.T, place string) error {
			cmd, out := child(t, "TestOpenElsewhereChild", crashPath+"="+filepath.Join(place, "test.db"))
			said, err := io.ReadAll(out)
			require.NoError(t, err)
			_ = cmd.Wait()
			switch {
			case strings.Contains(string(said), "is locked"):
				return queue.ErrStoreLocked
			case strings.Contains(string(said), "is open"):
				return nil
			}
			return errors.New(string(said))
		},
		Crash: func(t *testing.T, st queue.Store, place string, l queue.Level) (queue.Store, error) {
			r := rigs[st]
			r.crash(t, l)
			checkFiles(t, r.path)
			return open(t, place)
		},
		Fail: func(_ *testing.T, st queue.Store) { rigs[st].set(func(r *rig) { r.fails = true }) },
		Full: func(_ *testing.T, st queue.Store, full bool) { setFull(st.(*Store), full) },
		Hold: func(_ *testing.T, st queue.Store) func() {
			gate := make(chan struct{})
			rigs[st].set(func(r *rig) { r.gate = gate })
			return func() {
				rigs[st].set(func(r *rig) { r.gate = nil })
				close(gate)
			}
		},
		Syncs: func(_ *testing.T, st queue.Store) (n int) {
			rigs[st].set(func(r *rig) { n = r.syncs })
			return n
		},
	})
}

// TestOpenElsewhereChild is the other process of TestStore.
func TestOpenElsewhereChild(t *testing.T) {
	path := os.Getenv(crashPath)
	if path == "" || os.Getenv(crashRound) != "" {
		t.Skip("the other half of TestStore")
	}
	s, err := Open(context.Background(), path, small)
	if errors.Is(err, queue.ErrStoreLocked) {
		t.Log("the database is locked")
		return
	}
	require.NoError(t, err)
	t.Log("the database is open")
	require.NoError(t, s.Close())
}

// setFull makes a store's database appear to be as large as it may be, or ends
// that.
func setFull(s *Store, full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = 0
	if full {
		s.limit, s.used = 1, 1
	}
}

// A rig holds a store's commits back, makes them fail, and ends the process or
// the machine under it.
type rig struct {
	*Store

	mu       sync.Mutex // guards everything below
	gate     chan struct{}
	fails    bool // the next sync does
	syncs    int  // begun
	unsynced int  // commits since the last sync
}

func (r *rig) set(f func(r *rig)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(r)
}

func (r *rig) hook(point string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch point {
	case pointSyncing:
		r.syncs++
		for r.gate != nil {
			gate := r.gate
			r.mu.Unlock()
			<-gate
			r.mu.Lock()
		}
		if r.fails {
			return errors.New("injected")
		}
		r.unsynced = -1 // this one is synced, with all before it
	case pointCommitted:
		r.unsynced++
	}
	return nil
}

// crash lets go of the store without closing it, and leaves the files as the end
// of the process does; or as the end of the machine may: then the commits that
// were not synced are cut off the log.
func (r *rig) crash(t *testing.T, l queue.Level) {
	t.Helper()
	unsynced := 0
	if l == queue.Durable {
		r.set(func(r *rig) { unsynced = max(0, r.unsynced) })
	}
	read := func(suffix string) []byte {
		b, err := os.ReadFile(r.path + suffix) // drops SQLite's locks, which are done for anyway
		if !errors.Is(err, os.ErrNotExist) {
			require.NoError(t, err)
		}
		return b
	}
	database, log := read(""), cutLog(read("-wal"), unsynced)
	r.Store.mu.Lock()
	closed := r.closed
	r.closed = true
	r.Store.mu.Unlock()
	if !closed {
		require.NoError(t, r.shut())
	}
	require.NoError(t, os.WriteFile(r.path, database, 0o600))
	require.NoError(t, os.WriteFile(r.path+"-wal", log, 0o600))
	if err := os.Remove(r.path + "-shm"); !errors.Is(err, os.ErrNotExist) {
		require.NoError(t, err)
	}
}

// cutLog takes the last n commits off a log of SQLite. Older ones can't be cut
// off: they are in the database, and that was synced before the log began anew.
// https://www.sqlite.org/fileformat2.html#walformat
func cutLog(log []byte, n int) []byte {
	if len(log) < 32 {
		return log
	}
	size := int(binary.BigEndian.Uint32(log[8:]))
	salt := log[16:24]
	ends := []int{32}
	for at := 32; at+24+size <= len(log) && bytes.Equal(log[at+8:at+16], salt); at += 24 + size {
		if binary.BigEndian.Uint32(log[at+4:]) != 0 { // the last frame of a commit
			ends = append(ends, at+24+size)
		}
	}
	return log[:ends[max(0, len(ends)-1-n)]]
}

// checkFiles asserts that the tables in a database that nobody has open agree.
func checkFiles(t *testing.T, path string) {
	t.Helper()
	s, err := Open(context.Background(), path, small)
	require.NoError(t, err)
	checkTables(t, s)
	assert.NoError(t, s.Close())
}
