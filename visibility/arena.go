package visibility

// A node is one entry, or a free node. It contains no pointers: the garbage
// collector doesn't look inside the arena, however large it is.
type node struct {
	deadline   int64 // freed if the node is free
	value      uint64
	next, prev uint32 // neighbours in a list, or list ends (see list); next alone links free nodes
}

// freed is the deadline of a free node. Those of entries are never negative.
const freed = -1

const (
	chunkBits  = 8
	chunkNodes = 1 << chunkBits // 6 KiB of nodes: what a wheel with few entries pays for
	keepChunks = 4              // what an empty wheel keeps
	maxNodes   = listEnd        // node numbers must not touch the mark
)

// An arena owns the nodes of one wheel and hands them out by number. Node 0 is
// never handed out: number 0 means none. The zero value is empty.
//
// Nodes live in chunks, so growth copies no nodes under the caller's lock, only
// now and then the pointers to the chunks. A node stays where it is.
type arena struct {
	chunks []*[chunkNodes]node
	used   uint32 // nodes below this number have been handed out since the last reset
	free   uint32 // the node given back last, and through next the others; 0 if none
}

func (a *arena) at(i uint32) *node {
	return &a.chunks[i>>chunkBits][i%chunkNodes]
}

// take hands out a node with undefined contents.
func (a *arena) take() (uint32, *node) {
	if i := a.free; i != 0 {
		n := a.at(i)
		a.free = n.next
		return i, n
	}
	return a.extend()
}

// extend hands out a node that was not in use since the last reset.
func (a *arena) extend() (uint32, *node) {
	if a.used%chunkNodes == 0 && int(a.used>>chunkBits) == len(a.chunks) {
		if a.used == maxNodes {
			panic("visibility: internal error: too many entries")
		}
		a.chunks = append(a.chunks, new([chunkNodes]node))
		if a.used == 0 {
			a.at(0).deadline = freed
			a.used = 1
		}
	}
	i := a.used
	a.used++
	return i, a.at(i)
}

// give takes a node back. Nodes are reused last in, first out: the one just
// cancelled is still in the processor's cache.
func (a *arena) give(i uint32, n *node) {
	n.deadline = freed
	n.next = a.free
	a.free = i
}

// reset takes all nodes back at once and lets go of all chunks but the first
// few. The wheel calls it whenever it becomes empty. Handing out begins anew in
// address order. Before the next chunk is allocated, a thousand entries must
// follow, so a wheel that is often empty hardly pays for it.
func (a *arena) reset() {
	a.used = 1
	a.free = 0
	if len(a.chunks) > keepChunks {
		// A new array: the old one would keep the other chunks alive.
		a.chunks = append([]*[chunkNodes]node(nil), a.chunks[:keepChunks]...)
	}
}
