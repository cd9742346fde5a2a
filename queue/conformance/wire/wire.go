// Package wire holds what Amazon SQS does, as far as it shows on the wire, one rule
// a row, each with a test that fails where a service does otherwise.
//
// A row is run against a [Target], which says how requests get to the service and
// what else it lends the row:
//
//	for _, row := range wire.Rows() {
//		for _, p := range row.In.Each() {
//			t.Run(row.ID+"/"+p.String(), func(t *testing.T) { row.Run(t, p, target) })
//		}
//	}
//
// Rows can wait for hours. In a bubble of testing/synctest that is free, and times
// are exact to the millisecond; see [Target.Settle]. Elsewhere rows wait in earnest,
// those that take longer than [Target.Wait] are skipped, and times may be a little
// late. A row takes it that it is alone: its names of queues are those of other rows
// as well. So either the service is a new one for each row, or Target.Do gives the
// queues names of their own on the way, as the command queue/conformance does.
package wire

import (
	"slices"
	"strings"
	"time"
)

// Protocols says in which protocols a rule holds.
type Protocols uint8

// The protocols of SQS, and those of a row.
const (
	JSON  Protocols      = 1 << iota // the AWS JSON 1.0 protocol
	Query                            // the AWS Query protocol, which answers XML
	Both  = JSON | Query             // the row holds in each, and runs in each
	Mixed = Protocols(0)             // the row chooses its protocols itself, and runs once
)

// Each returns what a row is to be run with: each protocol by itself, or Mixed.
func (p Protocols) Each() []Protocols {
	if p == Both {
		return []Protocols{JSON, Query}
	}
	return []Protocols{p}
}

// String returns "json", "query", "both", or "" for Mixed.
func (p Protocols) String() string { return [...]string{"", "json", "query", "both"}[p&Both] }

// A Row is one rule of what SQS does that shows on the wire, and the test that fails
// where a service does otherwise.
type Row struct {
	ID   string // a section, a slash and a name
	Rule string // a sentence
	In   Protocols
	test func(d *desk)
}

// Section is what the row's ID has before the slash.
func (r *Row) Section() string {
	section, _, _ := strings.Cut(r.ID, "/")
	return section
}

// Takes is how long the row waits in all, rounded up to seconds: zero if not at all.
func (r *Row) Takes() time.Duration { return waits[r.ID] }

// Run runs the row, speaking p, which is one of r.In.Each(). What the service does
// otherwise than the rule says is an error of t, and ends the row; so does a wish
// that the target can't fulfil, as a call of t.Skipf that begins with "needs".
func (r *Row) Run(t T, p Protocols, target Target) {
	t.Helper()
	d := newDesk(t, r.ID, p == Query, target)
	d.need(!d.real() || r.Takes() <= target.Wait, r.Takes().String())
	r.test(d)
}

// Rows returns all rows, by what they are about.
func Rows() []Row {
	return slices.Concat(
		urlRows,
		scopeRows,
		queueRows,
		moveTaskRows,
		bodyRows,
		attributeRows,
		systemAttributeRows,
		sendingRows,
		batchRows,
		receivingRows,
		handleRows,
		jsonRows,
		queryRows,
		errorRows,
		sdkRows,
		wireSurprises,
		timeSurprises,
		fifoSurprises,
		queueSurprises,
		choiceRows,
	)
}
