package queuetest

import (
	"context"
	"slices"
	"time"

	"github.com/restantemq/restante/queue"
)

// modelAction is something that the input can do.
type modelAction struct {
	name string // in reports
	do   func(r *modelRun)
}

// modelActions is the table that bytes choose from; what stands in it twice
// comes twice as often. An action that can't apply does nothing.
var modelActions = []modelAction{
	{"send", actSend},
	{"send", actSend},
	{"send", actSend},
	{"send batch", actSendBatch},
	{"receive", actReceive},
	{"receive", actReceive},
	{"receive", actReceive},
	{"receive", actReceive},
	{"poll", actPoll},
	{"poll", actPoll},
	{"cancel a poll", actCancel},
	{"repeat an attempt", actRepeat},
	{"delete", actDelete},
	{"delete", actDelete},
	{"delete batch", actDeleteBatch},
	{"change visibility", actChangeVisibility},
	{"change visibility", actChangeVisibility},
	{"change visibility batch", actChangeVisibilityBatch},
	{"dead-letter", actDeadLetter},
	{"sleep", actSleep},
	{"sleep to a deadline", actSleepToDeadline},
	{"sleep to a deadline", actSleepToDeadline},
	{"sleep to a deadline", actSleepToDeadline},
	{"reconfigure", actReconfigure},
	{"bad call", actBadCall},
	{"rarely", actRarely},
}

// actRarely does what would end most scenarios too early.
func actRarely(r *modelRun) {
	switch r.pick(12) {
	case 0, 1:
		actPurge(r)
	case 2:
		actCloseDead(r)
	}
}

var (
	modelVisibilities = []time.Duration{
		0, 0, queue.None, time.Millisecond, time.Second, 1500 * time.Microsecond, 30 * time.Second, 10 * time.Minute, queue.MaxVisibility,
	}
	modelWaits  = []time.Duration{time.Millisecond, 100 * time.Millisecond, time.Second, 5 * time.Second, queue.MaxWait}
	modelSleeps = []time.Duration{
		0, time.Millisecond, time.Millisecond, 500 * time.Millisecond, time.Second, time.Second, 29 * time.Second,
		30 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 12 * time.Hour, 13 * time.Hour,
	}
)

func actSleep(r *modelRun) {
	r.releaseForMoves(r.main)
	r.sleep(modelPick(r, modelSleeps...))
}

// actSleepToDeadline sleeps until something happens, or a millisecond before or
// after.
func actSleepToDeadline(r *modelRun) {
	deadlines := r.deadlines()
	if len(deadlines) == 0 {
		return
	}
	r.releaseForMoves(r.main)
	at := deadlines[r.pick(min(len(deadlines), 5))] + modelPick[int64](r, 0, 0, -1, 1)
	r.sleep(time.Duration(max(0, at-r.now())) * time.Millisecond)
}

// deadlines returns the times ahead at which something changes.
func (r *modelRun) deadlines() []int64 {
	var all []int64
	for _, s := range r.sides() {
		for _, m := range s.model.messages {
			all = append(all, s.model.visibleAt(m), m.sentAt+s.model.cfg.retention)
		}
		for _, w := range s.model.waiters {
			all = append(all, w.deadline)
		}
		for _, rc := range s.model.receipts {
			all = append(all, rc.at+modelLifetime)
		}
		for _, o := range s.model.fifo.dedup {
			all = append(all, o.until)
		}
	}
	now := r.now()
	all = slices.DeleteFunc(all, func(at int64) bool { return at <= now })
	slices.Sort(all)
	return slices.Compact(all)
}

// modelReconfigurer is what the queues of this module can do besides.
type modelReconfigurer interface {
	Reconfigure(ctx context.Context, cfg queue.Config) error
	Config() queue.Config
}

func actReconfigure(r *modelRun) {
	s := r.side()
	c, ok := s.q.(modelReconfigurer)
	if !ok {
		return
	}
	r.release()
	cfg := c.Config()
	r.change(s, &cfg)
	r.logf("%s.Reconfigure(visibility %v, delay %v, retention %v, MaxReceives %d)",
		s.model.name, cfg.VisibilityTimeout, cfg.Delay, cfg.Retention, cfg.DeadLetter.MaxReceives)
	r.check(modelVerdict{nil}.check("Reconfigure", c.Reconfigure(r.ctx, cfg)))
	s.cfg, s.model.cfg = cfg, newModelConfig(cfg)
	if r.kind == queue.FIFO {
		s.model.reDelay()
	}
}

// change alters one value, where it is known what that means for what is under
// way.
func (r *modelRun) change(s *modelSide, cfg *queue.Config) {
	n := r.pick(4)
	received := func(m *modelMessage) bool { return m.receives > 0 }
	byDefault := func(p *modelReceiver) bool { return p.byDefault }
	switch {
	case n == 0 && !slices.ContainsFunc(s.parked, byDefault):
		cfg.VisibilityTimeout = modelPick(r, 0, time.Second, time.Minute)
	case n == 1 && (r.kind == queue.Standard || !slices.ContainsFunc(s.model.messages, received)):
		cfg.Delay = modelPick(r, 0, time.Second, time.Minute)
	case n == 2 && s == r.main && len(s.parked)+len(r.dead.parked) == 0:
		cfg.DeadLetter = queue.DeadLetter{}
		if most := r.pick(4); most > 0 {
			cfg.DeadLetter = r.deadLetters(most)
		}
	default:
		cfg.Retention = modelPick(r, queue.MinRetention, time.Hour, queue.DefaultRetention)
	}
}

func actPurge(r *modelRun) {
	s := r.side()
	p, ok := queue.As[queue.Purger](s.q)
	if !ok {
		return
	}
	r.release()
	s.model.purge()
	do := func() error { return p.Purge(r.ctx) }
	r.call(&modelCall{what: s.model.name + ".Purge()", do: do, finish: modelVerdict{nil}.checker("Purge")})
}

// actCloseDead closes the dead-letter queue: then its messages stay where they
// are and are delivered again.
func actCloseDead(r *modelRun) {
	if r.dead.closed || len(r.dead.parked) > 0 || len(r.main.parked) > 1 {
		return
	}
	r.release()
	r.closeSide(r.dead)
	r.main.model.refuses = true
}
