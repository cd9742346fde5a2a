package standard_test

import (
	"context"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/standard"
)

func newQueue(t testing.TB, cfg queue.Config) *standard.Queue {
	t.Helper()
	q, err := standard.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return q
}

// A consumer that dies doesn't delete. Its message comes back when the
// visibility timeout has passed, here after twelve hours that pass at once: in a
// synctest bubble the queue's time is virtual. This is how a test of your own
// code reads.
func TestVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		q := newQueue(t, queue.Config{VisibilityTimeout: 12 * time.Hour})
		if _, err := q.Send(ctx, queue.Message{Body: "letter"}); err != nil {
			t.Fatal(err)
		}
		first, err := q.Receive(ctx, queue.ReceiveOptions{}) // and then this consumer dies
		if err != nil || len(first) != 1 {
			t.Fatal(first, err)
		}
		start := time.Now()
		again, err := q.Receive(ctx, queue.ReceiveOptions{Wait: 20 * time.Second})
		for err == nil && len(again) == 0 {
			again, err = q.Receive(ctx, queue.ReceiveOptions{Wait: 20 * time.Second})
		}
		if err != nil || again[0].ID != first[0].ID || again[0].ReceiveCount != 2 {
			t.Errorf("received %v, %v", again, err)
		}
		if waited := time.Since(start); waited != 12*time.Hour {
			t.Errorf("it came back after %v", waited)
		}
	})
}

// fill sends n messages of all sorts: small ones, some with attributes, some too
// large to be packed. contents says what the i-th is.
func fill(t testing.TB, q *standard.Queue, n int) {
	t.Helper()
	batch := make([]queue.Message, 0, 1000)
	for i := range n {
		batch = append(batch, contents(i))
		if len(batch) == cap(batch) || i == n-1 {
			if _, err := q.SendBatch(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			batch = batch[:0]
		}
	}
}

func contents(i int) queue.Message {
	m := queue.Message{Body: fmt.Sprintf("body of message %d", i)}
	switch i % 100 {
	case 1, 2, 3:
		m.Attributes = queue.NewAttributes(map[string]queue.Value{"n": queue.Number(fmt.Sprint(i))})
		m.TraceHeader = fmt.Sprintf("Root=%d", i)
	case 4:
		m.Body += strings.Repeat(" and so on", 60)
	case 5:
		m.Body = strings.Repeat("x", 511) + string(rune('a'+i/100%26))
	}
	return m
}

// receiveAll takes everything, and checks that it is what fill sent.
func receiveAll(t testing.TB, q *standard.Queue, n int) []queue.Delivery {
	t.Helper()
	all := make([]queue.Delivery, 0, n)
	for len(all) < n {
		got, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 1000})
		if err != nil || len(got) == 0 {
			t.Fatalf("received %d of %d, then %v", len(all), n, err)
		}
		for _, d := range got {
			if want := contents(len(all)); d.Message != want {
				t.Fatalf("message %d is %+v, want %+v", len(all), d.Message, want)
			}
			all = append(all, d)
		}
	}
	return all
}

// A delivered body never changes: not when its message is deleted, nor when the
// memory it lies in would be wanted for a million others. Most of these were
// packed before they were received.
func TestDeliveredBodiesNeverChange(t *testing.T) {
	held, lifecycles := 200_000, 1_000_000
	if testing.Short() {
		held, lifecycles = 40_000, 100_000
	}
	ctx := t.Context()
	q := newQueue(t, queue.Config{Limits: queue.Unlimited})
	fill(t, q, held)
	seed := maphash.MakeSeed()
	all := receiveAll(t, q, held)
	sums := make([]uint64, held)
	for i := range all {
		sums[i] = maphash.String(seed, all[i].Body)
	}
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(held) {
		if err := q.Delete(ctx, all[i].Receipt); err != nil {
			t.Fatal(err)
		}
	}
	fill(t, q, 20_000) // a standing backlog, so that pages go on being packed
	into, receipts := make([]queue.Delivery, 100), make([]queue.Receipt, 100)
	for i := range lifecycles / 100 {
		batch := make([]queue.Message, 100)
		for j := range batch {
			batch[j] = contents(i + j)
		}
		if _, err := q.SendBatch(ctx, batch); err != nil {
			t.Fatal(err)
		}
		got, err := q.Receive(ctx, queue.ReceiveOptions{Max: 100, Into: into})
		if err != nil || len(got) != 100 {
			t.Fatal(len(got), err)
		}
		for j := range got {
			receipts[j] = got[j].Receipt
		}
		if err := q.DeleteBatch(ctx, receipts); err != nil {
			t.Fatal(err)
		}
		if i%2000 == 0 {
			runtime.GC()
		}
	}
	for i := range all {
		if maphash.String(seed, all[i].Body) != sums[i] || all[i].Message != contents(i) {
			t.Fatalf("message %d has changed: %+v", i, all[i].Message)
		}
	}
}

// Stragglers, the few that are left of a page, keep all that is known of them.
func TestStragglersKeepEverything(t *testing.T) {
	const n, every = 20_000, 97
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		q := newQueue(t, queue.Config{Limits: queue.Unlimited, VisibilityTimeout: time.Hour})
		fill(t, q, n)
		all := receiveAll(t, q, n)
		time.Sleep(time.Minute)
		for i := range all {
			if i%every == 0 {
				continue
			}
			if err := q.Delete(ctx, all[i].Receipt); err != nil {
				t.Fatal(err)
			}
		}
		if err := q.Check(); err != nil {
			t.Fatal(err)
		}
		i := 0
		for p, err := range q.Peek(ctx) {
			d := all[i]
			if err != nil || p.Message != d.Message || p.ID != d.ID || p.ReceiveCount != 1 || p.State != queue.InFlight ||
				!p.SentAt.Equal(d.SentAt) || !p.FirstReceivedAt.Equal(d.FirstReceivedAt) || !p.VisibleAt.Equal(d.VisibleAt) {
				t.Fatalf("message %d is %+v, %v; was %+v", i, p, err, d)
			}
			i += every
		}
		time.Sleep(time.Hour)
		for i := 0; i < n; i += every {
			got, err := q.Receive(ctx, queue.ReceiveOptions{})
			if err != nil || len(got) != 1 || got[0].Message != all[i].Message || got[0].ReceiveCount != 2 || got[0].ID != all[i].ID {
				t.Fatalf("message %d came back as %+v, %v", i, got, err)
			}
			// The old receipt still names its message, wherever that lies now.
			if err := q.Delete(ctx, all[i].Receipt); err != nil {
				t.Fatal(err)
			}
		}
		if s, err := q.Stats(ctx); err != nil || s.Deleted != n || s.InFlight+s.Visible != 0 {
			t.Errorf("Stats = %+v, %v", s, err)
		}
	})
}

// slowTarget is a dead-letter queue that holds a move until it is let go.
type slowTarget struct {
	*standard.Queue
	arrived, proceed chan struct{}
	fail             bool
}

func (s *slowTarget) Adopt(ctx context.Context, ms []queue.Record, leaving *queue.Change) error {
	close(s.arrived)
	<-s.proceed
	if s.fail {
		return queue.ErrStoreFull
	}
	return s.Queue.Adopt(ctx, ms, leaving)
}

// What is said of a message on its way to the dead-letter queue waits until it
// has arrived or come back: a Delete that answered before could be wrong.
func TestMovingMessageIsWaitedFor(t *testing.T) {
	for _, fail := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			ctx := t.Context()
			dead := newQueue(t, queue.Config{})
			target := &slowTarget{dead, make(chan struct{}), make(chan struct{}), fail}
			q := newQueue(t, queue.Config{DeadLetter: queue.DeadLetter{Target: target, MaxReceives: 1}})
			if _, err := q.Send(ctx, queue.Message{Body: "x"}); err != nil {
				t.Fatal(err)
			}
			got, err := q.Receive(ctx, queue.ReceiveOptions{VisibilityTimeout: queue.None})
			if err != nil || len(got) != 1 {
				t.Fatal(got, err)
			}
			received := start(func() error {
				_, err := q.Receive(ctx, queue.ReceiveOptions{})
				return err
			})
			<-target.arrived
			deleted := start(func() error { return q.Delete(ctx, got[0].Receipt) })
			if ended(deleted) || ended(received) {
				t.Error("an answer came while the message was moving")
			}
			close(target.proceed)
			if !ended(deleted) || !ended(received) {
				t.Fatal("no answer after the move")
			}
			s, err := q.Stats(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if !fail && s.Moved != 1 || fail && s.Moved != 0 || s.Visible != 0 {
				t.Errorf("with a target that fails (%t) Stats are %+v", fail, s)
			}
			if err := q.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

// No goroutine stands per queue, used or not.
func TestIdleQueuesHaveNoGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	queues := make([]*standard.Queue, 10_000)
	for i := range queues {
		queues[i] = newQueue(t, queue.Config{})
		if i%2 == 0 { // with a message whose deadline the timer watches
			if _, err := queues[i].Send(t.Context(), queue.Message{Body: "x", Delay: time.Minute}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines before, %d with 10,000 queues", before, after)
	}
}

// Eight receivers and eight senders with random gaps, in real time: no receiver
// waits while something is visible, and nobody is forgotten. In a bubble the next
// call could hide a wake-up that was missed, so this one runs outside.
func TestNoMissedWakeUps(t *testing.T) {
	for _, procs := range []int{1, 2, 4} {
		t.Run(fmt.Sprintf("procs=%d", procs), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
			testNoMissedWakeUps(t)
		})
	}
}

func testNoMissedWakeUps(t *testing.T) {
	const each = 400
	q := newQueue(t, queue.Config{VisibilityTimeout: time.Minute})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var work sync.WaitGroup
	var received atomic.Int64
	for i := range 8 {
		work.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 0))
			for n := range each {
				if random.IntN(8) == 0 {
					time.Sleep(time.Duration(random.IntN(200)) * time.Microsecond)
				}
				var delay time.Duration
				if n%50 == 0 {
					delay = time.Millisecond
				}
				if _, err := q.Send(ctx, queue.Message{Body: "x", Delay: delay}); err != nil {
					t.Error(err)
					return
				}
			}
		})
		work.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 1))
			for received.Load() < 8*each {
				got, err := q.Receive(ctx, queue.ReceiveOptions{Max: 1 + random.IntN(10), Wait: 20 * time.Second})
				if err != nil {
					if ctx.Err() == nil || received.Load() < 8*each {
						t.Error(err)
					}
					return
				}
				for _, d := range got {
					if err := q.Delete(ctx, d.Receipt); err != nil {
						t.Error(err)
					}
				}
				if received.Add(int64(len(got))) == 8*each {
					cancel() // the others wait for nothing
				}
				// The invariant itself: either nothing is receivable or nobody waits.
				if err := q.Check(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	if received.Load() != 8*each {
		t.Errorf("received %d of %d", received.Load(), 8*each)
	}
}

// A timeout comes back by the queue's own timer, with nobody calling: a parked
// receiver gets the message. In real time, because in a bubble the clock would
// move on by itself.
func TestTimerWakesReceiver(t *testing.T) {
	q := newQueue(t, queue.Config{})
	if _, err := q.Send(t.Context(), queue.Message{Body: "x"}); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Receive(t.Context(), queue.ReceiveOptions{VisibilityTimeout: 20 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	got, err := q.Receive(t.Context(), queue.ReceiveOptions{Wait: 20 * time.Second})
	if err != nil || len(got) != 1 || got[0].ReceiveCount != 2 {
		t.Fatalf("Receive = %v, %v", got, err)
	}
}

// A million timeouts at one instant: all come back, in order.
func TestMillionTimeouts(t *testing.T) {
	n := 1_000_000
	if testing.Short() {
		n = 50_000
	}
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		q := newQueue(t, queue.Config{Limits: queue.Unlimited})
		batch := make([]queue.Message, 1000)
		for i := range batch {
			batch[i].Body = "x"
		}
		into := make([]queue.Delivery, 1000)
		for range n / 1000 {
			if _, err := q.SendBatch(ctx, batch); err != nil {
				t.Fatal(err)
			}
			if got, err := q.Receive(ctx, queue.ReceiveOptions{Max: 1000, Into: into}); err != nil || len(got) != 1000 {
				t.Fatal(len(got), err)
			}
		}
		time.Sleep(30 * time.Second)
		if s, err := q.Stats(ctx); err != nil || s.Visible != n || s.InFlight != 0 {
			t.Errorf("Stats = %+v, %v; want %d visible", s, err, n)
		}
		if err := q.Check(); err != nil {
			t.Error(err)
		}
	})
}

// The life of a message allocates nothing, if the receiver lends memory.
func TestNoAllocations(t *testing.T) {
	ctx := t.Context()
	q := newQueue(t, queue.Config{})
	into := make([]queue.Delivery, 1)
	n := testing.AllocsPerRun(10_000, func() {
		if _, err := q.Send(ctx, queue.Message{Body: "sixty-four bytes of body make a message of an ordinary small size"}); err != nil {
			t.Fatal(err)
		}
		got, err := q.Receive(ctx, queue.ReceiveOptions{Into: into})
		if err != nil {
			t.Fatal(err)
		}
		if err := q.Delete(ctx, got[0].Receipt); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations per lifecycle, want 0", n)
	}
}
