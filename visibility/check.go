package visibility

import "fmt"

// Check verifies that lists, bitmaps, counts and the arena agree and that every
// entry is where its deadline belongs, and returns an error that names the
// first disagreement. It changes nothing. It is for tests, of this package and
// of those that embed a Wheel, and takes time in proportion to the entries.
func (w *Wheel) Check() error {
	if w.now < 0 {
		return fmt.Errorf("visibility: time %d is negative", w.now)
	}
	total := 0
	for l := range uint(levels) {
		lv := w.level[l]
		if occupied := w.occupied>>l&1 != 0; occupied != (lv != nil && lv.occupied != 0) {
			return fmt.Errorf("visibility: level %d: occupied = %t disagrees with its slots", l, occupied)
		}
		if lv == nil {
			continue
		}
		for s := range uint(slotCount) {
			if lv.occupied>>s&1 == 0 {
				continue
			}
			n, err := w.checkList(place(l*slotCount+s), w.count-total)
			if err != nil {
				return err
			}
			total += n
		}
	}
	if total != w.count {
		return fmt.Errorf("visibility: %d entries in slots, Len says %d", total, w.count)
	}
	if p := w.cascading; p != 0 {
		if p.level() == 0 || w.level[p.level()] == nil || w.level[p.level()].occupied>>p.slot()&1 == 0 {
			return fmt.Errorf("visibility: level %d slot %d is cascading but empty", p.level(), p.slot())
		}
		if t := w.firstTick(p.level(), p.slot()); t != w.now {
			return fmt.Errorf("visibility: level %d slot %d is cascading at time %d, its first tick is %d",
				p.level(), p.slot(), w.now, t)
		}
	}
	return w.checkArena()
}

// checkList verifies the list of an occupied slot, of at most limit entries,
// and returns its length.
func (w *Wheel) checkList(p place, limit int) (int, error) {
	end := uint32(p) | listEnd
	s := w.list(end)
	n, prev := 0, end
	for i := s.head; i != end; {
		if n == limit {
			return 0, fmt.Errorf("visibility: level %d slot %d: more entries than Len says", p.level(), p.slot())
		}
		if i == 0 || i >= w.used {
			return 0, fmt.Errorf("visibility: level %d slot %d: link to node %d of %d", p.level(), p.slot(), i, w.used)
		}
		e := w.at(i)
		if e.prev != prev {
			return 0, fmt.Errorf("visibility: node %d: prev is %#x, want %#x", i, e.prev, prev)
		}
		if e.deadline < w.now {
			return 0, fmt.Errorf("visibility: node %d: deadline %d is before the wheel's time %d", i, e.deadline, w.now)
		}
		want := w.place(e.deadline)
		if p != want && (p != w.cascading || want.level() >= p.level()) {
			return 0, fmt.Errorf("visibility: node %d: deadline %d at time %d is at level %d slot %d, belongs to level %d slot %d",
				i, e.deadline, w.now, p.level(), p.slot(), want.level(), want.slot())
		}
		n++
		prev, i = i, e.next
	}
	if n == 0 || s.tail != prev {
		return 0, fmt.Errorf("visibility: level %d slot %d: tail is %#x after %d entries, want %#x",
			p.level(), p.slot(), s.tail, n, prev)
	}
	return n, nil
}

// checkArena verifies the free list and the sizes, given that w.count is right.
func (w *Wheel) checkArena() error {
	size := len(w.chunks) * chunkNodes
	if int(w.used) > size {
		return fmt.Errorf("visibility: %d nodes used, but only %d in chunks", w.used, size)
	}
	free := 0
	for i := w.free; i != 0; i = w.at(i).next {
		if i >= w.used || w.at(i).deadline != freed {
			return fmt.Errorf("visibility: node %d is in the free list but not free", i)
		}
		if free++; free > int(w.used) {
			return fmt.Errorf("visibility: the free list has a cycle")
		}
	}
	if size > 0 && free+w.count+1 != int(w.used) {
		return fmt.Errorf("visibility: %d nodes used, but %d entries and %d free", w.used, w.count, free)
	}
	if w.count == 0 && len(w.chunks) > keepChunks {
		return fmt.Errorf("visibility: an empty wheel keeps %d chunks", len(w.chunks))
	}
	return nil
}
