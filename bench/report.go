package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
)

// A report is what was found, on which machine.
type report struct {
	ratios  []ratio
	results *results
	machine machine
}

// writeJSON writes the report as one object.
func (r *report) writeJSON(w io.Writer) error {
	byName := make(map[string]ratio)
	for _, q := range r.ratios {
		byName[q.name] = q
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		Ratios  map[string]ratio `json:"ratios"`
		Rows    []row            `json:"rows"`
		Absent  []absence        `json:"absent"`
		Machine machine          `json:"machine"`
	}{byName, r.results.rows, r.results.absent, r.machine})
}

// writeTable writes the report for people.
func (r *report) writeTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	m := &r.machine
	fmt.Fprintf(t, "%s\n%s, %s, %s/%s, %s, %d CPUs, GOMAXPROCS=%d\n",
		m.Command, m.Date, m.Go, m.OS, m.Arch, m.CPU, m.CPUs, m.GOMAXPROCS)
	group := ""
	for _, row := range r.results.rows {
		if row.Group != group {
			group = row.Group
			fmt.Fprintf(t, "\n%s, rounds: %d", group, r.results.rounds(group))
			fmt.Fprint(t, "\tmedian\tunit\tmin..max\tin H\tallocs\tB\n")
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s..%s\t%s\t%s\t%s\n", row.Name, number(row.Median), row.Unit,
			number(row.Min), number(row.Max), optional(row.H), optional(row.Allocs), optional(row.Bytes))
	}
	fmt.Fprint(t, "\nH is the channel hop of the group; allocations and their bytes are per message.\n")
	fmt.Fprint(t, "\nratio\tvalue\tgoal\tmet\tnumerator\tdenominator\tunit\tof\n")
	for _, q := range r.ratios {
		met := "no"
		if q.Met {
			met = "yes"
		}
		fmt.Fprintf(t, "%s\t%s\t%s %s\t%s\t%s\t%s\t%s\t%s\n", q.name, number(q.Value), q.sign, number(q.Goal), met,
			number(q.Numerator), number(q.Denominator), q.Unit, q.of)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return r.writeAbsent(w)
}

// writeAbsent writes what was not measured, by reason.
func (r *report) writeAbsent(w io.Writer) error {
	var reasons []string
	names := make(map[string][]string)
	for _, a := range r.results.absent {
		if names[a.Why] == nil {
			reasons = append(reasons, a.Why)
		}
		names[a.Why] = append(names[a.Why], a.Name)
	}
	for _, why := range reasons {
		if _, err := fmt.Fprintf(w, "\nabsent (%s):\n  %s\n", why, strings.Join(names[why], "\n  ")); err != nil {
			return err
		}
	}
	return nil
}

// number formats v with three digits or more.
func number(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v >= 100 || v <= -100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

func optional(v *float64) string {
	if v == nil {
		return ""
	}
	return number(*v)
}
