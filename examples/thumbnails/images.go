package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// A picture is a file that the client has.
type picture struct {
	name   string
	data   []byte
	pixels int // zero if it is broken
}

// collect returns up to n different images, the largest there are, and tells where
// they are from.
func collect(ctx context.Context, n int) (pictures []picture, source string, err error) {
	root, err := goRoot(ctx)
	if err == nil {
		pictures, err = walk(os.DirFS(root))
	}
	source = "the Go installation's source tree"
	if ctx.Err() != nil {
		return nil, "", ctx.Err()
	}
	if len(pictures) == 0 {
		source = "made here, because the Go installation has none"
		if err != nil {
			source = fmt.Sprintf("made here: %v", err)
		}
		if pictures, err = paint(n); err != nil {
			return nil, "", err
		}
	}
	slices.SortStableFunc(pictures, func(a, b picture) int { return cmp.Compare(b.pixels, a.pixels) })
	pictures = pictures[:min(n, len(pictures))]
	slices.SortStableFunc(pictures, func(a, b picture) int { return strings.Compare(a.name, b.name) })
	return pictures, source, nil
}

// goRoot returns the folder of the Go installation.
func goRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	root := strings.TrimRight(string(out), "\r\n")
	if err == nil && root == "" {
		err = errors.New("no value")
	}
	if err != nil {
		return "", fmt.Errorf("go env GOROOT: %w", err)
	}
	return root, nil
}

var endings = []string{".png", ".gif", ".jpg", ".jpeg"}

// walk returns all images of a tree, each content once. Some that end like images
// are none: the tests of Go's decoders need such, too. What can't be read is
// passed over.
func walk(tree fs.FS) (found []picture, err error) {
	known := make(map[string]bool)
	err = fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || !slices.Contains(endings, strings.ToLower(filepath.Ext(name))) {
			return nil
		}
		data, err := fs.ReadFile(tree, name)
		if err != nil || len(data) > maxUpload {
			return nil
		}
		if m, err := decode(data); err == nil && !known[idOf(data)] {
			known[idOf(data)] = true
			found = append(found, picture{name, data, m.Bounds().Dx() * m.Bounds().Dy()})
		}
		return nil
	})
	return found, err
}

// broken returns an image that can't be decoded: the first half of a PNG, as of
// an upload that was cut short.
func broken() (picture, error) {
	whole, err := paint(1)
	if err != nil {
		return picture{}, err
	}
	return picture{name: "cut-short.png", data: whole[0].data[:len(whole[0].data)/2]}, nil
}

// paint makes n images, for who has none.
func paint(n int) ([]picture, error) {
	pictures := make([]picture, n)
	for i := range pictures {
		m := image.NewRGBA(image.Rect(0, 0, 200+i%3*40, 160+i%5*30))
		turn := float64(i) * 0.7
		for y := range m.Rect.Dy() {
			for x := range m.Rect.Dx() {
				wave := func(phase float64) uint8 {
					return uint8(128 + 110*math.Sin(phase+turn+float64(x)/(23+float64(i%7)*5))*math.Cos(phase/2+float64(y)/31))
				}
				m.SetRGBA(x, y, color.RGBA{wave(0), wave(2), wave(4), 0xff})
			}
		}
		var file bytes.Buffer
		if err := png.Encode(&file, m); err != nil {
			return nil, err
		}
		pictures[i] = picture{fmt.Sprintf("waves-%03d.png", i+1), file.Bytes(), m.Rect.Dx() * m.Rect.Dy()}
	}
	return pictures, nil
}
