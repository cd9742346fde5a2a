package filestore

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// A segment is a file of the log. Epochs rise by one with each that is put to
// use, and are never used again.
//
// Its file begins with a header:
//
//	 0  "RESTSEG1"
//	 8  version     u32    1
//	12  epoch       u32
//	16  size        u64    bytes of the file
//	24  previous    u32    epoch of the segment before, zero if this is the first
//	28  ended       u32    where that one ended, in units of 8 bytes
//	32  checkpoint  u64    place of the latest complete checkpoint; zero if none
//	40  store       16     an ID made with the store
//	56  zero        u32
//	60  CRC         u32    CRC-32C of the bytes before
type segment struct {
	segmentHeader
	seed uint32 // of its frames' checksums

	end     int64 // where the next frame goes; once there is a later segment, where it ended
	written int64 // the operating system has it up to here
	synced  int64 // durable up to here
	begun   bool  // its file has its name and its header

	// live is the sum of what is still needed here: encoded records, page
	// blocks and deduplication blocks. A segment without any may be recycled
	// once a checkpoint knows it.
	live int64

	unreadable bool // the cleaner found damage, and leaves it alone
}

// segmentHeader is what the header says.
type segmentHeader struct {
	epoch      uint32
	size       int64
	previous   uint32
	ended      int64
	checkpoint place
	store      [16]byte
}

const (
	segmentMagic  = "RESTSEG1"
	formatVersion = 1
	firstFrame    = 64 // offset; also the header's size

	segmentSuffix = ".seg"
	sparePrefix   = "free-"
)

func newSegment(h segmentHeader) *segment {
	return &segment{segmentHeader: h, seed: seedOf(h.store, h.epoch), end: firstFrame}
}

// room returns the bytes left for frames.
func (g *segment) room() int64 { return g.size - g.end }

func (h *segmentHeader) name() string { return segmentName(h.epoch) }

func segmentName(epoch uint32) string { return fmt.Sprintf("%016x%s", epoch, segmentSuffix) }

// epochOf reads a segment's file name.
func epochOf(name string) (epoch uint32, ok bool) {
	digits, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(digits) != 16 {
		return 0, false
	}
	v, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || v == 0 || segmentName(uint32(v)) != name {
		return 0, false
	}
	return uint32(v), true
}

func spareName(n int) string { return fmt.Sprintf("%s%d%s", sparePrefix, n, segmentSuffix) }

func isSpare(name string) bool {
	return strings.HasPrefix(name, sparePrefix) && strings.HasSuffix(name, segmentSuffix)
}

// spareNumber reads the number in a spare's name; zero if there is none.
func spareNumber(name string) int {
	n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(name, sparePrefix), segmentSuffix))
	if err != nil {
		return 0
	}
	return n
}

func (h *segmentHeader) encode() []byte {
	b := make([]byte, 0, firstFrame)
	b = append(b, segmentMagic...)
	b = binary.LittleEndian.AppendUint32(b, formatVersion)
	b = binary.LittleEndian.AppendUint32(b, h.epoch)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.size))
	b = binary.LittleEndian.AppendUint32(b, h.previous)
	b = binary.LittleEndian.AppendUint32(b, uint32(h.ended/frameAlign))
	b = binary.LittleEndian.AppendUint64(b, uint64(h.checkpoint))
	b = append(b, h.store[:]...)
	b = binary.LittleEndian.AppendUint32(b, 0)
	return binary.LittleEndian.AppendUint32(b, checksum(b))
}

// decodeHeader reads a header, or says what is wrong with it.
func decodeHeader(b []byte) (h segmentHeader, wrong string) {
	switch {
	case len(b) < firstFrame || string(b[:8]) != segmentMagic:
		return h, "no segment header"
	case binary.LittleEndian.Uint32(b[60:]) != checksum(b[:60]):
		return h, "the segment header's checksum is wrong"
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != formatVersion {
		return h, fmt.Sprintf("the format is version %d, this program knows %d", v, formatVersion)
	}
	h.epoch = binary.LittleEndian.Uint32(b[12:])
	h.size = int64(binary.LittleEndian.Uint64(b[16:]))
	h.previous = binary.LittleEndian.Uint32(b[24:])
	h.ended = int64(binary.LittleEndian.Uint32(b[28:])) * frameAlign
	h.checkpoint = place(binary.LittleEndian.Uint64(b[32:]))
	copy(h.store[:], b[40:])
	if h.epoch == 0 || h.previous >= h.epoch || h.size < minSegmentSize || h.size > 2*maxPayload ||
		h.checkpoint.epoch() > h.epoch {
		return h, "the segment header makes no sense"
	}
	return h, ""
}
