package policyfile_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/policyfile"
	"github.com/esper-plane/esper/subsystems/tensorfile"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// rules is the file of an artifact with the weights of the defaults.
func rules() []byte { return must(policyfile.MarshalRules(leyline.DefaultConfig().Rules)) }

// network is a safetensors file.
func network(meta map[string]string, values ...float64) []byte {
	return must(tensorfile.Encode(meta, []tensorfile.Tensor{{Name: "w", Shape: []int{len(values)}, Data: values}}))
}

func describe(file []byte) leyline.PolicyArtifact {
	return leyline.PolicyArtifact{
		ID: "careful", Version: "3", Architecture: leyline.RulesArchitecture, Format: leyline.PolicyTOML, Digest: sha256.Sum256(file),
		Bytes: uint64(len(file)), Origin: leyline.PolicyTrained, Run: "run-1", Created: "2026-11-26T21:00:00Z", Registries: leyline.FixedRegistries(),
	}
}

// describeNetwork says what a network must say.
func describeNetwork(file []byte) leyline.PolicyArtifact {
	a := describe(file)
	a.Architecture, a.Format = "hetgnn/1", leyline.PolicySafetensors
	a.Registries = append(a.Registries, leyline.BlueprintRegistry([]leyline.BlueprintID{"bp-1"}))
	return a
}

func manifestOf(a leyline.PolicyArtifact) []byte { return must(policyfile.MarshalManifest(a)) }

func TestManifestComesBackAsItWasWritten(t *testing.T) {
	for _, c := range []struct {
		file []byte
		of   func([]byte) leyline.PolicyArtifact
	}{{rules(), describe}, {network(nil, 1, 2), describeNetwork}} {
		want := c.of(c.file)
		got, err := policyfile.Artifact(c.file, manifestOf(want))
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%v\n%s", err, d)
		}
	}
}

// TestManifestWithinTheFile cannot name the digest of the file it is part of.
func TestManifestWithinTheFile(t *testing.T) {
	bare := describeNetwork(nil)
	bare.Digest, bare.Bytes = leyline.Digest{}, 0
	text := string(manifestOf(bare))
	inside := strings.ReplaceAll(text, "sha256 = '"+leyline.Digest{}.String()+"'\n", "")
	if inside == text {
		t.Fatalf("no digest to be left out in\n%s", text)
	}
	inside = strings.ReplaceAll(inside, "bytes = 0\n", "")
	file := network(map[string]string{policyfile.MetadataKey: inside}, 1)
	got, err := policyfile.Artifact(file, nil)
	if d := cmp.Diff(describeNetwork(file), got); err != nil || d != "" {
		t.Errorf("%v\n%s", err, d)
	}
	file = network(map[string]string{policyfile.MetadataKey: string(manifestOf(describeNetwork(file)))}, 1)
	if _, err := policyfile.Artifact(file, nil); err == nil || !strings.Contains(err.Error(), "sha256") {
		t.Errorf("a digest of itself: %v", err)
	}
	for _, file := range [][]byte{rules(), network(nil, 1)} {
		if _, err := policyfile.Artifact(file, nil); err == nil || !strings.Contains(err.Error(), "missing") {
			t.Errorf("without a manifest: %v", err)
		}
	}
}

// TestManifestsThatLie are refused with the field that is wrong.
func TestManifestsThatLie(t *testing.T) {
	file := rules()
	for name, change := range map[string]func(*leyline.PolicyArtifact){
		"digest":       func(a *leyline.PolicyArtifact) { a.Digest[0] ^= 1 },
		"bytes":        func(a *leyline.PolicyArtifact) { a.Bytes++ },
		"format":       func(a *leyline.PolicyArtifact) { a.Format, a.Architecture = leyline.PolicySafetensors, "other/1" },
		"architecture": func(a *leyline.PolicyArtifact) { a.Architecture = "rules" },
		"id":           func(a *leyline.PolicyArtifact) { a.ID = "../../keys/admin.key" },
		"version":      func(a *leyline.PolicyArtifact) { a.Version = "a/b" },
		"run":          func(a *leyline.PolicyArtifact) { a.Run = "" },
		"created":      func(a *leyline.PolicyArtifact) { a.Created = "26.11.2026" },
		"registries":   func(a *leyline.PolicyArtifact) { a.Registries = nil },
	} {
		a := describe(file)
		change(&a)
		if _, err := policyfile.Artifact(file, manifestOf(a)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"an unknown key":   string(manifestOf(describe(file))) + "\n[extra]\ncode = 'import os'\n",
		"another type":     strings.Replace(string(manifestOf(describe(file))), "bytes = ", "bytes = 'many' # ", 1),
		"no TOML":          "{{{",
		"a format unknown": strings.Replace(string(manifestOf(describe(file))), "'toml'", "'pickle'", 1),
		"too long":         strings.Repeat("#", leyline.MaxManifestBytes+1),
	} {
		var bad *policyfile.ManifestError
		if _, err := policyfile.ParseManifest([]byte(text)); !errors.As(err, &bad) || len(err.Error()) > 1000 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestForeignFilesAreRefusedByName whatever they are called: only bytes count.
func TestForeignFilesAreRefusedByName(t *testing.T) {
	for what, b := range map[string][]byte{
		"zip":         []byte("PK\x03\x04\x14\x00archive/data.pkl"),
		"pickle":      []byte("\x80\x04\x95\x1e\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x02id\x94\x85\x94R\x94."),
		"gzip":        []byte("\x1f\x8b\x08\x00"),
		"NumPy":       []byte("\x93NUMPY\x01\x00"),
		"HDF5":        []byte("\x89HDF\r\n\x1a\n"),
		"program":     []byte("\x7fELF\x02\x01\x01"),
		"script":      []byte("#!/bin/sh\nid\n"),
		"WebAssembly": []byte("\x00asm\x01\x00\x00\x00"),
		"empty":       {},
		"neither":     {0xff, 0xfe, 0x00, 0x01},
		"at most":     bytes.Repeat([]byte{'a'}, leyline.MaxPolicyBytes+1),
	} {
		var bad *policyfile.FormatError
		if _, err := policyfile.Sniff(b); !errors.As(err, &bad) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := policyfile.Artifact(b, manifestOf(describe(b))); err == nil {
			t.Errorf("%s was taken for a policy", what)
		}
	}
	// A pickle of protocol 0 is text: it is read as TOML, and is none.
	text := []byte("cos\nsystem\n(S'id'\ntR.")
	if _, err := policyfile.Artifact(text, manifestOf(describe(text))); err == nil || !strings.Contains(err.Error(), "no policy in toml") {
		t.Errorf("a pickle of text: %v", err)
	}
}

// TestRules reads every weight, and refuses what is missing, unknown or out of bounds.
func TestRules(t *testing.T) {
	want := leyline.DefaultConfig().Rules
	want.Plateau, want.Shadow = 2, []string{"conflict"}
	got, err := policyfile.Rules(must(policyfile.MarshalRules(want)))
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v\n%s", err, d)
	}
	whole := string(rules())
	for name, text := range map[string]string{
		"plateau is missing": strings.Replace(whole, "plateau = ", "# plateau = ", 1),
		"rules.plateau":      strings.Replace(whole, "plateau = ", "plateau = -1 # ", 1),
		"is no weight":       whole + "\nexec = 1\n",
		"shadow is missing":  strings.Replace(whole, "shadow = ", "# ", 1),
		"rules.shadow":       strings.Replace(whole, "shadow = ", "shadow = ['nothing'] # ", 1),
		"falling":            strings.Replace(whole, "falling = ", "falling = 'far' # ", 1),
		"nan":                strings.Replace(whole, "record = ", "record = nan # ", 1),
	} {
		if _, err := policyfile.Rules([]byte(text)); err == nil || !strings.Contains(strings.ToLower(err.Error()), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTensors(t *testing.T) {
	for name, b := range map[string][]byte{
		"element 1": network(nil, 1, math.NaN()),
		"+Inf":      network(nil, math.Inf(1)),
		"nothing":   network(nil),
		"no tensor": must(tensorfile.Encode(nil, nil)),
		"size":      network(nil, 1, 2)[:7],
		"header":    append([]byte{0, 0, 0, 0, 0, 0, 0, 0x7f}, network(nil, 1)[8:]...),
		"dtype":     bytes.Replace(network(nil, 1), []byte(`"F64"`), []byte(`"I64"`), 1),
	} {
		if err := policyfile.Check(leyline.PolicySafetensors, b); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := policyfile.Check(leyline.PolicySafetensors, network(nil, 1, -2)); err != nil {
		t.Error(err)
	}
	whole := network(nil, 1, 2, 3)
	for n := range len(whole) {
		if err := policyfile.Check(leyline.PolicySafetensors, whole[:n]); err == nil {
			t.Errorf("its first %d bytes were taken for the file", n)
		}
	}
}

func store(t *testing.T) (*policyfile.Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "policies")
	s, err := policyfile.MakeStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			t.Error(err)
		}
	})
	return s, dir
}

// TestStoreGivesBackWhatWasPut, and replaces what was damaged.
func TestStoreGivesBackWhatWasPut(t *testing.T) {
	s, dir := store(t)
	file := rules()
	a := describe(file)
	for range 2 {
		if err := s.Put(&a, file); err != nil {
			t.Fatal(err)
		}
		found, err := s.Load(context.Background(), a.File(), a.Digest, a.Bytes)
		if want := (policyfile.Found{Digest: a.Digest, Bytes: a.Bytes, Rules: leyline.DefaultConfig().Rules}); err != nil || !cmp.Equal(found, want) {
			t.Fatalf("found %+v, %v", found, err)
		}
		if err := os.WriteFile(filepath.Join(dir, a.File()), []byte("germinate = 1000"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Put(&a, append(file, '\n')); err == nil {
		t.Error("other bytes were stored under the name of the artifact")
	}
	entries, err := s.List()
	if err != nil || len(entries) != 1 || entries[0] != (policyfile.Entry{Name: a.File(), Regular: true}) {
		t.Errorf("lists %+v, %v", entries, err)
	}
}

// TestFilesThatWereSwapped are found, each for what it is. None is used.
func TestFilesThatWereSwapped(t *testing.T) {
	file := rules()
	a := describe(file)
	evil := bytes.Replace(file, []byte("plateau"), []byte("Plateau"), 1)
	for _, c := range []struct {
		name string
		swap func(path string) error
		want leyline.PolicyFault
	}{
		{"other bytes of the same size", func(p string) error { return os.WriteFile(p, evil, 0o600) }, leyline.PolicyFileDigest},
		{"truncated", func(p string) error { return os.Truncate(p, int64(len(file)/2)) }, leyline.PolicyFileDigest},
		{"longer", func(p string) error { return os.WriteFile(p, append(bytes.Clone(file), make([]byte, 1<<20)...), 0o600) }, leyline.PolicyFileDigest},
		{"gone", os.Remove, leyline.PolicyFileMissing},
		{"a link to the same bytes", func(p string) error {
			return errors.Join(os.Rename(p, p+".real"), os.Symlink(filepath.Base(p)+".real", p))
		}, leyline.PolicyFileUnreadable},
		{"a link out of the store", func(p string) error { return errors.Join(os.Remove(p), os.Symlink("/etc/passwd", p)) }, leyline.PolicyFileUnreadable},
		{"a directory", func(p string) error { return errors.Join(os.Remove(p), os.Mkdir(p, 0o700)) }, leyline.PolicyFileUnreadable},
		{"a pipe", func(p string) error { return errors.Join(os.Remove(p), syscall.Mkfifo(p, 0o600)) }, leyline.PolicyFileUnreadable},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, dir := store(t)
			if err := s.Put(&a, file); err != nil {
				t.Fatal(err)
			}
			if err := c.swap(filepath.Join(dir, a.File())); err != nil {
				t.Fatal(err)
			}
			found, err := s.Load(context.Background(), a.File(), a.Digest, a.Bytes)
			var fault *policyfile.Fault
			if !errors.As(err, &fault) || fault.Kind != c.want || !cmp.Equal(found.Rules, leyline.RulesConfig{}) {
				t.Errorf("found %+v, %v", found, err)
			}
			if err := s.Put(&a, file); c.name != "a directory" && err != nil {
				t.Errorf("it cannot be put back: %v", err)
			}
		})
	}
}

// TestBytesThatAreWhatTheySayAndMeanNothing: the digest holds, and still it is no policy.
func TestBytesThatAreWhatTheySayAndMeanNothing(t *testing.T) {
	s, _ := store(t)
	file := []byte("plateau = 1\n")
	a := describe(file)
	if err := s.Put(&a, file); err != nil {
		t.Fatal(err)
	}
	var fault *policyfile.Fault
	if _, err := s.Load(context.Background(), a.File(), a.Digest, a.Bytes); !errors.As(err, &fault) || fault.Kind != leyline.PolicyFileInvalid {
		t.Errorf("%v", err)
	}
}

// TestNothingOutsideTheStoreIsOpened, whatever a name says.
func TestNothingOutsideTheStoreIsOpened(t *testing.T) {
	s, dir := store(t)
	if err := os.WriteFile(filepath.Join(filepath.Dir(dir), "secret"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../secret", "/etc/passwd", "", ".", "..", "a/../../secret", "a\x00b"} {
		var fault *policyfile.Fault
		if _, _, err := s.Read(context.Background(), name, 10); !errors.As(err, &fault) {
			t.Errorf("%q: %v", name, err)
		}
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if _, err := policyfile.MakeStore(link); err == nil {
		t.Error("a link was opened as a store")
	}
}

// TestCancelledReadIsNoFault: the deadline is said by whoever set it.
func TestCancelledReadIsNoFault(t *testing.T) {
	s, _ := store(t)
	file := rules()
	a := describe(file)
	if err := s.Put(&a, file); err != nil {
		t.Fatal(err)
	}
	cause := errors.New("too late")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	if _, err := s.Load(ctx, a.File(), a.Digest, a.Bytes); !errors.Is(err, cause) {
		t.Error(err)
	}
}

// TestInterruptedPutIsListedAndHarmless: what a crash leaves has another name.
func TestInterruptedPutIsListedAndHarmless(t *testing.T) {
	s, dir := store(t)
	file := rules()
	a := describe(file)
	if err := os.WriteFile(filepath.Join(dir, a.File()+".tmp"), file[:10], 0o600); err != nil {
		t.Fatal(err)
	}
	var fault *policyfile.Fault
	if _, err := s.Load(context.Background(), a.File(), a.Digest, a.Bytes); !errors.As(err, &fault) || fault.Kind != leyline.PolicyFileMissing {
		t.Error(err)
	}
	if entries, err := s.List(); err != nil || len(entries) != 1 || !entries[0].Partial {
		t.Errorf("lists %+v, %v", entries, err)
	}
	if err := s.Put(&a, file); err != nil {
		t.Fatal(err)
	}
	if entries, err := s.List(); err != nil || len(entries) != 1 || entries[0].Partial {
		t.Errorf("then lists %+v, %v", entries, err)
	}
}

// FuzzParseManifest: what is accepted is valid, and comes back as it was written.
func FuzzParseManifest(f *testing.F) {
	f.Add(manifestOf(describe(rules())))
	f.Add(manifestOf(describeNetwork(network(nil, 1))))
	f.Add([]byte("id = 'a'\nregistries = [[1]]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := policyfile.ParseManifest(b)
		if err != nil {
			return
		}
		if err := a.Validate(); err != nil {
			t.Errorf("accepted %+v: %v", a, err)
		}
		if again, err := policyfile.ParseManifest(manifestOf(a)); err != nil || !cmp.Equal(a, again) {
			t.Errorf("%+v came back as %+v, %v", a, again, err)
		}
	})
}

// FuzzArtifact: no bytes do more than fail, and weights that are accepted are valid.
func FuzzArtifact(f *testing.F) {
	f.Add(rules())
	f.Add(network(map[string]string{policyfile.MetadataKey: "id = 'x'"}, 1, 2))
	f.Add([]byte("\x80\x04."))
	f.Fuzz(func(t *testing.T, b []byte) {
		format, err := policyfile.Sniff(b)
		if err != nil {
			return
		}
		if format == leyline.PolicyTOML {
			if c, err := policyfile.Rules(b); err == nil && c.Validate() != nil {
				t.Errorf("accepted %+v", c)
			}
		} else if err := policyfile.Check(format, b); err == nil {
			if _, _, err := tensorfile.Decode(b); err != nil {
				t.Errorf("accepted what cannot be read: %v", err)
			}
		}
		if a, err := policyfile.Artifact(b, nil); err == nil && a.Digest != sha256.Sum256(b) {
			t.Error("the digest is not that of the file")
		}
	})
}

func ExampleMarshalManifest() {
	b, err := policyfile.MarshalManifest(leyline.PolicyArtifact{
		ID: "careful", Version: "3", Architecture: leyline.RulesArchitecture, Format: leyline.PolicyTOML, Origin: leyline.PolicyHandWritten,
		Created: "2026-11-26T21:00:00Z",
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(strings.SplitN(string(b), "\n", 2)[0])
	// Output: id = 'careful'
}
