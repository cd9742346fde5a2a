package fifo

import (
	"math"
	"math/bits"
)

// A dedupKey stands for a deduplication ID within its scope; see [keyOf].
type dedupKey [2]uint64

// keyOf returns the key of a deduplication ID. group is the message group, or
// empty if the scope of IDs is the whole queue. Keys go into stores, so for a
// given seed the result must stay the same for ever.
//
// Two IDs with one key would make the queue swallow a message. So the key has
// 128 bits, and it is made of two polynomials modulo the prime 2^61-1, with
// group and id as coefficients, 7 bytes each, evaluated at two points that the
// seed gives. Two different polynomials of degree n are equal at no more than n
// points of the 2^60. So over all seeds, any two different inputs with strings
// of up to 128 bytes share a key with a probability below (40/2^60)^2, or 2^-109:
// among a billion IDs remembered at once, some two do with less than 2^-50. Who
// doesn't know the seed can't do better by choosing IDs; who knows it can
// construct collisions. So it must be random, and nothing that the queue gives
// out may reveal it.
func keyOf(seed [2]uint64, group, id string) dedupKey {
	// The leading coefficient is not zero and says where group ends; the last
	// tells how much of it is id. So different inputs are different polynomials.
	lead := uint64(len(group)) + 1
	h := lanes{lead, lead, seed[0] & (1<<60 - 1), seed[1] & (1<<60 - 1)}
	if group != "" {
		h = h.absorb(group)
	}
	h = h.absorb(id)
	return dedupKey{blend(timesMod(h.a, h.ra)), blend(timesMod(h.b, h.rb))}
}

// lanes are two polynomials being evaluated side by side, at ra and rb, both
// below 2^60. a and b are reduced no further than needed to stay below 2^63.
type lanes struct{ a, b, ra, rb uint64 }

// absorb appends the bytes of s to the coefficients: 7 bytes each, the last with
// the rest and, above it, its length.
func (h lanes) absorb(s string) lanes {
	for len(s) >= 8 {
		c := (uint64(first4(s)) | uint64(first4(s[4:]))<<32) & (1<<56 - 1)
		h.a = timesMod(h.a, h.ra) + c
		h.b = timesMod(h.b, h.rb) + c
		s = s[7:]
	}
	n := len(s)
	c := uint64(n) << 56
	switch { // the pieces may overlap: the common bytes are equal and fall in one place
	case n >= 4:
		c |= uint64(first4(s)) | uint64(first4(s[n-4:]))<<(8*(n-4))
	case n > 0:
		c |= uint64(s[0]) | uint64(s[n/2])<<(8*(n/2)) | uint64(s[n-1])<<(8*(n-1))
	}
	h.a = timesMod(h.a, h.ra) + c
	h.b = timesMod(h.b, h.rb) + c
	return h
}

func first4(s string) uint32 {
	_ = s[3]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

// timesMod returns a number that is h*r modulo 2^61-1. With h below 2^63 and r
// below 2^60, it is below 2^61 + h/2: so adding coefficients below 2^59 and
// multiplying again never leads past 2^63.
func timesMod(h, r uint64) uint64 {
	const p = 1<<61 - 1
	high, low := bits.Mul64(h, r)
	return low&p + (high<<3 | low>>61) // 2^61 is 1 modulo p
}

// blend is a bijection that spreads a lane over all 64 bits, from which the
// index takes whichever it needs. A bijection makes no new collisions.
func blend(x uint64) uint64 {
	x = (x ^ x>>32) * 0x9e3779b97f4a7c15
	return x ^ x>>29
}

// A dedup is what a FIFO queue remembers of deduplication IDs: for each key a
// sequence number, until a time in milliseconds. The zero value is empty. It is
// not safe for concurrent use; the time is always the caller's.
//
// The entries stand in a ring of chunks in the order they came, which is the
// order in which they expire, and an index finds them by key. An entry is in
// the index until a newer one has its key, and in the ring until it is
// forgotten. The newest is always in both, so both are empty at once.
//
// An entry takes 28 bytes in its chunk, and 5 in each slot of the index. While
// it grows, 8/15 to 4/5 of the slots are occupied, two thirds on average: with
// all slack that makes 36 or 37 bytes an entry, none of them a pointer. Chunks
// don't move, and the index consists of many small tables: no call but a forget
// with a large budget moves more than about two thousand entries, which takes a
// fraction of a millisecond, however many there are.
type dedup struct {
	tables []table // see [dedup.table]
	n      int     // entries in the index

	ring       []*chunk // chunk number c is ring[c%len(ring)]; the length is a power of two
	first, end uint32   // numbers of the oldest chunk and of the one after the newest
	head       uint32   // the oldest entry's place in the oldest chunk
	latest     int64    // until of the newest entry
	spare      *chunk   // the one emptied last: a queue under steady load allocates none
}

// A chunk is a run of entries, column by column. It fills an allocation of 1792
// bytes but for 16.
type chunk struct {
	keys  [chunkEntries]dedupKey
	seqs  [chunkEntries]uint64
	base  int64                // until of the first entry
	later [chunkEntries]uint32 // until, in milliseconds after base
	used  uint32
}

// The position of an entry is its chunk's number and its place in it. Both wrap
// around together, since lengths of rings divide the number of chunks.
const (
	placeBits    = 6
	chunkEntries = 1<<placeBits - 1 // not 64, for the allocator's sake
	minRing      = 4
	maxRing      = 1 << (32 - placeBits)
)

// at returns the chunk and the place of the entry at a position.
func (d *dedup) at(position uint32) (*chunk, uint32) {
	return d.ring[position>>placeBits&uint32(len(d.ring)-1)], position & (1<<placeBits - 1)
}

func (d *dedup) keyAt(position uint32) dedupKey {
	c, place := d.at(position)
	return c.keys[place]
}

// find returns the sequence number remembered under k, if its time is not over:
// while now < until.
func (d *dedup) find(k dedupKey, now int64) (seq uint64, ok bool) {
	if d.n == 0 {
		return 0, false
	}
	t := d.table(k)
	i, ok := d.seek(t, k)
	if !ok {
		return 0, false
	}
	c, place := d.at(t.at[i])
	if c.base+int64(c.later[place]) <= now {
		return 0, false
	}
	return c.seqs[place], true
}

// add remembers seq under k until the time until. What was remembered under k
// is replaced, expired or not. An until earlier than that of the entry before is
// raised to it, so that entries expire in the order they came: who loads saved
// ones adds them sorted.
func (d *dedup) add(k dedupKey, seq uint64, until int64) {
	position := d.push(k, seq, until)
	if len(d.tables) == 0 {
		d.tables = append(d.tables, newTable(0))
	}
	t := d.table(k)
	if i, ok := d.seek(t, k); ok {
		t.at[i] = position // the older entry waits in the ring for its time
		return
	}
	d.insert(k, position)
	d.n++
	if d.n > len(d.tables)*tableEntries {
		d.split()
	}
}

// push appends an entry to the ring.
func (d *dedup) push(k dedupKey, seq uint64, until int64) (position uint32) {
	var c *chunk
	if d.first != d.end {
		until = max(until, d.latest)
		c, _ = d.at((d.end - 1) << placeBits)
		// As until >= c.base, their difference is right as an unsigned number.
		if c.used == chunkEntries || uint64(until-c.base) > math.MaxUint32 {
			c = nil
		}
	}
	if c == nil {
		if int(d.end-d.first) == len(d.ring) {
			d.resizeRing(max(minRing, 2*len(d.ring)))
		}
		c, d.spare = d.spare, nil
		if c == nil {
			c = new(chunk)
		}
		c.base, c.used = until, 0
		d.ring[d.end&uint32(len(d.ring)-1)] = c
		d.end++
	}
	place := c.used
	c.keys[place] = k
	c.seqs[place] = seq
	c.later[place] = uint32(until - c.base)
	c.used++
	d.latest = until
	return (d.end-1)<<placeBits | place
}

// resizeRing copies pointers only, one for 63 entries.
func (d *dedup) resizeRing(length int) {
	if length > maxRing {
		panic("fifo: internal error: too many deduplication entries")
	}
	ring := make([]*chunk, length)
	for n := d.first; n != d.end; n++ {
		ring[n&uint32(length-1)] = d.ring[n&uint32(len(d.ring)-1)]
	}
	d.ring = ring
}

// forget frees entries with until <= now, oldest first and budget of them at
// most, and reports whether there are more.
func (d *dedup) forget(now int64, budget int) (more bool) {
	for d.first != d.end {
		position := d.first<<placeBits | d.head
		c, place := d.at(position)
		if c.base+int64(c.later[place]) > now {
			return false
		}
		if budget <= 0 {
			return true
		}
		budget--
		d.remove(c.keys[place], position)
		d.head++
		if d.head == c.used {
			d.pop(c)
		}
	}
	return false
}

// pop takes c, the oldest chunk, out of the ring when all its entries are
// forgotten.
func (d *dedup) pop(c *chunk) {
	d.ring[d.first&uint32(len(d.ring)-1)] = nil
	d.spare = c
	d.first++
	d.head = 0
	switch live := int(d.end - d.first); {
	case live == 0:
		d.clear()
	case live <= len(d.ring)/4 && len(d.ring) > minRing:
		d.resizeRing(len(d.ring) / 2)
	}
}

// next returns a time before which no entry expires. ok is false if there is
// none. A replaced entry may be the one that is due: forget drops it too.
func (d *dedup) next() (until int64, ok bool) {
	if d.first == d.end {
		return 0, false
	}
	c, place := d.at(d.first<<placeBits | d.head)
	return c.base + int64(c.later[place]), true
}

// len returns the number of keys, including those that are expired and not yet
// forgotten.
func (d *dedup) len() int { return d.n }

// clear forgets everything, and all memory with it.
func (d *dedup) clear() { *d = dedup{} }

// A table is the part of the index for some of the keys: a hash table with
// linear probing, of any size. Whatever stands between an entry's home and its
// slot is occupied, so that a search may end at the first free slot.
type table struct {
	tags []uint8  // 0 if the slot is free, else 8 bits of the key: most foreign entries need no look at their chunk
	at   []uint32 // positions
	n    int      // occupied slots, at most 4/5 of all
}

const (
	tableEntries = 1024 // a table's share of the entries; it may have up to about twice as many
	minSlots     = 16
)

// newTable makes a table that n entries fill to two thirds.
func newTable(n int) table {
	slots := max(minSlots, n*3/2)
	return table{tags: make([]uint8, slots), at: make([]uint32, slots)}
}

// table returns the table that k belongs to. There must be one.
//
// Each table has a share of the low bits of the first half of keys: with 2^b
// tables, the number that b bits give. From then on table 0, 1, 2, ... is split
// in turn by bit b+1, its other half becoming the last table, until there are
// 2^(b+1) (linear hashing: Litwin, 1980). Shrinking is the same backwards.
func (d *dedup) table(k dedupKey) *table {
	n := uint64(len(d.tables))
	mask := uint64(1)<<bits.Len64(n-1) - 1
	i := k[0] & mask
	if i >= n {
		i &= mask >> 1 // the other half has not been split off yet
	}
	return &d.tables[i]
}

func tagOf(k dedupKey) uint8 { return max(1, uint8(k[0]>>56)) }

// home returns where the search for k begins: the second half of the key scaled
// to the number of slots.
func (t *table) home(k dedupKey) int {
	i, _ := bits.Mul64(k[1], uint64(len(t.tags)))
	return int(i)
}

// after returns the slot that follows slot i.
func (t *table) after(i int) int {
	if i++; i < len(t.tags) {
		return i
	}
	return 0
}

// seek returns the slot in which k is, or else the free slot where it would be.
func (d *dedup) seek(t *table, k dedupKey) (i int, ok bool) {
	tag := tagOf(k)
	for i = t.home(k); t.tags[i] != 0; i = t.after(i) {
		if t.tags[i] == tag && d.keyAt(t.at[i]) == k {
			return i, true
		}
	}
	return i, false
}

// insert puts an entry that is in the ring into the index. Its key must not be
// there.
func (d *dedup) insert(k dedupKey, position uint32) {
	t := d.table(k)
	if 5*(t.n+1) > 4*len(t.tags) {
		d.rebuild(t, len(t.tags)) // half as many slots again
	}
	i := t.home(k)
	for t.tags[i] != 0 {
		i = t.after(i)
	}
	t.tags[i], t.at[i] = tagOf(k), position
	t.n++
}

// rebuild gives t the size for n entries.
func (d *dedup) rebuild(t *table, n int) {
	old := *t
	*t = newTable(n)
	d.spread(old)
}

// spread inserts the entries of a table that is in the index no more.
//
// Their keys lie anywhere in memory. Reading some ahead in a loop that does
// nothing else lets the processor wait for several at a time: it halves the time.
func (d *dedup) spread(old table) {
	positions := old.at[:0]
	for i, tag := range old.tags {
		if tag != 0 {
			positions = append(positions, old.at[i])
		}
	}
	var keys [32]dedupKey
	for len(positions) > 0 {
		some := positions[:min(len(keys), len(positions))]
		for i, position := range some {
			keys[i] = d.keyAt(position)
		}
		for i, position := range some {
			d.insert(keys[i], position)
		}
		positions = positions[len(some):]
	}
}

// split adds a table, and with it the other half of an earlier one.
func (d *dedup) split() {
	n := len(d.tables)
	i := n &^ (1 << (bits.Len(uint(n)) - 1)) // n without its highest bit
	old := d.tables[i]
	d.tables[i] = newTable(old.n / 2)
	d.tables = append(d.tables, newTable(old.n/2))
	d.spread(old)
}

// merge undoes the latest split.
func (d *dedup) merge() {
	last := len(d.tables) - 1
	old := d.tables[last]
	d.tables[last] = table{}
	d.tables = d.tables[:last]
	d.spread(old)
}

// remove takes the entry out of the index, unless a newer one has replaced it
// there.
func (d *dedup) remove(k dedupKey, position uint32) {
	t := d.table(k)
	tag := tagOf(k)
	i := t.home(k)
	for t.tags[i] != tag || t.at[i] != position {
		if t.tags[i] == 0 {
			return
		}
		i = t.after(i)
	}
	// The hole at i must not cut off what follows from its home. So the next
	// entry whose home is at i or before moves into it, and leaves a hole in turn,
	// until a hole comes before a free slot: then nothing reaches across it.
	for j := t.after(i); t.tags[j] != 0; j = t.after(j) {
		if home := t.home(d.keyAt(t.at[j])); !within(home, i, j) {
			t.tags[i], t.at[i] = t.tags[j], t.at[j]
			i = j
		}
	}
	t.tags[i] = 0
	t.n--
	d.n--
	if 4*t.n < len(t.tags) && len(t.tags) > minSlots {
		d.rebuild(t, t.n)
	}
	if 4*d.n < len(d.tables)*tableEntries && len(d.tables) > 1 {
		d.merge()
	}
}

// within reports whether slot x comes after i and not after j, going round.
func within(x, i, j int) bool {
	if i < j {
		return i < x && x <= j
	}
	return i < x || x <= j
}
