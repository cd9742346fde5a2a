package payload_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue/payload"
)

func newDirectory(t *testing.T) (*payload.Directory, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "blobs")
	d, err := payload.Dir(path)
	require.NoError(t, err)
	return d, path
}

// What every Blobs promises.
func TestBlobs(t *testing.T) {
	makers := map[string]func(*testing.T) payload.Blobs{
		"memory":    func(*testing.T) payload.Blobs { return payload.NewMemory() },
		"directory": func(t *testing.T) payload.Blobs { d, _ := newDirectory(t); return d },
	}
	for name, makes := range makers {
		t.Run(name+"/life", func(t *testing.T) { testLife(t, makes(t)) })
		t.Run(name+"/names", func(t *testing.T) { testNames(t, makes(t)) })
		t.Run(name+"/list", func(t *testing.T) { testList(t, makes(t)) })
		t.Run(name+"/context", func(t *testing.T) { testContext(t, makes(t)) })
		t.Run(name+"/concurrently", func(t *testing.T) { testConcurrently(t, makes(t)) })
	}
}

func testLife(t *testing.T, b payload.Blobs) {
	ctx, at := t.Context(), payload.Pointer{Bucket: "bucket", Key: "key"}
	_, err := b.Get(ctx, at)
	require.ErrorIs(t, err, payload.ErrBlobNotFound)
	require.NoError(t, b.Delete(ctx, at), "that there is none is no error")
	for _, body := range []string{"body", "another", "", "\x00\xff", strings.Repeat("long", 1<<20)} {
		require.NoError(t, b.Put(ctx, at, body))
		got, err := b.Get(ctx, at)
		require.NoError(t, err)
		require.True(t, got == body, "%.20q", got)
	}
	_, err = b.Get(ctx, payload.Pointer{Bucket: "other", Key: "key"})
	require.ErrorIs(t, err, payload.ErrBlobNotFound)
	require.NoError(t, b.Delete(ctx, at))
	require.NoError(t, b.Delete(ctx, at))
	_, err = b.Get(ctx, at)
	require.ErrorIs(t, err, payload.ErrBlobNotFound)
}

var oddTexts = []string{
	"a", "A", "a/b", "a/", "/a", "/", "//", ".", "..", "../..", "../../etc/passwd", `..\..`, "a.b", "a.", ".a", "con", "CON", "nul.txt", "aux",
	" ", "a ", "a b", "\n", "\x00", "\xff", "%", "%2f", "%252f", "a%2Fb", "ä", "a\u0308", "😀", "k-", "b-", "d-", "t-1", "-", "~", "*", "?", `"`, "c:", "c:/a",
	strings.Repeat("x", 199), strings.Repeat("x", 200), strings.Repeat("x", 201), strings.Repeat("x", 400),
}

func init() {
	if runtime.GOOS == "linux" { // elsewhere paths may be shorter than S3's keys
		oddTexts = append(oddTexts, strings.Repeat("x", 1024), strings.Repeat("/", 1024), strings.Repeat("x", 200)+"/"+strings.Repeat("y", 500))
	}
}

// Any text is a bucket, and any a key; each is itself alone.
func testNames(t *testing.T, b payload.Blobs) {
	ctx := t.Context()
	var all []payload.Pointer
	for _, text := range oddTexts {
		all = append(all, payload.Pointer{Bucket: "bucket", Key: text}, payload.Pointer{Bucket: text, Key: "key"})
	}
	for i, at := range all {
		require.NoError(t, b.Put(ctx, at, fmt.Sprint(i)), "%.40q", at)
	}
	for i, at := range all {
		body, err := b.Get(ctx, at)
		require.NoError(t, err, "%.40q", at)
		require.Equal(t, fmt.Sprint(i), body, "%.40q", at)
	}
	want := slices.Sorted(slices.Values(oddTexts))
	require.Equal(t, want, list(t, b))
	for _, at := range all {
		require.NoError(t, b.Delete(ctx, at))
	}
	require.Empty(t, list(t, b))
}

func testList(t *testing.T, b payload.Blobs) {
	ctx := t.Context()
	for range b.List(ctx, "nowhere", "") {
		t.Error("a bucket that isn't there has no blobs")
	}
	before := time.Now().Add(-time.Second) // the clock of a file system may be coarse
	for _, key := range []string{"eu/1", "eu/22", "us/1", "e"} {
		require.NoError(t, b.Put(ctx, payload.Pointer{Bucket: "bucket", Key: key}, key))
	}
	found := map[string]int64{}
	for blob, err := range b.List(ctx, "bucket", "eu/") {
		require.NoError(t, err)
		require.Equal(t, "bucket", blob.Bucket)
		require.True(t, blob.Modified.After(before) && !blob.Modified.After(time.Now().Add(time.Second)), "%v", blob.Modified)
		found[blob.Key] = blob.Size
	}
	require.Equal(t, map[string]int64{"eu/1": 4, "eu/22": 5}, found)
	n := 0
	for range b.List(ctx, "bucket", "") { // and no panic when the loop ends early
		n++
		break
	}
	require.Equal(t, 1, n)
	for blob, err := range b.List(ctx, "bucket", "") { // removing while it lists
		require.NoError(t, err)
		require.NoError(t, b.Delete(ctx, blob.Pointer))
	}
	require.Empty(t, list(t, b))
}

func testContext(t *testing.T, b payload.Blobs) {
	ctx, cancel := context.WithCancel(t.Context())
	at := payload.Pointer{Bucket: "bucket", Key: "key"}
	require.NoError(t, b.Put(ctx, at, "body"))
	cancel()
	require.ErrorIs(t, b.Put(ctx, at, "another"), context.Canceled)
	_, err := b.Get(ctx, at)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, b.Delete(ctx, at), context.Canceled)
	for _, err := range b.List(ctx, "bucket", "") {
		require.ErrorIs(t, err, context.Canceled)
	}
	body, err := b.Get(t.Context(), at)
	require.NoError(t, err)
	require.Equal(t, "body", body)
}

// A blob is there whole or not at all, whoever writes, reads and removes it.
func testConcurrently(t *testing.T, b payload.Blobs) {
	ctx := t.Context()
	at := payload.Pointer{Bucket: "bucket", Key: "a/key"}
	var all sync.WaitGroup
	for i := range 6 {
		body := strings.Repeat(string(rune('a'+i)), 100_000)
		all.Go(func() { // ends after so many writes
			for range 20 {
				if err := b.Put(ctx, at, body); err != nil {
					t.Error(err)
				}
				if got, err := b.Get(ctx, at); err != nil || len(got) != len(body) || strings.Trim(got, got[:1]) != "" {
					t.Errorf("a blob of %d bytes, %v", len(got), err)
				}
			}
		})
	}
	all.Wait()
	require.Equal(t, []string{"a/key"}, list(t, b))
}

// Nothing of a directory is outside of it, whatever keys are.
func TestDirectoryStaysInside(t *testing.T) {
	outer := t.TempDir()
	d, err := payload.Dir(filepath.Join(outer, "blobs"))
	require.NoError(t, err)
	for _, text := range oddTexts {
		require.NoError(t, d.Put(t.Context(), payload.Pointer{Bucket: text[:min(len(text), 255)], Key: text}, "body"))
	}
	entries, err := os.ReadDir(outer)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.NoError(t, filepath.WalkDir(outer, func(path string, e os.DirEntry, err error) error {
		require.NoError(t, err)
		require.Regexp(t, `^[a-z0-9_%-]{1,202}$`, strings.TrimPrefix(e.Name(), filepath.Base(outer)+"x"), "every name is safe on every file system")
		return nil
	}))
}

// A directory is nothing but its files: others see the same blobs.
func TestDirectoryIsShared(t *testing.T) {
	first, path := newDirectory(t)
	second, err := payload.Dir(path)
	require.NoError(t, err)
	at := payload.Pointer{Bucket: "Bucket", Key: "eu/key"}
	require.NoError(t, first.Put(t.Context(), at, "body"))
	body, err := second.Get(t.Context(), at)
	require.NoError(t, err)
	require.Equal(t, "body", body)
	text, err := os.ReadFile(filepath.Join(path, "b-%42ucket", "k-eu%2fkey"))
	require.NoError(t, err)
	require.Equal(t, "body", string(text), "a file is the body as it is")
	require.NoError(t, second.Delete(t.Context(), at))
	_, err = first.Get(t.Context(), at)
	require.ErrorIs(t, err, payload.ErrBlobNotFound)

	require.NoError(t, os.RemoveAll(filepath.Join(path, "b-%42ucket")))
	require.NoError(t, first.Put(t.Context(), at, "body"), "folders are made again")
}

// What crashed writers left is no blob, and goes after a day.
func TestTemporaryFiles(t *testing.T) {
	d, path := newDirectory(t)
	require.NoError(t, d.Put(t.Context(), payload.Pointer{Bucket: "bucket", Key: "key"}, "body"))
	young, old := filepath.Join(path, "t-young"), filepath.Join(path, "t-old")
	strange := filepath.Join(path, "b-bucket", "README")
	for _, name := range []string{young, old, strange, filepath.Join(path, "b-bucket", "k-%zz"), filepath.Join(path, "b-bucket", "k-%41%4")} {
		require.NoError(t, os.WriteFile(name, []byte("half a bo"), 0o600))
	}
	yesterday := time.Now().Add(-25 * time.Hour)
	require.NoError(t, os.Chtimes(old, yesterday, yesterday))
	require.Equal(t, []string{"key"}, list(t, d))
	_, err := payload.Dir(path)
	require.NoError(t, err)
	require.FileExists(t, young)
	require.NoFileExists(t, old)
	require.FileExists(t, strange)
}

func TestDirNeedsItsParent(t *testing.T) {
	_, err := payload.Dir(filepath.Join(t.TempDir(), "none", "blobs"))
	require.ErrorIs(t, err, os.ErrNotExist)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = payload.Dir(file)
	require.Error(t, err)
}

// A Put that fails leaves nothing behind.
func TestPutThatFails(t *testing.T) {
	d, path := newDirectory(t)
	require.NoError(t, os.WriteFile(filepath.Join(path, "b-bucket"), nil, 0o600), "a file where the bucket's folder should be")
	require.Error(t, d.Put(t.Context(), payload.Pointer{Bucket: "bucket", Key: "key"}, "body"))
	require.NoError(t, os.MkdirAll(filepath.Join(path, "b-other", "k-key", "full"), 0o700), "a folder where the blob should be")
	require.Error(t, d.Put(t.Context(), payload.Pointer{Bucket: "other", Key: "key"}, "body"))
	entries, err := os.ReadDir(path)
	require.NoError(t, err)
	require.Len(t, entries, 2)
}
