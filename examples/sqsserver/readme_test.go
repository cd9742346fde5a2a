package main

import (
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// blocks returns the README's code in a language.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	var found []string
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```").FindAllStringSubmatch(read(t, "README.md"), -1) {
		found = append(found, m[1])
	}
	if len(found) == 0 {
		t.Fatalf("the README has no %s", language)
	}
	return found
}

// The README's table has the flags that there are, and so has what it shows.
func TestReadmeFlags(t *testing.T) {
	_, help, _ := try(t, "-h")
	var flags []string
	for _, m := range regexp.MustCompile(`(?m)^  -([a-z-]+)`).FindAllStringSubmatch(help, -1) {
		flags = append(flags, m[1])
	}
	var told []string
	for _, m := range regexp.MustCompile("(?m)^\\| `-([a-z-]+)").FindAllStringSubmatch(read(t, "README.md"), -1) {
		told = append(told, m[1])
	}
	slices.Sort(told)
	if !slices.Equal(flags, told) {
		t.Errorf("the flags are %q, the README's table has %q", flags, told)
	}
	shown := regexp.MustCompile(`sqsserver((?: +-[a-z-]+(?: +[^-\s&>][^\s]*)?)+)`)
	texts := append(blocks(t, "sh"), blocks(t, "yaml")...)
	texts = append(texts, blocks(t, "console")...)
	texts = append(texts, read(t, "Dockerfile"))
	used := 0
	for _, text := range texts {
		for _, m := range shown.FindAllStringSubmatch(text, -1) {
			for _, f := range regexp.MustCompile(` -([a-z-]+)`).FindAllStringSubmatch(m[1], -1) {
				used++
				if f[1] != "f" && !slices.Contains(flags, f[1]) {
					t.Errorf("%s: there is no flag -%s", m[0], f[1])
				}
			}
		}
		for _, m := range regexp.MustCompile(`"-([a-z-]+)"`).FindAllStringSubmatch(text, -1) {
			used++
			if !slices.Contains(flags, m[1]) {
				t.Errorf("%s: there is no flag -%s", text, m[1])
			}
		}
	}
	if used < 8 {
		t.Errorf("only %d flags were found in what the README shows", used)
	}
}

// What the README shows can be read by those it is for.
func TestReadmeBlocks(t *testing.T) {
	for _, text := range blocks(t, "json") {
		s := serveHere(t, "-config", configFile(t, text))
		s.url("orders")
		s.url("payments.fifo")
	}
	for _, text := range blocks(t, "go") {
		if _, err := parser.ParseFile(token.NewFileSet(), "README.md", text, 0); err != nil {
			t.Error(err)
		}
	}
}

const buildCommand = "CGO_ENABLED=0 go build -trimpath -o /out/sqsserver ./examples/sqsserver"

// What the Dockerfile builds can be built, of the files that it copies, and runs.
func TestDockerfile(t *testing.T) {
	text := read(t, "Dockerfile")
	if !strings.Contains(text, "\nRUN "+buildCommand+"\n") {
		t.Errorf("the Dockerfile doesn't build by %q", buildCommand)
	}
	if told := strings.Replace(buildCommand, "/out/", "/tmp/", 1); !strings.Contains(read(t, "README.md"), told+"\n") {
		t.Errorf("the README doesn't tell to build by %q", told)
	}
	if testing.Short() {
		t.Skip("skipped with -short: it compiles much of the standard library anew")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	copied := t.TempDir()
	for _, m := range regexp.MustCompile(`(?m)^COPY ([^-].*) \S+$`).FindAllStringSubmatch(text, -1) {
		for _, name := range strings.Fields(m[1]) {
			from, to := filepath.Join(root, name), filepath.Join(copied, name)
			info, err := os.Stat(from)
			if err != nil {
				t.Fatal(err)
			}
			if info.IsDir() {
				err = os.CopyFS(to, os.DirFS(from))
			} else {
				err = os.WriteFile(to, []byte(read(t, from)), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	program := filepath.Join(t.TempDir(), "sqsserver.exe")
	args := strings.Fields(strings.Replace(strings.TrimPrefix(buildCommand, "CGO_ENABLED=0 "), "/out/sqsserver", program, 1))
	build := exec.CommandContext(t.Context(), args[0], args[1:]...)
	build.Dir = copied
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	if out, err := exec.CommandContext(t.Context(), program, "-h").CombinedOutput(); err != nil || !strings.Contains(string(out), "-allow-remote") {
		t.Errorf("-h: %v\n%s", err, out)
	}
}
