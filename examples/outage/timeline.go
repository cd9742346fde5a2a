package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// maxBuckets is how many buckets the time is cut into at most.
const maxBuckets = 38

// fewQueue is less than a backlog: orders that are on their way. Pictures draw it
// low.
const fewQueue = 10

// A timeline is what both pictures show: how many orders there were, in buckets
// of time. It is made of histories, and nothing else.
type timeline struct {
	settings
	bucket    time.Duration
	buckets   int
	down      bool
	from, to  time.Duration // when B was down
	lanes     []tally
	most      int // in a bucket of any series
	mostQueue int // in the backlogs, at least fewQueue
}

// A series is how many orders something happened to.
type series struct {
	in    []int // each bucket
	total int
}

// A tally is what became of the orders of a lane.
type tally struct {
	queued bool
	sent   series // by customers
	done   series // by B, counted when that was for the first time
	lost   series // sent and never done, counted when they were sent

	backlog    []int // orders that A took and B had not done, at the end of each bucket; nil unless queued
	maxBacklog int   // the most at any time

	duplicates int // times that an order came to B again
	misled     int // orders that were done, though A said no
	left       int // messages in the queue at the end
}

// name is what a lane is called.
func (t *tally) name() string {
	if t.queued {
		return "queue"
	}
	return "direct"
}

// title says what a lane is.
func (t *tally) title() string {
	if t.queued {
		return "queue: A sends, workers call B"
	}
	return "direct: A calls B"
}

// newTimeline counts what happened.
func newTimeline(s settings, histories []history) timeline {
	t := timeline{settings: s, mostQueue: fewQueue}
	span := s.duration
	for _, h := range histories {
		for _, r := range h.records {
			span = max(span, r.at.Sub(h.begin)+1)
		}
		if !h.again.IsZero() {
			from, to := h.down.Sub(h.begin), h.again.Sub(h.begin)
			if !t.down {
				t.down, t.from, t.to = true, from, to
			}
			t.from, t.to = min(t.from, from), max(t.to, to)
			span = max(span, to)
		}
	}
	t.bucket = bucketFor(span)
	t.buckets = int((span + t.bucket - 1) / t.bucket)
	for _, h := range histories {
		l := t.count(h)
		t.most = max(t.most, slices.Max(l.sent.in), slices.Max(l.done.in))
		t.mostQueue = max(t.mostQueue, l.maxBacklog)
		t.lanes = append(t.lanes, l)
	}
	return t
}

// bucketFor returns the shortest bucket, a 1, 2 or 5 with noughts, of which
// maxBuckets hold span.
func bucketFor(span time.Duration) time.Duration {
	for unit := time.Millisecond; ; unit *= 10 {
		for _, n := range []time.Duration{1, 2, 5} {
			if n*unit*maxBuckets >= span {
				return n * unit
			}
		}
	}
}

// count makes the tally of one lane.
func (t *timeline) count(h history) tally {
	l := tally{queued: h.queued, left: h.left}
	add := func(s *series, at time.Time) {
		s.in[t.at(at.Sub(h.begin))]++
		s.total++
	}
	l.sent.in, l.done.in, l.lost.in = make([]int, t.buckets), make([]int, t.buckets), make([]int, t.buckets)
	type change struct {
		at time.Time
		by int
	}
	var changes []change // of the backlog
	for i, o := range h.orders {
		add(&l.sent, o.at)
		r, done := h.records[i+1]
		if !done {
			add(&l.lost, o.at)
		} else {
			add(&l.done, r.at)
			l.duplicates += r.times - 1
		}
		if done && !o.yes {
			l.misled++
		}
		if o.yes {
			changes = append(changes, change{o.at, +1})
			if done {
				changes = append(changes, change{r.at, -1})
			}
		}
	}
	if !h.queued {
		return l
	}
	slices.SortStableFunc(changes, func(a, b change) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(b.by, a.by)) })
	l.backlog = make([]int, t.buckets)
	waiting := 0
	for i := range l.backlog {
		end := h.begin.Add(time.Duration(i+1) * t.bucket)
		for len(changes) > 0 && changes[0].at.Before(end) {
			waiting += changes[0].by
			l.maxBacklog = max(l.maxBacklog, waiting)
			changes = changes[1:]
		}
		l.backlog[i] = waiting
	}
	return l
}

// verdict is an error if an order was lost that the queue should have kept.
func (t *timeline) verdict() error {
	for _, l := range t.lanes {
		if l.queued && l.lost.total > 0 {
			return fmt.Errorf("orders that were not done in spite of the queue: %d; messages that are still there: %d", l.lost.total, l.left)
		}
	}
	return nil
}

// at returns the bucket of a time. What is outside belongs to the nearest.
func (t *timeline) at(since time.Duration) int {
	return min(max(int(since/t.bucket), 0), t.buckets-1)
}

// isDown reports whether B was down for most of a bucket. If it was for most of
// none, the one in the middle stands for all.
func (t *timeline) isDown(i int) bool {
	middle := time.Duration(i)*t.bucket + t.bucket/2
	return t.down && (t.from <= middle && middle < t.to || i == t.at((t.from+t.to)/2))
}
