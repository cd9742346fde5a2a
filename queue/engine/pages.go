package engine

// Pages finds pages by the sequence numbers they hold.
type Pages struct {
	byFirst map[uint64]*Page
	recent  *Page // what At returned last
}

// At returns the page and the index of a message, nil if its page is gone.
func (d *Pages) At(seq uint64) (*Page, int) {
	first, i := firstOf(seq)
	p := d.recent
	if p == nil || p.First != first {
		if p = d.byFirst[first]; p == nil {
			return nil, 0
		}
		d.recent = p
	}
	return p, i
}

func (d *Pages) add(p *Page) { d.byFirst[p.First] = p }

func (d *Pages) remove(p *Page) {
	delete(d.byFirst, p.First)
	if d.recent == p {
		d.recent = nil
	}
}

func (d *Pages) clear() {
	clear(d.byFirst)
	d.recent = nil
}

// firstOf returns the first sequence number of the page that holds seq, and
// seq's index in it.
func firstOf(seq uint64) (first uint64, i int) {
	i = int((seq - 1) % pageSize)
	return seq - uint64(i), i
}
