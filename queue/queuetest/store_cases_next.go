package queuetest

import (
	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

var storeNextCases = []storeCase{
	{
		name: "Next/above-all",
		rule: "Next is above every number ever inserted, gaps or not",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			for _, seq := range []uint64{1, 2, 200, 256, 257, 1000, 5000} {
				q.insertAt(seq)
				q.d.reattach()
				q.d.reopen()
			}
		},
	},
	{
		name: "Next/after-removal",
		rule: "Next doesn't fall when the latest records go, be it all of them",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(300)
			q.remove(299, 300)
			d.verify()
			for seq := range uint64(300) {
				d.append(q.removal(seq + 1))
			}
			d.verify()
			d.reopen()
			q.insert(1)
			q.remove(q.next - 1)
			d.verify()
		},
	},
	{
		name: "Next/after-clear",
		rule: "Next doesn't fall when the queue is cleared",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(300)
			d.commit(queue.Change{Queue: q.number, Clear: true})
			d.verify()
			d.reopen()
			q.insert(1)
			d.commit(queue.Change{Queue: q.number, Clear: true})
			d.verify()
		},
	},
	{
		name: "Next/never-live",
		rule: "Next is above numbers that were inserted and removed in one batch",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			c := q.insertion(10)
			c.Remove = []uint64{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}
			d.commit(c)
			q.has()
			d.verify()
			d.reopen()
		},
	},
	{
		name: "Next/each-its-own",
		rule: "each queue counts its own numbers",
		test: func(d *storeDesk) {
			q, other := d.queue("orders"), d.queue("letters")
			q.insertAt(1, 700)
			other.insertAt(3)
			q.insertAt(701)
			q.has(1, 700, 701)
			other.has(3)
			d.verify()
		},
	},
	{
		name: "Now/latest",
		rule: "Now is the latest Batch.Now, of any batch of the store, and never falls when a clock was set back",
		test: func(d *storeDesk) {
			q, other := d.queue("orders"), d.queue("letters")
			for _, step := range []int64{1, 1000, -5000, 0, -1, 10_000, -20_000} {
				d.clock += step
				d.appendBatch(&queue.Batch{Now: d.clock, Changes: []queue.Change{q.insertion(1)}})
				d.verify()
				d.appendBatch(&queue.Batch{Now: d.clock + 1, Changes: []queue.Change{other.removal(1)}})
				d.verify()
			}
		},
	},
	{
		name: "Now/without-changes",
		rule: "a batch that changes no queue counts for Now as well",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			d.setMeta(queue.Meta{Name: "a", Value: []byte("b")})
			require.Equal(d, d.clock, q.recovery().Now, "Now")
			d.wait(d.appendBatch(&queue.Batch{Now: d.clock + 500}), queue.Durable)
			d.verify()
		},
	},
}
