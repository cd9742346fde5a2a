package visibility

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// epoch is a time as callers use them: milliseconds since 1970.
const epoch int64 = 1_767_225_600_000

// check fails the test if the wheel is inconsistent.
func check(t *testing.T, w *Wheel) {
	t.Helper()
	if err := w.Check(); err != nil {
		t.Fatal(err)
	}
}

// advance returns everything due at now, asking for at most size values a call.
func advance(t *testing.T, w *Wheel, now int64, size int) []uint64 {
	t.Helper()
	var all []uint64
	due := make([]uint64, size)
	for {
		n, more := w.Advance(now, due)
		check(t, w)
		all = append(all, due[:n]...)
		if !more {
			return all
		}
	}
}

func wantDue(t *testing.T, w *Wheel, now int64, want ...uint64) {
	t.Helper()
	if got := advance(t, w, now, 16); !slices.Equal(got, want) {
		t.Errorf("Advance(%d) returned %v, want %v", now, got, want)
	}
}

func mustPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if s, _ := recover().(string); !strings.HasPrefix(s, "visibility: internal error: ") {
			t.Errorf("%s: panic %q, want an internal error", what, s)
		}
	}()
	f()
}

func TestZeroValue(t *testing.T) {
	var w Wheel
	check(t, &w)
	if n := w.Len(); n != 0 {
		t.Errorf("Len = %d, want 0", n)
	}
	if d, ok := w.Next(); ok {
		t.Errorf("Next = %d, true; want false", d)
	}
	wantDue(t, &w, 0)
	wantDue(t, &w, epoch)
	if size := reflect.TypeFor[Wheel]().Size(); size > 192 {
		t.Errorf("an unused Wheel takes %d bytes; thousands of idle queues embed one", size)
	}
	if n := testing.AllocsPerRun(10, func() { new(Wheel).Advance(epoch, nil) }); n > 1 {
		t.Errorf("Advance of an unused Wheel allocates")
	}
}

func TestNeverEarlyNeverLate(t *testing.T) {
	// Distances on both sides of every level's span.
	var distances []int64
	for l := range levels {
		span := int64(1) << (l * digitBits)
		distances = append(distances, span-1, span, span+1, 37*span+11)
	}
	for _, start := range []int64{0, 63, 4095, epoch, epoch | 1<<36 - 1} {
		for _, distance := range distances {
			deadline := start + distance
			if distance < 0 || deadline < start {
				continue
			}
			var w Wheel
			w.Advance(start, nil)
			h := w.Schedule(deadline, 7)
			check(t, &w)
			if got := w.Deadline(h); got != deadline {
				t.Errorf("Deadline = %d, want %d", got, deadline)
			}
			if deadline > start {
				wantDue(t, &w, deadline-1)
			}
			wantDue(t, &w, deadline, 7)
		}
	}
}

func TestFarthestDeadline(t *testing.T) {
	var w Wheel
	w.Schedule(math.MaxInt64, 2)
	w.Schedule(math.MaxInt64-1, 1)
	wantDue(t, &w, epoch)
	w.Schedule(math.MaxInt64, 3)
	wantDue(t, &w, math.MaxInt64-1, 1)
	wantDue(t, &w, math.MaxInt64, 2, 3)
	w.Schedule(0, 4) // the end of time is no special case
	wantDue(t, &w, math.MaxInt64, 4)
}

func TestOrderOfEqualDeadlines(t *testing.T) {
	// Entries of one deadline are scheduled while it is ever nearer, so that
	// they start on different levels and meet by cascading.
	var w Wheel
	var want []uint64
	const deadline = epoch + 1<<30 + 12345
	for value := uint64(0); value < 300; value++ {
		left := int64(deadline) - w.now
		w.Schedule(deadline, value)
		w.Schedule(deadline+1+int64(value%3), 1000+value) // neighbours in the same upper slots
		want = append(want, value)
		wantDue(t, &w, w.now+left/8)
	}
	if w.now < deadline-8 {
		t.Fatalf("time %d hasn't come near the deadline %d", w.now, int64(deadline))
	}
	wantDue(t, &w, deadline, want...)
}

func TestRescheduleGoesBehind(t *testing.T) {
	var w Wheel
	a := w.Schedule(epoch, 1)
	w.Schedule(epoch, 2)
	w.Reschedule(a, epoch)
	c := w.Schedule(epoch+5000, 3)
	w.Reschedule(c, epoch-1)
	if d, v := w.Deadline(c), w.Value(c); d != epoch-1 || v != 3 {
		t.Errorf("Deadline, Value = %d, %d after Reschedule; want %d, 3", d, v, epoch-1)
	}
	check(t, &w)
	wantDue(t, &w, epoch, 3, 2, 1)
}

func TestPastDeadlinesAreDueNow(t *testing.T) {
	var w Wheel
	wantDue(t, &w, epoch)
	h := w.Schedule(epoch-500, 1)
	w.Schedule(-1, 2)
	w.Schedule(epoch, 3)
	w.Schedule(epoch-1000, 4)
	w.Schedule(epoch+1, 5)
	if d := w.Deadline(h); d != epoch {
		t.Errorf("Deadline = %d, want it raised to the wheel's time %d", d, epoch)
	}
	if d, ok := w.Next(); d != epoch || !ok {
		t.Errorf("Next = %d, %t; want %d, true", d, ok, epoch)
	}
	wantDue(t, &w, epoch-1) // time doesn't go backwards, and nothing was due then
	wantDue(t, &w, epoch, 1, 2, 3, 4)
	wantDue(t, &w, epoch+1, 5)
}

func TestScheduleBetweenSlices(t *testing.T) {
	var w Wheel
	for v := range uint64(4) {
		w.Schedule(epoch, v)
		w.Schedule(epoch+10, 10+v)
	}
	due := make([]uint64, 2)
	n, more := 0, true
	for n == 0 && more { // the first calls may only move entries down
		n, more = w.Advance(epoch+100, due)
	}
	if n != 2 || !more || !slices.Equal(due, []uint64{0, 1}) {
		t.Fatalf("Advance = %d, %t with %v", n, more, due)
	}
	w.Schedule(epoch+10, 14)
	w.Schedule(epoch+5, 5)
	w.Schedule(epoch-5, 4) // counts as epoch, behind those that wait there
	w.Schedule(epoch+101, 99)
	wantDue(t, &w, epoch+100, 2, 3, 4, 5, 10, 11, 12, 13, 14)
	wantDue(t, &w, epoch+101, 99)
}

// While a slot cascades over several calls, its older entries are still above
// and its first ones below. New entries must not overtake.
func TestScheduleDuringCascade(t *testing.T) {
	var w Wheel
	const base = int64(1 << 24) // a slot of level 4, seen from 0
	var want, later []uint64
	for v := range uint64(1000) {
		w.Schedule(base+7, v)
		want = append(want, v)
	}
	for i := 0; ; i++ {
		n, more := w.advance(base+7, nil, 10)
		check(t, &w)
		if n != 0 || !more {
			t.Fatalf("advance = %d, %t with an empty slice", n, more)
		}
		if w.cascading == 0 {
			break // all below, and the first of them due
		}
		want = append(want, 2000+uint64(i))
		w.Schedule(base+7, 2000+uint64(i))
		later = append(later, 4000+uint64(i))
		h := w.Schedule(base+7, 4000+uint64(i))
		w.Reschedule(h, base+8)
		w.Cancel(w.Schedule(base, 0))
		check(t, &w)
	}
	wantDue(t, &w, base+7, want...)
	wantDue(t, &w, base+8, later...)
}

func TestCancelDuringCascade(t *testing.T) {
	var w Wheel
	const base = int64(1 << 18)
	var handles []Handle
	for v := range uint64(100) {
		handles = append(handles, w.Schedule(base+int64(v), v))
	}
	w.advance(base, nil, 40)
	if w.cascading == 0 {
		t.Fatal("the cascade is over too soon for this test")
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(handles), func(i, j int) {
		handles[i], handles[j] = handles[j], handles[i]
	})
	for _, h := range handles {
		w.Cancel(h)
		check(t, &w)
	}
	w.Schedule(base+1, 1)
	check(t, &w)
	wantDue(t, &w, base+1, 1)
}

// Advance must not hold its caller's lock for long, however many entries are
// to be moved or returned.
func TestAdvanceIsBounded(t *testing.T) {
	var w Wheel
	const count, span = 100_000, 1 << 24
	rng := rand.New(rand.NewPCG(3, 4))
	for v := range uint64(count) {
		w.Schedule(epoch+rng.Int64N(span), v)
	}
	waiting := func() int { // entries still above level 0, weighted by level: each move lowers it
		sum := 0
		for l := range uint(levels) {
			if w.level[l] == nil {
				continue
			}
			for s := range uint(slotCount) {
				if w.level[l].occupied>>s&1 != 0 {
					n, err := w.checkList(place(l*slotCount+s), count)
					if err != nil {
						t.Fatal(err)
					}
					sum += n * int(l)
				}
			}
		}
		return sum
	}
	due := make([]uint64, 256)
	limit := (2*len(due) + moveSlack) * levels
	returned, before := 0, waiting()
	for calls := 0; ; calls++ {
		n, more := w.Advance(epoch+span, due)
		returned += n
		if calls < 100 || calls%50 == 0 {
			after := waiting()
			if calls < 100 && before-after > limit {
				t.Fatalf("call %d lowered entries by %d levels in total, want at most %d", calls, before-after, limit)
			}
			before = after
		}
		if !more {
			break
		}
		if calls > count {
			t.Fatal("Advance makes no progress")
		}
	}
	if returned != count {
		t.Errorf("%d entries returned, want %d", returned, count)
	}
}

func TestNextLeadsToEachDeadline(t *testing.T) {
	var w Wheel
	wantDue(t, &w, epoch)
	rng := rand.New(rand.NewPCG(5, 6))
	var deadlines []int64
	for range 500 {
		d := epoch + rng.Int64N(1<<rng.IntN(50))
		deadlines = append(deadlines, d)
		w.Schedule(d, uint64(d))
	}
	slices.Sort(deadlines)
	due := make([]uint64, 1)
	for vain := 0; w.Len() > 0; {
		next, ok := w.Next()
		if !ok || next > deadlines[0] {
			t.Fatalf("Next = %d, %t; the earliest deadline is %d", next, ok, deadlines[0])
		}
		if next/slotCount == deadlines[0]/slotCount && w.now/slotCount == next/slotCount &&
			w.cascading == 0 && next != deadlines[0] {
			t.Fatalf("Next = %d, want exactly %d at time %d", next, deadlines[0], w.now)
		}
		n, _ := w.Advance(next, due)
		check(t, &w)
		if n == 0 {
			// Several calls may be needed for one crowded slot; ten slots at
			// most lie above an entry.
			if vain++; vain > (levels-1)*(1+500/(moveSlack+1)) {
				t.Fatalf("%d calls in vain", vain)
			}
			continue
		}
		vain = 0
		if int64(due[0]) != next || next != deadlines[0] {
			t.Fatalf("Advance(%d) returned deadline %d, want %d", next, due[0], deadlines[0])
		}
		deadlines = deadlines[1:]
	}
}

func TestLongEmptySpans(t *testing.T) {
	var w Wheel
	now := int64(0)
	for v := range uint64(100_000) { // stepping ticks would take for ever
		deadline := now + 1<<44
		w.Schedule(deadline, v)
		if n, more := w.Advance(deadline-1, nil); n != 0 || more {
			t.Fatalf("Advance = %d, %t before the deadline", n, more)
		}
		due := make([]uint64, 1)
		if n, more := w.Advance(deadline, due); n != 1 || more || due[0] != v {
			t.Fatalf("Advance = %d, %t with %v at the deadline", n, more, due)
		}
		now = deadline
	}
}

func TestInvalidHandles(t *testing.T) {
	var w Wheel
	mustPanic(t, "Cancel(0) of an unused wheel", func() { w.Cancel(0) })
	a, b, c := w.Schedule(1, 1), w.Schedule(2, 2), w.Schedule(3, 3)
	if a == 0 || b == 0 || c == 0 {
		t.Error("Schedule returned the handle 0")
	}
	w.Cancel(a)
	w.Advance(2, make([]uint64, 1))
	for _, h := range []Handle{0, a, b, 1000, math.MaxUint32} {
		mustPanic(t, "Cancel", func() { w.Cancel(h) })
		mustPanic(t, "Reschedule", func() { w.Reschedule(h, 9) })
		mustPanic(t, "Deadline", func() { w.Deadline(h) })
		mustPanic(t, "Value", func() { w.Value(h) })
	}
	check(t, &w)
	w.Cancel(c)
	mustPanic(t, "Cancel of an empty wheel's last entry", func() { w.Cancel(c) })
	check(t, &w)
}

func TestMemoryIsReleased(t *testing.T) {
	var w Wheel
	var handles []Handle
	for round := range 3 {
		handles = handles[:0]
		for v := range uint64(20_000) {
			handles = append(handles, w.Schedule(epoch+int64(v), v))
		}
		for i, h := range handles {
			if w.Value(h) != uint64(i) {
				t.Fatalf("entry %d has value %d", i, w.Value(h))
			}
		}
		check(t, &w)
		if round == 0 {
			advance(t, &w, epoch+20_000, 5000)
		} else {
			for _, h := range handles {
				w.Cancel(h)
			}
		}
		check(t, &w)
		if cap(w.chunks) > keepChunks {
			t.Errorf("an empty wheel keeps %d chunks of nodes, in an array for %d", len(w.chunks), cap(w.chunks))
		}
	}
}

func TestNoAllocations(t *testing.T) {
	var w Wheel
	now := int64(epoch)
	due := make([]uint64, 256)
	standing := make([]Handle, 5000)
	for i := range standing {
		standing[i] = w.Schedule(now+30_000+int64(i), 0)
	}
	i := 0
	round := func() {
		now++
		w.Advance(now, due)
		w.Cancel(w.Schedule(now+30_000, 1))
		w.Reschedule(standing[i%len(standing)], now+43_200_000)
		w.Schedule(now+1, 2)
		i++
	}
	for range 100_000 { // let every level in use come into being
		round()
	}
	if n := testing.AllocsPerRun(10_000, round); n != 0 {
		t.Errorf("%v allocations per Advance, Schedule, Cancel and Reschedule, want 0", n)
	}
}

// Check is what other tests rely on, so it must see what is broken.
func TestCheckSeesDamage(t *testing.T) {
	damages := map[string]func(w *Wheel, h Handle){
		"count":     func(w *Wheel, h Handle) { w.count++ },
		"bit":       func(w *Wheel, h Handle) { w.level[w.place(w.Deadline(h)).level()].occupied = 0 },
		"extra bit": func(w *Wheel, h Handle) { w.occupied |= 1 << 9 },
		"deadline":  func(w *Wheel, h Handle) { w.get(h).deadline += 1 << 20 },
		"past":      func(w *Wheel, h Handle) { w.get(h).deadline = w.now - 1 },
		"next":      func(w *Wheel, h Handle) { w.get(h).next = uint32(h) },
		"prev":      func(w *Wheel, h Handle) { w.get(h).prev = uint32(h) },
		"tail":      func(w *Wheel, h Handle) { w.list(uint32(w.place(w.Deadline(h))) | listEnd).tail = 1 },
		"time":      func(w *Wheel, h Handle) { w.now += 1 << 40 },
		"cascading": func(w *Wheel, h Handle) { w.cascading = 5 * slotCount },
		"free list": func(w *Wheel, h Handle) { w.free = uint32(h) },
		"leak":      func(w *Wheel, h Handle) { w.free = 0 },
		"size":      func(w *Wheel, h Handle) { w.used = 1 << 20 },
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			var w Wheel
			wantDue(t, &w, epoch)
			for v := range uint64(10) {
				w.Schedule(epoch+1000, v)
			}
			h := w.Schedule(epoch+1000, 10)
			w.Schedule(epoch+1000, 11)
			w.Cancel(w.Schedule(epoch, 12))
			check(t, &w)
			damage(&w, h)
			if w.Check() == nil {
				t.Error("Check found nothing")
			}
		})
	}
}
