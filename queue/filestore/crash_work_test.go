package filestore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/filestore"
	"github.com/restantemq/restante/queue/filestore/internal/disk"
	"github.com/restantemq/restante/queue/filestore/internal/disk/crashdisk"
)

// An opener opens the store under test.
type opener struct {
	open func(context.Context, disk.Disk) (queue.Store, error)
	sync filestore.Sync // what a crash of the machine may lose

	// spares says that files named *.seg that get their name by Rename must have
	// been synced before, or commits would wait for all their zeros.
	spares bool
}

// openStore opens the file store with segments so small that it goes on to
// another, checkpoints and cleans up all the time.
func openStore(sync filestore.Sync) opener {
	return opener{sync: sync, spares: true, open: func(ctx context.Context, d disk.Disk) (queue.Store, error) {
		return filestore.OpenOn(ctx, d, filestore.Options{SegmentSize: 64 << 10, Sync: sync})
	}}
}

// openTight opens the file store so that it also keeps little in memory.
func openTight(sync filestore.Sync) opener {
	return opener{sync: sync, spares: true, open: func(ctx context.Context, d disk.Disk) (queue.Store, error) {
		return filestore.OpenTight(ctx, d, filestore.Options{SegmentSize: 64 << 10, Sync: sync})
	}}
}

// openEither opens it so for every other seed.
func openEither(sync filestore.Sync, seed uint64) opener {
	if seed%2 == 0 {
		return openTight(sync)
	}
	return openStore(sync)
}

// A worker is everything an engine may do to a store, in random order, and
// keeps the history of it. It is a single caller; what it does depends on its
// random numbers alone.
type worker struct {
	ctx    context.Context
	random *rand.Rand
	opener opener
	disk   *crashdisk.Disk
	store  queue.Store

	history  *history
	latest   *image          // after all events
	attached map[string]bool // by name
	trade    trade
	now      int64
	last     queue.Commit // of the latest batch
	bodies   int          // labels bodies
	fresh    int64        // bytes inserted
	log      []string     // what was done last

	names     []string    // of the queues it uses
	order     *sync.Mutex // held over an Append and its note; nil: there are no other callers
	mayBeFull bool        // batches that insert may be refused
	refused   int
}

// A failedCall is an error of the store, in contrast to one that the worker
// finds.
type failedCall struct {
	call string
	err  error
}

func (e *failedCall) Error() string { return e.call + ": " + e.err.Error() }
func (e *failedCall) Unwrap() error { return e.err }

func inserts(b *queue.Batch) bool {
	return slices.ContainsFunc(b.Changes, func(c queue.Change) bool { return len(c.Insert) > 0 })
}

// A trade is what a worker prefers to do.
type trade struct {
	name    string
	actions []action
	live    int  // records it keeps, roughly
	body    int  // size of most bodies
	gaps    bool // most records are alone in their page
}

// An action is something a worker can do; more weight makes it more frequent.
type action struct {
	name   string
	weight int
	do     func(*worker) error
}

var actions = struct {
	insert, remove, touch, move, purge, drop, attach, detach, meta, dedup, load, wait, written, reopen, sleep action
}{
	insert:  action{"insert", 10, (*worker).insert},
	remove:  action{"remove", 8, (*worker).remove},
	touch:   action{"touch", 4, (*worker).touch},
	move:    action{"move", 4, (*worker).move},
	purge:   action{"purge", 1, (*worker).purge},
	drop:    action{"drop", 1, (*worker).drop},
	attach:  action{"attach", 3, (*worker).attach},
	detach:  action{"detach", 1, (*worker).detach},
	meta:    action{"meta", 1, (*worker).meta},
	dedup:   action{"dedup", 1, (*worker).remember},
	load:    action{"load", 1, (*worker).load},
	wait:    action{"wait", 12, (*worker).waitDurable},
	written: action{"written", 4, (*worker).waitWritten},
	reopen:  action{"reopen", 1, (*worker).reopen},
	sleep:   action{"sleep", 3, (*worker).sleep},
}

// trades returns the kinds of workers there are.
func trades() []trade {
	a := &actions
	all := []action{a.insert, a.remove, a.touch, a.move, a.purge, a.drop, a.attach, a.detach, a.meta, a.dedup, a.load, a.wait, a.written, a.reopen}
	busy := []action{a.insert, a.remove, a.touch, a.move, a.attach, a.wait, a.written}
	repetitive := []action{a.insert, a.dedup, a.dedup, a.dedup, a.dedup, a.dedup, a.dedup, a.remove, a.purge, a.attach, a.detach, a.wait, a.reopen}
	return []trade{
		{"everything", all, 150, 300, false},
		{"churn", busy, 120, 2500, false},
		{"everything with large bodies", all, 30, 9000, false},
		{"many pages", all, 2500, 30, true},
		{"much deduplication", repetitive, 100, 100, false},
	}
}

// workerQueues are the queues of a worker who is alone.
var workerQueues = []string{"a", "b", "c.fifo", "d.fifo", "e"}

func kindOf(name string) queue.Kind {
	if strings.HasSuffix(name, ".fifo") {
		return queue.FIFO
	}
	return queue.Standard
}

// startWorker opens a store on d and begins.
func startWorker(ctx context.Context, o opener, d *crashdisk.Disk, h *history, t trade, random *rand.Rand) (*worker, error) {
	w := &worker{
		ctx: ctx, random: random, opener: o, disk: d, trade: t,
		history: h, latest: newImage(), attached: map[string]bool{}, now: 1_700_000_000_000, names: workerQueues,
	}
	var err error
	if w.store, err = o.open(ctx, d); err != nil {
		return nil, &failedCall{"Open, of an empty disk", err}
	}
	return w, nil
}

// work does n things.
func (w *worker) work(n int) error {
	total := 0
	for _, a := range w.trade.actions {
		total += a.weight
	}
	for range n {
		draw := w.random.IntN(total)
		for _, a := range w.trade.actions {
			if draw -= a.weight; draw < 0 {
				if err := a.do(w); err != nil {
					return fmt.Errorf("%s: %w\nwhat was done before:\n\t%s", a.name, err, w.tail())
				}
				break
			}
		}
	}
	return nil
}

// tail returns what was done last.
func (w *worker) tail() string {
	return strings.Join(w.log[max(0, len(w.log)-12):], "\n\t")
}

func (w *worker) logf(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf("event %d: ", w.history.end())+fmt.Sprintf(format, args...))
}

// clock moves time on, and now and then back.
func (w *worker) clock() int64 {
	w.now += w.random.Int64N(3000)
	switch w.random.IntN(40) {
	case 0:
		w.now -= 5000
	case 1:
		w.now += 200_000
	}
	return w.now
}

// pick returns an attached queue; nil if there is none.
func (w *worker) pick() *queueImage {
	var qs []*queueImage
	for _, q := range w.latest.sorted() {
		if w.attached[q.name] {
			qs = append(qs, q)
		}
	}
	if len(qs) == 0 {
		return nil
	}
	return qs[w.random.IntN(len(qs))]
}

// append hands a batch to the store, and then mostly waits for it.
func (w *worker) append(b *queue.Batch, format string, args ...any) error {
	c, err := w.hand(b)
	if w.mayBeFull && errors.Is(err, queue.ErrStoreFull) && inserts(b) {
		w.refused++
		return nil
	}
	if err != nil {
		return &failedCall{"Append", err}
	}
	w.logf(format, args...)
	if c <= w.last {
		return fmt.Errorf("commit %d came after %d", c, w.last)
	}
	w.last = c
	w.latest.apply(copyBatch(b))
	scribble(b)
	switch w.random.IntN(3) {
	case 0:
		return w.wait(c, queue.Durable)
	case 1:
		if w.random.IntN(4) == 0 {
			return w.wait(c, queue.Written)
		}
	}
	return nil
}

// hand gives the store a batch, and notes it in the same order if there are
// other callers.
func (w *worker) hand(b *queue.Batch) (queue.Commit, error) {
	if w.order != nil {
		w.order.Lock()
		defer w.order.Unlock()
	}
	c, err := w.store.Append(b)
	if err == nil {
		w.history.add(event{batch: copyBatch(b), commit: c})
	}
	return c, err
}

// copyBatch returns a copy that shares no slice with b.
func copyBatch(b *queue.Batch) *queue.Batch {
	c := &queue.Batch{Now: b.Now, Changes: append([]queue.Change(nil), b.Changes...)}
	for i := range c.Changes {
		d := &c.Changes[i]
		d.Insert = append([]queue.Record(nil), d.Insert...)
		d.Remove = append([]uint64(nil), d.Remove...)
		d.Touch = append([]queue.Touch(nil), d.Touch...)
		d.Dedup = append([]queue.Dedup(nil), d.Dedup...)
	}
	for _, m := range b.Meta {
		if m.Value != nil {
			m.Value = append([]byte{}, m.Value...)
		}
		c.Meta = append(c.Meta, m)
	}
	return c
}

// scribble overwrites what the caller of Append may use again.
func scribble(b *queue.Batch) {
	for i := range b.Changes {
		c := &b.Changes[i]
		clear(c.Insert)
		clear(c.Remove)
		clear(c.Touch)
		clear(c.Dedup)
	}
	for i := range b.Meta {
		clear(b.Meta[i].Value)
	}
	clear(b.Changes)
}

func (w *worker) wait(c queue.Commit, l queue.Level) error {
	w.logf("wait for commit %d, level %d", c, l)
	if err := w.store.Wait(c, l); err != nil {
		return &failedCall{"Wait", err}
	}
	if w.opener.sync != filestore.LoseNothing {
		l = queue.Written // durable is no more than that then
	}
	w.history.reach(l, w.history.upTo(c))
	return nil
}

func (w *worker) waitDurable() error { return w.wait(w.someCommit(), queue.Durable) }
func (w *worker) waitWritten() error { return w.wait(w.someCommit(), queue.Written) }

// someCommit returns the latest commit, or now and then an earlier one.
func (w *worker) someCommit() queue.Commit {
	if w.random.IntN(4) == 0 {
		return queue.Commit(w.random.Uint64N(uint64(w.last) + 1))
	}
	return w.last
}

// record makes a message up.
func (w *worker) record(q *queueImage, seq uint64) queue.Record {
	w.bodies++
	size := 1 + w.random.IntN(2*w.trade.body)
	switch w.random.IntN(150) {
	case 0:
		size = 1
	case 1:
		size = 20_000
	case 2:
		size = 90_000 // more than a segment
	}
	body := fmt.Sprintf("body %d of queue %q, record %d. ", w.bodies, q.name, seq)
	if size > len(body) {
		body += strings.Repeat(string(rune('a'+w.bodies%26)), size-len(body))
	}
	r := queue.Record{Seq: seq, Message: queue.Message{Body: body[:max(1, size)]}, SentAt: w.now}
	for i := range r.ID {
		r.ID[i] = byte(w.random.Uint32())
	}
	r.ID[0] |= 1 // never zero
	if w.random.IntN(5) == 0 {
		r.DueAt = w.now + w.random.Int64N(900_000)
	}
	if q.kind == queue.FIFO {
		r.GroupID = fmt.Sprintf("group-%d", w.random.IntN(4))
		r.DeduplicationID = fmt.Sprintf("id-%d", w.bodies)
	}
	if w.random.IntN(6) == 0 {
		r.TraceHeader = "Root=1"
		r.Attributes = queue.NewAttributes(map[string]queue.Value{"n": queue.Number(fmt.Sprint(w.bodies)), "b": queue.Binary([]byte{0, 255, byte(w.bodies)})})
	}
	return r
}

// next returns the number of the next record; now and then it leaves a gap.
func (w *worker) next(seq uint64) uint64 {
	if w.trade.gaps && w.random.IntN(4) > 0 {
		return seq + queue.PageSize
	}
	switch w.random.IntN(60) {
	case 0:
		return seq + w.random.Uint64N(5)
	case 1:
		return seq + w.random.Uint64N(3*queue.PageSize)
	case 2:
		return seq + w.random.Uint64N(1<<20)
	}
	return seq
}

func (w *worker) insert() error {
	q := w.pick()
	if q == nil {
		return w.attach()
	}
	if len(q.records) > 2*w.trade.live/len(w.names) {
		return w.remove()
	}
	c := queue.Change{Queue: q.number}
	now, seq := w.clock(), q.next
	most := 10
	if w.trade.gaps {
		most = 100
	}
	for range 1 + w.random.IntN(w.random.IntN(most)+1) {
		seq = w.next(seq)
		r := w.record(q, seq)
		w.fresh += int64(len(r.Body))
		c.Insert = append(c.Insert, r)
		if q.kind == queue.FIFO {
			c.Dedup = append(c.Dedup, queue.Dedup{Key: w.key(), Seq: seq, Until: now + 300_000})
		}
		seq++
	}
	return w.append(&queue.Batch{Now: now, Changes: []queue.Change{c}}, "insert %d to %d into %q", c.Insert[0].Seq, seq-1, q.name)
}

func (w *worker) key() (key [16]byte) {
	for i := range key {
		key[i] = byte(w.random.Uint32())
	}
	return key
}

// some returns numbers of live records: the oldest, or any.
func (w *worker) some(q *queueImage, most int) []uint64 {
	numbers := q.numbers()
	n := min(len(numbers), 1+w.random.IntN(most))
	if w.random.IntN(2) == 0 {
		w.random.Shuffle(len(numbers), func(i, j int) { numbers[i], numbers[j] = numbers[j], numbers[i] })
	}
	return numbers[:n]
}

func (w *worker) remove() error {
	q := w.pick()
	if q == nil || len(q.records) == 0 {
		return nil
	}
	c := queue.Change{Queue: q.number, Remove: w.some(q, 12)}
	if w.random.IntN(10) == 0 {
		c.Remove = append(c.Remove, 1+w.random.Uint64N(q.next)) // perhaps unknown
	}
	return w.append(&queue.Batch{Now: w.clock(), Changes: []queue.Change{c}}, "remove %d from %q", c.Remove, q.name)
}

func (w *worker) touch() error {
	q := w.pick()
	if q == nil || len(q.records) == 0 {
		return nil
	}
	c := queue.Change{Queue: q.number}
	now := w.clock()
	for _, seq := range w.some(q, 10) {
		r := q.records[seq]
		t := queue.Touch{Seq: seq, Receives: r.Receives + 1, FirstReceivedAt: r.FirstReceivedAt}
		if t.FirstReceivedAt == 0 {
			t.FirstReceivedAt = now
		}
		c.Touch = append(c.Touch, t)
	}
	return w.append(&queue.Batch{Now: now, Changes: []queue.Change{c}}, "touch %d in %q", len(c.Touch), q.name)
}

// move takes records from one queue to another in one batch.
func (w *worker) move() error {
	from, to := w.pick(), w.pick()
	if from == nil || from == to || len(from.records) == 0 {
		return nil
	}
	loss, gain := queue.Change{Queue: from.number}, queue.Change{Queue: to.number}
	seq := to.next
	for _, old := range w.some(from, 4) {
		seq = w.next(seq)
		r := from.records[old]
		r.Seq, r.DueAt, r.Receives = seq, 0, r.Receives+1
		r.DeadLetterSource, r.DeadLetterReason = from.name, "moved"
		seq++
		gain.Insert = append(gain.Insert, r)
		loss.Remove = append(loss.Remove, old)
	}
	b := &queue.Batch{Now: w.clock(), Changes: []queue.Change{gain, loss}}
	return w.append(b, "move %d from %q to %q", len(gain.Insert), from.name, to.name)
}

func (w *worker) purge() error {
	q := w.pick()
	if q == nil {
		return nil
	}
	c := queue.Change{Queue: q.number, Clear: true}
	if w.random.IntN(3) == 0 {
		c.Insert = []queue.Record{w.record(q, w.next(q.next))}
	}
	return w.append(&queue.Batch{Now: w.clock(), Changes: []queue.Change{c}}, "purge %q, insert %d", q.name, len(c.Insert))
}

// drop deletes a queue, half of the time one that nobody has attached.
func (w *worker) drop() error {
	q := w.pick()
	if q == nil {
		return nil
	}
	early := w.random.IntN(2) == 0
	if early {
		w.store.Detach(q.number)
		delete(w.attached, q.name)
	}
	b := &queue.Batch{Now: w.clock(), Changes: []queue.Change{{Queue: q.number, Drop: true}}}
	if w.random.IntN(3) == 0 {
		b.Meta = []queue.Meta{{Name: q.name}}
	}
	if err := w.append(b, "drop %q, detached %v", q.name, early); err != nil {
		return err
	}
	if !early {
		w.store.Detach(q.number)
		delete(w.attached, q.name)
	}
	return nil
}

// attach attaches a queue that is not attached, perhaps a new one, and compares
// it with what it must be.
func (w *worker) attach() error {
	name := w.names[w.random.IntN(len(w.names))]
	if w.attached[name] {
		return nil
	}
	was := w.latest.named(name)
	w.logf("attach %q, new: %v", name, was == nil)
	if was == nil {
		w.history.creating = name
	}
	seen, err := look(w.ctx, w.store, map[string]queue.Kind{name: kindOf(name)})
	w.history.creating = ""
	if err != nil {
		return err
	}
	q := seen.queues[name]
	if q == nil {
		if was == nil && w.mayBeFull {
			w.refused++
			return nil
		}
		return fmt.Errorf("attached %q: the store says it is full", name)
	}
	w.attached[name] = true
	if was != nil {
		if d := was.differs(q, w.latest.now); d != "" {
			return fmt.Errorf("attached %q: %s", name, d)
		}
		return nil
	}
	if d := w.latest.differsFromNew(q); d != "" {
		return fmt.Errorf("created %q: %s", name, d)
	}
	return w.created(name, q.recovery)
}

// created notes a new queue.
func (w *worker) created(name string, r *queue.Recovery) error {
	if r.Queue <= w.latest.above {
		return fmt.Errorf("the new queue %q has number %d, and number %d had been given", name, r.Queue, w.latest.above)
	}
	w.latest.create(name, kindOf(name), r)
	w.history.add(event{created: r, name: name, kind: kindOf(name), commit: w.last})
	level := queue.Durable
	if w.opener.sync != filestore.LoseNothing {
		level = queue.Written
	}
	w.history.reach(level, w.history.end())
	return nil
}

func (w *worker) detach() error {
	if q := w.pick(); q != nil {
		w.logf("detach %q", q.name)
		w.store.Detach(q.number)
		delete(w.attached, q.name)
	}
	return nil
}

func (w *worker) meta() error {
	m := queue.Meta{Name: w.names[w.random.IntN(len(w.names))]}
	if w.random.IntN(3) > 0 {
		m.Value = []byte(fmt.Sprintf("value %d", w.bodies))
	}
	return w.append(&queue.Batch{Now: w.clock(), Meta: []queue.Meta{m}}, "meta %q = %q", m.Name, m.Value)
}

// remember adds a crowd of deduplication entries.
func (w *worker) remember() error {
	q := w.pick()
	if q == nil || q.kind != queue.FIFO {
		return nil
	}
	c := queue.Change{Queue: q.number}
	now := w.clock()
	for range 1 + w.random.IntN(w.random.IntN(700)+1) {
		c.Dedup = append(c.Dedup, queue.Dedup{Key: w.key(), Seq: 1 + w.random.Uint64N(q.next), Until: now + w.random.Int64N(300_000)})
	}
	if len(q.dedup) > 0 && w.random.IntN(2) == 0 {
		keys := slices.SortedFunc(maps.Keys(q.dedup), func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) })
		again := keys[w.random.IntN(len(keys))]
		c.Dedup = append(c.Dedup, queue.Dedup{Key: again, Seq: q.next - 1, Until: now + 300_000})
	}
	return w.append(&queue.Batch{Now: now, Changes: []queue.Change{c}}, "remember %d in %q", len(c.Dedup), q.name)
}

// load compares some records with what they must be.
func (w *worker) load() error {
	q := w.pick()
	if q == nil {
		return nil
	}
	from := w.random.Uint64N(q.next + 1)
	to := from + w.random.Uint64N(q.next+300)
	got, err := w.store.Load(w.ctx, q.number, from, to, nil)
	if err != nil {
		return &failedCall{"Load", err}
	}
	return q.checkLoaded(got, from, to)
}

// checkLoaded compares what Load returned.
func (q *queueImage) checkLoaded(got []queue.Record, from, to uint64) error {
	for _, seq := range q.numbers() {
		if seq < from || seq >= to {
			continue
		}
		if len(got) == 0 || got[0] != q.records[seq] {
			return fmt.Errorf("Load(%d, %d) of %q: record %d is missing or wrong", from, to, q.name, seq)
		}
		got = got[1:]
	}
	if len(got) > 0 {
		return fmt.Errorf("Load(%d, %d) of %q: there should be no record %d", from, to, q.name, got[0].Seq)
	}
	return nil
}

// sleep lets pass what a store that loses the last second may take to sync.
func (w *worker) sleep() error {
	n := w.history.written
	time.Sleep(1100 * time.Millisecond)
	w.history.reach(queue.Durable, n)
	return nil
}

// reopen closes the store and opens it again.
func (w *worker) reopen() error {
	w.logf("close")
	if err := w.store.Close(); err != nil {
		return &failedCall{"Close", err}
	}
	w.history.reach(queue.Durable, w.history.end())
	w.logf("open")
	var err error
	if w.store, err = w.opener.open(w.ctx, w.disk); err != nil {
		return &failedCall{"Open, after a clean close", err}
	}
	w.last = 0
	return w.compare()
}

// compare attaches all queues to a store that was just opened, and compares
// everything.
func (w *worker) compare() error {
	kinds := map[string]queue.Kind{}
	w.attached = map[string]bool{}
	for _, q := range w.latest.queues {
		kinds[q.name] = q.kind
		w.attached[q.name] = true
	}
	seen, err := look(w.ctx, w.store, kinds)
	if err != nil {
		return err
	}
	if d := w.latest.differs(seen); d != "" {
		return fmt.Errorf("after opening: %s", d)
	}
	return nil
}
