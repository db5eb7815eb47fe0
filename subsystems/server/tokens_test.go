package server

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const other = "fedcba9876543210"

// TestParseTokens: what a token file may hold, and that no error shows a secret.
func TestParseTokens(t *testing.T) {
	for text, want := range map[string][]Token{
		token:                 {{DefaultToken, token}},
		"\n " + token + " \n": {{DefaultToken, token}},
		"# of the team\nada " + token + "\n\nbob\t" + other + "\r\n": {{"ada", token}, {"bob", other}},
	} {
		if got, err := ParseTokens(text); err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"":                                    "there is no token",
		"# none":                              "there is no token",
		"ada " + token + "\n" + other:         "line 2 of the tokens has no name",
		token + "\n" + other:                  "line 2 of the tokens has no name",
		"ada " + token + "\nada " + other:     `two tokens have the name "ada"`,
		"ada " + token + "\nbob " + token:     `"ada" and "bob" have the same token`,
		"ada " + token + " " + other:          "line 1 of the tokens has 3 words",
		"a:b " + token:                        `"a:b" is no name`,
		strings.Repeat("a", 65) + " " + token: "is no name for a token",
		"ada short":                           `token "ada": it has 5 bytes`,
		"ada \u00e4" + token:                  `token "ada": it holds a byte`,
	} {
		if _, err := ParseTokens(text); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), token) || strings.Contains(err.Error(), other) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// TestKeyring: every token is found by its whole self and by nothing else.
func TestKeyring(t *testing.T) {
	k := newKeyring([]Token{{"ada", token}, {"bob", other}})
	for header, want := range map[string]string{
		"Bearer " + token: "ada", "bearer  " + other: "bob", "BEARER " + other + " ": "bob",
		"Bearer " + token[:15]: "", "Bearer " + token + other: "", "Bearer": "", "": "", token: "", "Basic " + token: "",
		"Bearer " + strings.ToUpper(other): "",
	} {
		if got, ok := k.nameOf(header); got != want || ok != (want != "") {
			t.Errorf("%q: %q %t, want %q", header, got, ok, want)
		}
	}
	if name, ok := newKeyring(nil).nameOf("Bearer "); ok {
		t.Errorf("a keyring without tokens knows %q", name)
	}
}
