package worker

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/restantemq/restante/queue"
)

// A Handler does the work of one message. When it returns nil the message is deleted;
// with an error it comes back, see Options.Backoff, RetryAfter and DeadLetter.
//
// ctx has the values of Run's context. It ends when the message's lease is lost or a
// stop's grace is over, as context.Cause tells, and some time after the handler has
// returned. d is the handler's until it returns.
type Handler func(ctx context.Context, d *queue.Delivery) error

// A BatchHandler does the work of several messages at once. When it returns nil all of
// them are deleted. With a *queue.BatchError the entries that it names have failed, each
// with its own error, and all others are deleted; with any other error all have failed.
//
// ctx is as for a Handler; it ends when the lease on any of the messages is lost. ds is
// the handler's until it returns.
type BatchHandler func(ctx context.Context, ds []queue.Delivery) error

// Run receives messages from q and calls h for each, until ctx ends. It returns when all
// that it began has ended.
//
// After ctx has ended Run stops as the package comment tells and returns nil, or a
// [*StuckError] if handlers still run when the grace is over: they are the only thing
// that outlives it, and Trace and Logger are told when they return. It returns earlier, after the same stop, with the error of a queue that
// has ended ([queue.ErrClosed], [queue.ErrQueueDeleted], [queue.ErrStoreFailed]) or that
// refuses its parameters, such as a [*queue.LimitError]. Other errors pass: it logs them
// and tries again after a pause.
func Run(ctx context.Context, q queue.Queue, h Handler, o Options) error {
	if h == nil {
		return errNoHandler
	}
	return run(ctx, &pool{queue: q, handle: h}, o)
}

// RunBatch is Run for handlers that take several messages at once: as many as a receive
// brings. They are of one FIFO group or several, in order within each.
func RunBatch(ctx context.Context, q queue.Queue, h BatchHandler, o Options) error {
	if h == nil {
		return errNoHandler
	}
	return run(ctx, &pool{queue: q, handleBatch: h}, o)
}

var errNoHandler = &queue.LimitError{Parameter: "Handler", Reason: "required", Err: queue.ErrMissingParameter}

// A pool is a Run while it runs.
type pool struct {
	queue       queue.Queue
	unlimited   bool         // by SQS's limits
	handle      Handler      // or
	handleBatch BatchHandler // the other one is nil
	o           Options

	receiving         context.Context // ends with Run's
	handling          context.Context // of handlers; ends near the end of the grace
	settling          context.Context // of all other calls; ends with the grace
	extending         context.Context // of extensions until a stop, which calls them off
	callOffExtensions context.CancelFunc
	stop              context.CancelFunc      // of receiving
	cancel            context.CancelCauseFunc // of handling

	slots     chan struct{} // holds a token for each handler that runs, or may run soon
	failures  atomic.Int64  // receives that failed in a row
	wanted    atomic.Int64  // leases that wait for a slot beside the loops
	turn      chan struct{} // holds a token while somebody hungry receives
	running   sync.WaitGroup
	stopping  atomic.Bool
	pace      pace
	attendant attendant
	attention atomic.Int64 // when it will look, in ns

	hasty     int            // receives that ended early with nothing; whoever has the turn counts
	returning sync.WaitGroup // of messages, when the pool stops

	mu     sync.Mutex
	leases map[*lease]bool    // all there are, to be ended by a stop
	failed error              // why Run ends before its context
	hangUp context.CancelFunc // ends the receive of somebody hungry; nil if nobody is
}

func run(ctx context.Context, p *pool, o Options) error {
	var err error
	if p.o, err = o.filled(p.queue); err != nil {
		return err
	}
	if c, ok := queue.As[queue.Configurable](p.queue); ok {
		cfg := c.Config()
		if p.unlimited = cfg.Limits == queue.Unlimited; cfg.Name != "" {
			p.o.Logger = p.o.Logger.With("queue", cfg.Name)
		}
	}
	p.o.Logger.Info("worker: started", "concurrency", p.o.Concurrency, "visibility", p.o.VisibilityTimeout)
	p.receiving, p.stop = context.WithCancel(ctx)
	defer p.stop()
	detached := context.WithoutCancel(ctx)
	p.handling, p.cancel = context.WithCancelCause(detached)
	defer p.cancel(ErrStopping)
	settling, giveUp := context.WithCancel(detached)
	p.settling = settling
	defer giveUp()
	p.extending, p.callOffExtensions = context.WithCancel(settling)
	p.slots = make(chan struct{}, p.o.Concurrency)
	p.turn = make(chan struct{}, 1)
	p.attention.Store(never)
	p.leases = make(map[*lease]bool)

	p.running.Add(p.o.Concurrency)
	for range p.o.Concurrency {
		go p.loop(newLease(p), false)
	}
	<-p.receiving.Done()
	stuck := p.end(giveUp)
	p.dismiss()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.o.Logger.Info("worker: stopped", "why", cmp.Or(p.failed, context.Cause(ctx)), "stuck", stuck != nil)
	switch {
	case p.failed == nil:
		return stuck
	case stuck == nil:
		return p.failed
	}
	return errors.Join(p.failed, stuck)
}

// end stops the pool, and returns when nothing runs any more, or with a StuckError when
// the grace is over.
func (p *pool) end(giveUp context.CancelFunc) error {
	p.stopping.Store(true)
	p.callOffExtensions() // of messages that go back now, above all; the others are extended again
	for _, l := range p.open() {
		p.returning.Go(l.returnWaiting)
	}
	ended := make(chan struct{})
	go func() {
		p.running.Wait()
		p.returning.Wait()
		close(ended)
	}()
	grace := max(p.o.Grace, 0)
	tail := min(grace/10, time.Second)
	for _, wait := range [...]time.Duration{grace - tail, tail / 2} {
		timer := time.NewTimer(wait)
		select {
		case <-ended:
			timer.Stop()
			return nil
		case <-timer.C:
			p.cancel(ErrStopping) // the first time
		}
	}
	// The other half of the tail is for a queue that is slow to take messages back.
	timer := time.AfterFunc(max(tail/2, 100*time.Millisecond), giveUp)
	defer timer.Stop()
	stuck := 0
	for _, l := range p.open() {
		stuck += l.abandon()
	}
	giveUp()
	if stuck == 0 {
		<-ended // what is left is calls of the queue that have been given up
		return nil
	}
	p.o.Logger.Error("worker: handlers are still running after the grace", "running", stuck)
	return &StuckError{stuck}
}

// open returns the leases there are.
func (p *pool) open() (all []*lease) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.leases {
		all = append(all, l)
	}
	return all
}

// fail ends the pool because of err.
func (p *pool) fail(err error) {
	p.mu.Lock()
	if p.failed == nil {
		p.failed = err
	}
	p.mu.Unlock()
	p.stop()
}

// loop receives messages and handles them, again and again, with l. There are as many
// loops as handlers may run; a loop has a slot while it does either. What l has already
// is handled first.
func (p *pool) loop(l *lease, slot bool) {
	regular := false
	defer func() {
		if !regular { // a handler has ended the goroutine
			go p.loop(l, true)
			return
		}
		if slot {
			<-p.slots
		}
		l.forget()
		p.running.Done()
	}()
	for hungry := true; ; {
		if l.ds != nil {
			l.run()
		}
		if slot && (hungry || p.wanted.Load() > 0 || p.pace.each(2) == 1) {
			<-p.slots // others may need it more
			slot = false
		}
		if p.receiving.Err() != nil {
			regular = true
			return
		}
		if hungry {
			l.ended = time.Time{}
			l.renew()
			hungry, slot = p.feed(l), l.ds != nil
			continue
		}
		if !slot {
			if slot = p.slot(); !slot {
				continue
			}
		}
		hungry = p.receive(p.receiving, l, 1, queue.None) == 0
	}
}

// slot waits for a slot, and reports whether there is one: the pool may end before.
func (p *pool) slot() bool {
	select {
	case p.slots <- struct{}{}:
		return true
	case <-p.receiving.Done():
		return false
	}
}

// feed receives for somebody hungry, who had nothing to do: with more slots, up to one
// for each message of a batch, and one at a time, so that few receives wait when there
// is little to do. It reports whether there was nothing. If there was something, l has
// a slot.
func (p *pool) feed(l *lease) (nothing bool) {
	select {
	case p.turn <- struct{}{}:
	case <-p.receiving.Done():
		return true
	}
	defer func() { <-p.turn }()
	if !p.slot() {
		return true
	}
	slots := 1
	for more := p.handle != nil; more && slots < p.o.BatchSize; {
		select {
		case p.slots <- struct{}{}:
			slots++
		default:
			more = false
		}
	}
	ctx, cancel := context.WithCancel(p.receiving)
	defer cancel()
	p.mu.Lock()
	p.hangUp = cancel
	if p.wanted.Load() > 0 { // let them have the slots first
		cancel()
	}
	p.mu.Unlock()
	used, began := 0, time.Now()
	if ctx.Err() == nil {
		used = p.receive(ctx, l, slots, p.o.Wait)
	}
	// A queue that doesn't wait though it is asked to must not be asked all the time.
	if short := min(p.o.Wait, time.Second) - time.Since(began); used == 0 && short > 0 && ctx.Err() == nil {
		if p.hasty++; p.hasty > 1 {
			pause(ctx, short)
		}
	} else {
		p.hasty = 0
	}
	for range slots - used {
		<-p.slots
	}
	return used == 0
}

// receive receives messages, to be handled by l and, if they are many, by others beside
// it; who isn't hungry doesn't wait for them. It returns how many of the slots that the caller has are used.
func (p *pool) receive(ctx context.Context, l *lease, slots int, wait time.Duration) (used int) {
	each := p.o.BatchSize
	if p.handle != nil {
		each = p.pace.each(p.o.BatchSize)
	}
	ds, err := p.queue.Receive(ctx, queue.ReceiveOptions{
		Max: min(slots*each, p.o.BatchSize), Wait: wait, VisibilityTimeout: p.o.VisibilityTimeout, Into: l.room(p.o.BatchSize),
	})
	if len(ds) == 0 {
		p.idle(ctx, l, err)
		return 0
	}
	if p.failures.Load() > 0 {
		p.failures.Store(0)
	}
	if p.watched() {
		p.received(ds)
	}
	now := l.ended // it takes a while to read the clock; who isn't hungry has not waited
	if slots > 1 || each == 1 || p.watched() || now.IsZero() {
		now = time.Now()
	}
	if len(ds) <= each {
		l.take(ds, now)
		return 1
	}
	parts := p.share(l, ds, slots, each)
	l.take(parts[0], now)
	for _, part := range parts[1:] {
		other := newLease(p)
		other.take(part, now)
		p.running.Add(1)
		go p.once(other)
	}
	return len(parts)
}

// once handles what l has, and gives its slot back.
func (p *pool) once(l *lease) {
	regular := false
	defer func() {
		if !regular {
			go p.once(l)
			return
		}
		l.forget()
		<-p.slots
		p.running.Done()
	}()
	l.run()
	regular = true
}

// received counts what a receive has brought.
func (p *pool) received(ds []queue.Delivery) {
	if t := p.o.Trace; t != nil && t.Received != nil {
		t.Received(len(ds))
	}
	if m := p.o.Metrics; m != nil {
		m.received.Add(uint64(len(ds)))
		oldest := ds[0].SentAt
		for i := range ds {
			if ds[i].SentAt.Before(oldest) {
				oldest = ds[i].SentAt
			}
		}
		m.oldest.Store(int64(max(time.Since(oldest), 0)))
	}
}

// idle is what follows a receive that brought nothing: a pause if the next one would
// come too soon, the end of the pool if there is nothing to hope for.
func (p *pool) idle(ctx context.Context, l *lease, err error) {
	if m := p.o.Metrics; m != nil && err == nil {
		m.oldest.Store(0)
	}
	switch {
	case ctx.Err() != nil: // stopped, or called off
		return
	case err == nil:
		if p.failures.Store(0); p.o.Wait <= 0 && l.ended.IsZero() { // a short poll of somebody hungry
			pause(ctx, time.Second)
		}
		return
	case isFinal(err):
		p.failedCall("Receive", err)
		p.fail(err)
		return
	}
	p.failedCall("Receive", err)
	failures := int(p.failures.Add(1))
	pause(ctx, Backoff{Min: 100 * time.Millisecond, Max: 30 * time.Second}.Delay(queue.MessageID{}, failures))
}

// isFinal reports whether a receive will go on failing in that way.
func isFinal(err error) bool {
	for _, final := range []error{
		queue.ErrClosed, queue.ErrQueueDeleted, queue.ErrStoreFailed, queue.ErrInvalidParameter, queue.ErrMissingParameter,
		queue.ErrNotForThisQueue, queue.ErrUnsupported,
	} {
		if errors.Is(err, final) {
			return true
		}
	}
	return false
}

// failedCall tells of a call of the queue that failed.
func (p *pool) failedCall(call string, err error) {
	if t := p.o.Trace; t != nil && t.Failed != nil {
		t.Failed(call, err)
	}
	if m := p.o.Metrics; m != nil {
		m.failedCalls.Add(1)
	}
	p.o.Logger.Warn("worker: call of the queue failed", "call", call, "error", err)
}

// share shares ds out into parts, at most one for each slot, each of which is handled
// by one goroutine in turn: messages of a FIFO group are in the same part.
func (p *pool) share(l *lease, ds []queue.Delivery, slots, each int) [][]queue.Delivery {
	n := min((len(ds)+each-1)/each, slots)
	l.lent = true
	parts := make([][]queue.Delivery, 0, n)
	if ds[0].Sequence == 0 {
		for len(ds) > 0 {
			k := (len(ds) + n - 1) / n
			parts, ds, n = append(parts, ds[:k:k]), ds[k:], n-1
		}
		return parts
	}
	of := make(map[string]int, len(ds)) // the part of each group
	for i := range ds {
		at, known := of[ds[i].GroupID]
		if !known {
			if len(parts) < n {
				at, parts = len(parts), append(parts, nil)
			} else {
				at = len(of) % n
			}
			of[ds[i].GroupID] = at
		}
		parts[at] = append(parts[at], ds[i])
	}
	return parts
}

// A pace is how long handlers take, lately.
type pace struct{ average atomic.Int64 } // ns; zero: not known

// quick is the time within which a goroutine may take on several messages: one of
// them waits for the others no longer, unless a handler is slower than before.
const quick = time.Millisecond

// each returns how many messages to hand to one goroutine.
func (p *pace) each(most int) int {
	average := p.average.Load()
	if average == 0 {
		return 1
	}
	return int(min(max(int64(quick)/average, 1), int64(most)))
}

// took notes that n messages took d.
func (p *pace) took(d time.Duration, n int) {
	sample := max(int64(d)/int64(n), 1)
	if old := p.average.Load(); old != 0 && sample < old {
		sample = old + (sample-old)/8 // slowness is believed at once
	}
	p.average.Store(sample)
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
