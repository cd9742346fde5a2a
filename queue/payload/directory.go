package payload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// A Directory is [Blobs] in files: one a blob, holding its body as it is, which
// several processes of one machine may share. Make it with [Dir].
//
// A blob appears whole: it is written to a temporary file, synced, and then
// given its name, and Put returns when the name is durable as well. Names are
// safe whatever is in a bucket or key, and a Put whose path is too long for the
// operating system fails: Linux has room for all that S3 allows. A Directory keeps no file open
// between calls and needs no Close. Folders that have become empty stay.
//
// What is said of durability holds on a local file system. On Windows names
// can't be synced: after a crash of the machine they are as durable as the
// journal of NTFS makes them.
type Directory struct {
	root string

	mu      sync.Mutex          // guards durable
	durable map[string]struct{} // folders whose own names are known to be durable
}

var _ Blobs = (*Directory)(nil)

const (
	temporary = "t-" // begins the names of files that are being written
	// abandoned is how long ago a temporary file was last written to whose writer
	// must have crashed.
	abandoned = 24 * time.Hour
)

// Dir returns the blobs in the directory of that path, which is made if it is
// not there; its parent must be. Temporary files that a crash left there more
// than a day ago are removed.
func Dir(path string) (*Directory, error) {
	root, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	d := &Directory{root: root, durable: map[string]struct{}{}}
	if err = os.Mkdir(root, 0o700); err == nil {
		err = syncDir(filepath.Dir(root)) // its own name must survive with what is put into it
	} else if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), temporary) {
			continue
		}
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > abandoned {
			_ = os.Remove(filepath.Join(root, e.Name())) // else the next one does
		}
	}
	return d, nil
}

// Put implements [Blobs].
func (d *Directory) Put(ctx context.Context, at Pointer, body string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	elements := path(at)
	folder := d.root
	for _, element := range elements[:len(elements)-1] {
		folder = filepath.Join(folder, element)
		if err := d.makeFolder(folder); err != nil {
			return err
		}
	}
	name, err := d.write(body)
	if err == nil {
		err = os.Rename(name, filepath.Join(folder, elements[len(elements)-1]))
	}
	if err != nil {
		_ = os.Remove(name) // else Dir does, a day later
		return err
	}
	return syncDir(folder)
}

// write makes a temporary file that holds body durably.
func (d *Directory) write(body string) (name string, err error) {
	f, err := os.CreateTemp(d.root, temporary+"*")
	if err != nil {
		return "", err
	}
	_, err = io.WriteString(f, body)
	if err == nil {
		err = f.Sync()
	}
	return f.Name(), errors.Join(err, f.Close())
}

// makeFolder makes a folder, unless it is there, and its name durable. That it is
// there is not enough: whoever made it may not have come to syncing.
func (d *Directory) makeFolder(name string) error {
	err := os.Mkdir(name, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	d.mu.Lock()
	_, known := d.durable[name]
	d.mu.Unlock()
	if known && err != nil {
		return nil
	}
	if err := syncDir(filepath.Dir(name)); err != nil {
		return err
	}
	d.mu.Lock()
	d.durable[name] = struct{}{}
	d.mu.Unlock()
	return nil
}

// Get implements [Blobs].
func (d *Directory) Get(ctx context.Context, at Pointer) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("get: %w", err)
	}
	f, err := os.Open(d.file(at))
	if errors.Is(err, fs.ErrNotExist) {
		return "", ErrBlobNotFound
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	var body strings.Builder
	if info, err := f.Stat(); err == nil && info.Size() <= MaxPayload>>1 {
		body.Grow(int(info.Size()))
	}
	if _, err := io.Copy(&body, f); err != nil {
		return "", err
	}
	return body.String(), nil
}

// Delete implements [Blobs].
func (d *Directory) Delete(ctx context.Context, at Pointer) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	if err := os.Remove(d.file(at)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// List implements [Blobs]. Files that Put did not make are passed over.
func (d *Directory) List(ctx context.Context, bucket, prefix string) iter.Seq2[Blob, error] {
	return func(yield func(Blob, error) bool) {
		base := filepath.Join(d.root, filepath.Join(bucketPath(bucket)...))
		err := filepath.WalkDir(base, func(name string, e fs.DirEntry, err error) error {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil || e.IsDir() {
				return passOver(err)
			}
			inside, err := filepath.Rel(base, name)
			if err != nil {
				return err
			}
			key, ok := keyOf(strings.Split(inside, string(filepath.Separator)))
			if !ok || !strings.HasPrefix(key, prefix) {
				return nil
			}
			info, err := e.Info()
			if err != nil {
				return passOver(err)
			}
			if !yield(Blob{Pointer{bucket, key}, info.Size(), info.ModTime()}, nil) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield(Blob{}, fmt.Errorf("list: %w", err))
		}
	}
}

// passOver returns nil for the error of a file or folder that has gone.
func passOver(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (d *Directory) file(at Pointer) string {
	return filepath.Join(d.root, filepath.Join(path(at)...))
}
