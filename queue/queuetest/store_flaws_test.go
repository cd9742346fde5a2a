package queuetest

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/restantemq/restante/queue"
)

// A storeFlaw is one way of breaking the contract of [queue.Store], and the
// cases that must notice. What it leaves nil is as in a MemStore.
type storeFlaw struct {
	name    string
	cases   []string
	open    func(s *flawedStore)
	attach  func(s *flawedStore, ctx context.Context, name string, kind queue.Kind) (*queue.Recovery, error)
	recover func(s *flawedStore, rec *queue.Recovery) // changes what a good Attach returned
	detach  func(s *flawedStore, number uint64)
	append  func(s *flawedStore, b *queue.Batch) (queue.Commit, error)
	change  func(s *flawedStore, c *queue.Change) // changes a copy of what Append gets
	wait    func(s *flawedStore, c queue.Commit, l queue.Level) error
	load    func(s *flawedStore, ctx context.Context, number, from, to uint64, dst []queue.Record) ([]queue.Record, error)
	loaded  func(r *queue.Record) // changes what a good Load returned
	meta    func(s *flawedStore, ctx context.Context) (map[string][]byte, error)
	close   func(s *flawedStore) error
	crash   func(s *flawedStore, l queue.Level) *MemStore

	unlocked bool // opens a place that is open
	syncs    bool // one for every Wait
}

// A flawedStore is a MemStore with a flaw.
type flawedStore struct {
	*MemStore
	flaw *storeFlaw
	lock sync.Mutex // guards the fields below, where several goroutines use them

	waits  int
	notes  map[string]uint64
	queued []*queue.Batch
	arena  []byte
}

func (s *flawedStore) Attach(ctx context.Context, name string, kind queue.Kind) (*queue.Recovery, error) {
	attach := func(_ *flawedStore, ctx context.Context, name string, kind queue.Kind) (*queue.Recovery, error) {
		return s.MemStore.Attach(ctx, name, kind)
	}
	if s.flaw.attach != nil {
		attach = s.flaw.attach
	}
	rec, err := attach(s, ctx, name, kind)
	if err == nil && s.flaw.recover != nil {
		s.flaw.recover(s, rec)
	}
	return rec, err
}

func (s *flawedStore) Detach(number uint64) {
	if s.flaw.detach != nil {
		s.flaw.detach(s, number)
		return
	}
	s.MemStore.Detach(number)
}

func (s *flawedStore) Append(b *queue.Batch) (c queue.Commit, err error) {
	defer caught(&err)
	if s.flaw.change != nil {
		b = cloneBatch(b)
		for i := range b.Changes {
			s.flaw.change(s, &b.Changes[i])
		}
	}
	if s.flaw.append != nil {
		return s.flaw.append(s, b)
	}
	return s.MemStore.Append(b)
}

// caught makes an error of a panic, which could end a goroutine of the case.
func caught(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v", p)
	}
}

func (s *flawedStore) Wait(c queue.Commit, l queue.Level) (err error) {
	defer caught(&err)
	s.lock.Lock()
	s.waits++
	s.lock.Unlock()
	if s.flaw.wait != nil {
		return s.flaw.wait(s, c, l)
	}
	return s.MemStore.Wait(c, l)
}

func (s *flawedStore) Load(ctx context.Context, number, from, to uint64, dst []queue.Record) (got []queue.Record, err error) {
	defer caught(&err)
	if s.flaw.load != nil {
		return s.flaw.load(s, ctx, number, from, to, dst)
	}
	n := len(dst)
	dst, err = s.MemStore.Load(ctx, number, from, to, dst)
	if s.flaw.loaded != nil {
		for i := range dst[n:] {
			s.flaw.loaded(&dst[n+i])
		}
	}
	return dst, err
}

func (s *flawedStore) Meta(ctx context.Context) (map[string][]byte, error) {
	if s.flaw.meta != nil {
		return s.flaw.meta(s, ctx)
	}
	return s.MemStore.Meta(ctx)
}

func (s *flawedStore) Close() error {
	if s.flaw.close != nil {
		return s.flaw.close(s)
	}
	return s.MemStore.Close()
}

// records returns the queue's records as they are, for a flaw to look into.
func (s *flawedStore) records(number uint64) map[uint64]*queue.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.latest.queues[number]; q != nil {
		return q.clone().records
	}
	return nil
}

// latestCommit returns the commit of the latest batch that the MemStore has.
func (s *flawedStore) latestCommit() queue.Commit {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

func (f *storeFlaw) wrap(m *MemStore, err error) (queue.Store, error) {
	if err != nil {
		return nil, err
	}
	s := &flawedStore{MemStore: m, flaw: f, notes: map[string]uint64{}}
	if f.open != nil {
		f.open(s)
	}
	return s, nil
}

// harness is that of MemStore with the flaw.
func (f *storeFlaw) harness() *StoreHarness {
	places := newMemPlaces()
	h := places.harness()
	h.Open = func(_ *testing.T, place string) (queue.Store, error) { return f.wrap(places.open(place)) }
	if f.unlocked {
		h.OpenElsewhere = func(*testing.T, string) error { return nil }
	}
	h.Crash = func(_ *testing.T, st queue.Store, place string, l queue.Level) (queue.Store, error) {
		s := st.(*flawedStore)
		if f.crash == nil {
			return f.wrap(places.crash(s.MemStore, place, l), nil)
		}
		m := f.crash(s, l)
		places.at[place] = m
		return f.wrap(m, nil)
	}
	h.Fail = func(_ *testing.T, st queue.Store) { st.(*flawedStore).Fail() }
	h.Full = func(_ *testing.T, st queue.Store, full bool) { st.(*flawedStore).SetFull(full) }
	h.Hold = func(_ *testing.T, st queue.Store) func() {
		st.(*flawedStore).Hold(queue.Durable)
		return st.(*flawedStore).Release
	}
	h.Syncs = func(_ *testing.T, st queue.Store) int {
		s := st.(*flawedStore)
		if f.syncs {
			s.lock.Lock()
			defer s.lock.Unlock()
			return s.waits
		}
		return s.Syncs()
	}
	return &h
}

// A findings is a reporter for cases that are expected to fail.
type findings struct {
	mu     sync.Mutex // guards the fields below
	lines  []string
	failed bool
}

func (f *findings) Helper() {}

func (f *findings) Logf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lines = append(f.lines, fmt.Sprintf(format, args...))
}

func (f *findings) Errorf(format string, args ...any) {
	f.Logf(format, args...)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failed = true
}

func (f *findings) FailNow() {
	f.mu.Lock()
	f.failed = true
	f.mu.Unlock()
	runtime.Goexit()
}

func (f *findings) Failed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

func (f *findings) panicked() bool {
	return slices.ContainsFunc(f.lines, func(line string) bool { return strings.HasPrefix(line, "panic: ") })
}

// findingsOf runs a case and returns what it finds. A MemStore panics at what
// breaks the rules of its callers: a flaw may make it look so.
func findingsOf(t *testing.T, h *StoreHarness, c *storeCase) *findings {
	f := new(findings)
	done := make(chan bool)
	go func() { // ends with the case
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				f.Errorf("panic: %v", p)
			}
		}()
		runStoreCase(t, f, h, c)
	}()
	<-done
	return f
}

// Every flaw is reported by the cases that are about it, with their rule. What
// names several cases must be reported by one of them.
func TestStoreSuiteFindsFlaws(t *testing.T) {
	names := map[string]bool{}
	for _, f := range storeFlaws {
		if names[f.name] || len(f.cases) == 0 {
			t.Errorf("flaw %q: a flaw needs a name of its own and a case that finds it", f.name)
		}
		names[f.name] = true
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			for _, name := range f.cases {
				if !f.noticed(t, name) {
					t.Errorf("%s does not notice", name)
				}
			}
		})
	}
}

func (f *storeFlaw) noticed(t *testing.T, name string) bool {
	for _, c := range allStoreCases() {
		if !under(name, c.name) {
			continue
		}
		found := findingsOf(t, f.harness(), &c)
		if found.Failed() {
			if rule := "rule broken: " + c.rule; !slices.Contains(found.lines, rule) && !found.panicked() {
				t.Errorf("%s notices, but does not say %q: %q", c.name, rule, found.lines)
			}
			return true
		}
	}
	return false
}
