package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"path/filepath"

	"github.com/restantemq/restante/queue"
)

// An upload is the body of a message.
type upload struct {
	ID    string // names the thumbnail
	Image []byte // as it was uploaded
}

// idOf makes an ID of an image's content: the same image uploaded twice, because
// the first answer was lost, say, is the same thumbnail.
func idOf(picture []byte) string {
	sum := sha256.Sum256(picture)
	return hex.EncodeToString(sum[:12])
}

// thumbnailFile is where the thumbnail is kept, when it is there.
func thumbnailFile(dir, id string) string { return filepath.Join(dir, "thumbnails", id+".png") }

const (
	maxUpload   = 16 << 20      // bytes
	serverName  = "X-Served-By" // header of answers: which of the servers it was
	nameOfImage = "Name"        // attribute of messages: what the client calls the image
)

// A webServer takes images, and hands out thumbnails.
type webServer struct {
	job
	images queue.Queue
}

// serveWeb is the process of a web server.
func serveWeb(ctx context.Context, j job, tell func(event)) error {
	q, err := openQueue(ctx, j, queueName)
	if err != nil {
		return err
	}
	defer q.Close()
	s := &webServer{j, q}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /images", s.accept)
	mux.HandleFunc("GET /thumbnails/{id}", s.thumbnail)
	return serve(ctx, mux, tell)
}

// accept sends an image to the queue. 202 Accepted means that it is on the disk,
// and that its message is: from now on the thumbnail is made, whatever happens to
// this server or to a worker. It does not mean that the image is any good: to
// look would take the time that the client shall not wait.
func (s *webServer) accept(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(serverName, s.name)
	picture, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxUpload))
	name := r.URL.Query().Get("name")
	if err != nil || len(picture) == 0 || name == "" {
		http.Error(w, "it takes an image, and its name", http.StatusBadRequest)
		return
	}
	u := upload{ID: idOf(picture), Image: picture}
	body, err := json.Marshal(u)
	if err == nil {
		_, err = s.images.Send(r.Context(), queue.Message{
			Body:       string(body),
			Attributes: queue.NewAttributes(map[string]queue.Value{nameOfImage: queue.String(name)}),
		})
	}
	if err != nil {
		log.Printf("%s: %v", s.name, err)
		http.Error(w, "the image may have been accepted or not; send it again", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Location", "/thumbnails/"+u.ID)
	w.WriteHeader(http.StatusAccepted)
}

// thumbnail answers with a thumbnail, or with 404 Not Found if it isn't there yet.
func (s *webServer) thumbnail(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if _, err := hex.DecodeString(id); err != nil { // it becomes part of a file's name
		http.NotFound(w, r)
		return
	}
	http.ServeFile(w, r, thumbnailFile(s.dir, id))
}
