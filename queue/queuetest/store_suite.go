package queuetest

import (
	"slices"
	"strings"
	"testing"

	"github.com/restantemq/restante/queue"
)

// A StoreHarness describes an implementation of [queue.Store] to [TestStore].
// Open is required; a hook that is nil leaves out the cases that need it, which
// are skipped with a line that says so. What a hook can't do it reports by
// failing t.
//
// The suite calls a hook only while no other call on the store is running,
// except where a hook says otherwise.
type StoreHarness struct {
	// Open opens the store at place: an empty directory of the suite's making,
	// which an implementation that needs no directory may take for a mere name.
	// The same place again, after Close or Crash, is the same store. The suite
	// closes what Open returns, or ends it with Crash.
	Open func(t *testing.T, place string) (queue.Store, error)

	// OpenElsewhere opens the store at place as another process would, or in
	// another process, closes it if it opened, and returns the error of opening
	// it: [queue.ErrStoreLocked] while it is open here.
	OpenElsewhere func(t *testing.T, place string) error

	// Crash ends st without a word to it, as the end of the process does with
	// [queue.Written], or as the end of the machine with [queue.Durable], and
	// returns the store opened again at place, with what reached that level, or
	// more. st may have failed or been closed; the suite has no more use for it.
	// What varies from one crash to the next should depend on place or on the
	// number of the crash alone, so that a failure can be repeated.
	Crash func(t *testing.T, st queue.Store, place string, l queue.Level) (queue.Store, error)

	// Fail makes the next sync of st fail, and with it st. A store that fails a
	// write instead does as well.
	Fail func(t *testing.T, st queue.Store)

	// Full, with true, leaves st no room for any further record, though batches
	// that it took may be under way; with false there is room again.
	Full func(t *testing.T, st queue.Store, full bool)

	// Hold keeps whatever is not durable yet from becoming so until release is
	// called: a Wait for [queue.Durable] does not return. Calls on st run when
	// release is called. A Wait for [queue.Written] may be held as well.
	Hold func(t *testing.T, st queue.Store) (release func())

	// Syncs returns how many syncs st has begun. The case that needs it needs
	// Hold too.
	Syncs func(t *testing.T, st queue.Store) int

	// Skip leaves cases out. A key is a case's name or the first parts of
	// names ("Load", "Record/text"); the value is the reason. A key that fits
	// no case is an error.
	Skip map[string]string

	// Seed changes what the randomised cases do; any value, zero included, is
	// as good as another. It is printed when such a case fails.
	Seed uint64
}

// A storeCase is one rule of [queue.Store] and the function that tries to break
// it.
type storeCase struct {
	name  string
	rule  string      // one sentence, printed when the case fails
	needs []storeHook // of the harness
	long  bool        // left out by go test -short
	test  func(d *storeDesk)
}

// A storeHook is the name of an optional field of [StoreHarness].
type storeHook string

const (
	needsElsewhere storeHook = "OpenElsewhere"
	needsCrash     storeHook = "Crash"
	needsFail      storeHook = "Fail"
	needsFull      storeHook = "Full"
	needsHold      storeHook = "Hold"
	needsSyncs     storeHook = "Syncs"
)

// has reports whether the harness has that hook.
func (h *StoreHarness) has(hook storeHook) bool {
	switch hook {
	case needsElsewhere:
		return h.OpenElsewhere != nil
	case needsCrash:
		return h.Crash != nil
	case needsFail:
		return h.Fail != nil
	case needsFull:
		return h.Full != nil
	case needsHold:
		return h.Hold != nil
	case needsSyncs:
		return h.Syncs != nil
	}
	panicf("there is no hook %q", hook)
	return false
}

// allStoreCases returns the suite in the order in which it runs.
func allStoreCases() []storeCase {
	return slices.Concat(
		storeAttachCases, storeDropCases, storeNextCases,
		storeChangeCases, storeAppendCases,
		storeLoadCases, storeRecordCases,
		storePageCases, storeDedupCases, storeMetaCases,
		storeWaitCases, storeCloseCases,
		storeFailedCases, storeFullCases, storeCrashCases,
		storeChurnCases, storeModelCases(),
	)
}

// TestStore runs the contract of [queue.Store] against the implementation that
// h describes. Every case has a rule in one sentence, which is printed when it
// fails, and a store of its own at a fresh place. The cases run one after the
// other, in real time, outside any synctest bubble, and wait for a few thousand
// syncs in all.
//
//	func TestStore(t *testing.T) {
//		queuetest.TestStore(t, queuetest.StoreHarness{
//			Open: func(t *testing.T, place string) (queue.Store, error) {
//				return mystore.Open(t.Context(), place)
//			},
//		})
//	}
//
// The contract's promises about cost (that Attach's doesn't grow with the number
// of records, that Append does no I/O) and about damaged records are not tested
// here.
func TestStore(t *testing.T, h StoreHarness) {
	if h.Open == nil {
		t.Fatal("queuetest: a StoreHarness needs Open")
	}
	cases := allStoreCases()
	for key := range h.Skip {
		if !slices.ContainsFunc(cases, func(c storeCase) bool { return under(key, c.name) }) {
			t.Errorf("queuetest: StoreHarness.Skip has %q, which fits no case", key)
		}
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if reason := h.leftOut(&c); reason != "" {
				t.Skip(reason)
			}
			runStoreCase(t, t, &h, &c)
		})
	}
}

// under reports whether the name of a case begins with the parts of key.
func under(key, name string) bool { return name == key || strings.HasPrefix(name, key+"/") }

// leftOut returns the reason why c is not run, if there is one.
func (h *StoreHarness) leftOut(c *storeCase) string {
	for key, reason := range h.Skip {
		if under(key, c.name) {
			return reason
		}
	}
	for _, hook := range c.needs {
		if !h.has(hook) {
			return "the StoreHarness has no " + string(hook) + " hook"
		}
	}
	if c.long && testing.Short() {
		return "long case"
	}
	return ""
}

// A reporter is told what a case finds: a *testing.T, or in the suite's own
// tests somebody who expects a failure.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Logf(format string, args ...any)
	FailNow() // ends the goroutine
	Failed() bool
}

// runStoreCase gives c a desk, and says which rule was broken if it fails. What
// the case finds goes to r; t is for the hooks.
func runStoreCase(t *testing.T, r reporter, h *StoreHarness, c *storeCase) {
	d := newStoreDesk(t, r, h, c.name)
	defer func() {
		if p := recover(); p != nil {
			panic(p) // without closing a store that may hold its locks
		}
		d.leave()
		if r.Failed() {
			r.Logf("rule broken: %s", c.rule)
		}
	}()
	d.open()
	c.test(d)
}
