package engine

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"

	"github.com/restantemq/restante/queue"
)

// An identity makes what names messages to the outside: IDs and receipts. Both
// derive from the sequence number and a key that the queue keeps for life, so
// they cost no memory, no lock and no system call.
type identity struct {
	ids         [2]uint64 // IDs show these words to who knows sequence numbers: they serve nothing else
	receipts    [2]uint64
	incarnation uint32 // of this opening of the queue
}

func randomKey() (key [16]byte) {
	rand.Read(key[:]) // never fails
	return key
}

func newIdentity(key [16]byte) identity {
	once := randomKey()
	return identity{
		ids:         words(key, "message IDs"),
		receipts:    words(key, "receipts"),
		incarnation: binary.LittleEndian.Uint32(once[:]) | 1,
	}
}

// words derives two words from a queue's key, for one purpose. They don't tell
// the key, nor the words for another purpose.
func words(key [16]byte, purpose string) [2]uint64 {
	sum := sha256.Sum256(append(key[:], purpose...))
	return [2]uint64{binary.LittleEndian.Uint64(sum[:8]), binary.LittleEndian.Uint64(sum[8:16])}
}

// id returns the ID of message seq, in the form of a random (version 4) UUID.
// The 60 free bits of its first half and 4 of the second are a bijection of the
// 64-bit number, so two messages of a queue never share an ID.
func (y *identity) id(seq uint64) (id queue.MessageID) {
	y.setID(&id, seq)
	return id
}

func (y *identity) setID(id *queue.MessageID, seq uint64) {
	x := scramble(seq ^ y.ids[0])
	z := scramble(seq + y.ids[1])
	high := x&^0xf000 | 0x4000                                   // version 4
	low := z&^(0xf<<60)&^0xf | 0x8<<60 | z&(0x3<<60) | x>>12&0xf // variant 10
	binary.BigEndian.PutUint64(id[:8], high)
	binary.BigEndian.PutUint64(id[8:], low)
}

// scramble is a bijection that makes neighbours look unrelated (the finalizer
// of SplitMix64: Steele, Lea, Flood, 2014).
func scramble(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// issue makes r the receipt of one receive.
func (y *identity) issue(r *queue.Receipt, seq uint64, receive uint32, at int64) {
	f := queue.ReceiptFields{Seq: seq, Turn: queue.Turn(y.incarnation, receive), At: at}
	f.Check = y.check(f)
	r.Issue(f)
}

// open returns what is inside r if this queue issued it.
func (y *identity) open(r *queue.Receipt) (queue.ReceiptFields, error) {
	f, ok := r.Fields()
	if !ok || f.Check != y.check(f) {
		if *r == (queue.Receipt{}) {
			return f, missing("ReceiptHandle")
		}
		return f, queue.ErrReceiptInvalid
	}
	return f, nil
}

// check is a keyed sum over a receipt: it tells receipts of this queue from
// those of others, from damaged ones and from made-up ones. It stops accidents
// and guesses; it is not a cryptographic signature.
func (y *identity) check(f queue.ReceiptFields) uint64 {
	return fold(fold(f.Seq^y.receipts[0], f.Turn^y.receipts[1])^y.receipts[1], uint64(f.At)^y.receipts[0]^0x9e3779b97f4a7c15)
}

// fold multiplies to 128 bits and folds the halves.
func fold(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high ^ low ^ a<<32 ^ b
}
