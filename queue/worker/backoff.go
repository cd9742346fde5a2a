package worker

import (
	"math/rand/v2"
	"time"

	"github.com/restantemq/restante/queue"
)

// Backoff is how long a message stays away whose handler failed: at least half of
// Min doubled with each receive, and up to the other half more at random, so that
// messages that failed together don't come back together. A gap is never shorter than
// the one before it, until Max bounds them.
type Backoff struct {
	Min time.Duration // after the first receive, at most. Zero means one second, queue.None none
	Max time.Duration // zero means 15 minutes, queue.None none at all

	// Seed decides about the random part. Zero means another one in each Run.
	Seed uint64
}

func (b Backoff) filled() Backoff {
	if b.Min == 0 {
		b.Min = time.Second
	}
	if b.Max == 0 {
		b.Max = max(b.Min, 15*time.Minute)
	}
	b.Min, b.Max = max(b.Min, 0), max(b.Max, 0) // queue.None is none
	if b.Seed == 0 {
		b.Seed = rand.Uint64()
	}
	return b
}

// Delay returns how long the message stays away that was received so many times. It
// depends on the seed, the message and the number of receives only.
func (b Backoff) Delay(id queue.MessageID, receives int) time.Duration {
	b = b.filled()
	most := b.Max
	if shift := max(receives, 1) - 1; shift < 62 && b.Min <= b.Max>>shift {
		most = b.Min << shift
	}
	half := most / 2
	var bits uint64 = b.Seed
	for i, x := range id {
		bits ^= uint64(x) << (8 * (i % 8))
	}
	r := rand.New(rand.NewPCG(bits, uint64(receives)))
	return most - half + time.Duration(r.Int64N(int64(half)+1))
}
