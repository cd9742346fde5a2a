package filestore

import (
	"encoding/binary"
	"hash/crc32"
)

// A frame is the unit of the log: it is valid as a whole or not at all. It
// begins at a multiple of frameAlign and never crosses segments.
//
//	 0  payload length  u32    little endian, as everywhere
//	 4  payload CRC     u32    CRC-32C
//	 8  synced          u32    this segment was known durable up to here, in
//	                           units of 8 bytes, when the frame was written
//	12  kind            u8
//	13  zero            3 bytes
//	16  header CRC      u32    CRC-32C of the bytes before, which starts with
//	                           the segment's seed xor offset/8 * 0x9e3779b1
//	20  payload, and zeros up to a multiple of 8
const (
	frameAlign  = 8
	frameHeader = 20

	// maxPayload keeps every length and offset far from 32 bits.
	maxPayload = 1 << 30
)

// A kind of frame.
type frameKind uint8

const (
	batchFrame      frameKind = iota + 1 // a queue.Batch, or a new queue
	pageFrame                            // a page block: where the records of a page are
	settleFrame                          // the accounts of pages, put right
	dedupFrame                           // a block of deduplication entries
	copyFrame                            // records that the cleaner moved
	checkpointFrame                      // a part of a checkpoint
	completeFrame                        // the end of a checkpoint
	cleanFrame                           // the store was closed here

	lastKind = cleanFrame
)

// crcTable is CRC-32C's, for which processors have an instruction.
var crcTable = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Update(0, crcTable, b) }

// seedOf is the start of the checksums of a segment's frame headers, the CRC-32C
// of the store's ID and the epoch: bytes of
// another store, or of what a recycled file was before, are no frames of it.
func seedOf(id [16]byte, epoch uint32) uint32 {
	seed := crc32.Update(0, crcTable, id[:])
	return crc32.Update(seed, crcTable, binary.LittleEndian.AppendUint32(nil, epoch))
}

// headerChecksum is that of a header at that offset of a segment. The offset
// changes where the checksum starts, so that the same bytes elsewhere, as in a
// message's body, are no header.
func headerChecksum(header []byte, seed uint32, offset int64) uint32 {
	return crc32.Update(seed^uint32(offset/frameAlign)*offsetFactor, crcTable, header[:16])
}

// offsetFactor is odd, so that different offsets stay different, and spreads
// them over all bits.
const offsetFactor = 0x9e3779b1

// A frameInfo is a frame's header, decoded.
type frameInfo struct {
	kind    frameKind
	length  int    // of the payload
	payload uint32 // its checksum
	synced  int64  // an offset
}

// frameSize returns the bytes that a frame takes with a payload of that length.
func frameSize(length int) int64 {
	return (int64(length) + frameHeader + frameAlign - 1) &^ (frameAlign - 1)
}

// sealFrame fills in the header in front of a payload of length bytes.
func sealFrame(frame []byte, kind frameKind, length int, synced int64, seed uint32, offset int64) {
	binary.LittleEndian.PutUint32(frame[0:], uint32(length))
	binary.LittleEndian.PutUint32(frame[4:], checksum(frame[frameHeader:frameHeader+length]))
	frame[12], frame[13], frame[14], frame[15] = byte(kind), 0, 0, 0
	markSynced(frame, synced, seed, offset)
}

// markSynced changes what a sealed frame says of the bytes before it.
func markSynced(frame []byte, synced int64, seed uint32, offset int64) {
	binary.LittleEndian.PutUint32(frame[8:], uint32(synced/frameAlign))
	binary.LittleEndian.PutUint32(frame[16:], headerChecksum(frame, seed, offset))
}

// readHeader decodes the header of a frame at that offset of a segment, of
// which room bytes are left there. It looks at the checksum last, since almost
// all of what is no header shows it sooner.
func readHeader(b []byte, seed uint32, offset, room int64) (f frameInfo, ok bool) {
	if len(b) < frameHeader {
		return f, false
	}
	f.kind = frameKind(b[12])
	if f.kind == 0 || f.kind > lastKind || b[13]|b[14]|b[15] != 0 {
		return f, false
	}
	length := binary.LittleEndian.Uint32(b)
	f.synced = int64(binary.LittleEndian.Uint32(b[8:])) * frameAlign
	if length > maxPayload || frameSize(int(length)) > room || f.synced > offset {
		return f, false
	}
	if binary.LittleEndian.Uint32(b[16:]) != headerChecksum(b, seed, offset) {
		return f, false
	}
	f.length = int(length)
	f.payload = binary.LittleEndian.Uint32(b[4:])
	return f, true
}
