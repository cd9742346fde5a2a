package main

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// With this variable set, the test binary is the program, and so are its children.
const asProgram = "RESTANTE_THUMBNAILS"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// A program is the whole picture, with its folder for temporary files.
type program struct {
	*exec.Cmd
	temporary string
	out       bytes.Buffer
	errOut    io.ReadCloser // ends when the last of the processes has
}

func prepare(t *testing.T, args ...string) *program {
	p := &program{Cmd: exec.CommandContext(t.Context(), os.Args[0], args...), temporary: t.TempDir()}
	p.Env = append(os.Environ(), asProgram+"=1", "TMPDIR="+p.temporary, "TMP="+p.temporary,
		"GORACE=atexit_sleep_ms=10 "+os.Getenv("GORACE")) // with -race each process would take a second to end
	p.Stdout = &p.out
	var err error
	if p.errOut, err = p.StderrPipe(); err != nil {
		t.Fatal(err)
	}
	return p
}

// launchAll starts the program and returns when its parts run.
func launchAll(t *testing.T, args ...string) *program {
	t.Helper()
	p := prepare(t, args...)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	for !strings.Contains(said.String(), "web servers behind it") {
		if _, err := io.CopyN(&said, p.errOut, 1); err != nil {
			t.Fatalf("it said %s, then %v", &said, err)
		}
	}
	return p
}

// rest returns what is still said on standard error, when all processes have
// ended.
func (p *program) rest(t *testing.T) string {
	t.Helper()
	const limit = time.Minute
	late := time.AfterFunc(limit, func() {
		t.Errorf("processes are left after %v", limit)
		p.errOut.Close()
	})
	defer late.Stop()
	said, _ := io.ReadAll(p.errOut)
	return string(said)
}

// leftBehind returns what is left in the folder for temporary files.
func (p *program) leftBehind() []string {
	left, err := filepath.Glob(filepath.Join(p.temporary, "*"))
	if err != nil {
		panic(err)
	}
	return left
}

func TestTheWholePicture(t *testing.T) {
	sheet := filepath.Join(t.TempDir(), "sheet.png")
	p := prepare(t, "-n", "24", "-o", sheet)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	said := p.rest(t)
	err := p.Wait()
	out := p.out.String()
	t.Logf("%s\n%s", said, out)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`^25 images uploaded, answered 202 Accepted after \d+\.\d ms \(median\), \d+\.\d ms \(max\)\n`,
		`\n  web 1       [89]\n  web 2       [89]\n  web 3       [89]\n`,
		`\n  worker \d +\d+   killed with [12] messages? in its hands\n`,
		`\n  worker 4 +\d+   in place of worker [123]\n`,
		`\ncame again after the kill\n  \S+\.\w+: worker [1-3] had it, worker [1-4] got it after [2-9]\.\d s\n`,
		`\ndead letters\n  cut-short\.png: png: invalid format: .*\n`,
		`\n25 images in \d+\.\d s: 24 thumbnails, 1 dead letter, 0 lost\n`,
		`\ncontact sheet: ` + regexp.QuoteMeta(sheet) + `\n$`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("the summary has no %q", want)
		}
	}
	if left := p.leftBehind(); len(left) > 0 {
		t.Errorf("%q are left behind", left)
	}

	file, err := os.ReadFile(sheet)
	if err != nil {
		t.Fatal(err)
	}
	m, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	if want := contactSheet(make24()).Bounds(); m.Bounds() != want {
		t.Errorf("the contact sheet has %v; want %v", m.Bounds(), want)
	}
}

func make24() []image.Image {
	all := make([]image.Image, 24)
	for i := range all {
		all[i] = image.NewRGBA(image.Rect(0, 0, 1, 1))
	}
	return all
}

// No process stays behind, and no file, however the program is ended.
func TestInterrupt(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("skipped on Windows: a test can't send an interrupt there")
	}
	p := launchAll(t, "-n", "1000", "-o", filepath.Join(t.TempDir(), "sheet.png"))
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	said := p.rest(t)
	if err := p.Wait(); p.ProcessState.ExitCode() != 1 || !strings.HasSuffix(said, "thumbnails: interrupted; everything has been stopped and removed\n") {
		t.Errorf("after an interrupt: %v, it said %s", err, said)
	}
	if left := p.leftBehind(); len(left) > 0 {
		t.Errorf("%q are left behind", left)
	}
}

// Its children end even if it can't tell them.
func TestKilled(t *testing.T) {
	p := launchAll(t, "-n", "1000", "-o", filepath.Join(t.TempDir(), "sheet.png"))
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	t.Log(p.rest(t)) // fails if it is late
	p.Wait()
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args   string
		status int
		says   string
	}{
		{"-h", 0, "Exit status"},
		{"-n 0", 2, "-n 0"},
		{"-n 1001", 2, "-n 1001"},
		{"-o=", 2, "-o"},
		{"-work -1s", 2, "-work -1s"},
		{"-work 3s", 2, "-work 3s"},
		{"-nonsense", 2, "-nonsense"},
		{"more", 2, `"more"`},
		{"worker", 2, "started by the program itself"},
	} {
		p := prepare(t, strings.Fields(c.args)...)
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		said := p.rest(t)
		p.Wait()
		if status := p.ProcessState.ExitCode(); status != c.status || !strings.Contains(p.out.String()+said, c.says) {
			t.Errorf("%s: exit status %d, it said %s%s; want %d and %q", c.args, status, &p.out, said, c.status, c.says)
		}
	}
}

// What is lost is said, and makes the exit status.
func TestLost(t *testing.T) {
	small := image.NewRGBA(image.Rect(0, 0, 1, 1))
	upload := func(name string, pixels int, small image.Image) uploaded {
		return uploaded{picture: picture{name: name, pixels: pixels}, small: small}
	}
	letters := []deadLetter{{"dead", "why"}, {"good and dead", "why"}}
	r := &result{letters: letters, uploads: []uploaded{
		upload("good", 1, small), upload("dead", 0, nil), upload("good and dead", 1, nil), upload("gone", 1, nil), upload("broken and gone", 0, nil),
	}}
	if err := r.verdict(); fmt.Sprint(err) != "lost: good and dead, gone, broken and gone" {
		t.Errorf("it is said %v", err)
	}
	if s := r.summary(); !strings.Contains(s, "1 thumbnail, 2 dead letters, 3 lost") {
		t.Errorf("the summary is %s", s)
	}
	r.uploads = r.uploads[:2]
	if err := r.verdict(); err != nil {
		t.Error(err)
	}
}
