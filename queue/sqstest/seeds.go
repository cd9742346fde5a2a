package sqstest

import (
	"fmt"
	"testing"
	"testing/synctest"
)

// Seeds runs test for the seeds 1 to n: each as a subtest, in a bubble of its own and
// with a kit that has the seed. It stops at the first one that fails. If the environment
// variable RESTANTE_SEED is set, only that seed is run. o.Seed plays no part.
func Seeds(t *testing.T, n int, o Options, test func(t *testing.T, k *Kit)) {
	t.Helper()
	first := uint64(1)
	if seed, set := seedGiven(t); set {
		first, n = seed, 1
	}
	for i := range n {
		o.Seed = first + uint64(i)
		if !t.Run(fmt.Sprintf("seed=%d", o.Seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, New(t, o)) })
		}) {
			return
		}
	}
}
