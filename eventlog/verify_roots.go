package eventlog

import "github.com/esper-plane/esper/eventlog/tree"

// recentRoots computes the roots of trees that are not much smaller than the
// present one, without the stored hashes. It keeps up to 2 MiB.
type recentRoots struct{ before, now recentPart }

type recentPart struct {
	start  tree.Frontier
	leaves []tree.Hash
}

// recentLeaves is how many leaves a part has.
const recentLeaves = 1 << 15

// reset continues with the tree, if it is not the one that was added to.
func (r *recentRoots) reset(t *tree.Frontier) {
	if r.now.start.Size()+int64(len(r.now.leaves)) == t.Size() {
		return
	}
	*r = recentRoots{now: recentPart{start: *t}}
}

// add takes the leaf that was added to t.
func (r *recentRoots) add(t *tree.Frontier, leaf tree.Hash) {
	r.now.leaves = append(r.now.leaves, leaf)
	if len(r.now.leaves) == recentLeaves {
		r.before, r.now = r.now, recentPart{start: *t, leaves: r.before.leaves[:0]}
	}
}

func (r *recentRoots) root(size int64) (tree.Hash, bool) {
	for _, p := range [...]*recentPart{&r.now, &r.before} {
		if n := size - p.start.Size(); n >= 0 && n <= int64(len(p.leaves)) && size > 0 {
			t := p.start
			for _, leaf := range p.leaves[:n] {
				t.Append(nil, leaf)
			}
			return t.Root(), true
		}
	}
	return tree.Hash{}, false
}
