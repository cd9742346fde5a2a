package main

import (
	"bytes"
	"crypto/subtle"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/restantemq/restante/queue/broker"
	"github.com/restantemq/restante/queue/sqsapi"
)

// A service is SQS, and beside it what people want of a server on their desk.
type service struct {
	broker               *broker.Broker
	api                  http.Handler
	accessKey, secretKey string // both empty: nobody has to sign
}

func newService(b *broker.Broker, s settings) *service {
	return &service{broker: b, api: sqsapi.Handler(b, s.api()), accessKey: s.accessKey, secretKey: s.secretKey}
}

// ServeHTTP implements http.Handler. The paths are compared as they come: SDKs
// sign them, so there are no redirects to nicer ones.
func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	looks := r.Method == http.MethodGet || r.Method == http.MethodHead
	path := strings.TrimSuffix(r.URL.Path, "/")
	switch {
	case looks && path == "/health":
		s.guarded(w, r, s.health)
	case looks && path == "/_localstack/health":
		s.guarded(w, r, s.localStackHealth)
	case looks && (path == messagesPath || strings.HasPrefix(path, messagesPath+"/")),
		r.Method == http.MethodPost && path == messagesPath:
		s.guarded(w, r, s.withKeys(s.messages))
	default:
		s.api.ServeHTTP(w, r)
	}
}

// guarded answers r by h if the API would serve whoever asks, where it comes
// from. Otherwise the answer is the API's refusal, in its own words: it is asked
// to list one queue.
func (s *service) guarded(w http.ResponseWriter, r *http.Request, h http.HandlerFunc) {
	if s.accessKey == "" { // with keys, it matters who asks, and not from where
		probe := r.Clone(r.Context())
		probe.Method, probe.URL, probe.RequestURI = http.MethodPost, &url.URL{Path: "/"}, "/"
		for _, name := range []string{"Authorization", "Content-Length", "Content-Encoding"} {
			probe.Header.Del(name)
		}
		probe.Header.Set("Content-Type", "application/x-amz-json-1.0")
		probe.Header.Set("X-Amz-Target", "AmazonSQS.ListQueues")
		body := `{"MaxResults":1}`
		probe.Body, probe.ContentLength, probe.TransferEncoding = io.NopCloser(strings.NewReader(body)), int64(len(body)), nil
		answer := heard{header: make(http.Header)}
		s.api.ServeHTTP(&answer, probe)
		if answer.status == http.StatusForbidden {
			for name, values := range answer.header {
				w.Header()[name] = values
			}
			w.WriteHeader(answer.status)
			w.Write(answer.body.Bytes())
			return
		}
	}
	h(w, r)
}

// heard is an answer that goes to nobody else.
type heard struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (h *heard) Header() http.Header         { return h.header }
func (h *heard) Write(b []byte) (int, error) { return h.body.Write(b) }
func (h *heard) WriteHeader(status int)      { h.status = status }

// withKeys asks for the keys, if there are any, as curl -u ID:SECRET sends them.
// A signature can't be checked here.
func (s *service) withKeys(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.accessKey != "" {
			id, secret, _ := r.BasicAuth()
			same := subtle.ConstantTimeCompare([]byte(id), []byte(s.accessKey)) & subtle.ConstantTimeCompare([]byte(secret), []byte(s.secretKey))
			if same != 1 {
				w.Header().Set("WWW-Authenticate", `Basic realm="queues"`)
				http.Error(w, "who looks into queues must tell the access key and its secret: curl -u ID:SECRET", http.StatusUnauthorized)
				return
			}
		}
		h(w, r)
	}
}

// health says whether it is any use to send requests. With keys it says so to
// everybody.
func (s *service) health(w http.ResponseWriter, _ *http.Request) {
	if _, _, err := s.broker.ListQueues(broker.ListOptions{Max: 1}); err != nil {
		answer(w, http.StatusServiceUnavailable, "application/json", `{"status": "closed"}`)
		return
	}
	answer(w, http.StatusOK, "application/json", `{"status": "ok"}`)
}

// localStackHealth is health in the form that scripts expect who wait for
// LocalStack, down to the spaces that they search for.
func (s *service) localStackHealth(w http.ResponseWriter, _ *http.Request) {
	status, state := http.StatusOK, "running"
	if _, _, err := s.broker.ListQueues(broker.ListOptions{Max: 1}); err != nil {
		status, state = http.StatusServiceUnavailable, "error"
	}
	answer(w, status, "application/json", fmt.Sprintf(`{"services": {"sqs": %q}, "edition": "restante", "version": %q}`, state, version()))
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

func answer(w http.ResponseWriter, status int, contentType, body string) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	io.WriteString(w, body+"\n") // whoever asked may have gone
}

// actionOf returns the SQS action that a request names, or "" if it names none,
// or names it where only the API looks: in a form.
func actionOf(r *http.Request) string {
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		return strings.TrimPrefix(target, "AmazonSQS.")
	}
	return r.URL.Query().Get("Action")
}

// logging logs each request when it has been answered.
func logging(logger *log.Logger, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		noting := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		defer func() { // also when the connection is cut
			logger.Printf("%s %q %q %d %v from %s", r.Method, r.URL.Path, actionOf(r), noting.status, time.Since(began).Round(time.Microsecond), from(r))
		}()
		h.ServeHTTP(noting, r)
	})
}

// from is where a request comes from; users of a socket have no address.
func from(r *http.Request) string {
	if r.RemoteAddr == "" || r.RemoteAddr == "@" {
		return "the socket"
	}
	return r.RemoteAddr
}

// A statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
