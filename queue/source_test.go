package queue_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// This file reads the sources of the repository for the tests of the house
// rules: which package imports which, what stands at the top level, what has a
// comment. They read the files instead of asking the go command, because it
// shows one platform's files at a time.

const (
	modulePath = "github.com/restantemq/restante"
	moduleRoot = ".."
)

// A sourceFile is a Go file of the repository.
type sourceFile struct {
	path   string // relative to the root, with slashes
	folder string // of its package, likewise; "." at the root
	nested bool   // in a module of its own below the root
	test   bool   // its name ends in _test.go
	syntax *ast.File
	fset   *token.FileSet
}

// position returns where a node stands, for messages.
func (f *sourceFile) position(n ast.Node) string {
	p := f.fset.Position(n.Pos())
	p.Filename = f.path
	return p.String()
}

// sources reads all Go files of the repository, those of nested modules too.
func sources(t *testing.T) []sourceFile {
	t.Helper()
	var files []sourceFile
	modules := []string{} // folders of nested modules, each ending in a slash
	fset := token.NewFileSet()
	err := filepath.WalkDir(moduleRoot, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(moduleRoot, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if entry.IsDir() {
			// What the go command passes over.
			if name := entry.Name(); rel != "." && (name[0] == '.' || name[0] == '_' || name == "testdata") {
				return fs.SkipDir
			}
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil && rel != "." {
				modules = append(modules, rel+"/")
			}
			return nil
		}
		if !strings.HasSuffix(rel, ".go") || entry.Name()[0] == '.' || entry.Name()[0] == '_' {
			return nil
		}
		syntax, err := parser.ParseFile(fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		f := sourceFile{path: rel, folder: ".", test: strings.HasSuffix(rel, "_test.go"), syntax: syntax, fset: fset}
		if i := strings.LastIndexByte(rel, '/'); i >= 0 {
			f.folder = rel[:i]
		}
		for _, m := range modules {
			f.nested = f.nested || strings.HasPrefix(rel, m)
		}
		files = append(files, f)
		return nil
	})
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}
