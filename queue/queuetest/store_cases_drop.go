package queuetest

import (
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

var storeDropCases = []storeCase{
	{
		name: "Drop/deletes",
		rule: "a dropped queue is deleted with all it has: its name makes a new, empty queue with a new key",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(600)
			d.commit(queue.Change{Queue: q.number, Dedup: []queue.Dedup{{Key: [16]byte{1}, Seq: 1, Until: d.clock + 1e6}}})
			q.drop()
			q = d.queue("orders") // checks key and emptiness
			q.has()
			q.insert(2)
			d.verify()
		},
	},
	{
		name: "Drop/stays-deleted",
		rule: "a dropped queue does not come back when the store is opened again",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(600)
			q.drop()
			d.reopen()
			q = d.queue("orders")
			q.has()
			d.verify()
		},
	},
	{
		name: "Drop/nothing-else-applies",
		rule: "a change that drops a queue does nothing else",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(2)
			d.commit(queue.Change{
				Queue: q.number, Drop: true, Clear: true, Insert: q.records(2), Remove: []uint64{1},
				Touch: []queue.Touch{{Seq: 2, Receives: 1, FirstReceivedAt: d.clock}},
				Dedup: []queue.Dedup{{Key: [16]byte{1}, Seq: 3, Until: d.clock + 1e6}},
			})
			d.detach(q)
			d.queue("orders").has()
			d.verify()
		},
	},
	{
		name: "Drop/others-stay",
		rule: "a drop takes one queue; the other changes and the named values of its batch apply",
		test: func(d *storeDesk) {
			q, other := d.queue("orders"), d.queue("letters")
			q.insert(5)
			other.insert(5)
			d.wait(d.appendBatch(&queue.Batch{
				Now: d.tick(), Meta: []queue.Meta{{Name: "catalogue", Value: []byte("letters")}},
				Changes: []queue.Change{{Queue: q.number, Drop: true}, other.insertion(1)},
			}), queue.Durable)
			d.detach(q)
			other.has(1, 2, 3, 4, 5, 6)
			d.verify()
		},
	},
	{
		name: "Drop/number",
		rule: "the number of a dropped queue is not given to another one while the store is open, so that a late call can't reach a wrong queue",
		test: func(d *storeDesk) {
			numbers := []uint64{d.queue("first").number}
			for range 5 {
				q := d.queue("orders")
				q.insert(1)
				q.drop()
				numbers = append(numbers, q.number)
			}
			numbers = append(numbers, d.queue("letters").number, d.queue("orders").number)
			requireDistinct(d, numbers, "numbers of queues, some dropped")
		},
	},
	{
		name: "Drop/name-is-free",
		rule: "the claim on a dropped queue is no claim on the next one of its name, and giving it back is none",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(1)
			d.commit(queue.Change{Queue: q.number, Drop: true})
			d.queues = slices.Delete(d.queues, 0, 1)
			next := d.queue("orders")
			d.st.Detach(q.number)
			_, err := d.st.Attach(d.ctx, "orders", queue.Standard)
			d.fails(err, queue.ErrStoreLocked, "Attach of the new queue, which is attached")
			next.insert(1)
			d.verify()
		},
	},
	{
		name: "Drop/other-kind",
		rule: "the name of a dropped queue is free for either kind",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(1)
			q.drop()
			rec, err := d.st.Attach(d.ctx, "orders", queue.FIFO)
			d.noError(err, "Attach as a FIFO queue")
			require.NotEqual(d, q.key, rec.Key, "key")
			d.close()
			d.open()
			_, err = d.st.Attach(d.ctx, "orders", queue.Standard)
			d.fails(err, queue.ErrNotForThisQueue, "Attach as the kind it was")
		},
	},
	{
		name: "Drop/empty",
		rule: "a queue that nothing was written to can be dropped",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.drop()
			d.queue("orders").insert(1)
			d.verify()
		},
	},
}

// drop deletes the queue, durably, and gives it back.
func (q *storeQueue) drop() {
	q.d.Helper()
	q.d.commit(queue.Change{Queue: q.number, Drop: true})
	q.d.detach(q)
}

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
