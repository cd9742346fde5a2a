package filestore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/filestore"
	"github.com/restantemq/restante/queue/filestore/internal/disk/crashdisk"
)

// A trouble is a way in which operations on a disk fail.
type trouble struct {
	name    string
	fault   crashdisk.Fault
	concern func(crashdisk.Kind) bool
	forever bool // all such operations from then on, or only one
	once    bool // it is nothing that a store need fail for, if it makes files ahead
}

func anyKind(crashdisk.Kind) bool      { return true }
func writeKind(k crashdisk.Kind) bool  { return k == crashdisk.Write }
func growKind(k crashdisk.Kind) bool   { return k == crashdisk.Write || k == crashdisk.Create }
func createKind(k crashdisk.Kind) bool { return k == crashdisk.Create }

var troubles = []trouble{
	{"one operation fails", crashdisk.Fault{Err: syscall.EIO}, anyKind, false, false},
	{"all operations fail", crashdisk.Fault{Err: syscall.EIO}, anyKind, true, false},
	{"one write is short", crashdisk.Fault{Err: syscall.EIO, Short: 100}, writeKind, false, false},
	{"one file can't be made", crashdisk.Fault{Err: syscall.ENOSPC}, createKind, false, true},
	{"the disk is full", crashdisk.Fault{Err: syscall.ENOSPC, Short: 700}, growKind, true, false},
}

// A faultRun lets a worker work on a disk that fails at one operation.
type faultRun struct {
	ctx     context.Context
	opener  opener
	trouble trouble
	nth     int // which of the operations concerned fails
	seed    uint64

	disk  *crashdisk.Disk
	count int  // of operations concerned
	fired bool // one has failed
	over  bool // the trouble has ended
	w     *worker
	total *tally
}

func (r *faultRun) before(op crashdisk.Op) crashdisk.Fault {
	if r.over || !r.trouble.concern(op.Kind) {
		return crashdisk.Fault{}
	}
	r.count++
	if r.count-1 == r.nth || r.fired && r.trouble.forever {
		r.fired = true
		return r.trouble.fault
	}
	return crashdisk.Fault{}
}

// run works until something fails, and checks what is said of it and what is
// left. It reports whether the fault came at all.
func (r *faultRun) run(steps int) (fired bool, err error) {
	random := rand.New(rand.NewPCG(r.seed, 0))
	r.disk = crashdisk.New()
	r.disk.Before(r.before)
	t := trades()[0]
	if errors.Is(r.trouble.fault.Err, syscall.ENOSPC) {
		t = trade{"no touches, they may be dropped", []action{
			actions.insert, actions.insert, actions.remove, actions.move, actions.attach, actions.wait, actions.written, actions.purge, actions.reopen,
		}, 100, 1500, false}
	}
	h := newHistory(newImage())
	r.w, err = startWorker(r.ctx, r.opener, r.disk, h, t, random)
	if err != nil {
		return r.fired, r.refusedToOpen(err)
	}
	r.w.mayBeFull = errors.Is(r.trouble.fault.Err, syscall.ENOSPC)
	for step := range steps {
		if step == steps/2 {
			err = r.w.reopen()
		} else {
			err = r.w.work(1)
		}
		if err == nil {
			continue
		}
		goOn, err := r.judge(err)
		if err != nil || !goOn {
			return r.fired, err
		}
	}
	if err := r.w.reopen(); err != nil {
		if goOn, err := r.judge(err); err != nil || !goOn {
			return r.fired, err
		}
	}
	return r.fired, r.aftermath()
}

// refusedToOpen checks an error of Open.
func (r *faultRun) refusedToOpen(err error) error {
	if !r.fired || !errors.Is(err, r.trouble.fault.Err) && !isDamage(err) {
		return err
	}
	r.over = true
	st, err := r.opener.open(r.ctx, r.disk)
	if err != nil {
		return fmt.Errorf("opening again, now that the disk works: %w", err)
	}
	return st.Close()
}

// judge checks an error of the store. It reports whether work can go on.
func (r *faultRun) judge(err error) (goOn bool, wrong error) {
	var failed *failedCall
	if !r.fired || !errors.As(err, &failed) {
		return false, err
	}
	down := errors.Is(err, queue.ErrStoreFailed)
	switch uncertain := errors.Is(err, queue.ErrUncertain); {
	case failed.call == "Append" && (!down || uncertain),
		failed.call == "Wait" && (!down || !uncertain),
		!down && !errors.Is(err, r.trouble.fault.Err) && !isDamage(err):
		return false, fmt.Errorf("a failing disk made %w", err)
	}
	if down && r.trouble.once && r.opener.spares {
		return false, fmt.Errorf("the store failed because a file could not be made once: %w", err)
	}
	switch failed.call {
	case "Open, after a clean close", "Close":
		r.over = true
		return false, r.reopened()
	}
	if !down && !r.trouble.forever && failed.call != "Attach" {
		// A read failed, and the store goes on. A failed Attach would leave the
		// worker in doubt about the queue's number.
		return true, nil
	}
	return false, r.failed(down)
}

// isDamage reports whether an error is one about damage, as what can't be read is.
func isDamage(err error) bool {
	var damage *filestore.DamageError
	return errors.As(err, &damage) && damage.File != "" && damage.Reason != ""
}

// failed checks a store that has failed: what it has can still be read, what was
// durable is said to be, and nothing new is taken.
func (r *faultRun) failed(down bool) error {
	r.over = true
	w := r.w
	if down {
		if _, err := w.store.Append(&queue.Batch{Now: w.now, Meta: []queue.Meta{{Name: "x"}}}); !errors.Is(err, queue.ErrStoreFailed) || errors.Is(err, queue.ErrUncertain) {
			return fmt.Errorf("Append to a failed store: %w", err)
		}
	}
	for _, q := range w.latest.sorted() {
		if !w.attached[q.name] {
			continue
		}
		got, err := w.store.Load(w.ctx, q.number, 0, q.next, nil)
		if err == nil {
			err = q.checkLoaded(got, 0, q.next)
		}
		if err != nil {
			return fmt.Errorf("after the failure: %w", err)
		}
	}
	if _, err := w.store.Meta(w.ctx); err != nil {
		return fmt.Errorf("Meta after the failure: %w", err)
	}
	if err := w.store.Wait(0, queue.Durable); err != nil {
		return fmt.Errorf("waiting for what was durable long ago: %w", err)
	}
	return r.aftermath()
}

// aftermath ends the process or the machine and opens the store again.
func (r *faultRun) aftermath() error {
	r.over = true
	random := rand.New(rand.NewPCG(r.seed, uint64(r.nth)))
	for _, choice := range []crashdisk.Choice{
		{Mode: crashdisk.Restart}, {Mode: crashdisk.Lost}, {Mode: crashdisk.Torn, Seed: random.Uint64()},
	} {
		r.total.crashes++
		if err := r.recover(r.disk.Crash(choice)); err != nil {
			return at(fmt.Sprintf("then crash (%v)", choice), err)
		}
	}
	_ = r.w.store.Close() // of a failed store, says so
	return r.reopened()
}

// reopened opens the store in the same process, whether or not Close was able to
// do anything.
func (r *faultRun) reopened() error {
	if err := r.recover(r.disk); err != nil {
		return at("then opened again in the same process", err)
	}
	return nil
}

// recover opens the store on d, and makes sure that what is found is there for
// good: also what a failed sync has left in doubt.
func (r *faultRun) recover(d *crashdisk.Disk) error {
	st, err := r.opener.open(r.ctx, d)
	if err != nil {
		return fmt.Errorf("opening: %w", err)
	}
	h := r.w.history
	seen, err := look(r.ctx, st, h.kinds())
	if err != nil {
		return err
	}
	n, _, err := h.match(seen, h.durable, h.end())
	if err != nil {
		return err
	}
	after, err := r.opener.open(r.ctx, d.Crash(crashdisk.Choice{Mode: crashdisk.Lost}))
	if err != nil {
		return at("crash right after recovery", fmt.Errorf("opening: %w", err))
	}
	if seen, err = look(r.ctx, after, h.kinds()); err == nil {
		_, _, err = h.match(seen, n, n)
	}
	if err != nil {
		return at("crash right after recovery", err)
	}
	r.total.matched += 2
	return nil
}

// campaignFaults lets operation 0, 1, 2, ... fail until a run succeeds.
func campaignFaults(ctx context.Context, o opener, tr trouble, seed uint64, steps int) (total tally, err error) {
	total.runs = 1
	for nth := 0; ; nth++ {
		r := &faultRun{ctx: ctx, opener: o, trouble: tr, nth: nth, seed: seed, total: &total}
		fired, err := r.run(steps)
		if err != nil {
			return total, fmt.Errorf("seed %d, %s, operation %d:\n  %w", seed, tr.name, nth, err)
		}
		if !fired {
			return total, nil
		}
		total.points++
	}
}

// An operation that fails is told to whoever waits for what it was part of, and
// to all who come later. What was reported durable before is there after the
// store was opened again.
func TestCampaignFaults(t *testing.T) {
	t.Parallel()
	for _, tr := range troubles {
		t.Run(tr.name, func(t *testing.T) {
			t.Parallel()
			var total tally
			began := time.Now()
			for i := 0; i < 2 || *crashTime > 0 && time.Since(began) < *crashTime; i++ {
				seed := *crashSeed + uint64(i)
				one, err := campaignFaults(t.Context(), openEither(filestore.LoseNothing, seed), tr, seed, 50)
				total.add(one)
				if err != nil {
					t.Fatal(err)
				}
			}
			t.Logf("%d failing operations in %d runs, %v", total.points, total.runs, time.Since(began).Round(time.Millisecond))
		})
	}
}

// The small store does as it should, but for the doubt that a failed sync leaves.
func TestCampaignFaultsAcceptsWhatIsRight(t *testing.T) {
	t.Parallel()
	for _, tr := range troubles {
		total, err := campaignFaults(t.Context(), openSmall(flawless), tr, 1, 30)
		if err != nil {
			t.Error(err)
		}
		t.Logf("%s: %d failing operations", tr.name, total.points)
	}
}
