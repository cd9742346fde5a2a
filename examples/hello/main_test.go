package main

import (
	"os"
	"strings"
	"testing"
)

func Example() {
	main()
	// Output: hello
}

// The README's first program is this one.
func TestREADME(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(readme), "```go\n")
	block, _, found := strings.Cut(block, "```")
	if !found || !strings.Contains(string(source), block) {
		t.Errorf("the README's program is not in main.go:\n%s", block)
	}
}
