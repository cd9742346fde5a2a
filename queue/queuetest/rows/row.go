package main

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// A row is a rule of the list.
type row struct {
	id   string // section/name
	rule string
	wire bool // only a protocol can show it
}

// section is the first element of the row's ID.
func (r *row) section() string {
	section, _, _ := strings.Cut(r.id, "/")
	return section
}

const wireHeading = "# shown on the wire"

var idForm = regexp.MustCompile(`^[0-9]+(\.[0-9]+)*/[a-z0-9]+(-[a-z0-9]+)*$`)

// parse reads the list.
func parse(r io.Reader) ([]row, error) {
	var rows []row
	seen, wire, n := map[string]bool{}, false, 0
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		n++
		line := strings.TrimSpace(lines.Text())
		if line == wireHeading {
			wire = true
		}
		if line == "" || line[0] == '#' {
			continue
		}
		at := strings.IndexAny(line, " \t")
		if at < 0 {
			return nil, fmt.Errorf("line %d: %q has no rule", n, line)
		}
		row := row{line[:at], strings.TrimSpace(line[at:]), wire}
		switch {
		case !idForm.MatchString(row.id):
			return nil, fmt.Errorf("line %d: %q is no ID: a section number, a slash, and words in lower case joined by hyphens", n, row.id)
		case seen[row.id]:
			return nil, fmt.Errorf("line %d: %s stands twice", n, row.id)
		}
		seen[row.id] = true
		rows = append(rows, row)
	}
	return rows, lines.Err()
}
