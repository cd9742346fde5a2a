package engine

import (
	"math/bits"
	"slices"
	"strings"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/visibility"
)

const pageSize = queue.PageSize

// A Page holds a run of pageSize consecutive sequence numbers, First and up:
// what the queue knows of those messages, and the bodies of the small ones. It
// is found from a sequence number by arithmetic, it is the unit in which trees
// index messages, and it is freed when its last message is gone.
//
// Nothing in a slot is a pointer, so that the collector has a few words a page
// to look at and not a few a message.
type Page struct {
	First uint64 // sequence number of the message at index 0

	// Ready and Listed belong to the Order; the engine doesn't touch them.
	Ready  Bits // messages that Take may offer
	Listed bool // the page is in the Order's tree

	slots []slot
	links []link // of Groups, beside slots; nil without
	// offsets is nil while the message at index i is slots[i]. After compaction
	// it lists, in ascending order, the indices whose slots are left.
	offsets []uint8
	live    int // slots that are not gone

	inFlight       Bits
	inFlightListed bool // in the engine's tree of pages with messages in flight

	timed Bits              // messages whose due counts
	alarm visibility.Handle // the page's entry in the wheel; zero: none
	next  int64             // when the alarm goes, ms: no due is before; never without alarm

	minSent int64 // no live message was sent before; the page's key in the age tree

	stored paged // what is in the store alone: see paging.go

	// What the messages carry: see content.
	bodies  []string         // of the small ones, by index, while the page is young; as long as slots may grow; then nil
	texts   []string         // full
	builder *strings.Builder // the last text, still written to
	large   []content        // messages too large to copy: the sender's strings
}

// A slot is the state of one message, in 36 bytes.
type slot struct {
	sentAt   stamp
	firstAt  stamp // first receive; zero before
	lastAt   stamp // latest receive; meaningless before the first
	due      stamp // end of the delay or of the visibility timeout, while the page's timed says so
	receives uint32
	at       uint32 // where the content is: text<<16 | offset, or an index of large
	size     uint16 // bytes of a small body
	state    queue.State
	flags    flags
}

// A stamp is a time in ms since 1970, in the six bytes that last for 8,900 years.
// It is not an array, because the compiler keeps those in memory.
type stamp struct{ low, middle, high uint16 }

func (t stamp) ms() int64 {
	return int64(uint32(t.low)|uint32(t.middle)<<16) | int64(t.high)<<32 // two loads
}

func stampOf(ms int64) stamp { return stamp{uint16(ms), uint16(ms >> 16), uint16(ms >> 32)} }

// gone is the state of a slot without a message.
const gone queue.State = 0

type flags uint8

const (
	isLarge   flags = 1 << iota
	hasExtra        // more than a body: see content
	isGrouped       // it has a message group
	isAdopted       // it came to a FIFO queue from another one
	isMoving        // on its way to the dead-letter queue; its state is in flight
	isHeld          // in flight without a deadline: a receive that won't hide it isn't over
	isRefused       // the dead-letter queue did not take it: deliver it once more
	isOut           // what it carries is in the store alone
)

// Bits is a set of indices of a page.
type Bits [pageSize / 64]uint64

// Set adds an index to the set.
func (b *Bits) Set(i int) { b[i>>6] |= 1 << (i & 63) }

// Unset takes an index out of the set.
func (b *Bits) Unset(i int) { b[i>>6] &^= 1 << (i & 63) }

// Has reports whether an index is in the set.
func (b *Bits) Has(i int) bool { return b[i>>6]&(1<<(i&63)) != 0 }

// Empty reports whether the set is empty.
func (b *Bits) Empty() bool { return b[0]|b[1]|b[2]|b[3] == 0 }

// count returns how many indices are in the set.
func (b *Bits) count() (n int) {
	for _, word := range b {
		n += bits.OnesCount64(word)
	}
	return n
}

// Next returns the lowest index in the set that is at least i, or -1.
func (b *Bits) Next(i int) int {
	for w := i >> 6; w < len(b); w++ {
		word := b[w]
		if w == i>>6 {
			word &= ^uint64(0) << (i & 63)
		}
		if word != 0 {
			return w<<6 + bits.TrailingZeros64(word)
		}
	}
	return -1
}

// Live returns the number of messages in the page.
func (p *Page) Live() int { return p.live }

// Grouped reports whether the message at index i has a message group.
func (p *Page) Grouped(i int) bool {
	s := p.slot(i)
	return s != nil && s.flags&isGrouped != 0
}

// State returns the state of the message at index i, zero if it is gone.
func (p *Page) State(i int) queue.State {
	if s := p.slot(i); s != nil {
		return s.state
	}
	return gone
}

// Seq returns the sequence number of the message at index i.
func (p *Page) Seq(i int) uint64 { return p.First + uint64(i) }

// byFirst orders pages by their sequence numbers.
func byFirst(a, b *Page) bool { return a.First < b.First }

// byAge orders pages by the oldest message they may hold.
func byAge(a, b *Page) bool {
	if a.minSent != b.minSent {
		return a.minSent < b.minSent
	}
	return a.First < b.First
}

// slot returns the slot at index i; nil if there is none.
func (p *Page) slot(i int) *slot {
	if p.offsets == nil && i < len(p.slots) {
		return &p.slots[i]
	}
	return p.slotLeft(i)
}

// slotLeft is slot where the message at index i need not be slots[i]. It stands
// apart so that slot is inlined.
func (p *Page) slotLeft(i int) *slot {
	if at, ok := slices.BinarySearch(p.offsets, uint8(i)); ok {
		return &p.slots[at]
	}
	return nil
}

// place returns where in slots, and in links, the message at index i is, or -1.
func (p *Page) place(i int) int {
	if p.offsets == nil {
		if i < len(p.slots) {
			return i
		}
		return -1
	}
	if at, ok := slices.BinarySearch(p.offsets, uint8(i)); ok {
		return at
	}
	return -1
}

// all calls f for every live message in ascending order.
func (p *Page) all(f func(i int, s *slot)) {
	for at := range p.slots {
		s := &p.slots[at]
		if s.state == gone {
			continue
		}
		if p.offsets == nil {
			f(at, s)
		} else {
			f(int(p.offsets[at]), s)
		}
	}
}

// add makes the slot at index i, which is above all indices used so far.
func (p *Page) add(i int) *slot {
	if cap(p.slots) <= i {
		p.grow(i)
	}
	p.slots = p.slots[:i+1]
	p.live++
	return &p.slots[i]
}

// grow makes room for index i. After the first page the queue fills whole pages,
// so that there is no point in growing by steps.
func (p *Page) grow(i int) {
	n := pageSize
	if p.First == 1 {
		n = min(pageSize, max(8, 4*cap(p.slots), i+1))
	}
	slots := make([]slot, len(p.slots), n)
	copy(slots, p.slots)
	bodies := make([]string, n)
	copy(bodies, p.bodies)
	p.slots, p.bodies = slots, bodies
}

// drop empties the slot at index i.
func (p *Page) drop(i int, s *slot) {
	if s.flags&isOut != 0 {
		p.stored.out--
	} else if s.flags&isLarge != 0 {
		p.large[s.at] = content{}
	} else if p.young() {
		p.bodies[i] = ""
	}
	*s = slot{}
	p.live--
}

// sparse reports whether compact is worth its cost: at most an eighth of the
// slots is left, so that each compaction is paid for by the messages gone since
// the last one.
func (p *Page) sparse() bool {
	return len(p.slots) > 8 && p.live*8 <= len(p.slots) && p.live > 0
}

// compact moves the few messages left into memory of their own, so that a
// straggler pins no more than itself. The page takes no new messages afterwards.
func (p *Page) compact() {
	p.pack()
	slots := make([]slot, 0, p.live)
	offsets := make([]uint8, 0, p.live)
	var links []link
	large := p.large
	p.large = nil
	p.all(func(i int, s *slot) {
		n := *s
		if s.flags&isLarge != 0 {
			n.at = uint32(len(p.large))
			p.large = append(p.large, large[s.at])
		}
		slots = append(slots, n)
		if at := p.place(i); at < len(p.links) {
			links = append(links, p.links[at])
		}
		offsets = append(offsets, uint8(i))
	})
	p.slots, p.offsets, p.links = slots, offsets, links
}
