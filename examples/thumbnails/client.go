package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	customers     = 6                // who upload at the same time
	clientTimeout = 10 * time.Second // for an answer
)

// A client knows the proxy, and nothing of what is behind it.
type client struct {
	http  *http.Client
	proxy string
}

// An uploaded image is what its owner knows of it.
type uploaded struct {
	picture
	place  string        // where its thumbnail is to be
	server string        // which one has answered
	took   time.Duration // until the answer
	small  image.Image   // the thumbnail, in the end; nil if there is none
}

// uploadAll uploads pictures, several at the same time. Each customer takes the
// next one when the last one is answered.
func (c *client) uploadAll(ctx context.Context, pictures []picture) ([]uploaded, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	all := make([]uploaded, len(pictures))
	next := make(chan int, len(pictures))
	for i := range pictures {
		next <- i
	}
	close(next)
	var uploading sync.WaitGroup // they end when nothing is left, or with ctx
	for range customers {
		uploading.Go(func() {
			for i := range next {
				var err error
				if all[i], err = c.upload(ctx, pictures[i]); err != nil {
					stop(err)
					return
				}
			}
		})
	}
	uploading.Wait()
	return all, context.Cause(ctx)
}

// upload sends one picture.
func (c *client) upload(ctx context.Context, p picture) (uploaded, error) {
	began := time.Now()
	answer, _, err := c.ask(ctx, http.MethodPost, "/images?name="+url.QueryEscape(p.name), p.data, http.StatusAccepted)
	if err != nil {
		return uploaded{}, err
	}
	return uploaded{picture: p, place: answer.Get("Location"), server: answer.Get(serverName), took: time.Since(began)}, nil
}

// fetch gets the thumbnail of an image, if there is one.
func (c *client) fetch(ctx context.Context, u *uploaded) error {
	_, body, err := c.ask(ctx, http.MethodGet, u.place, nil, http.StatusOK, http.StatusNotFound)
	if err != nil || body == nil {
		return err
	}
	if u.small, err = png.Decode(bytes.NewReader(body)); err != nil {
		return fmt.Errorf("%s: thumbnail: %w", u.name, err)
	}
	return nil
}

// ask does one request. The body is nil unless the status is the first of those
// that are expected; any other one is an error.
func (c *client) ask(ctx context.Context, method, path string, body []byte, expected ...int) (http.Header, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, clientTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, c.proxy+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, nil, err
	}
	for i, status := range expected {
		switch {
		case answer.StatusCode != status:
		case i == 0:
			return answer.Header, text, nil
		default:
			return answer.Header, nil, nil
		}
	}
	return nil, nil, fmt.Errorf("%s %s: %s: %.200s", method, path, answer.Status, text)
}
