package queuetest

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

// tick is the resolution of deadlines.
const tick = time.Millisecond

// A desk is where a case works: one bubble, one fresh queue, and the verbs in
// which cases are written. A verb without "Message" or "Context" in its name
// takes the simplest form of its call, and fails the case when the call fails.
type desk struct {
	*testing.T
	q    queue.Queue // of the case's Config
	dead queue.Queue // its dead-letter queue, in cases with maxReceives

	harness Harness
	made    atomic.Int64 // messages made, for distinct groups and deduplication IDs
}

// at returns the desk with another queue on it.
func (d *desk) at(q queue.Queue) *desk {
	other := &desk{T: d.T, q: q, harness: d.harness}
	other.made.Store(d.made.Add(1 << 20))
	return other
}

// open makes another queue, which the end of the case checks and closes.
func (d *desk) open(cfg queue.Config) queue.Queue {
	d.Helper()
	return d.openNamed("orders", cfg)
}

// openNamed is open with a name of the form that the queue's kind wants.
func (d *desk) openNamed(name string, cfg queue.Config) queue.Queue {
	d.Helper()
	cfg.Name = d.name(name)
	q, err := d.harness.New(d.T, cfg)
	require.NoError(d, err, "making a queue of %+v", cfg)
	d.opened(q)
	return q
}

// opened leaves it to the end of the case to check and close q: before whatever
// the harness left to it when it made q.
func (d *desk) opened(q queue.Queue) {
	d.Cleanup(func() { d.leave(q) })
}

func (d *desk) name(name string) string {
	if d.harness.Kind == queue.FIFO {
		return name + ".fifo"
	}
	return name
}

// source is what DeadLetterSource says of the queue of that name.
func (d *desk) source(name string) string {
	name = d.name(name)
	if d.harness.Source == nil {
		return name
	}
	return d.harness.Source(name)
}

// ability finds the ability T in q, or skips the case.
func ability[T any](d *desk, q queue.Queue) T {
	d.Helper()
	a, ok := queue.As[T](q)
	if !ok {
		d.Skipf("the queue is no %v", reflect.TypeFor[T]())
	}
	return a
}

// message makes a message that the queue takes. On a FIFO queue it has a group
// of its own, so that no message waits for another one.
func (d *desk) message(body string) queue.Message {
	m := queue.Message{Body: body}
	if d.harness.Kind == queue.FIFO {
		n := d.made.Add(1)
		m.GroupID = fmt.Sprintf("group-%d", n)
		m.DeduplicationID = fmt.Sprintf("message-%d", n)
	}
	return m
}

// messages makes a message of each body.
func (d *desk) messages(bodies ...string) []queue.Message {
	ms := make([]queue.Message, 0, len(bodies))
	for _, body := range bodies {
		ms = append(ms, d.message(body))
	}
	return ms
}

// send sends a message of each body, one by one.
func (d *desk) send(bodies ...string) []queue.Sent {
	d.Helper()
	var sent []queue.Sent
	for _, body := range bodies {
		sent = append(sent, d.sendMessage(d.message(body)))
	}
	return sent
}

func (d *desk) sendMessage(m queue.Message) queue.Sent {
	d.Helper()
	sent, err := d.q.Send(d.Context(), m)
	require.NoError(d, err, "Send(%.60q)", m.Body)
	return sent
}

func (d *desk) sendBatch(ms ...queue.Message) []queue.Sent {
	d.Helper()
	sent, err := d.q.SendBatch(d.Context(), ms)
	require.NoError(d, err, "SendBatch of %d messages", len(ms))
	require.Len(d, sent, len(ms), "answers to a batch")
	return sent
}

// receive is a short poll for up to limit messages.
func (d *desk) receive(limit int) []queue.Delivery {
	d.Helper()
	return d.receiveWith(queue.ReceiveOptions{Max: limit})
}

// exactly is a short poll that gets n messages.
func (d *desk) exactly(n int) []queue.Delivery {
	d.Helper()
	got := d.receive(n)
	require.Len(d, got, n, "deliveries")
	return got
}

// receiveWith is a Receive that doesn't wait unless o says so.
func (d *desk) receiveWith(o queue.ReceiveOptions) []queue.Delivery {
	d.Helper()
	if o.Wait == 0 {
		o.Wait = queue.None
	}
	got, err := d.q.Receive(d.Context(), o)
	require.NoError(d, err, "Receive")
	require.LessOrEqual(d, len(got), max(o.Max, 1), "deliveries of one Receive")
	return got
}

// one receives the one message that is receivable, for the queue's timeout.
func (d *desk) one(body string) queue.Delivery {
	d.Helper()
	return d.oneFor(0, body)
}

// oneFor is one with a visibility timeout of its own.
func (d *desk) oneFor(timeout time.Duration, body string) queue.Delivery {
	d.Helper()
	got := d.receiveWith(queue.ReceiveOptions{Max: queue.MaxReceive, VisibilityTimeout: timeout})
	require.Equal(d, []string{body}, bodies(got), "bodies received")
	return got[0]
}

// nothing asserts that no message is receivable.
func (d *desk) nothing() {
	d.Helper()
	got := d.receive(queue.MaxReceive)
	require.Empty(d, bodies(got), "bodies received where nothing is receivable")
}

// receivableAt asserts that the message becomes receivable at that instant and
// not a millisecond earlier, and receives it.
func (d *desk) receivableAt(at time.Time, body string) queue.Delivery {
	d.Helper()
	sleepUntil(at.Add(-tick))
	d.nothing()
	sleepUntil(at)
	return d.one(body)
}

func (d *desk) delete(r queue.Receipt) {
	d.Helper()
	require.NoError(d, d.q.Delete(d.Context(), r), "Delete")
}

func (d *desk) change(r queue.Receipt, timeout time.Duration) {
	d.Helper()
	require.NoError(d, d.q.ChangeVisibility(d.Context(), r, timeout), "ChangeVisibility to %v", timeout)
}

func (d *desk) purge() {
	d.Helper()
	require.NoError(d, ability[queue.Purger](d, d.q).Purge(d.Context()), "Purge")
}

// stats returns the queue's counters, or skips the case.
func (d *desk) stats() queue.Stats {
	d.Helper()
	s, err := ability[queue.Inspector](d, d.q).Stats(d.Context())
	require.NoError(d, err, "Stats")
	return s
}

// peek returns all messages of the queue, or skips the case.
func (d *desk) peek() []queue.Peeked {
	d.Helper()
	var all []queue.Peeked
	for p, err := range ability[queue.Inspector](d, d.q).Peek(d.Context()) {
		require.NoError(d, err, "Peek")
		all = append(all, p)
	}
	return all
}

// snapshot is all that can be seen of the queue without receiving; it is nil
// when the queue can't be inspected.
func (d *desk) snapshot() []any {
	d.Helper()
	if _, ok := queue.As[queue.Inspector](d.q); !ok {
		return nil
	}
	seen := d.peek()
	for i := range seen {
		if body := seen[i].Body; len(body) > 100 {
			seen[i].Body = fmt.Sprintf("%d bytes, MD5 %x", len(body), md5.Sum([]byte(body)))
		}
	}
	return []any{d.stats(), seen}
}

// refused asserts that call fails with want and changes nothing. It returns
// the error.
func (d *desk) refused(want error, call func() error) error {
	d.Helper()
	before := d.snapshot()
	err := call()
	require.ErrorIs(d, err, want)
	require.Equal(d, before, d.snapshot(), "a refused call changes nothing")
	return err
}

// refusedMessage asserts that Send refuses m with want.
func (d *desk) refusedMessage(want error, m queue.Message) error {
	d.Helper()
	return d.refused(want, func() error {
		sent, err := d.q.Send(d.Context(), m)
		require.Zero(d, sent, "answer of a Send that failed")
		return err
	})
}

// deleteRefused and changeRefused assert that a receipt has not, or no more,
// the right to do so.
func (d *desk) deleteRefused(want error, r queue.Receipt) {
	d.Helper()
	d.refused(want, func() error { return d.q.Delete(d.Context(), r) })
}

func (d *desk) changeRefused(want error, r queue.Receipt, timeout time.Duration) error {
	d.Helper()
	return d.refused(want, func() error { return d.q.ChangeVisibility(d.Context(), r, timeout) })
}

// failedEntries returns the error of each entry that failed, by its index.
func (d *desk) failedEntries(err error) map[int]error {
	d.Helper()
	var batch *queue.BatchError
	require.ErrorAs(d, err, &batch, "error of a batch with bad entries")
	failed := make(map[int]error)
	previous := -1
	for _, e := range batch.Entries {
		require.Greater(d, e.Index, previous, "entries of a BatchError come in the order of the batch")
		failed[e.Index], previous = e.Err, e.Index
	}
	return failed
}

// wholeCall asserts that err refuses a whole batch call.
func (d *desk) wholeCall(err error) {
	d.Helper()
	var batch *queue.BatchError
	require.False(d, errors.As(err, &batch), "error of a refused call is no *BatchError, which says that other entries took effect: %v", err)
}

// A waiter is a goroutine in a Receive.
type waiter struct {
	d      *desk
	parked time.Time
	done   chan struct{} // closed when Receive has returned; then the rest is set

	got []queue.Delivery
	err error
	at  time.Time
}

// park starts a long poll, by default of the longest wait, and returns when it
// waits. Nobody calls the queue on its behalf after that, so that it must be
// the queue that wakes it.
func (d *desk) park(o queue.ReceiveOptions) *waiter { return d.parkContext(d.Context(), o) }

func (d *desk) parkContext(ctx context.Context, o queue.ReceiveOptions) *waiter {
	if o.Wait == 0 {
		o.Wait = queue.MaxWait
	}
	w := &waiter{d: d, parked: time.Now(), done: make(chan struct{})}
	go func() { // ends when its Receive does, at the latest when the case closes the queue
		defer close(w.done)
		w.got, w.err = d.q.Receive(ctx, o)
		w.at = time.Now()
	}()
	synctest.Wait()
	return w
}

// gets asserts that the waiter receives these messages, that long after it was
// parked: never earlier, and within a tick.
func (w *waiter) gets(after time.Duration, want ...string) []queue.Delivery {
	w.d.Helper()
	<-w.done
	require.NoError(w.d, w.err, "Receive of a waiter")
	require.Equal(w.d, want, bodies(w.got), "bodies that a waiter received after %v", w.at.Sub(w.parked))
	w.returns(after)
	return w.got
}

// getsNothing asserts that the wait ends after that time, empty.
func (w *waiter) getsNothing(after time.Duration) {
	w.d.Helper()
	<-w.done
	require.NoError(w.d, w.err, "Receive of a waiter")
	require.Empty(w.d, bodies(w.got), "bodies that a waiter received after %v", w.at.Sub(w.parked))
	w.returns(after)
}

// fails asserts that the wait ends after that time with the error.
func (w *waiter) fails(after time.Duration, want error) {
	w.d.Helper()
	<-w.done
	require.ErrorIs(w.d, w.err, want, "Receive of a waiter")
	require.Empty(w.d, bodies(w.got), "bodies of a Receive that failed")
	w.returns(after)
}

func (w *waiter) returns(after time.Duration) {
	w.d.Helper()
	took := w.at.Sub(w.parked)
	require.GreaterOrEqual(w.d, took, after, "how long the waiter waited")
	require.LessOrEqual(w.d, took, after+tick, "how long the waiter waited")
}

// waiting reports whether the waiter still waits.
func (w *waiter) waiting() bool {
	synctest.Wait()
	select {
	case <-w.done:
		return false
	default:
		return true
	}
}

func bodies(ds []queue.Delivery) []string {
	var all []string
	for _, d := range ds {
		all = append(all, d.Body)
	}
	return all
}

func receipts(ds []queue.Delivery) []queue.Receipt {
	var all []queue.Receipt
	for _, d := range ds {
		all = append(all, d.Receipt)
	}
	return all
}

func sleepUntil(t time.Time) { time.Sleep(time.Until(t)) }
