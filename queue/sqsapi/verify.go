package sqsapi

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxSkew is how far the clocks of signer and verifier may be apart.
const maxSkew = 15 * time.Minute

// unsignedPayload stands for the hash of a body that isn't signed.
const unsignedPayload = "UNSIGNED-PAYLOAD"

// A verifier tells which requests are signed, with Signature Version 4, by one
// of those it knows. It may be used concurrently.
type verifier struct {
	credentials map[string]string // access key ID to secret access key; never changes
}

// newVerifier returns a verifier that knows the credentials: secret access keys
// by access key ID. It keeps a copy.
func newVerifier(credentials map[string]string) *verifier {
	known := maps.Clone(credentials)
	maps.DeleteFunc(known, func(_, secret string) bool { return secret == "" }) // a setting that was forgotten
	return &verifier{known}
}

// verify returns nil if r, which has that body, was signed with one of the
// credentials and is valid now. r.Body isn't read. r may be a server's request
// or a client's.
func (v *verifier) verify(r *http.Request, body []byte, now time.Time) *failure {
	s, err := parseSignature(r)
	if err != nil {
		return err
	}
	if err := s.validAt(now); err != nil {
		return err
	}
	request, err := s.canonicalRequest(r, body)
	if err != nil {
		return err
	}
	// Who is unknown has an empty secret, so that the answer takes the same time.
	secret, known := v.credentials[s.accessKey]
	matches := hmac.Equal([]byte(s.mac), []byte(s.sign(secret, request)))
	switch {
	case !known:
		return &failure{invalidClientTokenID, "The security token included in the request is invalid."}
	case !matches:
		return mismatch("The request signature we calculated does not match the signature you provided. " +
			"Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	}
	return nil
}

func mismatch(message string) *failure { return &failure{signatureDoesNotMatch, message} }

// validAt returns nil if s is neither of the future nor expired.
func (s *signature) validAt(now time.Time) *failure {
	end := s.time.Add(maxSkew)
	if s.presigned {
		end = s.time.Add(s.expires)
	}
	switch {
	case s.time.After(now.Add(maxSkew)):
		return &failure{requestExpired, fmt.Sprintf("Signature not yet current: its time is %s, and now it is %s.",
			s.time.Format(signingTime), now.UTC().Format(signingTime))}
	case now.After(end):
		return &failure{requestExpired, fmt.Sprintf("Signature expired: its time is %s, it was valid until %s, and now it is %s.",
			s.time.Format(signingTime), end.Format(signingTime), now.UTC().Format(signingTime))}
	}
	return nil
}

// sign returns the signature of a canonical request by whoever has the secret,
// for the time and the scope of s.
func (s *signature) sign(secret string, request []byte) string {
	key := []byte("AWS4" + secret)
	for _, element := range []string{s.date, s.region, s.service, signingTerminator} {
		key = mac(key, element)
	}
	hash := sha256.Sum256(request)
	return hex.EncodeToString(mac(key, strings.Join([]string{
		signingAlgorithm,
		s.time.Format(signingTime),
		s.date + "/" + s.region + "/" + s.service + "/" + signingTerminator,
		hex.EncodeToString(hash[:]),
	}, "\n")))
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// canonicalRequest returns the text that stands for r in its signature. All
// services of AWS except S3 form it so.
func (s *signature) canonicalRequest(r *http.Request, body []byte) ([]byte, *failure) {
	payload, err := s.payload(r, body)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, 1024)
	b = append(b, cmp.Or(r.Method, http.MethodGet)...)
	b = append(b, '\n')
	b = appendPath(b, sentPath(r))
	b = append(b, '\n')
	b = appendQuery(b, r.URL.RawQuery)
	b = append(b, '\n')
	for _, name := range s.headers {
		values, ok := headerValues(r, name, len(body))
		if !ok {
			return nil, mismatch(fmt.Sprintf("The request has no header '%s', which is signed.", name))
		}
		b = append(b, name...)
		b = append(b, ':')
		for i, value := range values {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, value)
		}
		b = append(b, '\n')
	}
	b = append(b, '\n')
	b = append(b, strings.Join(s.headers, ";")...)
	b = append(b, '\n')
	return append(b, payload...), nil
}

// payload returns what stands for the body: its hash, which must be the one
// the request tells if it tells one. Presigned requests can leave it open if they
// have no body: one that isn't signed could ask for something else.
func (s *signature) payload(r *http.Request, body []byte) (string, *failure) {
	sum := sha256.Sum256(body)
	payload := hex.EncodeToString(sum[:])
	told := slices.Clip(r.Header["X-Amz-Content-Sha256"])
	if s.presigned {
		for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
			if name, value, _ := queryParameter(pair); strings.EqualFold(name, "X-Amz-Content-Sha256") {
				told = append(told, value)
			}
		}
	}
	switch {
	case len(told) == 0 || len(told) == 1 && told[0] == payload:
		return payload, nil
	case len(told) > 1:
		return "", incomplete("X-Amz-Content-Sha256 must not be repeated.")
	case told[0] == unsignedPayload && s.presigned && len(body) == 0:
		return unsignedPayload, nil
	case len(told[0]) == len(payload) && strings.Trim(told[0], "0123456789abcdef") == "":
		return "", mismatch("X-Amz-Content-Sha256 is not the SHA-256 of the body that was received.")
	}
	return "", incomplete("X-Amz-Content-Sha256 must be the SHA-256 of the body in lower case, got %q.", told[0])
}

// sentPath returns the path of r as it was or would be sent. Once parsed it
// may be another: a server decodes what needed no escape.
func sentPath(r *http.Request) string {
	if !strings.HasPrefix(r.RequestURI, "/") { // a client's, or one with a host
		return r.URL.EscapedPath()
	}
	sent, _, _ := strings.Cut(r.RequestURI, "?")
	return sent
}

// appendPath appends the canonical form of a path, as it was sent: without
// empty and dot segments, and escaped once more.
func appendPath(b []byte, sent string) []byte {
	b = appendEscaped(b, path.Clean("/"+sent), true)
	if strings.HasSuffix(sent, "/") && b[len(b)-1] != '/' {
		b = append(b, '/')
	}
	return b
}

// appendQuery appends the canonical form of a query that can be decoded: its
// parameters sorted, escaped in one way, and without the signature.
func appendQuery(b []byte, query string) []byte {
	if query == "" {
		return b
	}
	type pair struct{ name, value string } // escaped
	var pairs []pair
	for p := range strings.SplitSeq(query, "&") {
		if name, value, _ := queryParameter(p); p != "" && name != "X-Amz-Signature" {
			pairs = append(pairs, pair{escape(name), escape(value)})
		}
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.value, b.value))
	})
	for i, p := range pairs {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(b, p.name...)
		b = append(b, '=')
		b = append(b, p.value...)
	}
	return b
}

// headerValues returns the values of a header, named in lower case. net/http
// keeps some of them elsewhere than in r.Header, and a client's request lacks
// those that are added as it is sent.
func headerValues(r *http.Request, name string, length int) (values []string, ok bool) {
	switch name {
	case "host":
		return []string{signedHost(r)}, true
	case "content-length":
		return []string{strconv.Itoa(length)}, true
	case "transfer-encoding":
		return r.TransferEncoding, len(r.TransferEncoding) > 0
	}
	values = r.Header[textproto.CanonicalMIMEHeaderKey(name)]
	return values, len(values) > 0
}

// signedHost returns the host of r as signers write it: without the port that
// goes without saying.
func signedHost(r *http.Request) string {
	host, port := cmp.Or(r.Host, r.URL.Host), ":80"
	if r.TLS != nil || r.URL.Scheme == "https" {
		port = ":443"
	}
	name, ok := strings.CutSuffix(host, port)
	if bare := strings.Contains(name, ":") && !strings.HasSuffix(name, "]"); !ok || bare {
		return host // bare: an IPv6 address without brackets, which has no port
	}
	return name
}

// appendValue appends the value of a header with single spaces.
func appendValue(b []byte, value string) []byte {
	value = strings.TrimSpace(value)
	for i := range len(value) {
		if value[i] != ' ' || value[i-1] != ' ' { // it doesn't begin with a space
			b = append(b, value[i])
		}
	}
	return b
}

// escape returns s as it stands in a canonical query.
func escape(s string) string {
	if consistsOf(s, isUnreserved) {
		return s
	}
	return string(appendEscaped(nil, s, false))
}

// appendEscaped appends s, percent-encoded where it must be. slashes tells
// whether they stay.
func appendEscaped(b []byte, s string, slashes bool) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(s) {
		if c := s[i]; isUnreserved(c) || slashes && c == '/' {
			b = append(b, c)
		} else {
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return b
}
