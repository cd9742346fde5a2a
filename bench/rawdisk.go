package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// rawDisk measures what the disk allows one writer: to write a block of 4 KiB
// into a file that is there already, and to wait until it is durable. No store
// that loses nothing can be faster with one producer; with many it can, because
// they share the wait.
type rawDisk struct {
	dir      string
	duration time.Duration

	file  *os.File
	block int
}

const (
	rawBlock  = 4096
	rawBlocks = 4096 // 16 MiB, like a segment of the file store
)

func (t *rawDisk) round() ([]value, error) {
	if t.file == nil {
		if err := t.make(); err != nil {
			return nil, err
		}
	}
	data := make([]byte, rawBlock)
	began, n := time.Now(), 0
	for ; time.Since(began) < t.duration; n++ {
		data[0]++
		if _, err := t.file.WriteAt(data, int64(t.block)*rawBlock); err != nil {
			return nil, err
		}
		if err := syncData(t.file); err != nil {
			return nil, err
		}
		t.block = (t.block + 1) % rawBlocks
	}
	return []value{{unit: "ns/message", numerator: float64(time.Since(began)), denominator: float64(n)}}, nil
}

// make makes the file, full of zeros, so that no write changes its length or
// where it lies.
func (t *rawDisk) make() error {
	f, err := os.Create(filepath.Join(t.dir, "raw"))
	if err != nil {
		return err
	}
	t.file = f
	zeros := make([]byte, rawBlock)
	for range rawBlocks {
		if _, err := f.Write(zeros); err != nil {
			return fmt.Errorf("making a file of zeros: %w", err)
		}
	}
	return f.Sync()
}

func (t *rawDisk) close() error {
	if t.file == nil {
		return nil
	}
	return t.file.Close()
}
