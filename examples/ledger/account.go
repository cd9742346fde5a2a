package main

import "sync"

// An account is what the ledger has on record of one account.
type account struct {
	balance  int64  // in cents
	sequence uint64 // of the last movement applied; zero before the first
}

// A ledger has the accounts. It stands for a database: what apply does under
// the lock, a program would do in one transaction.
type ledger struct {
	mu       sync.Mutex // guards the fields below
	accounts map[string]account
	journal  []string // the movements' IDs in the order in which they were applied, for verify
}

func newLedger() *ledger { return &ledger{accounts: make(map[string]account)} }

// apply applies m, which the queue delivered under that sequence number, and
// reports whether it did: if m was applied before, nothing happens.
func (l *ledger) apply(m movement, sequence uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.accounts[m.Account]
	if sequence <= a.sequence {
		return false
	}
	// The two change together. If the number came after the balance, a crash
	// between them would have the movement applied again; if it came first, the
	// movement would be lost.
	a.balance += m.Amount
	a.sequence = sequence
	l.accounts[m.Account] = a
	l.journal = append(l.journal, m.ID)
	return true
}
