package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
)

// maxComplexity is the cognitive complexity that no function may exceed.
const maxComplexity = 15

// A linter is one program. What it prints on standard output are its warnings,
// a line each, unless read says otherwise.
type linter struct {
	name, version string
	command       []string
	read          func(stdout []byte, r *result) error
}

// result is what one linter said.
type result struct {
	name, version string
	warnings      []string
	functions     []function // of gocognit
}

// A function and its cognitive complexity.
type function struct {
	dir, name  string
	complexity int
}

// linters lists what is run; the versions are written here and nowhere else.
func linters(o options) []linter {
	tool := func(module, version string, args ...string) []string {
		return append([]string{o.goCommand, "run", module + "@" + version}, args...)
	}
	const staticcheck, gocognit = "v0.8.2", "v1.3.0"
	return []linter{
		{name: "gofmt", command: []string{"gofmt", "-l", "."}},
		{name: "vet", command: append([]string{o.goCommand, "vet"}, o.packages...)},
		{name: "staticcheck", version: staticcheck, command: tool("honnef.co/go/tools/cmd/staticcheck", staticcheck, o.packages...)},
		{name: "gocognit", version: gocognit, read: readComplexity,
			command: tool("github.com/uudashr/gocognit/cmd/gocognit", gocognit, "-json", "-test=false", ".")},
		{name: "tidy", command: []string{o.goCommand, "mod", "tidy", "-diff"}},
	}
}

// An executor runs a command in a directory. A command that ran and failed is
// told by ok; err is for one that could not run.
type executor func(dir string, command []string) (stdout, stderr []byte, ok bool, err error)

func execute(dir string, command []string) (stdout, stderr []byte, ok bool, err error) {
	var out, errs bytes.Buffer
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errs
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return out.Bytes(), errs.Bytes(), false, nil
	}
	return out.Bytes(), errs.Bytes(), err == nil, err
}

// lint runs all linters at once.
func lint(o options, ex executor) ([]result, error) {
	all := linters(o)
	results := make([]result, len(all))
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, l := range all {
		wg.Go(func() { results[i], errs[i] = l.run(o, ex) })
	}
	wg.Wait()
	return results, errors.Join(errs...)
}

func (l linter) run(o options, ex executor) (result, error) {
	r := result{name: l.name, version: l.version}
	stdout, stderr, ok, err := ex(o.root, l.command)
	if err != nil {
		return r, fmt.Errorf("cannot run %s: %w", l.name, err)
	}
	switch {
	case l.read == nil:
		r.warnings = lines(stdout)
	case ok:
		err = l.read(stdout, &r)
	}
	if !ok {
		// A linter that fails has said why on one of both; what it did not say
		// on standard output is a warning too.
		r.warnings = append(r.warnings, lines(stderr)...)
		if len(r.warnings) == 0 {
			return r, fmt.Errorf("%s failed and did not say why", l.name)
		}
	}
	return r, err
}

func lines(text []byte) []string {
	var all []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			all = append(all, line)
		}
	}
	return all
}

// readComplexity reads gocognit's list of all functions and warns of those over
// the limit.
func readComplexity(stdout []byte, r *result) error {
	var list []struct {
		FuncName   string
		Complexity int
		Pos        struct {
			Filename string
			Line     int
		}
	}
	if err := json.Unmarshal(stdout, &list); err != nil {
		return fmt.Errorf("cannot read what gocognit says: %w", err)
	}
	if len(list) == 0 {
		return errors.New("gocognit found no function")
	}
	for _, f := range list {
		file := path.Clean(filepath.ToSlash(f.Pos.Filename))
		r.functions = append(r.functions, function{dir: path.Dir(file), name: f.FuncName, complexity: f.Complexity})
		if f.Complexity > maxComplexity {
			r.warnings = append(r.warnings,
				fmt.Sprintf("%s:%d: the complexity of %s is %d, more than %d", file, f.Pos.Line, f.FuncName, f.Complexity, maxComplexity))
		}
	}
	return nil
}
