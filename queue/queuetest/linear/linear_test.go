package linear

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

var (
	seedFlag      = flag.Uint64("seed", 0, "run the schedule of this seed alone")
	runsFlag      = flag.Int("runs", 200, "with -seed: how many times")
	schedulesFlag = flag.Int("schedules", 0, "how many schedules TestLinearizable runs; 0 means 10,000, or 500 with -short")
)

// patience is how long the search for a linearization may take. Histories are
// so short that it takes milliseconds.
const patience = time.Minute

// TestMain makes sure that clients really run at the same time.
func TestMain(m *testing.M) {
	if runtime.GOMAXPROCS(0) < 2 {
		runtime.GOMAXPROCS(2)
	}
	os.Exit(m.Run())
}

// A verdict is what came of checking a history.
type verdict struct {
	ok     bool
	faults []string // what is wrong without any search
	result porcupine.CheckResult
	info   porcupine.LinearizationInfo
	x      *expansion
}

// check checks a history.
func check(h *history) verdict {
	x := expand(h)
	result, info := porcupine.CheckOperationsVerbose(model, x.ops, patience)
	return verdict{
		ok:     len(x.faults) == 0 && result == porcupine.Ok,
		faults: x.faults, result: result, info: info, x: x,
	}
}

// report fails the test with all there is to know about a bad history.
func (v verdict) report(t *testing.T) {
	t.Helper()
	text := fmt.Sprintf("seed %d\n%s", v.x.seed, v.x)
	for _, f := range v.faults {
		text += "wrong: " + f + "\n"
	}
	switch v.result {
	case porcupine.Illegal:
		text += "not linearizable: " + strings.Join(v.illegal(), "; ") + "\n"
	case porcupine.Unknown:
		text += fmt.Sprintf("no linearization found in %v\n", patience)
	}
	if f, err := os.CreateTemp("", "linear-*.html"); err == nil {
		if err := porcupine.Visualize(model, v.info, f); err == nil {
			text += "to look at: " + f.Name() + "\n"
		}
		f.Close()
	}
	t.Fatalf("%sto run it again: go test -run %s -seed %d", text, t.Name(), v.x.seed)
}

// illegal returns the names of the partitions that have no linearization.
func (v verdict) illegal() []string {
	var names []string
	for _, part := range model.Partition(v.x.ops) {
		if !porcupine.CheckOperations(model, part) {
			names = append(names, part[0].Input.(*step).partition)
		}
	}
	return names
}

// A census counts what happened, to show that the schedules are worth it.
type census struct {
	calls, operations, deliveries, again, duplicates, expired, waits, moves, overlaps int
}

// add counts a history.
func (n *census) add(h *history, x *expansion) {
	n.calls += len(h.calls)
	n.operations += len(x.ops)
	var last int64
	for _, c := range h.calls {
		n.deliveries += len(c.got)
		for _, d := range c.got {
			if d.ReceiveCount > 1 {
				n.again++
			}
		}
		for _, s := range c.sent {
			if s.Duplicate {
				n.duplicates++
			}
		}
		for _, err := range c.errs {
			if outcomeOf(err) == expired {
				n.expired++
			}
		}
		n.moves += len(c.records)
		switch {
		case c.kind == callAdopt:
		case c.kind == callReceive && c.to != c.from:
			n.waits++
		default:
			if c.begin < last {
				n.overlaps++
			}
			last = max(last, c.end)
		}
	}
}

// String returns the counts.
func (n *census) String() string {
	return fmt.Sprintf("%d calls (%d of them began during another that didn't wait), %d operations: "+
		"%d deliveries (%d again), %d duplicates, %d expired receipts, %d waits, %d moves",
		n.calls, n.overlaps, n.operations, n.deliveries, n.again, n.duplicates, n.expired, n.waits, n.moves)
}

// TestLinearizable runs random schedules and checks each history.
func TestLinearizable(t *testing.T) {
	if *seedFlag != 0 {
		for range *runsFlag {
			if v := check(run(t, *seedFlag, nil)); !v.ok {
				v.report(t)
			}
		}
		return
	}
	schedules := *schedulesFlag
	if schedules == 0 {
		schedules = 10_000
		if testing.Short() {
			schedules = 500
		}
	}
	begun := time.Now()
	var n census
	for seed := uint64(1); seed <= uint64(schedules); seed++ {
		h := run(t, seed, nil)
		v := check(h)
		if !v.ok {
			v.report(t)
		}
		n.add(h, v.x)
		if seed%2_000 == 0 {
			t.Logf("%d schedules in %v", seed, time.Since(begun).Round(time.Second/10))
		}
	}
	t.Log(n.String())
	if schedules >= 500 && (n.again == 0 || n.duplicates == 0 || n.expired == 0 || n.waits == 0 || n.moves == 0 || n.overlaps == 0) {
		t.Error("something never happened, so it was not checked")
	}
}

// TestChecker breaks the queue in one way after the other. Each must be noticed,
// and by the search, not only by what is checked beside.
func TestChecker(t *testing.T) {
	for _, f := range flaws {
		t.Run(f.name, func(t *testing.T) {
			for seed := uint64(1); seed <= uint64(f.within); seed++ {
				v := check(run(t, seed, f.wrap))
				if v.result == porcupine.Illegal {
					t.Logf("noticed in schedule %d: %s", seed, strings.Join(v.illegal(), "; "))
					return
				}
			}
			t.Errorf("a queue that %s passed %d schedules", f.what, f.within)
		})
	}
}
