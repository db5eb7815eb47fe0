package datadir

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/leyline/sign"
)

// Files in the folder of keys.
const (
	logKeyName    = "log.key"
	adminKeyName  = "admin.key"
	tamiyoKeyName = "tamiyo.key"
)

var keyNames = []string{logKeyName, adminKeyName, tamiyoKeyName}

// Keys are the private keys of a data directory.
type Keys struct {
	Log    sign.Signer // of checkpoints
	Admin  sign.Signer // vouches for keys and configurations
	Tamiyo sign.Signer // of Tamiyo's commands

	path string
}

// openKeys reads the keys. While no log names them, those that are missing are
// made; a crash on the way leaves some, and the next call makes the others.
func openKeys(path string, bound bool, rand io.Reader) (Keys, error) {
	k := Keys{path: path}
	if err := makeDir(path); err != nil {
		return k, err
	}
	for _, slot := range k.slots() {
		key, err := slot.read(bound)
		if errors.Is(err, fs.ErrNotExist) {
			key, err = makeKey(slot.path, rand)
		}
		if err != nil {
			return k, err
		}
		*slot.key = key
	}
	return k, nil
}

// examineKeys reads the keys that are there and returns everything that is wrong
// with them. It changes nothing.
func examineKeys(path string, bound bool) (Keys, []error) {
	k := Keys{path: path}
	var errs []error
	for _, slot := range k.slots() {
		key, err := slot.read(bound)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
		*slot.key = key
	}
	return k, errs
}

// keySlot is where a key belongs.
type keySlot struct {
	path string
	key  *sign.Signer
}

func (k *Keys) slots() []keySlot {
	return []keySlot{
		{filepath.Join(k.path, logKeyName), &k.Log}, {filepath.Join(k.path, adminKeyName), &k.Admin}, {filepath.Join(k.path, tamiyoKeyName), &k.Tamiyo},
	}
}

// read reads a key. That there is none is fs.ErrNotExist while no log names it, and
// ErrKeys when one does.
func (s keySlot) read(bound bool) (sign.Signer, error) {
	key, err := readKey(s.path)
	if bound && errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %s is missing; restore it from a backup, a new one would not be trusted", ErrKeys, s.path)
	}
	return key, err
}

func readKey(path string) (sign.Signer, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return sign.Signer{}, err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return sign.Signer{}, fmt.Errorf("%w: %s is %s; it must be a file that only its owner can read: chmod 600 %s", ErrKeys, path, info.Mode(), path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return sign.Signer{}, err
	}
	key, err := sign.ParsePrivate(b)
	if err != nil {
		return key, fmt.Errorf("%w: %s: %w; restore it from a backup", ErrKeys, path, err)
	}
	return key, nil
}

func makeKey(path string, rand io.Reader) (sign.Signer, error) {
	key, err := sign.Generate(rand)
	if err != nil {
		return key, err
	}
	b, err := sign.MarshalPrivate(key)
	if err != nil {
		return key, err
	}
	if err := writeFile(path, b); err != nil {
		return key, fmt.Errorf("cannot write key %s: %w", path, err)
	}
	return key, nil
}

// check holds the keys against what the log says about itself.
func (k Keys) check(o eventlog.Origin) error {
	for _, c := range []struct {
		name     string
		key      sign.Signer
		recorded []byte
	}{{adminKeyName, k.Admin, o.AdminKey}, {logKeyName, k.Log, o.LogKey}} {
		if !bytes.Equal(c.key.Public(), c.recorded) {
			return fmt.Errorf("%w: log %s trusts key %s, %s is key %s; restore the key that belongs to this log",
				ErrKeys, o.Name, sign.KeyIDOf(c.recorded), filepath.Join(k.path, c.name), c.key.KeyID())
		}
	}
	return nil
}
