package queuetest

import (
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

// storeChurnCases are about size and long use.
var storeChurnCases = []storeCase{
	{
		name: "Churn/many-records",
		rule: "a queue of many records, inserted, removed at random, touched, and opened again now and then, is what its batches made of it",
		long: true,
		test: testChurn,
	},
	{
		name: "Churn/in-order",
		rule: "a queue through which many records went in order is as good as new",
		test: func(d *storeDesk) {
			const window = 100
			q := d.queue("orders")
			for q.next < 20_000 {
				c := q.insertion(10)
				if first := c.Insert[0].Seq; first > window {
					for i := range uint64(10) {
						c.Remove = append(c.Remove, first-window+i)
					}
				}
				d.append(c)
				if q.next%2000 == 1 {
					d.settle()
				}
				if q.next%7000 == 1 {
					d.verify()
				}
			}
			require.Len(d, q.load(1, q.end()), window, "records in the queue")
			d.verify()
		},
	},
	{
		name: "Churn/one-straggler",
		rule: "one record that stays, while very many come and go behind it, comes to no harm",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(1)
			for q.next < 30_000 {
				c := q.insertion(300)
				for i := range c.Insert {
					c.Remove = append(c.Remove, c.Insert[i].Seq)
				}
				d.append(c)
			}
			d.settle()
			q.has(1)
			d.verify()
			q.has(1)
			require.Len(d, q.recovery().Pages, 1, "pages")
		},
	},
	{
		name: "Churn/many-queues",
		rule: "a store may have hundreds of queues",
		test: testChurnManyQueues,
	},
	{
		name: "Churn/queues-come-and-go",
		rule: "queues may be made and dropped without end",
		test: func(d *storeDesk) {
			stays := d.queue("stays")
			for i := range 100 {
				q := d.queue(fmt.Sprintf("queue-%d", i%7))
				d.append(q.insertion(1+i%5), stays.insertion(1))
				if i%20 == 19 {
					d.verify()
				}
				q.drop()
			}
			d.verify()
		},
	},
	{
		name: "Churn/touches",
		rule: "a record may be touched any number of times",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(20)
			for n := range uint32(2000) {
				d.append(queue.Change{Queue: q.number, Touch: []queue.Touch{{Seq: uint64(n%20) + 1, Receives: n + 1, FirstReceivedAt: d.clock}}})
				if n%500 == 499 {
					d.settle()
				}
			}
			d.verify()
		},
	},
	{
		name: "Churn/large-bodies",
		rule: "large bodies may come and go, between small ones",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			for n := range 60 {
				c := q.insertion(3)
				c.Insert[1].Body = noise(d, 1000*(n*37%200))
				if n > 5 {
					c.Remove = []uint64{c.Insert[1].Seq - 15, c.Insert[0].Seq - 18 + uint64(n%4)}
				}
				d.append(c)
				if n%20 == 19 {
					d.verify()
				}
			}
		},
	},
}

func testChurn(d *storeDesk) {
	const total = 50_000
	random := d.dice()
	q, other := d.queue("orders"), d.queue("letters")
	var live []uint64 // numbers in q
	receives := map[uint64]uint32{}
	for q.next <= total {
		c := q.insertion(1 + random.IntN(100))
		for i := range c.Insert {
			r := &c.Insert[i]
			r.SentAt += random.Int64N(1000)
			if random.IntN(10) == 0 {
				r.DueAt = r.SentAt + random.Int64N(1e6)
			}
			live = append(live, r.Seq)
		}
		for n := random.IntN(1 + 110*len(live)/(len(live)+5000)); n > 0; n-- {
			i := random.IntN(len(live))
			c.Remove = append(c.Remove, live[i])
			live[i] = live[len(live)-1]
			live = live[:len(live)-1]
		}
		for range random.IntN(8) {
			seq := live[random.IntN(len(live))]
			receives[seq]++
			c.Touch = append(c.Touch, queue.Touch{Seq: seq, Receives: receives[seq], FirstReceivedAt: d.clock})
		}
		d.stepf("inserted up to %d, removed %d, touched %d", q.next-1, len(c.Remove), len(c.Touch))
		commit := d.append(c, other.insertion(1), other.removal(other.next-1-min(other.next-1, random.Uint64N(20))))
		switch random.IntN(60) {
		case 0:
			d.reattach()
		case 1, 2, 3, 4, 5, 6:
			d.wait(commit, queue.Durable)
		case 7, 8, 9:
			from := random.Uint64N(q.next)
			to := from + random.Uint64N(1000)
			d.noError(d.latest.queues["orders"].checkRecords(q.load(from, to), from, to), "from %d to %d", from, to)
		}
		if random.IntN(150) == 0 {
			d.stepf("opened again")
			d.reopen()
		}
	}
	d.verify()
	d.reopen()
}

func testChurnManyQueues(d *storeDesk) {
	random := d.dice()
	for i := range 300 {
		d.queue(fmt.Sprintf("queue-%d", i))
	}
	for round := range 3 {
		for range 400 {
			var changes []queue.Change
			for _, i := range random.Perm(len(d.queues))[:1+random.IntN(3)] {
				q := d.queues[i]
				c := q.insertion(random.IntN(4))
				c.Remove = []uint64{1 + random.Uint64N(q.next)}
				if random.IntN(10) == 0 {
					c.Dedup = []queue.Dedup{{Key: [16]byte{byte(random.IntN(5))}, Seq: q.next, Until: d.clock + 1e6}}
				}
				changes = append(changes, c)
			}
			d.append(changes...)
		}
		if round == 1 {
			d.settle()
		}
		d.verify()
	}
}
