package disk

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// No test of ours can turn the power off, so this one looks at the system calls:
// each sync must reach the kernel, for the file or directory it is about.
func TestSyncsReachTheKernel(t *testing.T) {
	if dir := os.Getenv("RESTANTE_SYNC_DIR"); dir != "" {
		syncEverything(t, dir)
		return
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(dir, "store")
	got, err := traceSyncs("^"+t.Name()+"$", "RESTANTE_SYNC_DIR="+store)
	if err != nil {
		if os.Getenv("RESTANTE_CI") == "1" {
			t.Fatalf("CI must run this test: %v", err)
		}
		t.Skipf("it needs to trace a child: %v", err)
	}
	want := []string{
		"fsync " + dir, // the directory's own name
		"fdatasync " + filepath.Join(store, "file"),
		"fsync " + store,
		"fdatasync " + filepath.Join(store, "renamed"),
	}
	if !slices.Equal(got, want) {
		t.Errorf("the syncs were\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// syncEverything is the child.
func syncEverything(t *testing.T, dir string) {
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	d, err := OS(dir)
	check(err)
	_, err = OS(dir) // it is there now
	check(err)
	f, err := d.Create("file", 4096)
	check(err)
	check(f.Sync())
	check(d.Rename("file", "renamed"))
	check(d.SyncDir())
	_, err = f.WriteAt([]byte("x"), 0)
	check(err)
	check(f.Sync())
	check(f.Close())
}

// traceSyncs runs a test of this binary as a traced child, and returns the syncs
// it made. Its error says that tracing is not allowed here, or did not work.
func traceSyncs(test, env string) (syncs []string, err error) {
	const (
		exitKill    = 0x100000 // PTRACE_O_EXITKILL: no child outlives this
		syscallStop = syscall.SIGTRAP | 0x80
	)
	runtime.LockOSThread() // a tracer is a thread
	defer runtime.UnlockOSThread()
	cmd := exec.Command(os.Args[0], "-test.run="+test)
	cmd.Env = append(os.Environ(), env)
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	child := cmd.Process.Pid
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(child, &status, syscall.WALL, nil); err != nil {
		return nil, err
	}
	if err := syscall.PtraceSetOptions(child, syscall.PTRACE_O_TRACESYSGOOD|syscall.PTRACE_O_TRACECLONE|exitKill); err != nil {
		return nil, err
	}
	if err := syscall.PtraceSyscall(child, 0); err != nil {
		return nil, err
	}
	inside := map[int]bool{} // threads that are in a system call
	for {
		thread, err := syscall.Wait4(-1, &status, syscall.WALL, nil)
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			return nil, err
		case thread == child && (status.Exited() || status.Signaled()):
			if status.ExitStatus() != 0 {
				return nil, fmt.Errorf("the child ended with %v", status)
			}
			return syncs, nil
		case !status.Stopped():
			continue // a thread ended
		}
		signal := 0
		switch s := status.StopSignal(); s {
		case syscallStop:
			if inside[thread] = !inside[thread]; inside[thread] {
				if sync := syncOf(child, thread); sync != "" {
					syncs = append(syncs, sync)
				}
			}
		case syscall.SIGTRAP, syscall.SIGSTOP: // a thread began
		default:
			signal = int(s)
		}
		if err := syscall.PtraceSyscall(thread, signal); err != nil && err != syscall.ESRCH {
			return nil, err
		}
	}
}

// syncOf names the sync that a thread is about to make, and of what.
func syncOf(child, thread int) string {
	var regs syscall.PtraceRegs
	if err := syscall.PtraceGetRegs(thread, &regs); err != nil {
		return ""
	}
	name := map[uint64]string{syscall.SYS_FSYNC: "fsync", syscall.SYS_FDATASYNC: "fdatasync", syscall.SYS_SYNC: "sync"}[regs.Orig_rax]
	if name == "" {
		return ""
	}
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", child, regs.Rdi))
	if err != nil {
		path = err.Error()
	}
	return name + " " + path
}
