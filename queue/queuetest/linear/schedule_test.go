package linear

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restantemq/restante/fifo"
	"github.com/restantemq/restante/queue"
)

// epoch is when every schedule begins: the first instant of a bubble.
var epoch = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

const ms = time.Millisecond

// A schedule is what a seed stands for.
type schedule struct {
	seed     uint64
	cfg      [2]queue.Config // the second one is of the dead-letter queue
	target   bool            // there is a dead-letter queue
	groups   []string
	ids      int // how many deduplication IDs are used again and again
	preload  int // messages sent before the clients begin
	clients  []plan
	leaps    bool // clients may sleep as long as deduplication lasts
	yielding bool // clients are interrupted in the middle of their calls
}

// A plan is what one client means to do.
type plan struct {
	calls   int
	weights [6]int // of the actions below
}

// The actions of clients; some calls are made single or as a batch.
const (
	actSend = iota
	actShortPoll
	actLongPoll
	actDelete
	actChange
	actDeadLetter
)

// pick returns one of the values.
func pick[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }

// one reports true once in n times.
func one(r *rand.Rand, n int) bool { return r.IntN(n) == 0 }

// newSchedule makes the schedule of a seed.
func newSchedule(seed uint64) *schedule {
	r := rand.New(rand.NewPCG(seed, 0))
	s := &schedule{
		seed:     seed,
		groups:   []string{"a", "b", "c"}[:1+r.IntN(3)],
		ids:      1 + r.IntN(4),
		preload:  r.IntN(5),
		leaps:    one(r, 3),
		target:   !one(r, 3),
		yielding: !one(r, 3),
	}
	for i := range s.cfg {
		s.cfg[i] = queue.Config{
			Name:              []string{"queue.fifo", "dead.fifo"}[i],
			VisibilityTimeout: pick(r, 3*ms, 5*ms, 10*ms, 20*ms, 30*time.Second),
			Delay:             pick(r, 0, 0, 0, 2*ms, 5*ms, 10*ms),
			ReceiveWait:       pick(r, 0, 0, 5*ms, 20*ms),
		}
		if one(r, 4) {
			s.cfg[i].ContentDeduplication = true
		}
		if one(r, 2) {
			s.cfg[i].DeduplicationScope = queue.ScopeMessageGroup
		}
	}
	// Not every client does everything: that makes for different mixtures.
	roles := [][6]int{
		{6, 0, 0, 0, 0, 0},
		{0, 2, 3, 0, 0, 0},
		{0, 0, 4, 0, 0, 0},
		{0, 1, 0, 4, 2, 1},
		{3, 2, 2, 2, 2, 1},
		{1, 2, 2, 3, 0, 0},
		{2, 0, 1, 0, 3, 2},
	}
	clients := 3 + r.IntN(4)
	total := 12 + r.IntN(29)
	for i := range clients {
		p := plan{calls: total / clients, weights: pick(r, roles...)}
		if i == 0 {
			p.weights[actSend] += 3 // somebody must
		}
		if !s.target {
			p.weights[actDeadLetter] = 0
		}
		s.clients = append(s.clients, p)
	}
	if s.target {
		s.cfg[0].DeadLetter.MaxReceives = 1 + r.IntN(3)
	}
	return s
}

// A desk is a running schedule.
type desk struct {
	*schedule
	recorder
	queues [2]queue.Queue

	gate   atomic.Int64 // how often a client has stood before it; see meet
	shared sync.Mutex
	hands  [2][]queue.Delivery // what was received lately
	sends  int
}

// run runs the schedule of a seed and returns what happened. The queue that is
// checked is what wrap makes of it; nil makes nothing of it.
func run(t *testing.T, seed uint64, wrap func(queue.Queue) queue.Queue) (h *history) {
	s := newSchedule(seed)
	h = &history{seed: seed, groups: s.groups, cfg: s.cfg}
	d := &desk{schedule: s}
	defer func() {
		if p := recover(); p != nil {
			stacks := make([]byte, 1<<20)
			stacks = stacks[:runtime.Stack(stacks, true)]
			h.calls = d.calls
			sortCalls(h.calls)
			t.Fatalf("seed %d: %v\n%s\n%s", seed, p, h, stacks)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		d.start = time.Now()
		if s.yielding {
			for i := range s.cfg {
				s.cfg[i].Trace = &queue.Trace{Message: func(queue.Event) { d.yield() }}
			}
		}
		if !d.start.Equal(epoch) {
			t.Fatalf("a bubble begins at %v", d.start)
		}
		if s.target {
			dead, err := fifo.New(s.cfg[1])
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			d.queues[1] = dead
			s.cfg[0].DeadLetter.Target = target{dead, &d.recorder}
		}
		q, err := fifo.New(s.cfg[0])
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		d.queues[0] = q
		if wrap != nil {
			d.queues[0] = wrap(q)
		}

		r := rand.New(rand.NewPCG(seed, 1))
		for range s.preload {
			d.send(0, r)
		}
		var clients sync.WaitGroup
		for i, p := range s.clients {
			clients.Go(func() { d.client(i+1, p) })
		}
		clients.Wait()
		h.broken = append(h.broken, d.drain()...)

		for i := range d.queues {
			if d.queues[i] == nil {
				continue
			}
			if err := d.queues[i].Close(); err != nil {
				h.broken = append(h.broken, fmt.Sprintf("queue %d: closing: %v", i, err))
			}
		}
		h.calls = d.calls
	})
	sortCalls(h.calls)
	return h
}

// client does what a client does.
func (d *desk) client(number int, p plan) {
	r := rand.New(rand.NewPCG(d.seed, uint64(number)+1))
	sum := 0
	for _, w := range p.weights {
		sum += w
	}
	for range p.calls {
		d.pause(r)
		n := r.IntN(sum)
		action := 0
		for n >= p.weights[action] {
			n -= p.weights[action]
			action++
		}
		switch action {
		case actSend:
			d.send(number, r)
		case actShortPoll, actLongPoll:
			d.receive(number, r, action == actLongPoll)
		case actDelete:
			d.use(number, r, callDelete)
		case actChange:
			d.use(number, r, callChange)
		case actDeadLetter:
			d.use(number, r, callDeadLetter)
		}
	}
}

// pause lets virtual time pass, or gives others a chance to be faster.
func (d *desk) pause(r *rand.Rand) {
	switch n := r.IntN(20); {
	case n < 4:
		time.Sleep(time.Duration(1+r.IntN(8)) * ms)
	case n < 12: // until an instant in which others wake up, too
		const grid = 5 * ms
		time.Sleep(grid - time.Since(d.start)%grid)
		d.meet()
	case n == 12 && d.leaps:
		time.Sleep(queue.DeduplicationInterval + time.Duration(r.IntN(5)-2)*ms)
	case n < 16:
		runtime.Gosched()
	}
}

// meet waits a few microseconds of real time for another client to come here,
// so that their next calls begin together.
func (d *desk) meet() {
	n := d.gate.Add(1)
	for i := 0; i < 10_000 && d.gate.Load() == n; i++ {
	}
}

// context returns the context of a call.
func (d *desk) context() context.Context {
	if d.yielding {
		return interrupting{context.Background(), &d.recorder}
	}
	return context.Background()
}

// which chooses a queue: mostly the one, sometimes the dead-letter queue.
func (d *desk) which(r *rand.Rand) int {
	if d.target && one(r, 4) {
		return 1
	}
	return 0
}

// send sends one message or a batch.
func (d *desk) send(client int, r *rand.Rand) {
	c := &call{client: client, queue: d.which(r), kind: callSend}
	n := 1
	if one(r, 5) {
		n = 1 + r.IntN(3)
	}
	for range n {
		d.shared.Lock()
		d.sends++
		number := d.sends
		d.shared.Unlock()
		m := queue.Message{Body: fmt.Sprint("m", number), GroupID: pick(r, d.groups...)}
		if one(r, 8) {
			m.Delay = queue.None // which a FIFO queue ignores
		}
		switch {
		case d.cfg[c.queue].ContentDeduplication && one(r, 2):
			if one(r, 2) {
				m.Body = fmt.Sprint("body", r.IntN(d.ids))
			}
		case one(r, 2):
			m.DeduplicationID = fmt.Sprint("again", r.IntN(d.ids))
		default:
			m.DeduplicationID = fmt.Sprint("new", number)
		}
		c.messages = append(c.messages, m)
	}
	given := slices.Clone(c.messages)
	q := d.queues[c.queue]
	if n == 1 && !one(r, 8) {
		d.begin(c)
		var sent queue.Sent
		sent, c.err = q.Send(d.context(), given[0])
		d.end(c)
		c.sent = []queue.Sent{sent}
		return
	}
	d.begin(c)
	c.sent, c.err = q.SendBatch(d.context(), given)
	d.end(c)
}

// receive polls a queue.
func (d *desk) receive(client int, r *rand.Rand, long bool) {
	c := &call{client: client, queue: d.which(r), kind: callReceive}
	c.options = queue.ReceiveOptions{
		Max:               pick(r, 0, 1, 2, 3, 10),
		VisibilityTimeout: pick(r, 0, 0, 0, 0, queue.None, 1*ms, 4*ms, 10*ms, 15*ms),
		Wait:              queue.None,
	}
	if long {
		c.options.Wait = pick(r, 0, 1*ms, 5*ms, 10*ms, 10*ms, 25*ms, 40*ms, 20*time.Second)
		if one(r, 6) {
			c.cancel = pick(r, 1*ms, 3*ms, 5*ms, 10*ms)
		}
	}
	ctx := d.context()
	if c.cancel != 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(context.Background(), c.cancel)
		defer stop()
		if d.yielding {
			ctx = interrupting{ctx, &d.recorder}
		}
	}
	o := c.options
	if one(r, 2) {
		o.Into = make([]queue.Delivery, 0, 10)
	}
	d.begin(c)
	c.got, c.err = d.queues[c.queue].Receive(ctx, o)
	d.end(c)
	d.take(c)
}

// take puts what was received where all clients find it.
func (d *desk) take(c *call) {
	d.shared.Lock()
	defer d.shared.Unlock()
	d.hands[c.queue] = append(d.hands[c.queue], c.got...)
}

// use uses one or more receipts, mostly late ones.
func (d *desk) use(client int, r *rand.Rand, k kind) {
	c := &call{client: client, queue: d.which(r), kind: k}
	if k == callDeadLetter {
		c.queue = 0 // the other one has nowhere to put it
	}
	n := 1
	if k != callDeadLetter && one(r, 4) {
		n = 1 + r.IntN(3)
	}
	d.shared.Lock()
	hands := d.hands[c.queue]
	for range min(n, len(hands)) {
		back := min(r.IntN(4), r.IntN(4), len(hands)-1)
		if one(r, 8) {
			back = r.IntN(len(hands))
		}
		c.used = append(c.used, hands[len(hands)-1-back])
	}
	d.shared.Unlock()
	if len(c.used) == 0 {
		return
	}
	q := d.queues[c.queue]
	var receipts []queue.Receipt
	var changes []queue.VisibilityChange
	for _, u := range c.used {
		timeout := pick(r, 0, 0, 1*ms, 3*ms, 8*ms, 20*ms)
		c.timeouts = append(c.timeouts, timeout)
		receipts = append(receipts, u.Receipt)
		changes = append(changes, queue.VisibilityChange{Receipt: u.Receipt, Timeout: timeout})
	}
	batch := n > 1 || k != callDeadLetter && one(r, 8)
	ctx := d.context()

	d.begin(c)
	var err error
	switch {
	case k == callDelete && batch:
		err = q.DeleteBatch(ctx, receipts)
	case k == callDelete:
		err = q.Delete(ctx, receipts[0])
	case k == callChange && batch:
		err = q.ChangeVisibilityBatch(ctx, changes)
	case k == callChange:
		err = q.ChangeVisibility(ctx, receipts[0], c.timeouts[0])
	default:
		dl, _ := queue.As[queue.DeadLetterer](q)
		err = dl.DeadLetter(ctx, receipts[0], "asked for")
	}
	d.end(c)
	d.finish(c, batch, err)
}

// finish notes the errors of a call that used receipts.
func (d *desk) finish(c *call, batch bool, err error) {
	if !batch {
		c.errs = []error{err}
		return
	}
	var ok bool
	if c.errs, ok = entryErrors(err, len(c.used)); !ok {
		c.err = err
	}
}

// drain waits until nothing is hidden any more, then receives and deletes all.
func (d *desk) drain() (broken []string) {
	time.Sleep(time.Minute)
	for q := range d.queues {
		if d.queues[q] == nil {
			continue
		}
		for round := 0; ; round++ {
			c := &call{queue: q, kind: callReceive, options: queue.ReceiveOptions{
				Max: 10, Wait: queue.None, VisibilityTimeout: 30 * time.Second,
			}}
			d.begin(c)
			c.got, c.err = d.queues[q].Receive(d.context(), c.options)
			d.end(c)
			if c.err != nil || len(c.got) == 0 {
				break
			}
			if round > 50 {
				broken = append(broken, fmt.Sprintf("queue %d can't be emptied", q))
				break
			}
			remove := &call{queue: q, kind: callDelete, used: c.got}
			var receipts []queue.Receipt
			for _, u := range c.got {
				receipts = append(receipts, u.Receipt)
			}
			d.begin(remove)
			err := d.queues[q].DeleteBatch(d.context(), receipts)
			d.end(remove)
			d.finish(remove, true, err)
		}
	}
	return broken
}
