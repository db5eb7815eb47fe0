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
	blueprint string
	shape     workload.Block
	seed      uint64
}{
	{"residual-conv-h128-c3", workload.Block{Hidden: 128, Width: 2, Channels: 3, Side: 18}, 3},
	{"residual-mlp-16", workload.Block{Hidden: 32, Width: 16}, 16},
	{"residual-mlp-h128-w2", workload.Block{Hidden: 128, Width: 2}, 2},
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: gen FOLDER")
	}
	for _, k := range kernels {
		b, err := workload.NewKernel(k.blueprint, k.shape, k.seed)
		if err != nil {
			log.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(os.Args[1], k.blueprint+".safetensors"), b, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}
