package filestore

import "encoding/binary"

// An input decodes a frame's payload. After the first thing that can't be
// decoded it is bad, and everything it returns is zero. No length is trusted
// before it was compared with what is there.
type input struct {
	b   []byte
	at  int
	bad bool
}

func (in *input) uvarint() uint64 {
	// Most numbers are small.
	if in.at < len(in.b) && in.b[in.at] < 0x80 {
		in.at++
		return uint64(in.b[in.at-1])
	}
	return in.longUvarint()
}

func (in *input) longUvarint() uint64 {
	v, n := binary.Uvarint(in.b[in.at:])
	if n <= 0 {
		in.fail()
		return 0
	}
	in.at += n
	return v
}

// varint reads a number of either sign, the sign in the lowest bit.
func (in *input) varint() int64 {
	v := in.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

// number reads a uvarint that fits 32 bits.
func (in *input) number() uint32 {
	v := in.uvarint()
	if v > 1<<32-1 {
		in.fail()
		return 0
	}
	return uint32(v)
}

// count reads how many things follow that take at least size bytes each.
func (in *input) count(size int) int {
	v := in.uvarint()
	if v > uint64((len(in.b)-in.at)/size) {
		in.fail()
		return 0
	}
	return int(v)
}

func (in *input) byte() byte {
	if in.at >= len(in.b) {
		in.fail()
		return 0
	}
	in.at++
	return in.b[in.at-1]
}

// raw returns the next n bytes, which are part of the payload.
func (in *input) raw(n int) []byte {
	if n > len(in.b)-in.at {
		in.fail()
		return nil
	}
	in.at += n
	return in.b[in.at-n : in.at : in.at]
}

// bytes returns the bytes of a text, which are part of the payload.
func (in *input) bytes() []byte { return in.raw(in.count(1)) }

func (in *input) key() (key [16]byte) {
	copy(key[:], in.raw(16))
	return key
}

// more reports whether there is something left to decode.
func (in *input) more() bool { return in.at < len(in.b) }

func (in *input) fail() {
	in.bad = true
	in.at = len(in.b)
}

// appendVarint is the other end of varint.
func appendVarint(b []byte, v int64) []byte {
	return binary.AppendUvarint(b, uint64(v<<1)^uint64(v>>63))
}

func appendUvarint(b []byte, v uint64) []byte {
	if v < 0x80 {
		return append(b, byte(v))
	}
	return binary.AppendUvarint(b, v)
}

func appendText(b []byte, s string) []byte {
	return append(appendUvarint(b, uint64(len(s))), s...)
}

func appendFlag(b []byte, set bool) []byte {
	if set {
		return append(b, 1)
	}
	return append(b, 0)
}
