package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
)

// A test is how a test ended.
type test struct {
	name   string
	result string // "pass", "fail", "skip"; "run" if it never ended
}

// A report is what a run of go test came to.
type report struct {
	tests  []test
	failed bool   // a test failed, or a test binary as a whole
	broken string // not empty if something could not be built or found
	output string // what go test said
}

// goTest runs the tests whose names have Reference in them.
func goTest(ctx context.Context, root string, packages []string) (report, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json", "-run", "Reference"}, packages...)...)
	cmd.Dir = root
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		return report{}, errors.New("interrupted")
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return report{}, err
	}
	r := readReport(stdout.Bytes())
	r.output = stderr.String() + r.output
	if err != nil && !r.failed && r.broken == "" || strings.Contains(r.output, "[setup failed]") {
		r.broken = "go test could not run"
	}
	return r, nil
}

// event is a line of go test -json.
type event struct{ Action, Package, Test, Output, FailedBuild string }

// readReport makes a report of the output of go test -json.
func readReport(stdout []byte) report {
	var r report
	var output strings.Builder
	at := map[[2]string]int{} // index in r.tests, by package and name
	for line := range bytes.Lines(stdout) {
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			output.Write(line) // an error of the go command's own
			continue
		}
		output.WriteString(e.Output)
		switch e.Action {
		case "build-fail":
			r.broken = "the tests do not compile"
		case "fail":
			r.failed = true
			if e.FailedBuild != "" {
				r.broken = "the tests do not compile"
			}
		}
		if e.Test == "" {
			continue
		}
		key := [2]string{e.Package, e.Test}
		switch e.Action {
		case "run":
			at[key] = len(r.tests)
			r.tests = append(r.tests, test{e.Test, "run"})
		case "pass", "fail", "skip":
			if i, ok := at[key]; ok {
				r.tests[i].result = e.Action
			}
		}
	}
	r.output = output.String()
	return r
}
