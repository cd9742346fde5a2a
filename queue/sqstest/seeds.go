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
	first, last := uint64(1), uint64(max(n, 0))
	if seed, set := seedGiven(t); set {
		first, last = seed, seed
	}
	for seed := first; seed <= last; seed++ {
		o.Seed = seed
		if !t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, New(t, o)) })
		}) {
			return
		}
	}
}
