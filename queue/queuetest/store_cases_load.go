package queuetest

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync/atomic"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

var storeLoadCases = []storeCase{
	{
		name: "Load/range",
		rule: "Load returns the live records with from <= Seq < to, in order; a range may be empty, reach beyond the queue, or be turned round",
		test: testLoadRange,
	},
	{
		name: "Load/every-range",
		rule: "a range may begin and end anywhere: between records, in gaps, on the borders of pages",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insertAt(2, 3, 7, 255, 256, 257, 258, 512, 514, 770, 1030)
			q.remove(3, 256)
			edges := []uint64{0, 1, 2, 3, 4, 7, 8, 200, 254, 255, 256, 257, 258, 259, 300, 511, 512, 513, 514, 515, 768, 769, 770, 771, 1000, 1024, 1025, 1030, 1031}
			for range 2 {
				for _, from := range edges {
					for _, to := range edges {
						d.noError(d.latest.queues["orders"].checkRecords(q.load(from, to), from, to), "from %d to %d", from, to)
					}
				}
				d.reopen()
			}
		},
	},
	{
		name: "Load/appends",
		rule: "Load appends to dst and leaves alone what is in it",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(4)
			mark := queue.Record{Seq: 99, Message: queue.Message{Body: "already there"}}
			for _, dst := range [][]queue.Record{{mark}, append(make([]queue.Record, 0, 100), mark, mark)} {
				n := len(dst)
				got, err := d.st.Load(d.ctx, q.number, 2, 4, dst)
				d.noError(err, "Load")
				require.Len(d, got, n+2, "records after a Load of two")
				for _, r := range got[:n] {
					require.Equal(d, mark, r, "what was in dst")
				}
				require.Equal(d, []uint64{2, 3}, []uint64{got[n].Seq, got[n+1].Seq}, "what was appended")
				none, err := d.st.Load(d.ctx, q.number, 7, 9, dst)
				d.noError(err, "Load")
				require.Equal(d, dst, none, "dst after a Load of nothing")
			}
		},
	},
	{
		name: "Load/sees-what-was-appended",
		rule: "Load sees every batch appended before, durable or not",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(3)
			for range 3 {
				d.append(q.insertion(2))
				d.sees("inserted")
				d.append(q.removal(q.next - 1))
				d.sees("removed")
				d.append(queue.Change{Queue: q.number, Touch: []queue.Touch{{Seq: q.next - 2, Receives: 1, FirstReceivedAt: d.clock}}})
				d.sees("touched")
				d.append(q.insertion(300))
				d.sees("inserted")
				d.append(queue.Change{Queue: q.number, Clear: true})
				d.sees("cleared")
				d.append(q.insertion(1))
				d.sees("inserted")
			}
			d.verify()
		},
	},
	{
		name:  "Load/sees-what-is-held",
		rule:  "Load sees what was appended also while it can't become durable",
		needs: []storeHook{needsHold},
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(3)
			release := d.hold()
			d.append(q.insertion(2))
			d.append(q.removal(1, 4))
			q.has(2, 3, 5)
			d.sees("held")
			release()
			d.verify()
		},
	},
	{
		name: "Load/own-queue",
		rule: "Load returns records of its own queue alone, though others have the same numbers",
		test: func(d *storeDesk) {
			q, other := d.queue("orders"), d.queue("letters")
			q.insert(300)
			other.insert(400)
			q.remove(5)
			other.remove(6)
			require.Equal(d, "orders, record 6", q.load(5, 7)[0].Body)
			require.Equal(d, "letters, record 5", other.load(5, 7)[0].Body)
			d.verify()
		},
	},
	{
		name: "Load/result-is-the-callers",
		rule: "the records that Load returned are the caller's, who may overwrite them",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(3)
			got := q.load(1, 4)
			clear(got)
			d.sees("overwritten")
			d.verify()
		},
	},
	{
		name: "Load/strings-for-ever",
		rule: "the strings that Load returned stay as they are for ever, whatever becomes of the records and the store",
		test: testLoadStrings,
	},
	{
		name: "Load/cancelled",
		rule: "a Load whose context has ended returns its error",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(3)
			ctx, cancel := context.WithCancel(d.ctx)
			cancel()
			_, err := d.st.Load(ctx, q.number, 1, 4, nil)
			d.fails(err, context.Canceled, "Load with an ended context")
			d.verify()
		},
	},
	{
		name: "Load/at-once",
		rule: "Load may run concurrently with everything, and has at least what was appended before it and at most what was appended when it ended",
		test: testLoadAtOnce,
	},
	{
		name: "Load/many-at-once",
		rule: "any number of Loads may run at once",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(2000)
			d.append(q.removal(3, 500, 1999))
			want := d.latest.queues["orders"]
			seed := d.dice().Uint64()
			d.together(8, func(i int) error {
				random := rand.New(rand.NewPCG(seed, uint64(i)))
				for range 30 {
					from := random.Uint64N(2100)
					to := from + random.Uint64N(600)
					got, err := d.st.Load(d.ctx, q.number, from, to, nil)
					if err == nil {
						err = want.checkRecords(got, from, to)
					}
					if err != nil {
						return err
					}
				}
				return nil
			})
		},
	},
}

func testLoadRange(d *storeDesk) {
	q := d.queue("orders")
	q.loads(0, 10)
	q.insert(5)
	for range 2 {
		q.loads(1, 6, 1, 2, 3, 4, 5)
		q.loads(2, 5, 2, 3, 4)
		q.loads(3, 4, 3)
		q.loads(3, 3)
		q.loads(4, 2)
		q.loads(0, 2, 1)
		q.loads(0, 0)
		q.loads(5, 1000, 5)
		q.loads(6, 1000)
		q.loads(1<<40, 1<<41)
		q.loads(5, math.MaxInt64, 5)
		q.loads(5, math.MaxUint64, 5)
		q.loads(math.MaxUint64, math.MaxUint64)
		q.loads(math.MaxUint64, 3)
		d.verify()
	}
}

func testLoadStrings(d *storeDesk) {
	q := d.queue("orders")
	c := q.insertion(600)
	for i := range c.Insert {
		r := &c.Insert[i]
		r.Attributes = queue.NewAttributes(map[string]queue.Value{"n": queue.Number(fmt.Sprint(i))})
		r.GroupID, r.DeduplicationID, r.TraceHeader = fmt.Sprintf("group-%d", i), fmt.Sprintf("id-%d", i), fmt.Sprintf("Root=%d", i)
		r.DeadLetterSource, r.DeadLetterReason = fmt.Sprintf("source-%d", i), fmt.Sprintf("reason-%d", i)
	}
	d.commit(c)
	before := d.latest.clone().queues["orders"]
	all := q.load(1, q.end())
	d.reopen()
	fresh := q.load(1, q.end())
	dst := q.load(1, q.end())
	for i := 0; i < 600; i += 50 { // the same memory again, and other records in it
		d.append(q.removal(c.Insert[i].Seq), q.insertion(50))
		var err error
		dst, err = d.st.Load(d.ctx, q.number, uint64(i), q.end(), dst[:0])
		d.noError(err, "Load")
	}
	d.commit(queue.Change{Queue: q.number, Clear: true})
	q.insert(600)
	runtime.GC()
	d.noError(before.checkRecords(all, 1, q.end()), "after much else, what was loaded once")
	d.reopen()
	d.close()
	runtime.GC()
	d.noError(before.checkRecords(all, 1, q.end()), "after Close, what was loaded once")
	d.noError(before.checkRecords(fresh, 1, q.end()), "after Close, what was loaded once")
}

// testLoadAtOnce has one goroutine that inserts records at one end of a queue
// and removes them at the other, and others that load.
func testLoadAtOnce(d *storeDesk) {
	const window, last = 300, 3000
	q := d.queue("orders")
	var inserted, removed, done atomic.Uint64 // by batches that Append has returned for
	var asked, gone atomic.Uint64             // by batches that it was called for
	var kept []*storedBatch
	d.together(5, func(i int) error {
		if i > 0 {
			for done.Load() == 0 {
				least, most := removed.Load(), inserted.Load() // of what is sure to be live: least < Seq <= most
				from := least - min(least, 50)
				got, err := d.st.Load(d.ctx, q.number, from, math.MaxInt64, nil)
				if err != nil {
					return err
				}
				mayBeGone, mayBeThere := gone.Load(), asked.Load()
				if err := checkWindow(got, least, most, mayBeGone, mayBeThere); err != nil {
					return err
				}
				runtime.Gosched()
			}
			return nil
		}
		defer done.Store(1)
		for q.next <= last {
			n := 1 + int(q.next%7)
			c := q.insertion(n)
			asked.Store(q.next - 1)
			out := removed.Load()
			for q.next-1-out > window {
				out++
				c.Remove = append(c.Remove, out)
			}
			gone.Store(out)
			b := &queue.Batch{Now: storeEpoch, Changes: []queue.Change{c}}
			k := d.keep(b)
			commit, err := d.st.Append(b)
			if err != nil {
				return err
			}
			k.commit = commit
			kept = append(kept, k)
			inserted.Store(q.next - 1)
			removed.Store(out)
			if q.next%11 == 0 {
				if err := d.st.Wait(commit, queue.Durable); err != nil {
					return err
				}
			}
		}
		return nil
	})
	d.acceptAll(kept)
	d.verify()
}

// checkWindow checks a Load that ran while the queue changed: all records above
// mayBeGone and up to most are there, none up to least, none above mayBeThere.
func checkWindow(got []queue.Record, least, most, mayBeGone, mayBeThere uint64) error {
	expect := mayBeGone + 1 // the next that can't be missing
	for i := range got {
		r := &got[i]
		switch {
		case r.Seq <= least:
			return fmt.Errorf("Load has record %d, though all up to %d had been removed before it was called", r.Seq, least)
		case r.Seq > mayBeThere:
			return fmt.Errorf("Load has record %d, though only those up to %d had been appended when it returned", r.Seq, mayBeThere)
		case i > 0 && r.Seq <= got[i-1].Seq:
			return fmt.Errorf("Load has record %d after record %d", r.Seq, got[i-1].Seq)
		case r.Seq > expect && expect <= most:
			return fmt.Errorf("Load lacks record %d, which was live all the time", expect)
		case r.Body != fmt.Sprintf("orders, record %d", r.Seq):
			return fmt.Errorf("record %d has the body %s", r.Seq, brief(r.Body))
		}
		if r.Seq >= expect {
			expect = r.Seq + 1
		}
	}
	if expect <= most {
		return fmt.Errorf("Load lacks record %d, which was live all the time", expect)
	}
	return nil
}
