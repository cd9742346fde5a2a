package queuetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restantemq/restante/queue"
)

// Fuzz makes f a fuzz target that drives queues of that kind against a model:
// with open in memory, with openStore over a [MemStore] that holds its syncs
// back, fails, fills and crashes. Without -fuzz the seeds run as regression
// tests. Either function may be nil. Which statements run depends a little on
// the order of goroutines, so give -fuzzminimizetime=5x along with -fuzz, or
// much time goes into making inputs smaller that are no news.
//
//	func FuzzQueue(f *testing.F) { queuetest.Fuzz(f, queue.Standard, open, openStore) }
func Fuzz(
	f *testing.F, kind queue.Kind,
	open func(*testing.T, queue.Config) (queue.Queue, error),
	openStore func(*testing.T, queue.Store, queue.Config) (queue.Queue, error),
) {
	for seed := range uint64(64) {
		f.Add(seed%2 == 1, FuzzSeed(seed, 1200))
	}
	f.Fuzz(func(t *testing.T, store bool, data []byte) {
		data = data[:min(len(data), 4096)]
		switch {
		case store && openStore != nil:
			RunModelStore(t, kind, openStore, data)
		case !store && open != nil:
			RunModel(t, kind, open, data)
		}
	})
}

// FuzzSeed returns n bytes that depend on seed alone: an input for RunModel and
// RunModelStore.
func FuzzSeed(seed uint64, n int) []byte {
	random := rand.New(rand.NewPCG(seed, 0))
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	return data
}

// RunModel decodes data into calls of a queue, and of another one that takes
// its dead letters, in virtual time, and compares every answer, and after each
// step Stats and Peek, with the model. open makes a queue in memory.
func RunModel(t *testing.T, kind queue.Kind, open func(*testing.T, queue.Config) (queue.Queue, error), data []byte) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newModelRun(t, kind, data)
		r.open = func(cfg queue.Config) (queue.Queue, error) { return open(t, cfg) }
		if err := r.run(modelActions); err != nil {
			t.Fatal(err)
		}
	})
}

// RunModelStore is RunModel over a [MemStore]: some of the actions hold its
// syncs back, fill it, make it fail, and crash it and open the queues again.
func RunModelStore(t *testing.T, kind queue.Kind, open func(*testing.T, queue.Store, queue.Config) (queue.Queue, error), data []byte) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newModelRun(t, kind, data)
		r.store = NewMemStore()
		r.open = func(cfg queue.Config) (queue.Queue, error) {
			q, err := open(t, r.store, cfg)
			if s, ok := queue.As[squeezer](q); err == nil && ok && r.squeezed {
				s.Squeeze(0, 2)
			}
			return q, err
		}
		if err := r.run(append(modelStoreActions, modelActions...)); err != nil {
			t.Fatal(err)
		}
	})
}

// A squeezer is a queue that keeps only a window of its messages in memory, and
// can be told to make it so narrow, and its pages so short, that a few messages
// come and go.
type squeezer interface {
	Squeeze(window int64, fill int)
}

// modelRun is one run: the queues under test, their models, and what is left
// of the input.
type modelRun struct {
	t     *testing.T
	kind  queue.Kind
	input []byte
	data  []byte // the rest of input
	log   []string

	acting string          // the name of the action that runs
	ctx    context.Context // ends with the run
	cancel context.CancelFunc
	open   func(queue.Config) (queue.Queue, error)
	store  *MemStore

	main, dead *modelSide
	grouped    bool // Standard messages have groups
	sends      int  // labels messages
	receives   int  // labels receives
	attempts   int  // labels receive attempts
	ids        map[queue.MessageID]bool
	parked     []*modelCall     // calls that wait for the store
	receivers  []*modelReceiver // all that have not returned
	held       bool             // the store's syncs are held
	squeezed   bool             // see squeezer
	heldUntil  int64            // the clock stays below this while held
}

// modelSide is one queue under test beside its model.
type modelSide struct {
	q        queue.Queue
	cfg      queue.Config
	model    *modelQueue
	parked   []*modelReceiver // in the order of arrival
	sequence uint64           // the latest of a FIFO queue
	leaving  []*modelMessage  // deleted, and the store has not confirmed it
	closed   bool
}

// modelReceiver is a Receive under way, with the means to give it up. Answers
// come over channels: only rest makes them known to the model.
type modelReceiver struct {
	*modelWaiter
	cancel context.CancelFunc
	answer chan modelAnswer
}

// modelAnswer is what a Receive returned, and when.
type modelAnswer struct {
	at  int64
	got []queue.Delivery
	err error
}

// modelCall is a call, perhaps under way.
type modelCall struct {
	what   string
	do     func() error
	finish func(err error) error // checks the answer

	appends bool // makes a record of its own, so a crash makes it uncertain
	leans   bool // answers from a record that is not durable yet

	answer chan error
	done   bool
	err    error
}

func newModelRun(t *testing.T, kind queue.Kind, data []byte) *modelRun {
	r := &modelRun{t: t, kind: kind, input: data, data: data, ids: map[queue.MessageID]bool{}}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// run opens the queues, lets the input act on them, and closes them. It
// returns the first disagreement.
func (r *modelRun) run(actions []modelAction) (err error) {
	defer func() {
		// Nobody may stay parked, or the bubble's end hides the report.
		r.abandon()
		switch p := recover().(type) {
		case nil:
		case modelDisagreement:
			err = p
		default:
			panic(p)
		}
	}()
	r.configure()
	for len(r.data) > 0 {
		a := actions[r.pick(len(actions))]
		r.acting = a.name
		a.do(r)
		r.step()
	}
	r.release()
	r.step()
	r.closeAll()
	return nil
}

// modelDisagreement is what a run panics with, so that the actions need not
// hand an error up.
type modelDisagreement struct{ error }

// configure makes the two queues as the first bytes say.
func (r *modelRun) configure() {
	r.squeezed = r.store != nil && r.pick(2) == 0
	r.dead = r.newSide("dead", queue.DeadLetter{})
	letters := queue.DeadLetter{}
	if n := r.pick(4); n > 0 {
		letters = r.deadLetters(n)
	}
	r.main = r.newSide("main", letters)
	r.main.model.dead = r.dead.model
	r.grouped = r.kind == queue.FIFO || r.pick(8) == 0
	r.step()
}

func (r *modelRun) deadLetters(n int) queue.DeadLetter {
	target, ok := queue.As[queue.Adopter](r.dead.q)
	if !ok {
		return queue.DeadLetter{}
	}
	return queue.DeadLetter{Target: target, MaxReceives: n}
}

func (r *modelRun) newSide(name string, letters queue.DeadLetter) *modelSide {
	cfg := queue.Config{
		Name:              name,
		VisibilityTimeout: modelPick(r, 0, time.Second, 30*time.Second, 1500*time.Microsecond, queue.MaxVisibility),
		Delay:             modelPick(r, 0, 0, 0, time.Second, queue.MaxDelay),
		Retention:         modelPick(r, 0, 0, queue.MinRetention, time.Hour, 13*time.Hour, queue.MaxRetention),
		ReceiveWait:       modelPick(r, 0, 0, 0, 5*time.Second, queue.MaxWait),
		MaxMessageSize:    modelPick(r, 0, queue.MinMessageLimit),
		FencedReceipts:    r.pick(4) == 0,
		DeadLetter:        letters,
	}
	if r.kind == queue.FIFO {
		cfg.Name += ".fifo"
		cfg.ContentDeduplication = r.pick(2) == 0
		cfg.DeduplicationScope = modelPick(r, queue.ScopeQueue, queue.ScopeMessageGroup)
	}
	q, err := r.open(cfg)
	if err != nil {
		r.fail(fmt.Errorf("opening %q: %w", cfg.Name, err))
	}
	r.logf("open %q: visibility %v, delay %v, retention %v, wait %v, fenced %v, MaxReceives %d", cfg.Name,
		cfg.VisibilityTimeout, cfg.Delay, cfg.Retention, cfg.ReceiveWait, cfg.FencedReceipts, letters.MaxReceives)
	s := &modelSide{q: q, cfg: cfg, model: newModelQueue(cfg.Name, r.kind, newModelConfig(cfg), r.now())}
	s.model.paged = r.squeezed
	return s
}

// step lets everything under way come to rest and compares it with the model.
func (r *modelRun) step() {
	r.rest()
	r.finishParked()
	for _, s := range r.sides() {
		r.check(s.model.settle(r.sight(s)))
	}
	for _, s := range r.sides() {
		r.checkSide(s)
	}
}

// sides returns the queues, the source of dead letters before their target.
func (r *modelRun) sides() []*modelSide {
	if r.main == nil {
		return []*modelSide{r.dead}
	}
	return []*modelSide{r.main, r.dead}
}

// sight tells which messages a queue has, by asking it.
func (r *modelRun) sight(s *modelSide) modelSight {
	var has map[queue.MessageID]bool
	return func(m *modelMessage) bool {
		if has == nil {
			has = map[queue.MessageID]bool{}
			for _, p := range r.peek(s) {
				has[p.ID] = true
			}
		}
		return has[m.id]
	}
}

// checkSide compares all that can be seen of a queue with its model.
func (r *modelRun) checkSide(s *modelSide) {
	r.checkParked(s)
	if s.closed {
		return
	}
	r.check(s.model.checkPeek(r.peek(s)))
	stats, err := r.inspector(s).Stats(r.ctx)
	r.check(err)
	if want := s.model.counters(); stats != want {
		r.fail(fmt.Errorf("%s: Stats are\n\t%+v, want\n\t%+v", s.model.name, stats, want))
	}
}

// checkParked drops the receivers that were served, and makes sure that no
// other one has returned.
func (r *modelRun) checkParked(s *modelSide) {
	var waiting []*modelReceiver
	for _, p := range s.parked {
		switch {
		case !s.model.waits(p.modelWaiter):
			p.cancel()
			continue
		case p.done:
			r.fail(fmt.Errorf("%s returned at %s with %s and %s; it should wait until %s",
				p.label, modelTime(p.doneAt), modelGot(p.got), modelError(p.err), modelTime(p.deadline)))
		}
		waiting = append(waiting, p)
	}
	s.parked = waiting
}

func (r *modelRun) peek(s *modelSide) []queue.Peeked {
	var all []queue.Peeked
	for p, err := range r.inspector(s).Peek(r.ctx) {
		r.check(err)
		all = append(all, p)
	}
	return all
}

func (r *modelRun) inspector(s *modelSide) queue.Inspector {
	i, ok := queue.As[queue.Inspector](s.q)
	if !ok {
		r.t.Skip("the queue is no Inspector, the model can't be compared with it")
	}
	return i
}

// call makes c and lets everything come to rest. If it is then still under way,
// which only a held store may cause, it is parked, and its answer checked
// later. While the store is held, success would be a promise that a crash
// breaks.
func (r *modelRun) call(c *modelCall) {
	r.logf("%s", c.what)
	c.answer = make(chan error, 1)
	r.parked = append(r.parked, c)
	r.goDump(func() { c.answer <- c.do() })
	r.rest()
	r.parked = slices.DeleteFunc(r.parked, func(o *modelCall) bool { return o == c })
	switch {
	case c.done && c.err == nil && r.held && (c.appends || c.leans):
		r.fail(fmt.Errorf("%s returned, but the store has not made it durable", c.what))
	case c.done:
		r.check(c.finish(c.err))
	case !r.held:
		r.fail(fmt.Errorf("%s blocks", c.what))
	default:
		r.logf("    ... waits for the store")
		r.parked = append(r.parked, c)
	}
}

// rest waits until nothing moves any more, and takes the answers that came.
func (r *modelRun) rest() {
	synctest.Wait()
	for _, c := range r.parked {
		select {
		case c.err = <-c.answer:
			c.done = true
		default:
		}
	}
	r.receivers = slices.DeleteFunc(r.receivers, func(p *modelReceiver) bool {
		select {
		case a := <-p.answer:
			p.done, p.doneAt, p.got, p.err = true, a.at, a.got, a.err
		default:
		}
		return p.done
	})
}

// finishParked checks the answers of parked calls that have returned.
func (r *modelRun) finishParked() {
	var waiting []*modelCall
	for _, c := range r.parked {
		if c.done {
			r.logf("    returned: %s: %v", c.what, c.err)
			r.check(c.finish(c.err))
		} else {
			waiting = append(waiting, c)
		}
	}
	r.parked = waiting
	if r.store == nil || !r.held && len(r.parked) == 0 {
		return
	}
	if !r.held {
		r.fail(fmt.Errorf("%s still waits, and the store holds nothing back", r.parked[0].what))
	}
}

// goDump runs f in a goroutine. A panic there ends the process, so it prints
// the actions first.
func (r *modelRun) goDump(f func()) {
	go func() {
		defer func() {
			if p := recover(); p != nil {
				fmt.Fprintln(os.Stderr, r.report())
				panic(p)
			}
		}()
		f()
	}()
}

// sleep lets d pass, and looks at what happens by itself when it happens.
// Nothing calls the queues then, so their own timers must be right.
func (r *modelRun) sleep(d time.Duration) {
	if r.held {
		d = min(d, time.Duration(r.heldUntil-r.now())*time.Millisecond)
	}
	r.logf("sleep %v", d)
	for until := r.now() + modelMillis(d); ; {
		at, ok := r.nextEvent()
		if !ok || at > until {
			r.sleepTo(until)
			return
		}
		r.sleepTo(at)
		for _, s := range r.sides() {
			r.check(s.model.settle(r.sight(s)))
		}
	}
}

func (r *modelRun) sleepTo(at int64) {
	time.Sleep(time.Duration(at-r.now()) * time.Millisecond)
	r.rest()
	for _, s := range r.sides() {
		s.model.now = at
	}
}

func (r *modelRun) nextEvent() (at int64, ok bool) {
	for _, s := range r.sides() {
		if t, some := s.model.nextEvent(); some && (!ok || t < at) {
			at, ok = t, true
		}
	}
	return at, ok
}

func (r *modelRun) now() int64 { return time.Now().UnixMilli() }

// closeAll closes the queues: who waits, and who calls later, is told so.
func (r *modelRun) closeAll() {
	for _, s := range r.sides() {
		if !s.closed {
			r.closeSide(s)
		}
	}
}

func (r *modelRun) closeSide(s *modelSide) {
	r.call(&modelCall{what: s.model.name + ".Close()", do: s.q.Close, finish: modelVerdict{nil}.checker("Close")})
	s.closed = true
	s.model.waiters = nil
	for _, p := range s.parked {
		if !p.done {
			r.fail(fmt.Errorf("%s still waits after Close", p.label))
		}
		r.check(modelVerdict{queue.ErrClosed}.check(p.label+", parked during Close,", p.err))
		p.cancel()
	}
	s.parked = nil
	_, err := s.q.Send(r.ctx, modelValid(r.kind))
	r.check(modelVerdict{queue.ErrClosed}.check("Send after Close", err))
	_, err = s.q.Receive(r.ctx, queue.ReceiveOptions{})
	r.check(modelVerdict{queue.ErrClosed}.check("Receive after Close", err))
	r.check(modelVerdict{nil}.check("Close after Close", s.q.Close()))
}

func (v modelVerdict) checker(what string) func(error) error {
	return func(err error) error { return v.check(what, err) }
}

// abandon ends everything under way, whatever state it is in.
func (r *modelRun) abandon() {
	r.cancel()
	if r.store != nil {
		r.store.Crash(queue.Durable)
	}
	for _, s := range []*modelSide{r.main, r.dead} {
		if s != nil && !s.closed {
			s.q.Close()
		}
	}
}

// check ends the run if err is a disagreement.
func (r *modelRun) check(err error) {
	if err != nil {
		r.fail(err)
	}
}

func (r *modelRun) fail(err error) {
	panic(modelDisagreement{fmt.Errorf("the queue and the model disagree (%s): %w\n%s", r.acting, err, r.report())})
}

// report lists the actions so far, each with its time since the start.
func (r *modelRun) report() string {
	used := r.input[:len(r.input)-len(r.data)]
	return fmt.Sprintf("actions so far:\n\t%s\ninput so far: %q", strings.Join(r.log, "\n\t"), used)
}

func (r *modelRun) logf(format string, args ...any) {
	at := modelTime(r.now())
	r.log = append(r.log, fmt.Sprintf("%-14s %s", at, fmt.Sprintf(format, args...)))
}

// next returns the next byte of the input, zero at its end.
func (r *modelRun) next() byte {
	if len(r.data) == 0 {
		return 0
	}
	b := r.data[0]
	r.data = r.data[1:]
	return b
}

// pick returns a number below n, at most 256.
func (r *modelRun) pick(n int) int { return int(r.next()) % n }

// modelPick returns one of the choices.
func modelPick[T any](r *modelRun, choices ...T) T { return choices[r.pick(len(choices))] }
