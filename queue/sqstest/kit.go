package sqstest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/internal/bubble"
	"github.com/restantemq/restante/queue/sqsapi"
)

// Options are the choices of a kit. The zero value works: queues that behave.
type Options struct {
	// Seed decides which faults happen. Zero means 1. The environment variable
	// RESTANTE_SEED, if it is set, takes its place.
	Seed uint64

	// Faults are what the queues do to their clients; see [Kit.Misbehave].
	Faults Faults

	// Broker are the options of the kit's broker. Its Trace is told as well.
	Broker broker.Options

	// Patience is how long WaitFor and WaitIdle wait before they fail the test. Zero
	// means 15 days in a bubble, longer than any message lives, and ten seconds
	// outside.
	Patience time.Duration
}

// SeedVariable is the environment variable that takes the place of Options.Seed.
const SeedVariable = "RESTANTE_SEED"

// A Kit is an account of SQS for one test. Make it with New. Its methods may be called
// concurrently; those that can fail the test belong into the test's own goroutine, as
// [testing.TB.FailNow] does.
type Kit struct {
	t        testing.TB
	seed     uint64
	begin    time.Time
	bubble   string // where the kit was made; empty outside of bubbles
	patience time.Duration
	broker   *broker.Broker
	client   *sqsapi.InProcess
	record   *record
	decide   *decisions
	calls    calls
	later    later
	settling chan struct{} // holds a token while somebody waits for the bubble
	shown    shown
	home     atomic.Int64 // when somebody was last seen in the kit's bubble, in ns
	ended    atomic.Bool
	after    atomic.Int64 // calls since

	mu     sync.Mutex
	faults Faults
	queues map[*broker.Queue]*Queue
}

// New returns a kit for t, which ends with it. In a bubble of testing/synctest, call it
// there: queues belong to one bubble.
func New(t testing.TB, o Options) *Kit {
	t.Helper()
	k := &Kit{
		t: t, seed: o.Seed, begin: time.Now().Truncate(time.Millisecond), bubble: bubble.Current(), patience: o.Patience,
		record: newRecord(), settling: make(chan struct{}, 1),
		faults: o.Faults, queues: make(map[*broker.Queue]*Queue),
	}
	k.checked(o.Faults)
	if o.Patience < 0 {
		t.Fatalf("sqstest: Options.Patience is %v: it must not be negative", o.Patience)
	}
	if seed, set := seedGiven(t); set {
		k.seed = seed
	}
	if k.seed == 0 {
		k.seed = 1
	}
	if k.patience == 0 {
		k.patience = 10 * time.Second
		if k.bubble != "" {
			k.patience = queue.MaxRetention + 24*time.Hour
		}
	}
	k.decide = newDecisions(k.seed)
	trace := queue.Trace{Message: k.record.note}
	if also := o.Broker.Trace; also != nil && also.Message != nil {
		trace.Message = func(e queue.Event) { k.record.note(e); also.Message(e) }
	}
	o.Broker.Trace = &trace
	k.broker = broker.New(o.Broker)
	k.client = sqsapi.ClientWith(k.broker, k.served())
	t.Cleanup(k.end)
	return k
}

// served are the options under which clients of any region and account get the kit's
// queues.
func (k *Kit) served() sqsapi.Options {
	return sqsapi.Options{
		Scope:   k.broker.Scope(),
		Through: func(q *broker.Queue) queue.Queue { return k.queue(q) },
	}
}

// seedGiven returns the seed that the environment asks for.
func seedGiven(t testing.TB) (seed uint64, set bool) {
	t.Helper()
	text := os.Getenv(SeedVariable)
	if text == "" {
		return 0, false
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil || seed == 0 {
		t.Fatalf("sqstest: %s=%q is no seed: give a number from 1 up", SeedVariable, text)
	}
	return seed, true
}

// end closes the kit at the end of its test.
func (k *Kit) end() {
	if bubble.Current() != k.bubble {
		k.t.Errorf("%v", errElsewhere)
		return
	}
	if running := k.left(); running != "" {
		k.t.Errorf("sqstest: calls are still running at the end of the test; stop what makes them, with t.Context() say:\n%s", running)
	}
	switch {
	case panicking(): // the log of the test may never be shown
		fmt.Fprintf(os.Stderr, "sqstest: %s panics\n%s", k.t.Name(), cut(k.Transcript()))
	case k.t.Failed():
		k.t.Logf("%s", cut(k.Transcript()))
	}
	k.later.stop()
	if err := k.broker.Close(); err != nil {
		k.t.Errorf("sqstest: close: %v", err)
	}
	k.record.close()
	k.ended.Store(true)
	if k.bubble != "" {
		time.Sleep(time.Minute) // who makes a pause between two calls sees that it is over
	}
}

// panicking reports whether the goroutine ends by a panic: testing has not marked the
// test as failed yet.
func panicking() bool {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs[:])])
	for {
		f, more := frames.Next()
		if f.Function == "runtime.gopanic" {
			return true
		}
		if !more {
			return false
		}
	}
}

// left describes the calls that are running at the end of the test. Its context has
// ended, and calls that heed it need a moment.
func (k *Kit) left() string {
	if k.bubble != "" {
		k.Settle()
		return k.calls.list(k.begin, k.calls.now())
	}
	running := k.calls.now()
	for wait := time.Millisecond; wait < 200*time.Millisecond && k.calls.list(k.begin, running) != ""; wait *= 2 {
		time.Sleep(wait)
	}
	return k.calls.list(k.begin, running)
}

// elsewhere returns an error if the caller isn't in the bubble where the kit was made.
// To look takes some microseconds, so who comes less than a millisecond after somebody
// who was at home is believed.
func (k *Kit) elsewhere() error {
	now := time.Now().UnixNano()
	if passed := now - k.home.Load(); passed > 0 && passed < int64(time.Millisecond) {
		return nil
	}
	if bubble.Current() != k.bubble {
		return errElsewhere
	}
	k.home.Store(now)
	return nil
}

// atHome fails the test if the caller isn't, and makes sure of it.
func (k *Kit) atHome() {
	k.t.Helper()
	if bubble.Current() != k.bubble {
		k.t.Fatalf("%v", errElsewhere)
	}
}

var errElsewhere = errors.New("sqstest: this kit was made in another synctest bubble, or outside of one; call New where it is used")

// overcalled panics when somebody goes on and on after the end of the test: the test
// would hang and not say why.
func (k *Kit) overcalled(name string) {
	if k.ended.Load() && k.after.Add(1) > 10_000 {
		panic("sqstest: a goroutine goes on calling " + name + " after the end of " + k.t.Name() + ", and doesn't heed queue.ErrClosed; stop it, with t.Context() say")
	}
}

// Create makes a queue, as [broker.Broker.Create] does, and fails the test if it can't.
// A *Queue of the kit may be cfg.DeadLetter.Target.
func (k *Kit) Create(name string, cfg queue.Config) *Queue {
	k.t.Helper()
	k.atHome()
	cfg.DeadLetter.Target = unwrapped(cfg.DeadLetter.Target)
	q, err := k.broker.Create(context.WithoutCancel(k.t.Context()), name, cfg)
	return k.made(q, err)
}

// CreateQueue makes a queue described by SQS attributes, as
// [broker.Broker.CreateQueue] does, and fails the test if it can't.
func (k *Kit) CreateQueue(name string, attributes map[string]string) *Queue {
	k.t.Helper()
	k.atHome()
	q, err := k.broker.CreateQueue(context.WithoutCancel(k.t.Context()), name, attributes)
	return k.made(q, err)
}

// Queue returns the queue of that name, which the code under test has created, say, and
// fails the test if there is none.
func (k *Kit) Queue(name string) *Queue {
	k.t.Helper()
	k.atHome()
	q, err := k.broker.GetQueue(name)
	return k.made(q, err)
}

func (k *Kit) made(q *broker.Queue, err error) *Queue {
	k.t.Helper()
	if err != nil {
		k.t.Fatalf("sqstest: %v", strings.TrimPrefix(err.Error(), "sqstest: "))
	}
	return k.queue(q)
}

// queue returns the kit's queue around q.
func (k *Kit) queue(q *broker.Queue) *Queue {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.queues[q] == nil {
		for other := range k.queues {
			if other.Name() == q.Name() { // it was deleted
				k.record.succeed(q.Name())
				delete(k.queues, other)
			}
		}
		k.queues[q] = newQueue(k, q)
	}
	return k.queues[q]
}

// Broker returns the broker behind the kit. Its queues never misbehave.
func (k *Kit) Broker() *broker.Broker { return k.broker }

// HTTPClient returns an HTTP client for the AWS SDK for Go, and others that take one,
// with which all requests are served by the kit's queues, in process: whatever they
// are addressed to, and whatever region and credentials they are signed with.
func (k *Kit) HTTPClient() *sqsapi.InProcess { return k.client }

// Handler returns a handler that does the same for clients that need a socket, in
// another language, say. Sockets don't work in bubbles.
func (k *Kit) Handler() http.Handler { return sqsapi.Handler(k.broker, k.served()) }

// Seed returns the seed that decides which faults happen.
func (k *Kit) Seed() uint64 { return k.seed }

// Misbehave replaces the faults of all queues from now on that have none of their own;
// the zero Faults end them. Deletes that are late take effect as they would have.
func (k *Kit) Misbehave(f Faults) {
	k.t.Helper()
	k.checked(f)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.faults = f
}

// checked fails the test if there is something wrong with f.
func (k *Kit) checked(f Faults) {
	k.t.Helper()
	if err := f.check(); err != nil {
		k.t.Fatalf("sqstest: %v", err)
	}
}

func (k *Kit) chances() Faults {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.faults
}

// Chance decides by the seed whether a fault of the test's own happens, such as a crash
// of the consumer: it is true with probability p, as a function of the seed, of what,
// and of how many times that was asked.
//
//	if k.Chance(0.1, "crash before delete", d.Body) {
//		return errCrashed
//	}
func (k *Kit) Chance(p float64, what ...string) bool {
	k.atHome()
	r := k.decide.draw(question{what: hashText(what...), kind: Chosen})
	if r.share() >= p {
		return false
	}
	k.record.fault(Fault{At: time.Now(), Call: strings.Join(what, " "), Kind: Chosen, N: r.n})
	return true
}

// Faults returns the faults that have happened so far.
func (k *Kit) Faults() []Fault {
	k.record.mu.Lock()
	defer k.record.mu.Unlock()
	return append([]Fault(nil), k.record.faults...)
}

// Events yields every step of every message in the kit's queues from the beginning,
// and then waits for more, until ctx ends or the kit does. Steps of one queue come in
// order.
func (k *Kit) Events(ctx context.Context) iter.Seq[queue.Event] { return k.record.all(ctx) }

// History returns what became of each message, by the queue in which it began, in order
// of arrival.
func (k *Kit) History() []*Life {
	k.Settle()
	return k.lives("", nil)
}

// lives returns the histories of those messages that were in a queue, or in any, which
// keep accepts, or of all if that is nil.
func (k *Kit) lives(name string, keep func(*Life) bool) []*Life {
	lives := k.record.history(name, k.begin, keep)
	for _, l := range lives {
		if in := l.In(); in != "" {
			_, err := k.broker.GetQueue(in)
			l.dropped = errors.Is(err, broker.ErrQueueNotFound)
		}
	}
	return lives
}
