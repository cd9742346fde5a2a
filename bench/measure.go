package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A trial measures something, any number of times.
type trial interface {
	// round measures once, in a heap that was just collected. Every round
	// returns values of the same names, the one without a name first.
	round() ([]value, error)

	// close ends what is left from one round to the next.
	close() error
}

// once is a trial of which nothing is left after a round.
type once struct{}

func (once) close() error { return nil }

// A value is what one round found: a quotient, and what the heap gave for it.
type value struct {
	name                   string // added to the entry's name after a slash, unless empty
	unit                   string // of the quotient
	numerator, denominator float64
	heap                   *heapUse // where it means something
}

// heapUse is what was allocated per message.
type heapUse struct{ allocations, bytes float64 }

func (v *value) quotient() float64 { return v.numerator / v.denominator }

// A row is the median of one value over all rounds.
type row struct {
	Group       string   `json:"group"`
	Name        string   `json:"name"`
	Unit        string   `json:"unit"`
	Median      float64  `json:"median"`
	Min         float64  `json:"min"`
	Max         float64  `json:"max"`
	Rounds      int      `json:"rounds"`
	Numerator   float64  `json:"numerator"` // of the round that is the median
	Denominator float64  `json:"denominator"`
	H           *float64 `json:"h,omitempty"` // times: the median in channel hops of the group
	Allocs      *float64 `json:"allocs,omitempty"`
	Bytes       *float64 `json:"bytes,omitempty"`
}

// absence is a row of the table that was not measured.
type absence struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

type results struct {
	rows   []row
	absent []absence
}

// find returns the row of that name in the group; nil if it is absent.
func (r *results) find(group, name string) *row {
	for i := range r.rows {
		if r.rows[i].Name == name && (group == "" || r.rows[i].Group == group) {
			return &r.rows[i]
		}
	}
	return nil
}

// rounds returns how many rounds the group had.
func (r *results) rounds(group string) int {
	rounds := 0
	for i := range r.rows {
		if q := &r.rows[i]; q.Group == group && q.Name != chanName {
			rounds = q.Rounds
		}
	}
	return rounds
}

// measure runs what the plan wants of the table.
func measure(p plan, progress *progress) (*results, error) {
	var r results
	small := newRing(64)
	hop := entry{name: chanName, trial: &chanHop{bodies: small, duration: p.duration}}
	groups := table(p, small, progress)
	for i := range groups {
		g := &groups[i]
		wanted := g.entries[:0:0]
		for _, e := range g.entries {
			switch {
			case e.trial == nil:
				r.absent = append(r.absent, absence{e.name, e.absent})
			case p.quick && !e.quick:
				r.absent = append(r.absent, absence{e.name, "not measured with -quick"})
			default:
				wanted = append(wanted, e)
			}
		}
		g.entries = wanted
		if err := g.measure(&r, hop, progress); err != nil {
			return nil, fmt.Errorf("%s: %w", g.name, err)
		}
		*g = group{} // and the bodies that only it uses
	}
	return &r, nil
}

// everyHop is how many trials are measured between two measurements of H.
const everyHop = 4

// measure lets the group's trials take turns, with hop between them, and adds
// their rows to r.
func (g *group) measure(r *results, hop entry, progress *progress) error {
	if len(g.entries) == 0 {
		return nil
	}
	found := make(map[string][]value) // by the name of the row
	var names []string                // of the rows, in order
	run := func(e entry) error {
		runtime.GC()
		values, err := e.trial.round()
		if err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		for _, v := range values {
			name := e.name
			if v.name != "" {
				name += "/" + v.name
			}
			if found[name] == nil {
				names = append(names, name)
			}
			found[name] = append(found[name], v)
		}
		return nil
	}
	for round := range g.rounds {
		for i, e := range g.entries {
			if i%everyHop == 0 {
				if err := run(hop); err != nil {
					return err
				}
			}
			progress.say("%s, round %d of %d, %d of %d: %s", g.name, round+1, g.rounds, i+1, len(g.entries), e.name)
			if err := run(e); err != nil {
				return err
			}
		}
	}
	for _, e := range g.entries {
		if err := e.trial.close(); err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
	}
	h := middle(found[chanName])
	for _, name := range names {
		r.rows = append(r.rows, g.row(name, found[name], h.quotient()))
	}
	return nil
}

func (g *group) row(name string, values []value, h float64) row {
	m := middle(values) // sorts them
	r := row{
		Group: g.name, Name: name, Unit: m.unit, Rounds: len(values),
		Median: m.quotient(), Min: values[0].quotient(), Max: values[len(values)-1].quotient(),
		Numerator: m.numerator, Denominator: m.denominator,
	}
	if strings.HasPrefix(m.unit, "ns/") {
		inHops := r.Median / h
		r.H = &inHops
	}
	if m.heap != nil {
		r.Allocs, r.Bytes = &m.heap.allocations, &m.heap.bytes
	}
	return r
}

// middle sorts values and returns the median; of an even number, the lower of
// the two in the middle, because a value belongs to a round.
func middle(values []value) *value {
	slices.SortFunc(values, func(a, b value) int {
		switch x, y := a.quotient(), b.quotient(); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	return &values[(len(values)-1)/2]
}

// progress tells somebody who waits where the run is.
type progress struct {
	to    io.Writer
	began time.Time
}

// every says how far a long step is, about ten times, when n more are done.
func (p *progress) every(n, done, all int, what string) {
	if step := max(1, all/10); p != nil && done/step != (done-n)/step && all > 10*many {
		p.say("  %d of %d %s", done, all, what)
	}
}

func (p *progress) say(format string, args ...any) {
	fmt.Fprintf(p.to, "%6.1fs %s\n", time.Since(p.began).Seconds(), fmt.Sprintf(format, args...))
}
