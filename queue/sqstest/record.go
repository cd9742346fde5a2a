package sqstest

import (
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/restantemq/restante/queue"
)

// A record keeps all that has happened in a kit.
type record struct {
	mu      sync.Mutex
	events  []queue.Event
	lives   map[queue.MessageID]*Life
	visits  map[string][]*Life // by queue, in order of arrival
	at      map[place]*Life
	renewed map[string]bool   // by queue: its history was begun anew, and the kit has not asked for that
	former  []*Life           // that were in queues which others of the same name have followed
	steps   map[string]*steps // by queue
	names   []string          // of queues, in the order in which they had their first message
	faults  []Fault
	changed chan struct{} // closed at the next change; nil while nobody waits for one
	closed  bool
}

func newRecord() *record {
	return &record{lives: make(map[queue.MessageID]*Life), visits: make(map[string][]*Life), steps: make(map[string]*steps), at: make(map[place]*Life), renewed: make(map[string]bool)}
}

// note is the Trace of all queues.
func (r *record) note(e queue.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	l := r.lives[e.ID]
	if l == nil {
		l = &Life{ID: e.ID, Body: e.Body, GroupID: e.GroupID}
		r.lives[e.ID] = l
	}
	if !l.wasAt(placeOf(&e)) {
		if r.at[placeOf(&e)] != nil {
			r.renew(e.Queue)
			r.renewed[e.Queue] = true
		}
		r.at[placeOf(&e)] = l
		r.visits[e.Queue] = append(r.visits[e.Queue], l)
	}
	if r.steps[e.Queue] == nil {
		r.steps[e.Queue] = new(steps)
		if !slices.Contains(r.names, e.Queue) {
			r.names = append(r.names, e.Queue)
		}
	}
	r.steps[e.Queue][e.Step]++
	l.add(e)
	r.change()
}

// steps are how many steps of each kind the messages of a queue have taken.
type steps [queue.StepMoved + 1]uint64

// has reports whether the record has all steps that a queue's counters tell of: events
// may come shortly after the calls that caused them have returned.
func (r *record) has(name string, s queue.Stats) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.steps[name]
	if n == nil {
		n = new(steps)
	}
	return n[queue.StepAccepted] >= s.Accepted && n[queue.StepAdopted] >= s.Adopted && n[queue.StepReceived] >= s.Received &&
		n[queue.StepDeleted] >= s.Deleted && n[queue.StepExpired] >= s.Expired && n[queue.StepPurged] >= s.Purged &&
		n[queue.StepDeadLettered]+n[queue.StepMoved] >= s.Moved
}

// succeed says that the kit has another queue of that name, unless the record knows.
func (r *record) succeed(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.renewed[name] {
		r.renew(name)
	}
	delete(r.renewed, name)
}

// renew begins the history of a queue anew: there is another one of its name, with the
// same positions. The caller must hold r.mu.
func (r *record) renew(name string) {
	r.former = append(r.former, r.visits[name]...)
	for p := range r.at {
		if p.queue == name {
			delete(r.at, p)
		}
	}
	for _, l := range r.visits[name] {
		if l.Events[len(l.Events)-1].Queue == name {
			l.dropped = true
		}
		l.former = l.former || l.Events[0].Queue == name
	}
	delete(r.visits, name)
	delete(r.steps, name)
	for i := range r.faults {
		if r.faults[i].Queue == name {
			r.faults[i].position = 0 // the new one's messages have the same
		}
	}
}

// fault keeps f.
func (r *record) fault(f Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, f)
	r.change()
}

// touch tells who waits for a change that there was one: a call has ended.
func (r *record) touch() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.change()
}

// change wakes who waits for one. The caller must hold r.mu.
func (r *record) change() {
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// next returns a channel that is closed at the next change. The caller must hold r.mu.
func (r *record) next() <-chan struct{} {
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
	return r.changed
}

// from returns the events from number i on, and a channel that is closed when there
// are more.
func (r *record) from(i int) (events []queue.Event, more <-chan struct{}, closed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events[i:len(r.events):len(r.events)], r.next(), r.closed
}

// all yields all events, and those to come until ctx or the record ends.
func (r *record) all(ctx context.Context) iter.Seq[queue.Event] {
	return func(yield func(queue.Event) bool) {
		for i := 0; ; {
			events, more, closed := r.from(i)
			for _, e := range events {
				if !yield(e) {
					return
				}
			}
			i += len(events)
			switch {
			case len(events) > 0:
			case closed:
				return
			default:
				select {
				case <-more:
				case <-ctx.Done():
					return
				}
			}
		}
	}
}

// close ends the waiting for events.
func (r *record) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.change()
}

// history returns copies of the lives of those messages that were in a queue, or, if
// name is empty, of all by the queue where they began, which keep accepts, or of all if
// that is nil.
func (r *record) history(name string, begin time.Time, keep func(*Life) bool) (lives []*Life) {
	r.mu.Lock()
	defer r.mu.Unlock()
	names := []string{name}
	if name == "" {
		names = r.names
	}
	r.number()
	had := make(map[*Life]bool)
	at := make(map[place]*Life)
	for _, here := range names {
		all := r.visits[here]
		if name == "" {
			all = slices.Concat(all, r.former)
		}
		for _, l := range all {
			if had[l] || name == "" && l.Events[0].Queue != here || keep != nil && !keep(l) {
				continue
			}
			had[l] = true
			copied := *l
			copied.Events = slices.Clone(l.Events)
			copied.begin = begin
			lives = append(lives, &copied)
			for i := range l.Events {
				at[placeOf(&l.Events[i])] = &copied
			}
		}
	}
	for _, f := range r.faults {
		if l := at[place{f.Queue, f.position}]; l != nil {
			l.faults = append(l.faults, f)
		}
	}
	return lives
}

// number counts the lives that began in each queue. The caller must hold r.mu.
func (r *record) number() {
	for here, lives := range r.visits {
		n := 0
		for _, l := range lives {
			if l.Events[0].Queue == here {
				n++
				l.n = n
			}
		}
	}
}

// A place is where a message is. Positions begin with 1.
type place struct {
	queue    string
	position uint64
}

func placeOf(e *queue.Event) place { return place{e.Queue, e.Position} }
