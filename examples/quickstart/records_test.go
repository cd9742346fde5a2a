package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/filestore"
)

// continued runs the program in virtual time over what is in dir, with every
// third message taking its consumer down. It returns what was printed.
func continued(t *testing.T, folder, dir string, wrap func(jobQueue, *records) jobQueue) (out string, err error) {
	t.Helper()
	var b bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		store, openErr := filestore.Open(t.Context(), dir, filestore.Options{SegmentSize: 64 << 10})
		if openErr != nil {
			t.Fatal(openErr)
		}
		defer store.Close()
		r, openErr := openRecords(filepath.Join(dir, "quickstart.journal"))
		if openErr != nil {
			t.Fatal(openErr)
		}
		defer r.close()
		q, openErr := openQueue(t.Context(), store)
		if openErr != nil {
			t.Fatal(openErr)
		}
		defer q.Close()
		var wrapped jobQueue = q
		if wrap != nil {
			wrapped = wrap(q, r)
		}
		err = run(t.Context(), wrapped, r, folder, 3, &b, false)
	})
	return b.String(), err
}

// row returns the number in a row of the report, -1 if there is none.
func row(out, name string) int {
	rows := regexp.MustCompile(`(?m)^`+name+` +(\d+)`).FindAllStringSubmatch(out, -1)
	if rows == nil {
		return -1
	}
	n, _ := strconv.Atoi(rows[len(rows)-1][1]) // after the lines of progress
	return n
}

// stopping ends the run by an error after so many calls of DeleteBatch.
type stopping struct {
	jobQueue
	mu   sync.Mutex
	left int // calls
}

var errStopped = errors.New("stopped by the test")

func (q *stopping) DeleteBatch(ctx context.Context, rs []queue.Receipt) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.left--; q.left < 0 {
		return errStopped
	}
	return q.jobQueue.DeleteBatch(ctx, rs)
}

func TestContinue(t *testing.T) {
	folder, paths := tree(t)
	n := len(paths)
	dir := t.TempDir()
	out, err := continued(t, folder, dir, func(q jobQueue, _ *records) jobQueue { return &stopping{jobQueue: q, left: 1} })
	if !errors.Is(err, errStopped) || !strings.Contains(out, "lost         unknown") || !strings.Contains(out, "continue it with the same -store") {
		t.Fatalf("the first run printed\n%s and ended with %v; want it stopped, and saying how to go on", out, err)
	}
	if _, err := continued(t, t.TempDir(), dir, nil); err == nil || !strings.Contains(err.Error(), "has not ended") {
		t.Errorf("a run over another folder: %v; want it refused", err)
	}

	out, err = continued(t, folder, dir, nil)
	if err != nil {
		t.Fatalf("the second run printed\n%s and ended with %v", out, err)
	}
	var results, of, waiting, unsent int
	_, line, _ := strings.Cut(out, "continuing: ")
	if _, err := fmt.Sscanf(line, "%d of %d results are there, %d messages are in the queue, %d files are to be sent",
		&results, &of, &waiting, &unsent); err != nil {
		t.Fatalf("the second run printed\n%s; want a line that says what was found: %v", out, err)
	}
	if results == 0 || of != n || waiting == 0 || unsent == n || results+waiting+unsent < n {
		t.Errorf("found %d of %d results, %d messages, %d files to be sent; want some of the first two, not all to be sent, and all %d together",
			results, of, waiting, unsent, n)
	}
	if row(out, "sent") != unsent || row(out, "deleted") != waiting+unsent || row(out, "results") != n || row(out, "lost") != 0 {
		t.Errorf("the second run printed\n%s; want the rest sent, the queue drained, and %d results", out, n)
	}

	out, err = continued(t, folder, dir, nil)
	if err != nil || !strings.Contains(out, "beginning anew") || row(out, "sent") != n || row(out, "lost") != 0 {
		t.Errorf("after a run that ended: %v, printed\n%s; want a new run", err, out)
	}
}

// What nobody has a result of is lost, also if the record says it was sent.
func TestLostIsComputedFromTheRecords(t *testing.T) {
	folder, paths := tree(t)
	dir := t.TempDir()
	r, err := openRecords(filepath.Join(dir, "quickstart.journal"))
	if err != nil {
		t.Fatal(err)
	}
	real, err := realPath(folder)
	if err := errors.Join(err, r.begin(real), r.addSent(paths[:2]), r.close()); err != nil {
		t.Fatal(err)
	}
	out, err := continued(t, folder, dir, nil)
	if err == nil || row(out, "lost") != 2 {
		t.Errorf("run = %v, printed\n%s; want an error, and 2 lost", err, out)
	}
	// It ended all the same: nothing could find those two by going on.
	if out, err = continued(t, folder, dir, nil); err != nil || row(out, "lost") != 0 {
		t.Errorf("next run = %v, printed\n%s; want a new run", err, out)
	}
}

// watchedFile knows which part of the journal was synced.
type watchedFile struct {
	journal
	mu              sync.Mutex
	written, synced string
}

func (f *watchedFile) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.written += string(b)
	return f.journal.Write(b)
}

func (f *watchedFile) Sync() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.synced = f.written
	return f.journal.Sync()
}

// watchedQueue asks, whenever a message is deleted, whether its result is safe,
// and whenever a path is recorded as sent, whether it was.
type watchedQueue struct {
	jobQueue
	t    *testing.T
	file *watchedFile
	mu   sync.Mutex
	held map[queue.Receipt]string // path
	sent map[string]bool
}

func (q *watchedQueue) SendBatch(ctx context.Context, ms []queue.Message) ([]queue.Sent, error) {
	sent, err := q.jobQueue.SendBatch(ctx, ms)
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, path := range slices.Sorted(maps.Keys(q.recorded().sent)) {
		if !q.sent[path] {
			q.t.Errorf("%q was recorded as sent before it was", path)
		}
	}
	for _, m := range ms {
		path, _ := strconv.Unquote(m.Body)
		q.sent[path] = true
	}
	return sent, err
}

func (q *watchedQueue) Receive(ctx context.Context, o queue.ReceiveOptions) ([]queue.Delivery, error) {
	got, err := q.jobQueue.Receive(ctx, o)
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, d := range got {
		q.held[d.Receipt], _ = strconv.Unquote(d.Body)
	}
	return got, err
}

func (q *watchedQueue) DeleteBatch(ctx context.Context, rs []queue.Receipt) error {
	q.mu.Lock()
	for _, r := range rs {
		if _, ok := q.recorded().results[q.held[r]]; !ok {
			q.t.Errorf("the message of %q is deleted before its result is synced", q.held[r])
		}
	}
	q.mu.Unlock()
	return q.jobQueue.DeleteBatch(ctx, rs)
}

// recorded returns what the synced part of the journal says.
func (q *watchedQueue) recorded() *records {
	q.file.mu.Lock()
	defer q.file.mu.Unlock()
	r := newRecords()
	for line := range strings.Lines(q.file.synced) {
		if !r.apply(strings.TrimSuffix(line, "\n")) {
			q.t.Errorf("line %q is not sound", line)
		}
	}
	return r
}

func TestRecordedBeforeDeleted(t *testing.T) {
	folder, _ := tree(t)
	_, err := continued(t, folder, t.TempDir(), func(q jobQueue, r *records) jobQueue {
		f := &watchedFile{journal: r.file}
		r.file = f
		return &watchedQueue{jobQueue: q, t: t, file: f, held: map[queue.Receipt]string{}, sent: map[string]bool{}}
	})
	if err != nil {
		t.Error(err)
	}
}

// write makes a journal, and returns its name and its text.
func write(t *testing.T) (name, text string) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "journal")
	r, err := openRecords(name)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(r.begin("a folder"), r.addSent([]string{"a", "b\n", "\xff"}),
		r.addResults([]result{{"b\n", "1"}, {"\xff", "not read: \xff"}}), r.addResults([]result{{"a", "2"}}), r.addEnd(), r.close())
	if err != nil {
		t.Fatal(err)
	}
	all, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return name, string(all)
}

func TestTornJournal(t *testing.T) {
	name, text := write(t)
	ends := []int{0} // of lines
	for i, c := range text {
		if c == '\n' {
			ends = append(ends, i+1)
		}
	}
	for size := range len(text) + 1 {
		// Around the ends of lines, and here and there between them: each opening syncs.
		if size%25 != 0 && !slices.ContainsFunc(ends, func(end int) bool { return size-2 <= end && end <= size+2 }) {
			continue
		}
		for _, tail := range []string{"", "\x00\x00", "\n"} {
			if err := os.WriteFile(name, []byte(text[:size]+tail), 0o600); err != nil {
				t.Fatal(err)
			}
			r, err := openRecords(name)
			if err != nil {
				t.Fatalf("cut off after %d bytes, then %q: %v", size, tail, err)
			}
			lines := 0 // that are whole
			for lines+1 < len(ends) && (ends[lines+1] <= size || ends[lines+1] == size+1 && tail == "\n") {
				lines++
			}
			if (r.folder != "") != (lines > 0) || (len(r.sent) > 0) != (lines > 1) || r.found != []int{0, 0, 0, 2, 3, 3}[lines] || r.ended != (lines > 4) {
				t.Errorf("cut off after %d bytes, then %q: read %+v; want what %d lines say", size, tail, r, lines)
			}
			// It goes on where the sound part ended.
			if err := errors.Join(r.addResults([]result{{"more", "3"}}), r.close()); err != nil {
				t.Fatal(err)
			}
			if r, err = openRecords(name); err != nil || r.results["more"] != "3" {
				t.Fatalf("cut off after %d bytes, then %q, and written to: %v, %v", size, tail, r, err)
			}
			r.close()
		}
	}
}

func TestJournalKeepsEveryName(t *testing.T) {
	name, _ := write(t)
	r, err := openRecords(name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	want := map[string]string{"a": "2", "b\n": "1", "\xff": "not read: \xff"}
	if !maps.Equal(r.results, want) || len(r.sent) != 3 || !r.ended {
		t.Errorf("read %q, %v, ended %t; want %q", r.results, r.sent, r.ended, want)
	}
}

// What a run before has found must not hide what this one loses.
func TestNewRunForgets(t *testing.T) {
	name, _ := write(t)
	r, err := openRecords(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.begin("b"); err != nil || r.folder != "b" || r.ended || len(r.sent)+len(r.results)+r.found > 0 {
		t.Errorf("begin: %v, and then %+v; want nothing of the run before", err, r)
	}
	r.close()
	if r, err = openRecords(name); err != nil || r.folder != "b" || r.ended || len(r.sent)+len(r.results)+r.found > 0 {
		t.Fatalf("opened again: %v, %+v; want nothing of the run before", err, r)
	}
	r.close()
}

func TestDamagedJournal(t *testing.T) {
	name, text := write(t)
	last := strings.LastIndexByte(strings.TrimSuffix(text, "\n"), '\n') // end of the last line but one
	for i := range last {
		damaged := []byte(text)
		damaged[i] ^= 4
		if err := os.WriteFile(name, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openRecords(name); err == nil || !strings.Contains(err.Error(), "damaged at byte") {
			t.Fatalf("byte %d changed: %v; want that to be told", i, err)
		}
	}
}

// failingFile fails to write or to sync, once.
type failingFile struct {
	journal
	write, sync error
}

func (f *failingFile) Write(b []byte) (int, error) {
	if err := f.write; err != nil {
		f.write = nil
		n, _ := f.journal.Write(b[:len(b)/2])
		return n, err
	}
	return f.journal.Write(b)
}

func (f *failingFile) Sync() error {
	err := f.sync
	f.sync = nil
	return errors.Join(err, f.journal.Sync())
}

func TestFailedJournalStaysFailed(t *testing.T) {
	failure := errors.New("no space left")
	for _, fail := range []failingFile{{write: failure}, {sync: failure}} {
		name, _ := write(t)
		r, err := openRecords(name)
		if err != nil {
			t.Fatal(err)
		}
		fail.journal = r.file
		r.file = &fail
		for range 2 {
			if err := r.addSent([]string{"x"}); !errors.Is(err, failure) {
				t.Errorf("addSent = %v; want %v", err, failure)
			}
		}
		r.close()
		if r, err = openRecords(name); err != nil {
			t.Errorf("after a failure: %v", err)
		} else {
			r.close()
		}
	}
}

func TestStoreInsideFolder(t *testing.T) {
	folder := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(folder, link); err != nil {
		t.Logf("not by way of a link: %v", err)
		link = folder
	}
	for dir, want := range map[string]bool{
		folder:                      false,
		filepath.Join(folder, "s"):  false,
		filepath.Join(link, "s"):    false,
		folder + "-beside":          true,
		filepath.Join(link, "..s"):  false,
		filepath.Dir(folder):        true,
		filepath.Join(folder, ".."): true,
	} {
		if err := outside(folder, dir); (err == nil) != want {
			t.Errorf("outside(%s, %s) = %v; want it to be allowed: %t", folder, dir, err, want)
		}
	}
}
