package visibility

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// FuzzWheel drives a wheel and a model with the same actions, decoded from the
// input, and compares them after each.
func FuzzWheel(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 5, 1, 0, 5, 1, 4, 5, 0, 3, 6, 9})
	rng := rand.New(rand.NewPCG(7, 8))
	for size := 64; size <= 4096; size *= 4 {
		f.Add(randomBytes(rng, size))
	}
	f.Fuzz(runModel)
}

// TestWheelAgainstModel is a fixed dose of FuzzWheel for every test run.
func TestWheelAgainstModel(t *testing.T) {
	for seed := range uint64(200) {
		runModel(t, randomBytes(rand.New(rand.NewPCG(seed, 0)), 1500))
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

// An entry of the model: what the wheel should know about one handle.
type entry struct {
	deadline int64
	value    uint64
	handle   Handle
}

// A model is the obviously correct wheel: a slice sorted by deadline, entries
// of equal deadline in scheduling order.
type model struct {
	entries []entry
	now     int64 // the wheel's time, which the documentation leaves open only within an incomplete Advance
}

func (m *model) insert(e entry) {
	e.deadline = max(e.deadline, m.now)
	i := len(m.entries)
	for i > 0 && m.entries[i-1].deadline > e.deadline {
		i--
	}
	m.entries = slices.Insert(m.entries, i, e)
}

func (m *model) remove(i int) entry {
	e := m.entries[i]
	m.entries = slices.Delete(m.entries, i, i+1)
	return e
}

// due returns how many entries have a deadline not after now.
func (m *model) due(now int64) int {
	n := 0
	for n < len(m.entries) && m.entries[n].deadline <= now {
		n++
	}
	return n
}

func runModel(t *testing.T, input []byte) {
	var w Wheel
	var m model
	var clock int64 // the caller's clock, ahead of or behind the wheel's time
	var values uint64

	next := func() int {
		if len(input) == 0 {
			return 0
		}
		b := input[0]
		input = input[1:]
		return int(b)
	}
	// distance is small or large, with low digits often zero or all ones, where
	// the boundaries of slots are.
	distance := func() int64 {
		d := int64(next()) << (next() % 54)
		switch next() % 4 {
		case 0:
			d--
		case 1:
			d += int64(next())
		}
		return d
	}
	schedule := func(deadline int64) {
		if len(m.entries) == 200 { // the model compares all entries after each action
			return
		}
		values++
		h := w.Schedule(deadline, values)
		for _, e := range m.entries {
			if e.handle == h {
				t.Fatalf("Schedule returned handle %d, which is in use", h)
			}
		}
		m.insert(entry{deadline, values, h})
	}
	// advance does one call and reports whether there is more.
	advance := func(now int64, size, moves int) bool {
		due := make([]uint64, size)
		n, more := w.advance(now, due, moves)
		if now < m.now {
			if n != 0 || more || w.now != m.now {
				t.Fatalf("Advance to %d, before %d: %d, %t, time %d", now, m.now, n, more, w.now)
			}
			return false
		}
		if all := m.due(now); n > all || !more && n != all || n == all && size > n && moves > 10_000 && more {
			t.Fatalf("Advance(%d) = %d, %t; %d are due", now, n, more, all)
		}
		for i, v := range due[:n] {
			if e := m.entries[i]; e.value != v {
				t.Fatalf("Advance(%d) returned value %d as number %d, want %d with deadline %d", now, v, i, e.value, e.deadline)
			}
		}
		lower, upper := m.now, now
		if n > 0 {
			lower = m.entries[n-1].deadline
		}
		m.entries = slices.Delete(m.entries, 0, n)
		if len(m.entries) > 0 {
			upper = min(upper, m.entries[0].deadline)
		}
		if w.now < lower || w.now > upper || !more && w.now != now {
			t.Fatalf("time %d after Advance(%d), more = %t, want it within %d and %d", w.now, now, more, lower, upper)
		}
		m.now = w.now
		return more
	}

	if len(input) > 4096 {
		input = input[:4096]
	}
	for len(input) > 0 {
		switch action := next() % 12; action {
		case 0, 1:
			schedule(clock + distance())
		case 2: // a crowd in one upper slot, so that cascades take several calls
			deadline := clock + distance()
			for i := range next() % 64 {
				schedule(deadline + int64(i%3))
			}
		case 3: // in the past, or where something stands already
			if deadline := clock - distance(); len(m.entries) == 0 || next()%2 == 0 {
				schedule(deadline)
			} else {
				schedule(m.entries[next()%len(m.entries)].deadline)
			}
		case 4, 5:
			if len(m.entries) > 0 {
				w.Cancel(m.remove(next() % len(m.entries)).handle)
			}
		case 6, 7:
			if len(m.entries) > 0 {
				e := m.remove(next() % len(m.entries))
				e.deadline = clock + distance() - distance()
				w.Reschedule(e.handle, e.deadline)
				m.insert(e)
			}
		case 8:
			clock += distance()
		case 9: // one slice
			advance(clock, next()%8, 1+next()%16)
		case 10: // all there is, in slices, at the clock or at the next deadline
			now := clock
			if next()%2 == 0 {
				now, _ = w.Next()
			}
			size, moves := 1+next()%8, 1+next()%64
			for i := 0; advance(now, size, moves); i++ {
				if i > 100_000 {
					t.Fatal("Advance makes no progress")
				}
			}
		case 11:
			advance(clock-distance(), len(m.entries)+1, 1<<30)
		}

		if err := w.Check(); err != nil {
			t.Fatal(err)
		}
		if w.Len() != len(m.entries) {
			t.Fatalf("Len = %d, want %d", w.Len(), len(m.entries))
		}
		first, ok := w.Next()
		if ok != (len(m.entries) > 0) {
			t.Fatalf("Next: ok = %t with %d entries", ok, len(m.entries))
		}
		if ok && (first < w.now || first > m.entries[0].deadline) {
			t.Fatalf("Next = %d at time %d, the earliest deadline is %d", first, w.now, m.entries[0].deadline)
		}
		if ok && w.cascading == 0 && w.now/slotCount == m.entries[0].deadline/slotCount && first != m.entries[0].deadline {
			t.Fatalf("Next = %d at time %d, want exactly %d", first, w.now, m.entries[0].deadline)
		}
		for _, e := range m.entries {
			if w.Deadline(e.handle) != e.deadline || w.Value(e.handle) != e.value {
				t.Fatalf("handle %d: deadline %d, value %d; want %d, %d",
					e.handle, w.Deadline(e.handle), w.Value(e.handle), e.deadline, e.value)
			}
		}
	}
}
