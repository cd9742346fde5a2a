package queuetest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/restantemq/restante/queue"
)

// modelStoreActions are what a store can do to the queues over it.
var modelStoreActions = []modelAction{
	{"hold", actHold},
	{"hold", actHold},
	{"release", func(r *modelRun) { r.release() }},
	{"release some", actReleaseSome},
	{"crash", actCrash},
	{"reopen", actReopen},
	{"fill", actFill},
	{"fail", actFail},
	{"receive while nothing is written", actReceiveUnwritten},
}

// modelHold is how long a store holds at most: so briefly that nothing expires
// before it is durable.
const modelHold = 20 * time.Second

// actHold holds back syncs: sends and deletes stay under way.
func actHold(r *modelRun) {
	if r.held || r.main.model.full {
		return
	}
	r.logf("the store holds its syncs")
	r.store.Hold(queue.Durable)
	r.held, r.heldUntil = true, r.now()+int64(modelHold/time.Millisecond)
}

// release lets the store go on: whatever waits for it then returns.
func (r *modelRun) release() {
	if !r.held {
		return
	}
	r.logf("the store is released")
	r.store.Release()
	r.held = false
	r.step()
}

// releaseForMoves ends a hold before something that may move messages to the
// dead-letter queue, which waits for the store.
func (r *modelRun) releaseForMoves(s *modelSide) {
	polls := s.model.cfg.maxReceives > 0 && len(s.parked) > 0
	if polls || slices.ContainsFunc(s.model.messages, s.model.poisoned) {
		r.release()
	}
}

// actReleaseSome makes some of what waits durable, the oldest first.
func actReleaseSome(r *modelRun) {
	if !r.held {
		return
	}
	n := 1 + r.pick(3)
	r.logf("the store makes the %d oldest of %d batches durable", n, r.store.Pending())
	r.store.ReleaseOldest(n)
}

// actReceiveUnwritten receives while not even receive counts get through, and
// then lets them.
func actReceiveUnwritten(r *modelRun) {
	if r.held || r.kind == queue.FIFO || r.main.model.tenanted() || r.main.model.full {
		return
	}
	if slices.ContainsFunc(r.main.model.messages, r.main.model.poisoned) || len(r.main.model.receivable()) == 0 {
		return
	}
	s := r.main
	r.store.Hold(queue.Written)
	p := r.startReceive(s, queue.ReceiveOptions{Max: 1 + r.pick(3), Wait: queue.None, VisibilityTimeout: time.Second})
	r.rest()
	if p.done {
		r.fail(fmt.Errorf("%s returned, but the store has not written its receive count", p.label))
	}
	r.store.Release()
	r.rest()
	s.model.waiters = append(s.model.waiters, p.modelWaiter)
	s.parked = append(s.parked, p)
}

// actFill makes the store refuse messages, or take them again.
func actFill(r *modelRun) {
	if len(r.main.parked) > 1 {
		return
	}
	r.release()
	full := !r.main.model.full
	r.logf("the store is full: %v", full)
	r.store.SetFull(full)
	for _, s := range r.sides() {
		s.model.full = full
	}
	r.main.model.refuses = full || r.dead.closed
}

// actCrash ends the process, or the machine, and opens the queues again.
func actCrash(r *modelRun) {
	if r.dead.closed || r.pick(3) != 0 {
		return
	}
	durable := func(m *modelMessage) int { return m.durable }
	switch n := r.pick(6); n {
	case 0, 1:
		r.logf("the process crashes")
		r.restart(r.store.Crash(queue.Written), func(m *modelMessage) int { return m.written })
	case 2, 3:
		r.logf("the machine crashes")
		r.restart(r.store.Crash(queue.Durable), durable)
	default:
		r.logf("the machine crashes, %d batches that were not durable survive", n)
		r.restart(r.store.CrashKeeping(n), durable)
	}
}

// actReopen closes queues and store and opens them again.
func actReopen(r *modelRun) {
	if r.dead.closed || r.pick(4) != 0 {
		return
	}
	r.release()
	r.closeAll()
	r.logf("the store is closed and opened")
	r.restart(r.store.Reopen(), func(m *modelMessage) int { return m.written })
}

// actFail makes a sync fail: then the store takes nothing and the queue hands
// nothing out, until they are opened again.
func actFail(r *modelRun) {
	if r.dead.closed || r.main.model.full || r.pick(4) != 0 {
		return
	}
	r.release()
	r.logf("the next sync fails")
	r.store.Fail()
	r.failSend()
	r.checkFailed()
	kept := r.pick(2)
	r.logf("the store is opened again, %d batches that were not durable survive", kept)
	r.restart(r.store.CrashKeeping(kept), func(m *modelMessage) int { return m.durable })
}

// failSend sends a message whose sync fails: it may survive.
func (r *modelRun) failSend() {
	m := r.draft(r.main)
	m.msg.DeduplicationID = ""
	if r.kind == queue.FIFO {
		m.msg.DeduplicationID = "failed-" + m.label
	}
	r.main.model.send(m)
	what := "Send of " + m.label + ", whose sync fails,"
	do := func() error {
		_, err := r.main.q.Send(r.ctx, m.msg)
		return err
	}
	r.call(&modelCall{what: what, do: do, finish: func(err error) error {
		if !errors.Is(err, queue.ErrUncertain) || !errors.Is(err, queue.ErrStoreFailed) {
			return fmt.Errorf("%s returned %s, want both %q and %q", what, modelError(err), queue.ErrUncertain, queue.ErrStoreFailed)
		}
		return nil
	}})
}

// checkFailed makes sure that a queue over a failed store refuses what the
// store would have to keep, and can be looked into.
func (r *modelRun) checkFailed() {
	_, err := r.main.q.Send(r.ctx, modelValid(r.kind))
	r.check(modelVerdict{queue.ErrStoreFailed}.check("Send over a failed store", err))
	if errors.Is(err, queue.ErrUncertain) {
		r.fail(fmt.Errorf("a Send over a failed store returned %q: nothing is uncertain about it", err))
	}
	got, err := r.main.q.Receive(r.ctx, queue.ReceiveOptions{Wait: queue.None})
	r.check(modelVerdict{queue.ErrStoreFailed}.check("Receive over a failed store", err))
	if len(got) > 0 {
		r.fail(fmt.Errorf("a Receive over a failed store handed out %s", modelGot(got)))
	}
	r.peek(r.main)
	_, err = r.inspector(r.main).Stats(r.ctx)
	r.check(err)
}

// restart opens the queues over the store that a crash left and compares them
// with what must have survived.
func (r *modelRun) restart(store *MemStore, atLeast func(*modelMessage) int) {
	r.rest()
	r.endCalls()
	for _, s := range r.sides() {
		s.q.Close()
		s.closed = false
	}
	r.rest()
	r.endReceives()
	full := r.main.model.full
	r.store, r.held = store, false
	r.reopen(r.dead)
	if r.main.cfg.DeadLetter.MaxReceives > 0 {
		r.main.cfg.DeadLetter = r.deadLetters(r.main.cfg.DeadLetter.MaxReceives)
	}
	r.reopen(r.main)
	for _, s := range r.sides() {
		s.model.full, s.model.refuses = false, false
		stats, err := r.inspector(s).Stats(r.ctx)
		r.check(err)
		least := atLeast
		if full {
			least = func(m *modelMessage) int { return m.durable }
		}
		r.check(s.model.survive(r.peek(s), stats, s.leaving, least))
		s.leaving = nil
	}
}

func (r *modelRun) reopen(s *modelSide) {
	q, err := r.open(s.cfg)
	if err != nil {
		r.fail(fmt.Errorf("opening %q again: %w", s.cfg.Name, err))
	}
	s.q = q
	s.model.reopened = true
	s.model.paged = s.model.paged || r.kind == queue.Standard // it reads no more than it is asked for
}

// endCalls makes sure that no call which waited for the store of a crash
// claims success, or a certain failure.
func (r *modelRun) endCalls() {
	for _, c := range r.parked {
		if !c.done {
			r.fail(fmt.Errorf("%s still waits for a store that is dead", c.what))
		}
		want := modelVerdict{queue.ErrUncertain}
		if !c.appends {
			want = append(want, queue.ErrStoreFailed)
		}
		r.check(want.check(c.what+", under way in a crash,", c.err))
	}
	r.parked = nil
}

// endReceives makes sure that no receiver outlives its queue.
func (r *modelRun) endReceives() {
	for _, s := range r.sides() {
		for _, p := range s.parked {
			if !p.done {
				r.fail(fmt.Errorf("%s still waits though its queue was closed", p.label))
			}
			p.cancel()
		}
		s.parked = nil
	}
}
