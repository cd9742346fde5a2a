package linear

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/restantemq/restante/queue"
)

// A flaw is a way of being wrong.
type flaw struct {
	name   string
	what   string // what a queue with the flaw does
	within int    // it must be noticed in so many schedules
	wrap   func(queue.Queue) queue.Queue
}

// flaws break one rule each. They are wrapped around a queue that has none.
var flaws = []flaw{
	{"forgets-deduplication", "forgets the deduplication ID of a deleted message", 300, func(q queue.Queue) queue.Queue {
		return &forgetful{Queue: q, deleted: map[string]int{}, ids: map[queue.Receipt]string{}}
	}},
	{"denies-duplicates", "does not say that a send was a duplicate", 50, func(q queue.Queue) queue.Queue {
		return sender{q, func(_ queue.Message, s queue.Sent) queue.Sent {
			s.Duplicate = false
			return s
		}}
	}},
	{"renumbers-duplicates", "answers a duplicate with a number of its own", 50, func(q queue.Queue) queue.Queue {
		return sender{q, func(_ queue.Message, s queue.Sent) queue.Sent {
			if s.Duplicate {
				s.Sequence++
			}
			return s
		}}
	}},
	{"swaps", "returns two messages of a group in the wrong order", 50, func(q queue.Queue) queue.Queue {
		return receiver{q, func(ds []queue.Delivery) []queue.Delivery {
			for i := 1; i < len(ds); i++ {
				if ds[i-1].GroupID == ds[i].GroupID {
					ds[i-1], ds[i] = ds[i], ds[i-1]
					break
				}
			}
			return ds
		}}
	}},
	{"delivers-twice", "delivers a message again that is still in flight", 50, func(q queue.Queue) queue.Queue {
		var mu sync.Mutex
		var before []queue.Delivery
		return receiver{q, func(ds []queue.Delivery) []queue.Delivery {
			mu.Lock()
			defer mu.Unlock()
			again := before
			before = slices.Clone(ds)
			if len(ds) == 0 && len(again) > 0 {
				before = nil
				return again[:1]
			}
			return ds
		}}
	}},
	{"delivers-early", "makes messages visible a millisecond early", 100, func(q queue.Queue) queue.Queue { return early{q} }},
	{"skips-the-head", "holds the first message back and returns those behind it", 50, func(q queue.Queue) queue.Queue { return skipping{q} }},
	{"hides", "finds nothing on every second short poll", 50, func(q queue.Queue) queue.Queue { return &hiding{Queue: q} }},
	{"sleeps", "looks for messages at the beginning and at the end of a long poll only", 50, func(q queue.Queue) queue.Queue { return sleeping{q} }},
	{"lags", "notices a millisecond late that there is something for a long poll", 50, func(q queue.Queue) queue.Queue { return lagging{q} }},
	{"deletes-late", "takes an expired receipt for a delete", 50, func(q queue.Queue) queue.Queue { return lenient{q} }},
	{"deletes-nothing", "says that it deleted, and keeps the message", 50, func(q queue.Queue) queue.Queue { return keeping{q} }},
	{"loses", "removes a message that it has not delivered", 50, func(q queue.Queue) queue.Queue { return losing{q} }},
	{"extends-neighbours", "hides what was received together for as long as one of them", 300, func(q queue.Queue) queue.Queue {
		return &coupled{Queue: q, together: map[queue.Receipt][]queue.Receipt{}}
	}},
}

// sender changes the answers to sends.
type sender struct {
	queue.Queue
	change func(queue.Message, queue.Sent) queue.Sent
}

func (f sender) Unwrap() queue.Queue { return f.Queue }

func (f sender) Send(ctx context.Context, m queue.Message) (queue.Sent, error) {
	s, err := f.Queue.Send(ctx, m)
	return f.change(m, s), err
}

func (f sender) SendBatch(ctx context.Context, ms []queue.Message) ([]queue.Sent, error) {
	ss, err := f.Queue.SendBatch(ctx, ms)
	for i := range ss {
		ss[i] = f.change(ms[i], ss[i])
	}
	return ss, err
}

// receiver changes what is received.
type receiver struct {
	queue.Queue
	change func([]queue.Delivery) []queue.Delivery
}

func (f receiver) Unwrap() queue.Queue { return f.Queue }

func (f receiver) Receive(ctx context.Context, o queue.ReceiveOptions) ([]queue.Delivery, error) {
	ds, err := f.Queue.Receive(ctx, o)
	if err != nil {
		return ds, err
	}
	return f.change(ds), nil
}

// forgetful gives a deduplication ID another name once its message is deleted.
type forgetful struct {
	queue.Queue
	mu      sync.Mutex
	deleted map[string]int // how often a message of that ID was deleted
	ids     map[queue.Receipt]string
}

func (f *forgetful) Unwrap() queue.Queue { return f.Queue }

func (f *forgetful) Send(ctx context.Context, m queue.Message) (queue.Sent, error) {
	f.mu.Lock()
	if n := f.deleted[m.DeduplicationID]; n > 0 && m.DeduplicationID != "" {
		m.DeduplicationID += fmt.Sprint("-", n)
	}
	f.mu.Unlock()
	return f.Queue.Send(ctx, m)
}

func (f *forgetful) Receive(ctx context.Context, o queue.ReceiveOptions) ([]queue.Delivery, error) {
	ds, err := f.Queue.Receive(ctx, o)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, d := range ds {
		f.ids[d.Receipt] = d.DeduplicationID
	}
	return ds, err
}

func (f *forgetful) Delete(ctx context.Context, r queue.Receipt) error {
	err := f.Queue.Delete(ctx, r)
	if err == nil {
		f.mu.Lock()
		f.deleted[f.ids[r]]++
		f.mu.Unlock()
	}
	return err
}

// early shortens what it passes on, and says nothing of it.
type early struct{ queue.Queue }

func (f early) Unwrap() queue.Queue { return f.Queue }

func (f early) Receive(ctx context.Context, o queue.ReceiveOptions) ([]queue.Delivery, error) {
	if o.VisibilityTimeout <= 2*ms {
		return f.Queue.Receive(ctx, o)
	}
	o.VisibilityTimeout -= ms
	ds, err := f.Queue.Receive(ctx, o)
	for i := range ds {
		ds[i].VisibleAt = ds[i].VisibleAt.Add(ms)
	}
	return ds, err
}

// skipping puts the first of several messages back.
type skipping struct{ queue.Queue }

func (f skipping) Unwrap() queue.Queue { return f.Queue }

func (f skipping) Receive(ctx context.Context, o queue.ReceiveOptions) ([]queue.Delivery, error) {
	ds, err := f.Queue.Receive(ctx, o)
	if err != nil || len(ds) < 2 || ds[0].GroupID != ds[1].GroupID {
		return ds, err
	}
	_ = f.ChangeVisibility(ctx, ds[0].Receipt, 0)
	return ds[1:], nil
}

// hiding does not look at all on every second short poll.
type hiding struct {
	queue.Queue
	mu    sync.Mutex
	polls int
}

func (f *hiding) Unwrap() queue.Queue { return f.Queue }

func (f *hiding) Receive(ctx context.Context, o queue.ReceiveOptions) ([]queue.Delivery, error) {
	f.mu.Lock()
	f.polls++
	n := f.polls
	f.mu.Unlock()
	if o.Wait == queue.None && n%2 == 0 {
		return nil, nil
	}
	return f.Queue.Receive(ctx, o)
}

// sleeping wakes for nothing.
type sleeping struct{ queue.Queue }

func (f sleeping) Unwrap() queue.Queue { return f.Queue }

func (f sleeping) Receive(ctx context.Context, o queue.ReceiveOptions) ([]queue.Delivery, error) {
	wait := o.Wait
	if wait <= 0 {
		return f.Queue.Receive(ctx, o)
	}
	o.Wait = queue.None
	if ds, err := f.Queue.Receive(ctx, o); err != nil || len(ds) > 0 {
		return ds, err
	}
	select {
	case <-time.After(wait):
		return f.Queue.Receive(ctx, o)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// lagging polls, a millisecond after each instant in which anything can happen.
type lagging struct{ queue.Queue }

func (f lagging) Unwrap() queue.Queue { return f.Queue }

func (f lagging) Receive(ctx context.Context, o queue.ReceiveOptions) ([]queue.Delivery, error) {
	wait := o.Wait
	if wait <= 0 {
		return f.Queue.Receive(ctx, o)
	}
	o.Wait = queue.None
	for {
		if ds, err := f.Queue.Receive(ctx, o); err != nil || len(ds) > 0 || wait <= 0 {
			return ds, err
		}
		step := min(wait, 2*ms)
		wait -= step
		select {
		case <-time.After(step):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// lenient takes expired receipts.
type lenient struct{ queue.Queue }

func (f lenient) Unwrap() queue.Queue { return f.Queue }

func (f lenient) Delete(ctx context.Context, r queue.Receipt) error {
	err := f.Queue.Delete(ctx, r)
	if errors.Is(err, queue.ErrReceiptExpired) {
		return nil
	}
	return err
}

// keeping lets a message go instead of deleting it.
type keeping struct{ queue.Queue }

func (f keeping) Unwrap() queue.Queue { return f.Queue }

func (f keeping) Delete(ctx context.Context, r queue.Receipt) error {
	return f.ChangeVisibility(ctx, r, 0)
}

// losing removes the last of several messages instead of delivering it.
type losing struct{ queue.Queue }

func (f losing) Unwrap() queue.Queue { return f.Queue }

func (f losing) Receive(ctx context.Context, o queue.ReceiveOptions) ([]queue.Delivery, error) {
	ds, err := f.Queue.Receive(ctx, o)
	if err != nil || len(ds) < 2 {
		return ds, err
	}
	last := len(ds) - 1
	_ = f.Delete(ctx, ds[last].Receipt)
	return ds[:last], nil
}

// coupled changes the visibility of all that was received together, as a queue
// would whose groups have one deadline.
type coupled struct {
	queue.Queue
	mu       sync.Mutex
	together map[queue.Receipt][]queue.Receipt
}

func (f *coupled) Unwrap() queue.Queue { return f.Queue }

func (f *coupled) Receive(ctx context.Context, o queue.ReceiveOptions) ([]queue.Delivery, error) {
	ds, err := f.Queue.Receive(ctx, o)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, d := range ds {
		for _, e := range ds {
			if d.GroupID == e.GroupID && d.Receipt != e.Receipt {
				f.together[d.Receipt] = append(f.together[d.Receipt], e.Receipt)
			}
		}
	}
	return ds, err
}

func (f *coupled) ChangeVisibility(ctx context.Context, r queue.Receipt, d time.Duration) error {
	err := f.Queue.ChangeVisibility(ctx, r, d)
	f.mu.Lock()
	others := f.together[r]
	f.mu.Unlock()
	for _, o := range others {
		if err == nil {
			_ = f.Queue.ChangeVisibility(ctx, o, d)
		}
	}
	return err
}
