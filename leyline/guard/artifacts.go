package guard

import (
	"fmt"
	"slices"

	"github.com/esper-plane/esper/leyline"
)

// RunID refuses an id that names no run. No id is ever made up for a report that
// has none.
func RunID(id leyline.RunID) *leyline.Refusal {
	if id == "" {
		return refuse(leyline.RefusalMissingRun, "run", "", "is missing", "send the id of an open run; none is made up")
	}
	if err := leyline.CheckID(id); err != nil {
		return refuse(leyline.RefusalInvalidField, "run", short(string(id)), err.Error(), "use 1 to 128 letters, digits and ._:-")
	}
	return nil
}

// Registered refuses a blueprint that is not registered: bp is nil. field names
// where the id was written.
func Registered(bp *leyline.BlueprintRegistered, field string, id leyline.BlueprintID) *leyline.Refusal {
	if bp != nil {
		return nil
	}
	return refuse(leyline.RefusalUnknownBlueprint, field, short(string(id)), "is not registered", "register every blueprint before the run")
}

// Released refuses a blueprint in quarantine.
func Released(bp *leyline.BlueprintRegistered) *leyline.Refusal {
	if !bp.Quarantine {
		return nil
	}
	return refuse(leyline.RefusalQuarantine, "blueprint", string(bp.Blueprint), "is in quarantine", "register the mended blueprint under another id")
}

// Fits refuses a blueprint that the plan of a run does not name: nobody has said
// that its seeds go with this host.
func Fits(plan []leyline.BlueprintID, id leyline.BlueprintID) *leyline.Refusal {
	if slices.Contains(plan, id) {
		return nil
	}
	return refuse(leyline.RefusalUnknownBlueprint, "blueprint", short(string(id)), "is not among the blueprints of the run",
		"name in run.opened every kind of seed that fits the host")
}

// Blueprint refuses what may not be germinated in a run with this plan: a
// blueprint that is not registered, is in quarantine or does not fit.
func Blueprint(bp *leyline.BlueprintRegistered, plan []leyline.BlueprintID, id leyline.BlueprintID) *leyline.Refusal {
	if r := Registered(bp, "blueprint", id); r != nil {
		return r
	}
	if r := Released(bp); r != nil {
		return r
	}
	return Fits(plan, id)
}

// Kernel refuses anything but the very bytes that were registered with a
// blueprint: there is no other kernel that could stand in for them. digest and
// bytes are what was measured of the file; a zero digest says that there is none.
func Kernel(bp *leyline.BlueprintRegistered, digest leyline.Digest, bytes uint64) *leyline.Refusal {
	const hint = "put the registered file back into the kernel store"
	switch {
	case bp == nil:
		return Registered(nil, "blueprint", "")
	case digest.IsZero():
		return refuse(leyline.RefusalMissingKernel, "kernel", bp.Kernel, "is missing", hint)
	case digest != bp.Digest:
		return refuse(leyline.RefusalKernelDigest, "kernel", bp.Kernel,
			fmt.Sprintf("hashes to %s, registered is %s", digest.Short(), bp.Digest.Short()), hint)
	case bytes != bp.Bytes:
		return refuse(leyline.RefusalKernelSize, "kernel", bp.Kernel,
			fmt.Sprintf("has %d bytes, registered are %d", bytes, bp.Bytes), "register the size that the file has")
	}
	return nil
}

// KernelGuard refuses a kernel that was not built for what is registered with its
// blueprint. measured is the guard digest of the file; zero: it is no kernel file.
func KernelGuard(bp *leyline.BlueprintRegistered, measured leyline.Digest) *leyline.Refusal {
	if measured == bp.Guard {
		return nil
	}
	return refuse(leyline.RefusalKernelGuard, "kernel", bp.Kernel,
		fmt.Sprintf("has the guard digest %s, registered is %s", measured.Short(), bp.Guard.Short()),
		"register the blueprint with the framework and the layers that its kernel was built for")
}

// Suits refuses a blueprint for a run whose framework or layers it was not built for.
func Suits(bp *leyline.BlueprintRegistered, field, framework string, layers []string) *leyline.Refusal {
	bad := func(reason string) *leyline.Refusal {
		return refuse(leyline.RefusalMisfit, field, string(bp.Blueprint), reason, "name only blueprints that fit the host")
	}
	if bp.Framework != "" && bp.Framework != framework {
		return bad(fmt.Sprintf("was built for %s, the run uses %s", bp.Framework, short(framework)))
	}
	for _, m := range bp.Mesh {
		if !slices.Contains(layers, m) {
			return bad(fmt.Sprintf("needs layer %q, which the host does not have", m))
		}
	}
	return nil
}

// PolicyArtifact refuses the artifact of a policy that does not say what it is and where
// it comes from, or whose bytes are not those that it names. measured is the digest of
// the bytes at hand, size how many they are. That a format holds numbers alone, and
// nothing that is run when it is read, is said by its enum: there are no others.
func PolicyArtifact(a *leyline.PolicyArtifact, measured leyline.Digest, size uint64) *leyline.Refusal {
	bad := func(field, reason, hint string) *leyline.Refusal {
		return refuse(leyline.RefusalArtifact, field, short(string(a.ID)), reason, hint)
	}
	if r, wrong := leyline.AsRefusal(a.Validate()); wrong {
		return bad(r.Field, r.Reason, "publish the artifact with all of its facts")
	}
	switch {
	case measured != a.Digest:
		return bad("digest", fmt.Sprintf("is %s, the file hashes to %s", a.Digest.Short(), measured.Short()), "fetch the artifact again")
	case size != a.Bytes:
		return bad("bytes", fmt.Sprintf("is %d, the file has %d", a.Bytes, size), "write the size that the file has")
	}
	return nil
}

// Logits refuses what a CONFIDENCE blend cannot be computed from: its gate is a
// function of the margin between the two largest logits of every sample, so each
// of them has two or more, and they are finite. logits holds classes of them per
// sample, row by row. Other modes need none. The gate of a sample without logits
// is not 1: there is none.
func Logits(mode leyline.BlendMode, classes int, logits []float64) *leyline.Refusal {
	if mode != leyline.BlendConfidence {
		return nil
	}
	if bad := leyline.LogitsProblem(classes, logits); bad != "" {
		return refuse(leyline.RefusalLogits, "logits", "", bad, "report the logits of every sample of the batch")
	}
	return nil
}

// short bounds what a refusal repeats of an id that may be anything.
func short(s string) string { return s[:min(len(s), leyline.MaxIDLen)] }
