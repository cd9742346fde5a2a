package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// noneLeft fails the test if, at its end, goroutines are running that were not
// when noneLeft was called.
func noneLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		for until := time.Now().Add(20 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
			if time.Now().After(until) {
				stacks := make([]byte, 1<<20)
				t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
			}
		}
	})
}

// happen lets it happen, and returns what became of the orders of both lanes.
// What must hold in every run is checked. ok is false if B's port was taken.
func happen(t *testing.T, s settings) (direct, queued tally, ok bool) {
	t.Helper()
	histories, err := run(t.Context(), s)
	if errors.Is(err, errPortTaken) {
		t.Log(err)
		return direct, queued, false
	}
	if err != nil {
		t.Fatal(err)
	}
	line := newTimeline(s, histories)
	t.Logf("%v\n%s", s, draw(line, false))
	for _, l := range line.lanes {
		if l.sent.total != s.orders() || l.done.total+l.lost.total != l.sent.total {
			t.Errorf("%s: %d sent, %d done, %d lost; want %d sent, and each done or lost",
				l.name(), l.sent.total, l.done.total, l.lost.total, s.orders())
		}
	}
	direct, queued = line.lanes[0], line.lanes[1]
	if queued.lost.total != 0 || queued.misled != 0 || queued.left != 0 {
		t.Errorf("queue: %d orders lost, %d refused though done, %d messages left; want none", queued.lost.total, queued.misled, queued.left)
	}
	if direct.duplicates != 0 {
		t.Errorf("direct: %d orders came twice, though A calls once", direct.duplicates)
	}
	return direct, queued, true
}

func TestOutage(t *testing.T) {
	noneLeft(t)
	s := settings{rate: 100, duration: 600 * time.Millisecond, downtime: 250 * time.Millisecond}
	for range 5 { // the machine may stand still just when B is down
		if direct, _, ok := happen(t, s); ok && direct.lost.total > 0 {
			return
		}
	}
	t.Errorf("B was down for %v, and calls lost nothing", s.downtime)
}

func TestNoOutage(t *testing.T) {
	noneLeft(t)
	direct, _, _ := happen(t, settings{rate: 100, duration: 300 * time.Millisecond})
	if direct.lost.total != 0 || direct.misled != 0 {
		t.Errorf("B was never down, and calls lost %d orders, %d were refused though done", direct.lost.total, direct.misled)
	}
}

func TestInterrupt(t *testing.T) {
	noneLeft(t)
	s := settings{rate: 100, duration: time.Minute, downtime: 59 * time.Second}
	for _, after := range []time.Duration{0, 100 * time.Millisecond, 700 * time.Millisecond} { // the last one while B is down
		ctx, cancel := context.WithTimeout(t.Context(), after)
		if _, err := run(ctx, s); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("interrupted after %v: %v; want %v", after, err, context.DeadlineExceeded)
		}
		cancel()
	}
}

func TestFlags(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string // of the error
	}{
		{[]string{"-downtime", "-1s"}, "-downtime -1s: must not be negative"},
		{[]string{"-downtime", "3s"}, "-downtime 3s: must be shorter than -duration, 3s"},
		{[]string{"-downtime", "soon"}, `invalid value "soon" for flag -downtime`},
		{[]string{"-duration", "0"}, "-duration 0s: must be more than 0"},
		{[]string{"-duration", "2h"}, "-duration 2h0m0s: must be more than 0, up to 1m0s"},
		{[]string{"-duration", "10ms", "-downtime", "0"}, "-duration 10ms: too short for one order at -rate 50"},
		{[]string{"-rate", "0"}, "-rate 0: must be from 1 to 1000"},
		{[]string{"-rate", "1001"}, "-rate 1001: must be from 1 to 1000"},
		{[]string{"-fast"}, "-fast"},
		{[]string{"more"}, `"more": there are no arguments`},
	} {
		var out, errOut bytes.Buffer
		status := command(t.Context(), c.args, &out, &errOut, false)
		if status != 2 || !strings.HasPrefix(errOut.String(), "outage: ") || !strings.Contains(errOut.String(), c.want) || out.Len() > 0 {
			t.Errorf("%q: exit status %d, printed %q and %q; want 2, and %q", c.args, status, &out, &errOut, c.want)
		}
	}

	s, svg, err := parse(nil, nil)
	if want := (settings{rate: 50, duration: 3 * time.Second, downtime: time.Second}); s != want || svg != "" || err != nil {
		t.Errorf("without flags: %+v, %q, %v; want %+v", s, svg, err, want)
	}
	var help bytes.Buffer
	if _, _, err := parse([]string{"-h"}, &help); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: %v; want %v", err, flag.ErrHelp)
	}
	for _, name := range []string{"-downtime", "-duration", "-rate", "-svg FILE", "Exit status"} {
		if !strings.Contains(help.String(), name) {
			t.Errorf("-h prints %q; want %q in it", &help, name)
		}
	}
}

func TestCommand(t *testing.T) {
	noneLeft(t)
	name := filepath.Join(t.TempDir(), "picture.svg")
	var out, errOut bytes.Buffer
	status := command(t.Context(), []string{"-rate", "100", "-duration", "200ms", "-downtime", "0", "-svg", name}, &out, &errOut, false)
	if status != 0 || errOut.Len() > 0 || !strings.Contains(out.String(), "\nqueue: 20 sent, 20 done, 0 lost, max backlog ") {
		t.Errorf("exit status %d, printed\n%s%s; want 0 and the picture", status, &out, &errOut)
	}
	if text, err := os.ReadFile(name); err != nil || !bytes.HasPrefix(text, []byte("<svg ")) {
		t.Errorf("-svg: %v, %.40q; want a picture", err, text)
	}

	status = command(t.Context(), []string{"-h"}, &out, &errOut, false)
	if status != 0 || errOut.Len() > 0 {
		t.Errorf("-h: exit status %d, printed %q; want 0, and help where it was asked for", status, &errOut)
	}
	folder := t.TempDir() // no file
	status = command(t.Context(), []string{"-duration", "20ms", "-downtime", "0", "-svg", folder}, &out, &errOut, false)
	if status != 1 || !strings.Contains(errOut.String(), "outage: ") {
		t.Errorf("-svg with a folder: exit status %d, printed %q; want 1, and an error", status, &errOut)
	}
}
