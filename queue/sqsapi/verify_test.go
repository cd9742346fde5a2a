package sqsapi

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

const exampleSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

// The requests of AWS's own test suite for signers, and the signatures it
// gives. They are for a service named "service".
var published = []struct {
	name    string
	method  string
	target  string
	headers []string // names and values
	body    string
	signed  string
	mac     string
}{
	{"get-vanilla", "GET", "/", nil, "", "host;x-amz-date",
		"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"post-vanilla", "POST", "/", nil, "", "host;x-amz-date",
		"5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
	{"get-vanilla-query-order-key-case", "GET", "/?Param2=value2&Param1=value1", nil, "", "host;x-amz-date",
		"b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
	{"get-vanilla-query-order-encoded", "GET", "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1", nil, "", "host;x-amz-date",
		"371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"},
	{"get-vanilla-query-unreserved", "GET", "/?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=" +
		"-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", nil, "", "host;x-amz-date",
		"9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
	{"get-vanilla-utf8-query", "GET", "/?ሴ=bar", nil, "", "host;x-amz-date",
		"2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
	{"get-unreserved", "GET", "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", nil, "", "host;x-amz-date",
		"07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
	{"get-utf8", "GET", "/ሴ", nil, "", "host;x-amz-date",
		"8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
	{"get-space-normalized", "GET", "/example space/", nil, "", "host;x-amz-date",
		"652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
	{"get-relative-relative-normalized", "GET", "/example1/example2/../..", nil, "", "host;x-amz-date",
		"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"get-slashes-normalized", "GET", "//example//", nil, "", "host;x-amz-date",
		"9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
	{"get-slash-pointless-dot-normalized", "GET", "/./example", nil, "", "host;x-amz-date",
		"ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"},
	{"get-header-key-duplicate", "GET", "/", []string{"My-Header1", "value2", "My-Header1", "value2", "My-Header1", "value1"}, "",
		"host;my-header1;x-amz-date", "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
	{"get-header-value-order", "GET", "/", []string{"My-Header1", "value4", "My-Header1", "value1", "My-Header1", "value3", "My-Header1", "value2"}, "",
		"host;my-header1;x-amz-date", "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
	{"get-header-value-trim", "GET", "/", []string{"My-Header1", " value1", "My-Header2", ` "a   b   c"`}, "",
		"host;my-header1;my-header2;x-amz-date", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
	{"get-vanilla-with-session-token", "GET", "/", []string{"X-Amz-Security-Token", "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"}, "",
		"host;x-amz-date;x-amz-security-token", "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"},
	{"post-header-key-sort", "POST", "/", []string{"My-Header1", "value1"}, "", "host;my-header1;x-amz-date",
		"c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
	{"post-x-www-form-urlencoded", "POST", "/", []string{
		"Content-Type", "application/x-www-form-urlencoded",
		"X-Amz-Content-Sha256", "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e",
	}, "Param1=value1", "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
		"d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"},
	{"post-x-www-form-urlencoded-parameters", "POST", "/", []string{
		"Content-Type", "application/x-www-form-urlencoded; charset=utf-8",
		"X-Amz-Content-Sha256", "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e",
	}, "Param1=value1", "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
		"328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422"},
	{"presigned get-vanilla-query-order-key-case", "GET", "/?Param2=value2&Param1=value1" +
		"&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fservice%2Faws4_request" +
		"&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Expires=3600" +
		"&X-Amz-Signature=86012e2c9ad4d77369f5d81c11f75158aae4f895a085212cc6d3f923d300bed5", nil, "", "",
		"86012e2c9ad4d77369f5d81c11f75158aae4f895a085212cc6d3f923d300bed5"},
	{"presigned get-vanilla-with-session-token", "GET", "/?X-Amz-Algorithm=AWS4-HMAC-SHA256" +
		"&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fservice%2Faws4_request" +
		"&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Expires=3600" +
		"&X-Amz-Security-Token=6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267" +
		"&X-Amz-Signature=7ff2b50b376cb4d151970630573d6291dc128cc5c2a12ffb237f73cc53f67b6c", nil, "", "",
		"7ff2b50b376cb4d151970630573d6291dc128cc5c2a12ffb237f73cc53f67b6c"},
}

func TestPublishedSignatures(t *testing.T) {
	for _, c := range published {
		_, query, _ := strings.Cut(c.target, "?")
		r := &http.Request{Method: c.method, RequestURI: c.target, URL: &url.URL{RawQuery: query}, Host: "example.amazonaws.com", Header: http.Header{}}
		for i := 0; i < len(c.headers); i += 2 {
			r.Header.Add(c.headers[i], c.headers[i+1])
		}
		// Parsed as if for SQS; what is signed isn't changed.
		parsed := *r
		if c.signed != "" {
			r.Header.Set("X-Amz-Date", "20150830T123600Z")
			parsed.Header = r.Header.Clone()
			parsed.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/sqs/aws4_request, SignedHeaders="+c.signed+", Signature="+c.mac)
		} else {
			parsed.URL = &url.URL{RawQuery: strings.Replace(query, "service", "sqs", 1)}
		}
		s, f := parseSignature(&parsed)
		if f != nil {
			t.Errorf("%s: %v", c.name, f)
			continue
		}
		s.service = "service"
		canonical, f := s.canonicalRequest(r, []byte(c.body))
		if f != nil {
			t.Errorf("%s: %v", c.name, f)
			continue
		}
		if got := s.sign(exampleSecret, canonical); got != c.mac || got != s.mac {
			t.Errorf("%s: signature %s, want %s\n%s", c.name, got, c.mac, canonical)
		}
	}
}

// The example of AWS's documentation, with each of its steps.
func TestPublishedExample(t *testing.T) {
	r := &http.Request{URL: &url.URL{Path: "/", RawQuery: "Version=2010-05-08&Action=ListUsers"}, Host: "iam.amazonaws.com", Header: http.Header{
		"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"},
		"X-Amz-Date":   {"20150830T123600Z"},
	}}
	s := &signature{
		date: "20150830", region: "us-east-1", service: "iam",
		headers: []string{"content-type", "host", "x-amz-date"},
		time:    time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC),
	}
	canonical, f := s.canonicalRequest(r, nil)
	if f != nil {
		t.Fatal(f)
	}
	want := "GET\n/\nAction=ListUsers&Version=2010-05-08\n" +
		"content-type:application/x-www-form-urlencoded; charset=utf-8\nhost:iam.amazonaws.com\nx-amz-date:20150830T123600Z\n\n" +
		"content-type;host;x-amz-date\ne3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	if string(canonical) != want {
		t.Errorf("canonical request\n%s\nwant\n%s", canonical, want)
	}
	if got := fmt.Sprintf("%x", sha256.Sum256(canonical)); got != "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59" {
		t.Errorf("hash of the canonical request %s", got)
	}
	if got := s.sign(exampleSecret, canonical); got != "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7" {
		t.Errorf("signature %s", got)
	}
}

// A signer signs clients' requests as the documentation says, written without
// regard to how they are verified.
type signer struct {
	key, secret string
	at          time.Time
}

var (
	exampleNow    = time.Date(2026, 11, 5, 23, 59, 30, 0, time.UTC)
	exampleSigner = signer{"AKIDEXAMPLE", exampleSecret, exampleNow}
	exampleKnown  = newVerifier(map[string]string{"AKIDEXAMPLE": exampleSecret, "AKIDOTHER": "another"})
)

func (s signer) scope() string { return s.at.Format("20060102") + "/eu-west-1/sqs/aws4_request" }

// sign signs r in its header: host, x-amz-date, and the headers named.
func (s signer) sign(r *http.Request, body string, names ...string) {
	r.Header.Set("X-Amz-Date", s.at.Format("20060102T150405Z"))
	names = append(names, "host", "x-amz-date")
	slices.Sort(names)
	r.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s",
		s.key, s.scope(), strings.Join(names, ";"), s.mac(r, hashOf(body), body, names)))
}

// presign signs r in its query.
func (s signer) presign(r *http.Request, body, hash string, expires int, names ...string) {
	names = append(names, "host")
	slices.Sort(names)
	r.URL.RawQuery = strings.TrimPrefix(r.URL.RawQuery+"&", "&") + fmt.Sprintf(
		"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=%s%%2F%s&X-Amz-Date=%s&X-Amz-Expires=%d&X-Amz-SignedHeaders=%s",
		s.key, strings.ReplaceAll(s.scope(), "/", "%2F"), s.at.Format("20060102T150405Z"), expires, strings.Join(names, "%3B"))
	r.URL.RawQuery += "&X-Amz-Signature=" + s.mac(r, hash, body, names)
}

func (s signer) mac(r *http.Request, hash, body string, names []string) string {
	encoded := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
	var segments, parameters []string
	for segment := range strings.SplitSeq(r.URL.EscapedPath(), "/") {
		segments = append(segments, encoded(segment))
	}
	for name, values := range r.URL.Query() {
		for _, value := range values {
			// No character of an encoded name or value is below a tab.
			parameters = append(parameters, encoded(name)+"\t"+encoded(value))
		}
	}
	slices.Sort(parameters)
	var headers string
	for _, name := range names {
		var values []string
		switch name {
		case "host":
			values = []string{r.URL.Host}
		case "content-length":
			values = []string{fmt.Sprint(len(body))}
		default:
			for _, value := range r.Header.Values(name) {
				values = append(values, strings.Join(strings.Fields(value), " "))
			}
		}
		headers += name + ":" + strings.Join(values, ",") + "\n"
	}
	request := strings.Join([]string{
		r.Method,
		cmp.Or(strings.Join(segments, "/"), "/"),
		strings.ReplaceAll(strings.Join(parameters, "&"), "\t", "="),
		headers,
		strings.Join(names, ";"),
		hash,
	}, "\n")
	key := "AWS4" + s.secret
	for _, text := range append(strings.Split(s.scope(), "/"), "AWS4-HMAC-SHA256\n"+s.at.Format("20060102T150405Z")+"\n"+s.scope()+"\n"+hashOf(request)) {
		h := hmac.New(sha256.New, []byte(key))
		io.WriteString(h, text)
		key = string(h.Sum(nil))
	}
	return fmt.Sprintf("%x", key)
}

func hashOf(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

const exampleBody = `{"QueueUrl":"http://localhost:8080/123456789012/orders","MessageBody":"a"}`

// newRequest returns a client's request, not signed yet.
func newRequest(t testing.TB, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequest("POST", url, strings.NewReader(exampleBody))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "AmazonSQS.SendMessage")
	return r
}

// allHeaders are those of newRequest, besides host and x-amz-date.
var allHeaders = []string{"content-length", "content-type", "x-amz-target"}

// wire returns r as it is sent.
func wire(t testing.TB, r *http.Request) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read returns the request, as a server reads it, and its body.
func read(wire []byte) (*http.Request, []byte, error) {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(wire)))
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(r.Body)
	return r, body, err
}

// verifyBoth verifies a client's request as it is, and as a server reads it.
func verifyBoth(t *testing.T, v *verifier, r *http.Request, now time.Time) *failure {
	t.Helper()
	received, body, err := read(wire(t, r))
	if err != nil {
		t.Fatal(err)
	}
	there := v.verify(received, body, now)
	here := v.verify(r, body, now) // after, because r has a body only once
	if (here == nil) != (there == nil) || here != nil && *here != *there {
		t.Errorf("in process: %v; over a socket: %v", here, there)
	}
	return there
}

func TestVerify(t *testing.T) {
	for _, target := range []string{
		"http://localhost/",
		"http://localhost",
		"https://queues.example/123456789012/orders",
		"http://localhost:8080/123456789012/orders.fifo",
		"http://[::1]:8080/",
		"http://LOCALHOST:8080/",
		"http://localhost/a b/c",
		"http://localhost/a%20b/c",
		"http://localhost/a%2Fb",
		"http://localhost/a%2fb",
		"http://localhost/a:b/c@d/e+f/g=h;i,j&k$l!m*n'o(p)",
		"http://localhost/h%C3%A9llo/%F0%9F%98%80",
		"http://localhost/héllo",
		"http://localhost/.a/..b/c./d../...",
		"http://localhost/%2E%2E/a%2e",
		"http://localhost/a/",
		"http://localhost/%25/%2525",
		"http://localhost/~a",
		"http://localhost/?b=2&a=1",
		"http://localhost/?a=2&a=10&a=1&a=",
		"http://localhost/?a=/&a=-&a=~&a=%7E",
		"http://localhost/?a-b=1&a=2&a%2Fb=3&A=4&a.b=5",
		"http://localhost/?a=b+c&d=e%20f&g=%2B",
		"http://localhost/?a&b=&=c&=&&d",
		"http://localhost/?a=b=c&d=%26%3D",
		"http://localhost/?%C3%A9=%F0%9F%98%80&e=%FF",
		"http://localhost/?a=%2f&b=%2F&c=:@!$'()*,",
		"http://localhost/?",
		"http://localhost/a/?Action=SendMessage&MessageBody=a+b%0Ac&Version=2012-11-05",
	} {
		signed := newRequest(t, target)
		exampleSigner.sign(signed, exampleBody, allHeaders...)
		if f := verifyBoth(t, exampleKnown, signed, exampleNow); f != nil {
			t.Errorf("%s: %v", target, f)
		}
		presigned := newRequest(t, target)
		exampleSigner.presign(presigned, exampleBody, hashOf(exampleBody), 60, allHeaders...)
		if f := verifyBoth(t, exampleKnown, presigned, exampleNow); f != nil {
			t.Errorf("%s, presigned: %v", target, f)
		}
	}
}

// Signers, or what is between them and the server, normalise paths.
func TestVerifyNormalisesPaths(t *testing.T) {
	for sent, signed := range map[string]string{
		"/a//b":          "/a/b",
		"//a///b//":      "/a/b/",
		"/./a/./b":       "/a/b",
		"/a/../b":        "/b",
		"/../../a":       "/a",
		"/a/b/../../":    "/",
		"/a/b/../..":     "/",
		"//":             "/",
		"/.":             "/",
		"/a%2F..%2Fb/..": "/",
		"/a/%2E%2E/b":    "/a/%2E%2E/b",
	} {
		r := newRequest(t, "http://localhost"+signed)
		exampleSigner.sign(r, exampleBody)
		r.Header.Del("X-Amz-Target") // isn't signed
		var err error
		if r.URL, err = url.Parse("http://localhost" + sent); err != nil {
			t.Fatal(err)
		}
		if f := verifyBoth(t, exampleKnown, r, exampleNow); f != nil {
			t.Errorf("%s: %v", sent, f)
		}
	}
}

func TestVerifyRequestsOfProxies(t *testing.T) {
	r := newRequest(t, "http://localhost:8080/a%20b?c=d")
	exampleSigner.sign(r, exampleBody, allHeaders...)
	var b bytes.Buffer
	if err := r.WriteProxy(&b); err != nil {
		t.Fatal(err)
	}
	received, body, err := read(b.Bytes())
	if err != nil || !strings.HasPrefix(received.RequestURI, "http://") {
		t.Fatal(received, err)
	}
	if f := exampleKnown.verify(received, body, exampleNow); f != nil {
		t.Error(f)
	}
}

// A handler further out may take off the front of the path.
func TestVerifyUnderAPrefix(t *testing.T) {
	r := newRequest(t, "http://localhost:8080/sqs/123456789012/orders")
	exampleSigner.sign(r, exampleBody, allHeaders...)
	received, body, err := read(wire(t, r))
	if err != nil {
		t.Fatal(err)
	}
	received.URL.Path = strings.TrimPrefix(received.URL.Path, "/sqs")
	if f := exampleKnown.verify(received, body, exampleNow); f != nil {
		t.Error(f)
	}
}

func TestVerifyHost(t *testing.T) {
	for _, c := range []struct {
		url, host string // host: the request's own, "" for the URL's
		tls       bool
		signed    string
	}{
		{"http://localhost:80/", "", false, "localhost"},
		{"https://localhost:443/", "", true, "localhost"},
		{"https://localhost:80/", "", true, "localhost:80"},
		{"http://localhost:443/", "", false, "localhost:443"},
		{"http://localhost:8080/", "", false, "localhost:8080"},
		{"http://[::1]:80/", "", false, "[::1]"},
		{"http://[::1]/", "", false, "[::1]"},
		{"http://localhost/", "::80", false, "::80"},
		{"http://localhost/", "::1", false, "::1"},
		{"http://localhost:9324/", "sqs.eu-west-1.amazonaws.com", false, "sqs.eu-west-1.amazonaws.com"},
		{"http://localhost:9324/", "sqs.eu-west-1.amazonaws.com:80", false, "sqs.eu-west-1.amazonaws.com"},
	} {
		r := newRequest(t, c.url)
		u := *r.URL
		r.URL.Host = c.signed
		exampleSigner.sign(r, exampleBody, allHeaders...)
		r.URL, r.Host = &u, c.host
		if f := exampleKnown.verify(r, []byte(exampleBody), exampleNow); f != nil {
			t.Errorf("%+v, in process: %v", c, f)
		}
		// As a server sees it.
		r.Host = c.host
		if r.Host == "" {
			r.Host = u.Host
		}
		r.RequestURI, r.URL = "/", &url.URL{Path: "/"}
		if c.tls {
			r.TLS = new(tls.ConnectionState)
		}
		if f := exampleKnown.verify(r, []byte(exampleBody), exampleNow); f != nil {
			t.Errorf("%+v, over a socket: %v", c, f)
		}
	}
}

func TestVerifyHeaders(t *testing.T) {
	r := newRequest(t, "http://localhost:8080/")
	r.Header["Custom-Header1"] = []string{"  a   b  ", "c", "", "c"}
	r.Header["Custom-Header2"] = []string{`"x   y"`}
	r.Header["Empty"] = []string{""}
	r.Header["X-Amz-Security-Token"] = []string{"is not looked at"}
	r.Header["X-Amz-Content-Sha256"] = []string{hashOf(exampleBody)}
	exampleSigner.sign(r, exampleBody, append(allHeaders, "custom-header1", "custom-header2", "empty", "x-amz-security-token", "x-amz-content-sha256")...)
	r.Header["Custom-Header2"] = []string{`  "x y" `}
	r.Header["Unsigned"] = []string{"comes on the way"}
	if f := verifyBoth(t, exampleKnown, r, exampleNow); f != nil {
		t.Error(f)
	}
	r.Header.Del("Empty")
	if f := exampleKnown.verify(r, []byte(exampleBody), exampleNow); f == nil || f.errorType != signatureDoesNotMatch {
		t.Errorf("without a header that is signed, though empty: %v", f)
	}
	r.Header["Empty"] = []string{""}
	r.Header["Custom-Header1"] = []string{"a b", "c", "c", ""}
	r.Body, _ = r.GetBody()
	if f := verifyBoth(t, exampleKnown, r, exampleNow); f == nil || f.errorType != signatureDoesNotMatch {
		t.Errorf("values in another order: %v", f)
	}
}

func TestVerifyChunkedBodies(t *testing.T) {
	r := newRequest(t, "http://localhost:8080/")
	exampleSigner.sign(r, exampleBody, allHeaders...)
	r.ContentLength, r.TransferEncoding = -1, []string{"chunked"}
	if f := verifyBoth(t, exampleKnown, r, exampleNow); f != nil {
		t.Errorf("length signed, body sent in chunks: %v", f)
	}

	r = newRequest(t, "http://localhost:8080/")
	r.Header["Transfer-Encoding"] = []string{"chunked"}
	exampleSigner.sign(r, exampleBody, "x-amz-target", "transfer-encoding")
	r.Header.Del("Transfer-Encoding")
	r.ContentLength, r.TransferEncoding = -1, []string{"chunked"}
	if f := verifyBoth(t, exampleKnown, r, exampleNow); f != nil {
		t.Errorf("encoding signed: %v", f)
	}
	r.TransferEncoding = nil
	if f := exampleKnown.verify(r, []byte(exampleBody), exampleNow); f == nil || f.errorType != signatureDoesNotMatch {
		t.Errorf("encoding signed, but absent: %v", f)
	}
}

func TestVerifyBodies(t *testing.T) {
	const stream = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	for _, c := range []struct {
		name      string
		told      []string // in X-Amz-Content-Sha256
		hash      string   // that is signed
		inQuery   string   // told there
		presigned *errorType
		header    *errorType
	}{
		{"hash", []string{hashOf(exampleBody)}, hashOf(exampleBody), "", nil, nil},
		{"hash of another body", []string{hashOf("a")}, hashOf(exampleBody), "", &signatureDoesNotMatch, &signatureDoesNotMatch},
		{"hash of another body, also signed", []string{hashOf("a")}, hashOf("a"), "", &signatureDoesNotMatch, &signatureDoesNotMatch},
		{"unsigned", []string{unsignedPayload}, unsignedPayload, "", &incompleteSignature, &incompleteSignature},
		{"unsigned, but not signed so", []string{unsignedPayload}, hashOf(exampleBody), "", &incompleteSignature, &incompleteSignature},
		{"unsigned, but not told so", nil, unsignedPayload, "", &signatureDoesNotMatch, &signatureDoesNotMatch},
		{"stream", []string{stream}, stream, "", &incompleteSignature, &incompleteSignature},
		{"hash in upper case", []string{strings.ToUpper(hashOf(exampleBody))}, hashOf(exampleBody), "", &incompleteSignature, &incompleteSignature},
		{"nothing", []string{""}, hashOf(exampleBody), "", &incompleteSignature, &incompleteSignature},
		{"twice", []string{hashOf(exampleBody), hashOf(exampleBody)}, hashOf(exampleBody), "", &incompleteSignature, &incompleteSignature},
		{"unsigned in the query", nil, unsignedPayload, unsignedPayload, &incompleteSignature, &signatureDoesNotMatch},
		{"hash in the query", nil, hashOf(exampleBody), hashOf(exampleBody), nil, nil},
		{"another hash in the query", nil, hashOf("a"), hashOf("a"), &signatureDoesNotMatch, &signatureDoesNotMatch},
		{"in both", []string{hashOf(exampleBody)}, hashOf(exampleBody), hashOf(exampleBody), &incompleteSignature, nil},
	} {
		check := func(form string, want *errorType, sign func(*http.Request)) {
			r := newRequest(t, "http://localhost:8080/")
			if c.inQuery != "" {
				r.URL.RawQuery = "X-Amz-Content-Sha256=" + c.inQuery
			}
			if c.told != nil {
				r.Header["X-Amz-Content-Sha256"] = c.told
			}
			sign(r)
			f := verifyBoth(t, exampleKnown, r, exampleNow)
			if (f == nil) != (want == nil) || f != nil && f.errorType != *want {
				t.Errorf("%s in the %s: %v, want %v", c.name, form, f, want)
			}
		}
		check("query", c.presigned, func(r *http.Request) { exampleSigner.presign(r, exampleBody, c.hash, 60, allHeaders...) })
		check("header", c.header, func(r *http.Request) {
			exampleSigner.sign(r, exampleBody, allHeaders...)
			if c.hash != hashOf(exampleBody) {
				names := append([]string{"host", "x-amz-date"}, allHeaders...)
				slices.Sort(names)
				head, _, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
				r.Header.Set("Authorization", head+"Signature="+exampleSigner.mac(r, c.hash, exampleBody, names))
			}
		})
	}
}

// Where the body isn't signed there must be none: it could ask for something else.
func TestVerifyUnsignedBodies(t *testing.T) {
	r := newRequest(t, "http://localhost:8080/")
	r.Header["X-Amz-Content-Sha256"] = []string{unsignedPayload}
	exampleSigner.presign(r, "", unsignedPayload, 60, "x-amz-target")
	if f := exampleKnown.verify(r, nil, exampleNow); f != nil {
		t.Errorf("without a body: %v", f)
	}
	for _, body := range []string{exampleBody, "a"} {
		if f := exampleKnown.verify(r, []byte(body), exampleNow); f == nil || f.errorType != incompleteSignature {
			t.Errorf("%q: %v, want IncompleteSignature", body, f)
		}
	}
}

func TestTamperedRequests(t *testing.T) {
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	authorization := func(old, new string) func(*http.Request) {
		return func(r *http.Request) {
			was := r.Header.Get("Authorization")
			if now := strings.Replace(was, old, new, 1); now != was {
				r.Header.Set("Authorization", now)
				return
			}
			t.Errorf("no %q in %q", old, was)
		}
	}
	for name, tamper := range map[string]func(*http.Request){
		"nothing":                  nil,
		"method":                   func(r *http.Request) { r.Method = "PUT" },
		"path":                     func(r *http.Request) { r.URL.Path += "s" },
		"a slash more":             func(r *http.Request) { r.URL.Path += "/" },
		"a slash less":             func(r *http.Request) { r.URL.Path = strings.TrimPrefix(r.URL.Path, "/123456789012") },
		"a slash escaped":          func(r *http.Request) { r.URL.RawPath = "/123456789012%2Forders" },
		"parameter name":           func(r *http.Request) { r.URL.RawQuery = "b=b" },
		"parameter value":          func(r *http.Request) { r.URL.RawQuery = "a=c" },
		"parameter added":          func(r *http.Request) { r.URL.RawQuery += "&" + "Action=PurgeQueue" },
		"parameter repeated":       func(r *http.Request) { r.URL.RawQuery += "&" + r.URL.RawQuery },
		"parameter removed":        func(r *http.Request) { r.URL.RawQuery = "" },
		"host":                     func(r *http.Request) { r.Host = "localhosu:8080" },
		"port":                     func(r *http.Request) { r.Host = "localhost:8081" },
		"no port":                  func(r *http.Request) { r.Host = "localhost" },
		"content type":             header("Content-Type", "application/x-amz-json-1.1"),
		"target":                   header("X-Amz-Target", "AmazonSQS.DeleteQueue"),
		"target removed":           func(r *http.Request) { r.Header.Del("X-Amz-Target") },
		"a second value":           func(r *http.Request) { r.Header.Add("X-Amz-Target", "AmazonSQS.DeleteQueue") },
		"time":                     header("X-Amz-Date", "20261105T235931Z"),
		"access key":               authorization("AKIDEXAMPLE", "AKIDOTHER"),
		"region":                   authorization("eu-west-1", "eu-west-2"),
		"signed header removed":    authorization("content-length;", ""),
		"signed header added":      authorization("content-type;", "content-type;date;"),
		"present header added":     authorization("content-type;", "content-type;custom;"),
		"signature, first digit":   func(r *http.Request) { flip(r, -64) },
		"signature, last digit":    func(r *http.Request) { flip(r, -1) },
		"signature of another":     authorization("Signature=", "Signature="+strings.Repeat("0", 64)),
		"body":                     func(r *http.Request) { setBody(r, strings.Replace(exampleBody, `"a"`, `"b"`, 1)) },
		"body longer":              func(r *http.Request) { setBody(r, exampleBody+" ") },
		"body shorter":             func(r *http.Request) { setBody(r, exampleBody[1:]) },
		"no body":                  func(r *http.Request) { setBody(r, "") },
		"a header that isn't ours": header("Via", "1.1 proxy"),
	} {
		r := newRequest(t, "http://localhost:8080/123456789012/orders?a=b")
		r.Header.Set("Custom", "c")
		exampleSigner.sign(r, exampleBody, allHeaders...)
		if tamper != nil {
			tamper(r)
		}
		if name == "signature of another" {
			r.Header.Set("Authorization", r.Header.Get("Authorization")[:len(r.Header.Get("Authorization"))-64])
		}
		f := verifyBoth(t, exampleKnown, r, exampleNow)
		switch name {
		case "nothing", "a header that isn't ours":
			if f != nil {
				t.Errorf("%s: %v", name, f)
			}
		default:
			if f == nil || f.errorType != signatureDoesNotMatch {
				t.Errorf("%s: %v, want SignatureDoesNotMatch", name, f)
			}
		}
	}
}

func TestTamperedPresignedRequests(t *testing.T) {
	for old, new := range map[string]string{
		"a=b":                  "a=c",
		"a=b&":                 "",
		"Expires=60":           "Expires=61",
		"235930Z":              "235931Z",
		"AKIDEXAMPLE":          "AKIDOTHER",
		"eu-west-1":            "eu-west-2",
		"content-length%3B":    "",
		"%3Bhost":              "%3Bhost%3Bx-amz-date",
		"&X-Amz-Signature":     "&c=d&X-Amz-Signature",
		"X-Amz-Algorithm":      "x-amz-security-token=a&X-Amz-Algorithm",
		"/123456789012/orders": "/123456789012/order",
	} {
		r := newRequest(t, "http://localhost:8080/123456789012/orders?a=b")
		exampleSigner.presign(r, exampleBody, hashOf(exampleBody), 60, allHeaders...)
		changed, err := url.Parse(strings.Replace(r.URL.String(), old, new, 1))
		if err != nil || changed.String() == r.URL.String() {
			t.Fatal(old, err)
		}
		r.URL = changed
		if f := verifyBoth(t, exampleKnown, r, exampleNow); f == nil || f.errorType != signatureDoesNotMatch {
			t.Errorf("%s for %s: %v, want SignatureDoesNotMatch", new, old, f)
		}
	}
}

// flip changes one digit of the signature, counted from the end of the header.
func flip(r *http.Request, at int) {
	authorization := []byte(r.Header.Get("Authorization"))
	if p := &authorization[len(authorization)+at]; *p == '0' {
		*p = '1'
	} else {
		*p = '0'
	}
	r.Header.Set("Authorization", string(authorization))
}

func setBody(r *http.Request, body string) {
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	if body == "" {
		r.Body = http.NoBody
	}
}

// No byte of a request can be another one, where all is signed.
func TestEveryByteCounts(t *testing.T) {
	for form, sign := range map[string]func(*http.Request){
		"header": func(r *http.Request) {
			exampleSigner.sign(r, exampleBody, append(allHeaders, "user-agent", "custom-header")...)
		},
		"query": func(r *http.Request) {
			exampleSigner.presign(r, exampleBody, hashOf(exampleBody), 60, append(allHeaders, "user-agent", "custom-header")...)
		},
	} {
		r := newRequest(t, "http://localhost:8080/123456789012/orders?a=b&c=d+e")
		r.Header.Set("User-Agent", "test")
		r.Header.Set("Custom-Header", "a b")
		sign(r)
		sent := wire(t, r)
		if received, body, err := read(sent); err != nil || exampleKnown.verify(received, body, exampleNow) != nil {
			t.Fatalf("%s: not changed: %v", form, err)
		}
		protocol := bytes.Index(sent, []byte(" HTTP/1.1\r\n")) // its version isn't signed
		for i := range sent {
			if i >= protocol && i < protocol+len(" HTTP/1.1\r\n") {
				continue
			}
			for _, mask := range []byte{1, 0x20, 0x80} {
				changed := bytes.Clone(sent)
				changed[i] ^= mask
				received, body, err := read(changed)
				if err != nil || exampleKnown.verify(received, body, exampleNow) != nil {
					continue
				}
				// Header names and the names of encodings may be in any case.
				if name := nameAt(sent, i); mask != 0x20 || !name {
					t.Errorf("%s: accepted with byte %d changed by %#x:\n%s", form, i, mask, changed)
				}
			}
		}
	}
}

// nameAt reports whether byte i of a request belongs to the name of a header,
// or to an escape.
func nameAt(sent []byte, i int) bool {
	line := sent[bytes.LastIndexByte(sent[:i], '\n')+1:]
	if bytes.HasPrefix(line, []byte("POST")) {
		return sent[i-1] == '%' || sent[i-2] == '%'
	}
	return bytes.IndexByte(line, ':') > i-(len(sent)-len(line))
}

func TestVerifySkew(t *testing.T) {
	for _, c := range []struct {
		now     time.Duration // after the time of signing
		expires int           // of a presigned request; 0: signed in the header
		ok      bool
	}{
		{0, 0, true},
		{15 * time.Minute, 0, true},
		{-15 * time.Minute, 0, true},
		{15*time.Minute + 1, 0, false},
		{-15*time.Minute - 1, 0, false},
		{24 * time.Hour, 0, false},
		{-24 * time.Hour, 0, false},
		{0, 1, true},
		{time.Second, 1, true},
		{time.Second + 1, 1, false},
		{-15 * time.Minute, 1, true},
		{-15*time.Minute - 1, 1, false},
		{15*time.Minute + 1, 3600, true},
		{time.Hour, 3600, true},
		{time.Hour + 1, 3600, false},
		{7 * 24 * time.Hour, 604800, true},
		{7*24*time.Hour + 1, 604800, false},
	} {
		r := newRequest(t, "http://localhost:8080/")
		if c.expires == 0 {
			exampleSigner.sign(r, exampleBody, allHeaders...)
		} else {
			exampleSigner.presign(r, exampleBody, hashOf(exampleBody), c.expires, allHeaders...)
		}
		// In any time zone.
		now := exampleNow.Add(c.now).In(time.FixedZone("", 5*3600))
		f := verifyBoth(t, exampleKnown, r, now)
		if (f == nil) != c.ok || f != nil && f.errorType != requestExpired {
			t.Errorf("%+v: %v", c, f)
		}
	}
}

func TestVerifyWho(t *testing.T) {
	for _, c := range []struct {
		name        string
		key, secret string
		want        *failure
	}{
		{"known", "AKIDEXAMPLE", exampleSecret, nil},
		{"wrong secret", "AKIDEXAMPLE", exampleSecret[1:], mismatch("The request signature we calculated does not match the signature you provided. " +
			"Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")},
		{"no secret", "AKIDEXAMPLE", "", &failure{errorType: signatureDoesNotMatch}},
		{"another's secret", "AKIDTHIRD", exampleSecret, &failure{errorType: signatureDoesNotMatch}},
		{"unknown", "AKIDUNKNOWN", exampleSecret, &failure{invalidClientTokenID, "The security token included in the request is invalid."}},
		{"unknown, without a secret", "AKIDUNKNOWN", "", &failure{invalidClientTokenID, "The security token included in the request is invalid."}},
		{"in another case", "akidexample", exampleSecret, &failure{errorType: invalidClientTokenID}},
	} {
		v := newVerifier(map[string]string{"AKIDEXAMPLE": exampleSecret, "AKIDTHIRD": "secret"})
		r := newRequest(t, "http://localhost:8080/")
		signer{c.key, c.secret, exampleNow}.sign(r, exampleBody, allHeaders...)
		f := verifyBoth(t, v, r, exampleNow)
		if (f == nil) != (c.want == nil) || f != nil && (f.errorType != c.want.errorType || c.want.message != "" && f.message != c.want.message) {
			t.Errorf("%s: %v, want %v", c.name, f, c.want)
		}
	}
}

func TestVerifyWithoutSignature(t *testing.T) {
	r := newRequest(t, "http://localhost:8080/")
	if f := verifyBoth(t, exampleKnown, r, exampleNow); f == nil || f.errorType != missingAuthenticationToken || f.status != http.StatusForbidden {
		t.Errorf("not signed: %v", f)
	}
	r.Body, _ = r.GetBody()
	r.Header.Set("Authorization", "Bearer abc")
	if f := verifyBoth(t, exampleKnown, r, exampleNow); f == nil || f.errorType != incompleteSignature || f.status != http.StatusBadRequest ||
		f.message != "The Authorization header must begin with AWS4-HMAC-SHA256." {
		t.Errorf("another scheme: %v", f)
	}
}

func TestVerifierKeepsItsCredentials(t *testing.T) {
	credentials := map[string]string{"AKIDEXAMPLE": exampleSecret}
	v := newVerifier(credentials)
	delete(credentials, "AKIDEXAMPLE")
	r := newRequest(t, "http://localhost:8080/")
	exampleSigner.sign(r, exampleBody, allHeaders...)
	if f := verifyBoth(t, v, r, exampleNow); f != nil {
		t.Error(f)
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, form := range []string{"header", "query"} {
		for _, size := range []int{100, 10_000, 1_000_000} {
			b.Run(fmt.Sprintf("form=%s/body=%d", form, size), func(b *testing.B) {
				body := strings.Repeat("a", size)
				r := newRequest(b, "http://localhost:8080/")
				if form == "header" {
					exampleSigner.sign(r, body, allHeaders...)
				} else {
					exampleSigner.presign(r, body, hashOf(body), 60, allHeaders...)
				}
				bytes := []byte(body)
				b.ReportAllocs()
				for b.Loop() {
					if f := exampleKnown.verify(r, bytes, exampleNow); f != nil {
						b.Fatal(f)
					}
				}
			})
		}
	}
}
