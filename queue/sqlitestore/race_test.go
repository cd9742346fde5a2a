//go:build race

package sqlitestore

// withRace says that the race detector runs: with it SQLite in Go is some 20
// times slower, so the suites leave out what adds nothing for it.
const withRace = true
