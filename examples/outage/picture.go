package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	labelWidth  = 12 // columns before the time begins
	cellWidth   = 2  // columns of a bucket
	backlogRows = 4
	tickBuckets = 5 // from one number below the axis to the next
)

// A style is a colour of the terminal.
type style string

const (
	plain  style = ""
	faint  style = "2"
	strong style = "1"
	red    style = "1;31"
	green  style = "32"
	yellow style = "33"
	blue   style = "34"
)

// paint puts text in a colour.
func (p style) paint(text string, colour bool) string {
	if !colour || p == plain || text == "" {
		return text
	}
	return "\x1b[" + string(p) + "m" + text + "\x1b[0m"
}

// draw returns the picture for a terminal of up to 100 columns. It can be read
// without colours.
func draw(t timeline, colour bool) string {
	p := &picture{timeline: t, colour: colour}
	p.axis()
	for i := range t.lanes {
		p.lane(&t.lanes[i])
	}
	p.WriteByte('\n')
	for i := range t.lanes {
		p.summary(&t.lanes[i])
	}
	return p.String()
}

// A picture is the text so far.
type picture struct {
	timeline
	strings.Builder
	colour bool
}

// axis draws the time, and when B is down.
func (p *picture) axis() {
	numbers := []byte(strings.Repeat(" ", p.buckets*cellWidth+8))
	line := []byte(strings.Repeat("-", p.buckets*cellWidth+1))
	for i := 0; i <= p.buckets; i += tickBuckets {
		copy(numbers[i*cellWidth:], seconds(time.Duration(i)*p.bucket))
		line[i*cellWidth] = '+'
	}
	fmt.Fprintf(p, "%*s%s\n", labelWidth, "", strings.TrimRight(string(numbers), " "))
	fmt.Fprintf(p, "%*s%s\n", labelWidth, "", line)
	if !p.down {
		return
	}
	first, cells := -1, 0
	for i := range p.buckets {
		if p.isDown(i) {
			if first < 0 {
				first = i
			}
			cells++
		}
	}
	band := yellow.paint(inMiddle(" B is down ", cells*cellWidth), p.colour)
	fmt.Fprintf(p, "%*s%s\n", labelWidth+first*cellWidth, "", band)
}

// inMiddle puts text in the middle of a band of that width, or after it if there
// is no room.
func inMiddle(text string, width int) string {
	if len(text) > width {
		return strings.Repeat("=", width) + strings.TrimRight(text, " ")
	}
	before := (width - len(text)) / 2
	return strings.Repeat("=", before) + text + strings.Repeat("=", width-len(text)-before)
}

// seconds is a number on the axis.
func seconds(d time.Duration) string { return fmt.Sprintf("%gs", d.Seconds()) }

// lane draws one of both.
func (p *picture) lane(l *tally) {
	fmt.Fprintf(p, "\n%s\n", strong.paint(l.title(), p.colour))
	p.bars("sent", plain, l.sent.in, p.most, 1, fmt.Sprint(l.sent.total))
	p.bars("done by B", green, l.done.in, p.most, 1, fmt.Sprint(l.done.total))
	if !l.queued || l.lost.total > 0 {
		p.crosses("lost", l.lost)
	}
	if l.queued {
		rows := backlogRows
		if l.maxBacklog <= fewQueue {
			rows = 1
		}
		p.bars("backlog", blue, l.backlog, p.mostQueue, rows, fmt.Sprint(l.maxBacklog, " max"))
	}
}

// bars draws a column for each number, over several rows.
func (p *picture) bars(label string, s style, in []int, most, rows int, note string) {
	eighths := []rune(" ▁▂▃▄▅▆▇█")
	for row := range rows {
		below := (rows - 1 - row) * 8
		var cells []cell
		for i, n := range in {
			c := cell{' ', s}
			if high := height(n, most, rows*8) - below; high > 0 {
				c.mark = eighths[min(high, 8)]
			} else {
				c = p.blank(i)
			}
			cells = append(cells, c)
		}
		if row > 0 {
			note = ""
		}
		p.row(label, cells, s, note)
		label = ""
	}
}

// height is how high a column is, of top at most. What is not zero can be seen.
func height(n, most, top int) int {
	if n <= 0 || most <= 0 {
		return 0
	}
	return min(max((2*n*top+most)/(2*most), 1), top)
}

// crosses marks the buckets that have any.
func (p *picture) crosses(label string, s series) {
	var cells []cell
	for i, n := range s.in {
		c := p.blank(i)
		if n > 0 {
			c = cell{'x', red}
		}
		cells = append(cells, c)
	}
	note := plain
	if s.total > 0 {
		note = red
	}
	p.row(label, cells, note, fmt.Sprint(s.total))
}

// A cell is what a row shows of one bucket.
type cell struct {
	mark rune
	style
}

// blank is a cell of a row in which there is nothing.
func (p *picture) blank(i int) cell {
	if p.isDown(i) {
		return cell{'.', faint}
	}
	return cell{' ', plain}
}

// row draws one row: cells of the same style in one go.
func (p *picture) row(label string, cells []cell, s style, note string) {
	fmt.Fprintf(p, "  %-*s", labelWidth-2, label)
	if note == "" { // no spaces at the end of a line
		for len(cells) > 0 && cells[len(cells)-1].mark == ' ' {
			cells = cells[:len(cells)-1]
		}
	}
	for len(cells) > 0 {
		end := slices.IndexFunc(cells, func(c cell) bool { return c.style != cells[0].style })
		if end < 0 {
			end = len(cells)
		}
		var text strings.Builder
		for _, c := range cells[:end] {
			text.WriteString(strings.Repeat(string(c.mark), cellWidth))
		}
		p.WriteString(cells[0].paint(text.String(), p.colour))
		cells = cells[end:]
	}
	if note != "" {
		p.WriteString(" " + s.paint(note, p.colour))
	}
	p.WriteByte('\n')
}

// summary says in one line what became of the orders of a lane.
func (p *picture) summary(l *tally) {
	fmt.Fprintf(p, "%s: %d sent, %d done, ", l.name(), l.sent.total, l.done.total)
	lost := fmt.Sprintf("%d lost", l.lost.total)
	if l.lost.total > 0 {
		lost = red.paint(lost, p.colour)
	}
	p.WriteString(lost)
	if l.queued {
		fmt.Fprintf(p, ", max backlog %d", l.maxBacklog)
	}
	p.WriteByte('\n')
	if remark := l.remark(); remark != "" {
		fmt.Fprintf(p, "%*s  %s\n", len(l.name()), "", remark)
	}
}

// remark tells what the cut-off answers did, if there were any.
func (l *tally) remark() string {
	switch {
	case l.queued && l.duplicates > 0:
		return fmt.Sprintf("brought to B a second time, which changed nothing: %d", l.duplicates)
	case !l.queued && l.misled > 0:
		return fmt.Sprintf("done, but the customer was told 502: %d", l.misled)
	}
	return ""
}
