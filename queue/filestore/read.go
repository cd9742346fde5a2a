package filestore

import (
	"errors"
	"io"
)

// Reading a frame outside s.mu races with recycling: its segment may have become
// another one meanwhile. The frame is not valid then, since its header's
// checksum is of another epoch. So whoever reads looks again where the thing is,
// and only if it has not moved there is damage.

// errFrame says that a frame is not valid.
var errFrame = errors.New("a frame is not valid")

// readFrame reads the frame at that place. Its payload is read with one read if
// the frame takes at most size bytes. buf is used if it is large enough.
func (s *Store) readFrame(at place, size int64, buf []byte) (frameKind, []byte, error) {
	h, err := s.handles.acquire(at.epoch())
	if err != nil {
		return 0, nil, err
	}
	defer s.handles.release(h)
	if int64(cap(buf)) < size {
		buf = make([]byte, size)
	}
	return readFrame(h, seedOf(s.storeID(), at.epoch()), at.offset(), buf[:size])
}

// readFrame reads the frame at an offset of a segment by way of buf.
func readFrame(f interface {
	io.ReaderAt
	Size() (int64, error)
}, seed uint32, offset int64, buf []byte) (frameKind, []byte, error) {
	n, err := f.ReadAt(buf, offset)
	if err != nil && err != io.EOF {
		return 0, nil, err
	}
	info, ok := readHeader(buf[:n], seed, offset, frameSize(maxPayload))
	if !ok {
		return 0, nil, errFrame
	}
	end := frameHeader + info.length
	if end > n {
		// Only a file that has the frame is worth the memory.
		if length, err := f.Size(); err != nil || offset+int64(end) > length {
			return 0, nil, errors.Join(errFrame, err)
		}
		buf = make([]byte, end)
		if err := readFull(f, buf, offset); err != nil {
			return 0, nil, err
		}
	}
	payload := buf[frameHeader:end]
	if checksum(payload) != info.payload {
		return 0, nil, errFrame
	}
	return info.kind, payload, nil
}

// storeID returns the ID of the store, which does not change once there is a
// segment.
func (s *Store) storeID() [16]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.store
}

// frameAt returns the frame at that place, wherever it is: in memory if it is
// not written yet, else in its file.
func (s *Store) frameAt(at place, size int64, buf []byte) (frameKind, []byte, error) {
	if kind, payload := s.inMemory(at, buf); payload != nil {
		return kind, payload, nil
	}
	return s.readFrame(at, size, buf)
}

// inMemory returns the frame at that place if it is not written yet. The payload
// is a copy, in buf if that is large enough.
func (s *Store) inMemory(at place, buf []byte) (frameKind, []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	frame := s.unwritten(at)
	if frame == nil {
		return 0, nil
	}
	info, ok := readHeader(frame, seedOf(s.store, at.epoch()), at.offset(), frameSize(maxPayload))
	if !ok {
		panicf("no frame at %d of segment %d, which is in memory", at.offset(), at.epoch())
	}
	return info.kind, append(buf[:0], frame[frameHeader:frameHeader+info.length]...)
}

// unwritten returns the frame at that place, from its header on, if it is not
// written yet. The caller must hold s.mu, and may use it until it lets go.
func (s *Store) unwritten(at place) []byte {
	if frame := findFrame(s.flying, at); frame != nil {
		return frame
	}
	if frame := findFrame(s.tail.chunks, at); frame != nil {
		return frame
	}
	current := [1]chunk{s.tail.current()}
	return findFrame(current[:], at)
}

// oldestUnwritten returns the place from which on frames may be unwritten. The
// caller must hold s.mu.
func (s *Store) oldestUnwritten() place {
	for _, chunks := range [][]chunk{s.flying, s.tail.chunks} {
		if len(chunks) > 0 {
			return placeAt(chunks[0].seg.epoch, chunks[0].offset)
		}
	}
	if s.tail.seg == nil {
		return ^place(0)
	}
	current := s.tail.current()
	return placeAt(current.seg.epoch, current.offset)
}

// readBlock reads the page block at that place, which takes size bytes.
func (s *Store) readBlock(at place, size uint32, b *block) error {
	kind, payload, err := s.frameAt(at, int64(size), b.buf)
	if err != nil {
		return err
	}
	b.buf = payload[:0]
	in := &input{b: payload}
	if in.block(b); kind != pageFrame || in.bad {
		return errFrame
	}
	return nil
}
