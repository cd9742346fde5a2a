package queuetest

import (
	"fmt"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

// What can be seen without receiving: Stats, Peek and the trace.

var statsCases = []testCase{
	{
		name: "Contract/Stats/life",
		rule: "each step of a message moves it from one counter to the next",
		cfg:  queue.Config{Delay: time.Second},
		test: testStatsLife,
	},
	{
		name: "Contract/Stats/received",
		rule: "Received counts deliveries, redeliveries included, and no empty receives",
		test: func(d *desk) {
			d.send("a", "b")
			d.receive(10)
			d.nothing()
			time.Sleep(queue.DefaultVisibility)
			d.receive(10)
			require.EqualValues(d, 4, d.stats().Received, "Stats.Received")
		},
	},
	{
		name: "Contract/Stats/deleted",
		rule: "Deleted counts messages, not calls",
		test: func(d *desk) {
			d.send("a")
			r := d.one("a").Receipt
			for range 3 {
				d.delete(r)
			}
			require.EqualValues(d, 1, d.stats().Deleted, "Stats.Deleted")
		},
	},
	{
		name: "Contract/Stats/standard-has-no-duplicates",
		rule: "a Standard queue suppresses nothing",
		kind: queue.Standard,
		test: func(d *desk) {
			d.send("a", "a", "a")
			s := d.stats()
			require.EqualValues(d, 3, s.Accepted, "Stats.Accepted")
			require.EqualValues(d, 0, s.Duplicates, "Stats.Duplicates")
		},
	},
}

func testStatsLife(d *desk) {
	want := queue.Stats{}
	step := func(what string, change func(*queue.Stats)) {
		d.Helper()
		change(&want)
		require.Equal(d, want, d.stats(), "Stats after %s", what)
	}
	step("nothing", func(s *queue.Stats) {})
	d.send("a", "b", "c")
	step("three sends", func(s *queue.Stats) { s.Accepted, s.Delayed = 3, 3 })
	time.Sleep(time.Second)
	step("the delay", func(s *queue.Stats) { s.Delayed, s.Visible = 0, 3 })
	got := d.exactly(3)
	step("a receive", func(s *queue.Stats) { s.Visible, s.InFlight, s.Received = 0, 3, 3 })
	d.delete(got[0].Receipt)
	step("a delete", func(s *queue.Stats) { s.InFlight, s.Deleted = 2, 1 })
	d.change(got[1].Receipt, 0)
	step("a release", func(s *queue.Stats) { s.InFlight, s.Visible = 1, 1 })
	time.Sleep(queue.DefaultVisibility)
	step("a timeout", func(s *queue.Stats) { s.InFlight, s.Visible = 0, 2 })
	time.Sleep(queue.DefaultRetention)
	step("the retention", func(s *queue.Stats) { s.Visible, s.Expired = 0, 2 })
	d.send("d")
	d.purge()
	step("a purge", func(s *queue.Stats) { s.Accepted, s.Purged = 4, 1 })
}

var peekCases = []testCase{
	{
		name: "Contract/Peek/every-state",
		rule: "Peek yields every message with its state, counts and times",
		test: testPeekStates,
	},
	{
		name: "Contract/Peek/in-order",
		rule: "Peek yields messages in sequence order, whatever their state, with rising positions",
		test: func(d *desk) {
			var want []string
			for i := range 600 {
				want = append(want, fmt.Sprint(i))
				d.send(want[i])
			}
			for range 10 {
				d.receive(10)
			}
			d.change(d.exactly(1)[0].Receipt, 0)
			var seen []string
			var previous uint64
			for i, p := range d.peek() {
				require.True(d, i == 0 || p.Position > previous, "position %d after %d", p.Position, previous)
				seen, previous = append(seen, p.Body), p.Position
			}
			require.Equal(d, want, seen, "bodies in sequence order")
		},
	},
	{
		name: "Contract/Peek/touches-nothing",
		rule: "Peek changes nothing: no count, no state, no order",
		test: func(d *desk) {
			d.send("a")
			before := d.stats()
			for range 10 {
				require.Len(d, d.peek(), 1, "messages seen")
			}
			require.Equal(d, before, d.stats(), "Stats")
			require.Equal(d, 1, d.one("a").ReceiveCount, "ReceiveCount")
		},
	},
	{
		name: "Contract/Peek/not-the-gone",
		rule: "Peek does not yield what was deleted",
		test: func(d *desk) {
			d.send("a", "b", "c")
			for _, got := range d.receive(10) {
				if got.Body == "b" {
					d.delete(got.Receipt)
				}
			}
			var seen []string
			for _, p := range d.peek() {
				seen = append(seen, p.Body)
			}
			require.Equal(d, []string{"a", "c"}, seen)
		},
	},
	{
		name: "Contract/Peek/break",
		rule: "an iteration may be left early",
		test: func(d *desk) {
			d.send("a", "b", "c")
			n := 0
			for range ability[queue.Inspector](d, d.q).Peek(d.Context()) {
				if n++; n == 2 {
					break
				}
			}
			d.send("d")
			require.Len(d, d.peek(), 4, "messages seen")
		},
	},
	{
		name: "Contract/Peek/calls-within",
		rule: "the queue may be called within the iteration",
		test: func(d *desk) {
			for i := range 600 {
				d.send(fmt.Sprint(i))
			}
			n := 0
			for _, err := range ability[queue.Inspector](d, d.q).Peek(d.Context()) {
				require.NoError(d, err)
				if got := d.receive(1); len(got) == 1 {
					d.delete(got[0].Receipt)
				}
				n++
			}
			require.Greater(d, n, 0, "messages seen")
			require.LessOrEqual(d, n, 600, "messages seen")
		},
	},
	{
		name:        "Contract/Peek/dead-letter",
		rule:        "Peek tells where a dead letter came from, and why",
		maxReceives: 10,
		test: func(d *desk) {
			d.send("a")
			d.setAside(d.one("a").Receipt, "because")
			seen := d.at(d.dead).peek()
			require.Len(d, seen, 1, "messages seen")
			require.Equal(d, d.source("orders"), seen[0].DeadLetterSource, "DeadLetterSource")
			require.Equal(d, "because", seen[0].DeadLetterReason, "DeadLetterReason")
			require.Equal(d, 1, seen[0].ReceiveCount, "ReceiveCount")
		},
	},
}

func testPeekStates(d *desk) {
	d.q = d.openNamed("delaying", queue.Config{Delay: time.Minute})
	start := time.Now()
	m := d.message("in flight")
	m.Attributes, m.TraceHeader = queue.NewAttributes(map[string]queue.Value{"k": queue.String("x")}), traceHeader
	sent := d.sendMessage(m)
	time.Sleep(time.Minute)
	d.oneFor(time.Hour, "in flight")
	d.send("visible")
	time.Sleep(time.Minute)
	d.send("delayed")

	seen := d.peek()
	require.Len(d, seen, 3, "messages seen")
	flying, visible, delayed := seen[0], seen[1], seen[2]
	require.Equal(d, m, flying.Message, "the message itself")
	require.Equal(d, sent.ID, flying.ID, "ID")
	require.Equal(d, queue.InFlight, flying.State, "State")
	require.Equal(d, 1, flying.ReceiveCount, "ReceiveCount")
	require.WithinDuration(d, start, flying.SentAt, 0, "SentAt")
	require.WithinDuration(d, start.Add(time.Minute), flying.FirstReceivedAt, 0, "FirstReceivedAt")
	require.WithinDuration(d, start.Add(time.Minute+time.Hour), flying.VisibleAt, 0, "VisibleAt in flight")

	require.Equal(d, queue.Visible, visible.State, "State")
	require.Equal(d, 0, visible.ReceiveCount, "ReceiveCount before the first receive")
	require.True(d, visible.FirstReceivedAt.IsZero(), "FirstReceivedAt is %v before the first receive", visible.FirstReceivedAt)
	require.True(d, visible.VisibleAt.IsZero(), "VisibleAt of a visible message is %v", visible.VisibleAt)

	require.Equal(d, queue.Delayed, delayed.State, "State")
	require.WithinDuration(d, start.Add(3*time.Minute), delayed.VisibleAt, 0, "VisibleAt in delay")
}

// An eventLog collects what a trace tells.
type eventLog struct {
	mu     sync.Mutex // guards events
	events []queue.Event
}

func recorder() (*queue.Trace, *eventLog) {
	l := new(eventLog)
	return &queue.Trace{Message: func(e queue.Event) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.events = append(l.events, e)
	}}, l
}

// all returns the events so far, when all calls have handed theirs over.
func (l *eventLog) all() []queue.Event {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.events)
}

func (l *eventLog) of(s queue.Step) []queue.Event {
	return slices.DeleteFunc(l.all(), func(e queue.Event) bool { return e.Step != s })
}

// steps returns the steps of one message, in words.
func (l *eventLog) steps(id queue.MessageID) (steps []string) {
	for _, e := range l.all() {
		if e.ID == id {
			steps = append(steps, e.Step.String())
		}
	}
	return steps
}

// traced puts a queue with a trace on the desk, or skips the case if it does
// not trace.
func (d *desk) traced(cfg queue.Config) *eventLog {
	d.Helper()
	trace, events := recorder()
	cfg.Trace = trace
	d.q = d.openNamed("traced", cfg)
	d.send("probe")
	if len(events.all()) == 0 {
		d.Skip("the queue does not trace")
	}
	if got := d.receiveWith(queue.ReceiveOptions{Wait: queue.MaxWait}); len(got) == 1 {
		d.delete(got[0].Receipt)
	}
	return events
}

var traceCases = []testCase{
	{
		name: "Contract/Trace/life",
		rule: "every step of a message is traced, in order",
		test: testTraceLife,
	},
	{
		name: "Contract/Trace/delay",
		rule: "a delayed message is traced as accepted, delayed and visible",
		test: func(d *desk) {
			events := d.traced(queue.Config{Delay: 10 * time.Second})
			start := time.Now()
			id := d.send("a")[0].ID
			time.Sleep(10 * time.Second)
			d.one("a")
			require.Equal(d, []string{"accepted", "delayed", "visible", "received"}, events.steps(id))
			for _, e := range events.of(queue.StepDelayed) {
				if e.ID == id {
					require.WithinDuration(d, start.Add(10*time.Second), e.Until, 0, "Until")
				}
			}
		},
	},
	{
		name: "Contract/Trace/expired-and-purged",
		rule: "retention and purge are traced for every message",
		test: func(d *desk) {
			events := d.traced(queue.Config{Retention: time.Minute})
			old := d.send("a")[0].ID
			time.Sleep(time.Hour)
			d.nothing()
			young := d.send("b")[0].ID
			d.purge()
			require.Equal(d, []string{"accepted", "visible", "expired"}, events.steps(old))
			require.Equal(d, []string{"accepted", "visible", "purged"}, events.steps(young))
		},
	},
	{
		name: "Contract/Trace/dead-letter",
		rule: "a move is traced as dead-lettered in the source and as adopted in the target",
		test: testTraceDeadLetter,
	},
	{
		name: "Contract/Trace/may-call-the-queue",
		rule: "a trace may call the queue",
		test: testTraceCallsQueue,
	},
	{
		name: "Contract/Trace/balances",
		rule: "the events of a queue add up to its counters, and its times don't run backwards",
		test: testTraceBalances,
	},
}

func testTraceLife(d *desk) {
	events := d.traced(queue.Config{})
	id := d.send("a")[0].ID
	d.one("a")
	time.Sleep(queue.DefaultVisibility)
	r := d.one("a").Receipt
	d.change(r, time.Minute)
	d.change(r, 0)
	d.delete(d.one("a").Receipt)
	require.Equal(d, []string{
		"accepted", "visible", "received", "timed out", "received", "extended", "released", "received", "deleted",
	}, events.steps(id))
	counts := []int{0, 0, 1, 1, 2, 2, 2, 3, 3}
	var position uint64
	for i, e := range slices.DeleteFunc(events.all(), func(e queue.Event) bool { return e.ID != id }) {
		require.Equal(d, d.name("traced"), e.Queue, "Queue of step %v", e.Step)
		require.Equal(d, counts[i], e.ReceiveCount, "ReceiveCount of step %d, %v", i, e.Step)
		require.True(d, i == 0 || e.Position == position, "Position is %d, then %d", position, e.Position)
		position = e.Position
		switch e.Step {
		case queue.StepReceived:
			require.WithinDuration(d, e.At.Add(queue.DefaultVisibility), e.Until, 0, "Until of step %d, %v", i, e.Step)
		case queue.StepExtended:
			require.WithinDuration(d, e.At.Add(time.Minute), e.Until, 0, "Until of step %d, %v", i, e.Step)
		}
	}
}

func testTraceDeadLetter(d *desk) {
	trace, adopted := recorder()
	dead := d.at(d.openNamed("traced-dead-letters", queue.Config{Trace: trace}))
	events := d.traced(queue.Config{DeadLetter: queue.DeadLetter{Target: ability[queue.Adopter](d, dead.q), MaxReceives: 1}})
	lazy, asked := d.send("lazy")[0].ID, queue.MessageID{}
	d.one("lazy")
	time.Sleep(queue.DefaultVisibility)
	d.nothing()
	asked = d.send("asked")[0].ID
	d.setAside(d.one("asked").Receipt, "because")
	require.Equal(d, []string{"accepted", "visible", "received", "timed out", "dead-lettered"}, events.steps(lazy))
	require.Equal(d, []string{"accepted", "visible", "received", "dead-lettered"}, events.steps(asked))
	require.Equal(d, []string{"adopted"}, adopted.steps(lazy))
	require.Equal(d, []string{"adopted"}, adopted.steps(asked))
}

func testTraceCallsQueue(d *desk) {
	var q queue.Queue
	var seen []int
	trace := &queue.Trace{Message: func(e queue.Event) {
		if e.Step == queue.StepAccepted && e.ID != (queue.MessageID{}) && len(seen) < 3 {
			seen = append(seen, len(seen))
			if _, err := q.Send(d.Context(), d.message("echo")); err != nil {
				d.Errorf("Send within a trace = %v; want nil", err)
			}
		}
	}}
	q = d.openNamed("traced", queue.Config{Trace: trace})
	d.q = q
	d.send("first")
	synctest.Wait()
	if len(seen) == 0 {
		d.Skip("the queue does not trace")
	}
	require.Len(d, d.receive(10), 4, "one message and three that its trace sent")
}

func testTraceBalances(d *desk) {
	events := d.traced(queue.Config{Retention: time.Hour})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 50 {
				if _, err := d.q.Send(d.Context(), d.message("a")); err != nil {
					d.Errorf("Send = %v; want nil", err)
				}
				got, err := d.q.Receive(d.Context(), queue.ReceiveOptions{Max: 3, Wait: queue.None})
				if err != nil {
					d.Errorf("Receive = %v; want nil", err)
				}
				for _, g := range got[:len(got)*(i%2)] {
					_ = d.q.Delete(d.Context(), g.Receipt) // any outcome will do
				}
				time.Sleep(time.Duration(i) * time.Second)
			}
		})
	}
	all.Wait()
	s := d.stats()
	for step, want := range map[queue.Step]uint64{
		queue.StepAccepted: s.Accepted, queue.StepReceived: s.Received, queue.StepDeleted: s.Deleted, queue.StepExpired: s.Expired,
	} {
		require.EqualValues(d, want, len(events.of(step)), "events of step %v, against Stats", step)
	}
	var previous time.Time
	for i, e := range events.all() {
		require.False(d, e.At.Before(previous), "event %d is of %v, before the one before", i, e.At)
		previous = e.At
	}
}
