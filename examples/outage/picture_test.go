package main

import (
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// sample is 20 orders in a second, with B down in the third and the fourth tenth
// of it. Number 5 was done before the answer was cut off; the calls of 6, 7 and 8
// fail. The queue keeps those until B has been back for a tenth of a second.
func sample() (settings, []history) {
	begin := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(ms int) time.Time { return begin.Add(time.Duration(ms) * time.Millisecond) }
	direct := history{begin: begin, records: map[int]record{}, down: at(200), again: at(400)}
	queued := history{begin: begin, records: map[int]record{}, down: at(200), again: at(400), queued: true}
	for i := range 20 {
		n, ms := i+1, 50*i
		o := sentOrder{at(ms), true}
		queued.orders = append(queued.orders, o)
		o.yes = n < 5 || n > 8
		direct.orders = append(direct.orders, o)
		switch {
		case n == 5:
			direct.records[n] = record{at(ms), 1}
			queued.records[n] = record{at(ms), 3}
		case n > 5 && n < 9:
			queued.records[n] = record{at(500), 1}
		default:
			direct.records[n] = record{at(ms + 1), 1}
			queued.records[n] = record{at(ms + 1), 1}
		}
	}
	return settings{rate: 20, duration: time.Second, downtime: 200 * time.Millisecond}, []history{direct, queued}
}

// long is a run whose numbers are as large as they get.
func long() (settings, []history) {
	s, histories := settings{rate: maxRate, duration: maxDuration, downtime: 59 * time.Second}, []history{}
	begin := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, queued := range []bool{false, true} {
		h := history{queued: queued, begin: begin, records: map[int]record{}, down: begin, again: begin.Add(59 * time.Second)}
		for i := range s.orders() {
			h.orders = append(h.orders, sentOrder{begin.Add(time.Duration(i) * time.Millisecond), queued})
			if queued {
				h.records[i+1] = record{begin.Add(100 * time.Second), 2}
			}
		}
		histories = append(histories, h)
	}
	return s, histories
}

// calm is one order, and no outage.
func calm() (settings, []history) {
	begin := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	h := history{begin: begin, orders: []sentOrder{{begin, true}}, records: map[int]record{1: {begin, 1}}}
	q := h
	q.queued = true
	return settings{rate: 1, duration: time.Second}, []history{h, q}
}

func sum(in []int) (total int) {
	for _, n := range in {
		total += n
	}
	return total
}

func TestTimeline(t *testing.T) {
	tl := newTimeline(sample())
	if tl.bucket != 50*time.Millisecond || tl.buckets != 20 || !tl.down || tl.from != 200*time.Millisecond || tl.to != 400*time.Millisecond {
		t.Fatalf("%d buckets of %v, down %v from %v to %v", tl.buckets, tl.bucket, tl.down, tl.from, tl.to)
	}
	var down []int
	for i := range tl.buckets {
		if tl.isDown(i) {
			down = append(down, i)
		}
	}
	if !slices.Equal(down, []int{4, 5, 6, 7}) {
		t.Errorf("down in the buckets %v", down)
	}
	direct, queued := tl.lanes[0], tl.lanes[1]
	for _, c := range []struct {
		what      string
		got, want int
	}{
		{"direct sent", direct.sent.total, 20},
		{"direct done", direct.done.total, 17},
		{"direct lost", direct.lost.total, 3},
		{"direct misled", direct.misled, 1},
		{"direct duplicates", direct.duplicates, 0},
		{"queue sent", queued.sent.total, 20},
		{"queue done", queued.done.total, 20},
		{"queue lost", queued.lost.total, 0},
		{"queue misled", queued.misled, 0},
		{"queue duplicates", queued.duplicates, 2},
		{"queue max backlog", queued.maxBacklog, 4}, // 6, 7, 8, and one that was just sent
	} {
		if c.got != c.want {
			t.Errorf("%s: %d; want %d", c.what, c.got, c.want)
		}
	}
	if want := []int{0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}; !slices.Equal(direct.lost.in, want) {
		t.Errorf("lost: %v; want %v", direct.lost.in, want)
	}
	if want := []int{0, 0, 0, 0, 0, 1, 2, 3, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}; !slices.Equal(queued.backlog, want) {
		t.Errorf("backlog: %v; want %v", queued.backlog, want)
	}
	if tl.most != 4 || queued.done.in[10] != 4 {
		t.Errorf("most in a bucket: %d, done when B is back: %d; want 4", tl.most, queued.done.in[10])
	}
	for _, made := range []func() (settings, []history){sample, long, calm} {
		tl := newTimeline(made())
		if tl.buckets > maxBuckets || tl.buckets < 1 {
			t.Errorf("%v: %d buckets", tl.settings, tl.buckets)
		}
		for _, l := range tl.lanes {
			for _, s := range []series{l.sent, l.done, l.lost} {
				if len(s.in) != tl.buckets || sum(s.in) != s.total {
					t.Errorf("%v: %v adds up to %d in %d buckets; want %d in %d", tl.settings, s.in, sum(s.in), len(s.in), s.total, tl.buckets)
				}
			}
		}
	}
}

// The shortest outage can be seen.
func TestShortDowntime(t *testing.T) {
	s, histories := sample()
	for i := range histories {
		histories[i].again = histories[i].down.Add(time.Millisecond)
	}
	tl := newTimeline(s, histories)
	if !tl.isDown(4) || tl.isDown(3) || tl.isDown(5) {
		t.Error("an outage of a millisecond is not in the bucket in which it was")
	}
}

func TestVerdict(t *testing.T) {
	s, histories := sample()
	tl := newTimeline(s, histories)
	if err := tl.verdict(); err != nil {
		t.Errorf("nothing was lost by the queue: %v", err)
	}
	delete(histories[1].records, 7)
	histories[1].left = 1
	tl = newTimeline(s, histories)
	if err := tl.verdict(); err == nil || tl.lanes[1].lost.total != 1 {
		t.Errorf("the queue has lost %d orders: %v; want 1, and an error", tl.lanes[1].lost.total, err)
	}
	if text := draw(tl, false); strings.Count(text, "\n  lost ") != 2 || !strings.Contains(text, "queue: 20 sent, 19 done, 1 lost") {
		t.Errorf("the picture hides what the queue has lost:\n%s", text)
	}
}

func TestDraw(t *testing.T) {
	escapes := regexp.MustCompile("\x1b\\[[0-9;]*m")
	for _, made := range []func() (settings, []history){sample, long, calm} {
		tl := newTimeline(made())
		text, coloured := draw(tl, false), draw(tl, true)
		if strings.ContainsRune(text, '\x1b') || !strings.ContainsRune(coloured, '\x1b') || escapes.ReplaceAllString(coloured, "") != text {
			t.Errorf("%v: with colours\n%q\nwithout\n%q\nwant the same text", tl.settings, coloured, text)
		}
		for line := range strings.Lines(text) {
			line = strings.TrimSuffix(line, "\n")
			if n := utf8.RuneCountInString(line); n > 100 || strings.HasSuffix(line, " ") {
				t.Errorf("%v: line of %d columns: %q", tl.settings, n, line)
			}
			for _, r := range line {
				if (r < ' ' || r > '~') && !strings.ContainsRune("▁▂▃▄▅▆▇█", r) {
					t.Errorf("%v: %q in %q may be wide", tl.settings, r, line)
				}
			}
		}
	}

	text := draw(newTimeline(sample()), false)
	for _, want := range []string{
		"\ndirect: 20 sent, 17 done, 3 lost\n",
		"\nqueue: 20 sent, 20 done, 0 lost, max backlog 4\n",
		" told 502: 1\n",
		" changed nothing: 2\n",
		"B is down",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "  lost") && strings.Count(line, "x") != 3*cellWidth {
			t.Errorf("%q; want 3 buckets with losses", line)
		}
	}
	if text := draw(newTimeline(calm()), false); strings.Contains(text, "B is down") || strings.Contains(text, "xx") {
		t.Errorf("a calm run looks like an outage:\n%s", text)
	}
}

func TestHeight(t *testing.T) {
	for _, c := range []struct{ n, most, top, want int }{
		{0, 10, 8, 0}, {0, 0, 8, 0}, {1, 1000, 8, 1}, {5, 10, 8, 4}, {10, 10, 8, 8}, {10, 10, 32, 32}, {11, 10, 8, 8},
	} {
		if got := height(c.n, c.most, c.top); got != c.want {
			t.Errorf("height(%d, %d, %d) = %d; want %d", c.n, c.most, c.top, got, c.want)
		}
	}
}

// The file is well-formed, its bars stand for as many orders as there were, and
// nothing lies outside.
func TestSVG(t *testing.T) {
	for _, made := range []func() (settings, []history){sample, long, calm} {
		tl := newTimeline(made())
		text := drawSVG(tl)
		bars, orders := map[string]int{}, map[string]int{}
		shades, areas, ends := 0, 0, 0
		for d := xml.NewDecoder(strings.NewReader(text)); ; {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%v: %v in\n%s", tl.settings, err, text)
			}
			if end, ok := token.(xml.EndElement); ok && end.Name.Local == "svg" {
				ends++
			}
			e, ok := token.(xml.StartElement)
			if !ok {
				continue
			}
			has := map[string]string{}
			for _, a := range e.Attr {
				if _, twice := has[a.Name.Local]; twice {
					t.Errorf("%v: %s has %s twice", tl.settings, e.Name.Local, a.Name.Local)
				}
				has[a.Name.Local] = a.Value
			}
			number := func(name string) float64 {
				x, err := strconv.ParseFloat(has[name], 64)
				if err != nil || math.IsNaN(x) || x < 0 || x > svgWidth {
					t.Errorf("%v: %s of a %s %s is %q", tl.settings, name, has["class"], e.Name.Local, has[name])
				}
				return x
			}
			switch class := has["class"]; class {
			case "done", "lost":
				n, _ := strconv.Atoi(has["data-orders"])
				bars[class]++
				orders[class] += n
				if number("x")+number("width") > right || number("y") < top || number("y")+number("height") > queueBase+0.2 {
					t.Errorf("%v: a bar is outside: %v", tl.settings, has)
				}
			case "down":
				shades++
				number("width")
			case "backlog":
				areas++
			}
		}
		want, wantBars := map[string]int{}, map[string]int{}
		add := func(class string, s series) {
			for _, n := range s.in {
				if n > 0 {
					want[class] += n
					wantBars[class]++
				}
			}
		}
		for _, l := range tl.lanes {
			add("done", l.done)
			add("lost", l.lost)
		}
		if !maps.Equal(orders, want) || !maps.Equal(bars, wantBars) {
			t.Errorf("%v: bars %v for orders %v; want %v for %v", tl.settings, bars, orders, wantBars, want)
		}
		if (shades == 1) != tl.down || areas != 1 || ends != 1 {
			t.Errorf("%v: %d shades, %d areas, %d ends", tl.settings, shades, areas, ends)
		}
		if strings.Contains(text, "%!") || drawSVG(tl) != text {
			t.Errorf("%v: want the same well-made file each time, not\n%s", tl.settings, text)
		}
	}
}
