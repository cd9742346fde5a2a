package queue_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEveryPackageHasAComment(t *testing.T) {
	comments := map[string]string{} // by folder
	names := map[string]string{}
	for _, f := range sources(t) {
		if f.test {
			continue
		}
		names[f.folder] = f.syntax.Name.Name
		comments[f.folder] += f.syntax.Doc.Text()
	}
	for folder, name := range names {
		comment := comments[folder]
		assert.NotEmpty(t, comment, "%s has no package comment", folder)
		if name != "main" && comment != "" {
			assert.True(t, strings.HasPrefix(comment, "Package "+name+" "),
				"the comment of %s starts with %q", folder, "Package "+name)
		}
	}
}

func TestEveryExportedNameHasAComment(t *testing.T) {
	for _, f := range sources(t) {
		if f.test || f.nested {
			continue
		}
		for _, name := range undocumented(f.syntax) {
			t.Errorf("%s: %s has no doc comment", f.position(name), name.Name)
		}
	}
}

// undocumented returns the exported names in f that have no comment: functions,
// methods of exported types, types, methods of interfaces, constants and
// variables. A comment on a group of constants or variables is one for each,
// and so is a comment at the end of the line; struct fields need none.
func undocumented(f *ast.File) []*ast.Ident {
	var names []*ast.Ident
	add := func(name *ast.Ident, comments ...*ast.CommentGroup) {
		if !name.IsExported() {
			return
		}
		for _, c := range comments {
			if c.Text() != "" {
				return
			}
		}
		names = append(names, name)
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil || receiver(d).IsExported() {
				add(d.Name, d.Doc)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.ValueSpec:
					for _, name := range s.Names {
						add(name, d.Doc, s.Doc, s.Comment)
					}
				case *ast.TypeSpec:
					if d.Lparen.IsValid() {
						add(s.Name, s.Doc, s.Comment)
					} else {
						add(s.Name, d.Doc)
					}
					if i, ok := s.Type.(*ast.InterfaceType); ok && s.Name.IsExported() {
						for _, m := range i.Methods.List {
							for _, name := range m.Names {
								add(name, m.Doc, m.Comment)
							}
						}
					}
				}
			}
		}
	}
	return names
}

// receiver returns the name of a method's type.
func receiver(d *ast.FuncDecl) *ast.Ident {
	typ := d.Recv.List[0].Type
	for {
		switch t := typ.(type) {
		case *ast.StarExpr:
			typ = t.X
		case *ast.ParenExpr:
			typ = t.X
		case *ast.IndexExpr:
			typ = t.X
		case *ast.IndexListExpr:
			typ = t.X
		case *ast.Ident:
			return t
		default:
			panic("a receiver is a type name with or without a star and type parameters")
		}
	}
}

func TestUndocumentedFindsWhatHasNoComment(t *testing.T) {
	const source = `package p

type A struct{ Field int }

// B is documented.
type B struct{}

func (B) C()     {}
func (b *B) d()  {}
func (hidden) E() {}

// F is documented.
func F() {}

func G() {}

const H = 1

// A group.
const (
	I = 1
	J = 2
)

var (
	K = 1 // at the end of the line
	L = 2
	m = 3
)

type (
	// N is documented.
	N interface{ O() }
	P int
	q interface{ R() }
)

type S[T any] struct{}

func (*S[T]) U() {}

type hidden struct{}
`
	f, err := parser.ParseFile(token.NewFileSet(), "p.go", source, parser.ParseComments)
	require.NoError(t, err)
	var names []string
	for _, name := range undocumented(f) {
		names = append(names, name.Name)
	}
	assert.Equal(t, []string{"A", "C", "G", "H", "L", "O", "P", "S", "U"}, names)
}
