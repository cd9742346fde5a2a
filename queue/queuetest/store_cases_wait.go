package queuetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

var storeWaitCases = []storeCase{
	{
		name: "Wait/zero",
		rule: "the zero Commit is always durable",
		test: func(d *storeDesk) {
			d.wait(0, queue.Durable)
			d.wait(0, queue.Written)
			q := d.queue("orders")
			d.wait(0, queue.Durable)
			d.append(q.insertion(1))
			d.wait(0, queue.Written)
			d.wait(0, queue.Durable)
			d.reopen()
			d.wait(0, queue.Durable)
		},
	},
	{
		name: "Wait/any-order",
		rule: "Wait returns for any commit, the latest first or the earliest, for one level or the other, once or often",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			for round := range 4 {
				var cs []queue.Commit
				for range 6 {
					cs = append(cs, d.append(q.insertion(1)))
				}
				if round%2 == 0 {
					d.wait(cs[2], queue.Written)
					d.wait(cs[1], queue.Durable)
					d.wait(cs[4], queue.Durable)
					d.wait(cs[5], queue.Written)
				}
				for i := range cs {
					c := cs[i]
					if round < 2 {
						c = cs[len(cs)-1-i]
					}
					d.wait(c, queue.Durable)
					d.wait(c, queue.Written)
					d.wait(c, queue.Durable)
				}
			}
			d.verify()
		},
	},
	{
		name: "Wait/what-inserts-nothing",
		rule: "every batch reaches its level, whatever is in it",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(3)
			for _, c := range []queue.Change{
				q.removal(1), q.removal(1), {Queue: q.number, Touch: []queue.Touch{{Seq: 2, Receives: 1, FirstReceivedAt: d.clock}}},
				{Queue: q.number, Dedup: []queue.Dedup{{Key: [16]byte{1}, Seq: 1, Until: d.clock + 1e6}}}, {Queue: q.number, Clear: true}, {Queue: q.number},
			} {
				d.wait(d.append(c), queue.Written)
				d.commit(c)
			}
			d.wait(d.append(), queue.Durable)
			d.verify()
		},
	},
	{
		name: "Wait/at-once",
		rule: "many callers may wait at once, for the same commit and for others, at either level, and each returns",
		test: testWaitAtOnce,
	},
	{
		name:  "Wait/not-before",
		rule:  "Wait does not return before its commit is durable, and then does",
		needs: []storeHook{needsHold},
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(1)
			release := d.hold()
			returned := make(chan error, 3)
			for range cap(returned) {
				c := d.append(q.insertion(1))
				go func() { returned <- d.st.Wait(c, queue.Durable) }() // ends after release
			}
			select {
			case err := <-returned:
				d.fatalf("Wait returned %v while nothing can become durable", err)
			case <-time.After(50 * time.Millisecond):
			}
			d.wait(0, queue.Durable)
			release()
			for range cap(returned) {
				d.noError(<-returned, "Wait after the hold")
			}
			d.verify()
		},
	},
	{
		name:  "Wait/shares-syncs",
		rule:  "callers that wait at the same time share a sync",
		needs: []storeHook{needsHold, needsSyncs},
		test: func(d *storeDesk) {
			const callers = 40
			q := d.queue("orders")
			q.insert(1)
			release := d.hold()
			before := d.h.Syncs(d.t, d.st)
			returned := make(chan error, callers)
			for range callers {
				c := d.append(q.insertion(1))
				go func() { returned <- d.st.Wait(c, queue.Durable) }() // ends after release
			}
			time.Sleep(100 * time.Millisecond) // so that they all wait; one that is late may need a sync of its own
			release()
			for range callers {
				d.noError(<-returned, "Wait after the hold")
			}
			if n := d.h.Syncs(d.t, d.st) - before; n > callers/2 {
				d.fatalf("%d callers that waited at the same time took %d syncs", callers, n)
			}
			d.verify()
		},
	},
}

func testWaitAtOnce(d *storeDesk) {
	const callers = 16
	q := d.queue("orders")
	seed := d.dice().Uint64()
	for range 10 {
		var cs []queue.Commit
		for range callers {
			cs = append(cs, d.append(q.insertion(1)))
		}
		d.together(callers, func(i int) error {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			for range 4 {
				c, l := cs[random.IntN(callers)], queue.Written+queue.Level(random.IntN(2))
				if err := d.st.Wait(c, l); err != nil {
					return fmt.Errorf("Wait(%d, %s): %w", c, levelName(l), err)
				}
			}
			return d.st.Wait(cs[i], queue.Durable)
		})
		d.reached(cs[callers-1], queue.Durable)
	}
	d.verify()
}

var storeCloseCases = []storeCase{
	{
		name: "Close/keeps",
		rule: "Close makes durable what was appended, though nobody waited for it",
		test: func(d *storeDesk) {
			q, other := d.queue("orders"), d.queue("letters")
			d.append(q.insertion(300))
			d.append(other.insertion(2), q.removal(3, 4))
			d.appendBatch(&queue.Batch{Now: d.tick(), Meta: []queue.Meta{{Name: "a", Value: []byte("1")}}})
			d.reopen()
			d.append(queue.Change{Queue: q.number, Touch: []queue.Touch{{Seq: 1, Receives: 1, FirstReceivedAt: d.clock}}, Dedup: []queue.Dedup{{Key: [16]byte{1}, Seq: 1, Until: d.clock + 1e6}}})
			d.reopen()
			d.verify()
		},
	},
	{
		name: "Close/closed",
		rule: "after Close every method returns ErrClosed, Close too, and nothing changes",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(3)
			d.close()
			next := q.next
			d.closedEverywhere(q)
			q.next = next
			d.openAgain()
			q.has(1, 2, 3)
			d.verify()
		},
	},
	{
		name: "Close/new",
		rule: "a store that nothing was done with can be closed, and opened again",
		test: func(d *storeDesk) {
			for range 3 {
				d.reopen()
			}
			d.queue("orders").insert(1)
			d.verify()
		},
	},
	{
		name: "Close/again-and-again",
		rule: "opening and closing a store changes nothing in it",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			c := q.insertion(600)
			c.Dedup = []queue.Dedup{{Key: [16]byte{1}, Seq: 1, Until: d.clock + 1e6}}
			d.append(c)
			d.append(q.removal(2, 300))
			d.setMeta(queue.Meta{Name: "a", Value: []byte("1")})
			for i := range 10 {
				d.reopen()
				if i == 5 { // without looking at anything
					d.close()
					d.open()
					d.close()
					d.openAgain()
				}
			}
		},
	},
	{
		name: "Close/while-waiting",
		rule: "callers in Wait get what they wait for from Close",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			returned := make(chan error, 10)
			for range cap(returned) {
				c := d.append(q.insertion(1))
				go func() { returned <- d.st.Wait(c, queue.Durable) }() // ends with the store at the latest
			}
			d.close()
			for range cap(returned) {
				if err := <-returned; err != nil && !errors.Is(err, queue.ErrClosed) { // it may have called after Close
					d.fatalf("Wait during Close returned %v; want nil or ErrClosed", err)
				}
			}
			d.openAgain()
			d.verify()
		},
	},
	{
		name: "Close/at-once",
		rule: "what Append took while the store was being closed is durable as well; the rest gets ErrClosed",
		test: testCloseAtOnce,
	},
	{
		name:  "Lock/elsewhere",
		rule:  "a store that is open is refused with ErrStoreLocked when it is opened elsewhere, and goes on undisturbed",
		needs: []storeHook{needsElsewhere},
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(1)
			for range 3 {
				d.fails(d.h.OpenElsewhere(d.t, d.place), queue.ErrStoreLocked, "opening a store that is open")
				q.insert(1)
			}
			d.verify()
			d.fails(d.h.OpenElsewhere(d.t, d.place), queue.ErrStoreLocked, "opening a store that is open")
		},
	},
	{
		name:  "Lock/ends-with-close",
		rule:  "a closed store can be opened elsewhere, and here again",
		needs: []storeHook{needsElsewhere},
		test: func(d *storeDesk) {
			d.queue("orders").insert(3)
			for range 3 {
				d.close()
				require.NoError(d, d.h.OpenElsewhere(d.t, d.place), "opening a closed store elsewhere")
				d.openAgain()
			}
		},
	},
	{
		name:  "Lock/ends-with-a-crash",
		rule:  "a store whose process has ended is not locked, and one that was opened again after that is",
		needs: []storeHook{needsElsewhere, needsCrash},
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(3)
			for _, l := range []queue.Level{queue.Written, queue.Durable} {
				d.crash(l)
				d.fails(d.h.OpenElsewhere(d.t, d.place), queue.ErrStoreLocked, "opening a store that is open")
				q.insert(1)
			}
			d.verify()
		},
	},
}
