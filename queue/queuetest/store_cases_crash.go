package queuetest

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
)

// bothLevels end the process and the machine.
var bothLevels = []queue.Level{queue.Written, queue.Durable}

var storeCrashCases = []storeCase{
	{
		name:  "Crash/durable",
		rule:  "what was waited for at Durable survives the end of the process and of the machine",
		needs: []storeHook{needsCrash},
		test: func(d *storeDesk) {
			q, other := d.queue("orders"), d.queue("letters")
			for range 3 {
				for _, l := range bothLevels {
					c := q.insertion(60)
					c.Remove = []uint64{q.next - 5, q.next - 50}
					c.Dedup = []queue.Dedup{{Key: [16]byte{byte(q.next)}, Seq: 1, Until: d.clock + 1e6}}
					d.commit(c, other.insertion(2))
					d.commit(queue.Change{Queue: q.number, Touch: []queue.Touch{{Seq: q.next - 2, Receives: 1, FirstReceivedAt: d.clock}}})
					d.setMeta(queue.Meta{Name: "a", Value: fmt.Append(nil, q.next)})
					d.crash(l)
				}
			}
			d.verify()
		},
	},
	{
		name:  "Crash/written",
		rule:  "what was waited for at Written survives the end of the process",
		needs: []storeHook{needsCrash},
		test: func(d *storeDesk) {
			q := d.queue("orders")
			for n := range uint32(5) {
				d.wait(d.append(q.insertion(3)), queue.Written)
				d.crash(queue.Written)
				d.wait(d.append(queue.Change{Queue: q.number, Touch: []queue.Touch{{Seq: 2, Receives: n + 1, FirstReceivedAt: d.clock}}}), queue.Written)
				d.crash(queue.Written)
			}
			if got := q.load(2, 3); len(got) != 1 || got[0].Receives != 5 {
				d.fatalf("after touches that were written record 2 is %+v; want 5 receives", got)
			}
			d.verify()
		},
	},
	{
		name:  "Crash/earlier-commits",
		rule:  "a Wait makes every earlier commit survive too, of any queue",
		needs: []storeHook{needsCrash},
		test: func(d *storeDesk) {
			q, other, third := d.queue("orders"), d.queue("letters"), d.queue("parcels")
			for _, l := range bothLevels {
				for range 20 {
					d.append(q.insertion(1))
					d.append(other.insertion(2), third.removal(5))
				}
				d.wait(d.append(third.insertion(1)), l)
				d.crash(l)
			}
			d.verify()
		},
	},
	{
		name:  "Crash/prefix",
		rule:  "of what nobody waited for, each batch survives as a whole or not at all, and none without every earlier one",
		needs: []storeHook{needsCrash},
		test: func(d *storeDesk) {
			q, other := d.queue("orders"), d.queue("letters")
			for round := range 24 {
				d.commit(q.insertion(4), other.insertion(8))
				first := other.next - 8
				for i := range 8 {
					d.append(q.insertion(1+i), other.removal(first+uint64(i)))
					d.append(other.insertion(2))
					d.appendBatch(&queue.Batch{
						Now: d.tick(), Meta: []queue.Meta{{Name: "a", Value: fmt.Append(nil, round, i)}, {Name: fmt.Sprint(i), Value: []byte("1")}},
						Changes: []queue.Change{q.removal(q.next - 2)},
					})
					if i == round%12 {
						d.wait(d.last, queue.Written)
					}
				}
				d.crash(bothLevels[round%2])
			}
			d.verify()
		},
	},
	{
		name:  "Crash/moves",
		rule:  "a batch that changes several queues survives in all of them or in none",
		needs: []storeHook{needsCrash},
		test: func(d *storeDesk) {
			q, dead := d.queue("orders"), d.queue("dead")
			q.insert(60)
			for seq := uint64(1); seq <= 60; seq++ {
				c := dead.insertion(1)
				c.Insert[0].Body = fmt.Sprintf("moved %d", seq)
				if seq%2 == 0 {
					d.append(c, q.removal(seq))
				} else {
					d.append(q.removal(seq), c)
				}
				if seq%3 == 0 {
					d.crash(bothLevels[seq%2])
					n := len(q.load(1, q.end())) + len(dead.load(1, dead.end()))
					require.Equal(d, 60, n, "records in both queues")
				}
			}
			d.verify()
		},
	},
	{
		name:  "Crash/clear-and-drop",
		rule:  "a purge and the end of a queue survive, or don't, as any other change",
		needs: []storeHook{needsCrash},
		test: func(d *storeDesk) {
			q, other := d.queue("orders"), d.queue("letters")
			for round := range 6 {
				l := bothLevels[round%2]
				q.insert(300)
				other.insert(300)
				c := q.insertion(2)
				c.Clear = true
				d.append(c)
				d.append(other.insertion(1))
				if round%3 == 0 {
					d.wait(d.last, l)
				}
				d.crash(l)
			}
			d.append(queue.Change{Queue: q.number, Drop: true}, other.insertion(1))
			d.crash(queue.Durable)
			d.commit(other.removal(2), queue.Change{Queue: q.number, Drop: true})
			d.queues = d.queues[1:] // other
			d.crash(queue.Durable)
			d.verify()
		},
	},
	{
		name:  "Crash/new-queue",
		rule:  "a queue with a record that was waited for is there after a crash under its key",
		needs: []storeHook{needsCrash},
		test: func(d *storeDesk) {
			for i, l := range []queue.Level{queue.Written, queue.Durable, queue.Written, queue.Durable} {
				q := d.queue(fmt.Sprintf("queue-%d", i))
				d.queue(fmt.Sprintf("untouched-%d", i))
				d.wait(d.append(q.insertion(1)), l)
				d.crash(l)
			}
			d.verify()
		},
	},
	{
		name:  "Crash/again",
		rule:  "a store that came back from a crash works as any other, and keeps what survived when it crashes again, also at once",
		needs: []storeHook{needsCrash},
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(300)
			for i := range 4 {
				d.crash(queue.Written)
				d.crash(queue.Durable)
				d.append(q.removal(uint64(i + 1)))
				d.crash(bothLevels[i%2])
				q.insert(1)
				d.append(q.insertion(1))
				d.crash(queue.Durable)
				d.reopen()
			}
			d.verify()
		},
	},
	{
		name:  "Crash/after-close",
		rule:  "what Close made durable survives the end of the machine",
		needs: []storeHook{needsCrash},
		test: func(d *storeDesk) {
			q := d.queue("orders")
			for _, l := range bothLevels {
				d.append(q.insertion(300))
				d.append(q.removal(q.next - 2))
				d.close()
				d.crash(l)
			}
			d.verify()
		},
	},
	{
		name:  "Crash/recovered-is-durable",
		rule:  "what Attach tells after the end of a process has survived for good: the end of the machine does not take it back",
		needs: []storeHook{needsCrash},
		test: func(d *storeDesk) {
			q := d.queue("orders")
			for range 6 {
				q.insert(2)
				d.wait(d.append(q.insertion(2)), queue.Written)
				d.append(q.insertion(2))
				d.crash(queue.Written)
				d.base, d.tail, d.written = d.latest.clone(), nil, 0
				d.crash(queue.Durable)
			}
			d.verify()
		},
	},
	{
		name:  "Crash/after-failure",
		rule:  "what was durable before a failure survives the end of the machine after it",
		needs: []storeHook{needsCrash, needsFail},
		test: func(d *storeDesk) {
			q := d.queue("orders")
			for _, l := range bothLevels {
				q.insert(5)
				d.append(q.insertion(1))
				d.h.Fail(d.t, d.st)
				d.uncertain(d.st.Wait(d.append(q.insertion(1)), queue.Durable), "Wait whose sync fails")
				d.written = 0 // a failed sync may lose what was written
				d.crash(l)
			}
			d.verify()
		},
	},
	{
		name:  "Crash/at-once",
		rule:  "what any of many callers waited for survives, and what they appended survives in the order of its commits",
		needs: []storeHook{needsCrash},
		test:  testCrashAtOnce,
	},
}

// testCrashAtOnce has goroutines that append and wait, and ends the process or
// the machine when some of them have stopped in between.
func testCrashAtOnce(d *storeDesk) {
	const writers = 6
	for i := range writers {
		d.queue(fmt.Sprintf("queue-%d", i))
	}
	for round := range 8 {
		l := bothLevels[round%2]
		appended := make([][]*storedBatch, writers)
		var reached atomic.Uint64 // the highest commit that somebody waited for
		seed := d.dice().Uint64()
		d.together(writers, func(i int) error {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			q := d.queues[i]
			for range 15 {
				c := q.insertion(1 + random.IntN(3))
				c.Remove = []uint64{1 + random.Uint64N(q.next)}
				b := &queue.Batch{Now: storeEpoch + random.Int64N(1000), Changes: []queue.Change{c}}
				kept := d.keep(b)
				commit, err := d.st.Append(b)
				if err != nil {
					return err
				}
				kept.commit = commit
				appended[i] = append(appended[i], kept)
				if random.IntN(2) > 0 {
					continue
				}
				if err := d.st.Wait(commit, l); err != nil {
					return err
				}
				for old := reached.Load(); old < uint64(commit) && !reached.CompareAndSwap(old, uint64(commit)); {
					old = reached.Load()
				}
			}
			return nil
		})
		var all []*storedBatch
		for _, bs := range appended {
			all = append(all, bs...)
		}
		d.acceptAll(all)
		d.reached(queue.Commit(reached.Load()), l)
		d.crash(l)
	}
	d.verify()
}
