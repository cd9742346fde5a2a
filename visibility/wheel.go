// Package visibility is a hierarchical timing wheel: it remembers at which
// time each of many entries is due, and hands them back in order when that
// time has come. It knows only numbers. An entry is a deadline, counted in
// ticks of any length the caller likes, and a 64-bit value that means
// something to the caller; nothing in here reads a clock or starts a goroutine.
//
// A queue arms a deadline for every message it hands out, and cancels nearly
// all of them soon after, when the message is deleted. So arming and cancelling
// must cost next to nothing however many entries stand, while expiry, the rare
// case, may cost a little more. A heap has it the other way round.
//
// # How it works
//
// Write times as numbers of base 64. Level 0 has a slot for each value of the
// last digit, level 1 for each value of the digit before it, and so on: eleven
// levels hold every non-negative int64. Each slot is a list, and each level has
// one word whose bits tell which of its slots hold entries.
//
//	level   one slot spans    the wheel's time is ..5.2.60 (base 64)
//
//	  2        4096 ticks     0 . . . . 5 . 7 . . . . . . . . . 63
//	                                    ^   └── ..7.0.0 to ..7.63.63
//	  1          64 ticks     0 . 2 . 4 . . . . . . . . . . . . 63
//	                              ^   └── ..5.4.0 to ..5.4.63
//	  0           1 tick      0 . . . . . . . . . . 60 61 . . . 63
//	                                                ^  └── exactly ..5.2.61
//
// An entry goes to the level of the highest digit in which its deadline differs
// from the wheel's time (^), into the slot of the deadline's digit there. The
// lowest level with an entry, and in it the lowest slot, hold the earliest
// deadlines, so two bit scans find what comes next, over any distance. When
// time arrives at the first tick of a slot above level 0, the digit no longer
// differs and the slot's entries cascade: each goes to a lower level, by the
// same rule. When time arrives at a slot of level 0, its entries are due.
//
// # Cost
//
// Schedule, Cancel, Reschedule and Next are O(1). An entry that expires has
// been moved down at most once a level: ten times at the very worst, commonly
// twice when its deadline was some thousands of ticks ahead. One that is
// cancelled soon was never moved. Advance does work in proportion to the slice
// it is given and reports when there is more, so that its caller can let go of
// a lock meanwhile.
//
// # Source
//
// G. Varghese and T. Lauck, "Hashed and Hierarchical Timing Wheels: Data
// Structures for the Efficient Implementation of a Timer Facility", SOSP 1987;
// this is their scheme 7. Choosing the level by the highest differing digit
// instead of by distance is how the timer wheel of Rust's tokio does it; here
// it also carries the promise on order, see the proof at place in wheel.go.
package visibility

import "math/bits"

const (
	digitBits = 6 // a digit selects one of 64 slots: their bitmap is one word
	slotCount = 1 << digitBits
	levels    = 11 // 11 digits of 6 bits: more than the 63 bits of a time

	// moveSlack is what one Advance may move between levels beyond the length
	// of its slice, so that even an empty slice makes progress.
	moveSlack = 64
)

// A Handle names a scheduled entry of one [Wheel], from the call of Schedule
// that returned it until the entry is cancelled or returned by Advance. After
// that it is invalid, and a later Schedule may return the same Handle again for
// another entry. No entry has the Handle 0, so it can stand for "none".
//
// Using an invalid Handle is a mistake of the caller. It panics unless the
// Handle is in use again, which the Wheel cannot tell apart.
type Handle uint32

// A Wheel holds entries by deadline. The zero value is an empty wheel at time
// 0, ready to use; it needs no memory of its own (some 150 bytes) until
// something is scheduled. A Wheel must not be copied after first use, and is
// not safe for concurrent use: its caller has a lock that guards it.
//
// Ticks are of any length; times are non-negative and counted from any origin.
// The wheel's time is what the last complete Advance moved it to. It may lag
// behind the caller's clock, which costs nothing but a few more moves of the
// entries scheduled meanwhile; an Advance before the first Schedule on a
// long-empty wheel is O(1) and saves them.
//
// An empty wheel keeps at most 24 KiB for entries and 6 KiB for levels. While
// it isn't empty it keeps what its largest population since it was last empty
// needed, 24 bytes an entry.
type Wheel struct {
	// now is the wheel's time. No entry has an earlier deadline. Moving it to
	// anywhere up to the first tick of the earliest occupied slot leaves every
	// entry where it belongs: see place.
	now   int64
	count int

	// cascading is the slot whose entries are being moved down, or 0. It is
	// never empty, and now is its first tick. (0 would be a slot of level 0,
	// and those don't cascade.)
	cascading place
	occupied  uint16         // bit l is set if level l has an entry
	level     [levels]*level // nil until needed

	arena
}

// A level is 64 slots that differ in one digit of the deadline. It contains no
// pointers: the garbage collector doesn't look inside.
type level struct {
	occupied uint64          // bit s is set if slot s has an entry
	slots    [slotCount]list // meaningful where the bit is set
}

// A list is doubly linked through the nodes, in scheduling order. The outer
// links of its first and last node name the list's own place, marked with
// listEnd, so that a node finds its list only from its neighbours. It could not
// be computed from the deadline while a cascade is under way.
type list struct{ head, tail uint32 }

// listEnd marks a link that names a place instead of a node. Node numbers stay
// below it.
const listEnd = 1 << 31

// A place is a slot of a level: level*64 + slot.
type place uint32

func (p place) level() uint { return uint(p / slotCount) }
func (p place) slot() uint  { return uint(p % slotCount) }

// place returns where an entry with that deadline, not before w.now, belongs:
// the level of the highest digit in which it differs from w.now.
//
// Every entry is always where place says, except those still in the cascading
// slot. It holds when the entry is put there. It continues to hold when time
// moves from w.now to a later t that is not beyond the first tick of the
// earliest occupied slot. Let k be the highest digit in which t differs from
// w.now, and take an entry of level l. If l > k, digit l of the time hasn't
// changed, nor have those above. If l = k, the digit of the entry's slot is not
// below t's, because t isn't beyond the slot's first tick; if it is above, it
// is still the highest that differs; if it is equal, t is that first tick, and
// this is the slot to cascade. And l < k cannot be: the slot's first tick
// agrees with w.now in digit k, where t is larger, so t would lie beyond it.
//
// Hence entries of equal deadline, whose place is the same function of the same
// arguments, are always in one list. It is in scheduling order: new entries go
// to its end, and a cascade moves entries from the front of a slot to the ends
// of lists on lower levels, which were all empty when the cascade began. For as
// long as it lasts, new entries that belong below go to the end of the
// cascading slot instead (see insert), behind those scheduled before them.
func (w *Wheel) place(deadline int64) place {
	l := uint(bits.Len64(uint64(deadline^w.now)|1)-1) / digitBits
	return place(l*slotCount + uint(deadline>>(l*digitBits))%slotCount)
}

// Schedule adds an entry and returns its handle. The value is carried, not
// looked at, and need not be unique. Any deadline is allowed; one before the
// wheel's time is raised to the wheel's time, and so is due at the next
// Advance, behind what is due there already.
//
// Between two calls of an Advance that reported more, the wheel's time is not
// earlier than the last deadline returned and not later than any remaining one.
// An entry scheduled then still takes its place in the order.
//
// Schedule is O(1). It allocates only when the wheel has more entries than ever
// since it was last empty, and then for many at once.
func (w *Wheel) Schedule(deadline int64, value uint64) Handle {
	i, n := w.take()
	n.value = value
	w.count++
	w.insert(i, n, deadline)
	return Handle(i)
}

// insert sets the deadline of node i, which is in no list, and puts it behind
// the others of its place.
func (w *Wheel) insert(i uint32, n *node, deadline int64) {
	deadline = max(deadline, w.now)
	n.deadline = deadline
	p := w.place(deadline)
	if p.level() < w.cascading.level() {
		p = w.cascading // it differs from w.now only in lower digits, so it is in this slot's span
	}
	w.link(i, n, p)
}

// Cancel removes the entry. It is O(1) and panics if the handle is invalid.
func (w *Wheel) Cancel(h Handle) {
	n := w.get(h)
	w.unlink(n)
	w.drop(uint32(h), n)
}

// Reschedule gives the entry another deadline, with the same effect on order as
// cancelling and scheduling it, but the handle stays valid. It is O(1) and
// panics if the handle is invalid.
func (w *Wheel) Reschedule(h Handle, deadline int64) {
	n := w.get(h)
	w.unlink(n)
	w.insert(uint32(h), n, deadline)
}

// Deadline returns the entry's deadline: the one last given to Schedule or
// Reschedule, or the wheel's time at that moment if that was later. It panics
// if the handle is invalid.
func (w *Wheel) Deadline(h Handle) int64 { return w.get(h).deadline }

// Value returns the value given to Schedule. It panics if the handle is
// invalid.
func (w *Wheel) Value(h Handle) uint64 { return w.get(h).value }

// Len returns the number of entries scheduled and neither cancelled nor
// returned by Advance.
func (w *Wheel) Len() int { return w.count }

// Next returns a time to call Advance at: not later than the earliest deadline,
// and such that Advance to it makes progress. ok is false if the wheel is
// empty. It is O(1).
//
// The time is exact, the earliest deadline itself, when that deadline and the
// wheel's time are in the same block of 64 ticks (their quotients by 64 are
// equal) and no Advance is left incomplete. Otherwise it is a lower bound, the
// first tick of a slot: Advance to it takes the slot's entries to lower levels,
// and returns those due at that very tick. So a caller that arms a timer for the time given, and
// again after each Advance, wakes at most ten times in vain before it wakes at
// the deadline. The bound may be earlier than the caller's clock if the wheel's
// time lags behind it.
func (w *Wheel) Next() (deadline int64, ok bool) {
	if w.count == 0 {
		return 0, false
	}
	t, _ := w.earliest()
	return t, true
}

// earliest returns the slot to treat next, and its first tick. The wheel must
// not be empty.
func (w *Wheel) earliest() (int64, place) {
	if w.cascading != 0 {
		return w.now, w.cascading
	}
	// Entries on a level agree with w.now in all higher digits and have a
	// larger one there (or an equal one, on level 0), so the lowest bit is the
	// earliest slot, and any entry of a higher level is later.
	l := uint(bits.TrailingZeros16(w.occupied))
	s := uint(bits.TrailingZeros64(w.level[l].occupied))
	return w.firstTick(l, s), place(l*slotCount + s)
}

// firstTick returns the first tick of a slot that agrees with w.now in the
// digits above its own.
func (w *Wheel) firstTick(level, slot uint) int64 {
	shift := level * digitBits
	return w.now>>(shift+digitBits)<<(shift+digitBits) | int64(slot)<<shift
}

// Advance moves the wheel's time up to now, removes the entries whose deadline
// is not after now, and stores their values in due: in order of deadline and,
// for equal deadlines, in the order in which they were last scheduled. n is how
// many it stored; due is not retained.
//
// If more is false, everything due at now has been returned and the wheel's
// time is now. If more is true, call again, with the same now or a later one:
// either due was too short, or this call has done its share of moving entries
// between levels, possibly with n less than len(due), even 0. One call treats at
// most 2*len(due)+64 entries, however many stand or are due; the distance of
// now does not matter.
//
// Time doesn't go backwards: an Advance to before the wheel's time returns
// 0, false and changes nothing.
func (w *Wheel) Advance(now int64, due []uint64) (n int, more bool) {
	return w.advance(now, due, len(due)+moveSlack)
}

// advance is Advance with a given number of moves between levels.
func (w *Wheel) advance(now int64, due []uint64, moves int) (n int, more bool) {
	if now < w.now {
		return 0, false
	}
	for w.count > 0 {
		t, p := w.earliest()
		if t > now {
			break
		}
		w.now = t
		if p.level() > 0 {
			w.cascading = p
			if moves = w.cascade(moves); w.cascading != 0 {
				return n, true
			}
			continue
		}
		lv := w.level[0]
		for lv.occupied>>p.slot()&1 != 0 {
			if n == len(due) {
				return n, true
			}
			i := lv.slots[p.slot()].head
			e := w.at(i)
			due[n] = e.value
			n++
			w.unlink(e)
			w.drop(i, e)
		}
	}
	w.now = now
	return n, false
}

// cascade moves entries of the cascading slot down until it is empty or no
// moves are left, and returns how many are.
func (w *Wheel) cascade(moves int) int {
	p := w.cascading
	s := &w.level[p.level()].slots[p.slot()]
	for ; moves > 0 && w.cascading != 0; moves-- {
		i := s.head
		n := w.at(i)
		w.unlink(n) // after the last one, w.cascading is 0
		w.link(i, n, w.place(n.deadline))
	}
	return moves
}

// link puts node i, which is in no list, at the end of the list of p.
func (w *Wheel) link(i uint32, n *node, p place) {
	lv := w.level[p.level()]
	if lv == nil {
		lv = new(level)
		w.level[p.level()] = lv
	}
	s := &lv.slots[p.slot()]
	bit := uint64(1) << p.slot()
	n.next = uint32(p) | listEnd
	if lv.occupied&bit != 0 {
		n.prev = s.tail
		w.at(s.tail).next = i
	} else {
		n.prev = uint32(p) | listEnd
		s.head = i
		lv.occupied |= bit
		w.occupied |= 1 << p.level()
	}
	s.tail = i
}

// unlink takes a node out of its list and leaves the node's own links as they
// were.
func (w *Wheel) unlink(n *node) {
	prev, next := n.prev, n.next
	if prev&next&listEnd != 0 {
		w.vacate(place(next &^ listEnd))
		return
	}
	if prev&listEnd != 0 {
		w.list(prev).head = next
	} else {
		w.at(prev).next = next
	}
	if next&listEnd != 0 {
		w.list(next).tail = prev
	} else {
		w.at(next).prev = prev
	}
}

// list returns the list that a marked link names.
func (w *Wheel) list(link uint32) *list {
	p := place(link &^ listEnd)
	return &w.level[p.level()].slots[p.slot()]
}

// vacate marks the slot at p empty. An empty slot has nothing left to cascade.
func (w *Wheel) vacate(p place) {
	lv := w.level[p.level()]
	lv.occupied &^= 1 << p.slot()
	if lv.occupied == 0 {
		w.occupied &^= 1 << p.level()
	}
	if p == w.cascading {
		w.cascading = 0
	}
}

// drop gives node i, which is in no list, back to the arena.
func (w *Wheel) drop(i uint32, n *node) {
	w.count--
	if w.count == 0 {
		w.reset()
		return
	}
	w.give(i, n)
}

// get returns the node of a valid handle.
func (w *Wheel) get(h Handle) *node {
	if uint32(h) < w.used {
		if n := w.at(uint32(h)); n.deadline != freed {
			return n
		}
	}
	panic("visibility: internal error: use of an invalid handle")
}
