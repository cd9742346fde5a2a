// Rows counts how much of what SQS does is shown by tests.
//
//	go run ./queue/queuetest/rows [-packages patterns] [-wire=false]
//
// The list of the rules is rows.txt in the folder queuetest; its head tells its
// form. A rule is tested when a test passes whose name has Reference/ and the
// rule's ID in it, at the end or before a slash, and no such test fails.
//
// The command runs the tests, prints a table by section, and lists the rules
// that no test shows and those whose tests fail. It exits with status 1 if there
// are such rules, if a test names a rule that is not in the list, or if the tests
// fail otherwise. With -wire=false rules that only a protocol can show are counted
// apart and may be untested.
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
	"strings"
)

func main() {
	packages := flag.String("packages", "./queue/broker/... ./queue/sqsapi/...", "the `patterns` of the packages to test, separated by spaces")
	wire := flag.Bool("wire", true, "rules that only a protocol can show are due as well")
	flag.Parse()
	if flag.NArg() > 0 || strings.TrimSpace(*packages) == "" {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := check(ctx, os.Stdout, strings.Fields(*packages), *wire); err != nil {
		fmt.Fprintf(os.Stderr, "rows: %v\n", err)
		os.Exit(1)
	}
}

// check reads the list, runs the tests, and reports to w. The error sums up what
// was wrong.
func check(ctx context.Context, w io.Writer, packages []string, wire bool) error {
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	rows, err := readRows(filepath.Join(root, "queue", "queuetest", "rows.txt"))
	if err != nil {
		return err
	}
	if wire {
		for i := range rows {
			rows[i].wire = false
		}
	}
	r, err := goTest(ctx, root, packages)
	if err != nil {
		return err
	}
	if r.broken != "" {
		fmt.Fprint(w, r.output)
		return errors.New(r.broken)
	}
	c := count(rows, r.tests)
	c.print(w)
	if err := c.verdict(); err != nil || !r.failed {
		return err
	}
	fmt.Fprint(w, r.output)
	return errors.New("tests failed that belong to no rule")
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

// readRows reads the list in the file at path.
func readRows(path string) ([]row, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parse(f)
}
