package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A Mutant is one deliberate mistake.
type Mutant struct {
	Name string   // short, of lower-case words joined by hyphens
	Rule string   // the promise it breaks, as a sentence
	File string   // the source it changes, relative to the module root, with slashes
	Old  string   // stands exactly once in File
	New  string   // what stands there instead; it must compile
	Test []string // arguments of go test: the packages, and flags, -timeout=10s for one that hangs
}

// apply returns source with the mistake in it. It is an error of the table if
// the place isn't found exactly once.
func (m *Mutant) apply(source string) (string, error) {
	if m.Old == m.New {
		return "", fmt.Errorf("%s: old and new text are the same", m.Name)
	}
	if m.Old == "" {
		return "", fmt.Errorf("%s: there is no old text", m.Name)
	}
	switch n := strings.Count(source, m.Old); n {
	case 1:
		return strings.Replace(source, m.Old, m.New, 1), nil
	case 0:
		return "", fmt.Errorf("%s: old text not found in %s: %q", m.Name, m.File, m.Old)
	default:
		return "", fmt.Errorf("%s: old text stands %d times in %s: %q", m.Name, n, m.File, m.Old)
	}
}

// overlay writes the changed source into dir, and beside it the file for go
// test -overlay, whose path it returns. Nothing under root changes.
func (m *Mutant) overlay(root, dir string) (string, error) {
	original := filepath.Join(root, filepath.FromSlash(m.File))
	source, err := os.ReadFile(original)
	if err != nil {
		return "", fmt.Errorf("%s: %w", m.Name, err)
	}
	mutated, err := m.apply(string(source))
	if err != nil {
		return "", err
	}
	changed := filepath.Join(dir, filepath.Base(original))
	if err := os.WriteFile(changed, []byte(mutated), 0o600); err != nil {
		return "", err
	}
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, replace, 0o600)
}
