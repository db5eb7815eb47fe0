package workload

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// gonum's Gemm divides its result into blocks of 64 x 64 and starts goroutines
// from the fourth block on. Three at a time it stays in the calling goroutine.
const (
	blockSide  = 64
	mostBlocks = 3
)

// product sets y to a*b + beta*y, where a and b are transposed on request. It
// starts no goroutine, and no element of y depends on how y is cut into panels:
// each is one sum over the inner dimension in ascending order, cut nowhere.
func product(y, a blas64.General, ta blas.Transpose, b blas64.General, tb blas.Transpose, beta float64) {
	if blocks(y.Rows)*blocks(y.Cols) <= mostBlocks {
		blas64.Gemm(ta, tb, 1, a, b, beta, y)
		return
	}
	for i := 0; i < y.Rows; i += blockSide {
		r := min(blockSide, y.Rows-i)
		left := rowsOf(a, ta, i, r)
		for j := 0; j < y.Cols; j += mostBlocks * blockSide {
			c := min(mostBlocks*blockSide, y.Cols-j)
			blas64.Gemm(ta, tb, 1, left, columnsOf(b, tb, j, c), beta, view(y, i, j, r, c))
		}
	}
}

func blocks(n int) int { return (n + blockSide - 1) / blockSide }

// rowsOf returns n rows of m, or of its transpose, from row i on.
func rowsOf(m blas64.General, t blas.Transpose, i, n int) blas64.General {
	if t == blas.Trans {
		return view(m, 0, i, m.Rows, n)
	}
	return view(m, i, 0, n, m.Cols)
}

// columnsOf returns n columns of m, or of its transpose, from column j on.
func columnsOf(m blas64.General, t blas.Transpose, j, n int) blas64.General {
	if t == blas.Trans {
		return view(m, j, 0, n, m.Cols)
	}
	return view(m, 0, j, m.Rows, n)
}

// view returns r x c elements of m from (i, j) on, sharing its memory.
func view(m blas64.General, i, j, r, c int) blas64.General {
	at := i*m.Stride + j
	return blas64.General{Rows: r, Cols: c, Stride: m.Stride, Data: m.Data[at : at+(r-1)*m.Stride+c]}
}
