package main

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
)

// Records are what a run must not lose: which files were sent, and the results.
// With -store they are also lines of a file, the journal:
//
//	2f4a1c77 run "/usr/lib/go/src"
//	8b0e93d1 sent "archive/tar/common.go" "archive/tar/format.go"
//	10c5d2ee results "archive/tar/common.go" "9d0f2a..."
//	aa71f0b3 end
//
// A line starts with the checksum of the rest, and is synced before the next one
// is written. So a crash can leave only the last line torn. Nobody has relied on
// that one yet, so it is cut off; a bad line before it is damage.
type records struct {
	// mu guards the fields below. It is held while a line is synced: others who
	// want it have to wait for that anyway, with lines of their own.
	mu   sync.Mutex
	file journal // nil: in memory only
	err  error   // a line could not be written; the file may end with a part of it

	folder  string            // of the run; empty: none has begun
	sent    map[string]bool   // by path
	results map[string]string // by path; see hashFile
	ended   bool              // the results were compared
	found   int               // results that were in the file when it was opened
}

// journal is what the records need of an open file.
type journal interface {
	io.WriteSeeker
	io.Closer
	Sync() error
	Truncate(size int64) error
}

// A result is what hashFile returned for a path.
type result struct{ path, value string }

func newRecords() *records {
	return &records{sent: make(map[string]bool), results: make(map[string]string)}
}

// openRecords reads the journal of that name, which is made if it is not there.
func openRecords(name string) (*records, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	r, err := readRecords(f)
	if err == nil {
		err = syncFolder(filepath.Dir(name)) // the file's name, if it is new
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return r, nil
}

func readRecords(f *os.File) (*records, error) {
	all, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	text := string(all)
	r := newRecords()
	good := 0 // bytes
	for good < len(text) {
		line, rest, whole := strings.Cut(text[good:], "\n")
		if !whole || !r.apply(line) {
			if rest != "" {
				return nil, fmt.Errorf("damaged at byte %d; to begin anew, remove the file", good)
			}
			break
		}
		good += len(line) + 1
	}
	r.file, r.found = f, len(r.results)
	// What was read is relied on, so it must be durable, also if the process
	// before was killed between writing and syncing it.
	return r, r.cut(int64(good))
}

// apply takes up a line of the journal, and reports whether it is sound.
func (r *records) apply(line string) bool {
	sum, entry, _ := strings.Cut(line, " ")
	if sum != checksum(entry) {
		return false
	}
	kind, quoted, _ := strings.Cut(entry, " ")
	words, ok := unquote(quoted)
	switch n := len(words); {
	case !ok:
		return false
	case kind == "run" && n == 1:
		r.folder = words[0]
	case kind == "sent":
		for _, path := range words {
			r.sent[path] = true
		}
	case kind == "results" && n%2 == 0:
		for i := 0; i < n; i += 2 {
			r.results[words[i]] = words[i+1]
		}
	case kind == "end" && n == 0:
		r.ended = true
	default:
		return false
	}
	return true
}

// begin forgets everything and records a new run.
func (r *records) begin(folder string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	// In two steps, so that the new line can't come to stand before the old ones.
	if err := r.cut(0); err != nil {
		return err
	}
	r.folder, r.ended, r.found = folder, false, 0
	clear(r.sent)
	clear(r.results)
	return r.write("run", folder)
}

// cut cuts the journal off after size bytes, where it goes on.
func (r *records) cut(size int64) error {
	if err := r.file.Truncate(size); err != nil {
		return err
	}
	if _, err := r.file.Seek(size, io.SeekStart); err != nil {
		return err
	}
	return r.file.Sync()
}

// addSent records that messages for those paths are in the queue.
func (r *records) addSent(paths []string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, path := range paths {
		r.sent[path] = true
	}
	return r.write("sent", paths...)
}

// addResults records results. When it returns without an error they are as safe
// as they will ever be, and their messages may be deleted.
func (r *records) addResults(results []result) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var words []string
	for _, x := range results {
		r.results[x.path] = x.value
		words = append(words, x.path, x.value)
	}
	return r.write("results", words...)
}

// addEnd records that the results were compared: the run is over.
func (r *records) addEnd() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.write("end")
	r.ended = err == nil
	return err
}

// write writes a line, and syncs it. After an error nothing is written any more:
// the line may be there in part. The caller must hold r.mu.
func (r *records) write(kind string, words ...string) error {
	if r.file == nil || r.err != nil {
		return r.err
	}
	var entry strings.Builder
	entry.WriteString(kind)
	for _, w := range words {
		entry.WriteString(" " + strconv.QuoteToASCII(w)) // the same text for messages and records
	}
	if _, r.err = fmt.Fprintf(r.file, "%s %s\n", checksum(entry.String()), entry.String()); r.err == nil {
		r.err = r.file.Sync()
	}
	return r.err
}

func (r *records) close() error { return r.file.Close() }

func checksum(entry string) string {
	return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(entry)))
}

// unquote splits quoted strings with a space between them.
func unquote(s string) (words []string, ok bool) {
	for s != "" {
		quoted, err := strconv.QuotedPrefix(s)
		if err != nil {
			return nil, false
		}
		word, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, false
		}
		words = append(words, word)
		s = strings.TrimPrefix(s[len(quoted):], " ")
	}
	return words, true
}

// syncFolder makes the names of the files in a folder durable. Windows has no
// call for that.
func syncFolder(name string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
