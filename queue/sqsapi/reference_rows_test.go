package sqsapi_test

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/conformance/wire"
)

// TestReference runs each row, in each protocol it holds in, in a bubble of its
// own, where waiting is free.
func TestReference(t *testing.T) {
	for _, row := range wire.Rows() {
		run := func(t *testing.T, p wire.Protocols) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				row.Run(t, p, inProcess(t, broker.Options{}))
				took := (time.Since(start) + time.Second - 1).Truncate(time.Second)
				require.Equal(t, row.Takes(), took, "the table of wire's waits must say %v", took)
			})
		}
		t.Run(row.ID, func(t *testing.T) {
			for _, p := range row.In.Each() {
				if p == wire.Mixed {
					run(t, p)
				} else {
					t.Run(p.String(), func(t *testing.T) { run(t, p) })
				}
			}
		})
	}
}

// The list of rows and the tables of wire are the same rules in the same words.
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
	for _, row := range wire.Rows() {
		require.False(t, seen[row.ID], "%s stands twice", row.ID)
		seen[row.ID] = true
		require.Equal(t, listed[row.ID], row.Rule, "%s", row.ID)
	}
}
