package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/sqstest"
)

// tinyPlan goes through everything and measures nothing.
var tinyPlan = plan{
	rounds: 3, slowRounds: 2, duration: time.Millisecond,
	backlogs: [...]int{100, 200, 300},
	inFlight: [...]int{100, 200}, generations: 2,
	queued: [...]int{1000, 2000},
	groups: [...]int{1, 10, 200}, groupRounds: 2, groupBacklog: 100, blocked: 200, remembered: 1000,
	tenants: 10, tenantsSeen: 100, tenantsHeld: 40,
	handled: 500, handledTurns: 2, batched: 1000, handlers: [...]int{1, 2, 3}, producing: 3,
	expiring: 1500, lead: 200 * time.Millisecond, sendFor: time.Millisecond,
	polls: 10, pollFor: 20 * time.Millisecond, queues: 10,
	producers: [...]int{1, 2, 3, 4}, diskFor: 10 * time.Millisecond, stored: 3000, unsaved: 2000, inGroups: 100,
}

var ratioNames = []string{
	"lifecycle_batch10_over_chan", "lifecycle_batch1_over_chan", "backlog_1e7_over_1e3",
	"allocs_per_lifecycle", "bytes_per_message", "idle_polls_core_share",
	"fifo_1e6_groups_over_standard", "standard_ungrouped_over_plain",
	"worker_over_bare_loop",
	"sdk_12h_redrive_ms", "sqs_in_process_over_constants", "sqs_http_speed_of_constants",
}

// slowRatioNames are those that -quick leaves out.
var slowRatioNames = []string{"fifo_hot_group_1e6_blocked_over_1", "fifo_bytes_per_group", "fifo_bytes_per_dedup"}

func TestJSON(t *testing.T) {
	for _, quick := range []bool{false, true} {
		p := tinyPlan
		p.quick = quick
		var out, progress bytes.Buffer
		require.NoError(t, bench(p, "command", true, &out, &progress))

		var got struct {
			Ratios map[string]struct {
				Value, Numerator, Denominator, Goal *float64
				Unit                                string
				Met                                 *bool
			}
			Rows    []row
			Absent  []absence
			Machine machine
		}
		d := json.NewDecoder(&out)
		d.DisallowUnknownFields()
		require.NoError(t, d.Decode(&got))
		assert.Zero(t, d.Buffered().(*bytes.Reader).Len()-1, "one object and a line feed")

		wanted := ratioNames
		if !quick {
			wanted = slices.Concat(ratioNames, slowRatioNames)
		}
		for _, name := range wanted {
			r, ok := got.Ratios[name]
			if assert.True(t, ok, "%s is there (quick: %t)", name, quick) {
				assert.NotNil(t, r.Value)
				assert.NotNil(t, r.Goal)
				assert.NotNil(t, r.Met)
				assert.NotEmpty(t, r.Unit)
				if assert.NotNil(t, r.Numerator) && assert.NotNil(t, r.Denominator) {
					assert.InDelta(t, *r.Numerator / *r.Denominator, *r.Value, 1e-9)
				}
			}
		}
		assert.Len(t, got.Ratios, len(wanted))

		measured := make(map[string]bool)
		hops := make(map[string]bool)
		for _, r := range got.Rows {
			measured[r.Name] = true
			hops[r.Group] = hops[r.Group] || r.Name == chanName
			assert.LessOrEqual(t, r.Min, r.Median, r.Name)
			assert.LessOrEqual(t, r.Median, r.Max, r.Name)
			assert.Positive(t, r.Rounds, r.Name)
			if strings.HasPrefix(r.Name, "lifecycle/") {
				assert.NotNil(t, r.H, r.Name)
				assert.NotNil(t, r.Allocs, r.Name)
				assert.NotNil(t, r.Bytes, r.Name)
			}
		}
		for group, there := range hops {
			assert.True(t, there, "%s has no yardstick", group)
		}
		absent := make(map[string]bool)
		for _, a := range got.Absent {
			absent[a.Name] = true
			assert.NotEmpty(t, a.Why)
		}
		for _, g := range table(p, newRing(64), nil) {
			for _, e := range g.entries {
				assert.NotEqual(t, measured[e.name], absent[e.name], "%s is either a row or absent", e.name)
				if quick {
					assert.Equal(t, e.quick, measured[e.name], e.name)
				}
			}
		}
		assert.Equal(t, "command", got.Machine.Command)
		assert.NotEmpty(t, got.Machine.Go)
		assert.NotEmpty(t, progress.String())
	}
}

func TestDurable(t *testing.T) {
	p := tinyPlan
	p.dir = t.TempDir()
	var out, progress bytes.Buffer
	require.NoError(t, bench(p, "command", true, &out, &progress))
	var got struct {
		Ratios map[string]ratio
		Rows   []row
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &got))
	for _, name := range []string{
		"durable_send_1_speed_of_raw_disk", "durable_send_128_speed_of_raw_disk",
		"reopen_with_checkpoint_of_a_read", "reopen_without_checkpoint_of_a_read",
	} {
		assert.Positive(t, got.Ratios[name].Value, name)
	}
	for _, state := range storedStates[:4] {
		assert.Contains(t, got.Ratios, "heap_"+state+"_rest")
		assert.Contains(t, got.Ratios, "heap_"+state+"_drain")
	}
	assert.Len(t, got.Ratios, 4+2*4)
	left, err := os.ReadDir(p.dir)
	require.NoError(t, err)
	assert.Len(t, left, 1, "the file that was written raw; the stores are removed")
}

func TestTable(t *testing.T) {
	p := tinyPlan
	p.quick = true
	var out, progress bytes.Buffer
	require.NoError(t, bench(p, "command", false, &out, &progress))
	for _, name := range append([]string{"command", chanName, lifecycleName(64, 10, 100, 1)}, ratioNames...) {
		assert.Contains(t, out.String(), name)
	}
	assert.Contains(t, out.String(), "absent (not measured with -quick):")
}

func TestReadSeesEveryByte(t *testing.T) {
	body := strings.Repeat("x", 64)
	for i := range body {
		changed := body[:i] + "y" + body[i+1:]
		assert.NotEqual(t, read(body), read(changed), "byte %d", i)
	}
}

func TestRingHasDifferentBodies(t *testing.T) {
	seen := make(map[string]bool)
	bodies := newRing(64).from(7)
	for range ringLength {
		body := bodies.next()
		assert.Len(t, body, 64)
		seen[body] = true
	}
	assert.Len(t, seen, ringLength)
}

func TestLabels(t *testing.T) {
	for _, n := range []int{1, 2, 10, 200} {
		l := newLabels(newNames(n))
		for _, scattered := range []bool{false, true} {
			if scattered {
				l.scatter()
			}
			groups, ids := make(map[string]bool), make(map[string]bool)
			for range n {
				var m queue.Message
				l.next(&m)
				groups[m.GroupID], ids[m.DeduplicationID] = true, true
			}
			assert.Len(t, groups, n, "each group once")
			assert.Len(t, ids, n, "each ID once")
		}
	}
	var m queue.Message
	newLabels(nil).next(&m)
	assert.Zero(t, m, "a Standard queue refuses IDs")
}

// With -v it prints the row, in a process that has not used the SDK before if it
// runs alone.
func TestSDKRedrive(t *testing.T) {
	p := tinyPlan
	p.rounds = fullPlan.rounds
	g := group{"test", p.rounds, testEntries()}
	hop := entry{name: chanName, trial: &chanHop{bodies: newRing(64), duration: p.duration}}
	var rs results
	require.NoError(t, g.measure(&rs, hop, &progress{to: io.Discard, began: time.Now()}))
	list := ratios(p, &rs)
	require.Len(t, list, 1)
	assert.Equal(t, "sdk_12h_redrive_ms", list[0].name)
	assert.Equal(t, rs.find("", sdkRedriveName).Median, list[0].Value, "in the unit of the row")
	assert.Equal(t, 24.0, rs.find("", sdkRedriveName+"/virtual").Median)
	assert.Equal(t, 9.0, rs.find("", sdkRedriveName+"/calls").Median)
	var out bytes.Buffer
	require.NoError(t, (&report{list, &rs, thisMachine("command")}).writeTable(&out))
	t.Log(out.String())
}

func TestInBubble(t *testing.T) {
	began := time.Now()
	require.NoError(t, inBubble(func(t testing.TB) {
		time.Sleep(12 * time.Hour)
		assert.NoError(t, t.Context().Err())
	}))
	assert.Less(t, time.Since(began), time.Hour)

	cleaned := false
	err := inBubble(func(t testing.TB) {
		t.Cleanup(func() { cleaned = true; t.Logf("%s", "third") })
		t.Errorf("%s", "first")
		t.Fatal("second")
		t.Error("never")
	})
	assert.EqualError(t, err, "the test failed: first\nsecond\nthird")
	assert.True(t, cleaned)

	err = inBubble(func(t testing.TB) {
		k := sqstest.New(t, sqstest.Options{})
		k.Create("jobs", queue.Config{}).ExpectSent("job", 1)
	})
	assert.ErrorContains(t, err, "sqstest:", "what the kit complains of")
}

func TestMiddleAndPercentiles(t *testing.T) {
	values := []value{{numerator: 9, denominator: 3}, {numerator: 1, denominator: 1}, {numerator: 4, denominator: 2}}
	assert.Equal(t, 2.0, middle(values).quotient())

	var took []time.Duration
	for i := 1000; i > 0; i-- {
		took = append(took, time.Duration(i))
	}
	var got []float64
	for _, v := range percentiles("", took) {
		got = append(got, v.quotient())
	}
	assert.Equal(t, []float64{500, 990, 999, 1000}, got)
}
