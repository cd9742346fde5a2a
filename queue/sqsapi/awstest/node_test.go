package awstest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The SDK for JavaScript checks the MD5 of bodies, and follows the URLs of
// queues.
func TestNode(t *testing.T) {
	p := nodeProgram(t)
	p.drive(t, ".cjs", jsonProtocol)
}

// nodeProgram returns Node.js with @aws-sdk/client-sqs: the one in
// RESTANTE_NODE_MODULES, a node_modules folder, or else one that it installs for
// this test.
func nodeProgram(t *testing.T) *program {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		lacking(t, "Node.js", "apt-get install nodejs npm")
	}
	modules := os.Getenv("RESTANTE_NODE_MODULES")
	if modules == "" {
		modules = installModules(t)
	}
	p := &program{
		interpreter: []string{node, "--no-warnings"},
		environment: []string{"NODE_PATH=" + modules},
	}
	version, err := exec.CommandContext(t.Context(), node, "-p",
		`process.version + " with @aws-sdk/client-sqs " + require(process.argv[1]).version`,
		filepath.Join(modules, "@aws-sdk", "client-sqs", "package.json")).Output()
	if err != nil {
		lacking(t, "@aws-sdk/client-sqs in "+modules, "npm install, with the package.json of testdata, and RESTANTE_NODE_MODULES=.../node_modules")
	}
	t.Logf("Node.js %s", strings.TrimSpace(string(version)))
	return p
}

// installModules installs what testdata/package.json asks for, and returns the
// node_modules folder.
func installModules(t *testing.T) string {
	t.Helper()
	const remedy = "npm install in a copy of testdata/package.json's folder, and RESTANTE_NODE_MODULES=.../node_modules"
	npm, err := exec.LookPath("npm")
	if err != nil {
		lacking(t, "npm", "apt-get install npm; or "+remedy)
	}
	if testing.Short() {
		lacking(t, "@aws-sdk/client-sqs, which -short does not download", remedy)
	}
	dir := t.TempDir()
	manifest, err := os.ReadFile(filepath.Join("testdata", "package.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "package.json"), manifest, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, npm, "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		lacking(t, "@aws-sdk/client-sqs: npm install: "+err.Error()+"\n"+string(out), remedy)
	}
	return filepath.Join(dir, "node_modules")
}
