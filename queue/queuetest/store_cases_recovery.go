package queuetest

import (
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

var storePageCases = []storeCase{
	{
		name: "Pages/borders",
		rule: "a page is a run of PageSize numbers, and First-1 is a multiple of PageSize",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insertAt(1, 255, 256, 257, 512, 513, 768, 1025)
			for range 2 {
				var first []uint64
				for _, p := range q.recovery().Pages {
					first = append(first, p.First)
				}
				require.Equal(d, []uint64{1, 257, 513, 1025}, first, "First of the pages")
				d.verify()
			}
		},
	},
	{
		name: "Pages/live-and-bytes",
		rule: "Live and Bytes are exact: the records that are there, and the sum of Message.Size, which counts the body and the attributes and nothing else",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			c := q.insertion(300)
			for i := range c.Insert {
				r := &c.Insert[i]
				r.TraceHeader, r.GroupID, r.DeadLetterReason = "not counted", "not counted", "not counted"
				r.Body = noise(d, i+1)
				if i%2 == 0 {
					r.Attributes = queue.NewAttributes(map[string]queue.Value{"name": queue.String("value"), "n": queue.Number("1")})
				}
			}
			d.append(c)
			d.verify()
			for seq := uint64(1); seq < 300; seq += 3 {
				d.append(q.removal(seq, seq+1))
				if seq%60 == 1 {
					d.verify()
				}
			}
			d.verify()
		},
	},
	{
		name: "Pages/empty",
		rule: "a page without live records is left out, and stays out",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(1000)
			var middle []uint64
			for seq := uint64(257); seq <= 512; seq++ {
				middle = append(middle, seq)
			}
			d.append(q.removal(middle[:255]...))
			d.reattach()
			d.append(q.removal(512))
			d.reattach()
			d.verify()
			for _, p := range q.recovery().Pages {
				require.NotEqual(d, uint64(257), p.First, "First of a page")
			}
			for _, p := range q.recovery().Pages {
				var all []uint64
				for seq := range uint64(queue.PageSize) {
					all = append(all, p.First+seq)
				}
				q.remove(all...)
			}
			require.Empty(d, q.recovery().Pages, "pages of an empty queue")
			d.verify()
			q.insert(1)
			d.verify()
		},
	},
	{
		name: "Pages/half-filled",
		rule: "a page goes on being filled after the store was opened again, and counts what was there before",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			for range 12 {
				q.insert(50)
				d.append(q.removal(q.next-3, q.next-40))
				d.reopen()
			}
		},
	},
	{
		name: "Pages/stragglers",
		rule: "a page may have a single record left, and there may be many such pages",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			for first := uint64(1); first < 100*queue.PageSize; first += queue.PageSize {
				c := q.insertion(queue.PageSize)
				stays := first + first/queue.PageSize*37%queue.PageSize
				for i := range c.Insert {
					if seq := first + uint64(i); seq != stays {
						c.Remove = append(c.Remove, seq)
					}
				}
				d.append(c)
			}
			d.verify()
			require.Len(d, q.recovery().Pages, 100, "pages with one record each")
			d.reopen()
		},
	},
	{
		name: "Pages/times",
		rule: "no record of a page was sent before MinSentAt, and no delay ends after MaxDueAt, whatever the order of times",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			for _, sign := range []int64{1, -1} {
				for n := range int64(3) {
					c := q.insertion(200)
					for i := range c.Insert {
						c.Insert[i].SentAt = d.clock + sign*(int64(i)*1000+n)
						if i%7 == 3 {
							c.Insert[i].DueAt = c.Insert[i].SentAt + sign*int64(i)*10_000 + 1e7
						}
					}
					d.append(c)
				}
			}
			d.verify()
			for seq := uint64(2); seq < q.next; seq += 2 {
				d.append(q.removal(seq))
			}
			d.verify()
			d.reopen()
		},
	},
	{
		name: "Pages/no-delay",
		rule: "MaxDueAt is zero if no record of the page has a delay, whatever others have",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			c := q.insertion(600)
			c.Insert[300].DueAt = d.clock + 1000
			d.commit(c)
			for range 2 {
				pages := q.recovery().Pages
				require.Zero(d, pages[0].MaxDueAt, "MaxDueAt of a page without a delay")
				require.Equal(d, c.Insert[300].DueAt, pages[1].MaxDueAt, "MaxDueAt of a page with one")
				require.Zero(d, pages[2].MaxDueAt, "MaxDueAt of a page without a delay")
				d.verify()
			}
		},
	},
	{
		name: "Pages/times-from-another-day",
		rule: "a record that comes from another queue keeps its times, and its page tells of them",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(3)
			c := q.insertion(2)
			c.Insert[0].SentAt, c.Insert[1].SentAt = d.clock-14*24*3600*1000, 1
			d.commit(c)
			d.verify()
			q.remove(5)
			d.verify()
		},
	},
	{
		name: "Pages/touch",
		rule: "a touch changes nothing of a page's summary",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(300)
			before := q.recovery().Pages
			for seq := uint64(1); seq < 300; seq += 5 {
				d.append(queue.Change{Queue: q.number, Touch: []queue.Touch{{Seq: seq, Receives: 3, FirstReceivedAt: d.clock + 1e6}}})
			}
			require.Equal(d, before, q.recovery().Pages, "pages after touches")
			d.verify()
		},
	},
	{
		name: "Pages/after-clear",
		rule: "after a Clear the pages are those of what was inserted since, also in the run that was half full",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(300)
			d.append(queue.Change{Queue: q.number, Clear: true})
			require.Empty(d, q.recovery().Pages, "pages of a cleared queue")
			q.insert(5)
			d.verify()
			c := q.insertion(2)
			c.Clear = true
			d.append(c)
			pages := q.recovery().Pages
			require.True(d, len(pages) == 1 && pages[0].First == 257 && pages[0].Live == 2, "pages %+v; want one from 257 with 2 records", pages)
			d.verify()
		},
	},
}

var storeDedupCases = []storeCase{
	{
		name: "Dedup/kept",
		rule: "a deduplication entry comes back with its key, number and time",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			c := q.insertion(3)
			until := d.clock + 300_000
			c.Dedup = []queue.Dedup{
				{Key: [16]byte{0: 1, 15: 255}, Seq: 1, Until: until}, {Key: [16]byte{0: 1, 15: 254}, Seq: 2, Until: until + 1},
				{Seq: 3, Until: until}, // a digest of zeros is a key
			}
			d.append(c)
			q.dedup(c.Dedup...)
			d.verify()
			q.dedup(c.Dedup...)
		},
	},
	{
		name: "Dedup/outlives-its-record",
		rule: "an entry outlives its record, until its time has passed",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			c := q.insertion(300)
			var want []queue.Dedup
			for i := range c.Insert {
				want = append(want, queue.Dedup{Key: [16]byte{byte(i), byte(i >> 8)}, Seq: c.Insert[i].Seq, Until: d.clock + 300_000 + int64(i)})
			}
			c.Dedup = want
			d.commit(c)
			for i := range c.Insert {
				d.append(q.removal(c.Insert[i].Seq))
			}
			q.has()
			q.dedup(want...)
			d.clock += 200_000
			d.append(q.insertion(1))
			d.verify()
			d.reopen()
			q.dedup(want...)
		},
	},
	{
		name: "Dedup/until",
		rule: "an entry is there until its time has passed by Batch.Now, and not a millisecond less; afterwards it may be forgotten, and no other one with it",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			c := q.insertion(60)
			for i := range c.Insert {
				c.Dedup = append(c.Dedup, queue.Dedup{Key: [16]byte{byte(i), 1}, Seq: c.Insert[i].Seq, Until: d.clock + 10 + int64(i)})
			}
			d.commit(c)
			for range 8 { // whatever the time is, there is an entry that ends a millisecond later
				d.verify()
				d.clock += 3
				d.append(q.insertion(1))
				d.verify()
				d.append(q.removal(q.next - 1))
			}
			d.clock += 1e6
			d.append(q.insertion(1))
			d.verify()
		},
	},
	{
		name: "Dedup/without-record",
		rule: "a change may have an entry and nothing else",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			e := queue.Dedup{Key: [16]byte{7}, Seq: 12, Until: d.clock + 1e6}
			d.append(queue.Change{Queue: q.number, Dedup: []queue.Dedup{e}})
			q.dedup(e)
			d.verify()
		},
	},
	{
		name: "Dedup/replaced",
		rule: "an entry takes the place of the one that had its key, be it a longer one",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			for _, until := range []int64{1000_000, 2_000_000, 500_000} {
				c := q.insertion(2)
				c.Dedup = []queue.Dedup{{Key: [16]byte{1}, Seq: c.Insert[0].Seq, Until: d.clock + until}}
				if until == 1000_000 {
					c.Dedup = append(c.Dedup, queue.Dedup{Key: [16]byte{2}, Seq: 2, Until: d.clock + until})
				}
				d.append(c)
				d.verify()
			}
			require.Len(d, q.recovery().Dedup, 2, "entries")
		},
	},
	{
		name: "Dedup/own-queue",
		rule: "entries are of their queue: another one may have the same key",
		test: func(d *storeDesk) {
			q, other := d.queue("orders"), d.queue("letters")
			e := queue.Dedup{Key: [16]byte{1}, Seq: 1, Until: d.clock + 1e6}
			f := queue.Dedup{Key: [16]byte{1}, Seq: 5, Until: d.clock + 2e6}
			d.append(queue.Change{Queue: q.number, Dedup: []queue.Dedup{e}}, queue.Change{Queue: other.number, Dedup: []queue.Dedup{f}})
			q.dedup(e)
			other.dedup(f)
			d.verify()
			d.commit(queue.Change{Queue: q.number, Clear: true})
			q.dedup()
			other.dedup(f)
			d.verify()
		},
	},
	{
		name: "Dedup/many",
		rule: "there may be very many entries",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			for n := range 20 {
				c := queue.Change{Queue: q.number}
				for i := range 1000 {
					e := queue.Dedup{Seq: uint64(1000*n + i), Until: d.clock + 300_000}
					copy(e.Key[:], fmt.Sprintf("%08d", (i*7+n*900)%15_000))
					c.Dedup = append(c.Dedup, e)
				}
				d.append(c)
			}
			d.verify()
			d.clock += 400_000
			d.append(q.insertion(1))
			d.verify()
		},
	},
}
