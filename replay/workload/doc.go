// Package workload is the numeric half of the built-in trainer: a small real
// network that learns several tasks at once from real data, takes grafted
// seeds, and reports what a control plane decides on. It knows nothing of
// protocol, log or plane.
//
// # Data
//
// Penguins: four body measurements, standardised over the training rows, and
// three tasks (species, sex, island) on the same features. The tasks are
// unequal on purpose: species is nearly separable, sex is not quite, island can
// only be guessed in part. Their gradients disagree in most steps, which is what
// gradient aggregation is for. Source and licence are in testdata/penguins.
//
// MultiMNIST: images of two overlapping handwritten digits, and two tasks of ten
// classes, the digit at the top left and the one at the bottom right. What one
// task needs is noise to the other. Source and licence are in testdata/mnist.
//
// Both are divided into three parts. A net learns from Train; what is decided
// while it learns is decided by Probe; HeldOut is for the judgement at the end.
// A decision taken by held-out rows would make that judgement flatter itself.
//
// A Spec (Lookup, Names) puts data, net, slots and blueprints together. The host
// of multimnist has two hidden layers of 128, which can fit the training rows
// alone: behind it a block on the trunk adds nothing at any width. What it lacks
// is a sense of place, for it sees pixels in no order. A block with filters brings
// that, so it earns its place by measurement, and a narrow one without does not.
//
// # Network
//
//	h  = tanh(W2 tanh(W1 x + b1) + b2)          trunk, shared by all tasks
//	h' = blend(h, h + s1(x, h)), and so on      blending and frozen seeds, in slot order
//	p_t = softmax(V_t h' + c_t)                 one head per task
//	s(x, u) = R2 tanh([F * x + f; R1 u + r1]) + r2   a seed's residual block
//
// where a seed reads the result so far. Its output is that and what its block adds;
// package blend defines how the two are mixed. RESIDUAL mixes what the block adds,
// h + a s, so in this net, where every block is residual, CONVEX is the same function.
// CONFIDENCE takes the seed's own classification from the heads, as its auxiliary loss
// does: softmax(V_t(u + s(x, u)) + c_t), one per task; the heads learn nothing by it.
// F * x is a strided convolution: every filter sees patches of 5 x 5
// pixels, one in every two along rows and columns. A block without filters reads
// the trunk only, and runs on data that are no image too. Which layers a block
// reads is a property of its kernel. The loss of a task is the mean cross-entropy
// over the batch.
//
// # Controls
//
// An experiment needs networks to compare with. Spec.Modules builds blocks into the
// host from the first step, in the place that a seed would have grown into, and
// Spec.Widened gives the host a wider trunk instead: both have as many parameters as a
// network in which seeds were kept, the one by the same function, the other by more of
// what it has. Result.Work counts multiply-adds, so that a control can be trained for
// the same arithmetic, and Result.Curve is how the held-out rows were judged on the
// way, by which nothing is decided.
//
// # Detach
//
// What a seed reads is detached: the seed works on a copy of the numbers, and no
// gradient goes back through it. In training the seed is judged by an auxiliary
// loss, the sum over tasks of the cross-entropy of softmax(V_t(u + s(x, u)) + c_t)
// on detached u, with the heads held fixed; its gradient reaches the seed only.
// In blending the task losses themselves reach the host along h and the seed
// along e s, where e is its effective share. What package blend calls detached is the
// host inside the blend. A host that were owed nothing would stop learning, and one
// that were owed the (1-e) of its own term would learn ever less as alpha rises, and
// nothing at all beside a seed that stays. But the seed's output contains h too, and
// what comes back along both is (1-e) + e: the host is given the whole gradient in
// every mode, exactly what it would learn from if s were a constant. Only what the
// block reads is detached, and the shares are constants. Isolation is the reason: while a seed is on trial the host must
// learn as if the seed's inner workings were not there, so that removing the
// seed takes away exactly what it added, and so that a bad seed cannot bend the
// host to its purpose. The rule is measured in every step rather than trusted
// (Pass.IsolationLeak), and a fault drill can break it for real (FaultLeak). Only
// the trunk can be leaked into: no parameter lies behind the pixels.
//
// # Gradients
//
// Pass.Gradients has one vector per task over the parameters that tasks share:
// the trunk, then each blending seed. Heads belong to one task each, so their
// gradients stand apart and are applied with weight 1, whatever weights the
// plane answers with; so is a training seed's auxiliary gradient. The update is
// gradient descent with momentum 0.9 and rate 0.05, unless configured.
//
// Products are cut into panels so small that gonum starts no goroutine; the
// result does not depend on GOMAXPROCS.
//
// # Determinism
//
// Initial weights, splits, composed images and mini-batches are pure functions
// of seeds and have the same bits on every machine; the mini-batch of step n does
// not depend on steps before n. Two runs of one build on one kind of processor
// agree bit for bit, also when one was saved and loaded on the way. Another
// architecture, another GOAMD64 or gonum's noasm tag may differ in the last bits
// (math.Tanh, math.Exp and gonum's kernels do): the trainer is what the plane
// observes, it is never re-derived in replay.
//
// # Readings
//
// With every step the trainer reports what it measured beside losses and gradients:
// how long it waited for the plane in the step before and for this step's batch, how
// long it carried out commands and orders and advanced alphas since the last report,
// how busy the processors were, and what a GPU's own tool says where a file of its
// readings is named (package gauge). The momentum is told once in an incarnation. What
// did not happen or could not be measured is not in the report, and a gauge that fails
// is said once.
//
// A run is in lockstep unless Options.Live is set: no decision of the plane then
// depends on measured time, and two runs of a seed train to the same bits.
//
// # Drills
//
// A Fault is something that really goes wrong at a step: weights are damaged, a step
// takes longer, the log's disk hangs, processors are kept busy, labels are those of
// other rows. Faults are declared when the run is opened. One that has struck in a
// history that was rolled back since does not strike again.
//
// # Files
//
// Kernels and saved states are safetensors files, read by a strict reader
// (package tensorfile): a u64 little-endian header length, a JSON header, the numbers.
package workload
