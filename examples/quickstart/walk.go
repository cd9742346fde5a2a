package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// goSource returns the folder with the source of Go's standard library.
func goSource(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	root := strings.TrimRight(string(out), "\r\n")
	if err == nil && root == "" {
		err = errors.New("no value")
	}
	if err != nil {
		return "", fmt.Errorf("go env GOROOT: %w; name a folder instead: quickstart FOLDER", err)
	}
	return filepath.Join(root, "src"), nil
}

// openFolder opens a folder as a root: nothing opened by way of it lies outside,
// not even if a file is replaced by a symbolic link behind our back.
func openFolder(folder string) (*os.Root, error) {
	// The folder itself may be a link. WalkDir would not follow it.
	folder, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return nil, err
	}
	return os.OpenRoot(folder)
}

// realPath returns the one absolute path of a file or folder that has no
// symbolic links in it.
func realPath(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(path)
}

// outside returns an error if dir, which need not be there yet, lies in folder:
// then its files would be hashed while they change.
func outside(folder, dir string) error {
	folder, err := realPath(folder)
	if err != nil {
		return err
	}
	real, err := realPath(dir)
	if errors.Is(err, fs.ErrNotExist) {
		real, err = realPath(filepath.Join(dir, ".."))
	}
	if err != nil {
		return err
	}
	if below, err := filepath.Rel(folder, real); err == nil && filepath.IsLocal(below) {
		return fmt.Errorf("%s lies in %s, whose files are hashed; take another -store", dir, folder)
	}
	return nil
}

// files returns the paths, relative to root, of all regular files below it.
// Symbolic links, devices and the like are skipped. A folder that can't be
// listed is among the paths, so that it does not go unnoticed: hashing it is an
// error.
func files(ctx context.Context, root *os.Root) (paths []string, err error) {
	err = filepath.WalkDir(root.Name(), func(path string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil && !d.Type().IsRegular() {
			return nil
		}
		path, err = filepath.Rel(root.Name(), path)
		paths = append(paths, path)
		return err
	})
	return paths, err
}

// notRead begins the result of a file that could not be read.
const notRead = "not read: "

// hashFile returns the result for one file below root: its SHA-256 in
// hexadecimal digits, or why it could not be read.
func hashFile(root *os.Root, path string) string {
	f, err := root.Open(path)
	if err != nil {
		return notRead + err.Error()
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return notRead + err.Error()
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// unreadable counts the results of files that could not be read.
func unreadable(results map[string]string) (n int) {
	for _, r := range results {
		if strings.HasPrefix(r, notRead) {
			n++
		}
	}
	return n
}

// compare returns how many of the wanted results were not got. Its error names
// them, and what was got for paths that are not wanted at all.
func compare(want, got map[string]string) (lost int, err error) {
	var differences []string
	for _, path := range slices.Sorted(maps.Keys(want)) {
		if r, ok := got[path]; !ok {
			differences = append(differences, fmt.Sprintf("%+q has no result", path))
		} else if r != want[path] {
			differences = append(differences, fmt.Sprintf("%+q: %+q, should be %+q", path, r, want[path]))
		}
	}
	lost = len(differences)
	for _, path := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[path]; !ok {
			differences = append(differences, fmt.Sprintf("%+q has a result, but is no file", path))
		}
	}
	if n := len(differences); n > 0 {
		const most = 20
		shown := strings.Join(differences[:min(n, most)], "\n  ")
		err = fmt.Errorf("%d differences from the second walk, of which up to %d are shown:\n  %s", n, most, shown)
	}
	return lost, err
}
