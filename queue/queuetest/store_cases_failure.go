package queuetest

import (
	"errors"
	"fmt"

	"github.com/restantemq/restante/queue"
)

var storeFailedCases = []storeCase{
	{
		name:  "Failed/own-commit",
		rule:  "a call whose own commit failed returns an error that is both ErrUncertain and ErrStoreFailed",
		needs: []storeHook{needsFail},
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(3)
			d.h.Fail(d.t, d.st)
			c := d.append(q.insertion(1))
			for range 3 { // it doesn't get better by asking again
				d.uncertain(d.st.Wait(c, queue.Durable), "Wait whose sync fails")
			}
			d.reopenFailed()
			d.verify()
		},
	},
	{
		name:  "Failed/everything-under-way",
		rule:  "one failure fails every commit that is not durable yet, written or not, whoever waits for it",
		needs: []storeHook{needsFail},
		test: func(d *storeDesk) {
			q, other := d.queue("orders"), d.queue("letters")
			q.insert(3)
			d.h.Fail(d.t, d.st)
			var cs []queue.Commit
			for range 10 {
				cs = append(cs, d.append(q.insertion(1)), d.append(other.insertion(1), q.removal(1)))
			}
			d.together(len(cs), func(i int) error {
				err := d.st.Wait(cs[i], queue.Durable)
				if !errors.Is(err, queue.ErrUncertain) || !errors.Is(err, queue.ErrStoreFailed) {
					return fmt.Errorf("Wait for a commit under way in a failure returned %v; want both ErrUncertain and ErrStoreFailed", err)
				}
				return nil
			})
			for _, c := range cs {
				d.uncertain(d.st.Wait(c, queue.Written), "Wait for Written after the failure")
			}
			d.reopenFailed()
			d.verify()
		},
	},
	{
		name:  "Failed/later-appends",
		rule:  "a failed store refuses every batch with ErrStoreFailed, and there is nothing uncertain about it: none of it survives",
		needs: []storeHook{needsFail},
		test: func(d *storeDesk) {
			q := d.failed()
			n := q.next
			for _, b := range []*queue.Batch{
				{Now: d.tick(), Changes: []queue.Change{q.insertion(2)}}, {Now: d.tick(), Changes: []queue.Change{q.removal(1)}},
				{Now: d.tick(), Changes: []queue.Change{{Queue: q.number, Clear: true}}}, {Now: d.tick(), Meta: []queue.Meta{{Name: "a", Value: []byte("late")}}},
			} {
				_, err := d.st.Append(b)
				d.fails(err, queue.ErrStoreFailed, "Append on a failed store")
				if errors.Is(err, queue.ErrUncertain) {
					d.fatalf("Append on a failed store returned %v, which is uncertain", err)
				}
			}
			q.next = n
			d.sees("after refused batches")
			d.reopenFailed() // finds what was refused as little as lost batches
			d.verify()
		},
	},
	{
		name:  "Failed/loads",
		rule:  "Load still works on a failed store, and sees what was appended before",
		needs: []storeHook{needsFail},
		test: func(d *storeDesk) {
			q := d.failed()
			d.sees("failed")
			q.loads(2, 5, 2, 3, 4)
			d.reopenFailed()
		},
	},
	{
		name:  "Failed/durable-before",
		rule:  "what was durable before a failure survives it; asked again, Wait says so or that the store has failed",
		needs: []storeHook{needsFail},
		test: func(d *storeDesk) {
			q := d.queue("orders")
			var cs []queue.Commit
			for range 5 {
				c := d.append(q.insertion(100), q.removal(q.next-1))
				d.wait(c, queue.Durable)
				cs = append(cs, c)
			}
			d.setMeta(queue.Meta{Name: "a", Value: []byte("1")})
			d.h.Fail(d.t, d.st)
			d.uncertain(d.st.Wait(d.append(q.insertion(1)), queue.Durable), "Wait whose sync fails")
			for _, c := range cs {
				if err := d.st.Wait(c, queue.Durable); err != nil {
					d.fails(err, queue.ErrStoreFailed, "Wait for a durable commit of a failed store")
				}
			}
			d.reopenFailed()
			d.verify()
		},
	},
	{
		name:  "Failed/opened-anew",
		rule:  "a store that failed is sound when it is opened anew",
		needs: []storeHook{needsFail},
		test: func(d *storeDesk) {
			q := d.queue("orders")
			for range 4 {
				q.insert(50)
				d.append(q.removal(q.next - 7))
				d.h.Fail(d.t, d.st)
				d.append(q.insertion(3))
				d.uncertain(d.st.Wait(d.append(q.removal(q.next-2)), queue.Durable), "Wait whose sync fails")
				d.reopenFailed()
				d.append(q.insertion(2))
				d.verify()
			}
		},
	},
	{
		name:  "Failed/closed",
		rule:  "a failed store can be closed, and then it is closed",
		needs: []storeHook{needsFail},
		test: func(d *storeDesk) {
			q := d.failed()
			d.ended = true
			_ = d.st.Close()
			_, err := d.st.Append(&queue.Batch{Now: d.clock, Changes: []queue.Change{q.insertion(1)}})
			d.fails(err, queue.ErrClosed, "Append after Close")
			_, err = d.st.Load(d.ctx, q.number, 1, 10, nil)
			d.fails(err, queue.ErrClosed, "Load after Close")
			d.fails(d.st.Close(), queue.ErrClosed, "the second Close")
			d.open()
			d.survived("opened again after a failure", 0)
			d.verify()
		},
	},
}

// uncertain asserts that err is what a call gets whose own commit failed.
func (d *storeDesk) uncertain(err error, what string) {
	d.Helper()
	d.fails(err, queue.ErrUncertain, "%s", what)
	d.fails(err, queue.ErrStoreFailed, "%s", what)
}

// failed makes the store fail and returns a queue that is attached.
func (d *storeDesk) failed() *storeQueue {
	d.Helper()
	q := d.queue("orders")
	q.insert(5)
	d.h.Fail(d.t, d.st)
	d.append(q.insertion(1))
	d.uncertain(d.st.Wait(d.append(q.removal(1)), queue.Durable), "Wait whose sync fails")
	return q
}

// appendUnlessFull appends b and reports whether it was taken; a full store may
// refuse it.
func (d *storeDesk) appendUnlessFull(b *queue.Batch) bool {
	d.Helper()
	kept := d.keep(b)
	c, err := d.st.Append(b)
	if errors.Is(err, queue.ErrStoreFull) {
		return false
	}
	d.noError(err, "Append to a full store")
	kept.commit = c
	d.accepted(kept)
	return true
}

var storeFullCases = []storeCase{
	{
		name:  "Full/refuses-records",
		rule:  "a batch that inserts is refused with ErrStoreFull when there is no room, and nothing of it happens",
		needs: []storeHook{needsFull},
		test: func(d *storeDesk) {
			q, other := d.queue("orders"), d.queue("letters")
			q.insert(5)
			other.insert(5)
			d.setMeta(queue.Meta{Name: "a", Value: []byte("1")})
			d.h.Full(d.t, d.st, true)
			for range 3 {
				n, m := q.next, other.next
				b := &queue.Batch{
					Now: d.clock + 5000, Meta: []queue.Meta{{Name: "a", Value: []byte("2")}},
					Changes: []queue.Change{
						{Queue: other.number, Dedup: []queue.Dedup{{Key: [16]byte{1}, Seq: 3, Until: d.clock + 1e6}}, Touch: []queue.Touch{{Seq: 2, Receives: 1, FirstReceivedAt: d.clock}}},
						q.insertion(2),
						other.insertion(1),
					},
				}
				_, err := d.st.Append(b)
				d.fails(err, queue.ErrStoreFull, "Append of records to a full store")
				q.next, other.next = n, m
				d.sees("refused")
			}
			d.verify()
		},
	},
	{
		name:  "Full/removes",
		rule:  "a full store takes what inserts nothing: removals, deduplication, named values, purges, the end of a queue",
		needs: []storeHook{needsFull},
		test: func(d *storeDesk) {
			q, other, third := d.queue("orders"), d.queue("letters"), d.queue("parcels")
			for _, q := range d.queues {
				q.insert(300)
			}
			d.h.Full(d.t, d.st, true)
			for seq := uint64(1); seq <= 290; seq++ {
				d.append(q.removal(seq), other.removal(300-seq))
			}
			d.append(queue.Change{Queue: q.number, Dedup: []queue.Dedup{{Key: [16]byte{1}, Seq: 3, Until: d.clock + 1e6}}})
			d.setMeta(queue.Meta{Name: "a", Value: []byte("2")})
			d.commit(queue.Change{Queue: other.number, Clear: true})
			third.drop()
			d.sees("removed")
			d.verify()
		},
	},
	{
		name:  "Full/removes-all",
		rule:  "room to remove is reserved: every record that was taken can be removed while there is no room, one by one",
		needs: []storeHook{needsFull},
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(2000)
			d.h.Full(d.t, d.st, true)
			for seq := uint64(1); seq <= 2000; seq++ {
				d.append(q.removal(seq * 7 % 2001)) // each once, in no order
			}
			d.settle()
			d.verify()
		},
	},
	{
		name:  "Full/touch",
		rule:  "a full store may refuse a batch that does nothing but touch, and then nothing happens; together with a removal a touch is taken",
		needs: []storeHook{needsFull},
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(20)
			d.h.Full(d.t, d.st, true)
			for seq := uint64(1); seq <= 10; seq++ {
				touch := []queue.Touch{{Seq: seq, Receives: 1, FirstReceivedAt: d.clock}}
				d.appendUnlessFull(&queue.Batch{Now: d.tick(), Changes: []queue.Change{{Queue: q.number, Touch: touch}}})
				d.sees("after a touch")
				d.append(queue.Change{Queue: q.number, Remove: []uint64{seq + 10}, Touch: touch})
				d.sees("after a removal and a touch")
			}
			d.verify()
		},
	},
	{
		name:  "Full/moves",
		rule:  "a batch that inserts in one queue and removes in another is refused as a whole or taken as a whole",
		needs: []storeHook{needsFull},
		test: func(d *storeDesk) {
			q, other := d.queue("orders"), d.queue("letters")
			q.insert(10)
			d.h.Full(d.t, d.st, true)
			for seq := uint64(1); seq <= 10; seq++ {
				n := other.next
				if !d.appendUnlessFull(&queue.Batch{Now: d.tick(), Changes: []queue.Change{q.removal(seq), other.insertion(1)}}) {
					other.next = n
				}
				d.sees("after a move")
			}
			d.settle()
			d.verify()
		},
	},
	{
		name:  "Full/under-way",
		rule:  "what a store took before its room ended becomes durable all the same: a full disk refuses new messages and breaks nothing",
		needs: []storeHook{needsFull},
		test: func(d *storeDesk) {
			q := d.queue("orders")
			for n := range 60 {
				for range 1 + n%3 { // a handful of messages: room for so much a store may well have set aside
					c := q.insertion(1)
					c.Insert[0].Body = noise(d, n*37%500)
					d.append(c)
				}
				d.h.Full(d.t, d.st, true)
				d.append(q.removal(q.next-1, q.next-2))
				d.settle()
				d.h.Full(d.t, d.st, false)
				d.append(q.insertion(1))
			}
			d.verify()
		},
	},
	{
		name:  "Full/ends",
		rule:  "when there is room again the store takes records, with the numbers that were refused",
		needs: []storeHook{needsFull},
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(3)
			for range 3 {
				d.h.Full(d.t, d.st, true)
				n := q.next
				_, err := d.st.Append(&queue.Batch{Now: d.clock, Changes: []queue.Change{q.insertion(2)}})
				d.fails(err, queue.ErrStoreFull, "Append of records to a full store")
				q.next = n
				d.h.Full(d.t, d.st, false)
				q.insert(2)
				d.verify()
			}
		},
	},
}
