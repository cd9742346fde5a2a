package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// named returns the ID in a test's name: the two elements after one that ends in
// Reference, or the only one; "" if there is none.
func named(name string) string {
	_, rest, ok := strings.Cut(name, "Reference/")
	if !ok {
		return ""
	}
	elements := strings.SplitN(rest, "/", 3)
	return strings.Join(elements[:min(2, len(elements))], "/")
}

// A tally counts the rows of a section, or all.
type tally struct {
	name                            string
	rows, tested, failing, untested int
}

func (t *tally) add(state string) {
	t.rows++
	switch state {
	case "pass":
		t.tested++
	case "fail":
		t.failing++
	default:
		t.untested++
	}
}

// A census is what the tests show of the list.
type census struct {
	sections          []tally // of rows that are due, in the list's order
	due, wire         tally
	failing, untested []row    // untested: those that are due
	unknown           []string // names of tests with an ID that isn't in the list
}

// count finds the tests of each row. A test that failed or never ended counts
// against the row, whatever its others say; one that was skipped says nothing.
func count(rows []row, tests []test) census {
	c := census{due: tally{name: "due"}, wire: tally{name: "on the wire"}}
	known := map[string]bool{} // IDs, and sections, which a test may group by
	for i := range rows {
		known[rows[i].id], known[rows[i].section()] = true, true
	}
	states := map[string]string{} // by ID
	for _, t := range tests {
		id := named(t.name)
		switch {
		case id == "" || t.result == "skip":
		case !known[id]:
			c.unknown = append(c.unknown, t.name)
		case t.result != "pass":
			states[id] = "fail"
		case states[id] == "":
			states[id] = "pass"
		}
	}
	for _, r := range rows {
		state := states[r.id]
		if state == "fail" {
			c.failing = append(c.failing, r)
		}
		if r.wire {
			c.wire.add(state)
			continue
		}
		if state == "" {
			c.untested = append(c.untested, r)
		}
		at := slices.IndexFunc(c.sections, func(t tally) bool { return t.name == r.section() })
		if at < 0 {
			at = len(c.sections)
			c.sections = append(c.sections, tally{name: r.section()})
		}
		c.sections[at].add(state)
		c.due.add(state)
	}
	return c
}

// print writes the table, and the lists of what is wrong.
func (c *census) print(w io.Writer) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "section\trows\ttested\tfailing\tuntested\t")
	for _, t := range append(slices.Clone(c.sections), c.due, c.wire) {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t\n", t.name, t.rows, t.tested, t.failing, t.untested)
	}
	table.Flush()
	list(w, "failing", c.failing)
	list(w, "untested", c.untested)
	if len(c.unknown) > 0 {
		fmt.Fprintln(w, "\nnot in the list:")
		for _, name := range c.unknown {
			fmt.Fprintf(w, "  %s\n", name)
		}
	}
}

func list(w io.Writer, heading string, rows []row) {
	if len(rows) > 0 {
		fmt.Fprintf(w, "\n%s:\n", heading)
	}
	for _, r := range rows {
		fmt.Fprintf(w, "  %-40s %s\n", r.id, r.rule)
	}
}

// verdict is nil if every row that is due is tested and none fails.
func (c *census) verdict() error {
	switch {
	case len(c.unknown) > 0:
		return errors.New("tests name rules that are not in the list")
	case len(c.failing) > 0:
		return fmt.Errorf("the tests of %d rules fail", len(c.failing))
	case len(c.untested) > 0:
		return fmt.Errorf("%d rules that are due have no test", len(c.untested))
	}
	return nil
}
