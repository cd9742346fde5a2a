package crashdisk

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
)

// Mode says what becomes of what was not synced.
type Mode uint8

const (
	// Restart ends the process alone: the machine goes on, so everything that
	// was written is there, and what was not synced still isn't.
	Restart Mode = iota + 1

	// The others end the machine. What they leave is what the disk has, synced.

	// Lost leaves what was synced and nothing else.
	Lost
	// Kept leaves everything that was written.
	Kept
	// Newest leaves of each file, and of the directory, what was written last,
	// and nothing of what was written before it and not synced. Lengths are kept.
	Newest
	// Random leaves any part: each sector as it was after any of its writes,
	// each length, each change of the directory, some files whole and some not
	// at all.
	Random
	// Torn is Random where writes may also end inside a sector, a file's length
	// may be anything in between, and bytes that were never written may be what
	// some removed file held.
	Torn
	// Halved is Torn where of a rename both names may be left, as on a file
	// system without a journal.
	Halved
)

// Modes lists all modes.
func Modes() []Mode { return []Mode{Restart, Lost, Kept, Newest, Random, Torn, Halved} }

// String returns the mode's name.
func (m Mode) String() string {
	names := [...]string{"none", "Restart", "Lost", "Kept", "Newest", "Random", "Torn", "Halved"}
	if int(m) >= len(names) {
		return fmt.Sprintf("Mode(%d)", m)
	}
	return names[m]
}

func (m Mode) tears() bool { return m == Torn || m == Halved }

// Seeded reports whether Choice.Seed makes a difference.
func (m Mode) Seeded() bool { return m >= Random }

// A Choice is one of the ways in which a crash can go.
type Choice struct {
	Mode Mode
	Seed uint64
}

// String names the choice.
func (c Choice) String() string {
	if c.Mode.Seeded() {
		return fmt.Sprintf("%v seed %d", c.Mode, c.Seed)
	}
	return c.Mode.String()
}

// Crash returns the disk as it is found after a crash at this moment: not
// locked, without holds, faults or a Before. It shares nothing with d, which
// goes on as if nothing had happened; use Kill to end it.
func (d *Disk) Crash(c Choice) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	after := New()
	after.capacity, after.quota, after.hideFree = d.capacity, d.quota, d.hideFree
	after.born, after.changed = d.born, d.changed
	after.removed = d.removed // its bytes never change
	if c.Mode == Restart {
		copies := map[*file]*file{}
		after.entries = cloned(d.entries, copies)
		after.stable = cloned(d.stable, copies)
		for _, change := range d.changes {
			change.file = cloneOnce(change.file, copies)
			after.changes = append(after.changes, change)
		}
		return after
	}

	random := rand.New(rand.NewPCG(c.Seed, uint64(c.Mode)))
	left := survivingNames(d.stable, d.changes, c.Mode, random)
	copies := map[*file]*file{}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		f := left[name]
		if copies[f] == nil {
			copies[f] = newFile(f.number, f.survivor(c.Mode, random, d.removed))
		}
		after.entries[name] = copies[f]
	}
	after.stable = maps.Clone(after.entries)
	return after
}

func cloned(entries map[string]*file, copies map[*file]*file) map[string]*file {
	c := make(map[string]*file, len(entries))
	for name, f := range entries {
		c[name] = cloneOnce(f, copies)
	}
	return c
}

func cloneOnce(f *file, copies map[*file]*file) *file {
	if copies[f] == nil {
		copies[f] = f.clone()
	}
	return copies[f]
}

// survivingNames returns what a crash leaves of a directory.
func survivingNames(stable map[string]*file, changes []change, m Mode, random *rand.Rand) map[string]*file {
	left := maps.Clone(stable)
	share := shareOf(random)
	for i := range changes {
		c := &changes[i]
		var happened bool
		switch m {
		case Kept:
			happened = true
		case Newest:
			happened = i == len(changes)-1
		case Random, Torn, Halved:
			happened = random.Float64() < share
		}
		if !happened {
			continue
		}
		if m == Halved && c.kind == Rename && random.IntN(4) == 0 {
			left[c.to] = c.file // and its old name is left
			continue
		}
		c.apply(left)
	}
	return left
}

// survivor returns what a crash leaves of a file's bytes. Nobody may change them.
func (f *file) survivor(m Mode, random *rand.Rand, removed []byte) []byte {
	if !f.dirty() {
		f.stableShared = true
		return f.stable
	}
	share := shareOf(random)
	size := f.survivingLength(m, random, share)
	left := stretch(slices.Clone(f.stable), size)
	if m.tears() && size > int64(len(f.stable)) && random.IntN(4) == 0 {
		copy(left[len(f.stable):], removed[min(len(f.stable), len(removed)):])
	}
	for _, s := range slices.Sorted(maps.Keys(f.unsynced)) {
		versions := f.unsynced[s]
		n := 0 // how many of them happened
		switch m {
		case Kept:
			n = len(versions)
		case Newest:
			if versions[len(versions)-1].write == f.writes {
				n = len(versions)
			}
		case Random, Torn, Halved:
			if random.Float64() < share {
				n = len(versions)
				if random.IntN(4) == 0 {
					n = random.IntN(len(versions) + 1)
				}
			}
		}
		if s*sector >= size {
			continue
		}
		at := left[s*sector : min((s+1)*sector, size)]
		if n > 0 {
			copy(at, versions[n-1].bytes)
		}
		if m.tears() && n < len(versions) && random.IntN(3) == 0 {
			next := versions[n].bytes // under way as the power failed
			copy(at, next[:random.IntN(len(next)+1)])
		}
	}
	return left
}

func (f *file) survivingLength(m Mode, random *rand.Rand, share float64) int64 {
	size, latest := int64(len(f.stable)), int64(len(f.data))
	if len(f.lengths) == 0 {
		return size
	}
	switch m {
	case Kept, Newest:
		return latest
	case Random, Torn, Halved:
		if random.Float64() >= share {
			return size
		}
		if n := random.IntN(2 * len(f.lengths)); n < len(f.lengths) {
			latest = f.lengths[n].bytes
		}
		if m.tears() && latest > size && random.IntN(3) == 0 {
			return size + random.Int64N(latest-size+1)
		}
		return latest
	}
	return size
}

// shareOf draws how much of something survives: often all or nothing, so that
// one file can be old while another is new.
func shareOf(random *rand.Rand) float64 {
	shares := [...]float64{0, 0, 0.1, 0.5, 0.5, 0.9, 1, 1}
	return shares[random.IntN(len(shares))]
}
