package queuetest

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/restantemq/restante/queue"
)

// storeModelCases returns cases that do everything at random, and compare with
// the model. Each leaves out some of what stores can do, because a crash, say,
// forgives much.
func storeModelCases() []storeCase {
	var cases []storeCase
	for _, c := range []storeCase{
		{name: "reopen", rule: "whatever was appended is there, whatever else happened, as long as the store is closed in order"},
		{name: "crash", rule: "whatever happened, a crash leaves the oldest batches, each whole, and all that were waited for", needs: []storeHook{needsCrash}},
		{name: "fail", rule: "whatever happened, a failure leaves the oldest batches, each whole, and all that were durable", needs: []storeHook{needsFail}},
		{name: "full", rule: "whatever happened, a full store refuses whole batches, and only those that insert", needs: []storeHook{needsFull}},
	} {
		for n := range 4 {
			c := c
			run := storeWalk{crashes: c.name == "crash", fails: c.name == "fail", fills: c.name == "full"}
			c.name = fmt.Sprintf("Model/%s/%d", c.name, n)
			c.test = func(d *storeDesk) { run.walk(d, 300) }
			cases = append(cases, c)
		}
	}
	return cases
}

// A storeWalk is a random walk through what a store can do.
type storeWalk struct{ crashes, fails, fills bool }

// walk takes that many steps on a store with a few queues.
func (w storeWalk) walk(d *storeDesk, steps int) {
	random := d.dice()
	var full bool
	for range steps {
		switch n := random.IntN(100); {
		case n < 55 || len(d.queues) == 0:
			w.append(d, random, full)
		case n < 70:
			l := bothLevels[random.IntN(2)]
			c := d.last
			if len(d.tail) > 0 {
				c = d.tail[random.IntN(len(d.tail))].commit
			}
			d.stepf("wait for commit %d, %s", c, levelName(l))
			d.wait(c, l)
		case n < 78:
			q := d.queues[random.IntN(len(d.queues))]
			from, to := d.edge(q, random), d.edge(q, random)
			if from > to && random.IntN(10) > 0 {
				from, to = to, from
			}
			d.stepf("load %s from %d to %d", q.name, from, to)
			d.noError(d.latest.queues[q.name].checkRecords(q.load(from, to), from, to), "Load of %s from %d to %d", q.name, from, to)
		case n < 83:
			w.comeOrGo(d, random)
		case n < 86:
			d.stepf("attach all again")
			d.reattach()
		case n < 89:
			d.stepf("everything becomes durable")
			d.settle()
			d.sees("durable")
		case n < 91 && w.fills:
			full = !full
			d.stepf("everything becomes durable, full: %v", full)
			d.settle()
			d.h.Full(d.t, d.st, full)
		case n < 95 && w.crashes:
			l := bothLevels[random.IntN(2)]
			d.stepf("crash, what is left is %s", levelName(l))
			d.crash(l)
		case n < 94 && w.fails:
			w.fail(d, random)
		case n == 98 || n == 99 && !w.crashes:
			d.stepf("close and open")
			d.reopen()
			full = false
			if w.fills {
				d.h.Full(d.t, d.st, false)
			}
		}
	}
	if full {
		d.h.Full(d.t, d.st, false)
	}
	d.verify()
}

// edge returns a number where a range of q may begin or end: at a record or
// beside it, at the border of a page, anywhere.
func (d *storeDesk) edge(q *storeQueue, random *rand.Rand) uint64 {
	seq := random.Uint64N(q.next + 2)
	switch random.IntN(3) {
	case 0:
		seq = firstOfRun(seq+1) + random.Uint64N(2)
	case 1:
		if live := d.latest.queues[q.name].seqs(seq, seq+100); len(live) > 0 {
			seq = live[0] + random.Uint64N(2)
		}
	}
	return seq
}

// comeOrGo attaches a queue, detaches one or drops one.
func (w storeWalk) comeOrGo(d *storeDesk, random *rand.Rand) {
	name := fmt.Sprintf("queue-%d", random.IntN(5))
	at := slices.IndexFunc(d.queues, func(q *storeQueue) bool { return q.name == name })
	switch {
	case at < 0:
		d.stepf("attach %s", name)
		d.queue(name)
	case random.IntN(3) > 0:
		d.stepf("detach %s", name)
		d.detach(d.queues[at])
	default:
		d.stepf("drop %s", name)
		d.queues[at].drop()
	}
}

// append appends a random batch, and may wait for it.
func (w storeWalk) append(d *storeDesk, random *rand.Rand, full bool) {
	if len(d.queues) == 0 {
		w.comeOrGo(d, random)
		return
	}
	d.clock += []int64{0, 0, 1, 10, 1000, 100_000, -3000}[random.IntN(7)]
	b := &queue.Batch{Now: d.clock}
	next := map[*storeQueue]uint64{}
	for _, i := range random.Perm(len(d.queues))[:min(len(d.queues), random.IntN(15)/4)] { // now and then none
		q := d.queues[i]
		next[q] = q.next
		b.Changes = append(b.Changes, d.anyChange(q, random))
	}
	for _, i := range random.Perm(6)[:max(0, random.IntN(8)-5)] {
		v := queue.Meta{Name: fmt.Sprintf("name-%d", i)}
		if random.IntN(4) > 0 {
			v.Value = append([]byte{}, noise(d, max(0, random.IntN(20)-5))...)
		}
		b.Meta = append(b.Meta, v)
	}
	d.stepf("append %s", batchText(b))
	switch {
	case !full || !refusable(b):
		d.appendBatch(b)
	case !d.appendUnlessFull(b):
		for q, n := range next {
			q.next = n
		}
		return
	}
	if random.IntN(4) == 0 {
		l := bothLevels[random.IntN(2)]
		d.stepf("wait for it, %s", levelName(l))
		d.wait(d.last, l)
	}
}

// refusable reports whether a full store may refuse b: it inserts, or does
// nothing but touch.
func refusable(b *queue.Batch) bool {
	other := len(b.Meta) > 0
	for i := range b.Changes {
		c := &b.Changes[i]
		if len(c.Insert) > 0 {
			return true
		}
		other = other || c.Drop || c.Clear || len(c.Remove)+len(c.Dedup) > 0
	}
	return !other
}

// anyChange makes a random change of q.
func (d *storeDesk) anyChange(q *storeQueue, random *rand.Rand) queue.Change {
	c := queue.Change{Queue: q.number, Clear: random.IntN(40) == 0}
	known := d.latest.queues[q.name]
	any := func() uint64 { // more often a number that is there than not
		if len(c.Insert) > 0 && random.IntN(6) == 0 {
			return c.Insert[random.IntN(len(c.Insert))].Seq
		}
		from := 1 + random.Uint64N(q.next)
		for seq := from; seq < min(from+30, q.next); seq++ {
			if _, ok := known.records[seq]; ok {
				return seq
			}
		}
		return from
	}
	for range max(0, random.IntN(10)-4) {
		if random.IntN(15) == 0 {
			q.next += []uint64{1, 3, 255, 256, 257, 5000}[random.IntN(6)]
		}
		r := q.record(q.next)
		q.next++
		d.vary(&r, random)
		c.Insert = append(c.Insert, r)
	}
	if random.IntN(30) == 0 {
		c.Insert = append(c.Insert, q.records(random.IntN(300))...)
	}
	for range max(0, random.IntN(12)-5) {
		c.Remove = append(c.Remove, any())
	}
	if random.IntN(25) == 0 {
		for seq := range known.records {
			c.Remove = append(c.Remove, seq)
		}
		slices.Sort(c.Remove) // so that a seed always does the same
	}
	for range max(0, random.IntN(8)-5) {
		seq := any()
		at := slices.IndexFunc(c.Insert, func(r queue.Record) bool { return r.Seq == seq })
		r, ok := known.records[seq]
		if at >= 0 {
			r, ok = c.Insert[at], true
		}
		if ok {
			c.Touch = append(c.Touch, queue.Touch{Seq: seq, Receives: r.Receives + 1, FirstReceivedAt: d.clock})
		}
	}
	for _, i := range random.Perm(12)[:max(0, random.IntN(8)-5)] {
		c.Dedup = append(c.Dedup, queue.Dedup{Key: [16]byte{byte(i)}, Seq: any(), Until: d.clock + []int64{-1, 0, 1, 2, 11, 1001, 200_000, 1e9}[random.IntN(8)]})
	}
	return c
}

// vary gives a record some of the fields that it may have.
func (d *storeDesk) vary(r *queue.Record, random *rand.Rand) {
	full := fullRecord(d.clock)
	for _, set := range fieldSetters {
		if random.IntN(5) == 0 {
			set(r, &full)
		}
	}
	r.SentAt += random.Int64N(2000) - 1000
	if random.IntN(4) == 0 {
		r.Body = noise(d, random.IntN(200))
	}
	if random.IntN(60) == 0 {
		r.Body = noise(d, random.IntN(100_000))
	}
}

// fail makes the store fail under some batches, and opens it anew.
func (w storeWalk) fail(d *storeDesk, random *rand.Rand) {
	if len(d.queues) == 0 {
		return
	}
	d.stepf("the next sync fails")
	d.h.Fail(d.t, d.st)
	for range 1 + random.IntN(3) {
		q := d.queues[random.IntN(len(d.queues))]
		c := q.insertion(1 + random.IntN(4))
		d.stepf("append %s", batchText(&queue.Batch{Changes: []queue.Change{c}}))
		d.append(c)
	}
	d.uncertain(d.st.Wait(d.last, queue.Durable), "Wait whose sync fails")
	d.sees("failed")
	_, err := d.st.Append(&queue.Batch{Now: d.clock})
	d.fails(err, queue.ErrStoreFailed, "Append on a failed store")
	d.stepf("open anew")
	d.reopenFailed()
}

// batchText describes a batch in a line.
func batchText(b *queue.Batch) string {
	text := fmt.Sprintf("at %d", b.Now-storeEpoch)
	for i := range b.Changes {
		c := &b.Changes[i]
		text += fmt.Sprintf("; queue %d:", c.Queue)
		if c.Clear {
			text += " clear"
		}
		if n := len(c.Insert); n > 0 {
			text += fmt.Sprintf(" insert %d (%d to %d)", n, c.Insert[0].Seq, c.Insert[n-1].Seq)
		}
		if len(c.Remove) > 0 {
			text += " remove " + seqText(c.Remove)
		}
		for _, t := range c.Touch {
			text += fmt.Sprintf(" touch %d", t.Seq)
		}
		for _, e := range c.Dedup {
			text += fmt.Sprintf(" remember %x until %d", e.Key[:1], e.Until-storeEpoch)
		}
	}
	for _, v := range b.Meta {
		text += fmt.Sprintf("; set %s to %d bytes", v.Name, len(v.Value))
		if v.Value == nil {
			text += ", none"
		}
	}
	return text
}
