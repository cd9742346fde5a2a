package queuetest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/restantemq/restante/queue"
)

var attachFlaws = []*storeFlaw{
	{
		name: "the key is made at every opening", cases: []string{"Attach/key", "Attach/untouched", "Crash/new-queue"},
		open: func(s *flawedStore) {
			for _, q := range s.latest.queues {
				q.key = randomKey()
			}
		},
	},
	{
		name: "the key is that of the store", cases: []string{"Attach/key", "Attach/many-at-once"},
		recover: func(s *flawedStore, rec *queue.Recovery) { rec.Key = [16]byte{1} },
	},
	{
		name: "the key is made of the name", cases: []string{"Attach/key", "Drop/deletes"},
		attach: func(s *flawedStore, ctx context.Context, name string, kind queue.Kind) (*queue.Recovery, error) {
			rec, err := s.MemStore.Attach(ctx, name, kind)
			if err == nil {
				rec.Key = [16]byte{}
				copy(rec.Key[:], name)
			}
			return rec, err
		},
	},
	{
		name: "no claims", cases: []string{"Attach/twice", "Attach/at-once"},
		attach: func(s *flawedStore, ctx context.Context, name string, kind queue.Kind) (*queue.Recovery, error) {
			s.mu.Lock()
			clear(s.attached)
			s.mu.Unlock()
			return s.MemStore.Attach(ctx, name, kind)
		},
	},
	{
		name: "Detach gives all claims back", cases: []string{"Attach/detached"},
		detach: func(s *flawedStore, _ uint64) {
			s.mu.Lock()
			defer s.mu.Unlock()
			clear(s.attached)
		},
	},
	{
		name: "no kinds", cases: []string{"Attach/other-kind"},
		attach: func(s *flawedStore, ctx context.Context, name string, kind queue.Kind) (*queue.Recovery, error) {
			rec, err := s.MemStore.Attach(ctx, name, queue.Standard)
			if errors.Is(err, queue.ErrNotForThisQueue) {
				rec, err = s.MemStore.Attach(ctx, name, queue.FIFO)
			}
			return rec, err
		},
	},
	{
		name: "a refusal claims the queue", cases: []string{"Attach/other-kind"},
		attach: func(s *flawedStore, ctx context.Context, name string, kind queue.Kind) (*queue.Recovery, error) {
			rec, err := s.MemStore.Attach(ctx, name, kind)
			if errors.Is(err, queue.ErrNotForThisQueue) {
				_, _ = s.MemStore.Attach(ctx, name, queue.Standard+queue.FIFO-kind)
			}
			return rec, err
		},
	},
	{
		name: "a context error comes after the claim", cases: []string{"Attach/cancelled"},
		attach: func(s *flawedStore, ctx context.Context, name string, kind queue.Kind) (*queue.Recovery, error) {
			rec, err := s.MemStore.Attach(context.Background(), name, kind)
			return rec, errors.Join(err, ctx.Err())
		},
	},
	{
		name: "names in lower case", cases: []string{"Attach/names"},
		attach: func(s *flawedStore, ctx context.Context, name string, kind queue.Kind) (*queue.Recovery, error) {
			return s.MemStore.Attach(ctx, strings.ToLower(name), kind)
		},
	},
	{
		name: "names as paths", cases: []string{"Attach/names"},
		attach: func(s *flawedStore, ctx context.Context, name string, kind queue.Kind) (*queue.Recovery, error) {
			if strings.ContainsAny(name, "/\\") {
				return nil, errors.New("bad name")
			}
			return s.MemStore.Attach(ctx, name, kind)
		},
	},
	{
		name: "Recovery is the store's", cases: []string{"Attach/recovery-is-the-callers"},
		attach: func() func(s *flawedStore, ctx context.Context, name string, kind queue.Kind) (*queue.Recovery, error) {
			cache := map[[16]byte]*queue.Recovery{}
			return func(s *flawedStore, ctx context.Context, name string, kind queue.Kind) (*queue.Recovery, error) {
				rec, err := s.MemStore.Attach(ctx, name, kind)
				if err != nil || rec.Next == 1 {
					return rec, err
				}
				if cache[rec.Key] == nil || cache[rec.Key].Now > 0 && cache[rec.Key].Now < rec.Now {
					cache[rec.Key] = rec
				}
				return cache[rec.Key], nil
			}
		}(),
	},
	{
		name: "Drop only clears", cases: []string{"Drop/deletes", "Drop/other-kind", "Drop/number"},
		change: func(s *flawedStore, c *queue.Change) {
			if c.Drop {
				*c = queue.Change{Queue: c.Queue, Clear: true}
			}
		},
	},
	{
		name: "Drop inserts first", cases: []string{"Drop/nothing-else-applies"},
		change: func(s *flawedStore, c *queue.Change) {
			if len(c.Insert) > 0 {
				c.Drop = false
			}
		},
	},
	{
		name: "Drop keeps the claim", cases: []string{"Drop/name-is-free"},
		attach: func(s *flawedStore, ctx context.Context, name string, kind queue.Kind) (*queue.Recovery, error) {
			if s.notes["drop"] > 0 {
				return nil, queue.ErrStoreLocked
			}
			return s.MemStore.Attach(ctx, name, kind)
		},
		change: func(s *flawedStore, c *queue.Change) {
			if c.Drop {
				s.notes["drop"] = 1
			}
		},
		detach: func(s *flawedStore, number uint64) {
			s.notes["drop"] = 0
			s.MemStore.Detach(number)
		},
	},
}

var recoveryFlaws = []*storeFlaw{
	{
		name: "Next is above the live records", cases: []string{"Next/after-removal", "Next/after-clear", "Model/reopen"},
		recover: func(s *flawedStore, rec *queue.Recovery) {
			rec.Next = 1
			for seq := range s.records(rec.Queue) {
				rec.Next = max(rec.Next, seq+1)
			}
		},
	},
	{
		name: "Next falls when the store is opened", cases: []string{"Next/after-removal", "Next/after-clear", "Model/reopen"},
		open: func(s *flawedStore) {
			for _, q := range s.latest.queues {
				q.next = 1
				for seq := range q.records {
					q.next = max(q.next, seq+1)
				}
			}
		},
	},
	{
		name: "Next does not know what was never live", cases: []string{"Next/never-live"},
		change: func(s *flawedStore, c *queue.Change) {
			c.Insert = slices.DeleteFunc(c.Insert, func(r queue.Record) bool { return slices.Contains(c.Remove, r.Seq) })
		},
	},
	{
		name: "Next is the latest number", cases: []string{"Next/above-all", "Attach/existing"},
		recover: func(s *flawedStore, rec *queue.Recovery) { rec.Next = max(1, rec.Next-1) },
	},
	{
		name: "Now is that of the last batch", cases: []string{"Now/latest"},
		append: func(s *flawedStore, b *queue.Batch) (queue.Commit, error) {
			c, err := s.MemStore.Append(b)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.latest.now = b.Now
			return c, err
		},
	},
	{
		name: "Now is forgotten at Close", cases: []string{"Now/latest", "Model/reopen"},
		open: func(s *flawedStore) { s.latest.now = 0 },
	},
	{
		name: "Now does not know of named values", cases: []string{"Now/without-changes"},
		append: func(s *flawedStore, b *queue.Batch) (queue.Commit, error) {
			if len(b.Changes) == 0 {
				b = &queue.Batch{Meta: b.Meta}
			}
			return s.MemStore.Append(b)
		},
	},
	{
		name: "Bytes are those of the bodies", cases: []string{"Pages/live-and-bytes"},
		recover: func(s *flawedStore, rec *queue.Recovery) {
			clearBytes(rec)
			for seq, r := range s.records(rec.Queue) {
				pageOf(rec, seq).Bytes += int64(len(r.Body))
			}
		},
	},
	{
		name: "Bytes count the trace header", cases: []string{"Pages/live-and-bytes"},
		recover: func(s *flawedStore, rec *queue.Recovery) {
			for seq, r := range s.records(rec.Queue) {
				pageOf(rec, seq).Bytes += int64(len(r.TraceHeader))
			}
		},
	},
	{
		name: "empty pages stay", cases: []string{"Pages/empty", "Model/reopen"},
		recover: func(s *flawedStore, rec *queue.Recovery) {
			for first := uint64(1); first < min(rec.Next, 100_000); first += queue.PageSize {
				if pageOf(rec, first) == nil {
					rec.Pages = append(rec.Pages, queue.PageInfo{First: first})
				}
			}
			slices.SortFunc(rec.Pages, func(a, b queue.PageInfo) int { return int(a.First) - int(b.First) })
		},
	},
	{
		name: "pages in no order", cases: []string{"Pages/borders"},
		recover: func(s *flawedStore, rec *queue.Recovery) { slices.Reverse(rec.Pages) },
	},
	{
		name: "pages begin at multiples", cases: []string{"Pages/borders"},
		recover: func(s *flawedStore, rec *queue.Recovery) {
			for i := range rec.Pages {
				rec.Pages[i].First--
			}
		},
	},
	{
		name: "a number removed twice counts twice", cases: []string{"Change/remove-unknown"},
		change: func(s *flawedStore, c *queue.Change) {
			seen := map[uint64]bool{}
			for _, seq := range c.Remove {
				if seen[seq] {
					s.notes["twice"]++
				}
				seen[seq] = true
			}
		},
		recover: func(s *flawedStore, rec *queue.Recovery) {
			if len(rec.Pages) > 0 {
				rec.Pages[0].Live -= int(s.notes["twice"])
			}
		},
	},
	{
		name: "MinSentAt is that of the first record", cases: []string{"Pages/times", "Model/reopen"},
		recover: func(s *flawedStore, rec *queue.Recovery) {
			records := s.records(rec.Queue)
			for _, seq := range slices.Backward(slices.Sorted(maps.Keys(records))) {
				pageOf(rec, seq).MinSentAt = records[seq].SentAt
			}
		},
	},
	{
		name: "MaxDueAt is that of the last delayed record", cases: []string{"Pages/times"},
		recover: func(s *flawedStore, rec *queue.Recovery) {
			records := s.records(rec.Queue)
			for _, seq := range slices.Sorted(maps.Keys(records)) {
				if due := records[seq].DueAt; due > 0 {
					pageOf(rec, seq).MaxDueAt = due
				}
			}
		},
	},
	{
		name: "MaxDueAt is that of the queue", cases: []string{"Pages/no-delay"},
		recover: func(s *flawedStore, rec *queue.Recovery) {
			var due int64
			for _, p := range rec.Pages {
				due = max(due, p.MaxDueAt)
			}
			for i := range rec.Pages {
				rec.Pages[i].MaxDueAt = due
			}
		},
	},
	{
		name: "Clear forgets no deduplication", cases: []string{"Change/clear", "Change/clear-then-insert", "Dedup/own-queue", "Model/reopen"},
		change: func(s *flawedStore, c *queue.Change) {
			if c.Clear {
				s.mu.Lock()
				defer s.mu.Unlock()
				c.Dedup = append(slices.Collect(maps.Values(s.latest.queues[c.Queue].dedup)), c.Dedup...)
			}
		},
	},
	{
		name: "an entry goes with its record", cases: []string{"Dedup/outlives-its-record", "Model/reopen"},
		recover: func(s *flawedStore, rec *queue.Recovery) {
			records := s.records(rec.Queue)
			rec.Dedup = slices.DeleteFunc(rec.Dedup, func(e queue.Dedup) bool { return records[e.Seq] == nil })
		},
	},
	{
		name: "an entry ends a millisecond early", cases: []string{"Dedup/until", "Model/reopen"},
		recover: func(s *flawedStore, rec *queue.Recovery) {
			rec.Dedup = slices.DeleteFunc(rec.Dedup, func(e queue.Dedup) bool { return e.Until <= rec.Now+1 })
		},
	},
	{
		name: "the longer entry stays", cases: []string{"Dedup/replaced", "Model/reopen"},
		change: func(s *flawedStore, c *queue.Change) {
			s.mu.Lock()
			defer s.mu.Unlock()
			for i, e := range c.Dedup {
				if old, ok := s.latest.queues[c.Queue].dedup[e.Key]; ok && old.Until > e.Until {
					c.Dedup[i] = old
				}
			}
		},
	},
	{
		name: "the first entry stays", cases: []string{"Dedup/replaced", "Dedup/many", "Model/reopen"},
		change: func(s *flawedStore, c *queue.Change) {
			s.mu.Lock()
			defer s.mu.Unlock()
			for i, e := range c.Dedup {
				if old, ok := s.latest.queues[c.Queue].dedup[e.Key]; ok {
					c.Dedup[i] = old
				}
			}
		},
	},
	{
		name: "an entry of zeros is none", cases: []string{"Dedup/kept"},
		change: func(s *flawedStore, c *queue.Change) {
			c.Dedup = slices.DeleteFunc(c.Dedup, func(e queue.Dedup) bool { return e.Key == [16]byte{} })
		},
	},
}

func clearBytes(rec *queue.Recovery) {
	for i := range rec.Pages {
		rec.Pages[i].Bytes = 0
	}
}

// pageOf returns the page of a number, or nil.
func pageOf(rec *queue.Recovery, seq uint64) *queue.PageInfo {
	for i := range rec.Pages {
		if rec.Pages[i].First == firstOfRun(seq) {
			return &rec.Pages[i]
		}
	}
	return nil
}
