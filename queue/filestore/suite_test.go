package filestore

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/filestore/internal/disk/crashdisk"
	"github.com/restantemq/restante/queue/queuetest"
)

// suiteDisks are the disks of a run of the suite, by place.
type suiteDisks struct {
	options Options
	at      map[string]*crashdisk.Disk
	crashes uint64
	syncs   map[*crashdisk.Disk]*int
	fail    map[*crashdisk.Disk]*bool
}

func (p *suiteDisks) open(place string) (queue.Store, error) {
	d := p.at[place]
	if d == nil {
		d = p.place(place, crashdisk.New())
	}
	s, err := open(context.Background(), d, p.options)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (p *suiteDisks) place(place string, d *crashdisk.Disk) *crashdisk.Disk {
	p.at[place] = d
	syncs, fail := new(int), new(bool)
	p.syncs[d], p.fail[d] = syncs, fail
	d.Before(func(op crashdisk.Op) crashdisk.Fault {
		if op.Kind == crashdisk.Sync {
			*syncs++
			if *fail {
				*fail = false
				return crashdisk.Fault{Err: context.DeadlineExceeded}
			}
		}
		return crashdisk.Fault{}
	})
	return d
}

func (p *suiteDisks) harness() queuetest.StoreHarness {
	diskOf := func(st queue.Store) *crashdisk.Disk { return st.(*Store).disk.(*crashdisk.Disk) }
	return queuetest.StoreHarness{
		Open: func(_ *testing.T, place string) (queue.Store, error) { return p.open(place) },
		OpenElsewhere: func(_ *testing.T, place string) error {
			st, err := p.open(place)
			if err == nil {
				err = st.Close()
			}
			return err
		},
		Crash: func(_ *testing.T, st queue.Store, place string, l queue.Level) (queue.Store, error) {
			d := p.at[place]
			c := crashdisk.Choice{Mode: crashdisk.Restart}
			if l == queue.Durable {
				p.crashes++
				modes := crashdisk.Modes()[1:]
				c = crashdisk.Choice{Mode: modes[p.crashes%uint64(len(modes))], Seed: p.crashes}
			}
			p.place(place, d.Crash(c))
			d.Kill()
			_ = st.Close()
			return p.open(place)
		},
		Fail: func(_ *testing.T, st queue.Store) { *p.fail[diskOf(st)] = true },
		Full: func(_ *testing.T, st queue.Store, full bool) {
			s, d := st.(*Store), diskOf(st)
			lock := func(f func()) {
				s.mu.Lock()
				defer s.mu.Unlock()
				f()
			}
			lock(func() { s.limits.reserve = 0 })
			if d.SetCapacity(1 << 60); full {
				d.SetCapacity(d.Used() + 12*s.options.SegmentSize) // enough for the reserve
			}
			s.provide()
			if full {
				d.SetCapacity(d.Used())
				s.provide()
				lock(func() { s.limits.reserve = s.room() - s.reserve() })
			}
		},
		Hold: func(_ *testing.T, st queue.Store) func() { return diskOf(st).HoldSyncs() },
		Syncs: func(_ *testing.T, st queue.Store) int {
			return *p.syncs[diskOf(st)]
		},
	}
}

func newSuiteDisks(o Options) *suiteDisks {
	return &suiteDisks{options: o, at: map[string]*crashdisk.Disk{}, syncs: map[*crashdisk.Disk]*int{}, fail: map[*crashdisk.Disk]*bool{}}
}

func TestStoreKeepsTheContract(t *testing.T) {
	queuetest.TestStore(t, newSuiteDisks(Options{SegmentSize: minSegmentSize}).harness())
}

func TestStoreKeepsTheContractInADirectory(t *testing.T) {
	queuetest.TestStore(t, queuetest.StoreHarness{
		Open: func(t *testing.T, place string) (queue.Store, error) { return Open(t.Context(), place, Options{}) },
		OpenElsewhere: func(t *testing.T, place string) error {
			s, err := Open(t.Context(), place, Options{})
			if err == nil {
				require.NoError(t, s.Close())
			}
			return err
		},
	})
}
