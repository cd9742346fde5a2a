package crashdisk

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/filestore/internal/disk"
)

// seeds is how many seeds a test of a random mode tries; it counts what they do.
const seeds = 400

func create(t *testing.T, d *Disk, name string, size int64) disk.File {
	t.Helper()
	f, err := d.Create(name, size)
	require.NoError(t, err)
	return f
}

// created makes a file whose entry and zeros are certain.
func created(t *testing.T, d *Disk, name string, size int64) disk.File {
	t.Helper()
	f := create(t, d, name, size)
	require.NoError(t, f.Sync())
	require.NoError(t, d.SyncDir())
	return f
}

func write(t *testing.T, f disk.File, off int64, p []byte) {
	t.Helper()
	n, err := f.WriteAt(p, off)
	require.NoError(t, err)
	require.Equal(t, len(p), n)
}

func sectors(b byte, n int) []byte { return bytes.Repeat([]byte{b}, n*sector) }

// contents reads a file, nil if there is none.
func contents(t *testing.T, d *Disk, name string) []byte {
	t.Helper()
	f, err := d.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	require.NoError(t, err)
	size, err := f.Size()
	require.NoError(t, err)
	b := make([]byte, size)
	if size > 0 {
		_, err = f.ReadAt(b, 0)
		require.NoError(t, err)
	}
	return b
}

func names(t *testing.T, d *Disk) string {
	t.Helper()
	list, err := d.List()
	require.NoError(t, err)
	return strings.Join(list, " ")
}

// outcomes returns what a crash can leave, as look sees it, and how often.
func outcomes(d *Disk, m Mode, look func(*Disk) string) map[string]int {
	seen := map[string]int{}
	for seed := range uint64(seeds) {
		seen[look(d.Crash(Choice{m, seed}))]++
	}
	return seen
}

func TestSyncedSurvivesEveryCrash(t *testing.T) {
	d := New()
	f := created(t, d, "a", 8*sector)
	write(t, f, 100, []byte("letter"))
	require.NoError(t, f.Sync())
	for _, m := range Modes() {
		for seed := range uint64(50) {
			got := contents(t, d.Crash(Choice{m, seed}), "a")
			require.Equal(t, "letter", string(got[100:106]), "%v", m)
			require.Len(t, got, 8*sector)
		}
	}
}

func TestUnsyncedWriteIsForgotten(t *testing.T) {
	d := New()
	f := created(t, d, "a", 4*sector)
	write(t, f, 0, sectors('1', 4))
	require.NoError(t, f.Sync())
	write(t, f, sector, sectors('2', 2))

	assert.Equal(t, sectors('1', 4), contents(t, d.Crash(Choice{Mode: Lost}), "a"))
	kept := slices.Concat(sectors('1', 1), sectors('2', 2), sectors('1', 1))
	assert.Equal(t, kept, contents(t, d.Crash(Choice{Mode: Kept}), "a"))
	assert.Equal(t, kept, contents(t, d.Crash(Choice{Mode: Restart}), "a"))
	assert.Equal(t, kept, contents(t, d, "a"), "a crash is a copy")
}

func TestSectorsOfAWriteGoTheirOwnWays(t *testing.T) {
	d := New()
	f := created(t, d, "a", 3*sector)
	write(t, f, 0, sectors('x', 3))
	seen := outcomes(d, Random, func(d *Disk) string {
		b := contents(t, d, "a")
		return strings.ReplaceAll(string([]byte{b[0], b[sector], b[2*sector]}), "\x00", "-")
	})
	assert.ElementsMatch(t, []string{"---", "--x", "-x-", "-xx", "x--", "x-x", "xx-", "xxx"}, slices.Collect(maps.Keys(seen)))
}

// Two writes of the same sector: the disk may have neither, the first or the
// second. Of two sectors, the younger write alone may be there.
func TestWritesAreReordered(t *testing.T) {
	d := New()
	f := created(t, d, "a", 2*sector)
	write(t, f, 0, []byte("1"))
	write(t, f, 0, []byte("2"))
	write(t, f, sector, []byte("3"))
	look := func(d *Disk) string {
		b := contents(t, d, "a")
		return strings.ReplaceAll(string([]byte{b[0], b[sector]}), "\x00", "-")
	}
	seen := outcomes(d, Random, look)
	assert.ElementsMatch(t, []string{"--", "1-", "2-", "-3", "13", "23"}, slices.Collect(maps.Keys(seen)))
	assert.Equal(t, "-3", look(d.Crash(Choice{Mode: Newest})))
}

func TestFilesAreReordered(t *testing.T) {
	d := New()
	a, b := created(t, d, "a", sector), created(t, d, "b", sector)
	write(t, a, 0, []byte("1"))
	write(t, b, 0, []byte("2"))
	seen := outcomes(d, Random, func(d *Disk) string {
		return strings.ReplaceAll(string(contents(t, d, "a")[:1])+string(contents(t, d, "b")[:1]), "\x00", "-")
	})
	assert.ElementsMatch(t, []string{"--", "1-", "-2", "12"}, slices.Collect(maps.Keys(seen)))
}

func TestWritesAreTorn(t *testing.T) {
	d := New()
	f := created(t, d, "a", sector)
	write(t, f, 0, sectors('1', 1))
	require.NoError(t, f.Sync())
	write(t, f, 100, bytes.Repeat([]byte("2"), 300))

	torn := map[int]bool{}
	for seed := range uint64(seeds) {
		b := contents(t, d.Crash(Choice{Torn, seed}), "a")
		n := bytes.Count(b, []byte("2"))
		want := slices.Concat(bytes.Repeat([]byte("1"), 100), bytes.Repeat([]byte("2"), n), bytes.Repeat([]byte("1"), sector-100-n))
		require.Equal(t, want, b, "a torn write is a beginning of it, and nothing beside it changes")
		torn[n] = true
		whole := bytes.Count(contents(t, d.Crash(Choice{Random, seed}), "a"), []byte("2"))
		require.Contains(t, []int{0, 300}, whole, "Random does not tear")
	}
	assert.Greater(t, len(torn), 20, "lengths of what was written of a sector")
}

func TestSyncCoversItsOwnFileOnly(t *testing.T) {
	d := New()
	a, b := created(t, d, "a", sector), created(t, d, "b", sector)
	write(t, a, 0, []byte("1"))
	write(t, b, 0, []byte("2"))
	require.NoError(t, a.Sync())
	after := d.Crash(Choice{Mode: Lost})
	assert.Equal(t, byte('1'), contents(t, after, "a")[0])
	assert.Equal(t, byte(0), contents(t, after, "b")[0])
}

func TestLengthIsForgotten(t *testing.T) {
	d := New()
	create(t, d, "a", 4*sector)
	require.NoError(t, d.SyncDir())
	assert.NotNil(t, contents(t, d.Crash(Choice{Mode: Lost}), "a"), "the entry was synced")
	assert.Empty(t, contents(t, d.Crash(Choice{Mode: Lost}), "a"), "the length was not")

	lengths := outcomes(d, Torn, func(d *Disk) string {
		n := len(contents(t, d, "a"))
		switch {
		case n == 0:
			return "none"
		case n == 4*sector:
			return "all"
		}
		return "part"
	})
	assert.Len(t, lengths, 3)

	g := created(t, d, "b", sector)
	write(t, g, sector, sectors('x', 1))
	assert.Len(t, contents(t, d, "b"), 2*sector)
	assert.Len(t, contents(t, d.Crash(Choice{Mode: Lost}), "b"), sector)
	require.NoError(t, g.Sync())
	assert.Equal(t, slices.Concat(make([]byte, sector), sectors('x', 1)), contents(t, d.Crash(Choice{Mode: Lost}), "b"))
}

func TestUnwrittenBytesMayHoldARemovedFile(t *testing.T) {
	d := New()
	write(t, created(t, d, "old", sector), 0, sectors('o', 1))
	require.NoError(t, d.Remove("old"))
	create(t, d, "new", sector)
	require.NoError(t, d.SyncDir())
	seen := outcomes(d, Torn, func(d *Disk) string {
		return string(bytes.TrimRight(contents(t, d, "new"), "\x00"))
	})
	assert.Contains(t, slices.Collect(maps.Keys(seen)), string(sectors('o', 1)))
	f, err := d.Open("new")
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	seen = outcomes(d, Torn, func(d *Disk) string { return string(contents(t, d, "new")) })
	assert.Equal(t, map[string]int{string(make([]byte, sector)): seeds}, seen, "after a sync they are zero")
}

func TestEntriesAreForgotten(t *testing.T) {
	d := New()
	created(t, d, "old", 0)
	created(t, d, "gone", 0)
	require.NoError(t, create(t, d, "new", 0).Sync())
	require.NoError(t, d.Rename("old", "renamed"))
	require.NoError(t, d.Remove("gone"))

	assert.Equal(t, "new renamed", names(t, d))
	assert.Equal(t, "gone old", names(t, d.Crash(Choice{Mode: Lost})), "a synced file without an entry vanishes")
	assert.Equal(t, "new renamed", names(t, d.Crash(Choice{Mode: Kept})))
	assert.Equal(t, "old", names(t, d.Crash(Choice{Mode: Newest})))
	look := func(d *Disk) string { return names(t, d) }
	seen := outcomes(d, Random, look)
	assert.ElementsMatch(t, []string{
		"gone old", "old", "gone renamed", "renamed",
		"gone new old", "new old", "gone new renamed", "new renamed",
	}, slices.Collect(maps.Keys(seen)), "each change happened or not")
	assert.Contains(t, slices.Collect(maps.Keys(outcomes(d, Halved, look))), "old renamed", "both names are left")
	assert.NotContains(t, slices.Collect(maps.Keys(outcomes(d, Torn, look))), "old renamed", "a rename happened or not")

	require.NoError(t, d.SyncDir())
	for _, m := range Modes() {
		assert.Equal(t, "new renamed", names(t, d.Crash(Choice{m, 1})), "%v after SyncDir", m)
	}
}

func TestRenameReplacesOrIsUndone(t *testing.T) {
	d := New()
	for _, name := range []string{"a", "b"} {
		f := created(t, d, name, 1)
		write(t, f, 0, []byte(name))
		require.NoError(t, f.Sync())
	}
	require.NoError(t, d.Rename("a", "b"))
	assert.Equal(t, "a", string(contents(t, d, "b")))
	lost := d.Crash(Choice{Mode: Lost})
	assert.Equal(t, "a", string(contents(t, lost, "a")))
	assert.Equal(t, "b", string(contents(t, lost, "b")), "what was replaced is back")
}

// As POSIX has it: if both are names of one file already, nothing happens.
func TestRenameToItself(t *testing.T) {
	d := New()
	created(t, d, "a", 1)
	require.NoError(t, d.Rename("a", "b"))
	for seed := range uint64(seeds) {
		after := d.Crash(Choice{Halved, seed})
		if names(t, after) == "a b" {
			require.NoError(t, after.Rename("a", "b"))
			require.Equal(t, "a b", names(t, after))
			return
		}
	}
	t.Error("no crash left both names")
}

// The process ends and the machine goes on: what it has written is there, and a
// loss of power still takes it.
func TestRestartMakesNothingCertain(t *testing.T) {
	d := New()
	f := created(t, d, "a", sector)
	write(t, f, 0, []byte("1"))
	create(t, d, "b", 0)
	again := d.Crash(Choice{Mode: Restart})
	assert.Equal(t, byte('1'), contents(t, again, "a")[0])
	assert.Equal(t, "a b", names(t, again))
	lost := again.Crash(Choice{Mode: Lost})
	assert.Equal(t, byte(0), contents(t, lost, "a")[0])
	assert.Equal(t, "a", names(t, lost))

	// What the next process does is nothing to the disk before.
	g, err := again.Open("a")
	require.NoError(t, err)
	write(t, g, 0, []byte("2"))
	require.NoError(t, g.Sync())
	assert.Equal(t, byte('1'), contents(t, d, "a")[0])
	assert.Equal(t, byte('2'), contents(t, again.Crash(Choice{Mode: Lost}), "a")[0])
}

func TestSameSeedSameCrash(t *testing.T) {
	d := New()
	a, b := created(t, d, "a", 64*sector), create(t, d, "b", 64*sector)
	write(t, a, 77, sectors('x', 50))
	write(t, b, 99, sectors('y', 50))
	require.NoError(t, d.Rename("a", "c"))
	for seed := range uint64(50) {
		one, two := d.Crash(Choice{Torn, seed}), d.Crash(Choice{Torn, seed})
		require.Equal(t, names(t, one), names(t, two))
		for _, name := range []string{"a", "b", "c"} {
			require.Equal(t, contents(t, one, name), contents(t, two, name))
		}
	}
}

func TestBeforeSeesEachOperation(t *testing.T) {
	d := New()
	var seen []string
	d.Before(func(op Op) Fault {
		seen = append(seen, op.String())
		return Fault{}
	})
	f := created(t, d, "a", 8)
	write(t, f, 2, []byte("xyz"))
	_, err := f.ReadAt(make([]byte, 4), 1)
	require.NoError(t, err)
	require.NoError(t, d.Rename("a", "b"))
	require.NoError(t, d.Remove("b"))
	_, err = f.Size()
	require.NoError(t, err)
	require.NoError(t, f.Close())
	_, err = d.Lock()
	require.NoError(t, err)
	assert.Equal(t, []string{
		"#0 Create a", "#1 Sync a", "#2 SyncDir", "#3 Write a [2, 5)", "#4 Read a [1, 5)",
		"#5 Rename a to b", "#6 Remove b", "#7 Size a", "#8 Close a", "#9 Lock",
	}, seen)
	assert.Equal(t, 10, d.Ops())
}

func TestCrashInsideBefore(t *testing.T) {
	d := New()
	var left []string
	d.Before(func(Op) Fault {
		left = append(left, names(t, d.Crash(Choice{Mode: Kept})))
		return Fault{}
	})
	create(t, d, "a", 0)
	require.NoError(t, d.Rename("a", "b"))
	require.NoError(t, d.Remove("b"))
	assert.Equal(t, []string{"", "a", "b"}, left)
}

// failing makes operation n of d fail.
func failing(d *Disk, n int, f Fault) {
	d.Before(func(op Op) Fault {
		if op.N == n {
			return f
		}
		return Fault{}
	})
}

func TestFaults(t *testing.T) {
	operations := []func(*Disk, disk.File) error{
		func(d *Disk, _ disk.File) error { _, err := d.Open("a"); return err },
		func(d *Disk, _ disk.File) error { _, err := d.Create("b", 1); return err },
		func(d *Disk, _ disk.File) error { return d.Rename("a", "b") },
		func(d *Disk, _ disk.File) error { return d.Remove("a") },
		func(d *Disk, _ disk.File) error { _, err := d.List(); return err },
		func(d *Disk, _ disk.File) error { return d.SyncDir() },
		func(d *Disk, _ disk.File) error { _, err := d.Lock(); return err },
		func(_ *Disk, f disk.File) error { _, err := f.ReadAt(make([]byte, 1), 0); return err },
		func(_ *Disk, f disk.File) error { _, err := f.WriteAt([]byte("x"), 0); return err },
		func(_ *Disk, f disk.File) error { return f.Sync() },
		func(_ *Disk, f disk.File) error { _, err := f.Size(); return err },
		func(_ *Disk, f disk.File) error { return f.Close() },
	}
	for i, operate := range operations {
		d := New()
		f := created(t, d, "a", 1)
		failing(d, d.Ops(), Fault{Err: syscall.EIO})
		assert.ErrorIs(t, operate(d, f), syscall.EIO, "operation %d", i)
		assert.Equal(t, "a", names(t, d), "operation %d", i)
		assert.Equal(t, []byte{0}, contents(t, d, "a"), "operation %d", i)
		assert.NoError(t, operate(d, f), "operation %d, again", i)
	}
}

func TestShortWrite(t *testing.T) {
	d := New()
	f := created(t, d, "a", 4)
	failing(d, d.Ops(), Fault{Err: syscall.ENOSPC, Short: 2})
	n, err := f.WriteAt([]byte("abcd"), 0)
	assert.ErrorIs(t, err, syscall.ENOSPC)
	assert.Equal(t, 2, n)
	assert.Equal(t, "ab\x00\x00", string(contents(t, d, "a")))
}

// After a sync that failed, reads see what was written, and no later sync makes
// it certain.
func TestFailedSyncIsNeverMadeGood(t *testing.T) {
	d := New()
	f := created(t, d, "a", 64*sector)
	write(t, f, 0, sectors('x', 64))
	failing(d, d.Ops(), Fault{Err: syscall.EIO})
	require.ErrorIs(t, f.Sync(), syscall.EIO)
	require.NoError(t, f.Sync())
	assert.Equal(t, sectors('x', 64), contents(t, d, "a"))
	after := contents(t, d.Crash(Choice{Mode: Kept}), "a")
	assert.NotEqual(t, sectors('x', 64), after)

	write(t, f, 0, sectors('y', 64))
	require.NoError(t, f.Sync())
	assert.Equal(t, sectors('y', 64), contents(t, d.Crash(Choice{Mode: Lost}), "a"), "what is written anew is")
}

func TestHeldSyncs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New()
		f := created(t, d, "a", 2*sector)
		write(t, f, 0, []byte("1"))
		create(t, d, "b", 0)
		release := d.HoldSyncs()
		done := make(chan error, 2)
		go func() { done <- f.Sync() }()
		go func() { done <- d.SyncDir() }()
		synctest.Wait()
		assert.Empty(t, done)
		assert.Equal(t, 2, d.Holding())
		write(t, f, sector, []byte("2"))
		create(t, d, "c", 0)
		lost := d.Crash(Choice{Mode: Lost})
		assert.Equal(t, "a", names(t, lost))
		assert.Equal(t, byte(0), contents(t, lost, "a")[0])

		release()
		require.NoError(t, <-done)
		require.NoError(t, <-done)
		lost = d.Crash(Choice{Mode: Lost})
		assert.Equal(t, "a b", names(t, lost), "made before the sync began")
		assert.Equal(t, byte('1'), contents(t, lost, "a")[0])
		assert.Equal(t, byte(0), contents(t, lost, "a")[sector], "written after the sync had begun")
		require.NoError(t, f.Sync())
		assert.Equal(t, byte('2'), contents(t, d.Crash(Choice{Mode: Lost}), "a")[sector])
	})
}

func TestKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New()
		f := created(t, d, "a", 1)
		write(t, f, 0, []byte("1"))
		d.HoldSyncs()
		done := make(chan error, 1)
		go func() { done <- f.Sync() }()
		synctest.Wait()
		d.Kill()
		assert.ErrorIs(t, <-done, ErrDead)
		_, err := f.WriteAt([]byte("2"), 0)
		assert.ErrorIs(t, err, ErrDead)
		assert.ErrorIs(t, d.Remove("a"), ErrDead)
		assert.Equal(t, "1", string(contents(t, d.Crash(Choice{Mode: Kept}), "a")))
		assert.Equal(t, "\x00", string(contents(t, d.Crash(Choice{Mode: Lost}), "a")))
	})
}

func TestCapacity(t *testing.T) {
	d := New()
	d.SetCapacity(100)
	f := create(t, d, "a", 60)
	_, err := d.Create("b", 41)
	require.ErrorIs(t, err, syscall.ENOSPC)
	free, known := d.Free()
	assert.Equal(t, int64(40), free)
	assert.True(t, known)
	assert.Equal(t, "a", names(t, d))
	write(t, f, 0, make([]byte, 60)) // it is allocated
	_, err = f.WriteAt(make([]byte, 41), 60)
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NoError(t, d.Remove("a"))
	create(t, d, "b", 100)
	d.SetCapacity(1000)
	d.SetQuota(150)
	_, err = d.Create("c", 51)
	require.ErrorIs(t, err, syscall.EDQUOT)
	free, _ = d.Free()
	assert.Equal(t, int64(900), free)
	_, err = d.Crash(Choice{Mode: Kept}).Create("c", 51)
	require.ErrorIs(t, err, syscall.EDQUOT)
	d.HideFree()
	_, known = d.Free()
	assert.False(t, known)
}

func TestUnsynced(t *testing.T) {
	d := New()
	assert.False(t, d.Unsynced())
	f := create(t, d, "a", 1)
	assert.True(t, d.Unsynced())
	require.NoError(t, f.Sync())
	assert.True(t, d.Unsynced(), "its entry is not certain")
	assert.False(t, d.Dirty("a"))
	require.NoError(t, d.SyncDir())
	assert.False(t, d.Unsynced())
	write(t, f, 0, []byte("x"))
	assert.True(t, d.Unsynced())
	assert.True(t, d.Dirty("a"))
	assert.True(t, d.Crash(Choice{Mode: Restart}).Unsynced())
	assert.False(t, d.Crash(Choice{Mode: Lost}).Unsynced())
	require.NoError(t, f.Sync())
	assert.False(t, d.Unsynced())
}

func TestLock(t *testing.T) {
	d := New()
	unlock, err := d.Lock()
	require.NoError(t, err)
	_, err = d.Lock()
	require.ErrorIs(t, err, queue.ErrStoreLocked)
	_, err = d.Crash(Choice{Mode: Restart}).Lock()
	require.NoError(t, err, "whoever held it is dead")
	require.NoError(t, unlock())
	_, err = d.Lock()
	require.NoError(t, err)
}

func TestFilesAreFiles(t *testing.T) {
	d := New()
	_, err := d.Open("a")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorIs(t, d.Rename("a", "b"), fs.ErrNotExist)
	require.ErrorIs(t, d.Remove("a"), fs.ErrNotExist)
	f := create(t, d, "a", 4)
	_, err = d.Create("a", 4)
	require.ErrorIs(t, err, fs.ErrExist)
	write(t, f, 1, []byte("bc"))
	b := make([]byte, 8)
	n, err := f.ReadAt(b, 1)
	assert.Equal(t, 3, n)
	assert.Equal(t, io.EOF, err)
	_, err = f.ReadAt(b, 4)
	assert.Equal(t, io.EOF, err)

	require.NoError(t, d.Rename("a", "b"))
	require.NoError(t, d.Remove("b"))
	_, err = f.ReadAt(b[:1], 0)
	require.NoError(t, err, "a file that has no name any more stays open")
	require.NoError(t, f.Close())
	_, err = f.WriteAt(b, 0)
	require.ErrorIs(t, err, fs.ErrClosed)
	require.ErrorIs(t, f.Close(), fs.ErrClosed)
}

func TestEdit(t *testing.T) {
	d := New()
	created(t, d, "a", 3)
	d.Edit("a", func(b []byte) []byte { return append(b[:1], 'x') })
	assert.Equal(t, "\x00x", string(contents(t, d, "a")))
	assert.Equal(t, "\x00x", string(contents(t, d.Crash(Choice{Mode: Lost}), "a")))
}
