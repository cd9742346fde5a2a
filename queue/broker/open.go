package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/filestore"
)

// Open returns the broker that is kept in the directory dir, which is made if it
// isn't there: with its queues, their messages and settings, and its move tasks,
// which go on. Messages that were in flight are visible. One process at a time can
// have it open; another one gets [queue.ErrStoreLocked].
//
// Errors: those of filestore.Open; [queue.ErrStoreCorrupt] for a damaged
// catalogue, and [queue.ErrUnsupported] for one that a later version wrote, both
// naming the entry; the context's.
func Open(ctx context.Context, dir string, o Options) (*Broker, error) {
	st, err := filestore.Open(ctx, dir, filestore.Options{})
	if err != nil {
		return nil, err
	}
	b, err := OpenStore(ctx, st, o)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	b.owned = true
	return b, nil
}

// OpenStore is Open for what st keeps. The store stays the caller's, to be closed
// after the broker; other queues in it than the broker's are left alone.
func OpenStore(ctx context.Context, st queue.Store, o Options) (*Broker, error) {
	if err := o.Scope.check(); err != nil {
		return nil, err
	}
	b := newBroker(o)
	b.store = st
	if err := b.restore(ctx); err != nil {
		_ = b.Close() // why it could not be opened is what matters
		return nil, fmt.Errorf("open broker: %w", err)
	}
	return b, nil
}

// restore opens what the store keeps: queues, then the ways between them, then
// tasks. Nobody else has the broker yet.
func (h *hub) restore(ctx context.Context) error {
	entries, err := h.store.Meta(ctx)
	if err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(entries))
	for _, name := range names {
		if !isQueueEntry(name) {
			continue
		}
		q, err := h.queueOf(name, entries[name])
		if err != nil {
			return err
		}
		if err := q.open(ctx); errors.Is(err, queue.ErrInvalidParameter) {
			return corrupt(name, err)
		} else if err != nil {
			return err
		}
		h.mu.Lock()
		h.queues[q.scope.key(q.name)] = q
		h.link(q, true)
		h.mu.Unlock()
	}
	for _, q := range h.all() {
		d := q.describe()
		if d.redrive.target == "" {
			continue
		}
		if err := q.local().Reconfigure(ctx, h.wired(&d)); err != nil {
			return err
		}
	}
	var tasks []*task
	for _, name := range names {
		if !isTaskEntry(name) {
			continue
		}
		t, err := h.taskOf(name, entries[name])
		if err != nil {
			return err
		}
		tasks = append(tasks, t)
	}
	for _, t := range tasks { // now that nothing can fail
		h.resume(t)
	}
	return nil
}
