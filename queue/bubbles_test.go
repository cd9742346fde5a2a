package queue_test

import (
	"go/ast"
	"testing"
)

// A queue, its store and its callers live in one synctest bubble, and what is
// made at package level belongs to none: a channel, timer, goroutine or pool of
// such there is a fatal error when another bubble touches it. So there is none,
// in any package that a queue is made of.
func TestNothingOfTheBubbleAtPackageLevel(t *testing.T) {
	for _, f := range sources(t) {
		if f.test || f.nested || f.syntax.Name.Name == "main" {
			continue
		}
		for _, decl := range f.syntax.Decls {
			switch d := decl.(type) {
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if spec, ok := s.(*ast.ValueSpec); ok {
						if what := bubbled(spec); what != "" {
							t.Errorf("%s: %s at package level", f.position(spec), what)
						}
					}
				}
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name == "init" {
					t.Errorf("%s: an init function may start what belongs to no bubble", f.position(d))
				}
			}
		}
	}
}

// bubbled tells what in a package-level declaration belongs to a bubble.
func bubbled(spec *ast.ValueSpec) (what string) {
	ast.Inspect(spec, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false // runs when it is called
		case *ast.ChanType:
			what = "a channel"
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok {
				switch x.Name + "." + n.Sel.Name {
				case "sync.Pool", "sync.WaitGroup", "sync.Cond", "time.Timer", "time.Ticker", "time.NewTimer", "time.AfterFunc", "time.After", "time.Tick":
					what = x.Name + "." + n.Sel.Name
				}
			}
		}
		return true
	})
	return what
}
