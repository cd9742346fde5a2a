package queuetest

import (
	"context"
	"errors"

	"github.com/restantemq/restante/queue"
)

var durabilityFlaws = []*storeFlaw{
	{
		name: "Wait waits for nothing", cases: []string{"Wait/not-before", "Crash/durable", "Crash/written", "Model/crash", "Model/fail"},
		wait: func(s *flawedStore, c queue.Commit, l queue.Level) error { return nil },
	},
	{
		name: "Written is nothing", cases: []string{"Crash/written", "Model/crash"},
		wait: func(s *flawedStore, c queue.Commit, l queue.Level) error {
			if l == queue.Written {
				return nil
			}
			return s.MemStore.Wait(c, l)
		},
	},
	{
		name: "Durable is Written", cases: []string{"Crash/durable", "Crash/earlier-commits", "Wait/not-before"},
		wait: func(s *flawedStore, c queue.Commit, l queue.Level) error { return s.MemStore.Wait(c, queue.Written) },
	},
	{
		name: "Wait misses the latest commit", cases: []string{"Crash/durable"},
		wait: func(s *flawedStore, c queue.Commit, l queue.Level) error { return s.MemStore.Wait(c-min(c, 1), l) },
	},
	{
		name: "a sync for every caller", cases: []string{"Wait/shares-syncs"},
		syncs: true,
	},
	{
		name: "the zero commit is refused", cases: []string{"Wait/zero"},
		wait: func(s *flawedStore, c queue.Commit, l queue.Level) error {
			if c == 0 {
				return errors.New("no such commit")
			}
			return s.MemStore.Wait(c, l)
		},
	},
	{
		name: "a failure is certain", cases: []string{"Failed/own-commit", "Failed/everything-under-way"},
		wait: func(s *flawedStore, c queue.Commit, l queue.Level) error {
			if err := s.MemStore.Wait(c, l); err != nil {
				return queue.ErrStoreFailed
			}
			return nil
		},
	},
	{
		name: "a failed sync is tried again", cases: []string{"Failed/own-commit", "Failed/everything-under-way"},
		wait: func(s *flawedStore, c queue.Commit, l queue.Level) error {
			err := s.MemStore.Wait(c, l)
			s.mu.Lock()
			defer s.mu.Unlock()
			if err != nil && !s.gone() {
				s.err, s.failIn = nil, neverFails
			}
			return err
		},
	},
	{
		name: "what was written does not fail", cases: []string{"Failed/everything-under-way"},
		wait: func(s *flawedStore, c queue.Commit, l queue.Level) error {
			if l == queue.Written {
				return nil
			}
			return s.MemStore.Wait(c, l)
		},
	},
	{
		name: "a failed store takes batches", cases: []string{"Failed/later-appends", "Model/fail"},
		append: func(s *flawedStore, b *queue.Batch) (queue.Commit, error) {
			c, err := s.MemStore.Append(b)
			if errors.Is(err, queue.ErrStoreFailed) {
				return s.latestCommit(), nil
			}
			return c, err
		},
	},
	{
		name: "a failed store is uncertain of what it refuses", cases: []string{"Failed/later-appends"},
		append: func(s *flawedStore, b *queue.Batch) (queue.Commit, error) {
			c, err := s.MemStore.Append(b)
			if err != nil {
				err = errors.Join(err, queue.ErrUncertain)
			}
			return c, err
		},
	},
	{
		name: "a failed store does not load", cases: []string{"Failed/loads", "Model/fail"},
		load: func(s *flawedStore, ctx context.Context, number, from, to uint64, dst []queue.Record) ([]queue.Record, error) {
			s.mu.Lock()
			err := s.err
			s.mu.Unlock()
			if err != nil {
				return dst, err
			}
			return s.MemStore.Load(ctx, number, from, to, dst)
		},
	},
	{
		name: "Close forgets what nobody waited for", cases: []string{"Close/keeps", "Model/reopen"},
		close: func(s *flawedStore) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.gone() {
				return s.err
			}
			s.latest, s.pending = s.durable.clone(), nil
			s.last = s.marks[levelIndex(queue.Durable)]
			s.err = queue.ErrClosed
			return nil
		},
	},
	{
		name: "a closed store can be closed again", cases: []string{"Close/closed"},
		close: func(s *flawedStore) error {
			_ = s.MemStore.Close()
			return nil
		},
	},
	{
		name: "a closed store still loads", cases: []string{"Close/closed"},
		load: func(s *flawedStore, ctx context.Context, number, from, to uint64, dst []queue.Record) ([]queue.Record, error) {
			got, err := s.MemStore.Load(ctx, number, from, to, dst)
			if errors.Is(err, queue.ErrClosed) {
				return dst, nil
			}
			return got, err
		},
	},
	{
		name: "a closed store has failed", cases: []string{"Close/closed", "Close/at-once"},
		append: func(s *flawedStore, b *queue.Batch) (queue.Commit, error) {
			c, err := s.MemStore.Append(b)
			if errors.Is(err, queue.ErrClosed) {
				err = queue.ErrStoreFailed
			}
			return c, err
		},
	},
	{
		name: "Close loses what comes meanwhile", cases: []string{"Close/at-once"},
		append: func(s *flawedStore, b *queue.Batch) (queue.Commit, error) {
			s.lock.Lock()
			defer s.lock.Unlock()
			c, err := s.MemStore.Append(b)
			if errors.Is(err, queue.ErrClosed) && s.notes["late"] < 20 {
				s.notes["late"]++
				return s.latestCommit() + queue.Commit(s.notes["late"]), nil
			}
			return c, err
		},
		wait: func(s *flawedStore, c queue.Commit, l queue.Level) error {
			if c > s.latestCommit() {
				return queue.ErrClosed
			}
			return s.MemStore.Wait(c, l)
		},
	},
	{
		name: "open twice", cases: []string{"Lock/elsewhere", "Lock/ends-with-a-crash"},
		unlocked: true,
	},
	{
		name: "a crash leaves a gap", cases: []string{"Crash/prefix", "Crash/moves", "Model/crash"},
		crash: func(s *flawedStore, l queue.Level) *MemStore {
			s.mu.Lock()
			kept := s.durable.clone()
			written := int(s.marks[levelIndex(l)] - s.marks[levelIndex(queue.Durable)])
			for i, b := range s.pending {
				if i < written || i%3 == 2 {
					kept.apply(b)
				}
			}
			s.mu.Unlock()
			s.Crash(l)
			return newMemStore(kept)
		},
	},
	{
		name: "a crash takes the named values", cases: []string{"Crash/durable", "Crash/prefix"},
		crash: func(s *flawedStore, l queue.Level) *MemStore {
			m := s.Crash(l)
			clear(m.latest.meta)
			return m
		},
	},
	{
		name: "a crash brings the removed back", cases: []string{"Crash/durable", "Crash/moves", "Model/crash"},
		append: func(s *flawedStore, b *queue.Batch) (queue.Commit, error) {
			if len(b.Changes) > 0 && len(b.Changes[0].Insert) > 0 {
				s.notes["number"], s.notes["seq"] = b.Changes[0].Queue, b.Changes[0].Insert[0].Seq
				s.arena = []byte(b.Changes[0].Insert[0].Body)
			}
			return s.MemStore.Append(b)
		},
		crash: func(s *flawedStore, l queue.Level) *MemStore {
			m := s.Crash(l)
			if q := m.latest.queues[s.notes["number"]]; q != nil && s.notes["seq"] > 1 {
				seq := s.notes["seq"] - 1
				q.records[seq] = &queue.Record{Seq: seq, ID: queue.MessageID{1}, Message: queue.Message{Body: string(s.arena)}}
			}
			return m
		},
	},
	{
		name: "a crash empties queues nobody has in the log", cases: []string{"Crash/again"},
		crash: func(s *flawedStore, l queue.Level) *MemStore {
			m := s.Crash(l)
			if s.last == 0 { // nothing was appended since the store was opened
				for _, q := range m.latest.queues {
					clear(q.records)
				}
			}
			return m
		},
	},
	{
		name: "what is recovered is only written", cases: []string{"Crash/recovered-is-durable"},
		crash: func(s *flawedStore, l queue.Level) *MemStore {
			if l == queue.Durable {
				return s.Crash(l)
			}
			m := s.Crash(l)
			s.mu.Lock()
			defer s.mu.Unlock()
			m.durable = s.durable.clone() // the batches that made it latest are not in m.pending, and never will be
			return m
		},
	},
}
