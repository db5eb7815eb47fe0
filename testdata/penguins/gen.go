//go:build ignore

// Gen makes penguins.csv from penguins.json of vega-datasets 3.2.1:
//
//	go run testdata/penguins/gen.go ORIGINAL/penguins.json testdata/penguins/penguins.csv
//
// It refuses any other original, drops the rows with a missing value and
// renames columns; it changes no number and keeps the order of the rows.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"
)

const originalSHA256 = "0facf769609f1205b82cbceb8238c36af3e6147a0ca0e163902cc6281ce3e917"

type row struct {
	Species string
	Island  string
	Sex     *string      // null, "MALE", "FEMALE" or, once, "."
	BillLen *json.Number `json:"Beak Length (mm)"`
	BillDep *json.Number `json:"Beak Depth (mm)"`
	Flipper *json.Number `json:"Flipper Length (mm)"`
	Mass    *json.Number `json:"Body Mass (g)"`
}

func (r row) complete() bool {
	return r.Species != "" && r.Island != "" && r.Sex != nil && *r.Sex != "." &&
		r.BillLen != nil && r.BillDep != nil && r.Flipper != nil && r.Mass != nil
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: gen ORIGINAL.json OUT.csv")
	}
	original, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	if sum := sha256.Sum256(original); hex.EncodeToString(sum[:]) != originalSHA256 {
		log.Fatalf("%s is not the original: SHA-256 %x", os.Args[1], sum)
	}
	var rows []row
	if err := json.Unmarshal(original, &rows); err != nil {
		log.Fatal(err)
	}
	out := bytes.NewBufferString("species,island,sex,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g\n")
	for _, r := range rows {
		if r.complete() {
			fmt.Fprintf(out, "%s,%s,%s,%s,%s,%s,%s\n", r.Species, r.Island,
				strings.ToLower(*r.Sex), *r.BillLen, *r.BillDep, *r.Flipper, *r.Mass)
		}
	}
	if err := os.WriteFile(os.Args[2], out.Bytes(), 0o644); err != nil {
		log.Fatal(err)
	}
}
