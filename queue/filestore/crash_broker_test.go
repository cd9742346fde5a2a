package filestore_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/filestore"
	"github.com/restantemq/restante/queue/filestore/internal/disk/crashdisk"
)

// The third part of the campaign looks at a broker over the store: at its
// catalogue, and at messages on their way between its queues.

// An inquiry looks into crashes, each in a bubble of its own: meanwhile time
// stands still for whoever asks, who is in another one.
type inquiry struct {
	floors [2]floor // a crash, and one while recovering from it
}

type floor struct {
	mu     sync.Mutex // one question at a time
	asks   chan func(context.Context) error
	answer chan error
}

// startInquiry lets questions be asked until stop is called. It is called outside
// of bubbles.
func startInquiry(t *testing.T) (q *inquiry, stop func()) {
	q = &inquiry{}
	var working sync.WaitGroup
	for i := range q.floors {
		f := &q.floors[i]
		f.asks, f.answer = make(chan func(context.Context) error), make(chan error)
		working.Go(func() { // ends when asks is closed
			for ask := range f.asks {
				var err error
				synctest.Test(t, func(t *testing.T) { err = ask(t.Context()) })
				f.answer <- err
			}
		})
	}
	return q, func() {
		for i := range q.floors {
			close(q.floors[i].asks)
		}
		working.Wait()
	}
}

func (q *inquiry) ask(depth int, f func(context.Context) error) error {
	floor := &q.floors[depth]
	floor.mu.Lock()
	defer floor.mu.Unlock()
	floor.asks <- f
	return <-floor.answer
}

// A brokerCampaign lets a keeper work and crashes at each operation on the disk.
type brokerCampaign struct {
	inquiry *inquiry
	opener  opener
	keeper  *keeper
	seed    uint64
	only    int
	points  int // the latest crash point: the step, and two digits of the operation in it
	total   tally
}

func (c *brokerCampaign) run(ctx context.Context, steps int) (err error) {
	d := crashdisk.New()
	found := &finding{}
	defer func() {
		if err = found.or(err); err != nil {
			err = fmt.Errorf("seed %d, crash point %d:\n  %w", c.seed, c.points, err)
		}
	}()
	c.total.runs++
	d.Before(func(op crashdisk.Op) crashdisk.Fault {
		if k := c.keeper; k != nil && op.Kind.Changes() {
			k.mu.Lock()
			defer k.mu.Unlock()
			if found.err == nil {
				found.add(d, c.point(d, op))
			}
		}
		return crashdisk.Fault{}
	})
	k, err := startKeeper(ctx, c.opener, d, rand.New(rand.NewPCG(c.seed, 5)))
	defer func() {
		if err != nil || found.err != nil {
			d.Kill()
			_ = k.close() // it ends what runs
		}
	}()
	if err != nil {
		return err
	}
	c.keeper = k
	for k.step = 1; k.step <= steps; k.step++ {
		k.model(func() { c.points = 100 * k.step })
		if err := found.or(k.work()); err != nil {
			return err
		}
	}
	return k.close()
}

// point crashes before an operation. The keeper's mutex is held.
func (c *brokerCampaign) point(d *crashdisk.Disk, op crashdisk.Op) error {
	c.points++
	if c.only != 0 && c.points != c.only {
		return nil
	}
	c.total.points++
	random := rand.New(rand.NewPCG(c.seed, uint64(c.points)))
	choice := crashdisk.Choice{Mode: crashdisk.Lost}
	if d.Unsynced() {
		choice = choose(random)
	}
	if err := c.crash(d, choice, circumstances{process: true}, 0, random); err != nil {
		return at(fmt.Sprintf("crash before %v (%v) in %s", op, choice, c.keeper.doing), err)
	}
	return nil
}

// crash lets d crash and looks at what is left.
func (c *brokerCampaign) crash(d *crashdisk.Disk, choice crashdisk.Choice, so circumstances, depth int, random *rand.Rand) error {
	after, now := d.Crash(choice), time.Now()
	so.crashes++
	so.process = so.process && choice.Mode == crashdisk.Restart
	return c.inquiry.ask(depth, func(ctx context.Context) error {
		time.Sleep(time.Until(now) + time.Duration(random.Int64N(int64(time.Minute))))
		return c.recover(ctx, after, so, depth, random)
	})
}

// recover opens the broker on what a crash left, lets its tasks end, and checks
// everything. Sometimes there is another crash meanwhile.
func (c *brokerCampaign) recover(ctx context.Context, d *crashdisk.Disk, so circumstances, depth int, random *rand.Rand) (err error) {
	c.total.crashes++
	found := &finding{}
	if depth+1 < len(c.inquiry.floors) && random.IntN(6) == 0 {
		d.Before(func(op crashdisk.Op) crashdisk.Fault {
			if !op.Kind.Changes() || found.err != nil || random.IntN(2) == 0 {
				return crashdisk.Fault{}
			}
			c.total.recoveries++
			choice := choose(random)
			if err := c.crash(d, choice, so, depth+1, random); err != nil {
				found.add(d, at(fmt.Sprintf("then, while recovering, crash before %v (%v)", op, choice), err))
			}
			return crashdisk.Fault{}
		})
	}
	k := &keeper{ctx: ctx, opener: c.opener, disk: d, twin: broker.New(broker.Options{})}
	defer func() {
		err = found.or(err)
		d.Kill()
		_ = k.close()
	}()
	if err := k.open(); err != nil {
		return fmt.Errorf("opening: %w", err)
	}
	time.Sleep(10 * time.Minute) // also delays end
	synctest.Wait()
	if found.err != nil {
		return nil
	}
	d.Before(nil)
	v, err := c.keeper.look(ctx, k.broker)
	if err != nil {
		return err
	}
	so.over = true
	if err := c.keeper.judge(v, so); err != nil {
		return err
	}
	if err := c.certain(ctx, d.Crash(choose(random)), v); err != nil {
		return at("crash right after recovery", err)
	}
	if err := c.drain(ctx, k.broker, v, random); err != nil {
		return err
	}
	c.total.matched++
	if err := c.certain(ctx, d.Crash(choose(random)), v); err != nil {
		return at("crash after everything was deleted", err)
	}
	return nil
}

// certain makes sure that what was found after one crash is found after another.
func (c *brokerCampaign) certain(ctx context.Context, d *crashdisk.Disk, want *view) (err error) {
	k := &keeper{ctx: ctx, opener: c.opener, disk: d, twin: broker.New(broker.Options{})}
	defer func() {
		d.Kill()
		_ = k.close()
	}()
	if err := k.open(); err != nil {
		return fmt.Errorf("opening: %w", err)
	}
	v, err := c.keeper.look(ctx, k.broker)
	if err != nil {
		return err
	}
	if !maps.Equal(v.faces, want.faces) {
		return fmt.Errorf("the queues are %v, were %v", v.faces, want.faces)
	}
	for x := range v.faces {
		if got, was := fmt.Sprint(v.tasks[x]), fmt.Sprint(want.tasks[x]); got != was {
			return fmt.Errorf("the tasks of %s are %s, were %s", x.name, got, was)
		}
	}
	for l := range want.spots {
		if v.spots[l] != want.spots[l] {
			return fmt.Errorf("%s is in %v, was in %v", l.label, describe([]spot{v.spots[l]}), describe([]spot{want.spots[l]}))
		}
	}
	if len(v.spots) != len(want.spots) {
		return fmt.Errorf("%d messages are there, %d were", len(v.spots), len(want.spots))
	}
	return nil
}

// drain receives and deletes everything, but for a queue that it deletes as a
// whole, and checks that each message comes once. Queues that aren't there come
// back, empty. V is then what must be there.
func (c *brokerCampaign) drain(ctx context.Context, b *broker.Broker, v *view, random *rand.Rand) error {
	if x := c.keeper.boxes[boxNames[random.IntN(len(boxNames))]]; v.faces[x] != "" && random.IntN(2) == 0 {
		if err := b.DeleteQueue(ctx, x.name); err != nil {
			return err
		}
		maps.DeleteFunc(v.spots, func(_ *slip, at spot) bool { return at.box == x })
		delete(v.faces, x)
		delete(v.tasks, x)
	}
	for _, dead := range []bool{false, true} { // what is received too often comes last
		for _, name := range boxNames {
			x := c.keeper.boxes[name]
			if v.faces[x] == "" || dead != (deadOf(name) == "") {
				continue
			}
			if err := c.drainOne(ctx, b, x, v); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	for l, at := range v.spots {
		return fmt.Errorf("%s never came from %v", l.label, describe([]spot{at}))
	}
	for _, name := range boxNames {
		x := c.keeper.boxes[name]
		if v.faces[x] != "" {
			continue
		}
		q, err := b.Create(ctx, name, queue.Config{Delay: 7 * time.Second})
		if err != nil {
			return err
		}
		if all, err := peek(ctx, q); err != nil || len(all) > 0 {
			return fmt.Errorf("%s was deleted, and created with %d messages: %w", name, len(all), err)
		}
		if v.faces[x], err = faceOf(ctx, b, name); err != nil {
			return err
		}
	}
	return nil
}

func (c *brokerCampaign) drainOne(ctx context.Context, b *broker.Broker, x *box, v *view) error {
	q, err := b.GetQueue(x.name)
	if err != nil {
		return err
	}
	place, latest := map[*slip]int{}, map[string]int{}
	for i, l := range v.order[x] {
		place[l] = i + 1
	}
	for empty := 0; empty < 2; { // a FIFO queue may give nothing when it moves something
		got, err := q.Receive(ctx, queue.ReceiveOptions{Max: 10, Wait: queue.None, VisibilityTimeout: time.Hour})
		if err != nil {
			return err
		}
		if len(got) == 0 {
			empty++
			continue
		}
		var receipts []queue.Receipt
		for i := range got {
			l := c.keeper.find(got[i].Body)
			if _, there := v.spots[l]; !there {
				return fmt.Errorf("%.60q came and must not, or came before", got[i].Body)
			}
			delete(v.spots, l)
			receipts = append(receipts, got[i].Receipt)
			if x.kind == queue.FIFO && place[l] > 0 {
				if place[l] < latest[l.message.GroupID] {
					return fmt.Errorf("%s came too late in %s", l.label, l.message.GroupID)
				}
				latest[l.message.GroupID] = place[l]
			}
		}
		if err := q.DeleteBatch(ctx, receipts); err != nil {
			return err
		}
	}
	return nil
}

// A queue of a broker is there as it was confirmed to be, or as a change under way
// makes it, and never in between; a deleted one is gone with its messages; a
// message is in one queue, whatever moves it; a move task goes on and tells how far
// it came: wherever the crash comes.
func TestCampaignBroker(t *testing.T) {
	t.Parallel()
	began := time.Now()
	runs, steps := 5, 120
	switch {
	case *crashPoint != 0:
		runs, steps = 1, 160
	case *crashTime > 0:
		steps = 160
	case testing.Short():
		runs, steps = 2, 60
	}
	questions, stop := startInquiry(t)
	defer stop()
	var total tally
	for i := 0; i < runs || *crashPoint == 0 && time.Since(began) < *crashTime; i++ {
		seed := *crashSeed + uint64(i)
		c := &brokerCampaign{inquiry: questions, opener: openEither(filestore.LoseNothing, seed), seed: seed, only: *crashPoint}
		var err error
		synctest.Test(t, func(t *testing.T) { err = c.run(t.Context(), steps) })
		total.add(c.total)
		if err != nil {
			t.Fatalf("%v\n\nrun it again with: go test ./queue/filestore -run '^%s$' -crash.seed %d -crash.point %d", err, t.Name(), seed, c.points)
		}
	}
	t.Logf("%v, in %v", &total, time.Since(began).Round(time.Millisecond))
}
