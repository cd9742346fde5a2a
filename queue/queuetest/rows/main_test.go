package main

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	rows, err := parse(strings.NewReader("# head\n\n2/arn\tThe ARN.\n4.1/two-words   Spaces do.\n# shown on the wire\n\n4.1/url\tThe URL.\n"))
	want := []row{{"2/arn", "The ARN.", false}, {"4.1/two-words", "Spaces do.", false}, {"4.1/url", "The URL.", true}}
	if err != nil || !reflect.DeepEqual(rows, want) {
		t.Fatalf("got %v, %v; want %v", rows, err, want)
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"2/arn":                     "has no rule",
		"2/arn\t":                   "has no rule",
		"arn\tThe ARN.":             "is no ID",
		"2/Arn\tThe ARN.":           "is no ID",
		"2/arn/more\tThe ARN.":      "is no ID",
		"2./arn\tThe ARN.":          "is no ID",
		"2/a\tOne.\n\n2/a\tTwo.":    "line 3: 2/a stands twice",
		"# x\n2/-a\tA hyphen first": "line 2",
	} {
		if rows, err := parse(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, %v; want an error with %q", text, rows, err, want)
		}
	}
}

func TestListIsInOrder(t *testing.T) {
	rows, err := readRows(filepath.Join("..", "rows.txt"))
	if err != nil {
		t.Fatal(err)
	}
	wire := 0
	for _, r := range rows {
		if !strings.HasSuffix(r.rule, ".") {
			t.Errorf("%s: the rule is a sentence: %q", r.id, r.rule)
		}
		if r.wire {
			wire++
		}
	}
	if wire == 0 || wire == len(rows) {
		t.Errorf("%d of %d rows are shown on the wire", wire, len(rows))
	}
}

func TestNamed(t *testing.T) {
	for name, want := range map[string]string{
		"TestReference":                "",
		"TestReferenceRows":            "",
		"TestOther/2/arn":              "",
		"TestReference/2/arn":          "2/arn",
		"TestReference/4.1/url/deeper": "4.1/url",
		"TestReference/4.1/url/a/b":    "4.1/url",
		"TestSuite/Reference/4.1/url":  "4.1/url",
		"TestReference/4.1":            "4.1",
		"TestReference/4.1/url#01":     "4.1/url#01",
	} {
		if got := named(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	rows := []row{{"2/arn", "", false}, {"2/url", "", false}, {"4.1/a", "", false}, {"4.1/b", "", false}, {"4.1/c", "", false}, {"4.1/w", "", true}, {"4.1/x", "", true}}
	c := count(rows, []test{
		{"TestReference", "fail"},
		{"TestReference/2", "pass"},
		{"TestReference/2/arn", "pass"},
		{"TestReference/2/arn/deeper", "pass"},
		{"TestReference/2/url", "pass"},
		{"TestReference/2/url/deeper", "fail"},
		{"TestReference/4.1/a", "run"},
		{"TestReference/4.1/b", "skip"},
		{"TestReference/4.1/w", "pass"},
		{"TestReference/4.1/nobody", "pass"},
		{"TestReference/5", "pass"},
		{"TestOther/4.1/c", "pass"},
	})
	want := census{
		sections: []tally{{"2", 2, 1, 1, 0}, {"4.1", 3, 0, 1, 2}},
		due:      tally{"due", 5, 1, 2, 2},
		wire:     tally{"on the wire", 2, 1, 0, 1},
		failing:  []row{rows[1], rows[2]},
		untested: []row{rows[3], rows[4]},
		unknown:  []string{"TestReference/4.1/nobody", "TestReference/5"},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
	var b strings.Builder
	c.print(&b)
	for _, line := range []string{"4.1     3       0        1         2\n", "on the wire     2       1        0         1\n", "\nfailing:\n  2/url", "\nuntested:\n  4.1/b", "\nnot in the list:\n  TestReference/4.1/nobody\n"} {
		if !strings.Contains(b.String(), line) {
			t.Errorf("no %q in\n%s", line, b.String())
		}
	}
}

func TestVerdict(t *testing.T) {
	due, wire := row{"2/arn", "", false}, row{"2/w", "", true}
	for _, c := range []struct {
		name  string
		tests []test
		want  string
	}{
		{"all tested", []test{{"TestReference/2/arn", "pass"}}, ""},
		{"untested", nil, "1 rules that are due have no test"},
		{"failing", []test{{"TestReference/2/arn", "fail"}}, "fail"},
		{"failing on the wire", []test{{"TestReference/2/arn", "pass"}, {"TestReference/2/w", "fail"}}, "fail"},
		{"unknown", []test{{"TestReference/2/arn", "pass"}, {"TestReference/2/x", "pass"}}, "not in the list"},
	} {
		census := count([]row{due, wire}, c.tests)
		err := census.verdict()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

func TestReadReport(t *testing.T) {
	r := readReport([]byte(strings.TrimPrefix(`
{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"said\n"}
{"Action":"run","Package":"p","Test":"TestA/sub"}
{"Action":"fail","Package":"p","Test":"TestA/sub"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"run","Package":"q","Test":"TestA"}
{"Action":"pass","Package":"q","Test":"TestA"}
{"Action":"run","Package":"q","Test":"TestB"}
{"Action":"fail","Package":"q"}
`, "\n")))
	want := []test{{"TestA", "fail"}, {"TestA/sub", "fail"}, {"TestA", "pass"}, {"TestB", "run"}}
	if !reflect.DeepEqual(r.tests, want) || !r.failed || r.broken != "" || r.output != "said\n" {
		t.Errorf("got %+v", r)
	}
	r = readReport([]byte(`{"ImportPath":"p","Action":"build-output","Output":"f.go:1:1: no\n"}
{"ImportPath":"p","Action":"build-fail"}
{"Action":"fail","Package":"p","FailedBuild":"p"}
`))
	if r.broken != "the tests do not compile" || r.output != "f.go:1:1: no\n" {
		t.Errorf("got %+v", r)
	}
}
