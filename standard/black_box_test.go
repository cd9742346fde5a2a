package standard_test

import (
	"context"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"runtime"
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

// A delivered body never changes: not when its message is deleted, nor when the
// memory it lies in would be wanted for a million others.
func TestDeliveredBodiesNeverChange(t *testing.T) {
	const held = 200_000
	lifecycles := 1_000_000
	if testing.Short() {
		lifecycles = 100_000
	}
	ctx := t.Context()
	q := newQueue(t, queue.Config{Limits: queue.Unlimited})
	seed := maphash.MakeSeed()
	bodies, sums := make([]string, 0, held), make([]uint64, 0, held)
	into, receipts := make([]queue.Delivery, 100), make([]queue.Receipt, 100)
	pass := func(i int) []queue.Delivery {
		batch := make([]queue.Message, 100)
		for j := range batch {
			batch[j].Body = fmt.Sprintf("body %d of a batch %d", j, i)
			if j%10 == 0 {
				batch[j].Attributes = queue.NewAttributes(map[string]queue.Value{"n": queue.Number("1")})
			}
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
		return got
	}
	for i := range held / 100 {
		for _, d := range pass(i) {
			bodies = append(bodies, d.Body)
			sums = append(sums, maphash.String(seed, d.Body))
		}
	}
	for i := range lifecycles / 100 {
		pass(held + i)
		if i%2000 == 0 {
			runtime.GC()
		}
	}
	for i, body := range bodies {
		if maphash.String(seed, body) != sums[i] {
			t.Fatalf("body %d has changed: %q", i, body)
		}
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

// The life of a message allocates nothing beside its body's place in the page,
// if the receiver lends memory.
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
