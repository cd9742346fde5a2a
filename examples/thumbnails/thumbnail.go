package main

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/gif"  // for image.Decode
	_ "image/jpeg" // likewise
	"image/png"
	"math"
	"os"
	"path/filepath"
)

// thumbnailSize is what a thumbnail has to fit in, in pixels.
var thumbnailSize = image.Pt(120, 90)

const maxPixels = 50 << 20 // of an image: a few bytes may say that they are a billion

// decode reads an image of any of the formats above.
func decode(data []byte) (image.Image, error) {
	c, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	if c.Width <= 0 || c.Height <= 0 || c.Width > maxPixels/c.Height {
		return nil, fmt.Errorf("%d×%d pixels are too many, or too few", c.Width, c.Height)
	}
	m, _, err := image.Decode(bytes.NewReader(data))
	return m, err
}

// shrink returns the image in its own proportions, so that it fits in limit. A
// pixel is the average of what it covers, parts of pixels included. An image that
// is small already keeps its size.
func shrink(m image.Image, limit image.Point) *image.RGBA {
	from := m.Bounds()
	scale := min(float64(limit.X)/float64(from.Dx()), float64(limit.Y)/float64(from.Dy()), 1)
	size := image.Rect(0, 0, scaled(from.Dx(), scale), scaled(from.Dy(), scale))
	columns, rows := spans(from.Dx(), size.Dx()), spans(from.Dy(), size.Dy())
	out := image.NewRGBA(size)
	for y, row := range rows {
		for x, column := range columns {
			out.SetRGBA(x, y, average(m, column, row))
		}
	}
	return out
}

// scaled is at least one pixel.
func scaled(n int, scale float64) int { return max(int(math.Round(float64(n)*scale)), 1) }

// A span is the pixels of the source that one of the target covers, in one
// direction: from the pixel first on, so much of each.
type span struct {
	first   int
	weights []float64 // their sum is 1
}

// spans divides n pixels evenly into count spans. It measures in the count'th part
// of a pixel, so that all is whole numbers: a pixel has count of them, a span n.
func spans(n, count int) []span {
	all := make([]span, count)
	for i := range all {
		begin, end := i*n, (i+1)*n
		s := &all[i]
		s.first = begin / count
		for p := s.first; p*count < end; p++ {
			covered := min((p+1)*count, end) - max(p*count, begin)
			s.weights = append(s.weights, float64(covered)/float64(n))
		}
	}
	return all
}

// average returns the mean colour of a rectangle. Its colours are premultiplied by
// their alpha, so what is transparent adds no colour.
func average(m image.Image, column, row span) color.RGBA {
	var sum [4]float64
	origin := m.Bounds().Min
	for y, wy := range row.weights {
		for x, wx := range column.weights {
			r, g, b, a := m.At(origin.X+column.first+x, origin.Y+row.first+y).RGBA()
			for i, v := range [...]uint32{r, g, b, a} {
				sum[i] += wx * wy * float64(v)
			}
		}
	}
	to8 := func(v float64) uint8 { return uint8(math.Round(min(v, 0xffff) / 0x101)) }
	return color.RGBA{to8(sum[0]), to8(sum[1]), to8(sum[2]), to8(sum[3])}
}

// writePNG writes an image to a file that appears whole, in place of one that was
// there: whoever reads it, whoever else writes it, and if this process is killed.
func writePNG(name string, m image.Image) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".writing-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	err = errors.Join(png.Encode(f, m), f.Chmod(0o644), f.Sync())
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
