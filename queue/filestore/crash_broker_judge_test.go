package filestore_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
)

// A view is what a broker shows of itself.
type view struct {
	faces map[*box]string
	wired map[*box]bool // it has a dead-letter queue
	tasks map[*box][]broker.MoveTask
	spots map[*slip]spot
	seen  map[*slip]queue.Peeked
	order map[*box][]*slip
}

// look looks at everything there is in a broker that was the keeper's, or is.
func (k *keeper) look(ctx context.Context, b *broker.Broker) (*view, error) {
	v := &view{
		faces: map[*box]string{}, wired: map[*box]bool{}, tasks: map[*box][]broker.MoveTask{},
		spots: map[*slip]spot{}, seen: map[*slip]queue.Peeked{}, order: map[*box][]*slip{},
	}
	qs, _, err := b.ListQueues(broker.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, q := range qs {
		x := k.boxes[q.Name()]
		if x == nil {
			return nil, fmt.Errorf("there is a queue %q", q.Name())
		}
		if v.faces[x], err = faceOf(ctx, b, x.name); err != nil {
			return nil, err
		}
		v.wired[x] = q.Config().DeadLetter.Target != nil
		if v.tasks[x], err = b.MoveTasks(ctx, x.arn, 10); err != nil {
			return nil, err
		}
		slices.Reverse(v.tasks[x])
		all, err := peek(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", x.name, err)
		}
		for _, p := range all {
			l := k.find(p.Body)
			if l == nil {
				return nil, fmt.Errorf("%.60q is in %s and was never sent", p.Body, x.name)
			}
			if s, twice := v.spots[l]; twice {
				return nil, fmt.Errorf("%s is there twice: in %s and in %s", l.label, s.box.name, x.name)
			}
			v.spots[l], v.seen[l] = spot{x, p.DeadLetterSource}, p
			v.order[x] = append(v.order[x], l)
		}
	}
	return v, nil
}

// circumstances are those under which a view is judged.
type circumstances struct {
	crashes int  // one upon the other; zero: it is the broker that the keeper uses
	process bool // all of them of the process alone
	over    bool // running tasks have had the time to end
}

// judge tells what is wrong with a view.
func (k *keeper) judge(v *view, c circumstances) error {
	for _, name := range boxNames {
		if err := k.judgeFace(v, k.boxes[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, x := range k.boxes {
		for _, e := range x.errands {
			e.mayFail = e.mayFail || e.running() && k.misses(e)
		}
	}
	for _, l := range k.slips {
		if err := k.judgeSlip(v, l, c); err != nil {
			return fmt.Errorf("%s: %w", l.label, err)
		}
	}
	for _, l := range k.together {
		if _, there := v.spots[l]; len(l.spots) > 1 && there != (v.spots[k.together[0]] != spot{}) {
			return fmt.Errorf("half of it happened: %s is there: %v, and %s is not so", l.label, there, k.together[0].label)
		}
	}
	for _, name := range boxNames {
		x := k.boxes[name]
		if err := k.judgeOrder(v, x); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if v.faces[x] == "" {
			continue
		}
		if err := k.judgeErrands(v, x, c); err != nil {
			return fmt.Errorf("tasks of %s: %w", name, err)
		}
	}
	return nil
}

func (k *keeper) judgeFace(v *view, x *box) error {
	face := v.faces[x]
	if face != x.face && (!x.changing || face != x.next) {
		return fmt.Errorf("it is\n\t%s, must be\n\t%s, or if changing (%v)\n\t%s", face, x.face, x.changing, x.next)
	}
	dead := k.boxes[deadOf(x.name)]
	want := face != "" && dead != nil && v.faces[dead] != "" && strings.Contains(face, "maxReceiveCount")
	if v.wired[x] != want {
		return fmt.Errorf("it has a dead-letter queue: %v, want %v", v.wired[x], want)
	}
	return nil
}

// target returns where an errand takes what is in a spot, nil if nowhere: the spot
// stays, or the queue is missing.
func (k *keeper) target(e *errand, at spot) (to *box, stays bool) {
	name := ""
	switch {
	case e.destination != nil:
		name = e.destination.name
	case at.source == "":
		return nil, true
	default:
		name = at.source[strings.LastIndexByte(at.source, ':')+1:]
	}
	if to = k.boxes[name]; !to.may() {
		return nil, false
	}
	return to, false
}

// misses reports whether a queue that an errand needs may be missing.
func (k *keeper) misses(e *errand) bool {
	if e.destination != nil && !k.boxes[e.destination.name].there() {
		return true
	}
	for _, l := range k.slips {
		if l.errand != e {
			continue
		}
		if to, stays := k.target(e, l.spots[0]); !stays && (to == nil || !to.there()) {
			return true
		}
	}
	return false
}

// possible returns where a message may be.
func (k *keeper) possible(l *slip) []spot {
	spots := slices.Clone(l.spots)
	e := l.errand
	if e == nil || !e.running() {
		return spots
	}
	for _, s := range l.spots {
		if s.box != e.source {
			continue
		}
		if to, _ := k.target(e, s); to != nil {
			spots = append(spots, spot{box: to})
		}
	}
	return spots
}

// moved reports whether an errand has moved a message since it was seen last.
func (v *view) moved(l *slip) bool {
	at, there := v.spots[l]
	return there && l.errand != nil && !slices.Contains(l.spots, at)
}

func (k *keeper) judgeSlip(v *view, l *slip, c circumstances) error {
	possible := k.possible(l)
	at, there := v.spots[l]
	if !there {
		for _, s := range possible {
			if s.box == nil || v.faces[s.box] == "" && s.box.changing {
				return nil
			}
		}
		return fmt.Errorf("it is lost; it was in %v", describe(possible))
	}
	if !slices.Contains(possible, at) {
		return fmt.Errorf("it is in %v, may be in %v", describe([]spot{at}), describe(possible))
	}
	p := v.seen[l]
	low, high := l.receives, l.receives
	if c.crashes > 0 && !c.process {
		low = 0
	}
	if k.filling != nil && l.spots[0].box == k.filling {
		high++
	}
	if v.moved(l) {
		low, high = 0, 0
	}
	if p.ReceiveCount < low || p.ReceiveCount > high {
		return fmt.Errorf("its receive count is %d, must be %d to %d", p.ReceiveCount, low, high)
	}
	if p.GroupID != l.message.GroupID {
		return fmt.Errorf("it is %+v, was %+v", p.Message, l.message)
	}
	return nil
}

func describe(spots []spot) (texts []string) {
	for _, s := range spots {
		if s.box == nil {
			texts = append(texts, "no queue")
		} else {
			texts = append(texts, fmt.Sprintf("%s from %q", s.box.name, s.source))
		}
	}
	return texts
}

// judgeOrder makes sure that messages of a group that stayed are in order, before
// those that came, and these in the order that they had where they came from.
func (k *keeper) judgeOrder(v *view, x *box) error {
	type place struct {
		came bool
		rank uint64
		l    *slip
	}
	latest := map[string]place{}
	for _, l := range v.order[x] {
		if v.moved(l) && l.lingers {
			continue // a crash may have taken the task back to it
		}
		now := place{came: l.spots[0].box != x || l.rank == 0, rank: cmp.Or(l.rank, l.order), l: l}
		group := l.message.GroupID
		if now.came {
			group += " from " + describe(l.spots[:1])[0]
		}
		if last, ok := latest[group]; ok && last.rank >= now.rank {
			return fmt.Errorf("%s stands behind %s in %s", l.label, last.l.label, group)
		}
		if !now.came {
			for other, last := range latest {
				if last.came && strings.HasPrefix(other, group+" ") {
					return fmt.Errorf("%s stands behind %s, which came later, in %s", l.label, last.l.label, group)
				}
			}
		}
		latest[group] = now
	}
	return nil
}

// judgeErrands compares the tasks of a queue with what is known of them and with
// what they did.
func (k *keeper) judgeErrands(v *view, x *box, c circumstances) error {
	known := x.errands
	tasks := v.tasks[x]
	if n := len(known); n > 0 && known[n-1].starting && (len(tasks) == 0 || !tasks[len(tasks)-1].StartedAt.Equal(known[n-1].started.Truncate(time.Millisecond))) {
		for l := range v.spots {
			if l.errand == known[n-1] && v.moved(l) {
				return fmt.Errorf("%s was moved by one that never was", l.label)
			}
		}
		known = known[:n-1]
	}
	known = known[max(0, len(known)-10):]
	if len(tasks) != len(known) {
		return fmt.Errorf("%d tasks, want %d", len(tasks), len(known))
	}
	for i, e := range known {
		if err := k.judgeErrand(v, e, &tasks[i], c); err != nil {
			return fmt.Errorf("%+v of %v: %w; known: %+v", tasks[i], e.started, err, *e)
		}
	}
	return nil
}

func (k *keeper) judgeErrand(v *view, e *errand, t *broker.MoveTask, c circumstances) error {
	switch {
	case !t.StartedAt.Equal(e.started.Truncate(time.Millisecond)) || t.Source != e.options.Source || t.Destination != e.options.Destination || t.PerSecond != e.options.PerSecond:
		return fmt.Errorf("it is another one")
	case t.ToMove != e.toMove:
		return fmt.Errorf("%d were to be moved", e.toMove)
	case (t.Handle != "") != (t.Status == broker.Running) || t.Handle != "" && e.handle != "" && t.Handle != e.handle:
		return fmt.Errorf("the handle was %s", e.handle)
	case t.Failure != "" && (t.Status != broker.Failed || t.Failure != "AWS.SimpleQueueService.NonExistentQueue"):
		return fmt.Errorf("the failure is wrong")
	}
	if !e.running() {
		if t.Status != e.status || t.Moved != e.moved || t.Failure != e.failure {
			return fmt.Errorf("it was over")
		}
		return nil
	}
	if err := k.judgeStatus(e, t.Status, c); err != nil {
		return err
	}
	actual := e.actual
	for l := range v.spots {
		if l.errand != e {
			continue
		}
		if v.moved(l) {
			actual++
			continue
		}
		if to, stays := k.target(e, l.spots[0]); t.Status == broker.Completed && len(l.spots) == 1 && !l.lingers && !stays {
			return fmt.Errorf("it left %s behind, which goes to %v", l.label, to)
		}
	}
	// Each crash may take a record with it of how far the task came, though none of
	// what it moved by then.
	if low := actual - c.crashes*e.batch(); t.Moved < low || t.Moved > actual {
		return fmt.Errorf("it has moved %d", actual)
	}
	return nil
}

func (k *keeper) judgeStatus(e *errand, s broker.MoveStatus, c circumstances) error {
	switch s {
	case broker.Running:
		if e.cancelled || c.over {
			return fmt.Errorf("it should have ended")
		}
	case broker.Completed:
		if e.cancelled {
			return fmt.Errorf("it was cancelled")
		}
	case broker.Failed:
		if !e.mayFail {
			return fmt.Errorf("no queue is missing")
		}
	case broker.Cancelled:
		if !e.cancelled && !e.cancelling {
			return fmt.Errorf("nobody cancelled it")
		}
	default:
		return fmt.Errorf("it has no such status any more")
	}
	return nil
}

// believe takes what was seen for what is. Nothing is under way.
func (k *keeper) believe(v *view) {
	k.together = nil
	for _, x := range k.boxes {
		if x.face == "" {
			continue
		}
		known := x.errands[max(0, len(x.errands)-10):]
		for i, e := range known {
			e.status, e.moved, e.failure = v.tasks[x][i].Status, v.tasks[x][i].Moved, v.tasks[x][i].Failure
		}
		x.errands = known
	}
	for _, l := range k.slips {
		at, there := v.spots[l]
		if !there {
			l.spots, l.errand = []spot{{}}, nil
			continue
		}
		if v.moved(l) {
			l.errand.actual++
		}
		if !l.in(at.box) {
			l.errand, l.receipt = nil, queue.Receipt{}
		}
		p := v.seen[l]
		l.spots, l.rank, l.receives, l.state = []spot{at}, p.Position, p.ReceiveCount, p.State
		l.lingers = l.lingers || l.state != queue.Visible
		if l.errand != nil && !l.errand.running() {
			l.errand = nil
		}
	}
}
