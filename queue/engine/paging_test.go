package engine_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/queuetest"
)

// These tests hold queues whose pages are so short, and whose window is so narrow,
// that every message is in the store alone soon after it was sent.

// A readStore is a MemStore whose Load can be watched, held back, made to fail,
// and damaged.
type readStore struct {
	*queuetest.MemStore
	mu      sync.Mutex // guards everything below
	gate    chan struct{}
	err     error
	damaged map[string]bool // bodies
	loads   int
	most    int // bytes of bodies that one Load returned
}

var errDisk = errors.New("the disk is busy")

func newReadStore() *readStore {
	return &readStore{MemStore: queuetest.NewMemStore(), damaged: map[string]bool{}}
}

func (st *readStore) Load(ctx context.Context, number, from, to uint64, dst []queue.Record) ([]queue.Record, error) {
	st.mu.Lock()
	gate, err := st.gate, st.err
	st.loads++
	st.mu.Unlock()
	if err != nil {
		return dst, err
	}
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return dst, ctx.Err()
		}
	}
	n := len(dst)
	if dst, err = st.MemStore.Load(ctx, number, from, to, dst); err != nil {
		return dst, err
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	bytes, before := 0, len(dst)
	dst = append(dst[:n], slices.DeleteFunc(slices.Clone(dst[n:]), func(r queue.Record) bool {
		bytes += len(r.Body)
		return st.damaged[r.Body]
	})...)
	st.most = max(st.most, bytes)
	if len(dst) < before {
		return dst, fmt.Errorf("%d records: %w", before-len(dst), queue.ErrStoreCorrupt)
	}
	return dst, nil
}

// hold makes later loads wait until the function it returns is called.
func (st *readStore) hold() (release func()) {
	st.mu.Lock()
	defer st.mu.Unlock()
	gate := make(chan struct{})
	st.gate = gate
	return func() {
		st.mu.Lock()
		defer st.mu.Unlock()
		st.gate = nil
		close(gate)
	}
}

func (st *readStore) fail(err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.err = err
}

func (st *readStore) damage(bodies ...string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, body := range bodies {
		st.damaged[body] = true
	}
}

// newPaged is newQueue over a store, with a window of nothing and pages of two.
func newPaged(t *testing.T, kind queue.Kind, st queue.Store, cfg queue.Config) engine {
	t.Helper()
	if cfg.Name == "" {
		cfg.Name = "main"
		if kind == queue.FIFO {
			cfg.Name = "main.fifo"
		}
	}
	q := newQueue(t, kind, st, cfg)
	q.(interface{ Squeeze(int64, int) }).Squeeze(0, 2)
	return q
}

// bothKinds runs f for each kind of queue in a bubble.
func bothKinds(t *testing.T, f func(t *testing.T, kind queue.Kind)) {
	for _, kind := range []queue.Kind{queue.Standard, queue.FIFO} {
		t.Run(kind.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, kind) })
		})
	}
}

func check(t *testing.T, q engine) {
	t.Helper()
	if err := q.Check(); err != nil {
		t.Error(err)
	}
}

func numbered(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprint("m", i))
	}
	return all
}

func remove(t *testing.T, q engine, ds []queue.Delivery) {
	t.Helper()
	for i := range ds {
		if err := q.Delete(t.Context(), ds[i].Receipt); err != nil {
			t.Fatal(err)
		}
	}
}

var briefly = queue.ReceiveOptions{VisibilityTimeout: time.Second}

// Pages come back in the order in which they were sent, the oldest first, also
// when what was received has timed out.
func TestPagesComeBackInOrder(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		q := newPaged(t, kind, newReadStore(), queue.Config{})
		all := numbered(20)
		send(t, q, all...)
		for _, want := range all[:6] {
			remove(t, q, receiveOne(t, q, want))
		}
		receive(t, q, briefly, all[6:16]...)
		check(t, q)
		time.Sleep(time.Second)
		check(t, q)
		receive(t, q, queue.ReceiveOptions{VisibilityTimeout: queue.None}, all[6:16]...)
		receive(t, q, queue.ReceiveOptions{}, all[6:16]...)
		if kind == queue.Standard {
			receive(t, q, queue.ReceiveOptions{}, all[16:]...)
		}
	})
}

func receiveOne(t *testing.T, q engine, want string) []queue.Delivery {
	t.Helper()
	got, err := q.Receive(t.Context(), queue.ReceiveOptions{})
	if err != nil || len(got) != 1 || got[0].Body != want {
		t.Fatalf("received %q, %v; want %q", bodies(got), err, want)
	}
	return got
}

// Messages that go out together do so though their pages don't fit the window
// together.
func TestOneReceiveOfManyPages(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		q := newPaged(t, kind, newReadStore(), queue.Config{})
		all := numbered(10)
		send(t, q, all...)
		for range 3 {
			receive(t, q, queue.ReceiveOptions{VisibilityTimeout: queue.None}, all...)
		}
		receive(t, q, queue.ReceiveOptions{}, all...)
	})
}

// While a FIFO page is cold all younger ones are: a group's later message never
// looks like its first.
func TestColdPageHoldsBackYoungerOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newPaged(t, queue.FIFO, newReadStore(), queue.Config{Limits: queue.Unlimited})
		next := map[string]int{}
		for i := range 60 {
			m := queue.Message{GroupID: fmt.Sprint("g", i%7), Body: fmt.Sprint(i), DeduplicationID: fmt.Sprint(i)}
			if _, err := q.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		for n := 0; n < 60; {
			got, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 3, VisibilityTimeout: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			if len(got) == 0 {
				t.Fatalf("%d messages left, and nothing to receive", 60-n)
			}
			for i := range got {
				var group, number int
				fmt.Sscanf(got[i].GroupID, "g%d", &group)
				fmt.Sscan(got[i].Body, &number)
				if want := group + 7*next[got[i].GroupID]; number != want {
					t.Fatalf("group %d gave %d, its oldest is %d", group, number, want)
				}
				next[got[i].GroupID]++
			}
			n += len(got)
			remove(t, q, got)
			check(t, q)
		}
	})
}

// A load that fails loses nothing: the receive returns the error, and the queue
// goes on when the store does.
func TestReceiveWhenAPageCannotBeRead(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		st := newReadStore()
		q := newPaged(t, kind, st, queue.Config{})
		all := numbered(10)
		send(t, q, all...)
		before := stats(t, q)
		st.fail(errDisk)
		for range 3 {
			if got, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 10}); !errors.Is(err, errDisk) || len(got) > 0 {
				t.Fatalf("Receive = %q, %v; want the store's error", bodies(got), err)
			}
		}
		if got := stats(t, q); got != before {
			t.Errorf("Stats are %+v, before the failure they were %+v", got, before)
		}
		polls := start(func() error {
			_, err := q.Receive(t.Context(), queue.ReceiveOptions{Wait: 20 * time.Second})
			return err
		})
		if err := answer(t, polls); !errors.Is(err, errDisk) {
			t.Errorf("Receive returned %v", err)
		}
		st.fail(nil)
		receive(t, q, queue.ReceiveOptions{}, all...)
	})
}

// Who waits while a page can't be read is told so.
func TestWaiterHearsOfALoadThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newReadStore()
		q := newPaged(t, queue.Standard, st, queue.Config{Delay: time.Second})
		send(t, q, numbered(6)...)
		polls := []<-chan error{}
		for range 2 {
			polls = append(polls, start(func() error {
				_, err := q.Receive(t.Context(), queue.ReceiveOptions{Wait: 20 * time.Second})
				return err
			}))
			synctest.Wait()
		}
		st.fail(errDisk)
		time.Sleep(time.Second)
		for _, poll := range polls {
			if err := answer(t, poll); !errors.Is(err, errDisk) {
				t.Errorf("a waiting Receive returned %v, not the store's error", err)
			}
		}
		st.fail(nil)
		receive(t, q, queue.ReceiveOptions{}, numbered(6)...)
	})
}

// A Standard queue goes on without what can't be read, and counts it.
func TestDamageInAStandardQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newReadStore()
		q := newPaged(t, queue.Standard, st, queue.Config{})
		send(t, q, numbered(10)...)
		st.damage("m0", "m1", "m4")
		failures := 0
		var got []string
		for range 10 {
			ds, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 2})
			got = append(got, bodies(ds)...)
			if err != nil {
				failures++
				if !errors.Is(err, queue.ErrStoreCorrupt) {
					t.Fatal(err)
				}
			}
		}
		if want := []string{"m2", "m3", "m5", "m6", "m7", "m8", "m9"}; !slices.Equal(got, want) || failures == 0 || failures > 2 {
			t.Errorf("received %q and %d errors, want %q and an error for each of two pages at most", got, failures, want)
		}
		if s := stats(t, q); s.Unreadable != 3 || s.InFlight != 7 {
			t.Errorf("Stats are %+v, want 3 unreadable", s)
		}
	})
}

// So it does if only the contents of a page were in the store.
func TestDamageBesideMessagesInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newReadStore()
		q := newPaged(t, queue.Standard, st, queue.Config{Limits: queue.Unlimited})
		sendMany(t, q, 1)
		if _, err := q.SendBatch(t.Context(), []queue.Message{{Body: "a"}, {Body: "b"}, {Body: "c"}}); err != nil {
			t.Fatal(err)
		}
		ds := receive(t, q, queue.ReceiveOptions{VisibilityTimeout: time.Hour}, "x", "a", "b", "c")
		send(t, q, numbered(6)...)
		receiveOne(t, q, "m0") // and the contents of the first page go
		if err := q.ChangeVisibility(t.Context(), ds[1].Receipt, 0); err != nil {
			t.Fatal(err)
		}
		st.damage("a")
		if got, err := q.Receive(t.Context(), queue.ReceiveOptions{}); !errors.Is(err, queue.ErrStoreCorrupt) || len(got) > 0 {
			t.Fatalf("Receive = %q, %v", bodies(got), err)
		}
		receiveOne(t, q, "m1")
		if s := stats(t, q); s.Unreadable != 1 {
			t.Errorf("Stats are %+v, want 1 unreadable", s)
		}
		remove(t, q, ds)
	})
}

// A FIFO queue hands out what is older, and then only the error: nothing may
// overtake what can't be read.
func TestDamageInAFIFOQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newReadStore()
		q := newPaged(t, queue.FIFO, st, queue.Config{})
		send(t, q, numbered(10)...)
		st.damage("m5")
		remove(t, q, receive(t, q, queue.ReceiveOptions{}, numbered(4)...))
		for range 3 {
			if got, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 10}); !errors.Is(err, queue.ErrStoreCorrupt) || len(got) > 0 {
				t.Fatalf("Receive = %q, %v; want the damage", bodies(got), err)
			}
		}
		if s := stats(t, q); s.Visible != 6 {
			t.Errorf("Stats are %+v, want 6 visible", s)
		}
		clear(st.damaged)
		receive(t, q, queue.ReceiveOptions{}, numbered(10)[4:]...)
	})
}

// So it does if only the contents of a warm page were in the store. Nobody tries
// for ever.
func TestDamageInAWarmFIFOPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newReadStore()
		q := newPaged(t, queue.FIFO, st, queue.Config{})
		var ms []queue.Message
		for i := range 4 {
			ms = append(ms, queue.Message{Body: fmt.Sprint("m", i), GroupID: fmt.Sprint("g", i), DeduplicationID: fmt.Sprint(i)})
		}
		if _, err := q.SendBatch(t.Context(), ms); err != nil {
			t.Fatal(err)
		}
		ds := receive(t, q, queue.ReceiveOptions{VisibilityTimeout: time.Hour}, numbered(4)...)
		for i := range 6 {
			m := queue.Message{Body: "y", GroupID: "h", DeduplicationID: fmt.Sprint("y", i)}
			if _, err := q.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		receiveOne(t, q, "y") // and the contents of the first page go
		for _, k := range []int{0, 1} {
			if err := q.ChangeVisibility(t.Context(), ds[k].Receipt, 0); err != nil {
				t.Fatal(err)
			}
		}
		st.damage("m1")
		var got []string
		failures := 0
		for range 4 {
			ds, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 10, VisibilityTimeout: time.Hour})
			got = append(got, bodies(ds)...)
			if err != nil {
				failures++
			}
		}
		if slices.Contains(got, "m1") || failures == 0 || !slices.Contains(got, "m0") {
			t.Errorf("received %q and %d errors", got, failures)
		}
	})
}

// A context that ends during a load ends the receive, which takes nothing.
func TestContextEndsDuringALoad(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		st := newReadStore()
		q := newPaged(t, kind, st, queue.Config{})
		send(t, q, numbered(10)...)
		before := stats(t, q)
		release := st.hold()
		ctx, cancel := context.WithCancel(t.Context())
		var calls []<-chan error
		for range 2 { // one loads, one waits for it
			calls = append(calls, start(func() error {
				_, err := q.Receive(ctx, queue.ReceiveOptions{Max: 10})
				return err
			}))
			synctest.Wait()
		}
		cancel()
		for _, call := range calls {
			if err := answer(t, call); !errors.Is(err, context.Canceled) {
				t.Errorf("Receive returned %v", err)
			}
		}
		release()
		if got := stats(t, q); got != before {
			t.Errorf("Stats are %+v, before they were %+v", got, before)
		}
		receive(t, q, queue.ReceiveOptions{}, numbered(10)...)
	})
}

// Close waits for a load, and the receive that wanted it gets ErrClosed.
func TestCloseDuringALoad(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		st := newReadStore()
		q := newPaged(t, kind, st, queue.Config{})
		send(t, q, numbered(10)...)
		release := st.hold()
		call := start(func() error {
			_, err := q.Receive(t.Context(), queue.ReceiveOptions{})
			return err
		})
		synctest.Wait()
		closing := start(q.Close)
		if !running(call) || !running(closing) {
			t.Fatal("the load is under way, and a call has returned")
		}
		release()
		if err := answer(t, call); !errors.Is(err, queue.ErrClosed) {
			t.Errorf("Receive returned %v", err)
		}
		if err := answer(t, closing); err != nil {
			t.Error(err)
		}
	})
}

// What is purged while it is loaded stays purged, and a page that begins at the
// same number is another one.
func TestPurgeDuringALoad(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		st := newReadStore()
		q := newPaged(t, kind, st, queue.Config{})
		send(t, q, numbered(9)...)
		release := st.hold()
		call := start(func() error {
			got, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 10, Wait: queue.None})
			if len(got) > 0 && slices.ContainsFunc(bodies(got), func(b string) bool { return b != "new" }) {
				return fmt.Errorf("received %q", bodies(got))
			}
			return err
		})
		synctest.Wait()
		if err := q.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		send(t, q, "new")
		release()
		if err := answer(t, call); err != nil {
			t.Error(err)
		}
		if s := stats(t, q); s.Purged != 9 || s.Visible+s.InFlight != 1 {
			t.Errorf("Stats are %+v", s)
		}
	})
}

// A page stays while its contents are read: what was read of a part of it is not
// taken for all of it.
func TestPageStaysWhileItsContentsAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newReadStore()
		q := newPaged(t, queue.Standard, st, queue.Config{Limits: queue.Unlimited})
		big := []queue.Message{}
		for i := range 3 {
			big = append(big, queue.Message{Body: strings.Repeat(fmt.Sprint(i), 1<<20)})
		}
		if _, err := q.SendBatch(t.Context(), big); err != nil {
			t.Fatal(err)
		}
		ds, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 3, VisibilityTimeout: time.Second})
		if err != nil || len(ds) != 3 {
			t.Fatal(len(ds), err)
		}
		send(t, q, "tail", "tail")
		polls := start(func() error {
			receive(t, q, queue.ReceiveOptions{Max: 10, VisibilityTimeout: time.Hour}, "tail", "tail")
			_, err := q.Receive(t.Context(), queue.ReceiveOptions{Wait: 20 * time.Second, VisibilityTimeout: time.Hour})
			return err
		})
		if !running(polls) {
			t.Fatal("nothing was there to receive")
		}
		if err := q.ChangeVisibility(t.Context(), ds[0].Receipt, 10*time.Second); err != nil {
			t.Fatal(err)
		}
		release := st.hold()
		time.Sleep(time.Second) // the second and the third come back, a load for the waiter begins
		if err := q.ChangeVisibility(t.Context(), ds[0].Receipt, 0); err != nil {
			t.Fatal(err) // now the page has nothing in flight and might go
		}
		release()
		if err := answer(t, polls); err != nil {
			t.Error(err)
		}
		if s := stats(t, q); s.Visible != 2 || s.InFlight != 3 || s.Unreadable != 0 {
			t.Errorf("Stats are %+v, want 2 visible and 3 in flight", s)
		}
		check(t, q)
	})
}

// Delays that end in pages that are away wake who waits, and are counted.
func TestDelaysOfPagesAway(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		q := newPaged(t, kind, newReadStore(), queue.Config{Delay: time.Minute})
		send(t, q, numbered(10)...)
		if s := stats(t, q); s.Delayed != 10 {
			t.Fatalf("Stats are %+v, want 10 delayed", s)
		}
		time.Sleep(59 * time.Second)
		check(t, q)
		polls := start(func() error {
			got, err := q.Receive(t.Context(), queue.ReceiveOptions{Wait: 20 * time.Second})
			if err == nil && (len(got) != 1 || got[0].Body != "m0") {
				err = fmt.Errorf("received %q", bodies(got))
			}
			return err
		})
		time.Sleep(time.Second)
		if err := answer(t, polls); err != nil {
			t.Fatal(err)
		}
		if s := stats(t, q); s.Delayed != 0 || s.Visible != 9 || s.InFlight != 1 {
			t.Errorf("Stats are %+v, want 9 visible", s)
		}
	})
}

// Messages in pages that are away expire in time, though nobody calls.
func TestRetentionOfPagesAway(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		q := newPaged(t, kind, newReadStore(), queue.Config{Retention: time.Minute})
		send(t, q, numbered(5)...)
		time.Sleep(30 * time.Second)
		send(t, q, numbered(10)[5:]...)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if s := stats(t, q); s.Expired != 5 || s.Visible != 5 {
			t.Errorf("Stats are %+v, want 5 expired", s)
		}
		receive(t, q, queue.ReceiveOptions{}, numbered(10)[5:]...)
	})
}

// A FIFO queue's delay can be changed for pages that are away.
func TestReconfiguredDelayOfPagesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newPaged(t, queue.FIFO, newReadStore(), queue.Config{})
		send(t, q, numbered(10)...)
		reconfigure(t, q, func(c *queue.Config) { c.Delay = time.Minute })
		if s := stats(t, q); s.Delayed != 10 {
			t.Fatalf("Stats are %+v, want 10 delayed", s)
		}
		check(t, q)
		receive(t, q, queue.ReceiveOptions{})
		reconfigure(t, q, func(c *queue.Config) { c.Delay = 0 })
		check(t, q)
		receive(t, q, queue.ReceiveOptions{}, numbered(10)...)
	})
}

// A receipt of a Standard queue deletes its message wherever that is; in a FIFO
// queue the receipt has expired when the page can be away, but what is gone is gone.
func TestReceiptsOfPagesAway(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		q := newPaged(t, kind, newReadStore(), queue.Config{})
		all := numbered(10)
		send(t, q, all...)
		ds := receive(t, q, briefly, all...)
		remove(t, q, ds[1:2])
		time.Sleep(time.Second)
		send(t, q, "m10", "m11", "m12")
		switch err := q.Delete(t.Context(), ds[0].Receipt); {
		case kind == queue.Standard && err != nil:
			t.Fatal(err)
		case kind == queue.FIFO && !errors.Is(err, queue.ErrReceiptExpired):
			t.Fatalf("Delete returned %v", err)
		}
		if err := q.Delete(t.Context(), ds[1].Receipt); err != nil {
			t.Errorf("deleting what is gone returned %v", err)
		}
		left := slices.Delete(slices.Clone(all), 1, 2)
		if kind == queue.Standard {
			left = append(left[1:], "m10", "m11")
		} else {
			left = append(left, "m10")
		}
		receive(t, q, queue.ReceiveOptions{}, left[:min(10, len(left))]...)
	})
}

// What has timed out leaves memory, slots and all: whoever wants it must read it.
func TestTimedOutPagesGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newReadStore()
		q := newPaged(t, queue.Standard, st, queue.Config{})
		all := numbered(10)
		send(t, q, all...)
		ds := receive(t, q, briefly, all...)
		st.fail(errDisk)
		if err := q.ChangeVisibility(t.Context(), ds[1].Receipt, time.Second); err != nil {
			t.Errorf("a message in flight has its slot here, and ChangeVisibility returned %v", err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if err := q.Delete(t.Context(), ds[0].Receipt); !errors.Is(err, errDisk) {
			t.Errorf("Delete returned %v without a look into the store", err)
		}
		st.fail(nil)
		remove(t, q, ds)
	})
}

// Two receipts of one page in a batch both work, though the page might go after
// the first.
func TestBatchesOfOnePage(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		q := newPaged(t, kind, newReadStore(), queue.Config{})
		all := numbered(10)
		send(t, q, all...)
		ds := receive(t, q, queue.ReceiveOptions{VisibilityTimeout: time.Hour}, all...)
		var cs []queue.VisibilityChange
		for i := range ds {
			cs = append(cs, queue.VisibilityChange{Receipt: ds[i].Receipt})
		}
		if kind == queue.Standard {
			cs = append(cs[:9:9], cs[0])
		}
		if err := q.ChangeVisibilityBatch(t.Context(), cs); err != nil {
			t.Fatal(err)
		}
		check(t, q)
		if kind == queue.FIFO {
			return
		}
		if err := q.ChangeVisibility(t.Context(), ds[1].Receipt, time.Hour); err != nil {
			t.Fatal(err)
		}
		if err := q.DeleteBatch(t.Context(), []queue.Receipt{ds[1].Receipt, ds[0].Receipt, ds[2].Receipt}); err != nil {
			t.Fatal(err)
		}
		if s := stats(t, q); s.Deleted != 3 || s.Visible != 6 || s.InFlight != 1 {
			t.Errorf("Stats are %+v, want 3 deleted", s)
		}
	})
}

// A receive attempt gives the same again, though the contents have left memory.
func TestAttemptWithContentsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newPaged(t, queue.FIFO, newReadStore(), queue.Config{})
		all := numbered(10)
		send(t, q, all...)
		o := queue.ReceiveOptions{AttemptID: "once", VisibilityTimeout: time.Minute}
		first := receive(t, q, o, all...)
		for i := range 6 {
			m := queue.Message{Body: "other", GroupID: "h", DeduplicationID: fmt.Sprint("other", i)}
			if _, err := q.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		again := receive(t, q, o, all...)
		for i := range again {
			if again[i].Receipt != first[i].Receipt {
				t.Errorf("%s came with another receipt", again[i].Body)
			}
		}
	})
}

// Dead letters arrive whole, though their contents had left memory, and once.
func TestDeadLettersWithContentsOut(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		st, suffix := newReadStore(), map[bool]string{true: ".fifo"}[kind == queue.FIFO]
		dead := newPaged(t, kind, st, queue.Config{Name: "dead" + suffix})
		q := newPaged(t, kind, st, queue.Config{DeadLetter: queue.DeadLetter{Target: dead, MaxReceives: 1}})
		all := numbered(6)
		send(t, q, all...)
		ds := receive(t, q, queue.ReceiveOptions{VisibilityTimeout: 10 * time.Second}, all...)
		release := st.hold()
		st.SetLatency(time.Millisecond) // so that the second call comes upon the first one's move
		var calls []<-chan error
		for range 2 {
			calls = append(calls, start(func() error { return q.DeadLetter(t.Context(), ds[0].Receipt, "twice") }))
			synctest.Wait()
		}
		release()
		time.Sleep(time.Second)
		if errs := []error{answer(t, calls[0]), answer(t, calls[1])}; !slices.Contains(errs, nil) ||
			!slices.ContainsFunc(errs, func(err error) bool { return errors.Is(err, queue.ErrMessageGone) }) {
			t.Errorf("two calls of DeadLetter returned %v, want a success and that the message is gone", errs)
		}
		st.SetLatency(0)
		check(t, q)
		time.Sleep(10 * time.Second)
		receive(t, q, queue.ReceiveOptions{})
		if s := stats(t, q); s.Moved != 6 || s.InFlight != 0 {
			t.Errorf("Stats are %+v, want 6 moved", s)
		}
		got := receive(t, dead, queue.ReceiveOptions{}, all...)
		for i := range got {
			if got[i].ID != ds[i].ID || got[i].ReceiveCount != 2 {
				t.Errorf("%s arrived as %v, received %d times", got[i].Body, got[i].ID, got[i].ReceiveCount)
			}
		}
	})
}

// An adopted message keeps its ID, its reason and its counts while its page is away.
func TestAdoptedMessagesOfPagesAway(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		q := newPaged(t, kind, newReadStore(), queue.Config{})
		var rs []queue.Record
		for i := range 7 {
			rs = append(rs, queue.Record{
				ID: queue.MessageID{1, byte(i)}, SentAt: time.Now().UnixMilli(), FirstReceivedAt: 5, Receives: 3,
				Message:          queue.Message{Body: fmt.Sprint("m", i), TraceHeader: "trace"},
				DeadLetterSource: "elsewhere", DeadLetterReason: "broken",
			})
		}
		for i := range rs {
			if kind == queue.FIFO {
				rs[i].GroupID = "g"
			}
			if err := q.Adopt(t.Context(), rs[i:i+1], nil); err != nil {
				t.Fatal(err)
			}
		}
		for i, d := range receive(t, q, queue.ReceiveOptions{}, numbered(7)...) {
			if d.ID != rs[i].ID || d.ReceiveCount != 4 || d.DeadLetterReason != "broken" || d.TraceHeader != "trace" {
				t.Errorf("came back as %+v", d)
			}
		}
	})
}

// Receives that were handed out are counted though the store had no room for
// them, or their receiver was slow to write them down.
func TestUntoldReceives(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		st := newReadStore()
		q := newPaged(t, kind, st, queue.Config{Limits: queue.Unlimited})
		all := numbered(6)
		send(t, q, all...)
		st.SetFull(true)
		receive(t, q, briefly, all...)
		time.Sleep(time.Second)
		st.SetFull(false)
		send(t, q, "m6", "m7", "m8", "m9")
		for i, d := range receive(t, q, briefly, numbered(10)...) {
			if want := map[bool]int{true: 2, false: 1}[i < 6]; d.ReceiveCount != want {
				t.Errorf("%s was received %d times, want %d", d.Body, d.ReceiveCount, want)
			}
		}
	})
}

// A waiter's receive that hides nothing counts, though the page goes before the
// waiter gets to say so.
func TestWaitersReceiveIsToldForIt(t *testing.T) {
	onOneProcessor(t, func(t *testing.T) {
		st := newReadStore()
		q := newPaged(t, queue.Standard, st, queue.Config{})
		poll := start(func() error {
			_, err := q.Receive(t.Context(), queue.ReceiveOptions{Wait: 20 * time.Second, VisibilityTimeout: queue.None})
			return err
		})
		synctest.Wait()
		st.Hold(queue.Durable)
		var sends []<-chan error
		for i := range 5 {
			sends = append(sends, start(func() error {
				_, err := q.Send(t.Context(), queue.Message{Body: fmt.Sprint("m", i)})
				return err
			}))
			synctest.Wait()
		}
		st.Release()
		for _, s := range sends {
			if err := answer(t, s); err != nil {
				t.Fatal(err)
			}
		}
		if err := answer(t, poll); err != nil {
			t.Fatal(err)
		}
		if d := receiveOne(t, q, "m0"); d[0].ReceiveCount != 2 {
			t.Errorf("received %d times, want 2", d[0].ReceiveCount)
		}
	})
}

// Events of messages in pages that are away tell their IDs.
func TestTraceOfPagesAway(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		steps := map[queue.MessageID][]queue.Step{}
		q := newPaged(t, kind, newReadStore(), queue.Config{
			Delay: time.Second,
			Trace: &queue.Trace{Message: func(e queue.Event) { steps[e.ID] = append(steps[e.ID], e.Step) }},
		})
		all := numbered(8)
		send(t, q, all...)
		time.Sleep(time.Second)
		remove(t, q, receive(t, q, queue.ReceiveOptions{}, all...))
		synctest.Wait() // events may come from the timer's goroutine
		if len(steps) != len(all) {
			t.Errorf("events tell of %d messages", len(steps))
		}
		for id, got := range steps {
			want := []queue.Step{queue.StepAccepted, queue.StepDelayed, queue.StepVisible, queue.StepReceived, queue.StepDeleted}
			if got = slices.DeleteFunc(got, func(s queue.Step) bool { return s == queue.StepReleased }); !slices.Equal(slices.Compact(got), want) {
				t.Errorf("%v went through %v, want %v", id, got, want)
			}
		}
	})
}

// Large bodies are read a few at a time, also after a part of a page was read.
func TestLargeBodiesAreReadInParts(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		st := newReadStore()
		q := newPaged(t, kind, st, queue.Config{Limits: queue.Unlimited})
		var ms []queue.Message
		for i := range queue.PageSize {
			m := queue.Message{Body: strings.Repeat(string(rune('a'+i%26)), 64<<10)}
			if kind == queue.FIFO {
				m.GroupID, m.DeduplicationID = "g", fmt.Sprint(i)
			}
			ms = append(ms, m)
		}
		if _, err := q.SendBatch(t.Context(), ms); err != nil {
			t.Fatal(err)
		}
		send(t, q, "tail")
		for range 3 {
			got, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 40, VisibilityTimeout: time.Second})
			if err != nil || len(got) != 40 {
				t.Fatal(len(got), err)
			}
			for i := range got {
				if got[i].Body != ms[i].Body {
					t.Errorf("message %d begins with %.10q", i, got[i].Body)
				}
			}
			time.Sleep(time.Second)
			check(t, q)
		}
		if st.most > 2<<20 {
			t.Errorf("one Load brought %d bytes", st.most)
		}
	})
}

// PeekInFlight tells of nothing else, and Peek of all, wherever it is.
func TestPeekIntoPagesAway(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind queue.Kind) {
		q := newPaged(t, kind, newReadStore(), queue.Config{})
		all := numbered(12)
		send(t, q, all...)
		receive(t, q, briefly, all[:10]...)
		count := func() (n int) {
			for p, err := range q.Peek(t.Context()) {
				if err != nil || p.Body != all[n] {
					t.Fatalf("Peek shows %q, %v; want %q", p.Body, err, all[n])
				}
				n++
			}
			return n
		}
		if n := count(); n != 12 {
			t.Errorf("Peek shows %d messages", n)
		}
		n := 0
		for p, err := range q.(interface {
			PeekInFlight(context.Context) iter.Seq2[queue.Peeked, error]
		}).PeekInFlight(t.Context()) {
			if err != nil || p.State != queue.InFlight {
				t.Errorf("PeekInFlight shows %q, %v, %v", p.Body, p.State, err)
			}
			n++
		}
		if n != 10 {
			t.Errorf("PeekInFlight shows %d messages", n)
		}
		time.Sleep(time.Second)
		if n := count(); n != 12 {
			t.Errorf("after the timeout Peek shows %d messages", n)
		}
	})
}

// A compactStore keeps of each message a few bytes in memory that it has from the
// start, and makes its body anew when it is read: bodyOf of its index.
type compactStore struct {
	*queuetest.MemStore // for what isn't below
	messages            []compactRecord
	groups              int
	commits             queue.Commit
}

type compactRecord struct {
	id              queue.MessageID
	index, receives uint32
	sentAt, dueAt   int64
	live            bool
}

const compactBody = 1 << 10

func newCompactStore(n, groups int) *compactStore {
	return &compactStore{MemStore: queuetest.NewMemStore(), messages: make([]compactRecord, n+n/4), groups: groups}
}

func bodyOf(index int) string { return fmt.Sprintf("%-*d", compactBody, index) }

func (st *compactStore) messageOf(index int) queue.Message {
	m := queue.Message{Body: bodyOf(index)}
	if st.groups > 0 {
		m.GroupID, m.DeduplicationID = fmt.Sprint("group", index%st.groups), fmt.Sprint(index)
	}
	return m
}

func (st *compactStore) Append(b *queue.Batch) (queue.Commit, error) {
	for _, c := range b.Changes {
		for _, r := range c.Insert {
			index := 0
			fmt.Sscan(r.Body, &index)
			st.messages[r.Seq] = compactRecord{r.ID, uint32(index), 0, r.SentAt, r.DueAt, true}
		}
		for _, seq := range c.Remove {
			st.messages[seq].live = false
		}
		for _, t := range c.Touch {
			st.messages[t.Seq].receives = t.Receives
		}
	}
	st.commits++
	return st.commits, nil
}

func (st *compactStore) Wait(queue.Commit, queue.Level) error { return nil }

func (st *compactStore) Load(_ context.Context, _, from, to uint64, dst []queue.Record) ([]queue.Record, error) {
	for seq := from; seq < min(to, uint64(len(st.messages))); seq++ {
		if r := &st.messages[seq]; r.live {
			dst = append(dst, queue.Record{
				Seq: seq, ID: r.id, Message: st.messageOf(int(r.index)), SentAt: r.sentAt, DueAt: r.dueAt, Receives: r.receives, FirstReceivedAt: r.sentAt,
			})
		}
	}
	return dst, nil
}

// heap returns how many bytes are in use.
func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// A bounded is a long queue of which little may be in memory.
type bounded struct {
	t     *testing.T
	st    *compactStore
	q     engine
	n     int
	start int // heap
}

func newBounded(t *testing.T, kind queue.Kind, groups int) *bounded {
	b := &bounded{t: t, n: 200_000}
	if testing.Short() {
		b.n = 60_000
	}
	b.st = newCompactStore(b.n, groups)
	b.start = heap()
	name := map[bool]string{true: "q.fifo", false: "q"}[kind == queue.FIFO]
	b.q = newQueue(t, kind, b.st, queue.Config{Name: name, Limits: queue.Unlimited, VisibilityTimeout: time.Hour, Retention: queue.MaxRetention})
	return b
}

func (b *bounded) send(delay func(i int) time.Duration) {
	b.t.Helper()
	batch := make([]queue.Message, 0, 100)
	for i := range b.n {
		m := b.st.messageOf(i)
		if delay != nil {
			m.Delay = delay(i)
		}
		if batch = append(batch, m); len(batch) == cap(batch) {
			if _, err := b.q.SendBatch(b.t.Context(), batch); err != nil {
				b.t.Fatal(err)
			}
			batch = batch[:0]
		}
	}
}

// bound makes sure that 24 MiB are enough.
func (b *bounded) bound(when string) {
	b.t.Helper()
	synctest.Wait()
	if used := heap() - b.start; used > 24<<20 {
		b.t.Errorf("%s the queue takes %d KiB of memory", when, used>>10)
	}
	check(b.t, b.q)
}

// receive receives n messages and gives each to f.
func (b *bounded) receive(n int, f func(d *queue.Delivery)) {
	b.t.Helper()
	into := make([]queue.Delivery, 0, 100)
	for n > 0 {
		got, err := b.q.Receive(b.t.Context(), queue.ReceiveOptions{Max: min(n, 100), Into: into})
		if err != nil || len(got) == 0 {
			b.t.Fatalf("%d messages to come, Receive = %d, %v", n, len(got), err)
		}
		for i := range got {
			f(&got[i])
		}
		n -= len(got)
	}
}

// Of a long Standard queue a window is in memory, whatever happens to it.
func TestMemoryOfALongStandardQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBounded(t, queue.Standard, 0)
		b.send(nil)
		b.bound("at rest")
		k := 0
		b.receive(b.n, func(d *queue.Delivery) {
			if want := bodyOf(k); d.Body != want {
				t.Fatalf("%.10q came, not %.10q", d.Body, want)
			}
			if k++; k%2 == 0 {
				if err := b.q.Delete(t.Context(), d.Receipt); err != nil {
					t.Fatal(err)
				}
			}
		})
		b.bound("while half is in flight and half deleted")
		time.Sleep(time.Hour)
		b.bound("after the timeout")
		k = 0
		b.receive(b.n/2, func(d *queue.Delivery) {
			if want := bodyOf(k); d.Body != want || d.ReceiveCount != 2 {
				t.Fatalf("%.10q came, received %d times, not %.10q", d.Body, d.ReceiveCount, want)
			}
			k += 2
		})
		b.bound("while all that is left is in flight")
	})
}

// So it is with delays of any length.
func TestMemoryOfALongDelayedQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBounded(t, queue.Standard, 0)
		delay := func(i int) time.Duration { return time.Duration(1+i*7919%899) * time.Second }
		b.send(delay)
		b.bound("while all is delayed")
		time.Sleep(7 * time.Minute)
		s := stats(t, b.q)
		due := 0
		for i := range b.n {
			if delay(i) <= 7*time.Minute {
				due++
			}
		}
		if s.Visible != due || s.Delayed != b.n-due {
			t.Errorf("Stats are %+v, want %d visible", s, due)
		}
		b.bound("while half is delayed")
		b.receive(due, func(d *queue.Delivery) {
			if err := b.q.Delete(t.Context(), d.Receipt); err != nil {
				t.Fatal(err)
			}
		})
		b.bound("when half is gone")
		time.Sleep(8 * time.Minute)
		b.receive(b.n-due, func(*queue.Delivery) {})
		b.bound("while the other half is in flight")
	})
}

// So it is with a FIFO queue of many groups.
func TestMemoryOfALongFIFOQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBounded(t, queue.FIFO, 1000)
		b.send(nil)
		time.Sleep(6 * time.Minute) // deduplication is over
		b.bound("at rest")
		next := map[string]int{}
		deleted := [2]int{} // even and odd ones
		take := func(deletes func(index int) bool) func(*queue.Delivery) {
			return func(d *queue.Delivery) {
				index := 0
				fmt.Sscan(d.Body, &index)
				if index <= next[d.GroupID] && next[d.GroupID] != 0 {
					t.Fatalf("%q gave %d after %d", d.GroupID, index, next[d.GroupID])
				}
				next[d.GroupID] = index
				if deletes(index) {
					deleted[index%2]++
					if err := b.q.Delete(t.Context(), d.Receipt); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		half := b.n / 2
		b.receive(half, take(func(int) bool { return true }))
		b.bound("when half is gone")
		saved := maps.Clone(next)
		b.receive(1000, take(func(int) bool { return false }))
		time.Sleep(time.Hour)
		b.bound("after a timeout")
		next = saved
		even := take(func(index int) bool { return index%2 == 0 })
		for {
			got, err := b.q.Receive(t.Context(), queue.ReceiveOptions{Max: 10})
			if err != nil {
				t.Fatal(err)
			}
			if len(got) == 0 { // all that is left is in flight, or behind such
				if deleted[0] != half {
					t.Errorf("%d even messages went, not %d", deleted[0], half)
				}
				break
			}
			for i := range got {
				even(&got[i])
			}
		}
		b.bound("when the groups that are left are blocked")
	})
}

// Traffic that never fills the window leaves nothing behind.
func TestMemoryOfSteadyTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBounded(t, queue.Standard, 0)
		header := strings.Repeat("h", 100)
		for i := range b.n {
			m := b.st.messageOf(i)
			m.TraceHeader = header
			if _, err := b.q.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			b.receive(1, func(d *queue.Delivery) {
				if err := b.q.Delete(t.Context(), d.Receipt); err != nil {
					t.Fatal(err)
				}
			})
		}
		if used := heap() - b.start; used > 2<<20 {
			t.Errorf("an empty queue takes %d KiB of memory", used>>10)
		}
	})
}
