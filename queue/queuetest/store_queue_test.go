package queuetest

import (
	"fmt"
	"os"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

// A notingStore notes its end, and whether its place is still there.
type notingStore struct {
	*MemStore
	place string
	note  func(format string, args ...any)
}

func (s *notingStore) Close() error {
	_, err := os.Stat(s.place)
	s.note("store closed, place there: %t", err == nil)
	return s.MemStore.Close()
}

// A notingQueue does nothing but note its end.
type notingQueue struct {
	queue.Queue
	name string
	note func(format string, args ...any)
}

func (q *notingQueue) Close() error {
	q.note("%s closed", q.name)
	return nil
}

func TestOverStore(t *testing.T) {
	var notes []string
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	h := OverStore(queue.FIFO,
		StoreHarness{Open: func(_ *testing.T, place string) (queue.Store, error) {
			note("store opened")
			return &notingStore{NewMemStore(), place, note}, nil
		}},
		func(t *testing.T, st queue.Store, cfg queue.Config) (queue.Queue, error) {
			if _, err := st.Attach(t.Context(), cfg.Name, queue.FIFO); err != nil {
				return nil, err
			}
			note("%s opened", cfg.Name)
			return &notingQueue{name: cfg.Name, note: note}, nil
		})
	require.Equal(t, queue.FIFO, h.Kind)
	for range 2 { // the next case has stores of its own
		notes = nil
		t.Run("case", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &desk{T: t, harness: h}
				d.open(queue.Config{})
				d.openNamed("dead", queue.Config{})
				d.open(queue.Config{})
				q, err := h.New(t, queue.Config{})
				require.NoError(t, err)
				d.opened(q)
			})
		})
		require.Equal(t, []string{
			"store opened", "orders.fifo opened", "dead.fifo opened",
			"store opened", "orders.fifo opened", "queue.fifo opened",
			"queue.fifo closed", "orders.fifo closed", "store closed, place there: true",
			"dead.fifo closed", "orders.fifo closed", "store closed, place there: true",
		}, notes)
	}
}
