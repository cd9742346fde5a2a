package sqstest

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
)

// Transcript returns what has happened: each message with every step of its life, by
// the queue in which it began, and the faults that concern no message. Times are those
// since New. Clients that do the same, in one goroutine and in a bubble, get the same
// transcript for the same seed, byte for byte, unless a call falls on the very instant of
// a timeout: the package comment tells of that.
func (k *Kit) Transcript() string {
	k.Settle()
	var b strings.Builder
	fmt.Fprintf(&b, "transcript with seed %d (%s=%d repeats it), times since sqstest.New\n", k.seed, SeedVariable, k.seed)
	lives := k.lives("", nil)
	heading, headed := "", make(map[string]bool)
	for _, l := range lives {
		from := l.Events[0].Queue
		if l.former {
			from += ", before it was deleted"
		}
		if from != heading {
			heading, headed[from] = from, true
			if l.former {
				fmt.Fprintf(&b, "\n%s:\n", heading)
			} else {
				k.head(&b, heading)
			}
		}
		b.WriteString(l.String())
	}
	k.each(func(q *broker.Queue) bool { // in which no message began
		if !headed[q.Name()] {
			k.head(&b, q.Name())
		}
		return true
	})
	k.otherFaults(&b)
	return b.String()
}

// head sums up a queue.
func (k *Kit) head(b *strings.Builder, name string) {
	var parts []string
	if q, err := k.broker.GetQueue(name); err == nil {
		s := stats(q)
		for _, n := range []struct {
			n    int
			what string
		}{{int(s.Accepted), "sent"}, {int(s.Duplicates), "suppressed"}, {int(s.Adopted), "arrived"}, {s.Visible, "visible"}, {s.InFlight, "in flight"}, {s.Delayed, "delayed"},
			{int(s.Deleted), "deleted"}, {int(s.Moved), "moved away"}, {int(s.Expired), "expired"}, {int(s.Purged), "purged"}} {
			if n.n > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", n.n, n.what))
			}
		}
	}
	if len(parts) == 0 {
		parts = []string{"no messages"}
	}
	fmt.Fprintf(b, "\n%s: %s\n", name, strings.Join(parts, ", "))
}

// otherFaults writes those that stand with no message.
func (k *Kit) otherFaults(b *strings.Builder) {
	faults := slices.DeleteFunc(k.Faults(), func(f Fault) bool { return f.position != 0 })
	slices.SortStableFunc(faults, func(x, y Fault) int {
		return cmp.Or(x.At.Compare(y.At), cmp.Compare(x.Queue, y.Queue), cmp.Compare(x.Call, y.Call), cmp.Compare(x.Body, y.Body), cmp.Compare(x.N, y.N))
	})
	if len(faults) > 0 {
		b.WriteString("\nfaults:\n")
	}
	for i := 0; i < len(faults); {
		n := i + 1 // a fault that happens again and again is one line
		for n < len(faults) && faults[n].same(faults[i]) {
			n++
		}
		said := faults[i].String()
		if n > i+1 {
			said += fmt.Sprintf(" (%d times, the last at %v)", n-i, since(k.begin, faults[n-1].At))
		}
		line(b, k.begin, faults[i].At, said)
		i = n
	}
}

// same reports whether two faults differ in nothing but when, and by how much.
func (f Fault) same(g Fault) bool {
	return f.Queue == g.Queue && f.Call == g.Call && f.Kind == g.Kind && f.Body == g.Body
}

// String tells what happened, but not when.
func (f Fault) String() string {
	var b strings.Builder
	if f.Queue != "" {
		b.WriteString(f.Queue + ": ")
	}
	b.WriteString(f.Call)
	if f.Body != "" {
		b.WriteString(" " + quoted(f.Body))
	}
	if f.Kind != Chosen {
		b.WriteString(": " + string(f.Kind))
	}
	switch {
	case f.Kind == Duplicated:
		fmt.Fprintf(&b, ", back %v early", rounded(f.By))
	case f.By > 0:
		fmt.Fprintf(&b, ", by %v", rounded(f.By))
	}
	return b.String()
}

// String returns the message's part of a transcript: a line for each thing that
// happened to it.
func (l *Life) String() string {
	var b strings.Builder
	b.WriteString(l.head())
	faults := l.faults
	for i := 0; i < len(l.Events); i++ {
		e := &l.Events[i]
		for len(faults) > 0 && faults[0].At.Before(e.At) {
			line(&b, l.begin, faults[0].At, "! "+faults[0].String())
			faults = faults[1:]
		}
		said := told(e)
		if e.Step == queue.StepVisible && i > 0 && e.At.Equal(l.Events[i-1].At) {
			continue // it goes without saying
		}
		if e.Queue != l.Events[0].Queue {
			said = e.Queue + ": " + said
		}
		last := i // of a run of extensions, which a heartbeat makes
		for last+1 < len(l.Events) && e.Step == queue.StepExtended && l.Events[last+1].Step == e.Step &&
			(len(faults) == 0 || l.Events[last+1].At.Before(faults[0].At)) {
			last++
		}
		if last > i+1 {
			said += fmt.Sprintf(" (%d times, the last at %v)", last-i+1, since(l.begin, l.Events[last].At))
			i = last
		}
		line(&b, l.begin, e.At, said)
	}
	for _, f := range faults {
		line(&b, l.begin, f.At, "! "+f.String())
	}
	return b.String()
}

// head is the first line of a life.
func (l *Life) head() string {
	if l.GroupID == "" {
		return fmt.Sprintf("  #%d %s\n", l.n, quoted(l.Body))
	}
	return fmt.Sprintf("  #%d %s, group %q\n", l.n, quoted(l.Body), l.GroupID)
}

// told puts an event into words.
func told(e *queue.Event) string {
	hidden := ""
	if !e.Until.IsZero() {
		d := rounded(e.Until.Sub(e.At))
		if d%time.Second == time.Millisecond { // At is cut to milliseconds, Until is rounded up
			d -= time.Millisecond
		}
		hidden = fmt.Sprintf(", for %v", d)
	}
	switch e.Step {
	case queue.StepAccepted:
		return "sent"
	case queue.StepDelayed:
		return "delayed" + hidden
	case queue.StepReceived:
		return "received (" + strconv.Itoa(e.ReceiveCount) + ")" + hidden
	case queue.StepExtended:
		return "hidden" + hidden
	case queue.StepTimedOut:
		return "visible again, timed out"
	case queue.StepReleased:
		return "visible again, released"
	case queue.StepDeadLettered:
		return "moved to the dead-letter queue"
	case queue.StepAdopted:
		return "arrived"
	case queue.StepMoved:
		return "moved on, as a new message"
	}
	return e.Step.String()
}

func line(b *strings.Builder, begin, at time.Time, text string) {
	fmt.Fprintf(b, "    %14v  %s\n", since(begin, at), text)
}

// since is the time from begin to at, as transcripts say it.
func since(begin, at time.Time) time.Duration { return rounded(at.Sub(begin)) }

func rounded(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

// quoted is a body as transcripts show it: its beginning, if it is long.
func quoted(body string) string {
	const most = 60
	if len(body) <= most && strings.Contains(body, `"`) && strconv.CanBackquote(body) {
		return "`" + body + "`" // JSON stays readable
	}
	if len(body) <= most {
		return strconv.Quote(body)
	}
	end := most
	for end > 0 && !utf8.RuneStart(body[end]) {
		end--
	}
	return fmt.Sprintf("%s… (%d bytes)", strconv.Quote(body[:end]), len(body))
}

func counted(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// cut shortens a transcript that nobody would read.
func cut(transcript string) string {
	const most = 64 << 10
	if len(transcript) <= most {
		return transcript
	}
	head := transcript[:most]
	head = head[:strings.LastIndexByte(head, '\n')+1]
	return fmt.Sprintf("%s  … and %d lines more; Kit.Transcript has all\n", head, strings.Count(transcript[len(head):], "\n"))
}
