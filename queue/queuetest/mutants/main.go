// Mutants checks the tests: it makes deliberate mistakes in the sources, one at
// a time, and runs the tests that must notice.
//
//	go run ./queue/queuetest/mutants [-run regexp] [-part 1/3] [-list] [-v]
//
// A mutant is caught when a test fails, and has survived when all pass; then a
// promise of the library is not tested, and the command exits with status 1.
// So it does when the table of mutants doesn't fit the sources any more: when
// the text to change isn't found exactly once, when the changed source does not
// compile, or when no test runs. A test that hangs until its time is over has
// noticed too, and is shown as a timeout.
//
// The sources stay as they are; go test sees the changed file through an
// overlay. To add a mutant, add an element to the table in table.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"
)

// testTime bounds each test binary, and so a mutant that hangs.
const testTime = "-timeout=120s"

func main() {
	run := flag.String("run", "", "only mutants whose name matches this `regexp`")
	part := flag.String("part", "1/1", "only that part of so many, as `i/n`: a short check")
	list := flag.Bool("list", false, "list the mutants and the rules they break")
	verbose := flag.Bool("v", false, "show the rule and what the tests said about each mutant")
	flag.Parse()

	match, err := regexp.Compile(*run)
	var i, n int
	if _, bad := fmt.Sscanf(*part, "%d/%d", &i, &n); bad != nil || i < 1 || i > n {
		err = errors.New("part")
	}
	if err != nil || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	var chosen []Mutant
	for at, m := range table {
		if at%n == i-1 && match.MatchString(m.Name) {
			chosen = append(chosen, m)
		}
	}
	if len(chosen) == 0 {
		fmt.Fprintf(os.Stderr, "mutants: no mutant's name matches %q\n", *run)
		os.Exit(2)
	}
	if *list {
		for _, m := range chosen {
			fmt.Printf("%-28s %s\n", m.Name, m.Rule)
		}
		return
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := check(ctx, os.Stdout, chosen, *verbose); err != nil {
		fmt.Fprintf(os.Stderr, "mutants: %v\n", err)
		os.Exit(1)
	}
}

// check runs the tests without a mistake and then with each one, and reports to
// w. The error sums up what was wrong.
func check(ctx context.Context, w io.Writer, mutants []Mutant, verbose bool) error {
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	// Cheap mistakes of the table first.
	for i := range mutants {
		if err := fits(&mutants[i], root); err != nil {
			return err
		}
	}
	if err := baseline(ctx, w, root, mutants); err != nil {
		return err
	}

	outcomes := make([]outcome, len(mutants))
	var running sync.WaitGroup
	var printing sync.Mutex // guards w
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range mutants {
		// Waited for below; ends with its go test, or when ctx ends.
		running.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			began := time.Now()
			outcomes[i] = try(ctx, root, &mutants[i])
			if ctx.Err() != nil {
				return
			}
			printing.Lock()
			defer printing.Unlock()
			outcomes[i].print(w, &mutants[i], time.Since(began), verbose)
		})
	}
	running.Wait()
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return summary(w, outcomes)
}

// moduleRoot returns the folder of the go.mod in charge of the working
// directory.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/restantemq/restante").Output()
	if err != nil {
		return "", fmt.Errorf("this is no checkout of the module: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// fits returns an error if m can't be applied to the sources under root.
func fits(m *Mutant, root string) error {
	source, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m.File)))
	if err != nil {
		return fmt.Errorf("%s: %w", m.Name, err)
	}
	_, err = m.apply(string(source))
	return err
}

// baseline runs the tests of all mutants on the sources as they are: each must
// pass, and be there at all.
func baseline(ctx context.Context, w io.Writer, root string, mutants []Mutant) error {
	done := map[string]bool{}
	for i := range mutants {
		args := mutants[i].Test
		key := strings.Join(args, " ")
		if done[key] {
			continue
		}
		done[key] = true
		r, err := goTest(ctx, root, append([]string{"-vet=off", testTime}, args...)...)
		switch {
		case err != nil:
			return err
		case r.broken != "" || r.failed:
			fmt.Fprint(w, r.output)
			return fmt.Errorf("without a mutant, go test %s must pass", key)
		case r.tests == 0:
			return fmt.Errorf("%s: go test %s runs no test", mutants[i].Name, key)
		}
	}
	return nil
}

// A verdict is what became of a mutant.
type verdict int

const (
	caught verdict = iota
	survived
	unusable // the table is wrong
)

// An outcome is a verdict with its reason.
type outcome struct {
	verdict verdict
	detail  string // the first failing test, or what is wrong with the table
	output  string // of go test
}

// try runs the tests of one mutant.
func try(ctx context.Context, root string, m *Mutant) outcome {
	dir, err := os.MkdirTemp("", "mutant-")
	if err != nil {
		return outcome{unusable, err.Error(), ""}
	}
	defer os.RemoveAll(dir)
	overlay, err := m.overlay(root, dir)
	if err != nil {
		return outcome{unusable, err.Error(), ""}
	}
	r, err := goTest(ctx, root, append([]string{"-overlay=" + overlay, "-vet=off", "-count=1", "-failfast", testTime}, m.Test...)...)
	if err != nil {
		return outcome{unusable, err.Error(), ""}
	}
	return judge(r)
}

// judge turns what go test said of a mutant into an outcome.
func judge(r report) outcome {
	first := r.first
	if first == "" {
		first = "(the test binary as a whole)"
	}
	switch {
	case r.broken != "":
		return outcome{unusable, r.broken, r.output}
	case r.timeout:
		return outcome{caught, "(timeout) " + first, r.output}
	case r.failed:
		return outcome{caught, first, r.output}
	case r.tests == 0:
		return outcome{unusable, "no test ran", r.output}
	}
	return outcome{survived, "all tests pass", r.output}
}

// print writes the line of one mutant, and what it takes to understand it.
func (o outcome) print(w io.Writer, m *Mutant, took time.Duration, verbose bool) {
	name := [...]string{caught: "caught", survived: "SURVIVED", unusable: "ERROR"}[o.verdict]
	fmt.Fprintf(w, "%-8s  %-28s %6.1fs  %s\n", name, m.Name, took.Seconds(), o.detail)
	if o.verdict != caught || verbose {
		fmt.Fprintf(w, "    rule: %s\n    %s, where instead of\n\t%s\n    stands\n\t%s\n    go test %s\n",
			m.Rule, m.File, m.Old, m.New, strings.Join(m.Test, " "))
	}
	if o.verdict == unusable || verbose {
		fmt.Fprintln(w, indent(o.output))
	}
}

func indent(s string) string {
	return "    | " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n    | ")
}

// summary writes the closing line; the error is nil if all were caught.
func summary(w io.Writer, outcomes []outcome) error {
	var counts [3]int
	for _, o := range outcomes {
		counts[o.verdict]++
	}
	fmt.Fprintf(w, "%d mutants: %d caught, %d survived, %d errors of the table\n",
		len(outcomes), counts[caught], counts[survived], counts[unusable])
	switch {
	case counts[unusable] > 0:
		return errors.New("the table does not fit the sources")
	case counts[survived] > 0:
		return errors.New("a broken promise went unnoticed")
	}
	return nil
}
