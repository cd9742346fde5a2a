package queuetest

import (
	"fmt"

	"github.com/restantemq/restante/queue"
)

// storeChangeCases are about what one change does to its queue.
var storeChangeCases = []storeCase{
	{
		name: "Change/insert",
		rule: "an inserted record is live",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			d.append(q.insertion(1))
			q.has(1)
			d.append(q.insertion(3))
			q.has(1, 2, 3, 4)
			d.verify()
		},
	},
	{
		name: "Change/remove",
		rule: "a removed record is gone, and no other one",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(6)
			d.append(q.removal(5, 1, 3))
			q.has(2, 4, 6)
			d.append(q.removal(6))
			q.has(2, 4)
			d.verify()
			q.remove(2, 4)
			q.has()
			d.verify()
		},
	},
	{
		name: "Change/remove-unknown",
		rule: "numbers to remove that are not there are ignored: never inserted, gone already, or named twice",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			d.commit(q.removal(1, 7, 0, 1<<40))
			q.insertAt(1, 2, 4, 300)
			d.commit(q.removal(3, 2, 2, 5, 2, 301, 1000, 0))
			q.has(1, 4, 300)
			d.verify()
			d.commit(q.removal(2))
			d.commit(q.removal(2, 3, 299, 4, 4))
			q.has(1, 300)
			d.verify()
			q.insertAt(301, 1000) // a removal that came too early does not count
			q.has(1, 300, 301, 1000)
			d.verify()
		},
	},
	{
		name: "Change/touch",
		rule: "a touch sets the receive count and the time of the first receive, and the latest one holds",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(3)
			first := d.clock
			for n := range uint32(3) {
				d.append(queue.Change{Queue: q.number, Touch: []queue.Touch{{Seq: 3, Receives: n + 1, FirstReceivedAt: first}, {Seq: 1, Receives: 10 * (n + 1), FirstReceivedAt: first + 1}}})
				d.verify()
			}
			if got := q.load(1, 4); got[2].Receives != 3 || got[2].FirstReceivedAt != first || got[0].Receives != 30 || got[1].Receives != 0 {
				d.fatalf("after touches the receives are %d, %d and %d; want 30, 0 and 3", got[0].Receives, got[1].Receives, got[2].Receives)
			}
		},
	},
	{
		name: "Change/touch-inserted-with-receives",
		rule: "a record that was inserted with a receive count is touched like any other",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			c := q.insertion(2)
			for i := range c.Insert {
				c.Insert[i].Receives, c.Insert[i].FirstReceivedAt = 7, d.clock-1000
			}
			d.commit(c)
			d.commit(queue.Change{Queue: q.number, Touch: []queue.Touch{{Seq: 2, Receives: 8, FirstReceivedAt: d.clock - 1000}}})
			d.verify()
		},
	},
	{
		name: "Change/touch-of-what-is-gone",
		rule: "a touch of a record that is gone is ignored and brings nothing back",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			touch := []queue.Touch{{Seq: 1, Receives: 1, FirstReceivedAt: d.clock}, {Seq: 2, Receives: 1, FirstReceivedAt: d.clock}}
			q.insert(2)
			q.remove(1)
			d.commit(queue.Change{Queue: q.number, Touch: touch})
			q.has(2)
			d.verify()
			d.commit(queue.Change{Queue: q.number, Clear: true})
			d.commit(queue.Change{Queue: q.number, Touch: touch})
			q.has()
			d.verify()
		},
	},
	{
		name: "Change/clear",
		rule: "Clear forgets all records and all deduplication of its queue, and of no other",
		test: func(d *storeDesk) {
			q, other := d.queue("orders"), d.queue("letters")
			for _, q := range []*storeQueue{q, other} {
				c := q.insertion(600)
				c.Dedup = []queue.Dedup{{Key: [16]byte{1}, Seq: 1, Until: d.clock + 1e6}, {Key: [16]byte{2}, Seq: 2, Until: d.clock + 1e6}}
				d.commit(c)
			}
			d.append(queue.Change{Queue: q.number, Clear: true})
			q.has()
			q.dedup()
			d.verify()
			d.commit(queue.Change{Queue: q.number, Clear: true})
			q.insert(2)
			q.has(601, 602)
			d.verify()
		},
	},
	{
		name: "Change/clear-then-insert",
		rule: "what a change inserts, touches and remembers stays when it clears the queue first",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			c := q.insertion(3)
			c.Dedup = []queue.Dedup{{Key: [16]byte{1}, Seq: 1, Until: d.clock + 1e6}, {Key: [16]byte{2}, Seq: 2, Until: d.clock + 1e6}}
			d.commit(c)
			c = q.insertion(3)
			c.Clear = true
			c.Touch = []queue.Touch{{Seq: 5, Receives: 1, FirstReceivedAt: d.clock}}
			c.Dedup = []queue.Dedup{{Key: [16]byte{2}, Seq: 5, Until: d.clock + 1e6}, {Key: [16]byte{3}, Seq: 6, Until: d.clock + 1e6}}
			d.append(c)
			q.has(4, 5, 6)
			q.dedup(c.Dedup...)
			d.verify()
		},
	},
	{
		name: "Change/insert-then-remove",
		rule: "a change inserts first and removes afterwards: a number in both is gone",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(2)
			c := q.insertion(4)
			c.Remove = []uint64{1, 4, 6}
			d.append(c)
			q.has(2, 3, 5)
			d.verify()
		},
	},
	{
		name: "Change/insert-then-touch",
		rule: "a change can touch what it inserts",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			c := q.insertion(3)
			c.Touch = []queue.Touch{{Seq: 2, Receives: 4, FirstReceivedAt: d.clock}}
			d.append(c)
			if got := q.load(2, 3); len(got) != 1 || got[0].Receives != 4 || got[0].FirstReceivedAt != d.clock-1 {
				d.fatalf("inserted and touched in one change, record 2 is %+v; want 4 receives", got)
			}
			d.verify()
		},
	},
	{
		name: "Change/remove-then-touch",
		rule: "a change removes first and touches afterwards: a number in both is gone",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(2)
			c := q.insertion(1)
			c.Remove = []uint64{1, 3}
			c.Touch = []queue.Touch{{Seq: 1, Receives: 1, FirstReceivedAt: d.clock}, {Seq: 3, Receives: 1, FirstReceivedAt: d.clock}}
			d.append(c)
			q.has(2)
			d.verify()
		},
	},
	{
		name: "Change/all-parts",
		rule: "all parts of a change apply, in the order of the fields",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			for round := range 6 {
				c := q.insertion(100)
				first := c.Insert[0].Seq
				c.Clear = round%3 == 2
				c.Remove = []uint64{first, first + 7, first - 1, first + 99}
				c.Touch = []queue.Touch{
					{Seq: first + 1, Receives: 1, FirstReceivedAt: d.clock}, {Seq: first, Receives: 2, FirstReceivedAt: d.clock},
				}
				if round > 0 {
					c.Touch = append(c.Touch, queue.Touch{Seq: first - 50, Receives: 5, FirstReceivedAt: d.clock})
				}
				c.Dedup = []queue.Dedup{{Key: [16]byte{byte(round)}, Seq: first, Until: d.clock + 1e6}}
				d.append(c)
				d.sees(fmt.Sprintf("round %d", round))
			}
			d.verify()
		},
	},
	{
		name: "Change/gaps",
		rule: "numbers need not follow on each other, in one change or the next",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insertAt(5, 6, 9, 255, 258, 513)
			q.insertAt(1025)
			q.insertAt(1026, 5000)
			q.has(5, 6, 9, 255, 258, 513, 1025, 1026, 5000)
			d.verify()
			q.insertAt(5001)
			d.verify()
		},
	},
	{
		name: "Change/wide-gaps",
		rule: "a gap may be wide, and costs nothing",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insertAt(3, 1<<32-1, 1<<32, 1<<32+1, 1<<40)
			q.insertAt(1<<40+1, 1<<45)
			q.has(3, 1<<32-1, 1<<32, 1<<32+1, 1<<40, 1<<40+1, 1<<45)
			q.remove(1<<32, 1<<40)
			d.verify()
			q.insertAt(1<<45 + 1)
			d.verify()
		},
	},
}
