package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// verify compares what came out of the queue with the file. Any difference is
// an error, which tells the first one of its kind.
func (j *job) verify() (outOfOrder, wrong int, err error) {
	var errs [4]error
	outOfOrder, errs[0] = compareOrder(j.movements, j.books.journal)
	wrong, errs[1] = compareBalances(fold(j.movements), j.books.accounts)
	if again, suppressed := j.sent.Load()-int64(len(j.movements)), j.duplicates.Load(); suppressed != again {
		errs[2] = fmt.Errorf("%d messages were sent again, and the queue recognised %d", again, suppressed)
	}
	// A movement whose consumer crashed after applying it must have come again.
	// If none has, this run has not shown that coming again does no harm.
	switch repeats, crashes := j.repeats.Load(), j.crashesAfter.Load(); {
	case repeats < crashes:
		errs[3] = fmt.Errorf("consumers crashed %d times after applying a movement, and only %d came again", crashes, repeats)
	case repeats == 0 && j.crash > 0:
		errs[3] = errors.New("no movement came again; try another seed, or -crash")
	}
	return outOfOrder, wrong, errors.Join(errs[:]...)
}

// fold returns the balances, by account, after all movements one by one.
func fold(movements []movement) map[string]int64 {
	balances := make(map[string]int64)
	for _, m := range movements {
		balances[m.Account] += m.Amount
	}
	return balances
}

// compareOrder counts the movements in the journal whose predecessor, the one
// before it in the file of the same account, was not applied by then.
func compareOrder(movements []movement, journal []string) (n int, first error) {
	predecessor := make(map[string]string) // by movement
	latest := make(map[string]string)      // by account
	for _, m := range movements {
		predecessor[m.ID] = latest[m.Account]
		latest[m.Account] = m.ID
	}
	applied := map[string]bool{"": true} // the first of an account has no predecessor
	for _, id := range journal {
		if p := predecessor[id]; !applied[p] {
			if n++; n == 1 {
				first = fmt.Errorf("movement %s was applied when %s of the same account was not yet", id, p)
			}
		}
		applied[id] = true
	}
	return n, first
}

// compareBalances counts the accounts that don't have the balance they should.
func compareBalances(want map[string]int64, got map[string]account) (n int, first error) {
	names := make(map[string]bool)
	for name := range want {
		names[name] = true
	}
	for name := range got {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if b := got[name].balance; b != want[name] {
			if n++; n == 1 {
				first = fmt.Errorf("account %s has %d cents, should have %d", name, b, want[name])
			}
		}
	}
	return n, first
}
