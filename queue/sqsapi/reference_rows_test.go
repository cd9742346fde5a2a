package sqsapi_test

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue/broker"
)

// wireIn says in which protocols a rule holds.
type wireIn uint8

const (
	wireInJSON wireIn = 1 << iota
	wireInQuery
	wireInBoth = wireInJSON | wireInQuery
	wireOnce   = wireIn(0) // the test chooses its protocols itself
)

// A wireRow is one rule of what SQS does that shows on the wire, and the test
// that fails where a handler does otherwise. Its ID and its rule stand in
// queuetest/rows.txt.
type wireRow struct {
	id, rule string
	in       wireIn
	test     func(d *wireDesk)
}

// wireReference holds all rows, by what they are about.
var wireReference = [][]wireRow{
	wireURLs,
	wireScopes,
	wireQueues,
	wireMoveTasks,
	wireBodiesAndSizes,
	wireMessageAttributes,
	wireSystemAttributes,
	wireSending,
	wireBatches,
	wireReceiving,
	wireHandles,
	wireJSON,
	wireQuery,
	wireErrors,
	wireSDKs,
	wireSurprisesOfWire,
	wireSurprisesOfTime,
	wireSurprisesOfFIFO,
	wireSurprisesOfQueues,
	wireChoices,
}

// TestReference runs each row, in each protocol it holds in, in a bubble of its
// own, where waiting is free.
func TestReference(t *testing.T) {
	for _, rows := range wireReference {
		for _, row := range rows {
			run := func(t *testing.T, query bool) {
				synctest.Test(t, func(t *testing.T) { row.test(newWireDesk(t, query, broker.Options{})) })
			}
			t.Run(row.id, func(t *testing.T) {
				if row.in == wireOnce {
					run(t, false)
				}
				if row.in&wireInJSON != 0 {
					t.Run("json", func(t *testing.T) { run(t, false) })
				}
				if row.in&wireInQuery != 0 {
					t.Run("query", func(t *testing.T) { run(t, true) })
				}
			})
		}
	}
}

// The list of rows and the tables here are the same rules in the same words.
func TestReferenceRowsAreThoseOfTheList(t *testing.T) {
	file, err := os.Open(filepath.Join("..", "queuetest", "rows.txt"))
	require.NoError(t, err)
	defer file.Close()
	listed := map[string]string{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if id, rule, ok := strings.Cut(lines.Text(), "\t"); ok && !strings.HasPrefix(id, "#") {
			listed[id] = strings.TrimSpace(rule)
		}
	}
	seen := map[string]bool{}
	for _, rows := range wireReference {
		for _, row := range rows {
			require.False(t, seen[row.id], "%s stands twice", row.id)
			seen[row.id] = true
			require.Equal(t, listed[row.id], row.rule, "%s", row.id)
		}
	}
}
