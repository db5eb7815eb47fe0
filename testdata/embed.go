// Package testdata embeds the data that esper's programs, and not only its
// tests, need at run time: the penguins data set and the seed kernels. It is a
// Go package because an embed directive cannot reach upwards out of its own
// folder. It imports nothing of esper.
//
// Contents:
//
//   - penguins/penguins.csv: 333 complete rows of body measurements of
//     penguins; source, licence and column meanings are in
//     penguins/README.md; penguins/gen.go makes the file from the original.
//   - mnist/digits.bin.gz: 10,000 handwritten digits of 14 x 14 pixels; source,
//     licence and layout are in mnist/README.md; mnist/gen.go makes the file
//     from the original.
//   - kernels/*.safetensors: one file per blueprint, the blueprint's residual
//     block with its initial weights; kernels/gen.go makes them. The layout is
//     documented in package replay/workload.
//
// Every function returns a fresh copy, so a caller may change what it gets.
package testdata

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed penguins/penguins.csv
var penguins string

//go:embed mnist/digits.bin.gz
var mnist string

//go:embed kernels/*.safetensors
var kernels embed.FS

const kernelSuffix = ".safetensors"

// PenguinsCSV returns the penguins data set: UTF-8 CSV with one header line
//
//	species,island,sex,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g
//
// and 333 rows, none with a missing value.
func PenguinsCSV() []byte { return []byte(penguins) }

// MNIST returns 10,000 handwritten digits as one gzip file of 0.7 MB. Inflated
// it has 1,970,013 bytes: "esperdig", the number n of images as a u32 in
// little-endian order, the side s of an image in pixels as a byte, n labels of a
// byte each (0 to 9, ascending), and n images of s*s bytes each, row by row from
// the top left (0 is background, 255 full ink).
func MNIST() []byte { return []byte(mnist) }

// Kernel returns the safetensors bytes of the kernel of a blueprint, for
// example "residual-mlp-16". An unknown blueprint is an error that wraps
// fs.ErrNotExist and lists the known ones; there is no default kernel.
func Kernel(blueprint string) ([]byte, error) {
	b, err := kernels.ReadFile("kernels/" + blueprint + kernelSuffix)
	if err != nil {
		return nil, fmt.Errorf("cannot find kernel %q (known: %s): %w",
			blueprint, strings.Join(Blueprints(), ", "), fs.ErrNotExist)
	}
	return b, nil
}

// Kernels returns the kernel files by name, for example
// "residual-mlp-16.safetensors".
func Kernels() fs.FS {
	sub, err := fs.Sub(kernels, "kernels")
	if err != nil {
		panic("testdata: the embedded kernel folder is missing") // a build fault, not input
	}
	return sub
}

// Blueprints returns the blueprint ids that Kernel knows, sorted.
func Blueprints() []string {
	entries, err := kernels.ReadDir("kernels")
	if err != nil {
		panic("testdata: the embedded kernel folder is missing") // a build fault, not input
	}
	ids := make([]string, 0, len(entries))
	for _, e := range entries { // ReadDir is sorted by name
		ids = append(ids, strings.TrimSuffix(e.Name(), kernelSuffix))
	}
	return ids
}
