package queuetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/restantemq/restante/queue"
)

func actReceive(r *modelRun) {
	s := r.side()
	o := queue.ReceiveOptions{Wait: modelPick(r, queue.None, queue.None, 0)}
	if len(s.parked) > 0 && r.unordered(s) || r.waitsElsewhere(s) {
		o.Wait = queue.None
	}
	r.receive(s, o)
}

func actPoll(r *modelRun) {
	s := r.side()
	if len(s.parked) >= 4 || len(s.parked) > 0 && r.unordered(s) || r.waitsElsewhere(s) {
		return
	}
	r.receive(s, queue.ReceiveOptions{Wait: modelPick(r, modelWaits...)})
}

// unordered reports whether several polls of s could move messages away in many
// orders. If s is paged, the next one is served from the pages there are while the
// first still moves what it came upon; so it is if the first hides nothing.
func (r *modelRun) unordered(s *modelSide) bool {
	hidesNothing := func(p *modelReceiver) bool { return p.visibility == 0 }
	return r.main.model.cfg.maxReceives > 0 && (r.grouped || r.main.model.refuses ||
		s == r.main && (s.model.paged || slices.ContainsFunc(s.parked, hidesNothing)))
}

// waitsElsewhere reports whether polls of both queues would meet: a message
// that moves in the instant in which another becomes visible may be handed out
// ahead of it.
func (r *modelRun) waitsElsewhere(s *modelSide) bool {
	other := r.main
	if s == r.main {
		other = r.dead
	}
	return r.main.model.cfg.maxReceives > 0 && len(other.parked) > 0
}

// receive completes o and calls Receive, which the model sees as a waiter even
// if it does not wait.
func (r *modelRun) receive(s *modelSide, o queue.ReceiveOptions) {
	o.Max = modelPick(r, 0, 1, 2, 3, queue.MaxReceive, queue.MaxReceive)
	o.VisibilityTimeout = modelPick(r, modelVisibilities...)
	if r.pick(4) == 0 {
		o.Into = make([]queue.Delivery, 0, queue.MaxReceive)
	}
	if r.kind == queue.FIFO && o.Wait == queue.None && r.pick(3) == 0 {
		r.attempts++
		o.AttemptID = fmt.Sprintf("a%d", r.attempts)
	}
	r.releaseForMoves(s)
	p := r.startReceive(s, o)
	s.model.waiters = append(s.model.waiters, p.modelWaiter)
	s.parked = append(s.parked, p)
	r.rest()
	r.check(s.model.settle(r.sight(s)))
	if o.AttemptID != "" && len(p.got) > 0 {
		a := &modelAttempt{at: r.now(), o: o, got: p.got, taken: modelTaken(s.model, p.got)}
		s.model.fifo.attempts[o.AttemptID] = a
	}
}

func (r *modelRun) startReceive(s *modelSide, o queue.ReceiveOptions) *modelReceiver {
	r.receives++
	ctx, cancel := context.WithCancel(r.ctx)
	wait := modelChoice(o.Wait, time.Duration(s.model.cfg.wait)*time.Millisecond)
	w := &modelWaiter{
		label:      fmt.Sprintf("r%d", r.receives),
		max:        cmp.Or(o.Max, 1),
		visibility: modelChoice(o.VisibilityTimeout, time.Duration(s.model.cfg.visibility)*time.Millisecond),
		byDefault:  o.VisibilityTimeout == 0,
		arrived:    r.now(),
		deadline:   r.now() + wait,
	}
	r.logf("%s: %s.Receive(Max %d, Wait %v, VisibilityTimeout %s, AttemptID %q)",
		w.label, s.model.name, o.Max, modelDuration(o.Wait), modelDuration(o.VisibilityTimeout), o.AttemptID)
	p := &modelReceiver{w, cancel, make(chan modelAnswer, 1)}
	r.receivers = append(r.receivers, p)
	r.goDump(func() {
		got, err := s.q.Receive(ctx, o)
		if len(got) > 0 && cap(o.Into) > 0 && &got[0] != &o.Into[:1][0] {
			err = errors.New("the result is not in the memory of Into")
		}
		p.answer <- modelAnswer{time.Now().UnixMilli(), got, err}
	})
	return p
}

func modelTaken(q *modelQueue, got []queue.Delivery) []*modelMessage {
	var taken []*modelMessage
	for i := range got {
		for _, m := range q.messages {
			if m.id == got[i].ID {
				taken = append(taken, m)
			}
		}
	}
	return taken
}

// actRepeat receives with an attempt ID that was used before.
func actRepeat(r *modelRun) {
	s := r.main
	if r.attempts == 0 || s.model.full {
		return
	}
	id := fmt.Sprintf("a%d", 1+r.pick(r.attempts))
	a := s.model.fifo.attempts[id]
	fresh, verdict, ok := s.model.repeatable(a)
	if !ok || fresh {
		return
	}
	p := r.startReceive(s, a.o)
	defer p.cancel()
	r.rest()
	r.check(verdict.check(p.label, p.err))
	if p.err == nil {
		r.check(s.model.repeat(a, p.modelWaiter))
	}
}

// actCancel gives one poll up: it must take nothing with it.
func actCancel(r *modelRun) {
	s := r.side()
	if len(s.parked) == 0 {
		return
	}
	p := s.parked[r.pick(len(s.parked))]
	r.logf("cancel %s", p.label)
	p.cancel()
	r.rest()
	s.model.drop(p.modelWaiter)
	s.parked = slices.DeleteFunc(s.parked, func(o *modelReceiver) bool { return o == p })
	if !p.done {
		r.fail(fmt.Errorf("%s still waits though its context was canceled", p.label))
	}
	r.check(modelVerdict{context.Canceled}.check(p.label, p.err))
}
