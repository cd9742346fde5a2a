package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/btree"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/visibility"
)

// Queue is the engine of a queue: a queue.Queue with all its abilities, whose
// order of delivery an [Order] decides.
type Queue struct {
	kind     queue.Kind
	order    Order
	dedup    Deduplicator // order, if it is one; else nil
	store    queue.Store  // nil: the queue lives in memory
	number   uint64       // of the queue in its store
	identity identity
	clock    clock
	config   atomic.Pointer[queue.Config] // resolved: no zeros that mean a default

	mu sync.Mutex // guards everything below; taken before no other lock but the store's

	pages     Pages
	tail      *Page  // the page that next falls into, or the last one; may be nil
	straggler *Page  // a page of which little is left: see leaveBehind
	paging           // of a queue over a store
	hint      int    // bytes of text in the latest full page
	next      uint64 // sequence number of the next message

	wheel    visibility.Wheel     // pages with delays and visibility timeouts, by First
	inFlight *btree.BTreeG[*Page] // pages with messages in flight; nil until one was
	ages     *btree.BTreeG[*Page] // all pages, by oldest message; nil until there was one
	stats    queue.Stats          // Waiting excepted
	waiters  waiters              // receivers in a long poll, in order of arrival
	pending  []accepted           // batches not yet known to be durable, in order
	last     queue.Commit         // latest commit that removed or inserted something
	failed   error                // the store failed under this queue
	moves    chan struct{}        // closed when a move settles; nil: nobody waits for one
	moving   int                  // messages on their way to another queue
	offer    Offer                // the receive being filled
	batch    queue.Batch          // scratch, for Append
	change   [2]queue.Change      // scratch, for batch
	records  []queue.Record       // scratch, for change
	dedups   []queue.Dedup        // scratch, for change
	attempts attempts
	rates    [kindsOfCalls]rate
	young    []*Page        // pages that keep the senders' strings, oldest first, and a few freed ones
	spare    Page           // slots and bodies of a freed page, to be used again
	dues     [slice]uint64  // scratch, for advance
	numbers  []uint64       // scratch, for change
	touches  []queue.Touch  // scratch, for change
	extra    []byte         // scratch, for content
	traced   bool           // there is a Trace
	events   []queue.Event  // not yet delivered to the Trace
	tracing  bool           // somebody delivers events now
	closed   error          // what calls get since Close
	dropped  chan struct{}  // closed when Drop has ended; nil: nobody called it
	calls    int            // calls that let go of the lock and will take it again
	idle     chan struct{}  // closed when calls falls to zero after Close; nil before
	timer    *time.Timer    // nil until first armed
	armedAt  int64          // ms; when the timer fires; never if it isn't armed
	ticking  sync.WaitGroup // one while the timer is armed or its callback runs

	dropError error // what Drop returned; set before dropped is closed
}

const never = math.MaxInt64

// New makes an empty queue in memory.
func New(kind queue.Kind, order Order, cfg queue.Config) (*Queue, error) {
	return newQueue(kind, order, cfg, &queue.Recovery{Key: randomKey(), Next: 1})
}

func newQueue(kind queue.Kind, order Order, cfg queue.Config, found *queue.Recovery) (*Queue, error) {
	q := &Queue{kind: kind, order: order, number: found.Queue, next: max(1, found.Next), armedAt: never}
	if err := q.resolve(&cfg); err != nil {
		return nil, err
	}
	q.apply(&cfg)
	q.pages.byFirst = make(map[uint64]*Page)
	q.identity = newIdentity(found.Key)
	q.clock = newClock(found.Now)
	q.dedup, _ = order.(Deduplicator)
	order.Attach(Host{Pages: &q.pages, Seed: words(found.Key, "deduplication")})
	return q, nil
}

// Open makes a queue of what st keeps under cfg.Name, creating it there if it
// is new. In-flight messages come back visible. The store stays the caller's;
// close the queue first.
func Open(ctx context.Context, st queue.Store, kind queue.Kind, order Order, cfg queue.Config) (*Queue, error) {
	name := fullName(&cfg)
	if name == "" {
		return nil, missing("QueueName")
	}
	checked := cfg
	if err := resolveConfig(&checked, kind); err != nil {
		return nil, err
	}
	found, err := st.Attach(ctx, name, kind)
	if err != nil {
		return nil, fmt.Errorf("open queue %q: %w", name, err)
	}
	q, err := newQueue(kind, order, cfg, found)
	if err != nil {
		st.Detach(found.Queue)
		return nil, err
	}
	q.store = st
	q.paging = newPaging()
	if err := q.recover(ctx, found); err != nil {
		q.Close() // its timer may be armed
		return nil, fmt.Errorf("open queue %q: %w", name, err)
	}
	return q, nil
}

// fullName is what a queue is called where its name alone may not do.
func fullName(cfg *queue.Config) string { return cmp.Or(cfg.ARN, cfg.Name) }

// recover brings back what survived: what deduplication remembers, and the pages,
// which stay in the store until somebody wants their messages. Only those with
// delays that aren't over are read now, because counters tell delayed messages
// from visible ones.
func (q *Queue) recover(ctx context.Context, found *queue.Recovery) error {
	now := q.clock.now()
	q.mu.Lock()
	defer func() { q.unlock(now) }()
	if q.dedup != nil {
		slices.SortStableFunc(found.Dedup, func(a, b queue.Dedup) int { return cmp.Compare(a.Until, b.Until) })
		for _, d := range found.Dedup {
			q.remember(d.Key, d.Seq, d.Until)
		}
	}
	var delayed []*Page
	for i := range found.Pages {
		info := &found.Pages[i]
		p := q.recoverPage(info)
		last := info.MaxDueAt
		if q.kind == queue.FIFO {
			last = q.delayedUntil(found.Pages[i+1:])
		}
		if last > floor(now) {
			delayed = append(delayed, p)
		}
	}
	for _, p := range delayed {
		if !p.stored.away {
			continue
		}
		var err error
		if now, err = q.bring(ctx, now, p, 0); err != nil && !errors.Is(err, queue.ErrStoreCorrupt) {
			return err
		}
	}
	return nil
}

// delayedUntil returns when no message of a FIFO queue's page is delayed any
// more. The pages after it tell: messages were sent in the order of their numbers.
func (q *Queue) delayedUntil(after []queue.PageInfo) int64 {
	switch delay := q.config.Load().Delay; {
	case delay == 0:
		return 0
	case len(after) == 0:
		return never
	default:
		return after[0].MinSentAt + millis(delay)
	}
}

// recoverPage makes a page of the store known. Its messages count as visible.
func (q *Queue) recoverPage(info *queue.PageInfo) *Page {
	p := &Page{First: info.First, live: info.Live, minSent: never, next: never}
	p.stored = paged{cold: true, away: true, unseen: true, bytes: info.Bytes}
	q.pages.add(p)
	q.age(p, info.MinSentAt)
	q.behind.ReplaceOrInsert(p)
	q.stats.Recovered += uint64(info.Live)
	q.stats.Visible += info.Live
	return p
}

// Kind tells Standard from FIFO.
func (q *Queue) Kind() queue.Kind { return q.kind }

// Store returns the store the queue lives in, nil for a queue in memory.
func (q *Queue) Store() queue.Store { return q.store }

// Config returns the queue's configuration with defaults filled in, in the form
// that Reconfigure takes: a visibility timeout of zero is [queue.None].
func (q *Queue) Config() queue.Config {
	cfg := *q.config.Load()
	if cfg.VisibilityTimeout == 0 {
		cfg.VisibilityTimeout = queue.None
	}
	return cfg
}

// Reconfigure replaces the queue's configuration while it runs. Retention
// applies to the messages there are, as does the delay of a FIFO queue; a
// Standard queue's delay and a FIFO queue's deduplication apply to later sends,
// the visibility timeout and the wait to later receives, and the dead-letter rule
// from the next receive on.
// The name and the ARN can't change; empty ones stand for the old.
//
// Errors: [queue.ErrInvalidParameter] and [queue.ErrNotForThisQueue], after
// which nothing has changed, the context's, and [queue.ErrClosed].
func (q *Queue) Reconfigure(ctx context.Context, cfg queue.Config) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("reconfigure: %w", err)
	}
	now := q.clock.now()
	q.mu.Lock()
	defer func() { q.unlock(now) }()
	if q.closed != nil {
		return q.closed
	}
	old := q.config.Load()
	if err := q.resolve(&cfg); err != nil {
		return err
	}
	q.apply(&cfg)
	if q.kind == queue.FIFO && cfg.Delay != old.Delay {
		q.redelay(now)
		now = q.redelayAway(now)
	}
	if oldest, ok := q.oldest(); ok {
		q.wake(oldest + q.retention())
	}
	return nil
}

// Accepts returns the error that Reconfigure would return now, and changes
// nothing: for whoever has to write a configuration down before it holds.
func (q *Queue) Accepts(cfg queue.Config) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed != nil {
		return q.closed
	}
	return q.resolve(&cfg)
}

// resolve checks what is to be the queue's configuration, and fills it in.
func (q *Queue) resolve(cfg *queue.Config) error {
	if old := q.config.Load(); old != nil { // it isn't new
		cfg.Name, cfg.ARN = cmp.Or(cfg.Name, old.Name), cmp.Or(cfg.ARN, old.ARN)
		if cfg.Name != old.Name || cfg.ARN != old.ARN {
			return &queue.LimitError{Parameter: "QueueName", Text: fullName(cfg), Reason: "a queue can't be renamed", Err: queue.ErrInvalidParameter}
		}
	}
	if err := resolveConfig(cfg, q.kind); err != nil {
		return err
	}
	if t, ok := queue.As[interface{ self() *Queue }](cfg.DeadLetter.Target); ok && t.self() == q {
		return &queue.LimitError{Parameter: "DeadLetter", Reason: "a queue can't be its own dead-letter queue", Err: queue.ErrInvalidParameter}
	}
	return nil
}

// apply makes a resolved configuration the queue's.
func (q *Queue) apply(cfg *queue.Config) {
	q.config.Store(cfg)
	q.traced = cfg.Trace != nil && cfg.Trace.Message != nil
}

// self finds the engine in queue types that embed it.
func (q *Queue) self() *Queue { return q }

// Close ends the queue: new calls and waiting receivers get queue.ErrClosed,
// running calls finish, the timer has ended. A queue over a store first makes
// durable what it appended, and leaves the store open. Messages in memory go
// with the queue. Closing again returns nil.
//
// A Trace must not call Close: Close waits for the events to be delivered.
func (q *Queue) Close() error {
	q.mu.Lock()
	if q.closed != nil {
		q.mu.Unlock()
		return nil
	}
	last, failed := q.end(queue.ErrClosed)
	if q.store == nil {
		return nil
	}
	defer q.store.Detach(q.number)
	if failed != nil {
		return failed
	}
	if err := q.store.Wait(last, queue.Durable); err != nil {
		return fmt.Errorf("close queue %q: %w", fullName(q.config.Load()), err)
	}
	return nil
}

// Drop ends the queue as Close does, but for good: calls and waiting receivers
// get queue.ErrQueueDeleted, and its messages leave the store, in one atomic
// batch with the values in meta. A queue that is closed already can be dropped
// too, unless somebody has opened it again. It returns once that is durable; after
// an error the queue is closed, and may be in the store or not. Dropping again
// waits for the first to end and returns what it does.
func (q *Queue) Drop(meta ...queue.Meta) (err error) {
	q.mu.Lock()
	if dropped := q.dropped; dropped != nil {
		q.mu.Unlock()
		<-dropped // it ends because the store's Wait does
		return q.dropError
	}
	q.dropped = make(chan struct{})
	defer func() {
		q.dropError = err
		close(q.dropped)
	}()
	open := q.closed == nil
	q.end(queue.ErrQueueDeleted)
	if q.store == nil {
		return nil
	}
	if open {
		defer q.store.Detach(q.number)
	}
	commit, err := q.store.Append(&queue.Batch{
		Now:     floor(q.clock.now()),
		Changes: []queue.Change{{Queue: q.number, Drop: true}},
		Meta:    meta,
	})
	if err == nil {
		err = q.store.Wait(commit, queue.Durable)
	}
	if err != nil {
		return fmt.Errorf("delete queue %q: %w", fullName(q.config.Load()), err)
	}
	return nil
}

// end lets nobody in any more, but with that error, and returns when nothing of
// the queue runs: with the last change to wait for, and how the store failed if it
// did. The caller must hold q.mu; end lets go of it.
func (q *Queue) end(reason error) (last queue.Commit, failed error) {
	q.closed = reason
	for w := q.waiters.pop(); w != nil; w = q.waiters.pop() {
		w.serve(q.closed)
	}
	if q.timer != nil && q.timer.Stop() {
		q.ticking.Done()
	}
	for q.calls > 0 { // one may begin another stretch before this goroutine has the lock
		if q.idle == nil {
			q.idle = make(chan struct{})
		}
		idle := q.idle
		q.mu.Unlock()
		<-idle
		q.mu.Lock()
	}
	last, failed = q.last, q.failed
	q.mu.Unlock()
	q.ticking.Wait()
	return last, failed
}

// enter begins a stretch in which the call lets go of the lock; leave ends it.
// The caller must hold q.mu.
func (q *Queue) enter() { q.calls++ }

func (q *Queue) leave() {
	if q.calls--; q.calls == 0 && q.idle != nil {
		close(q.idle)
		q.idle = nil
	}
}

// unlock serves waiting receivers with what has become visible, lets go of the
// lock, and delivers events. Every method that may have made a message visible
// or an in-flight place free ends with it.
func (q *Queue) unlock(now int64) {
	if q.waiters.head != nil {
		q.serve(now)
	}
	if len(q.events) == 0 || q.tracing {
		q.mu.Unlock()
		return
	}
	q.deliverEvents()
}

// find returns the page and the index of a message, nil if it is gone.
func (q *Queue) find(seq uint64) (*Page, int, *slot) {
	if seq == 0 {
		return nil, 0, nil
	}
	p, i := q.pages.At(seq)
	if p == nil {
		return nil, 0, nil
	}
	s := p.slot(i)
	if s == nil || s.state == gone {
		return nil, 0, nil
	}
	return p, i, s
}

// pageOf returns the page of a receipt's message, nil if there is none any more.
func (q *Queue) pageOf(r *queue.Receipt) *Page {
	f, err := q.identity.open(r)
	if err != nil || f.Seq == 0 {
		return nil
	}
	p, _ := q.pages.At(f.Seq)
	return p
}

// retention returns Config.Retention in ms.
func (q *Queue) retention() int64 { return millis(q.config.Load().Retention) }

// isDown reports that the store failed, by the error of one of its calls.
func isDown(err error) bool { return errors.Is(err, queue.ErrStoreFailed) }

// fail remembers that the store failed: nothing handed out from now on could be
// deleted, so receives are refused, those that wait included.
func (q *Queue) fail(err error) {
	if q.failed != nil || !isDown(err) {
		return
	}
	q.failed = queue.ErrStoreFailed
	for w := q.waiters.pop(); w != nil; w = q.waiters.pop() {
		w.serve(q.failed)
	}
}
