package queue_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	btree   = "github.com/google/btree"
	testify = "github.com/stretchr/testify"
)

// A room is a package, or with "/..." at the end of its name also what stands
// below it, and says what it may import beside the standard library. Packages
// of this module are named by their folder.
type room struct {
	name     string
	imports  []string
	tests    []string // what its tests may import as well
	anything bool     // of this module, if it stands above in the house
	own      bool     // it may be a module of its own, and then require what it needs
}

// house is the rule: a package imports only what stands above it, never below,
// never in a circle, and only what its line says. Tests may import testify and
// queuetest as well.
var house = []room{
	{name: "queue"},
	{name: "visibility"},
	{name: "queue/internal/bubble"},
	{name: "queue/engine", imports: []string{"queue", "visibility", btree}, tests: []string{"standard", "fifo"}},
	{name: "standard", imports: []string{"queue", "queue/engine", btree}},
	{name: "fifo", imports: []string{"queue", "queue/engine", btree}},
	{name: "queue/filestore/internal/disk", imports: []string{"queue"}},
	{name: "queue/filestore/internal/disk/crashdisk", imports: []string{"queue", "queue/filestore/internal/disk"}},
	{name: "queue/filestore", imports: []string{"queue", "queue/filestore/internal/disk"},
		tests: []string{"standard", "fifo", "queue/filestore/internal/disk/crashdisk", "queue/broker"}},
	{name: "queue/filestore/storetool", imports: []string{"queue", "queue/filestore"}},
	{name: "queue/sqlitestore", imports: []string{"queue"}, tests: []string{"standard", "fifo"}, own: true},
	{name: "queue/broker", imports: []string{"queue", "standard", "fifo", "queue/filestore"}},
	{name: "queue/sqsapi", imports: []string{"queue", "queue/internal/bubble", "queue/broker"}, tests: []string{"queue/conformance/wire"}},
	{name: "queue/sqsapi/awstest", imports: []string{"queue", "queue/broker", "queue/sqsapi"}, tests: []string{"queue/sqstest"}, own: true},
	{name: "queue/conformance/wire", imports: []string{testify}, tests: []string{"queue/broker", "queue/sqsapi"}},
	{name: "queue/conformance", imports: []string{"queue/conformance/wire"}, tests: []string{"queue", "queue/broker", "queue/sqsapi"}},
	{name: "queue/worker", imports: []string{"queue"}, tests: []string{"standard", "fifo", "queue/filestore", "queue/sqstest", "queue/queuetest"}},
	{name: "queue/payload", imports: []string{"queue"}, tests: []string{"standard", "fifo", "queue/filestore"}},
	{name: "queue/sqstest", imports: []string{"queue", "queue/internal/bubble", "queue/broker", "queue/sqsapi"}, tests: []string{"standard", "fifo"}},
	{name: "queue/queuetest", imports: []string{"queue", testify}, tests: []string{"standard", "fifo"}},
	{name: "queue/queuetest/mutants"},
	{name: "queue/queuetest/rows"},
	{name: "queue/queuetest/linear", imports: []string{"queue", "fifo"}, own: true},
	{name: "examples/...", anything: true, own: true},
	{name: "bench/...", anything: true, own: true},
}

// holds reports whether folder is in the room.
func (r *room) holds(folder string) bool {
	below, wide := strings.CutSuffix(r.name, "/...")
	return folder == r.name || wide && (folder == below || strings.HasPrefix(folder, below+"/"))
}

// roomOf returns the index in house of the room that holds folder, or -1.
func roomOf(folder string) int {
	return slices.IndexFunc(house, func(r room) bool { return r.holds(folder) })
}

// allowed returns what is wrong with the import of path by f, or "".
func allowed(f *sourceFile, path string) string {
	if path == "C" {
		return "the module is pure Go, without cgo"
	}
	if first, _, _ := strings.Cut(path, "/"); !strings.Contains(first, ".") {
		return "" // the standard library
	}
	at := roomOf(f.folder)
	if at < 0 {
		return "the package has no line in the house of imports_test.go"
	}
	r := &house[at]
	may := slices.Clone(r.imports)
	if f.test {
		may = append(may, r.tests...)
		may = append(may, testify, "queue/queuetest")
	}

	folder, inside := strings.CutPrefix(path, modulePath+"/")
	if !inside {
		if f.nested && r.own {
			return ""
		}
		for _, m := range may {
			if path == m || strings.HasPrefix(path, m+"/") {
				return ""
			}
		}
		return "the root module needs google/btree, for tests testify, and each only where the house says so"
	}
	if slices.Contains(may, folder) || f.test && folder == f.folder {
		return ""
	}
	if r.anything {
		if i := roomOf(folder); i >= 0 && (i < at || i == at && strings.HasPrefix(folder, f.folder+"/")) {
			return ""
		}
		return "a package imports only what stands above it in the house, or its own subpackages"
	}
	if len(may) == 0 {
		may = []string{"nothing"}
	}
	return "of this module and others, " + r.name + " may import " + strings.Join(may, ", ")
}

func TestImportsPointUp(t *testing.T) {
	for _, f := range sources(t) {
		if roomOf(f.folder) < 0 {
			t.Errorf("%s: its package has no line in the house of imports_test.go; add it, with its reason", f.path)
			continue
		}
		for _, spec := range f.syntax.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			if wrong := allowed(&f, path); wrong != "" {
				t.Errorf("%s imports %s: %s", f.position(spec), path, wrong)
			}
		}
	}
}

// The house itself must be in order, or it would allow a circle.
func TestHouseIsInOrder(t *testing.T) {
	for i, r := range house {
		for _, name := range r.imports {
			if name == btree || name == testify {
				continue
			}
			above := slices.IndexFunc(house, func(r room) bool { return r.name == name })
			assert.True(t, above >= 0 && above < i, "%s may import %s, which must stand above it", r.name, name)
		}
		for _, name := range r.tests { // of a package of their own, so they close no circle
			assert.GreaterOrEqual(t, slices.IndexFunc(house, func(r room) bool { return r.name == name }), 0, "%s may test with %s, which is no room", r.name, name)
		}
	}
}

func TestAllowedTellsRightFromWrong(t *testing.T) {
	file := func(folder string) *sourceFile { return &sourceFile{folder: folder} }
	test := func(folder string) *sourceFile { return &sourceFile{folder: folder, test: true} }
	nested := func(folder string) *sourceFile { return &sourceFile{folder: folder, nested: true} }
	const m = modulePath + "/"
	for _, c := range []struct {
		file *sourceFile
		path string
		ok   bool
	}{
		{file("queue"), "crypto/md5", true},
		{file("queue"), "C", false},
		{file("queue"), m + "visibility", false},
		{file("queue"), testify + "/assert", false},
		{test("queue"), testify + "/assert", true},
		{test("queue"), m + "queue", true},
		{test("queue"), m + "queue/queuetest", true},
		{test("queue"), m + "standard", false},
		{file("queue/engine"), btree, true},
		{file("queue/engine"), btree + "er", false},
		{file("queue/engine"), m + "visibility", true},
		{file("queue/engine"), m + "standard", false},
		{file("standard"), m + "fifo", false},
		{file("fifo"), m + "standard", false},
		{test("fifo"), m + "standard", false},
		{file("standard"), "golang.org/x/sync/errgroup", false},
		{file("queue/queuetest"), testify + "/require", true},
		{file("queue/worker"), m + "standard", false},
		{test("queue/worker"), m + "standard", true},
		{file("examples/quickstart"), m + "standard", true},
		{file("examples/quickstart"), m + "bench", false},
		{file("examples/quickstart"), m + "examples/quickstart/part", true},
		{file("examples/quickstart"), m + "examples/other", false},
		{file("examples/quickstart"), "example.org/sdk", false},
		{nested("bench"), "example.org/rival", true},
		{nested("bench"), m + "bench/rivals", true},
		{nested("queue/engine"), "example.org/sdk", false},
		{file("utils"), m + "queue", false},
	} {
		wrong := allowed(c.file, c.path)
		assert.Equal(t, c.ok, wrong == "", "%s (test: %v, nested: %v) imports %s: %q",
			c.file.folder, c.file.test, c.file.nested, c.path, wrong)
	}
}
