package main

import (
	"image"
	"image/color"
	"image/draw"
)

const (
	columns = 10 // thumbnails beside each other, if there are enough
	padding = 8  // pixels between a thumbnail of full size and the edge of its card
	gap     = 10 // between two cards
	margin  = 24 // around all of them
)

var (
	paper = color.RGBA{0xf1, 0xf0, 0xec, 0xff}
	edge  = color.RGBA{0xdc, 0xda, 0xd3, 0xff} // of a card
	white = color.RGBA{0xff, 0xff, 0xff, 0xff} // the rest of it
)

// contactSheet arranges thumbnails in rows, each in the middle of a card.
func contactSheet(thumbnails []image.Image) image.Image {
	cols := max(min(columns, len(thumbnails)), 1)
	rows := max((len(thumbnails)+cols-1)/cols, 1)
	card := thumbnailSize.Add(image.Pt(2*padding, 2*padding))
	step := card.Add(image.Pt(gap, gap))
	sheet := image.NewRGBA(image.Rect(0, 0, cols*step.X-gap+2*margin, rows*step.Y-gap+2*margin))
	fill(sheet, sheet.Bounds(), paper)
	for i, t := range thumbnails {
		corner := image.Pt(margin+i%cols*step.X, margin+i/cols*step.Y)
		place := image.Rectangle{corner, corner.Add(card)}
		fill(sheet, place, edge)
		fill(sheet, place.Inset(1), white)
		size := t.Bounds().Size()
		at := corner.Add(card.Sub(size).Div(2))
		draw.Draw(sheet, image.Rectangle{at, at.Add(size)}, t, t.Bounds().Min, draw.Over)
	}
	return sheet
}

func fill(m draw.Image, where image.Rectangle, c color.Color) {
	draw.Draw(m, where, image.NewUniform(c), image.Point{}, draw.Src)
}
