package tree_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"

	"github.com/esper-plane/esper/eventlog/tree"
)

// The operator of a log signs its tree and proves a record; an auditor, who was
// given the verifier key before, checks the proof.
func Example() {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) // a secret, elsewhere
	signer, err := tree.NewSigner("plane-7", key)
	if err != nil {
		panic(err)
	}
	vkey, err := tree.VerifierKey("plane-7", key.Public().(ed25519.PublicKey))
	if err != nil {
		panic(err)
	}
	verifier, err := tree.ParseVerifierKey(vkey)
	if err != nil {
		panic(err)
	}

	var f tree.Frontier
	var stored hashList
	frames := []string{"origin", "a step was observed", "a command was verified"}
	for _, frame := range frames {
		leaf := sha256.Sum256([]byte(frame))
		stored = f.Append(stored, tree.LeafHash(leaf))
	}
	checkpoint, err := tree.Checkpoint{Origin: "plane-7", Size: f.Size(), Root: f.Root()}.Sign(signer)
	if err != nil {
		panic(err)
	}
	p, err := tree.ProveRecord(checkpoint, verifier, 3, sha256.Sum256([]byte(frames[2])), stored)
	if err != nil {
		panic(err)
	}
	text, err := p.MarshalText()
	if err != nil {
		panic(err)
	}

	// Elsewhere:
	var received tree.RecordProof
	if err := received.UnmarshalText(text); err != nil {
		panic(err)
	}
	c, err := received.Verify(verifier)
	if err != nil {
		panic(err)
	}
	fmt.Println(received.Leaf == sha256.Sum256([]byte("a command was verified")))
	fmt.Printf("record %d of %d of %s\n", received.Seq, c.Size, c.Origin)
	fmt.Println()
	fmt.Println(vkey)
	fmt.Println()
	fmt.Printf("%s", text)
	// Output:
	// true
	// record 3 of 3 of plane-7
	//
	// plane-7+cc0c85cc+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop
	//
	// c2sp.org/tlog-proof@v1
	// extra Eh0sr7BRaxXucGBNusnEkFTHNLR1l64zf9VKV1AJnOM=
	// index 2
	// mw1p5nwCsTYr9G4B/v2ZzvoO4LB2z8w3SFd+z/bTgUE=
	//
	// plane-7
	// 3
	// TND2l4Ehjb8VEUBv85ejeMBpoq2E3z3bZDINjogxROg=
	//
	// — plane-7 zAyFzLpfFoaNlQLdUHux7UJKa9/so3YS+EkTteTSYrS3i6bwTGEuCvyBqrgKSe3Xm+5d+kUiMxXBzB6IWUQuKgcjGAM=
}
