package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/restantemq/restante/queue/conformance/wire"
)

// An outcome is what came of a row.
type outcome string

// The outcomes.
const (
	passed  outcome = "passed"
	failed  outcome = "failed"
	skipped outcome = "skipped"
)

// A result is what came of a row in one protocol.
type result struct {
	row      wire.Row
	protocol wire.Protocols
	outcome  outcome
	why      string // of failed and skipped
	took     time.Duration
}

// A trial is one run of a row; to the row it is a wire.T.
type trial struct {
	ctx context.Context

	mu      sync.Mutex
	errors  []string
	skipped string
}

// Helper implements wire.T; where a row went wrong is of no interest.
func (t *trial) Helper() {}

// Context implements wire.T.
func (t *trial) Context() context.Context { return t.ctx }

// Errorf implements wire.T.
func (t *trial) Errorf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.errors = append(t.errors, plainError(fmt.Sprintf(format, args...)))
}

// FailNow implements wire.T.
func (t *trial) FailNow() { runtime.Goexit() }

// Skipf implements wire.T.
func (t *trial) Skipf(format string, args ...any) {
	t.mu.Lock()
	t.skipped = fmt.Sprintf(format, args...)
	t.mu.Unlock()
	runtime.Goexit()
}

// result is what has come of the trial by now.
func (t *trial) result() (outcome, string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case len(t.errors) > 0:
		return failed, strings.Join(t.errors, "\n")
	case t.skipped != "":
		return skipped, t.skipped
	}
	return passed, ""
}

// try runs a row. It returns at the latest some seconds after limit, also if the row
// hangs, and its goroutine is left behind then. A row that panics fails.
func try(ctx context.Context, row wire.Row, p wire.Protocols, target wire.Target, limit time.Duration) result {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	t := &trial{ctx: ctx}
	start := time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				t.Errorf("the row stumbled over an answer: %v%s", p, where(debug.Stack()))
			}
		}()
		row.Run(t, p, target)
	}()
	r := result{row: row, protocol: p}
	select {
	case <-done:
		r.outcome, r.why = t.result()
		if r.outcome == failed && ctx.Err() != nil {
			r.why = "It took too long. " + r.why
		}
	case <-time.After(limit + 5*time.Second):
		r.outcome, r.why = failed, "It has not ended after "+limit.String()+"."
	}
	r.took = time.Since(start)
	return r
}

// where names the line of a row's table that a stack was in, if any.
func where(stack []byte) string {
	for line := range strings.Lines(string(stack)) {
		_, file, ok := strings.Cut(line, "/conformance/wire/")
		if ok && (strings.HasPrefix(file, "rows_") || strings.HasPrefix(file, "surprises_")) {
			at, _, _ := strings.Cut(file, " ")
			return " (" + strings.TrimSpace(at) + ")"
		}
	}
	return ""
}

// plainError takes from an error of testify what it says: first the message that
// belongs to it, if any.
func plainError(text string) string {
	parts := map[string][]string{} // by label; the difference, which stands in Error, apart
	at := ""
	for line := range strings.Lines(text) {
		label, rest, found := splitLabel(line)
		switch {
		case found && label != "":
			at = label
		case rest == "Diff:":
			at = rest
			continue
		}
		if rest != "" {
			parts[at] = append(parts[at], rest)
		}
	}
	if len(parts["Error"]) == 0 {
		return strings.TrimSpace(text)
	}
	return strings.Join(slices.Concat(parts["Messages"], shorter(parts["Error"], parts["Diff:"])), "\n")
}

// shorter is an error, or only the lines that differ if it is lengthy.
func shorter(text, difference []string) []string {
	lengthy := slices.ContainsFunc(text, func(line string) bool { return len(line) > 160 })
	if !lengthy || len(difference) == 0 {
		return text
	}
	lines := text[:1:1]
	for _, line := range difference {
		changed := strings.HasPrefix(line, "-") || strings.HasPrefix(line, "+")
		if changed && !strings.HasPrefix(line, "---") && !strings.HasPrefix(line, "+++") {
			lines = append(lines, line)
		}
	}
	return lines
}

// splitLabel takes a line of testify's apart: a tab, a label with a colon or spaces
// instead, a tab, and text.
func splitLabel(line string) (label, rest string, ok bool) {
	fields := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 3)
	if len(fields) < 3 || fields[0] != "" {
		return "", strings.TrimSpace(line), false
	}
	return strings.TrimSuffix(strings.TrimSpace(fields[1]), ":"), strings.TrimRight(fields[2], " \t"), true
}
