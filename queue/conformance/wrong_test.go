package main

import (
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restantemq/restante/queue/sqsapi"
)

// A service that does one thing wrong fails the rows about that thing, and no others.
func TestWrongServices(t *testing.T) {
	replace := func(pattern, by string) func(*http.Request, *http.Response, string) string {
		re := regexp.MustCompile(pattern)
		return func(_ *http.Request, _ *http.Response, body string) string { return re.ReplaceAllString(body, by) }
	}
	for _, c := range []struct {
		name   string
		change func(r *http.Request, resp *http.Response, body string) string
		failed []string
		flaws  []string
	}{
		{"no digests of received bodies", replace(`"MD5OfBody":"\w*",?|<MD5OfBody>\w*</MD5OfBody>`, ""), []string{
			"5.6/vectors", "8.1/members", "19.1/empty-lists", "20.2/message", "22.3/body-digests", "22.3/attribute-digests", "25/3-md5-of-returned-subset",
		}, []string{"ReceiveMessage.Messages.MD5OfBody is required", "the digest of a received body is <nil>"}},
		{"empty lists of messages", func(r *http.Request, _ *http.Response, body string) string {
			if body == "{}" && strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".ReceiveMessage") {
				return `{"Messages":[]}`
			}
			return body
		}, []string{"8.1/members", "19.2/absent", "25/11-empty-lists-omitted"}, []string{"is an empty list"}},
		{"no request IDs", func(_ *http.Request, resp *http.Response, body string) string {
			resp.Header.Del("X-Amzn-Requestid")
			return body
		}, []string{"19.2/headers"}, []string{"x-amzn-RequestId"}},
		{"one sentence for all", replace(`A queue already exists with the same name[^"<]*`, "No."), []string{"4.1/exists-codes", "21/queue-name-exists", "25/46-create-compares-given"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				_, s := restante(t, sqsapi.Options{})
				v := judge(t, altered(s, c.change), "-wait", "5s")
				require.Equal(t, c.failed, v.ids(failed))
				require.Len(t, v.Flaws, len(c.flaws))
				for i, f := range c.flaws {
					require.Contains(t, v.Flaws[i].Example, f)
				}
			})
		})
	}
}

// Whatever a service does in one row, the others go on.
func TestUnrulyServices(t *testing.T) {
	const rows = "^(4.1/answers-url-only|4.5/|6.1/members|8.1/members|25/48)"
	unruly := func(action string, do func(*http.Request) (*http.Response, error)) func(*testing.T) {
		return func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				_, s := restante(t, sqsapi.Options{})
				v := judge(t, func(r *http.Request) (*http.Response, error) {
					if r.Header.Get("X-Amz-Target") == "AmazonSQS."+action {
						return do(r)
					}
					return s(r)
				}, "-run", rows, "-wait", "1m", "-parallel", "2")
				require.Equal(t, []int{7, 1, 2}, []int{v.Passed, v.Failed, v.Skipped}, "%v", v.Rows)
				time.Sleep(2 * time.Hour) // until what was left behind has ended
			})
		}
	}
	answer := func(status int, contentType, body string) func(*http.Request) (*http.Response, error) {
		return func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {contentType}}, Body: io.NopCloser(strings.NewReader(body))}, nil
		}
	}
	t.Run("no answer", unruly("PurgeQueue", func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() }))
	t.Run("deaf to the context", unruly("PurgeQueue", func(*http.Request) (*http.Response, error) {
		time.Sleep(time.Hour)
		return nil, errors.New("at last")
	}))
	t.Run("hangs up", unruly("PurgeQueue", func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }))
	t.Run("no JSON", unruly("PurgeQueue", answer(500, "text/html", "<html>oh</html>")))
	t.Run("null", unruly("PurgeQueue", answer(200, "application/x-amz-json-1.0", "null")))
	t.Run("other types", unruly("GetQueueAttributes", answer(200, "application/x-amz-json-1.0", `{"Attributes":[1]}`)))
}
