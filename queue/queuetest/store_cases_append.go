package queuetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/restantemq/restante/queue"
)

// storeAppendCases are about batches and their order.
var storeAppendCases = []storeCase{
	{
		name: "Append/several-queues",
		rule: "a batch may change several queues",
		test: func(d *storeDesk) {
			q, other, third := d.queue("orders"), d.queue("letters"), d.queue("parcels")
			q.insert(3)
			d.append(q.removal(2), other.insertion(1), queue.Change{Queue: third.number, Clear: true})
			q.has(1, 3)
			other.has(1)
			third.has()
			d.append(third.insertion(2), q.insertion(1), other.removal(1))
			q.has(1, 3, 4)
			other.has()
			third.has(1, 2)
			d.verify()
		},
	},
	{
		name: "Append/empty",
		rule: "a batch may be empty, and so may its changes",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			q.insert(1)
			d.wait(d.append(), queue.Durable)
			d.wait(d.append(queue.Change{Queue: q.number}), queue.Durable)
			c := queue.Change{Queue: q.number, Insert: []queue.Record{}, Remove: []uint64{}, Touch: []queue.Touch{}, Dedup: []queue.Dedup{}}
			d.wait(d.append(c), queue.Durable)
			d.verify()
		},
	},
	{
		name: "Append/commits-rise",
		rule: "every batch has a commit of its own, above zero and above those of all earlier batches of any queue",
		test: func(d *storeDesk) {
			q, other := d.queue("orders"), d.queue("letters")
			for i := range 50 {
				d.append(q.insertion(1)) // asserts it
				c := d.append(other.insertion(1), q.removal(uint64(i)))
				if i%10 == 0 {
					d.wait(c, queue.Durable)
				}
				d.append()
			}
			d.verify()
		},
	},
	{
		name: "Append/keeps-no-reference",
		rule: "the batch and all its slices are the caller's again when Append returns",
		test: testAppendKeepsNoReference,
	},
	{
		name: "Append/large-batch",
		rule: "a batch may be large",
		test: func(d *storeDesk) {
			q, other := d.queue("orders"), d.queue("letters")
			c := q.insertion(10_000)
			for i := range 5000 {
				c.Remove = append(c.Remove, uint64(2*i+1))
				c.Touch = append(c.Touch, queue.Touch{Seq: uint64(2*i + 2), Receives: 1, FirstReceivedAt: d.clock})
				c.Dedup = append(c.Dedup, queue.Dedup{Key: [16]byte{byte(i), byte(i >> 8)}, Seq: uint64(i), Until: d.clock + 1e6})
			}
			d.append(c, other.insertion(3000))
			d.verify()
		},
	},
	{
		name: "Append/many-queues-in-a-batch",
		rule: "a batch may change a great many queues",
		test: func(d *storeDesk) {
			var changes []queue.Change
			for i := range 200 {
				changes = append(changes, d.queue(fmt.Sprintf("queue-%d", i)).insertion(i%5))
			}
			d.append(changes...)
			d.verify()
		},
	},
	{
		name: "Append/long-tail",
		rule: "any number of batches may be appended before somebody waits",
		test: func(d *storeDesk) {
			q := d.queue("orders")
			for range 5000 {
				d.append(q.insertion(1))
			}
			d.sees("appended")
			d.settle()
			d.verify()
		},
	},
	{
		name: "Append/at-once",
		rule: "batches of different queues may be appended at once, and none gets lost or mixed up",
		test: testAppendAtOnce,
	},
	{
		name:  "Append/does-not-wait",
		rule:  "Append does not block while others wait for a sync",
		needs: []storeHook{needsHold},
		test:  testAppendDoesNotWait,
	},
}

func testAppendDoesNotWait(d *storeDesk) {
	q, other := d.queue("orders"), d.queue("letters")
	q.insert(1)
	release := d.hold()
	c := d.append(q.insertion(1))
	waits := make(chan error, 1)
	go func() { waits <- d.st.Wait(c, queue.Durable) }() // ends after release
	time.Sleep(50 * time.Millisecond)                    // let it lead a sync; if it doesn't yet, less is tested
	for range 100 {
		d.append(other.insertion(1))
		d.append(q.insertion(1), other.removal(1))
	}
	d.sees("appended during a sync")
	release()
	d.noError(<-waits, "Wait that was held")
	d.verify()
}

func testAppendKeepsNoReference(d *storeDesk) {
	q, other := d.queue("orders"), d.queue("letters")
	q.insert(5)
	b := &queue.Batch{
		Now: d.tick(),
		Changes: []queue.Change{
			{
				Queue: q.number, Insert: q.records(3), Remove: []uint64{1, 2},
				Touch: []queue.Touch{{Seq: 3, Receives: 1, FirstReceivedAt: d.clock}},
				Dedup: []queue.Dedup{{Key: [16]byte{1}, Seq: 6, Until: d.clock + 1e6}},
			},
			other.insertion(2),
		},
		Meta: []queue.Meta{{Name: "catalogue", Value: []byte("as it was")}},
	}
	d.appendBatch(b)
	c := &b.Changes[0]
	for i := range c.Insert {
		c.Insert[i] = queue.Record{Seq: 4000, ID: queue.MessageID{9}, SentAt: 1, DueAt: 9e15, Message: queue.Message{Body: "overwritten"}}
	}
	c.Remove[0], c.Remove[1] = 4, 5
	c.Touch[0] = queue.Touch{Seq: 4, Receives: 99, FirstReceivedAt: 1}
	c.Dedup[0] = queue.Dedup{Key: [16]byte{2}, Seq: 9, Until: 9e15}
	copy(b.Meta[0].Value, "overwritten")
	b.Meta[0].Name = "overwritten"
	b.Changes[0], b.Changes[1] = b.Changes[1], queue.Change{}
	b.Now = 9e15
	d.verify()

	// An engine uses one batch and one set of slices all the time.
	var batch queue.Batch
	records, removes := make([]queue.Record, 0, 2), make([]uint64, 0, 1)
	for range 300 {
		records = append(records[:0], q.record(q.next), q.record(q.next+1))
		removes = append(removes[:0], q.next-1)
		q.next += 2
		batch = queue.Batch{Now: d.tick(), Changes: append(batch.Changes[:0], queue.Change{Queue: q.number, Insert: records, Remove: removes})}
		d.appendBatch(&batch)
		clear(records)
		clear(removes)
		clear(batch.Changes)
	}
	d.verify()
}

// testAppendAtOnce has goroutines with a queue each, which append, wait and
// load, and now and then change the queue they have in common as a dead-letter
// move does: under its lock.
func testAppendAtOnce(d *storeDesk) {
	const writers, batches = 8, 150
	queues := make([]*storeQueue, writers)
	for i := range queues {
		queues[i] = d.queue(fmt.Sprintf("queue-%d", i))
	}
	dead := d.queue("dead")
	var lock sync.Mutex // as the lock of the queue dead
	appended := make([][]*storedBatch, writers)
	seeds := d.dice().Uint64()
	d.together(writers, func(i int) error {
		q, random := queues[i], rand.New(rand.NewPCG(seeds, uint64(i)))
		last := queue.Commit(0)
		for n := range batches {
			c := q.insertion(1 + random.IntN(4))
			c.Remove = []uint64{1 + random.Uint64N(q.next)}
			b := &queue.Batch{Now: storeEpoch + int64(n), Changes: []queue.Change{c}}
			common := random.IntN(4) == 0
			if common {
				lock.Lock()
				b.Changes = append(b.Changes, dead.insertion(1))
			}
			kept := d.keep(b)
			commit, err := d.st.Append(b)
			if common {
				lock.Unlock()
			}
			if err != nil {
				return err
			}
			if commit <= last {
				return fmt.Errorf("commit %d came after commit %d", commit, last)
			}
			last, kept.commit = commit, commit
			appended[i] = append(appended[i], kept)
			switch random.IntN(4) {
			case 0:
				err = d.st.Wait(commit, queue.Durable)
			case 1:
				err = d.st.Wait(commit, queue.Written)
			case 2:
				_, err = d.st.Load(d.ctx, q.number, q.next/2, q.next, nil)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	var all []*storedBatch
	for _, bs := range appended {
		all = append(all, bs...)
	}
	d.acceptAll(all) // asserts that no two have one commit
	d.verify()
}

// testCloseAtOnce has goroutines that append while the store is closed under
// them.
func testCloseAtOnce(d *storeDesk) {
	const writers, before = 4, 20 // batches of each writer before Close is called
	var appended [writers][]*storedBatch
	for i := range writers {
		d.queue(fmt.Sprintf("queue-%d", i)).insert(1)
	}
	var enough sync.WaitGroup
	enough.Add(writers)
	closed := make(chan error, 1)
	go func() { // ends when Close does
		enough.Wait()
		closed <- d.st.Close()
	}()
	d.ended = true
	d.together(writers, func(i int) error {
		early := sync.OnceFunc(enough.Done)
		defer early()
		q := d.queues[i]
		for n := 0; n < 1_000_000; n++ {
			b := &queue.Batch{Now: storeEpoch, Changes: []queue.Change{q.insertion(1)}}
			kept := d.keep(b)
			commit, err := d.st.Append(b)
			if errors.Is(err, queue.ErrClosed) && n >= before {
				return nil
			}
			if err != nil {
				return err
			}
			kept.commit = commit
			appended[i] = append(appended[i], kept)
			if n%5 == 0 {
				if err := d.st.Wait(commit, queue.Durable); err != nil && !errors.Is(err, queue.ErrClosed) {
					return err
				}
			}
			if n == before {
				early()
			}
		}
		return errors.New("a million batches were appended, and Close has not ended it")
	})
	d.noError(<-closed, "Close")
	var all []*storedBatch
	for _, bs := range appended {
		all = append(all, bs...)
	}
	d.acceptAll(all)
	d.base, d.tail, d.written = d.latest.clone(), nil, 0
	d.openAgain()
	d.verify()
}
