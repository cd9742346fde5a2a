package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/restantemq/restante/queue/conformance/wire"
)

// A plan says which rows are run, and how.
type plan struct {
	protocols wire.Protocols
	only      *regexp.Regexp
	wait      time.Duration // the longest that a row may wait
	limit     time.Duration // the longest that a row may take beside that
	parallel  int
	verbose   bool
}

// A job is a row to be run in a protocol.
type job struct {
	row      wire.Row
	protocol wire.Protocols
}

// jobs are those of the plan. Rows that choose their protocols themselves need both.
func (p *plan) jobs() []job {
	var all []job
	for _, row := range wire.Rows() {
		if !p.only.MatchString(row.ID) {
			continue
		}
		for _, protocol := range row.In.Each() {
			if p.protocols&protocol != 0 || p.protocols == wire.Both {
				all = append(all, job{row, protocol})
			}
		}
	}
	return all
}

// newPrefix returns a prefix of names for this run, which rows lengthen.
func newPrefix() string { return "c" + base36(36*36*36*36+rand.Uint64N(35*36*36*36*36)) + "-" }

// base36 writes a number in digits and letters. Those of 36*36 and up to 36 times as
// many have three.
func base36(n uint64) string { return strconv.FormatUint(n, 36) }

// run runs the rows at the endpoint, several at once, and tells of its progress. The
// results are in the order of the rows. If ctx ends they are those so far.
func (p *plan) run(ctx context.Context, e *endpoint, prefix string, progress io.Writer) ([]result, *flaws) {
	jobs := p.jobs()
	results := make([]result, len(jobs))
	found := &flaws{}
	meter := meter{w: progress, all: len(jobs), verbose: p.verbose}
	next := make(chan int)
	var workers sync.WaitGroup
	for range p.parallel {
		workers.Go(func() {
			for i := range next {
				results[i] = p.one(ctx, e, jobs[i], prefix+base36(uint64(36*36+i))+"-", found)
				meter.add(&results[i])
			}
		})
	}
	for i := range jobs {
		if ctx.Err() == nil {
			next <- i
		}
	}
	close(next)
	workers.Wait()
	var ended []result
	for _, r := range results {
		if r.outcome != "" {
			ended = append(ended, r)
		}
	}
	return ended, found
}

// one runs one row, and deletes its queues.
func (p *plan) one(ctx context.Context, e *endpoint, j job, prefix string, found *flaws) result {
	needed := j.protocol
	if needed == wire.Mixed {
		needed = wire.Both
	}
	if e.can.protocols&needed != needed {
		return result{row: j.row, protocol: j.protocol, outcome: skipped, why: "needs an endpoint that speaks " + needed.String()}
	}
	g := newGuest(e, prefix)
	defer g.leave(context.WithoutCancel(ctx))
	return try(ctx, j.row, j.protocol, wire.Target{
		Do:        g.do,
		Wait:      p.wait,
		Hosts:     e.can.hosts,
		Unchecked: e.can.unchecked,
		Callers:   e.can.callers,
		Shared:    true,
		Flaw:      found.add,
	}, j.row.Takes()+p.limit)
}

// A meter tells of progress.
type meter struct {
	w       io.Writer
	all     int
	verbose bool

	mu      sync.Mutex // protects following fields
	ended   int
	failing int
}

// add tells that a row has ended.
func (m *meter) add(r *result) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended++
	if r.outcome == failed {
		m.failing++
	}
	switch {
	case m.verbose:
		fmt.Fprintf(m.w, "%-7s  %-5s  %-40s  %v\n", r.outcome, r.protocol, r.row.ID, r.took.Round(time.Millisecond))
	case m.ended%50 == 0 || m.ended == m.all:
		fmt.Fprintf(m.w, "%d of %d, %d failed\n", m.ended, m.all, m.failing)
	}
}
