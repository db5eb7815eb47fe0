package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
)

// DefaultToken is the name of the token in a file that holds nothing else.
const DefaultToken = "default" // constant: local because it is the name of a principal, not a setting

// maxName is the length of the longest name of a token, in bytes.
const maxName = 64

// Token is a bearer token and the name of who has it.
type Token struct {
	Name   string // of letters, digits, '.', '_' and '-', at most 64
	Secret string // what is sent
}

// ParseTokens reads the text of a token file: either one bare token, which gets the name
// DefaultToken, or lines of the form `NAME TOKEN`. Empty lines and lines that begin with
// '#' are skipped. The error names the line and never shows what is in it.
func ParseTokens(text string) ([]Token, error) {
	var out []Token
	bare := 0
	for i, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		t := Token{DefaultToken, words[0]}
		switch len(words) {
		case 1:
			bare = i + 1
		case 2:
			t = Token{words[0], words[1]}
		default:
			return nil, fmt.Errorf("line %d of the tokens has %d words; write NAME TOKEN", i+1, len(words))
		}
		out = append(out, t)
	}
	switch {
	case len(out) == 0:
		return nil, errors.New("there is no token")
	case bare > 0 && len(out) > 1:
		return nil, fmt.Errorf("line %d of the tokens has no name; write NAME TOKEN", bare)
	}
	return out, CheckTokens(out)
}

// CheckTokens refuses tokens that can be guessed, cannot be sent or cannot be told apart.
// No tokens are fine.
func CheckTokens(tokens []Token) error {
	names, secrets := map[string]bool{}, map[string]string{}
	for _, t := range tokens {
		if err := checkName(t.Name); err != nil {
			return err
		}
		if err := checkSecret(t.Secret); err != nil {
			return fmt.Errorf("token %q: %w", t.Name, err)
		}
		if other, twice := secrets[t.Secret]; twice {
			return fmt.Errorf("%q and %q have the same token; give each its own", other, t.Name)
		}
		if names[t.Name] {
			return fmt.Errorf("two tokens have the name %q; give each its own", t.Name)
		}
		names[t.Name], secrets[t.Secret] = true, t.Name
	}
	return nil
}

func checkName(name string) error {
	odd := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r))
	}
	if name == "" || len(name) > maxName || strings.ContainsFunc(name, odd) {
		return fmt.Errorf("%.80q is no name for a token: use 1 to %d letters, digits, '.', '_' or '-'", name, maxName)
	}
	return nil
}

func checkSecret(token string) error {
	switch {
	case len(token) < MinToken:
		return fmt.Errorf("it has %d bytes; use %d random ones or more", len(token), MinToken)
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errors.New("it holds a byte that is no printable ASCII")
	}
	return nil
}

// keyring knows the hashes of the tokens.
type keyring struct {
	names []string
	sums  [][sha256.Size]byte
}

func newKeyring(tokens []Token) keyring {
	var k keyring
	for _, t := range tokens {
		k.names = append(k.names, t.Name)
		k.sums = append(k.sums, sha256.Sum256([]byte(t.Secret)))
	}
	return k
}

// nameOf returns whose token a header carries; false for nobody's. It compares hashes,
// and always all of them: neither content, length nor place of the right one can be timed.
func (k keyring) nameOf(header string) (string, bool) {
	scheme, token, _ := strings.Cut(header, " ")
	sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
	at := -1
	for i := range k.sums {
		at = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(sum[:], k.sums[i][:]), i, at)
	}
	if at < 0 || !strings.EqualFold(scheme, "bearer") {
		return "", false
	}
	return k.names[at], true
}
