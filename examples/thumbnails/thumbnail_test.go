package main

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestShrinkFits(t *testing.T) {
	limit := image.Pt(120, 90)
	for _, c := range []struct{ from, want image.Point }{
		{image.Pt(240, 180), limit},
		{image.Pt(120, 90), limit},
		{image.Pt(150, 103), image.Pt(120, 82)},
		{image.Pt(256, 256), image.Pt(90, 90)},
		{image.Pt(32, 32), image.Pt(32, 32)}, // nothing is enlarged
		{image.Pt(1, 1), image.Pt(1, 1)},
		{image.Pt(5000, 1), image.Pt(120, 1)},
		{image.Pt(1, 5000), image.Pt(1, 90)},
	} {
		if got := shrink(image.NewGray(image.Rectangle{Max: c.from}), limit).Bounds().Size(); got != c.want {
			t.Errorf("%v becomes %v; want %v", c.from, got, c.want)
		}
	}
}

// A pixel is the average of what it covers, each part with its weight.
func TestShrinkAverages(t *testing.T) {
	row := func(values ...uint8) *image.Gray {
		m := image.NewGray(image.Rect(0, 0, len(values), 1))
		copy(m.Pix, values)
		return m
	}
	for _, c := range []struct {
		from *image.Gray
		to   int
		want []uint8
	}{
		{row(10, 20, 30, 40), 2, []uint8{15, 35}},
		{row(0, 90, 240), 2, []uint8{30, 190}}, // (1·0 + ½·90) / 1½, (½·90 + 1·240) / 1½
		{row(7, 7, 7, 7, 7, 7, 7), 3, []uint8{7, 7, 7}},
		{row(1, 2, 3), 3, []uint8{1, 2, 3}},
	} {
		got := shrink(c.from, image.Pt(c.to, 1))
		for x, want := range c.want {
			if v := got.RGBAAt(x, 0); v != (color.RGBA{want, want, want, 0xff}) {
				t.Errorf("%v to %d pixels: pixel %d is %v; want %d", c.from.Pix, c.to, x, v, want)
			}
		}
	}
}

// The colour of what is transparent doesn't show.
func TestShrinkWithAlpha(t *testing.T) {
	m := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	m.SetNRGBA(0, 0, color.NRGBA{0xff, 0, 0, 0xff})
	m.SetNRGBA(1, 0, color.NRGBA{0, 0xff, 0, 0})
	if got, want := shrink(m, image.Pt(1, 1)).RGBAAt(0, 0), (color.RGBA{0x80, 0, 0, 0x80}); got != want {
		t.Errorf("it is %v; want %v: half a red", got, want)
	}
}

// A part of an image begins anywhere.
func TestShrinkPart(t *testing.T) {
	m := image.NewGray(image.Rect(-3, -5, 9, 9))
	m.SetGray(2, 3, color.Gray{200})
	part := m.SubImage(image.Rect(2, 3, 4, 5))
	if got := shrink(part, image.Pt(1, 1)); got.Bounds() != image.Rect(0, 0, 1, 1) || got.RGBAAt(0, 0).R != 50 {
		t.Errorf("it is %v", got)
	}
}

// Spans cover every pixel once, whatever the sizes.
func TestSpans(t *testing.T) {
	for n := 1; n <= 130; n++ {
		for count := 1; count <= n; count++ {
			covered := make([]float64, n)
			for _, s := range spans(n, count) {
				sum := 0.0
				for i, w := range s.weights {
					covered[s.first+i] += w
					sum += w
				}
				if math.Abs(sum-1) > 1e-6 {
					t.Fatalf("%d to %d: weights %v add up to %v", n, count, s.weights, sum)
				}
			}
			for i, c := range covered {
				if want := float64(count) / float64(n); math.Abs(c-want) > 1e-6 {
					t.Fatalf("%d to %d: pixel %d counts %v; want %v", n, count, i, c, want)
				}
			}
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	bad, err := broken()
	if err != nil {
		t.Fatal(err)
	}
	// A header that says 65,535 by 65,535 pixels, which would be 17 GB.
	huge := append([]byte("GIF89a"), 0xff, 0xff, 0xff, 0xff, 0, 0, 0)
	for name, data := range map[string][]byte{"cut short": bad.data, "nothing": nil, "text": []byte("hello"), "huge": huge} {
		if m, err := decode(data); err == nil {
			t.Errorf("%s is %v", name, m.Bounds())
		}
	}
}

// Whoever reads the file sees a whole one, whoever writes it meanwhile.
func TestWritePNG(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a.png")
	m := image.NewGray(image.Rect(0, 0, 40, 30))
	if err := writePNG(name, m); err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup // they end by themselves
	for range 4 {
		writers.Go(func() {
			for range 20 {
				if err := writePNG(name, m); err != nil && !os.IsPermission(err) { // Windows, while it is read
					t.Error(err)
				}
			}
		})
	}
	for range 100 {
		data, err := os.ReadFile(name)
		if err != nil {
			continue // Windows, while it is replaced
		}
		if _, err := png.Decode(bytes.NewReader(data)); err != nil {
			t.Fatal(err)
		}
	}
	writers.Wait()
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("there are %v, %v", files, err)
	}
	if err := writePNG(filepath.Join(dir, "missing", "a.png"), m); err == nil {
		t.Error("it wrote into a folder that isn't there")
	}
}

func TestContactSheet(t *testing.T) {
	red := image.NewUniform(color.RGBA{0xff, 0, 0, 0xff})
	dot := image.NewRGBA(image.Rect(0, 0, 10, 10))
	fill(dot, dot.Bounds(), red)
	step := thumbnailSize.Add(image.Pt(2*padding+gap, 2*padding+gap))
	for _, c := range []struct{ n, cols, rows int }{{0, 1, 1}, {1, 1, 1}, {columns, columns, 1}, {columns + 1, columns, 2}} {
		all := make([]image.Image, c.n)
		for i := range all {
			all[i] = dot
		}
		sheet := contactSheet(all)
		want := image.Rect(0, 0, c.cols*step.X-gap+2*margin, c.rows*step.Y-gap+2*margin)
		if sheet.Bounds() != want {
			t.Errorf("%d thumbnails: %v; want %v", c.n, sheet.Bounds(), want)
		}
		for i := range c.n {
			middle := image.Pt(margin+i%c.cols*step.X+padding+thumbnailSize.X/2, margin+i/c.cols*step.Y+padding+thumbnailSize.Y/2)
			if got := sheet.At(middle.X, middle.Y); got != red.C {
				t.Errorf("%d thumbnails: number %d is %v", c.n, i, got)
			}
		}
	}
}
