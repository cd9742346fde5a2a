package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/filestore"
)

// storedHeap measures the heap of a queue over a file store that holds many
// messages, beyond that of a process that does nothing: when the queue has come
// into a certain state, and the most while it is then drained.
type storedHeap struct {
	once
	dir      string
	messages int
	state    string
	groups   int // of a FIFO queue
	bodies   *ring
	progress *progress
}

// The states.
const (
	untouched   = "untouched"
	halfDeleted = "half_deleted" // every second message was deleted
	timedOut    = "timed_out"    // all were received once, and timed out
	delayed     = "delayed"      // with delays at random
	grouped     = "fifo"
)

var storedStates = []string{untouched, halfDeleted, timedOut, delayed, grouped}

// many is how many messages a call deals with.
const many = 1000

func (t *storedHeap) round() (_ []value, err error) {
	kind, labels := queue.Standard, (*labels)(nil)
	if t.state == grouped {
		kind = queue.FIFO
		labels = newLabels(newNames(t.groups))
	}
	bodies := t.bodies.from(0)
	before := heapInUse()
	q, err := newStored(t.dir, kind, filestore.Options{Sync: filestore.LoseUnsynced}, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, q.remove()) }()

	var delay func() time.Duration
	ends := time.Now()
	if t.state == delayed {
		longest := max(time.Second, time.Duration(t.messages)*30*time.Microsecond)
		ends = ends.Add(longest)
		delay = func() time.Duration { return max(time.Millisecond, rand.N(time.Until(ends))) }
	}
	if err := fillMany(q.Queue, bodies, labels, delay, t.messages, t.progress); err != nil {
		return nil, err
	}
	left := t.messages
	if t.state == halfDeleted || t.state == timedOut {
		if left, err = t.touch(q.Queue); err != nil {
			return nil, err
		}
	}
	rest := heapInUse() - before
	peak, err := t.drain(q.Queue, left, before)
	if err != nil {
		return nil, err
	}
	const mega = 1 << 20
	values := []value{
		{name: "rest", unit: "MiB", numerator: rest / mega, denominator: 1},
		{name: "drain", unit: "MiB", numerator: peak / mega, denominator: 1},
	}
	if t.state == grouped {
		values = append(values, value{name: "group", unit: "B/group", numerator: rest, denominator: float64(t.groups)})
	}
	return values, nil
}

// touch receives all messages once, deletes every second one if the state says
// so, and returns how many are left, when they have timed out.
func (t *storedHeap) touch(q queue.Queue) (left int, err error) {
	ctx := context.Background()
	lease := max(time.Second, time.Duration(t.messages)*30*time.Microsecond)
	ends := time.Now().Add(lease)
	o := queue.ReceiveOptions{Max: many, Into: make([]queue.Delivery, many)}
	var receipts []queue.Receipt
	for n := 0; n < t.messages; {
		if o.VisibilityTimeout = time.Until(ends); o.VisibilityTimeout <= 0 {
			return 0, fmt.Errorf("receiving %d of %d messages took longer than %v", n, t.messages, lease)
		}
		ds, err := q.Receive(ctx, o)
		if err != nil {
			return 0, err
		}
		if len(ds) == 0 {
			return 0, errEmpty
		}
		n += len(ds)
		t.progress.every(len(ds), n, t.messages, "received")
		if t.state == timedOut {
			continue
		}
		receipts = receipts[:0]
		for i := 0; i < len(ds); i += 2 {
			receipts = append(receipts, ds[i].Receipt)
		}
		if err := q.DeleteBatch(ctx, receipts); err != nil {
			return 0, err
		}
		left -= len(receipts)
	}
	left += t.messages
	clear(o.Into)
	// A lease begins when the messages are there, after reading them, so that the
	// last ones end somewhat later.
	time.Sleep(time.Until(ends))
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		s, err := statsOf(q)
		if err != nil || s.Visible == left {
			return left, err
		}
		if time.Since(began) > lease {
			return 0, fmt.Errorf("%d messages are visible of %d that timed out: %+v", s.Visible, left, s)
		}
	}
}

// drain receives and deletes all messages and returns the most that the heap has
// grown by meanwhile.
func (t *storedHeap) drain(q queue.Queue, n int, before float64) (peak float64, err error) {
	ctx := context.Background()
	o := queue.ReceiveOptions{Max: 10, Into: make([]queue.Delivery, 10), Wait: 20 * time.Second}
	receipts := make([]queue.Receipt, 10)
	looks := max(1, n/20)
	for done := 0; done < n; {
		ds, err := q.Receive(ctx, o)
		if err != nil {
			return 0, err
		}
		if len(ds) == 0 {
			return 0, fmt.Errorf("nothing more was received after %d of %d messages", done, n)
		}
		for i := range ds {
			receipts[i] = ds[i].Receipt
		}
		if done/looks != (done+len(ds))/looks {
			peak = max(peak, heapInUse()-before)
		}
		if err := q.DeleteBatch(ctx, receipts[:len(ds)]); err != nil {
			return 0, err
		}
		done += len(ds)
		t.progress.every(len(ds), done, n, "drained")
	}
	return peak, nil
}

// fillMany is fill for many messages. Delay, if not nil, tells each one's.
func fillMany(q queue.Queue, bodies bodies, labels *labels, delay func() time.Duration, n int, progress *progress) error {
	batch := make([]queue.Message, many)
	for done := 0; done < n; done += len(batch) {
		batch = batch[:min(many, n-done)]
		for i := range batch {
			batch[i] = queue.Message{Body: bodies.next()}
			if labels != nil {
				labels.next(&batch[i])
			}
			if delay != nil {
				batch[i].Delay = delay()
			}
		}
		if _, err := q.SendBatch(context.Background(), batch); err != nil {
			return err
		}
		progress.every(len(batch), done+len(batch), n, "sent")
	}
	return nil
}
