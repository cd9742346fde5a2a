package main

import (
	"fmt"
	"image"
	"slices"
	"strings"
	"time"
)

// A result is what everybody knows in the end.
type result struct {
	uploads []uploaded
	events  []event
	kills   []kill
	letters []deadLetter
	took    time.Duration // from the first upload until the queue was empty
}

// thumbnails returns all there are, in the order of the uploads.
func (r *result) thumbnails() (all []image.Image) {
	for i := range r.uploads {
		if m := r.uploads[i].small; m != nil {
			all = append(all, m)
		}
	}
	return all
}

// lost returns the names of images of which there is neither thumbnail nor reason,
// and of good ones that have no thumbnail.
func (r *result) lost() (names []string) {
	for _, u := range r.uploads {
		isDead := slices.ContainsFunc(r.letters, func(l deadLetter) bool { return l.name == u.name })
		if u.small == nil && (u.pixels > 0 || !isDead) {
			names = append(names, u.name)
		}
	}
	return names
}

// verdict is an error if an image was lost.
func (r *result) verdict() error {
	if lost := r.lost(); len(lost) > 0 {
		return fmt.Errorf("lost: %s", strings.Join(lost, ", "))
	}
	return nil
}

// summary tells it all to people.
func (r *result) summary() string {
	var b strings.Builder
	r.tellUploads(&b)
	r.tellWorkers(&b)
	r.tellReturns(&b)
	fmt.Fprintf(&b, "\ndead letters\n")
	for _, l := range r.letters {
		fmt.Fprintf(&b, "  %s: %s\n", l.name, l.reason)
	}
	fmt.Fprintf(&b, "\n%s in %.1f s: %s, %s, %d lost\n", count(len(r.uploads), "image"), r.took.Seconds(),
		count(len(r.thumbnails()), "thumbnail"), count(len(r.letters), "dead letter"), len(r.lost()))
	return b.String()
}

func (r *result) tellUploads(b *strings.Builder) {
	byServer := make(map[string]int)
	var took []time.Duration
	for _, u := range r.uploads {
		byServer[u.server]++
		took = append(took, u.took)
	}
	slices.Sort(took)
	fmt.Fprintf(b, "%s uploaded, answered 202 Accepted after %s ms (median), %s ms (max)\n",
		count(len(took), "image"), milliseconds(took[len(took)/2]), milliseconds(took[len(took)-1]))
	for i := range webServers {
		name := fmt.Sprint("web ", i+1)
		fmt.Fprintf(b, "  %-9s %3d\n", name, byServer[name])
	}
}

func (r *result) tellWorkers(b *strings.Builder) {
	var names []string
	made := make(map[string]int)
	for _, e := range r.events {
		if !slices.Contains(names, e.Worker) {
			names = append(names, e.Worker)
		}
		switch e.What {
		case finished:
			made[e.Worker]++
		case setAside:
			made[e.Worker]-- // it is finished, too
		}
	}
	for _, k := range r.kills { // one in whose place somebody came too late for anything
		if !slices.Contains(names, k.successor) {
			names = append(names, k.successor)
		}
	}
	slices.Sort(names)
	fmt.Fprintf(b, "\nthumbnails made\n")
	for _, name := range names {
		fmt.Fprintf(b, "  %-9s %3d", name, made[name])
		for _, k := range r.kills {
			switch name {
			case k.worker:
				fmt.Fprintf(b, "   killed with %s in its hands", count(k.inHand, "message"))
			case k.successor:
				fmt.Fprintf(b, "   in place of %s", k.worker)
			}
		}
		fmt.Fprintln(b)
	}
}

// tellReturns tells which messages came a second time.
func (r *result) tellReturns(b *strings.Builder) {
	first := make(map[string]event) // by message
	fmt.Fprintf(b, "\ncame again after the kill\n")
	for _, e := range r.events {
		if e.What != started {
			continue
		}
		if before, ok := first[e.ID]; ok {
			fmt.Fprintf(b, "  %s: %s had it, %s got it after %.1f s\n", e.Name, before.Worker, e.Worker, e.At.Sub(before.At).Seconds())
		}
		first[e.ID] = e
	}
	if len(r.kills) == 0 {
		fmt.Fprintln(b, "  none: there was too little to do for somebody to be killed")
	}
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()*1000) }

// count is a number with its noun.
func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprint(n, " ", noun)
}
