package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The places of things in the SVG picture. A panel is what has one vertical scale.
const (
	svgWidth, svgHeight = 960, 600

	left, right = 56.0, 936.0 // of all panels
	panelHeight = 100.0
	directBase  = 255.0 // where the bars of the direct lane stand
	queueBase   = 412.0
	backlogBase = 546.0
	top         = directBase - panelHeight
)

const (
	colourText  = "#1f2328"
	colourFaint = "#59636e"
	colourGrid  = "#d1d9e0"
	colourDone  = "#2da567"
	colourLost  = "#cf222e"
	colourQueue = "#2f66ad"
	colourArea  = "#a9c6ea" // below colourQueue
	colourDown  = "#ffe9c7"
	colourBand  = "#8a5a00" // text on colourDown
)

// drawSVG returns the picture as an SVG file that needs no other one.
func drawSVG(t timeline) string {
	d := &drawing{timeline: t}
	d.add(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img" font-family="system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif" font-size="14" fill="%s">`,
		svgWidth, svgHeight, colourText)
	d.add(`<title>%s.</title>`, t.settings)
	d.add(`<desc>Above, A calls B, and orders are lost while B is down. Below, a queue between them keeps the orders until B is there again.</desc>`)
	d.add(`<rect width="%d" height="%d" fill="#ffffff"/>`, svgWidth, svgHeight)
	d.heading()
	d.downtime()
	for i := range d.lanes {
		l := &d.lanes[i]
		if l.queued {
			d.flow(l, queueBase)
			d.backlog(l)
		} else {
			d.flow(l, directBase)
		}
	}
	d.axis()
	d.add(`</svg>`)
	return d.String()
}

// A drawing is the file so far.
type drawing struct {
	timeline
	strings.Builder
}

func (d *drawing) add(format string, args ...any) {
	fmt.Fprintf(d, format, args...)
	d.WriteByte('\n')
}

// x is the place of a time.
func (d *drawing) x(at time.Duration) float64 {
	return left + (right-left)*float64(at)/float64(time.Duration(d.buckets)*d.bucket)
}

// edge is where bucket i begins.
func (d *drawing) edge(i int) float64 { return d.x(time.Duration(i) * d.bucket) }

// heading draws what stands above the panels.
func (d *drawing) heading() {
	title := "Service B stays up: what becomes of the orders?"
	if d.down {
		title = fmt.Sprintf("Service B is down for %v: what becomes of the orders?", d.settings.downtime)
	}
	d.add(`<text x="24" y="40" font-size="22" font-weight="600">%s</text>`, title)
	d.add(`<text x="24" y="64" fill="%s">%s. Bars are orders per %v.</text>`, colourFaint, d.settings, d.bucket)

	x := 24.0
	key := func(mark, text string) {
		d.add(`<g transform="translate(%.0f 80)">%s<text x="26" y="12" font-size="13">%s</text></g>`, x, mark, text)
		x += 50 + 7.2*float64(len(text))
	}
	block := func(colour string) string {
		return fmt.Sprintf(`<rect y="1" width="18" height="12" rx="2" fill="%s"/>`, colour)
	}
	key(fmt.Sprintf(`<path d="M0 7h18" stroke="%s" stroke-width="2"/>`, colourText), "sent by customers")
	key(block(colourDone), "done by B")
	key(block(colourLost)+`<path d="M6 4l6 6m0 -6l-6 6" stroke="#ffffff" stroke-width="1.6"/>`, "lost")
	key(block(colourArea), "waiting in the queue")
	if d.down {
		key(block(colourDown), "B is down")
	}
}

// downtime shades the time in which B is down, over all panels.
func (d *drawing) downtime() {
	if !d.down {
		return
	}
	from, to := d.x(d.from), d.x(d.to)
	d.add(`<rect class="down" x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`, from, top-14, to-from, backlogBase-top+14, colourDown)
	d.add(`<text x="%.1f" y="%.1f" font-size="13" font-weight="600" text-anchor="middle" fill="%s">B is down</text>`, (from+to)/2, top+6, colourBand)
}

// ground draws the line that a panel stands on, and its scale.
func (d *drawing) ground(base float64, most int) {
	d.add(`<path d="M%.1f %.1fH%.1f" stroke="%s" stroke-dasharray="3 4"/>`, left, base-panelHeight+20, right, colourGrid)
	d.add(`<path d="M%.1f %.1fH%.1f" stroke="%s"/>`, left, base, right, colourFaint)
	d.add(`<g font-size="12" text-anchor="end" fill="%s"><text x="%.1f" y="%.1f">0</text><text x="%.1f" y="%.1f">%d</text></g>`,
		colourFaint, left-8, base+4, left-8, base-panelHeight+24, most)
}

// length is the height of n orders in a panel.
func length(n, most int) float64 { return (panelHeight - 20) * float64(n) / float64(max(most, 1)) }

// flow draws the orders of a lane: done and lost as bars, sent as a line.
func (d *drawing) flow(l *tally, base float64) {
	colour := colourLost
	if l.lost.total == 0 {
		colour = colourDone
	}
	d.add(`<text x="24" y="%.1f" font-size="16" font-weight="600">%s</text>`, base-panelHeight-12, l.title())
	d.add(`<text x="%.1f" y="%.1f" font-size="16" text-anchor="end">%d sent, %d done, <tspan font-weight="700" fill="%s">%d lost</tspan></text>`,
		right, base-panelHeight-12, l.sent.total, l.done.total, colour, l.lost.total)
	d.ground(base, d.most)

	var outline strings.Builder
	at := -1.0
	for i := range d.buckets {
		x, width := d.edge(i), d.edge(1)-left
		bar := func(class, colour string, n int, y float64) {
			d.add(`<rect class="%s" data-orders="%d" x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"><title>%s: %[2]d %[1]s</title></rect>`,
				class, n, x+1, y, width-2, length(n, d.most), colour, seconds(time.Duration(i)*d.bucket))
		}
		done, lost := l.done.in[i], l.lost.in[i]
		y := base - length(done, d.most)
		if done > 0 {
			bar("done", colourDone, done, y)
		}
		if lost > 0 {
			y -= length(lost, d.most)
			bar("lost", colourLost, lost, y)
			r := min(width/4, 4.5)
			d.add(`<path d="M%.1f %.1fl%.1[3]f %.1[3]fm0 -%.1[3]fl-%.1[3]f %.1[3]f" stroke="%[4]s" stroke-width="2" fill="none"/>`,
				x+width/2-r, y-2*r-6, 2*r, colourLost)
		}
		if high := base - length(l.sent.in[i], d.most); high != at {
			fmt.Fprintf(&outline, "%c%.1f %.1f", "ML"[min(i, 1)], x, high)
			at = high
		}
		fmt.Fprintf(&outline, "H%.1f", d.edge(i+1))
	}
	d.add(`<path class="sent" d="%s" stroke="%s" stroke-width="1.8" stroke-linejoin="round" fill="none"/>`, outline.String(), colourText)
}

// backlog draws what waits in the queue as an area.
func (d *drawing) backlog(l *tally) {
	d.add(`<text x="%.1f" y="%.1f" font-size="13" fill="%s">waiting in the queue</text>`, left+6, backlogBase-panelHeight+14, colourQueue)
	d.ground(backlogBase, d.mostQueue)
	var line strings.Builder
	fmt.Fprintf(&line, "M%.1f %.1f", left, backlogBase)
	for i, n := range l.backlog {
		fmt.Fprintf(&line, "L%.1f %.1f", d.edge(i+1), backlogBase-length(n, d.mostQueue))
	}
	d.add(`<path class="backlog" d="%sV%.1fZ" fill="%s"/>`, line.String(), backlogBase, colourArea)
	d.add(`<path d="%s" stroke="%s" stroke-width="2" stroke-linejoin="round" fill="none"/>`, line.String(), colourQueue)
	if l.maxBacklog > fewQueue {
		peak := slices.Index(l.backlog, slices.Max(l.backlog))
		d.add(`<text x="%.1f" y="%.1f" font-weight="600" fill="%s">%d at most</text>`,
			min(d.edge(peak+1)+10, right-90), backlogBase-panelHeight+14, colourQueue, l.maxBacklog)
	}
}

// axis writes the seconds below the last panel.
func (d *drawing) axis() {
	d.add(`<g font-size="12" text-anchor="middle" fill="%s">`, colourFaint)
	for i := 0; i <= d.buckets; i += tickBuckets {
		d.add(`<path d="M%.1f %.1fv5" stroke="%s"/><text x="%.1f" y="%.1f">%s</text>`,
			d.edge(i), backlogBase, colourFaint, d.edge(i), backlogBase+20, seconds(time.Duration(i)*d.bucket))
	}
	d.add(`</g>`)
}
