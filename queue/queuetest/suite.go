package queuetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

// A Harness describes an implementation to the suite.
type Harness struct {
	// Kind is the kind of the queues that New makes.
	Kind queue.Kind

	// New makes an empty queue, inside a synctest bubble, or returns the error
	// with which the implementation refuses cfg. A case may make several
	// queues; they get the same t and live side by side, each with its own
	// cfg.Name. The suite closes what New returns. When cfg.Name is empty, an
	// implementation that needs a name chooses one. What New leaves to
	// t.Cleanup runs after the queue was closed.
	New func(t *testing.T, cfg queue.Config) (queue.Queue, error)

	// Source returns what DeadLetterSource says of a queue made with that
	// cfg.Name. Nil: the name itself.
	Source func(name string) string

	// Skip leaves cases out. A key is a case's name or the first parts of
	// names ("Limits", "Reference/13"); the value is the reason. A key that
	// fits no case is an error.
	Skip map[string]string
}

// A testCase is one rule and the function that tries to break it.
type testCase struct {
	name string
	rule string     // one sentence, printed when the case fails
	kind queue.Kind // zero: either

	cfg         queue.Config // of desk.q
	maxReceives int          // above zero: desk.q has desk.dead as its dead-letter queue
	long        bool         // left out by go test -short

	test func(d *desk)
}

// allCases returns the suite in the order in which it runs.
func allCases() []testCase {
	return slices.Concat(
		bodyCases, sizeCases, attributeCases, identityCases, sendCases, batchCases,
		receiveCases, pollCases, orderCases,
		visibilityCases, standardReceiptCases, fencedReceiptCases, receiptFormCases, handleBatchCases,
		delayCases, retentionCases, flightCases,
		deadLetterCases, brokenTargetCases, setAsideCases, purgeCases,
		fifoSendCases, fifoDeduplicationCases, fifoGroupCases, fifoFillCases, fifoAttemptCases, fifoTimeCases, fifoDeadLetterCases,
		invariantCases, waiterCases, fifoInvariantCases,
		contractCases, closeCases, contextCases, adoptCases, statsCases, peekCases, traceCases, reconfigureCases,
		limitCases(),
	)
}

// TestQueue runs the suite against the implementation that h describes.
func TestQueue(t *testing.T, h Harness) {
	if h.New == nil || h.Kind != queue.Standard && h.Kind != queue.FIFO {
		t.Fatal("queuetest: a Harness needs a Kind and New")
	}
	cases := allCases()
	h.checkSkips(t, cases)
	for _, c := range cases {
		if c.kind == 0 || c.kind == h.Kind {
			t.Run(c.name, func(t *testing.T) { run(t, h, c) })
		}
	}
}

// run gives c a bubble and a desk, and says which rule was broken if it fails.
func run(t *testing.T, h Harness, c testCase) {
	if reason, ok := h.skip(c.name); ok {
		t.Skip(reason)
	}
	if c.long && testing.Short() {
		t.Skip("long case")
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("rule broken: %s", c.rule)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		d := &desk{T: t, harness: h}
		if c.maxReceives > 0 {
			d.dead = d.openNamed("dead-letters", queue.Config{})
			c.cfg.DeadLetter = queue.DeadLetter{Target: ability[queue.Adopter](d, d.dead), MaxReceives: c.maxReceives}
		}
		d.q = d.open(c.cfg)
		c.test(d)
	})
}

// skip returns the reason why the case of that name is left out.
func (h Harness) skip(name string) (reason string, ok bool) {
	for key, reason := range h.Skip {
		if name == key || strings.HasPrefix(name, key+"/") {
			return reason, true
		}
	}
	return "", false
}

// checkSkips finds keys of h.Skip that fit no case, so that none outlives the
// case it was written for.
func (h Harness) checkSkips(t *testing.T, cases []testCase) {
	t.Helper()
	for key := range h.Skip {
		fits := func(c testCase) bool { return c.name == key || strings.HasPrefix(c.name, key+"/") }
		if !slices.ContainsFunc(cases, fits) {
			t.Errorf("queuetest: Harness.Skip has %q, which fits no case", key)
		}
	}
}

// leave ends a case for one of its queues, after those that were made later: it
// must be in order, and is closed.
func (d *desk) leave(q queue.Queue) {
	synctest.Wait()
	if !d.Failed() {
		check(d, q)
	}
	if err := q.Close(); err != nil {
		d.Errorf("Close after the case = %v; want nil", err)
	}
}

// check asserts what holds of every queue that nobody is calling.
func check(d *desk, q queue.Queue) {
	d.Helper()
	if checker, ok := queue.As[interface{ Check() error }](q); ok {
		if err := checker.Check(); err != nil && !errors.Is(err, queue.ErrClosed) {
			d.Errorf("the queue's own Check = %v; want nil", err)
		}
	}
	inspector, ok := queue.As[queue.Inspector](q)
	if !ok {
		return
	}
	s, err := inspector.Stats(context.Background())
	if errors.Is(err, queue.ErrClosed) {
		return
	}
	require.NoError(d, err, "Stats after the case")
	in := s.Accepted + s.Adopted + s.Recovered
	held := s.Pending + s.Delayed + s.Visible + s.InFlight
	out := s.Deleted + s.Expired + s.Moved + s.Purged
	if in != uint64(held)+out {
		d.Errorf("counters don't balance: %d came in, %d are held, %d left: %+v", in, held, out, s)
	}
	if s.Waiting != 0 {
		d.Errorf("Stats.Waiting = %d after the case; want 0", s.Waiting)
	}
}
