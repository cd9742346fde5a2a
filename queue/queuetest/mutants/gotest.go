package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"slices"
	"strings"
)

// A report is what a run of go test came to.
type report struct {
	tests   int    // how many began, examples and subtests included
	failed  bool   // a test failed, or a test binary as a whole
	first   string // the first test that failed, or that ran when all ended; a subtest comes before its parent
	timeout bool   // a test binary ran into -timeout
	broken  string // not empty if something could not be built or found: the message
	output  string // what go test said
}

// event is a line of go test -json.
type event struct {
	Action, Package, Test, Output, FailedBuild string
}

// readReport makes a report of the output of go test -json.
func readReport(stdout []byte) report {
	var r report
	var output, build strings.Builder
	var running []string // tests that have begun and not ended, the latest last
	for line := range bytes.Lines(stdout) {
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			// go test writes errors of its own as plain text.
			build.Write(line)
			continue
		}
		switch e.Action {
		case "run", "cont":
			running = append(running, e.Test)
		case "pass", "fail", "skip", "pause":
			running = slices.DeleteFunc(running, func(test string) bool { return test == e.Test })
		}
		switch e.Action {
		case "run":
			r.tests++
		case "output":
			output.WriteString(e.Output)
			if strings.Contains(e.Output, "panic: test timed out after") {
				r.timeout = true
			}
		case "build-output":
			build.WriteString(e.Output)
		case "build-fail":
			r.broken = "it does not compile"
		case "fail":
			if e.FailedBuild != "" {
				r.broken = "it does not compile"
				break
			}
			r.failed = true
			if r.first == "" {
				r.first = e.Test
			}
		}
	}
	if r.failed && r.first == "" && len(running) > 0 {
		// The binary came to a sudden end, so nothing said which test failed.
		r.first = running[len(running)-1]
	}
	r.output = build.String() + output.String()
	return r
}

// goTest runs go test with args in root. The error is ctx's, or says that the
// command could not be started.
func goTest(ctx context.Context, root string, args ...string) (report, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json"}, args...)...)
	cmd.Dir = root
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		return report{}, ctx.Err()
	}
	r := readReport(stdout.Bytes())
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return r, err
	}
	r.output = stderr.String() + r.output
	if err != nil && !r.failed && r.broken == "" {
		r.broken = "go test could not run"
	}
	if strings.Contains(r.output, "[setup failed]") {
		r.broken = "go test could not run"
	}
	return r, nil
}
