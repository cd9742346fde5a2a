package filestore

import (
	"fmt"
	"io"
)

// readAhead is how much of a segment is read at a time.
const readAhead = 1 << 20

// A scanner reads the frames of a segment one after another, until the first
// that is not valid.
type scanner struct {
	file   io.ReaderAt
	seed   uint32
	offset int64 // of the next frame
	end    int64 // where frames end at the latest
	buf    []byte
	at     int64 // offset of buf in the file
}

func newScanner(f io.ReaderAt, g *segment, from, end int64) *scanner {
	return &scanner{file: f, seed: g.seed, offset: from, end: end, at: from}
}

// next returns the next frame and its payload, which is valid until the next
// call. ok is false where there is no valid frame; then c.offset is there.
func (c *scanner) next() (f frameInfo, payload []byte, ok bool, err error) {
	room := c.end - c.offset
	if room < frameHeader {
		return f, nil, false, nil
	}
	b, err := c.peek(frameHeader)
	if err != nil {
		return f, nil, false, err
	}
	if f, ok = readHeader(b, c.seed, c.offset, room); !ok {
		return f, nil, false, nil
	}
	size := frameSize(f.length)
	if b, err = c.peek(size); err != nil {
		return f, nil, false, err
	}
	payload = b[frameHeader : frameHeader+f.length]
	if checksum(payload) != f.payload {
		return f, nil, false, nil
	}
	c.offset += size
	return f, payload, true, nil
}

// peek returns the next n bytes, which are before c.end.
func (c *scanner) peek(n int64) ([]byte, error) {
	start := c.offset - c.at
	if start >= 0 && start+n <= int64(len(c.buf)) {
		return c.buf[start : start+n], nil
	}
	want := min(max(n, readAhead), c.end-c.offset)
	if int64(cap(c.buf)) < want {
		c.buf = make([]byte, want)
	}
	c.buf = c.buf[:want]
	c.at = c.offset
	if err := readFull(c.file, c.buf, c.at); err != nil {
		return nil, err
	}
	return c.buf[:n], nil
}

// readFull reads all of b. A file that is too short is an error.
func readFull(f io.ReaderAt, b []byte, offset int64) error {
	n, err := f.ReadAt(b, offset)
	if n == len(b) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("reading %d bytes at %d: %w", len(b), offset, err)
}

// remains looks for headers of frames behind the place where the valid frames of
// a segment end. any says that there is one: something was written there.
// proved says that one of them knows the bytes before it to have been durable
// beyond that place: what should be there was once valid and is damaged. If
// there is no proof, it is what a crash leaves of a write.
//
// It looks at headers alone, so that its cost is that of reading once: that a
// header is valid where it stands is proof enough, whatever became of the rest.
func remains(f io.ReaderAt, g *segment, from, end int64) (any, proved bool, err error) {
	buf := make([]byte, min(readAhead, max(end-from, 0))+frameHeader)
	for at := from; at < end-frameHeader; at += readAhead {
		b := buf[:min(int64(len(buf)), end-at)]
		if err := readFull(f, b, at); err != nil {
			return any, proved, err
		}
		for i := int64(0); i < readAhead && i+frameHeader <= int64(len(b)); i += frameAlign {
			if at+i == from {
				continue // what is not valid itself proves nothing
			}
			if info, ok := readHeader(b[i:], g.seed, at+i, end-at-i); ok {
				any = true
				if info.synced > from {
					return true, true, nil
				}
			}
		}
	}
	return any, false, nil
}
