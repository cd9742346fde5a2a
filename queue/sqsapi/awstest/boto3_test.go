package awstest

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Boto3 speaks the Query protocol: that of Debian's python3-boto3 by nature, a
// newer one because what stands in testdata/botocore makes it, in botocore's own
// way to change a service's model. It also adds the actions that were new when
// the SDK left that protocol.
func TestBoto3(t *testing.T) {
	models, err := filepath.Abs(filepath.Join("testdata", "botocore"))
	if err != nil {
		t.Fatal(err)
	}
	p := program{
		interpreter: []string{boto3Python(t), "-B"},
		environment: []string{"AWS_DATA_PATH=" + models},
	}
	p.drive(t, ".py", queryProtocol)
}

// boto3Python returns a Python that has boto3: Debian's, or else the first one
// in the path.
func boto3Python(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"/usr/bin/python3", "python3", "python"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		version, err := exec.CommandContext(t.Context(), path, "-c", "import boto3; print(boto3.__version__)").Output()
		if err == nil {
			t.Logf("boto3 %s of %s", strings.TrimSpace(string(version)), path)
			return path
		}
	}
	lacking(t, "Python with boto3", "apt-get install python3-boto3, or python3 -m pip install boto3")
	return ""
}
