package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/restantemq/restante/queue"
	"github.com/restantemq/restante/queue/filestore"
)

// reopen measures how long it takes to open a store and its queue, as a share of
// reading all its files from one end to the other; both find the files in the
// page cache.
//
// After a clean close the log ends with a checkpoint. A crash is a copy of the
// files of a store that is still open, whose one segment is so large that no
// checkpoint was taken yet: so that all of the log must be read and understood.
type reopen struct {
	once
	dir      string
	messages int
	crashed  bool
	bodies   *ring
	progress *progress
}

func (t *reopen) round() (_ []value, err error) {
	o := filestore.Options{Sync: filestore.LoseUnsynced} // while it is filled
	if t.crashed {
		o = filestore.Options{SegmentSize: 1 << 30} // synced: what was not is written anew, which takes longer
	}
	q, err := newStored(t.dir, queue.Standard, o, false)
	if err != nil {
		return nil, err
	}
	dir := q.dir
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := fillMany(q, t.bodies.from(0), nil, nil, t.messages, t.progress); err != nil {
		return nil, errors.Join(err, q.end())
	}
	if t.crashed {
		dir = q.dir + "-crashed"
		if err := copyFiles(dir, q.dir); err != nil {
			return nil, errors.Join(err, q.end())
		}
		if err := q.remove(); err != nil {
			return nil, err
		}
	} else if err := q.end(); err != nil {
		return nil, err
	}

	if _, err := readFiles(dir); err != nil { // into the page cache
		return nil, err
	}
	began := time.Now()
	n, err := readFiles(dir)
	if err != nil {
		return nil, err
	}
	reading := time.Since(began)
	if least := int64(t.messages * t.bodies.size); n < least {
		return nil, fmt.Errorf("the files have %d bytes, the messages %d", n, least)
	}

	began = time.Now()
	again, err := newStored(dir, queue.Standard, filestore.Options{}, true)
	if err != nil {
		return nil, err
	}
	opening := time.Since(began)
	stats, err := statsOf(again.Queue)
	if err == nil && stats.Visible != t.messages {
		err = fmt.Errorf("%d of %d messages came back", stats.Visible, t.messages)
	}
	if err = errors.Join(err, again.end()); err != nil {
		return nil, err
	}
	return []value{
		{unit: "of a read", numerator: opening.Seconds(), denominator: reading.Seconds()},
		{name: "open", unit: "ms", numerator: opening.Seconds() * 1000, denominator: 1},
		{name: "read", unit: "ms", numerator: reading.Seconds() * 1000, denominator: 1},
	}, nil
}

func statsOf(q queue.Queue) (queue.Stats, error) {
	i, ok := queue.As[queue.Inspector](q)
	if !ok {
		return queue.Stats{}, errors.New("the queue has no Stats")
	}
	return i.Stats(context.Background())
}

// readFiles reads all files of a folder in turn and returns their length.
func readFiles(dir string) (n int64, err error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	buf := make([]byte, 1<<20)
	for _, entry := range files {
		f, err := os.Open(filepath.Join(dir, entry.Name()))
		if err != nil {
			return 0, err
		}
		m, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{f}, buf)
		n += m
		if err = errors.Join(err, f.Close()); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// copyFiles makes a folder with copies of the files of another one.
func copyFiles(to, from string) error { return os.CopyFS(to, os.DirFS(from)) }
