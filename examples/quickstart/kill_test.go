package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// With this variable set, the test binary is the program.
const asProgram = "RESTANTE_QUICKSTART"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// program prepares the program as a process of its own. What it prints goes to
// the buffer.
func program(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	return cmd, &out
}

func TestKill(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("skipped on Windows: there is no SIGKILL")
	}
	const (
		n     = 800 // files
		kills = 5
	)
	folder, dir := t.TempDir(), filepath.Join(t.TempDir(), "store")
	for i := range n {
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprint("file", i)), fmt.Append(nil, i), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	journal := filepath.Join(dir, "quickstart.journal")
	const whole = n * 80 // bytes; the journal grows somewhat longer

	// A moment is when the journal has grown by so much. That falls anywhere in
	// the work, however fast the machine is.
	killed, continued := 0, 0
	for starts := 0; killed < kills; starts++ {
		if starts == 4*kills {
			t.Fatalf("of %d starts only %d could be killed", starts, killed)
		}
		cmd, out := program(t, "-store", dir, folder)
		size := length(journal)
		goal := size + dice.Int64N(max(whole-size, 2)/2)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }() // ends with the process
		for alive := true; alive; {
			select {
			case err := <-ended: // too early for us
				if alive = false; err != nil {
					t.Fatalf("after %d kills: %v, printed\n%s", killed, err, out)
				}
			case <-time.After(time.Duration(dice.IntN(int(time.Millisecond)))):
				if length(journal) >= goal {
					cmd.Process.Kill()
					<-ended
					killed, alive = killed+1, false
				}
			}
		}
		if strings.Contains(out.String(), "continuing: ") {
			continued++
		}
	}
	if continued == 0 {
		t.Errorf("after %d kills no start has continued", killed)
	}

	cmd, out := program(t, "-store", dir, folder)
	err := cmd.Run()
	t.Logf("%d kills, %d starts continued; the last one printed\n%s", killed, continued, out)
	if err != nil || row(out.String(), "results") != n || row(out.String(), "left") != 0 || row(out.String(), "lost") != 0 {
		t.Fatalf("after %d kills: %v, printed\n%s; want %d results, nothing left or lost", killed, err, out, n)
	}
}

func length(name string) int64 {
	info, err := os.Stat(name)
	if err != nil {
		return 0
	}
	return info.Size()
}

func TestExitStatus(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args    []string
		status  int
		mention string
	}{
		{[]string{t.TempDir()}, 0, "lost         0\n"},
		{[]string{folder, folder}, 2, "usage: quickstart [-store DIR] [FOLDER]"},
		{[]string{file}, 1, "quickstart: "},
		{[]string{"-store", filepath.Join(folder, "store"), folder}, 1, "lies in"},
		{[]string{"-store", file, t.TempDir()}, 1, "quickstart: "},
	} {
		cmd, out := program(t, c.args...)
		if cmd.Run(); cmd.ProcessState.ExitCode() != c.status || !strings.Contains(out.String(), c.mention) {
			t.Errorf("%q: exit status %d, printed\n%s; want %d, and %q", c.args, cmd.ProcessState.ExitCode(), out, c.status, c.mention)
		}
	}
}
