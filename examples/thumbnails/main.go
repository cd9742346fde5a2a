// Thumbnails is the classic picture: web servers that answer at once, a queue,
// and a pool of workers behind it, each of them a process.
//
//	go run ./examples/thumbnails [-n 60] [-o thumbnails.png] [-work 100ms]
//
//	                          ┌─► web 1 ─┐                  ┌─► worker 1
//	client ─► round-robin ────┼─► web 2 ─┼─► queue: images ─┼─► worker 2  ✗ kill -9
//	 images      proxy        └─► web 3 ─┘        │         ├─► worker 3
//	          ◄─ 202 Accepted                     ▼         └─► worker 4, in its place
//	                                        images-dead
//
// The client uploads real images, those in the source tree of the Go
// installation, and one that is broken. A web server hands the image to the
// queue and answers 202 Accepted with the place where the thumbnail will be. It
// does not wait for it: that takes a worker a while. In the middle a worker is
// killed with messages in its hands, and another one is started. Nobody tells the
// queue. The messages come back when their visibility timeout has passed, two
// seconds, and somebody else does them: nothing is lost. The broken image goes
// to the dead-letter queue, with the reason. In the end the client asks for each
// thumbnail, and puts them together on a contact sheet.
//
// What to look at:
//
//   - wire.go: a queue.Queue whose messages are in another process, over the
//     protocol of SQS. All else in this module takes it for what it is, a queue.
//   - worker.go: worker.Run over that queue, with the handler, which may be called
//     twice for a message and so must be able to.
//   - web.go: the upload. The message is the image. payload.Wrap keeps it in a
//     file and sends a pointer to that.
//   - queue.go: a durable broker with sqsapi.Handler in front of it. Put Amazon
//     SQS in its place and the rest stays.
//   - run.go: what happens, in which order.
//
// Every process but the first is a child of it, and ends when the pipe from it
// closes, however it ended: see process.go.
//
// If an image has neither thumbnail nor reason, the exit status is 1.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"image/png"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 {
		if role, ok := roles[os.Args[1]]; ok {
			os.Exit(child(role, os.Args[1:]))
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	os.Exit(command(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// settings are what the flags say.
type settings struct {
	images int
	sheet  string        // a file
	work   time.Duration // for a thumbnail, at least
}

const maxImages = 1000

// command is the program without its process. It returns the exit status.
func command(ctx context.Context, args []string, out, errOut io.Writer) int {
	s, err := parse(args, out)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(errOut, "thumbnails: %v\nrun it with -h for help\n", err)
		return 2
	}
	if err := start(ctx, s, out, errOut); err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted; everything has been stopped and removed")
		}
		fmt.Fprintln(errOut, "thumbnails:", err)
		return 1
	}
	return 0
}

// parse reads the flags. Its error names the one that is wrong. When help is
// asked for, it writes that to out and returns flag.ErrHelp.
func parse(args []string, out io.Writer) (s settings, err error) {
	flags := flag.NewFlagSet("thumbnails", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.IntVar(&s.images, "n", 60, "upload up to `N` images, the largest there are")
	flags.StringVar(&s.sheet, "o", "thumbnails.png", "write the contact sheet to `FILE`")
	flags.DurationVar(&s.work, "work", 100*time.Millisecond, "how long a thumbnail takes at least, as if the images were larger")
	flags.Usage = func() {} // below, and only when asked for
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(out, `usage: thumbnails [-n 60] [-o thumbnails.png] [-work 100ms]

A proxy, web servers, a queue and a pool of workers make thumbnails of the images
in the Go installation's source tree. A worker is killed meanwhile.

`)
		flags.SetOutput(out)
		flags.PrintDefaults()
		fmt.Fprint(out, `
Exit status: 0; 1 if an image was lost, or if something else went wrong; 2 if the
flags are wrong.
`)
		return s, err
	case err != nil:
		return s, err
	case flags.NArg() > 0:
		return s, fmt.Errorf("%q: there are no arguments, only flags", flags.Arg(0))
	case s.images < 1 || s.images > maxImages:
		return s, fmt.Errorf("-n %d: must be from 1 to %d", s.images, maxImages)
	case s.sheet == "":
		return s, errors.New("-o: must name a file")
	case s.work < 0 || s.work > leaseTime/2:
		return s, fmt.Errorf("-work %v: must be from 0 to %v", s.work, leaseTime/2)
	}
	return s, nil
}

// start lets it happen, in a folder that is gone afterwards, and tells what
// became of it.
func start(ctx context.Context, s settings, out, errOut io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "thumbnails-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	progress := func(format string, args ...any) { fmt.Fprintf(errOut, "thumbnails: "+format+"\n", args...) }

	r, err := run(ctx, s, dir, progress)
	if err != nil {
		return err
	}
	fmt.Fprint(out, r.summary())
	var sheet bytes.Buffer
	if err := png.Encode(&sheet, contactSheet(r.thumbnails())); err != nil {
		return err
	}
	if err := os.WriteFile(s.sheet, sheet.Bytes(), 0o644); err != nil {
		return err
	}
	fmt.Fprintln(out, "contact sheet:", s.sheet)
	return r.verdict()
}
