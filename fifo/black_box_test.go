package fifo_test

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restantemq/restante/fifo"
	"github.com/restantemq/restante/queue"
)

func newQueue(t testing.TB, cfg queue.Config) *fifo.Queue {
	t.Helper()
	q, err := fifo.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return q
}

// send sends n messages, the i-th to the group that name makes of i.
func send(t testing.TB, q *fifo.Queue, n int, name func(i int) string) {
	t.Helper()
	batch := make([]queue.Message, 0, 1000)
	for i := range n {
		batch = append(batch, queue.Message{Body: "x", GroupID: name(i), DeduplicationID: name(i) + strconv.Itoa(i)})
		if len(batch) == cap(batch) || i == n-1 {
			if _, err := q.SendBatch(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			batch = batch[:0]
		}
	}
}

// One group of 100,000 messages beside 1,000 groups of one: every small group is
// served within 2,100 receives, because a group that was served goes behind the
// others.
func TestBigGroupStarvesNobody(t *testing.T) {
	q := newQueue(t, queue.Config{Limits: queue.Unlimited})
	send(t, q, 100_000, func(int) string { return "big" })
	send(t, q, 1_000, func(i int) string { return "small" + strconv.Itoa(i) })
	small := 0
	for n := 1; n <= 2_100; n++ {
		got, err := q.Receive(t.Context(), queue.ReceiveOptions{})
		if err != nil || len(got) != 1 {
			t.Fatalf("receive %d: %v, %v", n, got, err)
		}
		if got[0].GroupID != "big" {
			small++
		}
		if err := q.Delete(t.Context(), got[0].Receipt); err != nil {
			t.Fatal(err)
		}
		if small == 1_000 {
			t.Logf("all small groups were served after %d receives", n)
			return
		}
	}
	t.Errorf("%d of 1,000 small groups were served in 2,100 receives", small)
}

// A group costs at most 200 bytes beside its messages, and one that is emptied
// costs nothing.
func TestMemoryOfGroups(t *testing.T) {
	n := 100_000
	if testing.Short() {
		n = 20_000
	}
	one := func(int) string { return "group-0000000" }
	many := func(i int) string { return fmt.Sprintf("group-%07d", i) }
	measure := func(name func(int) string, drain bool) int64 {
		q := newQueue(t, queue.Config{Limits: queue.Unlimited})
		before := heap()
		send(t, q, n, name)
		if drain {
			for {
				got, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 1000})
				if err != nil {
					t.Fatal(err)
				}
				if len(got) == 0 {
					break
				}
				receipts := make([]queue.Receipt, len(got))
				for i := range got {
					receipts[i] = got[i].Receipt
				}
				if err := q.DeleteBatch(t.Context(), receipts); err != nil {
					t.Fatal(err)
				}
			}
		}
		used := heap() - before
		runtime.KeepAlive(q)
		return used
	}
	inOne, inMany := measure(one, false), measure(many, false)
	if each := (inMany - inOne) / int64(n); each > 200 {
		t.Errorf("a group costs %d bytes, want at most 200", each)
	} else {
		t.Logf("a group costs %d bytes", each)
	}
	// What is left is the memory of deduplication, which is the same for both.
	oneGone, manyGone := measure(one, true), measure(many, true)
	if left := (manyGone - oneGone) / int64(n); left > 4 {
		t.Errorf("an emptied group keeps %d bytes", left)
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// The memory of deduplication IDs is given back when their five minutes are
// over, also if nobody calls.
func TestDeduplicationIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, queue.Config{Limits: queue.Unlimited})
		before := heap()
		send(t, q, 50_000, func(i int) string { return "g" })
		if err := drain(t, q); err != nil {
			t.Fatal(err)
		}
		remembered := heap() - before
		time.Sleep(queue.DeduplicationInterval + time.Minute)
		if left := heap() - before; left > remembered/10 {
			t.Errorf("%d bytes of %d are left after five minutes", left, remembered)
		}
		if each := remembered / 50_000; each > 60 { // the queue's own spare memory included
			t.Errorf("an ID costs %d bytes", each)
		}
		if err := q.Check(); err != nil {
			t.Error(err)
		}
	})
}

func drain(t *testing.T, q *fifo.Queue) error {
	for {
		got, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 1000})
		if err != nil || len(got) == 0 {
			return err
		}
		for _, d := range got {
			if err := q.Delete(t.Context(), d.Receipt); err != nil {
				return err
			}
		}
	}
}

// EnforceThroughput gives a queue SQS's 300 calls a second of each action, until
// the next second; high throughput lifts it.
func TestThroughput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		q := newQueue(t, queue.Config{EnforceThroughput: true})
		sendOne := func(i int) error {
			_, err := q.Send(ctx, queue.Message{Body: "x", GroupID: "g", DeduplicationID: strconv.Itoa(i)})
			return err
		}
		for i := range queue.MaxFIFOCalls {
			if err := sendOne(i); err != nil {
				t.Fatalf("send %d: %v", i, err)
			}
		}
		before, err := q.Stats(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := sendOne(300); !errors.Is(err, queue.ErrThrottled) {
			t.Errorf("send 301 = %v", err)
		}
		if after, err := q.Stats(ctx); err != nil || after != before {
			t.Errorf("a throttled send changed %+v to %+v, %v", before, after, err)
		}
		for i := range queue.MaxFIFOCalls {
			if _, err := q.Receive(ctx, queue.ReceiveOptions{}); err != nil {
				t.Fatalf("receive %d: %v", i, err)
			}
		}
		if _, err := q.Receive(ctx, queue.ReceiveOptions{}); !errors.Is(err, queue.ErrThrottled) {
			t.Errorf("receive 301 = %v", err)
		}
		time.Sleep(time.Second)
		if err := sendOne(300); err != nil {
			t.Errorf("send in the next second = %v", err)
		}
		high := q.Config()
		high.DeduplicationScope, high.ThroughputLimit = queue.ScopeMessageGroup, queue.PerMessageGroupID
		if err := q.Reconfigure(ctx, high); err != nil {
			t.Fatal(err)
		}
		for i := range 2 * queue.MaxFIFOCalls {
			if err := sendOne(1000 + i); err != nil {
				t.Fatalf("send %d with high throughput: %v", i, err)
			}
		}
	})
}

// A changed deduplication scope holds from the next send on, both ways, and what
// was sent before is judged by the scope it was sent under: its key named the
// group, or didn't.
func TestChangedDeduplicationScope(t *testing.T) {
	q := newQueue(t, queue.Config{})
	duplicate := func(group, id string) bool {
		t.Helper()
		sent, err := q.Send(t.Context(), queue.Message{Body: "x", GroupID: group, DeduplicationID: id})
		if err != nil {
			t.Fatal(err)
		}
		return sent.Duplicate
	}
	rescope := func(scope queue.DeduplicationScope) {
		t.Helper()
		cfg := q.Config()
		cfg.DeduplicationScope = scope
		if err := q.Reconfigure(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	if duplicate("a", "1") || !duplicate("b", "1") {
		t.Error("with scope queue an ID is the whole queue's")
	}
	rescope(queue.ScopeMessageGroup)
	if duplicate("a", "2") || duplicate("b", "2") || !duplicate("b", "2") {
		t.Error("after the change an ID is its group's")
	}
	rescope(queue.ScopeQueue)
	if !duplicate("c", "1") || duplicate("a", "3") || !duplicate("b", "3") {
		t.Error("after the change back an ID is the whole queue's, and the old ones are remembered")
	}
}
