package workload

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Bounds of a digits file. They cap what is inflated at 16 MB.
const (
	digitsMagic  = "esperdig"
	digitsHeader = len(digitsMagic) + 5
	maxDigits    = 20_000
	maxSide      = 28
	digitClasses = 10
)

// digits are labelled square images. The layout of their file is documented at
// testdata.MNIST.
type digits struct {
	side   int
	labels []byte // below digitClasses
	pixels []byte // image after image, side*side bytes each
}

// image returns the pixels of image i, row-major.
func (d digits) image(i int) []byte {
	area := d.side * d.side
	return d.pixels[i*area : (i+1)*area]
}

// decodeDigits reads a gzip file of digits. It refuses whatever is not exactly
// one such file, and inflates no more than the header announces.
func decodeDigits(b []byte) (digits, error) {
	in := bytes.NewReader(b)
	zip, err := gzip.NewReader(in)
	if err != nil {
		return digits{}, fmt.Errorf("cannot read digits: %w", err)
	}
	zip.Multistream(false)
	d, err := readDigits(zip)
	if err == nil && in.Len() > 0 {
		err = fmt.Errorf("%d bytes follow the file", in.Len())
	}
	if err != nil {
		return digits{}, fmt.Errorf("cannot read digits: %w", err)
	}
	return d, nil
}

func readDigits(r io.Reader) (digits, error) {
	var header [digitsHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return digits{}, fmt.Errorf("header: %w", err)
	}
	count := binary.LittleEndian.Uint32(header[len(digitsMagic):])
	side := int(header[digitsHeader-1])
	switch {
	case string(header[:len(digitsMagic)]) != digitsMagic:
		return digits{}, errors.New("the header does not begin with " + digitsMagic)
	case count < 1 || count > maxDigits:
		return digits{}, fmt.Errorf("%d images, not within 1 and %d", count, maxDigits)
	case side < 1 || side > maxSide:
		return digits{}, fmt.Errorf("side of %d pixels, not within 1 and %d", side, maxSide)
	}
	n := int(count)
	want := n * (1 + side*side)
	body, err := io.ReadAll(io.LimitReader(r, int64(want)+1)) // grows with what is there, not with what is announced
	switch {
	case err != nil:
		return digits{}, err
	case len(body) != want:
		return digits{}, fmt.Errorf("the body is not of %d bytes", want)
	}
	d := digits{side: side, labels: body[:n:n], pixels: body[n:]}
	for i, label := range d.labels {
		if label >= digitClasses {
			return digits{}, fmt.Errorf("image %d is labelled %d", i, label)
		}
	}
	return d, nil
}
