package filestore_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/filestore"
	"github.com/restantemq/restante/queue/filestore/internal/disk"
	"github.com/restantemq/restante/queue/filestore/internal/disk/crashdisk"
)

// The crash campaign. It is short by default; for hours, and with other seeds:
//
//	go test ./queue/filestore -run Campaign -timeout 0 -v -crash.time 2h -crash.seed 1000
//
// A failure tells the seed and the number of the crash point, which run again as
//
//	go test ./queue/filestore -run TestCampaignStore -crash.seed 17 -crash.point 912
var (
	crashTime  = flag.Duration("crash.time", 0, "how long each test of the crash campaign runs; zero: a few seconds at most")
	crashSeed  = flag.Uint64("crash.seed", 1, "the campaign's first seed")
	crashPoint = flag.Int("crash.point", 0, "crash at this point of the first seed only; zero: at all of them")
)

// A campaign crashes the machine or the process at every operation on the disk
// that changes something, opens the store on what may be left, compares that
// with the history, and works on.
type campaign struct {
	ctx    context.Context
	opener opener
	trade  trade     // of the run
	only   int       // the one crash point that is tried; zero: all
	until  time.Time // stop then; zero: never
	seed   uint64    // of the run
	points int       // crash points of the run
	total  tally

	capacity int64 // of the disk; zero: no limit
}

// A tally counts what was tried.
type tally struct {
	runs, points, crashes, recoveries, matched, refused int
}

func (t *tally) String() string {
	text := fmt.Sprintf("%d crash points in %d runs: %d crashes, %d of them while recovering from another, and %d stores compared",
		t.points, t.runs, t.crashes, t.recoveries, t.matched)
	if t.refused > 0 {
		text += fmt.Sprintf("; %d batches found the disk full", t.refused)
	}
	return text
}

// A finding is what was found to be wrong, by a hook deep inside the store's own
// calls. The disk is then dead, so that these end.
type finding struct{ err error }

func (f *finding) add(d *crashdisk.Disk, err error) {
	if err != nil && f.err == nil {
		f.err = err
		d.Kill()
	}
}

// or returns the finding, or else err.
func (f *finding) or(err error) error {
	if f.err != nil {
		return f.err
	}
	return err
}

// at adds where an error was found; the innermost stands last.
func at(where string, err error) error { return fmt.Errorf("%s,\n  %w", where, err) }

// run lets a worker work, and crashes it at every point.
func (c *campaign) run(seed uint64, t trade, steps int) error {
	if err := c.work(seed, t, steps); err != nil {
		return fmt.Errorf("seed %d, %s, crash point %d:\n  %w", seed, t.name, c.points, err)
	}
	return nil
}

func (c *campaign) work(seed uint64, t trade, steps int) error {
	c.seed, c.points, c.trade = seed, 0, t
	c.total.runs++
	d := crashdisk.New()
	if c.capacity > 0 {
		d.SetCapacity(c.capacity)
	}
	defer d.Kill()
	h := newHistory(newImage())
	found := c.strike(d, h, 0)
	w, err := startWorker(c.ctx, c.opener, d, h, t, rand.New(rand.NewPCG(seed, 0)))
	if err != nil {
		return found.or(err)
	}
	w.mayBeFull = c.capacity > 0
	for range steps {
		if c.over() {
			break
		}
		err := w.work(1)
		if err = found.or(err); err != nil {
			return err
		}
	}
	c.total.refused += w.refused
	err = w.reopen()
	return found.or(err)
}

func (c *campaign) over() bool { return !c.until.IsZero() && time.Now().After(c.until) }

// strike makes every change of d a crash point.
func (c *campaign) strike(d *crashdisk.Disk, h *history, depth int) *finding {
	found := &finding{}
	d.Before(func(op crashdisk.Op) crashdisk.Fault {
		if depth == 0 && c.opener.spares && op.Kind == crashdisk.Rename && strings.HasSuffix(op.To, ".seg") && !strings.HasPrefix(op.To, "free") && d.Dirty(op.File) {
			found.add(d, fmt.Errorf("%v: the spare was not synced", op))
		}
		if op.Kind.Changes() {
			found.add(d, c.point(d, op, h, depth))
		}
		return crashdisk.Fault{}
	})
	return found
}

// point crashes before an operation, in some of the ways there are.
func (c *campaign) point(d *crashdisk.Disk, op crashdisk.Op, h *history, depth int) error {
	if depth == 0 {
		c.points++
		if c.only != 0 && c.points != c.only {
			return nil
		}
		c.total.points++
	}
	random := rand.New(rand.NewPCG(c.seed, uint64(c.points)<<20|uint64(op.N)<<2|uint64(depth)))
	if depth > 0 && random.IntN(8) != 0 {
		return nil
	}
	if !d.Unsynced() {
		return c.crash(d, op, crashdisk.Choice{Mode: crashdisk.Lost}, h, depth, random)
	}
	for range 2 {
		if err := c.crash(d, op, choose(random), h, depth, random); err != nil {
			return err
		}
	}
	return nil
}

// choose draws a way to crash.
func choose(random *rand.Rand) crashdisk.Choice {
	modes := [...]crashdisk.Mode{
		crashdisk.Restart, crashdisk.Lost, crashdisk.Lost, crashdisk.Kept, crashdisk.Newest,
		crashdisk.Random, crashdisk.Random, crashdisk.Torn, crashdisk.Torn, crashdisk.Torn,
	}
	return crashdisk.Choice{Mode: modes[random.IntN(len(modes))], Seed: random.Uint64()}
}

// crash lets d crash before an operation and checks what is left.
func (c *campaign) crash(d *crashdisk.Disk, op crashdisk.Op, choice crashdisk.Choice, h *history, depth int, random *rand.Rand) error {
	// Other callers may go on meanwhile: what they are told before the crash must
	// be there, what they did before it ended may be.
	sure := h.pin()
	defer h.unpin()
	after := d.Crash(choice)
	if err := c.recover(after, h, sure.after(choice), h.end(), depth, random); err != nil {
		return at(fmt.Sprintf("crash before %v (%v)", op, choice), err)
	}
	return nil
}

// recover opens the store on what a crash left, which must be a state of h after
// all the events that are sure and at most those before high. Sometimes there is another crash while it recovers,
// and sometimes work goes on afterwards, with crashes of its own.
func (c *campaign) recover(d *crashdisk.Disk, h *history, sure certainty, high, depth int, random *rand.Rand) error {
	defer d.Kill()
	c.total.crashes++
	found := &finding{}
	deeper := depth < 2 && random.IntN(4) == 0
	if deeper {
		d.Before(func(op crashdisk.Op) crashdisk.Fault {
			if !op.Kind.Changes() || random.IntN(2) == 0 {
				return crashdisk.Fault{}
			}
			c.total.recoveries++
			choice := choose(random)
			if err := c.recover(d.Crash(choice), h, sure.after(choice), high, depth+2, random); err != nil {
				found.add(d, at(fmt.Sprintf("then, while recovering, crash before %v (%v)", op, choice), err))
			}
			return crashdisk.Fault{}
		})
	}
	st, err := c.opener.open(c.ctx, d)
	if err != nil {
		return found.or(fmt.Errorf("opening: %w", err))
	}
	d.Before(nil)
	seen, err := look(c.ctx, st, h.kinds())
	if err != nil {
		return err
	}
	n, state, err := h.match(seen, sure.now, high)
	if err != nil {
		return err
	}
	c.total.matched++

	w := &worker{
		ctx: c.ctx, random: random, opener: c.opener, disk: d, store: st, trade: trades()[random.IntN(len(trades()))],
		latest: state, attached: map[string]bool{}, now: state.now, bodies: 1_000_000 * (n + 1), names: workerQueues,
	}
	if c.capacity > 0 {
		w.mayBeFull, w.trade = true, c.trade
	}
	w.history = newHistory(state.clone())
	for name, q := range seen.queues {
		if state.named(name) == nil {
			state.create(name, q.kind, q.recovery)
			w.history.base.create(name, q.kind, q.recovery)
		}
		w.attached[name] = true
	}
	if c.opener.sync != filestore.LoseNothing {
		return nil // what was found need not be durable yet
	}
	if err := c.certain(w); err != nil {
		return err
	}
	switch {
	case deeper:
		found := c.strike(d, w.history, depth+1)
		err := w.work(12)
		if err = found.or(err); err != nil {
			return at("then at work", err)
		}
	case random.IntN(2) == 0:
		if err := w.work(3); err != nil {
			return at("then at work", err)
		}
	}
	d.Before(nil)
	if c.capacity > 0 && random.IntN(3) == 0 {
		if err := w.emptied(); err != nil {
			return at("then removing everything", err)
		}
	}
	if random.IntN(3) == 0 {
		if err := w.reopen(); err != nil {
			return at("then at work", err)
		}
	}
	return nil
}

// certain makes sure that what was found after a crash is there for good.
func (c *campaign) certain(w *worker) error {
	st, err := c.opener.open(c.ctx, w.disk.Crash(crashdisk.Choice{Mode: crashdisk.Lost}))
	if err != nil {
		return at("crash right after recovery", fmt.Errorf("opening: %w", err))
	}
	seen, err := look(c.ctx, st, w.history.kinds())
	if err == nil {
		_, _, err = w.history.match(seen, 0, 0)
	}
	if err != nil {
		return at("crash right after recovery", err)
	}
	c.total.matched++
	return nil
}

// campaignRuns runs one trade after the other, each time with the next seed,
// until the time is over: at least as many times as told.
func campaignRuns(t *testing.T, o opener, runs, steps int) {
	t.Helper()
	if *crashTime > 0 {
		steps = 80
	} else if testing.Short() {
		steps /= 3
	}
	ts := trades()
	campaignRunsWith(t, runs, func(c *campaign, seed uint64) error {
		return c.run(seed, ts[seed%uint64(len(ts))], steps)
	}, func(uint64) opener { return o })
}

func campaignRunsWith(t *testing.T, runs int, run func(*campaign, uint64) error, o func(seed uint64) opener) {
	t.Helper()
	c := &campaign{ctx: t.Context(), only: *crashPoint}
	if *crashTime > 0 {
		c.until = time.Now().Add(*crashTime)
	}
	if c.only != 0 {
		runs = 1
	}
	began := time.Now()
	for i := 0; i < runs || *crashTime > 0 && !c.over(); i++ {
		seed := *crashSeed + uint64(i)
		c.opener = o(seed)
		if err := run(c, seed); err != nil {
			t.Fatalf("%v\n\nrun it again with: go test ./queue/filestore -run '^%s$' -crash.seed %d -crash.point %d",
				err, strings.ReplaceAll(t.Name(), "/", "$/^"), seed, c.points)
		}
	}
	t.Logf("%v, in %v", &c.total, time.Since(began).Round(time.Millisecond))
}

// Whatever the machine or the process was doing when it died: what was reported
// durable is there, and what there is besides is the beginning of what was
// under way.
func TestCampaignStore(t *testing.T) {
	t.Parallel()
	campaignRuns(t, openStore(filestore.LoseNothing), len(trades()), 30)
}

func (t *tally) add(u tally) {
	t.runs += u.runs
	t.points += u.points
	t.crashes += u.crashes
	t.recoveries += u.recoveries
	t.matched += u.matched
	t.refused += u.refused
}

// The same with so little memory that all of it is written down all the time.
func TestCampaignTight(t *testing.T) {
	t.Parallel()
	campaignRuns(t, openTight(filestore.LoseNothing), len(trades()), 20)
}

// Segments may have another size each time the store is opened.
func TestCampaignSegmentSizes(t *testing.T) {
	t.Parallel()
	o := openStore(filestore.LoseNothing)
	o.open = func(ctx context.Context, d disk.Disk) (queue.Store, error) {
		names, err := d.List()
		if err != nil {
			return nil, err
		}
		sizes := [...]int64{64 << 10, 160 << 10, 72 << 10} // by what can be repeated
		return filestore.OpenOn(ctx, d, filestore.Options{SegmentSize: sizes[len(names)%len(sizes)]})
	}
	campaignRuns(t, o, 2, 40)
}

// The weaker promises are kept as well: a crash of the process loses nothing, and
// one of the machine the end of what was done, in whatever order the disk wrote.
func TestCampaignWeakerSyncs(t *testing.T) {
	t.Parallel()
	for name, sync := range map[string]filestore.Sync{"last second": filestore.LoseLastSecond, "unsynced": filestore.LoseUnsynced} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trade := trades()[0]
			if sync == filestore.LoseLastSecond {
				trade.actions = append(trade.actions, actions.sleep)
			}
			campaignRunsWith(t, 3, func(c *campaign, seed uint64) (err error) {
				synctest.Test(t, func(t *testing.T) {
					c.ctx = t.Context()
					err = c.run(seed, trade, 100)
				})
				return err
			}, func(seed uint64) opener { return openEither(sync, seed) })
		})
	}
}

// Several callers at once share writes and syncs: crashes come while some of them
// have been answered and others not.
func TestCampaignCrowd(t *testing.T) {
	t.Parallel()
	campaignRunsWith(t, 4, (*campaign).crowd, func(seed uint64) opener { return openEither(filestore.LoseNothing, seed) })
}

// crowd lets callers work at the same time, each with queues of its own, and
// crashes now and then.
func (c *campaign) crowd(seed uint64) error {
	const callers, steps = 6, 60
	c.seed, c.points = seed, 0
	c.total.runs++
	d := crashdisk.New()
	defer d.Kill()
	h := newHistory(newImage())
	st, err := c.opener.open(c.ctx, d)
	if err != nil {
		return err
	}
	a := &actions
	busy := trade{"busy", []action{a.insert, a.remove, a.touch, a.move, a.purge, a.load, a.meta, a.wait, a.wait, a.written}, 60, 700, false}
	var workers []*worker
	order := &sync.Mutex{}
	for i := range callers {
		w := &worker{
			ctx: c.ctx, random: rand.New(rand.NewPCG(seed, uint64(i))), opener: c.opener, disk: d, store: st,
			trade: busy, history: h, latest: newImage(), attached: map[string]bool{}, now: 1_700_000_000_000,
			bodies: i * 1_000_000, names: []string{fmt.Sprintf("source-%d", i), fmt.Sprintf("dead-%d", i)}, order: order,
		}
		for len(w.attached) < len(w.names) {
			if err := w.attach(); err != nil {
				return err
			}
		}
		workers = append(workers, w)
	}

	found := &finding{}
	var one sync.Mutex // crashes come one at a time
	random := rand.New(rand.NewPCG(seed, callers))
	d.Before(func(op crashdisk.Op) crashdisk.Fault {
		if !op.Kind.Changes() {
			return crashdisk.Fault{}
		}
		one.Lock()
		defer one.Unlock()
		if random.IntN(2) == 0 && found.err == nil {
			c.points++
			c.total.points++
			found.add(d, c.crash(d, op, choose(random), h, 0, random))
		}
		return crashdisk.Fault{}
	})
	errs := make([]error, callers)
	var working sync.WaitGroup
	for i, w := range workers {
		working.Go(func() { errs[i] = w.work(steps) }) // waited for below
	}
	working.Wait()
	err = errors.Join(append(errs, st.Close())...)
	return found.or(err)
}
