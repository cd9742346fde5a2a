package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"github.com/restantemq/restante/queue"
)

// tree makes a folder with everything that is awkward about files, and returns
// it with the paths that the walk should find.
func tree(t *testing.T) (folder string, paths []string) {
	t.Helper()
	folder = t.TempDir()
	add := func(path, content string) error {
		if runtime.GOOS == "windows" && !utf8.ValidString(path) {
			return fmt.Errorf("%q would get another name", path)
		}
		name := filepath.Join(folder, path)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			return err
		}
		paths = append(paths, path)
		return nil
	}
	for _, path := range []string{
		"plain", "with spaces in it", "täglich", "-rf", "%s %d", "back`tick",
		filepath.Join("a", "b", "c", "d", "deep"), filepath.Join("a", "b", "same"), filepath.Join("a", "same"),
	} {
		if err := add(path, "content of "+path); err != nil {
			t.Fatal(err)
		}
	}
	if err := add("empty", ""); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"new\nline", "carriage\rreturn", "bell\a\x1b[31m", "delete\x7f", "not UTF-8 \xff\xfe", "replaced \ufffd",
		"\uffff", `quote"back\slash`, filepath.Join("odd\tfolder\xff", "file"),
	} {
		if err := add(path, "odd"); err != nil {
			if runtime.GOOS == "linux" {
				t.Fatal(err)
			}
			t.Logf("left out: %v", err)
		}
	}
	// Read by the superuser, by nobody else, and compared in both cases.
	if err := os.Chmod(filepath.Join(folder, "plain"), 0); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{
		"link":    "plain",
		"loop":    ".",
		"outside": filepath.Dir(folder),
		"broken":  "nowhere",
	} {
		if err := os.Symlink(target, filepath.Join(folder, link)); err != nil {
			t.Logf("left out: %v", err)
		}
	}
	slices.Sort(paths)
	return folder, paths
}

// tampering changes messages on their way into the queue, or interrupts the run.
type tampering struct {
	jobQueue
	tamper    func(ms []queue.Message, interrupt context.CancelCauseFunc) []queue.Message
	interrupt context.CancelCauseFunc
}

func (q tampering) SendBatch(ctx context.Context, ms []queue.Message) ([]queue.Sent, error) {
	if q.tamper != nil {
		ms = q.tamper(ms, q.interrupt)
	}
	return q.jobQueue.SendBatch(ctx, ms)
}

// hash runs the program in virtual time, tampering with q's messages unless
// tamper is nil. It returns the rows printed, and fails if not all are there.
func hash(t *testing.T, folder string, q tampering) (rows map[string]string, err error) {
	t.Helper()
	var out bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		opened, openErr := openQueue(t.Context(), nil)
		if openErr != nil {
			t.Fatal(openErr)
		}
		defer opened.Close()
		ctx, interrupt := context.WithCancelCause(t.Context())
		defer interrupt(nil)
		q.jobQueue, q.interrupt = opened, interrupt
		err = run(ctx, q, newRecords(), folder, 3, &out, false)
	})
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	names := []string{"sent", "received", "redelivered", "deleted", "left", "lost", "messages/s"}
	if len(lines) < len(names) {
		t.Fatalf("printed\n%s\nwant rows %q", out.String(), names)
	}
	rows = make(map[string]string)
	for i, line := range lines[len(lines)-len(names):] {
		fields := strings.Fields(line)
		if len(fields) != 2 || fields[0] != names[i] {
			t.Fatalf("printed\n%s\nwant rows %q at the end", out.String(), names)
		}
		rows[fields[0]] = fields[1]
	}
	return rows, err
}

func TestRun(t *testing.T) {
	folder, paths := tree(t)
	rows, err := hash(t, folder, tampering{})
	if err != nil {
		t.Fatal(err)
	}
	n := strconv.Itoa(len(paths))
	if rows["sent"] != n || rows["deleted"] != n || rows["left"] != "0" || rows["lost"] != "0" {
		t.Errorf("rows are %v; want %s messages sent and deleted, none left or lost", rows, n)
	}
	if rows["redelivered"] == "0" {
		t.Errorf("rows are %v; want redeliveries, as consumers crashed", rows)
	}
}

// Nothing may be printed that was not before there was a -store.
func TestOutputWithoutStore(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "file"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		q, err := openQueue(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		if err := run(t.Context(), q, newRecords(), folder, crashEvery, &out, false); err != nil {
			t.Error(err)
		}
	})
	const want = `1 files for 8 consumers
deleted N of 1
sent         1
received     1
redelivered  0
deleted      1
left         0
lost         0
messages/s   N
`
	// How far the work is when progress is first shown is anybody's guess.
	got := regexp.MustCompile(`(deleted |messages/s   )\d+( of 1)?\n`).ReplaceAllString(out.String(), "${1}N$2\n")
	if got != want {
		t.Errorf("printed\n%s; want\n%s", out.String(), want)
	}
}

func TestRunEmptyFolder(t *testing.T) {
	rows, err := hash(t, t.TempDir(), tampering{})
	if err != nil || rows["sent"] != "0" || rows["lost"] != "0" {
		t.Errorf("run = %v, %v; want nothing sent, nothing lost", rows, err)
	}
}

func TestRunNoticesBadQueue(t *testing.T) {
	folder, _ := tree(t)
	for _, c := range []struct {
		name   string
		tamper func([]queue.Message)
		lost   string
	}{
		{"wrong path", func(ms []queue.Message) { ms[0].Body = `"invented"` }, "1"},
		{"sent another twice", func(ms []queue.Message) { ms[0] = ms[1] }, "1"},
		{"not a path", func(ms []queue.Message) { ms[0].Body = "?" }, "unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			first := true
			rows, err := hash(t, folder, tampering{
				tamper: func(ms []queue.Message, _ context.CancelCauseFunc) []queue.Message {
					if first {
						c.tamper(ms)
					}
					first = false
					return ms
				},
			})
			if err == nil || rows["lost"] != c.lost {
				t.Errorf("run = %v, %v; want an error, and lost %s", rows, err, c.lost)
			}
		})
	}
	t.Run("dropped", func(t *testing.T) {
		rows, err := hash(t, folder, tampering{
			tamper: func(ms []queue.Message, _ context.CancelCauseFunc) []queue.Message { return ms[:1] },
		})
		if err == nil || rows["lost"] == "0" || rows["lost"] == "unknown" {
			t.Errorf("run = %v, %v; want an error, and the number lost", rows, err)
		}
	})
}

func TestRunInterrupted(t *testing.T) {
	folder, _ := tree(t)
	cause := errors.New("interrupt")
	rows, err := hash(t, folder, tampering{
		tamper: func(ms []queue.Message, interrupt context.CancelCauseFunc) []queue.Message {
			interrupt(cause)
			return ms
		},
	})
	if !errors.Is(err, cause) || rows["lost"] != "unknown" {
		t.Errorf("run = %v, %v; want the cause of the interruption, and lost unknown", rows, err)
	}
}

func TestRunWithoutFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{file, file + "-is-missing"} {
		if err := run(t.Context(), nil, newRecords(), folder, 1, io.Discard, false); err == nil {
			t.Errorf("run took %s for a folder", folder)
		}
	}
}

func TestFiles(t *testing.T) {
	folder, want := tree(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(folder, link); err != nil {
		t.Logf("not by way of a link: %v", err)
		link = folder
	}
	for _, name := range []string{folder, link} {
		root, err := openFolder(name)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		got, err := files(t.Context(), root)
		slices.Sort(got)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("files(%s) = %q, %v; want %q", name, got, err, want)
		}
	}
}

func TestHashFile(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "abc"), []byte("abc"), 0o644); err != nil {
		t.Fatal(err)
	}
	root, err := openFolder(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	// The first test vector of FIPS 180-2.
	const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	if got := hashFile(root, "abc"); got != abc {
		t.Errorf("hash of abc = %s; want %s", got, abc)
	}
	for _, path := range []string{"missing", ".", filepath.Join("..", filepath.Base(folder), "abc")} {
		got := hashFile(root, path)
		if unreadable(map[string]string{path: got}) != 1 || got != hashFile(root, path) {
			t.Errorf("hash of %s = %s; want an error, and the same one again", path, got)
		}
	}
}

func TestCompare(t *testing.T) {
	want := map[string]string{"a": "1", "b": "2", "c\n": "3"}
	for _, c := range []struct {
		name    string
		got     map[string]string
		lost    int
		mention string
	}{
		{"equal", map[string]string{"a": "1", "b": "2", "c\n": "3"}, 0, ""},
		{"missing", map[string]string{"a": "1", "b": "2"}, 1, `"c\n" has no result`},
		{"wrong", map[string]string{"a": "1", "b": "x", "c\n": "3"}, 1, `"b": "x", should be "2"`},
		{"unexpected", map[string]string{"a": "1", "b": "2", "c\n": "3", "d": "4"}, 0, `"d" has a result`},
		{"none", nil, 3, `"a" has no result`},
	} {
		lost, err := compare(want, c.got)
		if lost != c.lost || (err != nil) != (c.mention != "") {
			t.Errorf("%s: compare = %d, %v; want %d lost", c.name, lost, err, c.lost)
		} else if err != nil && !strings.Contains(err.Error(), c.mention) {
			t.Errorf("%s: error is %q; want it to say %q", c.name, err, c.mention)
		}
	}
}

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for bar, want := range map[bool]string{
			true: "\r[" + strings.Repeat(" ", 40) + "] 0 of 4" +
				"\r[" + strings.Repeat("#", 20) + strings.Repeat(" ", 20) + "] 2 of 4\n",
			false: "deleted 0 of 4\n", // the next line is due a second later
		} {
			var out bytes.Buffer
			p := &progress{out: &out, bar: bar, total: 4}
			p.show(0)
			p.show(2)
			p.end()
			if out.String() != want {
				t.Errorf("bar %t: printed %q; want %q", bar, out.String(), want)
			}
		}
	})
}
