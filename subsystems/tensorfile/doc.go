// Package tensorfile reads and writes safetensors files, the only form in which
// esper takes tensors. Pure: it works on bytes and readers that it is given.
//
// # The rules
//
// A file is a u64 little-endian header length, a JSON header, the numbers. The
// rules are strict, so that one file has one meaning and no byte is unaccounted
// for: the header length lies within the file and within MaxHeader; the header is
// one valid UTF-8 JSON object that begins with '{' and ends in spaces at most; no
// key is repeated or unknown; metadata maps strings to strings; the dtype is one
// of the whole-byte types of the format; a shape has at most MaxRank dimensions
// and its product does not overflow; the size that dtype and shape ask for is the
// size of the byte range; the ranges cover the data from its first byte to the
// last without gap or overlap. A broken rule is a *FormatError that names it. NaN
// and infinities are allowed. Names are only names, never paths.
//
// Check holds a file's header against the rules without reading the numbers: the
// plane does so when a snapshot is registered and again before it is restored.
// Decode reads the numbers too: a trainer does.
package tensorfile
