package queuetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"math"
	"sync"
	"time"

	"github.com/restantemq/restante/queue"
)

// A MemStore is a [queue.Store] in memory that can hold its commits back, take
// time over them, fail, be full, and crash. It is for tests of engines: it
// checks what engines owe a store, and panics with the words "internal error"
// when a rule of the contract is broken.
//
// It starts no goroutine and no timer, and keeps no package-level state, so a
// store belongs to the synctest bubble it is used in. Its zero value isn't
// usable; make one with [NewMemStore].
type MemStore struct {
	mu   sync.Mutex
	cond *sync.Cond // over mu: broadcast when a mark, a hold or the condition changes

	latest   memState        // what was appended
	durable  memState        // what was synced; durable + pending = latest
	pending  []*queue.Batch  // appended, not yet durable, oldest first
	attached map[uint64]bool // by queue number
	last     queue.Commit    // of the latest batch
	marks    [2]queue.Commit // by level: every commit up to here has reached it
	held     [2]bool         // by level: nothing reaches it
	syncing  bool            // a caller of Wait leads a sync
	latency  time.Duration   // of a sync
	syncs    int             // completed syncs
	failIn   int             // syncs until one fails
	full     bool
	err      error // not nil: failed, crashed or closed; what Append returns
	dead     bool  // crashed: not even Load works
}

// neverFails is a number of syncs that is not reached.
const neverFails = math.MaxInt

// errCommitFailed is what Wait returns for a commit that a failure took.
var errCommitFailed = fmt.Errorf("queuetest: %w: %w", queue.ErrUncertain, queue.ErrStoreFailed)

// NewMemStore returns an empty store.
func NewMemStore() *MemStore { return newMemStore(newMemState()) }

func newMemStore(s memState) *MemStore {
	m := &MemStore{latest: s, durable: s.clone(), attached: map[uint64]bool{}, failIn: neverFails}
	m.cond = sync.NewCond(&m.mu)
	return m
}

// Attach implements [queue.Store]. A new queue is durable at once.
func (m *MemStore) Attach(ctx context.Context, name string, kind queue.Kind) (*queue.Recovery, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("attaching %q: %w", name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return nil, m.err
	}
	number, ok := m.latest.number(name)
	if !ok {
		number = m.latest.create(name, kind, randomKey())
		m.durable.createAs(number, m.latest.queues[number].clone())
	}
	q := m.latest.queues[number]
	if q.kind != kind {
		return nil, fmt.Errorf("queue %q is %v: %w", name, q.kind, queue.ErrNotForThisQueue)
	}
	if m.attached[number] {
		return nil, fmt.Errorf("queue %q is attached: %w", name, queue.ErrStoreLocked)
	}
	m.attached[number] = true
	return q.recovery(number, m.latest.now), nil
}

func randomKey() (key [16]byte) {
	rand.Read(key[:]) // never fails
	return key
}

// Detach implements [queue.Store].
func (m *MemStore) Detach(queue uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	// A queue that dropped itself, or whose store has crashed, may still detach.
	if !m.attached[queue] && m.err == nil && m.latest.queues[queue] != nil {
		panicf("Detach of queue %d, which is not attached", queue)
	}
	delete(m.attached, queue)
}

// Append implements [queue.Store].
func (m *MemStore) Append(b *queue.Batch) (queue.Commit, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return 0, m.err
	}
	m.checkAttached(b)
	if m.full && (inserts(b) || onlyTouches(b)) {
		return 0, queue.ErrStoreFull
	}
	b = cloneBatch(b)
	m.latest.check(b)
	m.latest.apply(b)
	m.pending = append(m.pending, b)
	m.last++
	return m.last, nil
}

func (m *MemStore) checkAttached(b *queue.Batch) {
	for i := range b.Changes {
		// A broker may drop a queue that nobody has attached.
		if c := &b.Changes[i]; !m.attached[c.Queue] && !c.Drop {
			panicf("Append to queue %d, which is not attached", c.Queue)
		}
	}
}

// Wait implements [queue.Store]. A commit that reached its level before the
// store failed is still a success.
func (m *MemStore) Wait(c queue.Commit, l queue.Level) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c > m.last {
		panicf("Wait for commit %d, the latest is %d", c, m.last)
	}
	i := levelIndex(l)
	for {
		switch {
		case m.marks[levelIndex(queue.Durable)] >= c:
			return nil
		case m.err != nil:
			// Also a commit that was only written: a failed sync may lose it.
			return errCommitFailed
		case m.marks[i] >= c:
			return nil
		case m.held[levelIndex(queue.Written)], l == queue.Durable && (m.syncing || m.held[i]):
			m.cond.Wait()
		case l == queue.Written:
			m.marks[i] = m.last
		default:
			m.lead()
		}
	}
}

// lead syncs what has been appended so far; those who wait meanwhile share the
// next sync. The caller holds m.mu, which is released while time passes.
func (m *MemStore) lead() {
	upTo := m.last
	if m.latency > 0 {
		m.syncing = true
		m.mu.Unlock()
		time.Sleep(m.latency)
		m.mu.Lock()
		m.syncing = false
	}
	defer m.cond.Broadcast()
	switch {
	case m.err != nil || m.held[levelIndex(queue.Durable)]:
		return // meanwhile crashed, or held
	case m.failIn == 0:
		m.err = fmt.Errorf("queuetest: injected failure: %w", queue.ErrStoreFailed)
		return
	case m.failIn != neverFails:
		m.failIn--
	}
	m.syncs++
	m.settle(upTo)
}

// settle makes every batch up to that commit durable.
func (m *MemStore) settle(upTo queue.Commit) {
	durable := &m.marks[levelIndex(queue.Durable)]
	if upTo <= *durable {
		return
	}
	n := int(upTo - *durable)
	for _, b := range m.pending[:n] {
		m.durable.apply(b)
	}
	m.pending = append([]*queue.Batch(nil), m.pending[n:]...)
	*durable = upTo
	m.marks[levelIndex(queue.Written)] = max(m.marks[levelIndex(queue.Written)], upTo)
}

// Load implements [queue.Store].
func (m *MemStore) Load(ctx context.Context, number, from, to uint64, dst []queue.Record) ([]queue.Record, error) {
	if err := ctx.Err(); err != nil {
		return dst, fmt.Errorf("loading records: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone() {
		return dst, m.err
	}
	q := m.latest.queues[number]
	if q == nil {
		panicf("Load from queue %d, which does not exist", number)
	}
	for _, seq := range q.sequences(from, to) {
		dst = append(dst, *q.records[seq])
	}
	return dst, nil
}

// Meta implements [queue.Store].
func (m *MemStore) Meta(ctx context.Context) (map[string][]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("reading meta: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone() {
		return nil, m.err
	}
	return cloneMeta(m.latest.meta), nil
}

// gone reports whether even reading has ended: a failed store still loads.
func (m *MemStore) gone() bool { return m.dead || errors.Is(m.err, queue.ErrClosed) }

// Close implements [queue.Store]. It makes everything durable, even what is
// held; a failed store stays as it is.
func (m *MemStore) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone() {
		return m.err
	}
	if m.err == nil {
		m.settle(m.last)
	}
	m.err = queue.ErrClosed
	m.cond.Broadcast()
	return nil
}

// Hold keeps every later commit from reaching l, and with [queue.Written] from
// becoming durable as well: who waits for it is parked until Release. What has
// been appended meanwhile is visible to Load, but a crash forgets it.
func (m *MemStore) Hold(l queue.Level) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held[levelIndex(l)] = true
}

// Release ends every Hold. The parked callers then share one sync.
func (m *MemStore) Release() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held = [2]bool{}
	m.cond.Broadcast()
}

// ReleaseOldest makes the n oldest batches durable that are not, though the
// store is held; n may be larger than their number.
func (m *MemStore) ReleaseOldest(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		m.settle(m.last - queue.Commit(len(m.pending)-min(n, len(m.pending))))
		m.cond.Broadcast()
	}
}

// Pending returns the number of batches that are not durable yet.
func (m *MemStore) Pending() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.pending)
}

// Syncs returns how many syncs have been completed. Callers that wait at the
// same time share one.
func (m *MemStore) Syncs() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.syncs
}

// SetLatency makes every later sync take d. It passes in the caller's bubble.
func (m *MemStore) SetLatency(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.latency = d
}

// Fail makes the next sync fail, and the store with it.
func (m *MemStore) Fail() { m.FailAfter(0) }

// FailAfter lets n more syncs succeed and makes the one after them fail.
func (m *MemStore) FailAfter(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failIn = n
}

// SetFull makes Append refuse batches that insert, and those that do nothing but
// touch, with [queue.ErrStoreFull], or ends that.
func (m *MemStore) SetFull(full bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.full = full
}

// Crash ends the process, or with [queue.Durable] the machine: m is dead, every
// method of it fails with [queue.ErrStoreFailed], and the store returned has
// just the batches that reached l, as after starting again. Nobody has a queue
// attached there. Crash may follow a failure, a Close and another Crash.
func (m *MemStore) Crash(l queue.Level) *MemStore {
	m.mu.Lock()
	defer m.mu.Unlock()
	reached := m.marks[levelIndex(l)]
	return m.crashKeeping(int(reached - m.marks[levelIndex(queue.Durable)]))
}

// CrashKeeping is Crash with [queue.Durable], after which n of the batches that
// were not durable survived, the oldest: disks may do more than they were asked
// for. n may be larger than their number.
func (m *MemStore) CrashKeeping(n int) *MemStore {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.crashKeeping(min(n, len(m.pending)))
}

func (m *MemStore) crashKeeping(n int) *MemStore {
	survived := m.durable.clone()
	for _, b := range m.pending[:n] {
		survived.apply(b)
	}
	m.dead = true
	m.err = fmt.Errorf("queuetest: crashed: %w", queue.ErrStoreFailed)
	m.cond.Broadcast()
	return newMemStore(survived)
}

// Reopen closes m and returns a store with all that was appended, as after a
// clean end. On a store that has failed or crashed it is Crash with
// [queue.Durable].
func (m *MemStore) Reopen() *MemStore {
	_ = m.Close() // reports only what Crash copes with
	return m.Crash(queue.Durable)
}

func levelIndex(l queue.Level) int {
	if l != queue.Written && l != queue.Durable {
		panicf("level %d", l)
	}
	return int(l - queue.Written)
}

func inserts(b *queue.Batch) bool {
	for i := range b.Changes {
		if len(b.Changes[i].Insert) > 0 {
			return true
		}
	}
	return false
}

func onlyTouches(b *queue.Batch) bool {
	for i := range b.Changes {
		if c := &b.Changes[i]; c.Drop || c.Clear || len(c.Insert)+len(c.Remove)+len(c.Dedup) > 0 {
			return false
		}
	}
	return len(b.Meta) == 0
}

func cloneBatch(b *queue.Batch) *queue.Batch {
	c := &queue.Batch{Now: b.Now, Changes: append([]queue.Change(nil), b.Changes...)}
	for i := range c.Changes {
		d := &c.Changes[i]
		d.Insert = append([]queue.Record(nil), d.Insert...)
		d.Remove = append([]uint64(nil), d.Remove...)
		d.Touch = append([]queue.Touch(nil), d.Touch...)
		d.Dedup = append([]queue.Dedup(nil), d.Dedup...)
	}
	for _, m := range b.Meta {
		c.Meta = append(c.Meta, queue.Meta{Name: m.Name, Value: cloneBytes(m.Value)})
	}
	return c
}

// cloneBytes keeps nil nil: it removes a name from the meta values.
func cloneBytes(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}

func cloneMeta(meta map[string][]byte) map[string][]byte {
	c := maps.Clone(meta)
	for name, value := range c {
		c[name] = cloneBytes(value)
	}
	return c
}

// panicf reports that the store's caller broke its contract.
func panicf(format string, args ...any) {
	panic("queuetest: internal error: " + fmt.Sprintf(format, args...))
}
