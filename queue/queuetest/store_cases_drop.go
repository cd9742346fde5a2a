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
