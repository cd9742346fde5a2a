package queuetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

var storeAttachCases = []storeCase{
	{
		name: "Attach/new",
		rule: "a new queue has a key, Next of at least 1, and nothing else; Now is zero in a store that was given no batch",
		test: func(d *storeDesk) {
			for i, kind := range []queue.Kind{queue.Standard, queue.FIFO} {
				rec, err := d.st.Attach(d.ctx, []string{"orders", "orders.fifo"}[i], kind)
				require.NoError(d, err)
				require.NotZero(d, rec.Key, "Key")
				require.NotZero(d, rec.Next, "Next")
				require.Zero(d, rec.Now, "Now")
				require.Empty(d, rec.Pages, "Pages")
				require.Empty(d, rec.Dedup, "Dedup")
				got, err := d.st.Load(d.ctx, rec.Queue, 1, 1000, nil)
				require.NoError(d, err)
				require.Empty(d, got, "records of a new queue")
			}
		},
	},
	{
		name: "Attach/existing",
		rule: "a queue that is attached again has all it had, whether it was detached or the store was opened anew",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(3)
			q.remove(2)
			d.detach(q)
			q = d.queue("orders")
			q.has(1, 3)
			d.reopen()
			q.has(1, 3)
			q.insert(1)
			require.Len(d, q.load(1, q.end()), 3)
			d.verify()
		},
	},
	{
		name: "Attach/untouched",
		rule: "a queue that nothing was written to is there again, under its key",
		test: func(d *storeDesk) {
			d.queue("orders")
			d.queue("letters")
			d.reattach()
			d.reopen()
		},
	},
	{
		name: "Attach/sees-what-was-appended",
		rule: "a queue that is detached and attached has all that was appended to it, durable or not",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(4)
			d.append(q.insertion(300))
			d.append(queue.Change{Queue: q.number, Remove: []uint64{1, 100}, Touch: []queue.Touch{{Seq: 2, Receives: 1, FirstReceivedAt: d.clock}}})
			d.reattach()
			d.append(q.insertion(2))
			d.reattach()
			d.verify()
		},
	},
	{
		name: "Attach/other-kind",
		rule: "a queue of another kind is refused with ErrNotForThisQueue and stays as it was, not attached",
		test: testAttachOtherKind,
	},
	{
		name: "Attach/twice",
		rule: "a queue that is attached already is refused with ErrStoreLocked, and whoever has it keeps it",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(1)
			for range 2 {
				_, err := d.st.Attach(d.ctx, "orders", queue.Standard)
				d.fails(err, queue.ErrStoreLocked, "the second Attach")
			}
			q.insert(1)
			q.has(1, 2)
			d.reopen()
			_, err := d.st.Attach(d.ctx, "orders", queue.Standard)
			d.fails(err, queue.ErrStoreLocked, "the second Attach")
			d.verify()
		},
	},
	{
		name: "Attach/detached",
		rule: "Detach gives one claim back and no other",
		test: func(d *storeDesk) {
			q, other := d.queue("orders"), d.queue("letters")
			for range 3 {
				d.detach(q)
				_, err := d.st.Attach(d.ctx, "letters", queue.Standard)
				d.fails(err, queue.ErrStoreLocked, "Attach of the queue that was not detached")
				other.insert(1)
				q = d.queue("orders")
				q.insert(1)
			}
			d.verify()
		},
	},
	{
		name: "Attach/closed-with-claims",
		rule: "a claim ends with the store: opened again, every queue can be attached",
		test: func(d *storeDesk) {
			d.queue("orders").insert(1)
			d.queue("letters")
			for range 3 {
				d.reopen()
			}
		},
	},
	{
		name: "Attach/at-once",
		rule: "of several that attach one queue at once, new or not, one gets it and the others ErrStoreLocked",
		test: testAttachAtOnce,
	},
	{
		name: "Attach/many-at-once",
		rule: "queues that are made at once are different ones",
		test: func(d *storeDesk) {
			numbers, keys := make([]uint64, 16), make([][16]byte, 16)
			d.together(len(numbers), func(i int) error {
				rec, err := d.st.Attach(d.ctx, fmt.Sprintf("queue-%d", i), queue.Standard)
				if err == nil {
					numbers[i], keys[i] = rec.Queue, rec.Key
				}
				return err
			})
			requireDistinct(d, numbers, "numbers of queues")
			requireDistinct(d, keys, "keys of queues")
		},
	},
	{
		name: "Attach/cancelled",
		rule: "an Attach whose context has ended returns its error and attaches nothing",
		test: testAttachCancelled,
	},
	{
		name: "Attach/names",
		rule: "a queue may have any name, and two names are two queues however little they differ",
		test: testAttachNames,
	},
	{
		name: "Attach/key",
		rule: "a queue's key is made once and at random: it never changes, and no other queue has it, in this store or another",
		test: testAttachKey,
	},
	{
		name: "Attach/recovery-is-the-callers",
		rule: "what Attach returns is the caller's, who may overwrite it",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(300)
			d.commit(queue.Change{Queue: q.number, Dedup: []queue.Dedup{{Key: [16]byte{1}, Seq: 1, Until: d.clock + 1e6}}})
			rec := q.recovery()
			clear(rec.Pages)
			clear(rec.Dedup)
			rec.Next, rec.Now = 0, 0
			d.verify()
		},
	},
}

func requireDistinct[T comparable](d *storeDesk, values []T, what string) {
	d.Helper()
	seen := map[T]bool{}
	for _, v := range values {
		if seen[v] {
			d.fatalf("%s: %v is there twice", what, v)
		}
		seen[v] = true
	}
}

func testAttachOtherKind(d *storeDesk) {
	standard, fifo := d.attach("orders", queue.Standard), d.attach("letters", queue.FIFO)
	standard.insert(1)
	fifo.insert(1)
	for _, stage := range []string{"detached", "opened again"} {
		for _, q := range []*storeQueue{standard, fifo} {
			d.st.Detach(q.number)
			_, err := d.st.Attach(d.ctx, q.name, queue.Standard+queue.FIFO-q.kind)
			d.fails(err, queue.ErrNotForThisQueue, "%s: Attach of a %v queue as another", stage, q.kind)
			d.attachAs(q, "attached as what it is")
			q.insert(1)
		}
		d.verify()
	}
}

func testAttachAtOnce(d *storeDesk) {
	for _, name := range []string{"orders", "letters", "orders"} {
		var got atomic.Int64
		var number atomic.Uint64
		d.together(8, func(int) error {
			rec, err := d.st.Attach(d.ctx, name, queue.Standard)
			if errors.Is(err, queue.ErrStoreLocked) {
				return nil
			}
			if err == nil {
				got.Add(1)
				number.Store(rec.Queue)
			}
			return err
		})
		require.Equal(d, int64(1), got.Load(), "how many got queue %q", name)
		d.st.Detach(number.Load())
	}
}

func testAttachCancelled(d *storeDesk) {
	q := d.queue("orders")
	q.insert(1)
	d.st.Detach(q.number)
	ctx, cancel := context.WithCancel(d.ctx)
	cancel()
	for _, name := range []string{"orders", "letters"} {
		_, err := d.st.Attach(ctx, name, queue.Standard)
		d.fails(err, context.Canceled, "Attach of %q with an ended context", name)
	}
	d.attachAs(q, "attached after a context error")
	d.queue("letters")
	d.verify()
}

func testAttachNames(d *storeDesk) {
	names := []string{
		"a", "A", "orders", "Orders", "ORDERS", "orders-", "orders_", "-orders", "0", "00", strings.Repeat("n", 80), strings.Repeat("n", 79) + "m",
		// Without SQS's limits any text is a name.
		" ", "orders ", " orders", "orders.fifo", ".", "..", "../orders", "orders/1", `orders\1`, "orders\n", "orders\x00", "orders\x001", "'; --", "%s", "NULL", "con",
		"größe", "gro\u0308ße", "注文", "\xff", "\xff\xfe", strings.Repeat("long", 300),
	}
	for i, name := range names {
		d.queue(name).insert(i%3 + 1)
	}
	d.verify()
	numbers := []uint64{}
	for _, q := range d.queues {
		numbers = append(numbers, q.number)
	}
	requireDistinct(d, numbers, "numbers of queues")
}

func testAttachKey(d *storeDesk) {
	var keys [][16]byte
	for i := range 50 {
		keys = append(keys, d.queue(fmt.Sprintf("queue-%d", i)).key)
	}
	d.queues[7].insert(1)
	d.verify() // asks for each key, attached and opened again

	other := newStoreDesk(d.t, d.reporter, d.h, d.name)
	other.open()
	for _, q := range d.queues[:10] {
		keys = append(keys, other.queue(q.name).key)
	}
	other.leave()
	requireDistinct(d, keys, "keys of queues")
}
