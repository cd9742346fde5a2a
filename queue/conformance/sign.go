package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A signer signs requests with AWS Signature Version 4.
type signer struct {
	key, secret, token, region string
}

// sign adds the headers of a signature to r, which has body and is sent now.
func (s *signer) sign(r *http.Request, body []byte, now time.Time) {
	moment := now.UTC().Format("20060102T150405Z")
	scope := moment[:8] + "/" + s.region + "/sqs/aws4_request"
	r.Header.Set("X-Amz-Date", moment)
	if s.token != "" {
		r.Header.Set("X-Amz-Security-Token", s.token)
	}
	names, headers := canonicalHeaders(r)
	canonical := strings.Join([]string{r.Method, canonicalPath(r.URL), canonicalQuery(r.URL.RawQuery), headers, names, hexSum(body)}, "\n")
	text := strings.Join([]string{"AWS4-HMAC-SHA256", moment, scope, hexSum([]byte(canonical))}, "\n")

	key := []byte("AWS4" + s.secret)
	for _, part := range strings.Split(scope, "/") {
		key = mac(key, part)
	}
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+s.key+"/"+scope+", SignedHeaders="+names+", Signature="+hex.EncodeToString(mac(key, text)))
}

// canonicalHeaders are the headers that are signed: their names, and each with its
// value in a line.
func canonicalHeaders(r *http.Request) (names, lines string) {
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	signed := map[string]string{"host": host}
	for name, values := range r.Header {
		name = strings.ToLower(name)
		if name == "content-type" || strings.HasPrefix(name, "x-amz-") {
			signed[name] = strings.Join(strings.Fields(strings.Join(values, ",")), " ")
		}
	}
	var sorted []string
	for name := range signed {
		sorted = append(sorted, name)
	}
	slices.Sort(sorted)
	for _, name := range sorted {
		lines += name + ":" + signed[name] + "\n"
	}
	return strings.Join(sorted, ";"), lines
}

// canonicalPath is the path as it is sent, escaped once more: what every service but
// S3 expects.
func canonicalPath(u *url.URL) string {
	segments := strings.Split(u.EscapedPath(), "/")
	for i, s := range segments {
		segments[i] = escaped(s)
	}
	if path := strings.Join(segments, "/"); path != "" {
		return path
	}
	return "/"
}

// canonicalQuery sorts the parameters. What can't be read is signed as it is.
func canonicalQuery(query string) string {
	if query == "" {
		return ""
	}
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		n, err1 := url.QueryUnescape(name)
		v, err2 := url.QueryUnescape(value)
		if err1 == nil && err2 == nil {
			pairs[i] = escaped(n) + "=" + escaped(v)
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// escaped escapes all but letters, digits and -._~.
func escaped(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

func hexSum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
