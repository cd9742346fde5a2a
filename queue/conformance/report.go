package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"
)

// A report is what a run has come to.
type report struct {
	endpoint string
	results  []result
	flaws    []flaw
	took     time.Duration
}

// titles are those of the parts of the list of rows, by what IDs begin with.
var titles = []struct{ part, title string }{
	{"2", "Names, ARNs, URLs"},
	{"3", "Attributes"},
	{"4", "Queues"},
	{"5", "Messages"},
	{"6", "Sending"},
	{"8", "Receiving"},
	{"9", "Receipt handles"},
	{"14", "Dead-letter queues"},
	{"15", "Move tasks"},
	{"19", "The JSON protocol"},
	{"20", "The Query protocol"},
	{"21", "Errors"},
	{"22", "What SDKs rely on"},
	{"25", "Surprises"},
	{"26", "Choices"},
}

// A tally counts rows by what came of them.
type tally struct {
	Part    string `json:"part,omitempty"`
	Title   string `json:"title,omitempty"`
	Passed  int    `json:"passed"`
	Failed  int    `json:"failed"`
	Skipped int    `json:"skipped"`
}

func (t *tally) add(o outcome) {
	switch o {
	case passed:
		t.Passed++
	case failed:
		t.Failed++
	case skipped:
		t.Skipped++
	}
}

// tallies counts the rows of each part, and all.
func (r *report) tallies() (parts []tally, all tally) {
	for i := range r.results {
		one := &r.results[i]
		all.add(one.outcome)
		part, _, _ := strings.Cut(one.row.Section(), ".")
		at := slices.IndexFunc(parts, func(t tally) bool { return t.Part == part })
		if at < 0 {
			at = len(parts)
			title := ""
			for _, t := range titles {
				if t.part == part {
					title = t.title
				}
			}
			parts = append(parts, tally{Part: part, Title: title})
		}
		parts[at].add(one.outcome)
	}
	order := func(t tally) int {
		return slices.IndexFunc(titles, func(o struct{ part, title string }) bool { return o.part == t.Part })
	}
	slices.SortStableFunc(parts, func(a, b tally) int { return order(a) - order(b) })
	return parts, all
}

// print writes the report for people. Reasons are cut short unless all is asked for.
func (r *report) print(w io.Writer, all bool) {
	parts, sum := r.tallies()
	fmt.Fprintf(w, "%s, each row once in each protocol, in %v:\n\n", r.endpoint, r.took.Round(time.Second/10))
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "passed\tfailed\tskipped\t\t")
	for _, t := range parts {
		fmt.Fprintf(table, "%d\t%d\t%d\t\t  %s %s\n", t.Passed, t.Failed, t.Skipped, t.Part, t.Title)
	}
	fmt.Fprintf(table, "%d\t%d\t%d\t\t  all\n", sum.Passed, sum.Failed, sum.Skipped)
	table.Flush()
	r.printFailed(w, all)
	r.printSkipped(w)
	r.printFlaws(w)
}

// printFailed lists the rows that failed, each with its rule and why. What is told
// alike in both protocols stands once.
func (r *report) printFailed(w io.Writer, all bool) {
	heading := "\nfailed:\n"
	for i := range r.results {
		one := &r.results[i]
		if one.outcome != failed {
			continue
		}
		fmt.Fprintf(w, "%s  %s %s\n    %s\n", heading, one.row.ID, one.protocol, one.row.Rule)
		heading = ""
		for _, line := range reason(one.why, all) {
			fmt.Fprintf(w, "      %s\n", line)
		}
	}
}

// reason is why a row failed, line by line: the first lines, and of long ones the
// beginning, unless all is asked for. Characters that aren't printed are escaped.
func reason(why string, all bool) []string {
	lines := strings.Split(strings.TrimSpace(why), "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	if all {
		return lines
	}
	const most, widest = 6, 240
	if len(lines) > most {
		lines = append(lines[:most:most], "...")
	}
	for i, line := range lines {
		if len(line) > widest {
			cut := widest
			for !utf8.RuneStart(line[cut]) {
				cut--
			}
			lines[i] = line[:cut] + "..."
		}
	}
	return lines
}

// printable is a text in which characters that can't be printed are escaped.
func printable(text string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

// printSkipped lists the rows that were skipped, by what they need.
func (r *report) printSkipped(w io.Writer) {
	var reasons []string
	ids := map[string][]string{}
	for i := range r.results {
		one := &r.results[i]
		if one.outcome != skipped {
			continue
		}
		if ids[one.why] == nil {
			reasons = append(reasons, one.why)
		}
		if !slices.Contains(ids[one.why], one.row.ID) {
			ids[one.why] = append(ids[one.why], one.row.ID)
		}
	}
	if len(reasons) > 0 {
		fmt.Fprint(w, "\nskipped:\n")
	}
	for _, why := range reasons {
		fmt.Fprintf(w, "  %s: %s\n", why, strings.Join(ids[why], ", "))
	}
}

// printFlaws lists what was wrong with answers whatever they were about.
func (r *report) printFlaws(w io.Writer) {
	if len(r.flaws) > 0 {
		fmt.Fprint(w, "\nin answers of all kinds, which fails only the rows about it:\n")
	}
	for _, f := range r.flaws {
		fmt.Fprintf(w, "  %d times: %s\n", f.Times, strings.Join(reason(f.Example, false), " "))
	}
}

// printJSON writes the report as one JSON object.
func (r *report) printJSON(w io.Writer) error {
	type row struct {
		ID       string  `json:"id"`
		Protocol string  `json:"protocol,omitempty"`
		Rule     string  `json:"rule"`
		Outcome  outcome `json:"outcome"`
		Why      string  `json:"why,omitempty"`
		Seconds  float64 `json:"seconds"`
	}
	rows := []row{}
	for _, one := range r.results {
		rows = append(rows, row{one.row.ID, one.protocol.String(), one.row.Rule, one.outcome, one.why, one.took.Seconds()})
	}
	parts, all := r.tallies()
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(struct {
		Endpoint string  `json:"endpoint"`
		Seconds  float64 `json:"seconds"`
		tally
		Parts []tally `json:"parts"`
		Flaws []flaw  `json:"flaws"`
		Rows  []row   `json:"rows"`
	}{r.endpoint, r.took.Seconds(), all, parts, append([]flaw{}, r.flaws...), rows})
}
