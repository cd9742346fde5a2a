package filestore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/filestore"
	"github.com/restantemq/restante/queue/filestore/internal/disk/crashdisk"
)

// A harm is done to one file of a store that was closed in good order.
type harm struct {
	file string
	what string
	at   int64 // damage is reported here or before

	// loose says that the file can't be recognised any more: another may be
	// named instead.
	loose bool
	do    func(*crashdisk.Disk)
}

// A damageReport counts what came of harms.
type damageReport struct {
	harmless, named, refused int
}

// churned returns a store that was closed after more than ten times the size of
// a segment went through it, and what is in it.
func churned(ctx context.Context, o opener, seed uint64) (*crashdisk.Disk, *image, error) {
	d := crashdisk.New()
	t := trades()[seed%uint64(len(trades()))]
	w, err := startWorker(ctx, o, d, newHistory(newImage()), t, rand.New(rand.NewPCG(seed, 0)))
	if err != nil {
		return nil, nil, err
	}
	for w.fresh < 12*64<<10 {
		if err := w.work(20); err != nil {
			return nil, nil, err
		}
	}
	if err := w.reopen(); err != nil {
		return nil, nil, err
	}
	if err := w.work(10); err != nil {
		return nil, nil, err
	}
	return d, w.latest, w.store.Close()
}

// files returns the names and lengths of the files of a disk.
func files(d *crashdisk.Disk) (names []string, sizes map[string]int64) {
	names, err := d.List()
	if err != nil {
		panic(err)
	}
	sizes = map[string]int64{}
	for _, name := range names {
		d.Edit(name, func(b []byte) []byte {
			sizes[name] = int64(len(b))
			return b
		})
	}
	return names, sizes
}

func flip(file string, at int64, bit int) harm {
	return harm{file: file, what: fmt.Sprintf("bit %d of byte %d flipped", bit, at), at: at, do: func(d *crashdisk.Disk) {
		d.Edit(file, func(b []byte) []byte {
			b[at] ^= 1 << bit
			return b
		})
	}}
}

func cut(file string, size, to int64) harm {
	return harm{file: file, what: fmt.Sprintf("cut to %d of %d bytes", to, size), at: size, loose: true, do: func(d *crashdisk.Disk) {
		d.Edit(file, func(b []byte) []byte { return b[:to] })
	}}
}

func zeros(file string, size, from, to int64) harm {
	return harm{file: file, what: fmt.Sprintf("bytes %d to %d of %d are zero", from, to, size), at: to, loose: from == 0 && to == size, do: func(d *crashdisk.Disk) {
		d.Edit(file, func(b []byte) []byte {
			clear(b[from:to])
			return b
		})
	}}
}

func without(file string, size int64) harm {
	return harm{file: file, what: "removed", at: size, loose: true, do: func(d *crashdisk.Disk) {
		if err := d.Remove(file); err != nil {
			panic(err)
		}
	}}
}

// harms makes n of them up, after those that are always tried.
func harms(d *crashdisk.Disk, n int, random *rand.Rand) []harm {
	names, sizes := files(d)
	var hs []harm
	var total int64
	newest := ""
	for _, name := range names {
		if strings.HasSuffix(name, ".seg") && !strings.HasPrefix(name, "free") {
			newest = name // they are in order
		}
	}
	for _, name := range names {
		size := sizes[name]
		total += size
		for _, to := range []int64{0, 1, 63, 64, 72, 4096, size / 2, size - 1} {
			if to >= 0 && to < size {
				hs = append(hs, cut(name, size, to))
			}
		}
		if name != newest && size > 0 { // nothing would tell that there was more
			hs = append(hs, without(name, size), zeros(name, size, 0, min(4096, size)), zeros(name, size, 0, size))
		}
	}
	// anywhere returns a byte, more often near the beginning of a file.
	anywhere := func() (string, int64) {
		at := random.Int64N(total)
		for _, name := range names {
			if at < sizes[name] {
				if random.IntN(4) == 0 {
					at = random.Int64N(min(256, sizes[name]))
				}
				return name, at
			}
			at -= sizes[name]
		}
		panic("no file")
	}
	for range n {
		name, at := anywhere()
		switch size := sizes[name]; {
		case random.IntN(8) == 0:
			hs = append(hs, cut(name, size, at))
		case random.IntN(8) == 0 && name != newest:
			hs = append(hs, zeros(name, size, at, min(size, at+1+random.Int64N(5000))))
		default:
			hs = append(hs, flip(name, at, random.IntN(8)))
		}
	}
	return hs
}

// suffer opens a store on damaged files. Everything must be there and as it was,
// or an error must name the file and the place.
func suffer(ctx context.Context, o opener, d *crashdisk.Disk, h harm, want *image, r *damageReport) error {
	st, err := o.open(ctx, d)
	if err != nil {
		r.refused++
		return h.mustName(d, err)
	}
	defer st.Close()
	seen := &sighting{queues: map[string]*seenQueue{}}
	damaged := false
	for _, q := range want.sorted() {
		found, err := st.Attach(ctx, q.name, q.kind)
		if err != nil {
			if err := h.mustName(d, err); err != nil {
				return err
			}
			damaged = true
			continue
		}
		records, err := st.Load(ctx, found.Queue, 0, found.Next, nil)
		for i := range records {
			if w, ok := q.records[records[i].Seq]; !ok || w != records[i] {
				return fmt.Errorf("queue %q: record %d was never written so, or was deleted: %s", q.name, records[i].Seq, brief(&records[i]))
			}
		}
		if err != nil {
			if err := h.mustName(d, err); err != nil {
				return err
			}
			damaged = true
			continue
		}
		seen.queues[q.name] = &seenQueue{kind: q.kind, recovery: found, records: records}
		if d := q.differs(seen.queues[q.name], want.now); d != "" {
			return fmt.Errorf("queue %q: no error, but %s", q.name, d)
		}
	}
	if seen.meta, err = st.Meta(ctx); err != nil {
		if err := h.mustName(d, err); err != nil {
			return err
		}
		damaged = true
	}
	if damaged {
		r.named++
		return nil
	}
	r.harmless++
	if d := want.differs(seen); d != "" {
		return fmt.Errorf("no error, but %s", d)
	}
	return nil
}

// mustName checks that an error names the file that was harmed, and where.
func (h harm) mustName(d *crashdisk.Disk, err error) error {
	var damage *filestore.DamageError
	switch {
	case !errors.As(err, &damage) || !errors.Is(err, queue.ErrStoreCorrupt):
		return fmt.Errorf("the error is no DamageError: %w", err)
	case h.loose: // what tells that there was more may be another file
	case damage.File != d.Path(h.file):
		return fmt.Errorf("the error names the wrong file, the damage is in %s: %w", h.file, err)
	case damage.Offset < 0 || damage.Offset > h.at:
		return fmt.Errorf("the error names offset %d, the damage is at %d: %w", damage.Offset, h.at, err)
	case damage.Reason == "":
		return fmt.Errorf("the error gives no reason: %w", err)
	}
	return nil
}

// A bit that flips or a file that is cut, wherever, after the store was closed:
// everything is there, or an error says which file is damaged, and where.
// Nothing is missing in silence, and nothing comes that was not written.
func TestCampaignDamage(t *testing.T) {
	t.Parallel()
	began := time.Now()
	var r damageReport
	tried := 0
	for i := 0; i < 3 || *crashTime > 0 && time.Since(began) < *crashTime; i++ {
		seed := *crashSeed + uint64(i)
		o := openEither(filestore.LoseNothing, seed)
		d, want, err := churned(t.Context(), o, seed)
		require.NoError(t, err)
		random := rand.New(rand.NewPCG(seed, 2))
		for _, h := range harms(d, 500, random) {
			tried++
			harmed := d.Crash(crashdisk.Choice{Mode: crashdisk.Kept})
			h.do(harmed)
			if err := suffer(t.Context(), o, harmed, h, want, &r); err != nil {
				t.Fatalf("seed %d, file %s, %s: %v", seed, h.file, h.what, err)
			}
		}
	}
	t.Logf("%d kinds of damage, in %v: everything there in %d, refused by Open %d, named later %d",
		tried, time.Since(began).Round(time.Millisecond), r.harmless, r.refused, r.named)
	if r.named+r.refused == 0 || r.harmless == 0 {
		t.Error("the test has not damaged what it should")
	}
}

// After a crash nothing but the last commit group may be cut off: damage in
// front of it is named, though the file was not closed.
func TestCampaignDamageBehindACrash(t *testing.T) {
	t.Parallel()
	began := time.Now()
	var r damageReport
	tried := 0
	for i := 0; i < 3 || *crashTime > 0 && time.Since(began) < *crashTime; i++ {
		seed := *crashSeed + uint64(i)
		o := openEither(filestore.LoseNothing, seed)
		random := rand.New(rand.NewPCG(seed, 3))
		d := crashdisk.New()
		w, err := startWorker(t.Context(), o, d, newHistory(newImage()), trades()[seed%uint64(len(trades()))], rand.New(rand.NewPCG(seed, 0)))
		require.NoError(t, err)
		require.NoError(t, w.work(60))
		require.NoError(t, w.wait(w.last, queue.Durable))
		certain := w.latest.clone()
		// A later group, so that what came before was durable when it was written.
		require.NoError(t, w.meta())
		require.NoError(t, w.wait(w.last, queue.Durable))
		d = d.Crash(crashdisk.Choice{Mode: crashdisk.Lost})
		for _, h := range harms(d, 300, random) {
			if !strings.Contains(h.what, "flipped") {
				continue
			}
			tried++
			harmed := d.Crash(crashdisk.Choice{Mode: crashdisk.Kept})
			h.do(harmed)
			want := w.latest
			err := suffer(t.Context(), o, harmed, h, want, &r)
			if err != nil && r.lastGroupOnly(t.Context(), o, d, h, certain) {
				err = nil
			}
			if err != nil {
				t.Fatalf("seed %d, file %s, %s: %v", seed, h.file, h.what, err)
			}
		}
	}
	t.Logf("%d kinds of damage, in %v: everything there in %d, refused by Open %d, named later %d",
		tried, time.Since(began).Round(time.Millisecond), r.harmless, r.refused, r.named)
}

// lastGroupOnly reports whether all but the latest commit is there: damage in the
// last group can't be told from a torn write.
func (r *damageReport) lastGroupOnly(ctx context.Context, o opener, d *crashdisk.Disk, h harm, certain *image) bool {
	harmed := d.Crash(crashdisk.Choice{Mode: crashdisk.Kept})
	h.do(harmed)
	return suffer(ctx, o, harmed, h, certain, r) == nil
}
