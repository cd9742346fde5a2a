package wire

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/stretchr/testify/require"
)

// A row takes it that it begins when a bubble's time does, at midnight of 1 January
// 2000 UTC, and names times accordingly. Where time is real its beginning counts as
// that moment, and what it names is taken as passed if it is about right.

// epoch is when rows begin.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Where time is real, slack is how late something may be, and how far a service's
// clock may be from ours. late is how much longer rows wait than they say, so that
// a service that counts milliseconds another way isn't asked too early; rows that
// expect nothing yet leave at least a second.
const (
	slack = 2 * time.Second
	late  = 50 * time.Millisecond
)

// A clock tells how long a row has run.
type clock struct {
	start  time.Time
	passed time.Duration // of it, how long it let time pass
}

func startClock() *clock { return &clock{start: time.Now()} }

// real reports whether time is real.
func (d *desk) real() bool { return d.target.Settle == nil }

// now is what time it is to the row.
func (d *desk) now() time.Time {
	if d.real() {
		return epoch.Add(time.Since(d.clock.start))
	}
	return time.Now()
}

// settle lets happen what is due.
func (d *desk) settle() {
	if d.real() {
		d.arrive()
		return
	}
	d.target.Settle()
}

// arrive gives a request, or its end, the time to get to the service, where that
// takes any.
func (d *desk) arrive() {
	if d.real() {
		time.Sleep(100 * time.Millisecond)
	}
}

// pass lets time pass, and what is due then happen.
func (d *desk) pass(time_ time.Duration) {
	d.t.Helper()
	if !d.real() {
		time.Sleep(time_)
		d.settle()
		return
	}
	d.clock.passed += time_ + late
	select {
	case <-time.After(time_ + late):
	case <-d.ctx.Done():
		require.FailNow(d.t, "the row has taken too long")
	}
}

// until tries again for a while, where time is real, what has not come true.
func (d *desk) until(holds func() bool, again func()) {
	d.t.Helper()
	if !d.real() {
		return
	}
	for end := time.Now().Add(slack); !holds() && time.Now().Before(end) && d.ctx.Err() == nil; again() {
		time.Sleep(50 * time.Millisecond)
	}
}

// exactly skips a row that leaves less time for requests and answers than a second.
func (d *desk) exactly() {
	d.t.Helper()
	d.need(!d.real(), "exact time")
}

// took requires that so much time has passed since start.
func (d *desk) took(want time.Duration, start time.Time) {
	d.t.Helper()
	got := d.now().Sub(start)
	if d.real() && got > want-50*time.Millisecond && got < want+slack {
		return
	}
	require.Equal(d.t, want, got)
}

// equalTime requires a time in whole seconds or milliseconds since 1970, which a
// text or number tells.
func (d *desk) equalTime(want string, got any) {
	d.t.Helper()
	if n, ok := got.(json.Number); ok {
		got = string(n)
	}
	if !d.real() {
		require.Equal(d.t, want, got)
		return
	}
	text, _ := got.(string)
	require.Equal(d.t, len(want) <= 10, len(text) <= 10, "the time %v is in the wrong unit", got)
	require.True(d.t, d.about(parseTime(d.t, want), parseTime(d.t, text)), "the time is %s, at %d", text, time.Now().UnixMilli())
}

// about reports whether got is a time that a row, which may be slow, calls want.
func (d *desk) about(want, got time.Time) bool {
	slow := time.Since(d.clock.start) - d.clock.passed
	earliest := d.clock.start.Add(want.Sub(epoch) - slack)
	return got.After(earliest) && got.Before(earliest.Add(slow+2*slack))
}

// parseTime reads seconds, of 9 or 10 digits, or milliseconds.
func parseTime(t T, text string) time.Time {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	require.NoError(t, err)
	if len(text) <= 10 {
		return time.Unix(n, 0)
	}
	return time.UnixMilli(n)
}

// timeAttributes are the attributes, of messages and queues, that are times.
var timeAttributes = []string{"SentTimestamp", "ApproximateFirstReceiveTimestamp", "CreatedTimestamp", "LastModifiedTimestamp"}

// equalAttributes requires attributes, of which times may be about right only.
func (d *desk) equalAttributes(want object, got any) {
	d.t.Helper()
	all, _ := got.(object)
	if d.real() {
		want = maps.Clone(want)
		for _, name := range timeAttributes {
			if want[name] != nil {
				require.Contains(d.t, all, name)
				d.equalTime(fmt.Sprint(want[name]), all[name])
				want[name] = all[name]
			}
		}
	}
	require.Equal(d.t, want, got)
}
