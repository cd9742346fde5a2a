package sqstest_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/restantemq/restante/queue"
)

// A trial is a test within a test: it keeps what it is told, so that a kit may fail.
type trial struct {
	testing.TB // the test that it is part of
	ctx        context.Context

	mu       sync.Mutex
	errors   []string
	logs     []string
	failed   bool
	stopped  bool // by Fatalf
	cleanups []func()
}

// try runs test as a test of its own, to its end, and returns what it was told.
func try(t testing.TB, test func(tr *trial)) *trial {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	tr := &trial{TB: t, ctx: ctx}
	apart(func() { test(tr) })
	cancel() // as tests do, before they clean up
	for _, f := range slices.Backward(tr.cleanups) {
		apart(f)
	}
	return tr
}

// apart runs f in a goroutine of its own, which it may end, and waits for it.
func apart(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

func (tr *trial) Helper() {}

func (tr *trial) Context() context.Context { return tr.ctx }

func (tr *trial) Cleanup(f func()) { tr.cleanups = append(tr.cleanups, f) }

func (tr *trial) Failed() bool {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.failed
}

func (tr *trial) Logf(format string, args ...any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.logs = append(tr.logs, fmt.Sprintf(format, args...))
}

func (tr *trial) Errorf(format string, args ...any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.failed = true
	tr.errors = append(tr.errors, fmt.Sprintf(format, args...))
}

func (tr *trial) Fatalf(format string, args ...any) {
	tr.Errorf(format, args...)
	tr.mu.Lock()
	tr.stopped = true
	tr.mu.Unlock()
	runtime.Goexit() // of the goroutine that called, as tests do
}

// said is all that made the trial fail.
func (tr *trial) said() string { return strings.Join(tr.errors, "\n") }

// anywhere runs test in a bubble, and outside of one.
func anywhere(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Run("in a bubble", func(t *testing.T) { synctest.Test(t, test) })
	t.Run("outside", test)
}

// A stall is a Trace that doesn't return from its first event before it is told to, so
// that the events of its queue come late.
type stall struct {
	once         sync.Once
	reached, end chan struct{}
}

func newStall() *stall { return &stall{reached: make(chan struct{}), end: make(chan struct{})} }

func (s *stall) trace() *queue.Trace {
	return &queue.Trace{Message: func(queue.Event) {
		s.once.Do(func() {
			close(s.reached)
			<-s.end
		})
	}}
}
