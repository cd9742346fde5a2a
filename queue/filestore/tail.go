package filestore

// A tail is what is appended to the log and not yet taken by a writer: one run
// of bytes for each segment. Appending is all in memory.
type tail struct {
	chunks []chunk // for segments before the current one
	buf    []byte  // of them and of the current segment
	base   int     // where the current segment's begin
	last   int     // where the last frame begins
	seg    *segment
}

// A chunk is a run of frames for one segment.
type chunk struct {
	seg    *segment
	offset int64
	data   []byte
	last   int // where in data its last frame begins
}

// keptBuffer is the largest buffer that is kept for the next frames.
const keptBuffer = 1 << 20

// begin makes room for a frame's header and returns where that is. The payload
// is appended to t.buf.
func (t *tail) begin() int {
	start := len(t.buf)
	var header [frameHeader]byte
	t.buf = append(t.buf, header[:]...)
	return start
}

// abandon takes back what was appended from start on.
func (t *tail) abandon(start int) { t.buf = t.buf[:start] }

// size returns what the frame from start on takes.
func (t *tail) size(start int) int64 { return frameSize(len(t.buf) - start - frameHeader) }

// turn ends the current segment's run at start, and begins one for g.
func (t *tail) turn(g *segment, start int) {
	t.cut(start)
	t.base, t.seg = start, g
}

// cut makes a chunk of what is before end.
func (t *tail) cut(end int) {
	if end == t.base {
		return
	}
	data := t.buf[t.base:end:end]
	t.chunks = append(t.chunks, chunk{seg: t.seg, offset: t.seg.end - int64(len(data)), data: data, last: t.last - t.base})
}

// seal finishes the frame from start on, in the current segment, and returns its
// place.
func (t *tail) seal(start int, kind frameKind) place {
	length := len(t.buf) - start - frameHeader
	size := int(frameSize(length))
	var zeros [frameAlign]byte
	t.buf = append(t.buf, zeros[:size-frameHeader-length]...)
	offset := t.seg.end
	sealFrame(t.buf[start:], kind, length, t.seg.synced, t.seg.seed, offset)
	t.seg.end += int64(size)
	t.last = start
	return placeAt(t.seg.epoch, offset)
}

// take returns all chunks and empties the tail, which goes on in spare. Nobody
// may change what was taken but its taker.
func (t *tail) take(spare []byte) (chunks []chunk, buf []byte) {
	t.cut(len(t.buf))
	chunks, buf = t.chunks, t.buf
	t.chunks, t.buf, t.base = nil, spare[:0], 0
	return chunks, buf
}

// findFrame returns the frame at that place, if it is in one of the chunks, from
// its header on.
func findFrame(chunks []chunk, p place) []byte {
	for i := range chunks {
		c := &chunks[i]
		if at := p.offset() - c.offset; c.seg.epoch == p.epoch() && at >= 0 && at < int64(len(c.data)) {
			return c.data[at:]
		}
	}
	return nil
}

// current returns the current segment's run as a chunk.
func (t *tail) current() chunk {
	if t.seg == nil {
		return chunk{seg: &segment{}}
	}
	data := t.buf[t.base:]
	return chunk{seg: t.seg, offset: t.seg.end - int64(len(data)), data: data}
}
