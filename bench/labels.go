package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/restantemq/restante/queue"
)

// names are the IDs of message groups, equally long, in one text without
// pointers, so that even a million of them are nothing to the garbage collector.
type names struct {
	text          string
	number, width int
}

func newNames(number int) *names {
	width := len("g") + len(strconv.Itoa(number))
	var text strings.Builder
	text.Grow(number * width)
	for i := range number {
		fmt.Fprintf(&text, "g%0*d", width-1, i)
	}
	return &names{text.String(), number, width}
}

func (n *names) at(i int) string { return n.text[i*n.width : (i+1)*n.width] }

// labels give messages what a FIFO queue asks for: a group, and a deduplication
// ID that no other message of the queue has, since the queue remembers IDs for
// five minutes. One goroutine uses them.
//
// An ID is a string of ten digits made then and there, as a producer would make
// it: one allocation of 16 bytes, which is part of what is measured.
type labels struct {
	groups  *names // nil: none, as a Standard queue wants it
	at      int    // the group that comes next
	stride  int    // from one group to the next
	last    uint64 // ID
	dropped string // an ID that was made all the same, see next
}

const firstID = 1_000_000_000 // so that all are equally long

// newLabels goes through the groups in order.
func newLabels(groups *names) *labels { return &labels{groups: groups, stride: 1, last: firstID} }

// scatter goes through the groups in another order from now on, in which
// neighbours are far apart, but each still comes once before one comes again.
func (l *labels) scatter() {
	n := l.groups.number
	l.stride = max(1, int(float64(n)*0.618))
	for gcd(l.stride, n) != 1 {
		l.stride++
	}
}

// next labels m. On a Standard queue, which refuses deduplication IDs, it makes
// one and drops it, so that this costs the same there.
func (l *labels) next(m *queue.Message) {
	var digits [20]byte
	l.last++
	id := string(strconv.AppendUint(digits[:0], l.last, 10))
	if l.groups == nil {
		l.dropped = id
		return
	}
	m.DeduplicationID = id
	m.GroupID = l.groups.at(l.at)
	if l.at += l.stride; l.at >= l.groups.number {
		l.at -= l.groups.number
	}
}

// in returns labels of one group, with IDs after those of l.
func (l *labels) in(group string) labels {
	return labels{groups: &names{group, 1, len(group)}, stride: 1, last: l.last}
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
