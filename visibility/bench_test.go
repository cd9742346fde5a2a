package visibility

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// The benchmarks compare the wheel with time.AfterFunc and with container/heap,
// each with many timers standing, since small populations measure the cache:
//
//	go test -run '^$' -bench . -benchtime 1000000x ./visibility

const timeout = 30_000 // ticks; time.AfterFunc takes them as milliseconds

// timers is what is compared: a table of timers by number. Each implementation
// keeps its handles in a slice, as a queue would in its messages.
type timers interface {
	arm(i int, after int64)
	cancel(i int)
	reschedule(i int, after int64)
	// expire lets the timers i to i+n-1, armed with after 0, expire.
	expire(i, n int)
}

var impls = []struct {
	name string
	make func(size int) timers
}{
	{"wheel", func(size int) timers {
		w := &wheelTimers{now: epoch, handles: make([]Handle, size)}
		w.Advance(w.now, nil)
		return w
	}},
	{"heap", func(size int) timers { return &heapTimers{now: epoch, items: make([]heapItem, size)} }},
	{"afterfunc", func(size int) timers { return &afterFuncTimers{timers: make([]*time.Timer, size)} }},
}

type wheelTimers struct {
	Wheel
	now     int64
	handles []Handle
	due     [256]uint64
}

func (w *wheelTimers) arm(i int, after int64)        { w.handles[i] = w.Schedule(w.now+after, uint64(i)) }
func (w *wheelTimers) cancel(i int)                  { w.Cancel(w.handles[i]) }
func (w *wheelTimers) reschedule(i int, after int64) { w.Reschedule(w.handles[i], w.now+after) }
func (w *wheelTimers) expire(i, n int) {
	for range n {
		w.arm(i, 0)
		i++
	}
	for more := true; more; {
		var expired int
		expired, more = w.Advance(w.now, w.due[:])
		n -= expired
	}
	if n != 0 {
		panic("wrong number of expired entries")
	}
}

type heapItem struct {
	deadline int64
	index    int
}

type heapTimers struct {
	now   int64
	items []heapItem
	heap  itemHeap
}

type itemHeap []*heapItem

func (h itemHeap) Len() int           { return len(h) }
func (h itemHeap) Less(i, j int) bool { return h[i].deadline < h[j].deadline }
func (h itemHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index = i
	h[j].index = j
}
func (h *itemHeap) Push(x any) {
	item := x.(*heapItem)
	item.index = len(*h)
	*h = append(*h, item)
}
func (h *itemHeap) Pop() any {
	last := len(*h) - 1
	item := (*h)[last]
	*h = (*h)[:last]
	return item
}

func (h *heapTimers) arm(i int, after int64) {
	h.items[i].deadline = h.now + after
	heap.Push(&h.heap, &h.items[i])
}
func (h *heapTimers) cancel(i int) { heap.Remove(&h.heap, h.items[i].index) }
func (h *heapTimers) reschedule(i int, after int64) {
	h.items[i].deadline = h.now + after
	heap.Fix(&h.heap, h.items[i].index)
}
func (h *heapTimers) expire(i, n int) {
	for range n {
		h.arm(i, 0)
		i++
	}
	for len(h.heap) > 0 && h.heap[0].deadline <= h.now {
		heap.Pop(&h.heap)
		n--
	}
	if n != 0 {
		panic("wrong number of expired entries")
	}
}

type afterFuncTimers struct{ timers []*time.Timer }

// afterFuncDelay lies beyond the end of the benchmark; only the order of
// deadlines matters to the cost.
func afterFuncDelay(after int64) time.Duration {
	return time.Hour + time.Duration(after)*time.Millisecond
}

func (a *afterFuncTimers) arm(i int, after int64) {
	a.timers[i] = time.AfterFunc(afterFuncDelay(after), func() {})
}
func (a *afterFuncTimers) cancel(i int)                  { a.timers[i].Stop() }
func (a *afterFuncTimers) reschedule(i int, after int64) { a.timers[i].Reset(afterFuncDelay(after)) }
func (a *afterFuncTimers) expire(i, n int) {
	var wg sync.WaitGroup
	wg.Add(n)
	for range n {
		time.AfterFunc(0, wg.Done)
	}
	wg.Wait()
}

const (
	standing = 1_000_000
	batch    = 1000 // spare timers, and how many are refilled at once
)

// run runs a benchmark on each implementation, with the timers 0 to standing-1
// armed in order, their deadlines spread over one timeout, and batch spare
// ones. order is a random permutation of the standing timers.
func run(b *testing.B, bench func(b *testing.B, t timers, order []int)) {
	order := rand.New(rand.NewPCG(1, 2)).Perm(standing)
	for _, impl := range impls {
		b.Run(fmt.Sprintf("impl=%s/standing=%d", impl.name, standing), func(b *testing.B) {
			b.ReportAllocs()
			t := impl.make(standing + batch)
			for i := range standing {
				t.arm(i, 1000+int64(i)*timeout/standing)
			}
			bench(b, t, order)
			b.StopTimer()
			if a, ok := t.(*afterFuncTimers); ok { // or they burden whatever comes next
				for i := range standing {
					a.cancel(i)
				}
			}
		})
	}
}

// BenchmarkArm arms one more timer. Every batch of them is cancelled outside
// the measured time.
func BenchmarkArm(b *testing.B) {
	run(b, func(b *testing.B, t timers, _ []int) {
		for i, k := 0, 0; b.Loop(); i++ {
			t.arm(standing+k, 1000+timeout)
			if k++; k == batch {
				b.StopTimer()
				for ; k > 0; k-- {
					t.cancel(standing + k - 1)
				}
				b.StartTimer()
			}
		}
	})
}

// BenchmarkArmCancel is the life of most deadlines: armed last, cancelled soon.
func BenchmarkArmCancel(b *testing.B) {
	run(b, func(b *testing.B, t timers, _ []int) {
		for b.Loop() {
			t.arm(standing, 1000+timeout)
			t.cancel(standing)
		}
	})
}

// BenchmarkCancelRandom cancels timers in an order that has nothing to do with
// that of arming. The population varies by a tenth: what was cancelled is armed
// again outside the measured time.
func BenchmarkCancelRandom(b *testing.B) {
	run(b, func(b *testing.B, t timers, order []int) {
		i, refilled := 0, 0
		for b.Loop() {
			t.cancel(order[i%standing])
			if i++; i-refilled == standing/10 {
				b.StopTimer()
				for ; refilled < i; refilled++ {
					t.arm(order[refilled%standing], 1000+timeout)
				}
				b.StartTimer()
			}
		}
		for ; refilled < i; refilled++ {
			t.arm(order[refilled%standing], 1000+timeout)
		}
	})
}

// BenchmarkReschedule gives timers in random order a new full timeout, as a
// heartbeat does.
func BenchmarkReschedule(b *testing.B) {
	run(b, func(b *testing.B, t timers, order []int) {
		for i := 0; b.Loop(); i++ {
			t.reschedule(order[i%standing], 1000+timeout)
		}
	})
}

// BenchmarkExpire arms a batch of timers that are due at once and lets them
// expire, beside the standing ones. One operation is one timer. For
// time.AfterFunc it includes a goroutine.
func BenchmarkExpire(b *testing.B) {
	run(b, func(b *testing.B, t timers, _ []int) {
		k := 0
		for b.Loop() {
			if k++; k == batch {
				t.expire(standing, batch)
				k = 0
			}
		}
	})
}

// BenchmarkTurn is a wheel whose entries all time out: time moves tick by tick,
// and what expires is scheduled anew a full timeout ahead. One operation is one
// entry, with all its cascades. longest-µs is the longest single Advance, which
// on a busy machine says more about the machine.
func BenchmarkTurn(b *testing.B) {
	b.Run(fmt.Sprintf("impl=wheel/standing=%d", standing), func(b *testing.B) {
		b.ReportAllocs()
		w := impls[0].make(standing).(*wheelTimers)
		for i := range standing {
			w.arm(i, 1+int64(i)*timeout/standing)
		}
		var longest time.Duration
		advances, ready := 0, 0
		for b.Loop() {
			for ready == 0 {
				start := time.Now()
				n, more := w.Advance(w.now, w.due[:])
				longest = max(longest, time.Since(start))
				advances++
				if !more {
					w.now++
				}
				for _, v := range w.due[:n] {
					w.arm(int(v), timeout)
				}
				ready = n
			}
			ready--
		}
		b.ReportMetric(float64(advances)/float64(b.N), "advances/op")
		b.ReportMetric(float64(longest.Microseconds()), "longest-µs")
	})
}

// BenchmarkAdvance is the common call that finds nothing due, as made at the
// beginning of every operation on a queue.
func BenchmarkAdvance(b *testing.B) {
	b.Run(fmt.Sprintf("impl=wheel/standing=%d", standing), func(b *testing.B) {
		b.ReportAllocs()
		w := impls[0].make(standing).(*wheelTimers)
		for i := range standing {
			w.arm(i, timeout+int64(i)*timeout/standing)
		}
		for b.Loop() {
			w.Advance(w.now, w.due[:])
		}
	})
}
