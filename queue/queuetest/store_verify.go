package queuetest

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

// verify compares the store with the model: as it is, with its queues attached
// again, with everything durable, and opened again.
func (d *storeDesk) verify() {
	d.Helper()
	d.sees("appended")
	d.reattach()
	d.settle()
	d.reopen()
}

// sees compares what Load returns with the model.
func (d *storeDesk) sees(stage string) {
	d.Helper()
	for _, q := range d.queues {
		got, err := d.st.Load(d.ctx, q.number, 1, q.end(), nil)
		d.noError(err, "%s: Load of queue %s", stage, brief(q.name))
		d.noError(d.latest.queues[q.name].checkRecords(got, 1, q.end()), "%s: queue %s", stage, brief(q.name))
	}
}

// reattach detaches and attaches every queue.
func (d *storeDesk) reattach() {
	d.Helper()
	for _, q := range d.queues {
		d.st.Detach(q.number)
		d.attachAs(q, "attached again")
	}
	d.sees("attached again")
}

// settle waits until everything is durable.
func (d *storeDesk) settle() {
	d.Helper()
	d.wait(d.last, queue.Durable)
	d.seesMeta("durable")
}

func (d *storeDesk) seesMeta(stage string) {
	d.Helper()
	meta, err := d.st.Meta(d.ctx)
	d.noError(err, "%s: Meta", stage)
	d.noError(d.latest.checkMeta(meta), "%s", stage)
}

// close closes the store, which makes everything durable.
func (d *storeDesk) close() {
	d.Helper()
	d.ended = true
	d.noError(d.st.Close(), "Close")
	d.base, d.tail, d.written = d.latest.clone(), nil, 0
}

// reopen closes the store, opens it again, and attaches the queues that were
// attached.
func (d *storeDesk) reopen() {
	d.Helper()
	d.close()
	d.openAgain()
}

// openAgain opens the store that was closed.
func (d *storeDesk) openAgain() {
	d.Helper()
	d.open()
	for _, q := range d.queues {
		d.attachAs(q, "opened again")
	}
	d.sees("opened again")
	d.seesMeta("opened again")
}

// crash ends the process with Written, the machine with Durable, and compares
// what survived with what may have.
func (d *storeDesk) crash(l queue.Level) {
	d.Helper()
	what, floor := "after the end of the machine", 0
	if l == queue.Written {
		what, floor = "after the end of the process", d.written
	}
	d.ended = true
	st, err := d.h.Crash(d.t, d.st, d.place, l)
	d.noError(err, "%s: opening the store", what)
	d.st, d.ended, d.last = st, false, 0
	d.survived(what, floor)
	if l == queue.Durable {
		d.base, d.tail, d.written = d.latest.clone(), nil, 0
	}
}

// reopenFailed closes a store that has failed, opens it again, and compares.
func (d *storeDesk) reopenFailed() {
	d.Helper()
	d.ended = true
	_ = d.st.Close() // can't make durable what was appended; what it says is not in the contract
	d.open()
	d.survived("opened again after a failure", 0)
}

// A survivor is what was found of a queue.
type survivor struct {
	queueKind
	rec     *queue.Recovery
	records []queue.Record
}

// survived finds out which batches survived: at least floor of the tail, and
// none without all earlier ones. The desk goes on from there.
func (d *storeDesk) survived(what string, floor int) {
	d.Helper()
	found := d.find(what)
	meta, err := d.st.Meta(d.ctx)
	d.noError(err, "%s: Meta", what)

	state := d.base.clone()
	var differences []string
	for k := 0; ; k++ {
		if k >= floor {
			err := d.fits(state, found, meta)
			if err == nil {
				d.goOn(state, found, k)
				return
			}
			differences = append(differences, fmt.Sprintf("with %d of the %d batches under way: %v", k, len(d.tail), err))
		}
		if k == len(d.tail) {
			break
		}
		state.apply(d.tail[k])
	}
	if n := len(differences); n > 5 {
		differences = slices.Concat(differences[:2], []string{"..."}, differences[n-3:])
	}
	d.fatalf("%s: of the %d batches under way the %d oldest must have survived, and of the others only the oldest may, each as a whole; "+
		"what is there fits none of it:\n\t%s", what, len(d.tail), floor, strings.Join(differences, "\n\t"))
}

// find attaches every queue that ever was, and loads it.
func (d *storeDesk) find(what string) []survivor {
	d.Helper()
	var found []survivor
	for _, k := range d.names {
		rec, err := d.st.Attach(d.ctx, k.name, k.kind)
		d.noError(err, "%s: Attach of %s", what, brief(k.name))
		end := rec.Next
		if q := d.latest.queues[k.name]; q != nil {
			end = max(end, q.next)
		}
		records, err := d.st.Load(d.ctx, rec.Queue, 1, end+queue.PageSize, nil)
		d.noError(err, "%s: Load of queue %s", what, brief(k.name))
		found = append(found, survivor{k, rec, records})
	}
	return found
}

// fits compares what was found with a state that may have survived.
func (d *storeDesk) fits(m *storeModel, found []survivor, meta map[string][]byte) error {
	for _, f := range found {
		q, state := m.queues[f.name], m.queues[f.name]
		if q.empty() {
			if d.old[queueName{f.name, f.rec.Key}] {
				return fmt.Errorf("queue %s has the key of the dropped queue of that name", brief(f.name))
			}
			state = newStoredQueue(f.rec.Key)
		}
		if state.key != f.rec.Key {
			return fmt.Errorf("the key of queue %s is %x; it was %x before", brief(f.name), f.rec.Key, state.key)
		}
		err := state.checkRecords(f.records, 0, math.MaxUint64)
		if err == nil {
			err = state.checkRecovery(f.rec, m.now)
		}
		if err != nil {
			return fmt.Errorf("queue %s: %w", brief(f.name), err)
		}
	}
	return m.checkMeta(meta)
}

// goOn makes the state that survived, which has k batches of the tail, the
// desk's, and leaves attached what was attached.
func (d *storeDesk) goOn(state *storeModel, found []survivor, k int) {
	d.Helper()
	d.latest, d.tail, d.written = state, d.tail[:k], k
	for _, b := range d.tail {
		b.commit = 0 // it was of the store that is no more
	}
	for _, f := range found {
		for _, m := range []*storeModel{d.base, d.latest} {
			if m.queues[f.name].empty() {
				m.queues[f.name] = newStoredQueue(f.rec.Key)
			}
		}
		at := slices.IndexFunc(d.queues, func(q *storeQueue) bool { return q.name == f.name })
		if at < 0 {
			d.st.Detach(f.rec.Queue)
			continue
		}
		q := d.queues[at]
		q.number, q.key, q.next = f.rec.Queue, f.rec.Key, f.rec.Next
	}
}

// patience is how long a call that doesn't have to wait may take.
const patience = 3 * time.Second

// hold keeps commits from becoming durable; release may be called more than
// once. A call that waits for the end of the hold though it should not wait
// doesn't hang: the hold ends after a while, and release fails the case.
func (d *storeDesk) hold() (release func()) {
	d.Helper()
	let := sync.OnceFunc(d.h.Hold(d.t, d.st))
	watchdog := time.AfterFunc(patience, let)
	release = sync.OnceFunc(func() {
		if !watchdog.Stop() {
			d.Errorf("a call that doesn't have to wait took %v, in which nothing could become durable", patience)
		}
		let()
	})
	d.defers = append(d.defers, release)
	return release
}

// closedEverywhere asserts that every method of a closed store says so.
func (d *storeDesk) closedEverywhere(q *storeQueue) {
	d.Helper()
	_, err := d.st.Attach(d.ctx, q.name, q.kind)
	d.fails(err, queue.ErrClosed, "Attach after Close")
	_, err = d.st.Append(&queue.Batch{Now: d.clock, Changes: []queue.Change{q.insertion(1)}})
	d.fails(err, queue.ErrClosed, "Append after Close")
	_, err = d.st.Load(d.ctx, q.number, 1, 10, nil)
	d.fails(err, queue.ErrClosed, "Load after Close")
	_, err = d.st.Meta(d.ctx)
	d.fails(err, queue.ErrClosed, "Meta after Close")
	d.fails(d.st.Close(), queue.ErrClosed, "the second Close")
	// What Close made durable is durable: nil says no less than ErrClosed.
	if err := d.st.Wait(d.last, queue.Durable); err != nil {
		require.ErrorIs(d, err, queue.ErrClosed, "Wait after Close")
	}
	d.st.Detach(q.number) // does nothing, and harms nothing
}
