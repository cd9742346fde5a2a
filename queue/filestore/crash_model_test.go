package filestore_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/filestore/internal/disk/crashdisk"
)

// An image is what a store must hold after some of its batches: what
// queue.Store says of Append, Attach, Load and Meta, in maps.
type image struct {
	queues map[uint64]*queueImage
	meta   map[string][]byte
	now    int64 // the latest Batch.Now
	above  uint64
}

// A queueImage is one queue of an image.
type queueImage struct {
	number  uint64
	name    string
	kind    queue.Kind
	key     [16]byte
	next    uint64 // above every number inserted
	records map[uint64]queue.Record
	dedup   map[[16]byte]queue.Dedup
	crowd   int // look for entries that are over when there are more
}

func newImage() *image {
	return &image{queues: map[uint64]*queueImage{}, meta: map[string][]byte{}}
}

func (m *image) clone() *image {
	c := &image{queues: map[uint64]*queueImage{}, meta: maps.Clone(m.meta), now: m.now, above: m.above}
	for n, q := range m.queues {
		copied := *q
		copied.records, copied.dedup = maps.Clone(q.records), maps.Clone(q.dedup)
		c.queues[n] = &copied
	}
	return c
}

// named returns the queue of that name, nil if there is none.
func (m *image) named(name string) *queueImage {
	for _, q := range m.queues {
		if q.name == name {
			return q
		}
	}
	return nil
}

// sorted returns the queues by number.
func (m *image) sorted() []*queueImage {
	var qs []*queueImage
	for _, n := range slices.Sorted(maps.Keys(m.queues)) {
		qs = append(qs, m.queues[n])
	}
	return qs
}

// create adds an empty queue, as Attach reported it.
func (m *image) create(name string, kind queue.Kind, r *queue.Recovery) {
	m.queues[r.Queue] = &queueImage{
		number: r.Queue, name: name, kind: kind, key: r.Key, next: r.Next,
		records: map[uint64]queue.Record{}, dedup: map[[16]byte]queue.Dedup{},
	}
	m.above = max(m.above, r.Queue)
}

// apply makes the changes of a batch.
func (m *image) apply(b *queue.Batch) {
	m.now = max(m.now, b.Now)
	for i := range b.Changes {
		m.applyChange(&b.Changes[i])
	}
	for _, v := range b.Meta {
		if v.Value == nil {
			delete(m.meta, v.Name)
		} else {
			m.meta[v.Name] = v.Value
		}
	}
}

func (m *image) applyChange(c *queue.Change) {
	q := m.queues[c.Queue]
	if q == nil {
		return
	}
	if c.Drop {
		delete(m.queues, c.Queue)
		return
	}
	if c.Clear {
		clear(q.records)
		clear(q.dedup)
	}
	for _, r := range c.Insert {
		q.records[r.Seq] = r
		q.next = r.Seq + 1
	}
	for _, seq := range c.Remove {
		delete(q.records, seq)
	}
	for _, t := range c.Touch {
		if r, ok := q.records[t.Seq]; ok {
			r.Receives, r.FirstReceivedAt = t.Receives, t.FirstReceivedAt
			q.records[t.Seq] = r
		}
	}
	for _, d := range c.Dedup {
		q.dedup[d.Key] = d
	}
	if len(q.dedup) > q.crowd {
		maps.DeleteFunc(q.dedup, func(_ [16]byte, d queue.Dedup) bool { return d.Until <= m.now }) // the store may forget them
		q.crowd = 2*len(q.dedup) + 64
	}
}

// numbers returns the numbers of the live records, in order.
func (q *queueImage) numbers() []uint64 { return slices.Sorted(maps.Keys(q.records)) }

// A sighting is what a store shows of itself.
type sighting struct {
	queues map[string]*seenQueue
	meta   map[string][]byte
}

// A seenQueue is what Attach and Load tell of one queue.
type seenQueue struct {
	kind     queue.Kind
	recovery *queue.Recovery
	records  []queue.Record
}

// look attaches queues and reads everything. A queue that is not there comes to
// be, so name only those that may be.
func look(ctx context.Context, st queue.Store, kinds map[string]queue.Kind) (*sighting, error) {
	s := &sighting{queues: map[string]*seenQueue{}}
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		r, err := st.Attach(ctx, name, kinds[name])
		if errors.Is(err, queue.ErrStoreFull) {
			continue // it wasn't there, and there is no room for it
		}
		if err != nil {
			return nil, &failedCall{"Attach", err}
		}
		q := &seenQueue{kind: kinds[name], recovery: r}
		s.queues[name] = q
		if q.records, err = loadAll(ctx, st, r); err != nil {
			return nil, &failedCall{"Attach", err} // the queue is attached, and nobody has it
		}
	}
	var err error
	if s.meta, err = st.Meta(ctx); err != nil {
		return nil, &failedCall{"Meta", err}
	}
	return s, nil
}

// loadAll reads a queue's records in one call, or page by page as an engine
// does: that depends on the number of pages.
func loadAll(ctx context.Context, st queue.Store, r *queue.Recovery) (records []queue.Record, err error) {
	if len(r.Pages)%2 == 0 {
		return st.Load(ctx, r.Queue, 0, r.Next, nil)
	}
	for _, p := range r.Pages {
		if records, err = st.Load(ctx, r.Queue, p.First, p.First+queue.PageSize, records); err != nil {
			return records, err
		}
	}
	return records, nil
}

// differs tells how what is seen differs from m; it is empty if it doesn't.
func (m *image) differs(s *sighting) string {
	for _, name := range slices.Sorted(maps.Keys(s.queues)) {
		seen := s.queues[name]
		q := m.named(name)
		if q == nil {
			if d := m.differsFromNew(seen); d != "" {
				return fmt.Sprintf("queue %q should not be there: %s", name, d)
			}
			continue
		}
		if d := q.differs(seen, m.now); d != "" {
			return fmt.Sprintf("queue %q: %s", name, d)
		}
	}
	for _, q := range m.sorted() {
		if s.queues[q.name] == nil {
			return fmt.Sprintf("queue %q is not there", q.name)
		}
	}
	if !maps.EqualFunc(m.meta, s.meta, slices.Equal) {
		return fmt.Sprintf("Meta is %q, want %q", s.meta, m.meta)
	}
	return ""
}

// differsFromNew checks a queue that just came to be.
func (m *image) differsFromNew(s *seenQueue) string {
	r := s.recovery
	if len(s.records) > 0 || len(r.Pages) > 0 || len(r.Dedup) > 0 || r.Next != 1 {
		return fmt.Sprintf("it has %d records, %d pages, %d deduplication entries and Next %d", len(s.records), len(r.Pages), len(r.Dedup), r.Next)
	}
	for _, q := range m.queues {
		switch {
		case q.key == r.Key:
			return fmt.Sprintf("it has the key of queue %q", q.name)
		case q.number == r.Queue:
			return fmt.Sprintf("it has the number of queue %q", q.name)
		}
	}
	return ""
}

func (q *queueImage) differs(s *seenQueue, now int64) string {
	r := s.recovery
	switch {
	case r.Queue != q.number:
		return fmt.Sprintf("its number is %d, want %d", r.Queue, q.number)
	case r.Key != q.key:
		return "its key has changed"
	case r.Next != q.next:
		return fmt.Sprintf("Next is %d, want %d", r.Next, q.next)
	case r.Now != now:
		return fmt.Sprintf("Now is %d, want %d", r.Now, now)
	}
	want := q.numbers()
	for i := range s.records {
		got := &s.records[i]
		switch w, ok := q.records[got.Seq]; {
		case !ok:
			return fmt.Sprintf("record %d is there and should not be", got.Seq)
		case *got != w:
			return fmt.Sprintf("record %d is\n\t%s, want\n\t%s", got.Seq, brief(got), brief(&w))
		case i >= len(want) || want[i] != got.Seq:
			return fmt.Sprintf("record %d is missing, or the order is wrong: %d came", want[min(i, len(want)-1)], got.Seq)
		}
	}
	if len(s.records) < len(want) {
		return fmt.Sprintf("record %d is missing, and all after it", want[len(s.records)])
	}
	if d := q.pagesDiffer(r.Pages); d != "" {
		return d
	}
	return q.dedupDiffers(r.Dedup, now)
}

func (q *queueImage) pagesDiffer(pages []queue.PageInfo) string {
	want := q.pages()
	if len(pages) != len(want) {
		return fmt.Sprintf("%d pages, want %d", len(pages), len(want))
	}
	for i, p := range pages {
		w := want[i]
		if p.First != w.First || p.Live != w.Live || p.Bytes != w.Bytes || p.MinSentAt > w.MinSentAt || p.MaxDueAt < w.MaxDueAt {
			return fmt.Sprintf("page %d is %+v, want %+v", i, p, w)
		}
	}
	return ""
}

// pages summarises the live records.
func (q *queueImage) pages() (pages []queue.PageInfo) {
	for _, seq := range q.numbers() {
		r := q.records[seq]
		first := (seq-1)/queue.PageSize*queue.PageSize + 1
		if n := len(pages); n == 0 || pages[n-1].First != first {
			pages = append(pages, queue.PageInfo{First: first, MinSentAt: r.SentAt})
		}
		p := &pages[len(pages)-1]
		p.Live++
		p.Bytes += int64(r.Size())
		p.MinSentAt = min(p.MinSentAt, r.SentAt)
		p.MaxDueAt = max(p.MaxDueAt, r.DueAt)
	}
	return pages
}

func (q *queueImage) dedupDiffers(entries []queue.Dedup, now int64) string {
	got := map[[16]byte]queue.Dedup{}
	for _, d := range entries {
		if d.Until > now {
			got[d.Key] = d
		}
	}
	for key, want := range q.dedup {
		if want.Until > now && got[key] != want {
			return fmt.Sprintf("deduplication entry %x of record %d until %d is missing or wrong: %+v", key[:4], want.Seq, want.Until, got[key])
		}
	}
	for key, d := range got {
		if _, ok := q.dedup[key]; !ok {
			return fmt.Sprintf("deduplication entry %x of record %d is there and should not be", key[:4], d.Seq)
		}
	}
	return ""
}

// brief shows a record with little of its body.
func brief(r *queue.Record) string {
	c := *r
	size := len(c.Body)
	c.Body = c.Body[:min(size, 40)]
	return fmt.Sprintf("%+v with a body of %d bytes", c, size)
}

// A history is what a store was told, and how much of that it must keep.
// Whatever a crash leaves must be what some first part of the events makes.
type history struct {
	mu       sync.Mutex
	base     *image // after the first events, which are durable
	baseAt   int    // how many they are
	events   []event
	durable  int    // so many events are certain to survive a crash of the machine
	written  int    // and so many one of the process
	creating string // the queue that an Attach under way makes
	pins     int    // checks that still need base as it is
}

// An event is a batch, or a queue that came to be.
type event struct {
	batch   *queue.Batch
	commit  queue.Commit
	created *queue.Recovery
	name    string
	kind    queue.Kind
}

func (e *event) apply(m *image) {
	if e.created != nil {
		m.create(e.name, e.kind, e.created)
	} else {
		m.apply(e.batch)
	}
}

// newHistory starts from what is there for certain.
func newHistory(base *image) *history { return &history{base: base} }

// end returns how many events there were.
func (h *history) end() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.baseAt + len(h.events)
}

// add notes what the store was told.
func (h *history) add(e event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
}

// reach notes that the first n events have reached a level.
func (h *history) reach(l queue.Level, n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.written = max(h.written, n)
	if l != queue.Durable || n <= h.durable {
		return
	}
	h.durable = n
	h.fold()
}

// fold puts into base what is durable. The caller must hold h.mu.
func (h *history) fold() {
	if h.pins > 0 {
		return
	}
	for ; h.baseAt < h.durable; h.baseAt++ {
		h.events[0].apply(h.base)
		h.events = h.events[1:]
	}
}

// A certainty is how many events must be found: now, and should the machine
// crash.
type certainty struct{ now, durable int }

// after returns what is certain after one more crash.
func (c certainty) after(choice crashdisk.Choice) certainty {
	if choice.Mode == crashdisk.Restart {
		return c
	}
	return certainty{c.durable, c.durable}
}

// pin returns what is certain now, and keeps it checkable until unpin.
func (h *history) pin() certainty {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pins++
	return certainty{h.written, h.durable}
}

func (h *history) unpin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pins--
	h.fold()
}

// upTo returns how many events there are up to a commit.
func (h *history) upTo(c queue.Commit) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.baseAt
	for i := range h.events {
		if h.events[i].commit <= c {
			n = h.baseAt + i + 1
		}
	}
	return n
}

// kinds returns the queues that there may be, in any state from base on.
func (h *history) kinds() map[string]queue.Kind {
	h.mu.Lock()
	defer h.mu.Unlock()
	kinds := map[string]queue.Kind{}
	for _, q := range h.base.queues {
		kinds[q.name] = q.kind
	}
	for i := range h.events {
		if h.events[i].created != nil {
			kinds[h.events[i].name] = h.events[i].kind
		}
	}
	if h.creating != "" {
		kinds[h.creating] = kindOf(h.creating)
	}
	return kinds
}

// match returns how many events made what is seen, at least low and at most
// high, and the state that they make. The error tells how the nearest differ.
func (h *history) match(s *sighting, low, high int) (n int, state *image, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.base.clone()
	var first, last string
	for n = h.baseAt; n <= high; n++ {
		if n > h.baseAt {
			h.events[n-h.baseAt-1].apply(m)
		}
		if n < low {
			continue
		}
		last = m.differs(s)
		if last == "" {
			return n, m, nil
		}
		if n == low {
			first = last
		}
	}
	return 0, nil, fmt.Errorf("what is found is no state between event %d, which was the last that is certain, and event %d, the last there was;\n\tfrom the former it differs so: %s;\n\tfrom the latter: %s", low, high, first, last)
}
