package fifo

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var testSeed = [2]uint64{0x0123456789abcdef, 0xfedcba9876543210}

// numbered returns keys that look like those of keyOf.
func numbered(i int) dedupKey {
	return dedupKey{blend(uint64(i)*0xd6e8feb86659fd93 + 1), blend(uint64(i)*0xa3b195354a39b70d + 2)}
}

func TestDedupRemembersUntilTheTimeIsOver(t *testing.T) {
	var d dedup
	k := numbered(1)
	_, ok := d.find(k, 0)
	assert.False(t, ok, "found in the zero value")

	d.add(k, 7, 1000)
	seq, ok := d.find(k, 999)
	assert.True(t, ok, "lost before its time")
	assert.EqualValues(t, 7, seq)
	_, ok = d.find(k, 1000)
	assert.False(t, ok, "found at until")

	assert.False(t, d.forget(999, 10))
	assert.Equal(t, 1, d.len(), "forgotten before its time")
	assert.True(t, d.forget(1000, 0), "forget without budget tells that there is something to do")
	assert.Equal(t, 1, d.len())
	assert.False(t, d.forget(1000, 1))
	assert.Equal(t, dedup{}, d, "an empty one keeps nothing")
}

func TestDedupReplaces(t *testing.T) {
	var d dedup
	k := numbered(1)
	d.add(k, 1, 1000)
	d.add(k, 2, 2000)
	assert.Equal(t, 1, d.len())
	seq, ok := d.find(k, 1500)
	assert.True(t, ok)
	assert.EqualValues(t, 2, seq)

	assert.False(t, d.forget(1500, 10), "the older entry goes")
	seq, ok = d.find(k, 1500)
	assert.True(t, ok, "the newer entry went with the older")
	assert.EqualValues(t, 2, seq)
	until, ok := d.next()
	assert.True(t, ok)
	assert.EqualValues(t, 2000, until)
}

func TestDedupRaisesAnEarlierTime(t *testing.T) {
	var d dedup
	d.add(numbered(1), 1, 2000)
	d.add(numbered(2), 2, 1000)
	_, ok := d.find(numbered(2), 1999)
	assert.True(t, ok)
	_, ok = d.find(numbered(2), 2000)
	assert.False(t, ok)

	d.clear()
	d.add(numbered(3), 3, 1000)
	_, ok = d.find(numbered(3), 1000)
	assert.False(t, ok, "raised to the time of an entry that is gone")
}

// Times within a chunk are kept as 32-bit differences.
func TestDedupKeepsTimesFarApart(t *testing.T) {
	var d dedup
	times := []int64{math.MinInt64, -1, 0, 5, math.MaxUint32 + 5, math.MaxUint32 + 6, 1 << 50, math.MaxInt64}
	for i, until := range times {
		d.add(numbered(i), uint64(i), until)
	}
	d.check(t)
	for i, until := range times {
		_, ok := d.find(numbered(i), until)
		assert.False(t, ok, "found at %d", until)
		if until > math.MinInt64 {
			seq, ok := d.find(numbered(i), until-1)
			assert.True(t, ok, "lost before %d", until)
			assert.EqualValues(t, i, seq)
		}
		next, ok := d.next()
		assert.True(t, ok)
		assert.Equal(t, until, next)
		d.forget(until, 1)
	}
	assert.Zero(t, d.len())
}

func TestDedupForgetsNoMoreThanItsBudget(t *testing.T) {
	var d dedup
	const n = 1000
	for i := range n {
		d.add(numbered(i), 0, int64(i/100))
	}
	assert.True(t, d.forget(4, 30))
	assert.Equal(t, n-30, d.len())
	assert.False(t, d.forget(4, 470), "nothing is left for another call")
	assert.Equal(t, n-500, d.len())
	until, ok := d.next()
	assert.True(t, ok)
	assert.EqualValues(t, 5, until)
}

// Positions have 32 bits and begin again with the chunk numbers.
func TestDedupOutlivesItsChunkNumbers(t *testing.T) {
	for _, start := range []uint32{1<<26 - 3, math.MaxUint32 - 2} {
		d := dedup{first: start, end: start}
		const n = 1000
		for i := range n {
			d.add(numbered(i), uint64(i), int64(i))
		}
		d.check(t)
		for i := range n {
			seq, ok := d.find(numbered(i), -1)
			require.True(t, ok)
			require.EqualValues(t, i, seq)
			d.forget(int64(i), 1)
		}
		assert.Zero(t, d.len())
	}
}

// A modelEntry is what the model of a dedup, a map, holds for a key. Expired or
// forgotten is the same to find, so the model forgets when it likes.
type modelEntry struct {
	seq   uint64
	until int64
}

// FuzzDedup drives a dedup and a map with the same actions, decoded from the
// input, and compares them.
func FuzzDedup(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0, 1, 0, 0, 3, 200, 4, 9})
	rng := rand.New(rand.NewPCG(3, 4))
	for size := 64; size <= 4096; size *= 4 {
		f.Add(randomBytes(rng, size))
	}
	f.Fuzz(runDedupModel)
}

// TestDedupAgainstModel is a fixed dose of FuzzDedup for every test run.
func TestDedupAgainstModel(t *testing.T) {
	for seed := range uint64(10) {
		runDedupModel(t, randomBytes(rand.New(rand.NewPCG(seed, 0)), 2000))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func randomBytes(rng *rand.Rand, size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func runDedupModel(t *testing.T, input []byte) {
	var d dedup
	model := map[dedupKey]modelEntry{}
	var now, latest int64
	var seq uint64
	read := func() (b byte) {
		if len(input) > 0 {
			b, input = input[0], input[1:]
		}
		return b
	}
	// Few keys, so that they come again, and some that are alike: their homes are
	// at the beginning or at the end of a table, where probing goes round.
	key := func() dedupKey {
		switch a, b := read(), read(); a % 4 {
		case 0:
			return dedupKey{uint64(b), 0}
		case 1:
			return dedupKey{uint64(b), math.MaxUint64}
		default:
			return numbered(int(a)<<8 | int(b))
		}
	}
	add := func(k dedupKey, until int64) {
		if d.len() > 0 {
			until = max(until, latest)
		}
		latest = until
		seq++
		model[k] = modelEntry{seq, until}
	}
	compare := func(k dedupKey, now int64) {
		e, ok := model[k]
		ok = ok && now < e.until
		got, found := d.find(k, now)
		if found != ok || found && got != e.seq {
			t.Fatalf("find(%x, %d) = %d, %t; want %d, %t", k, now, got, found, e.seq, ok)
		}
	}
	for len(input) > 0 {
		switch action := read() % 16; {
		case action < 6:
			k, until := key(), now+int64(read())
			add(k, until)
			d.add(k, seq, latest)
			compare(k, latest-1)
			compare(k, latest)
		case action < 7: // many at once, so that tables split
			first := int(binary.LittleEndian.Uint16([]byte{read(), read()}))
			for i := range 8 * int(read()) {
				k := numbered(first + i)
				add(k, now+300)
				d.add(k, seq, now+300)
			}
			d.check(t)
		case action < 10:
			compare(key(), now)
		case action < 12:
			now += int64(read())
		case action < 15:
			budget := 8 * int(read())
			before := d.len()
			more := d.forget(now, budget)
			if before-d.len() > budget {
				t.Fatalf("forget with a budget of %d freed %d", budget, before-d.len())
			}
			until, ok := d.next()
			if more != (ok && until <= now) {
				t.Fatalf("forget(%d) = %t, and next is %d, %t", now, more, until, ok)
			}
			if more {
				break
			}
			maps.DeleteFunc(model, func(_ dedupKey, e modelEntry) bool { return e.until <= now })
			if d.len() != len(model) {
				t.Fatalf("forget(%d) left %d of %d", now, d.len(), len(model))
			}
			d.check(t)
		case read() < 16:
			d.clear()
			clear(model)
		}
	}

	d.check(t)
	for k := range model {
		compare(k, now)
	}
	now = max(now, latest)
	d.forget(now, math.MaxInt)
	if d.len() != 0 || len(d.ring) != 0 || len(d.tables) != 0 {
		t.Fatalf("after forgetting everything: %+v", d)
	}
}

// check fails the test if an invariant of d does not hold.
func (d *dedup) check(t *testing.T) {
	t.Helper()
	indexed := map[uint32]bool{}
	for n := range d.tables {
		table := &d.tables[n]
		occupied := 0
		for i, tag := range table.tags {
			if tag == 0 {
				continue
			}
			occupied++
			k := d.keyAt(table.at[i])
			if d.table(k) != table {
				t.Fatalf("key %x is in table %d, where it does not belong", k, n)
			}
			if found, ok := d.seek(table, k); !ok || found != i {
				t.Fatalf("key %x in slot %d is cut off from its home, or in the index twice", k, i)
			}
			indexed[table.at[i]] = true
		}
		if occupied != table.n || 5*occupied > 4*len(table.tags) {
			t.Fatalf("of %d slots %d are occupied, %d expected", len(table.tags), occupied, table.n)
		}
	}
	if d.n > len(d.tables)*tableEntries {
		t.Fatalf("%d entries in %d tables: one call may move too many", d.n, len(d.tables))
	}
	if len(indexed) != d.n {
		t.Fatalf("the index has %d entries, %d expected", len(indexed), d.n)
	}

	var last int64 = math.MinInt64
	for n := d.first; n != d.end; n++ {
		c, place := d.at(n << placeBits)
		if n == d.first {
			place = d.head
		}
		if place >= c.used {
			t.Fatalf("chunk %d has no entry left", n)
		}
		for ; place < c.used; place++ {
			until := c.base + int64(c.later[place])
			if until < last {
				t.Fatalf("an entry until %d follows one until %d", until, last)
			}
			last = until
			delete(indexed, n<<placeBits|place)
		}
	}
	if len(indexed) > 0 {
		t.Fatalf("the index has %d entries that the ring has not", len(indexed))
	}
	if (d.first == d.end) != (d.n == 0) {
		t.Fatalf("%d entries in the index, and chunks %d to %d", d.n, d.first, d.end)
	}
}

// Every size on the way counts, not only a lucky one.
func TestDedupMemory(t *testing.T) {
	start := heap()
	d := new(dedup)
	sum, samples, most := 0.0, 0, 0.0
	const n = 1_000_000
	for i := range n {
		d.add(numbered(i), uint64(i), int64(i))
		if i+1 >= n/2 && (i+1)%(n/40) == 0 {
			each := float64(heap()-start) / float64(d.len())
			sum, samples, most = sum+each, samples+1, max(most, each)
		}
	}
	t.Logf("%.1f bytes an entry on average, %.1f at most", sum/float64(samples), most)
	assert.LessOrEqual(t, most, 40.0)

	d.forget(n-1001, n)
	require.Equal(t, 1000, d.len())
	left := float64(heap()-start) / 1000
	t.Logf("%.1f bytes an entry with a thousandth left", left)
	assert.LessOrEqual(t, left, 150.0, "memory is freed with the entries, not only with the last")

	d.forget(n, n)
	assert.LessOrEqual(t, heap()-start, int64(16<<10))
	runtime.KeepAlive(d)
}

// heap returns the bytes in reachable objects.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestDedupOfFewEntriesIsSmall(t *testing.T) {
	const n = 100
	start := heap()
	ds := make([]dedup, n)
	for i := range ds {
		ds[i].add(numbered(i), 1, 1)
	}
	assert.LessOrEqual(t, (heap()-start)/n, int64(3<<10))
	runtime.KeepAlive(ds)
}

func TestDedupAllocations(t *testing.T) {
	var d dedup
	for i := range 10_000 {
		d.add(numbered(i), uint64(i), int64(i))
	}
	group, id := strings.Repeat("g", 20), strings.Repeat("d", 20)
	assert.Zero(t, testing.AllocsPerRun(100, func() { keyOf(testSeed, group, id) }), "keyOf")
	i := 0
	assert.Zero(t, testing.AllocsPerRun(100, func() { i++; d.find(numbered(i), 0) }), "find, present")
	assert.Zero(t, testing.AllocsPerRun(100, func() { i++; d.find(numbered(-i), 0) }), "find, absent")
	i = 10_000
	for range 64 {
		d.forget(int64(i-10_000), 1)
		d.add(numbered(i), 0, int64(i))
		i++
	}
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		d.forget(int64(i-10_000), 1)
		d.add(numbered(i), 0, int64(i))
		i++
	}), "forget and add under steady load")
}

// Stores keep keys: after an update of the library, an ID must have the key it
// had before.
func TestDedupKeysStayTheSame(t *testing.T) {
	for _, c := range []struct {
		group, id string
		want      dedupKey
	}{
		{"", "", dedupKey{0x968392ee4223354f, 0xfd272ff86662bcec}},
		{"", "a", dedupKey{0xa657c9eec6f13dc3, 0x15b9be6bf64bd50e}},
		{"", "order-000001", dedupKey{0x3bfd58d968183cd, 0x4c745bc8ad3c52e}},
		{"customer-4711", "order-000001", dedupKey{0x4204a53ae91da7b3, 0xa387d2a1703d3629}},
		{"", strings.Repeat("0123456789abcdef", 8), dedupKey{0xe13e6d0bb9b57298, 0xc4760a9ffe22edca}},
	} {
		got := keyOf(testSeed, c.group, c.id)
		assert.Equal(t, c.want, got, "keyOf(%q, %q) = {%#x, %#x}", c.group, c.id, got[0], got[1])
	}
	assert.NotEqual(t, keyOf(testSeed, "", "a"), keyOf([2]uint64{testSeed[0] + 1, testSeed[1]}, "", "a"))
	assert.NotEqual(t, keyOf(testSeed, "", "a"), keyOf([2]uint64{testSeed[0], testSeed[1] + 1}, "", "a"))
}

// All splits of strings into group and id, of all lengths around those that are
// read in one piece, and strings that differ in one byte or in zeros at the end.
func TestDedupKeysDiffer(t *testing.T) {
	type input struct{ group, id string }
	seen := map[dedupKey]input{}
	try := func(group, id string) {
		k := keyOf(testSeed, group, id)
		if old, ok := seen[k]; ok && old != (input{group, id}) {
			t.Errorf("%q and %q have one key", old, input{group, id})
		}
		seen[k] = input{group, id}
	}
	assert.NotEqual(t, keyOf(testSeed, "ab", "c"), keyOf(testSeed, "a", "bc"))
	for _, s := range []string{strings.Repeat("a", 40), strings.Repeat("\x00", 40), "order-000001/eu-central-1/customer-4711"} {
		for n := range len(s) {
			for at := range n + 1 {
				try(s[:at], s[at:n])
			}
			for at := range n {
				for bit := range 8 {
					b := []byte(s[:n])
					b[at] ^= 1 << bit
					try("", string(b))
					try(string(b), "x")
				}
			}
		}
	}
}

// Every byte must count in both lanes, which the whole key would not show.
func TestDedupKeyLanesDependOnEveryByte(t *testing.T) {
	for n := range 130 {
		b := make([]byte, n)
		was := keyOf(testSeed, "", string(b))
		for at := range b {
			b[at] = 1
			is := keyOf(testSeed, "", string(b))
			assert.False(t, was[0] == is[0] || was[1] == is[1], "byte %d of %d", at, n)
			b[at] = 0
		}
	}
}

func TestDedupKeysOfSimilarIDs(t *testing.T) {
	const n = 1_000_000
	halves := [2]map[uint64]bool{make(map[uint64]bool, n), make(map[uint64]bool, n)}
	var low, high, tags [256]int
	for i := range n {
		k := keyOf(testSeed, "", fmt.Sprintf("order-%06d", i))
		halves[0][k[0]], halves[1][k[1]] = true, true
		low[k[0]&0xff]++ // chooses the table
		tags[k[0]>>56]++ // tells entries apart
		high[k[1]>>56]++ // gives the home
	}
	assert.Len(t, halves[0], n, "collisions of the first half")
	assert.Len(t, halves[1], n, "collisions of the second half")
	for name, counts := range map[string][256]int{"low": low, "tags": tags, "high": high} {
		for value, count := range counts {
			assert.InDelta(t, n/256, count, n/256/5, "%s bits %#x", name, value)
		}
	}
}

func BenchmarkDedupKeyOf(b *testing.B) {
	for _, c := range []struct{ group, id string }{
		{"", "order-000001"},
		{"customer-4711", "order-000001"},
		{"", strings.Repeat("0123456789abcdef", 4)}, // a SHA-256 in hex, as content deduplication makes
		{"", strings.Repeat("x", 128)},
	} {
		b.Run(fmt.Sprintf("group=%d/id=%d", len(c.group), len(c.id)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				keyOf(testSeed, c.group, c.id)
			}
		})
	}
}

func BenchmarkDedupFind(b *testing.B) {
	for _, n := range []int{1000, 1_000_000} {
		var d dedup
		for i := range n {
			d.add(numbered(i), uint64(i), 1)
		}
		for _, absent := range []int{0, 1} {
			b.Run(fmt.Sprintf("entries=%d/absent=%d", n, absent), func(b *testing.B) {
				b.ReportAllocs()
				rng := rand.New(rand.NewPCG(1, 2))
				for b.Loop() {
					d.find(numbered(rng.IntN(n)+absent*n), 0)
				}
			})
		}
	}
}

// BenchmarkDedupSteady finds nothing, adds and forgets one, as a queue does for
// each message, with a standing population.
func BenchmarkDedupSteady(b *testing.B) {
	for _, n := range []int{1000, 1_000_000} {
		b.Run(fmt.Sprintf("entries=%d", n), func(b *testing.B) {
			var d dedup
			for i := range n {
				d.add(numbered(i), uint64(i), int64(i))
			}
			b.ReportAllocs()
			for i := n; b.Loop(); i++ {
				k := numbered(i)
				d.find(k, int64(i-n))
				d.add(k, uint64(i), int64(i))
				d.forget(int64(i-n), 2)
			}
		})
	}
}

// BenchmarkDedupGrow adds b.N entries and tells the longest add, which includes
// what the collector and the operating system take meanwhile. For ten million:
//
//	go test -run '^$' -bench DedupGrow -benchtime 10000000x ./fifo
func BenchmarkDedupGrow(b *testing.B) {
	var d dedup
	var longest time.Duration
	b.ReportAllocs()
	b.ResetTimer()
	last := time.Now()
	for i := range b.N {
		d.add(numbered(i), uint64(i), int64(i))
		now := time.Now()
		longest = max(longest, now.Sub(last))
		last = now
	}
	b.ReportMetric(float64(longest.Nanoseconds()), "longest-ns")
}
