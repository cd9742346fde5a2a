//go:build !race

package sqlitestore

const withRace = false
