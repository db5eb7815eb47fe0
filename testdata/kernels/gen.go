//go:build ignore

// Gen makes the kernels of this folder; run it from the module's root:
//
//	go run testdata/kernels/gen.go testdata/kernels
//
// The bytes are a pure function of the table below, and a test of package
// replay/workload holds the files against it. (Package testdata does not build
// without any kernel file; an empty one is enough to start from.)
package main

import (
	"log"
	"os"
	"path/filepath"

	"github.com/esper-plane/esper/replay/workload"
)

var kernels = []struct {
	blueprint     string
	hidden, width int
	seed          uint64
}{
	{"residual-mlp-16", 32, 16, 16},
	{"residual-mlp-h12-w1", 12, 1, 1},
	{"residual-mlp-h12-w64", 12, 64, 64},
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: gen FOLDER")
	}
	for _, k := range kernels {
		b, err := workload.NewKernel(k.blueprint, k.hidden, k.width, k.seed)
		if err != nil {
			log.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(os.Args[1], k.blueprint+".safetensors"), b, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}
