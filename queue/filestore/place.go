package filestore

// A place is where a frame begins: its segment's epoch in the upper half, and
// its offset there, in units of frameAlign bytes, in the lower. Places compare
// as the log runs. The zero place is nowhere: epochs begin at 1.
type place uint64

func placeAt(epoch uint32, offset int64) place {
	return place(epoch)<<32 | place(offset/frameAlign)
}

func (p place) epoch() uint32 { return uint32(p >> 32) }

func (p place) offset() int64 { return int64(uint32(p)) * frameAlign }
