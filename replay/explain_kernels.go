package replay

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
)

// kernelWords tells what becomes of kernels and of blueprints.
func kernelWords(e leyline.Event) string {
	switch x := e.(type) {
	case leyline.PrefetchRequested:
		return fmt.Sprintf("kernel %q is fetched for seed %s by %s", x.Kernel, x.Seed, x.Deadline)
	case leyline.PrefetchSettled:
		return because(fmt.Sprintf("fetching the kernel of seed %s ended %s in %s", x.Seed, x.Outcome, took(x.TookNs))+originWords(x), x.Reason)
	case leyline.PrefetchLate:
		return fmt.Sprintf("fetch %s of the kernel of seed %s ended %s in %s, and nobody waits for it any more", x.Request, x.Seed, x.Outcome, took(x.TookNs))
	case leyline.PrefetchesCancelled:
		return because(fmt.Sprintf("%d fetches of %d runs were cancelled", x.Requests, x.Runs), x.Reason)
	case leyline.EmergencyCleaned:
		return fmt.Sprintf("command %s has emptied the kernel cache of %d kernels, %s, in %s; %d stay", x.Command, x.Kernels, size(x.Bytes), took(x.TookNs), x.Kept)
	case leyline.BlueprintRetired:
		return because(fmt.Sprintf("blueprint %s is withdrawn", x.Blueprint), x.Reason)
	}
	return ""
}

// originWords says where a kernel came from.
func originWords(x leyline.PrefetchSettled) string {
	if x.Outcome != leyline.OutcomeOK || x.Origin == leyline.KernelOriginUnspecified {
		return ""
	}
	return fmt.Sprintf(", from the %s", x.Origin)
}
