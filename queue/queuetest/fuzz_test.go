package queuetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

// toyQueue is a Standard queue made of the model itself, whose long polls look
// every millisecond. It shows that the driver finds what is wrong with a
// queue: each fault breaks one promise.
type toyQueue struct {
	mu      sync.Mutex
	cfg     queue.Config
	q       *modelQueue
	waiters []*toyWaiter // in the order of arrival
	count   uint64
	closed  bool
	done    chan struct{} // closed by Close
	fault   toyFault
}

type toyFault int

const (
	toySound toyFault = iota
	toyLoses
	toyReorders
	toyEarly
	toyKeepsDeleted
	toyMiscounts
	toyTakesBadReceipts
	toyServesLastFirst
	toyCountsFromLeft
	toyFaults
)

func newToyQueue(cfg queue.Config, fault toyFault) *toyQueue {
	cfg.DeadLetter = queue.DeadLetter{} // a toy has no dead letters
	return &toyQueue{cfg: cfg, q: newModelQueue(cfg.Name, queue.Standard, newModelConfig(cfg), 0), done: make(chan struct{}), fault: fault}
}

func (y *toyQueue) enter() error {
	y.mu.Lock()
	y.q.now = time.Now().UnixMilli()
	y.q.lapse()
	if y.closed {
		return queue.ErrClosed
	}
	return nil
}

func (y *toyQueue) Send(ctx context.Context, m queue.Message) (queue.Sent, error) {
	sent, err := y.SendBatch(ctx, []queue.Message{m})
	var batch *queue.BatchError
	if errors.As(err, &batch) {
		err = batch.Entries[0].Err
	}
	if err != nil {
		return queue.Sent{}, err
	}
	return sent[0], nil
}

func (y *toyQueue) SendBatch(ctx context.Context, ms []queue.Message) ([]queue.Sent, error) {
	defer y.leave()
	if err := y.enter(); err != nil {
		return nil, err
	}
	switch {
	case len(ms) == 0:
		return nil, queue.ErrEmptyBatch
	case len(ms) > queue.MaxBatch:
		return nil, queue.ErrTooManyEntries
	}
	sent := make([]queue.Sent, len(ms))
	var batch queue.BatchError
	for i, m := range ms {
		if err := toyCheck(&y.cfg, &m); err != nil {
			batch.Entries = append(batch.Entries, queue.EntryError{Index: i, Err: err})
			continue
		}
		y.count++
		kept := &modelMessage{id: queue.MessageID{byte(y.count), byte(y.count >> 8), y.cfg.Name[0]}, msg: m, position: y.count}
		y.q.send(kept)
		kept.pending = false
		if y.fault == toyEarly && kept.dueAt > 0 {
			kept.dueAt--
		}
		if y.fault == toyLoses && y.count%16 == 0 {
			y.q.messages = y.q.messages[:len(y.q.messages)-1]
		}
		sent[i].ID = kept.id
	}
	if len(batch.Entries) > 0 {
		return sent, &batch
	}
	return sent, nil
}

// toyCheck refuses what modelBadCalls sends.
func toyCheck(cfg *queue.Config, m *queue.Message) error {
	limit := queue.MaxMessage
	if cfg.MaxMessageSize != 0 {
		limit = cfg.MaxMessageSize
	}
	switch {
	case m.Body == "":
		return queue.ErrMissingParameter
	case slices.Contains([]string{"a\x00", "\x00", "\uFFFE", "\xff"}, m.Body):
		return queue.ErrInvalidContents
	case m.Size() > limit:
		return queue.ErrMessageTooLarge
	case m.DeduplicationID != "":
		return queue.ErrNotForThisQueue
	case m.Delay < queue.None || m.Delay > queue.MaxDelay || len(m.GroupID) > 2:
		return queue.ErrInvalidParameter
	}
	return nil
}

func (y *toyQueue) Receive(ctx context.Context, o queue.ReceiveOptions) ([]queue.Delivery, error) {
	if o.Max < 0 || o.Max > queue.MaxReceive || o.Wait < queue.None || o.Wait > queue.MaxWait ||
		o.VisibilityTimeout < queue.None || o.VisibilityTimeout > queue.MaxVisibility {
		return nil, queue.ErrInvalidParameter
	}
	w := &toyWaiter{o: &o, got: make(chan []queue.Delivery, 1)}
	if err := y.enter(); err != nil || ctx.Err() != nil {
		y.mu.Unlock()
		return nil, cmp.Or(err, ctx.Err())
	}
	y.waiters = append(y.waiters, w)
	wait := time.Duration(modelChoice(o.Wait, time.Duration(y.q.cfg.wait)*time.Millisecond)) * time.Millisecond
	y.leave()
	defer y.drop(w)
	for end := time.Now().Add(wait); time.Now().Before(end); {
		select {
		case got := <-w.got:
			return got, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-y.done:
			return nil, queue.ErrClosed
		case <-time.After(time.Millisecond):
		}
		if err := y.enter(); err != nil {
			y.mu.Unlock()
			return nil, err
		}
		y.leave()
	}
	select {
	case got := <-w.got:
		return got, nil
	default:
		return nil, nil
	}
}

// toyWaiter is a receive under way.
type toyWaiter struct {
	o   *queue.ReceiveOptions
	got chan []queue.Delivery
}

func (y *toyQueue) drop(w *toyWaiter) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.waiters = slices.DeleteFunc(y.waiters, func(v *toyWaiter) bool { return v == w })
}

// leave serves who waits, in the order of arrival, and unlocks.
func (y *toyQueue) leave() {
	defer y.mu.Unlock()
	if y.fault == toyServesLastFirst {
		slices.Reverse(y.waiters)
		defer func() { slices.Reverse(y.waiters) }()
	}
	y.waiters = slices.DeleteFunc(y.waiters, func(w *toyWaiter) bool {
		got := y.take(w.o)
		if len(got) > 0 {
			w.got <- got
		}
		return len(got) > 0
	})
}

func (y *toyQueue) take(o *queue.ReceiveOptions) []queue.Delivery {
	visibility := modelChoice(o.VisibilityTimeout, time.Duration(y.q.cfg.visibility)*time.Millisecond)
	ms := y.q.receivable()
	if y.fault == toyReorders && len(ms) > 2 {
		slices.Reverse(ms)
	}
	got := o.Into[:0]
	for _, m := range ms[:min(len(ms), max(o.Max, 1))] {
		y.count++
		r := queue.NewReceipt(queue.ReceiptFields{Seq: y.count, At: y.q.now, Check: uint64(y.cfg.Name[0])})
		m.receives++
		m.firstAt = cmp.Or(m.firstAt, y.q.now)
		m.lastAt, m.receipt = y.q.now, r
		y.q.hide(m, visibility)
		y.q.stats.Received++
		y.q.receipts = append(y.q.receipts, &modelReceipt{of: y.q, m: m, r: r, at: y.q.now})
		got = append(got, queue.Delivery{
			Message: m.msg, ID: m.id, Receipt: r, ReceiveCount: m.receives, SentAt: time.UnixMilli(m.sentAt),
			FirstReceivedAt: time.UnixMilli(m.firstAt), VisibleAt: time.UnixMilli(y.q.now + visibility),
		})
	}
	return got
}

func (y *toyQueue) find(r queue.Receipt) *modelReceipt {
	for _, rc := range y.q.receipts {
		if rc.r == r {
			return rc
		}
	}
	if r == (queue.Receipt{}) {
		return &modelReceipt{of: y.q, bad: queue.ErrMissingParameter}
	}
	return &modelReceipt{of: y.q, bad: queue.ErrReceiptInvalid}
}

func (y *toyQueue) Delete(ctx context.Context, r queue.Receipt) error {
	defer y.mu.Unlock()
	if err := y.enter(); err != nil {
		return err
	}
	rc := y.find(r)
	if err := y.q.mayDelete(rc)[0]; err != nil {
		if y.fault == toyTakesBadReceipts {
			return nil
		}
		return err
	}
	if !rc.m.gone && y.fault != toyKeepsDeleted {
		y.q.remove(rc.m, &y.q.stats.Deleted)
	}
	return nil
}

func (y *toyQueue) ChangeVisibility(ctx context.Context, r queue.Receipt, d time.Duration) error {
	defer y.leave()
	if err := y.enter(); err != nil {
		return err
	}
	rc := y.find(r)
	if err := y.q.mayHide(rc, d)[0]; err != nil {
		return &queue.LimitError{Err: err}
	}
	if y.fault == toyCountsFromLeft && rc.m.inFlight && d > 0 {
		d += time.Duration(rc.m.hiddenUntil-y.q.now) * time.Millisecond
	}
	y.q.hide(rc.m, modelMillis(d))
	return nil
}

func (y *toyQueue) DeleteBatch(ctx context.Context, rs []queue.Receipt) error {
	return toyBatch(len(rs), func(i int) error { return y.Delete(ctx, rs[i]) })
}

func (y *toyQueue) ChangeVisibilityBatch(ctx context.Context, cs []queue.VisibilityChange) error {
	return toyBatch(len(cs), func(i int) error { return y.ChangeVisibility(ctx, cs[i].Receipt, cs[i].Timeout) })
}

func toyBatch(n int, each func(i int) error) error {
	switch {
	case n == 0:
		return queue.ErrEmptyBatch
	case n > queue.MaxBatch:
		return queue.ErrTooManyEntries
	}
	var batch queue.BatchError
	for i := range n {
		if err := each(i); err != nil {
			batch.Entries = append(batch.Entries, queue.EntryError{Index: i, Err: err})
		}
	}
	if len(batch.Entries) > 0 {
		return &batch
	}
	return nil
}

func (y *toyQueue) Purge(ctx context.Context) error {
	defer y.mu.Unlock()
	if err := y.enter(); err != nil {
		return err
	}
	y.q.purge()
	return nil
}

func (y *toyQueue) Stats(ctx context.Context) (queue.Stats, error) {
	defer y.mu.Unlock()
	if err := y.enter(); err != nil {
		return queue.Stats{}, err
	}
	s := y.q.counters()
	s.Waiting = len(y.waiters)
	if y.fault == toyMiscounts {
		s.Deleted /= 2
	}
	return s, nil
}

func (y *toyQueue) Peek(ctx context.Context) iter.Seq2[queue.Peeked, error] {
	defer y.mu.Unlock()
	err := y.enter()
	all := []queue.Peeked{}
	for _, m := range y.q.messages {
		all = append(all, queue.Peeked{
			Message: m.msg, ID: m.id, Position: m.position, State: y.q.state(m), ReceiveCount: m.receives,
			SentAt: toyTime(m.sentAt), FirstReceivedAt: toyTime(m.firstAt), VisibleAt: toyTime(y.q.visibleAt(m)),
		})
	}
	return func(yield func(queue.Peeked, error) bool) {
		if err != nil {
			yield(queue.Peeked{}, err)
			return
		}
		for _, p := range all {
			if !yield(p, nil) {
				return
			}
		}
	}
}

func toyTime(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func (y *toyQueue) Close() error {
	y.mu.Lock()
	defer y.mu.Unlock()
	if !y.closed {
		y.closed = true
		close(y.done)
	}
	return nil
}

// TestFuzzFindsFaults runs the driver over a sound toy and over broken ones.
func TestFuzzFindsFaults(t *testing.T) {
	for fault := range toyFaults {
		t.Run(fmt.Sprint(fault), func(t *testing.T) {
			var found error
			for seed := uint64(0); seed < 40 && found == nil; seed++ {
				synctest.Test(t, func(t *testing.T) {
					r := newModelRun(t, queue.Standard, FuzzSeed(seed, 400))
					r.open = func(cfg queue.Config) (queue.Queue, error) { return newToyQueue(cfg, fault), nil }
					found = r.run(modelActions)
				})
			}
			if fault == toySound {
				require.NoError(t, found)
			} else {
				require.Error(t, found)
			}
		})
	}
}
