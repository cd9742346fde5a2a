package queuetest

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

// storeEpoch is when the cases take place, in milliseconds since 1970: far in
// the future, so that a store that looks at the clock forgets nothing.
const storeEpoch int64 = 4_102_444_800_000 // 2100-01-01

// A storeDesk is where a case of [TestStore] works: one store at a place of its
// own, the model of what it must keep, and the verbs in which cases are written.
// A verb fails the case when the store refuses. The desk is for one goroutine;
// others call the store themselves and hand in what they appended.
type storeDesk struct {
	reporter
	t    *testing.T // for the harness
	h    *StoreHarness
	name string
	ctx  context.Context

	place  string
	st     queue.Store
	ended  bool               // st was closed, or may fail to close
	queues []*storeQueue      // attached, in order
	names  []queueKind        // all that ever were
	old    map[queueName]bool // dropped
	defers []func()           // before the store is closed

	latest  *storeModel    // what was appended
	base    *storeModel    // what is known to be durable; base + tail = latest
	tail    []*storedBatch // oldest first
	written int            // of tail: known to be written
	last    queue.Commit   // of the latest batch since the store was opened
	clock   int64          // of the latest batch

	random *rand.Rand // nil until asked for
	steps  []string   // what a randomised case did
}

type queueKind struct {
	name string
	kind queue.Kind
}

func newStoreDesk(t *testing.T, r reporter, h *StoreHarness, name string) *storeDesk {
	return &storeDesk{
		reporter: r, t: t, h: h, name: name, ctx: t.Context(), place: t.TempDir(),
		old:    map[queueName]bool{},
		latest: newStoreModel(), base: newStoreModel(), clock: storeEpoch,
	}
}

// open opens the store at the desk's place.
func (d *storeDesk) open() {
	d.Helper()
	st, err := d.h.Open(d.t, d.place)
	require.NoError(d, err, "opening the store at %q", d.place)
	d.st, d.ended, d.last = st, false, 0
}

// leave ends a case.
func (d *storeDesk) leave() {
	for _, f := range slices.Backward(d.defers) {
		f()
	}
	if d.st != nil && !d.ended {
		if err := d.st.Close(); err != nil {
			d.Errorf("Close after the case = %v; want nil", err)
		}
	}
	if d.random != nil && d.Failed() {
		for _, s := range d.steps[max(0, len(d.steps)-40):] {
			d.Logf("%s", s)
		}
		d.Logf("the case can be repeated with StoreHarness.Seed %d", d.h.Seed)
	}
}

func (d *storeDesk) fatalf(format string, args ...any) {
	d.Helper()
	d.Errorf(format, args...)
	d.FailNow()
}

// noError fails the case if err is not nil.
func (d *storeDesk) noError(err error, format string, args ...any) {
	d.Helper()
	if err != nil {
		d.fatalf("%s: %v", fmt.Sprintf(format, args...), err)
	}
}

// fails asserts that err is want.
func (d *storeDesk) fails(err, want error, format string, args ...any) {
	d.Helper()
	if !errors.Is(err, want) {
		d.fatalf("%s returned %v; want an error that is %q", fmt.Sprintf(format, args...), err, want)
	}
}

// dice returns the case's source of random numbers.
func (d *storeDesk) dice() *rand.Rand {
	if d.random == nil {
		h := fnv.New64a()
		h.Write([]byte(d.name))
		d.random = rand.New(rand.NewPCG(d.h.Seed, h.Sum64()))
	}
	return d.random
}

// stepf notes what a randomised case does, for its failure.
func (d *storeDesk) stepf(format string, args ...any) {
	d.steps = append(d.steps, fmt.Sprintf(format, args...))
}

// together calls act with 0 to n-1 at the same time, in goroutines that end
// before together does, and fails the case with their errors.
func (d *storeDesk) together(n int, act func(i int) error) {
	d.Helper()
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = act(i) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		d.fatalf("of %d goroutines: %v", n, err)
	}
}

// queue attaches a Standard queue.
func (d *storeDesk) queue(name string) *storeQueue {
	d.Helper()
	return d.attach(name, queue.Standard)
}

// attach attaches a queue and checks what the store tells of it.
func (d *storeDesk) attach(name string, kind queue.Kind) *storeQueue {
	d.Helper()
	q := &storeQueue{d: d, name: name, kind: kind}
	d.attachAs(q, "attached")
	d.queues = append(d.queues, q)
	return q
}

// attachAs attaches q's queue, new or not, under the number it now has.
func (d *storeDesk) attachAs(q *storeQueue, stage string) {
	d.Helper()
	rec, err := d.st.Attach(d.ctx, q.name, q.kind)
	d.noError(err, "%s: Attach of %s", stage, brief(q.name))
	d.know(q.name, q.kind, rec.Key)
	known := d.latest.queues[q.name]
	if rec.Key != known.key {
		d.fatalf("%s: the key of queue %s is %x; it was %x before", stage, brief(q.name), rec.Key, known.key)
	}
	d.noError(known.checkRecovery(rec, d.latest.now), "%s: queue %s", stage, brief(q.name))
	q.number, q.key, q.next = rec.Queue, rec.Key, rec.Next
}

// know notes a queue that was attached, with that key if it is new.
func (d *storeDesk) know(name string, kind queue.Kind, key [16]byte) {
	d.Helper()
	if !slices.ContainsFunc(d.names, func(k queueKind) bool { return k.name == name }) {
		d.names = append(d.names, queueKind{name, kind})
	}
	if d.latest.queues[name] == nil {
		if key == ([16]byte{}) {
			d.fatalf("the key of the new queue %s is zero; want one made at random", brief(name))
		}
		if d.old[queueName{name, key}] {
			d.fatalf("queue %s has the key of the dropped queue of that name", brief(name))
		}
		d.latest.queues[name] = newStoredQueue(key)
	}
	if d.base.queues[name] == nil {
		d.base.queues[name] = newStoredQueue(key)
	}
}

// detach gives q back.
func (d *storeDesk) detach(q *storeQueue) {
	d.Helper()
	d.st.Detach(q.number)
	d.queues = slices.DeleteFunc(d.queues, func(p *storeQueue) bool { return p == q })
}

// append appends a batch of those changes.
func (d *storeDesk) append(changes ...queue.Change) queue.Commit {
	d.Helper()
	return d.appendBatch(&queue.Batch{Now: d.tick(), Changes: changes})
}

// tick lets a millisecond pass.
func (d *storeDesk) tick() int64 {
	d.clock++
	return d.clock
}

func (d *storeDesk) appendBatch(b *queue.Batch) queue.Commit {
	d.Helper()
	kept := d.keep(b)
	c, err := d.st.Append(b)
	d.noError(err, "Append")
	kept.commit = c
	d.accepted(kept)
	return c
}

// keep copies a batch before it is appended. Only this one of the desk's verbs
// may be called by several goroutines.
func (d *storeDesk) keep(b *queue.Batch) *storedBatch {
	kept := &storedBatch{batch: cloneBatch(b)}
	for i := range b.Changes {
		at := slices.IndexFunc(d.queues, func(q *storeQueue) bool { return q.number == b.Changes[i].Queue })
		if at < 0 {
			panicf("%s: a batch for queue %d, which is not attached", d.name, b.Changes[i].Queue)
		}
		kept.of = append(kept.of, queueName{d.queues[at].name, d.queues[at].key})
	}
	return kept
}

// accepted notes a batch that the store took; they come in the order of their
// commits.
func (d *storeDesk) accepted(b *storedBatch) {
	d.Helper()
	if b.commit <= d.last {
		d.fatalf("Append returned commit %d after commit %d; want a larger one", b.commit, d.last)
	}
	d.last = b.commit
	d.tail = append(d.tail, b)
	d.latest.apply(b)
	for i := range b.batch.Changes {
		if b.batch.Changes[i].Drop {
			d.old[b.of[i]] = true
		}
	}
}

// acceptAll notes what several goroutines appended.
func (d *storeDesk) acceptAll(bs []*storedBatch) {
	d.Helper()
	slices.SortFunc(bs, func(a, b *storedBatch) int { return int(int64(a.commit) - int64(b.commit)) })
	for _, b := range bs {
		d.accepted(b)
	}
}

// wait waits until a commit has reached a level.
func (d *storeDesk) wait(c queue.Commit, l queue.Level) {
	d.Helper()
	d.noError(d.st.Wait(c, l), "Wait(%d, %s)", c, levelName(l))
	d.reached(c, l)
}

// reached notes that every commit up to c has reached l. What was recovered when
// the store was opened came before all of them, and has the commit zero.
func (d *storeDesk) reached(c queue.Commit, l queue.Level) {
	if c == 0 {
		return
	}
	n := 0
	for n < len(d.tail) && d.tail[n].commit <= c {
		n++
	}
	if l == queue.Written {
		d.written = max(d.written, n)
		return
	}
	for _, b := range d.tail[:n] {
		d.base.apply(b)
	}
	d.tail = slices.Delete(d.tail, 0, n)
	d.written = max(0, d.written-n)
}

func levelName(l queue.Level) string {
	if l == queue.Written {
		return "Written"
	}
	return "Durable"
}

// commit appends a batch of those changes and waits until it is durable.
func (d *storeDesk) commit(changes ...queue.Change) {
	d.Helper()
	d.wait(d.append(changes...), queue.Durable)
}

// setMeta makes named values durable.
func (d *storeDesk) setMeta(values ...queue.Meta) {
	d.Helper()
	d.wait(d.appendBatch(&queue.Batch{Now: d.tick(), Meta: values}), queue.Durable)
}

// meta returns the named values.
func (d *storeDesk) meta() map[string][]byte {
	d.Helper()
	meta, err := d.st.Meta(d.ctx)
	d.noError(err, "Meta")
	return meta
}
