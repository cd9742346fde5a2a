package awstest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/restantemq/restante/queue/sqsapi"
)

// lacking ends a test that can't run for want of something: skipped, or failed
// where the tests of CI run.
func lacking(t *testing.T, what, remedy string) {
	t.Helper()
	if os.Getenv("RESTANTE_CI") == "1" {
		t.Fatalf("there is no %s; to install it: %s", what, remedy)
	}
	t.Skipf("there is no %s; to install it: %s", what, remedy)
}

// A program is a client in another language: an interpreter with the SDK, told
// by environment variables where the SDK is.
type program struct {
	interpreter []string
	environment []string
}

// environment is that of this process without what the user has for AWS, which
// is none of the tests' business. No proxy serves the loopback interface.
func environment() (list []string) {
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "AWS_") {
			list = append(list, v)
		}
	}
	return append(list, "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull,
		"AWS_EC2_METADATA_DISABLED=true", "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
}

// patience is how long a program may take. It takes a few seconds.
const patience = 2 * time.Minute

// run runs a script of testdata against the server at endpoint, and returns what
// it printed.
func (p *program) run(t *testing.T, script, endpoint string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	arguments := append(p.interpreter[1:], filepath.Join("testdata", script))
	cmd := exec.CommandContext(ctx, p.interpreter[0], arguments...)
	cmd.Env = append(environment(), p.environment...)
	cmd.Env = append(cmd.Env, "RESTANTE_ENDPOINT="+endpoint)
	cmd.WaitDelay = time.Second
	var errOutput strings.Builder
	cmd.Stderr = &errOutput
	out, err := cmd.Output()
	if ctx.Err() != nil {
		err = errors.Join(err, ctx.Err())
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", script, err, out, errOutput.String())
	}
	return string(out)
}

// drive runs the programs "first" and "tour", whose names end in extension, each
// with a broker of its own. They speak the protocol.
func (p *program) drive(t *testing.T, extension, protocol string) {
	t.Run("first", func(t *testing.T) {
		b := newBroker(t)
		if _, err := b.CreateQueue(t.Context(), "first", nil); err != nil {
			t.Fatal(err)
		}
		endpoint, _ := serve(t, b, sqsapi.Options{})
		if got := strings.TrimSpace(p.run(t, "first"+extension, endpoint)); got != "Hello World!" {
			t.Errorf("printed %q", got)
		}
		q, err := b.GetQueue("first")
		if err != nil {
			t.Fatal(err)
		}
		left, err := q.Attributes(t.Context(), "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
		if err != nil || left["ApproximateNumberOfMessages"] != "0" || left["ApproximateNumberOfMessagesNotVisible"] != "0" {
			t.Errorf("left in the queue: %v, %v", left, err)
		}
	})
	t.Run("tour", func(t *testing.T) {
		endpoint, noted := serve(t, newBroker(t), sqsapi.Options{})
		t.Log(strings.TrimSpace(p.run(t, "tour"+extension, endpoint)))
		noted.check(t, protocol)
	})
}
