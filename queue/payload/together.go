package payload

import (
	"sync"
	"sync/atomic"
)

// atOnce is how many blobs of one batch are read or written at a time.
const atOnce = 10

// together calls f for each number below n, several at a time, and returns when
// all calls have.
func together(n int, f func(i int)) {
	if n == 1 {
		f(0)
		return
	}
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(n, atOnce) {
		all.Go(func() { // ends when no number is left; together waits for it
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				f(i)
			}
		})
	}
	all.Wait()
}
