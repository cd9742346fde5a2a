package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// root is the module root, seen from this package's folder.
var root = filepath.Join("..", "..", "..")

func TestTableFitsTheSources(t *testing.T) {
	form := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	seen := map[string]bool{}
	for _, m := range table {
		if err := fits(&m, root); err != nil {
			t.Error(err)
		}
		if !form.MatchString(m.Name) || seen[m.Name] {
			t.Errorf("%q: a name is lower-case words joined by hyphens, and stands once", m.Name)
		}
		seen[m.Name] = true
		if !strings.HasSuffix(m.Rule, ".") {
			t.Errorf("%s: the rule is a sentence: %q", m.Name, m.Rule)
		}
		if len(m.Test) == 0 {
			t.Errorf("%s: there are no tests to run", m.Name)
		}
	}
}

func TestApply(t *testing.T) {
	for _, c := range []struct{ name, source, old, new, want, err string }{
		{"once", "a == b", "==", "!=", "a != b", ""},
		{"to nothing", "f()\ng()\n", "g()\n", "", "f()\n", ""},
		{"new text holds the old", "x++", "x", "xx", "xx++", ""},
		{"absent", "a < b", "==", "!=", "", "not found in f.go"},
		{"twice", "a == b == c", "==", "!=", "", "stands 2 times in f.go"},
		{"no change", "a", "a", "a", "", "the same"},
		{"empty", "a", "", "b", "", "no old text"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := Mutant{Name: "some-mutant", File: "f.go", Old: c.old, New: c.new}
			got, err := m.apply(c.source)
			if c.err == "" {
				if err != nil || got != c.want {
					t.Fatalf("got %q, %v; want %q", got, err, c.want)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), "some-mutant") {
				t.Fatalf("error %v; want one naming the mutant and saying %q", err, c.err)
			}
		})
	}
}

func TestOverlayLeavesTheSourceAlone(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	original := filepath.Join(root, "p", "f.go")
	if err := os.MkdirAll(filepath.Dir(original), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(original, []byte("a == b"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := Mutant{Name: "m", File: "p/f.go", Old: "==", New: "!="}
	path, err := m.overlay(root, dir)
	if err != nil {
		t.Fatal(err)
	}
	var overlay struct{ Replace map[string]string }
	if text, err := os.ReadFile(path); err != nil || json.Unmarshal(text, &overlay) != nil {
		t.Fatalf("overlay %q, %v", text, err)
	}
	for file, want := range map[string]string{original: "a == b", overlay.Replace[original]: "a != b"} {
		if got, err := os.ReadFile(file); err != nil || string(got) != want {
			t.Errorf("%s holds %q, %v; want %q", file, got, err, want)
		}
	}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		name, json string
		verdict    verdict
		detail     string
	}{
		{"all pass", `
{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p"}`,
			survived, "all tests pass"},
		{"one fails", `
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestB"}
{"Action":"run","Package":"p","Test":"TestB/sub"}
{"Action":"fail","Package":"p","Test":"TestB/sub"}
{"Action":"fail","Package":"p","Test":"TestB"}
{"Action":"fail","Package":"p"}`,
			caught, "TestB/sub"},
		{"it does not compile", `
{"ImportPath":"p","Action":"build-output","Output":"# p\nf.go:1:1: undefined: x\n"}
{"ImportPath":"p","Action":"build-fail"}
{"Action":"start","Package":"p"}
{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}
{"Action":"fail","Package":"p","FailedBuild":"p"}`,
			unusable, "it does not compile"},
		{"it hangs", `
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"panic: test timed out after 2m0s\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}`,
			caught, "(timeout) TestA"},
		{"it hangs, and nothing says where", `
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pause","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestB"}
{"Action":"run","Package":"p","Test":"TestC"}
{"Action":"pass","Package":"p","Test":"TestC"}
{"Action":"output","Package":"p","Output":"panic: test timed out after 2m0s\n"}
{"Action":"fail","Package":"p"}`,
			caught, "(timeout) TestB"},
		{"the binary fails before any test", `
{"Action":"start","Package":"p"}
{"Action":"output","Package":"p","Output":"panic: internal error\n"}
{"Action":"fail","Package":"p"}`,
			caught, "(the test binary as a whole)"},
		{"no test matches", `
{"Action":"start","Package":"p"}
{"Action":"output","Package":"p","Output":"testing: warning: no tests to run\n"}
{"Action":"pass","Package":"p"}`,
			unusable, "no test ran"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := judge(readReport([]byte(strings.TrimPrefix(c.json, "\n"))))
			if got.verdict != c.verdict || got.detail != c.detail {
				t.Errorf("verdict %d, %q; want %d, %q", got.verdict, got.detail, c.verdict, c.detail)
			}
		})
	}
}

func TestSummary(t *testing.T) {
	for _, c := range []struct {
		verdicts []verdict
		line     string
		ok       bool
	}{
		{[]verdict{caught, caught}, "2 mutants: 2 caught, 0 survived, 0 errors of the table\n", true},
		{[]verdict{caught, survived}, "2 mutants: 1 caught, 1 survived, 0 errors of the table\n", false},
		{[]verdict{unusable, caught}, "2 mutants: 1 caught, 0 survived, 1 errors of the table\n", false},
	} {
		var outcomes []outcome
		for _, v := range c.verdicts {
			outcomes = append(outcomes, outcome{verdict: v})
		}
		var b strings.Builder
		if err := summary(&b, outcomes); (err == nil) != c.ok || b.String() != c.line {
			t.Errorf("%v: %q, %v", c.verdicts, b.String(), err)
		}
	}
}

func TestPrintNamesTheBrokenRule(t *testing.T) {
	m := Mutant{Name: "some-mutant", Rule: "What is deleted is gone.", File: "f.go", Old: "a", New: "b", Test: []string{"./p"}}
	var quiet, loud strings.Builder
	outcome{verdict: caught, detail: "TestX"}.print(&quiet, &m, 3200*time.Millisecond, false)
	if want := "caught    some-mutant                     3.2s  TestX\n"; quiet.String() != want {
		t.Errorf("got %q, want %q", quiet.String(), want)
	}
	outcome{verdict: survived}.print(&loud, &m, 0, false)
	if !strings.Contains(loud.String(), m.Rule) {
		t.Errorf("a survivor does not name its rule: %q", loud.String())
	}
}
