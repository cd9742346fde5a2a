package queue_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTopLevelHoldsOnlyItsFolders(t *testing.T) {
	entries, err := os.ReadDir(moduleRoot)
	require.NoError(t, err)
	allowed := []string{"queue", "fifo", "standard", "visibility", "examples", "bench"}
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			assert.Contains(t, allowed, e.Name(), "the top level holds no other folder")
		}
	}
}

// Whoever uses the library downloads what go.mod requires.
func TestRootModuleRequiresBtreeAndTestifyOnly(t *testing.T) {
	path := filepath.Join(moduleRoot, "go.mod")
	_, err := os.Stat(path) // so that go test doesn't take an old result for this one
	require.NoError(t, err)
	text, err := exec.Command("go", "mod", "edit", "-json", path).Output()
	require.NoError(t, err)
	var mod struct {
		Module  struct{ Path string }
		Require []struct {
			Path     string
			Indirect bool
		}
		Replace, Exclude, Tool []any
	}
	require.NoError(t, json.Unmarshal(text, &mod))

	assert.Equal(t, modulePath, mod.Module.Path)
	for _, r := range mod.Require {
		if !r.Indirect {
			assert.Contains(t, []string{btree, testify}, r.Path, "what needs more is a nested module")
		}
	}
	assert.Empty(t, mod.Replace, "a replace is not seen by those who import the module")
	assert.Empty(t, mod.Exclude)
	assert.Empty(t, mod.Tool, "tools are run by version")
}
