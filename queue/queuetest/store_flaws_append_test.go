package queuetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/restantemq/restante/queue"
)

var changeFlaws = []*storeFlaw{
	{
		name: "Clear comes after Insert", cases: []string{"Change/clear-then-insert", "Change/all-parts", "Pages/after-clear"},
		change: func(s *flawedStore, c *queue.Change) {
			if c.Clear {
				for _, r := range c.Insert {
					c.Remove = append(c.Remove, r.Seq)
				}
				c.Dedup = nil
			}
		},
	},
	{
		name: "Remove comes before Insert", cases: []string{"Change/insert-then-remove", "Change/all-parts", "Model/reopen"},
		change: func(s *flawedStore, c *queue.Change) {
			c.Remove = slices.DeleteFunc(c.Remove, func(seq uint64) bool {
				return slices.ContainsFunc(c.Insert, func(r queue.Record) bool { return r.Seq == seq })
			})
		},
	},
	{
		name: "Touch comes before Insert", cases: []string{"Change/insert-then-touch", "Change/all-parts"},
		change: func(s *flawedStore, c *queue.Change) {
			c.Touch = slices.DeleteFunc(c.Touch, func(t queue.Touch) bool {
				return slices.ContainsFunc(c.Insert, func(r queue.Record) bool { return r.Seq == t.Seq })
			})
		},
	},
	{
		name: "Touch comes before Remove, and keeps the record", cases: []string{"Change/remove-then-touch", "Change/all-parts"},
		change: func(s *flawedStore, c *queue.Change) {
			c.Remove = slices.DeleteFunc(c.Remove, func(seq uint64) bool {
				return slices.ContainsFunc(c.Touch, func(t queue.Touch) bool { return t.Seq == seq })
			})
		},
	},
	{
		name: "Touch is ignored", cases: []string{"Change/touch", "Change/all-parts", "Churn/touches", "Model/reopen"},
		change: func(s *flawedStore, c *queue.Change) { c.Touch = nil },
	},
	{
		name: "Touch sets the count alone", cases: []string{"Change/touch", "Model/reopen"},
		change: func(s *flawedStore, c *queue.Change) {
			for i := range c.Touch {
				c.Touch[i].FirstReceivedAt = 0
			}
		},
	},
	{
		name: "only the first number is removed", cases: []string{"Change/remove", "Churn/many-records", "Model/reopen"},
		change: func(s *flawedStore, c *queue.Change) { c.Remove = c.Remove[:min(1, len(c.Remove))] },
	},
	{
		name: "an unknown number ends the removal", cases: []string{"Change/remove-unknown", "Model/reopen"},
		change: func(s *flawedStore, c *queue.Change) {
			known := s.records(c.Queue)
			for _, r := range c.Insert {
				known[r.Seq] = &r
			}
			for i, seq := range c.Remove {
				if known[seq] == nil {
					c.Remove = c.Remove[:i]
					return
				}
			}
		},
	},
	{
		name: "the removal of an unknown number is remembered", cases: []string{"Change/remove-unknown"},
		change: func(s *flawedStore, c *queue.Change) {
			for _, r := range c.Insert {
				if s.notes[fmt.Sprint(c.Queue, r.Seq)] > 0 {
					c.Remove = append(c.Remove, r.Seq)
				}
			}
			for _, seq := range c.Remove {
				s.notes[fmt.Sprint(c.Queue, seq)] = 1
			}
		},
	},
}

var appendFlaws = []*storeFlaw{
	{
		name: "a batch is a batch for each queue", cases: []string{"Full/refuses-records", "Crash/moves", "Crash/prefix", "Model/crash", "Model/full"},
		append: func(s *flawedStore, b *queue.Batch) (c queue.Commit, err error) {
			if len(b.Changes) == 0 {
				return s.MemStore.Append(b)
			}
			for i := range b.Changes {
				part := &queue.Batch{Now: b.Now, Changes: b.Changes[i : i+1]}
				if i == len(b.Changes)-1 {
					part.Meta = b.Meta
				}
				if c, err = s.MemStore.Append(part); err != nil {
					return 0, err
				}
			}
			return c, nil
		},
	},
	{
		name: "only one queue of a batch is changed", cases: []string{"Append/several-queues", "Append/many-queues-in-a-batch"},
		append: func(s *flawedStore, b *queue.Batch) (queue.Commit, error) {
			return s.MemStore.Append(&queue.Batch{Now: b.Now, Changes: b.Changes[:min(1, len(b.Changes))], Meta: b.Meta})
		},
	},
	{
		name: "an empty batch has no commit", cases: []string{"Append/empty", "Append/commits-rise"},
		append: func(s *flawedStore, b *queue.Batch) (queue.Commit, error) {
			if len(b.Changes)+len(b.Meta) == 0 {
				return 0, nil
			}
			return s.MemStore.Append(b)
		},
	},
	{
		name: "two batches share a commit", cases: []string{"Append/commits-rise", "Append/at-once"},
		append: func(s *flawedStore, b *queue.Batch) (queue.Commit, error) {
			c, err := s.MemStore.Append(b)
			return (c + 1) / 2 * 2, err
		},
		wait: func(s *flawedStore, c queue.Commit, l queue.Level) error { return s.MemStore.Wait(c-min(c, 1), l) },
	},
	{
		name: "the batch is read later", cases: []string{"Append/keeps-no-reference"},
		append: func(s *flawedStore, b *queue.Batch) (queue.Commit, error) {
			s.lock.Lock()
			defer s.lock.Unlock()
			s.queued = append(s.queued, b)
			return s.latestCommit() + queue.Commit(len(s.queued)), nil
		},
		wait: func(s *flawedStore, c queue.Commit, l queue.Level) error {
			s.flush()
			return s.MemStore.Wait(c, l)
		},
		load: func(s *flawedStore, ctx context.Context, number, from, to uint64, dst []queue.Record) ([]queue.Record, error) {
			s.flush()
			return s.MemStore.Load(ctx, number, from, to, dst)
		},
	},
	{
		name: "Append waits for the sync", cases: []string{"Append/does-not-wait"},
		append: func(s *flawedStore, b *queue.Batch) (queue.Commit, error) {
			s.lock.Lock()
			defer s.lock.Unlock()
			return s.MemStore.Append(b)
		},
		wait: func(s *flawedStore, c queue.Commit, l queue.Level) error {
			s.lock.Lock()
			defer s.lock.Unlock()
			return s.MemStore.Wait(c, l)
		},
	},
	{
		name: "a full store takes nothing", cases: []string{"Full/removes", "Full/removes-all", "Model/full"},
		append: func(s *flawedStore, b *queue.Batch) (queue.Commit, error) {
			s.mu.Lock()
			full := s.full
			s.mu.Unlock()
			if full {
				return 0, queue.ErrStoreFull
			}
			return s.MemStore.Append(b)
		},
	},
	{
		name: "a full store takes named values and the time of what it refuses", cases: []string{"Full/refuses-records", "Model/full"},
		append: func(s *flawedStore, b *queue.Batch) (queue.Commit, error) {
			c, err := s.MemStore.Append(b)
			if errors.Is(err, queue.ErrStoreFull) {
				_, _ = s.MemStore.Append(&queue.Batch{Now: b.Now, Meta: append(b.Meta, queue.Meta{Name: "full", Value: []byte("1")})})
			}
			return c, err
		},
	},
	{
		name: "a full store stays full", cases: []string{"Full/ends"},
		append: func(s *flawedStore, b *queue.Batch) (queue.Commit, error) {
			if s.notes["full"] > 0 && inserts(b) {
				return 0, queue.ErrStoreFull
			}
			c, err := s.MemStore.Append(b)
			if errors.Is(err, queue.ErrStoreFull) {
				s.notes["full"] = 1
			}
			return c, err
		},
	},
	{
		name: "a full store takes records", cases: []string{"Full/refuses-records", "Full/ends"},
		append: func(s *flawedStore, b *queue.Batch) (queue.Commit, error) {
			s.SetFull(false)
			return s.MemStore.Append(b)
		},
	},
}

// flush appends what was only noted.
func (s *flawedStore) flush() {
	s.lock.Lock()
	defer s.lock.Unlock()
	for _, b := range s.queued {
		_, _ = s.MemStore.Append(b)
	}
	s.queued = nil
}

var metaFlaws = []*storeFlaw{
	{
		name: "the map is the store's", cases: []string{"Meta/map-is-the-callers"},
		meta: func(s *flawedStore, ctx context.Context) (map[string][]byte, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.latest.meta, nil
		},
	},
	{
		name: "the values are the store's", cases: []string{"Meta/map-is-the-callers"},
		meta: func(s *flawedStore, ctx context.Context) (map[string][]byte, error) {
			shared := map[string][]byte{}
			s.mu.Lock()
			defer s.mu.Unlock()
			for name, value := range s.latest.meta {
				shared[name] = value
			}
			return shared, nil
		},
	},
	{
		name: "an empty value is none", cases: []string{"Meta/empty", "Model/reopen"},
		meta: func(s *flawedStore, ctx context.Context) (map[string][]byte, error) {
			meta, err := s.MemStore.Meta(ctx)
			for name, value := range meta {
				if len(value) == 0 {
					delete(meta, name)
				}
			}
			return meta, err
		},
	},
	{
		name: "nil is an empty value", cases: []string{"Meta/set", "Meta/remove-unknown", "Model/reopen"},
		append: func(s *flawedStore, b *queue.Batch) (queue.Commit, error) {
			b = cloneBatch(b)
			for i := range b.Meta {
				b.Meta[i].Value = append([]byte{}, b.Meta[i].Value...)
			}
			return s.MemStore.Append(b)
		},
	},
	{
		name: "values are not replaced", cases: []string{"Meta/set", "Meta/many", "Model/reopen"},
		append: func(s *flawedStore, b *queue.Batch) (queue.Commit, error) {
			b = cloneBatch(b)
			old, _ := s.MemStore.Meta(context.Background())
			for i := range b.Meta {
				if value, ok := old[b.Meta[i].Name]; ok && b.Meta[i].Value != nil {
					b.Meta[i].Value = value
				}
			}
			return s.MemStore.Append(b)
		},
	},
	{
		name: "values are text", cases: []string{"Meta/names-and-values"},
		meta: func(s *flawedStore, ctx context.Context) (map[string][]byte, error) {
			meta, err := s.MemStore.Meta(ctx)
			for name, value := range meta {
				meta[name] = bytes.ToValidUTF8(value, []byte("?"))
			}
			return meta, err
		},
	},
	{
		name: "Meta has no context", cases: []string{"Meta/cancelled"},
		meta: func(s *flawedStore, ctx context.Context) (map[string][]byte, error) {
			return s.MemStore.Meta(context.Background())
		},
	},
}
